package route

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A routeIndex finds encoded routes by name and form. Looking up takes no lock
// and waits for memory twice: for one group of slots, and for the route
// (BenchmarkRouteRead).
//
// Nothing depends on what is in it. It may lack a route that an entry of the trie
// has: whoever asks for that finds it by the trie, and puts it back. It may hold a
// dead route: the route says so itself. So the index can be thrown away at any
// moment, and need not be right between two steps of a change.
//
// It is an extendible hash table: the first bits of a hash choose a page, the
// last ones a group of the page, and a group is one line of memory. A page that
// has become full is replaced by two. Nothing else moves, so growing holds
// nobody up for longer than one page takes.
type routeIndex struct {
	seed maphash.Seed
	dir  atomic.Pointer[indexDir]

	// mu is held for a moment by whoever changes something. A reader does not wait
	// for it: it leaves what it wanted to change to the next reader.
	mu     sync.Mutex
	count  int          // routes in slots; under mu
	litter atomic.Int64 // dead routes that nobody has taken out, because of mu
}

// An indexDir leads from the first bits of a hash to a page. It is replaced when
// it must become larger; its pages may change.
type indexDir struct {
	depth uint // how many bits
	pages []atomic.Pointer[indexPage]
	info  []*pageInfo // of pages with the same number; under mu
}

// An indexPage is 32 KiB; several places of the indexDir may lead to it.
type indexPage [pageGroups]indexGroup

// A pageInfo is what is known of a page besides its slots.
type pageInfo struct {
	depth uint // how many bits all routes of the page have in common
	count int
}

// An indexGroup is one line of memory with seven slots. Byte i of tags is 0 where
// slot i is empty, else it is a part of the hash of what is in it.
type indexGroup struct {
	tags  atomic.Uint64
	slots [groupSlots]atomic.Pointer[encodedRoute]
}

const (
	pageGroups = 512
	groupSlots = 7
	// pageRoutes is how many routes a page holds before it is split: five a group,
	// where one in twenty finds its group full, and is looked up in the trie.
	pageRoutes = 5 * pageGroups
	maxDepth   = 24
	allBytes   = 0x01_01_01_01_01_01_01 // of the seven tags
)

func newRouteIndex(seed maphash.Seed) *routeIndex {
	x := &routeIndex{seed: seed}
	x.dir.Store(newIndexDir(0))
	return x
}

func newIndexDir(depth uint) *indexDir {
	return &indexDir{depth: depth, pages: make([]atomic.Pointer[indexPage], 1<<depth), info: make([]*pageInfo, 1<<depth)}
}

// hash mixes the form of a route with the hash of its name, so that the forms of
// one name lie apart. The order configuration is left out: a name has one.
func (x *routeIndex) hash(h uint64, k formKind, zone string) uint64 {
	h += uint64(k) * 0x9E37_79B9_7F4A_7C15
	if zone != "" {
		h ^= bits.RotateLeft64(maphash.String(x.seed, zone), 32)
	}
	return h
}

func (x *routeIndex) hashOf(r *encodedRoute) uint64 {
	return x.hash(maphash.String(x.seed, r.nameText()), r.kind, r.zoneText())
}

func (d *indexDir) page(h uint64) int { return int(h >> (64 - d.depth)) }

func (p *indexPage) group(h uint64) *indexGroup { return &p[h%pageGroups] }

// tagOf returns the tag of a hash: never 0.
func tagOf(h uint64) uint64 { return max(h/pageGroups&0xFF, 1) }

// matches returns a word in which the highest bit of byte i is set if byte i of
// tags is tag. The byte behind such a one may have its bit set by mistake.
func matches(tags, tag uint64) uint64 {
	x := tags ^ tag*allBytes
	return (x - allBytes) &^ x & (allBytes << 7)
}

// get returns the route of a name in a form, nil if it does not have it. h is the
// hash of the name.
func (x *routeIndex) get(h uint64, name string, f *RouteForm) *encodedRoute {
	k := f.kind()
	zone := ""
	if k&formInZone != 0 {
		zone = window(f.Zone)
	}
	h = x.hash(h, k, zone)
	d := x.dir.Load()
	p := d.pages[d.page(h)].Load()
	if p == nil {
		return nil
	}
	g := p.group(h)
	for m := matches(g.tags.Load(), tagOf(h)); m != 0; m &= m - 1 {
		if r := g.slots[bits.TrailingZeros64(m)/8].Load(); r != nil && r.answers(name, f, k) {
			return r
		}
	}
	return nil
}

// put puts r into the index, unless it is dead, its group is full or somebody is
// at work. r must be in the list of its entry, or have been.
func (x *routeIndex) put(r *encodedRoute) {
	if r.kind&formInZone != 0 && r.zone == 0 {
		return // it answers for many zones
	}
	h := x.hashOf(r)
	if x.inVain(h, r) || !x.mu.TryLock() {
		return
	}
	defer x.mu.Unlock()
	x.clean()
	if r.isDead() {
		return
	}
	d := x.dir.Load()
	i := d.page(h)
	if d.info[i] == nil {
		d.info[i] = new(pageInfo)
		d.pages[i].Store(new(indexPage))
	}
	for d.info[i].count >= pageRoutes && d.info[i].depth < maxDepth {
		d = x.split(d, i)
		i = d.page(h)
	}
	g := d.pages[i].Load().group(h)
	x.removeFrom(g, d.info[i], r)
	if g.put(h, r) {
		d.info[i].count++
		x.count++
	}
}

// inVain reports whether put need not try, as far as can be told without the lock:
// r is there already, or its group is full of living routes.
func (x *routeIndex) inVain(h uint64, r *encodedRoute) bool {
	d := x.dir.Load()
	p := d.pages[d.page(h)].Load()
	if p == nil {
		return false
	}
	g := p.group(h)
	full := true
	for i := range g.slots {
		switch other := g.slots[i].Load(); {
		case other == r:
			return true
		case other == nil || other.isDead():
			full = false
		}
	}
	return full
}

// put puts r into an empty slot, if there is one. Under mu.
func (g *indexGroup) put(h uint64, r *encodedRoute) bool {
	for i := range g.slots {
		if g.slots[i].Load() == nil {
			g.slots[i].Store(r)
			g.tags.Store(g.tags.Load() | tagOf(h)<<(8*i))
			return true
		}
	}
	return false
}

// removeFrom takes r out of its group, and whatever is dead. Under mu.
func (x *routeIndex) removeFrom(g *indexGroup, info *pageInfo, r *encodedRoute) {
	for i := range g.slots {
		if other := g.slots[i].Load(); other != nil && (other == r || other.isDead()) {
			x.empty(g, info, i)
		}
	}
}

// empty takes out what is in slot i of a group. Under mu.
func (x *routeIndex) empty(g *indexGroup, info *pageInfo, i int) {
	g.tags.Store(g.tags.Load() &^ (0xFF << (8 * i)))
	g.slots[i].Store(nil)
	info.count--
	x.count--
}

// split replaces page i, which is full, by two, and returns the directory that
// leads to them. Under mu.
func (x *routeIndex) split(d *indexDir, i int) *indexDir {
	full, depth := d.pages[i].Load(), d.info[i].depth
	if depth == d.depth {
		wide := newIndexDir(d.depth + 1)
		for j := range wide.pages {
			wide.pages[j].Store(d.pages[j/2].Load())
			wide.info[j] = d.info[j/2]
		}
		d, i = wide, 2*i
	}
	var halves [2]halfPage
	for j := range halves {
		halves[j] = halfPage{new(indexPage), &pageInfo{depth: depth + 1}}
	}
	for j := range full {
		for k := range full[j].slots {
			r := full[j].slots[k].Load()
			if r == nil {
				continue
			}
			x.count--
			h := x.hashOf(r)
			half := halves[h>>(63-depth)&1]
			if !r.isDead() && half.page.group(h).put(h, r) {
				half.info.count++
				x.count++
			}
		}
	}
	places := 1 << (d.depth - depth) // that lead to the full page
	first := i &^ (places - 1)
	for j := range places {
		half := halves[j*2/places]
		d.info[first+j] = half.info
		d.pages[first+j].Store(half.page)
	}
	x.dir.Store(d)
	return d
}

// A halfPage is one of the two that take the place of a full page.
type halfPage struct {
	page *indexPage
	info *pageInfo
}

// remove takes dead routes out. It waits for mu, never for a reader's look-up.
func (x *routeIndex) remove(dead []*encodedRoute) {
	for _, r := range dead {
		if r.horizon != 0 {
			continue // it never was there
		}
		x.mu.Lock()
		x.removeLocked(r)
		x.mu.Unlock()
	}
}

// tryRemove takes a dead route out, or counts it as litter: somebody is at work.
func (x *routeIndex) tryRemove(r *encodedRoute) {
	if r.horizon != 0 {
		return
	}
	if !x.mu.TryLock() {
		x.litter.Add(r.size())
		return
	}
	defer x.mu.Unlock()
	x.clean()
	x.removeLocked(r)
}

func (x *routeIndex) removeLocked(r *encodedRoute) {
	h := x.hashOf(r)
	d := x.dir.Load()
	i := d.page(h)
	if d.info[i] == nil {
		return
	}
	g := d.pages[i].Load().group(h)
	for j := range g.slots {
		if g.slots[j].Load() == r { // to look at the others would be to wait for the memory of each
			x.empty(g, d.info[i], j)
		}
	}
	if d.depth > 2 && x.count < pageRoutes<<d.depth/16 {
		x.resetLocked() // it is much too large by now
	}
}

// maxLitter is how many bytes of dead routes may be left in the index.
const maxLitter = 1 << 20

// clean throws everything away if there is much litter. Under mu.
func (x *routeIndex) clean() {
	if x.litter.Load() > maxLitter {
		x.resetLocked()
	}
}

// reset throws everything away.
func (x *routeIndex) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.resetLocked()
}

func (x *routeIndex) resetLocked() {
	x.dir.Store(newIndexDir(0))
	x.count = 0
	x.litter.Store(0)
}

var _ [64 - unsafe.Sizeof(indexGroup{})]byte // one line
