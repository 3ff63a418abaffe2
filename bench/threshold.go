package bench

import (
	"errors"
	"slices"
	"strings"
)

// A Threshold is a condition on one figure, such as "route p99 > 5ms":
//
//	[PHASE:] [REQUEST] FIGURE SIGN VALUE
//
// REQUEST is route, miss, register, … as in the table of requests; without it the
// first one is meant. The words server, lookups and milestone stand for
// what is no request: "server memory > 150MB", "lookups shrunken > 0",
// "milestone every route back > 2s". SIGN is >, >=, < or <=. VALUE has the unit of its
// figure; counts may be a percentage; "2x undisturbed" is twice what it is in
// the phase undisturbed, or with the server of that name in a comparison; "+10%"
// is a change, which only nsbench diff can see. "p99 +10%" is short for "p99 > +10%", and
// "rate -5%" for "rate < -5%".
//
// Without PHASE it is of every phase, and the worst one counts.
type Threshold struct {
	Text    string
	Phase   string  // "" is every phase
	Request string  // an operation, or server, lookups, milestone; "" is the first operation
	Figure  string  // of a milestone its name
	Sign    string  // > >= < <=
	Limit   float64 // in Unit; a ratio where Of or Change is set
	Unit    string  // as in Figure of a comparison: "µs", "s", "/s", "s/1M", "B", "", "%", "×"
	Of      string  // the phase or server that Limit is a ratio to
	Change  bool    // Limit is a ratio to an earlier result
}

// Crossed reports whether v fulfils the condition.
func (t Threshold) Crossed(v float64) bool {
	switch t.Sign {
	case ">":
		return v > t.Limit
	case ">=":
		return v >= t.Limit
	case "<":
		return v < t.Limit
	default:
		return v <= t.Limit
	}
}

// Negated is the text of the threshold that is crossed when t is not: an
// objective as what fails.
func (t Threshold) Negated() string {
	not := map[string]string{">": "<=", ">=": "<", "<": ">=", "<=": ">"}[t.Sign]
	what, value, _ := strings.Cut(t.Text, t.Sign)
	return strings.TrimSpace(what) + " " + not + " " + strings.TrimSpace(value)
}

// worse is the one of two values that is nearer to crossing t, or beyond.
func (t Threshold) worse(a, b float64) float64 {
	if strings.HasPrefix(t.Sign, ">") {
		return max(a, b)
	}
	return min(a, b)
}

// check says what a run without such an operation, phase or server cannot know
// of t. servers is nil in a run that is no part of a comparison.
func (t Threshold) check(operations, phases, servers []string) error {
	of := func(name, what string, known []string) error {
		if slices.Contains(known, name) {
			return nil
		}
		return t.errorf("there is no %s %q; there are %s", what, name, strings.Join(known, ", "))
	}
	var errs []error
	if !slices.Contains([]string{"", ofServer, ofLookups, ofMilestone}, t.Request) {
		errs = append(errs, of(t.Request, "request", slices.Concat(operations, []string{ofServer, ofLookups, ofMilestone})))
	}
	if t.Phase != "" {
		errs = append(errs, of(t.Phase, "phase", phases))
		if t.Request == ofLookups || t.Request == ofMilestone || t.Request == ofServer && t.Figure != "cpu" && t.Figure != "cores" {
			errs = append(errs, t.errorf("%s %s is of the whole run, not of a phase", t.Request, t.Figure))
		}
	}
	if t.Of != "" && !slices.Contains(phases, t.Of) {
		if servers == nil {
			errs = append(errs, t.errorf("%q is no phase of this run (%s); ratios to other servers take nsbench compare", t.Of, strings.Join(phases, ", ")))
		} else if err := of(t.Of, "server or phase", slices.Concat(servers, phases)); err != nil {
			errs = append(errs, err)
		}
	}
	if t.Change {
		errs = append(errs, t.errorf("a change takes two results: nsbench diff OLD.json NEW.json"))
	}
	if t.Figure == FirstReply && servers == nil {
		errs = append(errs, t.errorf("the first reply after the start takes nsbench compare"))
	}
	return errors.Join(errs...)
}

// CheckDiff says what r and earlier results, by their names, cannot tell of t.
func (t Threshold) CheckDiff(r *Result, names []string) error {
	var operations, phases []string
	for _, p := range r.Phases {
		phases = append(phases, p.Name)
		for _, o := range p.Ops {
			operations = append(operations, o.Name)
		}
	}
	slices.Sort(operations)
	t.Change = false
	return t.check(slices.Compact(operations), phases, names)
}

// Thresholds parses what the scenario fails by.
func (sc Scenario) Thresholds() ([]Threshold, error) {
	var out []Threshold
	var errs []error
	for _, text := range sc.FailIf {
		t, err := ParseThreshold(text)
		out, errs = append(out, t), append(errs, err)
	}
	return out, errors.Join(errs...)
}

// checkThresholds refuses thresholds of what the planned run has not.
func (r *run) checkThresholds() error {
	thresholds, err := r.sc.Thresholds()
	if err != nil {
		return err
	}
	var operations, phases []string
	for _, o := range r.ops {
		operations = append(operations, o.name)
	}
	for _, p := range r.parts {
		phases = append(phases, p.name)
	}
	var errs []error
	for _, t := range thresholds {
		errs = append(errs, t.check(operations, phases, r.opt.Versus), r.canMeasure(t))
	}
	return errors.Join(errs...)
}

// canMeasure says why the run will not measure what t is of. The thresholds of a comparison
// are of its first server.
func (r *run) canMeasure(t Threshold) error {
	if r.opt.Versus != nil && r.opt.Label != r.opt.Versus[0] {
		return nil
	}
	switch {
	case t.Request == ofServer && t.Figure != FirstReply && r.meter.pid == 0:
		return t.errorf("the server's process is not known: give it with --pid, or let its command stand behind --")
	case t.Request == ofLookups && !r.eventful:
		return t.errorf("nothing happens to the server or to its brokers in this scenario, so there are no such lookups")
	}
	return nil
}
