package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Run fails with an error that wraps ErrWrong when the server answered wrongly, or
// failed where the scenario does not expect it.
var ErrWrong = errors.New("bench: the server's replies are not right")

// A run is one scenario on its way.
type run struct {
	sc       Scenario
	p        Params
	kind     *Kind
	opt      Options
	progress func(Progress)

	fleet   *fleet
	regs    []*registered // by broker
	keepers []*keeper
	// regulars are all brokers, where each registers on its own; else keepers do.
	regulars    []*regular
	ops         []operation
	streams     []*stream
	parts       []part
	ceiling     *stream // what the ceiling is measured with; nil leaves it out
	d           *driver
	meter       meter
	own         meter
	watch       watch
	res         *Result
	ready       atomic.Int64             // brokers that keepers have registered
	keepEvery   time.Duration            // keepEvery, but in tests
	keepMu      sync.Mutex               // held while keepers are used
	spoken      atomic.Int64             // when keepers began to speak for all brokers last
	kept        atomic.Uint64            // what they have asked since the meter began
	stage       atomic.Pointer[Progress] // its Elapsed is unset
	staged      atomic.Int64             // when the stage began
	eventful    bool                     // something is going to happen: see survive
	event       string                   // what it was; "" as long as nothing has happened
	begun       int64                    // when it began
	stopKeeping func()                   // ends what keeps brokers alive beside the load
	wasAway     bool                     // the server was, in that event
	recovery    Recovery
	// warm does over and over what a scenario without streams measures, until
	// ending is done, to warm the server up; nil does nothing.
	warm func(ctx, ending context.Context) error

	milMu sync.Mutex // guards the following fields
	marks []Milestone
	steps []Step
	crew  []*Result // of each part, where others make the load
}

// A part is one measured phase.
type part struct {
	name string
	// do lasts as long as the phase; nil waits for the duration or for the
	// last reply to a counted request.
	do     func(ctx context.Context) error
	beside bool          // the server has to do more than the requests of the phase
	lasts  time.Duration // of a stage; 0 is the duration of the scenario
}

// Run runs one scenario. progress may be nil. It fails with ErrWrong together
// with a whole Result. When ctx ends while it measures, it fails with
// ErrInterrupted together with a Result of what was measured until then. With any
// other error the Result is nil.
func Run(ctx context.Context, sc Scenario, opt Options, progress func(Progress)) (*Result, error) {
	r, err := newRun(ctx, sc, opt, progress)
	if err != nil {
		return nil, err
	}
	return r.result(ctx)
}

// newRun makes sure that the scenario has a meaning, and that somebody listens on the
// target.
func newRun(ctx context.Context, sc Scenario, opt Options, progress func(Progress)) (*run, error) {
	if err := sc.Validate(); err != nil {
		return nil, err
	}
	kind, err := FindKind(sc.Kind)
	if err != nil {
		return nil, err
	}
	if kind.NeedsServer && opt.Server == nil {
		return nil, fmt.Errorf("%s: needs a server that it may kill and start, or stop", kind.Name)
	}
	if opt.Floor && !kind.onFloor() {
		return nil, fmt.Errorf("%s: means nothing to a server that only echoes", kind.Name)
	}
	within := time.Duration(sc.Params.Timeout)
	if err := checkTarget(ctx, opt.Target.Address, opt.AllowRemote, within); err != nil {
		return nil, err
	}
	d := newDriver(opt.Target.Address, opt.Seed)
	d.part, d.tls, d.within = opt.Part, opt.TLS, within
	if err := d.reach(ctx); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	r := &run{sc: sc, p: sc.Params, kind: kind, opt: opt, progress: progress, d: d, keepEvery: keepEvery, res: new(Result)}
	r.meter.pid, r.own.pid, r.own.alone = opt.Target.PID, os.Getpid(), true
	return r, r.meter.begin()
}

// result is Run of a run that is ready.
func (r *run) result(ctx context.Context) (*Result, error) {
	stop := r.reportProgress()
	defer stop()
	if err := r.all(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w before anything was measured", ErrInterrupted)
		}
		return nil, err
	}
	if r.res.Interrupted {
		return r.res, fmt.Errorf("%w after %.1f s of measuring", ErrInterrupted, r.res.MeasuredSeconds)
	}
	if !r.res.OK {
		_ = r.decide() // wrong replies are worse
		return r.res, fmt.Errorf("%w: %s", ErrWrong, r.res.Failures[0])
	}
	return r.res, r.decide()
}

// checkTarget refuses to put load on anybody else's machine by mistake. Its name must be
// known within so long.
func checkTarget(ctx context.Context, address string, remote bool, within time.Duration) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if remote {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return fmt.Errorf("target %s is not on this machine's loopback; load it only if it is yours, with --allow-remote", address)
		}
	}
	return nil
}

// all is the run from preload to result.
func (r *run) all(ctx context.Context) error {
	r.res.Started = time.Now()
	r.d.cut = func() bool { return ctx.Err() != nil }
	r.fleet = newFleet(r.p, r.opt.Seed)
	r.fleet.now = r.d.now
	r.enterStage("preload", 0, len(r.fleet.brokers))
	for _, b := range r.fleet.brokers {
		if r.guest() {
			break // it registers none
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.regs = append(r.regs, &registered{registration: newRegistration(r.fleet, b, r.p.Bump, r.p.Changed), f: r.fleet, now: r.d.now})
	}
	if err := r.kind.plan(r); err != nil {
		return err
	}
	if err := errors.Join(r.checkCrew(), r.planStages()); err != nil {
		return err
	}
	if err := r.checkThresholds(); err != nil {
		return err
	}
	r.prepareDriver()
	r.takePart()
	switch {
	case r.opt.Floor:
		return r.allOnFloor(ctx)
	case r.guest():
		return r.loadAsGuest(ctx)
	}
	defer r.closeKeepers()
	if err := r.preload(ctx); err != nil {
		return fmt.Errorf("preload: %w", err)
	}
	r.res.PreloadSeconds = time.Since(r.res.Started).Seconds()
	r.stopKeeping = r.keepAlive()
	err := r.load(ctx)
	r.stopKeeping()
	if err != nil {
		return err
	}
	r.assemble()
	if !r.res.Interrupted {
		err = r.measureCeiling(ctx)
	}
	if ctx.Err() != nil { // what was measured is there
		r.res.Interrupted, err = true, nil
	}
	return err
}

// allOnFloor is all for a server that only echoes.
func (r *run) allOnFloor(ctx context.Context) error {
	r.d.lenient = true
	if err := r.load(ctx); err != nil {
		return err
	}
	r.assemble()
	return nil
}

func (r *run) prepareDriver() {
	d := r.d
	d.ops, d.streams = r.ops, r.streams
	d.phases = []*phase{{name: "warm-up"}}
	for _, p := range r.parts {
		d.phases = append(d.phases, &phase{name: p.name})
	}
}

// addOp makes an operation and returns its index.
func (r *run) addOp(name string, oneway bool) int {
	r.ops = append(r.ops, operation{name, oneway})
	return len(r.ops) - 1
}

// load is everything between preload and result.
func (r *run) load(ctx context.Context) error {
	defer holdGC()()
	d := r.d
	if r.opt.Crew != nil {
		return r.loadByCrew(ctx)
	}
	if err := d.open(ctx, r.opt.Workers); err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			d.close()
		}
	}()
	if r.opt.Ready != nil {
		if err := r.opt.Ready(ctx); err != nil {
			return err
		}
	}
	if err := r.warmUp(ctx); err != nil {
		return err
	}
	if err := r.measure(ctx); err != nil {
		return err
	}
	r.leave(ctx)
	d.close()
	closed = true
	return nil
}

// leave compares what the server knows with what it was told, and takes the brokers
// away, also when the load went wrong or was stopped.
func (r *run) leave(ctx context.Context) {
	if r.opt.Floor || r.guest() {
		return
	}
	r.enterStage("cleanup", 0, 0)
	within := time.Minute
	if ctx.Err() != nil {
		within = afterInterrupt
	}
	quiet, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	r.stopKeeping()
	if !r.res.Interrupted && r.kind != replayKind { // else what the server should know is not known
		r.verify(quiet)
	}
	r.unregister(quiet)
}

// measure goes through the phases and waits for the last answers.
func (r *run) measure(ctx context.Context) error {
	d := r.d
	defer r.watch.stop()
	for i, p := range r.parts {
		r.enterStage(p.name, cmp.Or(p.lasts, time.Duration(r.p.Duration)), 0)
		if i == 0 {
			r.keepBefore(ctx)
			if err := r.beginMeters(); err != nil {
				return err
			}
		} else {
			r.readMeter(i)
		}
		d.enter(i + 1)
		if i == 0 {
			r.watch.start(r.meter.pid)
		}
		do := p.do
		switch {
		case p.lasts > 0:
			do = func(ctx context.Context) error { return sleep(ctx, p.lasts) }
		case do == nil:
			do = r.waitPhase
		}
		if err := do(ctx); ctx.Err() != nil {
			r.res.Interrupted = true
			break
		} else if err != nil {
			return err
		}
	}
	timeout := time.Duration(r.p.Timeout)
	if r.res.Interrupted {
		// What is under way may still be answered, but nobody waits long for it.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), afterInterrupt)
		defer cancel()
		timeout = min(timeout, afterInterrupt)
	}
	d.finish(ctx, timeout)
	if !r.res.Interrupted {
		r.fence(ctx, timeout)
	}
	r.readMeter(d.entered)
	r.res.Server, r.res.Generator = r.meter.read(), r.own.read()
	return nil
}

func (r *run) beginMeters() error {
	r.kept.Store(0)
	return errors.Join(r.meter.begin(), r.own.begin())
}

// readMeter notes what was spent and asked by the end of the phase n.
func (r *run) readMeter(n int) {
	r.d.phases[n].cpu, r.d.phases[n].kept = r.meter.read(), r.kept.Load()
}

// waitPhase lasts for the duration, or until all counted requests are answered.
func (r *run) waitPhase(ctx context.Context) error {
	if r.p.Requests == 0 {
		return sleep(ctx, time.Duration(r.p.Duration))
	}
	await(ctx, time.Duration(r.p.Duration), func() bool {
		return r.d.left.Load() == 0 && r.d.inFlight() == 0
	})
	return ctx.Err()
}

// fence makes sure that oneway requests were read, and notes how long it took.
func (r *run) fence(ctx context.Context, timeout time.Duration) {
	if !slices.ContainsFunc(r.streams, func(s *stream) bool { return s.fence }) {
		return
	}
	from := r.d.now()
	ok := r.d.fences(ctx, timeout)
	r.milestone("every oneway request read", "end of load", r.d.now()-from, ok)
}

// milestone notes how many nanoseconds after a start a moment came, or that it did
// not come. A milestone that is not reached fails the run.
func (r *run) milestone(name, since string, ns int64, reached bool) {
	r.observe(name, since, ns, reached)
	if !reached {
		r.d.fail(fmt.Sprintf("%s: not within %.1f s after %s", name, seconds(ns), since))
	}
}

// observe is milestone for a moment that need not come.
func (r *run) observe(name, since string, ns int64, reached bool) {
	r.milMu.Lock()
	defer r.milMu.Unlock()
	r.marks = append(r.marks, Milestone{Name: name, Since: since, Seconds: seconds(ns), Reached: reached})
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// assemble puts the result together; the driver is closed.
func (r *run) assemble() {
	d, res := r.d, r.res
	d.phases = d.phases[:d.entered+1] // those that an interruption left
	res.Format, res.Scenario, res.Seed, res.Label, res.Target = ResultFormat, r.sc, r.opt.Seed, r.opt.Label, r.opt.Target
	if r.opt.Server != nil {
		res.Target = r.opt.Server.Target()
	}
	res.Target.TLS = d.security()
	res.Machine = thisMachine(r.opt.Commit)
	if p := d.phases[0]; p.from > 0 { // there was one
		res.WarmupSeconds = seconds(p.to - p.from)
	}
	res.MeasuredSeconds = seconds(d.phases[len(d.phases)-1].to - d.measured.Load())
	for i, s := range r.streams {
		sr := s.result()
		if sr.OpenLoop {
			lag := d.lag(i)
			sr.Lag = &lag
		}
		res.Streams = append(res.Streams, sr)
	}
	res.Phases, res.Series = d.results(), r.watch.fill(d.series.all())
	res.GeneratorBound = res.GeneratorBound || generatorBound(res.Phases) // or of some of the crew
	if whole := int(res.MeasuredSeconds); whole > 0 && whole < len(res.Series) {
		res.Series = res.Series[:whole] // the last one was cut short
	}
	res.Milestones, res.Steps = r.marks, r.steps
	if r.event != "" {
		res.Survival = r.survival()
	}
	r.addCrew()
	r.processes()
	r.judge()
}

// processes works out the CPU of each phase, and per request.
func (r *run) processes() {
	res := r.res
	before := new(phase)
	total := uint64(0)
	for i := range res.Phases {
		p := &res.Phases[i]
		p.Beside = r.parts[i].beside
		// What a phase took is known when the next one begins.
		at := r.d.phases[i+1]
		p.KeepAlives, p.Fences = at.kept-before.kept, at.fences
		sent := p.requests()
		total += sent
		if r.meter.pid != 0 {
			cpu := at.cpu.since(before.cpu, sent)
			p.Server = &cpu
		}
		before = at
	}
	res.Server, res.Generator = res.Server.since(Process{}, total), res.Generator.since(Process{}, total)
	res.DropMixedCPU()
}

// judge says whether the run is good.
func (r *run) judge() {
	d, res := r.d, r.res
	res.Samples = d.samples
	res.Failures = append(res.Failures, r.judgeErrors()...)
	reasons := make([]string, 0, len(d.failures))
	for reason := range d.failures {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		res.Failures = append(res.Failures, fmt.Sprintf("%s (%d times)", reason, d.failures[reason]))
	}
	answered := uint64(0)
	for _, p := range res.Phases {
		for _, op := range p.Ops {
			answered += op.Answered
			if op.Oneway {
				answered += op.Sent
			}
		}
	}
	if answered == 0 {
		res.Failures = append(res.Failures, "nothing was answered")
	}
	res.OK = len(res.Failures) == 0
}

// enterStage says what the run is at, for the progress.
func (r *run) enterStage(name string, total time.Duration, of int) {
	r.staged.Store(r.d.now())
	r.stage.Store(&Progress{Stage: name, Total: total, Of: of})
}

// progressEvery is how often the progress is reported.
const progressEvery = time.Second

// reportProgress reports until the function it returns is called.
func (r *run) reportProgress() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if p := r.stage.Load(); p != nil {
					r.progress(r.fill(*p))
				}
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

func (r *run) fill(p Progress) Progress {
	d := r.d
	p.Elapsed = time.Duration(d.now() - r.staged.Load())
	p.Done = int(r.ready.Load())
	if measured := d.measured.Load(); measured > 0 {
		now := int((d.now() - measured) / 1e9)
		if last, ok := d.series.last(now - 2); ok {
			p.Rate, p.P50, p.P99 = last.Rate, time.Duration(last.P50*1e3), time.Duration(last.P99*1e3)
		}
		if u := r.watch.latest.Load(); u != nil {
			p.ServerCPU, p.ServerRSS = u.cores, u.rss
		}
		p.InFlight = int(d.inFlight())
	}
	d.mu.Lock()
	p.Errors = d.wrongs
	for _, n := range d.failures {
		p.Errors += uint64(n)
	}
	d.mu.Unlock()
	return p
}
