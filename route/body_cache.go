package route

import (
	"cmp"
	"hash/maphash"
	"math"
	"sync/atomic"
)

// A bodyCache counts the encoded routes that are kept with their entries, so
// that those who ask for each topic once do not fill the memory. What does not
// fit is encoded when it is asked for; Sweep makes room again.
//
// Each change of TopicEntry.bodies is one compare-and-swap, and whoever makes it
// counts the difference. The index may still lead to a route that has been taken
// out, so encodedRoute.until says who may use it. Safe from any goroutine.
type bodyCache struct {
	bodyCount           // of the common routes
	horizons  bodyCount // of those of horizons: they push no common one out
	index     *routeIndex
	retired   []*encodedRoute  // in the publishing at hand; under Table.mu
	encoded   [2]atomic.Uint64 // routes that were encoded, by dialect
}

// A bodyCount counts the routes of one kind that are kept.
type bodyCount struct {
	byteCount
	misfits atomic.Int64 // routes that were encoded and not kept
	full    atomic.Bool  // one did not fit since the last sweep
}

// newBodyCache returns an empty cache with room for so many bytes; 0 is any number.
func newBodyCache(bytes, ofHorizons int64, seed maphash.Seed) *bodyCache {
	c := &bodyCache{index: newRouteIndex(seed)}
	c.most, c.horizons.most = cmp.Or(bytes, math.MaxInt64), cmp.Or(ofHorizons, math.MaxInt64)
	return c
}

// countOf returns where r counts.
func (c *bodyCache) countOf(r *encodedRoute) *bodyCount {
	if r.horizon != 0 {
		return &c.horizons
	}
	return &c.bodyCount
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

// keep puts fresh into the list of its entry, which was old, unless there is no
// room for it. The route that fresh replaces goes, and so does each that is not
// right any more. If another reader has replaced the list, or the entry is retired,
// nothing is kept.
func (v *View) keep(e *TopicEntry, old *bodyList, fresh *encodedRoute) {
	c := v.cache
	if old == retired {
		return
	}
	next := &bodyList{route: fresh}
	last := next
	var out []*encodedRoute
	variants := 0
	if fresh.kind.isVariant() {
		variants++
	}
	for r := range old.all {
		variant := r.kind.isVariant() && r.horizon == fresh.horizon
		if variant {
			variants++
		}
		if r.isDead() || r.kind&formActing != fresh.kind&formActing || fresh.isLike(r) ||
			variant && variants > maxVariants || !v.stillRight(e, r) {
			out = append(out, r)
			continue
		}
		last.next = &bodyList{route: r}
		last = last.next
	}
	count, other := &c.bodyCount, &c.horizons
	size, others := next.size()
	before, othersBefore := old.size()
	if fresh.horizon != 0 {
		count, other = other, count
		size, others, before, othersBefore = others, size, othersBefore, before
	}
	if size > count.most/cacheShare {
		count.misfits.Add(1)
		return
	}
	if !count.claim(size - before) {
		count.misfits.Add(1)
		count.full.Store(true)
		return
	}
	for _, r := range out {
		r.kill()
	}
	if !e.bodies.CompareAndSwap(old, next) {
		count.used.Add(before - size)
		return
	}
	other.used.Add(others - othersBefore)
	for _, r := range out {
		c.index.tryRemove(r)
	}
	if fresh.horizon == 0 {
		c.index.put(fresh)
	}
}

// retire ends the use of the routes of an entry that Views from edition on do not
// have. It is called before the first such View is published. Readers of earlier
// Views find the routes in the index, until forget. Under Table.mu.
func (c *bodyCache) retire(e *TopicEntry, edition uint64) {
	for r := range e.bodies.Swap(retired).all {
		r.until.CompareAndSwap(forever, edition)
		c.retired = append(c.retired, r)
	}
}

// forget lets go of what has been retired. Under Table.mu.
func (c *bodyCache) forget() {
	if len(c.retired) == 0 {
		return
	}
	for _, r := range c.retired {
		c.countOf(r).used.Add(-r.size())
	}
	c.index.remove(c.retired)
	clear(c.retired)
	if c.retired = c.retired[:0]; cap(c.retired) > maxKeptReplaced {
		c.retired = nil
	}
}

// SweepBodies lets go of all encoded routes, or of all those of horizons, if there was
// no room for one since it was last called: those that are asked for come back, and what
// nobody wants, or nobody can use any more, is gone. It walks all topics of a View and
// holds nobody up.
func (t *Table) SweepBodies() {
	c := t.cache
	common, horizons := c.full.CompareAndSwap(true, false), c.horizons.full.CompareAndSwap(true, false)
	if !common && !horizons {
		return
	}
	for e := range t.View().topics.all {
		old := e.bodies.Load()
		if old == nil || old == retired {
			continue
		}
		var next *bodyList
		end := &next
		for r := range old.all {
			if r.horizon == 0 && common || r.horizon != 0 && horizons {
				r.kill()
			} else {
				*end = &bodyList{route: r}
				end = &(*end).next
			}
		}
		if e.bodies.CompareAndSwap(old, next) {
			size, ofHorizons := next.size()
			before, ofHorizonsBefore := old.size()
			c.used.Add(size - before)
			c.horizons.used.Add(ofHorizons - ofHorizonsBefore)
		}
	}
	if common {
		c.index.reset()
	}
}

// SweepHorizons makes the next SweepBodies let go of the routes of all horizons: others
// are in force.
func (t *Table) SweepHorizons() { t.cache.horizons.full.Store(true) }

// CachedBytes returns how many bytes of encoded routes are kept, and how many
// routes were encoded and not kept; those of horizons are not among them.
func (t *Table) CachedBytes() (bytes, misfits int64) {
	return t.cache.used.Load(), t.cache.misfits.Load()
}
