package namesrv

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bootTime returns how long the machine has run, the time in which it was suspended
// included, and which of its runs this is. The id is "" if that is not known. Nobody
// can set this clock.
func bootTime() (id string, d time.Duration) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	var now unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return "", 0
	}
	return strings.TrimSpace(string(text)), time.Duration(now.Nano())
}
