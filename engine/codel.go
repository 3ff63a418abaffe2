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

// A codel keeps a queue that stands from getting longer than makes sense, and lets one
// alone that has a burst to get through. A queue stands if for standTime it was never
// shorter than what is done within the target, by how much was done in that time. Whoever
// comes to such a queue waits for nothing but those before him, and no more work gets done
// for it. So it gets no longer than what is done within twice the target; what is beyond
// that is refused when it comes. Only who has nothing there yet is taken up to twice as
// many, for it is not he who makes it long. (CoDel, Nichols and Jacobson 2012, with
// the times of folly's Codel. That drops what has waited for twice the target when it is
// taken; to refuse at the entrance costs less, and whoever is refused knows at once.)
//
// To refuse all until the queue is short would be worse: what is in it has waited for
// long already, and what comes next piles up as high before the first of it has waited.
// How long tasks have waited would say less: connections take turns, so there is always
// one who has just come and waits for little.
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
