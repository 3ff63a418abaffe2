package route

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"
	"weak"
)

// A topicNames is the names of all topics: encoded, and as a list. Views with the same
// topics share it.
type topicNames struct {
	lazyBody
	// making is held by who makes the list, for as long as that takes, and guards the rest.
	making sync.Mutex
	// first is the first name of the list, which is kept for as long as somebody uses
	// it, and no longer: of a million topics it is 16 MB.
	first weak.Pointer[string]
	count int
}

// yieldEvery is after how many steps of a long walk, or of a long sort, others get
// the processor: less than a millisecond.
const yieldEvery = 4096

// TopicNames returns the names of all topics, in ascending order. The list is shared
// by all who use it, and never changes. It costs nothing while anybody uses the list of
// this View, or of another one with the same topics. Who comes while it is made waits.
// Not for event loops: of a million topics it takes a second.
func (v *View) TopicNames() []string {
	n := v.names
	n.making.Lock()
	defer n.making.Unlock()
	if first := n.first.Value(); first != nil {
		return unsafe.Slice(first, n.count)
	}
	list := v.namesOf(v.topics.size, func(*TopicEntry) bool { return true })
	if len(list) > 0 {
		n.first, n.count = weak.Make(unsafe.SliceData(list)), len(list)
	}
	return list
}

// namesOf returns the names of the topics that pick wants, in ascending order: about so
// many. Now and then it lets others have the processor.
func (v *View) namesOf(about int, pick func(*TopicEntry) bool) []string {
	list := make([]string, 0, about)
	steps := 0
	for e := range v.topics.all {
		if (!v.sweeping || v.serves(e)) && pick(e) {
			list = append(list, e.name)
		}
		if steps++; steps%yieldEvery == 0 {
			runtime.Gosched()
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		if steps++; steps%yieldEvery == 0 {
			runtime.Gosched()
		}
		return strings.Compare(a, b)
	})
	return slices.Clip(list)
}

// Topics yields the entries of all topics, in no useful order, until yield returns
// false.
func (v *View) Topics(yield func(*TopicEntry) bool) {
	for e := range v.topics.all {
		if (!v.sweeping || v.serves(e)) && !yield(e) {
			return
		}
	}
}
