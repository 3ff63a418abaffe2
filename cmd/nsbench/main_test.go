package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"gonamesrv/bench"
)

// TestMain lets the test binary be the program, so that it can start itself
// as the echo server and as a generator, and tests can interrupt it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"floor", "run", "compare", "record", "generator"}, os.Args[1]) {
		main()
	}
	if os.Getenv("NSBENCH_TEST_PIN") != "" {
		if err := testPin(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("pinned")
		os.Exit(0)
	}
	// gnet starts the goroutines of a pool when it is imported.
	// gnet keeps the goroutines that take connections for 10 s.
	pooled := goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")
	goleak.VerifyTestMain(m, pooled, goleak.IgnoreCurrent(), goleak.Cleanup(func(code int) {
		os.RemoveAll(buildDir) // of "" it removes nothing
		os.Exit(code)
	}))
}

// nsbench runs the program.
func nsbench(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestList(t *testing.T) {
	code, out, _ := nsbench(t, "list")
	for _, k := range bench.Kinds() {
		if code != exitOK || !strings.Contains(out, k.Name+" ") || !strings.Contains(out, k.About) {
			t.Errorf("list ends with %d and does not show %s:\n%s", code, k.Name, out)
		}
	}
	if code, out, _ = nsbench(t, "list", "restart"); code != exitOK || !strings.Contains(out, "--brokers-per-topic") || !strings.Contains(out, "give its command") {
		t.Errorf("list restart ends with %d:\n%s", code, out)
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"run"}, "name of one scenario"},
		{[]string{"run", "rout"}, "there is no scenario"},
		{[]string{"run", "route", "storm"}, "name of one scenario"},
		{[]string{"run", "route", "--topics", "many"}, "whole number"},
		{[]string{"run", "route", "--topics", "0"}, "topics is 0"},
		{[]string{"run", "route", "--hz", "2"}, "means nothing"},
		{[]string{"run", "route", "--target", "192.0.2.1:9876"}, "loopback"},
		{[]string{"run", "restart"}, "kill and start"},
		{[]string{"run", "route", "--target", "127.0.0.1:1", "--", "/no/such/program"}, "no such file"},
		{[]string{"run", "-f", "/no/such/file"}, "no such file"},
		{[]string{"run", "route", "--server-log", "x"}, "there is none"},
		{[]string{"run", "route", "--target", "127.0.0.1:1", "--pid", "1", "--", "/no/such/program"}, "starts one"},
		{[]string{"run", "route", "--rate", "NaN"}, "is no number"},
		{[]string{"run", "route", "--rate", "500", "--depth", "16"}, "of a closed loop"},
		{[]string{"run", "route", "--json", "r", "--html", "r"}, "two results"},
		{[]string{"run", "route", "--json", os.DevNull}, "is no file"},
		{[]string{"compare", "route", "--namesrv", os.Args[0], "--floor", "--jvm-flags", "-Xmx1g"}, "there is none"},
		{[]string{"list", "nothing"}, "there is no scenario"},
		{[]string{"sing"}, "unknown command"},
	} {
		if code, out, errs := nsbench(t, tt.args...); code != exitFailed || !strings.Contains(errs, tt.want) || out != "" {
			t.Errorf("%q ends with %d, %q and %q, want %q", tt.args, code, out, errs, tt.want)
		}
	}
}

// build builds our server, once for all tests. Its folder is TestMain's to
// remove.
var build = sync.OnceValues(func() (bin string, err error) {
	if buildDir, err = os.MkdirTemp("", "nsbench-test"); err != nil {
		return "", err
	}
	bin = filepath.Join(buildDir, "namesrv")
	if text, err := exec.Command("go", "build", "-o", bin, "../namesrv").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return bin, nil
})

var buildDir string // written by build

// namesrv is the command of a server of our own, built for the tests.
func namesrv(t *testing.T) (addr string, argv []string) {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	conf := filepath.Join(t.TempDir(), "namesrv.properties")
	if err := os.WriteFile(conf, []byte("bindAddress=127.0.0.1\nkvConfigPath=\nadminServerPort=0\nlistenPort="+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return addr, []string{bin, "-c", conf}
}

// TestRun starts a server, runs a scenario from a file with a flag on top,
// prints a table and writes the result.
func TestRun(t *testing.T) {
	addr, argv := namesrv(t)
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("name: mine\nscenario: route\nparams: {topics: 20, duration: 1h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(t.TempDir(), "result.json")
	args := []string{
		"run", "-f", file, "--target", addr, "--requests", "500", "--connections", "4", "--ceiling", "100ms", "--json", result,
		"--label", "first", "--seed", "9", "--",
	}
	code, out, errs := nsbench(t, append(args, argv...)...)
	if code != exitOK {
		t.Fatalf("ends with %d: %s", code, errs)
	}
	for _, want := range []string{"nsbench mine (route): first", "server: first at " + addr, "route", "generator", "ceiling:"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	text, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	var res bench.Result
	if err := json.Unmarshal(text, &res); err != nil {
		t.Fatal(err)
	}
	if !res.OK || res.Seed != 9 || res.Label != "first" || res.Target.PID == 0 || res.Scenario.Params.Topics != 20 || res.Phases[0].Ops[0].Answered != 500 {
		t.Errorf("result is %+v", res)
	}
	if res.Server.RSS == 0 || res.Server.Threads == 0 || res.Ceiling == nil || res.Ceiling.SameProcess || res.Machine.Go == "" {
		t.Errorf("server %+v, ceiling %+v, machine %+v", res.Server, res.Ceiling, res.Machine)
	}
	if h, err := bench.DecodeHistogram(res.Phases[0].Ops[0].Histogram); err != nil || h.TotalCount() != 500 {
		t.Errorf("histogram: %v", err)
	}
}

// TestWrong: a server that is no name server fails the run with its own code.
func TestWrong(t *testing.T) {
	addr, stop, err := bench.ListenEcho(t.Context(), fillerReply(10))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	code, out, errs := nsbench(t, "run", "route", "--target", addr, "--requests", "100", "--ceiling", "0", "--timeout", "3s")
	if code != exitWrong || !strings.Contains(out, "FAILED") || !strings.Contains(errs, "not right") {
		t.Errorf("ends with %d:\n%s\n%s", code, out, errs)
	}
}
