package bench_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonamesrv/bench"
)

// small makes any sample as small as it can be, as a user would with flags.
func small(t testing.TB, sc *bench.Scenario) {
	t.Helper()
	k, err := bench.FindKind(sc.Kind)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"brokers": "6", "topics": "12", "brokers-per-topic": "2", "connections": "4", "registrars": "3", "rate": "300",
		"warmup": "20ms", "duration": "200ms", "timeout": "2m", "pause-up-to": "1ms",
	} {
		closed := key == "rate" && sc.Params.Rate == 0 // it stays one
		if slices.Contains(k.Keys(), key) && !closed {
			if err := sc.Set(key, value); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSamples: each file in scenarios/ is a sample that says what it is, can be
// read as a file and by its name, and goes well against our own server.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("scenarios/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	all := bench.Samples()
	if len(all) != len(files) {
		t.Errorf("%d samples of %d files", len(all), len(files))
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			if s.About == "" || s.Name != s.Scenario.Name {
				t.Errorf("%s says %q of itself, and is called %q", s.Name, s.About, s.Scenario.Name)
			}
			if _, err := bench.FindKind(s.Name); err == nil {
				t.Errorf("%s is a built-in scenario as well", s.Name)
			}
			named, err := bench.FindScenario(s.Name)
			if err != nil || !reflect.DeepEqual(named, s.Scenario) {
				t.Errorf("by its name it is %+v, %v", named, err)
			}
			read, err := bench.ReadScenario(filepath.Join("scenarios", s.Name+".yaml"))
			if err != nil || !reflect.DeepEqual(read, s.Scenario) {
				t.Errorf("as a file it is %+v, %v", read, err)
			}
			sc := s.Scenario
			small(t, &sc)
			var opt bench.Options
			if k, _ := bench.FindKind(sc.Kind); k.NeedsServer {
				if err := sc.Set("period", "300ms"); err != nil {
					t.Fatal(err)
				}
				_, opt = startProcess(t)
			} else {
				opt = at(startOwn(t))
			}
			if strings.HasPrefix(s.Name, "goals-") {
				sc.FailIf = nil // some are ratios to other servers: TestGoalFiles
			}
			res := run(t, sc, opt)
			if res.Scenario.Name != s.Name || len(res.Phases) == 0 {
				t.Errorf("result of %q with %d phases", res.Scenario.Name, len(res.Phases))
			}
		})
	}
	if _, err := bench.FindScenario("jmh"); err == nil || !strings.Contains(err.Error(), "jmh-a") || !strings.Contains(err.Error(), "route, miss") {
		t.Errorf("an unknown name: %v", err)
	}
}
