package engine

import (
	"time"

	"github.com/valyala/bytebufferpool"
)

// A backlog is the half of a connection that exists only while something of it waits:
// input that is not served, replies that are not read, its next turn. Loop
// only.
type backlog struct {
	in     inbox
	unsent unsent
	lagged time.Duration            // it has been behind since, loop time, while listed by lag
	links  [numKinds - byFrame]link // one for each kind of list but byIdleness
	next   *backlog                 // in loop.backlogs
}

// maxBacklogs is how many backlogs a loop keeps for the next that need one.
const maxBacklogs = 256

// warm returns c's backlog, and gives it one if need be. Loop only.
func (c *conn) warm() *backlog {
	if c.backlog == nil {
		l := c.loop
		b := l.backlogs
		if b == nil {
			b = new(backlog)
		} else {
			l.backlogs, b.next = b.next, nil
			l.backlogCount--
		}
		b.in.limits, b.in.spoke = &l.e.inboxLimits, c.spoke
		c.backlog = b
	}
	return c.backlog
}

// cool takes the backlog from c if nothing of c waits any more. Loop only.
func (l *loop) cool(c *conn) {
	b := c.backlog
	if b == nil || !b.in.isEmpty() || b.unsent.given > 0 || b.unsent.choked || c.listed(byFrame) || c.listed(byUnsent) || c.listed(byBehind) {
		return
	}
	c.backlog = nil
	if l.backlogCount < maxBacklogs {
		*b = backlog{next: l.backlogs}
		l.backlogs = b
		l.backlogCount++
	}
}

// unsent returns how many bytes are given to the peer of c and not taken by its
// system. Loop only.
func (c *conn) unsent() int {
	if c.backlog == nil {
		return 0
	}
	return c.backlog.unsent.given
}

// isChoked reports whether c is not served because its peer does not read. Loop only.
func (c *conn) isChoked() bool { return c.backlog != nil && c.backlog.unsent.choked }

// inboxOf returns the inbox for a turn of c: its own, or if nothing of c is
// buffered, the loop's.
func (l *loop) inboxOf(c *conn) *inbox {
	if c.backlog != nil {
		return &c.backlog.in
	}
	l.scratch.spoke = c.spoke
	return &l.scratch
}

// keepInput ends a turn of c. It keeps the bytes that in has not yielded. If they begin
// a frame, c is listed by it until that is whole. First frames have a list of their
// own, because they have less time.
func (l *loop) keepInput(c *conn, in *inbox) error {
	if err := in.keep((*inputMemory)(c), l.now, c.isServed()); err != nil {
		return err
	}
	if in == &l.scratch {
		if in.isEmpty() {
			return nil
		}
		c.warm().in = *in
		*in = inbox{limits: in.limits}
		in = &c.backlog.in
	}
	switch {
	case !in.isWaiting():
		c.unlink(byFrame)
	case !c.listed(byFrame) || in.began == l.now:
		c.unlink(byFrame) // it may be another frame than the one it was listed by
		if in.spoke {
			l.frames[laterFrame].push(c)
		} else {
			l.frames[firstFrame].push(c)
		}
	}
	return nil
}

// pauseInput stops the time of the frame that c has begun. From now on c is not
// served, so it is not the fault of the peer if the frame does not get whole.
func (l *loop) pauseInput(c *conn) {
	if c.backlog != nil {
		c.backlog.in.pause()
		c.unlink(byFrame)
	}
}

// dropInput forgets what is buffered of c.
func (l *loop) dropInput(c *conn) {
	if c.backlog != nil {
		c.unlink(byFrame)
		c.backlog.in.drop((*inputMemory)(c))
	}
}

// closeUnfinished closes those whose frames have taken too long. As in
// closeIdle, nobody is cut off early.
func (l *loop) closeUnfinished() {
	for i := range l.frames {
		fl, closes := &l.frames[i], 0
		for c := fl.head; c != nil && closes < maxCloses; c = fl.head {
			late := c.backlog.in.overdue(l.now)
			if late == nil {
				break
			}
			closes++
			l.close(c, late)
			if fl.head == c {
				c.unlink(byFrame) // never look at it twice
			}
		}
	}
}

// An inputMemory is the memory of a connection's inbox. For its loop, or its reader.
type inputMemory conn

func (m *inputMemory) get(n int) *bytebufferpool.ByteBuffer { return m.e.bufs.get(n) }
func (m *inputMemory) put(b *bytebufferpool.ByteBuffer)     { m.e.bufs.put(b) }

func (m *inputMemory) reserve(n int) bool {
	if !(*conn)(m).reserve(n) {
		return false
	}
	m.e.partial.Add(int64(n))
	return true
}

func (m *inputMemory) release(n int) {
	m.e.partial.Add(-int64(n))
	m.e.release(n)
}

// An outputMemory is the memory of what is unsent to a connection's peer. For its
// loop, or with TLS under its mutex.
type outputMemory conn

func (m *outputMemory) get(n int) *bytebufferpool.ByteBuffer { return m.e.bufs.get(n) }
func (m *outputMemory) put(b *bytebufferpool.ByteBuffer)     { m.e.bufs.put(b) }
func (m *outputMemory) reserve(n int) bool                   { return (*conn)(m).reserve(n) }
func (m *outputMemory) release(n int)                        { m.e.release(n) }

// A sendMemory is the memory of what is sent. Safe from any goroutine.
type sendMemory Engine

func (m *sendMemory) get(n int) *bytebufferpool.ByteBuffer { return m.bufs.get(n) }
func (m *sendMemory) put(b *bytebufferpool.ByteBuffer)     { m.bufs.put(b) }
func (m *sendMemory) reserve(n int) bool                   { return (*Engine)(m).reserve(n) }
func (m *sendMemory) release(n int)                        { (*Engine)(m).release(n) }

// reserve counts n bytes in that c holds. For its loop, which makes room by evicting
// others, or its reader.
func (c *conn) reserve(n int) bool {
	if c.tls != nil {
		return c.e.reserve(n)
	}
	return c.loop.afford(c, n)
}
