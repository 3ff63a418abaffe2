package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Stage is a part of a run with a rate of its own. It is a phase: it has figures
// of its own, under its name. It is written as
//
//	[NAME:] ramp TIME to RATE    the rate changes evenly, from what it was before
//	[NAME:] step TIME to RATE    the rate is another one at once
//	[NAME:] hold TIME            the rate stays what it was
//
// The warm-up has the scenario's rate, and the first stage begins with it.
type Stage struct {
	Name     string
	Lasts    time.Duration
	From, To float64 // requests per second, at its begin and at its end
}

// The limits of stages.
const (
	maxStages = 100
	maxStage  = 24 * time.Hour
)

// staged are the scenarios that may have stages: one stream, one phase.
var staged = []string{"route", "miss", "register"}

// ParseStage reads a stage that begins at a rate.
func ParseStage(text string, from float64) (Stage, error) {
	fail := func(format string, args ...any) (Stage, error) {
		return Stage{}, fmt.Errorf("stage %q: %w", text, fmt.Errorf(format, args...))
	}
	s := Stage{From: from, To: from}
	name, what, named := strings.Cut(text, ":")
	if !named {
		what = name
	}
	words := strings.Fields(what)
	if s.Name = strings.TrimSpace(name); !named {
		s.Name = strings.Join(words, " ")
	}
	usage := "it must be: ramp TIME to RATE, step TIME to RATE, or hold TIME"
	if len(words) < 2 || s.Name == "" {
		return fail("%s", usage)
	}
	var err error
	if s.Lasts, err = time.ParseDuration(words[1]); err != nil {
		return fail("%q is no duration such as 10s", words[1])
	}
	if s.Lasts <= 0 || s.Lasts > maxStage {
		return fail("it lasts %v, it must be more than 0 and at most %v", s.Lasts, maxStage)
	}
	switch {
	case words[0] == "hold" && len(words) == 2:
		return s, nil
	case (words[0] == "ramp" || words[0] == "step") && len(words) == 4 && words[2] == "to":
	default:
		return fail("%s", usage)
	}
	if s.To, err = strconv.ParseFloat(strings.TrimSuffix(words[3], "/s"), 64); err != nil || !(s.To >= 1 && s.To <= maxRate) {
		return fail("%q is no rate from 1/s to %g/s", words[3], float64(maxRate))
	}
	if words[0] == "step" {
		s.From = s.To
	}
	return s, nil
}

// stages parses the stages of a scenario.
func (sc *Scenario) stages() ([]Stage, error) {
	if len(sc.Stages) > maxStages {
		return nil, fmt.Errorf("%d stages, there may be %d", len(sc.Stages), maxStages)
	}
	var out []Stage
	at := sc.Params.Rate
	for _, text := range sc.Stages {
		s, err := ParseStage(text, at)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o Stage) bool { return o.Name == s.Name }) {
			return nil, fmt.Errorf("stage %q: there are two of that name; name them: climb: %s", text, text)
		}
		out = append(out, s)
		at = s.To
	}
	return out, nil
}

func (sc *Scenario) validateStages(k *Kind) error {
	if len(sc.Stages) == 0 {
		return nil
	}
	switch {
	case !slices.Contains(staged, k.Name):
		return fmt.Errorf("it has no stages; %s may have them", strings.Join(staged, ", "))
	case sc.Params.Rate < 1:
		return fmt.Errorf("stages take an open loop: rate is %g, it must be at least 1, that of the warm-up", sc.Params.Rate)
	case sc.Params.Requests > 0:
		return fmt.Errorf("stages have lengths, so requests must be 0, it is %d", sc.Params.Requests)
	}
	_, err := sc.stages()
	return err
}

// planStages turns the one phase of a planned run into one for each stage.
func (r *run) planStages() error {
	stages, err := r.sc.stages()
	if err != nil || len(stages) == 0 {
		return err
	}
	r.streams[0].stages = stages
	r.parts = nil
	for _, s := range stages {
		r.parts = append(r.parts, part{name: s.Name, lasts: s.Lasts})
	}
	return nil
}
