package route

// How often a broker gives signs of life is learnt from them: RocketMQ's brokers
// register every 10 to 60 s, and some send a heartbeat every second as well.

const (
	usualIntervalMillis = 30_000 // until it is learnt. Java: BrokerConfig.registerNameServerPeriod
	leastIntervalMillis = 1_000  // of heartbeats
	mostIntervalMillis  = 60_000 // the longest period that a broker may be given

	// Signs that follow each other more quickly are one: a broker registers at
	// once when topics change.
	burstMillis = 500
	// A longer silence than that says nothing of the interval: signs are missing.
	missedMillis = 75_000
)

// hear notes a sign of life at the given time, and learns from it. One that is late,
// because its registration has waited for its turn, does not undo a newer one. The
// first one after Restore teaches nothing: others may have come while nobody
// listened. Lock-free.
func (l *liveBroker) hear(nowMillis int64) {
	last := l.lastUpdate.Load()
	if nowMillis <= last {
		return
	}
	last = l.lastUpdate.Swap(nowMillis)
	gap := nowMillis - last
	if gap < burstMillis || gap > missedMillis || l.isUnheard(last) {
		return
	}
	old := l.intervalMillis()
	if now := learnInterval(old, gap); now != old {
		l.interval.Store(now)
	}
}

// learnInterval moves an interval towards another gap: half of the way up, so that
// a broker which has become slower is not taken for silent, and a sixteenth of the
// way down, for a script that creates topics makes its broker register every other
// second for a while.
func learnInterval(old, gap int64) int64 {
	gap = min(max(gap, leastIntervalMillis), mostIntervalMillis)
	if gap > old {
		return old + (gap-old+1)/2
	}
	return old - (old-gap+15)/16
}

func (l *liveBroker) intervalMillis() int64 {
	if i := l.interval.Load(); i != 0 {
		return i
	}
	return usualIntervalMillis
}

// IntervalMillis returns how often the broker gives signs of life, now, not at the
// time of the View: an average from 1 to 60 s, and 30 s until it is known.
func (l *LiveInfo) IntervalMillis() int64 { return l.live.intervalMillis() }

// overdueAfter returns for how long a broker may be silent, in milliseconds, before
// something seems to be wrong with it. It is half as much again as its interval,
// and 5 s, and no more than its timeout.
func (l *LiveInfo) overdueAfter() int64 {
	return min(l.IntervalMillis()*3/2+5_000, l.TimeoutMillis)
}

// isOverdue reports whether nothing has been heard of the broker for so long; of one
// that was restored, since we listen.
func (l *LiveInfo) isOverdue(nowMillis int64) bool {
	last := l.LastUpdateMillis()
	if l.live.isUnheard(last) {
		last = l.live.restored.since.Load()
	}
	return nowMillis-last > l.overdueAfter()
}
