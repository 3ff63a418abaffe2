package bench

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

// The samples are scenario files that the program has with it: to be run by their
// names, and to be copied and changed.
//
//go:embed scenarios/*.yaml
var sampleFiles embed.FS

// A SampleFile is one of them.
type SampleFile struct {
	Name     string
	About    string // one line
	Scenario Scenario
	Text     []byte // of the file
}

// Samples are all of them, in alphabetical order.
func Samples() []SampleFile {
	entries, err := sampleFiles.ReadDir("scenarios")
	if err != nil {
		panic(err) // the folder is embedded
	}
	var out []SampleFile
	for _, e := range entries {
		text, err := sampleFiles.ReadFile(path.Join("scenarios", e.Name()))
		if err != nil {
			panic(err) // as above
		}
		sc, about, err := parseScenarioFile(text)
		if err != nil {
			panic(fmt.Sprintf("bench: scenarios/%s: %v", e.Name(), err)) // a test reads them all
		}
		out = append(out, SampleFile{Name: strings.TrimSuffix(e.Name(), ".yaml"), About: about, Scenario: sc, Text: text})
	}
	return out
}

// FindScenario returns the built-in scenario of that name, with its defaults, or
// the sample.
func FindScenario(name string) (Scenario, error) {
	k, err := FindKind(name)
	if err == nil {
		return k.Scenario(), nil
	}
	var names []string
	for _, s := range Samples() {
		if s.Name == name {
			return s.Scenario, nil
		}
		names = append(names, s.Name)
	}
	return Scenario{}, fmt.Errorf("%w, and the samples %s", err, strings.Join(names, ", "))
}
