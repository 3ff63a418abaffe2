package bench

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestLatenessApart: the part of a latency that is the generator's is measured for each
// request, and what remains is the server's.
func TestLatenessApart(t *testing.T) {
	w, c, s := newLoop(1000, 1, 1)
	l := w.lanes[0]
	const late = int64(50 * time.Millisecond)
	l.start = w.d.now() - late
	w.issueDue(l, w.d.now(), 1)
	s.in = routeReply(c.src.(*routes).topics[0], firstNumber)
	w.traffic(c, s.in)
	st := &w.stats[1][0]
	if st.answered != 1 || w.d.wrongs > 0 {
		t.Fatalf("%+v, %d wrong", st, w.d.wrongs)
	}
	lateness, fromWrite, latency := st.lateness.Max(), st.fromWrite.Max(), st.latency.Max()
	if lateness < late {
		t.Errorf("a request that left %v late counts as %v late", time.Duration(late), time.Duration(lateness))
	}
	// Each histogram has three digits.
	if diff := latency - lateness - fromWrite; math.Abs(float64(diff)) > float64(latency)/200 {
		t.Errorf("latency %v is not lateness %v and %v from the write", time.Duration(latency), time.Duration(lateness), time.Duration(fromWrite))
	}
	if l.lag.TotalCount() != 1 || l.lag.Max() != lateness {
		t.Errorf("the stream was late %d times, %v at most; want once, %v", l.lag.TotalCount(), time.Duration(l.lag.Max()), time.Duration(lateness))
	}
}

// TestLatenessOfEach: requests that are overdue together are late each by its own time.
func TestLatenessOfEach(t *testing.T) {
	w, _, _ := newLoop(1000, 1, 1)
	l := w.lanes[0]
	now := w.d.now()
	l.start = now - int64(99*time.Millisecond)
	w.issueDue(l, now, math.MaxInt)
	late := w.stats[1][0].lateness
	if late.TotalCount() != 100 {
		t.Fatalf("%d requests were late, want 100", late.TotalCount())
	}
	// The first is later than the last by what is between them, however long this took.
	if apart := time.Duration(late.Max() - late.Min()); apart < 98*time.Millisecond {
		t.Errorf("the first is later than the last by %v, want 99 ms", apart)
	}
}

// TestClosedLoopHasNoPace: there is no moment at which a request of it is to leave.
func TestClosedLoopHasNoPace(t *testing.T) {
	turn, w := closedLoop(4)
	turn()
	if st := &w.stats[1][0]; st.lateness != nil || st.fromWrite != nil || st.paced.result(Latency{P99: 1}) != nil {
		t.Errorf("lateness %v, from write %v", st.lateness, st.fromWrite)
	}
}

func TestGeneratorBound(t *testing.T) {
	const us = 1000
	for _, tt := range []struct {
		late, latency int64 // of all requests, µs
		want          bool
	}{
		{0, 100, false},
		{32, 100, false},
		{35, 100, true},
		{100, 100, true},
		{4600, 5900, true},
		{100, 0, false}, // oneway: there is no latency
	} {
		var p paced
		p.recordLateness(tt.late * us)
		latency := Latency{P99: float64(tt.latency)}
		o := Operation{Name: opRoute, Latency: latency, Pace: p.result(latency)}
		if o.GeneratorBound() != tt.want {
			t.Errorf("late by %d µs of %d: generator-bound is %v", tt.late, tt.latency, o.GeneratorBound())
		}
		phases := []Phase{{}, {Ops: []Operation{{Name: "other"}, o}}}
		if generatorBound(phases) != tt.want {
			t.Errorf("late by %d µs of %d: the run is generator-bound: %v", tt.late, tt.latency, !tt.want)
		}
	}
}

// TestBoundPart: of several generators one that is generator-bound by itself marks what all of
// them have measured, also where all together are not.
func TestBoundPart(t *testing.T) {
	for _, bound := range []bool{false, true} {
		var sum opStats
		for part := range 2 {
			var s opStats
			s.sent++
			s.record(1_000_000)
			s.recordLateness(10_000)
			o := operation{name: opRoute}.result(&s, 1)
			o.Pace.GeneratorBound = bound && part == 1
			if err := sum.takeOver(o); err != nil {
				t.Fatal(err)
			}
		}
		if o := (operation{name: opRoute}).result(&sum, 1); o.GeneratorBound() != bound || o.Answered != 2 {
			t.Errorf("with a part that is generator-bound (%v): %+v", bound, o.Pace)
		}
	}
}

// TestBurst: a worker that is behind sends a burst and looks for replies before it sends
// the next one; nothing is lost or sent twice by that.
func TestBurst(t *testing.T) {
	w, _, s := newLoop(1e6, 1, 1)
	l := w.lanes[0]
	l.active = true
	l.start = 0
	const now = 99_500 // a hundred are due
	st := &w.stats[1][0]
	for steps := 1; ; steps++ {
		before := st.sent
		w.step(now, burst)
		if sent := st.sent - before; sent > burst {
			t.Fatalf("%d requests in one step, want %d at most", sent, burst)
		}
		if w.due.Load() > now {
			break
		}
		if steps > 100 {
			t.Fatal("it does not catch up")
		}
	}
	if st.sent != 100 {
		t.Errorf("sent %d, want 100", st.sent)
	}
	if want := len(w.d.workers[0].lanes[0].conns[0].src.(*routes).topics[0].request.frame) * 100; s.written != want {
		t.Errorf("%d bytes were written, want %d", s.written, want)
	}
}

// loops are the ways to run a worker on this system.
func loops() map[string]func(*worker) (loop, error) {
	return map[string]func(*worker) (loop, error){"own": startLoop, "gnet": startGnetLoop}
}

// drive drives a server that answers at once, in an open loop, and returns what was
// seen since the load began, and how many requests must have been due at least.
func drive(t *testing.T, start func(*worker) (loop, error), rate float64, during func(d *driver)) (seen *opStats, due uint64) {
	t.Helper()
	f := smallFleet(Params{Brokers: 2, Topics: 8, BrokersPerTopic: 2, Form: formPlain})
	addr, stop, err := ListenEcho(t.Context(), routeReply(f.topics[0], firstNumber))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	d := newDriver(addr, 1)
	d.start, d.lenient = start, true
	d.ops = []operation{{name: opRoute}}
	d.phases = []*phase{{name: "warm-up"}, {name: "measured"}}
	d.streams = []*stream{{name: "readers", connections: 7, rate: rate, source: func(i int) source {
		return &routes{f.topics, rand.New(rand.NewPCG(1, uint64(i))), 0}
	}}}
	if err := d.open(t.Context(), 2); err != nil {
		d.close()
		t.Fatal(err)
	}
	d.enter(0)
	begun := d.now() // after the first request was due
	d.enter(1)
	during(d)
	due = uint64(seconds(d.now()-begun) * rate)
	d.finish(t.Context(), time.Minute)
	d.close()
	if len(d.failures) > 0 || d.wrongs > 0 {
		t.Errorf("failures %v, %d wrong", d.failures, d.wrongs)
	}
	seen = d.tally(0, 0)
	seen.add(d.tally(1, 0))
	return seen, due
}

// TestLoopsPace: whatever a worker runs on, each request of an open loop is sent once, is
// answered, and says how late it was.
func TestLoopsPace(t *testing.T) {
	for name, start := range loops() {
		t.Run(name, func(t *testing.T) {
			const rate = 2000
			st, due := drive(t, start, rate, func(d *driver) {
				time.Sleep(200 * time.Millisecond)
			})
			if st.sent < due || st.answered != st.sent {
				t.Errorf("sent %d, %d answered, want %d", st.sent, st.answered, due)
			}
			if late, from := st.lateness.TotalCount(), st.fromWrite.TotalCount(); uint64(late) != st.sent || uint64(from) != st.answered {
				t.Errorf("%d have a lateness and %d a latency from the write, of %d", late, from, st.sent)
			}
		})
	}
}

// TestStalledGenerator: what the generator itself does not get done in time is in the
// lateness, not in the latency from the write, and no request is left out.
func TestStalledGenerator(t *testing.T) {
	for name, start := range loops() {
		t.Run(name, func(t *testing.T) {
			const rate, stall = 2000, 300 * time.Millisecond
			st, due := drive(t, start, rate, func(d *driver) {
				d.each(func(*worker) { time.Sleep(stall) })
			})
			if st.sent < due || st.answered != st.sent {
				t.Errorf("sent %d, %d answered, want %d", st.sent, st.answered, due)
			}
			if late := time.Duration(st.lateness.Max()); late < stall*9/10 {
				t.Errorf("late by %v at most, after a stall of %v", late, stall)
			}
			if whole := time.Duration(st.latency.Max()); whole < stall*9/10 {
				t.Errorf("the latency from the intended moment is %v at most, after a stall of %v", whole, stall)
			}
			if st.fromWrite.Mean() >= st.latency.Mean() {
				t.Errorf("from the write it takes %v, from the intended moment %v", time.Duration(st.fromWrite.Mean()), time.Duration(st.latency.Mean()))
			}
		})
	}
}
