package group

import (
	"bufio"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonamesrv/internal/nstest"
)

// script starts a shell script as a server is started, and returns its process
// id and the numbers it writes first, one a line.
func script(t *testing.T, text string, numbers int) (pid int, told []int) {
	t.Helper()
	cmd := exec.Command("sh", "-c", text)
	Own(cmd)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Kill(cmd.Process.Pid); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // killed
	})
	lines := bufio.NewScanner(out)
	for range numbers {
		if !lines.Scan() {
			t.Fatalf("the script ends early: %v", lines.Err())
		}
		n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, n)
	}
	return cmd.Process.Pid, told
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(nstest.Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func has(pid, member int) bool {
	for _, p := range Members(pid) {
		if p.PID == member && !p.Ended {
			return true
		}
	}
	return false
}

// TestChildren: what a script has started belongs to it: in its group, in a group
// of its own, and when the script itself has ended.
func TestChildren(t *testing.T) {
	for name, text := range map[string]string{
		"child":         "sleep 1000 & echo $!; wait",
		"grandchild":    "(sleep 1000 & echo $!; wait) & wait",
		"own session":   "setsid sleep 1000 & echo $!; wait",
		"script ended":  "sleep 1000 & echo $!",
		"ends politely": "trap '' TERM; sleep 1000 & echo $!; wait",
	} {
		t.Run(name, func(t *testing.T) {
			pid, told := script(t, text, 1)
			eventually(t, "the child is no member", func() bool { return has(pid, told[0]) })
			if err := Kill(pid); err != nil {
				t.Fatal(err)
			}
			if Alive(pid) || has(told[0], told[0]) {
				t.Errorf("process %d, or its child %d, is still there", pid, told[0])
			}
		})
	}
}

// TestChildrenWork: their CPU time counts, while they live and after they have
// ended.
func TestChildrenWork(t *testing.T) {
	const busy = "while :; do :; done"
	pid, _ := script(t, "sh -c '"+busy+"' & echo $!; wait", 1)
	eventually(t, "no CPU time of a busy child", func() bool { return CPU(pid) > 50*time.Millisecond })

	pid, told := script(t, fmt.Sprintf("sh -c '%s' & echo $!; wait; sleep 1000", busy), 1)
	eventually(t, "no CPU time of a busy child", func() bool { return CPU(pid) > 50*time.Millisecond })
	if err := syscall.Kill(told[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has not been waited for", func() bool {
		for _, p := range Members(pid) {
			if p.PID == told[0] {
				return false
			}
		}
		return true
	})
	if spent := CPU(pid); spent < 40*time.Millisecond {
		t.Errorf("%v of CPU time are left of a child that had used 50 ms", spent)
	}
}

// TestPause stops and resumes all of them.
func TestPause(t *testing.T) {
	pid, _ := script(t, "sh -c 'while :; do :; done' & echo $!; wait", 1)
	eventually(t, "no CPU time of a busy child", func() bool { return CPU(pid) > 20*time.Millisecond })
	if err := Pause(pid); err != nil {
		t.Fatal(err)
	}
	var at time.Duration
	eventually(t, "it goes on", func() bool {
		was := at
		at = CPU(pid)
		time.Sleep(20 * time.Millisecond)
		return at == was && CPU(pid) == at
	})
	if err := Resume(pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it stands still", func() bool { return CPU(pid) > at })
}

// TestStranger: a process that we do not know has no members, and we are in none.
func TestStranger(t *testing.T) {
	if m := Members(1 << 30); len(m) > 0 || Alive(1<<30) {
		t.Errorf("members of nobody: %+v", m)
	}
	if m := Members(syscall.Getpid()); len(m) > 0 {
		t.Errorf("we are measured as a server: %+v", m)
	}
	for _, p := range Members(syscall.Getppid()) {
		if p.PID == syscall.Getpid() {
			t.Error("we belong to the server that started us")
		}
	}
}

func TestParseStat(t *testing.T) {
	p, ok := parseStat(7, []byte("7 (a) b (c) Z 3 5 0 0 -1 4194304 65 0 0 0 200 100 50 25 20 0 1 0\n"))
	want := Process{PID: 7, Parent: 3, Group: 5, Ended: true, User: 2 * time.Second, System: time.Second, ReapedUser: 500 * time.Millisecond, ReapedSystem: 250 * time.Millisecond}
	if !ok || p != want {
		t.Errorf("%+v, %v, want %+v", p, ok, want)
	}
	if _, ok := parseStat(7, []byte("7 (x) S 1")); ok {
		t.Error("half a line is read")
	}
}
