package bench

import (
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"gonamesrv/bench/capture"
)

// A file is a scenario of somebody's own, in YAML: a built-in scenario and
// other numbers.
//
//	name: black-friday
//	about: the busiest day
//	scenario: storm
//	params:
//	  brokers: 64
//	  duration: 30s
//	fail-if:
//	  - "storm: route p99 > 2x undisturbed"
//	  - server memory > 150MB
type file struct {
	Name     string        `yaml:"name"`
	About    string        `yaml:"about"` // one line
	Scenario string        `yaml:"scenario"`
	Params   yaml.MapSlice `yaml:"params"`
	Stages   []string      `yaml:"stages"`
	FailIf   []string      `yaml:"fail-if"`
}

// ReadScenario reads a scenario file, or a capture: its replay is a scenario too. Parameters that it does not name have
// the defaults of the built-in scenario; names it does not know are refused.
func ReadScenario(path string) (Scenario, error) {
	if capture.IsCapture(path) {
		return readReplay(path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Scenario{}, err
	}
	sc, err := parseScenario(text)
	if err != nil {
		return Scenario{}, fmt.Errorf("%s: %w", path, err)
	}
	return sc, nil
}

func parseScenario(text []byte) (Scenario, error) {
	sc, _, err := parseScenarioFile(text)
	return sc, err
}

// parseScenarioFile returns also what a file says of itself in a line.
func parseScenarioFile(text []byte) (sc Scenario, about string, err error) {
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return Scenario{}, "", err
	}
	sc, err = f.scenarioOf()
	return sc, f.About, err
}

// scenarioOf is the built-in scenario that a file names, changed as it says.
func (f *file) scenarioOf() (Scenario, error) {
	k, err := FindKind(f.Scenario)
	if err != nil {
		return Scenario{}, err
	}
	sc := k.Scenario()
	if f.Name != "" {
		sc.Name = f.Name
	}
	for _, item := range f.Params {
		if err := sc.Set(fmt.Sprint(item.Key), strings.TrimSpace(fmt.Sprint(item.Value))); err != nil {
			return Scenario{}, err
		}
	}
	sc.Stages, sc.FailIf = f.Stages, f.FailIf
	return sc, sc.Validate()
}
