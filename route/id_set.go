package route

import (
	"math/bits"
	"slices"
)

// An idSet is a set of small numbers: bitmaps of 64 neighbours each. A broker's
// topics mostly came together and have numbers in a row, so that each costs
// about half a byte; a map of numbers would take 15.
type idSet struct {
	words map[uint32]uint64 // id/64 -> bits; never 0
	size  int
}

func newIDSet() idSet { return idSet{words: map[uint32]uint64{}} }

func (s *idSet) has(id uint32) bool { return s.words[id/64]&(1<<(id%64)) != 0 }

func (s *idSet) add(id uint32) {
	if !s.has(id) {
		s.words[id/64] |= 1 << (id % 64)
		s.size++
	}
}

func (s *idSet) remove(id uint32) {
	if !s.has(id) {
		return
	}
	s.size--
	if w := s.words[id/64] &^ (1 << (id % 64)); w != 0 {
		s.words[id/64] = w
	} else {
		delete(s.words, id/64)
	}
}

// all calls yield for every number, in no useful order, until it returns
// false. The number just yielded may be removed meanwhile.
func (s *idSet) all(yield func(uint32) bool) {
	for high, word := range s.words {
		for ; word != 0; word &= word - 1 {
			if !yield(high*64 + uint32(bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

// idMarks are a set of small numbers for a moment: one bit for each number that
// there is. The memory is used again.
type idMarks []uint64

// reset empties the set and makes room for the numbers below n.
func (m *idMarks) reset(n int) {
	words := (n + 63) / 64
	*m = slices.Grow((*m)[:0], words)[:words]
	clear(*m)
}

// add reports whether id was in the set already.
func (m idMarks) add(id uint32) (was bool) {
	bit := uint64(1) << (id % 64)
	was = m[id/64]&bit != 0
	m[id/64] |= bit
	return was
}
