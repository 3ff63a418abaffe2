package namesrv

import (
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/engine"
)

// The address server answers clients and brokers that are configured with a
// domain instead of addresses: GET http://domain:8080/rocketmq/nsaddr returns
// the list of the name servers. RocketMQ has no such server of its own, only
// those who ask: TopAddressing (Java), HttpResolver (Go), TopAddressing (C++).
//
// The C++ client speaks HTTP/1.0 and keeps only what has arrived together with
// the header. So header and body leave in one write, and the list is short
// enough for one segment.

const (
	addressPathPrefix = "/rocketmq/"
	// addressListBytes leaves room for the header in a segment of 1,220 bytes,
	// the smallest that is usual (IPv6).
	addressListBytes = 1024
	// addressConns is how many may ask at the same time; they ask every few
	// seconds at most. The engine leaves enough descriptors for them.
	addressConns       = 64
	addressHeaderBytes = 8 << 10
)

// Tests have more patience.
var (
	addressTimeout     = 5 * time.Second // for a whole request, and for its answer
	addressIdleTimeout = 15 * time.Second
)

// An addressServer is the optional HTTP server. Its methods may be called on
// nil, which is one that is turned off.
type addressServer struct {
	addrs []string // where to listen
	path  string   // without unit
	list  string
	log   *slog.Logger
	http  http.Server
	lns   []net.Listener

	away  atomic.Bool    // the server is about to end
	open  atomic.Int32   // connections
	conns sync.WaitGroup // the same, to wait for
}

// newAddressServer returns the address server of a validated configuration.
func newAddressServer(cfg *Config, s *Server) *addressServer {
	log := s.log
	a := &addressServer{
		addrs: cfg.addressesWith(cfg.AddressServerPort),
		path:  addressPathPrefix + cfg.NamesrvDomainSubgroup,
		list:  cfg.AddressServerList,
		log:   log,
	}
	a.http = http.Server{
		Handler:        a,
		ReadTimeout:    addressTimeout,
		WriteTimeout:   addressTimeout,
		IdleTimeout:    addressIdleTimeout,
		MaxHeaderBytes: addressHeaderBytes,
		ConnState:      a.count,
		ErrorLog:       stdlog.New(strangerLog{s}, "", 0),
	}
	for addr := range strings.SplitSeq(a.list, ";") {
		host, _, _ := net.SplitHostPort(addr)
		if _, err := netip.ParseAddr(host); err != nil {
			log.Warn("host name in addressServerList, clients in Go will refuse the list", "addr", addr)
		}
	}
	return a
}

// A strangerLog takes what net/http says of its peers, who decide how much it
// is.
type strangerLog struct{ s *Server }

func (l strangerLog) Write(text []byte) (int, error) {
	l.s.logLimited(slog.LevelDebug, "address server", "text", clip(strings.TrimSpace(string(text))))
	return len(text), nil
}

// addressServerFaults is the share of the address server in Validate.
func (c *Config) addressServerFaults() (faults []error) {
	if c.AddressServerPort < 0 || c.AddressServerPort > 65535 {
		faults = append(faults, fmt.Errorf("namesrv: addressServerPort is %d, must be from 0 to 65535", c.AddressServerPort))
	}
	if c.AddressServerPort == 0 {
		return faults
	}
	if err := checkAddressList(c.AddressServerList); err != nil {
		faults = append(faults, fmt.Errorf("namesrv: addressServerList: %w", err))
	}
	if n := len(c.AddressServerList); n > addressListBytes {
		faults = append(faults, fmt.Errorf("namesrv: addressServerList has %d bytes, must be at most %d", n, addressListBytes))
	}
	if c.NamesrvDomainSubgroup == "" || strings.ContainsAny(c.NamesrvDomainSubgroup, "/?# ") {
		faults = append(faults, fmt.Errorf("namesrv: rocketmq.namesrv.domain.subgroup is %q, must be a part of a path", c.NamesrvDomainSubgroup))
	}
	return faults
}

// checkAddressList returns what is wrong with a list host:port;host:port. The
// clients split it at every semicolon, each item at its last colon, and trim
// nothing: an IPv6 address has its brackets or not.
func checkAddressList(list string) error {
	for addr := range strings.SplitSeq(list, ";") {
		if addr == "" {
			return fmt.Errorf("%q has an empty item", list)
		}
		if strings.ContainsFunc(addr, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return fmt.Errorf("%q has a blank or an unprintable character", addr)
		}
		colon := strings.LastIndexByte(addr, ':')
		if colon < 0 {
			return fmt.Errorf("%q is not host:port", addr)
		}
		host, port := addr[:colon], addr[colon+1:]
		if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
			host = inner[:len(inner)-1]
		}
		if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, ":[]") {
			return fmt.Errorf("%q is not host:port", addr)
		}
		if n, err := strconv.ParseUint(port, 10, 16); host == "" || err != nil || n == 0 {
			return fmt.Errorf("%q is not host:port", addr)
		}
		if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
			return fmt.Errorf("%q is nobody's address", addr)
		}
	}
	return nil
}

func (a *addressServer) bind() error {
	if a == nil {
		return nil
	}
	lns, err := engine.ListenAll("tcp", a.addrs)
	if err != nil {
		return listenError(fmt.Errorf("address server: %w", err), "addressServerPort")
	}
	a.lns = lns
	return nil
}

// serve answers until close is called.
func (a *addressServer) serve() {
	if a == nil {
		return
	}
	var serving sync.WaitGroup
	for _, ln := range a.lns {
		a.log.Info("address server started", "addr", ln.Addr().String(), "path", a.path, "list", a.list)
		serving.Go(func() {
			if err := a.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				a.log.Error("address server failed", "addr", ln.Addr().String(), "err", err)
			}
		})
	}
	serving.Wait()
	a.conns.Wait()
}

// leave makes every further answer one by which a load balancer sees that the
// server is about to end; clients keep the list that they have.
func (a *addressServer) leave() {
	if a != nil {
		a.away.Store(true)
	}
}

// close makes serve return. Answers take no time, so none is waited for.
func (a *addressServer) close() {
	if a == nil {
		return
	}
	a.http.Close()
	for _, ln := range a.lns {
		ln.Close() // in case serve has not been called
	}
}

// count is told by net/http what becomes of each connection.
func (a *addressServer) count(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		a.conns.Add(1)
		if a.open.Add(1) > addressConns {
			c.Close()
		}
	case http.StateClosed:
		a.open.Add(-1)
		a.conns.Done()
	}
}

// ServeHTTP answers with the list, whatever the unit and the query.
func (a *addressServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.away.Load() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	if !a.has(r.URL.Path) {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	// With its length known the answer is not chunked; net/http keeps the header
	// back until the handler returns, and writes both at once.
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.list)))
	_, _ = w.Write([]byte(a.list)) // whoever hung up does not want to know
}

// has reports whether path asks for the list: /rocketmq/nsaddr, or with the
// unit name that a client may have, /rocketmq/nsaddr-unit.
func (a *addressServer) has(path string) bool {
	unit, ok := strings.CutPrefix(path, a.path)
	if !ok || unit == "" {
		return ok
	}
	return len(unit) > 1 && unit[0] == '-' && !strings.Contains(unit, "/")
}
