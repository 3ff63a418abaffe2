package route

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkWaitForLarge reports how long a small registration waits at most while
// a large change goes on beside it.
func BenchmarkWaitForLarge(b *testing.B) {
	const topics = 1 << 20
	all := benchRegistration(0, benchBody(0, topics, 1, never))
	full := func() *Table {
		t := New(Options{})
		mustRegister(b, t, all)
		return t
	}
	fleet := func() *Table {
		t := New(Options{})
		for i := range 100 {
			r := benchRegistration(i, benchBody(0, 10_000, 1, never))
			r.Conn = 1
			mustRegister(b, t, r)
		}
		return t
	}
	for _, c := range []struct {
		name  string
		table func() *Table
		large func(*Table)
	}{
		{"first_registration", func() *Table { return New(Options{}) }, func(t *Table) { mustRegister(b, t, all) }},
		{"all_changed", full, func(t *Table) { mustRegister(b, t, benchRegistration(0, benchBody(0, topics, 2, always))) }},
		{"wipe", full, func(t *Table) { t.WipeWritePermOfBroker(all.BrokerName) }},
		{"unregister", full, func(t *Table) {
			t.UnregisterBrokers(Unregistration{all.Cluster, all.BrokerName, all.BrokerAddr})
		}},
		{"connection_of_100_closes", fleet, func(t *Table) { t.ConnClosed(1) }},
		{"100_expire", fleet, func(t *Table) { t.ScanNotActiveBroker(1e9) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				t := c.table()
				b.StartTimer()
				var done atomic.Bool
				go func() {
					c.large(t)
					done.Store(true)
				}()
				var longest time.Duration
				for i := 0; !done.Load(); i++ {
					r := benchRegistration(200, empty())
					r.BrokerName = fmt.Sprint("small", i%2)
					before := time.Now()
					mustRegister(b, t, r)
					longest = max(longest, time.Since(before))
					time.Sleep(time.Millisecond)
				}
				b.ReportMetric(float64(longest.Microseconds())/1e3, "longest-ms")
			}
		})
	}
}
