package compare

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gonamesrv/bench"
)

// timed is a run whose route p99 is so many microseconds, whose CPU is per million, and
// whose first reply came after so many seconds.
func timed(server, round int, p99, cpu, first float64) Turn {
	return Turn{Server: server, Round: round, FirstReplySeconds: first, Result: &bench.Result{
		OK: true, Server: bench.Process{CPUSecondsPerMillion: cpu}, Target: bench.Target{PID: 1},
		Scenario: bench.Scenario{Name: "route", Kind: "route", Params: bench.Params{Connections: 8, Topics: 10}},
		Phases: []bench.Phase{{Name: "measured", Ops: []bench.Operation{
			{Name: "route", Sent: 100, Answered: 100, PerSecond: 1e6 / p99, Latency: bench.Latency{P50: p99 / 2, P90: p99 / 1.5, P99: p99}},
		}}},
	}}
}

func besideFloor(failIf string, change func(c *Comparison)) *Comparison {
	c := &Comparison{Servers: []Server{{Name: "ours"}, {Name: "floor", Floor: true}}, Scenario: bench.Scenario{FailIf: []string{failIf}}}
	for round := 1; round <= 3; round++ {
		swing := float64(round) // the machine is slower each round
		c.Turns = append(c.Turns, timed(0, round, 1000*swing, 12*swing, 0.01*swing), timed(1, round, 500*swing, 10*swing, 0.001*swing))
	}
	if change != nil {
		change(c)
	}
	return c
}

// TestThresholds decides by all rounds of the first server; ratios are taken within a
// round.
func TestThresholds(t *testing.T) {
	for _, tt := range []struct {
		text   string
		change func(c *Comparison)
		want   string
		rounds int
		reason string
	}{
		{"route p99 > 5ms", nil, bench.Passed, 3, ""},
		{"route p99 > 900us", nil, bench.Failed, 3, ""},
		{"route p99 > 2500us", nil, bench.Undecided, 3, "both sides"},
		{"server cpu > 1.3x floor", nil, bench.Passed, 3, ""},
		{"server cpu > 1.1x floor", nil, bench.Failed, 3, ""},
		{"server first-reply > 9ms", nil, bench.Failed, 3, ""},
		{"server first-reply > 20x floor", nil, bench.Passed, 3, ""},
		{"route p99 > 5ms", func(c *Comparison) { c.Turns[0].Result.OK = false }, bench.Passed, 2, ""},
		{"route p99 > 5ms", func(c *Comparison) { c.Turns[0].WarmUp = true }, bench.Passed, 2, ""},
		{"server cpu > 1.3x floor", func(c *Comparison) { c.Turns[1].Result.GeneratorBound = true }, bench.Passed, 2, ""},
		{"route p99 > 5ms", func(c *Comparison) {
			for i := range c.Turns {
				c.Turns[i].Result.GeneratorBound = true
			}
		}, bench.Undecided, 0, bench.GeneratorBound},
		{"route p99 > 5ms", func(c *Comparison) { c.Turns[0].Result.GeneratorBound = true }, bench.Passed, 2, "2 of 3 rounds count: generator-bound"},
		{"route p99 > 5ms", func(c *Comparison) { // what is left is the round that the machine was kind to
			c.Turns[2].Result.GeneratorBound, c.Turns[4].Result.GeneratorBound = true, true
		}, bench.Undecided, 1, "only 1 of 3 rounds count: generator-bound"},
		{"route p99 > 900us", func(c *Comparison) {
			c.Turns[2].Result.OK, c.Turns[4].Result.Interrupted = false, true
		}, bench.Undecided, 1, "only 1 of 3 rounds count: it was interrupted"},
		{"server cpu > 1.3x floor", func(c *Comparison) { c.Turns = c.Turns[:1] }, bench.Undecided, 0, "no run of floor"},
		{"server first-reply > 20ms", func(c *Comparison) { // each was started once
			c.Kept = true
			for i := range c.Turns[2:] {
				c.Turns[2+i].FirstReplySeconds = 0
			}
		}, bench.Passed, 1, ""},
		{"server first-reply > 1s", func(c *Comparison) {
			for i := range c.Turns {
				c.Turns[i].FirstReplySeconds = 0
			}
		}, bench.Undecided, 0, "not measured"},
		{"route p99 > 5ms", func(c *Comparison) { c.Turns = nil }, bench.Undecided, 0, "no run counts"},
	} {
		c := besideFloor(tt.text, tt.change)
		err := c.decide(0)
		v := c.Thresholds[0]
		if v.Verdict != tt.want || v.Rounds != tt.rounds || !strings.Contains(v.Reason, tt.reason) {
			t.Errorf("%s: %+v, want %s after %d rounds, %q", tt.text, v, tt.want, tt.rounds, tt.reason)
		}
		if (err == nil) != (tt.want == bench.Passed) || err != nil && !errors.Is(err, bench.ErrThreshold) {
			t.Errorf("%s: %s is the error %v", tt.text, v.Verdict, err)
		}
	}
	c := besideFloor("server cpu > 1.3x floor", nil)
	_ = c.decide(0)
	if v := c.Thresholds[0]; v.Measured != 1.2 || v.Low != 1.2 || v.High != 1.2 {
		t.Errorf("the ratio of each round is 1.2: %+v", v)
	}
}

func past(name string, p99s ...float64) Past {
	p := Past{Name: name}
	for i, p99 := range p99s {
		turn := timed(0, i+1, p99, p99/100, 0)
		p.Scenario = turn.Result.Scenario
		p.Turns = append(p.Turns, turn)
	}
	return p
}

// TestDiff sees what became worse and by how much.
func TestDiff(t *testing.T) {
	for _, tt := range []struct {
		name     string
		old, new []float64
		failIf   string
		gate     float64
		want     map[string]string // verdicts that are not passed, by threshold
	}{
		{"a little worse", []float64{1000}, []float64{1050}, "route p99 +10%", 0, nil},
		{"worse", []float64{1000}, []float64{1150}, "route p99 +10%", 0, map[string]string{"route p99 +10%": bench.Failed}},
		{"better", []float64{1000}, []float64{500}, "route p99 > +10%", 0, nil},
		{"less", []float64{1000}, []float64{1150}, "route rate -10%", 0, map[string]string{"route rate -10%": bench.Failed}},
		{"as it is", []float64{1000}, []float64{1150}, "route p99 > 1.1ms", 0, map[string]string{"route p99 > 1.1ms": bench.Failed}},
		{"by name", []float64{1000}, []float64{1150}, "route p99 > 1.1x old", 0, map[string]string{"route p99 > 1.1x old": bench.Failed}},
		{"rounds that agree", []float64{1000, 2000, 1500}, []float64{1150, 2400, 1900}, "route p99 +10%", 0, map[string]string{"route p99 +10%": bench.Failed}},
		{"rounds that do not", []float64{1000, 2000, 1500}, []float64{1150, 2000, 1900}, "route p99 +10%", 0, map[string]string{"route p99 +10%": bench.Undecided}},
		{"through the gate", []float64{1000}, []float64{1090}, "", 10, nil},
		{"not through the gate", []float64{1000}, []float64{1150}, "", 10, map[string]string{
			"measured: route rate -10%": bench.Failed, "measured: route p50 +10%": bench.Failed, "measured: route p90 +10%": bench.Failed,
			"measured: route p99 +10%": bench.Failed, "server cpu +10%": bench.Failed,
		}},
	} {
		var failIf []string
		if tt.failIf != "" {
			failIf = []string{tt.failIf}
		}
		older, newer := past("a.json", tt.old...), past("b.json", tt.new...)
		for _, p := range []Past{older, newer} {
			for i := range p.Turns {
				p.Turns[i].Result.Server.RSS = 1e6
			}
		}
		c, err := Diff(older, newer, failIf, tt.gate)
		if c == nil || (err == nil) != (len(tt.want) == 0) || err != nil && !errors.Is(err, bench.ErrThreshold) {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := map[string]string{}
		for _, v := range c.Thresholds {
			if v.Verdict != bench.Passed {
				got[v.Threshold] = v.Verdict
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		for text, want := range tt.want {
			if got[text] != want {
				t.Errorf("%s: %s is %q, want %s", tt.name, text, got[text], want)
			}
		}
		if err := c.Check(); err != nil || c.Servers[0].Name != Old || c.Servers[1].Name != New || c.Rounds != len(tt.old) {
			t.Errorf("%s: it is %+v, %v", tt.name, c, err)
		}
	}
}

// TestDiffDiffers: figures of other loads are shown, and decide nothing; those of another
// machine are warned of.
func TestDiffDiffers(t *testing.T) {
	older, newer := past("a.json", 1000), past("b.json", 500)
	newer.Scenario.Params.Connections = 9
	c, err := Diff(older, newer, []string{"route p99 +10%"}, 0)
	if !errors.Is(err, bench.ErrThreshold) || c == nil || c.Thresholds[0].Verdict != bench.Undecided {
		t.Fatalf("%v, %+v", err, c)
	}
	if notes := strings.Join(c.Notes, "\n"); !strings.Contains(notes, "DIFFERENT: connections was 8 and is 9") {
		t.Errorf("notes %s", notes)
	}
	newer = past("b.json", 500)
	newer.Turns[0].Result.Machine.Cores = 64
	if c, err = Diff(older, newer, []string{"route p99 +10%"}, 0); err != nil || !strings.Contains(strings.Join(c.Notes, "\n"), "another machine") {
		t.Errorf("%v, notes %q", err, c.Notes)
	}
	newer = past("b.json", 500)
	newer.Turns[0].Result.GeneratorBound = true
	if c, err = Diff(older, newer, []string{"route p99 +10%"}, 0); !errors.Is(err, bench.ErrThreshold) || c.Thresholds[0].Reason != bench.GeneratorBound {
		t.Errorf("%v, %+v", err, c.Thresholds)
	}
	for _, text := range []string{"rout p99 +10%", "storm: route p99 +10%", "route p99 > 2x floor"} {
		if c, err := Diff(older, newer, []string{text}, 0); err == nil || c != nil || !strings.Contains(err.Error(), "there is no") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPastOf(t *testing.T) {
	c := besideFloor("", nil)
	for name, want := range map[string]float64{"": 1000, "ours": 1000, "floor": 500} {
		p, err := PastOf("x.json", c, name)
		if err != nil || len(p.Turns) != 3 || p.Turns[0].Result.Phases[0].Ops[0].Latency.P99 != want {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
	if _, err := PastOf("x.json", c, "java"); err == nil || !strings.Contains(err.Error(), "there are ours, floor") {
		t.Errorf("error is %v", err)
	}
	c.Turns = nil
	if _, err := PastOf("x.json", c, ""); err == nil {
		t.Error("nothing is something")
	}
}

// TestVersus: the runs of a comparison leave thresholds to it, and know its servers.
func TestVersus(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "floor")
	opt.Scenario.FailIf = []string{"server cpu > 1.2x floor", "route rate < 1/s"}
	var versus []string
	load := opt.Load
	opt.Load = func(ctx context.Context, sc bench.Scenario, o bench.Options, progress func(bench.Progress)) (*bench.Result, error) {
		versus = o.Versus
		return load(ctx, sc, o, progress)
	}
	c, err := Run(t.Context(), opt, nil)
	if !errors.Is(err, bench.ErrThreshold) || c == nil {
		t.Fatalf("error %v", err)
	}
	// The name of ours is shorter, so it is slower than the floor.
	if c.Thresholds[0].Verdict != bench.Failed || c.Thresholds[1].Verdict != bench.Passed {
		t.Errorf("verdicts %+v", c.Thresholds)
	}
	if fmt.Sprint(versus) != "[ours floor]" {
		t.Errorf("a run knows the servers %q", versus)
	}
}

// TestVerdictNeedsServersLatency: of a latency that is the generator's own in some round
// nothing is said of who is better, and all else is.
func TestVerdictNeedsServersLatency(t *testing.T) {
	verdicts := func(bound int) map[string]string {
		var turns []Turn
		for round := 1; round <= MinRounds; round++ {
			swing := 1 + float64(round)/100
			turns = append(turns, timed(0, round, 500*swing, 10, 0), timed(1, round, 1000*swing, 10, 0))
		}
		if bound >= 0 {
			turns[bound].Result.Phases[0].Ops[0].Pace = &bench.Pace{GeneratorBound: true}
		}
		out := map[string]string{}
		for _, f := range figuresOf(2, 0, turns) {
			out[f.Name] = f.Servers[1].Verdict
			if f.GeneratorBound != (bound >= 0 && strings.HasPrefix(f.Name, "route p")) {
				t.Errorf("turn %d: %s is generator-bound: %v", bound, f.Name, f.GeneratorBound)
			}
		}
		return out
	}
	for bound, want := range map[int]string{-1: Worse, 4: "", 5: ""} { // nobody, the base, the other
		got := verdicts(bound)
		if got["route p99"] != want || got["route p50"] != want || got["route"] != Worse {
			t.Errorf("turn %d is generator-bound: verdicts %v, want %q on the latencies", bound, got, want)
		}
	}
}

// TestDiffUnlike: a difference that no parameter shows decides nothing either.
func TestDiffUnlike(t *testing.T) {
	for want, change := range map[string]func(p *Past){
		"TLS was off and is on":              func(p *Past) { p.Turns[0].Result.Target.TLS = "TLS 1.3" },
		"made by 1 processes and is made by": func(p *Past) { p.Turns[0].Result.Generators = 4 },
		"it was interrupted":                 func(p *Past) { p.Turns[0].Result.Interrupted = true },
		"the capture was a.jsonl and is b":   func(p *Past) { p.Scenario.Name = "b.jsonl" },
	} {
		older, newer := past("a.json", 1000), past("b.json", 1000)
		if strings.Contains(want, "capture") {
			for _, p := range []*Past{&older, &newer} {
				p.Scenario.Kind, p.Scenario.Name = "replay", "a.jsonl"
			}
		}
		change(&newer)
		c, err := Diff(older, newer, nil, 10)
		if !errors.Is(err, bench.ErrThreshold) {
			t.Errorf("%s: error %v", want, err)
			continue
		}
		if text := fmt.Sprint(c.Notes, c.Thresholds); !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// TestGateOfMix: a gate is for what was measured, so that it can be passed where requests are
// of several kinds; and a result without figures passes none.
func TestGateOfMix(t *testing.T) {
	older, newer := past("a.json", 1000), past("b.json", 1000)
	for _, p := range []Past{older, newer} {
		r := p.Turns[0].Result
		r.Server = bench.Process{RSS: 1e6, CPUSeconds: 3}
		r.Phases = append(r.Phases, bench.Phase{Name: "storm", Ops: r.Phases[0].Ops, Server: &bench.Process{CPUSecondsPerMillion: 20}})
	}
	c, err := Diff(older, newer, nil, 10)
	if err != nil {
		t.Errorf("%v: %+v", err, c)
	}
	newer.Turns[0].Result.Phases[1].Server = &bench.Process{CPUSecondsPerMillion: 30}
	if c, err := Diff(older, newer, nil, 10); !errors.Is(err, bench.ErrThreshold) || !strings.Contains(err.Error(), `"storm: server cpu +10%" failed`) {
		t.Errorf("%v: %+v", err, c)
	}
	newer.Turns[0].Result.Phases[0].Ops[0].Wrong = 3
	if _, err := Diff(older, newer, nil, 10); err == nil || !strings.Contains(err.Error(), `"measured: route wrong +10%" failed`) {
		t.Errorf("wrong replies pass: %v", err)
	}
	newer = past("b.json", 1000)
	newer.Turns[0].Result = &bench.Result{OK: true}
	if c, err := Diff(older, newer, nil, 10); err == nil || c != nil || !strings.Contains(err.Error(), "b.json: there is no figure") {
		t.Errorf("of nothing: %v, %+v", err, c)
	}
}

// TestRatioToAPhase: the goal of the storm of unknown topics is a ratio of two phases of one run,
// of the first server, and that of the round.
func TestRatioToAPhase(t *testing.T) {
	sc, err := bench.FindScenario("goals-misses")
	if err != nil {
		t.Fatal(err)
	}
	for during, want := range map[float64]string{1100: bench.Passed, 1300: bench.Failed} {
		c := &Comparison{Servers: []Server{{Name: "ours"}, {Name: "java 5.5.0", JVM: true}}, Scenario: sc}
		for round := 1; round <= MinRounds; round++ {
			swing := float64(round) // the machine is slower each round
			for server, p99 := range []float64{during, 9000} {
				turn := timed(server, round, 1000*swing, 1, 0)
				quiet := turn.Result.Phases[0]
				misses := timed(server, round, p99*swing, 1, 0).Result.Phases[0]
				quiet.Name, misses.Name = "quiet", "misses"
				turn.Result.Phases = []bench.Phase{quiet, misses}
				c.Turns = append(c.Turns, turn)
			}
		}
		if err := c.decide(0); errors.Is(err, bench.ErrThreshold) != (want == bench.Failed) {
			t.Errorf("%g µs beside 1,000: error is %v", during, err)
		}
		if v := c.Thresholds; len(v) != 1 || v[0].Verdict != want || v[0].Rounds != MinRounds || v[0].Unit != "×" {
			t.Errorf("%g µs beside 1,000: verdicts %+v, want %s", during, v, want)
		}
	}
}
