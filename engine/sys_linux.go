package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspended returns for how long the machine was suspended since it started: the
// time that CLOCK_MONOTONIC, and so Go, does not count.
func suspended() time.Duration {
	var mono, boot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}

// waiting returns how many bytes of a socket were not read yet.
func waiting(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// readSocket reads what there is. Nothing and no error is the end of the stream
// as well.
func readSocket(fd int, b []byte) (int, error) {
	n, err := unix.Read(fd, b)
	if err == unix.EAGAIN || err == unix.EINTR {
		err = nil
	}
	return max(n, 0), err
}

// setLowWater sets how many bytes of a socket have to wait for it to be
// readable. The kernel makes its buffer large enough for them, and calls it
// readable in any case when it has room for no more, or no more will come.
func setLowWater(fd, n int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, n) }
