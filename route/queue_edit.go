package route

import "unsafe"

// A leafWords is a leaf in the making.
type leafWords struct {
	words [1 + (queueRows+1)*narrowWords]uint32
}

// A rowEdit is what becomes of the row at path: it is replaced by row, or row is
// inserted before it, or it is removed.
type rowEdit struct {
	kind editKind
	path queuePath
	row  queueData
}

type editKind uint8

const (
	replaceRow editKind = iota
	insertRow
	removeRow
)

// growth returns how many rows more there are after an edit.
func (k editKind) growth() int {
	switch k {
	case insertRow:
		return 1
	case removeRow:
		return -1
	}
	return 0
}

// write makes w the leaf n after an edit and returns the words it takes.
func (w *leafWords) write(n *queueNode, ed *rowEdit) []uint32 {
	i := ed.path.at(0)
	if n.isWide() || ed.kind != removeRow && !ed.row.isNarrow() {
		rows := make([]queueData, 0, queueRows+1)
		return w.pack(n.rowsAfter(rows, ed))
	}
	old := n.words()
	at := 1 + i*narrowWords
	after := at
	if ed.kind != insertRow {
		after += narrowWords
	}
	end := copy(w.words[:], old[:at])
	if ed.kind != removeRow {
		w.words[at], w.words[at+1] = ed.row.set, ed.row.offer()
		end += narrowWords
	}
	end += copy(w.words[end:], old[after:])
	w.words[0] = uint32(end / narrowWords)
	return w.words[:end]
}

// rowsAfter appends the rows of the leaf n after an edit to dst.
func (n *queueNode) rowsAfter(dst []queueData, ed *rowEdit) []queueData {
	i := ed.path.at(0)
	for j := range n.count() {
		if j == i && ed.kind != removeRow {
			dst = append(dst, ed.row)
		}
		if j != i || ed.kind == insertRow {
			dst = append(dst, n.row(j))
		}
	}
	if i == n.count() {
		dst = append(dst, ed.row)
	}
	return dst
}

// pack makes w a leaf of the given rows and returns the words it takes.
func (w *leafWords) pack(rows []queueData) []uint32 {
	wide := false
	for i := range rows {
		wide = wide || !rows[i].isNarrow()
	}
	words := append(w.words[:0], uint32(len(rows)))
	if wide {
		words = append(make([]uint32, 0, 1+len(rows)*wideWords), uint32(len(rows))|wideLeaf)
	}
	for i := range rows {
		q := &rows[i]
		if wide {
			words = append(words, q.set, uint32(q.readQueueNums), uint32(q.writeQueueNums), uint32(q.perm), uint32(q.topicSysFlag))
		} else {
			words = append(words, q.set, q.offer())
		}
	}
	return words
}

// newLeaf returns a leaf that consists of words.
func newLeaf(words []uint32) *queueNode {
	leaf := make([]uint32, len(words))
	copy(leaf, words)
	return (*queueNode)(unsafe.Pointer(unsafe.SliceData(leaf)))
}

// newInner returns a node above down, which are not empty and of one height, with
// the first set below each, and size rows below all.
func newInner(down []*queueNode, sets []uint32, size int) *queueNode {
	var n *queueNode
	switch innerRoom(len(down)) {
	case 3:
		n = &new(queueInner[[3]*queueNode, [3]uint32]).queueNode
	case 7:
		n = &new(queueInner[[7]*queueNode, [7]uint32]).queueNode
	case 11:
		n = &new(queueInner[[11]*queueNode, [11]uint32]).queueNode
	case 15:
		n = &new(queueInner[[15]*queueNode, [15]uint32]).queueNode
	case 19:
		n = &new(queueInner[[19]*queueNode, [19]uint32]).queueNode
	default:
		n = &new(queueInner[[queueFan]*queueNode, [queueFan]uint32]).queueNode
	}
	n.head = uint32(len(down)) | uint32(down[0].height()+1)<<heightShift
	*(*uint32)(unsafe.Add(unsafe.Pointer(n), sizeAt)) = uint32(size)
	copy(n.down(), down)
	copy(n.sets(), sets)
	return n
}

// newTree returns the tree of rows, which are in ascending order of set; there must be
// one.
func newTree(rows []queueData) *queueNode {
	var level []*queueNode
	for len(rows) > 0 {
		k := min(len(rows), queueRows)
		var w leafWords
		level = append(level, newLeaf(w.pack(rows[:k])))
		rows = rows[k:]
	}
	for len(level) > 1 {
		var above []*queueNode
		for len(level) > 0 {
			var below queueNodes
			for _, n := range level[:min(len(level), queueFan)] {
				below.add(n)
			}
			level = level[below.n:]
			above = append(above, below.inner(0, below.n))
		}
		level = above
	}
	return level[0]
}

// A queueNodes is a list of nodes in the making: what is to be below one node, or one
// more.
type queueNodes struct {
	n    int
	down [queueFan + 1]*queueNode
	sets [queueFan + 1]uint32
}

func (l *queueNodes) add(n *queueNode) {
	l.down[l.n], l.sets[l.n] = n, n.first()
	l.n++
}

// addOld adds nodes from i on, but not from j on, of what is below n.
func (l *queueNodes) addOld(n *queueNode, i, j int) {
	copy(l.down[l.n:], n.down()[i:j])
	l.n += copy(l.sets[l.n:], n.sets()[i:j])
}

// inner returns a node above the nodes i to j-1. It asks each for its size; whoever
// knows the sum calls newInner.
func (l *queueNodes) inner(i, j int) *queueNode {
	size := 0
	for _, n := range l.down[i:j] {
		size += n.len()
	}
	return newInner(l.down[i:j], l.sets[i:j], size)
}

// edited returns a tree after an edit that leaves it a row.
func (n *queueNode) edited(ed *rowEdit) *queueNode {
	if ed.kind == replaceRow {
		return n.replaced(ed)
	}
	var out queueNodes
	n.edit(&out, ed, true)
	if out.n > 1 {
		return out.inner(0, out.n)
	}
	for n = out.down[0]; !n.isLeaf() && n.count() == 1; {
		n = n.down()[0]
	}
	return n
}

func (n *queueNode) replaced(ed *rowEdit) *queueNode {
	if n.isLeaf() {
		var w leafWords
		return newLeaf(w.write(n, ed))
	}
	c := newInner(n.down(), n.sets(), n.len())
	down := &c.down()[ed.path.at(n.height())]
	*down = (*down).replaced(ed)
	return c
}

// merged returns the tree with the rows of a patch in place of its own rows of the
// same sets. It has a row of each of those sets.
func (n *queueNode) merged(patch []uint32) *queueNode {
	if n.isLeaf() {
		return n.mergedLeaf(patch)
	}
	c := newInner(n.down(), n.sets(), n.len())
	down, sets := c.down(), c.sets()
	for i := 0; len(patch) > 0; i++ {
		k := len(patch)
		if i+1 < len(sets) {
			k, _ = findInPatch(patch, sets[i+1])
		}
		if k > 0 {
			down[i] = down[i].merged(patch[:k])
			patch = patch[k:]
		}
	}
	return c
}

func (n *queueNode) mergedLeaf(patch []uint32) *queueNode {
	if n.isWide() {
		rows := make([]queueData, 0, queueRows)
		for i := range n.count() {
			q := n.row(i)
			if j, ok := findInPatch(patch, q.set); ok {
				q = narrowRow(q.set, patch[j+1])
			}
			rows = append(rows, q)
		}
		var w leafWords
		return newLeaf(w.pack(rows))
	}
	c := newLeaf(n.words())
	words := c.words()
	for at := 1; len(patch) > 0; at += narrowWords {
		if words[at] == patch[0] {
			words[at+1] = patch[1]
			patch = patch[narrowWords:]
		}
	}
	return c
}

// edit adds to out what n becomes by an edit: one node, or two if that is too much
// for one, or none if nothing is left. last says that n is the last of its level in
// the whole tree. A full node there is not halved by a row that is appended: it stays
// full, and another begins, since brokers mostly get higher and higher numbers.
func (n *queueNode) edit(out *queueNodes, ed *rowEdit, last bool) {
	if !n.isLeaf() {
		var below queueNodes
		n.editDown(&below, ed, last)
		switch {
		case below.n > queueFan:
			half := (queueFan + 1) / 2
			if last && ed.path.at(n.height()) == queueFan-1 {
				half = queueFan
			}
			out.add(below.inner(0, half))
			out.add(below.inner(half, below.n))
		case below.n > 0:
			out.add(newInner(below.down[:below.n], below.sets[:below.n], n.len()+ed.kind.growth()))
		}
		return
	}
	var w leafWords
	switch {
	case ed.kind == removeRow && n.count() == 1:
	case ed.kind == insertRow && last && ed.path.at(0) == queueRows:
		out.add(n)
		out.add(newLeaf(w.pack([]queueData{ed.row})))
	case ed.kind == insertRow && n.count() == queueRows:
		rows := n.rowsAfter(make([]queueData, 0, queueRows+1), ed)
		half := (queueRows + 1) / 2
		out.add(newLeaf(w.pack(rows[:half])))
		out.add(newLeaf(w.pack(rows[half:])))
	default:
		out.add(newLeaf(w.write(n, ed)))
	}
}

// editDown adds to out what is below n, a queueInner, after an edit. A node that has
// become small is joined with a neighbour if one node has room for both, so that
// nodes are at least half full, on average.
func (n *queueNode) editDown(out *queueNodes, ed *rowEdit, last bool) {
	i, count := ed.path.at(n.height()), n.count()
	out.addOld(n, 0, i)
	n.down()[i].edit(out, ed, last && i == count-1)
	out.addOld(n, i+1, count)
	if ed.kind != removeRow {
		return
	}
	if out.n < count {
		i--
	}
	for _, j := range [2]int{i, i - 1} { // may j be joined with the one behind it?
		if j < 0 || j+1 >= out.n {
			continue
		}
		if a, b := out.down[j], out.down[j+1]; a.count()+b.count() <= a.most() {
			out.down[j] = a.joined(b)
			copy(out.down[j+1:], out.down[j+2:out.n])
			copy(out.sets[j+1:], out.sets[j+2:out.n])
			out.n--
			return
		}
	}
}

// joined returns n and o, of one height and together not too large, as one node.
func (n *queueNode) joined(o *queueNode) *queueNode {
	if n.isLeaf() {
		rows := make([]queueData, 0, queueRows)
		for _, leaf := range [2]*queueNode{n, o} {
			for i := range leaf.count() {
				rows = append(rows, leaf.row(i))
			}
		}
		var w leafWords
		return newLeaf(w.pack(rows))
	}
	var both queueNodes
	both.addOld(n, 0, n.count())
	both.addOld(o, 0, o.count())
	return newInner(both.down[:both.n], both.sets[:both.n], n.len()+o.len())
}
