//go:build unix

package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gonamesrv/bench/launch"
)

// TestRecordAndReplay records what a run asks a server of ours, and asks another one
// the same, ten times as fast.
func TestRecordAndReplay(t *testing.T) {
	start := func() string {
		addr, argv := namesrv(t)
		spec, err := launch.Given("", argv, addr, "")
		if err != nil {
			t.Fatal(err)
		}
		server, err := launch.New(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return addr
	}
	file := filepath.Join(t.TempDir(), "c.jsonl")
	cmd := exec.Command(os.Args[0], "record", "--target", start(), "--out", file)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "listening on 127.0.0.1:") {
		t.Fatalf("it says %q", lines.Text())
	}
	addr, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "listening on "), ",")
	if code, out, errs := nsbench(t, append([]string{"run", "route", "--target", addr}, quick...)...); code != exitOK {
		t.Fatalf("through it a run ends with %d: %s%s", code, out, errs)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Errorf("it says %q", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted it ends with %v", err)
	}
	code, out, errs := nsbench(t, "run", "-f", file, "--speed", "10", "--target", start(), "--quiet")
	if code != exitOK || !strings.Contains(out, "nsbench c.jsonl (replay)") || !strings.Contains(out, "replay at 10×") || !strings.Contains(out, "get routeinfo by topic") {
		t.Errorf("the replay ends with %d:\n%s%s", code, out, errs)
	}
	conn, err := net.Dial("tcp", start())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() // until then its port is nobody's to listen on
	if code, _, errs := nsbench(t, "record", "--target", conn.LocalAddr().String(), "--out", file); code != exitFailed || !strings.Contains(errs, "cannot be reached") {
		t.Errorf("in front of nobody it ends with %d: %s", code, errs)
	}
	if code, _, errs := nsbench(t, "record", "--target", start(), "--out", file); code != exitFailed || !strings.Contains(errs, "file exists") {
		t.Errorf("over another capture it ends with %d: %s", code, errs)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"100MB": 100e6, "5GB": 5e9, "12kB": 12e3, "77": 77} {
		var v sizeValue
		if err := v.Set(text); err != nil || int64(v) != want || v.String() != text {
			t.Errorf("%s is %d, %s, %v", text, v, v.String(), err)
		}
	}
	for _, text := range []string{"", "MB", "-1MB", "0", "1 MB", "1TB", "1MBx", "9999999999999GB", "1e9"} {
		if err := new(sizeValue).Set(text); err == nil {
			t.Errorf("%q is taken for a size", text)
		}
	}
}
