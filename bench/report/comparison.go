package report

import (
	"fmt"
	"slices"
	"strings"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

func comparisonSheet(c *compare.Comparison) Sheet {
	names := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		names[i] = s.Name
	}
	s := Sheet{Title: title(c.Scenario, strings.Join(names, " against ")), Summary: comparisonSummary(c), Facts: comparisonFacts(c, names)}
	for _, t := range c.Turns {
		if !t.Result.OK {
			when := ""
			if t.WarmUp {
				when = ", warm-up"
			}
			s.Bad = append(s.Bad, fmt.Sprintf("%s, round %d%s: %s", names[t.Server], t.Round, when, strings.Join(t.Result.Failures, "; ")))
		}
	}
	for i := range names {
		s.Errors.Add(c.Errors(i))
	}
	if t := thresholdTable(c.Thresholds); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	s.Tables = append(s.Tables, ratioTable(c, names), errorsCompared(c, names))
	return s
}

// started says whether the servers of all turns are the same processes.
func started(c *compare.Comparison) string {
	var ran []string
	for _, s := range c.Servers {
		if s.Running {
			ran = append(ran, s.Name)
		}
	}
	how := "each started anew"
	if c.Kept {
		how = "each started once and stopped while others were measured"
	}
	if restarts(c.Scenario) {
		how += ", and killed and started again in each run"
	}
	switch len(ran) {
	case 0:
		return how
	case len(c.Servers):
		return "which ran already, all the time"
	default:
		return how + ", but " + strings.Join(ran, " and ") + ", which ran all the time"
	}
}

func comparisonFacts(c *compare.Comparison, names []string) []string {
	var facts []string
	if c.Interrupted {
		facts = append(facts, fmt.Sprintf("interrupted: after %d of %d turns; figures count no other", whole(c), c.Rounds*len(c.Servers)))
	}
	facts = append(facts,
		fmt.Sprintf("servers: %s, in turn, %d rounds, %s; ratios to %s", strings.Join(names, ", "), c.Rounds, started(c), names[c.Base]),
		fmt.Sprintf("scenario: %s; %s", params(c.Scenario), seeds(c)))
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
			which := "each"
			if c.Kept {
				which = "its first"
			}
			how := "in the same way"
			if what := c.Scenario.Happens(); what != "" {
				how += ", without " + what + ","
			}
			facts = append(facts, fmt.Sprintf("warm-up: before %s run %s was loaded %s for %s s, which no figure counts", which, n, how, digits(secs)))
		}
	}
	facts = append(facts, warmupLines(c, names)...)
	for _, s := range c.Servers {
		if s.Floor {
			facts = append(facts, s.Name+": only echoes replies of one size; they are not checked")
		}
	}
	facts = append(facts, fmt.Sprintf("it took %s s from %s", digits(c.Seconds), day(c.Started)), "machine: "+machine(c.Machine))
	for _, n := range c.Notes {
		facts = append(facts, "note: "+n)
	}
	facts = append(facts, thresholdFact(c.Thresholds)...)
	if len(c.Command) > 0 {
		facts = append(facts, "command: "+commandLine(c.Command))
	}
	return facts
}

// whole is how many turns were measured to their end.
func whole(c *compare.Comparison) (n int) {
	for _, t := range c.Turns {
		if !t.WarmUp && !t.Result.Interrupted {
			n++
		}
	}
	return n
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
		Note: ratioNote(c, names[c.Base]),
	}
	if c.Kept {
		t.Note += " What one start of a server does better or worse than another is not in that: each was started once."
	}
	if least := leastRounds(c); least < compare.MinRounds {
		t.Note += fmt.Sprintf(" With %d rounds nothing is said of who is better: it takes %d, and in brackets are the smallest and the largest of the rounds.", least, compare.MinRounds)
	}
	order := []int{c.Base}
	t.Head = append(t.Head, names[c.Base])
	for i, n := range names {
		if i != c.Base {
			order = append(order, i)
			t.Joined = append(t.Joined, len(t.Head)+1)
			t.Head = append(t.Head, n, "ratio")
		}
	}
	for _, f := range c.Figures {
		cells := []string{f.Phase, t.star(figureName(f), f.GeneratorBound)}
		for _, i := range order {
			v := f.Servers[i]
			cells = append(cells, valueText(v.Value, f.Unit))
			if i != c.Base {
				cells = append(cells, ratioText(v))
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
	return quantity(s.Middle(), unit)
}

func ratioText(v compare.Values) string {
	if v.Ratio.N == 0 {
		return "–"
	}
	low, high := v.Ratio.Bounds()
	text := fmt.Sprintf("%s (%s–%s)", times(v.Ratio.Middle()), digits(low), digits(high))
	if v.Verdict != "" {
		text += " " + v.Verdict
	}
	return text
}

func ratioNote(c *compare.Comparison, base string) string {
	return fmt.Sprintf("Figures: geometric mean of the rounds. Ratios: to %s in the same round, their geometric mean, and in brackets where it lies with 95 %% confidence. "+
		"Better or worse stands where all of that is on one side of 1×; else the difference may be chance, as it is in one of 20 rows where nothing differs. "+
		"More is better where ↑ stands, else less.", base)
}

// leastRounds is the least number of runs of a server that count.
func leastRounds(c *compare.Comparison) int {
	runs := make([]int, len(c.Servers))
	for _, t := range c.Turns {
		if !t.WarmUp && t.Result.OK {
			runs[t.Server]++
		}
	}
	return slices.Min(runs)
}

// seeds are those of the rounds; older versions used one for all.
func seeds(c *compare.Comparison) string {
	last := c.Seed
	for _, t := range c.Turns {
		last = max(last, t.Result.Seed)
	}
	if last == c.Seed {
		return fmt.Sprintf("seed %d", c.Seed)
	}
	return fmt.Sprintf("seeds %d to %d, one a round", c.Seed, last)
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
