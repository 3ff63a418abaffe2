package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gonamesrv/bench"
)

// A Table is one table of a report; its cells are ready to be read.
type Table struct {
	Title string
	Head  []string
	Left  int // so many columns are words, the others numbers
	// Joined are columns that say nothing without the one before them.
	Joined []int
	Rows   [][]string
	Note   string // what its figures count
}

// A Sheet is a report without its charts.
type Sheet struct {
	Title   string
	Summary string   // what came of it, in sentences, some a line
	Facts   []string // about the run, one a line
	Bad     []string // what was not right
	Errors  bench.ErrorCounts
	Tables  []Table
}

// Sheet returns the tables of d.
func (d Document) Sheet() Sheet {
	if d.Comparison != nil {
		return comparisonSheet(d.Comparison)
	}
	return resultSheet(d.Result)
}

// Text returns the sheet for a terminal.
func (s Sheet) Text() string {
	return s.render(func(t table.Writer) string {
		t.SetStyle(table.StyleLight)
		t.Style().Format.Header = text.FormatDefault
		t.Style().Options.DrawBorder = false
		t.Style().Options.SeparateColumns = false
		return t.Render()
	}, "", "", "- ", textWidth)
}

// Markdown returns the sheet as a part of a page.
func (s Sheet) Markdown() string {
	plain := strings.NewReplacer("<", "&lt;", "*", "\\*", "`", "\\`")
	s.Summary = strings.ReplaceAll(plain.Replace(s.Summary), "\n", "\n\n")
	for _, lines := range []*[]string{&s.Facts, &s.Bad} {
		*lines = slices.Clone(*lines)
		for i, l := range *lines {
			(*lines)[i] = plain.Replace(l)
		}
	}
	return s.render(table.Writer.RenderMarkdown, "## ", "### ", "- ", 0)
}

// render writes a sheet in lines of at most width columns; 0 knows no limit.
func (s Sheet) render(render func(table.Writer) string, h1, h2, item string, width int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n\n", h1, wrap(s.Title, "", width))
	if s.Summary != "" {
		fmt.Fprintf(&b, "%s\n\n", wrap(s.Summary, "", width))
	}
	for _, f := range s.Facts {
		fmt.Fprintf(&b, "%s%s\n", item, wrapFact(f, width-len(item)))
	}
	for _, f := range s.Bad {
		fmt.Fprintf(&b, "%sFAILED: %s\n", item, wrap(f, "  ", width-len(item)-len("FAILED: ")))
	}
	for _, t := range s.Tables {
		fmt.Fprintf(&b, "\n%s%s\n", h2, t.Title)
		for _, part := range t.fit(width) {
			fmt.Fprintf(&b, "\n%s\n", render(part.writer()))
		}
		if t.Note != "" {
			fmt.Fprintf(&b, "\n%s\n", wrap(t.Note, "", width))
		}
	}
	return b.String()
}

func (t Table) writer() table.Writer {
	w := table.NewWriter()
	var configs []table.ColumnConfig
	for i := t.Left; i < len(t.Head); i++ {
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	w.SetColumnConfigs(configs)
	w.AppendHeader(row(t.Head))
	for _, r := range t.Rows {
		w.AppendRow(row(r))
	}
	return w
}

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}

func resultSheet(r *bench.Result) Sheet {
	s := Sheet{Title: title(r.Scenario, name(r)), Summary: resultSummary(r), Facts: resultFacts(r), Bad: bad(r), Errors: r.ErrorCounts()}
	if t := thresholdTable(r.Thresholds); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	s.Tables = append(s.Tables, requestTable(r), errorTable(r))
	if t := paceTable(r); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	if t := disturbanceTable(r); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	if r.Survival != nil {
		s.Tables = append(s.Tables, survivalTable(r.Survival))
	}
	s.Tables = append(s.Tables, processTable(r))
	if len(r.Milestones) > 0 {
		s.Tables = append(s.Tables, milestoneTable(r))
	}
	if len(r.Steps) > 0 {
		s.Tables = append(s.Tables, stepTable(r))
	}
	return s
}

// name is what to call the server of a run.
func name(r *bench.Result) string {
	for _, n := range []string{r.Label, r.Target.Name} {
		if n != "" {
			return n
		}
	}
	return r.Target.Address
}

func title(sc bench.Scenario, of string) string {
	t := "nsbench " + sc.Name
	if sc.Kind != sc.Name && sc.Kind != "" {
		t += " (" + sc.Kind + ")"
	}
	return t + ": " + of
}

// params are the parameters that are set, as on the command line.
func params(sc bench.Scenario) string {
	var out []string
	for _, key := range bench.ParamKeys() {
		if v := sc.Params.Get(key); v != "" && v != "0" && v != "false" && v != "0s" {
			out = append(out, key+" "+v)
		}
	}
	return strings.Join(out, ", ")
}

func machine(m bench.Machine) string {
	var parts []string
	for _, p := range []string{m.CPU, fmt.Sprintf("%d cores", m.Cores), sizeText(float64(m.Memory)), m.OS, "kernel " + m.Kernel, m.Go} {
		if p != "" && p != "kernel " {
			parts = append(parts, p)
		}
	}
	if m.Commit != "" {
		parts = append(parts, "nsbench of commit "+m.Commit)
	}
	return strings.Join(parts, ", ")
}

// day is a time of day in UTC, so that a page does not depend on where it is made.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func resultFacts(r *bench.Result) []string {
	var facts []string
	if r.Interrupted {
		facts = append(facts, fmt.Sprintf("interrupted: after %s s; all figures are of what was measured until then", digits(r.MeasuredSeconds)))
	}
	facts = append(facts,
		"server: "+server(r)+pid(r)+security(r),
		fmt.Sprintf("scenario: %s; seed %d", params(r.Scenario), r.Seed))
	if len(r.Scenario.Stages) > 0 {
		facts = append(facts, "stages: "+strings.Join(r.Scenario.Stages, "; "))
	}
	for _, s := range r.Streams {
		facts = append(facts, "load: "+stream(s))
	}
	facts = append(facts,
		fmt.Sprintf("measured for %s s after %s s of preload and %s s of warm-up, from %s",
			digits(r.MeasuredSeconds), digits(r.PreloadSeconds), digits(r.WarmupSeconds), day(r.Started)),
		"machine: "+machine(r.Machine))
	if w := warmupLine(r); w != "" {
		facts = append(facts, "warm-up: "+w)
	}
	if c := r.Ceiling; c != nil {
		facts = append(facts, "ceiling: "+ceiling(r))
	}
	if t := unmeasured(r); t != "" {
		facts = append(facts, "beside: "+t)
	}
	if r.Generators > 0 {
		facts = append(facts, fmt.Sprintf("generators: the load was made by %d generators together; their latencies are merged, and of each second the largest p99 is shown", r.Generators))
	}
	facts = append(facts, "errors: "+errorLine(r.ErrorCounts())+limitLine(r.MaxErrors))
	return append(facts, thresholdFact(r.Thresholds)...)
}

// unmeasured says which requests the server's CPU time has beside those of the load, "" for
// none.
func unmeasured(r *bench.Result) string {
	var kept, fences uint64
	for _, p := range r.Phases {
		kept, fences = kept+p.KeepAlives, fences+p.Fences
	}
	var parts []string
	if kept > 0 {
		parts = append(parts, count(kept)+" requests that kept brokers registered")
	}
	if fences > 0 {
		parts = append(parts, count(fences)+" that made sure that oneway requests were read")
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + "; CPU per 1M requests counts them"
}

func server(r *bench.Result) string {
	if n := name(r); n != r.Target.Address {
		return n + " at " + r.Target.Address
	}
	return r.Target.Address
}

func pid(r *bench.Result) string {
	if r.Target.PID == 0 {
		return ", process unknown: its CPU and memory were not measured"
	}
	if n := r.Server.Processes; n > 1 {
		return fmt.Sprintf(", process %d and what it has started, %d in all", r.Target.PID, n)
	}
	return fmt.Sprintf(", process %d", r.Target.PID)
}

func stream(s bench.StreamResult) string {
	if !s.OpenLoop {
		return fmt.Sprintf("%s, %s connections, closed loop with %d unanswered each: latency counts from when a request left", s.Name, count(uint64(s.Connections)), max(1, s.Depth))
	}
	t := fmt.Sprintf("%s, %s connections, open loop at %s/s%s: latency counts from when a request was to leave", s.Name, count(uint64(s.Connections)), digits(s.Rate), arrivals(s))
	if s.Lag != nil {
		t += fmt.Sprintf("; the generator itself was late by %s (p99 %s)", orNothing(s.Lag.P50), orNothing(s.Lag.P99))
	}
	return t
}

func orNothing(us float64) string {
	if us == 0 {
		return "0 µs"
	}
	return micros(us)
}

// ceiling says what the generator reaches, and how near to it the run came.
func ceiling(r *bench.Result) string {
	c := r.Ceiling
	t := fmt.Sprintf("a server that only echoes %s replies is asked %s times a second over %d connections with %d unanswered each, p99 %s",
		sizeText(float64(c.ReplyBytes)), digits(c.PerSecond), c.Connections, c.Depth, orNothing(c.Latency.P99))
	if reached, op, ok := reached(r); ok {
		t += fmt.Sprintf("; this run came to %s of that (%s)", percent(reached), op)
	}
	return t
}

// reached is the part of the ceiling that the first operation came to, where
// it was driven in the same way: in a closed loop.
func reached(r *bench.Result) (part float64, op string, ok bool) {
	if r.Ceiling == nil || r.Ceiling.PerSecond == 0 || len(r.Streams) == 0 || r.Streams[0].OpenLoop {
		return 0, "", false
	}
	for _, p := range r.Phases {
		if len(p.Ops) > 0 {
			return p.Ops[0].PerSecond / r.Ceiling.PerSecond, p.Ops[0].Name, true
		}
	}
	return 0, "", false
}

func bad(r *bench.Result) []string {
	out := append([]string(nil), r.Failures...)
	if len(out) == 0 && !r.OK {
		out = append(out, "it is not right")
	}
	for _, s := range r.Samples {
		out = append(out, fmt.Sprintf("%s, phase %s: asked %s: %s; the reply: %s", s.Operation, s.Phase, s.Asked, s.Reason, s.Reply))
	}
	return out
}

func requestTable(r *bench.Result) Table {
	t := Table{
		Title: "Requests", Left: 2,
		Head: []string{"phase", "request", "per second", "p50", "p90", "p99", "p99.9", "max", "sent", "right", "wrong", "errors"},
		Note: "Per second: right replies that came within the phase, or requests sent where none is wanted (oneway). Latency: of all right replies.",
	}
	for _, p := range r.Phases {
		for _, o := range p.Ops {
			l, right := o.Latency, count(o.Answered)
			if o.Oneway {
				right = "oneway"
			}
			t.Rows = append(t.Rows, []string{
				p.Name, t.starred(o), digits(o.PerSecond), micros(l.P50), micros(l.P90), micros(l.P99), micros(l.P999), micros(l.Max),
				count(o.Sent), right, count(o.Wrong), errorsText(o.Errors),
			})
		}
	}
	return t
}

func errorsText(errs map[string]uint64) string {
	var parts []string
	for _, kind := range bench.ErrorKinds {
		if n := errs[kind]; n > 0 {
			parts = append(parts, kind+" "+count(n))
		}
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// disturbanceTable compares each later phase with the first.
func disturbanceTable(r *bench.Result) Table {
	if len(r.Phases) < 2 {
		return Table{}
	}
	first := r.Phases[0]
	t := Table{
		Title: "Against phase " + first.Name, Left: 2, Head: []string{"phase", "request", "per second", "p50", "p99", "p99.9", "max"},
		Note: "Ratios: 1× is what it was in phase " + first.Name + ".",
	}
	for _, p := range r.Phases[1:] {
		for _, o := range p.Ops {
			for _, b := range first.Ops {
				if b.Name == o.Name && b.Answered > 0 {
					t.Rows = append(t.Rows, []string{
						p.Name, o.Name, ratio(o.PerSecond, b.PerSecond), ratio(o.Latency.P50, b.Latency.P50), ratio(o.Latency.P99, b.Latency.P99),
						ratio(o.Latency.P999, b.Latency.P999), ratio(o.Latency.Max, b.Latency.Max),
					})
				}
			}
		}
	}
	return t
}

func ratio(v, base float64) string {
	if base == 0 {
		return ""
	}
	return times(v / base)
}

func processTable(r *bench.Result) Table {
	t := Table{
		Title: "Processes", Left: 1, Head: []string{"process", "CPU", "user", "system", "cores busy", "CPU per 1M requests", "memory", "peak", "threads", "files"},
		Note: "CPU: seconds of the measured time; per 1M requests sent where all were of one kind, but for up to 2 % that keep brokers registered, and the server did nothing else. " +
			"Memory: resident, at the end, and the most since the process began; of all processes of a server together. " +
			"Cores busy: of " + fmt.Sprint(r.Machine.Cores) + " that server and generator share.",
	}
	add := func(what string, p bench.Process, seconds float64, whole bool) {
		cores := ""
		if seconds > 0 {
			cores = digits(p.CPUSeconds / seconds)
		}
		cells := []string{what, digits(p.CPUSeconds) + " s", digits(p.CPUUserSeconds) + " s", digits(p.CPUSystemSeconds) + " s", cores, perMillion(p)}
		if whole {
			cells = append(cells, sizeText(float64(p.RSS)), sizeText(float64(p.PeakRSS)), fmt.Sprint(p.Threads), fmt.Sprint(p.FDs))
		} else {
			cells = append(cells, "", "", "", "")
		}
		t.Rows = append(t.Rows, cells)
	}
	if r.Target.PID != 0 {
		add("server", r.Server, r.MeasuredSeconds, true)
		for _, p := range r.Phases {
			if p.Server != nil && len(r.Phases) > 1 {
				add("server, phase "+p.Name, *p.Server, p.Seconds, false)
			}
		}
	}
	add("generator", r.Generator, r.MeasuredSeconds, true)
	if c := r.Ceiling; c != nil && !c.SameProcess && c.ServerPerMillion > 0 {
		t.Rows = append(t.Rows, []string{"server that only echoes (ceiling)", "", "", "", "", digits(c.ServerPerMillion) + " s", "", "", "", ""})
	}
	return t
}

// perMillion is the CPU time per million requests, where that is known.
func perMillion(p bench.Process) string {
	if p.CPUSecondsPerMillion == 0 {
		return "–"
	}
	return digits(p.CPUSecondsPerMillion) + " s"
}

func survivalTable(v *bench.Survival) Table {
	t := Table{
		Title: "Routes during " + v.Event, Left: 1, Head: []string{"what readers got", "how many", "of", ""},
		Note: "Failed: no route, so a client keeps the one it has. Shrunken: success, with fewer brokers than before, so a client drops the others. " +
			"Late: right, after more than 3 s.",
	}
	add := func(what string, n, of uint64) {
		part := ""
		if of > 0 && n > 0 {
			part = percent(float64(n) / float64(of))
		}
		t.Rows = append(t.Rows, []string{what, count(n), count(of), part})
	}
	add("failed lookups", v.Failed, v.Lookups)
	add("  server not reached", v.Unreached, v.Lookups)
	add("  topic not found", v.NotFound, v.Lookups)
	add("  refused: busy", v.Refused, v.Lookups)
	add("  not answered", v.Unanswered, v.Lookups)
	add("shrunken routes", v.Shrunken, v.Lookups)
	add("late routes", v.Late, v.Lookups)
	add("topics lost", uint64(v.TopicsLost), uint64(v.Topics))
	add("topics shrunken", uint64(v.TopicsShrunken), uint64(v.Topics))
	add("brokers left out", uint64(v.BrokersLeftOut), uint64(v.Brokers))
	if v.RegistrationsMissed > 0 {
		t.Rows = append(t.Rows, []string{"registrations without success", count(v.RegistrationsMissed), "", ""})
	}
	if v.LackingTo > 0 {
		t.Rows = append(t.Rows,
			[]string{"first route missing or shrunken", micros(v.LackingFrom * 1e6), "", ""},
			[]string{"last route missing or shrunken", micros(v.LackingTo * 1e6), "", ""})
	}
	if rec := v.Recovery; rec != nil && rec.Lookups > 0 {
		t.Note += fmt.Sprintf(" When the last route was back was found out with %s lookups beside those of the readers, over %d connections with up to %d unanswered each. "+
			"To ask so for all %s topics took %s when every route was whole.", count(rec.Lookups), rec.Connections, rec.Depth, count(uint64(v.Topics)), micros(rec.AllSeconds*1e6))
	}
	return t
}

func milestoneTable(r *bench.Result) Table {
	t := Table{Title: "Milestones", Left: 1, Head: []string{"milestone", "after", "since"}}
	for _, m := range r.Milestones {
		after := micros(m.Seconds * 1e6)
		if !m.Reached {
			after = "not within " + after
		}
		t.Rows = append(t.Rows, []string{m.Name, after, m.Since})
	}
	return t
}

func stepTable(r *bench.Result) Table {
	t := Table{
		Title: "Steps", Head: []string{"connections", "opened in", "server memory", "per connection", "files", "p50", "p99", "max"},
		Note: "Memory per connection: what it grew by since before the first. Latency: of routes read at this step.",
	}
	for _, s := range r.Steps {
		t.Rows = append(t.Rows, []string{
			count(uint64(s.Connections)), micros(s.Seconds * 1e6), sizeText(float64(s.RSS)), sizeText(s.BytesPerConnection), count(uint64(s.FDs)),
			micros(s.Latency.P50), micros(s.Latency.P99), micros(s.Latency.Max),
		})
	}
	return t
}

// arrivals says so where requests leave at random moments.
func arrivals(s bench.StreamResult) string {
	if s.Poisson {
		return " on average, at random moments (Poisson)"
	}
	return ""
}

// security says so where the run spoke TLS, and what that costs the generator.
func security(r *bench.Result) string {
	if r.Target.TLS == "" {
		return ""
	}
	return "; " + r.Target.TLS + ", which goroutines of the generator speak: a part of each latency"
}
