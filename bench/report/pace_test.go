package report

import (
	"slices"
	"strings"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// TestGeneratorBoundIsMarked: a latency that is the generator's own is marked wherever it is
// shown, and nothing else is.
func TestGeneratorBoundIsMarked(t *testing.T) {
	phases := func(bound bool) []bench.Phase {
		route := bench.Operation{Name: "route", PerSecond: 5000, Latency: bench.Latency{P50: 100, P99: 900, Max: 2000}, Pace: &bench.Pace{
			Lateness: bench.Latency{P99: 500}, FromWrite: bench.Latency{P99: 400}, GeneratorBound: bound,
		}}
		register := bench.Operation{Name: "register", PerSecond: 10, Latency: bench.Latency{P99: 30_000}}
		return []bench.Phase{{Name: "undisturbed", Ops: []bench.Operation{route}}, {Name: "storm", Ops: []bench.Operation{register, {Name: "route", Latency: bench.Latency{P99: 5000}}}}}
	}
	c := &compare.Comparison{Servers: []compare.Server{{Name: "a"}, {Name: "b"}}, Turns: []compare.Turn{
		{Server: 0, Round: 1, Result: &bench.Result{OK: true, Phases: phases(false)}},
		{Server: 1, Round: 1, WarmUp: true, Result: &bench.Result{OK: true, Phases: phases(true)}},
		{Server: 1, Round: 1, Result: &bench.Result{OK: true, Phases: phases(true)}},
	}}
	marked := func() (names []string) {
		c.Figures = compare.Figures(c)
		for _, row := range ratioTable(c, []string{"a", "b"}).Rows {
			if strings.HasSuffix(row[1], star) {
				names = append(names, row[0]+": "+strings.TrimSuffix(row[1], star))
			}
		}
		return names
	}
	want := []string{"undisturbed: route p50", "undisturbed: route p99", "undisturbed: route max", "storm: route p99 / undisturbed"}
	if got := marked(); !slices.Equal(got, want) {
		t.Errorf("generator-bound are %q, want %q", got, want)
	}
	c.Turns[2].Result.Phases = phases(false)
	if got := marked(); len(got) > 0 {
		t.Errorf("the warm-up makes %q generator-bound", got)
	}

	r := &bench.Result{OK: true, Phases: phases(true)}
	for _, table := range []Table{requestTable(r), paceTable(r)} {
		marks := 0
		for _, row := range table.Rows {
			if strings.HasSuffix(row[1], star) {
				marks++
				if row[0] != "undisturbed" {
					t.Errorf("%s: %q is marked", table.Title, row)
				}
			}
		}
		if marks != 1 || strings.Count(table.Note, generatorBound) != 1 {
			t.Errorf("%s has %d marks, want 1, and says %q", table.Title, marks, table.Note)
		}
	}
	if table := paceTable(&bench.Result{Phases: []bench.Phase{{Ops: []bench.Operation{{Name: "route"}}}}}); len(table.Rows) > 0 {
		t.Errorf("a closed loop has a lateness: %q", table.Rows)
	}
}
