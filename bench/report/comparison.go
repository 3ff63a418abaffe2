package report

import (
	"fmt"
	"strings"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

func comparisonSheet(c *compare.Comparison) Sheet {
	names := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		names[i] = s.Name
	}
	s := Sheet{Title: title(c.Scenario, strings.Join(names, " against ")), Facts: comparisonFacts(c, names)}
	for _, t := range c.Turns {
		if !t.WarmUp && !t.Result.OK {
			s.Bad = append(s.Bad, fmt.Sprintf("%s, round %d: %s", names[t.Server], t.Round, strings.Join(t.Result.Failures, "; ")))
		}
	}
	s.Tables = append(s.Tables, ratioTable(c, names))
	return s
}

func comparisonFacts(c *compare.Comparison, names []string) []string {
	facts := []string{
		fmt.Sprintf("servers: %s, in turn, %d rounds, each started anew; ratios to %s", strings.Join(names, ", "), c.Rounds, names[c.Base]),
		fmt.Sprintf("scenario: %s; seed %d", params(c.Scenario), c.Seed),
	}
	if r := firstResult(c); r != nil {
		for _, s := range r.Streams {
			facts = append(facts, "load: "+stream(s))
		}
		if r.Ceiling != nil {
			facts = append(facts, fmt.Sprintf("ceiling (%s, round 1): %s", name(r), ceiling(r)))
		}
	}
	warm := map[int]float64{}
	for _, t := range c.Turns {
		if t.WarmUp {
			warm[t.Server] = t.Result.MeasuredSeconds
		}
	}
	for i, n := range names {
		if secs, ok := warm[i]; ok {
			facts = append(facts, fmt.Sprintf("warm-up: before each run %s was loaded in the same way for %s s, which no figure counts", n, digits(secs)))
		}
	}
	for _, s := range c.Servers {
		if s.Floor {
			facts = append(facts, s.Name+": only echoes replies of one size; they are not checked")
		}
	}
	facts = append(facts, fmt.Sprintf("it took %s s from %s", digits(c.Seconds), day(c.Started)), "machine: "+machine(c.Machine))
	if len(c.Command) > 0 {
		facts = append(facts, "command: "+commandLine(c.Command))
	}
	return facts
}

// commandLine quotes what a shell would split.
func commandLine(argv []string) string {
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$`*?;&|<>(){}") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

func ratioTable(c *compare.Comparison, names []string) Table {
	t := Table{
		Title: "Figures and ratios", Left: 2, Head: []string{"phase", "figure"},
		Note: fmt.Sprintf("Figures: median of the rounds. Ratios: to %s in the same round, their median, and from the smallest to the largest in brackets. "+
			"More is better where ↑ stands, else less.", names[c.Base]),
	}
	order := []int{c.Base}
	t.Head = append(t.Head, names[c.Base])
	for i, n := range names {
		if i != c.Base {
			order = append(order, i)
			t.Head = append(t.Head, n, "ratio")
		}
	}
	for _, f := range c.Figures {
		cells := []string{f.Phase, t.star(figureName(f), isBound(c, f.Phase, f.Name))}
		for _, i := range order {
			v := f.Servers[i]
			cells = append(cells, valueText(v.Value, f.Unit))
			if i != c.Base {
				cells = append(cells, ratioText(v.Ratio))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// figureName is a figure's name with its unit, as far as its values do not show it.
func figureName(f compare.Figure) string {
	n := f.Name
	switch f.Unit {
	case "/s":
		n += " per second"
	case "s/1M":
		n += " per 1M requests"
	}
	if f.More {
		n += " ↑"
	}
	return n
}

func valueText(s compare.Spread, unit string) string {
	if s.N == 0 {
		return "–"
	}
	return quantity(s.Median, unit)
}

func ratioText(s compare.Spread) string {
	if s.N == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", times(s.Median), digits(s.Min), digits(s.Max))
}

// firstResult is the first measured run of the first server.
func firstResult(c *compare.Comparison) *bench.Result {
	for _, t := range c.Turns {
		if !t.WarmUp {
			return t.Result
		}
	}
	return nil
}
