package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gonamesrv/bench/group"
	"gonamesrv/bench/launch"
)

// scripted is our own server behind a shell script, which does as it is told when
// it has started the server.
func scripted(t *testing.T, then string) *launch.Server {
	addr := freeAddress(t)
	script := filepath.Join(t.TempDir(), "server.sh")
	text := fmt.Sprintf("#!/bin/sh\nBENCH_TEST_SERVER=%s '%s' &\n%s\n", addr, os.Args[0], then)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	spec, err := launch.Given("script", []string{script}, addr, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := launch.New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
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
			opt := at(server.Target().Address)
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
	opt := at(server.Target().Address)
	opt.Server, opt.Target = server, server.Target()
	res := run(t, scenario(t, "restart"), opt)
	if first := opt.Target.PID; res.Target.PID == first || group.Alive(first) {
		t.Errorf("process %d, or what it has started, is still there", first)
	}
	if res.Server.Processes != 2 || res.Server.RSS < 8<<20 {
		t.Errorf("the server is said to be %+v", res.Server)
	}
}
