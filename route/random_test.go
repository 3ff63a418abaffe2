package route

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// TestTableAgainstReference runs random histories against Table and against
// the plain maps of reference_test.go. After every step the invariants hold,
// and readers are shown the same, byte for byte.
func TestTableAgainstReference(t *testing.T) {
	registrations, unchanged, known := 0, 0, 0
	var warm Warmth
	var refused [limitCount]int64
	rapid.Check(t, func(rt *rapid.T) {
		acting := rapid.Bool().Draw(rt, "supportActingMaster")
		limits := randomLimits(rt)
		cache := rapid.SampledFrom([]int64{0, 16 << 10}).Draw(rt, "cache")
		h := &history{rt: rt, table: New(Options{Limits: limits, CacheBytes: cache}), ref: newReference(acting, limits), now: 1_000_000}
		if rapid.Bool().Draw(rt, "in steps") {
			h.table.stepWork = 1
			h.table.betweenSteps = func() {
				if err := h.table.CheckInvariants(); err != nil {
					rt.Fatal(err)
				}
				if err := h.table.View().Save(h.now).Validate(); err != nil {
					rt.Fatal(err)
				}
				if d := digestDifference(h.table.View()); d != "" {
					rt.Fatal(d)
				}
			}
		}
		h.replayViews()
		if rapid.IntRange(0, 3).Draw(rt, "crowded") == 0 {
			h.crowd()
		}
		steps := rapid.IntRange(1, 50).Draw(rt, "steps")
		for range steps {
			h.step()
			h.compare()
		}
		registrations += h.registrations
		unchanged += h.unchanged
		known += h.known
		h.count()
		warm.Known += h.warm.Known
		warm.Confirmed += h.warm.Confirmed
		warm.Heard += h.warm.Heard
		warm.Gone += h.warm.Gone
		warm.Dropped += h.warm.Dropped
		for l := range limitCount {
			refused[l] += h.table.Refusals(l)
		}
	})
	t.Logf("%d of %d registrations recognised as unchanged, %d in part", unchanged, registrations, known)
	if !raceEnabled && (unchanged == 0 || known == 0) {
		t.Error("no registration was recognised: that path has not been tried")
	}
	t.Logf("restored, and what became of it: %+v", warm)
	if !raceEnabled && warm.Confirmed == 0 { // the stories have the rest for certain
		t.Error("no broker of a restored table was confirmed")
	}
	for l, n := range refused { // TestLimits has each of them for certain
		t.Logf("%v: %d refused", Limit(l), n)
	}
}

// randomLimits are none, or such as random histories go beyond.
func randomLimits(rt *rapid.T) (l Limits) {
	if rapid.Bool().Draw(rt, "unlimited") {
		return l
	}
	some := func(label string, field *int, most int) {
		if rapid.IntRange(0, 3).Draw(rt, label+" limited") == 0 {
			*field = rapid.IntRange(1, most).Draw(rt, label)
		}
	}
	some("topics", &l.Topics, 45)
	some("brokers", &l.Brokers, 8)
	some("entries", &l.Entries, 120)
	some("filter servers", &l.FilterServersPerBroker, 1)
	some("brokers of a connection", &l.BrokersPerConn, 3)
	some("clusters", &l.ClustersPerAddr, 2)
	some("IDs", &l.IDsPerName, 3)
	return l
}

// A history is one random run.
type history struct {
	rt    *rapid.T
	table *Table
	ref   *reference
	now   int64
	sent  []*Registration
	seq   uint64

	// real brokers are what the rule of step.go speaks of: each address has one name
	// and one cluster, bodies map no other name and list no topic twice, and no
	// time-out is negative.
	real bool

	registrations, unchanged, known int

	view   *View // at the last comparison, of the same Table
	replay replay
	fault  string // of a View, beside what is replayed

	warm Warmth // of all tables that were restored
}

var (
	randomClusters = []string{"c1", "c2", "c3"}
	randomNames    = []string{"b1", "b2", "b3", "b4"}
	randomIDs      = []int64{0, 1, 2, 10, 200}
	randomAddrs    = []string{"a1", "a2", "a3", "a4", "a5", "a6"}
	randomTopics   = []string{"T0", "T1", "T2", "T3", "rmq_sys_SYNC_BROKER_MEMBER_b1"}
	fillerTopics   = fillers(40)
	randomTimeouts = []int64{120_000, 120_000, 10_000, 0, -5}
)

func pick[T any](h *history, from []T, label string) T {
	return rapid.SampledFrom(from).Draw(h.rt, label)
}

func (h *history) step() {
	h.now += int64(pick(h, []int{0, 1, 500, 9_000, 61_000}, "pause"))
	switch pick(h, []string{"register", "register", "register", "repeat", "repeat", "bump", "bump", "unregister", "close", "lose", "miss", "heartbeat", "scan", "hold", "command", "query", "query", "restart"}, "step") {
	case "register":
		h.register(h.registration())
	case "repeat":
		if len(h.sent) > 0 {
			r := *pick(h, h.sent, "again")
			r.Conn = uint64(rapid.IntRange(0, 4).Draw(h.rt, "conn"))
			h.register(&r)
		}
	case "bump":
		if len(h.sent) > 0 {
			h.register(h.bumped(pick(h, h.sent, "next of")))
		}
	case "unregister":
		u := Unregistration{pick(h, randomClusters, "cluster"), pick(h, randomNames, "name"), pick(h, randomAddrs, "addr")}
		h.table.UnregisterBrokers(u)
		if k := (BrokerKey{u.Cluster, u.BrokerAddr}); h.ref.live[k] != nil {
			h.ref.unlink(u.BrokerName, k)
		}
	case "close":
		conn := uint64(rapid.IntRange(1, 4).Draw(h.rt, "conn"))
		h.table.ConnClosed(conn)
		h.ref.connClosed(conn)
	case "lose":
		conn := uint64(rapid.IntRange(1, 4).Draw(h.rt, "conn"))
		h.table.ForgetConn(conn)
		h.ref.forgetConn(conn)
	case "miss":
		h.seq++
		k := BrokerKey{pick(h, randomClusters, "cluster"), pick(h, randomAddrs, "addr")}
		if n := len(h.sent); n > 0 && rapid.Bool().Draw(h.rt, "of the last") {
			k = BrokerKey{h.sent[n-1].Cluster, h.sent[n-1].BrokerAddr}
		}
		h.table.RegistrationMissed(h.now, []byte(k.Cluster), []byte(k.Addr), h.seq)
		h.ref.miss(h.now, k, h.seq)
	case "restart":
		h.restart()
	case "query":
		k := BrokerKey{pick(h, randomClusters, "cluster"), pick(h, randomAddrs, "addr")}
		dv := codec.DataVersion{Timestamp: 7}
		if l := h.ref.live[k]; l != nil && rapid.IntRange(0, 4).Draw(h.rt, "the same") > 0 {
			dv = l.dv
		}
		_, got := h.table.QueryDataVersion(h.now, []byte(k.Cluster), []byte(k.Addr), dv, false)
		if want := h.ref.query(h.now, k, dv); got != want {
			h.rt.Fatalf("query of %v with %+v: changed %v, want %v", k, dv, got, want)
		}
	case "heartbeat":
		k := BrokerKey{pick(h, randomClusters, "cluster"), pick(h, randomAddrs, "addr")}
		l := h.ref.live[k]
		if got, want := h.table.Heartbeat(h.now, []byte(k.Cluster), []byte(k.Addr)), l != nil; got != want {
			h.rt.Fatalf("Heartbeat(%v) = %v, want %v", k, got, want)
		}
		if l != nil {
			l.last = h.now
		}
	case "scan":
		h.table.ScanNotActiveBroker(h.now)
		h.table.SweepBodies()
		h.ref.scan(h.now)
		h.now++ // who waits for its window is looked at once in a millisecond
	case "hold":
		due := h.table.Due(h.now)
		if got, want := len(due), len(h.ref.silent(h.now)); got != want {
			h.rt.Fatalf("%d brokers are due, want %d", got, want)
		}
		h.table.Suspect(due)
		h.now++
	default:
		h.command(pick(h, []string{"wipe", "add", "topic", "delete"}, "command"))
	}
}

// restart lets another Table go on with what this one knows.
func (h *history) restart() {
	saved := h.table.View().Save(h.now)
	age := pick(h, []int64{0, 20_000, 300_000}, "age")
	h.now += age
	old := h.table
	h.count()
	table, err := Restore(Options{Journal: old.journal, Limits: old.limits, CacheBytes: old.cache.most, MostSilentMillis: math.MaxInt64}, saved, h.now, age)
	if err != nil {
		h.rt.Fatal(err)
	}
	if d := viewDifference(old.View(), table.View()); d != "" {
		h.rt.Fatal(d)
	}
	if got, want := table.View().Digest(), old.View().Digest(); got != want {
		h.rt.Fatalf("digest of the restored table is %x, want %x", got, want)
	}
	h.view = nil // of the old Table
	table.stepWork, table.betweenSteps, table.viewStored = old.stepWork, old.betweenSteps, old.viewStored
	h.table = table
	h.ref.restart(h.now)
	if rapid.Bool().Draw(h.rt, "serving later") {
		h.now += 3_000
		table.Serving(h.now)
		for _, l := range h.ref.live {
			l.until += 3_000
		}
	}
}

// count adds up what became of a restored table.
func (h *history) count() {
	w := h.table.Warmth()
	h.warm.Known += w.Known
	h.warm.Confirmed += w.Confirmed
	h.warm.Heard += w.Heard
	h.warm.Gone += w.Gone
	h.warm.Dropped += w.Dropped
}

// command does what an operator may.
func (h *history) command(what string) {
	name, topic := pick(h, randomNames, "name"), pick(h, randomTopics, "topic")
	switch what {
	case "wipe":
		if got, want := h.table.WipeWritePermOfBroker(name), h.ref.changePerm(name, func(p int32) int32 { return p &^ 2 }); got != want {
			h.rt.Fatalf("wipe of %s: %d topics, want %d", name, got, want)
		}
	case "add":
		if got, want := h.table.AddWritePermOfBroker(name), h.ref.changePerm(name, func(int32) int32 { return 6 }); got != want {
			h.rt.Fatalf("add of %s: %d topics, want %d", name, got, want)
		}
	case "topic":
		q := []codec.QueueData{{BrokerName: name, ReadQueueNums: 3, WriteQueueNums: 3, Perm: 6, TopicSysFlag: pick(h, []int32{0, 1, 2, 3}, "flag")}}
		if rapid.Bool().Draw(h.rt, "second") {
			q = append(q, codec.QueueData{BrokerName: pick(h, randomNames, "other"), Perm: 4})
		}
		if rapid.IntRange(0, 9).Draw(h.rt, "long") == 0 {
			topic = strings.Repeat("y", 512+rapid.IntRange(0, 1).Draw(h.rt, "too long"))
		}
		got, err := h.table.RegisterTopic(topic, q)
		want, wantErr := h.ref.registerTopic(topic, q)
		if got != want || !sameRefusal(err, wantErr) {
			h.rt.Fatalf("topic %s with %+v: %v, %v, want %v, %v", topic, q, got, err, want, wantErr)
		}
	case "delete":
		cluster := pick(h, append([]string{""}, randomClusters...), "cluster")
		if cluster == "" {
			h.table.DeleteTopic(topic)
		} else {
			h.table.DeleteTopicInCluster(topic, cluster)
		}
		h.ref.deleteTopic(topic, cluster)
	}
}

func (h *history) compare() {
	if d := h.digests(); d != "" {
		h.rt.Fatal(d)
	}
	if d := h.difference(h.ref); d != "" {
		h.rt.Fatal(d)
	}
}

// digests says what is wrong with the digests, of whose parts some are remembered.
func (h *history) digests() string {
	old, v := h.view, h.table.View()
	h.view = v
	if d := digestDifference(v); d != "" || old == nil {
		return d
	}
	return digestChange(old, v)
}

// difference says what readers of the table are shown otherwise than ref says.
func (h *history) difference(ref *reference) string {
	if err := h.table.CheckInvariants(); err != nil {
		return err.Error()
	}
	if h.fault != "" {
		return h.fault
	}
	if d := h.replayed(ref); d != "" {
		return "replay: " + d
	}
	if d := h.table.saveDifference(h.now); d != "" {
		return d
	}
	v := h.table.View()
	var kept int64
	for e := range v.topics.all {
		common, _ := e.bodies.Load().size()
		kept += common
	}
	if got, _ := h.table.CachedBytes(); got != kept || got > h.table.cache.most {
		return fmt.Sprintf("%d bytes of encoded routes are counted, %d are kept", got, kept)
	}
	for _, topic := range slices.Concat(randomTopics, randomNames, fillerTopics) {
		for _, d := range []codec.Dialect{codec.DialectLegacy, codec.DialectStrict} {
			got, ok := v.Route([]byte(topic), &RouteForm{Dialect: d, Acting: ref.acting})
			if _, there := v.Topic([]byte(topic)); there != ok {
				return fmt.Sprintf("%s is there: %v, has a route: %v", topic, there, ok)
			}
			if want := ref.route(topic, d); string(got) != string(want) {
				return fmt.Sprintf("route of %s\n got %s\nwant %s", topic, got, want)
			}
		}
	}
	if got, want := v.ClusterInfo(), ref.clusterInfo(); string(got) != string(want) {
		return fmt.Sprintf("cluster info\n got %s\nwant %s", got, want)
	}
	if d := listDifference(v, ref); d != "" {
		return d
	}
	for _, c := range randomClusters {
		for _, a := range randomAddrs {
			li, ok := v.Live([]byte(c), []byte(a))
			l := ref.live[BrokerKey{c, a}]
			if ok != (l != nil) || ok && (li.DataVersion != l.dv || li.live.lastUpdate.Load() != l.last || li.live.conn != l.conn || li.live.patched != l.patched || li.State() != ref.state(l)) {
				return fmt.Sprintf("live entry of %s %s: got %+v, want %+v", c, a, li, l)
			}
			if l == nil {
				continue
			}
			for _, dv := range []codec.DataVersion{l.dv, {Counter: -1}} {
				if got, want := li.IsBrokerTopicConfigChanged(dv), ref.changed(BrokerKey{c, a}, dv); got != want {
					return fmt.Sprintf("%s %s with %+v has changed: %v, want %v", c, a, dv, got, want)
				}
			}
		}
	}
	return ""
}

func listDifference(v *View, ref *reference) (difference string) {
	same := func(what string, got, want []byte) {
		if difference == "" && string(got) != string(want) {
			difference = fmt.Sprintf("%s\n got %s\nwant %s", what, got, want)
		}
	}
	same("all topics", v.AllTopicList(), ref.topicList(func(map[string]codec.QueueData) bool { return true }))
	same("system topics", v.SystemTopicList(), ref.systemTopics())
	clusters := ref.lists()
	for _, c := range append([]string{"unknown"}, randomClusters...) {
		same("topics of "+c, v.TopicsByCluster(c), ref.topicList(func(queues map[string]codec.QueueData) bool {
			for name := range queues {
				if clusters[c][name] {
					return true
				}
			}
			return false
		}))
	}
	byFlag := func(flags ...int32) []byte {
		return ref.topicList(func(queues map[string]codec.QueueData) bool {
			return slices.Contains(flags, queues[slices.Min(slices.Collect(maps.Keys(queues)))].TopicSysFlag)
		})
	}
	same("unit topics", v.TopicsByUnit(UnitTopics), byFlag(1, 3))
	same("unit subscriptions", v.TopicsByUnit(UnitSubTopics), byFlag(2, 3))
	same("unit subscriptions without units", v.TopicsByUnit(UnitSubTopicsNoUnits), byFlag(2))
	return difference
}
