package bench_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/codec"
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

// TestUnmeasuredCPU: the server's CPU time is also that of requests which keep brokers
// registered, and of those which make sure that oneway ones were read. They are counted as
// well; and where keepers ask more than a few, there is no figure.
func TestUnmeasuredCPU(t *testing.T) {
	const often = 20 * time.Millisecond
	_, opt := startProcess(t)
	res, err := bench.RunKeeping(t.Context(), scenario(t, "heartbeat", "brokers", "1", "brokers-per-topic", "1", "hz", "5000", "duration", "1s"), opt, often, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := res.Phases[0]
	all := p.KeepAlives + p.Fences
	for _, o := range p.Ops {
		all += o.Sent
	}
	if p.KeepAlives == 0 || p.Fences != 1 {
		t.Errorf("%d requests kept brokers registered, %d made sure that others were read", p.KeepAlives, p.Fences)
	}
	for what, s := range map[string]bench.Process{"phase": *p.Server, "whole run": res.Server} {
		if want := s.CPUSeconds / float64(all) * 1e6; s.CPUSeconds == 0 || math.Abs(s.CPUSecondsPerMillion-want) > 1e-9*want {
			t.Errorf("%s: %g s are %g s per million of %d requests, want %g", what, s.CPUSeconds, s.CPUSecondsPerMillion, all, want)
		}
	}

	_, opt = startProcess(t)
	res, err = bench.RunKeeping(t.Context(), scenario(t, "register", "rate", "20", "duration", "1s"), opt, often, 0)
	if err != nil {
		t.Fatal(err)
	}
	p = res.Phases[0]
	if p.KeepAlives < 6 || p.Server.CPUSecondsPerMillion != 0 || res.Server.CPUSecondsPerMillion != 0 {
		t.Errorf("beside %d registrations %d requests kept brokers registered, and there is a figure: %+v", p.Ops[0].Sent, p.KeepAlives, res.Server)
	}
}

// TestKeepersSpeakBefore: who would have to speak for brokers while the run measures speaks
// before, so that a run of a usual length measures nothing of that.
func TestKeepersSpeakBefore(t *testing.T) {
	for silent, want := range map[time.Duration]int64{time.Hour - time.Second: 2 * 6, time.Minute: 6} { // in the end each broker is asked for
		var asked atomic.Int64
		f := startFakeWith(t, func(f *fakeServer) {
			f.before = func(req *codec.Command) {
				if req.Code == codec.ReqQueryDataVersion {
					asked.Add(1)
				}
			}
		})
		res, err := bench.RunKeeping(t.Context(), scenario(t, "route", "duration", "2s"), at(f.addr), time.Hour, silent)
		if err != nil {
			t.Fatal(err)
		}
		if n := res.Phases[0].KeepAlives; n != 0 || asked.Load() != want {
			t.Errorf("silent for %v: %d data versions are asked for while it measures, and %d in all, want %d", silent, n, asked.Load(), want)
		}
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
