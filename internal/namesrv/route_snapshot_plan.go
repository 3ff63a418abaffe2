package namesrv

import "time"

// When a snapshot of the routes is written.
const (
	urgentDelay    = time.Second      // after the last of several urgent changes
	changeDelay    = 10 * time.Second // after the first of several changes, of whatever kind
	stampInterval  = time.Minute      // between two words that it is still right
	spacing        = 40               // times what the last write took without its pauses, from its beginning: with what it takes to fall asleep and wake up, below 5 % of one core
	longestSpacing = 5 * time.Minute  // or a write that hung once would be the last one for hours
	firstRetry     = time.Second      // after a failure; twice as long after each further one
	longestRetry   = time.Minute
)

// A snapshotTask is what is to be done with the snapshot.
type snapshotTask uint8

const (
	writeSnapshot snapshotTask = iota // anew, with the tables as they are
	stampSnapshot                     // it is still right
)

// A snapshotPlan says what is to be done next, and when. It reads no clock.
type snapshotPlan struct {
	changed  bool          // there is something to write
	first    time.Duration // when the oldest change was seen; if changed
	urgent   bool          // one of the changes is
	last     time.Duration // when the newest urgent one was seen; if urgent
	quiet    time.Duration // no write before; after a write
	retry    time.Duration // nothing before; after a failure
	pause    time.Duration // from a failure to the next try; 0 after a success
	hasFile  bool          // the file is ours, to be stamped
	nextTime time.Duration // of a stamp; if hasFile
}

// change notes that there is something to write.
func (p *snapshotPlan) change(now time.Duration, urgent bool) {
	if !p.changed {
		p.changed, p.first = true, now
	}
	if urgent {
		p.urgent, p.last = true, now
	}
}

// next returns what is to be done, and when; ok is false if nothing is.
func (p *snapshotPlan) next() (task snapshotTask, at time.Duration, ok bool) {
	switch {
	case p.changed:
		at = p.first + changeDelay
		if p.urgent {
			at = min(at, p.last+urgentDelay)
		}
		return writeSnapshot, max(at, p.quiet, p.retry), true
	case p.hasFile:
		return stampSnapshot, max(p.nextTime, p.retry), true
	default:
		return 0, 0, false
	}
}

// wrote notes a write that has succeeded, of which it has slept for some time. What has
// changed since it began is noted again by the caller.
func (p *snapshotPlan) wrote(began, ended, slept time.Duration) {
	*p = snapshotPlan{
		quiet:    began + min(spacing*(ended-began-slept), longestSpacing),
		hasFile:  true,
		nextTime: ended + stampInterval,
	}
}

// stamped notes a stamp that has succeeded.
func (p *snapshotPlan) stamped(now time.Duration) {
	p.pause, p.nextTime = 0, now+stampInterval
}

// failed notes that something was tried in vain.
func (p *snapshotPlan) failed(now time.Duration) {
	p.pause = min(max(2*p.pause, firstRetry), longestRetry)
	p.retry = now + p.pause
}
