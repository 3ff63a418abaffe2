package admin

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// limitPeers is how many addresses a limiter remembers: those heard of last.
const limitPeers = 1024

// A limiter says how often an address may do something: an IPv4 address, or a /64 of
// IPv6. A bucket that is forgotten is full again, so an address may begin anew when
// 1,024 others have come after it. Safe from any goroutine.
type limiter struct {
	rate, burst float64 // a second; at once, after silence

	mu      sync.Mutex
	buckets map[netip.Addr]*list.Element
	recent  list.List // of *bucket, who has come last in front
}

// A bucket is how often an address may at some time.
type bucket struct {
	peer  netip.Addr
	level float64
	at    time.Time
}

func newLimiter(rate, burst float64) *limiter {
	return &limiter{rate: rate, burst: burst, buckets: map[netip.Addr]*list.Element{}}
}

// has reports whether take would succeed.
func (l *limiter) has(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(peer).level >= 1
}

// take reports whether an address may once more, and counts it then.
func (l *limiter) take(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(peer)
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}

// of returns the bucket of an address, as full as it is now. Under mu.
func (l *limiter) of(peer netip.Addr) *bucket {
	if peer.Is6() {
		peer = netip.PrefixFrom(peer.WithZone(""), 64).Masked().Addr()
	}
	now := time.Now()
	if e := l.buckets[peer]; e != nil {
		l.recent.MoveToFront(e)
		b := e.Value.(*bucket)
		b.level = min(l.burst, b.level+l.rate*now.Sub(b.at).Seconds())
		b.at = now
		return b
	}
	if len(l.buckets) == limitPeers {
		last := l.recent.Back()
		delete(l.buckets, last.Value.(*bucket).peer)
		l.recent.Remove(last)
	}
	b := &bucket{peer: peer, level: l.burst, at: now}
	l.buckets[peer] = l.recent.PushFront(b)
	return b
}
