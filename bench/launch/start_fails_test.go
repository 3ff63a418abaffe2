package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/bench/group"
	"gonamesrv/internal/nstest"
)

// TestStartFails: a script that never listens, or that is stopped meanwhile, leaves
// nothing behind.
func TestStartFails(t *testing.T) {
	for name, tt := range map[string]struct {
		then   string
		stop   bool
		within time.Duration
		want   string
	}{
		"it does not listen": {"sleep 1000 & echo $! >PIDFILE; wait", false, time.Second, "does not answer"},
		"it ends":            {"sleep 1000 & echo $! >PIDFILE; exit 3", false, time.Second, "does not answer"},
		"it is stopped":      {"sleep 1000 & echo $! >PIDFILE; wait", true, 0, "canceled"},
		"nothing lives":      {"echo 0 >PIDFILE; exit 3", false, 0, "ended before it answered"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			pidFile := filepath.Join(dir, "pid")
			port, err := freePort()
			if err != nil {
				t.Fatal(err)
			}
			spec, err := Given("", []string{"sh", "-c", strings.ReplaceAll(tt.then, "PIDFILE", "'"+pidFile+"'")}, fmt.Sprintf("127.0.0.1:%d", port), "")
			if err != nil {
				t.Fatal(err)
			}
			spec.within = tt.within
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
			s, err := New(ctx, spec)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(ctx); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
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
