package engine

import (
	"log/slog"
	"time"
)

const (
	// timeCheck is after how many frames a turn looks at the clock, which
	// costs as much as a tenth of a small request. Most turns never do.
	timeCheck = 16

	// longTurn is how long a turn may take if it has so many frames.
	longTurn = 2 * time.Millisecond
)

// A turn is what one read brings, at most readBuffer bytes, and that is all the
// fairness small requests need: the kernel keeps the rest, and names whoever
// else has something to read before it names the same connection again. In the
// middle of a large frame it is largeRead bytes more, which cost as much. Where
// the answers are big or slow, a turn ends early: after flushSize bytes of
// replies, or after longTurn. The connection is then behind: what is left of
// its input waits in its inbox, together with what it goes on sending, until the
// loop has given a turn to all who are ready. If it is behind again when its turn is
// over, it counts as behind without a break, which matters when a connection has to be
// evicted, see budget.go. All of this is for the loop only.

// spent reports whether the present turn has lasted long enough.
func (l *loop) spent() bool {
	if l.flushed {
		return true
	}
	if l.served == 0 || l.served%timeCheck != 0 {
		return false
	}
	now := time.Now()
	if l.turnBegan.IsZero() {
		l.turnBegan = now
	}
	return now.Sub(l.turnBegan) >= longTurn
}

// endTurn makes the next turn a new one. That of c has ended.
func (l *loop) endTurn(c *conn) {
	if l.served > 0 {
		l.frameCount.Add(l.served)
		c.served.Add(l.served)
	}
	l.served, l.flushed, l.turnBegan = 0, false, time.Time{}
}

// fallBehind puts c behind all who are ready now.
func (l *loop) fallBehind(c *conn) {
	l.lag(c)
	l.behindList = append(l.behindList, c)
	if len(l.behindList) == 1 {
		l.ring()
	}
}

// lag makes c wait for its next turn.
func (l *loop) lag(c *conn) {
	c.behind = true
	l.pauseInput(c)
	if !c.listed(byBehind) {
		c.warm().lagged = l.now
		l.lagged.push(c)
	}
}

// ring makes the loop call catchUp after it has served what is ready now. It
// is done by a byte from the far end of the sentinel, which takes its place
// among the connections. A task would not do: gnet runs what tasks add before
// it looks at its connections again (v2.10.0).
func (l *loop) ring() {
	if _, err := l.bell.Write([]byte{0}); err != nil {
		l.e.bellLog.write(l.e.o.Logger, slog.LevelError, "event loop cannot call itself", "loop", l.index, "err", err)
		l.execute(l.catchUpTask)
	}
}

// catchUp gives a turn to each connection that is behind. It may be behind again when
// that turn is over.
func (l *loop) catchUp() {
	list := l.behindList
	l.behindList = l.behindSpare[:0]
	for _, c := range list {
		l.goOn(c)
	}
	clear(list)
	l.behindSpare = list[:0]
}

// mostLeft is how many frames of a peer that has left are handled: it can wait with
// any number, and is given no turns any more.
const mostLeft = 4096

// serveLeft gives the frames of c that wait for their turn to the Leaver, if there is one.
// The peer of c has left, and had read its replies. Frames that wait because their address
// asks too fast are lost.
func (l *loop) serveLeft(c *conn) {
	if l.e.leaver == nil || !c.behind || c.backlog == nil {
		return
	}
	in, n := &c.backlog.in, uint64(0)
	var now time.Duration
	if c.bucket != nil {
		now = l.e.now()
	}
	l.guard(c, func() {
		in.reopen()
		for in.hasMore() && n < mostLeft {
			frame, err := in.next((*inputMemory)(c))
			if err != nil || frame == nil {
				return
			}
			if c.bucket != nil {
				if l.mustSlow(c, now) {
					return
				}
				l.pay(c, now)
			}
			n++
			l.e.leaver.Left(c, frame)
		}
	})
	l.frameCount.Add(n)
}

// goOn gives c the turn that it has waited for.
func (l *loop) goOn(c *conn) {
	c.behind = false
	if !c.gone {
		l.resume(c)
	}
	if !c.behind {
		c.unlink(byBehind)
		l.cool(c)
	}
}
