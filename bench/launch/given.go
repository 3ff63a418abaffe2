package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Given is a server that its user starts with a command of his own: in his folder,
// with his environment, and it listens on an address that he knows. What it writes
// goes to the file log; "" keeps the end of it for error messages.
func Given(name string, argv []string, addr, log string) (Spec, error) {
	if len(argv) == 0 {
		return Spec{}, errors.New("no command")
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return Spec{}, fmt.Errorf("server %q: %w", addr, err)
	}
	if name == "" {
		name = filepath.Base(argv[0])
	}
	return Spec{Name: name, given: addr, log: log, prepare: func(context.Context, string, int) ([]string, error) { return argv, nil }}, nil
}

// free makes sure that nobody listens yet where a given server is going to.
func (s *Server) free() error {
	if s.spec.given == "" {
		return nil // its port was free a moment ago
	}
	conn, err := net.DialTimeout("tcp", s.spec.given, time.Second)
	if err != nil {
		return nil
	}
	conn.Close()
	return fmt.Errorf("somebody listens on %s already", s.spec.given)
}

// accepts reports whether a given server takes connections: it may answer only those
// who speak as it wants.
func accepts(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// openOutput opens the file for what the server writes: a user's own from its
// beginning, the first time.
func (s *Server) openOutput() (*os.File, error) {
	flags, perm := os.O_CREATE|os.O_WRONLY|os.O_APPEND, os.FileMode(0o600)
	if s.spec.log != "" {
		perm = 0o644
		if s.cmd == nil {
			flags |= os.O_TRUNC
		}
	}
	return os.OpenFile(s.output, flags, perm)
}
