package route

import "unsafe"

// A queueData is one cell of topicQueueTable: what a broker set offers for a
// topic.
// Java: QueueData.
type queueData struct {
	set            uint32 // brokerSet.id
	readQueueNums  int32
	writeQueueNums int32
	perm           int32
	topicSysFlag   int32
}

// A queueNode is a persistent list of queue datas in ascending order of set.
//
// Of a few brokers it is one leaf, behind its TopicEntry in one piece of memory. Of
// more it is a B-tree, and behind the entry lies a queuePatch: up to 8 rows that
// count instead of those with their sets in the tree. A change of one queue data
// makes a new patch; when it is full, its rows go into the tree, by copies of the
// leaves that they are in and of the nodes above. So a change costs about the same
// however many brokers share the topic (BenchmarkRegister), and also if each of
// them changes in turn.
//
// Millions of queue datas are kept, and nearly all have a few queues and the
// permissions that exist. A leaf of such takes 8 bytes for each, without a pointer;
// one in which any other number occurs is wide, and takes 20.
//
// A queueNode is the head of a leaf, a queueInner or a queuePatch, the rest of which
// follows it in memory. It never changes once its entry is stored.
type queueNode struct {
	head uint32 // count, height (0 is a leaf), wideLeaf and patched
}

// A queueInner is a node above leaves, or above other such nodes. Ways is an array
// of innerRoom *queueNode and Sets one of as many uint32, the first set below each;
// the first count of them are used.
type queueInner[Ways, Sets any] struct {
	queueNode
	size uint32 // rows below
	ways Ways
	_    Sets
}

// A queuePatch is the root of a list that has more than one leaf. Rows is an array of
// words as in a narrow leaf; count of its rows are used.
type queuePatch[Rows any] struct {
	queueNode
	_    uint32
	tree *queueNode // a queueInner
	rows Rows
}

const (
	queueRows   = 15 // of a leaf: 124 bytes
	queueFan    = 23 // of a queueInner: 284 bytes; two levels have room for 345 brokers
	patchRows   = 8
	heightShift = 8
	wideLeaf    = 1 << 16
	patched     = 1 << 17

	narrowWords = 2 // of a row: the set, and an offer
	wideWords   = 5 // of a row: the fields of queueData

	// Offsets in a queueInner and a queuePatch, however many ways and rows.
	sizeAt      = unsafe.Offsetof(queueInner[[3]*queueNode, [3]uint32]{}.size)
	waysAt      = unsafe.Offsetof(queueInner[[3]*queueNode, [3]uint32]{}.ways)
	treeAt      = unsafe.Offsetof(queuePatch[[2]uint32]{}.tree)
	patchRowsAt = unsafe.Offsetof(queuePatch[[2]uint32]{}.rows)

	// An offer has 12 bits for each of the numbers of queues, 4 for the permission
	// and 4 for the topic's flags.
	offerNums  = 1<<12 - 1
	offerFlags = 1<<4 - 1
)

// innerRoom returns for how many nodes a queueInner above count has room.
func innerRoom(count int) int { return count | 3 }

// A queuePath says where in a tree a row is: queuePathBits for each level, the
// leaf's in the lowest.
type queuePath uint32

const queuePathBits = 5

func (p queuePath) at(height int) int {
	return int(p >> (queuePathBits * height) & (1<<queuePathBits - 1))
}

// add returns p with i at a level that it says nothing of yet.
func (p queuePath) add(height, i int) queuePath { return p | queuePath(i)<<(queuePathBits*height) }

func (q *queueData) isNarrow() bool {
	return uint32(q.readQueueNums) <= offerNums && uint32(q.writeQueueNums) <= offerNums &&
		uint32(q.perm) <= offerFlags && uint32(q.topicSysFlag) <= offerFlags
}

// offer returns all of q but the set in one word; q must be narrow.
func (q *queueData) offer() uint32 {
	return uint32(q.readQueueNums)<<20 | uint32(q.writeQueueNums)<<8 | uint32(q.perm)<<4 | uint32(q.topicSysFlag)
}

func (n *queueNode) count() int { return int(n.head & (1<<heightShift - 1)) }

func (n *queueNode) height() int { return int(n.head >> heightShift & (1<<heightShift - 1)) }

func (n *queueNode) isWide() bool { return n.head&wideLeaf != 0 }

func (n *queueNode) isPatched() bool { return n.head&patched != 0 }

func (n *queueNode) isLeaf() bool { return n.head&(patched|(1<<heightShift-1)<<heightShift) == 0 }

// most returns how many rows or nodes a node like n may hold.
func (n *queueNode) most() int {
	switch {
	case n.isPatched():
		return patchRows
	case n.isLeaf():
		return queueRows
	}
	return queueFan
}

func (n *queueNode) rowWords() int { return rowWords(n.isWide()) }

func (n *queueNode) words() []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(n)), 1+n.count()*n.rowWords())
}

func rowWords(wide bool) int {
	if wide {
		return wideWords
	}
	return narrowWords
}

// down returns the nodes below n, a queueInner.
func (n *queueNode) down() []*queueNode {
	return unsafe.Slice((**queueNode)(unsafe.Add(unsafe.Pointer(n), waysAt)), n.count())
}

// sets returns the first set below each node below n, a queueInner.
func (n *queueNode) sets() []uint32 {
	at := waysAt + uintptr(innerRoom(n.count()))*unsafe.Sizeof(n)
	return unsafe.Slice((*uint32)(unsafe.Add(unsafe.Pointer(n), at)), n.count())
}

// tree returns what n, a queuePatch, is a patch to.
func (n *queueNode) tree() *queueNode {
	return *(**queueNode)(unsafe.Add(unsafe.Pointer(n), treeAt))
}

// patch returns the rows of n, a queuePatch: a set and an offer each.
func (n *queueNode) patch() []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Add(unsafe.Pointer(n), patchRowsAt)), n.count()*narrowWords)
}

// len returns the number of rows.
func (n *queueNode) len() int {
	switch {
	case n.isLeaf():
		return n.count()
	case n.isPatched():
		n = n.tree()
	}
	return int(*(*uint32)(unsafe.Add(unsafe.Pointer(n), sizeAt)))
}

// row returns row i of a leaf.
func (n *queueNode) row(i int) queueData { return rowOf(n.words(), i, n.isWide()) }

// rowOf returns row i of a leaf that consists of words.
func rowOf(words []uint32, i int, wide bool) queueData {
	if wide {
		w := words[1+i*wideWords:][:wideWords]
		return queueData{w[0], int32(w[1]), int32(w[2]), int32(w[3]), int32(w[4])}
	}
	w := words[1+i*narrowWords:][:narrowWords]
	return narrowRow(w[0], w[1])
}

func narrowRow(set, offer uint32) queueData {
	return queueData{set, int32(offer >> 20), int32(offer >> 8 & offerNums), int32(offer >> 4 & offerFlags), int32(offer & offerFlags)}
}

// setOf returns the set of row i of a leaf.
func (n *queueNode) setOf(i int) uint32 {
	return *(*uint32)(unsafe.Add(unsafe.Pointer(n), 4*(1+i*n.rowWords())))
}

// first returns the smallest set. n is no queuePatch.
func (n *queueNode) first() uint32 {
	if n.isLeaf() {
		return n.setOf(0)
	}
	return n.sets()[0]
}

// all calls yield for every row, in ascending order of set, until it returns
// false.
func (n *queueNode) all(yield func(queueData) bool) {
	if !n.isPatched() {
		n.each(yield)
		return
	}
	patch := n.patch()
	n.tree().each(func(q queueData) bool {
		if len(patch) > 0 && patch[0] == q.set {
			q = narrowRow(q.set, patch[1])
			patch = patch[narrowWords:]
		}
		return yield(q)
	})
}

// each is all of a node that is no queuePatch. It reports whether yield never
// returned false.
func (n *queueNode) each(yield func(queueData) bool) bool {
	if n.isLeaf() {
		words, wide := n.words(), n.isWide()
		for i := range n.count() {
			if !yield(rowOf(words, i, wide)) {
				return false
			}
		}
		return true
	}
	for _, down := range n.down() {
		if !down.each(yield) {
			return false
		}
	}
	return true
}

// get returns the row of a set.
func (n *queueNode) get(set uint32) (q queueData, ok bool) {
	if n.isPatched() {
		patch := n.patch()
		if i, ok := findInPatch(patch, set); ok {
			return narrowRow(set, patch[i+1]), true
		}
		n = n.tree()
	}
	leaf, p, ok := n.find(set)
	if ok {
		q = leaf.row(p.at(0))
	}
	return q, ok
}

// findInPatch returns the index of the row of a set in a patch, or where it would
// be inserted.
func findInPatch(patch []uint32, set uint32) (i int, ok bool) {
	for i < len(patch) && patch[i] < set {
		i += narrowWords
	}
	return i, i < len(patch) && patch[i] == set
}

// find returns where in a tree the row of a set is, or where it would go, and the
// leaf.
func (n *queueNode) find(set uint32) (leaf *queueNode, p queuePath, ok bool) {
	for !n.isLeaf() {
		sets := n.sets()
		i := len(sets) - 1
		for i > 0 && sets[i] > set {
			i--
		}
		p = p.add(n.height(), i)
		n = n.down()[i]
	}
	words, stride := n.words(), n.rowWords()
	at := 1
	for at < len(words) && words[at] < set {
		at += stride
	}
	return n, p.add(0, at/stride), at < len(words) && words[at] == set
}
