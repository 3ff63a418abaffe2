package compare

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonamesrv/bench"
)

// The servers of a comparison of two results.
const (
	Old = "old"
	New = "new"
)

// A Past is one server's results, of a run or of the rounds of a comparison.
type Past struct {
	Name     string // of the file, for what is said of it
	Scenario bench.Scenario
	Turns    []Turn
}

// PastOf takes the results of one server out of a comparison, of the first one
// when its name is empty.
func PastOf(file string, c *Comparison, server string) (Past, error) {
	at := 0
	if server != "" {
		if at = slices.IndexFunc(c.Servers, func(s Server) bool { return s.Name == server }); at < 0 {
			var names []string
			for _, s := range c.Servers {
				names = append(names, s.Name)
			}
			return Past{}, fmt.Errorf("%s: there is no server %q; there are %s", file, server, strings.Join(names, ", "))
		}
	}
	p := Past{Name: file, Scenario: c.Scenario}
	for _, t := range c.Turns {
		if t.Server == at && !t.WarmUp {
			p.Turns = append(p.Turns, t)
		}
	}
	if len(p.Turns) == 0 {
		return p, fmt.Errorf("%s: there is no run of it", file)
	}
	return p, nil
}

// PastRun is one run.
func PastRun(file string, r *bench.Result) Past {
	return Past{Name: file, Scenario: r.Scenario, Turns: []Turn{{Round: 1, Result: r}}}
}

// Diff compares a later result with an earlier one, as if they were servers that
// had taken turns. failIf are thresholds of the later one; gate, unless 0, is
// by how many percent none of its figures may be worse. It fails with
// bench.ErrThreshold together with a whole Comparison. Where the two did not do
// the same, no threshold is decided.
func Diff(older, newer Past, failIf []string, gate float64) (*Comparison, error) {
	c := &Comparison{
		Kind: Kind, Format: Format, Scenario: newer.Scenario, Seed: newer.Turns[0].Result.Seed, Started: newer.Turns[0].Result.Started,
		Machine: newer.Turns[0].Result.Machine, Servers: []Server{{Name: Old}, {Name: New}},
	}
	for i, p := range []Past{older, newer} {
		c.Notes = append(c.Notes, fmt.Sprintf("%s is %s: %s", c.Servers[i].Name, p.Name, describe(p.Turns[0].Result)))
		for n, t := range p.Turns {
			t.Server, t.Round = i, n+1
			c.Turns = append(c.Turns, t)
			c.Rounds = max(c.Rounds, t.Round)
			c.Seconds += t.Result.MeasuredSeconds
		}
	}
	c.Figures = Figures(c)
	c.Scenario.FailIf = slices.Clone(failIf)
	if gate > 0 {
		of := gates(newer.Turns[0].Result, gate)
		if len(of) == 0 {
			return nil, fmt.Errorf("%s: there is no figure in it that a gate could be for", newer.Name)
		}
		c.Scenario.FailIf = append(c.Scenario.FailIf, of...)
	}
	var errs []error
	thresholds, err := c.Scenario.Thresholds()
	if err != nil {
		return nil, err
	}
	for _, t := range thresholds {
		errs = append(errs, t.CheckDiff(newer.Turns[0].Result, []string{Old}))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	differ := append(differences(older.Scenario, newer.Scenario), drivenOtherwise(older.Turns[0].Result, newer.Turns[0].Result)...)
	c.Notes = append(c.Notes, differ...)
	c.Notes = append(c.Notes, otherMachine(older.Turns[0].Result.Machine, newer.Turns[0].Result.Machine)...)
	if len(differ) == 0 {
		return c, c.decide(1)
	}
	for _, t := range thresholds {
		c.Thresholds = append(c.Thresholds, t.Undecided("the scenarios differ"))
	}
	return c, bench.ThresholdError(c.Thresholds)
}

// describe says which run it was.
func describe(r *bench.Result) string {
	text := "of " + r.Started.UTC().Format("2006-01-02 15:04:05 UTC")
	for _, more := range []string{r.Label, r.Machine.Commit} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
}

// gates are thresholds of every figure of r that is better when it is less, or
// more: none may be worse by more than so many percent.
func gates(r *bench.Result, percent float64) (out []string) {
	for _, p := range r.Phases {
		for _, o := range p.Ops {
			of := p.Name + ": " + o.Name + " "
			out = append(out, fmt.Sprintf("%srate -%g%%", of, percent))
			if !o.Oneway {
				for _, q := range []string{"p50", "p90", "p99"} {
					out = append(out, fmt.Sprintf("%s%s +%g%%", of, q, percent))
				}
			}
			out = append(out, fmt.Sprintf("%serrors +%g%%", of, percent), fmt.Sprintf("%swrong +%g%%", of, percent))
		}
		// Where requests are of several kinds nobody knows what one of them costs.
		if p.Server != nil && p.Server.CPUSecondsPerMillion > 0 && len(r.Phases) > 1 {
			out = append(out, fmt.Sprintf("%s: server cpu +%g%%", p.Name, percent))
		}
	}
	if r.Server.CPUSecondsPerMillion > 0 {
		out = append(out, fmt.Sprintf("server cpu +%g%%", percent))
	}
	if r.Target.PID != 0 {
		out = append(out, fmt.Sprintf("server memory +%g%%", percent))
	}
	return out
}

// differences says in what two scenarios differ: then their figures do as well,
// whatever the server does.
func differences(a, b bench.Scenario) (out []string) {
	if a.Kind != b.Kind {
		return []string{fmt.Sprintf("DIFFERENT: the scenario was %s and is %s", a.Kind, b.Kind)}
	}
	k, err := bench.FindKind(a.Kind)
	if err != nil {
		return []string{"DIFFERENT: " + err.Error()}
	}
	for _, key := range k.Keys() {
		if was, is := a.Params.Get(key), b.Params.Get(key); was != is && was != "" && is != "" {
			out = append(out, fmt.Sprintf("DIFFERENT: %s was %s and is %s", key, was, is))
		}
	}
	if k.Name == "replay" && a.Name != b.Name {
		out = append(out, fmt.Sprintf("DIFFERENT: the capture was %s and is %s", a.Name, b.Name))
	}
	if !slices.Equal(a.Stages, b.Stages) {
		out = append(out, fmt.Sprintf("DIFFERENT: stages were %q and are %q", a.Stages, b.Stages))
	}
	return out
}

// drivenOtherwise says in what the load of two runs differs that is no matter of their
// scenarios.
func drivenOtherwise(a, b *bench.Result) (out []string) {
	if was, is := a.Target.TLS != "", b.Target.TLS != ""; was != is {
		out = append(out, fmt.Sprintf("DIFFERENT: TLS was %s and is %s", onOff(was), onOff(is)))
	}
	if was, is := max(1, a.Generators), max(1, b.Generators); was != is {
		out = append(out, fmt.Sprintf("DIFFERENT: the load was made by %d processes and is made by %d", was, is))
	}
	return out
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// otherMachine warns of figures that come from different machines.
func otherMachine(a, b bench.Machine) (out []string) {
	if a.CPU != b.CPU || a.Cores != b.Cores {
		out = append(out, fmt.Sprintf("another machine: old on %d × %s, new on %d × %s", a.Cores, a.CPU, b.Cores, b.CPU))
	}
	return out
}
