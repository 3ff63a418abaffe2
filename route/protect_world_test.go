package route

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"gonamesrv/codec"
)

// A world is a table whose brokers give signs of life by themselves, every 30 s
// unless they say otherwise, with a scan every 5 s. Time goes on second by second.
type world struct {
	t       testing.TB
	table   *Table
	p       *Protection
	policy  ProtectionPolicy
	now     int64
	brokers []*worldBroker
	pulse   Pulse
	events  []ProtectionEvent
	gone    map[string]int64 // address -> when it left
	late    int64            // the longest time that one was kept beyond its timeout
}

type worldBroker struct {
	r      *Registration
	every  int64 // seconds
	phase  int64
	silent bool
}

func newWorld(t testing.TB, mode ProtectionMode) *world {
	return &world{
		t: t, table: New(Options{Limits: boundless}), p: NewProtection(), now: 1_000_000, gone: map[string]int64{},
		policy: ProtectionPolicy{Mode: mode, MaxMillis: 300_000},
	}
}

// add registers a broker of its own set.
func (w *world) add(cluster, name string, change func(*Registration)) *worldBroker {
	n := len(w.brokers)
	r := &Registration{
		RegistrationHeader: RegistrationHeader{
			Cluster: cluster, BrokerName: name, BrokerAddr: fmt.Sprintf("%s-%d", name, n), TimeoutMillis: DefaultHeartbeatTimeoutMillis,
		},
		Conn: uint64(n + 1),
		Body: &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Counter: 1}, FilterServersNull: true},
	}
	if change != nil {
		change(r)
	}
	b := &worldBroker{r: r, every: 30, phase: int64(n * 7)}
	mustRegisterAt(w.t, w.table, w.now, r)
	w.brokers = append(w.brokers, b)
	return b
}

// cluster adds n masters.
func (w *world) cluster(cluster string, n int, change func(int, *Registration)) []*worldBroker {
	for i := range n {
		w.add(cluster, fmt.Sprintf("%s-%d", cluster, i), func(r *Registration) {
			if change != nil {
				change(i, r)
			}
		})
	}
	return w.brokers[len(w.brokers)-n:]
}

func silence(brokers []*worldBroker, silent bool) {
	for _, b := range brokers {
		b.silent = silent
	}
}

// pass lets seconds go by.
func (w *world) pass(seconds int64) {
	w.t.Helper()
	for range seconds {
		w.now += 1000
		w.pulse.Connections = len(w.brokers)
		for _, b := range w.brokers {
			if !b.silent && (w.now/1000+b.phase)%b.every == 0 {
				w.pulse.BytesIn += 100
				if !w.table.Heartbeat(w.now, []byte(b.r.Cluster), []byte(b.r.BrokerAddr)) {
					mustRegisterAt(w.t, w.table, w.now, b.r)
					delete(w.gone, b.r.BrokerAddr)
				}
			}
		}
		if w.now/1000%5 == 0 {
			w.scan()
		}
	}
}

func (w *world) scan() {
	w.t.Helper()
	w.late = 0
	for l := range w.table.View().live.all {
		w.late = max(w.late, w.now-l.LastUpdateMillis()-l.TimeoutMillis)
	}
	expired, events := w.table.Scan(w.now, w.p, w.policy, w.pulse)
	for _, e := range expired {
		w.gone[e.Addr] = w.now
	}
	w.events = append(w.events, events...)
}

func (w *world) wantGone(n int, when string) {
	w.t.Helper()
	if len(w.gone) != n {
		w.t.Errorf("%s: %d brokers have left, want %d: %v; %+v", when, len(w.gone), n, slices.Sorted(maps.Keys(w.gone)), w.p.Stats())
	}
	if err := w.table.CheckInvariants(); err != nil {
		w.t.Error(err)
	}
}

// saw counts the events of a kind, and forgets all.
func (w *world) saw(kind ProtectionEventKind) (n int) {
	for _, e := range w.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// zones adds four brokers for each name of a zone.
func (w *world) zones(names ...string) []*worldBroker {
	return w.cluster("z", 4*len(names), func(i int, r *Registration) { r.ZoneName, r.HasZoneName = names[i/4], true })
}

// sets adds masters with a slave each, and returns the masters or the slaves.
func (w *world) sets(n int, change func(int, *Registration), slaves bool) (picked []*worldBroker) {
	for i := range n {
		for id := range int64(2) {
			b := w.add("s", fmt.Sprintf("s-%d", i), func(r *Registration) {
				r.BrokerID = id
				if change != nil {
					change(i, r)
				}
			})
			if (id == 1) == slaves {
				picked = append(picked, b)
			}
		}
	}
	return picked
}
