package route

import (
	"cmp"
	"slices"
)

// A trieDiff walks two tries together, a later state of a trie and an earlier
// one, and passes over what they share: an equal pointer to a node or to a
// bucket means equal content. So it costs what has changed between them, however
// much there is.
//
// Of the layout of a trie it knows no more than branch, branches and slots, and
// that buckets are in ascending order of hash.
type trieDiff[E interface {
	keyed
	comparable
}] struct {
	// change is told of each element that is not the same in both, with the zero
	// E where there is none; it returns false to end the walk.
	change  func(old, now E) bool
	visited int // nodes and buckets that were looked into
}

// A trieBranch is what hangs on one way of a node: a node, a bucket, or nothing.
type trieBranch[E keyed] struct {
	node   *trieNode[E]
	bucket []trieSlot[E]
}

// branch returns all of t.
func (t *trie[E]) branch() trieBranch[E] { return trieBranch[E]{node: t.root} }

// branch returns what hangs on way i; nothing where there is no node.
func (n *trieNode[E]) branch(i int) trieBranch[E] {
	if n == nil {
		return trieBranch[E]{}
	}
	if n.lens[i] == 0 {
		return trieBranch[E]{node: (*trieNode[E])(n.ways[i])}
	}
	return trieBranch[E]{bucket: n.bucket(i)}
}

// is reports whether a and b are the same node or bucket, not just equal ones.
func (a trieBranch[E]) is(b trieBranch[E]) bool {
	if a.node != b.node || len(a.bucket) != len(b.bucket) {
		return false
	}
	return len(a.bucket) == 0 || &a.bucket[0] == &b.bucket[0]
}

// slots returns all elements below, in ascending order of hash.
func (a trieBranch[E]) slots() []trieSlot[E] {
	if a.node == nil {
		return a.bucket
	}
	all := make([]trieSlot[E], 0, a.node.size)
	for s := range a.node.slots {
		all = append(all, s)
	}
	return all
}

// same reports whether t is b, so that nothing has been put or removed between
// them.
func (t *trie[E]) same(b *trie[E]) bool { return t.branch().is(b.branch()) }

// walk compares two branches of the same place, and reports whether the walk is
// to go on.
func (d *trieDiff[E]) walk(old, now trieBranch[E]) bool {
	if old.is(now) {
		return true
	}
	d.visited++
	if len(old.bucket) > 0 || len(now.bucket) > 0 {
		return d.merge(old.slots(), now.slots())
	}
	for i := range trieWays {
		if !d.walk(old.node.branch(i), now.node.branch(i)) {
			return false
		}
	}
	return true
}

// merge compares elements in ascending order of hash. Those of one hash, there is
// mostly one, come in any order.
func (d *trieDiff[E]) merge(old, now []trieSlot[E]) bool {
	for len(old) > 0 || len(now) > 0 {
		var h uint64
		switch {
		case len(old) == 0:
			h = now[0].hash
		case len(now) == 0:
			h = old[0].hash
		default:
			h = min(old[0].hash, now[0].hash)
		}
		m, n := sameHash(old, h), sameHash(now, h)
		if !d.twins(old[:m], now[:n]) {
			return false
		}
		old, now = old[m:], now[n:]
	}
	return true
}

// sameHash returns how many slots b begins with that have the hash h.
func sameHash[E keyed](b []trieSlot[E], h uint64) (n int) {
	for n < len(b) && b[n].hash == h {
		n++
	}
	return n
}

// twins compares elements of one hash.
func (d *trieDiff[E]) twins(old, now []trieSlot[E]) bool {
	var none E
	if len(old) > 1 || len(now) > 1 {
		old, now = byKey(old), byKey(now)
	}
	for len(old) > 0 || len(now) > 0 {
		order := 0
		switch {
		case len(old) == 0:
			order = 1
		case len(now) == 0:
			order = -1
		default:
			order = cmp.Compare(old[0].e.trieKey(), now[0].e.trieKey())
		}
		a, b := none, none
		if order <= 0 {
			a, old = old[0].e, old[1:]
		}
		if order >= 0 {
			b, now = now[0].e, now[1:]
		}
		if a != b && !d.change(a, b) {
			return false
		}
	}
	return true
}

// byKey returns slots in ascending order of key.
func byKey[E keyed](slots []trieSlot[E]) []trieSlot[E] {
	slots = slices.Clone(slots)
	slices.SortFunc(slots, func(a, b trieSlot[E]) int { return cmp.Compare(a.e.trieKey(), b.e.trieKey()) })
	return slots
}
