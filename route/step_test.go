package route

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// stepped lets every change of table rest after each step, and calls between
// there.
func stepped(table *Table, between func()) { table.betweenSteps = between }

// boundless are limits that nothing here goes beyond.
var boundless = Limits{FilterServersPerBroker: unlimited, BrokersPerConn: unlimited, ClustersPerAddr: unlimited, IDsPerName: unlimited}

// TestLargeChangesAreCut carries out large changes. Each is cut into steps of
// bounded work, and between two of them everything holds.
func TestLargeChangesAreCut(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	const topics = 6_000
	withTopics := func(t *testing.T) *Table {
		table := New(Options{})
		mustRegister(t, table, benchRegistration(0, benchBody(0, topics, 1, never)))
		mustRegister(t, table, benchRegistration(1, benchBody(0, topics/2, 1, never)))
		return table
	}
	withBrokers := func(t *testing.T) *Table {
		table := New(Options{Limits: boundless})
		for i := range topics / 4 {
			numbered(t, table, i, func(r *Registration) { r.EnableActingMaster = true })
		}
		return table
	}
	for _, c := range []struct {
		name  string
		table func(*testing.T) *Table
		do    func(*Table)
		steps int // at least
	}{
		{"first registration", func(*testing.T) *Table { return New(Options{}) }, func(table *Table) {
			mustRegister(t, table, benchRegistration(0, benchBody(0, topics, 1, never)))
		}, 2},
		{"all topics change", withTopics, func(table *Table) {
			mustRegister(t, table, benchRegistration(0, benchBody(0, topics, 2, always)))
		}, 2},
		{"all topics go", withTopics, func(table *Table) {
			r := benchRegistration(0, benchBody(0, 2, 2, never))
			r.DeleteMissingTopics = true
			mustRegister(t, table, r)
		}, 2},
		{"wipe", withTopics, func(table *Table) { table.WipeWritePermOfBroker("broker-00000") }, 2},
		{"unregister", withTopics, func(table *Table) {
			table.UnregisterBrokers(Unregistration{"cluster-0", "broker-00000", "10.0.0.0:10911"})
		}, 2},
		{"the master of a slave leaves", func(t *testing.T) *Table {
			table := withTopics(t)
			r := benchRegistration(0, benchBody(0, 0, 1, never))
			r.BrokerID, r.BrokerAddr, r.EnableActingMaster, r.OldVersion = 1, "s", true, false
			mustRegister(t, table, r)
			return table
		}, func(table *Table) {
			table.UnregisterBrokers(Unregistration{"cluster-0", "broker-00000", "10.0.0.0:10911"})
		}, 2},
		{"connection of many brokers closes", withBrokers, func(table *Table) { table.ConnClosed(1) }, 2},
		{"many brokers expire", withBrokers, func(table *Table) { table.ScanNotActiveBroker(1e9) }, 2},
		{"connection of many clusters closes", func(t *testing.T) *Table {
			table := New(Options{Limits: boundless})
			clusters(t, table, topics/4)
			return table
		}, func(table *Table) { table.ConnClosed(1) }, 2},
		{"connection of many IDs closes", func(t *testing.T) *Table {
			table := New(Options{Limits: boundless})
			for i := range topics / 4 {
				numbered(t, table, i, func(r *Registration) { r.BrokerName, r.BrokerID = "b", int64(i) })
			}
			return table
		}, func(table *Table) { table.ConnClosed(1) }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := c.table(t)
			table.heaviest = 0
			steps := 0
			stepped(table, func() {
				steps++
				if err := table.CheckInvariants(); err != nil {
					t.Errorf("after step %d: %v", steps, err)
				}
			})
			c.do(table)
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
			const one = 32 // the work of one thing more
			if steps < c.steps || table.heaviest > stepWork+one {
				t.Errorf("%d rests, %d work in a step, want at least %d, at most %d", steps, table.heaviest, c.steps, stepWork+one)
			}
		})
	}
}

// TestRestsOnlyForOthers: nobody waits, so that the steps are one, and readers see
// one change.
func TestRestsOnlyForOthers(t *testing.T) {
	table := New(Options{})
	before := table.edition
	mustRegister(t, table, benchRegistration(0, benchBody(0, 10_000, 1, never)))
	if got := table.edition - before; got != 1 {
		t.Errorf("%d Views published, want 1", got)
	}
}

// TestLockKnowsWhoWaits: a change that has done enough lets in whoever waits.
func TestLockKnowsWhoWaits(t *testing.T) {
	table := New(Options{})
	table.mu.Lock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		table.WipeWritePermOfBroker("b")
	}()
	for table.mu.waiting.Load() == 0 {
		runtime.Gosched() // it has to wait, and will
	}
	table.work = stepWork
	for table.due() {
		table.flush()
		table.work = stepWork
	}
	<-done
	table.mu.Unlock()
}

// TestRegistrationInSteps looks at what others see while a registration is
// applied: the broker is there, its topics come, and nobody may rely on its data
// version until all have come.
func TestRegistrationInSteps(t *testing.T) {
	const topics = 20
	table := New(Options{})
	table.stepWork = 1
	r := benchRegistration(0, benchBody(0, topics, 7, never))
	r.BodyHash = 99
	last := 0
	stepped(table, func() {
		v := table.View()
		li, ok := v.Live([]byte(r.Cluster), []byte(r.BrokerAddr))
		if !ok || !li.NullDataVersion || !li.IsBrokerTopicConfigChanged(r.Body.DataVersion) {
			t.Errorf("live entry %+v, want one whose data version nobody may rely on", li)
		}
		if _, ok := v.Broker([]byte(r.BrokerName)); !ok || v.TopicCount() < last {
			t.Errorf("broker shown: %v, %d topics after %d", ok, v.TopicCount(), last)
		}
		last = v.TopicCount()
		if _, ok := table.RegisterUnchanged(1, r); ok {
			t.Error("recognised as unchanged before it is applied")
		}
	})
	mustRegister(t, table, r)
	if last == 0 || last > topics {
		t.Errorf("%d topics were seen in the last rest", last)
	}
	if li, _ := table.View().Live([]byte(r.Cluster), []byte(r.BrokerAddr)); li.IsBrokerTopicConfigChanged(r.Body.DataVersion) {
		t.Error("the data version is not shown in the end")
	}
	if _, ok := table.RegisterUnchanged(1, r); !ok {
		t.Error("not recognised as unchanged in the end")
	}
}

// TestRegistrationDisturbed deletes a topic that a registration has applied,
// between two of its steps: the same registration brings it back.
func TestRegistrationDisturbed(t *testing.T) {
	table := New(Options{})
	table.stepWork = 1
	r := benchRegistration(0, benchBody(0, 20, 7, never))
	r.BodyHash = 99
	deleted := false
	stepped(table, func() {
		if _, ok := table.View().Topic(benchTopic(3)); ok && !deleted {
			deleted = true
			table.DeleteTopic(string(benchTopic(3)))
		}
	})
	mustRegister(t, table, r)
	if _, ok := table.View().Topic(benchTopic(3)); ok || !deleted {
		t.Fatalf("deleted %v, topic there %v", deleted, ok)
	}
	if _, ok := table.RegisterUnchanged(1, r); ok {
		t.Error("recognised as unchanged although a topic has gone")
	}
	mustRegister(t, table, r)
	if _, ok := table.View().Topic(benchTopic(3)); !ok {
		t.Error("the topic does not come back")
	}
}

// TestGoneAtOnce: in the moment in which a set loses its last member it is gone
// from every answer, however long its topics take.
func TestGoneAtOnce(t *testing.T) {
	const topics = 20
	table := New(Options{})
	mustRegister(t, table, benchRegistration(0, benchBody(0, topics, 1, never)))
	mustRegister(t, table, benchRegistration(1, benchBody(0, topics/2, 1, never)))
	// Routes that were encoded before must not show it either.
	for i := range topics {
		mustRoute(t, table.View(), benchTopic(i), codec.DialectLegacy)
	}
	want := New(Options{})
	mustRegister(t, want, benchRegistration(1, benchBody(0, topics/2, 1, never)))
	table.stepWork = 1
	rests := 0
	stepped(table, func() {
		rests++
		v, w := table.View(), want.View()
		if got, want := string(v.ClusterInfo()), string(w.ClusterInfo()); got != want {
			t.Fatalf("clusters %s, want %s", got, want)
		}
		if got, want := string(v.AllTopicList()), string(w.AllTopicList()); got != want {
			t.Fatalf("topics %s, want %s", got, want)
		}
		if got, want := string(v.TopicsByUnit(UnitSubTopics)), string(w.TopicsByUnit(UnitSubTopics)); got != want {
			t.Fatalf("unit topics %s, want %s", got, want)
		}
		if got, want := string(v.TopicsByCluster("cluster-0")), string(w.TopicsByCluster("cluster-0")); got != want {
			t.Fatalf("topics of the cluster %s, want %s", got, want)
		}
		for i := range topics {
			e, ok := v.Topic(benchTopic(i))
			if _, want := w.Topic(benchTopic(i)); ok != want {
				t.Fatalf("topic %d is shown: %v, want %v", i, ok, want)
			}
			if !ok {
				continue
			}
			if got, want := string(v.RouteBody(e, codec.DialectLegacy, false)), string(mustRoute(t, w, benchTopic(i), codec.DialectLegacy)); got != want {
				t.Fatalf("route %s, want %s", got, want)
			}
		}
	})
	table.UnregisterBrokers(Unregistration{"cluster-0", "broker-00000", "10.0.0.0:10911"})
	if rests < topics/2 {
		t.Errorf("%d rests, want one per topic", rests)
	}
}

// TestBackBeforeSwept registers a broker again while its topics are swept: it
// finds its routes as the new registration says.
func TestBackBeforeSwept(t *testing.T) {
	table := New(Options{})
	mustRegister(t, table, benchRegistration(0, benchBody(0, 20, 1, never)))
	table.stepWork = 1
	rests := 0
	stepped(table, func() {
		if rests++; rests != 3 {
			return
		}
		mustRegister(t, table, benchRegistration(0, benchBody(10, 20, 1, always)))
		if n := table.View().TopicCount(); n != 20 {
			t.Errorf("%d topics once the broker is back, want 20", n)
		}
	})
	table.UnregisterBrokers(Unregistration{"cluster-0", "broker-00000", "10.0.0.0:10911"})
	want := New(Options{})
	mustRegister(t, want, benchRegistration(0, benchBody(10, 20, 1, always)))
	if got, want := string(table.View().AllTopicList()), string(want.View().AllTopicList()); got != want || rests < 3 {
		t.Errorf("%d rests, topics %s, want %s", rests, got, want)
	}
}

// TestLimitsBetweenSteps lets others take room while a registration is applied.
// What it has been judged to need is not theirs; what they delete meanwhile is,
// and then it is short of room, so that its broker sends all again.
func TestLimitsBetweenSteps(t *testing.T) {
	const most = 20
	start := func() *Table {
		table := New(Options{Limits: Limits{Topics: most}})
		table.stepWork = 1
		return table
	}
	all := benchRegistration(0, benchBody(0, most, 7, never))
	other := benchRegistration(1, benchBody(100, 10, 7, never))
	// within calls do in the third rest at which the broker of all is shown, or is not.
	within := func(table *Table, shown bool, do func()) {
		rests, busy := 0, false
		stepped(table, func() {
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
			if _, ok := table.View().Broker([]byte(all.BrokerName)); busy || ok != shown {
				return
			}
			if rests++; rests == 3 {
				busy = true
				do()
				busy = false
			}
		})
		t.Cleanup(func() {
			if rests < 3 {
				t.Errorf("%d rests, want 3", rests)
			}
		})
	}
	refused := func(err error) {
		t.Helper()
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Limit != LimitTopics {
			t.Errorf("error %v, want one of LimitTopics", err)
		}
	}
	trusted := func(table *Table, r *Registration) bool {
		li, ok := table.View().Live([]byte(r.Cluster), []byte(r.BrokerAddr))
		return ok && !li.IsBrokerTopicConfigChanged(r.Body.DataVersion)
	}
	leave := func(table *Table, r *Registration) {
		table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
	}

	t.Run("promised", func(t *testing.T) {
		table := start()
		within(table, true, func() {
			_, err := table.RegisterBroker(1, other)
			refused(err)
			_, err = table.RegisterTopic("new", []codec.QueueData{{BrokerName: all.BrokerName}})
			refused(err)
		})
		mustRegister(t, table, all)
		if n := table.View().TopicCount(); n != most || !trusted(table, all) {
			t.Errorf("%d topics, want %d, trusted %v", n, most, trusted(table, all))
		}
	})
	t.Run("short", func(t *testing.T) {
		table := start()
		twin := benchRegistration(2, benchBody(0, most, 7, never))
		mustRegister(t, table, twin)
		within(table, true, func() {
			leave(table, twin)
			mustRegister(t, table, other)
		})
		mustRegister(t, table, all)
		if err := table.CheckInvariants(); err != nil {
			t.Error(err)
		}
		if n := table.View().TopicCount(); n != most || trusted(table, all) || table.Refusals(LimitTopics) != 1 {
			t.Errorf("%d topics, want %d, trusted %v, %d refusals", n, most, trusted(table, all), table.Refusals(LimitTopics))
		}
		leave(table, other)
		again := benchRegistration(0, benchBody(0, most, 7, never))
		again.Seq = 2
		mustRegister(t, table, again)
		if n := table.View().TopicCount(); n != most || !trusted(table, all) {
			t.Errorf("%d topics again, want %d, trusted %v", n, most, trusted(table, all))
		}
	})
	t.Run("gone", func(t *testing.T) {
		table := start()
		mustRegister(t, table, all)
		within(table, false, func() { mustRegister(t, table, other) })
		leave(table, all)
		if n := table.View().TopicCount(); n != 10 {
			t.Errorf("%d topics, want 10", n)
		}
	})
}

// TestStepsAreSerial lets changes of the same brokers begin between the steps of
// another, with a rest after each topic. Everything holds in every rest, and in
// the end readers are shown what some serial order of the changes gives.
func TestStepsAreSerial(t *testing.T) {
	rests, waits := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		acting := rapid.Bool().Draw(rt, "supportActingMaster")
		h := &history{rt: rt, table: New(Options{}), ref: newReference(acting, Limits{}), now: 1_000_000, real: true}
		h.table.stepWork = 1
		h.replayViews()
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			h.now += int64(pick(h, []int{0, 500, 61_000}, "pause"))
			ops := make([]change, rapid.IntRange(1, 3).Draw(rt, "changes"))
			for i := range ops {
				ops[i] = h.change()
			}
			after := rapid.IntRange(1, 30).Draw(rt, "first rest")
			b := &batch{table: h.table, ops: ops, after: after}
			synctest.Test(t, func(*testing.T) { b.run() })
			rests += b.rests
			waits += b.waits
			if b.fault != nil {
				rt.Fatalf("%v\nin %v", b.fault, ops)
			}
			h.explain(ops)
		}
	})
	t.Logf("%d rests, %d changes had to wait", rests, waits)
	if !raceEnabled && (rests == 0 || waits == 0) {
		t.Error("no change has been disturbed, or none has waited")
	}
}

// A change is one that may be tried on the table and on references.
type change struct {
	text  string
	table func(*Table)
	ref   func(*reference)
}

func (c change) String() string { return c.text }

// change draws a change.
func (h *history) change() change {
	now := h.now
	switch pick(h, []string{"register", "register", "register", "unregister", "close", "scan", "wipe", "delete", "topic", "forget", "miss", "hold"}, "change") {
	case "unregister":
		u := Unregistration{pick(h, randomClusters, "cluster"), pick(h, randomNames, "name"), pick(h, randomAddrs, "addr")}
		return change{fmt.Sprintf("unregister %+v", u), func(t *Table) { t.UnregisterBrokers(u) }, func(f *reference) {
			if k := (BrokerKey{u.Cluster, u.BrokerAddr}); f.live[k] != nil {
				f.unlink(u.BrokerName, k)
			}
		}}
	case "close":
		conn := uint64(rapid.IntRange(1, 4).Draw(h.rt, "conn"))
		return change{fmt.Sprintf("close %d", conn), func(t *Table) { t.ConnClosed(conn) }, func(f *reference) { f.connClosed(conn) }}
	case "forget":
		conn := uint64(rapid.IntRange(1, 4).Draw(h.rt, "conn"))
		return change{fmt.Sprintf("forget %d", conn), func(t *Table) { t.ForgetConn(conn) }, func(f *reference) { f.forgetConn(conn) }}
	case "miss":
		k := BrokerKey{pick(h, randomClusters, "cluster"), pick(h, randomAddrs, "addr")}
		h.seq++
		seq := h.seq
		return change{fmt.Sprintf("miss %v", k), func(t *Table) { t.RegistrationMissed(now, []byte(k.Cluster), []byte(k.Addr), seq) }, func(f *reference) { f.miss(now, k, seq) }}
	case "scan":
		return change{"scan", func(t *Table) { t.ScanNotActiveBroker(now) }, func(f *reference) { f.scan(now) }}
	case "hold":
		return change{"hold", func(t *Table) { t.Suspect(t.Due(now)) }, func(*reference) {}}
	case "wipe":
		name := pick(h, randomNames, "name")
		return change{"wipe " + name, func(t *Table) { t.WipeWritePermOfBroker(name) }, func(f *reference) {
			f.changePerm(name, func(p int32) int32 { return p &^ 2 })
		}}
	case "delete":
		topic := pick(h, randomTopics, "topic")
		return change{"delete " + topic, func(t *Table) { t.DeleteTopic(topic) }, func(f *reference) { f.deleteTopic(topic, "") }}
	case "topic":
		topic := pick(h, randomTopics, "topic")
		q := []codec.QueueData{{BrokerName: pick(h, randomNames, "name"), ReadQueueNums: 3, WriteQueueNums: 3, Perm: 6}}
		return change{fmt.Sprintf("topic %s %+v", topic, q), func(t *Table) { t.RegisterTopic(topic, q) }, func(f *reference) { f.registerTopic(topic, q) }}
	}
	r := h.registration()
	return change{fmt.Sprintf("register %+v over %d, version %+v, %d topics", r.RegistrationHeader, r.Conn, r.Body.DataVersion, len(r.Body.Topics)), func(t *Table) {
		if _, ok := t.RegisterUnchanged(now, r); !ok {
			_, _ = t.RegisterBroker(now, r) // what is refused has changed nothing
		}
	}, func(f *reference) { _, _ = f.register(now, r) }}
}

// A batch begins changes one inside the other.
type batch struct {
	table *Table
	ops   []change
	after int // rests before the next begins

	// Whoever has made inside true may change these.
	inside       atomic.Bool
	fault        error
	begun        int
	rests, waits int
	running      sync.WaitGroup
}

// run ends when all changes have. It runs in a bubble: a change that waits for
// its turn is known to.
func (b *batch) run() {
	left := b.after
	b.table.betweenSteps = func() {
		if !b.inside.CompareAndSwap(false, true) {
			return // another change's rest, while the one before looks on
		}
		defer b.inside.Store(false)
		b.rests++
		if err := b.table.CheckInvariants(); err != nil && b.fault == nil {
			b.fault = err
		}
		if left--; left <= 0 && b.begun < len(b.ops) {
			left = b.after
			b.begin()
		}
	}
	for op := b.next(); op != nil; op = b.next() {
		op(b.table)
		b.running.Wait() // for those that had to wait for op
	}
	b.table.betweenSteps = nil
}

// next returns the next change, nil when all have begun. No change is running.
func (b *batch) next() func(*Table) {
	if b.begun == len(b.ops) {
		return nil
	}
	b.begun++
	return b.ops[b.begun-1].table
}

// begin begins the next change and comes back when it is done or waits.
func (b *batch) begin() {
	op := b.next()
	var done atomic.Bool
	b.running.Go(func() {
		op(b.table)
		done.Store(true)
	})
	synctest.Wait()
	if !done.Load() {
		b.waits++
	}
}

// explain finds the serial order of the changes that gives what readers are
// shown, and makes the reference follow it.
func (h *history) explain(ops []change) {
	var differences []string
	for _, order := range permutations(ops) {
		ref := h.ref.clone()
		for _, op := range order {
			op.ref(ref)
		}
		d := h.difference(ref)
		if d == "" {
			h.ref = ref
			return
		}
		differences = append(differences, fmt.Sprintf("%v: %s", order, d))
	}
	h.rt.Fatalf("no serial order explains what is shown: %q", differences)
}

// permutations returns all orders.
func permutations[T any](of []T) [][]T {
	if len(of) <= 1 {
		return [][]T{of}
	}
	var all [][]T
	for i := range of {
		rest := append(append([]T{}, of[:i]...), of[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]T{of[i]}, p...))
		}
	}
	return all
}

// TestStepLetsGoOfLittle changes topics whose routes are kept: although nobody
// waits, each publishing lets go of a bounded number of routes, since whoever comes
// then waits for that.
func TestStepLetsGoOfLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	const topics = 3 * maxRetiring
	table := wide(t, topics, 1, 0)
	for i := range topics {
		mustRoute(t, table.View(), benchTopic(i), codec.DialectStrict)
		mustRoute(t, table.View(), benchTopic(i), codec.DialectLegacy)
	}
	most, all := 0, 0
	table.viewStored = func() {
		n := len(table.cache.retired)
		most = max(most, n)
		all += n
	}
	mustRegister(t, table, benchRegistration(0, benchBody(0, topics, 2, always)))
	if all != 2*topics || most > maxRetiring+2 {
		t.Errorf("one step lets go of %d routes of %d, want at most %d of %d", most, all, maxRetiring+2, 2*topics)
	}
	mustHold(t, table)
}
