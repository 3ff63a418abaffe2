package route

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"gonamesrv/codec"
)

// An attack is something of which a stranger may send any amount.
type attack struct {
	name string
	// of sends n of them.
	of func(t testing.TB, n int)
}

func empty() *codec.RegisterBrokerBody { return &codec.RegisterBrokerBody{FilterServersNull: true} }

// numbered registers broker i at an address of its own over one connection.
func numbered(t testing.TB, table *Table, i int, change func(r *Registration)) {
	r := benchRegistration(0, empty())
	r.BrokerName, r.BrokerAddr, r.Conn, r.BodyHash = fmt.Sprintf("b%d", i), fmt.Sprintf("a%d", i), 1, 1
	change(r)
	mustRegister(t, table, r)
}

func clusters(t testing.TB, table *Table, n int) {
	for i := range n {
		numbered(t, table, i, func(r *Registration) {
			r.Cluster, r.BrokerName, r.BrokerAddr = fmt.Sprintf("c%d", i), "b", "a"
		})
	}
}

func names(t testing.TB, table *Table, n int) {
	for i := range n {
		numbered(t, table, i, func(r *Registration) {
			r.BrokerAddr = "a"
			r.Body.FilterServers, r.Body.FilterServersNull = []string{fmt.Sprint(i)}, false
		})
	}
}

// listening has none of the limits that would keep the costs small.
func listening() *Table { return New(Options{OnEvent: func(Event) {}, Limits: boundless}) }

var attacks = []attack{
	{"clusters of an address", func(t testing.TB, n int) { clusters(t, listening(), n) }},
	{"clusters of an address, whose connection closes", func(t testing.TB, n int) {
		table := listening()
		clusters(t, table, n)
		table.ConnClosed(1)
	}},
	{"clusters of an address, which leave", func(t testing.TB, n int) {
		table := listening()
		clusters(t, table, n)
		for i := range n {
			table.UnregisterBrokers(Unregistration{fmt.Sprintf("c%d", i), "b", "a"})
		}
	}},
	{"names of an address", func(t testing.TB, n int) { names(t, listening(), n) }},
	{"names of an address, whose connection closes", func(t testing.TB, n int) {
		table := listening()
		names(t, table, n)
		table.ConnClosed(1)
	}},
	{"names of an address, which leave", func(t testing.TB, n int) {
		table := listening()
		names(t, table, n)
		for i := range n {
			table.UnregisterBrokers(Unregistration{"cluster-0", fmt.Sprintf("b%d", i), "a"})
		}
	}},
	{"IDs of a name, each the smallest, which leave", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, n-i, func(r *Registration) {
				r.BrokerName, r.BrokerID, r.EnableActingMaster, r.OldVersion = "b", int64(n-i), true, false
			})
		}
		for i := range n {
			table.UnregisterBrokers(Unregistration{"cluster-0", "b", fmt.Sprintf("a%d", i+1)})
		}
	}},
	{"IDs of a name, whose connection closes", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(r *Registration) { r.BrokerName, r.BrokerID = "b", int64(i) })
		}
		table.ConnClosed(1)
	}},
	{"brokers of a connection that closes", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		table.ConnClosed(1)
	}},
	{"brokers of a connection, which leave", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		for i := range n {
			table.UnregisterBrokers(Unregistration{"cluster-0", fmt.Sprintf("b%d", i), fmt.Sprintf("a%d", i)})
		}
	}},
	{"brokers of a connection, which go over to another", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		for i := range n {
			r := benchRegistration(0, nil)
			r.BrokerName, r.BrokerAddr, r.Conn, r.BodyHash = fmt.Sprintf("b%d", i), fmt.Sprintf("a%d", i), 2, 1
			if _, ok := table.RegisterUnchanged(1, r); !ok {
				t.Fatal("the registration is not recognised")
			}
		}
	}},
	{"brokers that expire", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		if got := len(table.ScanNotActiveBroker(10_000_000)); got != n {
			t.Fatalf("%d of %d brokers expired", got, n)
		}
	}},
	{"brokers of a topic, by one request", func(t testing.TB, n int) {
		table := listening()
		var queues []codec.QueueData
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
			queues = append(queues, codec.QueueData{BrokerName: fmt.Sprintf("b%d", i)})
		}
		if _, err := table.RegisterTopic("T", queues); err != nil {
			t.Fatal(err)
		}
		table.DeleteTopicInCluster("T", "cluster-0")
	}},
}

// TestCostIsLinear: sixteen times as much costs about sixteen times as much, not
// 256 times. It looks at the CPU time of one thread, which the load of the
// machine changes little, and at the least of several tries. What is large
// misses the caches more often: that is the two to three times that a machine
// may add, and what the limit, in the middle of 16 and 256, leaves room for.
func TestCostIsLinear(t *testing.T) {
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
