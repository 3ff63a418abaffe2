package engine

import (
	"sync/atomic"
	"time"
)

const (
	// beatInterval is how often a watched clock is looked after.
	beatInterval = 250 * time.Millisecond

	// stride is how far a watched clock goes on at most from one beat to the
	// next. It is four times beatInterval, because goroutines run late.
	stride = time.Second

	// notablePause is how long a pause must be to be reported and counted.
	notablePause = 2 * time.Second

	// settleTime is how long nobody is judged after such a pause. What peers sent
	// meanwhile lies in the sockets, and must be served first.
	settleTime = time.Second
)

// processStart is what monotonic counts from.
var processStart = time.Now()

// monotonic returns the time since the process started. Whoever sets the wall
// clock does not move it.
func monotonic() time.Duration { return time.Since(processStart) }

// A Clock is what the silence of peers is measured with: the time since the
// process started, less its pauses. It knows nothing of the wall clock.
//
// A process that is stopped, frozen, swapped out or starved of CPU hears nobody.
// Its peers are not to blame for that. So while an engine runs, a goroutine looks
// at the clock every 250 ms; each look is a beat. From one beat to the next the
// clock goes on by one second at most, however long that took. The effect is that
// each pause is added to every last sign of life and every deadline, but there is
// no list of them to go through. When the process goes on, it does not matter who
// reads the clock first, the beat, a scan or an event loop: all readings are held
// back.
//
// Readings never go backwards. A suspended machine stops the monotonic clock by
// itself (Linux, CLOCK_MONOTONIC); such a pause is reported, and nothing is taken
// off.
//
// All methods are safe from any goroutine, and do not lock.
type Clock struct {
	now       func() time.Duration // monotonic
	suspended func() time.Duration // grows by the time the machine was suspended
	fixed     bool                 // never watched

	last atomic.Pointer[beat] // never nil

	pauses atomic.Uint64
	paused atomic.Int64 // nanoseconds
}

// A beat is one look at the clock. It never changes.
type beat struct {
	at        time.Duration // Clock.now
	lost      time.Duration // how far readings are behind Clock.now: all pauses so far
	settled   time.Duration // the reading from which on peers may be judged
	suspended time.Duration // Clock.suspended
	watched   bool          // there will be another one
}

// NewClock returns a clock that nobody watches yet. Pauses are taken off only
// while an engine runs with it.
func NewClock() *Clock { return newClock(monotonic, suspended) }

// ClockOf returns a clock that shows what now does, which must not go backwards.
// Every step is time that has passed, none is a pause. For tests.
func ClockOf(now func() time.Duration) *Clock {
	c := newClock(now, func() time.Duration { return 0 })
	c.fixed = true
	return c
}

func newClock(now, suspended func() time.Duration) *Clock {
	c := &Clock{now: now, suspended: suspended}
	c.last.Store(&beat{})
	return c
}

// Now returns the time.
func (c *Clock) Now() time.Duration {
	b := c.last.Load() // before now: a pause between the two must not go unseen
	return b.reading(c.now())
}

// Settled reports whether a peer may be judged to have been silent for too long.
// It may not in the middle of a pause, even one that nobody has noticed yet, nor
// in the second after a long one. Ask before Now.
func (c *Clock) Settled() bool {
	b := c.last.Load()
	now := c.now()
	return !b.watched || now-b.at <= stride && b.reading(now) >= b.settled
}

// Paused returns for how long the process, or the machine, has stood still in all, for
// 2 s and more each time. A pause counts once it has been noticed, 250 ms after its
// end at the latest.
func (c *Clock) Paused() time.Duration { return time.Duration(c.paused.Load()) }

// reading returns what a clock shows after b.
func (b *beat) reading(now time.Duration) time.Duration {
	if b.watched {
		now = min(now, b.at+stride)
	}
	return now - b.lost
}

// watch beats until stop is closed, and tells of each long pause.
func (c *Clock) watch(stop <-chan struct{}, paused func(length time.Duration)) {
	if c.fixed {
		return
	}
	c.begin()
	defer c.end()
	t := time.NewTicker(beatInterval)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		if length := c.beat(); length > 0 {
			paused(length)
		}
	}
}

// begin is the first beat. Like beat and end it is for the watcher only.
func (c *Clock) begin() {
	b := *c.last.Load()
	b.at, b.suspended, b.watched = c.now(), c.suspended(), true
	c.last.Store(&b)
}

// beat is any other. It returns the length of a pause that was long, else 0.
func (c *Clock) beat() (length time.Duration) {
	old := c.last.Load()
	b := *old
	b.at, b.suspended = c.now(), c.suspended()
	late := b.at - old.at
	b.lost += max(0, late-stride)
	length = max(late, 0) + max(0, b.suspended-old.suspended)
	if length < notablePause {
		c.last.Store(&b)
		return 0
	}
	b.settled = b.reading(b.at) + settleTime
	c.last.Store(&b)
	c.pauses.Add(1)
	c.paused.Add(int64(length))
	return length
}

// end is the last.
func (c *Clock) end() {
	c.beat()
	b := *c.last.Load()
	b.watched = false
	c.last.Store(&b)
}
