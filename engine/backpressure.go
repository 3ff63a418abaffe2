package engine

import "time"

// scanInterval is how often choked connections are looked at, as long as
// there are any: gnet does not tell when its buffer has drained.
const scanInterval = 10 * time.Millisecond

// Java: NettyRemotingServer.NettyServerHandler#channelWritabilityChanged turns
// reading off above the high-water mark and on again below the low one. gnet
// cannot stop reading one connection, so a choked one is read and not served:
// its bytes wait in c.in, and if there are too many of them, or it lasts too
// long, it is closed. All of this is for the loop only.

// choke stops serving c.
func (l *loop) choke(c *conn) {
	c.choked = true
	c.since = l.e.now()
	l.e.choked.Add(1)
	l.chokedList = append(l.chokedList, c)
	if len(l.chokedList) == 1 {
		l.armScan()
	}
}

// unchoke takes the mark off c; the list forgets it at the next scan.
func (l *loop) unchoke(c *conn) {
	if c.choked {
		c.choked = false
		l.e.choked.Add(-1)
	}
}

// armScan makes the next scan happen.
func (l *loop) armScan() {
	if l.chokeTimer == nil {
		l.chokeTimer = time.AfterFunc(scanInterval, func() { l.execute(l.scanTask) })
		return
	}
	l.chokeTimer.Reset(scanInterval)
}

// hoard keeps what a choked peer sends and closes it when that is too much.
func (l *loop) hoard(c *conn, data []byte) error {
	if err := l.add(c, data); err != nil {
		return err
	}
	if len(c.in.B) <= l.e.o.ChokedInput {
		return nil
	}
	first, err := l.split(c.in.B)
	if err != nil {
		return err
	}
	if len(c.in.B) > first+l.e.o.ChokedInput {
		return ErrSlowReader
	}
	return nil
}

// scanChoked lets go whoever has read enough and closes whoever has not for
// too long.
func (l *loop) scanChoked() {
	list := l.chokedList
	l.chokedList = l.chokedSpare[:0]
	now := l.e.now()
	for _, c := range list {
		if !c.gone && c.choked {
			l.reviewChoked(c, now)
		}
	}
	clear(list)
	l.chokedSpare = list[:0]
	if len(l.chokedList) > 0 {
		l.armScan()
	}
}

// reviewChoked looks at one choked connection. If it is to stay choked it is
// listed again.
func (l *loop) reviewChoked(c *conn, now time.Duration) {
	if l.drained(c) {
		l.touch(c)
	}
	switch {
	case c.unsent <= l.e.o.LowWater:
		l.unchoke(c)
		l.resume(c)
	case now-c.since >= l.e.o.ChokedTime:
		l.close(c, ErrSlowReader)
	default:
		l.chokedList = append(l.chokedList, c)
	}
}
