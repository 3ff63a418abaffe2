package report

import (
	"fmt"
	"strings"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// headline is the phase that a run is about: that of its event, or its last.
func headline(r *bench.Result) *bench.Phase {
	for i := range r.Phases {
		if r.Survival != nil && r.Phases[i].Name == r.Survival.Event {
			return &r.Phases[i]
		}
	}
	if len(r.Phases) == 0 {
		return nil
	}
	return &r.Phases[len(r.Phases)-1]
}

// resultSummary says what came of a run.
func resultSummary(r *bench.Result) string {
	p := headline(r)
	if p == nil {
		return ""
	}
	var said []string
	who := name(r)
	for _, o := range p.Ops {
		if o.Answered == 0 {
			continue
		}
		where := ""
		if len(r.Phases) > 1 {
			where = " in phase " + p.Name
		}
		said = append(said, fmt.Sprintf("%s answered %s requests (%s) a second%s: half of them within %s, 99 of 100 within %s, the slowest after %s.",
			who, digits(o.PerSecond), o.Name, where, orNothing(o.Latency.P50), orNothing(o.Latency.P99), orNothing(o.Latency.Max)))
		if o.GeneratorBound() {
			said = append(said, "These latencies are "+generatorBound+": the generator's own more than the server's.")
		}
		break
	}
	if v := r.Survival; v != nil {
		said = append(said, fmt.Sprintf("During %s %s of %s lookups failed, and %s routes were shrunken.", v.Event, count(v.Failed), count(v.Lookups), count(v.Shrunken)))
	}
	switch {
	case r.Target.PID == 0:
	case r.Server.CPUSecondsPerMillion > 0:
		said = append(said, fmt.Sprintf("It took %s s of CPU time per million requests, and %s of memory in the end.",
			digits(r.Server.CPUSecondsPerMillion), sizeText(float64(r.Server.RSS))))
	case r.MeasuredSeconds > 0: // of several kinds of requests
		said = append(said, fmt.Sprintf("It kept %s cores busy, and took %s of memory in the end.",
			digits(r.Server.CPUSeconds/r.MeasuredSeconds), sizeText(float64(r.Server.RSS))))
	}
	if !r.OK {
		said = append(said, "Not everything was right: see below.")
	}
	return strings.Join(said, " ")
}

// comparisonSummary says how each server does beside the base, one a line.
func comparisonSummary(c *compare.Comparison) string {
	figures := headlineFigures(c)
	base := c.Servers[c.Base].Name
	var said []string
	for i, s := range c.Servers {
		if i == c.Base {
			continue
		}
		var parts []string
		for _, f := range figures {
			v, b := f.Servers[i], f.Servers[c.Base]
			if v.Value.N == 0 || b.Value.N == 0 {
				continue
			}
			part := fmt.Sprintf("%s %s against %s", summaryName(f), quantity(v.Value.Middle(), f.Unit), quantity(b.Value.Middle(), f.Unit))
			if v.Ratio.N > 0 {
				part += " (" + summaryRatio(f, v) + ")"
			}
			parts = append(parts, part)
		}
		if len(parts) > 0 {
			said = append(said, fmt.Sprintf("%s beside %s: %s.", s.Name, base, strings.Join(parts, "; ")))
		}
	}
	return strings.Join(said, "\n")
}

// summaryRatio is a ratio with what may be said of it: where it lies stands in the table.
func summaryRatio(f compare.Figure, v compare.Values) string {
	t := times(v.Ratio.Middle())
	switch {
	case f.GeneratorBound:
		t += ", " + generatorBound
	case v.Verdict != "":
		t += ", " + v.Verdict
	case v.Ratio.N >= compare.MinRounds && v.Ratio.Mean > 0:
		t += ", which may be chance"
	}
	return t
}

// summaryName is a figure's name in a sentence, in which its unit stands behind it.
func summaryName(f compare.Figure) string {
	if f.Unit == "s/1M" {
		return f.Name + " per million requests"
	}
	return f.Name
}

// headlineFigures are those that a sentence has room for.
func headlineFigures(c *compare.Comparison) (out []compare.Figure) {
	r := firstResult(c)
	if r == nil {
		return nil
	}
	p := headline(r)
	if p == nil {
		return nil
	}
	find := func(phase, name, unit string) bool {
		for _, f := range c.Figures {
			if f.Phase == phase && (f.Name == name || name == "") && f.Unit == unit {
				out = append(out, f)
				return true
			}
		}
		return false
	}
	if find(p.Name, "", "/s") {
		find(p.Name, out[0].Name+" p99", "µs")
	}
	if r.Survival != nil {
		find(p.Name, "failed lookups", "")
		find(p.Name, "shrunken routes", "")
	}
	if !find("", "server CPU", "s/1M") {
		find("", "server cores busy", "")
	}
	find("", "server memory", "B")
	return out
}
