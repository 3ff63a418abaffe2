package route

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// A keyed is something a trie can hold: it knows its own key, which never
// changes.
type keyed interface{ trieKey() string }

// A trie is a persistent map from string to E: nodes of 32 ways, and below
// them buckets of up to 64 elements that lie side by side in the order of their
// hashes.
//
// Looking up takes no lock, because a published trie never changes; a change
// copies the nodes and the bucket between the root and the changed element, and
// shares all others with the trie before it. Both are made for few cache
// misses, since a look-up among a million elements waits for little else: the
// three levels of nodes are small enough to stay in the caches, a bucket is
// entered where a hash of that size must lie, give or take a few, and
// the hash stands beside the element. So one slot and one element are read
// (BenchmarkTrieGet), and one element among a million is changed by copying
// less than 2 KiB (BenchmarkPublishOneTopic).
//
// A trie is a value: copying it is O(1) and gives an independent map. Its shape
// depends on what is in it alone, not on how it got there.
type trie[E keyed] struct {
	root *trieNode[E]
	size int
	seed maphash.Seed
	mask uint64 // which bits of a hash count: all, except in tests of collisions
}

// A trieNode is one level: five bits of the hash, the highest first, choose one
// of its ways. A way leads to a node or to a bucket, or is nil.
type trieNode[E keyed] struct {
	edition uint64 // the batch of changes that made this node, and alone may change it in place
	owned   uint32 // bit i: the bucket of way i was made by that batch too
	stale   uint32 // bit i: the bucket of way i was made by an earlier one, and sums does not know it
	size    int    // elements below
	// ways[i] is a *trieNode[E] where lens[i] is 0, else the first of lens[i]
	// slots of a bucket. A slice would take three words, and be one more thing to
	// wait for.
	ways [trieWays]unsafe.Pointer
	lens [trieWays]uint16
	// sums is what digest.go remembers, of this node or of one that it was copied from;
	// nil until somebody asks. It takes room that malloc would waste.
	sums atomic.Pointer[trieSums]
}

// A trieSlot is one element in a bucket. Buckets are in ascending order of hash.
type trieSlot[E keyed] struct {
	hash uint64
	e    E
}

const (
	trieBits = 5
	trieWays = 1 << trieBits
	// trieBucket is how many elements a bucket holds before a node takes its
	// place; with that many or fewer below a node, a bucket takes the node's.
	// Only where the hash is used up, a bucket may be larger.
	trieBucket = 64
	trieFirst  = 64 - trieBits // shift of the root; each level has trieBits less
)

func newTrie[E keyed](seed maphash.Seed) trie[E] {
	return trie[E]{seed: seed, mask: ^uint64(0)}
}

func (t *trie[E]) hash(key string) uint64 { return maphash.String(t.seed, key) & t.mask }

// get returns the element with the given key.
func (t *trie[E]) get(key string) (e E, ok bool) { return t.find(t.hash(key), key) }

// find is get for a key of which h is the hash.
func (t *trie[E]) find(h uint64, key string) (e E, ok bool) {
	n := t.root
	for shift := trieFirst; n != nil; shift -= trieBits {
		i := trieWay(h, shift)
		if n.lens[i] == 0 {
			n = (*trieNode[E])(n.ways[i])
			continue
		}
		b := n.bucket(i)
		for j := findHash(b, h, shift); j < len(b) && b[j].hash == h; j++ {
			if b[j].e.trieKey() == key {
				return b[j].e, true
			}
		}
		return e, false
	}
	return e, false
}

// trieWay returns which way a hash takes at the level of shift. Where less than
// trieBits are left, they are what decides.
func trieWay(h uint64, shift int) int {
	if shift < 0 {
		return int(h << -shift & (trieWays - 1))
	}
	return int(h >> shift & (trieWays - 1))
}

// isLast reports whether the level of shift uses the hash up: its buckets
// cannot be split.
func isLast(shift int) bool { return shift <= 0 }

// bucket returns the slots of way i, nil if it has none.
func (n *trieNode[E]) bucket(i int) []trieSlot[E] {
	if n.lens[i] == 0 {
		return nil
	}
	return unsafe.Slice((*trieSlot[E])(n.ways[i]), n.lens[i])
}

// findHash returns the first slot of b whose hash is not below h, len(b) if there is
// none. The bits that the levels down to shift have not used are spread evenly:
// they tell where to begin.
func findHash[E keyed](b []trieSlot[E], h uint64, shift int) int {
	guess, _ := bits.Mul64(h<<(64-shift), uint64(len(b)))
	i := int(guess)
	for i > 0 && b[i-1].hash >= h {
		i--
	}
	for i < len(b) && b[i].hash < h {
		i++
	}
	return i
}

// all calls yield for every element, in no useful order, until it returns
// false. The trie must not change meanwhile; copies of it may.
func (t *trie[E]) all(yield func(E) bool) {
	if t.root != nil {
		t.root.all(yield)
	}
}

func (n *trieNode[E]) all(yield func(E) bool) bool {
	for i, way := range n.ways {
		if n.lens[i] == 0 {
			if way != nil && !(*trieNode[E])(way).all(yield) {
				return false
			}
			continue
		}
		for _, s := range n.bucket(i) {
			if !yield(s.e) {
				return false
			}
		}
	}
	return true
}

// from returns the elements whose hash is at least h, in ascending order of hash. The
// trie must not change meanwhile; copies of it may.
func (t *trie[E]) from(h uint64) func(yield func(trieSlot[E]) bool) {
	return func(yield func(trieSlot[E]) bool) {
		if t.root != nil {
			t.root.from(trieFirst, h, yield)
		}
	}
}

// from is that of the trie for the elements below n, which is at the level of shift.
func (n *trieNode[E]) from(shift int, h uint64, yield func(trieSlot[E]) bool) bool {
	for i := trieWay(h, shift); i < trieWays; i++ {
		if n.lens[i] == 0 {
			if n.ways[i] != nil && !(*trieNode[E])(n.ways[i]).from(shift-trieBits, h, yield) {
				return false
			}
		}
		for _, s := range n.bucket(i) {
			if s.hash >= h && !yield(s) {
				return false
			}
		}
		h = 0 // the other ways have higher ones
	}
	return true
}

// put adds e, or replaces the element with its key. Nodes made by the same
// edition are changed in place: they must not have been published yet.
func (t *trie[E]) put(edition uint64, e E) { t.putHashed(edition, t.hash(e.trieKey()), e) }

// putHashed is put for an element of whose key h is the hash.
func (t *trie[E]) putHashed(edition, h uint64, e E) {
	t.root = t.root.own(edition)
	if t.root.put(trieFirst, trieSlot[E]{h, e}) {
		t.size++
	}
}

// put adds or replaces an element below n, which the caller owns, and reports
// whether there is one more now.
func (n *trieNode[E]) put(shift int, s trieSlot[E]) (added bool) {
	i := trieWay(s.hash, shift)
	if n.lens[i] == 0 && n.ways[i] != nil {
		added = n.ownWay(i).put(shift-trieBits, s)
	} else {
		added = n.putInBucket(i, shift, s)
	}
	if added {
		n.size++
	}
	return added
}

func (n *trieNode[E]) putInBucket(i, shift int, s trieSlot[E]) (added bool) {
	b := n.bucket(i)
	j := findHash(b, s.hash, shift)
	for k := j; k < len(b) && b[k].hash == s.hash; k++ {
		if b[k].e.trieKey() == s.e.trieKey() {
			n.ownBucket(i)[k] = s
			return false
		}
	}
	if len(b) < trieBucket || isLast(shift) {
		n.insert(i, j, s)
		return true
	}
	down := &trieNode[E]{edition: n.edition}
	for _, old := range b {
		down.put(shift-trieBits, old)
	}
	down.put(shift-trieBits, s)
	n.setNode(i, down)
	return true
}

// remove takes out the element with the given key and reports whether there
// was one.
func (t *trie[E]) remove(edition uint64, key string) bool {
	if _, ok := t.get(key); !ok {
		return false
	}
	t.root = t.root.own(edition)
	t.root.remove(trieFirst, t.hash(key), key)
	t.size--
	return true
}

// remove takes out a key that is known to be below n, which the caller owns.
func (n *trieNode[E]) remove(shift int, h uint64, key string) {
	n.size--
	i := trieWay(h, shift)
	if n.lens[i] == 0 {
		down := n.ownWay(i)
		down.remove(shift-trieBits, h, key)
		if down.size <= trieBucket {
			b := newBucket[E](down.size)[:0]
			for s := range down.slots {
				b = append(b, s)
			}
			n.setBucket(i, b)
		}
		return
	}
	b := n.bucket(i)
	j := findHash(b, h, shift)
	for b[j].e.trieKey() != key {
		j++
	}
	rest := newBucket[E](len(b) - 1)
	copy(rest, b[:j])
	copy(rest[j:], b[j+1:])
	n.setBucket(i, rest)
}

// slots calls yield for every element below n with its hash, in ascending order
// of hash.
func (n *trieNode[E]) slots(yield func(trieSlot[E]) bool) {
	for i := range n.ways {
		if n.lens[i] == 0 {
			if n.ways[i] != nil {
				(*trieNode[E])(n.ways[i]).slots(yield)
			}
			continue
		}
		for _, s := range n.bucket(i) {
			yield(s)
		}
	}
}

// own returns n if edition may change it, else a copy that it may change.
func (n *trieNode[E]) own(edition uint64) *trieNode[E] {
	if n == nil {
		return &trieNode[E]{edition: edition}
	}
	if n.edition == edition {
		return n
	}
	c := &trieNode[E]{edition: edition, size: n.size, ways: n.ways, lens: n.lens}
	if s := n.sums.Load(); s != nil { // a reader may be storing it
		c.inherit(s, n)
	}
	return c
}

// ownWay makes the node of way i one that n's edition may change.
func (n *trieNode[E]) ownWay(i int) *trieNode[E] {
	down := (*trieNode[E])(n.ways[i]).own(n.edition)
	n.ways[i] = unsafe.Pointer(down)
	return down
}

// ownBucket makes the bucket of way i one that n's edition may change.
func (n *trieNode[E]) ownBucket(i int) []trieSlot[E] {
	if n.owned&(1<<i) == 0 {
		b := newBucket[E](int(n.lens[i]))
		copy(b, n.bucket(i))
		n.setBucket(i, b)
	}
	return n.bucket(i)
}

// insert puts s before slot j of the bucket of way i.
func (n *trieNode[E]) insert(i, j int, s trieSlot[E]) {
	old := n.bucket(i)
	b := old
	if n.owned&(1<<i) != 0 && len(old) < bucketRoom(len(old)) {
		b = unsafe.Slice((*trieSlot[E])(n.ways[i]), len(old)+1)
	} else {
		b = newBucket[E](len(old) + 1)
		copy(b, old[:j])
	}
	copy(b[j+1:], old[j:])
	b[j] = s
	n.setBucket(i, b)
}

func (n *trieNode[E]) setNode(i int, down *trieNode[E]) {
	n.ways[i], n.lens[i] = unsafe.Pointer(down), 0
}

// setBucket makes b, which was made by newBucket for n's edition, the bucket of
// way i.
func (n *trieNode[E]) setBucket(i int, b []trieSlot[E]) {
	n.owned |= 1 << i
	n.lens[i] = uint16(len(b))
	n.ways[i] = nil
	if len(b) > 0 {
		n.ways[i] = unsafe.Pointer(unsafe.SliceData(b))
	}
}

// newBucket returns a bucket of so many empty slots, with bucketRoom for more.
func newBucket[E keyed](size int) []trieSlot[E] {
	return make([]trieSlot[E], size, bucketRoom(size))
}

// bucketRoom returns how many slots the memory of a bucket of the given size
// holds: a batch of changes that adds to its buckets need not make a new one
// each time.
func bucketRoom(size int) int { return (size + 3) &^ 3 }

// insertAt, removeAt and copyOf give exact-size slices: a million entries with
// spare capacity would cost more than the occasional copy.

func insertAt[T any](s []T, i int, v T) []T {
	c := make([]T, len(s)+1)
	copy(c, s[:i])
	c[i] = v
	copy(c[i+1:], s[i:])
	return c
}

func removeAt[T any](s []T, i int) []T {
	if len(s) == 1 {
		return nil
	}
	c := make([]T, len(s)-1)
	copy(c, s[:i])
	copy(c[i:], s[i+1:])
	return c
}

func copyOf[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	c := make([]T, len(s))
	copy(c, s)
	return c
}
