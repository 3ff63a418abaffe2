package engine

import (
	"container/list"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// burstTime is how long an address must be silent to be allowed most at once: what
	// it may ask in that time.
	burstTime = 2 * time.Second

	// maxIdleBuckets is how many addresses without a connection are remembered. Each
	// would be as good as new after burstTime.
	maxIdleBuckets = 10_000

	// MaxRequestsPerAddress is the largest rate that can be kept.
	MaxRequestsPerAddress = 10_000_000
)

// A bucket is the token bucket of one address: every request takes a token, and so many
// come in a second, until there are as many as come in burstTime. All connections from
// there share it. It is kept as the time when it will be full again, so nobody has to
// fill it, and a request costs one atomic addition.
//
// Its methods but take and isEmpty are those of buckets.
type bucket struct {
	cost time.Duration // constant; the time in which a token comes
	site netip.Prefix  // constant

	full atomic.Int64 // engine time when it is full; it was full from then on

	// The following are guarded by buckets.mu.

	conns int           // that share it
	idle  *list.Element // nil while there are some
}

// take takes a token and reports whether there was one.
func (b *bucket) take(now time.Duration) bool {
	if full := b.full.Load(); full <= int64(now) && b.full.CompareAndSwap(full, int64(now+b.cost)) {
		return true
	}
	if time.Duration(b.full.Add(int64(b.cost)))-now <= burstTime {
		return true
	}
	b.full.Add(-int64(b.cost))
	return false
}

// isEmpty reports whether there is no token.
func (b *bucket) isEmpty(now time.Duration) bool {
	return time.Duration(b.full.Load())+b.cost-now > burstTime
}

// buckets are those of all addresses that have connections, and of the last
// maxIdleBuckets that had some. The zero value has no limit, and then none. Safe from
// any goroutine.
type buckets struct {
	cost   time.Duration              // constant; of a request, 0: no limit
	exempt func(site netip.Addr) bool // constant; who has no limit

	size atomic.Int64 // of bySite; changed under mu

	mu     sync.Mutex // guards the following
	bySite map[netip.Prefix]*bucket
	idle   list.List // of *bucket, the longest so first
}

// join returns the bucket for one more connection from an address, which is that of
// whom it is from. nil: it has no limit.
func (s *buckets) join(from netip.Addr) *bucket {
	if s.cost == 0 || s.exempt(from.Unmap()) {
		return nil
	}
	site := siteOf(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bySite[site]
	if b == nil {
		if s.bySite == nil {
			s.bySite = make(map[netip.Prefix]*bucket)
		}
		b = &bucket{cost: s.cost, site: site}
		s.bySite[site] = b
		s.size.Add(1)
	}
	b.conns++
	if b.idle != nil {
		s.idle.Remove(b.idle)
		b.idle = nil
	}
	return b
}

// leave says that a connection is gone which has joined b. b may be nil.
func (s *buckets) leave(b *bucket) {
	if b == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.conns--; b.conns > 0 {
		return
	}
	b.idle = s.idle.PushBack(b)
	if s.idle.Len() > maxIdleBuckets {
		oldest := s.idle.Remove(s.idle.Front()).(*bucket)
		delete(s.bySite, oldest.site)
		s.size.Add(-1)
	}
}
