package route

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// TestRestoredIsTheSame restores what random histories have left. Readers are shown
// the same as by the Table that was saved, byte for byte; what is saved of the new
// one is what was saved of the old; and everything that must hold holds.
func TestRestoredIsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{rt: rt, table: New(Options{Limits: randomLimits(rt)}), now: 1_000_000}
		h.ref = newReference(false, h.table.limits)
		if rapid.IntRange(0, 3).Draw(rt, "crowded") == 0 {
			h.crowd()
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			h.step()
		}
		saved := h.table.View().Save(h.now)
		age := rapid.Int64Range(0, 900_000).Draw(rt, "age")
		restored, err := Restore(Options{Limits: h.table.limits, MostSilentMillis: math.MaxInt64}, saved, h.now+age, age)
		if err != nil {
			rt.Fatal(err)
		}
		if err := restored.CheckInvariants(); err != nil {
			rt.Fatal(err)
		}
		if d := viewDifference(h.table.View(), restored.View()); d != "" {
			rt.Fatal(d)
		}
		again := restored.View().Save(h.now + age)
		for i := range saved.Lives {
			l := &saved.Lives[i]
			l.SilentMillis = max(l.SilentMillis+age, 1)
			l.Confirmed = false
		}
		if !maps.Equal(saved.lines(), again.lines()) { // numbers may be others
			rt.Fatalf("saved again\n got %+v\nwant %+v", again, saved)
		}
	})
}

// viewDifference says what readers of b are shown otherwise than those of a.
func viewDifference(a, b *View) (difference string) {
	same := func(what string, got, want []byte) {
		if difference == "" && string(got) != string(want) {
			difference = fmt.Sprintf("%s\n got %s\nwant %s", what, got, want)
		}
	}
	same("clusters", b.ClusterInfo(), a.ClusterInfo())
	same("topics", b.AllTopicList(), a.AllTopicList())
	same("system topics", b.SystemTopicList(), a.SystemTopicList())
	for u := range unitLists {
		same(fmt.Sprintf("unit list %d", u), b.TopicsByUnit(u), a.TopicsByUnit(u))
	}
	for _, c := range append([]string{"unknown"}, randomClusters...) {
		same("topics of "+c, b.TopicsByCluster(c), a.TopicsByCluster(c))
		for _, name := range randomNames {
			g, w := b.BrokerMemberGroup([]byte(c), []byte(name)), a.BrokerMemberGroup([]byte(c), []byte(name))
			same("members of "+name, g.AppendJSON(nil), w.AppendJSON(nil))
		}
		for _, addr := range randomAddrs {
			g, gotOK := b.Live([]byte(c), []byte(addr))
			w, wantOK := a.Live([]byte(c), []byte(addr))
			if gotOK != wantOK {
				return fmt.Sprintf("%s of %s is alive: %v, want %v", addr, c, gotOK, wantOK)
			}
			if !gotOK {
				continue
			}
			for _, dv := range []codec.DataVersion{w.DataVersion, {Counter: -1}} {
				if g, w := g.IsBrokerTopicConfigChanged(dv), w.IsBrokerTopicConfigChanged(dv); g != w {
					return fmt.Sprintf("%s of %s with %+v has changed: %v, want %v", addr, c, dv, g, w)
				}
			}
			same("data version", g.DataVersion.AppendJSON(nil), w.DataVersion.AppendJSON(nil))
		}
	}
	for e := range a.topics.all {
		for _, f := range []RouteForm{{Dialect: codec.DialectLegacy}, {Dialect: codec.DialectStrict}, {Dialect: codec.DialectStrict, Acting: true}} {
			got, _ := b.Route([]byte(e.name), &f)
			want, _ := a.Route([]byte(e.name), &f)
			same("route of "+e.name, got, want)
		}
	}
	return difference
}

// TestRestoreWithin restores more than there may be.
func TestRestoreWithin(t *testing.T) {
	table := New(Options{})
	for i, id := range []int64{0, 1} {
		r := &Registration{
			RegistrationHeader: RegistrationHeader{Cluster: "c", BrokerName: "b", BrokerAddr: fmt.Sprint("a", i), BrokerID: id, TimeoutMillis: 1000},
			Body:               benchBody(0, 3, 1, never),
		}
		r.Body.FilterServers = []string{"f1", "f2"}
		r.Body.Mappings = []codec.RegisteredMapping{{Key: string(benchTopic(1)), Info: codec.TopicQueueMappingInfo{Bname: "b", CurrIDMap: []codec.QueueID{{}, {}}}}}
		if _, err := table.RegisterBroker(1, r); err != nil {
			t.Fatal(err)
		}
		r.Cluster = "d"
		if _, err := table.RegisterBroker(1, r); err != nil {
			t.Fatal(err)
		}
	}
	saved := table.View().Save(1)
	exact := Limits{Topics: 3, Brokers: 4, Entries: 3 + 4 + 3, FilterServersPerBroker: 2, ClustersPerAddr: 2, IDsPerName: 2}
	if _, err := Restore(Options{Limits: exact}, saved, 1, 0); err != nil {
		t.Fatalf("what just fits: %v", err)
	}
	for _, tt := range []struct {
		limit Limit
		field func(*Limits) *int
	}{
		{LimitTopics, func(l *Limits) *int { return &l.Topics }},
		{LimitBrokers, func(l *Limits) *int { return &l.Brokers }},
		{LimitEntries, func(l *Limits) *int { return &l.Entries }},
		{LimitFilterServers, func(l *Limits) *int { return &l.FilterServersPerBroker }},
		{LimitAddrClusters, func(l *Limits) *int { return &l.ClustersPerAddr }},
		{LimitNameIDs, func(l *Limits) *int { return &l.IDsPerName }},
	} {
		t.Run(tt.limit.String(), func(t *testing.T) {
			limits := exact
			*tt.field(&limits)--
			restored, err := Restore(Options{Limits: limits}, saved, 1, 0)
			var over *LimitError
			if restored != nil || !errors.As(err, &over) || over.Limit != tt.limit || over.Size != over.Most+1 {
				t.Errorf("restored %v, %v, want what is one too many", restored, err)
			}
		})
	}
	saved.Rows[0].Set = 9
	if restored, err := Restore(Options{}, saved, 1, 0); restored != nil || err == nil {
		t.Errorf("restored %v, %v from what contradicts itself", restored, err)
	}
}

// TestRestoredTrie fills tries at once, and element by element: they are the same.
func TestRestoredTrie(t *testing.T) {
	for _, mask := range []uint64{^uint64(0), 0xF << 60, 0xFF << 56, 0xF, 0} {
		for _, n := range []int{0, 1, 64, 65, 500, 5000} {
			if mask == 0 && n > 500 {
				continue
			}
			one, all := newTrie[*TopicEntry](bodySeed), newTrie[*TopicEntry](bodySeed)
			one.mask, all.mask = mask, mask
			var entries []*TopicEntry
			for i := range n {
				e := &TopicEntry{name: fmt.Sprint("topic", i)}
				entries = append(entries, e)
				one.put(1, e)
			}
			all.fill(1, entries)
			if got, want := trieShape(all.root), trieShape(one.root); all.size != one.size || got != want {
				t.Errorf("mask %x, %d elements: filled at once\n%s\none by one\n%s", mask, n, got, want)
			}
			for _, e := range entries {
				if got, ok := all.get(e.name); !ok || got != e {
					t.Fatalf("mask %x, %d elements: %s is not found", mask, n, e.name)
				}
			}
			if n > 0 { // a change leaves it as it is
				before := trieShape(all.root)
				changed := all
				changed.put(2, &TopicEntry{name: "another"})
				changed.remove(2, entries[0].name)
				if trieShape(all.root) != before || all.size != n {
					t.Errorf("mask %x, %d elements: a later change has changed it", mask, n)
				}
			}
		}
	}
}

// trieShape writes down which buckets of which sizes a trie has.
func trieShape[E keyed](n *trieNode[E]) string {
	if n == nil {
		return "-"
	}
	s := fmt.Sprintf("(%d", n.size)
	for i := range n.ways {
		switch {
		case n.lens[i] > 0:
			s += fmt.Sprintf(" %d:%d", i, n.lens[i])
		case n.ways[i] != nil:
			s += fmt.Sprintf(" %d:%s", i, trieShape((*trieNode[E])(n.ways[i])))
		}
	}
	return s + ")"
}

// TestRestoredStamps restores brokers at times that leave no room.
func TestRestoredStamps(t *testing.T) {
	for _, tt := range []struct{ now, silent, age, want int64 }{
		{1000, 200, 300, 500},
		{1000, 0, 0, 999},
		{1000, 0, -5, 999},
		{0, math.MaxInt64, 10, -math.MaxInt64},
		{-10, math.MaxInt64, math.MaxInt64, math.MinInt64},
	} {
		r := &restoring{now: tt.now, age: max(tt.age, 0)}
		if got := r.stamp(tt.silent); got != tt.want {
			t.Errorf("silent for %d, saved %d before %d: last heard of at %d, want %d", tt.silent, tt.age, tt.now, got, tt.want)
		}
	}
}

// BenchmarkRestore makes a Table of what was saved.
func BenchmarkRestore(b *testing.B) {
	for _, c := range []struct {
		name           string
		brokers, names int
	}{
		{"brokers=32/names=40000", 32, 40_000},
		{"brokers=300/names=10000", 300, 10_000},
		{"brokers=60/names=600000", 60, 600_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			const perBroker = 10_000
			t := New(Options{})
			for i := range c.brokers {
				first := i * perBroker % c.names
				if _, err := t.RegisterBroker(1, benchRegistration(i, benchBody(first, perBroker, 1, never))); err != nil {
					b.Fatal(err)
				}
			}
			saved := t.View().Save(2)
			used, n := 0.0, 0
			b.ReportAllocs()
			for b.Loop() {
				before := processCPU(b)
				restored, err := Restore(Options{}, saved, 3, 0)
				if err != nil {
					b.Fatal(err)
				}
				used += processCPU(b) - before
				n += restored.View().TopicCount()
			}
			b.ReportMetric(used*1e9/float64(n), "cpu-ns/name")
		})
	}
}

// TestIncompleteForTwoNames: an address that serves two names is incomplete as long as one
// of them is.
func TestIncompleteForTwoNames(t *testing.T) {
	l, a, b := &liveBroker{}, &unheard{}, &unheard{}
	for _, u := range []*unheard{a, b} {
		u.countFor(l)
		l.setIncomplete(u, true)
	}
	b.countFor(nil)
	if !l.isIncomplete() {
		t.Error("it is complete, but something is missing of one name")
	}
	a.countFor(nil)
	if l.isIncomplete() {
		t.Error("it is incomplete, but nothing is missing of either name")
	}
}
