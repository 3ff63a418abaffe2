package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The calls in this file are the only ones that connect to somebody. They
// block, so no loop may make them; what they open is not a [Conn], belongs to
// no loop and is not counted. Each closes its connection before it returns.

// SendOnce connects to addr, writes b and closes the connection. Connecting
// may take as long as connect, name lookup and handshake included; writing as
// long as write. The end of ctx ends the connecting. With secure the connection
// speaks TLS. A nil error means that the kernel has the bytes, not that the
// peer has read them.
func SendOnce(ctx context.Context, addr string, secure *tls.Config, b []byte, connect, write time.Duration) error {
	connecting, cancel := context.WithTimeout(ctx, connect)
	defer cancel()
	c, err := connectTo(connecting, addr, secure)
	if err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(write))
	_, err = c.Write(b)
	if t, ok := c.(*tls.Conn); ok && err == nil {
		// Bytes of TLS that nobody has read would make the close a reset, and
		// that may cost the peer what we have written.
		err = t.CloseWrite()
		if tcp, ok := t.NetConn().(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, t)
	}
	return errors.Join(err, c.Close())
}

// Ask connects to addr, writes a request and returns the first frame that
// comes back, cut by split. With secure the connection speaks TLS. All of it ends with ctx, which must have an end;
// the memory of the answer grows with what has arrived, not with the length
// it announces.
func Ask(ctx context.Context, addr string, secure *tls.Config, request []byte, split SplitFunc) ([]byte, error) {
	c, err := connectTo(ctx, addr, secure)
	if err != nil {
		return nil, err
	}
	// Closing is what wakes a blocked Read when ctx ends; the loser of two
	// Closes fails without harm.
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer c.Close()
	defer stop()
	if _, err := c.Write(request); err != nil {
		return nil, because(ctx, err)
	}
	var frame []byte
	for buf := make([]byte, 16<<10); ; {
		n, err := c.Read(buf)
		frame = append(frame, buf[:n]...)
		size, bad := split(frame)
		switch {
		case bad != nil:
			return nil, fmt.Errorf("%w: %w", ErrMalformed, bad)
		case size > 0 && size <= len(frame):
			return frame[:size], nil
		case errors.Is(err, io.EOF):
			return nil, because(ctx, io.ErrUnexpectedEOF)
		case err != nil:
			return nil, because(ctx, err)
		}
	}
}

// connectTo connects to addr, which is host:port. They part at the last colon: an
// IPv6 address may do without brackets, as brokers register it.
// Java: NetworkUtil#string2SocketAddress.
func connectTo(ctx context.Context, addr string, secure *tls.Config) (net.Conn, error) {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && !strings.HasPrefix(addr, "[") {
		addr = net.JoinHostPort(addr[:i], addr[i+1:])
	}
	d := net.Dialer{KeepAlive: -1} // nothing here lives long enough
	d.SetMultipathTCP(false)
	if secure != nil {
		return (&tls.Dialer{NetDialer: &d, Config: secure}).DialContext(ctx, "tcp", addr)
	}
	return d.DialContext(ctx, "tcp", addr)
}

// because returns why ctx has ended if it has, and err otherwise: that the
// connection was closed under a Read is not the reason but its consequence.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
