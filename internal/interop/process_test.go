//go:build interop

package interop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process is a program the suite has started. Its output goes to one file.
type process struct {
	name   string
	dir    string // working directory; its log files are shown on failure
	output string // file with stdout and stderr
	cmd    *exec.Cmd
	gone   chan struct{} // closed once the process was waited for
	quiet  bool          // its output went to whoever ran it; do not show it again
}

// startProcess starts argv in dir, in a process group of its own, and kills
// that group when owner ends. If owner has failed by then, the ends of the
// process's log files are shown. Owner is t or a test around it.
func startProcess(t, owner *testing.T, name, dir string, env []string, argv ...string) *process {
	t.Helper()
	out, err := os.CreateTemp(dir, "output-*.log")
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	defer out.Close()
	p := &process{name: name, dir: dir, output: out.Name(), gone: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = out
	p.cmd.Stderr = out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	guardTell('+', p.cmd.Process.Pid)
	go func() {
		p.cmd.Wait()
		noteSpent(owner.Name(), p.cmd.ProcessState)
		guardTell('-', p.cmd.Process.Pid)
		close(p.gone)
	}()
	owner.Cleanup(func() {
		p.kill(owner)
		if !owner.Failed() {
			return
		}
		p.noteFaults(owner)
		if !p.quiet {
			p.showLogs(owner)
		}
	})
	return p
}

// signal sends sig to the process if it still runs.
func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("send %v to %s: %v", sig, p.name, err)
	}
}

// kill sends SIGKILL to the process group and waits for the process.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if !p.isGone() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	p.waitGone(t, soon)
}

func (p *process) waitGone(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case <-p.gone:
	case <-time.After(within):
		t.Errorf("%s has not exited within %v", p.name, within)
	}
}

// isGone reports whether the process has exited.
func (p *process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// stillRuns returns an error that ends a waitFor once the process has exited.
func (p *process) stillRuns() error {
	if p.isGone() {
		return hopeless{fmt.Errorf("%s has exited: %v; its output ends with:\n%s", p.name, p.cmd.ProcessState, tail(p.output, 20))}
	}
	return nil
}

// text returns all the process has printed.
func (p *process) text() string {
	b, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// showLogs logs the ends of the process's output and of the log files below
// its directory.
func (p *process) showLogs(t *testing.T) {
	t.Helper()
	t.Logf("%s (%v): output ends with:\n%s", p.name, p.cmd.ProcessState, tail(p.output, 40))
	filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		switch d.Name() {
		case "broker.log", "store.log", "namesrv.log", "rocketmq_client.log",
			"broker_default.log", "remoting.log": // what a client logs that finds the broker's logback file first
			t.Logf("%s: %s ends with:\n%s", p.name, d.Name(), tail(path, 40))
		}
		return nil
	})
}

// tail returns the last lines of a file, without what logback says of itself.
func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	all = slices.DeleteFunc(all, func(line string) bool { return strings.Contains(line, " |-INFO in ") })
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}

// run starts a program, waits until it exits and returns what it printed. The
// exit code is left to the caller: mqadmin exits with 0 whatever happened.
func run(t *testing.T, within time.Duration, name, dir string, argv ...string) (string, *os.ProcessState) {
	t.Helper()
	p := startProcess(t, t, name, dir, nil, argv...)
	select {
	case <-p.gone:
	case <-time.After(within):
		fatalf(t, "%s has not exited within %v; its output ends with:\n%s", name, within, tail(p.output, 40))
	}
	p.quiet = true
	return p.text(), p.cmd.ProcessState
}
