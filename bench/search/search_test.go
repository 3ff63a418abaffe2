package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/bench"
)

// server answers so many requests a second; beyond that they wait.
func server(capacity float64, change func(rate float64, r *bench.Result) error) func(context.Context, int, bench.Scenario) (*bench.Result, error) {
	return func(_ context.Context, _ int, sc bench.Scenario) (*bench.Result, error) {
		rate := sc.Params.Rate
		o := bench.Operation{Name: "route", Sent: uint64(rate * 10), Answered: uint64(rate * 10), PerSecond: rate, Latency: bench.Latency{P99: 500}}
		if rate > capacity {
			o.Latency.P99 = 1e6
		}
		r := &bench.Result{OK: true, Scenario: sc, Phases: []bench.Phase{{Name: "measured", Seconds: 10, Ops: []bench.Operation{o}}}}
		thresholds, err := sc.Thresholds()
		if err != nil {
			return nil, err
		}
		if change != nil {
			if err := change(rate, r); err != nil {
				return r, err
			}
		}
		for _, t := range thresholds {
			r.Thresholds = append(r.Thresholds, t.Decide(r))
		}
		return r, bench.ThresholdError(r.Thresholds)
	}
}

func options(rate float64) Options {
	k, err := bench.FindKind("route")
	if err != nil {
		panic(err)
	}
	sc := k.Scenario()
	sc.Params.Rate = rate
	return Options{Scenario: sc, SLO: []string{"p99 < 2ms"}, Most: 1e6, Steps: 40, Within: 0.05}
}

// TestSearch finds what a server carries, from wherever it begins, and says between
// which rates it is.
func TestSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.Float64Range(1, 9e5).Draw(t, "capacity")
		o := options(rapid.Float64Range(1, 9e5).Draw(t, "begin"))
		o.Load = server(capacity, nil)
		s, err := Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if s.Ended != EndedFound || s.Holds > capacity || s.Fails <= capacity || s.Fails > s.Holds*1.05 && s.Fails-s.Holds > 1 {
			t.Fatalf("a server of %g/s: %g holds, %g does not, %s after %d steps", capacity, s.Holds, s.Fails, s.Ended, len(s.Steps))
		}
		seen := map[float64]bool{}
		for i, step := range s.Steps {
			if want := step.Rate <= capacity; (step.Verdict == Holds) != want || seen[step.Rate] {
				t.Fatalf("step %d: %g/s %s of %g/s", i, step.Rate, step.Verdict, capacity)
			}
			seen[step.Rate] = true
		}
		if len(s.Steps) > 32 {
			t.Fatalf("%d steps", len(s.Steps))
		}
	})
}

// TestSearchEnds: each reason for an end.
func TestSearchEnds(t *testing.T) {
	bound := func(rate float64, r *bench.Result) error {
		r.GeneratorBound = rate > 5000
		return nil
	}
	for _, tt := range []struct {
		name         string
		begin        float64
		change       func(o *Options)
		ended        string
		holds, fails float64
		steps        int
	}{
		{"most", 1000, func(o *Options) { o.Most, o.Load = 3000, server(1e9, nil) }, EndedMost, 3000, 0, 3},
		{"steps", 1000, func(o *Options) { o.Steps, o.Load = 3, server(1e9, nil) }, EndedSteps, 4000, 0, 3},
		{"none", 3, func(o *Options) { o.Load = server(0, nil) }, EndedNone, 0, 1, 3},
		{"generator", 1000, func(o *Options) { o.Load = server(1e9, bound) }, EndedGenerator, 4000, 0, 4},
		{"at once", 9000, func(o *Options) { o.Load = server(1e9, bound) }, EndedGenerator, 0, 0, 1},
		{"not all answered", 1000, func(o *Options) {
			o.Steps = 1
			o.Load = server(1e9, func(_ float64, r *bench.Result) error {
				r.Phases[0].Ops[0].Answered -= 200
				return nil
			})
		}, EndedSteps, 0, 1000, 1},
		{"answered afterwards", 1000, func(o *Options) {
			o.Steps = 1
			o.Load = server(1e9, func(_ float64, r *bench.Result) error {
				r.Phases[0].Ops[0].AfterPhase = 200
				return nil
			})
		}, EndedSteps, 0, 1000, 1},
		{"not sent", 1000, func(o *Options) {
			o.Steps = 1
			o.Load = server(1e9, func(_ float64, r *bench.Result) error {
				r.Phases[0].Ops[0].Errors = map[string]uint64{bench.ErrorOverrun: 200}
				return nil
			})
		}, EndedSteps, 0, 1000, 1},
		{"too much for it", 1000, func(o *Options) {
			o.Steps = 1
			o.Load = server(1e9, func(_ float64, r *bench.Result) error {
				r.OK, r.Failures = false, []string{"9 requests were not answered"}
				return bench.ErrWrong
			})
		}, EndedSteps, 0, 1000, 1},
	} {
		o := options(tt.begin)
		tt.change(&o)
		s, err := Run(t.Context(), o)
		if err != nil || s.Ended != tt.ended || s.Holds != tt.holds || s.Fails != tt.fails || len(s.Steps) != tt.steps {
			t.Errorf("%s: %v, %+v", tt.name, err, s)
		}
	}
}

// TestSearchStops: wrong replies are no matter of the rate.
func TestSearchStops(t *testing.T) {
	o := options(1000)
	o.Load = server(1e9, func(rate float64, r *bench.Result) error {
		if rate < 2000 {
			return nil
		}
		r.OK, r.Failures, r.Samples = false, []string{"1 wrong replies"}, []bench.Sample{{}}
		return fmt.Errorf("%w: 1 wrong replies", bench.ErrWrong)
	})
	if s, err := Run(t.Context(), o); !errors.Is(err, bench.ErrWrong) || len(s.Steps) != 2 || s.Ended != "" || s.Holds != 1000 {
		t.Errorf("%v, %+v", err, s)
	} else if last := s.Steps[1]; last.Verdict != bench.Undecided || !strings.Contains(last.Reason, "1 wrong replies") {
		t.Errorf("the step that ended it %s: %s", last.Verdict, last.Reason)
	}
	o.Load = server(1e9, func(_ float64, r *bench.Result) error {
		r.Interrupted = true
		return bench.ErrInterrupted
	})
	if s, err := Run(t.Context(), o); !errors.Is(err, bench.ErrInterrupted) || len(s.Steps) != 1 || s.Steps[0].Verdict != bench.Undecided {
		t.Errorf("interrupted: %v, %+v", err, s)
	}
	o.Load = func(context.Context, int, bench.Scenario) (*bench.Result, error) { return nil, errors.New("gone") }
	if s, err := Run(t.Context(), o); err == nil || len(s.Steps) != 0 {
		t.Errorf("%v, %+v", err, s)
	}
}

func TestSearchRefuses(t *testing.T) {
	for want, change := range map[string]func(o *Options){
		"rate is 0":          func(o *Options) { o.Scenario.Params.Rate = 0 },
		"requests must be 0": func(o *Options) { o.Scenario.Params.Requests = 5 },
		"stages":             func(o *Options) { o.Scenario.Stages = []string{"hold 1s"} },
		"no rate beyond":     func(o *Options) { o.Most = 10 },
		"beyond NaN":         func(o *Options) { o.Most = math.NaN() },
		"0 steps":            func(o *Options) { o.Steps = 0 },
		"within is 0":        func(o *Options) { o.Within = 0 },
		"no objective":       func(o *Options) { o.SLO = nil },
		"is no figure":       func(o *Options) { o.SLO = []string{"p98 < 1ms"} },
		"connections is 0":   func(o *Options) { o.Scenario.Params.Connections = 0 },
	} {
		o := options(1000)
		change(&o)
		o.Load = func(context.Context, int, bench.Scenario) (*bench.Result, error) {
			t.Errorf("%s: it is run", want)
			return nil, nil
		}
		if s, err := Run(t.Context(), o); err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}
