package httpserver

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a [Server] is made of. All but Attrs, Unhurried, Drain and OnNoise
// are required: a limit of zero is a limit forgotten.
type Options struct {
	// Name is what the log calls it: "address server". Attrs are what it says of
	// the server when it starts, beside the address: keys and values.
	Name  string
	Attrs []any

	// Listen binds the addresses, all of them or none.
	Listen func() ([]net.Listener, error)

	// Handler answers. It is called by many goroutines at once.
	Handler http.Handler

	MaxConns       int           // connections at a time
	MaxHeaderBytes int           // of a request: its line and its header; net/http adds 4 KiB
	ReadTimeout    time.Duration // for a whole request
	WriteTimeout   time.Duration // for its answer
	IdleTimeout    time.Duration // between two requests

	// Unhurried lets answers take as long as their handler likes: events for whoever
	// watches, a profile. WriteTimeout is for each of its writes then.
	Unhurried bool

	// Drain is how long Stop waits for answers under way. 0: not at all.
	Drain time.Duration

	// OnNoise is told what net/http has to say of its peers, who decide what it is
	// and how often. nil: nobody.
	OnNoise func(text string)

	// Logger is told of starts and failures.
	Logger *slog.Logger
}

// validate returns what is missing.
func (o *Options) validate() error {
	var missing []string
	for _, need := range []struct {
		name string
		ok   bool
	}{
		{"Name", o.Name != ""},
		{"Listen", o.Listen != nil},
		{"Handler", o.Handler != nil},
		{"MaxConns", o.MaxConns > 0},
		{"MaxHeaderBytes", o.MaxHeaderBytes > 0},
		{"ReadTimeout", o.ReadTimeout > 0},
		{"WriteTimeout", o.WriteTimeout > 0},
		{"IdleTimeout", o.IdleTimeout > 0},
		{"Logger", o.Logger != nil},
	} {
		if !need.ok {
			missing = append(missing, need.name)
		}
	}
	if missing != nil {
		return fmt.Errorf("httpserver: options lack %s", strings.Join(missing, ", "))
	}
	return nil
}

// Stats is a reading of a server's counters. Each is exact; together they are not
// of one instant.
type Stats struct {
	Open     int    // connections open now
	Accepted uint64 // connections since the start, those that were refused included
	Refused  uint64 // connections closed on arrival, MaxConns being reached
}

// A Server is one HTTP server. Its life is New, Bind, Start, Stop; it is used once.
type Server struct {
	o    Options
	http http.Server
	lns  []net.Listener

	open     atomic.Int64
	accepted atomic.Uint64
	refused  atomic.Uint64

	conns   sync.WaitGroup // open, to wait for
	serving sync.WaitGroup // goroutines that accept
}

// New returns a server that listens nowhere yet. It fails when an option is
// missing.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.OnNoise == nil {
		o.OnNoise = func(string) {}
	}
	s := &Server{o: o}
	s.http = http.Server{
		Handler:        o.Handler,
		ReadTimeout:    o.ReadTimeout,
		IdleTimeout:    o.IdleTimeout,
		MaxHeaderBytes: o.MaxHeaderBytes,
		ConnState:      s.count,
		ErrorLog:       stdlog.New(noise(o.OnNoise), "", 0),

		DisableGeneralOptionsHandler: true, // it would answer OPTIONS * without Handler
	}
	if o.Unhurried {
		s.http.Handler = unhurried(o.Handler, o.WriteTimeout)
	} else {
		s.http.WriteTimeout = o.WriteTimeout
	}
	return s, nil
}

// noise takes the lines of net/http.
type noise func(text string)

func (n noise) Write(text []byte) (int, error) {
	n(strings.TrimSpace(string(text)))
	return len(text), nil
}

// Bind binds the addresses. From then on peers can connect, and wait until Start
// serves them.
func (s *Server) Bind() error {
	lns, err := s.o.Listen()
	if err != nil {
		return fmt.Errorf("%s: %w", s.o.Name, err)
	}
	s.lns = lns
	return nil
}

// Unbind gives the addresses up that Bind has bound, if Start is never to come.
func (s *Server) Unbind() {
	for _, ln := range s.lns {
		ln.Close()
	}
}

// Addrs returns the addresses that Bind has bound.
func (s *Server) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, ln := range s.lns {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}

// Start serves, until Stop. It binds if nobody has.
func (s *Server) Start(context.Context) error {
	if s.lns == nil {
		if err := s.Bind(); err != nil {
			return err
		}
	}
	for _, ln := range s.lns {
		s.o.Logger.Info(s.o.Name+" started", append([]any{"addr", ln.Addr().String()}, s.o.Attrs...)...)
		s.serving.Go(func() {
			if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				s.o.Logger.Error(s.o.Name+" failed", "addr", ln.Addr().String(), "err", err)
			}
		})
	}
	return nil
}

// Stop accepts nobody new, waits for answers under way as Options.Drain says,
// closes every connection and returns when all goroutines have ended, or ctx is
// done.
func (s *Server) Stop(ctx context.Context) {
	if s.o.Drain > 0 {
		drain, cancel := context.WithTimeout(ctx, s.o.Drain)
		_ = s.http.Shutdown(drain) // what it could not close, Close does
		cancel()
	}
	s.http.Close()
	s.Unbind() // those that no goroutine has taken up yet
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.serving.Wait()
		s.conns.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// Stats returns the counters. Safe from any goroutine; it takes no lock.
func (s *Server) Stats() Stats {
	return Stats{Open: int(s.open.Load()), Accepted: s.accepted.Load(), Refused: s.refused.Load()}
}

// count is told by net/http what becomes of each connection.
func (s *Server) count(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
		s.accepted.Add(1)
		if s.open.Add(1) > int64(s.o.MaxConns) {
			s.refused.Add(1)
			c.Close()
		}
	case http.StateHijacked, http.StateClosed:
		s.open.Add(-1)
		s.conns.Done()
	}
}
