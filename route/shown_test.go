package route

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"gonamesrv/codec"
)

// TestTopicNames: the list is sorted, is what 206 lists, and is made once for all
// Views with the same topics, for as long as somebody uses it.
func TestTopicNames(t *testing.T) {
	table := New(Options{})
	register := func(addr string, names ...string) {
		r := &Registration{RegistrationHeader: RegistrationHeader{Cluster: "c", BrokerName: "b" + addr, BrokerAddr: addr, TimeoutMillis: 1000}, Body: &codec.RegisterBrokerBody{}}
		for _, n := range append(names, "B") {
			r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: []byte(n), Key: []byte(n), ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6})
		}
		if _, err := table.RegisterBroker(0, r); err != nil {
			t.Fatal(err)
		}
	}
	if names := table.View().TopicNames(); len(names) != 0 {
		t.Errorf("an empty View has %q", names)
	}
	register("1:1", "A", "C")
	before := table.View()
	names := before.TopicNames()
	if !slices.Equal(names, []string{"A", "B", "C"}) {
		t.Fatalf("names %q", names)
	}
	if list := string(before.AllTopicList()); list != `{"topicList":["A","B","C"]}` {
		t.Errorf("206 lists %s", list)
	}
	register("2:2", "A") // no other name
	after := table.View()
	if after == before {
		t.Fatal("the registration has changed nothing")
	}
	if again := after.TopicNames(); unsafe.SliceData(again) != unsafe.SliceData(names) {
		t.Error("another View with the same topics makes the list anew")
	}
	register("3:3", "D")
	if now := table.View().TopicNames(); !slices.Equal(now, []string{"A", "B", "C", "D"}) || len(names) != 3 {
		t.Errorf("names %q, before %q", now, names)
	}
	runtime.KeepAlive(names)
	names = nil
	runtime.GC()
	runtime.GC()
	if after.names.first.Value() != nil {
		t.Error("the list is kept though nobody uses it")
	}
	if !slices.Equal(after.TopicNames(), []string{"A", "B", "C"}) {
		t.Error("the list that is made again is another one")
	}
}

// TestEmptyRouteIsInItsMemory: no part of a route without a body, as it is kept for a
// horizon that leaves no broker, begins behind the memory of the route. The race detector
// makes the compiler look after that.
func TestEmptyRouteIsInItsMemory(t *testing.T) {
	for n := range 17 {
		name := "0123456789abcdef"[:n]
		r := newEncodedRoute(1, 1, 0, name, "", "", nil)
		if r.nameText() != name || r.zoneText() != "" || r.orderText() != "" || len(r.bodyBytes()) != 0 {
			t.Errorf("%q is kept as %q, %q, %q, %q", name, r.nameText(), r.zoneText(), r.orderText(), r.bodyBytes())
		}
	}
}

// TestShown: what tools are shown of a topic and of brokers is what was registered.
func TestShown(t *testing.T) {
	table := New(Options{})
	for i, b := range []string{"b1", "b2"} {
		r := &Registration{
			RegistrationHeader: RegistrationHeader{Cluster: "c", BrokerName: b, BrokerAddr: fmt.Sprintf("%d:1", i), HAServerAddr: "ha" + b, TimeoutMillis: 1000},
			Conn:               uint64(i + 1), Body: &codec.RegisterBrokerBody{},
		}
		r.Body.Topics = []codec.TopicConfig{{Name: []byte("U"), Key: []byte("U"), Perm: 6}, {Name: []byte("T"), Key: []byte("T"), ReadQueueNums: int32(i + 1), WriteQueueNums: 8, Perm: 6}}
		if _, err := table.RegisterBroker(7, r); err != nil {
			t.Fatal(err)
		}
	}
	v := table.View()
	e, _ := v.Topic([]byte("T"))
	got := map[string]int32{}
	for o := range v.Offers(e) {
		got[o.Broker.Name] = o.ReadQueueNums
	}
	if len(got) != 2 || got["b1"] != 1 || got["b2"] != 2 || e.IsStatic() {
		t.Errorf("offers %v", got)
	}
	n := 0
	for e := range v.Topics {
		n++
		if e.Name() != "T" && e.Name() != "U" {
			t.Errorf("topic %q", e.Name())
		}
	}
	if n != 2 {
		t.Errorf("%d topics", n)
	}
	if c := v.Clusters(); len(c) != 1 || c[0].Cluster != "c" || !slices.Equal(c[0].BrokerNames, []string{"b1", "b2"}) {
		t.Errorf("clusters %+v", c)
	}
	for b := range v.Brokers() {
		if b.TopicCount() != 2 {
			t.Errorf("%s has %d topics", b.Name, b.TopicCount())
		}
	}
	keepers := v.Keepers()
	b, _ := v.Broker([]byte("b2"))
	for l := range keepers.Of(b.First()) {
		if l.HAServerAddr != "hab2" || l.Conn != 2 {
			t.Errorf("kept by %+v", l)
		}
		n++
	}
	if n != 3 {
		t.Errorf("kept by %d", n-2)
	}
}
