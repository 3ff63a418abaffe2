//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonamesrv/bench/group"
	"gonamesrv/internal/nstest"
)

// TestInterruptTwice: whoever asks again gets the terminal back at once, and no server is left
// behind: neither one that does not want to end, nor one that is stopped.
func TestInterruptTwice(t *testing.T) {
	_, argv := namesrv(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	script := filepath.Join(t.TempDir(), "server.sh")
	text := fmt.Sprintf("#!/bin/sh\ntrap '' TERM\necho $$ >\"$1/pid\"\n'%s' -c \"$1/namesrv.properties\" &\nwhile :; do sleep 1; done\n", argv[0])
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "compare", "route", "--rounds", "9", "--keep", "--command", "a="+script+" {dir}", "--command", "b="+script+" {dir}",
		"--topics", "20", "--connections", "4", "--warmup", "0s", "--duration", "1s", "--ceiling", "0")
	progress, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var said strings.Builder
	lines := bufio.NewScanner(progress)
	for lines.Scan() && !strings.Contains(lines.Text(), "round 2 of 9") {
		said.WriteString(lines.Text() + "\n")
	}
	files, err := filepath.Glob(filepath.Join(tmp, "nsbench-*", "pid"))
	if err != nil || len(files) != 2 {
		t.Fatalf("servers %q, %v; it has said\n%s", files, err, said.String())
	}
	var servers []int
	for _, file := range files {
		var pid int
		if text, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		} else if _, err := fmt.Sscan(string(text), &pid); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, pid)
		defer group.Kill(pid)
	}
	ended := make(chan error, 1)
	go func() {
		for lines.Scan() { // until it ends
		}
		ended <- cmd.Wait()
	}()
	for asking := true; asking; {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil && !strings.Contains(err.Error(), "finished") {
			t.Error(err)
		}
		select {
		case <-ended:
			asking = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("ends with %d", code)
	}
	for _, pid := range servers {
		if !group.Wait(pid, nil, nstest.Patience) {
			t.Errorf("the server %d lives on", pid)
		}
	}
}
