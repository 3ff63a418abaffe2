//go:build unix

package engine

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// sentinelPair returns two ends of a stream that nobody writes to: one for a
// loop to watch, one to hold.
func sentinelPair() (watched net.Conn, held *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	end := os.NewFile(uintptr(fds[0]), "sentinel")
	held = os.NewFile(uintptr(fds[1]), "sentinel")
	watched, err = net.FileConn(end) // a duplicate
	end.Close()
	if err != nil {
		held.Close()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return watched, held, nil
}

// hasInput reports whether a socket has bytes that were not read yet.
func hasInput(fd int) bool {
	var b [1]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK)
	return err == nil && n > 0
}

// hasBacklog reports whether a peer has connected who was not accepted yet.
func hasBacklog(ln *net.TCPListener) (waiting bool) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		waiting = err == nil && n > 0
	})
	return waiting
}

// maxOpenFiles returns the soft limit of file descriptors, which the Go
// runtime has raised to the hard one at start, or 0 if there is none.
func maxOpenFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	if uint64(limit.Cur) > 1<<30 {
		return 0
	}
	return int(limit.Cur)
}

// readNow reads what has come into b. It does not wait: where nothing has come, the
// error is EAGAIN. No bytes and no error are the end of the stream.
func readNow(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err = syscall.Read(int(fd), b)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
