package main

import (
	"github.com/spf13/pflag"

	"gonamesrv/bench"
)

// thresholdFlags are those of thresholds.
type thresholdFlags struct{ failIf []string }

func (f *thresholdFlags) add(fl *pflag.FlagSet) {
	fl.StringArrayVar(&f.failIf, "fail-if", nil,
		"end with 99 if this is so, such as 'route p99 > 5ms', 'storm: route p99 > 2x undisturbed', 'route errors > 1%', 'server memory > 150MB'; may be repeated")
}

// apply adds them to those of the scenario.
func (f *thresholdFlags) apply(sc *bench.Scenario) error {
	sc.FailIf = append(sc.FailIf, f.failIf...)
	return sc.Validate()
}
