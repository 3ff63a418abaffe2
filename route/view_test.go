package route

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
)

// registered is a table with brokers that all serve the topics T0 … T(n-1).
func registered(t testing.TB, brokers, topics int) *Table {
	t.Helper()
	table := New(Options{})
	for i := range brokers {
		mustRegister(t, table, benchRegistration(i, benchBody(0, topics, 1, never)))
	}
	return table
}

func mustRegister(t testing.TB, table *Table, r *Registration) {
	t.Helper()
	if _, err := table.RegisterBroker(1, r); err != nil {
		t.Fatalf("register %s: %v", r.BrokerName, err)
	}
}

func mustRoute(t testing.TB, v *View, topic []byte, d codec.Dialect) []byte {
	t.Helper()
	body, ok := v.Route(topic, &RouteForm{Dialect: d})
	if !ok {
		t.Fatalf("no route for %s", topic)
	}
	return body
}

// TestReadersTakeNoLock reads, for the first time and again, beats hearts and
// lists, all while a writer holds the lock.
func TestReadersTakeNoLock(t *testing.T) {
	table := registered(t, 2, 3)
	table.mu.Lock()
	defer table.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		v := table.View()
		for range 2 {
			for _, d := range []codec.Dialect{codec.DialectLegacy, codec.DialectStrict} {
				e, ok := v.Topic(benchTopic(0))
				if !ok || len(v.RouteBody(e, d, false)) == 0 {
					t.Error("no route")
				}
			}
		}
		if _, ok := v.Topic([]byte("missing")); ok {
			t.Error("a route for a topic that is missing")
		}
		if !table.Heartbeat(5, []byte("cluster-0"), []byte("10.0.0.0:10911")) {
			t.Error("the heartbeat of a live broker is not known")
		}
		if len(v.ClusterInfo()) == 0 || len(v.AllTopicList()) == 0 {
			t.Error("an empty list")
		}
		if g := v.BrokerMemberGroup([]byte("c"), []byte("broker-00000")); len(g.BrokerAddrs) != 1 {
			t.Errorf("members %+v", g)
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("a reader waits for the writer's lock")
	}
}

// TestReadAllocatesNothing reads a route whose body has been encoded, and one
// that is missing; names longer than what a stack buffer would hold.
func TestReadAllocatesNothing(t *testing.T) {
	table := registered(t, 3, 3)
	long := benchBody(0, 2, 1, never)
	for i := range long.Topics {
		long.Topics[i].Name = fmt.Appendf(nil, "%0100d", i)
		long.Topics[i].Key = long.Topics[i].Name
	}
	mustRegister(t, table, benchRegistration(9, long))
	missing := make([]byte, 200)
	cluster, addr := []byte("cluster-0"), []byte("10.0.0.0:10911")
	for _, name := range [][]byte{benchTopic(1), long.Topics[1].Name} {
		mustRoute(t, table.View(), name, codec.DialectStrict)
		got := testing.AllocsPerRun(100, func() {
			v := table.View()
			e, _ := v.Topic(name)
			if len(v.RouteBody(e, codec.DialectStrict, false)) == 0 {
				t.Error("empty route")
			}
			if body, _ := v.Route(name, &RouteForm{Dialect: codec.DialectStrict}); len(body) == 0 {
				t.Error("empty route")
			}
			if _, ok := v.Topic(missing); ok {
				t.Error("a route for a topic that is missing")
			}
			table.Heartbeat(1, cluster, addr)
		})
		if got != 0 {
			t.Errorf("%v allocations per read of %s, want 0", got, name)
		}
	}
}

// entries are the entries of the topics first … first+n-1 as v has them.
func entries(t *testing.T, v *View, n int) []*TopicEntry {
	t.Helper()
	list := make([]*TopicEntry, n)
	for i := range list {
		e, ok := v.Topic(benchTopic(i))
		if !ok {
			t.Fatalf("no topic %s", benchTopic(i))
		}
		list[i] = e
	}
	return list
}

// TestChangeTouchesWhatChanged changes one of 200 topics. All other entries are
// the very same afterwards, with their encoded bodies, and the View from before
// still shows what it showed.
func TestChangeTouchesWhatChanged(t *testing.T) {
	const topics, changed = 200, 77
	table := registered(t, 2, topics)
	before := table.View()
	old := entries(t, before, topics)
	body := mustRoute(t, before, benchTopic(changed), codec.DialectStrict)
	for i := range topics {
		mustRoute(t, before, benchTopic(i), codec.DialectLegacy)
	}
	mustRegister(t, table, benchRegistration(0, benchBody(0, topics, 2, func(i int) bool { return i == changed })))
	after := table.View()
	for i, e := range entries(t, after, topics) {
		if (e == old[i]) == (i == changed) {
			t.Errorf("topic %d: same entry %v", i, e == old[i])
		}
		if i != changed && !slices.Contains(kinds(e), 0) {
			t.Errorf("topic %d: its encoded body is lost", i)
		}
	}
	if got := mustRoute(t, before, benchTopic(changed), codec.DialectStrict); string(got) != string(body) {
		t.Errorf("the View from before the change now shows %s", got)
	}
	if got := mustRoute(t, after, benchTopic(changed), codec.DialectStrict); string(got) == string(body) {
		t.Error("the View after the change still shows the old route")
	}
}

// TestSlaveTouchesNoTopic lets a slave join: no entry is replaced, yet every
// encoded body that a reader gets shows it. (A cache that was rebuilt for
// every topic, inside the registration, took name servers down at 300 brokers
// with 10,000 topics each: RIP-29.)
func TestSlaveTouchesNoTopic(t *testing.T) {
	const topics = 50
	table := registered(t, 1, topics)
	old := entries(t, table.View(), topics)
	for i := range topics {
		mustRoute(t, table.View(), benchTopic(i), codec.DialectLegacy)
	}
	slave := benchRegistration(0, benchBody(0, topics, 1, never))
	slave.BrokerID, slave.BrokerAddr = 1, "10.1.1.1:10911"
	mustRegister(t, table, slave)
	v := table.View()
	for i, e := range entries(t, v, topics) {
		if e != old[i] {
			t.Errorf("topic %d has another entry", i)
		}
		want := `{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.0:10911",1:"10.1.1.1:10911"},"brokerName":"broker-00000","cluster":"cluster-0","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-00000","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}`
		if got := string(mustRoute(t, v, benchTopic(i), codec.DialectLegacy)); got != want {
			t.Fatalf("topic %d: route %s, want %s", i, got, want)
		}
	}
}

// TestBodyStaysWhenOthersChange keeps an encoded body while another broker set
// changes, and gives the same bytes without encoding again.
func TestBodyStaysWhenOthersChange(t *testing.T) {
	table := registered(t, 1, 5)
	first := mustRoute(t, table.View(), benchTopic(0), codec.DialectLegacy)
	mustRegister(t, table, benchRegistration(7, benchBody(100, 2, 1, never)))
	second := mustRoute(t, table.View(), benchTopic(0), codec.DialectLegacy)
	if &first[0] != &second[0] {
		t.Error("the body was encoded again although no broker of the topic has changed")
	}
	v := table.View()
	e, _ := v.Topic(benchTopic(0))
	if got, want := e.bodies.Load().route.stamp.Load(), v.brokers.version; got != want {
		t.Errorf("the next reader will look at every broker of the topic again: stamp %d, want %d", got, want)
	}
}

// TestUnchangedRegistration repeats a registration: it is recognised without
// its body, touches no topic and publishes nothing, unless it comes over another
// connection. Anything that could make it matter again ends that.
func TestUnchangedRegistration(t *testing.T) {
	const topics = 20
	again := func() *Registration {
		r := benchRegistration(0, nil)
		r.BodyHash, r.TimeoutMillis = 99, 1_000
		return r
	}
	setUp := func(t *testing.T) *Table {
		table := registered(t, 1, topics)
		r := again()
		r.Body = benchBody(0, topics, 1, never)
		mustRegister(t, table, r)
		return table
	}
	t.Run("recognised", func(t *testing.T) {
		table := setUp(t)
		before := table.View()
		r := again()
		if _, ok := table.RegisterUnchanged(800, r); !ok {
			t.Fatal("not recognised")
		}
		if table.View() != before {
			t.Error("something was published")
		}
		r.Conn = 77
		if _, ok := table.RegisterUnchanged(900, r); !ok {
			t.Fatal("not recognised over another connection")
		}
		if v := table.View(); v.topics.root != before.topics.root || v.brokers != before.brokers {
			t.Error("more than the connection was published")
		}
		if got := table.ScanNotActiveBroker(1_800); len(got) != 0 {
			t.Errorf("it is no sign of life: %v expired", got)
		}
		if got := table.ConnClosed(77); got != 1 {
			t.Errorf("%d brokers on the new connection, want 1", got)
		}
	})
	slave := benchRegistration(0, benchBody(0, 0, 1, never))
	slave.BrokerID, slave.BrokerAddr = 1, "10.1.1.1:10911"
	spoilers := map[string]func(table *Table, r *Registration){
		"another body":          func(_ *Table, r *Registration) { r.BodyHash = 98 },
		"no hash":               func(_ *Table, r *Registration) { r.BodyHash = 0 },
		"another ID":            func(_ *Table, r *Registration) { r.BrokerID = 1 },
		"another timeout":       func(_ *Table, r *Registration) { r.TimeoutMillis = 2_000 },
		"another zone":          func(_ *Table, r *Registration) { r.ZoneName, r.HasZoneName = "z", true },
		"another HA address":    func(_ *Table, r *Registration) { r.HAServerAddr = "h" },
		"acting master":         func(_ *Table, r *Registration) { r.EnableActingMaster = true },
		"topics may be deleted": func(_ *Table, r *Registration) { r.DeleteMissingTopics = true },
		"a slave has joined":    func(table *Table, _ *Registration) { mustRegister(t, table, slave) },
		"unregistered": func(table *Table, r *Registration) {
			table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
		},
		"a topic has gone": func(table *Table, _ *Registration) {
			table.mu.Lock()
			defer table.unlock()
			table.dropQueue(table.topicByID.get(0), table.set("broker-00000"))
		},
	}
	for name, spoil := range spoilers {
		t.Run(name, func(t *testing.T) {
			table := setUp(t)
			r := again()
			spoil(table, r)
			if _, ok := table.RegisterUnchanged(1, r); ok {
				t.Error("recognised as unchanged")
			}
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUnchangedUnderOtherCluster registers a slave under two clusters, with two
// zones, and repeats the first: it counts, although no reader has seen the
// second yet.
func TestUnchangedUnderOtherCluster(t *testing.T) {
	table := registered(t, 1, 2)
	slave := benchRegistration(0, benchBody(0, 0, 1, never))
	slave.BrokerID, slave.BrokerAddr, slave.BodyHash = 1, "10.1.1.1:10911", 5
	mustRegister(t, table, slave)
	elsewhere := *slave
	elsewhere.Cluster, elsewhere.ZoneName, elsewhere.HasZoneName = "elsewhere", "z", true
	mustRegister(t, table, &elsewhere)
	mustRegister(t, table, slave)
	mustRegister(t, table, &elsewhere)
	if _, ok := table.RegisterUnchanged(1, slave); ok {
		t.Error("recognised as unchanged, although the member has another zone now")
	}
	if _, ok := table.RegisterUnchanged(1, &elsewhere); !ok {
		t.Error("the registration that came last is not recognised")
	}
}

// TestConcurrentReaders reads while brokers come and go. Each answer is of one
// moment: the broker that is always there is in it, with its queues, and every
// broker that has queues has an address.
func TestConcurrentReaders(t *testing.T) {
	table := registered(t, 1, 20)
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := table.View()
				for i := range 20 {
					e, ok := v.Topic(benchTopic(i))
					if !ok {
						t.Error("a topic of the broker that stays is missing")
						return
					}
					var data codec.TopicRouteData
					if err := data.Decode(v.RouteBody(e, codec.DialectStrict, false)); err != nil {
						t.Error(err)
						return
					}
					if len(data.BrokerDatas) != len(data.QueueDatas) || data.BrokerDatas[0].BrokerName != "broker-00000" {
						t.Errorf("torn route %+v", data)
						return
					}
				}
			}
		})
	}
	for w := range 2 {
		writers.Go(func() {
			for i := range 150 {
				r := benchRegistration(1+w, benchBody(0, 20, int64(i), func(n int) bool { return (n+i)%3 == 0 }))
				if _, err := table.RegisterBroker(int64(i), r); err != nil {
					t.Error(err)
				}
				table.Heartbeat(int64(i), []byte(r.Cluster), []byte(r.BrokerAddr))
				if i%4 == 3 {
					table.ConnClosed(r.Conn)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if err := table.CheckInvariants(); err != nil {
		t.Error(err)
	}
}
