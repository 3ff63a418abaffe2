package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Run fails with an error that wraps ErrThreshold when replies were right, and a
// threshold of the scenario does not hold or could not be decided.
var ErrThreshold = errors.New("bench: a threshold does not hold")

// The verdicts on a threshold.
const (
	Passed    = "passed"
	Failed    = "failed"
	Undecided = "not decided" // which is no pass
)

// GeneratorBound is why a run does not count that shows the generator and not the
// server: see Result.GeneratorBound.
const GeneratorBound = "generator-bound"

// A Verdict says what became of a threshold.
type Verdict struct {
	Threshold string  `json:"threshold"` // as it was written
	Verdict   string  `json:"verdict"`
	Measured  float64 `json:"measured"` // in Unit, in the worst phase; of rounds the median
	Limit     float64 `json:"limit"`
	Unit      string  `json:"unit"`             // "µs", "s", "/s", "s/1M", "B", "%", "×" or ""
	Reason    string  `json:"reason,omitempty"` // of one that is not decided, or not by all rounds

	Rounds int     `json:"rounds,omitempty"` // of a comparison: how many count
	Low    float64 `json:"low,omitempty"`    // and the least and the most of them
	High   float64 `json:"high,omitempty"`
}

// Undecided is the verdict when there is nothing to decide by.
func (t Threshold) Undecided(why string) Verdict {
	return Verdict{Threshold: t.Text, Verdict: Undecided, Limit: t.Limit, Unit: t.Unit, Reason: why}
}

// Decided is the verdict on a value.
func (t Threshold) Decided(v float64) Verdict {
	out := Verdict{Threshold: t.Text, Verdict: Passed, Measured: v, Limit: t.Limit, Unit: t.Unit}
	if t.Crossed(v) {
		out.Verdict = Failed
	}
	if math.IsInf(v, 0) {
		out.Measured, out.Reason = 0, "there was none before"
	}
	return out
}

// Unfit says why the figures of r do not count for t, "" if they do.
func (t Threshold) Unfit(r *Result) string {
	if r.Interrupted {
		return "it was interrupted"
	}
	if r.GeneratorBound {
		return GeneratorBound
	}
	if !r.OK && t.Figure != "wrong" && t.Figure != "errors" && !slices.Contains(ErrorKinds, t.Figure) {
		return "replies were not right"
	}
	return ""
}

// Decide says whether a run fulfils t.
func (t Threshold) Decide(r *Result) Verdict {
	if why := t.Unfit(r); why != "" {
		return t.Undecided(why)
	}
	v, why := t.Measure(r, nil)
	if why != "" {
		return t.Undecided(why)
	}
	return t.Decided(v)
}

// decide gives the verdicts of a run, but of one in a comparison, which has its own.
func (r *run) decide() error {
	if r.opt.Versus != nil {
		return nil
	}
	thresholds, err := r.sc.Thresholds()
	if err != nil {
		return err
	}
	for _, t := range thresholds {
		r.res.Thresholds = append(r.res.Thresholds, t.Decide(r.res))
	}
	return ThresholdError(r.res.Thresholds)
}

// ThresholdError is nil if all have passed, else it wraps ErrThreshold.
func ThresholdError(verdicts []Verdict) error {
	var bad []string
	for _, v := range verdicts {
		if v.Verdict != Passed {
			bad = append(bad, fmt.Sprintf("%q %s", v.Threshold, v.Verdict))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d: %s", ErrThreshold, len(bad), len(verdicts), strings.Join(bad, ", "))
}
