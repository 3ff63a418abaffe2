package route

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
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
	misfits atomic.Int64  // routes that were encoded and not kept
	lacking atomic.Int64  // bytes of those that found no room, since the last sweep
	stale   atomic.Bool   // the next sweep is to let go of all
	hand    atomic.Uint64 // the hash of a name, where the next sweep goes on
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
		count.lacking.Add(size - before)
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

// sweepShare is which part of the cache a sweep makes free at most. So what everybody
// asks for goes on being there, and yet half a minute after they have turned to other
// topics most of the cache is for those.
const sweepShare = 8

// SweepBodies makes room for as many bytes of encoded routes as found none since it was
// last called, but for no more than a sweepShare. While all fit, it does nothing.
//
// Like the hand of a clock it goes round the topics of a View, from where it stopped last.
// Routes go that nobody has been given since it last came by, and those that nobody can
// use any more; the others get a second chance. So a route that is asked for once goes
// before one that is asked for again and again. If all are, those go that it meets
// first, and what is asked for most often comes back before the rest. It goes round
// twice or so at most and holds nobody up. Routes of horizons are apart.
func (t *Table) SweepBodies() {
	t.makeRoom(&t.cache.bodyCount, false)
	t.makeRoom(&t.cache.horizons, true)
}

func (t *Table) makeRoom(c *bodyCount, ofHorizons bool) {
	topics := t.View().topics
	if c.stale.CompareAndSwap(true, false) {
		for e := range topics.all {
			t.cache.drop(e, func(r *encodedRoute) bool { return r.horizon != 0 == ofHorizons })
		}
	}
	want := min(c.lacking.Swap(0), c.most/sweepShare) - (c.most - c.used.Load())
	unasked := func(r *encodedRoute) bool {
		return r.horizon != 0 == ofHorizons && (r.isDead() || r.given.Swap(0) == 0)
	}
	hand := c.hand.Load()
	for turn := 0; turn < 3 && want > 0; turn++ {
		for s := range topics.from(hand) {
			want -= t.cache.drop(s.e, unasked)
			hand = s.hash + 1
			if want <= 0 {
				break
			}
		}
		if want > 0 {
			hand = 0
		}
	}
	c.hand.Store(hand)
}

// drop lets go of some of the routes of e and returns how many bytes that is: none if a
// reader has replaced the list meanwhile. What goes is dead even so, and the next who
// replaces the list leaves it out. All that go are common ones, or all are of horizons.
func (c *bodyCache) drop(e *TopicEntry, goes func(*encodedRoute) bool) (bytes int64) {
	old := e.bodies.Load()
	if old == nil || old == retired {
		return 0
	}
	var out []*encodedRoute
	for r := range old.all {
		if goes(r) {
			out = append(out, r)
		}
	}
	if out == nil {
		return 0
	}
	var next *bodyList
	end := &next
	for r := range old.all {
		if !slices.Contains(out, r) {
			*end = &bodyList{route: r}
			end = &(*end).next
		}
	}
	for _, r := range out {
		r.kill()
		bytes += r.size()
	}
	if !e.bodies.CompareAndSwap(old, next) {
		return 0
	}
	c.countOf(out[0]).used.Add(-bytes)
	c.index.remove(out)
	return bytes
}

// SweepHorizons makes the next SweepBodies let go of the routes of all horizons: others
// are in force.
func (t *Table) SweepHorizons() { t.cache.horizons.stale.Store(true) }

// CachedBytes returns how many bytes of encoded routes are kept, and how many
// routes were encoded and not kept; those of horizons are not among them.
func (t *Table) CachedBytes() (bytes, misfits int64) {
	return t.cache.used.Load(), t.cache.misfits.Load()
}
