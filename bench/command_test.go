package bench_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/bench/group"
	"gonamesrv/internal/nstest"
)

// scripted is our own server behind a shell script, which does as it is told when
// it has started the server.
func scripted(t *testing.T, then string) *bench.Command {
	addr := freeAddress(t)
	script := filepath.Join(t.TempDir(), "server.sh")
	text := fmt.Sprintf("#!/bin/sh\nBENCH_TEST_SERVER=%s '%s' &\n%s\n", addr, os.Args[0], then)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	c := &bench.Command{Name: "script", Argv: []string{script}, Address: addr}
	t.Cleanup(func() { c.Kill() })
	return c
}

// TestServerBehindScript: a server that a shell script starts is measured as the
// server, and not as the script: 1.7 MB and no CPU time; and ended.
func TestServerBehindScript(t *testing.T) {
	for name, then := range map[string]string{"the script waits": "wait", "the script ends": "exit 0"} {
		t.Run(name, func(t *testing.T) {
			server := scripted(t, then)
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			opt := at(server.Address)
			opt.Server, opt.Target = server, server.Target()
			res := run(t, scenario(t, "route", "rate", "0", "duration", "1s"), opt)
			s := res.Server
			if s.CPUSeconds < 0.02 || s.CPUSecondsPerMillion <= 0 || s.RSS < 8<<20 || s.PeakRSS < s.RSS || s.Threads < 4 || s.FDs < 8 {
				t.Errorf("the server is said to be %+v", s)
			}
			if want := map[string]int{"wait": 2, "exit 0": 1}[then]; s.Processes != want {
				t.Errorf("%d processes are measured, want %d", s.Processes, want)
			}
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			if group.Alive(res.Target.PID) {
				t.Error("something of it is still there")
			}
		})
	}
}

// TestScriptRestarts: killed and started again, with the CPU time of both.
func TestScriptRestarts(t *testing.T) {
	server := scripted(t, "wait")
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	opt := at(server.Address)
	opt.Server, opt.Target = server, server.Target()
	res := run(t, scenario(t, "restart"), opt)
	if first := opt.Target.PID; res.Target.PID == first || group.Alive(first) {
		t.Errorf("process %d, or what it has started, is still there", first)
	}
	if res.Server.Processes != 2 || res.Server.RSS < 8<<20 {
		t.Errorf("the server is said to be %+v", res.Server)
	}
}

// TestStartFails: a script that never listens, or that is stopped meanwhile, leaves
// nothing behind.
func TestStartFails(t *testing.T) {
	for name, tt := range map[string]struct {
		then   string
		stop   bool
		within time.Duration
		want   string
	}{
		"it does not listen": {"sleep 1000 & echo $! >PIDFILE; wait", false, time.Second, "does not listen"},
		"it ends":            {"sleep 1000 & echo $! >PIDFILE; exit 3", false, time.Second, "does not listen"},
		"it is stopped":      {"sleep 1000 & echo $! >PIDFILE; wait", true, 0, "canceled"},
		"nothing lives":      {"echo 0 >PIDFILE; exit 3", false, 0, "ended before it listened"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			pidFile := filepath.Join(dir, "pid")
			c := &bench.Command{
				Argv:    []string{"sh", "-c", strings.ReplaceAll(tt.then, "PIDFILE", "'"+pidFile+"'")},
				Address: freeAddress(t), Within: tt.within,
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if tt.stop {
				go func() {
					for deadline := time.Now().Add(nstest.Patience); readPID(pidFile) == 0 && time.Now().Before(deadline); {
						time.Sleep(time.Millisecond)
					}
					stop()
				}()
			}
			if err := c.Start(ctx); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if child := readPID(pidFile); child > 0 && group.Alive(child) {
				t.Errorf("its child %d is still there", child)
			}
		})
	}
}

func readPID(file string) (pid int) {
	text, err := os.ReadFile(file)
	if err == nil && strings.HasSuffix(string(text), "\n") {
		_, _ = fmt.Sscan(string(text), &pid) // it is ours
	}
	return pid
}
