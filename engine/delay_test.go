package engine

import (
	"slices"
	"testing"
	"time"
)

// TestLoopDelay: while a loop hangs it is seen to be silent, and afterwards how long
// it was late is there, as often as it would have been seen.
func TestLoopDelay(t *testing.T) {
	hold := make(chan struct{})
	h := &testHandler{serve: func(_ Conn, frame, out []byte) []byte { <-hold; return append(out, frame...) }}
	s := serve(t, h, func(o *Options) { o.Loops = 2 })
	eventually(t, "both loops are looked at", func() bool {
		for _, d := range s.LoopDelays() {
			if d.Count < 2 {
				return false
			}
		}
		return true
	})
	c := s.dial()
	c.send(textFrame("x"))
	eventually(t, "one is seen to be silent, for longer than two ticks are apart", func() bool { return s.Pulse().Silent > 2*time.Second })
	ticked := s.Stats().LoopTicked
	hanging := slices.Index(ticked, slices.Min(ticked))
	before := s.LoopDelays()[hanging]
	close(hold)
	c.want("x")
	eventually(t, "the delay is counted", func() bool {
		after := s.LoopDelays()[hanging]
		more := after.Since(&before)
		return more.Count-more.Below(939_524_096) >= 1 && more.Count-more.Below(1<<27) >= 4 // bounds of bins below 1 s and 250 ms
	})
}

// TestLatenessCountsWhatWasLeftOut: for one that was late by a second, those that were
// not posted meanwhile count as well.
func TestLatenessCountsWhatWasLeftOut(t *testing.T) {
	var d lateness
	d.note(time.Second + 10*time.Millisecond)
	r := d.delay.Read()
	want := time.Second + 10*time.Millisecond
	for part := want - probeEvery; part >= 0; part -= probeEvery {
		want += part
	}
	if r.Count != 5 || r.Sum != uint64(want) {
		t.Errorf("%d delays of %v in all, want 5 of %v", r.Count, time.Duration(r.Sum), want)
	}
}
