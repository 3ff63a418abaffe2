package engine

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

const (
	smallBuffer = 4 << 10  // bound of the pool for partial and queued small frames
	largeBuffer = 64 << 10 // bound of the pool for those that are larger, and for replies
	hugeBuffer  = 4 << 20  // nothing above this size is kept
	page        = 4 << 10  // buffers above largeBuffer are whole ones
	replyBuffer = 8 << 10  // what replies are gathered in begins with this size

	hugeClasses = 4 * 6 // four for each doubling from largeBuffer to hugeBuffer
)

// A buffers is pools of buffers, apart by size: a connection that waits with
// three bytes must not sit on the buffer of a big reply.
//
// Above largeBuffer there are classes of size, 64 to 80 KiB, 80 to 96 and so on,
// so that no buffer is more than a quarter larger than it has to be. Those that
// are too small for another of their class are dropped, so each comes to hold
// the largest that is in use. They save what it costs to clear 400 KiB and to
// fault them in, which is more than to fill them. A class holds hugeHeld bytes:
// they count as memory in use, in proportion to which the heap may grow. The
// garbage collector empties the classes within two rounds; a rare giant is left
// to it at once.
//
// Safe from any goroutine.
type buffers struct {
	limit int64 // bytes that a class of huge may hold; 0: hugeHeld. Constant once used

	small, large bytebufferpool.Pool
	huge         [hugeClasses]hugePool
}

// A hugePool is the buffers of one class.
type hugePool struct {
	pool sync.Pool // of *bytebufferpool.ByteBuffer
	held atomic.Int64
}

// hugeHeld is how many bytes a hugePool holds at most, or a little more: enough
// for what each processor receives and works on at one time.
var hugeHeld = int64(runtime.GOMAXPROCS(0)) * hugeBuffer

// get returns a buffer with room for n bytes, nil if there is none.
func (h *hugePool) get(n int) *bytebufferpool.ByteBuffer {
	b, ok := h.pool.Get().(*bytebufferpool.ByteBuffer)
	if !ok {
		h.held.Store(0) // the collector has emptied it
		return nil
	}
	h.held.Add(-int64(cap(b.B)))
	if cap(b.B) < n {
		return nil
	}
	return b
}

// keepLess bounds what is held where the budget is small: a sixteenth of it in
// each class. Before first use.
func (p *buffers) keepLess(b *Budget) { p.limit = min(hugeHeld, b.Limit()/16) }

// put takes b, or leaves it to the collector.
func (h *hugePool) put(b *bytebufferpool.ByteBuffer, limit int64) {
	if h.held.Add(int64(cap(b.B))) > limit {
		h.held.Add(-int64(cap(b.B)))
		return
	}
	b.B = b.B[:0]
	h.pool.Put(b)
}

// get returns an empty buffer with room for n bytes.
func (p *buffers) get(n int) *bytebufferpool.ByteBuffer {
	var b *bytebufferpool.ByteBuffer
	switch {
	case n <= smallBuffer:
		b = p.small.Get()
	case n <= largeBuffer:
		b = p.large.Get()
	case n <= hugeBuffer:
		if b := p.huge[hugeClass(n)].get(n); b != nil {
			return b
		}
		return &bytebufferpool.ByteBuffer{B: make([]byte, 0, (n+page-1)&^(page-1))}
	default:
		return &bytebufferpool.ByteBuffer{B: make([]byte, 0, n)}
	}
	if cap(b.B) < n {
		b.B = make([]byte, 0, max(256, 1<<bits.Len(uint(n-1))))
	}
	b.B = b.B[:0]
	return b
}

// hugeClass returns the class of a buffer of n bytes.
func hugeClass(n int) int {
	doubling := bits.Len(uint(n-1)) - 1 // n is above 1<<doubling
	return 4*(doubling-bits.Len(largeBuffer-1)) + (n-1)>>(doubling-2)&3
}

// getReply returns an empty buffer for replies of unknown size. It is a large
// one from the start: a small one that has grown would come back to the pool
// of the large, and the next would have to grow again.
func (p *buffers) getReply() *bytebufferpool.ByteBuffer { return p.get(replyBuffer) }

// put takes a buffer back. The pools of bytebufferpool learn their sizes from
// the length of what they are given, which here is often 0, so the capacity is
// shown to them instead.
func (p *buffers) put(b *bytebufferpool.ByteBuffer) {
	n := cap(b.B)
	switch {
	case n <= smallBuffer:
		b.B = b.B[:n]
		p.small.Put(b)
	case n <= largeBuffer:
		b.B = b.B[:n]
		p.large.Put(b)
	case n <= hugeBuffer:
		limit := p.limit
		if limit == 0 {
			limit = hugeHeld
		}
		p.huge[hugeClass(n)].put(b, limit)
	}
}
