package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestAdminPortOfOthers: another program has the port that is the default one, and the
// server starts and serves all the same.
func TestAdminPortOfOthers(t *testing.T) {
	// If this fails, somebody else has the port, which is as good.
	if other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", namesrv.DefaultAdminPort)); err == nil {
		defer other.Close()
	}
	ctx, stop := context.WithCancel(t.Context())
	var stdout, stderr output
	ended := make(chan int, 1)
	file := properties(t, "bindAddress=127.0.0.1", "listenPort=0", fmt.Sprintf("adminServerPort=%d", namesrv.DefaultAdminPort))
	go func() { ended <- run(ctx, []string{"-c", file}, noEnv, &stdout, &stderr) }()
	ask(t, &stdout)
	nstest.Eventually(t, "the log says so", func() bool { return strings.Contains(stderr.String(), "admin server is off") })
	stop()
	if code := <-ended; code != exitOK || !strings.Contains(stderr.String(), "; change adminServerPort") {
		t.Errorf("exit code %d, stderr %s", code, &stderr)
	}
}

// startWithAdmin starts the whole program with an admin listener, until the test ends or
// stop is called. It returns where it listens for peers and for people.
func startWithAdmin(t *testing.T, lines ...string) (peers, admin string, stop func() (code int), said func() string) {
	t.Helper()
	for {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := free.Addr().String()
		free.Close()
		_, port, _ := net.SplitHostPort(addr)
		ctx, cancel := context.WithCancel(context.Background())
		var stdout, stderr output
		ended := make(chan int, 1)
		file := properties(t, append([]string{"bindAddress=127.0.0.1", "listenPort=0", "adminServerPort=" + port}, lines...)...)
		go func() { ended <- run(ctx, []string{"-c", file}, noEnv, &stdout, &stderr) }()
		var code int
		nstest.Eventually(t, "it has booted or ended", func() bool {
			select {
			case code = <-ended:
				ended <- code
				return true
			default:
				return booted.MatchString(stdout.String())
			}
		})
		m := booted.FindStringSubmatch(stdout.String())
		if m == nil {
			cancel()
			if code == exitFailed && strings.Contains(stderr.String(), "change adminServerPort") {
				continue // somebody was faster
			}
			t.Fatalf("it ends with %d, %s", code, &stderr)
		}
		stop = sync.OnceValue(func() int { cancel(); return <-ended })
		t.Cleanup(func() { stop() })
		return "127.0.0.1:" + m[1], addr, stop, func() string { return stderr.String() + stdout.String() }
	}
}

// TestAdminServer asks the whole program, with a token of its file.
func TestAdminServer(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	const token = "0123456789abcdef"
	if err := os.WriteFile(tokens, []byte("debug me "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, addr, stop, said := startWithAdmin(t, "adminTokenFile="+tokens)
	for path, want := range map[string]int{"/readyz": 200, "/v1": 200, "/debug/pprof/cmdline": 401} {
		if code, body := get(t, "http://"+addr+path, ""); code != want {
			t.Errorf("%s is answered %d %s", path, code, body)
		}
	}
	if code, body := get(t, "http://"+addr+"/debug/pprof/cmdline", token); code != 200 {
		t.Errorf("with a token it is answered %d %s", code, body)
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if text := said(); strings.Contains(text, token) {
		t.Errorf("it says a token: %s", text)
	}
}

// TestTokenFileStopsTheStart: with a file that others may read nobody is served.
func TestTokenFileStopsTheStart(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr output
	code := run(t.Context(), []string{"-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0", "adminServerPort=1", "adminTokenFile="+tokens)}, noEnv, &stdout, &stderr)
	if want := "\nnamesrv: adminTokenFile: " + tokens + " has mode 0644, others than its owner must not get at it: chmod 600\n"; code != exitFailed || !strings.Contains(stderr.String(), want) {
		t.Errorf("exit code %d, stderr %s", code, &stderr)
	}
	if booted.MatchString(stdout.String()) {
		t.Error("it has booted")
	}
}

func get(t *testing.T, url, token string) (code int, body string) {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	return a.StatusCode, string(text)
}
