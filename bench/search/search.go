package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"gonamesrv/bench"
)

// Kind and Format tell a Search's JSON from others; see bench.ResultFormat.
const (
	Kind   = "search"
	Format = 1
)

// The limits of a search.
const (
	MaxSteps = 100
	// leastAnswered is the part of the offered requests that must be answered while they are
	// sent, else a rate does not hold whatever the latencies are.
	leastAnswered = 0.99
)

// Options say what to search.
type Options struct {
	Scenario bench.Scenario // the search begins with its rate
	SLO      []string       // thresholds as they must hold: p99 < 2ms
	Most     float64        // no rate beyond it is tried; requests per second
	Steps    int            // at most
	Within   float64        // it ends when the rates that hold and fail are so near: 0.05 is 5 %

	// Load runs a step.
	Load func(ctx context.Context, step int, sc bench.Scenario) (*bench.Result, error)
}

// A Search is everything that was found, as it is written as JSON.
type Search struct {
	Kind     string         `json:"kind"`   // Kind
	Format   int            `json:"format"` // Format
	Scenario bench.Scenario `json:"scenario"`
	SLO      []string       `json:"slo"`
	Started  time.Time      `json:"started"`
	Seconds  float64        `json:"seconds"` // that it took

	Holds float64 `json:"holds"` // the highest rate that holds; 0 when none does
	Fails float64 `json:"fails"` // the lowest rate beyond it that does not; 0 when none was found
	Ended string  `json:"ended"` // why: one of the constants
	Steps []Step  `json:"steps"` // in their order
}

// Why a search ends.
const (
	EndedFound     = "found"              // Holds and Fails are near enough
	EndedSteps     = "out of steps"       // they are not
	EndedMost      = "most"               // the highest rate that was allowed holds
	EndedNone      = "nothing holds"      // one request a second does not
	EndedGenerator = bench.GeneratorBound // a step says more about the generator than about the server
)

// A Step is one rate.
type Step struct {
	Rate    float64       `json:"rate"`
	Verdict string        `json:"verdict"` // Holds, DoesNot, bench.GeneratorBound, or bench.Undecided of one that ended the search
	Reason  string        `json:"reason,omitempty"`
	Result  *bench.Result `json:"result"`
}

// The verdicts on a step.
const (
	Holds   = "holds"
	DoesNot = "does not hold"
)

func (o *Options) validate() error {
	switch {
	case o.Scenario.Params.Rate < 1:
		return fmt.Errorf("search: rate is %g: it must be at least 1, the search begins with it", o.Scenario.Params.Rate)
	case o.Scenario.Params.Requests > 0:
		return errors.New("search: each step lasts for the duration, so requests must be 0")
	case len(o.Scenario.Stages) > 0:
		return errors.New("search: a scenario with stages has rates of its own")
	case !(o.Most >= o.Scenario.Params.Rate):
		return fmt.Errorf("search: no rate beyond %g is tried, and it begins with %g", o.Most, o.Scenario.Params.Rate)
	case o.Steps < 1 || o.Steps > MaxSteps:
		return fmt.Errorf("search: %d steps, there may be from 1 to %d", o.Steps, MaxSteps)
	case !(o.Within > 0 && o.Within < 1):
		return fmt.Errorf("search: within is %g, it must be more than 0 and less than 1", o.Within)
	case len(o.SLO) == 0:
		return errors.New("search: no objective; such as: p99 < 2ms")
	}
	o.Scenario.FailIf = nil
	for _, text := range o.SLO {
		t, err := bench.ParseThreshold(text)
		if err != nil {
			return err
		}
		o.Scenario.FailIf = append(o.Scenario.FailIf, t.Negated())
	}
	return o.Scenario.Validate()
}

// Run searches. When a step cannot be run or has wrong replies, it returns what
// it has together with the error.
func Run(ctx context.Context, opt Options) (*Search, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	s := &Search{Kind: Kind, Format: Format, Scenario: opt.Scenario, SLO: opt.SLO, Started: time.Now()}
	rate := opt.Scenario.Params.Rate
	var err error
	for s.Ended == "" {
		if len(s.Steps) == opt.Steps {
			s.Ended = EndedSteps
			break
		}
		var step Step
		if step, err = opt.try(ctx, len(s.Steps)+1, rate); step.Result != nil {
			s.Steps = append(s.Steps, step)
		}
		if err != nil {
			break
		}
		rate = s.next(step, &opt)
	}
	s.Seconds = time.Since(s.Started).Seconds()
	return s, err
}

// next notes a step, and returns the rate of the following one unless the
// search has ended.
func (s *Search) next(step Step, opt *Options) float64 {
	switch step.Verdict {
	case bench.GeneratorBound:
		s.Ended = EndedGenerator
		return 0
	case Holds:
		s.Holds = step.Rate
	default:
		s.Fails = step.Rate
	}
	switch {
	case s.Fails == 0 && s.Holds >= opt.Most:
		s.Ended = EndedMost
		return 0
	case s.Fails == 0:
		return min(2*s.Holds, opt.Most)
	case s.Holds == 0 && s.Fails <= 1:
		s.Ended = EndedNone
		return 0
	case s.Holds == 0:
		return max(1, s.Fails/2)
	case s.Fails <= s.Holds*(1+opt.Within) || s.Fails-s.Holds <= 1:
		s.Ended = EndedFound
		return 0
	}
	middle := (s.Holds + s.Fails) / 2
	if digit := math.Pow(10, math.Floor(math.Log10(s.Fails-s.Holds))-1); digit >= 1 {
		middle = math.Round(middle/digit) * digit
	}
	return middle
}

// try runs one step.
func (o *Options) try(ctx context.Context, n int, rate float64) (Step, error) {
	sc := o.Scenario
	sc.Params.Rate = rate
	res, err := o.Load(ctx, n, sc)
	step := Step{Rate: rate, Verdict: Holds, Result: res}
	if res == nil {
		return step, err
	}
	does := func(format string, args ...any) (Step, error) {
		step.Verdict, step.Reason = DoesNot, fmt.Sprintf(format, args...)
		return step, nil
	}
	switch {
	case err == nil, errors.Is(err, bench.ErrThreshold):
	case errors.Is(err, bench.ErrWrong) && len(res.Samples) == 0:
		return does("%s", strings.Join(res.Failures, "; ")) // too much for it, which is no wrong reply
	default: // wrong replies, or somebody has interrupted it
		step.Verdict, step.Reason = bench.Undecided, err.Error()
		return step, err
	}
	if res.GeneratorBound {
		step.Verdict = bench.GeneratorBound
		return step, nil
	}
	if offered, answered := counts(res); float64(answered) < leastAnswered*float64(offered) {
		return does("%d of %d requests were answered in time", answered, offered)
	}
	var bad []string
	for _, v := range res.Thresholds {
		if v.Verdict != bench.Passed {
			bad = append(bad, strings.TrimSpace(v.Threshold+" "+v.Reason))
		}
	}
	if len(bad) > 0 {
		return does("%s", strings.Join(bad, "; "))
	}
	return step, nil
}

// counts adds up the requests that want an answer, and those that had it before the last of
// them was sent: what a server answers afterwards it could not have gone on with.
func counts(res *bench.Result) (offered, answered uint64) {
	for _, p := range res.Phases {
		for _, o := range p.Ops {
			if !o.Oneway {
				offered += o.Offered()
				answered += o.Answered - min(o.Answered, o.AfterPhase)
			}
		}
	}
	return offered, answered
}
