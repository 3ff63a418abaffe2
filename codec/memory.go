package codec

import (
	"errors"
	"unsafe"
)

// ErrNoMemory means that [RegisterBrokerBody].Reserve has refused what decoding
// would have allocated next.
var ErrNoMemory = errors.New("codec: no memory for what the body says")

// memoryStep is the least that is reserved at a time.
const memoryStep = 16 << 10

// A memory bounds what is allocated while one body is decoded, and what is kept
// until its caller has finished with it. It grows with the bytes that were read,
// never with a count that the body claims.
type memory struct {
	reserve func(bytes int) bool // nil: without limit
	left    int                  // bytes reserved and not yet allocated
	refused bool
}

// take reserves n bytes that are about to be allocated. m may be nil.
func (m *memory) take(n int) bool {
	if m == nil || m.reserve == nil {
		return true
	}
	if n > m.left {
		more := max(n-m.left, memoryStep)
		if m.refused || !m.reserve(more) {
			m.refused = true
			return false
		}
		m.left += more
	}
	m.left -= n
	return true
}

// roomFor returns list with room for one more element. A full list is doubled, an
// empty one gets room for first elements; what that takes is reserved before.
// beside is how many bytes more the caller allocates for each element. Without
// memory roomFor returns false.
func roomFor[T any](m *memory, list []T, first, beside int) ([]T, bool) {
	if len(list) < cap(list) {
		return list, true
	}
	var v T
	n := max(2*cap(list), first, 8)
	if !m.take(n * (int(unsafe.Sizeof(v)) + beside)) {
		return list, false
	}
	return append(make([]T, 0, n), list...), true
}

// spend reserves n bytes for what r allocates next. Without memory r fails.
func (r *jsonReader) spend(n int) bool {
	if !r.memory.take(n) {
		r.fail("no memory")
		return false
	}
	return true
}

const (
	nameChunk    = 64 << 10 // size of all chunks but the first ones
	longestName  = 1 << 10  // longer ones have memory of their own
	maxKeptNames = 64       // chunks, 4 MiB
)

// A nameStore holds copies of names. Its memory is used again after a reset.
type nameStore struct {
	chunks [][]byte // the first of 4 KiB, each twice as large as the one before, up to nameChunk
	next   int      // index of the chunk being filled
}

func (s *nameStore) reset() {
	if len(s.chunks) > maxKeptNames {
		clear(s.chunks[maxKeptNames:])
		s.chunks = s.chunks[:maxKeptNames]
	}
	for i := range s.chunks {
		s.chunks[i] = s.chunks[i][:0]
	}
	s.next = 0
}

// size returns the bytes of all chunks.
func (s *nameStore) size() (n int) {
	for _, c := range s.chunks {
		n += cap(c)
	}
	return n
}

// keep returns a copy of name, false if there is no memory for it.
func (s *nameStore) keep(m *memory, name []byte) ([]byte, bool) {
	if len(name) > longestName {
		if !m.take(len(name)) {
			return nil, false
		}
		return append(make([]byte, 0, len(name)), name...), true
	}
	if s.next < len(s.chunks) && cap(s.chunks[s.next])-len(s.chunks[s.next]) < len(name) {
		s.next++
	}
	if s.next == len(s.chunks) {
		size := nameChunk
		if s.next < 4 {
			size = 4 << 10 << s.next
		}
		if !m.take(size) {
			return nil, false
		}
		s.chunks = append(s.chunks, make([]byte, 0, size))
	}
	c := append(s.chunks[s.next], name...)
	s.chunks[s.next] = c
	return c[len(c)-len(name) : len(c) : len(c)], true
}
