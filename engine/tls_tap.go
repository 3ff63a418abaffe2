package engine

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/valyala/bytebufferpool"
)

// helloKept is how much of a handshake is kept to say why it failed: the
// server's name stands near its beginning.
const helloKept = 1 << 10

// A tappedConn is the socket under TLS. It gives what was read of it already once
// more, by the loop or by wait, and counts.
//
// After the handshake a Read does not wait for bytes of which nobody knows whether
// they have come: it returns errNothingCame, and the reader calls wait, which needs
// no buffer. So an idle connection has none. For the reader only, but Write.
type tappedConn struct {
	*net.TCPConn
	e       *Engine
	busy    *atomic.Bool // is true once wait has read something, and before
	seen    []byte
	shaking bool   // the handshake is not over
	hello   []byte // its beginning, while it is not

	chunk  *bytebufferpool.ByteBuffer // of the pool, in which seen lies; nil if it does not
	more   bool                       // the last read was filled, so there may be more
	failed error                      // what the last read of wait came to, if that was no bytes
	raw    syscall.RawConn            // nil before the first wait
	try    func(fd uintptr) bool      // r.tryRead
}

// errNothingCame is what crypto/tls is told so that it keeps what it has and can go
// on later: an error that is temporary.
var errNothingCame net.Error = nothingCame{}

type nothingCame struct{}

func (nothingCame) Error() string   { return "nothing more has come" }
func (nothingCame) Timeout() bool   { return true }
func (nothingCame) Temporary() bool { return true }

func (r *tappedConn) Read(b []byte) (n int, err error) {
	switch {
	case len(r.seen) > 0:
		n = copy(b, r.seen)
		r.seen = r.seen[n:]
	case r.failed != nil:
		return 0, r.failed
	case r.shaking || r.more:
		n, err = r.TCPConn.Read(b)
		r.more = n == len(b)
	default:
		return 0, errNothingCame
	}
	r.e.tls.bytesIn.Add(uint64(n))
	if r.shaking && len(r.hello) < helloKept {
		r.hello = append(r.hello, b[:min(n, helloKept-len(r.hello))]...)
	}
	return n, err
}

func (r *tappedConn) Write(b []byte) (n int, err error) {
	n, err = r.TCPConn.Write(b)
	r.e.tls.bytesOut.Add(uint64(n))
	return n, err
}

// endHandshake forgets what was kept for it.
func (r *tappedConn) endHandshake() {
	r.shaking, r.hello = false, nil
	if len(r.seen) == 0 {
		r.seen = nil
	}
}

// wait returns when bytes have come, or the end of the stream, or the deadline, which
// is the error. It needs no buffer meanwhile. What it has read is given by Read.
func (r *tappedConn) wait() error {
	if r.raw == nil {
		raw, err := r.SyscallConn()
		if err != nil {
			return err
		}
		r.raw, r.try = raw, r.tryRead
	}
	return r.raw.Read(r.try)
}

// tryRead reads what has come, and reports false if that is nothing.
func (r *tappedConn) tryRead(fd uintptr) bool {
	r.release()
	chunk := r.e.bufs.get(smallBuffer)
	b := chunk.B[:cap(chunk.B)]
	was := r.busy.Swap(true) // at no time are bytes neither in the socket nor known
	n, err := readNow(fd, b)
	if n > 0 {
		r.chunk, r.seen, r.more = chunk, b[:n], n == len(b)
		return true
	}
	r.e.bufs.put(chunk)
	switch err {
	case nil: // the end, which a Read says in its own words
		r.more = true
		return true
	case syscall.EAGAIN:
		r.busy.Store(was)
		return false
	}
	r.failed = &net.OpError{Op: "read", Net: "tcp", Source: r.LocalAddr(), Addr: r.RemoteAddr(), Err: os.NewSyscallError("read", err)}
	return true
}

// release gives back the buffer of what was read, which was all given or is not
// wanted any more.
func (r *tappedConn) release() {
	if r.chunk != nil {
		r.seen = nil
		r.e.bufs.put(r.chunk)
		r.chunk = nil
	}
}
