package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
)

// A dialer makes the connections of a run, with TLS where the run has it.
type dialer struct {
	address string
	tls     *tls.Config            // nil speaks without
	agreed  atomic.Pointer[string] // what the last handshake came to
}

// dial connects and, with TLS, shakes hands.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	return d.dialFrom(ctx, nil)
}

// dialFrom is dial from a local address; nil lets the system choose one.
func (d *dialer) dialFrom(ctx context.Context, from net.Addr) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
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
