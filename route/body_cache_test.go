package route

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"gonamesrv/codec"
)

// kept returns how many bytes of encoded routes a View holds.
func kept(v *View) (bytes int64) {
	for e := range v.topics.all {
		common, _ := e.bodies.Load().size()
		bytes += common
	}
	return bytes
}

// kinds returns of which forms an entry keeps a route, the newest first.
func kinds(e *TopicEntry) (kinds []formKind) {
	for r := range e.bodies.Load().all {
		kinds = append(kinds, r.kind)
	}
	return kinds
}

// wide is a table in which each of so many topics is served by each of so many
// brokers.
func wide(t *testing.T, topics, brokers int, cache int64) *Table {
	t.Helper()
	table := New(Options{CacheBytes: cache})
	for i := range brokers {
		mustRegister(t, table, benchRegistration(i, benchBody(0, topics, 1, never)))
	}
	return table
}

// TestCacheIsBounded asks for each of many wide routes once in each dialect,
// which together take many times what may be kept, and does so again and again.
func TestCacheIsBounded(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	const most = 8 << 20
	table := wide(t, 300, 300, most)
	before := heapInUse()
	sent := 0
	for range 2 {
		for i := range 300 {
			for _, d := range []codec.Dialect{codec.DialectLegacy, codec.DialectStrict} {
				sent += len(mustRoute(t, table.View(), benchTopic(i), d))
			}
			if used, _ := table.CachedBytes(); used > most {
				t.Fatalf("%d bytes are kept, at most %d may be", used, most)
			}
		}
	}
	used, misfits := table.CachedBytes()
	grown := int64(heapInUse()) - int64(before)
	t.Logf("%d MB encoded, %d bytes kept, the heap has grown by %d", sent>>20, used, grown)
	if sent < 4*most || used < most/2 || misfits == 0 {
		t.Error("the cache was never full: the test tests nothing")
	}
	if grown > 2*most {
		t.Errorf("the heap has grown by %d bytes, at most %d are to be kept", grown, most)
	}
	if got := kept(table.View()); got != used {
		t.Errorf("%d bytes are counted, %d are kept", used, got)
	}
	runtime.KeepAlive(table)
}

// TestSweep fills the cache with routes, sweeps, and finds room for others.
func TestSweep(t *testing.T) {
	table := wide(t, 64, 1, 1<<14)
	isKept := func(i int) bool {
		e, _ := table.View().Topic(benchTopic(i))
		return len(kinds(e)) == 1
	}
	for i := range 63 {
		mustRoute(t, table.View(), benchTopic(i), codec.DialectStrict)
	}
	mustRoute(t, table.View(), benchTopic(63), codec.DialectStrict)
	if !isKept(0) || isKept(63) {
		t.Fatal("the cache is not full: the test tests nothing")
	}
	table.SweepBodies()
	if used, _ := table.CachedBytes(); used != 0 || isKept(0) {
		t.Errorf("%d bytes are left", used)
	}
	mustRoute(t, table.View(), benchTopic(63), codec.DialectStrict)
	table.SweepBodies() // nothing has been turned away: nothing is to be done
	if !isKept(63) {
		t.Error("what is asked for is not kept")
	}
}

// TestCacheShare reads a route that is larger than one topic's share.
func TestCacheShare(t *testing.T) {
	table := wide(t, 2, 100, 100<<10) // a route has more than 100 bytes a broker
	for range 2 {
		if len(mustRoute(t, table.View(), benchTopic(0), codec.DialectStrict)) < 100<<10/cacheShare {
			t.Fatal("the route is small: the test tests nothing")
		}
	}
	if used, misfits := table.CachedBytes(); used != 0 || misfits != 2 {
		t.Errorf("%d bytes kept, %d routes not, want none and 2", used, misfits)
	}
}

// TestRetiredKeepsNothing reads a topic of an old View after it has changed, and
// after it has gone: what is made then is not kept.
func TestRetiredKeepsNothing(t *testing.T) {
	table := wide(t, 2, 1, 0)
	old := table.View()
	read := func(v *View) {
		t.Helper()
		for _, d := range []codec.Dialect{codec.DialectLegacy, codec.DialectStrict} {
			e, _ := v.Topic(benchTopic(0))
			if a, b := v.RouteBody(e, d, false), v.RouteBody(e, d, true); len(a) == 0 || string(a) != string(b) {
				t.Errorf("route %s, %s", a, b)
			}
		}
	}
	used := func(want bool) {
		t.Helper()
		if used, _ := table.CachedBytes(); used > 0 != want || used != kept(table.View()) {
			t.Errorf("%d bytes are counted, %d are kept", used, kept(table.View()))
		}
	}
	read(old)
	used(true)
	table.WipeWritePermOfBroker(benchRegistration(0, nil).BrokerName)
	used(false)
	read(old)
	used(false)
	read(table.View())
	used(true)
	old = table.View()
	table.DeleteTopic(string(benchTopic(0)))
	used(false)
	read(old)
	used(false)
}

// TestCacheCountsRight reads, changes and sweeps at the same time. In the end
// what is counted is what is kept.
func TestCacheCountsRight(t *testing.T) {
	table := wide(t, 50, 3, 20<<10)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for r := range 3 {
		wg.Go(func() {
			for i := r; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				v := table.View()
				if e, ok := v.Topic(benchTopic(i % 50)); ok {
					v.RouteBody(e, codec.Dialect(i%2), i%3 == 0)
				}
				if i%100 == 0 {
					table.SweepBodies()
				}
			}
		})
	}
	for i := range 300 {
		table.RegisterTopic(fmt.Sprint(string(benchTopic(i%50))), []codec.QueueData{{BrokerName: benchRegistration(0, nil).BrokerName, Perm: int32(i)}})
		if i%10 == 0 {
			table.DeleteTopic(string(benchTopic(i % 49)))
			slave := benchRegistration(1, benchBody(0, 0, 1, never))
			slave.BrokerID, slave.BrokerAddr = 5, fmt.Sprint("slave", i%20)
			mustRegister(t, table, slave)
		}
	}
	close(stop)
	wg.Wait()
	if used, _ := table.CachedBytes(); used != kept(table.View()) {
		t.Errorf("%d bytes are counted, %d are kept", used, kept(table.View()))
	}
	if err := table.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// TestClusterListsAreBounded asks one View for the topics of many clusters, each
// of which has all topics.
func TestClusterListsAreBounded(t *testing.T) {
	table := New(Options{Limits: Limits{ClustersPerAddr: 1000}})
	r := benchRegistration(0, benchBody(0, 1000, 1, never))
	const clusters = 100
	for i := range clusters {
		r.Cluster = fmt.Sprint("c", i)
		mustRegister(t, table, r)
	}
	v := table.View()
	v.lists.room.most = 100 << 10
	for i := range clusters {
		if list := v.TopicsByCluster(fmt.Sprint("c", i)); len(list) < 10_000 {
			t.Fatalf("the list of cluster %d has %d bytes", i, len(list))
		}
	}
	bytes := 0
	v.lists.clusters.Range(func(_, body any) bool {
		if b := body.(*lazyBody).p.Load(); b != nil {
			bytes += cap(*b)
		}
		return true
	})
	if bytes == 0 || bytes > 100<<10 {
		t.Errorf("%d bytes are kept", bytes)
	}
}

// Lists of topics are made without more than the memory they take, and those by
// cluster are kept in as much as routes have.
func TestTopicListsAreBounded(t *testing.T) {
	v := New(Options{CacheBytes: 1 << 20}).View()
	if most := v.lists.room.most; most != 1<<20 {
		t.Errorf("lists by cluster may take %d bytes, want what routes may", most)
	}
	if most := New(Options{}).View().lists.room.most; most != clusterListBytes {
		t.Errorf("lists by cluster may take %d bytes, want %d", most, clusterListBytes)
	}
	if body := v.AllTopicList(); cap(body) > len(body)+32 {
		t.Errorf("a list of %d bytes takes %d", len(body), cap(body))
	}
}
