package group

import (
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the CPU time of all processes of a server and of what they have
// waited for, to the nanosecond; 0 when it has none.
func CPU(pid int) (sum time.Duration) {
	for _, p := range Members(pid) {
		own := p.User + p.System
		var at unix.Timespec
		// The CPU clock of another process, see clock_getcpuclockid(3).
		if clock := int32(^p.PID)<<3 | 2; unix.ClockGettime(clock, &at) == nil {
			own = time.Duration(at.Nano())
		}
		sum += own + p.ReapedUser + p.ReapedSystem
	}
	return sum
}
