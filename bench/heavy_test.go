package bench

import (
	"math/rand/v2"
	"testing"
)

// TestHeavyStreamsApart: those who send megabytes share no event loop with
// those who are to be on time, and each connection is somebody's.
func TestHeavyStreamsApart(t *testing.T) {
	f := smallFleet(Params{Brokers: 2, Topics: 8, BrokersPerTopic: 2, Form: formPlain})
	addr, stop, err := ListenEcho(t.Context(), routeReply(f.topics[0], firstNumber))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	source := func(int) source { return &routes{f.topics, rand.New(rand.NewPCG(1, 1)), 0} }
	const workers = 2
	d := newDriver(addr, 1)
	d.ops = []operation{{name: opRoute}}
	d.phases = []*phase{{name: "warm-up"}}
	d.streams = []*stream{
		{name: "readers", connections: 5, depth: 1, source: source},
		{name: "registrars", connections: 3, depth: 1, source: source, heavy: true},
	}
	if err := d.open(t.Context(), workers); err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if len(d.workers) != 2*workers {
		t.Errorf("%d event loops, want %d for each kind", len(d.workers), workers)
	}
	connections := map[string]int{}
	for _, w := range d.workers {
		for _, l := range w.lanes {
			connections[l.stream.name] += len(l.conns)
			if len(l.conns) > 0 && l.stream.heavy != w.heavy {
				t.Errorf("a loop for heavy streams %v has %d connections of the %s", w.heavy, len(l.conns), l.stream.name)
			}
		}
	}
	for _, w := range d.workers {
		if w.polite != w.heavy {
			t.Errorf("a loop for heavy streams %v gives way: %v", w.heavy, w.polite)
		}
	}
	for _, s := range d.streams {
		if got := connections[s.name]; got != s.connections {
			t.Errorf("%s have %d connections, want %d", s.name, got, s.connections)
		}
	}
}

// TestHeavyStreamsAlone give way to nobody.
func TestHeavyStreamsAlone(t *testing.T) {
	d := newDriver("", 1)
	d.streams = []*stream{{name: "registrars", heavy: true}}
	if err := d.open(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if len(d.workers) != 1 || d.workers[0].polite {
		t.Errorf("%d event loops, the first gives way: %v", len(d.workers), d.workers[0].polite)
	}
}
