package bench

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// TestParseThreshold reads every form there is.
func TestParseThreshold(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Threshold
	}{
		{"route p99 > 5ms", Threshold{Request: "route", Figure: "p99", Sign: ">", Limit: 5000, Unit: "µs"}},
		{"p99<2ms", Threshold{Figure: "p99", Sign: "<", Limit: 2000, Unit: "µs"}},
		{"route p99.9 >= 0.5 s", Threshold{Request: "route", Figure: "p99.9", Sign: ">=", Limit: 5e5, Unit: "µs"}},
		{"route max > 250us", Threshold{Request: "route", Figure: "max", Sign: ">", Limit: 250, Unit: "µs"}},
		{"  route   mean <= 100ns ", Threshold{Request: "route", Figure: "mean", Sign: "<=", Limit: 0.1, Unit: "µs"}},
		{"route rate < 3e4/s", Threshold{Request: "route", Figure: "rate", Sign: "<", Limit: 30000, Unit: "/s"}},
		{"heartbeat (answered) p50 > 1ms", Threshold{Request: "heartbeat (answered)", Figure: "p50", Sign: ">", Limit: 1000, Unit: "µs"}},
		{"slow readers: route p99 > 1ms", Threshold{Phase: "slow readers", Request: "route", Figure: "p99", Sign: ">", Limit: 1000, Unit: "µs"}},
		{"storm: route p99 > 2x undisturbed", Threshold{Phase: "storm", Request: "route", Figure: "p99", Sign: ">", Limit: 2, Unit: "×", Of: "undisturbed"}},
		{"server cpu > 0.1x java 5.5.0", Threshold{Request: "server", Figure: "cpu", Sign: ">", Limit: 0.1, Unit: "×", Of: "java 5.5.0"}},
		{"server cpu > 12s", Threshold{Request: "server", Figure: "cpu", Sign: ">", Limit: 12, Unit: "s/1M"}},
		{"server memory > 150MB", Threshold{Request: "server", Figure: "memory", Sign: ">", Limit: 150e6, Unit: "B"}},
		{"server peak > 1.5GiB", Threshold{Request: "server", Figure: "peak", Sign: ">", Limit: 1.5 * (1 << 30), Unit: "B"}},
		{"server threads > 20", Threshold{Request: "server", Figure: "threads", Sign: ">", Limit: 20}},
		{"server first-reply > 20ms", Threshold{Request: "server", Figure: "first-reply", Sign: ">", Limit: 0.02, Unit: "s"}},
		{"route errors > 1%", Threshold{Request: "route", Figure: "errors", Sign: ">", Limit: 1, Unit: "%"}},
		{"route busy > 10", Threshold{Request: "route", Figure: "busy", Sign: ">", Limit: 10}},
		{"lookups shrunken > 0", Threshold{Request: "lookups", Figure: "shrunken", Sign: ">"}},
		{"milestone every route back > 2s", Threshold{Request: "milestone", Figure: "every route back", Sign: ">", Limit: 2, Unit: "s"}},
		{"route p99 > +10%", Threshold{Request: "route", Figure: "p99", Sign: ">", Limit: 1.1, Unit: "×", Change: true}},
		{"route p99 +10%", Threshold{Request: "route", Figure: "p99", Sign: ">", Limit: 1.1, Unit: "×", Change: true}},
		{"route rate -5%", Threshold{Request: "route", Figure: "rate", Sign: "<", Limit: 0.95, Unit: "×", Change: true}},
	} {
		got, err := ParseThreshold(tt.text)
		if err != nil {
			t.Error(err)
			continue
		}
		tt.want.Text = strings.Join(strings.Fields(tt.text), " ")
		if math.Abs(got.Limit-tt.want.Limit) > 1e-9*tt.want.Limit {
			t.Errorf("%s: the limit is %g, want %g", tt.text, got.Limit, tt.want.Limit)
		}
		got.Limit = tt.want.Limit
		if got != tt.want {
			t.Errorf("%s is %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

// TestParseThresholdRefuses says what is known instead.
func TestParseThresholdRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "no comparison",
		"route p99":                       "no comparison",
		"> 5ms":                           "names no figure",
		"milestone > 5s":                  "names no milestone",
		"route p98 > 5ms":                 `"p98" is no figure of a request; there are p50, p90, p99, p99.9, max, mean, rate, wrong, errors, busy`,
		"server p99 > 5ms":                `"p99" is no figure of server; there are cpu, cores, memory`,
		"lookups p99 > 5ms":               "there are failed, unreached",
		"route p99 > 5":                   "5 needs a unit: ns, us, µs, ms, s or m",
		"route p99 > 5MB":                 `"MB" is no unit of this figure; it takes ns, us`,
		"route rate < 5ms":                "it takes /s",
		"server memory > 5ms":             "it takes B, kB",
		"route errors > 5ms":              "it takes none, or %",
		"server threads > 5%":             "it takes none",
		"route p99 > fast":                "is no value",
		"route p99 > -5ms":                "is no change",
		"route p99 > 5ms later":           `what does "later" mean`,
		"route p99 > 2x":                  "a ratio to nothing",
		"route rate < -200%":              "more than there can be",
		"route p99 == 5ms":                "no comparison",
		"route p99 > 99999999e999999ms":   "is no number",
		"route p99 > 1ms or miss p99 > 3": "is no value",
	} {
		if _, err := ParseThreshold(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q in it", text, err, want)
		}
	}
}

// twoPhases is a result of which each figure is known.
func twoPhases() *Result {
	return &Result{
		OK: true, MeasuredSeconds: 4,
		Phases: []Phase{
			{Name: "undisturbed", Seconds: 2, Server: &Process{CPUSecondsPerMillion: 10, CPUSeconds: 1}, Ops: []Operation{
				{Name: "route", Sent: 1000, Answered: 1000, PerSecond: 500, Latency: Latency{P50: 100, P90: 200, P99: 1000, P999: 2000, Max: 3000, Mean: 150}},
			}},
			{Name: "storm", Seconds: 2, Server: &Process{CPUSecondsPerMillion: 30, CPUSeconds: 3}, Ops: []Operation{
				{
					Name: "route", Sent: 980, Answered: 950, Wrong: 5, PerSecond: 475, Latency: Latency{P50: 150, P99: 2500},
					Errors: map[string]uint64{ErrorBusy: 25, ErrorConnect: 15, ErrorOverrun: 5},
				},
				{Name: "heartbeat", Oneway: true, Sent: 10, PerSecond: 5},
			}},
		},
		Server:     Process{CPUSecondsPerMillion: 20, CPUSeconds: 4, RSS: 100e6, PeakRSS: 200e6, Threads: 9},
		Milestones: []Milestone{{Name: "every route back", Seconds: 1.5, Reached: true}, {Name: "first whole route", Seconds: 9}},
		Survival:   &Survival{Lookups: 1000, Failed: 20, Shrunken: 5},
	}
}

// TestThresholdMeasure takes each figure out of a result, from the worst phase where
// none is named.
func TestThresholdMeasure(t *testing.T) {
	for _, tt := range []struct {
		text string
		want float64
		why  string
	}{
		{"route p99 > 1ms", 2500, ""},
		{"route p99 < 1ms", 1000, ""}, // nearer to being less
		{"p50 > 1ms", 150, ""},
		{"undisturbed: route p99 > 1ms", 1000, ""},
		{"storm: route p99 > 2x undisturbed", 2.5, ""},
		{"route p99 > 2x undisturbed", 2.5, ""},
		{"route rate < 1/s", 475, ""},
		{"route errors > 0", 45, ""},
		{"route errors > 1%", 4.5, ""},
		{"route busy > 1%", 2.5, ""},
		{"route wrong > 0", 5, ""},
		{"server cpu > 1s", 20, ""},
		{"storm: server cpu > 1s", 30, ""},
		{"server cpu > 2x undisturbed", 3, ""},
		{"server cores > 1", 1, ""},
		{"storm: server cores > 1", 1.5, ""},
		{"server memory > 1MB", 100e6, ""},
		{"server peak > 1MB", 200e6, ""},
		{"server threads > 1", 9, ""},
		{"server files > 1", 0, "not measured"},
		{"milestone every route back > 2s", 1.5, ""},
		{"milestone first whole route > 20s", 0, "not measured"}, // it was not reached
		{"milestone noon > 2s", 0, "not measured"},
		{"lookups failed > 1%", 2, ""},
		{"lookups shrunken > 0", 5, ""},
		{"heartbeat rate < 1/s", 5, ""},
		{"heartbeat p99 > 1ms", 0, "not measured"}, // nobody answers
		{"miss p99 > 1ms", 0, "not measured"},
	} {
		th, err := ParseThreshold(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		got, why := th.Measure(twoPhases(), nil)
		if math.Abs(got-tt.want) > 1e-9 || (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) {
			t.Errorf("%s: %g, %q; want %g, %q", tt.text, got, why, tt.want, tt.why)
		}
	}
	// Against another result, phase by phase.
	base := twoPhases()
	base.Phases[0].Ops[0].Latency.P99, base.Phases[1].Ops[0].Latency.P99 = 2000, 1000
	base.Phases[1].Ops[0].Errors = nil
	for text, want := range map[string]float64{
		"route p99 > 1.2x old": 2.5, "undisturbed: route p99 +10%": 0.5, "route p99 -10%": 0.5, "server memory +1%": 1, "route errors +10%": math.Inf(1),
		"undisturbed: route errors +10%": 1,
	} {
		th, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, why := th.Measure(twoPhases(), base); got != want || why != "" {
			t.Errorf("%s: %g, %q; want %g", text, got, why, want)
		}
	}
}

// TestDecide: what was not measured, or measured the generator, is no pass.
func TestDecide(t *testing.T) {
	decide := func(text string, change func(*Result)) Verdict {
		t.Helper()
		th, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		r := twoPhases()
		change(r)
		return th.Decide(r)
	}
	asItIs := func(*Result) {}
	bound := func(r *Result) { r.GeneratorBound = true }
	wrong := func(r *Result) { r.OK = false }
	interrupted := func(r *Result) { r.Interrupted = true }
	late := func(r *Result) { // of the slowest of a thousand requests, and of no others
		r.Phases[0].Ops[0].Pace = &Pace{Lateness: Latency{P99: 300, P999: 1500, Max: 2000}}
	}
	for _, tt := range []struct {
		text   string
		change func(*Result)
		want   string
		reason string
	}{
		{"route p99 > 2500us", asItIs, Passed, ""},
		{"route p99 >= 2500us", asItIs, Failed, ""},
		{"route p99 > 2499us", asItIs, Failed, ""},
		{"route rate < 475/s", asItIs, Passed, ""},
		{"route rate <= 475/s", asItIs, Failed, ""},
		{"miss p99 > 1ms", asItIs, Undecided, "not measured"},
		{"route p99 > 9s", bound, Undecided, GeneratorBound},
		{"server memory > 9GB", bound, Undecided, GeneratorBound},
		{"route p99 > 9s", wrong, Undecided, "not right"},
		{"route wrong > 0", wrong, Failed, ""},
		{"route p99 > 9s", interrupted, Undecided, "interrupted"},
		{"route wrong > 9", interrupted, Undecided, "interrupted"},
		{"undisturbed: route p99 > 9s", late, Passed, ""},
		{"undisturbed: route p99.9 > 1ms", late, Undecided, GeneratorBound},
		{"undisturbed: p99.9 > 9s", late, Undecided, GeneratorBound},
		{"route max > 9s", late, Undecided, GeneratorBound},
		{"storm: route p99.9 > 2x undisturbed", late, Undecided, GeneratorBound},
		{"storm: route p99 > 3x undisturbed", late, Passed, ""},
		{"route rate < 1/s", late, Passed, ""},
		{"route errors > 10%", wrong, Passed, ""},
	} {
		v := decide(tt.text, tt.change)
		if v.Verdict != tt.want || !strings.Contains(v.Reason, tt.reason) || (v.Reason == "") != (tt.reason == "") {
			t.Errorf("%s: %+v, want %s %s", tt.text, v, tt.want, tt.reason)
		}
		if err := ThresholdError([]Verdict{v}); (err == nil) != (tt.want == Passed) || err != nil && !errors.Is(err, ErrThreshold) {
			t.Errorf("%s: %s is the error %v", tt.text, v.Verdict, err)
		}
	}
}

// TestFirstRequest: a phase in which nothing was to be sent does not hide which request is
// the first one.
func TestFirstRequest(t *testing.T) {
	r := twoPhases()
	r.Phases[0].Ops = nil
	for text, want := range map[string]float64{"p99 > 1ms": 2500, "storm: p50 > 1ms": 150, "busy > 0": 25} {
		th, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, why := th.Measure(r, nil); got != want || why != "" {
			t.Errorf("%s: %g, %q; want %g", text, got, why, want)
		}
	}
	r.Phases[1].Ops = nil
	if _, why := (Threshold{Figure: "p99"}).Measure(r, nil); why == "" {
		t.Error("a figure of nothing")
	}
}

// TestUnmeasured says why there is no such figure, so that it can be asked for otherwise.
func TestUnmeasured(t *testing.T) {
	for text, want := range map[string]string{
		"milestone evry route back > 2s":   "there were only the milestones every route back, first whole route",
		"milestone first whole route > 2s": "was not reached",
		"server cpu > 1s":                  "server cores is known",
	} {
		th, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		r := twoPhases()
		r.Server.CPUSecondsPerMillion = 0
		if v := th.Decide(r); v.Verdict != Undecided || !strings.Contains(v.Reason, want) {
			t.Errorf("%s: %+v, want %q", text, v, want)
		}
	}
	th, err := ParseThreshold("milestone noon > 2s")
	if err != nil {
		t.Fatal(err)
	}
	if v := th.Decide(&Result{OK: true}); !strings.Contains(v.Reason, "no milestones") {
		t.Errorf("%+v", v)
	}
}

// TestNegated turns an objective into what fails.
func TestNegated(t *testing.T) {
	for text, want := range map[string]string{
		"p99<2ms": "p99 >= 2ms", "route p99 <= 2ms": "route p99 > 2ms", "storm: route rate > 5/s": "storm: route rate <= 5/s", "rate>=5/s": "rate < 5/s",
	} {
		th, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := th.Negated(); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

// TestThresholdCheck names what a run has.
func TestThresholdCheck(t *testing.T) {
	ops, phases := []string{"route", "register"}, []string{"undisturbed", "storm"}
	for _, tt := range []struct {
		text    string
		servers []string
		want    string
	}{
		{"route p99 > 1ms", nil, ""},
		{"p99 > 1ms", nil, ""},
		{"storm: route p99 > 2x undisturbed", nil, ""},
		{"storm: server cpu > 2x undisturbed", nil, ""},
		{"server cpu > 2x floor", []string{"namesrv", "floor"}, ""},
		{"milestone every route back > 1s", nil, ""},
		{"server first-reply > 1s", []string{"namesrv"}, ""},
		{"rout p99 > 1ms", nil, `there is no request "rout"; there are route, register, server, lookups, milestone`},
		{"strom: route p99 > 1ms", nil, `there is no phase "strom"; there are undisturbed, storm`},
		{"storm: server memory > 1MB", nil, "of the whole run"},
		{"storm: lookups failed > 1", nil, "of the whole run"},
		{"server cpu > 2x floor", nil, `"floor" is no phase of this run (undisturbed, storm); ratios to other servers take nsbench compare`},
		{"server cpu > 2x floot", []string{"namesrv", "floor"}, "there are namesrv, floor, undisturbed, storm"},
		{"route p99 +10%", nil, "nsbench diff"},
		{"server first-reply > 1s", nil, "nsbench compare"},
	} {
		th, err := ParseThreshold(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		err = th.check(ops, phases, tt.servers)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error is %v, want %q", tt.text, err, tt.want)
		}
	}
}

// TestGoalFiles: the goals of the project are thresholds that their scenarios know.
func TestGoalFiles(t *testing.T) {
	files, err := filepath.Glob("scenarios/goals-*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("files %q, %v", files, err)
	}
	for _, file := range files {
		sc, err := ReadScenario(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".yaml"); sc.Name != want || len(sc.FailIf) == 0 {
			t.Errorf("%s: it is called %s, and has the thresholds %q", file, sc.Name, sc.FailIf)
		}
		sc.Params.Brokers, sc.Params.Topics, sc.Params.BrokersPerTopic = 8, 8, 1
		r := &run{sc: sc, p: sc.Params, d: newDriver("", 1), fleet: newFleet(sc.Params, 1), opt: Options{Versus: []string{"namesrv", "floor", "java 5.5.0"}}}
		k, err := FindKind(sc.Kind)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.plan(r); err != nil {
			t.Fatal(err)
		}
		if err := r.checkThresholds(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestScenarioFileThresholds reads thresholds and stages from a file.
func TestScenarioFileThresholds(t *testing.T) {
	sc, err := parseScenario([]byte("scenario: route\nparams: {rate: 100}\nstages: [\"ramp 1s to 200\", \"peak: hold 2s\"]\nfail-if:\n  - route p99 > 5ms\n  - \"peak: route rate < 190/s\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(sc.FailIf) != 2 || len(sc.Stages) != 2 || sc.FailIf[1] != "peak: route rate < 190/s" {
		t.Errorf("it is %+v", sc)
	}
	for text, want := range map[string]string{
		"scenario: route\nfail-if: [route p98 > 1ms]":                        "is no figure",
		"scenario: storm\nstages: [hold 1s]":                                 "route, miss, register may have them",
		"scenario: route\nstages: [hold 1s]":                                 "open loop",
		"scenario: route\nparams: {rate: 9}\nstages: [wait 1s]":              "ramp TIME to RATE",
		"scenario: route\nparams: {rate: 9, requests: 5}\nstages: [hold 1s]": "requests must be 0",
		"scenario: route\nfail-if: route p99 > 1ms":                          "",
	} {
		if _, err := parseScenario([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q in it", text, err, want)
		}
	}
}
