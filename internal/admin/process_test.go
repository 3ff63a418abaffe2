package admin

import (
	"testing"
	"time"
)

// TestCPUPercent: what lies between two readings, and nothing where one is not known.
func TestCPUPercent(t *testing.T) {
	at := func(d time.Duration) processStats { return processStats{cpu: &d} }
	for _, tc := range []struct {
		before, now processStats
		apart       time.Duration
		want        float64 // -1 is not known
	}{
		{at(time.Second), at(2 * time.Second), 10 * time.Second, 10},
		{at(0), at(20 * time.Second), 10 * time.Second, 200},
		{at(time.Second), at(time.Second), time.Second, 0},
		{processStats{}, at(time.Second), time.Second, -1},
		{at(time.Second), processStats{}, time.Second, -1},
		{at(0), at(time.Second), 0, -1},
	} {
		got := -1.0
		if p := cpuPercent(tc.before, tc.now, tc.apart); p != nil {
			got = *p
		}
		if got != tc.want {
			t.Errorf("%v, want %v", got, tc.want)
		}
	}
}
