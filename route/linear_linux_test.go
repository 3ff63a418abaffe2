package route

import (
	"runtime"
	"slices"
	"syscall"
	"testing"

	"gonamesrv/codec"
)

// TestCostIsLinear: sixteen times as much costs about sixteen times as much, not
// 256 times. It looks at the CPU time of one thread, which the load of the
// machine changes little, and at the least of several tries. What is large
// misses the caches more often: that is the two to three times that a machine
// may add, and what the limit, in the middle of 16 and 256, leaves room for.
func TestCostIsLinear(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine; what it costs is asked of the program that users run")
	}
	const n, times, limit = 1_000, 16, 64
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			var ratio float64
			for range 6 {
				if ratio = leastCPU(t, a, times*n) / leastCPU(t, a, n); ratio < limit {
					t.Logf("%d cost %.1f times as much as %d", times*n, ratio, n)
					return
				}
			}
			t.Errorf("%d cost %.1f times as much as %d, want about %d", times*n, ratio, n, times)
		})
	}
}

// leastCPU is the CPU time in seconds that a takes for n.
func leastCPU(t *testing.T, a attack, n int) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	least := 0.0
	for i := range 2 {
		runtime.GC() // what others have left is not ours
		before := threadCPU(t)
		a.of(t, n)
		if used := threadCPU(t) - before; i == 0 || used < least {
			least = used
		}
	}
	return least
}

func threadCPU(t testing.TB) float64 {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkStep reports the CPU time of the steps of large changes, which is how
// long others wait on an idle machine.
func BenchmarkStep(b *testing.B) {
	const topics = 100_000
	bodies := [2]*codec.RegisterBrokerBody{benchBody(0, topics, 2, never), benchBody(0, topics, 3, always)}
	key := Unregistration{"cluster-0", "broker-00000", "10.0.0.0:10911"}
	for _, c := range []struct {
		name string
		do   func(t *Table, i int)
	}{
		{"change", func(t *Table, i int) { mustRegister(b, t, benchRegistration(0, bodies[i%2])) }},
		{"wipe", func(t *Table, i int) {
			if i%2 == 0 {
				t.WipeWritePermOfBroker(key.BrokerName)
			} else {
				t.AddWritePermOfBroker(key.BrokerName)
			}
		}},
		{"come_and_go", func(t *Table, i int) {
			t.UnregisterBrokers(key)
			mustRegister(b, t, benchRegistration(0, bodies[0]))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			t := New(Options{})
			mustRegister(b, t, benchRegistration(0, bodies[0]))
			var steps []float64
			last := threadCPU(b)
			t.betweenSteps = func() {
				now := threadCPU(b)
				steps = append(steps, now-last)
				last = now
			}
			i := 0
			for b.Loop() {
				i++
				c.do(t, i)
				last = threadCPU(b)
			}
			slices.Sort(steps)
			b.ReportMetric(steps[len(steps)/2]*1e3, "median-ms/step")
			b.ReportMetric(steps[len(steps)*99/100]*1e3, "p99-ms/step")
		})
	}
}
