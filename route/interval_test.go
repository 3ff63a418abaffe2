package route

import (
	"math"
	"testing"
)

// TestIntervalIsLearnt gives signs of life at several paces. What is learnt follows
// a slower pace at once, a quicker one slowly, and neither bursts nor silence.
func TestIntervalIsLearnt(t *testing.T) {
	table := registered(t, 1, 3)
	cluster, addr := []byte("cluster-0"), []byte("10.0.0.0:10911")
	l, ok := table.View().Live(cluster, addr)
	if !ok || l.IntervalMillis() != 30_000 {
		t.Fatalf("known: %v, interval %d before anything is learnt", ok, l.IntervalMillis())
	}
	now := int64(1)
	for _, c := range []struct {
		name        string
		gap, times  int64
		least, most int64
	}{
		{"usual", 30_000, 10, 30_000, 30_000},
		{"burst", 100, 1000, 30_000, 30_000},
		{"a script", 2_000, 5, 20_000, 30_000},
		{"usual again", 30_000, 5, 29_000, 30_000},
		{"silence", 200_000, 3, 29_000, 30_000},
		{"slow", 60_000, 8, 59_000, 60_000},
		{"late", 70_000, 3, 59_900, 60_000},
		{"every second", 1_000, 100, 1_000, 2_500},
		{"quicker", 600, 200, 1_000, 1_000},
		{"slow again", 60_000, 3, 50_000, 60_000},
	} {
		for range c.times {
			now += c.gap
			table.Heartbeat(now, cluster, addr)
		}
		if got := l.IntervalMillis(); got < c.least || got > c.most {
			t.Errorf("%s: interval %d, want %d to %d", c.name, got, c.least, c.most)
		}
	}
	// A registration is a sign of life as well, repeated or not, and so is one that
	// is turned away.
	r := func() *Registration {
		again := benchRegistration(0, benchBody(0, 3, 1, never))
		again.BodyHash = 7
		return again
	}
	for i := range 60 {
		now += 10_000
		switch {
		case i%3 == 0:
			mustRegisterAt(t, table, now, r())
		case i%3 == 2:
			table.RegistrationMissed(now, cluster, addr, 1)
		default:
			if _, ok := table.RegisterUnchanged(now, r()); !ok {
				t.Fatal("not known as unchanged")
			}
		}
	}
	if l, _ = table.View().Live(cluster, addr); l.IntervalMillis() < 10_000 || l.IntervalMillis() > 15_000 {
		t.Errorf("interval %d after registrations every 10 s", l.IntervalMillis())
	}
	if want := l.IntervalMillis()*3/2 + 5_000; l.isOverdue(now+want) || !l.isOverdue(now+want+1) {
		t.Errorf("it is not overdue after %d ms", want)
	}
}

// BenchmarkHeartbeat is one sign of life of a known broker.
func BenchmarkHeartbeat(b *testing.B) {
	table := benchTable(100)
	cluster, addr := []byte("cluster-0"), []byte("10.0.0.0:10911")
	b.ReportAllocs()
	now := int64(1)
	for b.Loop() {
		now += 1000
		if !table.Heartbeat(now, cluster, addr) {
			b.Fatal("not known")
		}
	}
}

// TestLateSignOfLife applies a registration that has waited for its turn, after a
// heartbeat that came later: the broker was heard of when the heartbeat came.
func TestLateSignOfLife(t *testing.T) {
	table := registered(t, 1, 3)
	cluster, addr := []byte("cluster-0"), []byte("10.0.0.0:10911")
	table.Heartbeat(100_000, cluster, addr)
	mustRegisterAt(t, table, 80_000, benchRegistration(0, benchBody(0, 3, 2, never)))
	if l, _ := table.View().Live(cluster, addr); l.LastUpdateMillis() != 100_000 {
		t.Errorf("heard of at %d, want 100000", l.LastUpdateMillis())
	}
	if due := table.Due(80_000 + DefaultHeartbeatTimeoutMillis + 1); len(due) != 0 {
		t.Errorf("%d are due, counted from the registration", len(due))
	}
}

// TestQueriesTeachTheInterval: a query of the data version is a sign of life like
// the others.
func TestQueriesTeachTheInterval(t *testing.T) {
	table := registered(t, 1, 3)
	cluster, addr := []byte("cluster-0"), []byte("10.0.0.0:10911")
	for i := range int64(200) {
		if _, changed := table.QueryDataVersion(1+i*10_000, cluster, addr, benchBody(0, 3, 1, never).DataVersion, false); changed {
			t.Fatal("changed")
		}
	}
	if l, _ := table.View().Live(cluster, addr); l.IntervalMillis() > 11_000 {
		t.Errorf("interval %d after queries every 10 s", l.IntervalMillis())
	}
}

// TestIntervalIsRestored: what was learnt is saved and restored, within the bounds of
// what can be learnt. The silence before the first sign of life afterwards is not all
// the broker's, and teaches nothing.
func TestIntervalIsRestored(t *testing.T) {
	table := registered(t, 1, 3)
	cluster, addr := []byte("cluster-0"), []byte("10.0.0.0:10911")
	now := int64(1)
	for range 200 {
		now += 1_000
		table.Heartbeat(now, cluster, addr)
	}
	saved := table.View().Save(now)
	if got := saved.Lives[0].IntervalMillis; got != 1_000 {
		t.Fatalf("saved %d, want 1000", got)
	}
	for saves, want := range map[int64]int64{0: 30_000, 1: 1_000, 1_000: 1_000, 7_000: 7_000, 60_001: 60_000, math.MaxInt64: 60_000} {
		saved.Lives[0].IntervalMillis = saves
		restored, err := Restore(Options{}, saved, now+20_000, 20_000)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := restored.View().Live(cluster, addr)
		if l.IntervalMillis() != want {
			t.Errorf("saved %d, restored %d, want %d", saves, l.IntervalMillis(), want)
		}
		restored.Heartbeat(now+21_000, cluster, addr)
		if l.IntervalMillis() != want {
			t.Errorf("interval %d after the first sign of life, want %d", l.IntervalMillis(), want)
		}
		restored.Heartbeat(now+81_000, cluster, addr)
		if want < 60_000 && l.IntervalMillis() == want {
			t.Errorf("interval %d, nothing is learnt from the second one", want)
		}
	}
}
