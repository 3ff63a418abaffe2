package engine

import (
	"net/netip"
	"time"
)

// slowInterval is how often a loop looks at the connections that wait for a token of their
// address, see bucket.go. A connection may wait for so much longer than it has to.
const slowInterval = 10 * time.Millisecond

// A peer that asks too fast is answered later, and not refused: to refuse a question costs
// as much as to answer it. A connection that is served next when its address has no token
// left is slow: it is behind, see fairness.go, until there is one again. So its peer loses
// no reply, gets all in their order, and may send as much meanwhile as others that are
// behind. With TLS its reader waits, and reads nothing meanwhile.

// hasExempt reports whether an address has no limit: this machine, and those that the
// options name.
func (e *Engine) hasExempt(addr netip.Addr) bool {
	return addr.IsLoopback() && !e.o.limitLoopback || e.o.RequestsExempt != nil && e.o.RequestsExempt(addr)
}

// noteTooFast counts a request of c that comes too fast.
func (e *Engine) noteTooFast(c *conn) {
	e.tooFast.Add(1)
	e.tooFastLog.warn(e.o.Logger, "an address asks too fast", "remote", c.RemoteAddr(),
		"requestsPerAddress", e.o.RequestsPerAddress, "wait", !e.o.RequestsMonitor)
}

// mustSlow reports whether the next request of c has to wait. Loop only.
func (l *loop) mustSlow(c *conn, now time.Duration) bool {
	return !l.e.o.RequestsMonitor && c.bucket.isEmpty(now)
}

// pay takes the token for a request of c that is served now. Where loops serve the same
// address at the same moment, the last token may count for several. Loop only.
func (l *loop) pay(c *conn, now time.Duration) {
	if !c.bucket.take(now) && l.e.o.RequestsMonitor {
		l.e.noteTooFast(c)
	}
}

// slow makes c wait for a token. Loop only.
func (l *loop) slow(c *conn) {
	l.lag(c)
	c.slow = true
	l.e.slowed.Add(1)
	l.e.noteTooFast(c)
	l.slowList = append(l.slowList, c)
	if len(l.slowList) == 1 {
		l.armSlow()
	}
}

// armSlow makes the next look happen.
func (l *loop) armSlow() {
	if l.slowTimer == nil {
		l.slowTimer = time.AfterFunc(slowInterval, func() { l.execute(l.slowTask) })
		return
	}
	l.slowTimer.Reset(slowInterval)
}

// goOnSlow gives a turn to each slow connection whose address has tokens, in the order in
// which they have begun to wait. One that is slow again after its turn goes to the end: so
// a connection that asks without end does not keep the others of its address waiting.
func (l *loop) goOnSlow() {
	list := l.slowList
	l.slowList = l.slowSpare[:0]
	still, now := list[:0], l.e.now()
	for _, c := range list {
		switch {
		case c.gone:
		case c.bucket.isEmpty(now):
			l.touch(c) // it is us who keep it waiting
			still = append(still, c)
		default:
			c.endSlow()
			l.goOn(c)
		}
	}
	again := l.slowList
	clear(list[len(still):])
	l.slowList = append(still, again...)
	clear(again)
	l.slowSpare = again[:0]
	if len(l.slowList) > 0 {
		l.armSlow()
	}
}

// endSlow counts c out, if it is slow. Loop only.
func (c *conn) endSlow() {
	if c.slow {
		c.slow = false
		c.e.slowed.Add(-1)
	}
}

// payOrWait takes the token for the next request, and waits for it if need be. It reports
// false if the connection is to be closed. Reader only.
func (t *tlsConn) payOrWait() bool {
	c := t.c
	if c.bucket.take(c.e.now()) {
		return true
	}
	c.e.noteTooFast(c)
	if c.e.o.RequestsMonitor {
		return true
	}
	t.reply()
	t.publish()
	t.busy.Store(true)
	c.e.slowed.Add(1)
	t.setSlow(true)
	defer func() {
		t.setSlow(false)
		c.e.slowed.Add(-1)
	}()
	for !c.bucket.take(c.e.now()) {
		if c.closing.Load() {
			return false
		}
		time.Sleep(slowInterval)
		t.touch()
	}
	return !c.closing.Load()
}

// setSlow says whether the reader waits for a token. While it does, the connection holds
// bytes and may have to go for them.
func (t *tlsConn) setSlow(slow bool) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.slow, t.lagged = slow, t.c.e.now()
}
