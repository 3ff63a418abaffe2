package route

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gonamesrv/codec"
)

// seen returns the brokers of a route as a horizon shows them: name, ID=address, …
func seen(t testing.TB, v *View, h *Horizon, topic string, f RouteForm) string {
	t.Helper()
	f.Dialect = codec.DialectStrict
	body, err := v.RouteAs(h, []byte(topic), &f)
	if err != nil {
		return err.Error()
	}
	var d codec.TopicRouteData
	if err := d.Decode(body); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var b strings.Builder
	for _, set := range d.BrokerDatas {
		fmt.Fprintf(&b, "%s", set.BrokerName)
		for _, a := range set.BrokerAddrs {
			fmt.Fprintf(&b, " %d=%s", a.ID, a.Addr)
		}
		b.WriteString("; ")
	}
	for _, q := range d.QueueDatas {
		fmt.Fprintf(&b, "q %s; ", q.BrokerName)
	}
	for _, fs := range d.FilterServerTable {
		fmt.Fprintf(&b, "f %s %v; ", fs.Addr, fs.Servers)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// twoSets is a table in which two broker sets serve T, one of them with a slave, and one
// broker has filter servers.
func twoSets(t testing.TB) *Table {
	t.Helper()
	table := New(Options{})
	mustRegister(t, table, limitedRegistration("a", 0, "10.0.0.1:10911", "T", "T2"))
	slave := limitedRegistration("a", 1, "10.0.0.2:10911", "T", "T2")
	mustRegister(t, table, slave)
	b := limitedRegistration("b", 0, "10.0.1.1:10911", "T", "only-b")
	b.Body.FilterServers, b.Body.FilterServersNull = []string{"10.0.1.1:9000", "192.0.2.5:9001"}, false
	mustRegister(t, table, b)
	return table
}

// TestRouteAs rewrites a route by horizons that differ in what they do without a result.
func TestRouteAs(t *testing.T) {
	table := twoSets(t)
	v := table.View()
	before := mustRoute(t, v, []byte("T"), codec.DialectStrict)
	want := string(before)
	for _, tc := range []struct {
		name, topic, rules, missing string
		strict                      bool
		want                        string
	}{
		{
			"by prefix, filter servers too", "T", "from=10.0.0.0/16 to=198.51.0.0/16", "", false,
			"a 0=198.51.0.1:10911 1=198.51.0.2:10911; b 0=198.51.1.1:10911; q a; q b; f 198.51.1.1:10911 [198.51.1.1:9000 192.0.2.5:9001]",
		},
		{
			"by name, filter servers are not brokers", "T", "broker=* to=${broker}-${id}.x:1", "", false,
			"a 0=a-0.x:1 1=a-1.x:1; b 0=b-0.x:1; q a; q b; f b-0.x:1 [10.0.1.1:9000 192.0.2.5:9001]",
		},
		{
			"the others stay", "T", "broker=a id=0 to=x:1", "keep", false,
			"a 0=x:1 1=10.0.0.2:10911; b 0=10.0.1.1:10911; q a; q b; f 10.0.1.1:10911 [10.0.1.1:9000 192.0.2.5:9001]",
		},
		{"the others go", "T", "broker=a id=1 to=x:1", "drop", false, "a 1=x:1; q a"},
		{
			"filter servers go", "T", "broker=a to=a-${id}:1; from=10.0.1.1 to=x", "drop", false,
			"a 0=a-0:1 1=a-1:1; b 0=x:10911; q a; q b; f x:10911 [x:9000]",
		},
		{"all go", "only-b", "broker=a to=x:1", "drop", false, "no broker is left for clients of horizon h"},
		{
			"one is missing", "T", "broker=a id=0 to=x:1", "refuse", false,
			"refused to clients of horizon h: broker a, ID 1: no rule is for it",
		},
		{"none is missing", "only-b", "broker=b to=x:1", "refuse", false, "b 0=x:1; q b; f x:1 []"},
		{"one address for two names", "T", "cluster=c0 id=0 to=${cluster}:1; id=1 to=${broker}z:1", "", false, "a 0=c0:1 1=az:1; b 0=c0:1; q a; q b; f c0:1 [10.0.1.1:9000 192.0.2.5:9001]"},
		{"which is strictly refused", "T", "cluster=c0 id=0 to=${cluster}:1; id=1 to=${broker}z:1", "", true, "refused to clients of horizon h: brokers a and b get the one address c0:1"},
		{"one address for two members", "T", "broker=a to=a:1; broker=b to=b:1", "", true, "a 0=a:1 1=a:1; b 0=b:1; q a; q b; f b:1 [10.0.1.1:9000 192.0.2.5:9001]"},
		{"no such topic", "nothing", "broker=a to=a:1", "", false, ErrNoTopic.Error()},
	} {
		h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, tc.rules), Missing: tc.missing, Strict: tc.strict}).all[0]
		for range 2 { // encoded, then kept
			if got := seen(t, v, h, tc.topic, RouteForm{}); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
			}
		}
	}
	if got := string(mustRoute(t, v, []byte("T"), codec.DialectStrict)); got != want || string(before) != want {
		t.Errorf("the common route has become %s, was %s", got, want)
	}
	mustHold(t, table)
}

// TestHorizonKnowsWhoStandsIn asks for a route in which a slave is shown as master. A rule
// for the master must not send its clients there: the master is gone.
func TestHorizonKnowsWhoStandsIn(t *testing.T) {
	table := New(Options{})
	for i, member := range []struct {
		id   int64
		addr string
	}{{0, "10.0.0.1:10911"}, {1, "10.0.0.2:10911"}, {2, "10.0.0.3:10911"}} {
		r := limitedRegistration("a", member.id, member.addr, "T", "T2")
		r.EnableActingMaster, r.Conn = true, uint64(i+1)
		mustRegister(t, table, r)
	}
	table.ConnClosed(1)
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "broker=a id=0 to=master:1; broker=a to=slave-${id}:1")}).all[0]
	for acting, want := range map[bool]string{true: "a 0=slave-1:1 2=slave-2:1; q a", false: "a 1=slave-1:1 2=slave-2:1; q a"} {
		if got := seen(t, table.View(), h, "T", RouteForm{Acting: acting}); got != want {
			t.Errorf("acting %v: %s, want %s", acting, got, want)
		}
	}
	b, _ := table.View().Broker([]byte("a"))
	if got := fmt.Sprint(b.idsOf([]codec.BrokerAddr{{ID: 2, Addr: "10.0.0.3:10911"}, {ID: 0, Addr: "10.0.0.2:10911"}})); got != "[2 1]" {
		t.Errorf("IDs in another order are %s", got)
	}
}

// TestHorizonAndZone filters a route by zone, then rewrites what is left.
func TestHorizonAndZone(t *testing.T) {
	table := zoned(t, 3)
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "broker=* to=${broker}.x"), Missing: "refuse"}).all[0]
	got := seen(t, table.View(), h, string(benchTopic(0)), RouteForm{InZone: true, Zone: []byte("zone-1")})
	if want := "broker-00001 0=broker-00001.x:10911; q broker-00001"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestHorizonLeavesBrokersAlone asks for the topic by which brokers find each other.
func TestHorizonLeavesBrokersAlone(t *testing.T) {
	table := New(Options{})
	topic := syncBrokerMemberPrefix + "a"
	mustRegister(t, table, limitedRegistration("a", 0, "10.0.0.1:10911", topic, "T"))
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "broker=* to=x:1")}).all[0]
	if got, want := seen(t, table.View(), h, topic, RouteForm{}), "a 0=10.0.0.1:10911; q a"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestListsAs rewrites the lists that show addresses, and makes them again when a broker
// has changed.
func TestListsAs(t *testing.T) {
	table := twoSets(t)
	lists := func(rules, missing string) (info, topics string, h *Horizon) {
		h = horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, rules), Missing: missing}).all[0]
		return list(table.View().ClusterInfoAs(h)), list(table.View().SystemTopicListAs(h)), h
	}
	info, topics, h := lists("broker=* to=${broker}-${id}:1", "")
	const names = `"topicList":["a","b","c0"]`
	if !strings.Contains(info, `"0":"a-0:1"`) && !strings.Contains(info, `0:"a-0:1"`) || strings.Contains(info, "10.0.") || !strings.Contains(info, `"c0":["a","b"]`) {
		t.Errorf("cluster info is %s", info)
	}
	if !strings.Contains(topics, `"brokerAddr":"a-0:1"`) || !strings.Contains(topics, names) {
		t.Errorf("system topics are %s", topics)
	}
	mustRegister(t, table, limitedRegistration("a0", 0, "10.0.2.1:10911", "T", "T2"))
	if info = list(table.View().ClusterInfoAs(h)); !strings.Contains(info, "a0-0:1") {
		t.Errorf("cluster info does not follow: %s", info)
	}
	if info, topics, _ = lists("broker=b to=b:1", "drop"); strings.Contains(info, "10.0.") || !strings.Contains(info, `"c0":["b"]`) ||
		!strings.Contains(topics, `"brokerAddr":"b:1"`) || !strings.Contains(topics, `"topicList":["a","a0","b","c0"]`) {
		t.Errorf("without brokers that have no result: %s, %s", info, topics)
	}
	if info, topics, _ = lists("broker=c to=b:1", "drop"); strings.Contains(topics, "brokerAddr") || strings.Contains(info, "10.0.") {
		t.Errorf("without any: %s, %s", info, topics)
	}
	info, topics, h = lists("broker=b to=b:1", "refuse")
	const refused = "refused to clients of horizon h: broker a, ID 0: no rule is for it"
	if info != refused || topics != refused || h.counts.refused.Load() != 2 || h.counts.requests.Load() != 2 {
		t.Errorf("refused: %s, %s, %+v", info, topics, (&Horizons{all: []*Horizon{h}}).Stats())
	}
	if common := string(table.View().ClusterInfo()); !strings.Contains(common, "10.0.0.1:10911") {
		t.Errorf("the common list has become %s", common)
	}
}

func list(body []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// TestListsAsAreBounded keeps no list that takes more than its share.
func TestListsAsAreBounded(t *testing.T) {
	table := New(Options{HorizonCacheBytes: 64 * listShare})
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "broker=* to=x:1")}).all[0]
	for i := range 2 {
		mustRegister(t, table, limitedRegistration(fmt.Sprint("b", i), 0, fmt.Sprintf("10.0.0.%d:1", i), "T", "T2"))
		for range 2 {
			if body, err := table.View().ClusterInfoAs(h); err != nil || len(body) <= 64 || h.lists[listClusterInfo].body != nil {
				t.Fatalf("%d bytes, %v; kept are %d", len(body), err, len(h.lists[listClusterInfo].body))
			}
		}
	}
}

// freshAs is the route of a topic as it would be encoded for clients of h now.
func freshAs(v *View, e *TopicEntry, h *Horizon, f *RouteForm) string {
	return string(v.encodeRoute(nil, e, f, &sight{h: h}))
}

// keptOfHorizons returns how many bytes of routes of horizons a View holds.
func keptOfHorizons(v *View) (bytes int64) {
	for e := range v.topics.all {
		_, of := e.bodies.Load().size()
		bytes += of
	}
	return bytes
}

// TestHorizonsUnderChurn reads routes as several horizons show them while brokers come and
// go and topics change. What is kept is always what would be encoded anew.
func TestHorizonsUnderChurn(t *testing.T) {
	const topics = 6
	rounds := 1500
	if raceEnabled {
		rounds = 400
	}
	table := New(Options{HorizonCacheBytes: 60_000, CacheBytes: 60_000}) // not enough for all
	for i := range 3 {
		mustRegister(t, table, benchRegistration(i, benchBody(0, topics, 1, never)))
	}
	hs := horizons(t,
		HorizonRules{Name: "names", Match: everybody, Rewrite: rulesOf(t, "broker=* to=${broker}-${id}.example.com:+1")},
		HorizonRules{Name: "drops", Match: everybody, Rewrite: rulesOf(t, "broker=broker-00001 id=0 to=x:1"), Missing: "drop"},
		HorizonRules{Name: "refuses", Match: everybody, Rewrite: rulesOf(t, "id=0 to=${broker}:1"), Missing: "refuse"},
	).all
	var checked atomic.Int64
	// check reads one route of the newest View. Readers of older ones may be shown later
	// states of brokers, as always.
	check := func(r *rand.Rand) {
		v := table.View()
		topic := benchTopic(r.IntN(topics))
		h := hs[r.IntN(len(hs))]
		f := RouteForm{Dialect: codec.Dialect(r.IntN(2)), Acting: r.IntN(8) == 0}
		if r.IntN(4) == 0 {
			f.HasOrderTopicConf, f.OrderTopicConf = true, fmt.Sprint("b:", r.IntN(3))
		}
		e, ok := v.Topic(topic)
		body, err := v.RouteAs(h, topic, &f)
		got := string(body)
		var refusal *HorizonRefusal
		if errors.As(err, &refusal) {
			got = refusal.Why
		}
		if table.View() != v {
			return
		}
		if ok == errors.Is(err, ErrNoTopic) {
			t.Errorf("%s is there: %v; %v", topic, ok, err)
		} else if ok && got != freshAs(v, e, h, &f) {
			t.Errorf("horizon %s: %s, want %s", h.name, got, freshAs(v, e, h, &f))
		}
		checked.Add(1)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for n := range 2 {
		wg.Go(func() {
			for r := rand.New(rand.NewPCG(1, uint64(n))); ; {
				select {
				case <-stop:
					return
				default:
					check(r)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(2, 2))
	for i := range rounds {
		b := r.IntN(3)
		switch r.IntN(4) {
		case 0:
			slave := benchRegistration(b, benchBody(0, topics, int64(i), never))
			slave.BrokerID, slave.BrokerAddr, slave.Conn = 1, fmt.Sprintf("10.9.0.%d:%d", b, 1+r.IntN(2)), uint64(100+b)
			mustRegister(t, table, slave)
		case 1:
			table.ConnClosed(uint64(100 + b))
		case 2:
			mustRegister(t, table, benchRegistration(b, benchBody(r.IntN(2), topics-1, int64(i), func(int) bool { return r.IntN(2) == 0 })))
		case 3:
			table.SweepBodies()
		}
		for range 4 {
			check(r)
			mustShowItsOwn(t, table.View(), benchTopic(r.IntN(topics)))
		}
		if t.Failed() {
			break
		}
		if i%100 == 0 {
			mustHold(t, table)
		}
	}
	close(stop)
	wg.Wait()
	mustHold(t, table)
	common, _ := table.CachedBytes()
	if checked.Load() < int64(rounds*4) {
		t.Errorf("only %d routes were checked", checked.Load())
	}
	if st := table.Stats(); st.HorizonCachedBytes != keptOfHorizons(table.View()) || common != kept(table.View()) {
		t.Errorf("%d and %d bytes are counted, %d and %d kept", common, st.HorizonCachedBytes, kept(table.View()), keptOfHorizons(table.View()))
	} else if st.HorizonCachedBytes > st.HorizonCacheLimit {
		t.Errorf("%d bytes are kept, %d may be", st.HorizonCachedBytes, st.HorizonCacheLimit)
	}
}

// TestHorizonsShareNoRoom fills the room of horizons: what is kept of common routes stays,
// and the sweep takes none of them. SweepHorizons takes all of theirs.
func TestHorizonsShareNoRoom(t *testing.T) {
	const topics = 200
	table := New(Options{HorizonCacheBytes: 20_000})
	mustRegister(t, table, benchRegistration(0, benchBody(0, topics, 1, never)))
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "broker=* to=x:1")}).all[0]
	v := table.View()
	for i := range topics {
		mustRoute(t, v, benchTopic(i), codec.DialectStrict)
	}
	before, _ := table.CachedBytes()
	read := func() {
		for i := range topics {
			if _, err := v.RouteAs(h, benchTopic(i), &RouteForm{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	read()
	st := table.Stats()
	if st.HorizonCachedBytes == 0 || st.HorizonCachedBytes > 20_000 || st.HorizonCacheMisfits == 0 || st.CacheMisfits != 0 {
		t.Errorf("%+v", st)
	}
	table.SweepBodies()
	swept := table.Stats().HorizonCachedBytes
	if got, _ := table.CachedBytes(); got != before || indexed(table) != topics {
		t.Errorf("%d bytes of common routes are left of %d, %d are indexed", got, before, indexed(table))
	}
	if swept >= st.HorizonCachedBytes || swept < st.HorizonCachedBytes*3/4 {
		t.Errorf("%d bytes of horizons are left of %d", swept, st.HorizonCachedBytes)
	}
	if read(); table.Stats().HorizonCachedBytes <= swept {
		t.Error("nothing is kept any more")
	}
	table.SweepHorizons()
	table.SweepBodies()
	if got := table.Stats().HorizonCachedBytes; got != 0 {
		t.Errorf("%d bytes are left of horizons", got)
	}
	mustHold(t, table)
}

// TestReadAsAllocatesNothing reads a route that is kept for a horizon.
func TestReadAsAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	table := twoSets(t)
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "broker=* to=x-${id}:1")}).all[0]
	v, topic := table.View(), []byte("T")
	read := func() {
		if _, err := v.RouteAs(h, topic, &RouteForm{}); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(100, read); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkRouteAs reads a route as a horizon shows it.
func BenchmarkRouteAs(b *testing.B) {
	const topics = 10_000
	table := benchTable(topics)
	h := horizons(b, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(b, "broker=* to=${broker}.example.com")}).all[0]
	names := make([][]byte, topics)
	for i := range names {
		names[i] = benchTopic(i)
	}
	v, f := table.View(), RouteForm{Dialect: codec.DialectStrict}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := v.RouteAs(h, names[i%topics], &f); err != nil {
			b.Fatal(err)
		}
	}
}
