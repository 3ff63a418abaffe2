package bench

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// preciseNaps prepares the calling goroutine for naps: it gets a thread of its
// own, whose sleeps the kernel does not stretch to save wake-ups.
func preciseNaps() {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1000, 0, 0, 0) // else naps are 50 µs longer
}

// nap sleeps. The timers of Go's runtime are good for a millisecond when it is
// idle, which is more than a name server takes to answer.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // shorter when interrupted
}
