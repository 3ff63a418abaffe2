//go:build interop

package interop

import (
	"errors"
	"path/filepath"
	"testing"
)

// TestRepeatedRegistration: a broker that has nothing new to say is recognised when it
// registers again, though since 5.0 no two of its registrations have the same bytes.
func TestRepeatedRegistration(t *testing.T) {
	needTools(t)
	t.Parallel()
	if reference != "" {
		t.Skip("Java has nothing of it")
	}
	for name, spec := range map[string]brokerSpec{
		"5.5.0":            {version: "5.5.0"},
		"5.5.0 compressed": {version: "5.5.0", conf: []string{"compressedRegister=true"}},
		"4.9.7":            {version: "4.9.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := workDir(t)
			over, line := adminListener(t)
			ns := startNamesrvOf(t, filepath.Join(dir, "namesrv"), "", line)
			spec.name, spec.namesrv = "broker-a", ns.addr()
			b := startBroker(t, dir, spec)
			waitFor(t, brokerUp, "it is registered", func() error { return registered(ns.addr(), "broker-a", b) })
			waitFor(t, brokerUp, "it has registered again and been recognised", func() error {
				times, err := over.metric(`registrations_total{result="unchanged"}`)
				if err == nil && times == 0 {
					err = errors.New("it was not")
				}
				return err
			})
		})
	}
}
