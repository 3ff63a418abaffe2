package engine

import "time"

// scanInterval is how often choked connections are looked at, as long as
// there are any: gnet does not tell when its buffer has drained.
const scanInterval = 10 * time.Millisecond

// gnet cannot stop reading one connection, so a choked one is read and not served:
// its bytes wait in its inbox, and if there are too many of them, or it lasts too
// long, it is closed. All of this is for the loop only.

// look asks gnet how many bytes written to c are unsent, because gnet does not tell
// by itself. It reports whether the peer has read some since the last look. If the
// budget has no room for the unsent bytes, it closes c.
func (l *loop) look(c *conn) (progress bool) {
	left := c.gc.OutboundBuffered()
	if left == c.unsent() {
		return false
	}
	progress, err := c.warm().unsent.recount((*outputMemory)(c), left, l.now)
	switch {
	case err != nil:
		l.close(c, err)
		return false
	case left == 0:
		c.unlink(byUnsent)
	case !c.listed(byUnsent):
		l.unsent.push(c)
	}
	return progress
}

// hasRoom reports whether more may be given to c. If not, it closes c.
func (l *loop) hasRoom(c *conn) bool {
	l.look(c)
	if !c.gone && c.backlog != nil && c.backlog.unsent.isFull(&l.e.outboxLimits) {
		l.close(c, ErrSlowReader)
	}
	return !c.gone
}

// afterWrite looks at how much of what was written is still unsent and reports
// whether that may be.
func (l *loop) afterWrite(c *conn) bool {
	l.look(c)
	switch {
	case c.gone:
		return false
	case c.unsent() == 0:
		l.touch(c) // a finished write is a sign of life
	case c.backlog.unsent.choke(&l.e.outboxLimits, l.e.now()):
		l.choke(c)
	}
	return true
}

// reviewUnsent looks at all connections with something unsent. scanChoked looks at
// the choked ones more often.
func (l *loop) reviewUnsent() {
	for c := l.unsent.head; c != nil && !c.gone; {
		next := c.link(byUnsent).next
		if l.look(c) {
			l.touch(c)
		}
		if !c.gone {
			l.cool(c)
		}
		c = next
	}
}

// choke stops serving c, whose peer does not read.
func (l *loop) choke(c *conn) {
	l.pauseInput(c)
	l.e.choked.Add(1)
	l.chokedList = append(l.chokedList, c)
	if len(l.chokedList) == 1 {
		l.armScan()
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

// scanChoked looks at all choked connections. It serves a connection again if its
// peer has read enough, and closes it if its peer has not for too long.
func (l *loop) scanChoked() {
	list := l.chokedList
	l.chokedList = l.chokedSpare[:0]
	settled, now := l.e.o.Clock.Settled(), l.e.now()
	for _, c := range list {
		if !c.gone && c.isChoked() {
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
	if l.look(c) {
		l.touch(c)
	}
	if c.gone {
		return
	}
	if c.backlog.unsent.unchoke(&l.e.outboxLimits) {
		l.e.choked.Add(-1)
		l.resume(c)
		l.cool(c)
		return
	}
	if err := c.backlog.unsent.overdue(&l.e.outboxLimits, now); settled && err != nil {
		l.close(c, err)
		return
	}
	l.chokedList = append(l.chokedList, c)
}
