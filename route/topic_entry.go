package route

import "unsafe"

// An entryWith is a TopicEntry and the root of its queue datas in one piece of memory:
// one thing to make, and one to wait for.
type entryWith[Root any] struct {
	TopicEntry
	behind Root
}

// newLeafEntry returns an entry whose queue datas are the leaf that consists of
// words.
func newLeafEntry(name string, id uint32, mappings *topicMappings, words []uint32) *TopicEntry {
	var e *TopicEntry
	var leaf []uint32
	switch n := len(words) / narrowWords; {
	case words[0]&wideLeaf != 0:
		return &TopicEntry{name: name, id: id, mappings: mappings, queues: newLeaf(words)}
	case n <= 1:
		x := &entryWith[[1 + 1*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	case n <= 3:
		x := &entryWith[[1 + 3*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	case n <= 5:
		x := &entryWith[[1 + 5*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	case n <= 7:
		x := &entryWith[[1 + 7*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	case n <= 9:
		x := &entryWith[[1 + 9*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	case n <= 11:
		x := &entryWith[[1 + 11*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	case n <= 13:
		x := &entryWith[[1 + 13*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	default:
		x := &entryWith[[1 + queueRows*narrowWords]uint32]{}
		e, leaf = &x.TopicEntry, x.behind[:]
	}
	copy(leaf, words)
	e.name, e.id, e.mappings, e.queues = name, id, mappings, (*queueNode)(unsafe.Pointer(unsafe.SliceData(leaf)))
	return e
}

// newPatchEntry returns an entry whose queue datas are those of a tree, which is no
// leaf, with a patch.
func newPatchEntry(name string, id uint32, mappings *topicMappings, tree *queueNode, patch []uint32) *TopicEntry {
	var e *TopicEntry
	var root *queueNode
	var at **queueNode
	switch n := len(patch) / narrowWords; {
	case n <= 0:
		x := &entryWith[queuePatch[[0 * narrowWords]uint32]]{}
		e, root, at = &x.TopicEntry, &x.behind.queueNode, &x.behind.tree
	case n <= 2:
		x := &entryWith[queuePatch[[2 * narrowWords]uint32]]{}
		e, root, at = &x.TopicEntry, &x.behind.queueNode, &x.behind.tree
	case n <= 4:
		x := &entryWith[queuePatch[[4 * narrowWords]uint32]]{}
		e, root, at = &x.TopicEntry, &x.behind.queueNode, &x.behind.tree
	case n <= 6:
		x := &entryWith[queuePatch[[6 * narrowWords]uint32]]{}
		e, root, at = &x.TopicEntry, &x.behind.queueNode, &x.behind.tree
	default:
		x := &entryWith[queuePatch[[patchRows * narrowWords]uint32]]{}
		e, root, at = &x.TopicEntry, &x.behind.queueNode, &x.behind.tree
	}
	root.head, *at = uint32(len(patch)/narrowWords)|patched, tree
	copy(root.patch(), patch)
	e.name, e.id, e.mappings, e.queues = name, id, mappings, root
	return e
}

// newEntry returns an entry with the queue datas of a tree, and a patch to them.
func newEntry(name string, id uint32, mappings *topicMappings, tree *queueNode, patch []uint32) *TopicEntry {
	switch {
	case !tree.isLeaf():
		return newPatchEntry(name, id, mappings, tree, patch)
	case len(patch) > 0:
		tree = tree.merged(patch)
	}
	return newLeafEntry(name, id, mappings, tree.words())
}

// isStatic returns 1 for a topic with static mappings, else 0.
func (e *TopicEntry) isStatic() int {
	if e.mappings == nil {
		return 0
	}
	return 1
}

// withMappings returns the entry with other static mappings.
func (e *TopicEntry) withMappings(m *topicMappings) *TopicEntry {
	if e.queues.isPatched() {
		return newPatchEntry(e.name, e.id, m, e.queues.tree(), e.queues.patch())
	}
	return newLeafEntry(e.name, e.id, m, e.queues.words())
}

// edited returns the entry after its row of the set of q is replaced by q, or q is
// inserted, or that row is removed, which must not be the last.
func (e *TopicEntry) edited(kind editKind, q queueData) *TopicEntry {
	root := e.queues
	if !root.isPatched() {
		_, p, _ := root.find(q.set)
		ed := rowEdit{kind, p, q}
		if kind == insertRow && root.count() == queueRows {
			return newPatchEntry(e.name, e.id, e.mappings, root.edited(&ed), nil)
		}
		var w leafWords
		return newLeafEntry(e.name, e.id, e.mappings, w.write(root, &ed))
	}
	tree := root.tree()
	var buf [(patchRows + 1) * narrowWords]uint32
	patch := append(buf[:0], root.patch()...)
	i, inPatch := findInPatch(patch, q.set)
	if kind == replaceRow && q.isNarrow() {
		if !inPatch {
			patch = patch[:len(patch)+narrowWords]
			copy(patch[i+narrowWords:], patch[i:])
		}
		patch[i], patch[i+1] = q.set, q.offer()
		if len(patch) <= patchRows*narrowWords {
			return newPatchEntry(e.name, e.id, e.mappings, tree, patch)
		}
		return newPatchEntry(e.name, e.id, e.mappings, tree.merged(patch), nil)
	}
	if inPatch {
		patch = append(patch[:i], patch[i+narrowWords:]...)
	}
	_, p, _ := tree.find(q.set)
	return newEntry(e.name, e.id, e.mappings, tree.edited(&rowEdit{kind, p, q}), patch)
}

// has reports whether s serves the topic.
func (e *TopicEntry) has(s *brokerSet) bool {
	_, ok := e.queues.get(s.id)
	return ok
}
