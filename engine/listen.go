package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Listen binds the addresses, as [ListenAll] does. From then on peers can
// connect, and wait until Run serves them.
func (e *Engine) Listen() error {
	if e.lns != nil {
		return fmt.Errorf("engine: already listening on %s", e.addrText())
	}
	lns, err := ListenAll(e.o.Network, e.o.Addrs)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	e.lns = lns
	return nil
}

// ListenAll binds TCP addresses, host:port, all of them or none. The error
// names the one that could not be bound, and the reason.
func ListenAll(network string, addrs []string) ([]net.Listener, error) {
	lc := net.ListenConfig{
		// Java: NettyRemotingServer#initServerBootstrap: SO_KEEPALIVE false.
		// Go would turn it on. SO_REUSEADDR and, on what is accepted,
		// TCP_NODELAY, both true in Java, are what Go does unasked.
		KeepAlive: -1,
	}
	// Go 1.24 and later listen for Multipath TCP unless told not to.
	lc.SetMultipathTCP(false)
	var lns []net.Listener
	for _, addr := range addrs {
		ln, err := lc.Listen(context.Background(), networkOf(network, addr, addrs), addr)
		if err != nil {
			var op *net.OpError
			if errors.As(err, &op) {
				err = op.Err // the address is said once, as it was configured
			}
			for _, ln := range lns {
				ln.Close()
			}
			return nil, fmt.Errorf("listen on %s: %w", addr, err)
		}
		lns = append(lns, ln)
	}
	return lns, nil
}

// networkOf returns what to listen with on addr. "::" alone takes IPv4 as well.
// Beside an IPv4 address it takes IPv6 only, or the two would be in each
// other's way.
func networkOf(network, addr string, all []string) string {
	if network != "tcp" || hostOf(addr) != netip.IPv6Unspecified() {
		return network
	}
	for _, other := range all {
		if hostOf(other).Is4() {
			return "tcp6"
		}
	}
	return network
}

// hostOf returns the address in host:port, the zero one if it is a name.
func hostOf(addr string) netip.Addr {
	host, _, _ := net.SplitHostPort(addr)
	ip, _ := netip.ParseAddr(host)
	return ip
}

// Addrs returns the addresses that Listen has bound, in the order of
// Options.Addrs, or nil before it has.
func (e *Engine) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, ln := range e.lns {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}

// Addr returns the first of Addrs, or nil before Listen.
func (e *Engine) Addr() net.Addr {
	if e.lns == nil {
		return nil
	}
	return e.lns[0].Addr()
}

// addrText returns the addresses for the log.
func (e *Engine) addrText() string {
	var text string
	for i, ln := range e.lns {
		if i > 0 {
			text += ", "
		}
		text += ln.Addr().String()
	}
	return text
}

// Close releases the listening sockets of an engine that Listen was called for
// and Run will not be. A running engine is stopped by its context.
func (e *Engine) Close() error {
	if e.running.Load() {
		return nil
	}
	return e.closeListeners()
}

func (e *Engine) closeListeners() error {
	var errs []error
	for _, ln := range e.lns {
		errs = append(errs, ln.Close())
	}
	return errors.Join(errs...)
}
