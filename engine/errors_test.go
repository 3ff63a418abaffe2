package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// closeErrors is every error that a connection may be closed with, and whether
// it says that the peer is gone. Who adds one decides that here.
var closeErrors = []struct {
	name string // of the variable; empty if it is none of ours
	err  error
	left bool
}{
	{"ErrMalformed", ErrMalformed, false},
	{"ErrIdle", ErrIdle, false},
	{"ErrPanic", ErrPanic, false},
	{"ErrSlowReader", ErrSlowReader, false},
	{"ErrFlood", ErrFlood, false},
	{"ErrFrameTimeout", ErrFrameTimeout, false},
	{"ErrOverloaded", ErrOverloaded, false},
	{"ErrPreamble", ErrPreamble, false},
	{"ErrShutdown", ErrShutdown, false},
	{"ErrMadeRoom", ErrMadeRoom, false},
	{"errGone", errGone, false},               // never reported
	{"ErrNotRunning", ErrNotRunning, false},   // of an engine
	{"errNothingCame", errNothingCame, false}, // only crypto/tls is told
	{"", nil, false},
	{"", errors.New("reason of a handler"), false},
	{"", fmt.Errorf("%w: %w", ErrPreamble, io.EOF), false}, // it had not said anything yet
	{"", fmt.Errorf("%w: %w", ErrMalformed, io.ErrUnexpectedEOF), false},
	{"", io.EOF, true},
	{"", os.NewSyscallError("read", syscall.ECONNRESET), true},
	{"", os.NewSyscallError("read", syscall.ETIMEDOUT), true}, // keepalive
	{"", os.NewSyscallError("write", syscall.EPIPE), true},
	{"", os.NewSyscallError("writev", syscall.EHOSTUNREACH), true},
	{"", os.NewSyscallError("read", syscall.ENOMEM), false},
	{"", os.NewSyscallError("write", syscall.ENOBUFS), false},
	{"", os.NewSyscallError("read", syscall.EBADF), false},
	{"", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true},
	{"", &net.OpError{Op: "remote error", Err: tls.AlertError(40)}, true},
	{"", &net.OpError{Op: "read", Err: net.ErrClosed}, false},
	{"", readError(io.ErrUnexpectedEOF), true},
	{"", readError(&net.OpError{Op: "local error", Err: tls.AlertError(20)}), false},
	{"", readError(tls.RecordHeaderError{Msg: "too long"}), false},
}

// TestPeerLeft goes through all of them; none may be forgotten, and no kind.
func TestPeerLeft(t *testing.T) {
	var names []string
	kinds := map[closeKind]bool{}
	for _, c := range closeErrors {
		names = append(names, c.name)
		kinds[kindOf(c.err)] = true
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err)} {
			if c.err == nil && err != nil {
				continue
			}
			if got := PeerLeft(err); got != c.left {
				t.Errorf("PeerLeft(%v) = %v, want %v", err, got, c.left)
			}
		}
	}
	for k := range numCloseKinds {
		if !kinds[k] {
			t.Errorf("no error of kind %d is in the table", k)
		}
	}
	for _, name := range errorVariables(t) {
		if !slices.Contains(names, name) {
			t.Errorf("nobody has said whether %s means that the peer has left", name)
		}
	}
}

// errorVariables returns the names of all errors that the package declares.
func errorVariables(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					if strings.HasPrefix(strings.ToLower(name.Name), "err") {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	if len(names) < 9 {
		t.Fatalf("only %v found", names)
	}
	return names
}
