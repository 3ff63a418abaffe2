package route

import (
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// TestStatsShowEveryCounter sets each counter of a Table to a number of its own and
// finds that in its Stats: a new counter that Stats leaves out has no reader.
func TestStatsShowEveryCounter(t *testing.T) {
	table := New(Options{})
	counters := nstest.Counters(table, "cache")
	if len(counters) < int(limitCount)+2 {
		t.Fatalf("only these counters are found: %v", counters)
	}
	byNumber := map[int64]string{}
	next := int64(1_000_003)
	for name, set := range counters {
		if strings.HasSuffix(name, ".lacking") || strings.HasSuffix(name, ".hand") {
			continue // what a sweep has for itself; misfits counts
		}
		next++
		byNumber[next] = name
		set(next)
	}
	shown := nstest.Numbers(table.Stats())
	wait, hold := table.LockTimes()
	times := nstest.Numbers([]any{wait, hold})
	for n, name := range byNumber {
		if shown[n] == "" && times[n] == "" {
			t.Errorf("Table.%s is in no field of Stats", name)
		}
	}
}

// TestStatsFollowTheTables compares Stats with the tables.
func TestStatsFollowTheTables(t *testing.T) {
	table := New(Options{})
	want := func(names, live, brokers, topics int) {
		t.Helper()
		s := table.Stats()
		if s.BrokerNames != names || s.LiveEntries != live || s.Brokers != brokers || s.Topics != topics || s.Entries != table.entries {
			t.Errorf("stats are %+v, want %d names, %d live entries, %d brokers, %d topics, %d entries", s, names, live, brokers, topics, table.entries)
		}
	}
	want(0, 0, 0, 0)
	for _, name := range []string{"a", "b"} {
		r := limitedRegistration(name, 0, "10.0.0.1:10911", "T", "U")
		if _, err := table.RegisterBroker(0, r); err != nil {
			t.Fatal(err)
		}
	}
	want(2, 1, 2, 2)
	table.ScanNotActiveBroker(1 << 40)
	want(0, 0, 0, 0)
}
