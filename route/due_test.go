package route

import (
	"fmt"
	"testing"
	"time"
)

// TestDueThenRemove lets things happen between the moment a broker is found due
// and its removal: only one of which nothing has been heard is removed.
func TestDueThenRemove(t *testing.T) {
	const later = DefaultHeartbeatTimeoutMillis + 2
	again := func() *Registration { return benchRegistration(0, benchBody(0, 3, 1, never)) }
	r := again()
	for name, c := range map[string]struct {
		between func(*Table)
		removed int // of the two that are due
		alive   bool
	}{
		"nothing":      {func(*Table) {}, 2, false},
		"another time": {func(table *Table) { table.Due(later + 5) }, 2, false},
		"suspicion":    {func(table *Table) { table.Suspect(table.Due(later)) }, 2, false},
		"registration": {func(table *Table) { _, _ = table.RegisterBroker(later, again()) }, 1, true},
		"other version": {func(table *Table) {
			_, _ = table.RegisterBroker(later, benchRegistration(0, benchBody(0, 3, 2, never)))
		}, 1, true},
		"heartbeat":         {func(table *Table) { table.Heartbeat(later, []byte(r.Cluster), []byte(r.BrokerAddr)) }, 1, true},
		"missed":            {func(table *Table) { table.RegistrationMissed(later, []byte(r.Cluster), []byte(r.BrokerAddr), 7) }, 1, true},
		"repeated":          {func(table *Table) { rep := again(); rep.BodyHash = 9; table.RegisterUnchanged(later, rep) }, 1, true},
		"over another conn": {func(table *Table) { rep := again(); rep.Conn = 50; _, _ = table.RegisterBroker(later, rep) }, 1, true},
		"unregistration": {func(table *Table) {
			table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
		}, 1, false},
		"gone and back": {func(table *Table) {
			table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
			_, _ = table.RegisterBroker(later, again())
		}, 1, true},
		"another scan":      {func(table *Table) { table.ScanNotActiveBroker(later) }, 0, false},
		"connection closed": {func(table *Table) { table.ConnClosed(r.Conn) }, 1, false},
		"displaced": {func(table *Table) {
			other := again()
			other.BrokerAddr = "other"
			_, _ = table.RegisterBroker(later, other)
		}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			table := registered(t, 3, 3)
			first := again()
			first.BodyHash = 9
			mustRegister(t, table, first)
			table.Heartbeat(later, []byte("cluster-0"), []byte("10.0.0.2:10911"))
			due := table.Due(later)
			if len(due) != 2 || due[0].LastUpdateMillis != 1 || due[0].TimeoutMillis != DefaultHeartbeatTimeoutMillis || due[0].Conn == 0 {
				t.Fatalf("due %+v, want two that were heard of at 1", due)
			}
			c.between(table)
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
			removed := table.Remove(due, BrokerExpired)
			if len(removed) != c.removed {
				t.Errorf("%d removed, want %d", len(removed), c.removed)
			}
			if _, alive := table.View().Live([]byte(r.Cluster), []byte(r.BrokerAddr)); alive != c.alive {
				t.Errorf("alive: %v, want %v", alive, c.alive)
			}
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHeldBack holds brokers back that are due, and marks them: they are found
// again, the View and what it answers stay, and a sign of life takes the mark away.
func TestHeldBack(t *testing.T) {
	const later = DefaultHeartbeatTimeoutMillis + 2
	table := registered(t, 3, 3)
	before := table.View()
	suspects := func() (n int) {
		for l := range table.View().live.all {
			if l.IsSuspect() {
				n++
			}
		}
		return n
	}
	due := table.Due(later)
	if len(due) != 3 || suspects() != 0 || due[0].IsSuspect() {
		t.Fatalf("%d due, %d suspect, want 3 and 0", len(due), suspects())
	}
	table.Suspect(due)
	if table.View() != before || suspects() != 3 || !due[0].IsSuspect() {
		t.Errorf("%d suspect, want 3, in the same View", suspects())
	}
	for i := range 3 {
		if got := len(table.Due(later + int64(i))); got != 3 {
			t.Errorf("%d are due at +%d, want the same 3", got, i)
		}
	}
	if got := len(table.Due(2)); got != 0 {
		t.Errorf("%d are due at an earlier time", got)
	}
	table.Heartbeat(later, []byte("cluster-0"), []byte("10.0.0.0:10911"))
	mustRegisterAt(t, table, later, benchRegistration(1, benchBody(0, 3, 1, never)))
	if suspects() != 1 {
		t.Errorf("%d suspect after two were heard of, want 1", suspects())
	}
	table.Suspect(due) // it has been decided before they were heard of
	if suspects() != 1 {
		t.Errorf("%d suspect, want 1: the others have been heard of since", suspects())
	}
	left := table.Due(later + 1)
	if len(left) != 1 || !left[0].IsSuspect() {
		t.Errorf("due %+v, want the one that is suspect", left)
	}
	if err := table.CheckInvariants(); err != nil {
		t.Error(err)
	}
	if got := len(table.Remove(left, BrokerExpired)); got != 1 || table.View().LiveCount() != 2 {
		t.Errorf("%d removed, %d alive, want 1 and 2", got, table.View().LiveCount())
	}
}

func mustRegisterAt(t testing.TB, table *Table, nowMillis int64, r *Registration) {
	t.Helper()
	if _, err := table.RegisterBroker(nowMillis, r); err != nil {
		t.Fatal(err)
	}
}

// TestStrangersCloseWithoutTheLock holds the table's lock while connections close
// that have no broker: nobody waits for it.
func TestStrangersCloseWithoutTheLock(t *testing.T) {
	table := registered(t, 2, 3)
	table.ForgetConn(2) // broker 1 has none any more
	table.mu.Lock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for conn := range uint64(1_000) {
			if conn == 1 {
				continue
			}
			if n, m := table.ConnClosed(conn), table.ForgetConn(conn); n != 0 || m != 0 || table.HasBrokers(conn) {
				t.Errorf("connection %d has brokers", conn)
			}
		}
		if !table.HasBrokers(1) {
			t.Error("connection 1 has no broker")
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("the end of a stranger's connection waits for the table's lock")
	}
	table.mu.Unlock()
	if n := table.ConnClosed(1); n != 1 {
		t.Errorf("%d brokers leave with connection 1, want 1", n)
	}
}

// BenchmarkStrangerCloses is the end of a connection that has no broker.
func BenchmarkStrangerCloses(b *testing.B) {
	t := benchTable(10_000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			t.ConnClosed(1 << 40)
			t.ForgetConn(1 << 40)
			t.HasBrokers(1 << 40)
		}
	})
}

// BenchmarkScanHeldBack looks again at brokers that are held back.
func BenchmarkScanHeldBack(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("due=%d", n), func(b *testing.B) {
			t := New(Options{Limits: boundless})
			for i := range n {
				numbered(b, t, i, func(*Registration) {})
			}
			for b.Loop() {
				if got := len(t.Due(1e9)); got != n {
					b.Fatalf("%d are due", got)
				}
			}
		})
	}
}
