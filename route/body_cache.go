package route

import (
	"math"
	"sync/atomic"
)

// A bodyCache counts the encoded routes that are kept with their entries, so
// that those who ask for each topic once do not fill the memory. What does not
// fit is encoded when it is asked for; Sweep makes room again.
//
// Each change of TopicEntry.bodies is one compare-and-swap, and whoever makes it
// counts the difference. Safe from any goroutine.
type bodyCache struct {
	byteCount
	misfits atomic.Int64 // bodies that were encoded and not kept
	full    atomic.Bool  // one did not fit since the last sweep
}

// A byteCount is how many of at most so many bytes are used. Safe from any
// goroutine.
type byteCount struct {
	most int64
	used atomic.Int64
}

// claim adds n to what is used, if it fits. What shrinks always fits.
func (c *byteCount) claim(n int64) bool {
	for {
		used := c.used.Load()
		if n > 0 && n > c.most-used {
			return false
		}
		if c.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// cacheShare is which part of the cache one topic may take.
const cacheShare = 16

// retired stands in an entry that has been replaced or removed: nothing more is
// kept with it.
var retired = func() *bodySet {
	b := &bodySet{}
	b.stamp.Store(math.MaxUint64)
	return b
}()

// bodySetSize is what a bodySet takes beside its bodies, in bytes.
const bodySetSize = 80

// size returns the bytes that b counts for. b may be nil.
func (b *bodySet) size() int64 {
	if b == nil || b == retired {
		return 0
	}
	return bodySetSize + int64(cap(b.bodies[0])+cap(b.bodies[1]))
}

// replace puts fresh in place of old, unless there is no room for it. An entry
// whose bodies another reader has replaced, or that is retired, stays as it is.
func (c *bodyCache) replace(e *TopicEntry, old, fresh *bodySet) {
	if old == retired {
		return
	}
	more := fresh.size() - old.size()
	if fresh.size() > c.most/cacheShare {
		c.misfits.Add(1)
		return
	}
	if !c.claim(more) {
		c.misfits.Add(1)
		c.full.Store(true)
		return
	}
	if !e.bodies.CompareAndSwap(old, fresh) {
		c.used.Add(-more)
	}
}

// retire lets go of the bodies of an entry that readers do not find any more.
func (c *bodyCache) retire(e *TopicEntry) {
	c.used.Add(-e.bodies.Swap(retired).size())
}

// SweepBodies lets go of all encoded routes if there was no room for one since
// it was last called: those that are asked for come back, and what nobody wants,
// or nobody can use any more, is gone. It walks all topics of a View and holds
// nobody up.
func (t *Table) SweepBodies() {
	c := t.cache
	if !c.full.CompareAndSwap(true, false) {
		return
	}
	for e := range t.View().topics.all {
		if old := e.bodies.Load(); old != nil && old != retired && e.bodies.CompareAndSwap(old, nil) {
			c.used.Add(-old.size())
		}
	}
}

// CachedBytes returns how many bytes of encoded routes are kept, and how many
// routes were encoded and not kept.
func (t *Table) CachedBytes() (bytes, misfits int64) {
	return t.cache.used.Load(), t.cache.misfits.Load()
}
