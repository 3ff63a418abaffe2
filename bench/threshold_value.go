package bench

import (
	"math"
	"slices"
	"strings"
)

// Measure returns the figure of r in the worst phase; of a ratio, that to the
// same figure of base, or of the phase t.Of where base is nil. It is infinite
// where something has come from nothing. why says why there is none.
func (t Threshold) Measure(r, base *Result) (v float64, why string) {
	phases := []string{t.Phase}
	if t.Phase == "" && !slices.Contains([]string{ofServer, ofLookups, ofMilestone}, t.Request) || t.Phase == "" && base == nil && t.Of != "" {
		phases = phases[:0]
		for _, p := range r.Phases {
			if base != nil || p.Name != t.Of {
				phases = append(phases, p.Name)
			}
		}
	}
	found := false
	for _, phase := range phases {
		at, ok := t.at(r, phase)
		bound := t.isGenerators(r, phase)
		if ok && (t.Of != "" || t.Change) {
			other, of := base, phase
			if base == nil {
				other, of = r, t.Of
			}
			var to float64
			to, ok = t.at(other, of)
			bound = bound || t.isGenerators(other, of)
			at = quotient(at, to)
		}
		if !ok {
			continue
		}
		if bound {
			return 0, GeneratorBound
		}
		if !found {
			v = at
		}
		v, found = t.worse(v, at), true
	}
	if !found {
		return 0, t.unmeasured(r)
	}
	return v, ""
}

// isGenerators reports whether the figure is a latency that was the generator's own in a
// phase: Result.GeneratorBound is of the p99, and there are others.
func (t Threshold) isGenerators(r *Result, phase string) bool {
	for _, p := range r.Phases {
		if p.Name != phase {
			continue
		}
		for _, o := range p.Ops {
			if o.Pace == nil || o.Name != t.Request && (t.Request != "" || o.Name != r.firstOperation()) {
				continue
			}
			latency, ok := o.Latency.quantile(t.Figure)
			lateness, _ := o.Pace.Lateness.quantile(t.Figure)
			return ok && isGenerators(lateness, latency)
		}
	}
	return false
}

// unmeasured says why there is no such figure of r.
func (t Threshold) unmeasured(r *Result) string {
	const why = "it was not measured"
	switch {
	case t.Request == ofMilestone:
		var names []string
		for _, m := range r.Milestones {
			if m.Name == t.Figure {
				return why + ": the milestone was not reached"
			}
			names = append(names, m.Name)
		}
		if len(names) == 0 {
			return why + ": there were no milestones"
		}
		return why + ": there were only the milestones " + strings.Join(names, ", ")
	case t.Request == ofServer && t.Figure == "cpu" && r.Server.CPUSeconds > 0:
		return why + ": requests were of several kinds, or not all that the server did; server cores is known"
	}
	return why
}

// quotient is a/b; nothing against nothing is no change.
func quotient(a, b float64) float64 {
	switch {
	case b != 0:
		return a / b
	case a == 0:
		return 1
	default:
		return math.Inf(1)
	}
}

// at returns the figure in one phase, "" for the whole run, and false if it was
// not measured.
func (t Threshold) at(r *Result, phase string) (float64, bool) {
	switch t.Request {
	case ofServer:
		return t.serverAt(r, phase)
	case ofLookups:
		return t.lookups(r.Survival)
	case ofMilestone:
		for _, m := range r.Milestones {
			if m.Name == t.Figure {
				return m.Seconds, m.Reached
			}
		}
		return 0, false
	}
	for _, p := range r.Phases {
		if p.Name != phase {
			continue
		}
		for _, o := range p.Ops {
			if o.Name == t.Request || t.Request == "" && o.Name == r.firstOperation() {
				return t.operation(o)
			}
		}
	}
	return 0, false
}

// firstOperation is the first request of the first phase in which there was one.
func (r *Result) firstOperation() string {
	for _, p := range r.Phases {
		if len(p.Ops) > 0 {
			return p.Ops[0].Name
		}
	}
	return ""
}

func (t Threshold) operation(o Operation) (float64, bool) {
	if us, ok := o.Latency.quantile(t.Figure); ok {
		return us, o.Answered > 0 && !o.Oneway
	}
	switch t.Figure {
	case "rate":
		return o.PerSecond, true
	case "wrong":
		return t.part(o.Wrong, o.Offered()), true
	case "errors":
		n := uint64(0)
		for _, of := range o.Errors {
			n += of
		}
		return t.part(n, o.Offered()), true
	default:
		return t.part(o.Errors[t.Figure], o.Offered()), true
	}
}

// quantile returns a figure of l by its name.
func (l Latency) quantile(name string) (us float64, ok bool) {
	switch name {
	case "p50":
		return l.P50, true
	case "p90":
		return l.P90, true
	case "p99":
		return l.P99, true
	case "p99.9":
		return l.P999, true
	case "max":
		return l.Max, true
	case "mean":
		return l.Mean, true
	default:
		return 0, false
	}
}

// part is n, or its percentage of all where t is one.
func (t Threshold) part(n, all uint64) float64 {
	if t.Unit == "%" || t.Unit == "×" {
		return 100 * float64(n) / float64(max(1, all))
	}
	return float64(n)
}

func (t Threshold) lookups(s *Survival) (float64, bool) {
	if s == nil {
		return 0, false
	}
	n := map[string]uint64{
		"failed": s.Failed, "unreached": s.Unreached, "notFound": s.NotFound, "refused": s.Refused, "unanswered": s.Unanswered,
		"shrunken": s.Shrunken, "late": s.Late,
	}
	return t.part(n[t.Figure], s.Lookups), true
}

func (t Threshold) serverAt(r *Result, phase string) (float64, bool) {
	p, seconds := r.Server, r.MeasuredSeconds
	if phase != "" {
		i := slices.IndexFunc(r.Phases, func(p Phase) bool { return p.Name == phase })
		if i < 0 || r.Phases[i].Server == nil {
			return 0, false
		}
		p, seconds = *r.Phases[i].Server, r.Phases[i].Seconds
	}
	v := map[string]float64{
		"cpu": p.CPUSecondsPerMillion, "memory": float64(p.RSS), "peak": float64(p.PeakRSS), "threads": float64(p.Threads), "files": float64(p.FDs),
	}[t.Figure]
	if t.Figure == "cores" && seconds > 0 {
		v = p.CPUSeconds / seconds
	}
	return v, v > 0 // 0 was not measured
}
