package route

import "hash/maphash"

// A memberTree is a persistent map from broker ID to Member, in ascending order
// of ID: a treap. A change copies the few nodes between the root and the changed
// member, so that a broker name with thousands of IDs costs no more per change
// than one with two. The priorities are keyed with a random number of this
// process: a stranger cannot choose IDs that make the tree deep.
//
// A memberTree is a value: copying it is O(1) and gives an independent map.
type memberTree struct {
	root *memberNode
	size int
}

// A memberNode never changes. Its priority is not below its children's.
type memberNode struct {
	m           *Member
	priority    uint64
	left, right *memberNode
}

var memberSeed = maphash.MakeSeed()

// get returns the member with the given ID, nil when there is none.
func (t memberTree) get(id int64) *Member {
	for n := t.root; n != nil; {
		switch {
		case id < n.m.ID:
			n = n.left
		case id > n.m.ID:
			n = n.right
		default:
			return n.m
		}
	}
	return nil
}

// first returns the member with the smallest ID; there must be one.
func (t memberTree) first() *Member {
	n := t.root
	for n.left != nil {
		n = n.left
	}
	return n.m
}

// all calls yield for every member in ascending order of ID, until it returns
// false.
func (t memberTree) all(yield func(*Member) bool) { t.root.all(yield) }

func (n *memberNode) all(yield func(*Member) bool) bool {
	return n == nil || n.left.all(yield) && yield(n.m) && n.right.all(yield)
}

// with returns t with m, in place of the member with its ID if there is one.
func (t memberTree) with(m *Member) memberTree {
	size := t.size
	if t.get(m.ID) == nil {
		size++
	}
	return memberTree{t.root.with(m, maphash.Comparable(memberSeed, m.ID)), size}
}

func (n *memberNode) with(m *Member, priority uint64) *memberNode {
	switch {
	case n == nil:
		return &memberNode{m: m, priority: priority}
	case m.ID == n.m.ID:
		return &memberNode{m, priority, n.left, n.right}
	case priority > n.priority: // so that m.ID is not below n
		left, right := n.split(m.ID)
		return &memberNode{m, priority, left, right}
	case m.ID < n.m.ID:
		return &memberNode{n.m, n.priority, n.left.with(m, priority), n.right}
	}
	return &memberNode{n.m, n.priority, n.left, n.right.with(m, priority)}
}

// split returns what is below id and what is above; id itself is not in n.
func (n *memberNode) split(id int64) (below, above *memberNode) {
	if n == nil {
		return nil, nil
	}
	if id < n.m.ID {
		below, above = n.left.split(id)
		return below, &memberNode{n.m, n.priority, above, n.right}
	}
	below, above = n.right.split(id)
	return &memberNode{n.m, n.priority, n.left, below}, above
}

// without returns t without the member with the given ID, which must be there.
func (t memberTree) without(id int64) memberTree {
	return memberTree{t.root.without(id), t.size - 1}
}

func (n *memberNode) without(id int64) *memberNode {
	switch {
	case id < n.m.ID:
		return &memberNode{n.m, n.priority, n.left.without(id), n.right}
	case id > n.m.ID:
		return &memberNode{n.m, n.priority, n.left, n.right.without(id)}
	}
	return n.left.join(n.right)
}

// join returns n and o together; all IDs of n are below those of o.
func (n *memberNode) join(o *memberNode) *memberNode {
	switch {
	case n == nil:
		return o
	case o == nil:
		return n
	case n.priority >= o.priority:
		return &memberNode{n.m, n.priority, n.left, n.right.join(o)}
	}
	return &memberNode{o.m, o.priority, n.join(o.left), o.right}
}

// diff calls change for every ID whose Member is not the same in n and o, in
// ascending order, with nil where there is none, until it returns false. A subtree
// that both share is passed over. Of two that are not, the one with the higher
// priority tells where to cut the other: their shapes follow from their IDs.
func (n *memberNode) diff(o *memberNode, change func(old, now *Member) bool) bool {
	switch {
	case n == o:
		return true
	case n == nil, o != nil && o.m.ID != n.m.ID && o.priority > n.priority:
		below, above := n.split(o.m.ID)
		return below.diff(o.left, change) && change(nil, o.m) && above.diff(o.right, change)
	case o == nil || o.m.ID != n.m.ID:
		below, above := o.split(n.m.ID)
		return n.left.diff(below, change) && change(n.m, nil) && n.right.diff(above, change)
	}
	return n.left.diff(o.left, change) && (n.m == o.m || change(n.m, o.m)) && n.right.diff(o.right, change)
}
