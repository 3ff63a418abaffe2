package route

import "runtime"

// A NameComparison compares the topics of a View with a list that somebody else has,
// without a copy of either. For one goroutine; not for event loops.
type NameComparison struct {
	view  *View
	found []uint64 // bits, by TopicEntry.id
	asked int
}

// CompareNames returns a comparison with nothing in the other list yet.
func (v *View) CompareNames() *NameComparison { return &NameComparison{view: v} }

// Has notes that the other list has a name, which is borrowed, and reports whether the
// View shows that topic.
func (c *NameComparison) Has(name []byte) bool {
	c.pause()
	e, ok := c.view.Topic(name)
	if !ok {
		return false
	}
	word := int(e.id / 64)
	if word >= len(c.found) {
		c.found = append(c.found, make([]uint64, word+1-len(c.found))...)
	}
	c.found[word] |= 1 << (e.id % 64)
	return true
}

// Rest yields the topics that the View shows and the other list does not have, in no
// useful order, until yield returns false.
func (c *NameComparison) Rest(yield func(name string) bool) {
	for e := range c.view.topics.all {
		c.pause()
		word := int(e.id / 64)
		if word < len(c.found) && c.found[word]&(1<<(e.id%64)) != 0 || c.view.sweeping && !c.view.serves(e) {
			continue
		}
		if !yield(e.name) {
			return
		}
	}
}

// pause lets others run after each 1,000 names.
func (c *NameComparison) pause() {
	if c.asked++; c.asked%1000 == 0 {
		runtime.Gosched()
	}
}
