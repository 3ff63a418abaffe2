package engine

import (
	"sync/atomic"
	"time"

	"gonamesrv/internal/meter"
)

// probeEvery is how often it is measured how late a loop is. It wakes the loop.
const probeEvery = 250 * time.Millisecond

// A lateness measures how late its loop runs what is to run at once: what a request
// waits there for others, for the collector, for a processor. The time is monotonic,
// because a pause of the process is such a wait, too.
type lateness struct {
	due     time.Duration // when the one that waits was posted; constant while it waits
	waiting atomic.Bool   // one is posted and has not run
	delay   meter.Histogram
}

// probeAll posts a task to each loop, again and again. A loop that has not run the one
// before gets no other.
func (e *Engine) probeAll() {
	t := time.NewTicker(probeEvery)
	defer t.Stop()
	for {
		for _, l := range e.loops {
			if !l.late.waiting.Load() {
				l.late.due = monotonic()
				l.late.waiting.Store(true)
				l.execute(l.lateTask)
			}
		}
		select {
		case <-e.stop:
			return
		case <-t.C:
		}
	}
}

// ran is the task. Loop only.
func (d *lateness) ran() {
	d.note(monotonic() - d.due)
	d.waiting.Store(false)
}

// note counts a delay, and those of the probes that would have been posted meanwhile:
// else a loop that stands still for a minute would have been late once.
func (d *lateness) note(delay time.Duration) {
	for ; delay >= 0; delay -= probeEvery {
		d.delay.Add(int64(delay))
	}
}

// LoopDelays returns, for each event loop, how late it was with what was to run at
// once, in nanoseconds, four times a second since the engine began to run.
func (e *Engine) LoopDelays() []meter.Reading {
	all := make([]meter.Reading, len(e.loops))
	for i, l := range e.loops {
		all[i] = l.late.delay.Read()
	}
	return all
}
