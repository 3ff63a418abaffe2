package engine

import "time"

// maxIdleCloses is how many silent connections a loop closes per tick: each
// costs some ten microseconds, and a thousand may have come in one second.
const maxIdleCloses = 1000

// An idleList holds the connections of a loop that may be silent for the same
// time, the longest silent first. There is one list for each value that
// Options.IdleTimeout has had and that some connection still lives by; 0 stands
// for those that may be silent for ever. So each connection is in one list.
//
// Java: NettyRemotingServer#configChannel: an IdleStateHandler per channel,
// with the timeout of the moment it was accepted.
type idleList struct {
	timeout    time.Duration
	head, tail *conn
	size       int
}

func (il *idleList) push(c *conn) {
	c.idle, c.idlePre, c.idleNex = il, il.tail, nil
	if il.tail == nil {
		il.head = c
	} else {
		il.tail.idleNex = c
	}
	il.tail = c
	il.size++
}

func (il *idleList) remove(c *conn) {
	if c.idlePre == nil {
		il.head = c.idleNex
	} else {
		c.idlePre.idleNex = c.idleNex
	}
	if c.idleNex == nil {
		il.tail = c.idlePre
	} else {
		c.idleNex.idlePre = c.idlePre
	}
	c.idle, c.idlePre, c.idleNex = nil, nil, nil
	il.size--
}

// addIdle begins to watch the silence of a new connection.
func (l *loop) addIdle(c *conn) {
	c.active = l.now
	timeout := max(0, l.e.o.IdleTimeout())
	for _, il := range l.idles {
		if il.timeout == timeout {
			il.push(c)
			return
		}
	}
	il := &idleList{timeout: timeout}
	l.idles = append(l.idles, il)
	il.push(c)
}

// touch notes a sign of life. Within one tick only the first counts: the order
// of a list need be no finer than the clock.
func (l *loop) touch(c *conn) {
	if c.active == l.now {
		return
	}
	c.active = l.now
	if il := c.idle; il != nil && il.tail != c {
		il.remove(c)
		il.push(c)
	}
}

func (l *loop) removeIdle(c *conn) {
	if c.idle != nil {
		c.idle.remove(c)
	}
}

// tick reads the clock and closes whoever was silent too long. A stamp may be
// one tick old when it is made, so one tick is added: nobody is cut off early.
func (l *loop) tick() {
	l.tickWaiting.Store(false)
	l.now = l.e.now()
	l.checkAwaited()
	closes, lists := 0, l.idles[:0]
	for _, il := range l.idles {
		limit := il.timeout + l.e.o.tick
		for c := il.head; il.timeout > 0 && c != nil && l.now-c.active >= limit && closes < maxIdleCloses; c = il.head {
			if l.drained(c) {
				l.touch(c)
				continue
			}
			closes++
			l.close(c, ErrIdle)
			if il.head == c {
				il.remove(c) // never look at it twice
			}
		}
		if il.head != nil {
			lists = append(lists, il)
		}
	}
	clear(l.idles[len(lists):])
	l.idles = lists
}

// drained reports whether the peer has read of our replies since we last
// looked: gnet does not tell when a delayed write is finished.
func (l *loop) drained(c *conn) bool {
	unsent := c.gc.OutboundBuffered()
	less := unsent < c.unsent
	c.unsent = unsent
	return less
}
