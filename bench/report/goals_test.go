package report

import (
	"strings"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// setOf is a set of one comparison of ours, whose first round is a swing of
// the machine, with the floor.
func setOf(cpu ...float64) map[string]Document {
	c := &compare.Comparison{Scenario: bench.Scenario{Params: bench.Params{Connections: 64, Depth: 1}}, Servers: []compare.Server{{Name: "namesrv"}, {Name: "floor", Floor: true}}}
	for i, v := range cpu {
		for server, v := range []float64{v, 10} {
			c.Turns = append(c.Turns, compare.Turn{Server: server, Round: i + 1, FirstReplySeconds: 0.019, Result: &bench.Result{
				OK: true, Server: bench.Process{CPUSecondsPerMillion: v * float64(1+i)},
			}})
		}
	}
	return map[string]Document{"route-64x1": {Comparison: c}, "route-1000x1": {Result: &bench.Result{}}}
}

func TestGoals(t *testing.T) {
	for _, tt := range []struct {
		cpu  []float64
		want string
	}{
		{[]float64{12, 12.5, 12.2, 12.4, 12.1}, "yes 1.30× 1.22× 1.20× 1.25×"},
		{[]float64{15, 15.2, 14.8, 15, 15.1}, "no 1.30× 1.50× 1.48× 1.52×"},
		{[]float64{12, 13.5, 14, 13, 12.5}, "not decided 1.30× 1.30× 1.20× 1.40×"},
		{[]float64{12, 12.5, 12.2}, "not decided 1.30× 1.22× 1.20× 1.25×"},
	} {
		table := Goals(setOf(tt.cpu...))
		if len(table.Rows) != 2 {
			t.Fatalf("rows %q", table.Rows)
		}
		if got := strings.Join(table.Rows[0][1:], " "); got != tt.want {
			t.Errorf("%v gives %s, want %s", tt.cpu, got, tt.want)
		}
		if got := strings.Join(table.Rows[1][1:], " "); len(tt.cpu) >= compare.MinRounds && got != "yes 20.0 ms 19.0 ms 19.0 ms 19.0 ms" {
			t.Errorf("start to first reply: %s", got)
		}
	}
	if table := Goals(nil); len(table.Rows) > 0 {
		t.Errorf("goals of nothing: %q", table.Rows)
	}
	other := setOf(12)
	other["route-64x1"].Comparison.Scenario.Params.Depth = 2
	if table := Goals(other); len(table.Rows) > 0 {
		t.Errorf("goals under another load: %q", table.Rows)
	}
	stray := setOf(12)
	stray["route-64x1"].Comparison.Servers[1].Name = "echo"
	if table := Goals(stray); len(table.Rows) != 1 {
		t.Errorf("goals without the floor: %q", table.Rows)
	}
}
