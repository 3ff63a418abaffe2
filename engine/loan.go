package engine

import (
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

// A frame that was put together is alone in its buffer, and lent to the handler
// with it: if it is submitted, the buffer goes to the task and no copy is made.
// The contract is the same as with one: the handler may read the frame until it
// returns, by when the task may have run. So both have it, loop and worker, and
// whoever is done with it last puts it back.
//
// Not for small frames, whose copy costs less than the rest of a buffer that
// waits in a queue; not with TLS.

// A loan is of one frame, for the length of one Serve and of the task that it
// is submitted for, if it is. A task may submit its frame once more: that one is
// copied, for a loan is taken once.
type loan struct {
	pool  *buffers                   // which the buffer comes from; constant
	b     *bytebufferpool.ByteBuffer // constant
	frame []byte                     // all of b; constant
	taken atomic.Bool                // by a task
	ended atomic.Bool                // for one of the two who have it then, loop and task
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

// endLoan puts the buffer back if it was taken and the task has run already. If
// it was not taken it is still c.in, or was. Loop only.
func (l *loop) endLoan(lent *loan) {
	l.lent.Store(nil)
	if lent.taken.Load() {
		lent.end()
	}
}

// end ends a loan that was taken for one of the two who have it, and puts the
// buffer back if it has ended for the other.
func (n *loan) end() {
	if !n.ended.CompareAndSwap(false, true) {
		n.pool.put(n.b)
	}
}

// borrow takes the loan of frame, if it is lent to c's handler now and nobody has
// taken it. Safe from any goroutine. c may be nil.
func (c *conn) borrow(frame []byte) *loan {
	if c == nil || len(frame) <= smallBuffer || c.loop == nil {
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

// handOver takes c.in, which was borrowed, from c and from what is held. It is
// called within Serve: only who was called by it borrows, tasks come later.
func (l *loop) handOver(c *conn) {
	l.e.partial.Add(-int64(cap(c.in.B)))
	l.e.release(cap(c.in.B))
	c.in = nil
}
