package route

import (
	"fmt"
	"slices"
	"testing"
)

// TestCloses closes connections at some times, and looks half a second later.
func TestCloses(t *testing.T) {
	acting := func(_ int, r *Registration) { r.EnableActingMaster = true }
	type outcome struct{ wait, held bool }
	for name, c := range map[string]struct {
		make   func(w *world) []*worldBroker
		apart  int64 // milliseconds between two closes
		before func(w *world)
		want   []outcome
	}{
		"one of eight":  {make: func(w *world) []*worldBroker { return w.cluster("c", 8, nil)[:1] }, want: []outcome{{true, false}}},
		"three of six":  {make: func(w *world) []*worldBroker { return w.cluster("c", 6, nil)[:3] }, want: []outcome{{true, true}, {true, true}, {true, true}}},
		"three of nine": {make: func(w *world) []*worldBroker { return w.cluster("c", 9, nil)[:3] }, want: []outcome{{true, false}, {true, false}, {true, false}}},
		"both of two":   {make: func(w *world) []*worldBroker { return w.cluster("c", 2, nil) }, want: []outcome{{true, false}, {true, false}}},
		"slowly":        {make: func(w *world) []*worldBroker { return w.cluster("c", 4, nil) }, apart: 1500, want: []outcome{{true, false}, {true, false}, {true, false}, {true, false}}},
		"one after the other": {
			make: func(w *world) []*worldBroker { return w.cluster("c", 4, nil) }, apart: 400,
			want: []outcome{{true, false}, {true, true}, {true, true}, {true, true}},
		},
		"masters of acting sets": {make: func(w *world) []*worldBroker { return w.sets(3, acting, false) }, want: []outcome{{}, {}, {}}},
		"acting sets":            {make: func(w *world) []*worldBroker { w.sets(3, acting, false); return w.brokers }, want: []outcome{{}, {true, true}, {}, {true, true}, {}, {true, true}}},
		"other sets":             {make: func(w *world) []*worldBroker { w.sets(2, nil, false); return w.brokers }, want: []outcome{{true, true}, {true, true}, {true, true}, {true, true}}},
		"slaves of other sets":   {make: func(w *world) []*worldBroker { return w.sets(3, nil, true) }, want: []outcome{{true, false}, {true, false}, {true, false}}},
		"after our pause": {
			make:   func(w *world) []*worldBroker { return w.cluster("c", 8, nil)[:1] },
			before: func(w *world) { w.pulse.PausedMillis += 130_000 }, want: []outcome{{true, true}},
		},
		"acting sets after our pause": {
			make:   func(w *world) []*worldBroker { return w.sets(1, acting, false) },
			before: func(w *world) { w.pulse.PausedMillis += 130_000 }, want: []outcome{{true, true}},
		},
		"while we hear nobody": {
			make:   func(w *world) []*worldBroker { return w.cluster("c", 8, nil)[:1] },
			before: func(w *world) { silence(w.brokers, true); w.pass(50) }, want: []outcome{{true, true}},
		},
		"off":     {make: func(w *world) []*worldBroker { w.policy.Mode = ProtectionOff; return w.cluster("c", 3, nil) }, want: []outcome{{}, {}, {}}},
		"monitor": {make: func(w *world) []*worldBroker { w.policy.Mode = ProtectionMonitor; return w.cluster("c", 3, nil) }, want: []outcome{{}, {}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ProtectionOn)
			closing := c.make(w)
			w.pass(100)
			if c.before != nil {
				c.before(w)
			}
			got := make([]outcome, len(closing))
			type wait struct {
				at int64
				i  int
			}
			var waits []wait
			judge := func(until int64) {
				for len(waits) > 0 && waits[0].at <= until {
					i := waits[0].i
					w.now = max(w.now, waits[0].at)
					waits = waits[1:]
					conn := closing[i].r.Conn
					got[i].held, _ = w.p.CloseHeld(w.now, w.policy, w.pulse.PausedMillis, w.table.View(), w.table.BrokersOn(conn))
					if got[i].held {
						w.table.ForgetConn(conn)
					} else {
						w.table.ConnClosed(conn)
					}
				}
			}
			begin := w.now
			for i, b := range closing {
				at := begin + int64(i)*c.apart
				judge(at)
				w.now = at
				got[i].wait = w.p.Closed(w.now, w.policy, w.pulse.PausedMillis, w.table.View(), w.table.BrokersOn(b.r.Conn))
				if got[i].wait {
					waits = append(waits, wait{at + 500, i})
				} else {
					w.table.ConnClosed(b.r.Conn)
				}
			}
			judge(w.now + 10_000)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			w.now += 10_000
			w.p.pruneClosings(w.now)
			if len(w.p.closings) != 0 || len(w.p.closed) != 0 {
				t.Errorf("%d closes are remembered, of %d clusters", len(w.p.closings), len(w.p.closed))
			}
			if s := w.p.Stats(); w.policy.Mode == ProtectionMonitor && s.WouldHold.MassClose != 3 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// TestAllHaveLeft: who ends its connection is not silent, so we are not deaf when
// nobody is connected any more. Once we are deaf it does not matter who ends them.
func TestAllHaveLeft(t *testing.T) {
	pulse := Pulse{BytesIn: 1, Connections: 20}
	table, p := New(Options{}), NewProtection()
	judge := func(now int64) ProtectionState {
		table.Scan(now, p, ProtectionPolicy{Mode: ProtectionOn}, pulse)
		return p.Stats().State
	}
	judge(1_000)
	pulse.Connections = 4
	if s := judge(60_000); s != ProtectionNormal {
		t.Errorf("%v with four connections that are left", s)
	}
	pulse = Pulse{BytesIn: 2, Connections: 5}
	judge(61_000)
	if s := judge(61_000 + 45_000); s != ProtectionIsolated {
		t.Errorf("%v with five that are silent", s)
	}
	pulse.Connections = 0
	if s := judge(200_000); s != ProtectionIsolated {
		t.Errorf("%v when we have ended these", s)
	}
	pulse.BytesIn++
	if s := judge(205_000); s != ProtectionRecovering {
		t.Errorf("%v when somebody is heard", s)
	}
}

// TestSomeFlap: three brokers of four lose their connections in turn, one a second, while
// the cluster grows. That three of forty have lost theirs is no mass close then;
// that half have, is one. Those that have left count.
func TestSomeFlap(t *testing.T) {
	w := newWorld(t, ProtectionOn)
	b := w.cluster("c", 4, nil)
	closes := func(b *worldBroker) (held func() bool) {
		conn := w.table.BrokersOn(b.r.Conn)
		if len(conn) != 1 || !w.p.Closed(w.now, w.policy, 0, w.table.View(), conn) {
			t.Fatalf("the close of %d brokers over connection %d does not wait", len(conn), b.r.Conn)
		}
		return func() bool {
			held, _ := w.p.CloseHeld(w.now, w.policy, 0, w.table.View(), conn)
			return held
		}
	}
	flap := func() {
		for i := range 60 {
			closes(b[i%3])
			w.pass(1)
		}
	}
	flap()
	for i := range 36 {
		b = append(b, w.add("c", fmt.Sprint("more-", i), nil))
	}
	flap()
	for n, want := range map[int]bool{3: false, 20: true} {
		var held func() bool
		for i := range n {
			held = closes(b[3+i])
		}
		if held() != want {
			t.Errorf("%d of forty: held %v, want %v", n, !want, want)
		}
		w.pass(10)
		flap()
	}
	// Of eight one leaves after the other: the third is one of eight, not of six.
	b = w.cluster("d", 8, nil)
	for i := range 4 {
		held := closes(b[i])
		w.now += 500
		if held() != (i == 3) {
			t.Errorf("close %d: held %v", i, i != 3)
		}
		w.table.ConnClosed(b[i].r.Conn)
	}
}
