//go:build unix

package route

import (
	"syscall"
	"testing"
)

// processCPU is the CPU time in seconds that this process has used, the
// collection of garbage included.
func processCPU(t testing.TB) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
