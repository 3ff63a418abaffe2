package engine

import (
	"context"
	"net"
	"testing"
	"time"
)

// TestStarted is told once, by a Run that serves, and not by one that cannot.
func TestStarted(t *testing.T) {
	started := make(chan string, 2)
	h := &testHandler{}
	var e *Engine
	e, err := New(h, Options{Addrs: []string{"127.0.0.1:0"}, Loops: 1, Split: splitInt32, Started: func() { started <- e.addrText() }})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	s := run(t, e, h)
	select {
	case addr := <-started:
		if addr != s.Addr().String() {
			t.Errorf("it has started on %s", addr)
		}
	case <-time.After(patience):
		t.Fatal("nobody is told")
	}
	if err := e.Run(context.Background()); err == nil {
		t.Error("it runs twice")
	}
	s.stop()

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken, err := New(h, Options{Addrs: []string{busy.Addr().String()}, Split: splitInt32, Started: func() { started <- "" }})
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Run(context.Background()); err == nil {
		t.Error("it listens where somebody else does")
	}
	if len(started) != 0 {
		t.Error("it is told again, or of an engine that does not run")
	}
}
