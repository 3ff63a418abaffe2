package engine

import (
	"cmp"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

const (
	smallBuffer = 4 << 10  // bound of the class for partial and queued small frames
	largeBuffer = 64 << 10 // bound of the class for those that are larger, and for replies
	hugeBuffer  = 4 << 20  // nothing above this size is kept
	page        = 4 << 10  // buffers above largeBuffer are whole ones
	replyBuffer = 8 << 10  // what replies are gathered in begins with this size

	hugeClasses   = 4 * 6 // four for each doubling from largeBuffer to hugeBuffer
	firstHuge     = 2     // their place behind the class of the small and that of the large
	bufferClasses = firstHuge + hugeClasses
)

// A buffers is a pool of buffers, in classes by size: a connection that waits
// with three bytes must not sit on the buffer of a big reply. The classes are up
// to smallBuffer, up to largeBuffer, and from there on 64 to 80 KiB, 80 to 96 and
// so on, so that no huge buffer is more than a quarter larger than it has to be.
// A buffer that is too small for another of its class grows or is dropped, so each
// class comes to hold the largest that is in use.
//
// The small class holds keep bytes at most, the large one too, and all huge ones
// together: they count as memory in use, in proportion to which the heap may grow.
// A huge buffer that comes back and finds no room displaces those of other sizes,
// since its own is in use. The garbage collector empties all classes within two
// rounds; a buffer above hugeBuffer is left to it at once. Huge buffers save what
// it costs to clear 400 KiB and to fault them in, which is more than to fill them.
//
// Safe from any goroutine.
type buffers struct {
	keep    int64 // see above; 0: buffersKept. Constant once used
	classes [bufferClasses]bufferClass
}

// A bufferClass is the buffers of one class.
type bufferClass struct {
	pool sync.Pool    // of *bytebufferpool.ByteBuffer
	held atomic.Int64 // bytes in pool, or a few less
}

// buffersKept is how many bytes each part of a buffers holds at most: enough for
// what each processor receives and works on at one time.
var buffersKept = int64(runtime.GOMAXPROCS(0)) * hugeBuffer

// keepLess bounds what is held where the budget is small: a sixteenth of it in
// each part. Before first use.
func (p *buffers) keepLess(b *Budget) { p.keep = min(buffersKept, b.Limit()/16) }

// get returns an empty buffer with room for n bytes.
func (p *buffers) get(n int) *bytebufferpool.ByteBuffer {
	if n > hugeBuffer {
		return &bytebufferpool.ByteBuffer{B: make([]byte, 0, n)}
	}
	b := p.classes[classOf(n)].take()
	if b == nil {
		b = new(bytebufferpool.ByteBuffer)
	}
	if cap(b.B) < n || b.B == nil {
		b.B = make([]byte, 0, roundUp(n))
	}
	return b
}

// getReply returns an empty buffer for replies of unknown size. It is a large
// one from the start: a small one that has grown would come back to the class
// of the large, and the next would have to grow again.
func (p *buffers) getReply() *bytebufferpool.ByteBuffer { return p.get(replyBuffer) }

// put takes a buffer back, or leaves it to the collector.
func (p *buffers) put(b *bytebufferpool.ByteBuffer) {
	n := int64(cap(b.B))
	if n == 0 || n > hugeBuffer {
		return
	}
	keep := cmp.Or(p.keep, buffersKept)
	i := classOf(int(n))
	k := &p.classes[i]
	if k.held.Add(n) > keep || i >= firstHuge && !p.displace(i, keep) {
		k.held.Add(-n)
		return
	}
	b.B = b.B[:0]
	k.pool.Put(b)
}

// displace drops huge buffers of all classes but one until the huge classes hold
// keep bytes at most, and reports whether they do.
func (p *buffers) displace(own int, keep int64) bool {
	excess := -keep
	for i := firstHuge; i < bufferClasses; i++ {
		excess += p.classes[i].held.Load()
	}
	for i := firstHuge; i < bufferClasses && excess > 0; i++ {
		k := &p.classes[i]
		for i != own && excess > 0 {
			held := k.held.Load()
			if held <= 0 {
				break
			}
			if b := k.take(); b != nil {
				held = int64(cap(b.B))
			}
			excess -= held
		}
	}
	return excess <= 0
}

// take returns a buffer of the class, nil if there is none.
func (k *bufferClass) take() *bytebufferpool.ByteBuffer {
	b, ok := k.pool.Get().(*bytebufferpool.ByteBuffer)
	if !ok {
		k.held.Store(0) // the collector has emptied it
		return nil
	}
	k.held.Add(-int64(cap(b.B)))
	return b
}

// classOf returns the class of a buffer of n bytes, at most hugeBuffer.
func classOf(n int) int {
	switch {
	case n <= smallBuffer:
		return 0
	case n <= largeBuffer:
		return 1
	}
	doubling := bits.Len(uint(n-1)) - 1 // n is above 1<<doubling
	return firstHuge + 4*(doubling-bits.Len(largeBuffer-1)) + (n-1)>>(doubling-2)&3
}

// roundUp returns the size of a new buffer for n bytes, at most hugeBuffer.
func roundUp(n int) int {
	if n > largeBuffer {
		return (n + page - 1) &^ (page - 1)
	}
	return max(256, 1<<bits.Len(uint(max(n, 1)-1)))
}
