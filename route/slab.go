package route

import "strings"

// nameChunk is how many bytes of a nameSlab lie in one piece of memory at most: half
// of what the longest name has, so a topic whose neighbours are gone keeps no more
// alive than a topic may anyway.
const nameChunk = 256

// slabShare bounds what is lost at the ends of chunks. A chunk has at most a fourth of
// the bytes that were copied before it, so the first few names are pieces of their own. A
// name longer than a fourth of a chunk is one too.
const slabShare = 4

// A nameSlab copies the names of topics that come together, a dozen into one piece of
// memory. The zero value is ready.
//
// There is no such thing for entries, which are nearly as many. They are replaced one
// by one, and each one left would keep its neighbours of long ago, with all that these
// point to.
type nameSlab struct {
	free   []byte // of the last chunk
	copied int    // bytes
}

// copy returns a copy of name.
func (s *nameSlab) copy(name string) string {
	n := len(name)
	if n > len(s.free) {
		chunk := min(s.copied/slabShare, nameChunk)
		if n > chunk/slabShare {
			s.copied += n
			return strings.Clone(name)
		}
		s.free = make([]byte, chunk)
	}
	s.copied += n
	c := s.free[:n:n]
	s.free = s.free[n:]
	copy(c, name)
	return window(c)
}
