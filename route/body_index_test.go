package route

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"testing"

	"gonamesrv/codec"
)

// mustHold fails the test if the table contradicts itself.
func mustHold(t testing.TB, table *Table) {
	t.Helper()
	if err := table.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
}

// indexed returns how many routes of a table can be found without the trie.
func indexed(table *Table) (n int) {
	v := table.View()
	for e := range v.topics.all {
		for r := range e.bodies.Load().all {
			f := &RouteForm{Dialect: codec.Dialect(r.kind & formStrict)}
			if table.cache.index.get(v.topics.hash(e.name), e.name, f) == r {
				n++
			}
		}
	}
	return n
}

// TestIndexFollows asks for many topics, takes most of them away and asks again:
// the index has nearly all routes that are kept, none that is not, and room for
// not many more.
func TestIndexFollows(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	const topics = 40_000
	table := wide(t, topics, 1, 0)
	x := table.cache.index
	readAll := func(from, to int) {
		for range 2 {
			for i := from; i < to; i++ {
				mustRoute(t, table.View(), benchTopic(i), codec.DialectStrict)
			}
		}
	}
	room := func() (routes int) {
		pages := map[*indexPage]bool{}
		d := x.dir.Load()
		for i := range d.pages {
			pages[d.pages[i].Load()] = true
		}
		return len(pages) * pageRoutes
	}
	readAll(0, topics)
	mustHold(t, table)
	if n := indexed(table); n < topics*9/10 || n != x.count {
		t.Errorf("%d of %d routes are found, %d are counted", n, topics, x.count)
	}
	if most := room(); most > 3*topics {
		t.Errorf("there is room for %d routes", most)
	}
	for i := range topics - 100 {
		table.DeleteTopic(string(benchTopic(i)))
	}
	mustHold(t, table)
	readAll(topics-100, topics)
	mustHold(t, table)
	if n := indexed(table); n != 100 || n != x.count {
		t.Errorf("%d of 100 routes are found, %d are counted", n, x.count)
	}
	if most := room(); most > topics/2 {
		t.Errorf("there is still room for %d routes", most)
	}
	table.SweepBodies() // is not full: nothing happens
	table.cache.stale.Store(true)
	table.SweepBodies()
	mustHold(t, table)
	if used, _ := table.CachedBytes(); used != 0 || x.count != 0 {
		t.Errorf("after a sweep %d bytes are counted, %d routes are in the index", used, x.count)
	}
}

// TestIndexIsBusy lets somebody be at work on the index while readers come: they
// get their routes, and put them into the index when they come again.
func TestIndexIsBusy(t *testing.T) {
	table := wide(t, 10, 1, 0)
	table.cache.index.mu.Lock()
	for i := range 10 {
		mustRoute(t, table.View(), benchTopic(i), codec.DialectStrict)
	}
	if n := indexed(table); n != 0 {
		t.Fatalf("%d routes are in the index: the test tests nothing", n)
	}
	table.cache.index.mu.Unlock()
	for i := range 10 {
		mustRoute(t, table.View(), benchTopic(i), codec.DialectStrict)
	}
	if n := indexed(table); n < 5 {
		t.Errorf("only %d routes are in the index", n)
	}
	mustHold(t, table)
}

// TestLitterIsBounded lets readers replace routes while somebody is at work: what
// they cannot take out of the index is thrown away before it is much.
func TestLitterIsBounded(t *testing.T) {
	x := newRouteIndex(maphash.MakeSeed())
	body := make([]byte, 10_000)
	var dead []*encodedRoute
	for i := range 200 {
		r := newEncodedRoute(1, 1, 0, string(benchTopic(i)), "", "", body)
		x.put(r)
		dead = append(dead, r)
	}
	if x.count < 150 {
		t.Fatalf("%d routes are in the index: the test tests nothing", x.count)
	}
	x.mu.Lock()
	for _, r := range dead {
		r.kill()
		x.tryRemove(r)
	}
	x.mu.Unlock()
	if x.litter.Load() <= maxLitter {
		t.Fatalf("%d bytes of litter: the test tests nothing", x.litter.Load())
	}
	x.put(newEncodedRoute(1, 1, 0, "T", "", "", body))
	if x.count != 1 || x.litter.Load() != 0 {
		t.Errorf("%d routes and %d bytes of litter are left", x.count, x.litter.Load())
	}
}

// TestDeadMakeRoom puts routes in the place of dead ones that nobody has taken out.
func TestDeadMakeRoom(t *testing.T) {
	x := newRouteIndex(maphash.MakeSeed())
	for range 3 {
		for i := range 100 {
			r := newEncodedRoute(1, 1, 0, string(benchTopic(i)), "", "", nil)
			x.put(r)
		}
		d := x.dir.Load()
		for i := range d.pages[0].Load() {
			for j := range d.pages[0].Load()[i].slots {
				if r := d.pages[0].Load()[i].slots[j].Load(); r != nil {
					r.kill()
				}
			}
		}
	}
	if x.count > 100 || x.count < 90 {
		t.Errorf("%d routes are in the index, want 100", x.count)
	}
}

// TestUnlistedIsDead lets readers replace a route, push one out and sweep, while
// somebody is at work on the index, which therefore keeps them: nobody may be
// shown them, for the next change would not find them.
func TestUnlistedIsDead(t *testing.T) {
	table := zoned(t, maxVariants+1)
	zone := func(i int) RouteForm { return RouteForm{InZone: true, Zone: fmt.Appendf(nil, "zone-%d", i)} }
	newest := func() *encodedRoute {
		e, _ := table.View().Topic(benchTopic(0))
		return e.bodies.Load().route
	}
	routeIn(t, table.View(), zone(0))
	pushedOut := newest()
	routeIn(t, table.View(), RouteForm{})
	replaced := newest()
	table.cache.index.mu.Lock()
	for i := range maxVariants {
		routeIn(t, table.View(), zone(1+i))
	}
	slave := benchRegistration(0, benchBody(0, 0, 1, never))
	slave.BrokerID, slave.BrokerAddr = 1, "10.1.1.1:10911"
	mustRegister(t, table, slave)
	routeIn(t, table.View(), RouteForm{})
	swept := newest()
	table.cache.index.mu.Unlock()
	table.cache.stale.Store(true)
	table.SweepBodies()
	table.cache.index.reset()
	for name, r := range map[string]*encodedRoute{"pushed out": pushedOut, "replaced": replaced, "swept": swept} {
		if !r.isDead() {
			t.Errorf("the route that was %s is not dead", name)
		}
		table.cache.index.put(r)
	}
	if n := table.cache.index.count; n != 0 {
		t.Errorf("%d dead routes are in the index", n)
	}
	mustHold(t, table)
}

// TestEveryViewShowsItsRoutes changes topics and reads them in Views from before
// and after each change, in turn and several times: each shows what it would
// encode, wherever the route is found.
func TestEveryViewShowsItsRoutes(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	const topics = 20
	table := wide(t, topics, 2, 0)
	random := rand.New(rand.NewPCG(1, 2))
	views := []*View{table.View()}
	for step := range 300 {
		name := benchTopic(random.IntN(topics))
		switch random.IntN(4) {
		case 0:
			table.DeleteTopic(string(name))
		default:
			broker := benchRegistration(random.IntN(2), nil).BrokerName
			if _, err := table.RegisterTopic(string(name), []codec.QueueData{{BrokerName: broker, Perm: int32(step)}}); err != nil {
				t.Fatal(err)
			}
		}
		views = append(views, table.View())
		views = views[max(len(views)-5, 0):]
		for range 40 {
			v := views[random.IntN(len(views))]
			mustShowItsOwn(t, v, benchTopic(random.IntN(topics)))
		}
		if step%20 == 0 {
			mustHold(t, table)
		}
	}
	mustHold(t, table)
}

// mustShowItsOwn fails the test unless a View shows the route that it would
// encode.
func mustShowItsOwn(t testing.TB, v *View, name []byte) {
	got, ok := v.Route(name, &RouteForm{Dialect: codec.DialectStrict})
	e, there := v.Topic(name)
	if ok != there {
		t.Errorf("%s is in View %d: %v, has a route: %v", name, v.edition, there, ok)
		return
	}
	if !there {
		return
	}
	data := v.PickupTopicRouteData(e, false)
	if want := string(data.AppendJSON(nil, codec.DialectStrict)); string(got) != want {
		t.Errorf("View %d shows %s of %s, want %s", v.edition, got, name, want)
	}
}

// TestReadersSeeTheirView does the same while the changes are made.
func TestReadersSeeTheirView(t *testing.T) {
	const topics = 8
	table := wide(t, topics, 2, 0)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for n := range 3 {
		wg.Go(func() {
			for i := n; ; i++ {
				select {
				case <-stop:
					return
				default:
					v := table.View()
					mustShowItsOwn(t, v, benchTopic(i%topics))
					mustShowItsOwn(t, v, benchTopic(i%topics))
				}
			}
		})
	}
	broker := benchRegistration(0, nil).BrokerName
	for i := range 2000 {
		if _, err := table.RegisterTopic(string(benchTopic(i%topics)), []codec.QueueData{{BrokerName: broker, Perm: int32(i)}}); err != nil {
			t.Error(err)
		}
		if i%500 == 0 {
			mustHold(t, table)
		}
		if i%100 == 0 {
			table.cache.stale.Store(true)
			table.SweepBodies()
		}
	}
	close(stop)
	wg.Wait()
	mustHold(t, table)
}

// TestRetiredUntilPublished retires the entry of a topic as publishing does. Until
// the next View is there, readers of this one get the same bytes as before;
// readers of the next one never do.
func TestRetiredUntilPublished(t *testing.T) {
	table := wide(t, 2, 1, 0)
	v := table.View()
	before := mustRoute(t, v, benchTopic(0), codec.DialectStrict)
	table.mu.Lock()
	defer table.mu.Unlock()
	e, _ := v.Topic(benchTopic(0))
	next := *v
	next.edition = v.edition + 1
	table.cache.retire(e, next.edition)
	if got := mustRoute(t, v, benchTopic(0), codec.DialectStrict); &got[0] != &before[0] {
		t.Error("the route is encoded again before another View is published")
	}
	if got := mustRoute(t, &next, benchTopic(0), codec.DialectStrict); &got[0] == &before[0] {
		t.Error("the next View shows a route that is not its own")
	}
}

// TestPublishedViewShowsItsOwn asks for the route of a changed topic in the very
// moment in which its View is there, and in the View before: both show their own,
// and the older one finds the bytes that it had.
func TestPublishedViewShowsItsOwn(t *testing.T) {
	table := wide(t, 2, 1, 0)
	old := table.View()
	before := mustRoute(t, old, benchTopic(0), codec.DialectStrict)
	asked := 0
	table.viewStored = func() {
		asked++
		if got := mustRoute(t, old, benchTopic(0), codec.DialectStrict); &got[0] != &before[0] {
			t.Error("the View before encodes the route again in that moment")
		}
		mustShowItsOwn(t, table.View(), benchTopic(0))
	}
	broker := benchRegistration(0, nil).BrokerName
	if _, err := table.RegisterTopic(string(benchTopic(0)), []codec.QueueData{{BrokerName: broker, Perm: 2}}); err != nil || asked != 1 {
		t.Fatalf("%v, %d Views", err, asked)
	}
	table.viewStored = nil
	mustHold(t, table)
}

// zoned is a table with one topic that so many brokers serve, each in a zone of
// its own.
func zoned(t testing.TB, zones int) *Table {
	table := New(Options{})
	for i := range zones {
		r := benchRegistration(i, benchBody(0, 2, 1, never))
		r.ZoneName, r.HasZoneName = fmt.Sprintf("zone-%d", i), true
		mustRegister(t, table, r)
	}
	return table
}

func routeIn(t testing.TB, v *View, f RouteForm) []byte {
	t.Helper()
	f.Dialect = codec.DialectStrict
	body, ok := v.Route(benchTopic(0), &f)
	if !ok {
		t.Fatal("no route")
	}
	return body
}

// TestZonesOfStrangers asks for a route in zones that nobody is in, again and
// again in new ones. They share one body, and push out none that others use.
func TestZonesOfStrangers(t *testing.T) {
	table := zoned(t, 3)
	v := table.View()
	plain := routeIn(t, v, RouteForm{})
	var zones [3][]byte
	for i := range zones {
		zones[i] = routeIn(t, v, RouteForm{InZone: true, Zone: fmt.Appendf(nil, "zone-%d", i)})
		e, _ := v.Topic(benchTopic(0))
		data := v.PickupTopicRouteData(e, false)
		FilterByZone(&data, fmt.Sprintf("zone-%d", i))
		if want := string(data.AppendJSON(nil, codec.DialectStrict)); string(zones[i]) != want {
			t.Errorf("zone %d: route %s, want %s", i, zones[i], want)
		}
	}
	none := routeIn(t, v, RouteForm{InZone: true, Zone: []byte("nowhere")})
	used, _ := table.CachedBytes()
	for i := range 1000 {
		if got := routeIn(t, v, RouteForm{InZone: true, Zone: fmt.Appendf(nil, "nowhere-%d", i)}); &got[0] != &none[0] {
			t.Fatalf("zone nowhere-%d has a body of its own: %s", i, got)
		}
	}
	if now, _ := table.CachedBytes(); now != used {
		t.Errorf("%d bytes were kept, now %d", used, now)
	}
	for i := range zones {
		for _, zone := range []string{"zone-%d", "ZONE-%d"} {
			if got := routeIn(t, v, RouteForm{InZone: true, Zone: fmt.Appendf(nil, zone, i)}); &got[0] != &zones[i][0] {
				t.Errorf(zone+" was encoded again", i)
			}
		}
	}
	if got := routeIn(t, v, RouteForm{}); &got[0] != &plain[0] {
		t.Error("the route without a zone was encoded again")
	}
	mustHold(t, table)
}

// TestVariantsAreFew asks for a route in more forms than are kept: those that
// were made last are, beside the plain ones, and all are right.
func TestVariantsAreFew(t *testing.T) {
	table := zoned(t, 2*maxVariants)
	v := table.View()
	plain := routeIn(t, v, RouteForm{})
	form := func(i int) RouteForm {
		return RouteForm{InZone: true, Zone: fmt.Appendf(nil, "zone-%d", i/2), HasOrderTopicConf: i%2 > 0, OrderTopicConf: "b:4"}
	}
	for range 2 {
		for i := range 4 * maxVariants {
			routeIn(t, v, form(i))
			if e, _ := v.Topic(benchTopic(0)); len(kinds(e)) != min(i+1, maxVariants)+1 && len(kinds(e)) != maxVariants+1 {
				t.Fatalf("%v are kept", kinds(e))
			}
			mustHold(t, table)
		}
	}
	for i := 3 * maxVariants; i < 4*maxVariants; i++ {
		used, _ := table.CachedBytes()
		a, b := routeIn(t, v, form(i)), routeIn(t, v, form(i))
		if now, _ := table.CachedBytes(); &a[0] != &b[0] || now != used {
			t.Errorf("form %d was encoded again", i)
		}
	}
	if got := routeIn(t, v, RouteForm{}); &got[0] != &plain[0] {
		t.Error("the plain route has gone")
	}
	used, _ := table.CachedBytes()
	if got := kept(v); got != used {
		t.Errorf("%d bytes are counted, %d are kept", used, got)
	}
}

// TestOrderConfOfRoute asks with one order configuration after another, in the
// place of each other, and with none.
func TestOrderConfOfRoute(t *testing.T) {
	table := zoned(t, 1)
	for range 2 {
		for _, conf := range []string{"b:4", "b:8", "", "b:4;c:16"} {
			got := string(routeIn(t, table.View(), RouteForm{HasOrderTopicConf: true, OrderTopicConf: conf}))
			data := codec.TopicRouteData{}
			if err := data.Decode([]byte(got)); err != nil || !data.HasOrderTopicConf || data.OrderTopicConf != conf {
				t.Errorf("order configuration %q: route %s, %v", conf, got, err)
			}
		}
		data := codec.TopicRouteData{}
		if err := data.Decode(routeIn(t, table.View(), RouteForm{OrderTopicConf: "not wanted"})); err != nil || data.HasOrderTopicConf {
			t.Errorf("no order configuration: %+v, %v", data, err)
		}
	}
	mustHold(t, table)
}

// TestVariantsAllocateNothing reads routes in a zone and with an order
// configuration for the second time.
func TestVariantsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	table := zoned(t, 2)
	v := table.View()
	zone, name := []byte("zone-1"), benchTopic(0)
	read := func() {
		v.Route(name, &RouteForm{InZone: true, Zone: zone})
		v.Route(name, &RouteForm{HasOrderTopicConf: true, OrderTopicConf: "b:4"})
	}
	read()
	if got := testing.AllocsPerRun(100, read); got != 0 {
		t.Errorf("two reads allocate %v times", got)
	}
}

// BenchmarkRouteVariants is a route in a zone, in one that no broker is in, and
// with an order configuration.
func BenchmarkRouteVariants(b *testing.B) {
	for _, brokers := range []int{2, 16} {
		table := zoned(b, brokers)
		v := table.View()
		for _, c := range []struct {
			name string
			form RouteForm
		}{
			{"zone", RouteForm{InZone: true, Zone: []byte("zone-1")}},
			{"unknown_zone", RouteForm{InZone: true, Zone: []byte("nowhere")}},
			{"order", RouteForm{HasOrderTopicConf: true, OrderTopicConf: "broker-00000:8;broker-00001:8"}},
		} {
			b.Run(fmt.Sprintf("%s/brokers=%d", c.name, brokers), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					benchVariant(v, benchTopic0, &c.form)
				}
			})
		}
	}
}

var benchTopic0 = benchTopic(0)

// benchVariant returns a route in a form, as the server asks for it.
func benchVariant(v *View, topic []byte, f *RouteForm) []byte {
	body, _ := v.Route(topic, f)
	return body
}
