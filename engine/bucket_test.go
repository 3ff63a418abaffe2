package engine

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestBucket takes as much as there is at several moments from a bucket of ten a second.
func TestBucket(t *testing.T) {
	b := &bucket{cost: 100 * time.Millisecond}
	for _, at := range []struct {
		now  time.Duration
		want int
	}{
		{0, 20},
		{0, 0},
		{99 * time.Millisecond, 0},
		{100 * time.Millisecond, 1},
		{100 * time.Millisecond, 0},
		{650 * time.Millisecond, 5},
		{700 * time.Millisecond, 1},
		{time.Hour, 20},
		{time.Hour + time.Second, 10},
	} {
		taken := 0
		for taken < 100 {
			empty := b.isEmpty(at.now)
			if ok := b.take(at.now); ok == empty {
				t.Fatalf("at %v: empty: %v, taken: %v", at.now, empty, ok)
			}
			if empty {
				break
			}
			taken++
		}
		for range 100 { // in vain: that costs nothing
			b.take(at.now)
		}
		if taken != at.want {
			t.Errorf("at %v there are %d, want %d", at.now, taken, at.want)
		}
	}
}

// TestBucketIsShared lets many take from a full bucket at once: together they get what
// is in it, and none is lost.
func TestBucketIsShared(t *testing.T) {
	for range 200 {
		b := &bucket{cost: 20 * time.Millisecond} // 100
		var taken atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 50 {
					if b.take(time.Hour) {
						taken.Add(1)
					}
				}
			})
		}
		all.Wait()
		for b.take(time.Hour) {
			taken.Add(1) // one that was refused may have kept another from the last
		}
		if n := taken.Load(); n != 100 {
			t.Fatalf("%d taken, want 100", n)
		}
	}
}

// TestBuckets: connections of one address share a bucket, also one after the other; the
// table forgets those who left first, and nobody who is there.
func TestBuckets(t *testing.T) {
	s := buckets{cost: time.Millisecond, exempt: func(a netip.Addr) bool { return a == netip.MustParseAddr("10.9.9.9") }}
	join := func(addr string) *bucket { return s.join(netip.MustParseAddr(addr)) }
	if join("10.9.9.9") != nil || join("::ffff:10.9.9.9") != nil {
		t.Error("one that is exempt has a bucket")
	}
	s.leave(nil)
	a := join("10.0.0.1")
	if a == nil || join("10.0.0.1") != a || join("::ffff:10.0.0.1") != a || join("10.0.0.2") == a {
		t.Error("an IPv4 address is one peer")
	}
	six := join("2001:db8::1")
	if join("2001:db8::2:3:4:5") != six || join("2001:db8:0:1::1") == six {
		t.Error("a /64 is one peer")
	}
	for range 3 {
		s.leave(a)
	}
	if s.idle.Len() != 1 || join("10.0.0.1") != a || s.idle.Len() != 0 {
		t.Errorf("it is forgotten, or idle while it is there: %d idle", s.idle.Len())
	}
	s.leave(a)
	for i := range maxIdleBuckets {
		s.leave(join(fmt.Sprintf("10.1.%d.%d", i/256, i%256)))
	}
	if got := s.size.Load(); got != 3+maxIdleBuckets || int(got) != len(s.bySite) || s.idle.Len() != maxIdleBuckets {
		t.Errorf("%d addresses, %d of them idle, want the three that are there and %d", got, s.idle.Len(), maxIdleBuckets)
	}
	if join("10.0.0.1") == a {
		t.Error("who left first is not forgotten first")
	}
	if join("2001:db8::1") != six {
		t.Error("one that is there is forgotten")
	}
	var off buckets
	if off.join(netip.MustParseAddr("10.0.0.1")) != nil {
		t.Error("without a limit there is a bucket")
	}
}

// BenchmarkBucket is what a request costs more where there is a limit.
func BenchmarkBucket(b *testing.B) {
	bucket := &bucket{cost: time.Second / MaxRequestsPerAddress}
	clock := NewClock()
	b.Run("take", func(b *testing.B) {
		now := clock.Now()
		for b.Loop() {
			bucket.take(now)
		}
	})
	b.Run("empty", func(b *testing.B) {
		now := clock.Now()
		for b.Loop() {
			bucket.isEmpty(now)
		}
	})
}
