//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/bench/group"
)

// TestStoppedLeavesNothing: Ctrl-C ends a server behind a shell script with all
// that it has started, whatever nsbench was at.
func TestStoppedLeavesNothing(t *testing.T) {
	addr, argv := namesrv(t)
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	script := filepath.Join(dir, "server.sh")
	text := fmt.Sprintf("#!/bin/sh\n'%s' &\necho $! >'%s'\nwait\n", strings.Join(argv, "' '"), pidFile)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context()) // what a signal does to it
	defer stop()
	stages := &stageWatch{want: "measured", seen: stop}
	var out bytes.Buffer
	args := []string{"run", "route", "--target", addr, "--topics", "20", "--connections", "2", "--warmup", "0s", "--duration", "10m", "--ceiling", "0", "--", script}
	code := run(ctx, args, strings.NewReader(""), &out, stages)
	if code == exitOK {
		t.Errorf("it ends with %d", code)
	}
	var server int
	if text, err := os.ReadFile(pidFile); err != nil {
		t.Fatal(err)
	} else if _, err := fmt.Sscan(string(text), &server); err != nil {
		t.Fatal(err)
	}
	if group.Alive(server) {
		t.Errorf("the server %d lives on", server)
	}
	if l, err := net.Listen("tcp", addr); err != nil {
		t.Errorf("somebody listens on: %v", err)
	} else {
		l.Close()
	}
	if !stages.found {
		t.Error("it was not stopped while it measured")
	}
}

// A stageWatch is told when a stage is shown on the progress line.
type stageWatch struct {
	want  string
	seen  func()
	found bool
}

func (w *stageWatch) Write(b []byte) (int, error) {
	if !w.found && bytes.Contains(b, []byte(w.want)) {
		w.found = true
		w.seen()
	}
	return len(b), nil
}
