package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// A dialer makes the connections of a run, with TLS where the run has it.
type dialer struct {
	address string
	tls     *tls.Config            // nil speaks without
	within  time.Duration          // bounds each attempt to connect, with its handshake; 0 does not
	agreed  atomic.Pointer[string] // what the last handshake came to

	attempt func(context.Context) error // takes part in each attempt; nil outside of tests
}

// dial connects and, with TLS, shakes hands.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	return d.dialFrom(ctx, nil)
}

// dialFrom is dial from a local address; nil lets the system choose one.
func (d *dialer) dialFrom(ctx context.Context, from net.Addr) (net.Conn, error) {
	if d.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.within)
		defer cancel()
	}
	if d.attempt != nil {
		if err := d.attempt(ctx); err != nil {
			return nil, err
		}
	}
	tcp := net.Dialer{LocalAddr: from}
	conn, err := tcp.DialContext(ctx, "tcp", d.address)
	if err != nil || d.tls == nil {
		return conn, err
	}
	cfg := d.tls
	if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
		cfg = cfg.Clone()
		cfg.ServerName, _, _ = net.SplitHostPort(d.address)
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	s := secured.ConnectionState()
	agreed := tls.VersionName(s.Version) + ", " + tls.CipherSuiteName(s.CipherSuite)
	d.agreed.Store(&agreed)
	return secured, nil
}

// security is what was agreed on, "" without TLS.
func (d *dialer) security() string {
	if s := d.agreed.Load(); s != nil {
		return *s
	}
	return ""
}

// dialLoad makes a connection for an event loop, which wants a descriptor.
func (d *dialer) dialLoad(ctx context.Context) (net.Conn, error) {
	conn, err := d.dial(ctx)
	if secured, ok := conn.(*tls.Conn); ok && err == nil {
		return plainSide(secured)
	}
	return conn, err
}

// tcpOf is the TCP connection under c.
func tcpOf(c net.Conn) (*net.TCPConn, bool) {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	tcp, ok := c.(*net.TCPConn)
	return tcp, ok
}
