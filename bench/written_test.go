package bench

import (
	"strings"
	"testing"
)

// alone are values that a user may write with nothing beside them. Where a
// scenario has limits of its own they are the least and the most that it takes.
var alone = map[string][]string{
	"brokers": {"1", "2", "5", "65536"}, "topics": {"1", "10000000"}, "brokers-per-topic": {"1", "9", "65536"},
	"connections": {"1", "100000"}, "registrars": {"1", "9", "65536"}, "slow-readers": {"1"}, "depth": {"1", "65536"},
	"rate": {"0", "1", "1e8"}, "requests": {"0", "1"}, "warmup": {"0s"}, "duration": {"1ms"}, "bump": {"true", "false"},
	"changed": {"0", "100"}, "pause-up-to": {"0s", "1s"}, "form": {"plain", "compressed", "split"}, "header": {"JSON", "ROCKETMQ"},
	"code": {"904", "322", "both"}, "oneway": {"true", "false"}, "hz": {"0.1"}, "period": {"1s"}, "away": {"1s"}, "share": {"1", "100"},
	"broker-timeout": {"0s", "1s"}, "producers": {"1"}, "death": {"close", "kill", "silence", "all"}, "steps": {"1", "1000"},
	"timeout": {"1ms"}, "long-names": {"true"},
}

// TestDefaultsGiveWay: one parameter that is valid by itself never makes a
// scenario invalid by what nobody wrote, and is what it was written as.
func TestDefaultsGiveWay(t *testing.T) {
	tried := 0
	for _, k := range Kinds() {
		for _, key := range k.Keys() {
			for _, value := range alone[key] {
				if k.Name == "churn" && key == "brokers" && value == "1" {
					continue // every other one dies, so that one alone says nothing
				}
				if k.Name == "registrations" && (value == "65536" || key == "topics" && value == "1" || key == "form" && value != "plain") {
					continue // it can do none of these, whatever the others are
				}
				tried++
				sc := k.Scenario()
				if err := sc.Set(key, value); err != nil {
					t.Fatal(err)
				}
				before := sc.Params.Get(key)
				if err := sc.Validate(); err != nil {
					t.Errorf("--%s %s: %v", key, value, err)
				}
				if now := sc.Params.Get(key); now != before {
					t.Errorf("%s: %s was written as %s and is %s", k.Name, key, before, now)
				}
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d were tried", tried)
	}
}

// TestContradictionsAreRefused: what was written is not changed, even when it
// contradicts itself.
func TestContradictionsAreRefused(t *testing.T) {
	for _, tt := range []struct{ kind, written, want string }{
		{"route", "brokers=2 brokers-per-topic=3", "brokers-per-topic is 3"},
		{"storm", "brokers=2 registrars=3", "registrars is 3"},
		{"churn", "brokers=4 death=all", "at least 6"},
		{"mixed", "form=split changed=1", "split"},
		{"route", "topics=10000000 brokers-per-topic=2", "more than"},
		{"route", "brokers=0", "brokers is 0"},
		{"route", "brokers-per-topic=0", "brokers-per-topic is 0"},
		{"route", "brokers-per-topic=65537", "brokers-per-topic is 65537"},
		{"churn", "brokers=1", "at least 2"},
		{"route", "depth=16 rate=5000", "depth is of a closed loop"},
		{"storm", "depth=2 rate=1", "depth is of a closed loop"},
		{"route", "arrivals=poisson", "rate is 0"},
		{"storm", "arrivals=poisson rate=0", "rate is 0"},
		{"register", "pause-up-to=1s rate=100", "rest up to 1s"},
		{"route", "warmup=3s warmup-most=1m", "its time is fixed"},
	} {
		k, err := FindKind(tt.kind)
		if err != nil {
			t.Fatal(err)
		}
		sc := k.Scenario()
		for _, w := range strings.Fields(tt.written) {
			key, value, _ := strings.Cut(w, "=")
			if err := sc.Set(key, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := sc.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: error is %v, want %q in it", tt.kind, tt.written, err, tt.want)
		}
	}
}

// TestNothingIsPassedOver: what a user wrote has its effect. Who asks for a depth gets a
// closed loop, also where the scenario has a rate by itself.
func TestNothingIsPassedOver(t *testing.T) {
	for written, want := range map[string]float64{"depth=16": 0, "depth=1": 2000, "depth=1 rate=50": 50, "connections=9": 2000, "arrivals=poisson": 2000} {
		sc := scenarioNamed(t, "storm")
		for _, w := range strings.Fields(written) {
			key, value, _ := strings.Cut(w, "=")
			if err := sc.Set(key, value); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := sc.Validate(); err != nil || sc.Params.Rate != want {
				t.Errorf("%s: the rate is %g, want %g: %v", written, sc.Params.Rate, want, err)
			}
		}
	}
}

// TestFileAndFlags: a flag on top of a file changes what the file leaves open,
// and nothing that the file says.
func TestFileAndFlags(t *testing.T) {
	sc, err := parseScenario([]byte("scenario: storm\nparams: {brokers: 4}\n"))
	if err != nil || sc.Params.Registrars != 4 || sc.Params.BrokersPerTopic != 4 {
		t.Fatalf("%+v, %v", sc, err)
	}
	if err := sc.Set("brokers", "2"); err != nil {
		t.Fatal(err)
	}
	if err := sc.Validate(); err != nil || sc.Params.Registrars != 2 {
		t.Errorf("%+v, %v", sc, err)
	}
	sc, err = parseScenario([]byte("scenario: storm\nparams: {registrars: 4}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.Set("brokers", "2"); err != nil {
		t.Fatal(err)
	}
	if err := sc.Validate(); err == nil || sc.Params.Registrars != 4 {
		t.Errorf("the file's registrars have become %d, %v", sc.Params.Registrars, err)
	}
}
