//go:build interop

package interop

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Faults are why tests have failed, told once more when all are over. A run prints tens of
// thousands of lines, and those before "--- FAIL" are what the name server said last. Who
// sees the end only, as one does of a run in CI, is to see what the party said that failed.

const (
	faultsShown  = 40  // lines in all
	faultsOf     = 9   // of one party
	faultsInFile = 3   // of these, from one file
	faultWidth   = 300 // bytes of a line
)

var faults struct {
	mu   sync.Mutex
	list []string
	last string          // the test of the last line
	read map[string]bool // files
}

// fault notes why t fails: the first lines of text.
func fault(t *testing.T, text string) {
	faults.mu.Lock()
	defer faults.mu.Unlock()
	if faults.last != t.Name() {
		faults.last = t.Name()
		faults.list = append(faults.list, t.Name()+":")
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines[:min(len(lines), faultsOf)] {
		if len(line) > faultWidth {
			line = strings.ToValidUTF8(line[:faultWidth], "") + "…"
		}
		faults.list = append(faults.list, "    "+line)
	}
}

// fatalf is t.Fatalf for what printFaults is to tell once more.
func fatalf(t *testing.T, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	fault(t, text)
	t.Fatal(text)
}

// errorf is t.Errorf for the same.
func errorf(t *testing.T, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	fault(t, text)
	t.Error(text)
}

// printFaults prints what was noted, and how full the disk is, which nobody else says.
func printFaults(w io.Writer) {
	faults.mu.Lock()
	defer faults.mu.Unlock()
	if len(faults.list) == 0 {
		return
	}
	fmt.Fprintln(w, "interop: why tests have failed; more is above, from each test's FAIL backwards")
	if d, err := diskOf(os.TempDir()); err == nil && d.used > 80 {
		fmt.Fprintf(w, "interop: %v\n", d)
	}
	for _, line := range faults.list[:min(len(faults.list), faultsShown)] {
		fmt.Fprintln(w, line)
	}
	if more := len(faults.list) - faultsShown; more > 0 {
		fmt.Fprintf(w, "and %d lines more\n", more)
	}
}

// noteFaults notes what the process, and the libraries in it, have called an error.
func (p *process) noteFaults(t *testing.T) {
	var lines []string
	filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".log" {
			return nil
		}
		faults.mu.Lock()
		again := faults.read[path]
		if faults.read == nil {
			faults.read = make(map[string]bool)
		}
		faults.read[path] = true
		faults.mu.Unlock()
		if again {
			return nil // of a client that ran in the same folder, say
		}
		for _, line := range faultLines(path) {
			lines = append(lines, d.Name()+": "+line)
		}
		return nil
	})
	if len(lines) > 0 {
		fault(t, p.name+"\n"+strings.Join(lines, "\n"))
	}
}

// faultLine matches what loggers of brokers and clients, ours too, mark as errors, and
// the first line of an exception in Java, JavaScript or Python.
var faultLine = regexp.MustCompile(`\bERROR\b|\blevel=error\b|^\S*(Exception|Error): |^Caused by: |\bCODE: \d+`)

var digits = regexp.MustCompile(`\d+`)

// faultLines returns the first lines of a file that tell of errors. Of lines that differ in
// numbers only it returns one.
func faultLines(path string) []string {
	file, err := os.Open(path)
	if err != nil {
		return []string{err.Error()}
	}
	defer file.Close()
	var found, shapes []string
	lines := bufio.NewReader(file)
	for len(found) < faultsInFile {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		if shape := digits.ReplaceAllString(line, "0"); faultLine.MatchString(line) && !slices.Contains(shapes, shape) {
			found, shapes = append(found, line), append(shapes, shape)
		}
		if err != nil {
			break
		}
	}
	return found
}

func TestFaultLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a broker of 5.5.0 says the same every 10 s", `
2026-11-28 23:48:00 INFO DiskCheckScheduledThread1 - physic disk of commitLog used: 0.91
2026-11-28 23:48:00 ERROR DiskCheckScheduledThread1 - physic disk of commitLog maybe full soon, used 0.91, so mark disk full
2026-11-28 23:48:10 ERROR DiskCheckScheduledThread1 - physic disk of commitLog maybe full soon, used 0.92, so mark disk full
`, []string{"2026-11-28 23:48:00 ERROR DiskCheckScheduledThread1 - physic disk of commitLog maybe full soon, used 0.91, so mark disk full"}},
		{"a client in Java", `
sent T-0
org.apache.rocketmq.client.exception.MQBrokerException: CODE: 14  DESC: service not available now
	at org.apache.rocketmq.client.impl.MQClientAPIImpl.processSendResponse(MQClientAPIImpl.java:665)
Caused by: java.io.IOException: gone
`, []string{"org.apache.rocketmq.client.exception.MQBrokerException: CODE: 14  DESC: service not available now", "Caused by: java.io.IOException: gone"}},
		{"a client in Go", `time="2026-11-28T23:48:00Z" level=error msg="send error" error="CODE: 14"` + "\n", []string{`time="2026-11-28T23:48:00Z" level=error msg="send error" error="CODE: 14"`}},
		{"our server", "time=2026-11-28T23:47:46.927Z level=ERROR msg=broken\n", []string{"time=2026-11-28T23:47:46.927Z level=ERROR msg=broken"}},
		{"a last line without an end", "Error: no route", []string{"Error: no route"}},
		{"no more than a few", "Error: a\nError: b\nError: c\nError: d\n", []string{"Error: a", "Error: b", "Error: c"}},
		{"nothing wrong", "sent T-0\nINFO no error here\n", nil},
	} {
		path := filepath.Join(t.TempDir(), "output-1.log")
		writeFile(t, path, c.text)
		if got := faultLines(path); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// failingEnv makes TestFailing fail.
const failingEnv = "GONAMESRV_INTEROP_FAILING"

// TestFailing fails, if it is told to, as a test does whose broker refuses messages: a
// subtest that talks to it, and then a name server that says much in the end.
func TestFailing(t *testing.T) {
	if os.Getenv(failingEnv) == "" {
		t.Skip("TestFaultsAreToldLast runs it")
	}
	shell := func(text string) {
		p := startProcess(t, t, "party", t.TempDir(), nil, "sh", "-c", text)
		p.waitGone(t, soon)
	}
	shell(`for i in $(seq 100); do echo "level=INFO msg=$i"; done`)
	shell(`echo "2026-11-28 23:48:00 ERROR DiskCheck - disk maybe full soon, used 0.91"`)
	t.Run("send", func(t *testing.T) {
		out, state := run(t, soon, "Java client", t.TempDir(), "sh", "-c", `echo sent T-0; echo "x.MQBrokerException: CODE: 14 DESC: not now"; exit 1`)
		checkTalk(t, "the Java client", "T", 2, out, state)
	})
	t.Run("wait", func(t *testing.T) {
		waitFor(t, 0, "the sun rises", func() error { return fmt.Errorf("it is dark") })
	})
}

// TestFaultsAreToldLast runs this test binary with a test that fails, and looks at the last
// lines only.
func TestFaultsAreToldLast(t *testing.T) {
	needTools(t)
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestFailing$", "-test.v", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), failingEnv+"=1")
	text, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("TestFailing has not failed:\n%s", text)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	end := strings.Join(lines[max(0, len(lines)-25):], "\n")
	for _, want := range []string{
		"TestFailing/send:\n",
		"the Java client", "received by the Java client of topic T: 2 of 2 messages are missing", "x.MQBrokerException: CODE: 14 DESC: not now",
		"TestFailing/wait:\n", "until the sun rises, in vain: it is dark",
		"2026-11-28 23:48:00 ERROR DiskCheck - disk maybe full soon, used 0.91",
	} {
		if !strings.Contains(end, want) {
			t.Errorf("no %q at the end:\n%s", want, end)
		}
	}
	before, _, _ := strings.Cut(string(text), "interop: why tests have failed")
	if want := "besides messages it printed:\nx.MQBrokerException: CODE: 14"; !strings.Contains(strings.ReplaceAll(before, "\n        ", "\n"), want) {
		t.Errorf("the subtest has not shown what its client printed:\n%s", before)
	}
}
