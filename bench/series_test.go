package bench

import "testing"

// TestLateSecond: what a worker adds to a second long after the others is added to it, and
// does not take its place. A worker whose only reply in ten seconds was slow is such.
func TestLateSecond(t *testing.T) {
	var s series
	add := func(n int, replies int, us int64) {
		w := newSecond()
		for range replies {
			w.record(us * 1000)
		}
		s.add(n, "storm", w)
	}
	const fast, slow = 100, 9_000_000
	for n := range 12 {
		add(n, 2000, fast)
	}
	add(1, 1, slow) // its next reply came ten seconds later
	add(10, 1, slow)
	p := s.all()[1]
	if p.Rate != 2001 {
		t.Errorf("%g replies in second 1, want 2001", p.Rate)
	}
	if p.P50 > 2*fast || p.P99 < slow*0.9 {
		t.Errorf("second 1: p50 %g µs, p99 %g µs; want %d, and the slowest that is known", p.P50, p.P99, fast)
	}
	if p := s.all()[10]; p.Rate != 2001 || p.P99 > 2*fast {
		t.Errorf("second 10, which was open still: %+v", p)
	}
	add(30, 1, slow) // nobody else had a reply then, or since
	add(20, 1, fast)
	if p := s.all()[20]; p.Rate != 1 || p.P99 > 2*fast {
		t.Errorf("second 20: %+v", p)
	}
	if len(s.open) > keepOpen+2 {
		t.Errorf("%d seconds are open", len(s.open))
	}
}
