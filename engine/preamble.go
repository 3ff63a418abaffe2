package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// What comes before the first frame. A trusted peer may send one PROXY header. The
// next byte is the first of a frame or of a TLS handshake, and says which. All of this
// is for the loop only.
//
// Java: NettyRemotingServer.HandshakeHandler and TlsModeHandler, since 5.1.4.

// A TLSMode says which connections are served: those with TLS, those without,
// or both. Java: TlsMode.
type TLSMode uint8

// The modes. Disabled closes a connection that begins with a TLS handshake,
// enforcing one that does not.
const (
	TLSDisabled TLSMode = iota
	TLSPermissive
	TLSEnforcing
)

// tlsHandshake is the first byte of a TLS connection. No frame of less than
// 352 MiB begins with it.
const tlsHandshake = 0x16

// A preamble is what a connection has yet to say before its first frame.
type preamble uint8

const (
	preambleOver  preamble = iota
	preambleTLS            // the first byte tells whether TLS follows
	preambleProxy          // before that, a PROXY header may come
)

// preambleOf returns what to expect of a peer.
func (e *Engine) preambleOf(peer netip.AddrPort) preamble {
	addr := peer.Addr().Unmap().WithZone("")
	for _, p := range e.o.ProxyTrusted {
		if p.Contains(addr) {
			return preambleProxy
		}
	}
	return preambleTLS
}

// tell calls Opened and reports whether that panicked. For a trusted peer the caller
// calls it when the PROXY header has said for whom the connection is: Conn.RemoteAddr
// must not change afterwards.
func (l *loop) tell(c *conn) (panicked bool) {
	c.told = true
	l.list(c)
	return l.guard(c, func() { l.e.h.Opened(c) })
}

// greet is a turn of a connection that has not said all of its preamble.
func (l *loop) greet(c *conn, data []byte) (action gnet.Action) {
	defer func() {
		if p := recover(); p != nil {
			l.notePanic(c, p)
			action = l.finish(c, ErrPanic)
		}
	}()
	if c.closing.Load() {
		return gnet.None
	}
	if c.preamble == preambleProxy {
		l.bytesIn.Add(uint64(len(data)))
		rest, whole, err := l.proxied(c, data)
		switch {
		case err != nil || !whole:
			return l.finish(c, err)
		case !l.e.admit(c, c.remote().Addr()):
			return l.finish(c, fmt.Errorf("%w: too many connections from its address", ErrPreamble))
		case l.tell(c):
			return l.finish(c, ErrPanic)
		}
		l.e.locate(c)
		c.preamble = preambleTLS
		if c.backlog != nil {
			header := c.backlog.in.detach() // rest may lie in it
			defer putReserved((*inputMemory)(c), header)
		}
		l.bytesIn.Add(-uint64(len(rest))) // whoever serves them counts them
		data = rest
	}
	if len(data) == 0 {
		return gnet.None
	}
	c.preamble = preambleOver
	secure, mode := data[0] == tlsHandshake, l.e.o.TLSMode
	switch {
	case secure && mode == TLSDisabled:
		return l.finish(c, fmt.Errorf("%w: TLS is disabled", ErrPreamble))
	case secure:
		return l.secure(c, data)
	case mode == TLSEnforcing:
		// Differs from Java, which closes later and serves what it has read.
		return l.finish(c, fmt.Errorf("%w: no TLS, which is enforced", ErrPreamble))
	}
	l.flush(c)
	if c.gone {
		return gnet.None
	}
	return l.turn(c, data)
}

// undecided reports whether it is not known yet if c is encrypted. Until then nothing
// may be written to it.
func (l *loop) undecided(c *conn) bool {
	return c.preamble != preambleOver && l.e.o.TLSMode != TLSDisabled
}

// An awaited is a connection that has begun a PROXY header.
type awaited struct {
	c     *conn
	since time.Duration // engine time
}

// await gives c, which has begun a PROXY header, HandshakeTimeout to end it. Who has
// sent nothing at all is a stranger, and idle.
func (l *loop) await(c *conn) {
	l.awaited = append(l.awaited, awaited{c, l.e.now()})
}

// checkAwaited closes those whose header has taken too long.
func (l *loop) checkAwaited() {
	still := l.awaited[:0]
	for _, a := range l.awaited {
		switch {
		case a.c.gone || a.c.preamble != preambleProxy:
		case l.now-a.since >= l.e.o.HandshakeTimeout:
			l.close(a.c, fmt.Errorf("%w: not within %v", ErrPreamble, l.e.o.HandshakeTimeout))
		default:
			still = append(still, a)
		}
	}
	clear(l.awaited[len(still):])
	l.awaited = still
}

// secure gives c to a goroutine of its own (tls_conn.go), which has a duplicate of the
// descriptor and begins with data. gnet closes its own descriptor.
func (l *loop) secure(c *conn, data []byte) gnet.Action {
	nc, err := duplicate(c.gc)
	if err != nil {
		l.e.acceptErrors.Add(1)
		l.e.takeOverLog.warn(l.e.o.Logger, "TLS connection not taken over", "conn", c.id, "remote", c.RemoteAddr(), "err", err)
		return l.finish(c, fmt.Errorf("%w: %w", ErrOverloaded, err))
	}
	t := newTLSConn(c, nc, data)
	t.idleTimeout = c.idle.list.timeout
	c.unlink(byIdleness)
	l.cool(c)
	if !l.e.tls.start(t) {
		nc.Close()
		return l.finish(c, ErrShutdown)
	}
	return gnet.Close
}

// duplicate returns a net.Conn for the socket of gc. Its descriptor is
// non-blocking already, so nothing changes for gnet's.
func duplicate(gc gnet.Conn) (*net.TCPConn, error) {
	fd, err := gc.Dup()
	if err != nil {
		return nil, fmt.Errorf("duplicate the descriptor: %w", err)
	}
	f := os.NewFile(uintptr(fd), "tls")
	nc, err := net.FileConn(f) // another duplicate
	f.Close()
	if err != nil {
		return nil, err
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		nc.Close()
		return nil, errors.New("not a TCP connection")
	}
	if err := tcp.SetKeepAlive(false); err != nil { // FileConn has turned it on
		nc.Close()
		return nil, err
	}
	return tcp, nil
}
