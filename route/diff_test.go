package route

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDiffOfRandomHistories keeps copies of Views by their differences alone, one
// from each View to the next and one that skips most of them, in random histories.
// Views in the middle of a change are like others. Editions grow by one, and the
// events come in order, each with the first View that shows what it says.
func TestDiffOfRandomHistories(t *testing.T) {
	views, inside, told, unmoved := 0, 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := &watched{rt: rt, every: newViewCopy(), some: newViewCopy(), byEdition: map[uint64]*View{}}
		table := New(Options{OnEvent: w.event})
		w.table = table
		h := &history{rt: rt, table: table, ref: newReference(false, Limits{}), now: 1_000_000}
		if rapid.Bool().Draw(rt, "in steps") {
			table.stepWork = 1
			stepped(table, func() {
				inside++
				w.look()
			})
		}
		w.look()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			h.step()
			w.look()
			if rapid.IntRange(0, 5).Draw(rt, "skip") == 0 {
				w.skip()
			}
		}
		w.skip()
		views += len(w.byEdition)
		told += w.told
		unmoved += w.unmoved
	})
	t.Logf("%d Views, %d in the middle of a change, %d events; %d times a topic was the same", views, inside, told, unmoved)
	if !raceEnabled && (views == 0 || inside == 0 || told == 0 || unmoved == 0) {
		t.Error("something has not been tried")
	}
}

// A watched is a table and those who watch it.
type watched struct {
	rt    *rapid.T
	table *Table

	last, skipped *View
	every, some   *viewCopy
	byEdition     map[uint64]*View
	newest        uint64 // of events
	told, unmoved int
}

// look takes note of a View, if there is a new one.
func (w *watched) look() {
	v := w.table.View()
	if v == w.last {
		return
	}
	w.byEdition[v.Edition()] = v
	if w.last != nil && v.Edition() <= w.last.Edition() {
		w.rt.Fatalf("edition %d after %d", v.Edition(), w.last.Edition())
	}
	faults := w.every.apply(Diff(w.last, v))
	if d := w.every.differs(copyOfView(v)); d != "" || faults != nil {
		w.rt.Fatalf("after the next View: %s %v", d, faults)
	}
	if v.Edition()%4 == 0 { // it looks at everything
		w.mayRoute(w.last, v)
	}
	w.last = v
	if n := Diff(v, v).changes(); n != 0 {
		w.rt.Fatalf("%d changes from a View to itself", n)
	}
}

// skip takes note of all Views since the last skip at once.
func (w *watched) skip() {
	faults := w.some.apply(Diff(w.skipped, w.last))
	if d := w.some.differs(copyOfView(w.last)); d != "" || faults != nil {
		w.rt.Fatalf("after several Views: %s %v", d, faults)
	}
	w.mayRoute(w.skipped, w.last)
	w.skipped = w.last
}

// mayRoute demands that no topic is routed otherwise of which MayRoute does not say so.
func (w *watched) mayRoute(old, now *View) {
	names := map[string]bool{}
	for _, v := range []*View{old, now} {
		if v != nil {
			for e := range v.topics.all {
				names[e.name] = true
			}
		}
	}
	for name := range names {
		same := routeSeen(old, name) == routeSeen(now, name)
		if may := Diff(old, now).MayRoute(name); !may && !same {
			w.rt.Fatalf("topic %q was\n%s\nand is\n%s\nand MayRoute does not say so", name, routeSeen(old, name), routeSeen(now, name))
		} else if !may {
			w.unmoved++
		}
	}
}

// routeSeen writes what a View says of a topic and of the sets that serve it.
func routeSeen(v *View, name string) string {
	if v == nil {
		return ""
	}
	e, ok := v.Topic([]byte(name))
	if !ok {
		return ""
	}
	var sets []string
	for o := range v.Offers(e) {
		text := fmt.Sprintln(o.Broker.Name, o.Broker.Cluster, o.Broker.EnableActingMaster, o.Broker.ZoneName, o.Broker.HasZoneName, o.ReadQueueNums, o.WriteQueueNums, o.Perm, o.TopicSysFlag)
		for m := range o.Broker.Members() {
			text += fmt.Sprintln(*m)
		}
		sets = append(sets, text)
	}
	slices.Sort(sets)
	return fmt.Sprint(e.IsStatic(), sets)
}

// event is told what the View of its edition is the first to show. Nobody else
// changes the table meanwhile, so that is the newest.
func (w *watched) event(e Event) {
	w.look()
	w.told++
	if e.Edition < w.newest || e.Edition != w.last.Edition() {
		w.rt.Fatalf("event %+v after one of edition %d, in View %d", e, w.newest, w.last.Edition())
	}
	w.newest = e.Edition
	member := func(v *View) bool {
		b, ok := v.Broker([]byte(e.BrokerName))
		m := (*Member)(nil)
		if ok {
			m = b.members.get(e.BrokerID)
		}
		return m != nil && m.Addr == e.Addr
	}
	known := func(v *View) bool {
		_, ok := v.Broker([]byte(e.BrokerName))
		return ok
	}
	before, now := w.byEdition[e.Edition-1], w.last
	switch e.Kind {
	case BrokerRegistered:
		if before == nil || member(before) || !member(now) {
			w.rt.Fatalf("%+v is not the first to be there", e)
		}
	case BrokerDisplaced:
		if before == nil || !member(before) || member(now) {
			w.rt.Fatalf("%+v is not the first to be displaced", e)
		}
	case BrokerSetRemoved:
		if before == nil || !known(before) || known(now) {
			w.rt.Fatalf("%+v is not the first to be gone", e)
		}
	case MinBrokerIDChanged:
		if b, ok := now.Broker([]byte(e.BrokerName)); !ok || b.First().ID != e.MinID.MinBrokerID {
			w.rt.Fatalf("%+v is not shown", e)
		}
		steps := w.table.stepWork == 1 && e.MinID.OfflineBrokerAddr != ""
		if b, ok := before.Broker([]byte(e.BrokerName)); !ok || !steps && b.First().ID == e.MinID.MinBrokerID && b.First().Addr == e.MinID.MinBrokerAddr {
			w.rt.Fatalf("%+v was shown before", e)
		}
	}
}

// TestDiffOfTries walks from each state of a trie to each later one.
func TestDiffOfTries(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	for name, mask := range map[string]uint64{"whole hash": ^uint64(0), "few bits": 1 | 1<<30 | 1<<60, "all hash alike": 0} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				tr := newTrie[*trieItem](maphash.MakeSeed())
				tr.mask = mask
				var states []trie[*trieItem]
				keys := rapid.SampledFrom([]int{10, 300}).Draw(rt, "keys")
				for edition := range uint64(rapid.IntRange(1, 6).Draw(rt, "states")) {
					for range rapid.IntRange(0, 150).Draw(rt, "changes") {
						key := fmt.Sprint(rapid.IntRange(0, keys).Draw(rt, "key"))
						if rapid.IntRange(0, 2).Draw(rt, "remove") == 0 {
							tr.remove(edition+1, key)
						} else {
							tr.put(edition+1, &trieItem{key: key})
						}
					}
					states = append(states, tr)
				}
				for i := range states {
					for j := range states {
						checkTrieDiff(rt, &states[i], &states[j])
					}
				}
			})
		})
	}
}

func checkTrieDiff(rt *rapid.T, old, now *trie[*trieItem]) {
	got := map[string]*trieItem{}
	for i := range old.all {
		got[i.key] = i
	}
	d := trieDiff[*trieItem]{change: func(a, b *trieItem) bool {
		switch {
		case a == b:
			rt.Fatalf("%+v has not changed", a)
		case b == nil:
			if got[a.key] != a {
				rt.Fatalf("%+v was not there", a)
			}
			delete(got, a.key)
		case got[b.key] != a:
			rt.Fatalf("%+v was %+v, not %+v", b, got[b.key], a)
		default:
			got[b.key] = b
		}
		return true
	}}
	d.walk(old.branch(), now.branch())
	want := map[string]*trieItem{}
	for i := range now.all {
		want[i.key] = i
	}
	if !maps.Equal(got, want) {
		rt.Fatalf("the difference leads to %v, want %v", got, want)
	}
	if old.same(now) && d.visited != 0 {
		rt.Fatalf("%d nodes visited between equal tries", d.visited)
	}
	calls := 0
	stop := trieDiff[*trieItem]{change: func(_, _ *trieItem) bool { calls++; return false }}
	if stop.walk(old.branch(), now.branch()); calls > 1 {
		rt.Fatalf("%d changes after the end", calls)
	}
}

// TestDiffOfMembers walks from each state of a tree of members to each other.
func TestDiffOfMembers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var tree memberTree
		states := []memberTree{tree}
		for range rapid.IntRange(1, 12).Draw(rt, "states") {
			for range rapid.IntRange(0, 10).Draw(rt, "changes") {
				id := rapid.Int64Range(-3, 20).Draw(rt, "id")
				switch remove := rapid.Bool().Draw(rt, "remove"); {
				case !remove:
					tree = tree.with(&Member{ID: id})
				case tree.get(id) != nil:
					tree = tree.without(id)
				}
			}
			states = append(states, tree)
		}
		for _, old := range states {
			for _, now := range states {
				got, last := maps.Collect(byID(old)), int64(-4)
				old.root.diff(now.root, func(a, b *Member) bool {
					id := memberOf(a, b).ID
					if a == b || got[id] != a || id <= last {
						rt.Fatalf("%d was %v, is to be %v after %v, the one before was %d", id, got[id], a, b, last)
					}
					last = id
					if delete(got, id); b != nil {
						got[id] = b
					}
					return true
				})
				if want := maps.Collect(byID(now)); !maps.Equal(got, want) {
					rt.Fatalf("the difference leads to %v, want %v", got, want)
				}
			}
		}
	})
}

func byID(t memberTree) func(func(int64, *Member) bool) {
	return func(yield func(int64, *Member) bool) {
		t.all(func(m *Member) bool { return yield(m.ID, m) })
	}
}

func memberOf(a, b *Member) *Member {
	if a != nil {
		return a
	}
	return b
}

// TestDiffCostsWhatChanged counts the nodes that are looked into, of some
// thousands, when one topic or one of many members has changed, or nothing.
func TestDiffCostsWhatChanged(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	table := benchTable(100_000)
	visited := func(old, now *View) (visited, changes int) {
		d := trieDiff[*TopicEntry]{change: func(_, _ *TopicEntry) bool { changes++; return true }}
		d.walk(old.topics.branch(), now.topics.branch())
		return d.visited, changes
	}
	before := table.View()
	if all, _ := visited(newTrieView(), before); all < 1_000 {
		t.Fatalf("only %d nodes and buckets in all", all)
	}
	table.DeleteTopic(string(benchTopic(77)))
	after := table.View()
	if got, changes := visited(before, after); changes != 1 || got > 8 {
		t.Errorf("%d nodes visited for %d changes, want at most 8 for 1", got, changes)
	}
	if got, _ := visited(after, after); got != 0 {
		t.Errorf("%d nodes visited between a View and itself", got)
	}
	mustRegister(t, table, benchRegistration(500, benchBody(0, 0, 1, never)))
	if got, _ := visited(after, table.View()); got != 0 {
		t.Errorf("%d nodes of topics visited although only a broker has joined", got)
	}

	var tree memberTree
	for id := range int64(10_000) {
		tree = tree.with(&Member{ID: id})
	}
	allocs := testing.AllocsPerRun(1, func() {
		n := 0
		tree.root.diff(tree.without(4_711).root, func(_, _ *Member) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d members have changed, want 1", n)
		}
	})
	if allocs > 200 { // a walk over all would copy each path
		t.Errorf("%v allocations for one of 10,000 members", allocs)
	}
}

func newTrieView() *View { return &View{brokers: &brokerTable{}} }

// TestNothingChangesNothing does what changes nothing: the View stays, with its
// number, and nobody is signalled.
func TestNothingChangesNothing(t *testing.T) {
	r := benchRegistration(0, benchBody(0, 5, 1, never))
	start := func() *Table {
		table := registered(t, 2, 5)
		mustRegister(t, table, r)
		table.WipeWritePermOfBroker(r.BrokerName)
		return table
	}
	single := benchRegistration(7, benchBody(0, 1, 1, never))
	for name, do := range map[string]func(*Table){
		"heartbeat":            func(table *Table) { table.Heartbeat(2, []byte(r.Cluster), []byte(r.BrokerAddr)) },
		"missed":               func(table *Table) { table.RegistrationMissed(2, []byte(r.Cluster), []byte(r.BrokerAddr), 9) },
		"same registration":    func(table *Table) { mustRegister(t, table, r) },
		"refused registration": func(table *Table) { _, _ = table.RegisterBroker(2, single) },
		"unregister stranger":  func(table *Table) { table.UnregisterBrokers(Unregistration{r.Cluster, "x", "y"}) },
		"close stranger":       func(table *Table) { table.ConnClosed(99) },
		"forget stranger":      func(table *Table) { table.ForgetConn(99) },
		"scan":                 func(table *Table) { table.ScanNotActiveBroker(3) },
		"due and suspect":      func(table *Table) { table.Suspect(table.Due(1e9)) },
		"wipe again":           func(table *Table) { table.WipeWritePermOfBroker(r.BrokerName) },
		"wipe stranger":        func(table *Table) { table.WipeWritePermOfBroker("x") },
		"delete stranger":      func(table *Table) { table.DeleteTopic("x") },
		"sweep":                func(table *Table) { table.SweepBodies() },
	} {
		t.Run(name, func(t *testing.T) {
			table := start()
			changed, cancel, err := table.Subscribe()
			if err != nil {
				t.Fatal(err)
			}
			defer cancel()
			before := table.View()
			do(table)
			if v := table.View(); v != before {
				t.Errorf("View %d came after %d", v.Edition(), before.Edition())
			}
			if len(changed) != 0 {
				t.Error("a signal")
			}
			mustRegister(t, table, benchRegistration(9, benchBody(0, 2, 1, never)))
			if v := table.View(); v.Edition() != before.Edition()+1 || len(changed) != 1 {
				t.Errorf("a change leads from View %d to %d, with %d signals, want 1 more, 1 signal", before.Edition(), v.Edition(), len(changed))
			}
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMembersCarryTheirFlags: each member's own flags are in the View, not only
// those of the first.
func TestMembersCarryTheirFlags(t *testing.T) {
	table := registered(t, 1, 2)
	slave := benchRegistration(0, benchBody(0, 0, 1, never))
	slave.BrokerID, slave.BrokerAddr, slave.Conn = 1, "s", 5
	slave.HAServerAddr, slave.TimeoutMillis = "ha", 4_000
	slave.EnableActingMaster, slave.ZoneName, slave.HasZoneName = true, "z", true
	mustRegister(t, table, slave)
	v := table.View()
	b, _ := v.Broker([]byte(slave.BrokerName))
	m := b.members.get(1)
	if b.EnableActingMaster || b.HasZoneName || !m.EnableActingMaster || m.ZoneName != "z" || !m.HasZoneName {
		t.Errorf("broker %+v, member %+v", b, m)
	}
	l, _ := v.Live([]byte(slave.Cluster), []byte("s"))
	if l.TimeoutMillis != 4_000 || l.HAServerAddr != "ha" || l.Conn != 5 || l.LastUpdateMillis() != 1 || !l.Trusted() || l.Key() != (BrokerKey{slave.Cluster, "s"}) {
		t.Errorf("live entry %+v", l)
	}
	table.RegistrationMissed(8, []byte(slave.Cluster), []byte("s"), 9)
	if l.LastUpdateMillis() != 8 || l.Trusted() {
		t.Errorf("live entry %+v, heard of at %d, trusted: %v", l, l.LastUpdateMillis(), l.Trusted())
	}
	table.ForgetConn(5)
	if now, _ := table.View().Live([]byte(slave.Cluster), []byte("s")); now.Conn != 0 || l.Conn != 5 {
		t.Errorf("connection %d in the new View, %d in the old", now.Conn, l.Conn)
	}
	var texts []string
	for c := range Diff(v, table.View()).Live() {
		texts = append(texts, fmt.Sprint(c.Key, c.Old.Conn, c.New.Conn))
	}
	if got := strings.Join(texts, "; "); got != fmt.Sprint(BrokerKey{slave.Cluster, "s"}, 5, 0) {
		t.Errorf("changes %q", got)
	}
}

// BenchmarkDiff finds one changed topic among ever more.
func BenchmarkDiff(b *testing.B) {
	for _, topics := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			t := benchTable(topics)
			before := t.View()
			t.DeleteTopic(string(benchTopic(rand.IntN(topics))))
			after := t.View()
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for range Diff(before, after).Topics() {
					n++
				}
				if n != 1 {
					b.Fatalf("%d changes", n)
				}
			}
		})
	}
}

// TestDiffOfWhatIsAsItWas: what changed and changed back is not told of, but a
// live entry that left and came back is another one; a zone that is empty is not
// none.
func TestDiffOfWhatIsAsItWas(t *testing.T) {
	table := registered(t, 1, 2)
	r := func() *Registration { return benchRegistration(0, benchBody(0, 2, 1, never)) }
	before := table.View()
	zoned := r()
	zoned.HasZoneName = true
	mustRegister(t, table, zoned)
	between := table.View()
	n := 0
	for c := range Diff(before, between).Brokers() {
		for m := range c.Members() {
			if n++; m.Old.HasZoneName || !m.New.HasZoneName {
				t.Errorf("member was %+v, is %+v", m.Old, m.New)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d members have another zone, want 1", n)
	}
	mustRegister(t, table, r())
	if after := table.View(); after.brokers == before.brokers {
		t.Fatal("the broker has not changed")
	} else if n := Diff(before, after).changes(); n != 0 {
		t.Errorf("%d changes, want none", n)
	}
	before = table.View()
	table.UnregisterBrokers(Unregistration{r().Cluster, r().BrokerName, r().BrokerAddr})
	mustRegister(t, table, r())
	lives := 0
	for range Diff(before, table.View()).Live() {
		lives++
	}
	if n := Diff(before, table.View()).changes(); lives != 1 || n != 1 {
		t.Errorf("%d changes, %d of live entries, want the live entry alone", n, lives)
	}
}
