//go:build unix

package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemoHangup closes the terminal of the demo, which must not leave the server behind.
func TestDemoHangup(t *testing.T) {
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var out screen
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"demo", "--namesrv", bin, "--for", "1h"}, strings.NewReader(""), &out, &out)
	}()
	out.await(t, ended, `(with Ctrl-C\.)\n`)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != exitOK {
		t.Errorf("it ends with %d:\n%s", code, &out)
	}
	wantEmpty(t, temp)
}

// TestBrowser opens an address where there is a screen and something to open it with.
func TestBrowser(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("it would open a browser")
	}
	dir := t.TempDir()
	opened := filepath.Join(dir, "opened")
	program := filepath.Join(dir, "xdg-open")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nprintf %s \"$1\" >"+opened+".new && /bin/mv "+opened+".new "+opened+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if got := browserCommand(); got != "" {
		t.Errorf("without a screen it is %q", got)
	}
	t.Setenv("DISPLAY", ":0")
	if got := browserCommand(); got != program {
		t.Fatalf("it is %q, want %q", got, program)
	}
	open(program, "http://127.0.0.1:1/")
	for late := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(opened)
		if string(text) == "http://127.0.0.1:1/" {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("it is told %q, %v", text, err)
		}
	}
	open(filepath.Join(dir, "nothing"), "http://127.0.0.1:1/") // is no matter
	t.Setenv("PATH", t.TempDir())
	if got := browserCommand(); got != "" {
		t.Errorf("without a program it is %q", got)
	}
}
