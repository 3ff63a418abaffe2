package route

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"gonamesrv/codec"
)

// restart lets another Table go on with what w knows, with age seconds between the
// two. The brokers are silent until somebody lets them speak.
func (w *world) restart(age int64) {
	w.t.Helper()
	saved := w.table.View().Save(w.now)
	w.now += age * 1000
	table, err := Restore(Options{Limits: boundless, OnEvent: func(e Event) { w.t.Errorf("event %+v of Restore", e) }}, saved, w.now, age*1000)
	if err != nil {
		w.t.Fatal(err)
	}
	table.onEvent = nil
	table.Serving(w.now)
	w.table, w.p, w.pulse = table, NewProtection(), Pulse{}
	silence(w.brokers, true)
}

// TestRestartsOneAfterTheOther restarts again and again before the window of a dead
// broker ends. Each time it is waited for anew, but not for ever; then it goes with
// its topics, and nobody else does.
func TestRestartsOneAfterTheOther(t *testing.T) {
	topics := func(names ...string) func(*Registration) {
		return func(r *Registration) {
			for _, name := range names {
				r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), Perm: 6})
			}
		}
	}
	for _, seconds := range []int64{20, 70} { // that each process lives
		w := newWorld(t, ProtectionOff)
		w.add("c", "dead", topics("dead", "both"))
		well := w.add("c", "well", topics("well", "both"))
		well.every = 5
		w.pass(100)
		restarts, begin := 0, w.now
		for w.table.View().LiveCount() == 2 {
			if restarts++; restarts > 100 {
				t.Fatal("it is kept for ever")
			}
			w.restart(10)
			well.silent = false
			w.pass(seconds)
		}
		silent := (w.now - begin) / 1000
		if least, most := int64(900+120-30), int64(900+120+30+10)+seconds; silent < least || silent > most {
			t.Errorf("it has gone after %d s and %d restarts, want %d to %d s", silent, restarts, least, most)
		}
		v := w.table.View()
		if _, ok := v.Topic([]byte("dead")); ok || v.TopicCount() != 2 {
			t.Errorf("%d topics, want two; that of the dead one: %v", v.TopicCount(), ok)
		}
		if n := w.table.Warmth(); n.Known != 1 || n.Gone != 0 {
			t.Errorf("%+v, want one that was restored", n)
		}
		if err := w.table.CheckInvariants(); err != nil {
			t.Error(err)
		}
	}
}

// TestWhoIsNotRestored: whose time-out is longer ago than may be is left out, whatever
// the numbers.
func TestWhoIsNotRestored(t *testing.T) {
	for _, tt := range []struct {
		silent, age, timeout, most int64
		restored                   bool
	}{
		{30_000, 900_000, 120_000, 0, true}, // it was well
		{120_000, 900_000, 120_000, 0, true},
		{120_001, 900_000, 120_000, 0, false},
		{120_000, 900_001, 120_000, 0, false},
		{0, 900_000, -1000, 0, true},
		{1, 900_000, -1000, 0, false},
		{0, math.MaxInt64, 120_000, 0, false},
		{math.MaxInt64, math.MaxInt64, 120_000, 0, false},
		{math.MaxInt64, 10, math.MaxInt64, 0, true}, // it wants to be waited for
		{110, 10, 100, 20, true},
		{111, 10, 100, 20, false},
	} {
		table := registered(t, 1, 3)
		saved := table.View().Save(1)
		saved.Lives[0].SilentMillis, saved.Lives[0].TimeoutMillis = tt.silent, tt.timeout
		restored, err := Restore(Options{MostSilentMillis: tt.most}, saved, 5, tt.age)
		if err != nil {
			t.Fatal(err)
		}
		v := restored.View()
		if got := v.LiveCount() == 1; got != tt.restored || got != (v.TopicCount() == 3) {
			t.Errorf("%+v: %d brokers with %d topics", tt, v.LiveCount(), v.TopicCount())
		}
		if err := restored.CheckInvariants(); err != nil {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestLeftOutAsExpired leaves the masters of sets out, and of two brokers at an
// address one: the tables are as if these had expired.
func TestLeftOutAsExpired(t *testing.T) {
	for _, acting := range []bool{false, true} {
		w := newWorld(t, ProtectionOff)
		w.sets(3, func(i int, r *Registration) {
			r.EnableActingMaster = acting
			for _, name := range []string{"T", r.BrokerName} {
				r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), Perm: 6})
			}
			r.Body.Mappings = []codec.RegisteredMapping{{Key: "T", Info: codec.TopicQueueMappingInfo{Bname: r.BrokerName}}}
		}, false)
		saved := w.table.View().Save(w.now)
		for i := range saved.Lives {
			if i%2 == 0 || i == 1 { // the masters, and the whole of one set
				saved.Lives[i].SilentMillis = 600_000
			}
		}
		var tables [2]*Table
		for i, most := range []int64{300_000, 900_000} {
			var err error
			if tables[i], err = Restore(Options{MostSilentMillis: most}, saved, w.now, 0); err != nil {
				t.Fatal(err)
			}
		}
		left := tables[0].View().LiveCount()
		for i := range saved.Lives {
			if saved.Lives[i].SilentMillis == 0 {
				tables[1].Heartbeat(w.now+100_000, []byte(saved.Lives[i].Cluster), []byte(saved.Lives[i].Addr))
			}
		}
		tables[1].ScanNotActiveBroker(w.now + 130_000)
		if left != 2 || tables[1].View().LiveCount() != 2 {
			t.Fatalf("%d and %d brokers are left, want 2", left, tables[1].View().LiveCount())
		}
		if d := viewDifference(tables[1].View(), tables[0].View()); d != "" {
			t.Error(d)
		}
		for _, table := range tables {
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestRestoredAreWaitedFor: five minutes have passed since the snapshot. While brokers
// have not had the time to register, they are not taken for silent: one that is heard
// and then falls silent leaves as usual. When they have had it, they are.
func TestRestoredAreWaitedFor(t *testing.T) {
	w := newWorld(t, ProtectionOn)
	b := w.cluster("c", 8, func(i int, r *Registration) {
		if i == 0 {
			r.TimeoutMillis = 10_000
		}
	})
	b[0].every = 1
	w.pass(100)
	w.restart(300)
	b[0].silent = false
	w.pass(5)
	b[0].silent = true
	w.pass(20)
	w.wantGone(1, "before the others can have registered")
	w.pass(110)
	if s := w.p.Stats(); len(w.gone) != 1 || s.Suspects != 7 {
		t.Errorf("%d have left and %d are held, want 1 and 7", len(w.gone), s.Suspects)
	}
}

// TestRestoredIsNoStandIn: who was restored, and has said nothing yet, does not stand in
// for a broker that falls silent.
func TestRestoredIsNoStandIn(t *testing.T) {
	for _, heard := range []bool{false, true} {
		w := newWorld(t, ProtectionOn)
		w.sets(1, func(_ int, r *Registration) {
			r.EnableActingMaster = true
			if r.BrokerID == 0 {
				r.TimeoutMillis = 10_000
			}
		}, false)
		w.brokers[0].every = 1
		w.pass(100)
		w.restart(0)
		if err := w.p.Hold(w.now, "s", maxHoldMillis); err != nil {
			t.Fatal(err)
		}
		w.table.Heartbeat(w.now, []byte("s"), []byte(w.brokers[0].r.BrokerAddr))
		if heard {
			w.table.Heartbeat(w.now, []byte("s"), []byte(w.brokers[1].r.BrokerAddr))
		}
		w.pass(20)
		w.wantGone(map[bool]int{false: 0, true: 1}[heard], fmt.Sprintf("the slave is heard: %v", heard))
	}
}

// TestHeardWhenRestored: a broker without any patience is heard in the moment in which
// it was restored, and due in the same.
func TestHeardWhenRestored(t *testing.T) {
	saved := registered(t, 1, 3).View().Save(1)
	saved.Lives[0].TimeoutMillis = -1
	restored, err := Restore(Options{}, saved, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if due := restored.Due(4); len(due) != 0 {
		t.Errorf("%d are due before they were heard", len(due))
	}
	restored.Heartbeat(5, []byte("cluster-0"), []byte("10.0.0.0:10911"))
	if due := restored.Due(5); len(due) != 1 {
		t.Errorf("%d are due, want 1", len(due))
	}
}

// TestSignsBesideChanges lets brokers that were restored give signs of life, ask for
// their data version, register, fall silent and be closed, all at once. It is for the
// race detector; in the end everybody is heard and confirmed.
func TestSignsBesideChanges(t *testing.T) {
	const brokers, rounds = 4, 60
	body := func(i int, version int64) *Registration {
		r := benchRegistration(i, benchBody(0, 20, 1, never))
		r.Body.DataVersion.Counter, r.Conn, r.Seq = version, uint64(i+1), uint64(version)
		r.TimeoutMillis = 10_000
		return r
	}
	old := New(Options{})
	for i := range brokers {
		mustRegisterAt(t, old, 1, body(i, 1))
	}
	table, err := Restore(Options{}, old.View().Save(1), 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	table.Serving(1000)
	p := NewProtection()
	done := make(chan struct{})
	var changes, signs sync.WaitGroup
	for i := range brokers {
		changes.Go(func() {
			for n := range int64(rounds) {
				_, _ = table.RegisterBroker(2000+n*100, body(i, n/2))
			}
		})
		signs.Go(func() {
			r := body(i, 0)
			cluster, addr := []byte(r.Cluster), []byte(r.BrokerAddr)
			for n := int64(0); ; n++ {
				select {
				case <-done:
					return
				default:
				}
				dv := r.Body.DataVersion
				dv.Counter = n % (rounds / 2)
				table.QueryDataVersion(2000+n, cluster, addr, dv, false)
				table.Heartbeat(2000+n, cluster, addr)
				table.RegistrationMissed(2000+n, cluster, addr, uint64(n))
				table.Warmth()
				table.View().Save(2000 + n)
			}
		})
	}
	changes.Go(func() {
		for n := range int64(rounds) {
			table.Scan(2000+n*1000, p, ProtectionPolicy{Mode: ProtectionMode(n % 3), MaxMillis: 1000}, Pulse{BytesIn: uint64(n)})
			if n%10 == 9 {
				brokers := table.BrokersOn(uint64(n/10%4 + 1))
				p.Closed(2000+n*1000, ProtectionPolicy{Mode: ProtectionOn}, 0, table.View(), brokers)
				p.CloseHeld(2000+n*1000, ProtectionPolicy{Mode: ProtectionOn}, 0, table.View(), brokers)
				table.ConnClosed(uint64(n/10%4 + 1))
				p.Stats()
			}
		}
	})
	changes.Wait()
	close(done)
	signs.Wait()
	for i := range brokers {
		r := body(i, rounds)
		r.Seq = math.MaxUint64
		mustRegisterAt(t, table, 1_000_000_000, r)
		l, changed := table.QueryDataVersion(1_000_000_000, []byte(r.Cluster), []byte(r.BrokerAddr), r.Body.DataVersion, false)
		if l == nil || l.State() != Confirmed || changed && l.Trusted() && !l.isInDoubt() {
			t.Errorf("broker %d: %+v, changed %v", i, l, changed)
		}
	}
	if err := table.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// TestHalfOfWhatWasRestored: of a broker that lists no topic of its own name, half of
// what was restored is the whole table. Less is not, and makes a new data version one
// not to be trusted, but not the one that was restored.
func TestHalfOfWhatWasRestored(t *testing.T) {
	for n, want := range map[int]LiveState{2: Heard, 3: Confirmed} { // of five
		for _, counter := range []int64{1, 2} {
			saved := registered(t, 1, 5).View().Save(1)
			restored, err := Restore(Options{}, saved, 5, 0)
			if err != nil {
				t.Fatal(err)
			}
			r := benchRegistration(0, benchBody(0, n, 1, never))
			r.Body.DataVersion = saved.Lives[0].DataVersion
			r.Body.DataVersion.Counter += counter - 1
			mustRegisterAt(t, restored, 10, r)
			l, _ := restored.View().Live([]byte("cluster-0"), []byte("10.0.0.0:10911"))
			if trusted := want == Confirmed || counter == 1; l.State() != want || l.Trusted() != trusted {
				t.Errorf("%d topics, version %d: %v and trusted: %v, want %v and %v", n, counter, l.State(), l.Trusted(), want, trusted)
			}
		}
	}
}
