package engine

import (
	"cmp"
	"sync/atomic"
	"time"

	"gonamesrv/meter"
)

// A level is the state of a [Level].
type level struct {
	workers  int
	queue    int64
	maxBytes int64
	turn     int
	budget   *Budget

	depth    atomic.Int64 // tasks waiting, <= queue
	running  atomic.Int64
	bytes    atomic.Int64
	rejected atomic.Uint64
	codel    codel

	wait, service meter.Histogram

	// The following are guarded by Executor.mu.

	ready  laneQueue // lanes whose first job is of this level
	busy   int       // workers that serve one of them
	passed int       // how often another level was taken though this could be
}

// newLevels returns the levels of validated options.
func newLevels(o ExecutorOptions) []level {
	if len(o.Levels) == 0 {
		o.Levels = []Level{{}}
	}
	levels := make([]level, len(o.Levels))
	for i, l := range o.Levels {
		levels[i].workers = cmp.Or(l.Workers, o.Workers)
		levels[i].queue = int64(cmp.Or(l.Queue, o.Queue))
		levels[i].maxBytes = cmp.Or(l.MaxBytes, o.MaxBytes)
		levels[i].turn = cmp.Or(l.Turn, turnTasks)
		levels[i].budget = o.Budget
		levels[i].codel.target = l.Target
	}
	return levels
}

// reserve counts n bytes in, if there is room for them or nothing else there.
// It does not count bytes in that the budget has no room for, see claim.
func (l *level) reserve(n int) bool {
	if l.budget.Queued()+int64(n) > l.budget.half || !claim(&l.bytes, int64(n), max(l.maxBytes, int64(n))) {
		return false
	}
	if !l.budget.take(&l.budget.queued, n) {
		l.bytes.Add(-int64(n))
		return false
	}
	return true
}

// count corrects what reserve has counted, or counts it out.
func (l *level) count(n int64) {
	l.bytes.Add(n)
	l.budget.queued.Add(n)
}

// began counts a task out of the queue that arrived then and runs now.
func (l *level) began(arrived, now time.Duration) {
	left := l.depth.Add(-1)
	l.running.Add(1)
	l.wait.Add(int64(now - arrived))
	l.codel.took(now, left)
}

// done counts a task out that has run for so long.
func (l *level) done(took time.Duration) {
	l.running.Add(-1)
	l.service.Add(int64(took))
}

func (l *level) stats() LevelStats {
	return LevelStats{
		Depth:    int(l.depth.Load()),
		Running:  int(l.running.Load()),
		Bytes:    l.bytes.Load(),
		Rejected: l.rejected.Load(),
		Shed:     l.codel.shed.Load(),
		Limit:    int(l.codel.limit.Load()),
	}
}
