package meter

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

const (
	// SketchSize is how many names a Sketch knows.
	SketchSize = 256

	// halfLife is how long a count is whole.
	halfLife = time.Minute

	// sketchName is how many bytes of a name are kept. Names that begin alike are told
	// apart all the same.
	sketchName = 128
)

var sketchSeed = maphash.MakeSeed()

// A Sketch finds the names that come most often, however many come: it keeps 256 and
// estimates their number. (Space-Saving: Metwally, Agrawal and El Abbadi 2005.) What is
// not known takes the place of the name that came least, and its count, by which its own
// may then be too high. Any name with more than a 256th of all is among those kept.
//
// Counts are halved every minute: what came in the last minute counts whole, what came
// in the one before half, and so on.
//
// The zero value is ready; it takes no memory before the first Add, and no more than 70
// KB. After that no Add allocates but for names longer than those it had. Safe from
// any goroutine.
type Sketch struct {
	mu sync.Mutex
	*sketch
}

// A sketch is the contents of a Sketch. Under mu.
type sketch struct {
	halved time.Duration // when the counts were halved last
	lost   uint64        // 1 if a name was forgotten that came less than that, since halved
	index  map[uint64]int
	size   int
	hashes [SketchSize]uint64
	counts [SketchSize]uint64
	errors [SketchSize]uint64 // of counts, each at most as high
	names  [SketchSize][]byte
	cut    [SketchSize]bool
}

// A Count is a name and how often it came. The true number is at most Count, and at
// least Count - Error.
type Count struct {
	Name  string
	Count uint64
	Error uint64
}

// Add counts n more of a name, which it copies. now is the time by any clock that does
// not go backwards. It never waits: while somebody reads or adds it does nothing, and
// returns false.
func (s *Sketch) Add(now time.Duration, name []byte, n uint64) bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	if s.sketch == nil {
		s.sketch = &sketch{halved: now, index: make(map[uint64]int, SketchSize)}
	}
	s.halve(now)
	s.add(name, n)
	return true
}

func (s *sketch) add(name []byte, n uint64) {
	hash := maphash.Bytes(sketchSeed, name)
	i, known := s.index[hash]
	switch {
	case known:
		s.counts[i] += n
		return
	case s.size < SketchSize:
		i = s.size
		s.size++
		s.counts[i], s.errors[i] = s.lost+n, s.lost
	default:
		i = s.least()
		delete(s.index, s.hashes[i])
		s.counts[i], s.errors[i] = s.counts[i]+n, s.counts[i]
	}
	s.index[hash], s.hashes[i] = i, hash
	s.cut[i] = len(name) > sketchName
	s.names[i] = append(s.names[i][:0], name[:min(len(name), sketchName)]...)
}

// least returns the place of the smallest count. It takes two passes because the first
// has no branch to guess wrong: BenchmarkSketchAdd.
func (s *sketch) least() int {
	a, b := s.counts[0], s.counts[1]
	for i := 0; i < SketchSize; i += 2 { // it is full
		a, b = min(a, s.counts[i]), min(b, s.counts[i+1])
	}
	least := min(a, b)
	for i, n := range s.counts {
		if n == least {
			return i
		}
	}
	panic("meter: the smallest count is nowhere")
}

// halve halves the counts once for each minute that has passed. A name goes of which
// less than one is left.
func (s *sketch) halve(now time.Duration) {
	for ; now-s.halved >= halfLife && s.size > 0; s.halved += halfLife {
		for i := 0; i < s.size; {
			sure := (s.counts[i] - s.errors[i]) / 2
			s.counts[i] = (s.counts[i] + 1) / 2
			s.errors[i] = s.counts[i] - sure
			if sure == 0 && s.counts[i] <= 1 {
				s.remove(i)
				s.lost = 1
				continue
			}
			i++
		}
	}
	if s.size == 0 && now > s.halved {
		s.halved += (now - s.halved) / halfLife * halfLife
		s.lost = 0
	}
}

// remove forgets the name in a place. The last one comes there.
func (s *sketch) remove(i int) {
	delete(s.index, s.hashes[i])
	s.size--
	if last := s.size; i != last {
		s.hashes[i], s.counts[i], s.errors[i], s.cut[i] = s.hashes[last], s.counts[last], s.errors[last], s.cut[last]
		s.names[i], s.names[last] = s.names[last], s.names[i]
		s.index[s.hashes[i]] = i
	}
}

// A part is what one Sketch says when several are read.
type part struct {
	Count
	hash uint64
}

// Top returns the n names that came most often to all of sketches together, at most
// SketchSize, the most frequent first. Where one of them does not know a name that
// another knows, what it may have forgotten counts, and is in Error. The names are
// clipped, and valid UTF-8.
func Top(now time.Duration, n int, sketches ...*Sketch) []Count {
	sums := map[uint64]*Count{}
	floor := uint64(0) // what all of them together may have forgotten of a name
	for _, s := range sketches {
		parts, least := s.read(now)
		floor += least
		for _, p := range parts {
			c := sums[p.hash]
			if c == nil {
				c = &Count{Name: p.Name}
				sums[p.hash] = c
			}
			// least is taken off where it is known that nothing was forgotten, and
			// added to all below.
			c.Count += p.Count.Count - least
			c.Error += p.Error - least
		}
	}
	top := make([]Count, 0, len(sums))
	for _, c := range sums {
		c.Count += floor
		c.Error += floor
		top = append(top, *c)
	}
	slices.SortFunc(top, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return top[:max(0, min(n, len(top), SketchSize))]
}

// read returns the counts, and the most that a name may have that is not there.
func (s *Sketch) read(now time.Duration) (parts []part, least uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sketch == nil {
		return nil, 0
	}
	s.halve(now)
	parts = make([]part, s.size)
	for i := range parts {
		parts[i] = part{Count{clippedName(s.names[i], s.cut[i]), s.counts[i], s.errors[i]}, s.hashes[i]}
	}
	least = s.lost
	if s.size == SketchSize {
		least = s.counts[s.least()]
	}
	return parts, least
}

// clippedName returns a name as it is shown.
func clippedName(name []byte, cut bool) string {
	s := string(bytes.ToValidUTF8(name, []byte("\uFFFD")))
	if cut {
		s += "…"
	}
	return s
}
