package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A screen keeps what is written to it.
type screen struct {
	mu   sync.Mutex
	text strings.Builder // under mu
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until a pattern is on the screen, and returns what its first group matched.
func (s *screen) await(t *testing.T, ended <-chan int, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for late := time.After(2 * time.Minute); ; {
		if m := re.FindStringSubmatch(s.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case code := <-ended:
			t.Fatalf("it has ended with %d; %q is not on the screen:\n%s", code, pattern, s)
		case <-late:
			t.Fatalf("%q is not on the screen:\n%s", pattern, s)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestDemo looks at the console while a broker dies and comes back, ends the demo as
// Ctrl-C does, and finds nothing of it afterwards.
func TestDemo(t *testing.T) {
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out screen
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--namesrv", bin, "--for", "1h", "--every", "30ms", "--away", "10ms"}, strings.NewReader(""), &out, &out)
	}()
	console := out.await(t, ended, `The console: (http://127\.0\.0\.1:\d+/)\n`)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, string) {
		t.Helper()
		resp, err := client.Get(console + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if code, text := get(""); code != http.StatusOK || !strings.Contains(text, "<html") {
		t.Errorf("the console is answered %d %s", code, text)
	}
	out.await(t, ended, `the master of broker-c is killed\. After \S+s no client`)
	out.await(t, ended, `the master of broker-c is back\. Clients are told of it after \S+s\.`)
	if code, text := get("v1/topics/ORDERS"); code != http.StatusOK || !strings.Contains(text, "broker-a") {
		t.Errorf("ORDERS is answered %d %s", code, text)
	}
	if code, text := get("v1/events?type=broker.*&limit=1000"); code != http.StatusOK || !strings.Contains(text, "broker-c") {
		t.Errorf("the events are answered %d %s", code, text)
	}
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("it ends with %d:\n%s", code, &out)
	}
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("it has left %v, %v", left, err)
	}
	if _, err := client.Get(console); err == nil {
		t.Error("the server still answers")
	}
}

// TestDemoEnds lets the demo end by itself.
func TestDemoEnds(t *testing.T) {
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := nsbench(t, "demo", "--namesrv", bin, "--for", "1s")
	if code != exitOK || !strings.HasSuffix(out, "The demo has ended.\n") || errs != "" {
		t.Errorf("it ends with %d\n%s%s", code, out, errs)
	}
}

// TestDemoFails: a server that cannot be started is an error, and so is a time that is
// none.
func TestDemoFails(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for want, args := range map[string][]string{
		"no such file":     {"--namesrv", filepath.Join(temp, "nothing")},
		"must be positive": {"--for", "0s"},
		"has ended before": {"--namesrv", "/bin/true"},
	} {
		if code, out, errs := nsbench(t, append([]string{"demo"}, args...)...); code != exitFailed || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%q ends with %d: %s%s, want %q", args, code, out, errs, want)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("it has left %v, %v", left, err)
	}
}
