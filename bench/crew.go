package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// One process can make only so much load. A run may have a crew: other
// processes, here or on other machines, that each make a part of its load. The
// run itself registers the brokers, measures the server, and puts together what
// the others have seen; their latencies are merged, not averaged.

// A Part is which part of a run's load a process makes. The zero value makes all
// of it, with everything around it.
type Part struct {
	Index int `json:"index"`
	Of    int `json:"of"`
}

// A Crew makes the load of a run in so many processes.
type Crew interface {
	Size() int
	// Load calls begin when all parts are connected and about to start, at the same moment,
	// and returns the result of each. When ctx ends it returns soon, with what the parts
	// have measured until then.
	//
	// Where there is a warm-up, lead is not nil: all parts warm up, see Options.Warm, until
	// lead has returned, which looks at them as often as it likes; then all measure. When lead
	// fails, so does Load.
	Load(ctx context.Context, sc Scenario, seed uint64, begin func(), lead func(Look) error) ([]*Result, error)
}

// A Look asks each part what it has seen of the warm-up since it was asked last.
type Look func() ([]Seen, error)

// A Seen is what a part has seen of the warm-up.
type Seen struct {
	Answered  uint64 `json:"answered"`            // right replies
	Histogram string `json:"histogram,omitempty"` // of their latencies, as Operation.Histogram
}

// crewed are the scenarios whose load knows nothing of what other processes do.
var crewed = []string{"route", "miss"}

// MaxCrew bounds a crew.
const MaxCrew = 256

func (r *run) guest() bool { return r.opt.Part.Of > 0 }

// checkCrew says what a crew cannot do.
func (r *run) checkCrew() error {
	if r.opt.Crew == nil && !r.guest() {
		return nil
	}
	size := r.opt.Part.Of
	if r.opt.Crew != nil {
		size = r.opt.Crew.Size()
	}
	switch {
	case !slices.Contains(crewed, r.kind.Name):
		return fmt.Errorf("%s: several generators make the load of %s only", r.kind.Name, strings.Join(crewed, " and "))
	case size < 1 || size > MaxCrew:
		return fmt.Errorf("%d generators, there may be from 1 to %d", size, MaxCrew)
	case r.guest() && (r.opt.Part.Index < 0 || r.opt.Part.Index >= size):
		return fmt.Errorf("part %d of %d", r.opt.Part.Index, size)
	case r.p.Connections < size:
		return fmt.Errorf("%d connections for %d generators: each needs one", r.p.Connections, size)
	}
	return nil
}

// takePart leaves this process its part of each stream.
func (r *run) takePart() {
	if !r.guest() {
		return
	}
	i, of := r.opt.Part.Index, r.opt.Part.Of
	for _, s := range r.streams {
		n := share(s.connections, i, of)
		part := float64(n) / float64(s.connections)
		s.connections = n
		s.rate *= part
		s.requests = share(s.requests, i, of)
		s.stages = slices.Clone(s.stages)
		for j := range s.stages {
			s.stages[j].From *= part
			s.stages[j].To *= part
		}
	}
}

// loadAsGuest is load for a part: somebody else registers the brokers.
func (r *run) loadAsGuest(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	r.assemble()
	return nil
}

// seen is what this part has seen of the warm-up since it was asked last.
func (r *run) seen() Seen {
	s := r.d.takeWarmUp()
	return Seen{Answered: s.answered, Histogram: encodeHistogram(s.latency)}
}

// seenBy is takeWarmUp of all parts together.
func seenBy(look Look) func() (*opStats, error) {
	return func() (*opStats, error) {
		parts, err := look()
		if err != nil {
			return nil, err
		}
		sum := new(opStats)
		for i, s := range parts {
			h, err := ownHistogram(s.Histogram)
			if err != nil {
				return nil, fmt.Errorf("generator %d: warm-up: %w", i+1, err)
			}
			sum.answered += s.Answered
			merge(&sum.latency, h)
		}
		return sum, nil
	}
}

// loadByCrew lets others make the load, while this process measures the server and says
// when all are warm: none of them knows the figure of all.
func (r *run) loadByCrew(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun, warm := make(chan struct{}), make(chan struct{})
	var lead func(Look) error
	if most, fixed := r.p.warmUp(); most > 0 {
		lead = func(look Look) error {
			if err := r.warmCrew(ctx, most, fixed, look); err != nil {
				return err
			}
			close(warm)
			return nil
		}
	} else {
		r.keepBefore(ctx)
		close(warm)
	}
	type answer struct {
		results []*Result
		err     error
	}
	done, over := make(chan answer, 1), make(chan struct{})
	go func() {
		results, err := r.opt.Crew.Load(ctx, r.sc, r.opt.Seed, func() { close(begun) }, lead)
		done <- answer{results, err}
		close(over)
	}()
	r.enterStage("connecting", 0, 0)
	select {
	case <-begun:
	case <-over:
	}
	var err error
	if isClosed(begun) {
		if err = r.measureCrew(ctx, warm, over); err != nil {
			cancel()
		}
	}
	a := <-done
	a.err = errors.Join(err, a.err)
	if a.err == nil && r.d.entered == 0 {
		a.err = errors.New("the crew has measured nothing")
	}
	if a.err == nil {
		a.err = r.takeOver(a.results)
	}
	r.leave(ctx)
	if a.err == nil && r.res.Interrupted {
		return nil // what was measured until then is there
	}
	return cmp.Or(a.err, ctx.Err())
}

// warmCrew is the warm-up of all parts.
func (r *run) warmCrew(ctx context.Context, most time.Duration, fixed bool, look Look) (err error) {
	r.enterStage("warm-up", most, 0)
	r.d.phases[0].from = r.d.now()
	r.res.Warmup, err = r.watchWarmUp(ctx, most, fixed, seenBy(look))
	r.keepBefore(ctx)
	return err
}

// measureCrew looks at the server while others load it, from when they are warm until over is
// closed at the latest: counted requests take the time they take.
func (r *run) measureCrew(ctx context.Context, warm, over <-chan struct{}) error {
	d := r.d
	defer r.watch.stop()
	select {
	case <-warm:
	case <-over:
	case <-ctx.Done():
	}
	if !isClosed(warm) {
		return ctx.Err()
	}
	if err := r.beginMeters(); err != nil {
		return err
	}
	for i, p := range r.parts {
		lasts := cmp.Or(p.lasts, time.Duration(r.p.Duration))
		r.enterStage(p.name, lasts, 0)
		at := d.now()
		d.phases[i+1].from = at
		d.entered = i + 1
		if i == 0 {
			d.phases[0].to = at
			d.measured.Store(at)
			r.watch.start(r.meter.pid)
		} else {
			r.readMeter(i)
		}
		r.res.Interrupted = sleepUntil(ctx, lasts, over) != nil
		d.phases[i+1].to = d.now()
		if r.res.Interrupted {
			break
		}
	}
	r.readMeter(d.entered)
	r.res.Server, r.res.Generator = r.meter.read(), r.own.read()
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sleepUntil is sleep that ends early when over is closed.
func sleepUntil(ctx context.Context, d time.Duration, over <-chan struct{}) error {
	select {
	case <-over:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// takeOver adds up what the parts have seen, as if it had been seen here.
func (r *run) takeOver(results []*Result) error {
	d := r.d
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, res := range results {
		for n := 1; n <= d.entered; n++ {
			if len(res.Phases) < n && r.res.Interrupted {
				break // it heard of that before
			}
			if len(res.Phases) < n {
				return fmt.Errorf("generator %d: it has %d phases, there are %d", i+1, len(res.Phases), d.entered)
			}
			for _, o := range res.Phases[n-1].Ops {
				at := slices.IndexFunc(d.ops, func(op operation) bool { return op.name == o.Name })
				if at < 0 {
					return fmt.Errorf("generator %d: it has the request %q, which is not known", i+1, o.Name)
				}
				if err := d.extraStats(n, at).takeOver(o); err != nil {
					return fmt.Errorf("generator %d: %s: %w", i+1, o.Name, err)
				}
			}
		}
		d.wrongs += res.ErrorCounts().Wrong // also those of no phase
		for _, s := range res.Samples {
			if len(d.samples) < maxSamples {
				d.samples = append(d.samples, s)
			}
		}
		for _, f := range res.Failures {
			d.failures[fmt.Sprintf("generator %d: %s", i+1, f)]++
		}
		d.series.takeOver(res.Series)
		r.res.Generator.CPUSeconds += res.Generator.CPUSeconds
		r.res.Generator.CPUUserSeconds += res.Generator.CPUUserSeconds
		r.res.Generator.CPUSystemSeconds += res.Generator.CPUSystemSeconds
		r.res.Generator.RSS += res.Generator.RSS
		r.res.Generator.PeakRSS += res.Generator.PeakRSS
		r.res.Generator.Threads += res.Generator.Threads
		r.res.Generator.FDs += res.Generator.FDs
		r.crew = append(r.crew, res)
	}
	return nil
}

// takeOver adds what another process has seen of an operation.
func (s *opStats) takeOver(o Operation) error {
	other := opStats{sent: o.Sent, answered: o.Answered, wrong: o.Wrong, after: o.AfterPhase, errors: maps.Clone(o.Errors), bytes: o.Bytes}
	var errs [3]error
	other.latency, errs[0] = ownHistogram(o.Histogram)
	if o.Pace != nil {
		other.bound = o.Pace.GeneratorBound
		other.lateness, errs[1] = ownHistogram(o.Pace.Histogram)
		other.fromWrite, errs[2] = ownHistogram(o.Pace.FromWriteHistogram)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	s.add(&other)
	return nil
}

// ownHistogram reads what encodeHistogram wrote, into a histogram like all of ours.
func ownHistogram(text string) (*hdrhistogram.Histogram, error) {
	if text == "" {
		return nil, nil
	}
	h, err := DecodeHistogram(text)
	if err != nil {
		return nil, err
	}
	own := newHistogram()
	own.Merge(h)
	return own, nil
}

// takeOver adds the seconds of another process. A percentile of several cannot be
// known from theirs: the largest is taken.
func (s *series) takeOver(points []Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range points {
		if i == len(s.points) {
			s.points = append(s.points, Point{Second: i, Phase: p.Phase})
		}
		s.points[i].Rate += p.Rate
		s.points[i].P50 = max(s.points[i].P50, p.P50)
		s.points[i].P99 = max(s.points[i].P99, p.P99)
	}
}

// addCrew says in the result what only the parts know: how late the requests of the worst
// of them left, and whether it was they who were measured.
func (r *run) addCrew() {
	for _, part := range r.crew {
		r.res.GeneratorBound = r.res.GeneratorBound || part.GeneratorBound
		if r.res.Target.TLS == "" {
			r.res.Target.TLS = part.Target.TLS
		}
		for i := range r.res.Streams {
			if i >= len(part.Streams) || part.Streams[i].Lag == nil {
				continue
			}
			worst := r.res.Streams[i].Lag
			if worst == nil || worst.P99 < part.Streams[i].Lag.P99 {
				r.res.Streams[i].Lag = part.Streams[i].Lag
			}
		}
	}
	r.res.Generators = len(r.crew)
}
