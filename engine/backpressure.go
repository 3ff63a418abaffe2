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

// look reads how much of what was written to c is unsent, which gnet does not
// tell, and counts it in the budget; c may have to go over it.
func (l *loop) look(c *conn) {
	unsent := c.gc.OutboundBuffered()
	if unsent == c.unsent {
		return
	}
	if more := unsent - c.unsent; more < 0 {
		l.e.release(-more)
	} else if !l.afford(c, more) {
		l.close(c, ErrOverloaded)
		return
	}
	c.unsent = unsent
	switch {
	case unsent == 0:
		c.leave(byUnsent)
	case !c.listed(byUnsent):
		c.owing = l.now
		l.unsent.push(c)
	}
}

// drained reports whether the peer has read of our replies since we last
// looked.
func (l *loop) drained(c *conn) bool {
	before := c.unsent
	l.look(c)
	return !c.gone && c.unsent < before
}

// reviewUnsent looks at all who have something unsent. Those who are choked
// are looked at more often.
func (l *loop) reviewUnsent() {
	for c := l.unsent.head; c != nil && !c.gone; {
		next := c.links[byUnsent].nex
		if l.drained(c) {
			l.touch(c)
		}
		c = next
	}
}

// choke stops serving c.
func (l *loop) choke(c *conn) {
	c.choked = true
	c.leave(byFrame) // what keeps it from being whole is that we do not serve
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

// hoard keeps what a peer sends that is choked or behind, and closes it when
// that is too much.
func (l *loop) hoard(c *conn, data []byte) error {
	if err := l.add(c, data); err != nil {
		return err
	}
	held := c.in.B[c.off:]
	if len(held) <= l.e.o.ChokedInput {
		return nil
	}
	first, err := l.split(held)
	switch {
	case err != nil:
		return err
	case len(held) <= first+l.e.o.ChokedInput:
		return nil
	case c.choked:
		return ErrSlowReader
	}
	return ErrFlood
}

// scanChoked lets go whoever has read enough and closes whoever has not for
// too long.
func (l *loop) scanChoked() {
	list := l.chokedList
	l.chokedList = l.chokedSpare[:0]
	settled, now := l.e.o.Clock.Settled(), l.e.now()
	for _, c := range list {
		if !c.gone && c.choked {
			l.reviewChoked(c, now, settled)
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
func (l *loop) reviewChoked(c *conn, now time.Duration, settled bool) {
	if l.drained(c) {
		l.touch(c)
	}
	switch {
	case c.gone:
	case c.unsent <= l.e.o.LowWater:
		l.unchoke(c)
		l.resume(c)
	case settled && now-c.since >= l.e.o.ChokedTime:
		l.close(c, ErrSlowReader)
	default:
		l.chokedList = append(l.chokedList, c)
	}
}
