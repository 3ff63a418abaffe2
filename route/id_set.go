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

// add reports whether id is new.
func (s *idSet) add(id uint32) bool {
	word, bit := s.words[id/64], uint64(1)<<(id%64)
	if word&bit != 0 {
		return false
	}
	s.words[id/64] = word | bit
	s.size++
	return true
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
// false. Numbers may come and go meanwhile: one that has gone may still be
// yielded, one that comes may not.
func (s *idSet) all(yield func(uint32) bool) {
	for high, word := range s.words {
		for ; word != 0; word &= word - 1 {
			if !yield(high*64 + uint32(bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

// idMarks are a set of small numbers for a moment: one bit for each number up to
// the largest.
type idMarks struct {
	bits []uint64
	ids  []uint32
}

// add reports whether id was in the set already.
func (m *idMarks) add(id uint32) (was bool) {
	word, bit := int(id/64), uint64(1)<<(id%64)
	if word >= len(m.bits) {
		m.bits = slices.Grow(m.bits, word+1-len(m.bits))
		m.bits = m.bits[:cap(m.bits)]
	}
	if m.bits[word]&bit != 0 {
		return true
	}
	m.bits[word] |= bit
	m.ids = append(m.ids, id)
	return false
}

// has reports whether id is in the set.
func (m *idMarks) has(id uint32) bool {
	word := int(id / 64)
	return word < len(m.bits) && m.bits[word]&(1<<(id%64)) != 0
}

// reset empties the set. It costs what is in it.
func (m *idMarks) reset() {
	for _, id := range m.ids {
		m.bits[id/64] = 0
	}
	m.ids = m.ids[:0]
}
