package engine

import (
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

// A frame that came in pieces is alone in its buffer. While the handler serves it, the
// buffer is on loan: if the handler submits the frame, the task gets the buffer instead
// of a copy. Handlers see no difference. They may read the frame until Serve returns,
// and the task may have run before that. So the loop and the worker both hold the
// buffer, and the one that is done last puts it back.
//
// Small frames are copied: a copy costs less than a whole buffer that waits in a
// queue. So are frames of connections with TLS.

// A loan lends one frame to one Serve, and to the task that the frame is submitted to.
// It is taken once: if the frame is submitted again, that task gets a copy.
type loan struct {
	pool  *buffers                   // which the buffer comes from; constant
	b     *bytebufferpool.ByteBuffer // constant
	frame []byte                     // all of b; constant
	taken atomic.Bool                // by a task
	ended atomic.Bool                // one of loop and task is done with it
	in    *inbox                     // that yielded it; constant, loop only
}

// serveLent serves the frame that in has yielded and that is all of b. Loop only.
func (l *loop) serveLent(c *conn, in *inbox, b *bytebufferpool.ByteBuffer) error {
	lent := &loan{pool: &l.e.bufs, b: b, frame: b.B, in: in}
	l.lent.Store(lent)
	defer l.endLoan(lent)
	return l.serve(c, b.B)
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

// giveUp undoes a borrow, before transfer.
func (n *loan) giveUp() { n.taken.Store(false) }

// transfer takes the borrowed buffer away from c, and its bytes off the share of the
// budget that frames hold. Only calls within Serve borrow, so it runs on the loop.
func (n *loan) transfer(c *conn) { n.in.transfer((*inputMemory)(c)) }
