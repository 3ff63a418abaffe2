//go:build !unix

package route

import (
	"testing"
	"time"
)

var started = time.Now()

// processCPU is, where the system does not say what CPU time a process has used,
// the time that has passed.
func processCPU(testing.TB) float64 { return time.Since(started).Seconds() }
