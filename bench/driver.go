package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A driver makes the load of one run: it opens the connections, switches
// streams and phases, and keeps what was seen. It knows nothing of scenarios.
type driver struct {
	dialer
	seed    uint64
	part    Part // of the load, which other processes make too; zero is all of it
	base    time.Time
	ops     []operation
	streams []*stream
	phases  []*phase    // the first is the warm-up
	entered int         // the phase
	cut     func() bool // whether somebody has ended the run; nil is never
	lenient bool        // take every reply
	start   func(*worker) (loop, error)

	workers  []*worker
	measured atomic.Int64 // when the warm-up ended; 0 before
	series   series
	left     atomic.Int64  // requests still to be sent, where streams have an end
	lost     chan lostConn // connections to make anew
	redials  sync.WaitGroup
	end      func() // of making them anew

	mu       sync.Mutex // guards the following fields
	samples  []Sample
	wrongs   uint64
	failures map[string]int      // other reasons why the run is no good, and how often
	extra    map[[2]int]*opStats // by phase and operation: what is measured beside the streams
	quitting bool
}

// A phase is a part of the run.
type phase struct {
	name     string
	from, to int64   // in the run's nanoseconds
	cpu      Process // that was spent by its end
	kept     uint64  // requests of keepers by its end
	fences   uint64  // asked when it had ended
}

type lostConn struct {
	w *worker
	c *conn
}

func newDriver(address string, seed uint64) *driver {
	return &driver{dialer: dialer{address: address, places: make(chan struct{}, dialAtOnce)}, seed: seed, base: time.Now(), start: startLoop, end: func() {}, failures: map[string]int{}}
}

// now is the run's time in nanoseconds.
func (d *driver) now() int64 { return int64(time.Since(d.base)) }

// open starts so many workers for the streams that are not heavy, and as many
// for those that are, and makes all connections.
func (d *driver) open(ctx context.Context, workers int) error {
	total, kinds := 0, map[bool]bool{}
	for _, s := range d.streams {
		d.left.Add(int64(s.requests))
		total += s.connections
		kinds[s.heavy] = true
	}
	d.lost = make(chan lostConn, total)
	workers = max(1, workers)
	for _, heavy := range []bool{false, true} {
		for i := 0; kinds[heavy] && i < workers; i++ {
			w, err := newWorker(d, i, workers, heavy, heavy && kinds[false])
			if err != nil {
				d.close()
				return fmt.Errorf("start an event loop: %w", err)
			}
			d.workers = append(d.workers, w)
		}
	}
	conns := make([]lostConn, 0, total)
	for _, w := range d.workers {
		for _, l := range w.lanes {
			for _, c := range l.conns {
				conns = append(conns, lostConn{w, c})
			}
		}
	}
	if err := dialEach(ctx, len(conns), func(ctx context.Context, i int) error { return d.connect(ctx, conns[i]) }); err != nil {
		d.close()
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	d.end = end
	d.redials.Go(func() { d.redial(life) })
	return nil
}

func (w *worker) needsPacer() bool {
	for _, l := range w.lanes {
		if len(l.conns) > 0 && (l.stream.rate > 0 || l.stream.pause > 0) {
			return true
		}
	}
	return false
}

func (d *driver) connect(ctx context.Context, l lostConn) error {
	nc, err := d.dialLoad(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := l.w.loop.enroll(nc, l.c); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// closed is told by a worker that a connection is gone.
func (d *driver) closed(w *worker, c *conn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.quitting {
		return
	}
	if !c.lane.stream.tolerant && !d.interrupted() {
		d.failures[fmt.Sprintf("a connection of the %s broke (%v)", c.lane.stream.name, err)]++
	}
	select {
	case d.lost <- lostConn{w, c}:
	default: // there is room for each connection once
	}
}

// redialEvery is the pause after a refused connection.
const redialEvery = 10 * time.Millisecond

// redial makes lost connections anew until ctx ends, many at a time. As long as the last
// attempt has failed, one at a time finds out whether the server is back: more would take
// the processors that it starts on.
func (d *driver) redial(ctx context.Context) {
	var dials sync.WaitGroup
	defer dials.Wait()
	var away atomic.Bool
	places := make(chan struct{}, dialAtOnce)
	for {
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		var l lostConn
		select {
		case <-ctx.Done():
			return
		case l = <-d.lost:
		}
		if away.Load() {
			<-places
			for d.connect(ctx, l) != nil {
				if sleep(ctx, redialEvery) != nil {
					return
				}
			}
			away.Store(false)
			continue
		}
		dials.Go(func() {
			defer func() { <-places }()
			if d.connect(ctx, l) != nil {
				away.Store(true)
				d.lost <- l // there is room for each connection once
			}
		})
	}
}

// each runs f on every worker's loop, one after the other.
func (d *driver) each(f func(w *worker)) {
	for _, w := range d.workers {
		w.do(func() { f(w) })
	}
}

// enter begins a phase. A request that was due earlier belongs to the phase before.
func (d *driver) enter(n int) {
	at := d.now()
	if n > 0 {
		d.phases[n-1].to = at
	}
	d.entered = n
	d.phases[n].from = at
	if n == 1 {
		d.measured.Store(at)
	}
	d.each(func(w *worker) {
		w.turn(at)
		w.phase = n
		for _, l := range w.lanes {
			if !l.active && l.stream.from <= n {
				w.start(l, at)
			}
			l.enterStage(n, at)
		}
		w.turn(at)
	})
}

// place is where in an interval the lanes of a worker begin, from 0 to 1: all workers of
// all processes take turns.
func (d *driver) place(index, of int) float64 {
	parts := max(1, d.part.Of)
	return float64(index*parts+d.part.Index) / float64(of*parts)
}

// start begins a lane of a stream.
func (w *worker) start(l *lane, at int64) {
	l.active = true
	if l.sched != nil {
		l.start = at
		return
	}
	if l.interval > 0 {
		l.start = at + int64(l.interval*w.d.place(w.index, w.of))
		return
	}
	for _, c := range l.conns {
		w.refill(c, at)
	}
}

// finish sends the requests that are due by now and no others. It waits for all
// replies, for at most timeout; a reply that comes later fails the run too.
func (d *driver) finish(ctx context.Context, timeout time.Duration) {
	at := d.now()
	d.phases[d.entered].to = at
	d.each(func(w *worker) {
		w.turn(at)
		w.endSecond()
		w.secNo = -1
		w.over = true
		for _, l := range w.lanes {
			l.active = false
		}
	})
	if !d.drain(ctx, timeout) && ctx.Err() == nil {
		d.fail(fmt.Sprintf("%d requests were not answered within %v after the load", d.inFlight(), timeout))
	}
}

// poll is how often the driver checks a condition that it waits for.
const poll = time.Millisecond

// drain waits until nothing is under way.
func (d *driver) drain(ctx context.Context, timeout time.Duration) bool {
	return await(ctx, timeout, func() bool { return d.inFlight() == 0 })
}

// await waits until ok returns true, for at most timeout.
func await(ctx context.Context, timeout time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(timeout); !ok(); time.Sleep(poll) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return ok()
		}
	}
	return true
}

func (d *driver) inFlight() (n int64) {
	for _, w := range d.workers {
		n += w.inFlight.Load()
	}
	return n
}

// fences makes sure that the server has read every oneway request. It returns
// false when it has not within timeout.
func (d *driver) fences(ctx context.Context, timeout time.Duration) bool {
	d.each(func(w *worker) {
		for _, l := range w.lanes {
			if l.stream.fence {
				d.phases[d.entered].fences += w.fence(l)
			}
		}
	})
	return d.drain(ctx, timeout)
}

// close ends all connections and workers, and counts the requests that have no
// reply by then.
func (d *driver) close() {
	d.mu.Lock()
	d.quitting = true
	d.mu.Unlock()
	d.end()
	d.redials.Wait()
	for _, w := range d.workers {
		w.do(w.giveUp)
		w.loop.stop()
	}
}

// giveUp counts all requests under way as unanswered.
func (w *worker) giveUp() {
	for _, l := range w.lanes {
		for _, c := range l.conns {
			for i := range c.slots {
				if s := &c.slots[i]; s.opaque != 0 {
					if s.op != fenceOp {
						w.stats[s.phase][s.op].fail(ErrorUnanswered)
					}
					*s = slot{}
				}
			}
			c.unanswered = 0
		}
	}
	w.unanswered = 0
	w.publish()
}

// wrong keeps a wrong reply. s is nil if the request is not known.
func (d *driver) wrong(w *worker, c *conn, s *slot, reason string, frame []byte) {
	sample := Sample{Operation: c.lane.stream.name, Phase: d.phases[w.phase].name, Reason: reason, Reply: fmt.Sprintf("%.300q", frame)}
	if s != nil {
		sample.Asked = s.want.asked()
		sample.Phase = d.phases[s.phase].name
		if s.op != fenceOp {
			sample.Operation = d.ops[s.op].name
			w.stats[s.phase][s.op].wrong++
		}
	}
	d.wrongSample(sample)
}

func (d *driver) wrongSample(s Sample) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrongs++
	if len(d.samples) < maxSamples {
		d.samples = append(d.samples, s)
	}
}

// note records what was measured beside the streams, in the phase n.
func (d *driver) note(n, op int, ns int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.extraStats(n, op)
	s.sent++
	s.record(ns)
}

// noteReply records one reply beside the streams, in the phase n: a right one
// that took ns, a wrong one, or one of a kind of error.
func (d *driver) noteReply(n, op int, ns int64, bytes Bytes, errorKind string, wrong bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.extraStats(n, op)
	s.sent++
	s.bytes.Sent += bytes.Sent
	s.bytes.Received += bytes.Received
	switch {
	case wrong:
		s.wrong++
	case errorKind != "":
		s.fail(errorKind)
	default:
		s.record(ns)
	}
}

// noteSent counts oneway requests sent beside the streams.
func (d *driver) noteSent(n, op int, requests, bytes uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.extraStats(n, op)
	s.sent += requests
	s.bytes.Sent += bytes
}

// extraStats needs mu.
func (d *driver) extraStats(n, op int) *opStats {
	if d.extra == nil {
		d.extra = map[[2]int]*opStats{}
	}
	s := d.extra[[2]int{n, op}]
	if s == nil {
		s = new(opStats)
		d.extra[[2]int{n, op}] = s
	}
	return s
}

// interrupted reports whether somebody has ended the run. What goes wrong from
// then on is no fault of the server, which may have been ended as well.
func (d *driver) interrupted() bool { return d.cut != nil && d.cut() }

// fail notes a reason why the run failed.
func (d *driver) fail(reason string) {
	if d.interrupted() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures[reason]++
}

// tally adds up the statistics of all workers, which must be closed.
func (d *driver) tally(phase, op int) *opStats {
	sum := new(opStats)
	for _, w := range d.workers {
		sum.add(&w.stats[phase][op])
	}
	if extra := d.extra[[2]int{phase, op}]; extra != nil {
		sum.add(extra)
	}
	return sum
}

// lag is how late the requests of a stream left.
func (d *driver) lag(stream int) Latency {
	sum := newHistogram()
	for _, w := range d.workers {
		if lag := w.lanes[stream].lag; lag != nil {
			sum.Merge(lag)
		}
	}
	return latencyOf(sum)
}

// results are the phases but the warm-up.
func (d *driver) results() []Phase {
	var out []Phase
	for i, p := range d.phases {
		if i == 0 {
			continue
		}
		r := Phase{Name: p.name, From: seconds(p.from - d.measured.Load()), Seconds: seconds(p.to - p.from)}
		for op := range d.ops {
			sum := d.tally(i, op)
			if sum.sent+sum.wrong+uint64(len(sum.errors)) == 0 {
				continue
			}
			r.Ops = append(r.Ops, d.ops[op].result(sum, r.Seconds))
		}
		out = append(out, r)
	}
	return out
}

func (o operation) result(s *opStats, secs float64) Operation {
	r := Operation{
		Name: o.name, Oneway: o.oneway, Sent: s.sent, Answered: s.answered, Wrong: s.wrong, Errors: s.errors,
		Latency: latencyOf(s.latency), Bytes: s.bytes, Histogram: encodeHistogram(s.latency),
	}
	r.Pace, r.AfterPhase = s.paced.result(r.Latency), s.after
	n := s.answered - s.after
	if o.oneway {
		n = s.sent
		if r.Pace != nil { // there is no latency that it could be a part of, but a rate
			r.Pace.GeneratorBound = r.Pace.GeneratorBound || r.Pace.Lateness.P99 > secs*1e6*boundRate
		}
	}
	if secs > 0 {
		r.PerSecond = float64(n) / secs
	}
	return r
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }
