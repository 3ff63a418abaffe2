package route

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestHalfIsCut cuts half of eight brokers off for 200 s: with protection none is
// lost, without it all four are. Nothing published changes meanwhile.
func TestHalfIsCut(t *testing.T) {
	for mode, lost := range map[ProtectionMode]int{ProtectionOff: 4, ProtectionMonitor: 4, ProtectionOn: 0} {
		w := newWorld(t, mode)
		b := w.cluster("c", 8, nil)
		w.pass(100)
		before := w.table.View()
		silence(b[:4], true)
		w.pass(200)
		w.wantGone(lost, "after 200 s")
		if mode == ProtectionOn {
			if s := w.p.Stats(); s.Suspects != 4 || s.Held.Partial != 4 || len(s.Scopes) != 1 || s.Scopes[0].State != ProtectionPartial {
				t.Errorf("stats %+v, want four suspects of a scope that is partial", s)
			}
			if w.table.View() != before {
				t.Error("there is another View although nothing has changed")
			}
		}
		silence(b[:4], false)
		w.pass(120)
		w.wantGone(0, "when they are back")
		if s := w.p.Stats(); mode == ProtectionOn && (s.Suspects != 0 || s.Scopes[0].State != ProtectionNormal || s.WouldHold != HeldCounts{}) {
			t.Errorf("stats at the end %+v", s)
		}
		if s := w.p.Stats(); mode == ProtectionMonitor && (s.WouldHold.Partial < 3 || s.Held != HeldCounts{}) {
			t.Errorf("stats of the monitor %+v", s)
		}
		if mode == ProtectionOff && len(w.events) != 0 || mode != ProtectionOff && (w.saw(ProtectionEntered) != 1 || w.saw(ProtectionLeft) != 1) {
			t.Errorf("mode %d: events %+v", mode, w.events)
		}
	}
}

// TestCeiling leaves half of eight brokers cut off: they go when they have been held
// for 300 s each, one a second, and at once when the ceiling is lowered; without one
// they stay.
func TestCeiling(t *testing.T) {
	w := newWorld(t, ProtectionOn)
	b := w.cluster("c", 8, nil)
	w.pass(100)
	silence(b[:4], true)
	w.pass(120 + 265)
	w.wantGone(0, "before the ceiling")
	w.pass(90)
	w.wantGone(4, "after it")
	if s := w.p.Stats(); s.AtCeiling != 4 || s.Released != 4 || w.saw(ProtectionCeiling) != 1 || w.saw(ProtectionReleased) != 1 {
		t.Errorf("stats %+v, events %+v", s, w.events)
	}
	w.pass(60)
	if w.saw(ProtectionLeft) != 1 {
		t.Errorf("the scope has not left its state: %+v", w.events)
	}

	w = newWorld(t, ProtectionOn)
	w.policy.MaxMillis = 0
	b = w.cluster("c", 8, nil)
	w.pass(100)
	silence(b[:4], true)
	w.pass(3600)
	w.wantGone(0, "without a ceiling")
	w.policy.MaxMillis = 1
	w.pass(5)
	w.wantGone(4, "with one of a moment ago") // at most one for each second since the last scan

	w = newWorld(t, ProtectionOn)
	b = w.cluster("c", 40, nil)
	w.pass(100)
	silence(b[:20], true)
	w.pass(300)
	w.policy.MaxMillis = 1
	w.pass(6)
	if n := len(w.gone); n < 4 || n > 11 {
		t.Errorf("%d have left within 6 s, want one a second", n)
	}
}

// TestSecondEpisode cuts half of a cluster off again within ten minutes: it is held
// for half as long. Half an hour later it is held for as long as at first.
func TestSecondEpisode(t *testing.T) {
	for pause, most := range map[int64]int64{120: 120 + 150, 1800: 120 + 300} {
		w := newWorld(t, ProtectionOn)
		b := w.cluster("c", 8, nil)
		w.pass(100)
		silence(b[:4], true)
		w.pass(200)
		silence(b[:4], false)
		w.pass(pause)
		w.wantGone(0, "the first time")
		silence(b[:4], true)
		w.pass(most - 35)
		w.wantGone(0, "before the ceiling")
		w.pass(50)
		w.wantGone(4, "after it")
	}
}

// TestWhoIsNotHeld goes through what is not held, or not for long: as with Java all
// that are silent leave in the scan after their timeout.
func TestWhoIsNotHeld(t *testing.T) {
	acting := func(_ int, r *Registration) { r.EnableActingMaster = true }
	for name, c := range map[string]struct {
		make  func(w *world) (silent []*worldBroker)
		lost  int
		after int64 // seconds
	}{
		"one of eight":        {func(w *world) []*worldBroker { return w.cluster("c", 8, nil)[:1] }, 1, 125},
		"three of eight":      {func(w *world) []*worldBroker { return w.cluster("c", 8, nil)[:3] }, 3, 125},
		"two of two":          {func(w *world) []*worldBroker { w.cluster("other", 3, nil); return w.cluster("c", 2, nil) }, 2, 125},
		"one of one":          {func(w *world) []*worldBroker { w.cluster("other", 3, nil); return w.cluster("c", 1, nil) }, 1, 125},
		"four of eight":       {func(w *world) []*worldBroker { return w.cluster("c", 8, nil)[:4] }, 0, 125},
		"all of three":        {func(w *world) []*worldBroker { w.cluster("other", 3, nil); return w.cluster("c", 3, nil) }, 0, 125},
		"four of nine":        {func(w *world) []*worldBroker { return w.cluster("c", 9, nil)[:4] }, 4, 125},
		"five of eleven":      {func(w *world) []*worldBroker { return w.cluster("c", 11, nil)[:5] }, 0, 125},
		"two of three":        {func(w *world) []*worldBroker { return w.cluster("c", 3, nil)[:2] }, 2, 125},
		"one of two zones":    {func(w *world) []*worldBroker { return w.zones("a", "b")[:4] }, 4, 125},
		"half of each zone":   {func(w *world) []*worldBroker { return w.zones("a", "b", "a", "b")[4:12] }, 0, 125},
		"one of three zones":  {func(w *world) []*worldBroker { return w.zones("a", "b", "c")[:4] }, 4, 125},
		"one zone, half one":  {func(w *world) []*worldBroker { return w.zones("a", "b")[:6] }, 0, 125},
		"both zones":          {func(w *world) []*worldBroker { w.cluster("other", 1, nil); return w.zones("a", "b") }, 0, 125},
		"half, all one zone":  {func(w *world) []*worldBroker { return w.zones("a", "a")[:4] }, 0, 125},
		"one zone, one empty": {func(w *world) []*worldBroker { return w.zones("a", "", "b")[4:8] }, 4, 125},
		"masters of acting sets": {func(w *world) []*worldBroker {
			return w.sets(4, acting, false)
		}, 4, 125},
		"masters of other sets": {func(w *world) []*worldBroker { return w.sets(4, nil, false) }, 0, 125},
		"a slave is no stand-in": {func(w *world) []*worldBroker {
			var silent []*worldBroker
			for i := range 12 { // of three members each, the last one is heard
				b := w.add("s", fmt.Sprint("s-", i/3), func(r *Registration) { r.BrokerID = int64(i % 3) })
				if i%3 < 2 {
					silent = append(silent, b)
				}
			}
			return silent
		}, 0, 125},
		"slaves of other sets": {func(w *world) []*worldBroker { return w.sets(4, nil, true) }, 4, 125},
		"whole acting sets": {func(w *world) []*worldBroker {
			w.sets(4, acting, false)
			return w.brokers[:4]
		}, 0, 125},
		"some with a short timeout": {func(w *world) []*worldBroker {
			b := w.cluster("c", 8, func(_ int, r *Registration) { r.TimeoutMillis = 10_000 })
			for _, b := range b {
				b.every = 1
			}
			return b[:4]
		}, 0, 60},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ProtectionOn)
			silent := c.make(w)
			w.pass(150)
			silence(silent, true)
			w.pass(c.after + 30)
			w.wantGone(c.lost, "after the timeout")
			silence(silent, false)
			w.pass(60)
			w.wantGone(0, "when they are back")
		})
	}
}

// TestWeHearNobody takes our own interface down for 60 s, and for 110 s: nobody
// is lost, whatever the size of the clusters and the timeouts; and nobody while they
// come back.
func TestWeHearNobody(t *testing.T) {
	for _, down := range []int64{60, 110, 250} {
		w := newWorld(t, ProtectionOn)
		w.cluster("big", 8, nil)
		w.cluster("small", 2, nil)
		for _, b := range w.cluster("quick", 3, func(_ int, r *Registration) { r.TimeoutMillis = 10_000 }) {
			b.every = 1
		}
		w.pass(200)
		silence(w.brokers, true)
		w.pass(down)
		w.wantGone(0, "while the interface is down")
		if s := w.p.Stats(); s.State != ProtectionIsolated {
			t.Errorf("state %v after %d s", s.State, down)
		}
		silence(w.brokers, false)
		w.pass(40)
		if s := w.p.Stats(); s.State != ProtectionRecovering {
			t.Errorf("state %v when it is up again", s.State)
		}
		w.pass(300)
		w.wantGone(0, "afterwards")
		if s := w.p.Stats(); s.State != ProtectionNormal || s.Suspects != 0 {
			t.Errorf("stats at the end %+v", s)
		}
	}
}

// TestDeaf: with five connections and not a byte for 45 s it is we who are deaf; with
// four it may be them.
func TestDeaf(t *testing.T) {
	for peers, want := range map[int]ProtectionState{4: ProtectionNormal, 5: ProtectionIsolated} {
		w := newWorld(t, ProtectionOn)
		b := w.cluster("c", peers, nil)
		w.pass(100)
		silence(b, true)
		w.pass(44)
		if s := w.p.Stats().State; s != ProtectionNormal {
			t.Errorf("%d peers: %v before 45 s", peers, s)
		}
		w.pass(6)
		if s := w.p.Stats().State; s != want {
			t.Errorf("%d peers: %v after 45 s, want %v", peers, s, want)
		}
	}
}

// TestOwnPause: after a pause of ours nobody leaves for 75 s, not even of a small
// cluster; then those who have not come back leave one by one.
func TestOwnPause(t *testing.T) {
	for pause, held := range map[int64]bool{4_999: false, 5_000: true} {
		w := newWorld(t, ProtectionOn)
		silent := w.cluster("c", 2, nil)
		w.cluster("other", 3, nil)
		w.pass(100)
		silence(silent, true)
		w.pass(85)
		w.pulse.PausedMillis += pause
		w.pass(60)
		if want := map[bool]int{true: 0, false: 2}[held]; len(w.gone) != want {
			t.Errorf("pause of %d ms: %d have left, want %d", pause, len(w.gone), want)
		}
		w.pass(20 + 120 + 30)
		w.wantGone(2, "in the end")
	}
}

// TestLeavingInTurn: suspects that are left when their scope is normal again have
// another timeout, and leave one in 10 s then.
func TestLeavingInTurn(t *testing.T) {
	w := newWorld(t, ProtectionOn)
	w.policy.MaxMillis = 0
	b := w.cluster("c", 16, nil)
	w.pass(100)
	silence(b[:8], true)
	w.pass(200)
	w.wantGone(0, "while much is silent")
	silence(b[4:8], false)
	w.pass(60)
	if s := w.p.Stats(); s.Suspects != 4 || s.Scopes[0].State != ProtectionNormal {
		t.Fatalf("stats %+v, want four suspects of a scope that is normal", s)
	}
	from := w.now
	silence(b[8:9], true) // that was not held leaves as usual, and waits for nobody
	w.pass(100)
	w.wantGone(0, "within another timeout")
	w.pass(120)
	w.wantGone(5, "in the end")
	var times []int64
	for _, i := range b[:4] {
		times = append(times, w.gone[i.r.BrokerAddr])
	}
	slices.Sort(times)
	for i, at := range times {
		if i > 0 && (at-times[i-1] < 10_000 || at-times[i-1] > 15_000) || at < from+90_000 {
			t.Errorf("they have left at %v, from %d on", times, from)
		}
	}
}

// TestLargeClusterDrips: of more than fifty brokers one leaves in 100 s all the same,
// the oldest first.
func TestLargeClusterDrips(t *testing.T) {
	for n, lost := range map[int]int{50: 0, 52: 2, 80: 2} {
		w := newWorld(t, ProtectionOn)
		b := w.cluster("c", n, nil)
		w.pass(100)
		silence(b[:1], true)
		w.pass(40)
		silence(b[:n/2], true)
		w.pass(80 + 250)
		w.wantGone(lost, fmt.Sprint("of ", n))
		if lost > 0 && w.gone[b[0].r.BrokerAddr] == 0 {
			t.Error("the oldest is still there")
		}
	}
}

// TestByHand holds and releases suspects by hand.
func TestByHand(t *testing.T) {
	w := newWorld(t, ProtectionOn)
	small := w.cluster("small", 2, nil)
	half := w.cluster("c", 8, nil)[:4]
	w.pass(100)
	if err := w.p.Hold(w.now, "small", 400_000); err != nil {
		t.Fatal(err)
	}
	silence(small, true)
	silence(half, true)
	w.pass(200)
	w.wantGone(0, "all are held")
	if s := w.p.Stats(); s.Held.Operator != 2 || s.HeldByHand != 1 || s.Held.Partial != 4 {
		t.Errorf("stats %+v", s)
	}
	if n := w.p.Release("c", half[1].r.BrokerName); n != 1 {
		t.Errorf("%d are released, want 1", n)
	}
	w.scan()
	w.wantGone(1, "one is released")
	if n := w.p.Release("c", ""); n != 3 {
		t.Errorf("%d are released, want 3", n)
	}
	w.scan()
	w.wantGone(4, "a cluster is released")
	w.pass(350)
	w.wantGone(6, "nobody holds the others any more") // after another timeout
	for _, ms := range []int64{0, -1, maxHoldMillis + 1} {
		if w.p.Hold(w.now, "c", ms) == nil {
			t.Errorf("held for %d ms", ms)
		}
	}
	for i := range maxScopes + 1 {
		if err := w.p.Hold(w.now, fmt.Sprint(i), 1); (err != nil) != (i >= maxScopes) {
			t.Fatalf("hold %d: %v", i, err)
		}
	}
}

// TestTurnedOff: who is held leaves with the next scan when protection is turned off.
func TestTurnedOff(t *testing.T) {
	for _, mode := range []ProtectionMode{ProtectionOff, ProtectionMonitor} {
		w := newWorld(t, ProtectionOn)
		half := w.cluster("c", 8, nil)[:4]
		w.pass(100)
		silence(half, true)
		w.pass(200)
		w.wantGone(0, "on")
		w.policy.Mode = mode
		w.scan()
		w.wantGone(4, "not on")
		if s := w.p.Stats(); s.Suspects != 0 || mode == ProtectionOff && s.ScopeCount != 0 {
			t.Errorf("stats %+v", s)
		}
		w.pulse.PausedMillis += notablePauseMillis
		w.scan()
		if w.policy.Mode = ProtectionOff; mode == ProtectionMonitor && w.p.mark == 0 {
			t.Error("the pause is not noticed")
		}
		w.scan()
		if w.p.mark != 0 {
			t.Error("what was heard before counts for nothing, though protection is off")
		}
	}
}

// TestScopesAreBounded puts more clusters in trouble than are remembered.
func TestScopesAreBounded(t *testing.T) {
	w := newWorld(t, ProtectionOn)
	const n = maxScopes + 10
	for i := range n {
		silence(w.cluster(fmt.Sprint("c", i), 3, nil), true)
	}
	w.cluster("well", 1, nil)
	w.now += 121_000
	w.table.Heartbeat(w.now, []byte("well"), []byte(w.brokers[3*n].r.BrokerAddr))
	w.scan()
	s := w.p.Stats()
	if s.ScopeCount != maxScopes || len(s.Scopes) != shownScopes || s.Suspects != 3*maxScopes {
		t.Errorf("%d scopes, %d shown, %d suspects", s.ScopeCount, len(s.Scopes), s.Suspects)
	}
	w.wantGone(30, "of the clusters beyond")
	for _, ms := range []int64{300_000, 5_000, 60_000, 5_000, againMillis, 5_000} {
		w.now += ms
		w.table.Heartbeat(w.now, []byte("well"), []byte(w.brokers[3*n].r.BrokerAddr))
		w.scan()
	}
	if s := w.p.Stats(); s.ScopeCount != 0 || s.Suspects != 0 {
		t.Errorf("%d scopes and %d suspects are left", s.ScopeCount, s.Suspects)
	}
}

// TestProtectionAgainstReference lets brokers fall silent and come back at random, and
// compares with what Java does. In ProtectionMonitor and ProtectionOff the same leave
// in the same scan; in ProtectionOn no other leaves, none is held for longer than the
// ceiling and its turns take, none whose set has a stand-in, and none of a cluster
// that has fewer than three, while the server hears others and has not stood still.
func TestProtectionAgainstReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mode := rapid.SampledFrom([]ProtectionMode{ProtectionOff, ProtectionMonitor, ProtectionOn, ProtectionOn}).Draw(rt, "mode")
		w := newWorld(t, mode)
		w.policy.MaxMillis = rapid.SampledFrom([]int64{0, 20_000, 100_000, 300_000}).Draw(rt, "ceiling")
		w.cluster("one", 1, nil)
		w.cluster("two", 2, nil)
		w.cluster("c", rapid.IntRange(3, 9).Draw(rt, "brokers"), nil)
		w.zones("a", "b")
		acting := rapid.Bool().Draw(rt, "acting")
		w.sets(3, func(_ int, r *Registration) { r.EnableActingMaster = acting }, false)
		w.pulse.Connections = rapid.IntRange(0, 20).Draw(rt, "connections")
		steps := rapid.IntRange(1, 60).Draw(rt, "steps")
		for range steps {
			w.now += rapid.SampledFrom([]int64{1000, 5000, 30_000, 60_000}).Draw(rt, "time")
			for i, b := range w.brokers {
				if rapid.IntRange(0, 9).Draw(rt, "turn") == 0 {
					b.silent = !b.silent
				}
				if b.silent {
					continue
				}
				w.pulse.BytesIn++
				if !w.table.Heartbeat(w.now, []byte(b.r.Cluster), []byte(b.r.BrokerAddr)) {
					mustRegisterAt(t, w.table, w.now, w.brokers[i].r)
				}
			}
			if rapid.IntRange(0, 30).Draw(rt, "pause") == 0 {
				w.pulse.PausedMillis += 6000
			}
			java := map[BrokerKey]bool{}
			before := w.table.View()
			for l := range before.live.all {
				if l.LastUpdateMillis()+l.TimeoutMillis < w.now {
					java[l.Key()] = true
				}
			}
			expired, _ := w.table.Scan(w.now, w.p, w.policy, w.pulse)
			for _, e := range expired {
				if !java[e.BrokerKey] {
					rt.Fatalf("%v has left, and is not due", e.BrokerKey)
				}
				delete(java, e.BrokerKey)
			}
			if mode != ProtectionOn && len(java) > 0 {
				rt.Fatalf("%v stay, Java removes them", java)
			}
			for key := range java {
				w.checkHeld(rt, before, key)
			}
			if n := w.p.Stats().Suspects; n != len(java) {
				rt.Fatalf("%d suspects, %d are held", n, len(java))
			}
			if err := w.table.CheckInvariants(); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

func (w *world) checkHeld(rt *rapid.T, before *View, key BrokerKey) {
	stats := w.p.Stats()
	if stats.State == ProtectionNormal && (key.Cluster == "one" || key.Cluster == "two") && stats.Held.Isolated+stats.Held.Recovering == 0 {
		rt.Fatalf("%v of a small cluster is held", key)
	}
	for b := range before.brokers.byName.all {
		for m := range b.Members() {
			if b.Cluster != key.Cluster || m.Addr != key.Addr || stats.State != ProtectionNormal {
				continue
			}
			for other := range b.Members() {
				l, _ := before.live.get(string(liveKey(nil, b.Cluster, other.Addr)))
				if other.Addr != m.Addr && l.LastUpdateMillis() == w.now && (b.EnableActingMaster || m.ID != 0 && other.ID == 0) {
					rt.Fatalf("%v is held although %s stands in", key, other.Addr)
				}
			}
		}
	}
	l, _ := before.Live([]byte(key.Cluster), []byte(key.Addr))
	h := w.p.held[l.live]
	if h == nil {
		rt.Fatalf("%v is held and forgotten", key)
	}
	// After the ceiling one leaves a second, however long the time between two scans.
	if most := w.policy.MaxMillis; most > 0 && w.now-h.since > most+60_000+int64(len(w.brokers))*1000 {
		rt.Fatalf("%v is held for %d ms, at most %d", key, w.now-h.since, most)
	}
}

// BenchmarkScanProtected is one scan while half of all is held, and one while
// nothing is wrong.
func BenchmarkScanProtected(b *testing.B) {
	for _, silent := range []bool{false, true} {
		b.Run(fmt.Sprintf("held=%v", silent), func(b *testing.B) {
			w := newWorld(b, ProtectionOn)
			brokers := w.cluster("c", 10_000, nil)
			w.now += 121_000
			if silent {
				brokers = brokers[5000:]
			}
			for _, x := range brokers {
				w.table.Heartbeat(w.now, []byte("c"), []byte(x.r.BrokerAddr))
			}
			for b.Loop() {
				w.table.Scan(w.now, w.p, w.policy, w.pulse)
			}
			if silent != (w.p.Stats().Suspects == 5000) {
				b.Fatal(w.p.Stats().Suspects)
			}
		})
	}
}

// TestProtectionStats shows each count in its own field.
func TestProtectionStats(t *testing.T) {
	p := NewProtection()
	for c := range protectionCauses {
		p.heldSum[c], p.wouldSum[c] = uint64(c), uint64(10+c)
	}
	p.released, p.ceilings = 30, 31
	s := p.Stats()
	if want := (HeldCounts{1, 2, 3, 4, 5, 6, 7}); s.Held != want {
		t.Errorf("held %+v", s.Held)
	}
	if want := (HeldCounts{11, 12, 13, 14, 15, 16, 17}); s.WouldHold != want || s.Released != 30 || s.AtCeiling != 31 {
		t.Errorf("stats %+v", s)
	}
	for i := range protectionStates {
		var back ProtectionState
		text, _ := ProtectionState(i).MarshalText()
		if err := back.UnmarshalText(text); err != nil || int(back) != i {
			t.Errorf("state %d is %q, read back %d: %v", i, text, back, err)
		}
	}
	if new(ProtectionState).UnmarshalText([]byte("x")) == nil {
		t.Error("there is a state x")
	}
}

// TestLeftIsTold: who was told that a state was entered is told that it was left,
// however soon after the time before; who was not, is not.
func TestLeftIsTold(t *testing.T) {
	p := NewProtection()
	var kinds [protectionEventKinds]told
	for _, c := range []struct {
		at   int64
		kind ProtectionEventKind
		told bool
	}{
		{0, ProtectionEntered, true},
		{50_000, ProtectionLeft, true},
		{55_000, ProtectionEntered, false},
		{85_000, ProtectionLeft, false},
		{90_000, ProtectionEntered, true},
		{95_000, ProtectionEntered, false},
		{100_000, ProtectionLeft, true},
		{101_000, ProtectionLeft, false},
	} {
		p.tell(c.at, &kinds, ProtectionEvent{Kind: c.kind}, 0)
		if got := len(p.takeEvents()) == 1; got != c.told {
			t.Errorf("at %d, kind %d: told %v, want %v", c.at, c.kind, got, c.told)
		}
	}
}

// TestZoneTurnsOutLost: both zones of a cluster fall silent, and are held; when one of
// them is heard again, the other one is gone, and leaves at once.
func TestZoneTurnsOutLost(t *testing.T) {
	w := newWorld(t, ProtectionOn)
	w.cluster("other", 1, nil)
	b := w.zones("a", "b")
	w.pass(100)
	silence(b, true)
	w.pass(160)
	w.wantGone(0, "while both are silent")
	silence(b[4:], false)
	w.pass(40)
	w.wantGone(4, "when one is heard")
}
