package engine

import "github.com/valyala/bytebufferpool"

// A frame that was put together is alone in its buffer, and lent to the handler
// with it: if it is submitted, the buffer goes to the task and no copy is made.
// The contract is the same as with one: the handler may read the frame until it
// returns, by when the task may have run. So both have it, loop and worker, and
// whoever is done with it last puts it back. Which that is tells loop.lent: the
// first to be done finds the address of the frame in it and takes it out.
//
// Not for small frames, whose copy costs less than the rest of a buffer that
// waits in a queue; not with TLS.

// serveWhole serves the frame that is all of c.in. Loop only.
func (l *loop) serveWhole(c *conn) error {
	b := c.in
	if len(b.B) > smallBuffer {
		first := &b.B[0]
		l.lent.Store(first)
		defer l.endLoan(b, first)
	}
	if err := l.serve(c, b.B); err != nil {
		return err
	}
	l.dropInput(c)
	return nil
}

// endLoan puts b back if it was taken over and its task has run already. If it
// was not taken over it is still c.in, or was. Loop only.
func (l *loop) endLoan(b *bytebufferpool.ByteBuffer, first *byte) {
	taken := l.taken
	l.taken = false
	if !l.lent.CompareAndSwap(first, nil) && taken {
		l.e.bufs.put(b)
	}
}

// lends reports whether frame is all of c.in, being served now.
//
// Safe from any goroutine: whoever has the very bytes that are lent was called
// by Serve, which waits for it. Nobody else gets as far as to look at c.in.
func (c *conn) lends(frame []byte) bool {
	return len(frame) > smallBuffer && c.loop != nil && c.loop.lent.Load() == &frame[0] &&
		c.in != nil && len(c.in.B) == len(frame) && &c.in.B[0] == &frame[0]
}

// handOver takes c.in, which is lent, from c and from what is held. Loop only.
func (l *loop) handOver(c *conn) {
	l.taken = true
	l.e.partial.Add(-int64(cap(c.in.B)))
	l.e.release(cap(c.in.B))
	c.in = nil
}

// returnLoan is called by whoever has run the task that b was handed over to, or
// could not queue it: it puts b back unless the loop is to do that.
func (l *loop) returnLoan(b *bytebufferpool.ByteBuffer) {
	if !l.lent.CompareAndSwap(&b.B[0], nil) {
		l.e.bufs.put(b)
	}
}
