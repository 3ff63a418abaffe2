package bench

import (
	"os"
	"runtime/debug"
	"testing"

	"github.com/shirou/gopsutil/v4/process"
)

// TestPeakRSS: the peak is that of the process's life, not what it has now.
func TestPeakRSS(t *testing.T) {
	const size = 64 << 20
	b := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		b[i] = 1
	}
	self := &process.Process{Pid: int32(os.Getpid())}
	held := sizeOf(self)
	b = nil
	_ = b
	debug.FreeOSMemory()
	after := sizeOf(self)
	if held.RSS < size/2 || after.RSS > held.RSS-size/2 {
		t.Skipf("the system gives nothing back: %d, then %d", held.RSS, after.RSS)
	}
	if after.PeakRSS < held.RSS-size/8 {
		t.Errorf("the peak is %d, and %d were resident before", after.PeakRSS, held.RSS)
	}
}
