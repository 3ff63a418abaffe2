//go:build unix

package bench

import (
	"crypto/tls"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// plainSide returns the plain side of a connection that speaks TLS, for event loops: they
// take descriptors, and Go's TLS takes goroutines. Two of them carry the bytes of each
// connection between it and a pair of sockets. They end with either side.
func plainSide(secured *tls.Conn) (net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		secured.Close()
		return nil, os.NewSyscallError("socketpair", err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "tls")
		var connErr error
		ends[i], connErr = net.FileConn(f)
		f.Close()
		if connErr != nil {
			err = connErr
		}
	}
	if err != nil {
		for _, c := range []net.Conn{ends[0], ends[1], secured} {
			if c != nil {
				c.Close()
			}
		}
		return nil, err
	}
	carry := func(to, from net.Conn) {
		_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, pipeBuffer)) // why it ended, the other side says
		to.Close()
		from.Close()
	}
	go carry(secured, ends[1])
	go carry(ends[1], secured)
	return ends[0], nil
}

// pipeBuffer is as much as a TLS record.
const pipeBuffer = 16 << 10
