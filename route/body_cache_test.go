package route

import (
	"fmt"
	"math/rand/v2"
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

// isKept reports whether a route of a topic is kept.
func isKept(table *Table, topic int) bool {
	e, ok := table.View().Topic(benchTopic(topic))
	return ok && len(kinds(e)) == 1
}

// TestSweep fills the cache with routes, and sweeps. One goes that was asked for once, in
// the place of the one that found no room, and no other.
func TestSweep(t *testing.T) {
	table := wide(t, 64, 1, 1<<14)
	read := func(i int) { mustRoute(t, table.View(), benchTopic(i), codec.DialectStrict) }
	keptOf := func(from, to int) (n int) {
		for i := from; i < to; i++ {
			if isKept(table, i) {
				n++
			}
		}
		return n
	}
	for i := range 64 {
		read(i)
	}
	full := keptOf(0, 64)
	if full < 32 || full > 63 || isKept(table, 63) {
		t.Fatalf("%d routes are kept: the test tests nothing", full)
	}
	const once = 5
	for i := range full {
		if i != once {
			read(i)
		}
	}
	lacking := table.cache.lacking.Load()
	table.cache.lacking.Store(lacking / int64(64-full)) // of one
	table.SweepBodies()
	if isKept(table, once) || keptOf(0, 64) != full-1 {
		t.Errorf("%d of %d routes are kept, that which was asked for once: %v", keptOf(0, 64), full, isKept(table, once))
	}
	read(63)
	if !isKept(table, 63) {
		t.Error("what is asked for finds no room")
	}
	used, _ := table.CachedBytes()
	table.SweepBodies() // nothing has been turned away: nothing is to be done
	if now, _ := table.CachedBytes(); now != used || used != kept(table.View()) {
		t.Errorf("%d bytes were kept, now %d", used, now)
	}
	mustHold(t, table)
}

// A crowdedCache is a table with many times the topics whose routes fit its cache.
type crowdedCache struct {
	*testing.T
	table *Table
	fit   int // routes, or some more
}

func newCrowdedCache(t *testing.T, topics, fit int) *crowdedCache {
	t.Helper()
	table := wide(t, topics, 1, 0)
	mustRoute(t, table.View(), benchTopic(0), codec.DialectStrict)
	size, _ := table.CachedBytes()
	return &crowdedCache{t, wide(t, topics, 1, int64(fit)*size), fit}
}

// hits asks for routes and returns how many of them were kept.
func (c *crowdedCache) hits(topics ...int) int {
	c.Helper()
	before := c.table.Stats().EncodedStrict
	for _, i := range topics {
		mustRoute(c, c.table.View(), benchTopic(i), codec.DialectStrict)
	}
	return len(topics) - int(c.table.Stats().EncodedStrict-before)
}

// upTo returns from, from+1, … to-1.
func upTo(from, to int) (numbers []int) {
	for i := from; i < to; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

// TestFullCacheKeepsWhatFits asks for every topic in turn, again and again, with a sweep
// after each round. As good as all that fits is kept from one round to the next.
func TestFullCacheKeepsWhatFits(t *testing.T) {
	c := newCrowdedCache(t, 1000, 200)
	for round := range 20 {
		hits := c.hits(upTo(0, 1000)...)
		if round > 0 && hits < c.fit*3/4 {
			t.Errorf("round %d: %d hits, %d routes fit", round, hits, c.fit)
		}
		c.table.SweepBodies()
		if used, _ := c.table.CachedBytes(); used < c.table.cache.most*5/6 {
			t.Errorf("round %d: a sweep leaves %d of %d bytes", round, used, c.table.cache.most)
		}
	}
	mustHold(t, c.table)
}

// TestFullCacheKeepsWhatIsAskedFor asks for topics as Zipf has it, half of the requests for
// a few: nearly as many are answered from the cache as could be, if it had those that
// are asked for most often.
func TestFullCacheKeepsWhatIsAskedFor(t *testing.T) {
	const topics, rounds, each = 2000, 30, 4000
	c := newCrowdedCache(t, topics, 200)
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, topics-1)
	hits, best := 0, 0
	for round := range rounds {
		for range each {
			n := int(zipf.Uint64())
			hit := c.hits(n * 7919 % topics)
			if round < rounds/3 {
				continue
			}
			hits += hit
			if n < c.fit {
				best++
			}
		}
		c.table.SweepBodies()
	}
	t.Logf("%d of %d are hits, %d could be", hits, each*rounds*2/3, best)
	if hits < best*9/10 {
		t.Errorf("%d of %d are hits, %d could be", hits, each*rounds*2/3, best)
	}
	mustHold(t, c.table)
}

// TestFullCacheFollows lets everybody turn to other topics, of which as many fit: after a
// while they are kept.
func TestFullCacheFollows(t *testing.T) {
	c := newCrowdedCache(t, 1000, 200)
	rounds := func(topics []int) (n int) {
		for ; c.hits(topics...) < len(topics); n++ {
			if n == 100 {
				t.Fatalf("%d of %d are kept after %d rounds", c.hits(topics...), len(topics), n)
			}
			c.table.SweepBodies()
		}
		return n
	}
	for i, topics := range [][]int{upTo(0, 190), upTo(300, 490), upTo(600, 790), upTo(0, 190)} {
		n := rounds(topics)
		t.Logf("set %d is kept after %d rounds", i, n)
		if n > 2*sweepShare+4 {
			t.Errorf("set %d is kept after %d rounds", i, n)
		}
	}
}

// TestStrangersPushNothingOut lets somebody ask for one topic after the other, each of them
// once in a while, beside clients that ask for some again and again: theirs stay.
func TestStrangersPushNothingOut(t *testing.T) {
	c := newCrowdedCache(t, 2000, 200)
	ours := upTo(0, 100)
	c.hits(ours...)
	stranger := 100
	for round := range 100 {
		for range 300 {
			c.hits(stranger)
			if stranger++; stranger == 2000 {
				stranger = 100
			}
		}
		if hits := c.hits(ours...); hits < len(ours) {
			t.Errorf("round %d: %d of %d are kept", round, hits, len(ours))
		}
		c.table.SweepBodies()
	}
	if _, misfits := c.table.CachedBytes(); misfits == 0 {
		t.Error("the cache was never full: the test tests nothing")
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

// BenchmarkFullCache reads routes that name 300 brokers, of which a fifth finds room, with a
// sweep as often as a server has it that reads as fast as it can.
func BenchmarkFullCache(b *testing.B) {
	const topics, brokers = 1000, 300
	table := New(Options{})
	body := benchBody(0, topics, 1, never)
	for i := range brokers {
		if _, err := table.RegisterBroker(1, benchRegistration(i, body)); err != nil {
			b.Fatal(err)
		}
	}
	benchRoute(table.View(), benchTopic(0))
	size, _ := table.CachedBytes()
	for _, draw := range []struct {
		name string
		next func(*rand.Rand) func() int
	}{
		{"uniform", func(r *rand.Rand) func() int { return func() int { return r.IntN(topics) } }},
		{"zipf", func(r *rand.Rand) func() int {
			zipf := rand.NewZipf(r, 1.1, 1, topics-1)
			return func() int { return int(zipf.Uint64()) * 7919 % topics }
		}},
	} {
		b.Run(draw.name, func(b *testing.B) {
			table.cache.most = size * topics / 5
			table.cache.stale.Store(true)
			table.SweepBodies()
			next := draw.next(rand.New(rand.NewPCG(1, 2)))
			read := func(n int) {
				for i := range n {
					benchRoute(table.View(), benchTopic(next()))
					if i%1500 == 0 {
						table.SweepBodies()
					}
				}
			}
			read(20_000)
			encoded := table.Stats().EncodedStrict
			b.ResetTimer()
			read(b.N)
			b.ReportMetric(1-float64(table.Stats().EncodedStrict-encoded)/float64(b.N), "hits/op")
		})
	}
}
