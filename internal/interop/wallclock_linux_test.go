//go:build interop && linux

package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A time namespace moves only clocks that do not count the time of day, and
// setting the machine's clock would disturb everybody on it. So each server
// gets a wall clock of its own that steps: the JVM by libfaketime, and ours,
// a static program that asks the kernel without libc, by a package time
// that is changed as it is built.

// wallSteps is the change: package time reads WALL_STEPS, "SECOND:OFFSET" for
// each step, when the process starts.
const wallSteps = `
var wallStepAt, wallStepBy []int64

func init() {
	text, _ := syscall.Getenv("WALL_STEPS")
	number, sign, numbers := int64(0), int64(1), []int64(nil)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '-':
			sign = -1
		case c >= '0' && c <= '9':
			number = number*10 + int64(c-'0')
		}
		if i == len(text)-1 || text[i] == ':' || text[i] == ',' {
			numbers = append(numbers, sign*number)
			number, sign = 0, 1
		}
	}
	for i := 0; i+1 < len(numbers); i += 2 {
		wallStepAt, wallStepBy = append(wallStepAt, numbers[i]), append(wallStepBy, numbers[i+1])
	}
}

func wallStep(sec int64) (by int64) {
	for i, at := range wallStepAt {
		if sec >= at {
			by = wallStepBy[i]
		}
	}
	return by
}
`

// buildSteppingNamesrv builds our server with a wall clock that steps.
func buildSteppingNamesrv(t *testing.T, dir string) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	const head = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), head) != 1 {
		t.Skipf("time.Now of this Go release is another one: %s", original)
	}
	changed := strings.Replace(string(text), head, head+"\tsec += wallStep(sec)\n", 1) + wallSteps
	changed = strings.Replace(changed, "\nimport (\n", "\nimport (\n\t\"syscall\"\n", 1)
	patched, overlay, program := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "stepping-namesrv")
	writeFile(t, patched, changed)
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: patched}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, overlay, string(replace))
	cmd := exec.Command("go", "build", "-buildvcs=false", "-overlay", overlay, "-o", program, "./cmd/namesrv")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build a server whose wall clock steps: %v\n%s", err, out)
	}
	return program
}

// fakeTime is where Debian's package libfaketime has its library.
func fakeTime() string {
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1") // the pattern is right
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// TestTrialWallClock sets the wall clock an hour forward, and two hours back.
func TestTrialWallClock(t *testing.T) {
	needTrials(t)
	t.Parallel()
	dir := workDir(t)
	program := buildSteppingNamesrv(t, dir)
	library, offset := fakeTime(), filepath.Join(dir, "offset")
	writeFile(t, offset, "+0\n")
	all := contenders(t, dir, func(n *namesrv) {
		if n.java == "" {
			n.program = program
			return
		}
		n.env = []string{
			"LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + offset, "FAKETIME_CACHE_DURATION=1",
			"FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1",
		}
	})
	if library == "" {
		t.Log("libfaketime is not installed: only ours is on trial")
		all = all[:1]
	}
	for _, c := range all[1:] {
		c.start(t)
	}
	// Ours starts last: it has to know when.
	forward := time.Now().Add(soon + 90*time.Second).Truncate(time.Second)
	back := forward.Add(100 * time.Second)
	all[0].env = []string{fmt.Sprintf("WALL_STEPS=%d:3600,%d:-3600", forward.Unix(), back.Unix())}
	all[0].start(t)
	topics, of := pacedTopics(pacedBrokers)
	fleet := startPaced(t, pacedBrokers, realPeriod, topics, addresses(all), func(int) func(string) (net.Conn, error) { return dialPlain })
	for _, c := range all {
		c.w = watch(t, c.addr(), dialPlain, 200, of)
	}
	whole(t, all, soon)
	t.Logf("%v until the first step", time.Until(forward))
	if time.Until(forward) < settled {
		t.Fatalf("the servers took too long to start")
	}
	for _, s := range []struct {
		name, offset string
		at           time.Time
	}{{"wall clock +1 h", "+3600", forward}, {"wall clock -2 h", "-3600", back}} {
		time.Sleep(time.Until(s.at.Add(-time.Second)))
		for _, c := range all {
			c.w.begin()
		}
		time.Sleep(time.Until(s.at))
		writeFile(t, offset, s.offset+"\n")
		waitRegistered(t, fleet, all, s.at.Add(realPeriod/3)) // after a scan
		whole(t, all, 4*realPeriod)
		for _, c := range all {
			seen := c.w.end()
			c.report(t, s.name, s.at, seen, seen.notFound+seen.shrunken == 0, "")
		}
	}
}
