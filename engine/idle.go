package engine

import "time"

// maxCloses is how many connections of a kind a loop closes per tick: each
// costs some ten microseconds, and a thousand may have come in one second.
const maxCloses = 1000

// addIdle begins to watch the silence of a new connection. The longest silent
// is the first of its list; there is one list for each value that
// Options.IdleTimeout has had and that some connection still lives by; 0 stands
// for those that may be silent for ever. So each connection is in one list.
//
// Java: NettyRemotingServer#configChannel: an IdleStateHandler per channel,
// with the timeout of the moment it was accepted.
func (l *loop) addIdle(c *conn) {
	timeout := max(0, l.e.o.IdleTimeout())
	for _, il := range l.idles {
		if il.timeout == timeout {
			il.push(c)
			return
		}
	}
	il := &connList{kind: byIdleness, timeout: timeout}
	l.idles = append(l.idles, il)
	il.push(c)
}

// touch notes a sign of life: a turn of c begins, or its peer has read what was sent to
// it. Within one tick only the first counts: the order of a list need be no finer than
// the clock of its loop.
func (l *loop) touch(c *conn) {
	if c.at.Load() >= int64(l.now) {
		return
	}
	c.at.Store(int64(l.now))
	if il := c.idle.list; il != nil && il.tail != c {
		c.unlink(byIdleness)
		il.push(c)
	}
}

// tick reads the clock and closes whoever takes too long over something.
func (l *loop) tick() {
	l.tickWaiting.Store(false)
	settled := l.e.o.Clock.Settled()
	l.now = l.e.now()
	l.ticked.Store(int64(l.now))
	if settled {
		l.checkAwaited()
		l.closeIdle()
		l.closeUnfinished()
	}
	l.reviewUnsent()
}

// closeIdle closes whoever was silent for too long. A stamp may be one tick
// old when it is made, so one tick is added: nobody is cut off early.
func (l *loop) closeIdle() {
	closes, lists := 0, l.idles[:0]
	for _, il := range l.idles {
		limit := il.timeout + l.e.o.tick
		for c := il.head; il.timeout > 0 && c != nil && l.now-time.Duration(c.at.Load()) >= limit && closes < maxCloses; c = il.head {
			if l.look(c) {
				l.touch(c)
				continue
			}
			closes++
			l.close(c, ErrIdle)
			if il.head == c {
				c.unlink(byIdleness) // never look at it twice
			}
		}
		if il.head != nil {
			lists = append(lists, il)
		}
	}
	clear(l.idles[len(lists):])
	l.idles = lists
}
