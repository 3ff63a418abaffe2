package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// dialAtOnce bounds the attempts to connect that a run makes at a time. Thousands of
// connections that are made one after the other are what is measured then; and all at once
// they fill the queue of a server that accepts, so that some wait for seconds.
const dialAtOnce = 64

// dialEach makes n connections, dialAtOnce at a time. It ends with the first that fails.
func dialEach(ctx context.Context, n int, dial func(ctx context.Context, i int) error) error {
	g, dialing := errgroup.WithContext(ctx)
	g.SetLimit(dialAtOnce)
	for i := 0; i < n && dialing.Err() == nil; i++ {
		g.Go(func() error { return dial(dialing, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// A dialer makes the connections of a run, with TLS where the run has it.
type dialer struct {
	address string
	tls     *tls.Config            // nil speaks without
	within  time.Duration          // bounds each attempt to connect, with its handshake; 0 does not
	places  chan struct{}          // one for each attempt at a time; nil knows no bound
	agreed  atomic.Pointer[string] // what the last handshake came to

	attempt func(context.Context) error // takes part in each attempt; nil outside of tests
}

// dial connects and, with TLS, shakes hands.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	return d.dialFrom(ctx, nil)
}

// dialFrom is dial from a local address; nil lets the system choose one.
func (d *dialer) dialFrom(ctx context.Context, from net.Addr) (net.Conn, error) {
	if d.places != nil {
		select {
		case d.places <- struct{}{}:
			defer func() { <-d.places }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
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
