package bench

import (
	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// No server may receive a large frame more cheaply than the echo does, or it is no floor.
// So what is missing of one is read in pieces as large as the best of servers reads, to
// memory that stays in the processor's cache. And where frames come more slowly than they can
// be read, the kernel is told to gather some of it before it wakes the loop.
const (
	echoRead  = 64 << 10  // what gnet reads at a time
	largePart = 16 << 10  // less than that is left to gnet
	restRead  = 256 << 10 // the most that is read, or gathered, at a time
)

// hurry reads more of a large body when the last read, of n bytes, was full, and lets the
// kernel gather more of it when it was not.
func (e *echo) hurry(c gnet.Conn, ec *echoConn, n int) {
	switch {
	case ec.missing < largePart:
	case n < echoRead:
		ec.patient = true
	default:
		if e.rest == nil {
			e.rest = make([]byte, restRead)
		}
		n, err := unix.Read(c.Fd(), e.rest[:min(ec.missing, restRead)])
		if err == nil && n > 0 { // else gnet sees it as well
			e.skip(ec, n)
		}
	}
	if !ec.patient {
		return
	}
	mark := min(ec.missing, restRead)
	if mark < largePart {
		mark, ec.patient = 1, false
	}
	_ = unix.SetsockoptInt(c.Fd(), unix.SOL_SOCKET, unix.SO_RCVLOWAT, mark) // it works without
}
