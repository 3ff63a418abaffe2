package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"gonamesrv/engine"
	"gonamesrv/internal/httpserver"
	"gonamesrv/internal/namesrv"
)

// What a peer may cost the listener, beside adminMaxConnections.
const (
	headerBytes = 8 << 10
	headerTime  = 5 * time.Second
	writeTime   = 10 * time.Second // of one write; answers may take as long as they like
	idleTime    = 60 * time.Second
)

// A listener is where an Admin is asked. It is the first part of a server that starts
// and the last that ends, so that probes see the whole life of it.
type listener struct {
	http   *httpserver.Server // nil while it is off
	reread chan struct{}      // holds what Reload asks for
	work   sync.WaitGroup
	cancel context.CancelFunc

	listenAt func(addrs []string) ([]net.Listener, error) // tests have their own
}

// Start implements component.Component: it listens, unless adminServerPort is 0. If
// somebody else has the port that nobody has asked for, the log says so, and that is
// no error: a server that stands in for another one starts where that did.
func (a *Admin) Start(ctx context.Context) error {
	cfg := a.server.Config()
	if cfg.AdminServerPort == 0 {
		return nil
	}
	if err := a.start(ctx, &cfg); err != nil {
		if !isOptional(&cfg, err) {
			return err
		}
		a.log.Warn("admin server is off", offAttrs(&cfg, err)...)
	}
	return nil
}

// withoutListener is what nobody has from a server whose admin listener is off.
const withoutListener = "console, metrics (/metrics), probes (/livez, /readyz, /startupz), commands of nsctl that ask over HTTP"

// offAttrs say why there is no listener, what does not work now, which key to change, and
// who has the port.
func offAttrs(cfg *namesrv.Config, err error) []any {
	attrs := []any{"err", err, "without", withoutListener}
	var bind *bindError
	if errors.As(err, &bind) {
		attrs = append(attrs, "key", bind.key())
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		attrs = append(attrs, "whoHasIt", whoHasPort(runtime.GOOS, cfg.AdminServerPort))
	}
	return attrs
}

// whoHasPort is a command that names the program that listens on a port.
func whoHasPort(system string, port int) string {
	if system == "linux" {
		return fmt.Sprintf("ss -ltnp sport = :%d", port)
	}
	return fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", port)
}

// CheckStart reads the file that Start reads, and returns what stops it: all faults.
func CheckStart(cfg *namesrv.Config) error {
	if cfg.AdminServerPort == 0 {
		return nil
	}
	return (&tokens{path: cfg.AdminTokenFile}).begin()
}

// begin reads the file for the first time.
func (t *tokens) begin() error {
	if t.path == "" {
		return nil
	}
	if _, err := t.read(); err != nil {
		return fmt.Errorf("namesrv: %w", err)
	}
	return nil
}

func (a *Admin) start(ctx context.Context, cfg *namesrv.Config) error {
	t := a.guard.tokens
	if err := t.begin(); err != nil {
		return err
	}
	server, err := httpserver.New(httpserver.Options{
		Name:           "admin server",
		Attrs:          []any{"tls", cfg.AdminTLSEnable, "local", cfg.AdminAnonymousLocal, "remote", cfg.AdminAnonymousRemote},
		Listen:         func() ([]net.Listener, error) { return a.listen(cfg) },
		Handler:        a,
		MaxConns:       cfg.AdminMaxConnections,
		MaxHeaderBytes: headerBytes,
		ReadTimeout:    headerTime,
		WriteTimeout:   writeTime,
		IdleTimeout:    idleTime,
		Unhurried:      true,
		// Drain is 0: whoever watches would be waited for without end.
		OnNoise: func(text string) {
			a.server.LogLimited(slog.LevelDebug, "admin server", func() []any { return []any{"text", namesrv.Clip(text)} })
		},
		Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.http = server // before anybody can ask for Stats
	if err := server.Start(ctx); err != nil {
		a.http = nil
		return &bindError{err}
	}
	ctx, a.cancel = context.WithCancel(ctx)
	if t.path != "" {
		var said string
		a.work.Go(func() {
			namesrv.WatchFile(ctx, t.path, a.reread, func() { t.reload(a.log, &said) }, a.log)
		})
	}
	return nil
}

func newListener() listener {
	return listener{
		reread:   make(chan struct{}, 1),
		listenAt: func(addrs []string) ([]net.Listener, error) { return engine.ListenAll("tcp", addrs) },
	}
}

// listen binds the addresses.
func (a *Admin) listen(cfg *namesrv.Config) ([]net.Listener, error) {
	lns, err := a.listenAt(cfg.AdminAddresses())
	if err != nil || !cfg.AdminTLSEnable {
		return lns, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if c := a.server.ServerTLS(); c != nil {
			return c, nil
		}
		return nil, errors.New("no usable certificate")
	}}
	for i, ln := range lns {
		lns[i] = tls.NewListener(ln, c)
	}
	return lns, nil
}

// A bindError is why an address cannot be had.
type bindError struct{ err error }

func (e *bindError) Unwrap() error { return e.err }

// key is the one to change.
func (e *bindError) key() string {
	if errors.Is(e.err, syscall.EADDRINUSE) || errors.Is(e.err, syscall.EACCES) {
		return "adminServerPort"
	}
	return "adminBindAddress"
}

// Error says which key to change.
func (e *bindError) Error() string { return fmt.Sprintf("namesrv: %v; change %s", e.err, e.key()) }

// isOptional reports whether the server starts without its admin listener: whoever
// has not chosen where it listens need not have it.
func isOptional(cfg *namesrv.Config, err error) bool {
	var bind *bindError
	return errors.As(err, &bind) && cfg.AdminServerPort == namesrv.DefaultAdminPort &&
		(errors.Is(err, syscall.EADDRINUSE) || cfg.AdminBindAddress == namesrv.DefaultAdminAddress)
}

// Stop implements component.Component. Whoever is being answered is cut off.
func (a *Admin) Stop(ctx context.Context) {
	if a.http == nil {
		return
	}
	a.cancel()
	a.http.Stop(ctx)
	a.work.Wait()
}

// Reload reads the file of tokens again soon. Safe from any goroutine.
func (a *Admin) Reload() {
	select {
	case a.reread <- struct{}{}:
	default: // it is about to be read
	}
}

// Stats is a reading of an Admin's counters. Each is exact; together they are not of
// one instant.
type Stats struct {
	HTTP httpserver.Stats // zero while it does not listen

	// Requests that were refused, by why: a Host that is not ours, no or no known token,
	// a role that is too small, too many.
	Misdirected, Unauthorized, Forbidden, TooMany uint64

	// Those who watch now, those for whom there was no place, and those who fell behind.
	Watchers                        int
	WatchersRefused, WatchersBehind uint64
}

// Stats returns the counters. Safe from any goroutine once the
// server runs.
func (a *Admin) Stats() Stats {
	g := a.guard
	s := Stats{
		Misdirected:  g.misdirected.Load(),
		Unauthorized: g.unauthorized.Load(),
		Forbidden:    g.forbidden.Load(),
		TooMany:      g.tooMany.Load(),
	}
	s.Watchers, s.WatchersRefused, s.WatchersBehind = a.hub.stats()
	if a.http != nil {
		s.HTTP = a.http.Stats()
	}
	return s
}
