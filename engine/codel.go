package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// standTime is how long a queue must stand before new work is refused.
const standTime = time.Second

// A codel tells a queue that stands from one that has a burst to get through: for
// standTime no task has waited for less than the target, and the queue was never
// empty. Whoever comes to such a queue waits for nothing but those before him, and no
// more work gets done for it, so new tasks are refused until one has waited for less or
// the queue is empty. (CoDel, Nichols and Jacobson 2012, refusing at the entrance as
// folly's Codel does.)
//
// It knows no clock. The zero value never refuses. Safe from any goroutine.
type codel struct {
	target time.Duration // constant; 0: off

	standing atomic.Bool // changed under mu
	shed     atomic.Uint64

	mu    sync.Mutex
	since time.Duration // under mu; no task has waited for less since, if long
	long  bool          // under mu; the last task has waited for target or longer
}

// took says that a task begins to run now, after so long, and how many are left.
func (d *codel) took(now, waited time.Duration, left int64) {
	if d.target == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case waited < d.target || left == 0:
		d.long = false
		d.standing.Store(false)
	case !d.long:
		d.long, d.since = true, now
	case now-d.since >= standTime:
		d.standing.Store(true)
	}
}

// refuses reports whether a new task has to go, and counts it then.
func (d *codel) refuses() bool {
	if !d.standing.Load() {
		return false
	}
	d.shed.Add(1)
	return true
}
