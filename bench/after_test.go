package bench

import (
	"testing"
	"time"
)

// TestRateOfTheServer: a server that is asked more than it can do answers all in the end. Its
// rate is of what it has answered by the end of the phase, not of all that was asked.
func TestRateOfTheServer(t *testing.T) {
	w, c, s := newLoop(1000, 1, 1)
	l := w.lanes[0]
	l.start = w.d.now() - int64(9_500*time.Microsecond) // ten are due
	w.issueDue(l, w.d.now(), 10)
	topic := c.src.(*routes).topics[0]
	answer := func(from, to int32) {
		for i := from; i < to; i++ {
			s.in = routeReply(topic, firstNumber+i)
			w.traffic(c, s.in)
		}
	}
	answer(0, 4)
	w.d.phases = append(w.d.phases, &phase{name: "next"})
	w.stats = append(w.stats, make([]opStats, 1))
	w.phase = 2
	answer(4, 7)
	w.over = true
	answer(7, 10)
	o := operation{name: opRoute}.result(w.d.tally(1, 0), 2)
	if o.Answered != 10 || o.AfterPhase != 6 || o.PerSecond != 2 || w.d.wrongs > 0 {
		t.Errorf("%+v", o)
	}
	// Another process has seen the same.
	both := w.d.tally(1, 0)
	if err := both.takeOver(o); err != nil || both.after != 12 {
		t.Errorf("%d after the phase, %v", both.after, err)
	}
}

// TestOnewayGeneratorBound: oneway requests have no latency, but they have a rate, which the
// generator may not have reached.
func TestOnewayGeneratorBound(t *testing.T) {
	for late, want := range map[time.Duration]bool{50 * time.Millisecond: false, 200 * time.Millisecond: true} {
		s := &opStats{sent: 100}
		s.recordLateness(int64(late))
		o := operation{name: opHeartbeat, oneway: true}.result(s, 10)
		if o.GeneratorBound() != want || o.PerSecond != 10 {
			t.Errorf("late by %v in 10 s: %+v", late, o.Pace)
		}
	}
}
