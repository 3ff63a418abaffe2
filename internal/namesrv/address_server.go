package namesrv

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gonamesrv/engine"
	"gonamesrv/internal/httpserver"
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

// An addressServer answers. Its listener is an [httpserver.Server].
type addressServer struct {
	http    *httpserver.Server
	addrs   []string // where to listen
	path    string   // without unit
	list    string
	leaving func() bool // the server was told to end
}

// newAddressServer returns the address server of a validated configuration.
func newAddressServer(cfg *Config, s *Server) (*addressServer, error) {
	a := &addressServer{
		addrs:   cfg.addressesWith(cfg.AddressServerPort),
		path:    addressPathPrefix + cfg.NamesrvDomainSubgroup,
		list:    cfg.AddressServerList,
		leaving: s.draining.Load,
	}
	for addr := range strings.SplitSeq(a.list, ";") {
		host, _, _ := net.SplitHostPort(addr)
		if _, err := netip.ParseAddr(host); err != nil {
			s.log.Warn("host name in addressServerList, clients in Go will refuse the list", "addr", addr)
		}
	}
	var err error
	a.http, err = httpserver.New(httpserver.Options{
		Name:           "address server",
		Attrs:          []any{"path", a.path, "list", a.list},
		Listen:         func() ([]net.Listener, error) { return engine.ListenAll("tcp", a.addrs) },
		Handler:        a,
		MaxConns:       addressConns,
		MaxHeaderBytes: addressHeaderBytes,
		ReadTimeout:    addressTimeout,
		WriteTimeout:   addressTimeout,
		IdleTimeout:    addressIdleTimeout,
		// Drain is 0: answers take no time, so none is waited for.
		OnNoise: func(text string) {
			s.logLimited(slog.LevelDebug, "address server", func() []any { return []any{"text", clip(text)} })
		},
		Logger: s.log,
	})
	return a, err
}

// bind binds the addresses. The error names the key to change.
func (a *addressServer) bind() error {
	if err := a.http.Bind(); err != nil {
		return listenError(err, "addressServerPort")
	}
	return nil
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

// ServeHTTP answers with the list, whatever the unit and the query. Once the server
// was told to end, the answer is one by which a load balancer sees that; clients
// keep the list that they have.
func (a *addressServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.leaving() {
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
