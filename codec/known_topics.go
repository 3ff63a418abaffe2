package codec

import (
	"hash/maphash"
	"slices"
)

// KnownTopics remembers a table of topics by the hashes of its text. Where the
// sender's next body has the same text, the decoder skips it. KnownTopics never
// changes. It takes about 5 B for a topic.
//
// The text is cut into pieces of some topics each. A hash is keyed with a
// random number of this process and 64 bits wide, so that a stranger cannot
// make two texts share it, and by chance one changed piece in 10^19 does.
type KnownTopics struct {
	names  []uint32 // hash of each topic's name, in the order of the table
	pieces []knownPiece
}

// A knownPiece is the text from the first byte of one topic's key to the last
// byte of another one's value.
type knownPiece struct {
	hash  uint64
	size  uint32 // bytes
	first uint32 // index in names of its first topic
}

const (
	// pieceTopics is how many topics a piece begins with. If one topic changes, its
	// whole piece is decoded.
	pieceTopics = 16

	// Topics that come and go make a piece longer, up to this, or shorter. A short
	// piece that has changed is joined with the next one.
	maxPieceTopics = 2 * pieceTopics

	// If alignWindow topics in a row are missing, or more, the rest is not found
	// again; nor is a piece with pieceTries new topics or more in front of it.
	alignWindow = 64
	pieceTries  = 4
)

var textSeed = maphash.MakeSeed()

// Count returns the number of topics. k may be nil.
func (k *KnownTopics) Count() int {
	if k == nil {
		return 0
	}
	return len(k.names)
}

// end returns the index in names after the last topic of piece i.
func (k *KnownTopics) end(i int) int {
	if i+1 < len(k.pieces) {
		return int(k.pieces[i+1].first)
	}
	return len(k.names)
}

// A topicText follows the text of a table of topics: it steps over what is
// known already and remembers what the table says.
//
// It tries the known pieces in their order. Where a piece does not match, its
// topics are decoded one by one. The hash of each name then tells the place in the
// known table, until the next piece begins.
type topicText struct {
	known *KnownTopics // never nil
	next  int          // the topic of known that is to come
	piece int          // the first piece of known that begins at next or later
	tries int          // how often that piece has not matched

	names   []uint32
	pieces  []knownPiece
	decoded []uint32 // those of names that had to be decoded

	// The piece that is not finished: open topics in text[start:stop].
	open, start, stop int
}

var nothingKnown = &KnownTopics{}

// begin readies t for another table; its memory is used again.
func (t *topicText) begin(known *KnownTopics) {
	if known == nil {
		known = nothingKnown
	}
	names, pieces, decoded := t.names[:0], t.pieces[:0], t.decoded[:0]
	if cap(names) > maxKeptTopics {
		names, pieces, decoded = nil, nil, nil
	}
	*t = topicText{known: known, names: names, pieces: pieces, decoded: decoded}
}

// between reports whether a piece of known, or nothing more of it, is to come.
func (t *topicText) between() bool {
	return t.piece == len(t.known.pieces) || int(t.known.pieces[t.piece].first) == t.next
}

// skip steps over a piece whose text is known, r being at the first byte of a
// key. It reports false, and does nothing, if there is none.
func (t *topicText) skip(r *jsonReader) bool {
	k := t.known
	if t.piece == len(k.pieces) || !t.between() || t.tries == pieceTries {
		return false
	}
	p := k.pieces[t.piece]
	stop := r.i + int(p.size)
	if stop > len(r.b) || maphash.Bytes(textSeed, r.b[r.i:stop]) != p.hash {
		t.tries++
		return false
	}
	n := k.end(t.piece) - t.next
	if t.open+n > maxPieceTopics {
		t.finish(r)
	}
	whole := t.open == 0
	if whole {
		p.first = uint32(len(t.names))
		t.pieces = append(t.pieces, p)
	} else {
		t.extend(r.i, stop, n)
	}
	t.names = append(t.names, k.names[t.next:t.next+n]...)
	t.next += n
	t.piece++
	t.tries = 0
	r.i = stop
	if !whole && t.open >= pieceTopics {
		t.finish(r)
	}
	return true
}

// extend makes the open piece longer by n topics in text[start:stop].
func (t *topicText) extend(start, stop, n int) {
	if t.open == 0 {
		t.start = start
	}
	t.open += n
	t.stop = stop
}

// add takes note of a topic that was decoded from r.b[start:r.i].
func (t *topicText) add(r *jsonReader, start int, name []byte) {
	h := uint32(maphash.Bytes(textSeed, name))
	t.extend(start, r.i, 1)
	t.names = append(t.names, h)
	t.decoded = append(t.decoded, h)
	t.align(h)
	if t.open >= maxPieceTopics || t.open >= pieceTopics && t.between() {
		t.finish(r)
	}
}

// align moves on in what is known to behind the topic with this hash.
func (t *topicText) align(h uint32) {
	k := t.known
	i := slices.Index(k.names[t.next:min(t.next+alignWindow, len(k.names))], h)
	if i < 0 {
		return // new
	}
	t.next += i + 1
	for t.piece < len(k.pieces) && int(k.pieces[t.piece].first) < t.next {
		t.piece++
		t.tries = 0
	}
}

// finish ends the open piece.
func (t *topicText) finish(r *jsonReader) {
	if t.open == 0 {
		return
	}
	text := r.b[t.start:t.stop]
	t.pieces = append(t.pieces, knownPiece{
		hash:  maphash.Bytes(textSeed, text),
		size:  uint32(len(text)),
		first: uint32(len(t.names) - t.open),
	})
	t.open = 0
}

// skipped returns how many topics were known.
func (t *topicText) skipped() int { return len(t.names) - len(t.decoded) }

// expect makes room for a table that repeats what is known, for r.
func (t *topicText) expect(r *jsonReader) bool {
	names, pieces := len(t.known.names)-cap(t.names), len(t.known.pieces)-cap(t.pieces)
	if names > 0 {
		if !r.spend(2 * 4 * names) { // said makes a copy if anything is new
			return false
		}
		t.names = make([]uint32, 0, len(t.known.names))
	}
	if pieces > 0 {
		if !r.spend(2 * 16 * pieces) {
			return false
		}
		t.pieces = make([]knownPiece, 0, len(t.known.pieces))
	}
	return true
}

// grow makes room for n topics that are decoded, which was reserved with them.
func (t *topicText) grow(n int) {
	t.decoded = slices.Grow(t.decoded, n-len(t.decoded))
	t.names = slices.Grow(t.names, n-len(t.decoded))
}

// reserveSearch reserves what hasTwins allocates.
func (t *topicText) reserveSearch(m *memory) bool {
	return len(t.decoded) == 0 || t.skipped() == 0 || m.take(32*len(t.decoded))
}

// hasTwins reports whether a topic may have been decoded and skipped too. No
// real broker lists one twice.
func (t *topicText) hasTwins() bool {
	if len(t.decoded) == 0 || t.skipped() == 0 {
		return false
	}
	times := make(map[uint32]int, len(t.decoded))
	for _, h := range t.decoded {
		times[h]++
	}
	for _, h := range t.names {
		n, ok := times[h]
		if ok && n == 0 {
			return true
		}
		if ok {
			times[h] = n - 1
		}
	}
	return false
}

// said returns what the table said.
func (t *topicText) said() *KnownTopics {
	if len(t.decoded) == 0 && len(t.names) == len(t.known.names) {
		return t.known
	}
	return &KnownTopics{names: slices.Clone(t.names), pieces: slices.Clone(t.pieces)}
}
