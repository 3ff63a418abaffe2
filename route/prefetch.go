package route

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	// MaxPrefetch is how many names Prefetch takes at a time.
	MaxPrefetch = 16

	// prefetchDepth is the depth of the index's directory from which on Prefetch is
	// worth its time: some 20,000 routes. Fewer are in the processor's caches anyway.
	prefetchDepth = 3

	// prefetchBytes is how many bytes of a route are read. The rest of a longer one
	// the processor fetches by itself when it sees one line read after the other.
	prefetchBytes = 512

	cacheLine = 64
)

// WantsPrefetch reports whether there are so many routes that Prefetch makes
// reading them faster.
func (v *View) WantsPrefetch() bool { return v.cache.index.dir.Load().depth >= prefetchDepth }

// Prefetch reads what Route is going to read for each of the names, so that it is in
// the processor's caches by then. It changes nothing, and what Route returns does not
// depend on it. Names behind the first MaxPrefetch are left out. All bytes are
// borrowed.
//
// A look-up waits for memory twice, and then for the body. The second wait can begin
// only after the first, but those of different names can pass at the same time. So
// there are three passes over the names, and within a pass no read needs the result
// of another one (BenchmarkRouteBatch).
func (v *View) Prefetch(names [][]byte, f *RouteForm) {
	names = names[:min(len(names), MaxPrefetch)]
	x := v.cache.index
	k := f.kind()
	zone := ""
	if k&formInZone != 0 {
		zone = window(f.Zone)
	}
	var hashes [MaxPrefetch]uint64
	var groups [MaxPrefetch]*indexGroup
	d := x.dir.Load()
	for i, name := range names {
		h := x.hash(maphash.String(x.seed, window(name)), k, zone)
		if p := d.pages[d.page(h)].Load(); p != nil {
			hashes[i], groups[i] = h, p.group(h)
		}
	}
	var routes [MaxPrefetch]*encodedRoute
	for i, g := range groups[:len(names)] {
		if g == nil {
			continue
		}
		if m := matches(g.tags.Load(), tagOf(hashes[i])); m != 0 {
			routes[i] = g.slots[bits.TrailingZeros64(m)/8].Load()
		}
	}
	for _, r := range routes[:len(names)] {
		if r != nil {
			r.until.Load()
		}
	}
	for _, r := range routes[:len(names)] {
		if r != nil {
			r.fetch()
		}
	}
}

// fetch reads a word of each further line of r. The loads are atomic so that the
// compiler leaves them in; nobody writes there.
func (r *encodedRoute) fetch() {
	end := min(int(r.name)+int(r.body), prefetchBytes) // the head is longer than a word
	for at := cacheLine; at < end; at += cacheLine {
		(*atomic.Uint32)(unsafe.Add(unsafe.Pointer(r), at)).Load()
	}
}
