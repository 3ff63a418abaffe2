package engine

import (
	"math/bits"

	"github.com/valyala/bytebufferpool"
)

const (
	smallBuffer = 4 << 10  // bound of the pool for partial and queued small frames
	largeBuffer = 64 << 10 // nothing above this size is kept
	replyBuffer = 8 << 10  // what replies are gathered in begins with this size
)

// A buffers is a pair of pools, apart by size: a connection that waits with
// three bytes must not sit on the buffer of a big reply. What is larger than
// largeBuffer is left to the garbage collector, so that a rare giant does not
// live on in a pool.
//
// Safe from any goroutine.
type buffers struct {
	small, large bytebufferpool.Pool
}

// get returns an empty buffer with room for n bytes.
func (p *buffers) get(n int) *bytebufferpool.ByteBuffer {
	var b *bytebufferpool.ByteBuffer
	switch {
	case n <= smallBuffer:
		b = p.small.Get()
	case n <= largeBuffer:
		b = p.large.Get()
	default:
		return &bytebufferpool.ByteBuffer{B: make([]byte, 0, n)}
	}
	if cap(b.B) < n {
		b.B = make([]byte, 0, max(256, 1<<bits.Len(uint(n-1))))
	}
	b.B = b.B[:0]
	return b
}

// getReply returns an empty buffer for replies of unknown size. It is a large
// one from the start: a small one that has grown would come back to the pool
// of the large, and the next would have to grow again.
func (p *buffers) getReply() *bytebufferpool.ByteBuffer { return p.get(replyBuffer) }

// put takes a buffer back. The pool learns its sizes from the length of what
// it is given, which here is often 0, so the capacity is shown to it instead.
func (p *buffers) put(b *bytebufferpool.ByteBuffer) {
	n := cap(b.B)
	b.B = b.B[:n]
	switch {
	case n <= smallBuffer:
		p.small.Put(b)
	case n <= largeBuffer:
		p.large.Put(b)
	}
}
