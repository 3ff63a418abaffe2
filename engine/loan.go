package engine

import (
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

// A frame that came in pieces is alone in its buffer. While the handler serves it,
// the buffer is on loan: if the handler submits the frame, the task gets the
// buffer and no copy is made. Handlers see no difference. They may read the frame
// until Serve returns, and by then the task may have run. So loop and worker both
// hold the buffer, and whoever is done last puts it back.
//
// Small frames are copied: a copy costs less than a whole buffer that waits in a
// queue. So are frames of connections with TLS.

// A loan lends one frame for one Serve, and for the task that it is submitted to,
// if there is one. It is taken once: a task that submits its frame again submits
// a copy.
type loan struct {
	pool  *buffers                   // which the buffer comes from; constant
	b     *bytebufferpool.ByteBuffer // constant
	frame []byte                     // all of b; constant
	taken atomic.Bool                // by a task
	ended atomic.Bool                // one of loop and task is done with it
}

// serveWhole serves the frame that is all of c.in. Loop only.
func (l *loop) serveWhole(c *conn) error {
	b := c.in
	if len(b.B) > smallBuffer {
		lent := &loan{pool: &l.e.bufs, b: b, frame: b.B}
		l.lent.Store(lent)
		defer l.endLoan(lent)
	}
	if err := l.serve(c, b.B); err != nil {
		return err
	}
	l.dropInput(c)
	return nil
}

// endLoan puts the buffer back if it was taken and the task has run already. A
// buffer that was not taken stays with the connection. Loop only.
func (l *loop) endLoan(lent *loan) {
	l.lent.Store(nil)
	if lent.taken.Load() {
		lent.end()
	}
}

// end is called once by the loop and once by the task, when they are done with a
// loan that was taken. The second call puts the buffer back.
func (n *loan) end() {
	if !n.ended.CompareAndSwap(false, true) {
		n.pool.put(n.b)
	}
}

// borrow takes the loan of frame, if frame is on loan to c's handler now and
// nobody has taken it. Else it returns nil. Safe from any goroutine.
func (c *conn) borrow(frame []byte) *loan {
	if len(frame) <= smallBuffer || c.loop == nil {
		return nil
	}
	lent := c.loop.lent.Load()
	if lent == nil || len(lent.frame) != len(frame) || &lent.frame[0] != &frame[0] || !lent.taken.CompareAndSwap(false, true) {
		return nil
	}
	return lent
}

// giveUp undoes a borrow, before handOver.
func (n *loan) giveUp() { n.taken.Store(false) }

// handOver takes c.in, which was borrowed, away from c, and its bytes off what
// frames hold of the budget. Only calls within Serve borrow, so this runs on the
// loop.
func (l *loop) handOver(c *conn) {
	l.e.partial.Add(-int64(cap(c.in.B)))
	l.e.release(cap(c.in.B))
	c.in = nil
}
