package route

import (
	"hash/maphash"
	"math/bits"
)

// A keyed is something a trie can hold: it knows its own key, which never
// changes.
type keyed interface{ trieKey() string }

// A trie is a persistent map from string to E: a hash trie, 32 ways per
// level. Looking up takes no lock, because a published trie never changes; a
// change copies the few nodes between the root and the changed element, and
// shares all others with the trie before it. Changing one element among a
// million copies about four nodes (BenchmarkPublishOneTopic).
//
// A trie is a value: copying it is O(1) and gives an independent map.
type trie[E keyed] struct {
	root *trieNode[E]
	size int
	seed maphash.Seed
	mask uint64 // which bits of a hash count: all, except in tests of collisions
}

// A trieNode is one level. Below the last level that the 64 bits of a hash can
// tell apart, a node is a plain list (leaves only, both maps 0).
type trieNode[E keyed] struct {
	edition uint64 // the batch of changes that made this node, and alone may change it in place
	leafMap uint32 // bit i: slot i holds an element
	nodeMap uint32 // bit i: slot i holds a node; leafMap & nodeMap == 0
	leaves  []E    // len = popcount(leafMap)
	nodes   []*trieNode[E]
}

const (
	trieBits  = 5
	trieMask  = 1<<trieBits - 1
	trieLimit = 64 // from this shift on, all bits of the hash are used up
)

func newTrie[E keyed](seed maphash.Seed) trie[E] {
	return trie[E]{seed: seed, mask: ^uint64(0)}
}

func (t *trie[E]) hash(key string) uint64 { return maphash.String(t.seed, key) & t.mask }

// get returns the element with the given key.
func (t *trie[E]) get(key string) (e E, ok bool) {
	n := t.root
	h := t.hash(key)
	for shift := uint(0); n != nil && shift < trieLimit; shift += trieBits {
		bit := trieBit(h, shift)
		if n.leafMap&bit != 0 {
			if e := n.leaves[trieIndex(n.leafMap, bit)]; e.trieKey() == key {
				return e, true
			}
			return e, false
		}
		if n.nodeMap&bit == 0 {
			return e, false
		}
		n = n.nodes[trieIndex(n.nodeMap, bit)]
	}
	if n == nil {
		return e, false
	}
	for _, e := range n.leaves {
		if e.trieKey() == key {
			return e, true
		}
	}
	return e, false
}

// all calls yield for every element, in no useful order, until it returns false.
func (t *trie[E]) all(yield func(E) bool) { t.root.all(yield) }

func (n *trieNode[E]) all(yield func(E) bool) bool {
	if n == nil {
		return true
	}
	for _, e := range n.leaves {
		if !yield(e) {
			return false
		}
	}
	for _, c := range n.nodes {
		if !c.all(yield) {
			return false
		}
	}
	return true
}

// put adds e, or replaces the element with its key. Nodes made by the same
// edition are changed in place: they must not have been published yet.
func (t *trie[E]) put(edition uint64, e E) {
	root, added := t.putNode(t.root, edition, 0, t.hash(e.trieKey()), e)
	t.root = root
	if added {
		t.size++
	}
}

func (t *trie[E]) putNode(n *trieNode[E], edition uint64, shift uint, h uint64, e E) (_ *trieNode[E], added bool) {
	n = n.own(edition)
	if shift >= trieLimit {
		for i, old := range n.leaves {
			if old.trieKey() == e.trieKey() {
				n.leaves[i] = e
				return n, false
			}
		}
		n.leaves = insertAt(n.leaves, len(n.leaves), e)
		return n, true
	}
	bit := trieBit(h, shift)
	if n.nodeMap&bit != 0 {
		i := trieIndex(n.nodeMap, bit)
		n.nodes[i], added = t.putNode(n.nodes[i], edition, shift+trieBits, h, e)
		return n, added
	}
	i := trieIndex(n.leafMap, bit)
	if n.leafMap&bit == 0 {
		n.leaves = insertAt(n.leaves, i, e)
		n.leafMap |= bit
		return n, true
	}
	old := n.leaves[i]
	if old.trieKey() == e.trieKey() {
		n.leaves[i] = e
		return n, false
	}
	// Two elements share the slot: both move one level down.
	down, _ := t.putNode(nil, edition, shift+trieBits, t.hash(old.trieKey()), old)
	down, _ = t.putNode(down, edition, shift+trieBits, h, e)
	n.leaves = removeAt(n.leaves, i)
	n.leafMap &^= bit
	n.nodes = insertAt(n.nodes, trieIndex(n.nodeMap, bit), down)
	n.nodeMap |= bit
	return n, true
}

// remove takes out the element with the given key and reports whether there
// was one.
func (t *trie[E]) remove(edition uint64, key string) bool {
	if _, ok := t.get(key); !ok {
		return false
	}
	t.root = t.removeNode(t.root, edition, 0, t.hash(key), key)
	t.size--
	return true
}

// removeNode removes a key that is known to be below n. It returns nil when
// nothing is left.
func (t *trie[E]) removeNode(n *trieNode[E], edition uint64, shift uint, h uint64, key string) *trieNode[E] {
	n = n.own(edition)
	if shift >= trieLimit {
		for i, e := range n.leaves {
			if e.trieKey() == key {
				n.leaves = removeAt(n.leaves, i)
				break
			}
		}
		return n.orNil()
	}
	bit := trieBit(h, shift)
	if n.leafMap&bit != 0 {
		n.leaves = removeAt(n.leaves, trieIndex(n.leafMap, bit))
		n.leafMap &^= bit
		return n.orNil()
	}
	i := trieIndex(n.nodeMap, bit)
	down := t.removeNode(n.nodes[i], edition, shift+trieBits, h, key)
	switch {
	case down == nil:
		n.nodes = removeAt(n.nodes, i)
		n.nodeMap &^= bit
	case len(down.nodes) == 0 && len(down.leaves) == 1:
		// A lone element moves back up, so that the shape depends on what is
		// in the trie and not on how it got there.
		n.nodes = removeAt(n.nodes, i)
		n.nodeMap &^= bit
		n.leaves = insertAt(n.leaves, trieIndex(n.leafMap, bit), down.leaves[0])
		n.leafMap |= bit
	default:
		n.nodes[i] = down
	}
	return n.orNil()
}

// own returns n if edition may change it, else a copy that it may change.
func (n *trieNode[E]) own(edition uint64) *trieNode[E] {
	if n == nil {
		return &trieNode[E]{edition: edition}
	}
	if n.edition == edition {
		return n
	}
	c := &trieNode[E]{edition: edition, leafMap: n.leafMap, nodeMap: n.nodeMap}
	c.leaves = copyOf(n.leaves)
	c.nodes = copyOf(n.nodes)
	return c
}

func (n *trieNode[E]) orNil() *trieNode[E] {
	if len(n.leaves) == 0 && len(n.nodes) == 0 {
		return nil
	}
	return n
}

func trieBit(h uint64, shift uint) uint32 { return 1 << (h >> shift & trieMask) }

// trieIndex returns where the element of the given bit lies in the slice that
// m describes.
func trieIndex(m, bit uint32) int { return bits.OnesCount32(m & (bit - 1)) }

// insertAt, removeAt and copyOf give exact-size slices: a million nodes with
// spare capacity would cost more than the occasional copy of 32 pointers.

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
