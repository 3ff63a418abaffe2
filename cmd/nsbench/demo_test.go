package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
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

// TestDemoCommand types the command that the demo prints, in another folder and without
// nsctl on the PATH.
func TestDemoCommand(t *testing.T) {
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "it's here")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(folder, "namesrv")
	if err := os.Symlink(bin, beside); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("go", "build", "-o", filepath.Join(folder, "nsctl"), "../nsctl").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	t.Setenv("PATH", "/usr/bin:/bin") // as where nobody has installed it
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out screen
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--namesrv", beside, "--for", "1h"}, strings.NewReader(""), &out, &out)
	}()
	command := out.await(t, ended, `In another terminal: (.+)\n`)
	shell := exec.Command("sh", "-c", command)
	shell.Dir = t.TempDir()
	if text, err := shell.CombinedOutput(); err != nil || !strings.Contains(string(text), "broker-a") {
		t.Errorf("%s: %v\n%s", command, err, text)
	}
	interrupt()
	if code := <-ended; code != exitOK {
		t.Errorf("it ends with %d:\n%s", code, &out)
	}
}

// TestTyped: a bare name is typed where the PATH leads to that program, a path where it does
// not, and nothing where there is none.
func TestTyped(t *testing.T) {
	dir := t.TempDir()
	program := func(folder string) string {
		path := filepath.Join(dir, folder, "tool")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(path)
	}
	here, spaced, installed, none := program("here"), program("with a 'word'"), program("installed"), filepath.Join(dir, "none")
	for _, c := range []struct {
		path    string
		folders []string
		want    string
	}{
		{none, []string{here}, filepath.Join(here, "tool")},
		{none, []string{"", none, here, spaced}, filepath.Join(here, "tool")},
		{installed, []string{here}, filepath.Join(here, "tool")}, // another one may be of another release
		{none + ":" + here, []string{here}, "tool"},
		{installed, []string{"", none}, "tool"},
		{none, []string{spaced}, "'" + strings.ReplaceAll(spaced, "'", `'\''`) + "/tool'"},
		{none, []string{"", none}, ""},
	} {
		t.Setenv("PATH", c.path)
		if got := typed("tool", c.folders...); got != c.want {
			t.Errorf("with PATH=%s and %q: %q, want %q", c.path, c.folders, got, c.want)
		}
	}
	t.Setenv("PATH", none)
	t.Chdir(dir)
	if got := typed("tool", "here"); got != filepath.Join(here, "tool") {
		t.Errorf("a folder below the working one: %q", got)
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
