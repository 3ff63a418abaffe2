package bench

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonamesrv/bench/group"
	"gonamesrv/internal/nstest"
)

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(nstest.Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// TestMeterKeepsWhatEnded: the CPU time of a server never becomes less. A process of it may
// end whose parent has ended before, so that nobody asks what it had used; and the whole
// server may end.
func TestMeterKeepsWhatEnded(t *testing.T) {
	// Orphans become ours, so that it is we who ask how they ended, and no process of the server.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	cmd := exec.Command("sh", "-c", "(sh -c 'while :; do :; done' >&- & echo $!); exec sleep 1000")
	group.Own(cmd)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	defer func() {
		if err := group.Kill(pid); err != nil {
			t.Error(err)
		}
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	busy, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	m := meter{pid: pid}
	if err := m.begin(); err != nil {
		t.Fatal(err)
	}
	var before Process
	until(t, "no CPU time of a busy process", func() bool {
		before = m.read()
		return before.CPUSeconds > 0.1
	})
	if err := syscall.Kill(busy, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Wait4(busy, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		after := m.read()
		if after.CPUSeconds < before.CPUSeconds || after.CPUUserSeconds < before.CPUUserSeconds || after.RSS == 0 {
			t.Errorf("after a process has ended the server has used %+v, before it was %+v", after, before)
		}
		before = after
	}
	if err := group.Kill(pid); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if after := m.read(); after != before {
		t.Errorf("of a server that has ended: %+v, it was %+v", after, before)
	}
}
