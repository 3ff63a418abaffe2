package bench_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// A localCrew makes the parts in this process.
type localCrew struct {
	size  int
	opt   bench.Options
	looks int // at the warm-up
	spoil func(part int, r *bench.Result, err error) (*bench.Result, error)
}

func (c *localCrew) Size() int { return c.size }

func (c *localCrew) Load(ctx context.Context, sc bench.Scenario, seed uint64, begin func(), lead func(bench.Look) error) ([]*bench.Result, error) {
	results, errs := make([]*bench.Result, c.size), make([]error, c.size)
	ready, begun := make(chan struct{}, c.size), make(chan struct{})
	looks, measure := make([]chan chan bench.Seen, c.size), make(chan struct{})
	ctx, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	for i := range c.size {
		looks[i] = make(chan chan bench.Seen)
		wg.Go(func() {
			opt := c.opt
			opt.Seed, opt.Part = seed, bench.Part{Index: i, Of: c.size}
			if lead != nil {
				opt.Warm = func(ctx context.Context, seen func() bench.Seen) error {
					for {
						select {
						case <-ctx.Done():
							return ctx.Err()
						case answer := <-looks[i]:
							answer <- seen()
						case <-measure:
							return nil
						}
					}
				}
			}
			opt.Ready = func(context.Context) error {
				ready <- struct{}{}
				<-begun
				return nil
			}
			results[i], errs[i] = bench.Run(ctx, sc, opt, nil)
			if c.spoil != nil {
				results[i], errs[i] = c.spoil(i, results[i], errs[i])
			}
		})
	}
	for range c.size {
		<-ready
	}
	begin()
	close(begun)
	if lead != nil {
		err := lead(func() (seen []bench.Seen, err error) {
			for i := range looks {
				answer := make(chan bench.Seen, 1)
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case looks[i] <- answer:
					seen = append(seen, <-answer)
				}
			}
			c.looks++
			return seen, nil
		})
		if err != nil {
			end()
			wg.Wait()
			return nil, err
		}
		close(measure)
	}
	wg.Wait()
	return results, errors.Join(errs...)
}

// TestCrewWarmsUp: several generators warm up as a single one does, until the figure of all of
// them together stands still or it was long enough, and the result says which.
func TestCrewWarmsUp(t *testing.T) {
	_, opt := startProcess(t)
	addr, pid := opt.Target.Address, opt.Target.PID
	opt.Server = nil // it is not started anew
	for _, tt := range []struct {
		params []string
		figure string
		fixed  bool
		most   float64
		pid    bool
	}{
		{[]string{"rate", "0", "warmup", "still", "warmup-most", "40s"}, "server CPU per million requests", false, 40, true},
		{[]string{"rate", "0", "warmup", "still", "warmup-most", "1100ms"}, "replies per second", false, 1.1, false},
		{[]string{"rate", "800", "warmup", "1200ms"}, "median latency", true, 1.2, false},
	} {
		var mu sync.Mutex
		var parts []*bench.Result
		crew := &localCrew{size: 2, opt: at(addr), spoil: func(_ int, r *bench.Result, err error) (*bench.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, r)
			return r, err
		}}
		opt.Crew = crew
		if opt.Target.PID = 0; tt.pid {
			opt.Target.PID = pid
		}
		sc := scenario(t, "route", tt.params...)
		res := run(t, sc, opt)
		w := res.Warmup
		if w == nil || w.Figure != tt.figure || w.Fixed != tt.fixed || w.MostSeconds != tt.most || len(w.Windows) == 0 {
			t.Fatalf("%q: the warm-up is %+v", tt.params, w)
		}
		last := w.Windows[len(w.Windows)-1]
		if crew.looks != len(w.Windows)+1 && crew.looks != len(w.Windows)+2 { // one begins, and one may be too short
			t.Errorf("%q: %d looks at all, and %d windows", tt.params, crew.looks, len(w.Windows))
		}
		for _, one := range w.Windows {
			if one.Value <= 0 {
				t.Errorf("%q: windows %+v", tt.params, w.Windows)
			}
		}
		if !tt.fixed && !w.Still && last.Seconds < tt.most*4/5 {
			t.Errorf("%q: it did not stand still, and gave up after %g s", tt.params, last.Seconds)
		}
		if res.WarmupSeconds < last.Seconds || res.Scenario.Params.Warmup != sc.Params.Warmup {
			t.Errorf("%q: it took %g s, less than %g, or was to take %s", tt.params, res.WarmupSeconds, last.Seconds, res.Scenario.Params.Get("warmup"))
		}
		for _, p := range parts {
			if p.WarmupSeconds < last.Seconds*9/10 {
				t.Errorf("%q: a part has warmed up for %g s, all together for %g", tt.params, p.WarmupSeconds, res.WarmupSeconds)
			}
		}
	}

	// What goes wrong meanwhile ends the run.
	opt.Crew = failingCrew{}
	if res, err := bench.Run(t.Context(), scenario(t, "route", "warmup", "still"), opt, nil); err == nil || res != nil || !strings.Contains(err.Error(), "nobody looks") {
		t.Errorf("got %+v, %v", res, err)
	}
}

// A failingCrew cannot be looked at.
type failingCrew struct{}

func (failingCrew) Size() int { return 2 }

func (failingCrew) Load(_ context.Context, _ bench.Scenario, _ uint64, begin func(), lead func(bench.Look) error) ([]*bench.Result, error) {
	begin()
	return nil, lead(func() ([]bench.Seen, error) { return nil, errors.New("nobody looks") })
}

// TestCrew: a run whose load others make is what they have seen together: counts and
// rates add up, latencies are merged, and the load is that of one.
func TestCrew(t *testing.T) {
	_, opt := startProcess(t)
	addr := opt.Target.Address
	opt.Server = nil // it is not started anew
	var parts []*bench.Result
	var mu sync.Mutex
	crew := &localCrew{size: 3, opt: at(addr), spoil: func(_ int, r *bench.Result, err error) (*bench.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		parts = append(parts, r)
		return r, err
	}}
	opt.Crew = crew
	sc := scenario(t, "route", "rate", "900", "connections", "7", "duration", "500ms")
	sc.Stages = []string{"a: hold 300ms", "b: step 300ms to 1500"}
	res := run(t, sc, opt)
	if res.Generators != 3 || len(parts) != 3 {
		t.Fatalf("%d generators, %d parts", res.Generators, len(parts))
	}
	for n, rate := range []float64{900, 1500} {
		o := op(t, res, res.Phases[n].Name, "route")
		sent, answered := uint64(0), uint64(0)
		longest := 0.0
		for _, p := range parts {
			sent += p.Phases[n].Ops[0].Sent
			answered += p.Phases[n].Ops[0].Answered
			longest = max(longest, p.Phases[n].Ops[0].Latency.Max)
		}
		if o.Sent != sent || o.Answered != answered || o.Answered == 0 || o.Latency.Max != longest {
			t.Errorf("phase %s: %+v, want %d sent, %d answered, at most %g µs", res.Phases[n].Name, o, sent, answered, longest)
		}
		if due := 0.3 * rate; math.Abs(float64(sent)-due) > 3 {
			t.Errorf("phase %s: %d were sent, want %.0f", res.Phases[n].Name, sent, due)
		}
		if h, err := bench.DecodeHistogram(o.Histogram); err != nil || uint64(h.TotalCount()) != answered {
			t.Errorf("phase %s: histogram: %v", res.Phases[n].Name, err)
		}
	}
	if res.Server.CPUSeconds <= 0 || res.Server.RSS == 0 || res.Phases[1].Server == nil || res.Streams[0].Lag == nil {
		t.Errorf("server %+v, streams %+v", res.Server, res.Streams)
	}
	if rates := parts[0].Streams[0].Rate + parts[1].Streams[0].Rate + parts[2].Streams[0].Rate; math.Abs(rates-900) > 1e-6 {
		t.Errorf("the rates of the parts are %g/s together, want 900", rates)
	}
	if parts[0].Streams[0].Connections+parts[1].Streams[0].Connections+parts[2].Streams[0].Connections != 7 {
		t.Errorf("connections %+v", parts)
	}

	sc = scenario(t, "route", "rate", "0", "connections", "7", "requests", "301", "duration", "10m")
	sc.FailIf = []string{"route errors > 0"}
	if o := op(t, run(t, sc, opt), "measured", "route"); o.Sent != 301 || o.Answered != 301 {
		t.Errorf("301 requests are %+v", o)
	}
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 {
			r.GeneratorBound = true
		}
		return r, err
	}
	if res, err := bench.Run(t.Context(), sc, opt, nil); !errors.Is(err, bench.ErrThreshold) || res == nil || !res.GeneratorBound {
		t.Errorf("one is generator-bound: %v, %+v", err, res)
	}
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 {
			return nil, errors.New("lost")
		}
		return r, err
	}
	if res, err := bench.Run(t.Context(), sc, opt, nil); err == nil || !strings.Contains(err.Error(), "lost") || res != nil {
		t.Errorf("one is lost: %v, %+v", err, res)
	}
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 {
			r.OK, r.Failures = false, []string{"it was wrong"}
		}
		return r, err
	}
	mustFailWith(t, sc, opt, "generator 2: it was wrong")
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 { // to no request, and an agent that shows no sample
			r.Errors.Wrong++
		}
		return r, err
	}
	mustFailWith(t, sc, opt, "1 wrong replies")

	for _, tt := range []struct {
		sc   bench.Scenario
		want string
	}{
		{scenario(t, "storm"), "route and miss only"},
		{scenario(t, "route", "connections", "2"), "each needs one"},
	} {
		if _, err := bench.Run(t.Context(), tt.sc, opt, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.sc.Name, err, tt.want)
		}
	}
}

// TestCrewLateness: how late the requests of several generators left is merged, request
// by request, and marks what all of them, or one of them, have measured of themselves.
func TestCrewLateness(t *testing.T) {
	addr := startOwn(t)
	opt := at(addr)
	var mu sync.Mutex
	late, answered := uint64(0), uint64(0)
	worst := 0.0
	spoil := func(part int, r *bench.Result) {}
	opt.Crew = &localCrew{size: 2, opt: at(addr), spoil: func(part int, r *bench.Result, err error) (*bench.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			return r, err
		}
		o := &r.Phases[0].Ops[0]
		late, answered, worst = late+o.Sent, answered+o.Answered, max(worst, o.Pace.Lateness.Max)
		o.Pace.GeneratorBound, r.GeneratorBound = false, false // of a busy machine
		spoil(part, r)
		return r, err
	}}
	sc := scenario(t, "route", "rate", "900", "duration", "300ms", "warmup", "0s")
	o := op(t, run(t, sc, opt), "measured", "route")
	if o.Pace == nil || o.Pace.Lateness.Max != worst {
		t.Fatalf("the pace is %+v, and one was late by %g µs", o.Pace, worst)
	}
	for text, want := range map[string]uint64{o.Pace.Histogram: late, o.Pace.FromWriteHistogram: answered} {
		if h, err := bench.DecodeHistogram(text); err != nil || uint64(h.TotalCount()) != want {
			t.Errorf("histogram of %d, want %d: %v", h.TotalCount(), want, err)
		}
	}
	if want := o.Pace.Lateness.P99 > o.Latency.P99/3; o.GeneratorBound() != want {
		t.Errorf("late by %g of %g µs, and generator-bound: %v", o.Pace.Lateness.P99, o.Latency.P99, o.GeneratorBound())
	}

	spoil = func(part int, r *bench.Result) {
		r.Phases[0].Ops[0].Pace.GeneratorBound = part == 1
	}
	res := run(t, sc, opt)
	if o := op(t, res, "measured", "route"); !res.GeneratorBound || !o.GeneratorBound() {
		t.Errorf("one of two is generator-bound, and the run is not: %v, %+v", res.GeneratorBound, o.Pace)
	}
	spoil = func(part int, r *bench.Result) { r.Phases[0].Ops[0].Pace.Histogram = "spoilt" }
	if _, err := bench.Run(t.Context(), sc, opt, nil); err == nil || !strings.Contains(err.Error(), "generator 1: route") {
		t.Errorf("of a spoilt histogram: %v", err)
	}
}

// TestCrewErrors: errors are judged by the limits of the run, of all generators together.
func TestCrewErrors(t *testing.T) {
	sc := scenario(t, "route", "rate", "0", "requests", "300", "duration", "10m")
	refusing := func() bench.Options {
		opt := at(startFake(t, refuseEveryThird()).addr)
		opt.Crew = &localCrew{size: 2, opt: opt}
		return opt
	}
	mustFailWith(t, sc, refusing(), "refused (SYSTEM_BUSY)")
	limits, err := bench.ParseErrorLimits("refused=50")
	if err != nil {
		t.Fatal(err)
	}
	opt := refusing()
	opt.MaxErrors = &limits
	if o := op(t, run(t, sc, opt), "measured", "route"); o.Errors[bench.ErrorBusy] == 0 {
		t.Errorf("nothing was refused: %+v", o)
	}
}

// refuseEveryThird refuses a third of the first reads of the load.
func refuseEveryThird() func(*codec.Command, *codec.Reply) bool {
	var n atomic.Int64
	return func(req *codec.Command, reply *codec.Reply) bool {
		if !isLoad(req) {
			return true
		}
		if i := n.Add(1); i%3 == 0 && i < 250 { // not when all is checked in the end
			reply.Code, reply.Body = codec.RespSystemBusy, nil
		}
		return true
	}
}

func mustFailWith(t *testing.T, sc bench.Scenario, opt bench.Options, words string) {
	t.Helper()
	res, err := bench.Run(t.Context(), sc, opt, nil)
	if !errors.Is(err, bench.ErrWrong) || res == nil || !strings.Contains(strings.Join(res.Failures, "\n"), words) {
		t.Errorf("error %v, want %q", err, words)
	}
}
