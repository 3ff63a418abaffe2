//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gonamesrv/bench/report"
)

// interrupt runs the program as a process of its own and interrupts it when a line
// of its progress has words in it: as a terminal does, with all that is in its group.
func interrupt(t *testing.T, words string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var said strings.Builder
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if words != "" && strings.Contains(lines.Text(), words) {
			words = ""
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || words != "" {
		t.Fatalf("ends with %v, before %q was seen:\n%s%s", err, words, said.String(), stdout.String())
	}
	if !strings.Contains(said.String(), "interrupted") {
		t.Errorf("it does not say why it ends:\n%s", said.String())
	}
	return exit.ExitCode(), stdout.String()
}

// TestInterruptRun: Ctrl-C prints and saves what was measured until then, marked as
// interrupted, and ends with 130.
func TestInterruptRun(t *testing.T) {
	addr, argv := namesrv(t)
	dir := t.TempDir()
	file, page := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
	args := []string{
		"run", "route", "--target", addr, "--topics", "20", "--connections", "4", "--warmup", "0s", "--duration", "1h",
		"--json", file, "--html", page, "--",
	}
	code, out := interrupt(t, "measured, ", append(args, argv...)...)
	if code != exitInterrupted || !strings.Contains(out, "- interrupted: after ") {
		t.Errorf("ends with %d:\n%s", code, out)
	}
	d, err := report.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := d.Result; !r.Interrupted || !r.OK || len(r.Phases) != 1 || r.Phases[0].Ops[0].Answered == 0 || r.Server.CPUSeconds <= 0 {
		t.Errorf("result: %+v", r)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "Interrupted; every reply until then was right") {
		t.Errorf("page of %d bytes, %v", len(text), err)
	}
	if code, again, _ := nsbench(t, "report", file); code != exitOK || again != out {
		t.Errorf("report ends with %d, and shows\n%s\nwant\n%s", code, again, out)
	}
}

// TestInterruptGenerators: what several generators have measured until then is put together,
// whether they hear of the interruption as this process does, or from it only.
func TestInterruptGenerators(t *testing.T) {
	addr, dir := server(t), t.TempDir()
	token, file, stages := filepath.Join(dir, "token"), filepath.Join(dir, "r.json"), filepath.Join(dir, "stages.yaml")
	for file, text := range map[string]string{
		token:  testToken,
		stages: "scenario: route\nparams: {topics: 20, connections: 4, rate: 500, warmup: 0s}\nstages: [\"first: hold 1s\", \"second: hold 1h\"]\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, by := range map[string][]string{
		"processes": {"--generators", "2"},
		"agents":    {"--agents", startAgent(t) + "," + startAgent(t), "--agent-token-file", token},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := interrupt(t, "second, ", append([]string{"run", "-f", stages, "--target", addr, "--json", file}, by...)...)
			if code != exitInterrupted || !strings.Contains(out, "- interrupted: after ") {
				t.Errorf("ends with %d:\n%s", code, out)
			}
			d, err := report.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if r := d.Result; !r.Interrupted || !r.OK || r.Generators != 2 || r.Phases[0].Ops[0].Answered == 0 || r.Phases[0].Ops[0].Pace == nil {
				t.Errorf("result: %+v", r)
			}
		})
	}
}

// TestInterruptEarly: where nothing was measured yet there is nothing to print.
func TestInterruptEarly(t *testing.T) {
	addr, argv := namesrv(t)
	args := []string{"run", "route", "--target", addr, "--topics", "20", "--connections", "4", "--warmup", "1h", "--"}
	if code, out := interrupt(t, "warm-up, ", append(args, argv...)...); code != exitInterrupted || out != "" {
		t.Errorf("ends with %d:\n%s", code, out)
	}
}

// TestInterruptCompare keeps the turns that were over, counts no other, and leaves
// no server behind.
func TestInterruptCompare(t *testing.T) {
	_, argv := namesrv(t)
	dir, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	file := filepath.Join(dir, "c.json")
	code, out := interrupt(t, "round 2 of 9", "compare", "route", "--rounds", "9", "--namesrv", "a="+argv[0], "--namesrv", "b="+argv[0],
		"--topics", "20", "--connections", "4", "--warmup", "0s", "--duration", "3s", "--ceiling", "0", "--json", file)
	if code != exitInterrupted || !strings.Contains(out, "- interrupted: after 2 of 18 turns") || !strings.Contains(out, "route per second") {
		t.Errorf("ends with %d:\n%s", code, out)
	}
	d, err := report.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Comparison
	if !c.Interrupted || len(c.Figures) == 0 {
		t.Fatalf("comparison: interrupted %t, %d figures", c.Interrupted, len(c.Figures))
	}
	for _, f := range c.Figures {
		for _, v := range f.Servers {
			if v.Value.N > 1 {
				t.Errorf("%s counts %d rounds", f.Name, v.Value.N)
			}
		}
	}
	wantEmpty(t, tmp)
}
