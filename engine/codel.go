package engine

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// standTime is how long a queue must stand before new work is refused, and how often it
// is looked at then.
const standTime = 100 * time.Millisecond

// A codel bounds a queue that stands, and does not touch one that works off a burst. A
// queue stands if, for standTime, it was never shorter than the number of tasks that are
// done within the target; how many that is, is measured in that time. Each task in a
// standing queue only waits for those before it: a longer queue gets no more work done.
// So the codel lets it have as many tasks as are done within twice the target, and refuses
// further ones when they come. A connection that has no task in the queue has not made it
// long, so its tasks are let in up to twice that number.
//
// This is CoDel (Nichols and Jacobson 2012) with the times of folly's Codel. That one drops
// a task that has waited for twice the target when it is taken. To refuse it when it comes
// costs less, and the peer knows at once.
//
// To refuse all tasks until the queue is short would be worse: those in it have waited for
// long already, and the next ones pile up as high before the first of them has waited. The
// waiting times of tasks would say less than the length of the queue: connections take
// turns, so there is always a connection that has just come and waits for little.
//
// It knows no clock. The zero value never refuses. Safe from any goroutine.
type codel struct {
	target time.Duration // constant; 0: off

	limit atomic.Int64 // tasks that may wait; 0: any number; changed under mu
	shed  atomic.Uint64

	mu      sync.Mutex // guards the following
	looking bool
	since   time.Duration // the last look
	taken   int64         // tasks since then
	least   int64         // that were left after one of them
}

// took says that a task begins to run now, and how many are left.
func (d *codel) took(now time.Duration, left int64) {
	if d.target == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if left == 0 {
		d.looking = false
		d.limit.Store(0)
		return
	}
	if !d.looking {
		d.looking = true
		d.lookedLocked(now)
	}
	d.taken++
	d.least = min(d.least, left)
	past := now - d.since
	if past < standTime {
		return
	}
	limit := int64(0)
	if soon := float64(d.taken) * float64(d.target) / float64(past); float64(d.least) >= soon {
		limit = max(1, int64(2*soon))
	}
	d.limit.Store(limit)
	d.lookedLocked(now)
}

// lookedLocked begins the time to the next look.
func (d *codel) lookedLocked(now time.Duration) { d.since, d.taken, d.least = now, 0, math.MaxInt64 }

// refuses reports whether a new task has to go, so many being there, and counts it then.
// isFirst reports whether whom it is from has nothing there yet.
func (d *codel) refuses(waiting int64, isFirst func() bool) bool {
	limit := d.limit.Load()
	if limit == 0 || waiting < limit || waiting < 2*limit && isFirst() {
		return false
	}
	d.shed.Add(1)
	return true
}
