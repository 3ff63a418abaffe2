package bench_test

import (
	"testing"

	"gonamesrv/bench"
)

// TestMixedCPU: CPU per request is that of one kind, or there is none.
func TestMixedCPU(t *testing.T) {
	for _, tt := range []struct {
		kind   string
		params []string
		phases map[string]bool // of each: is there a figure?
		whole  bool
	}{
		{"route", []string{"rate", "0"}, map[string]bool{"measured": true}, true},
		{"heartbeat", []string{"hz", "500"}, map[string]bool{"measured": true}, true},
		{"heartbeat", []string{"hz", "500", "code", "both"}, map[string]bool{"measured": false}, false},
		{"mixed", []string{"rate", "0", "hz", "20"}, map[string]bool{"measured": false}, false},
		{"storm", []string{"rate", "0"}, map[string]bool{"undisturbed": true, "storm": false}, false},
		{"connections", []string{"connections", "20", "duration", "1ms"}, map[string]bool{"steps": false}, false},
		{"registrations", nil, map[string]bool{"first": false, "returning": false, "unchanged": true, "all changed": true}, false},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			_, opt := startProcess(t)
			// What is counted in steps of 10 ms may come to nothing in a short run.
			params := append([]string{"duration", "1s"}, tt.params...)
			res := run(t, scenario(t, tt.kind, params...), opt)
			if got := res.Server.CPUSecondsPerMillion; (got > 0) != tt.whole {
				t.Errorf("the whole run: %g s per million requests", got)
			}
			for _, p := range res.Phases {
				want, ok := tt.phases[p.Name]
				if got := p.Server.CPUSecondsPerMillion; ok && (got > 0) != want {
					t.Errorf("phase %s: %g s per million requests, of %g s", p.Name, got, p.Server.CPUSeconds)
				}
			}
		})
	}
}

// TestOldMixedCPU: results of older versions have figures of mixes, which are
// taken back.
func TestOldMixedCPU(t *testing.T) {
	old := func(kind string, ops ...string) *bench.Result {
		r := &bench.Result{Scenario: bench.Scenario{Kind: kind}, Server: bench.Process{CPUSecondsPerMillion: 950}}
		p := bench.Phase{Name: "measured", Server: &bench.Process{CPUSecondsPerMillion: 950}}
		for _, name := range ops {
			p.Ops = append(p.Ops, bench.Operation{Name: name, Sent: 300})
		}
		r.Phases = []bench.Phase{p}
		r.DropMixedCPU()
		return r
	}
	for _, tt := range []struct {
		r    *bench.Result
		want float64
	}{
		{old("route", "route"), 950},
		{old("heartbeat", "heartbeat", "heartbeat (answered)"), 950},
		{old("mixed", "route", "register"), 0},
		{old("connections", "route"), 0},
		{old("churn", "route"), 0},
	} {
		if got := tt.r.Server.CPUSecondsPerMillion; got != tt.want || tt.r.Phases[0].Server.CPUSecondsPerMillion != tt.want {
			t.Errorf("%s: %g, want %g", tt.r.Scenario.Kind, got, tt.want)
		}
	}
}
