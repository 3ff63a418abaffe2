package route

// A vector is a persistent array of *E by small numbers: a tree of nodes with
// 2^bits places each. Nothing is ever copied as a whole: neither when it grows,
// nor when the next View must not see a change. A change copies the nodes
// between the root and the changed place, unless the same edition made them.
//
// A vector is a value: copying it is O(1) and gives an independent array, as
// long as the editions of its changes differ.
type vector[E any] struct {
	root  *vectorNode[E]
	bits  uint // of a number, per level
	shift uint // of the root; 0 when it holds elements
	size  uint32
}

type vectorNode[E any] struct {
	edition  uint64
	nodes    []*vectorNode[E] // of all but the lowest level
	elements []*E             // of the lowest level
}

func newVector[E any](bits uint) vector[E] { return vector[E]{bits: bits} }

// get returns the element with number i, which must be below size.
func (v *vector[E]) get(i uint32) *E {
	n := v.root
	mask := uint32(1)<<v.bits - 1
	for shift := v.shift; shift > 0; shift -= v.bits {
		n = n.nodes[i>>shift&mask]
	}
	return n.elements[i&mask]
}

// put stores e under number i, which must not be above size.
func (v *vector[E]) put(edition uint64, i uint32, e *E) {
	if v.root == nil {
		v.root = v.newNode(edition, 0)
	}
	for uint64(i)>>v.shift>>v.bits > 0 {
		v.shift += v.bits
		root := v.newNode(edition, v.shift)
		root.nodes[0] = v.root
		v.root = root
	}
	v.size = max(v.size, i+1)
	mask := uint32(1)<<v.bits - 1
	at := &v.root
	for shift := v.shift; ; shift -= v.bits {
		n := *at
		switch {
		case n == nil:
			n = v.newNode(edition, shift)
		case n.edition != edition:
			n = &vectorNode[E]{edition: edition, nodes: copyOf(n.nodes), elements: copyOf(n.elements)}
		}
		*at = n
		if shift == 0 {
			n.elements[i&mask] = e
			return
		}
		at = &n.nodes[i>>shift&mask]
	}
}

func (v *vector[E]) newNode(edition uint64, shift uint) *vectorNode[E] {
	n := &vectorNode[E]{edition: edition}
	if shift > 0 {
		n.nodes = make([]*vectorNode[E], 1<<v.bits)
	} else {
		n.elements = make([]*E, 1<<v.bits)
	}
	return n
}

// all calls yield for every number and its element, nil where there is none,
// until it returns false.
func (v *vector[E]) all(yield func(uint32, *E) bool) {
	for i := range v.size {
		if !yield(i, v.get(i)) {
			return
		}
	}
}
