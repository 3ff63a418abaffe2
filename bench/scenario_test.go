package bench

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestKinds: every scenario is valid as it comes, says what it is, and knows
// what each of its parameters means.
func TestKinds(t *testing.T) {
	for _, k := range Kinds() {
		sc := k.Scenario()
		if err := sc.Validate(); err != nil {
			t.Error(err)
		}
		if k.About == "" {
			t.Errorf("%s says nothing of itself", k.Name)
		}
		for _, key := range k.Keys() {
			if AboutParam(key) == "" {
				t.Errorf("%s: nothing is said of %s", k.Name, key)
			}
			if err := sc.Params.Set(key, sc.Params.Get(key)); err != nil {
				t.Error(err)
			}
		}
		if !reflect.DeepEqual(sc, k.Scenario()) {
			t.Errorf("%s: Set(Get) changes the parameters", k.Name)
		}
		text, err := json.Marshal(sc)
		if err != nil {
			t.Fatal(err)
		}
		var back Scenario
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, sc) {
			t.Errorf("%s: %s comes back as %+v (%v)", k.Name, text, back, err)
		}
	}
}

// TestHappens: every scenario in which something happens to the server or to its brokers says
// so, and in no other does anything.
func TestHappens(t *testing.T) {
	for _, k := range Kinds() {
		sc := k.Scenario()
		sc.Params.Topics = 64
		if err := sc.Validate(); err != nil {
			t.Fatal(err)
		}
		r := &run{sc: sc, p: sc.Params, kind: k, d: newDriver("", 1), fleet: newFleet(sc.Params, 1)}
		if err := k.plan(r); err != nil {
			t.Fatal(err)
		}
		if happens := sc.Happens() != ""; happens != r.eventful {
			t.Errorf("%s: something happens: %v, and it says %q", k.Name, r.eventful, sc.Happens())
		}
	}
}

// TestNumbersAreFinite: what parses as a number and is none is refused like any other word.
func TestNumbersAreFinite(t *testing.T) {
	for _, key := range []string{"rate", "hz", "changed", "share", "speed"} {
		for _, text := range []string{"NaN", "inf", "-Inf", "1e999"} {
			sc := scenarioNamed(t, "storm")
			if err := sc.Set(key, text); err == nil || !strings.Contains(err.Error(), "is no number") {
				t.Errorf("--%s %s: error is %v", key, text, err)
			}
		}
	}
}

// TestParamsRefused: what makes no sense is refused in words.
func TestParamsRefused(t *testing.T) {
	for _, tt := range []struct{ kind, key, value, want string }{
		{"route", "topics", "0", "topics is 0"},
		{"route", "brokers", "-1", "brokers is -1"},
		{"route", "brokers", "100000", "from 1 to 65536"},
		{"route", "brokers-per-topic", "9", "from 1 to 8"},
		{"route", "connections", "0", "connections is 0"},
		{"route", "depth", "0", "depth is 0"},
		{"route", "rate", "-1", "rate is -1"},
		{"route", "duration", "0s", "duration is 0s"},
		{"route", "warmup", "-1s", "negative"},
		{"route", "requests", "-1", "requests is -1"},
		{"route", "header", "XML", "JSON or ROCKETMQ"},
		{"route", "form", "zip", "plain, compressed or split"},
		{"route", "registrars", "3", "means nothing"},
		{"heartbeat", "hz", "0", "hz is 0"},
		{"heartbeat", "code", "905", "904, 322 or both"},
		{"register", "changed", "101", "percentage"},
		{"register", "registrars", "9", "from 1 to 8"},
		{"churn", "death", "age", "close, kill, silence or all"},
		{"churn", "brokers", "4", "at least 6"},
		{"connections", "steps", "0", "steps is 0"},
		{"register", "topics", "100000000", "from 1 to"},
	} {
		k, err := FindKind(tt.kind)
		if err != nil {
			t.Fatal(err)
		}
		sc := k.Scenario()
		if err := sc.Params.Set(tt.key, tt.value); err != nil {
			t.Error(err)
		}
		if err := sc.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.kind) {
			t.Errorf("%s, %s=%s: error is %v, want %q in it", tt.kind, tt.key, tt.value, err, tt.want)
		}
	}
	for _, tt := range []struct{ key, value, want string }{
		{"topics", "many", "whole number"},
		{"rate", "fast", "no number"},
		{"bump", "perhaps", "true or false"},
		{"duration", "10", "duration such as"},
		{"hurry", "1", "no parameter"},
	} {
		if err := new(Params).Set(tt.key, tt.value); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%s: error is %v, want %q in it", tt.key, tt.value, err, tt.want)
		}
	}
	if _, err := FindKind("rout"); err == nil || !strings.Contains(err.Error(), "route, miss, heartbeat") {
		t.Errorf("unknown scenario: %v", err)
	}
}

// TestScenarioFile reads scenarios of somebody's own.
func TestScenarioFile(t *testing.T) {
	sc, err := parseScenario([]byte("name: mine\nscenario: storm\nparams:\n  brokers: 64\n  rate: 2.5e3\n  duration: 1m30s\n  bump: false\n  form: compressed\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := sc.Params
	if sc.Name != "mine" || sc.Kind != "storm" || p.Brokers != 64 || p.Rate != 2500 || time.Duration(p.Duration) != 90*time.Second || p.Bump || p.Form != "compressed" {
		t.Errorf("got %+v", sc)
	}
	if k, _ := FindKind("storm"); p.Topics != k.Params().Topics || p.Topics == 0 {
		t.Errorf("topics are %d, want the default", p.Topics)
	}
	for text, want := range map[string]string{
		"scenario: storn":                                    "no scenario",
		"scenario: storm\nparams: {hurry: 3}":                "no parameter",
		"scenario: storm\nparams: {brokers: many}":           "whole number",
		"scenario: storm\nparams: {brokers: 0}":              "brokers is 0",
		"scenario: storm\nparams: {hz: 3}":                   "means nothing",
		"scenario: storm\nrate: 3":                           "rate",
		"scenario: [storm":                                   "[",
		"scenario: storm\nparams: {changed: 1, form: split}": "split",
		"": "no scenario",
	} {
		if _, err := parseScenario([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q in it", text, err, want)
		}
	}
	if _, err := ReadScenario("testdata/none.yaml"); err == nil {
		t.Error("a file that is not there is read")
	}
}
