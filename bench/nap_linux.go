package bench

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A napper sleeps with the precision of the kernel. Go's own timers are good
// for a millisecond when nothing else runs, which is more than a name server
// takes to answer; a sleep in a system call keeps the runtime's monitor awake.
type napper struct {
	fd    int
	timer *os.File // nil where there are no such timers
}

func newNapper() *napper {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return &napper{}
	}
	return &napper{fd, os.NewFile(uintptr(fd), "timer")}
}

func (n *napper) nap(d time.Duration) {
	if n.timer != nil {
		at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
		if unix.TimerfdSettime(n.fd, 0, &at, nil) == nil {
			var expired [8]byte
			if _, err := n.timer.Read(expired[:]); err == nil {
				return
			}
		}
	}
	time.Sleep(d)
}

func (n *napper) close() {
	if n.timer != nil {
		n.timer.Close()
	}
}
