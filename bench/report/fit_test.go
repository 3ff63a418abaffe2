package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"pgregory.net/rapid"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// wideLines are the lines of a sheet that are wider than a terminal may be taken to
// be. A command is left as it is, to be copied.
func wideLines(sheet string) (wide []string) {
	for line := range strings.Lines(sheet) {
		line = strings.TrimRight(line, "\n")
		if text.StringWidth(strings.TrimRight(line, " ")) > textWidth && !strings.HasPrefix(line, "- command: ") {
			wide = append(wide, line)
		}
	}
	return wide
}

// TestTablesFit: no table, fact or note of any document is wider than 100 columns.
func TestTablesFit(t *testing.T) {
	docs := documents(t)
	long := sample(t, 1)
	long.Label = strings.Repeat("a long label ", 12)
	long.Failures = []string{strings.Repeat("a reason ", 40)}
	for i := range long.Phases {
		for j := range long.Phases[i].Ops {
			long.Phases[i].Ops[j].Errors = map[string]uint64{}
			for _, kind := range bench.ErrorKinds {
				long.Phases[i].Ops[j].Errors[kind] = 1_234_567_890
			}
			long.Phases[i].Ops[j].Sent, long.Phases[i].Ops[j].Wrong = 123_456_789_012, 123_456_789_012
		}
	}
	docs["long"] = Document{Result: long}
	many := sampleComparison(t)
	for i := range many.Servers {
		many.Servers[i].Name = fmt.Sprintf("server-number-%d-of-an-operator-who-likes-names", i)
	}
	docs["many"] = Document{Comparison: many}
	for name, d := range docs {
		if wide := wideLines(d.Sheet().Text()); len(wide) > 0 {
			t.Errorf("%s: %d lines are too wide:\n%s", name, len(wide), strings.Join(wide, "\n"))
		}
	}
}

// TestFitKeepsAll: a table that is broken into several says all that it said, each
// number beside the words of its row and below its head.
func TestFitKeepsAll(t *testing.T) {
	word := rapid.StringMatching(`[a-z]{1,14}( [a-z]{1,14}){0,4}`)
	number := rapid.StringMatching(`[0-9]{1,9}( ms)?`)
	rapid.Check(t, func(t *rapid.T) {
		tab := Table{Left: rapid.IntRange(1, 2).Draw(t, "left")}
		columns := tab.Left + rapid.IntRange(1, 15).Draw(t, "columns")
		for i := range columns {
			tab.Head = append(tab.Head, word.Draw(t, "head"))
			if i > tab.Left && !slices.Contains(tab.Joined, i-1) && rapid.Bool().Draw(t, "joined") {
				tab.Joined = append(tab.Joined, i)
			}
		}
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			var row []string
			for i := range columns {
				if i < tab.Left {
					row = append(row, word.Draw(t, "word"))
				} else {
					row = append(row, number.Draw(t, "number"))
				}
			}
			tab.Rows = append(tab.Rows, row)
		}
		at := tab.Left
		for _, part := range tab.fit(textWidth) {
			if part.columns() > textWidth || part.Left != tab.Left || len(part.Head) <= tab.Left {
				t.Fatalf("%d columns wide: %+v", part.columns(), part)
			}
			n := len(part.Head) - tab.Left
			if slices.Contains(tab.Joined, at) {
				t.Fatalf("column %d stands without the one before", at)
			}
			for i, row := range append([][]string{part.Head}, part.Rows...) {
				whole := append([][]string{tab.Head}, tab.Rows...)[i]
				want := append(slices.Clone(whole[:tab.Left]), whole[at:at+n]...)
				for j := range row {
					if strings.Join(strings.Fields(row[j]), " ") != want[j] {
						t.Fatalf("row %d has %q, want %q", i, row, want)
					}
				}
			}
			at += n
		}
		if at != columns {
			t.Fatalf("%d of %d columns are there", at, columns)
		}
	})
}

// TestSummary: the first thing that a sheet says is what came of it.
func TestSummary(t *testing.T) {
	for name, want := range map[string][]string{
		"result": {"namesrv answered 1,997 requests (route) a second in phase storm", "99 of 100 within 6.94 ms", "During storm 40 of 6,000 lookups failed, and 1,500 routes were shrunken", "40.0 MB"},
		"failed": {"Not everything was right"},
		"comparison": {
			"java 5.5.0 beside ours: route 815/s against 1,997/s (0.41×); route p99 17.0 ms against 6.94 ms (2.45×, generator-bound)", "server cores busy",
			"rust beside ours", "floor beside ours",
		},
	} {
		d := documents(t)[name]
		sheet := d.Sheet()
		for _, w := range want {
			if !strings.Contains(sheet.Summary, w) {
				t.Errorf("%s: %q, want %q in it", name, sheet.Summary, w)
			}
		}
		page, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		first := strings.Index(string(page), `<p class="summary">`)
		if facts := strings.Index(string(page), `<dl class="facts">`); first < 0 || first > facts {
			t.Errorf("%s: the summary is at %d of the page, the facts at %d", name, first, facts)
		}
	}
	if s := (Document{Result: &bench.Result{}}).Sheet().Summary; s != "" {
		t.Errorf("of nothing it says %q", s)
	}
}

// TestSummaryIsFair: the first sentence has the same ratio as the table, says what may be
// said of it, and marks latencies that are the generator's own.
func TestSummaryIsFair(t *testing.T) {
	turn := func(server, round int, p99 float64, bound bool) compare.Turn {
		return compare.Turn{Server: server, Round: round, Result: &bench.Result{OK: true, Phases: []bench.Phase{{Name: "measured", Ops: []bench.Operation{{
			Name: "route", Answered: 9, PerSecond: 100, Latency: bench.Latency{P50: 50, P99: p99}, Pace: &bench.Pace{GeneratorBound: bound},
		}}}}}}
	}
	summary := func(ours, theirs []float64, bound bool) string {
		c := &compare.Comparison{Servers: []compare.Server{{Name: "ours"}, {Name: "theirs"}}}
		for i := range ours {
			c.Turns = append(c.Turns, turn(0, i+1, ours[i], false), turn(1, i+1, theirs[i], bound && i == 1))
		}
		c.Figures = compare.Figures(c)
		return comparisonSummary(c)
	}
	for _, tt := range []struct {
		ours, theirs []float64
		bound        bool
		want         string
	}{
		// The median of two ratios, 0.5 and 1.64, is their mean, 1.07.
		{[]float64{1000, 500}, []float64{500, 820}, false, "route p99 640 µs against 707 µs (0.91×)"},
		{[]float64{1000, 1010, 1020, 1030, 1040}, []float64{500, 505, 510, 515, 520}, false, "(0.50×, better)"},
		{[]float64{1000, 1010, 1020, 1030, 1040}, []float64{500, 505, 510, 515, 520}, true, "(0.50×, generator-bound)"},
		{[]float64{1000, 1000, 1000, 1000, 1000}, []float64{500, 2000, 700, 1500, 1000}, false, "(1.01×, which may be chance)"},
	} {
		if got := summary(tt.ours, tt.theirs, tt.bound); !strings.Contains(got, tt.want) {
			t.Errorf("%v against %v: %q, want %q in it", tt.theirs, tt.ours, got, tt.want)
		}
	}
	r := turn(0, 1, 900, true).Result
	if got := resultSummary(r); !strings.Contains(got, "generator-bound") {
		t.Errorf("of a run it says %q", got)
	}
	if got := resultSummary(turn(0, 1, 900, false).Result); strings.Contains(got, "generator-bound") {
		t.Errorf("of a run on time it says %q", got)
	}
}

// TestStarted says of each server whether it is the same process in all rounds, and whether it
// ran beside others.
func TestStarted(t *testing.T) {
	for _, tt := range []struct {
		kept    bool
		running [2]bool
		want    string
	}{
		{false, [2]bool{}, "each started anew"},
		{true, [2]bool{}, "each started once and stopped while others were measured"},
		{true, [2]bool{false, true}, "each started once and stopped while others were measured, but b, which ran all the time"},
		{false, [2]bool{true, true}, "which ran already, all the time"},
	} {
		c := &compare.Comparison{Kept: tt.kept, Servers: []compare.Server{{Name: "a", Running: tt.running[0]}, {Name: "b", Running: tt.running[1]}}}
		if got := started(c); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt, got, tt.want)
		}
	}
}
