//go:build interop

package interop

import (
	"errors"
	"testing"
	"time"
)

const pollEvery = 50 * time.Millisecond

// soon is how long to wait for what takes no time worth mentioning, on a machine
// that is busy with other things. A wait that is not in vain ends earlier.
const soon = 60 * time.Second

// A hopeless error ends a wait at once: time will not heal it.
type hopeless struct{ error }

// waitFor polls cond until it returns nil and returns how long that took. It
// fails the test after the given time, or at once if cond says hopeless.
func waitFor(t *testing.T, within time.Duration, what string, cond func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := cond()
		took := time.Since(start)
		if err == nil {
			return took
		}
		if errors.As(err, new(hopeless)) {
			fatalf(t, "waiting until %s: %v", what, err)
		}
		if took > within {
			fatalf(t, "waited %v until %s, in vain: %v", within, what, err)
		}
		time.Sleep(pollEvery)
	}
}
