package bench

import (
	"errors"
	"testing"
)

// TestSeenBy: what several parts have seen of the warm-up adds up, and their latencies are
// merged.
func TestSeenBy(t *testing.T) {
	histogram := func(ns ...int64) string {
		h := newHistogram()
		for _, n := range ns {
			recordIn(h, n)
		}
		return encodeHistogram(h)
	}
	look := func() ([]Seen, error) {
		return []Seen{{Answered: 3, Histogram: histogram(1000, 1000, 9000)}, {Answered: 2, Histogram: histogram(5000, 9000)}, {}}, nil
	}
	s, err := seenBy(look)()
	if err != nil || s.answered != 5 || s.latency.TotalCount() != 5 || latencyOf(s.latency).P50 < 4.9 || latencyOf(s.latency).P50 > 5.1 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := seenBy(func() ([]Seen, error) { return []Seen{{Histogram: "spoilt"}}, nil })(); err == nil {
		t.Errorf("of a spoilt histogram: %+v", s)
	}
	if _, err := seenBy(func() ([]Seen, error) { return nil, errors.New("gone") })(); err == nil || err.Error() != "gone" {
		t.Errorf("of nobody: %v", err)
	}
}
