//go:build unix

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gonamesrv/internal/nstest"
)

// A manager is who listens at NOTIFY_SOCKET.
type manager struct {
	path string
	mu   sync.Mutex
	told []string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{path: filepath.Join(dir, "notify")}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.told = append(m.told, string(b[:n]))
			m.mu.Unlock()
		}
	}()
	t.Cleanup(func() { c.Close(); <-ended; os.RemoveAll(dir) })
	return m
}

// heard returns how often something was told that matches.
func (m *manager) heard(pattern string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range m.told {
		if regexp.MustCompile("^" + pattern + "$").MatchString(text) {
			n++
		}
	}
	return n
}

// first returns when something was told first, -1 for never.
func (m *manager) first(text string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Index(m.told, text)
}

// TestSystemd runs the program as systemd does. It is told that the server is ready
// once it serves, that it lives, that it reloads and is ready again, and that it ends.
func TestSystemd(t *testing.T) {
	m := newManager(t)
	var stdout, stderr output
	child := exec.Command(os.Args[0], "-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0",
		"enableShutdownGracefully=true", "shutdownWaitTimeSeconds=3600"))
	child.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1", "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=20000")
	child.Stdout, child.Stderr = &stdout, &stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	defer child.Process.Kill()
	ask(t, &stdout) // its connection stays, and the drain waits for it
	nstest.Eventually(t, "it is ready", func() bool { return m.heard("READY=1") == 1 })
	nstest.Eventually(t, "it lives", func() bool { return m.heard("WATCHDOG=1") > 3 })
	nstest.Eventually(t, "it says what it does", func() bool { return m.heard("STATUS=ready, 0 brokers, [0-9]+ connections") > 0 })
	child.Process.Signal(syscall.SIGHUP)
	nstest.Eventually(t, "it reloads and is ready again", func() bool {
		return m.heard("RELOADING=1\nMONOTONIC_USEC=[0-9]+\n?") == 1 && m.heard("READY=1") == 2
	})
	child.Process.Signal(syscall.SIGTERM)
	nstest.Eventually(t, "it ends", func() bool { return m.heard("STOPPING=1") == 1 })
	nstest.Eventually(t, "it asks for time", func() bool { return m.heard("EXTEND_TIMEOUT_USEC=100[0-9]{5}") > 3 })
	nstest.Eventually(t, "it says so", func() bool { return m.heard("STATUS=not ready: draining") == 1 })
	child.Process.Signal(syscall.SIGTERM) // the second does not wait
	<-ended
	if ready, stopping := m.first("READY=1"), m.first("STOPPING=1"); ready < 0 || stopping < ready {
		t.Errorf("told in the order %q", m.told)
	}
}

// TestSystemdWatchdog: a server that does not live is not said to, and one that reloads
// before it serves is not said to be ready.
func TestSystemdWatchdog(t *testing.T) {
	m := newManager(t)
	t.Setenv("NOTIFY_SOCKET", m.path)
	t.Setenv("WATCHDOG_USEC", "2000")
	var alive atomic.Bool
	alive.Store(true)
	var asked atomic.Int64
	n := newSystemd(func() bool { asked.Add(1); return alive.Load() }, func() string { return "as it is" }, slog.New(slog.DiscardHandler))
	n.has(nowReloading)
	n.has(nowReloaded)
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, "it lives", func() bool { return m.heard("WATCHDOG=1") > 3 })
	alive.Store(false)
	at := asked.Load()
	nstest.Eventually(t, "the last one was said", func() bool { return asked.Load() > at+2 })
	before := m.heard("WATCHDOG=1")
	at = asked.Load()
	nstest.Eventually(t, "it was asked again", func() bool { return asked.Load() > at+10 })
	n.Stop(context.Background())
	if after := m.heard("WATCHDOG=1"); after > before+1 { // one may still have been on its way
		t.Errorf("said %d times before, %d after", before, after)
	}
	if m.heard("READY=1") > 0 || m.heard("STATUS=as it is") != 1 {
		t.Errorf("told %q", m.told)
	}
}

// TestSystemdIsDeaf: nobody listens where somebody should, which is said once.
func TestSystemdIsDeaf(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	var log output
	n := newSystemd(func() bool { return true }, func() string { return "x" }, slog.New(slog.NewTextHandler(&log, nil)))
	n.every = time.Millisecond
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.has(nowServing)
	nstest.Eventually(t, "the log says so", func() bool { return strings.Contains(log.String(), "systemd cannot be told anything") })
	n.Stop(context.Background())
	if got := strings.Count(log.String(), "\n"); got != 1 {
		t.Errorf("the log has %d lines: %s", got, &log)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if n := newSystemd(nil, nil, nil); n != nil {
		t.Error("somebody is told though nobody listens")
	}
	var none *systemd
	none.has(nowServing)
}

// TestNothingIsExecuted: the program starts no other one.
func TestNothingIsExecuted(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "net/http") {
		t.Fatal(errors.New("go list says nothing"))
	}
	if slices.Contains(deps, "os/exec") {
		t.Error("it is linked with os/exec")
	}
}
