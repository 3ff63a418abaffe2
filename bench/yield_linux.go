package bench

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// yield makes the calling goroutine give way to all others on the machine that
// want to run: what sends megabytes is to use the processors that others leave
// free, as it would on a machine of its own. It is for where others are to be on
// time, and only there: a server that computes without being asked, as a JVM
// does while it compiles, keeps a polite load away with that, and seems dear.
//
// The goroutine gets a thread to itself, which ends with it: a thread that has
// given way may not take its place back.
func yield() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19) // politeness is never refused
}
