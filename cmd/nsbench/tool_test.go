package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/bench/launch"
	"gonamesrv/bench/report"
	"gonamesrv/bench/search"
)

// closed is a run of counted requests in a closed loop.
var closed = []string{"--quiet", "--rate", "0", "--topics", "20", "--connections", "4", "--requests", "300", "--duration", "10m", "--ceiling", "0"}

// started starts our server for the test.
func started(t *testing.T) bench.Target {
	t.Helper()
	addr, argv := namesrv(t)
	spec, err := launch.Given("", argv, addr, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := launch.New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Target()
}

// server starts our server for the test and returns its address.
func server(t *testing.T) string {
	t.Helper()
	return started(t).Address
}

// TestFailIf ends with a code of its own, and the result says why.
func TestFailIf(t *testing.T) {
	addr := server(t)
	file := filepath.Join(t.TempDir(), "r.json")
	run := func(more ...string) (int, string, string) {
		return nsbench(t, slices.Concat([]string{"run", "route", "--target", addr, "--json", file}, closed, more)...)
	}
	code, out, errs := run("--fail-if", "route errors > 0", "--fail-if", "route p99 > 9m")
	if code != exitOK || !strings.Contains(out, "thresholds: 2 passed, 0 failed") {
		t.Errorf("ends with %d: %s\n%s", code, errs, out)
	}
	code, out, errs = run("--fail-if", "route errors > 0", "--fail-if", "route p50 > 1ns")
	if code != 99 || !strings.Contains(out, "1 passed, 1 failed") || !strings.Contains(errs, `"route p50 > 1ns" failed`) {
		t.Errorf("ends with %d: %s\n%s", code, errs, out)
	}
	d, err := report.Read(file)
	if err != nil || len(d.Result.Thresholds) != 2 || d.Result.Thresholds[1].Verdict != bench.Failed {
		t.Errorf("%v, %+v", err, d.Result)
	}
	for text, want := range map[string]string{"route p98 > 1ms": "there are p50", "storm: route p99 > 1ms": "there are measured", "route p99 +10%": "nsbench diff"} {
		if code, _, errs := run("--fail-if", text); code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("%s: ends with %d: %s", text, code, errs)
		}
	}

	// In a comparison, of the first server, and as often as it was written.
	_, argv := namesrv(t)
	args := append([]string{"compare", "route", "--rounds", "1", "--namesrv", argv[0], "--floor", "--json", file, "--fail-if", "route errors > 0", "--fail-if", "server first-reply > 0.0001x floor"}, quick...)
	code, out, errs = nsbench(t, args...)
	if code != exitThreshold || !strings.Contains(out, "1 passed, 1 failed") || !strings.Contains(out, "'--fail-if=server first-reply > 0.0001x floor'") {
		t.Errorf("compare ends with %d: %s\n%s", code, errs, out)
	}
	code, out, _ = nsbench(t, "results", filepath.Dir(file))
	if code != exitOK || !strings.Contains(out, "| r | server first-reply > 0.0001x floor | failed |") {
		t.Errorf("results ends with %d:\n%s", code, out)
	}
}

// TestDiffCommand compares two files.
func TestDiffCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, p99 float64, change func(*bench.Result)) string {
		k, err := bench.FindKind("route")
		if err != nil {
			t.Fatal(err)
		}
		r := &bench.Result{
			Format: bench.ResultFormat, Scenario: k.Scenario(), OK: true,
			Phases: []bench.Phase{{Name: "measured", Seconds: 1, Ops: []bench.Operation{{Name: "route", Sent: 9, Answered: 9, PerSecond: 9, Latency: bench.Latency{P50: 9, P90: 9, P99: p99}}}}},
		}
		if change != nil {
			change(r)
		}
		file := filepath.Join(dir, name)
		if err := (report.Document{Result: r}).Write(file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	old, same, slow := write("old.json", 1000, nil), write("same.json", 1040, nil), write("slow.json", 1200, nil)
	other := write("other.json", 1000, func(r *bench.Result) { r.Scenario.Params.Connections = 3 })
	saved, page := filepath.Join(dir, "diff.json"), filepath.Join(dir, "diff.html")
	for _, tt := range []struct {
		args []string
		code int
		out  string
		errs string
	}{
		{[]string{old, same}, exitOK, "1.04×", ""},
		{[]string{old, same, "--gate", "10%"}, exitOK, "6 passed, 0 failed", ""},
		{[]string{old, slow, "--gate", "10%", "--json", saved, "--html", page}, exitThreshold, "measured: route p99 +10%", "does not hold"},
		{[]string{old, slow, "--fail-if", "route p99 +25%"}, exitOK, "passed", ""},
		{[]string{old, slow, "--fail-if", "route p99 +15%"}, exitThreshold, "1.20×", "failed"},
		{[]string{slow, old, "--fail-if", "route p99 +15%", "--markdown"}, exitOK, "| route p99 +15% | passed |", ""},
		{[]string{old, other, "--gate", "10%"}, exitThreshold, "DIFFERENT: connections was 64 and is 3", "not decided"},
		{[]string{old, slow, "--gate", "ten"}, exitFailed, "", "more than 0%"},
		{[]string{old, slow, "--fail-if", "rout p99 +15%"}, exitFailed, "", "there is no request"},
		{[]string{old, slow, "--server", "java"}, exitFailed, "", "not a comparison"},
		{[]string{old}, exitFailed, "", "accepts 2 arg"},
		{[]string{old, filepath.Join(dir, "none.json")}, exitFailed, "", "no such file"},
	} {
		code, out, errs := nsbench(t, append([]string{"diff"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
			t.Errorf("%q ends with %d: %s\n%s", tt.args, code, errs, out)
		}
	}
	noted := filepath.Join(dir, "noted.json")
	if code, out, errs := nsbench(t, "diff", old, same, "--markdown", "--json", noted); code != exitOK || !strings.Contains(out, "| phase |") {
		t.Errorf("as Markdown it ends with %d: %s\n%s", code, errs, out)
	}
	if _, err := report.Read(noted); err != nil {
		t.Errorf("as Markdown it saves nothing: %v", err)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "Ratios to old") {
		t.Errorf("page: %d bytes, %v", len(text), err)
	}
	if code, out, errs := nsbench(t, "report", saved); code != exitOK || !strings.Contains(out, "new is ") {
		t.Errorf("report ends with %d: %s\n%s", code, errs, out)
	}
}

// TestSearchCommand searches against our server. On a busy machine a step may be
// generator-bound, which ends the search.
func TestSearchCommand(t *testing.T) {
	addr := server(t)
	file := filepath.Join(t.TempDir(), "s.json")
	args := []string{"search", "route", "--target", addr, "--quiet", "--topics", "20", "--connections", "4", "--duration", "50ms", "--warmup", "10ms", "--json", file, "--rate", "100"}
	code, out, errs := nsbench(t, append(args, "--slo", "p99 < 9m", "--most", "150")...)
	var s search.Search
	if text, err := os.ReadFile(file); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	switch s.Ended {
	case search.EndedMost:
		if code != exitOK || s.Holds != 150 || len(s.Steps) != 2 || !strings.Contains(out, "150/s holds, which is the most") {
			t.Errorf("ends with %d: %s\n%s", code, errs, out)
		}
	case search.EndedGenerator:
		if !strings.Contains(out, "generator-bound") {
			t.Errorf("ends with %d: %s\n%s", code, errs, out)
		}
	default:
		t.Errorf("ends with %d: %s\n%s", code, errs, out)
	}
	for _, step := range s.Steps {
		if p := step.Result.Scenario.Params; p.Rate != step.Rate || p.Warmup == 0 {
			t.Errorf("step at %g/s: %+v", step.Rate, p)
		}
	}
	// Where it begins is nothing that its user has written.
	if code, out, errs := nsbench(t, "search", "route", "--target", "127.0.0.1:1", "--quiet", "--most", "50", "--slo", "p99 < 9m"); code != exitFailed || strings.Contains(errs, "no rate beyond") || out != "" {
		t.Errorf("with fewer than it begins with it ends with %d: %s%s", code, errs, out)
	}
	if code, out, errs := nsbench(t, "report", file); code != exitFailed || !strings.Contains(errs, `of kind "search"`) || out != "" {
		t.Errorf("report of a search ends with %d: %s%s", code, errs, out)
	}
	code, out, errs = nsbench(t, append(args, "--slo", "p99 < 1ns", "--tries", "2")...)
	if code != exitThreshold || !strings.Contains(out, "no rate holds") {
		t.Errorf("ends with %d: %s\n%s", code, errs, out)
	}
	for _, tt := range []struct {
		more []string
		want string
	}{
		{nil, "no objective"},
		{[]string{"--slo", "rout p99 < 1ms"}, "there is no request"},
		{[]string{"--slo", "p99 < 1ms", "--within", "200%"}, "less than 100%"},
		{[]string{"--slo", "p99 < 1ms", "--requests", "5"}, "requests must be 0"},
	} {
		if code, out, errs := nsbench(t, append(args, tt.more...)...); code != exitFailed || !strings.Contains(errs, tt.want) || out != "" {
			t.Errorf("%q ends with %d: %s%s", tt.more, code, errs, out)
		}
	}
}

// TestGenerators makes the load in processes of their own.
func TestGenerators(t *testing.T) {
	addr := server(t)
	file := filepath.Join(t.TempDir(), "r.json")
	args := slices.Concat([]string{"run", "route", "--target", addr, "--json", file, "--generators", "2", "--tls", "--tls-insecure"}, closed)
	code, out, errs := nsbench(t, args...)
	if code != exitOK {
		t.Fatalf("ends with %d: %s\n%s", code, errs, out)
	}
	d, err := report.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	r := d.Result
	if o := r.Phases[0].Ops[0]; r.Generators != 2 || o.Sent != 300 || o.Answered != 300 || !strings.HasPrefix(r.Target.TLS, "TLS 1.3") {
		t.Errorf("%d generators, %+v, %+v", r.Generators, o, r.Target)
	}
	if !strings.Contains(out, "2 generators") {
		t.Errorf("the text does not say so:\n%s", out)
	}
	code, out, errs = nsbench(t, slices.Concat([]string{"run", "route", "--target", "127.0.0.1:1", "--generators", "2"}, closed)...)
	if code != exitFailed || out != "" {
		t.Errorf("without a server it ends with %d: %s%s", code, errs, out)
	}
	code, _, errs = nsbench(t, slices.Concat([]string{"run", "route", "--target", addr, "--generators", "9"}, closed)...)
	if code != exitFailed || !strings.Contains(errs, "each needs one") {
		t.Errorf("with too many it ends with %d: %s", code, errs)
	}
}

// TestGeneratorsWarmUp: they load until the figure of all together stands still, or for as long
// as that may take, and the result says so.
func TestGeneratorsWarmUp(t *testing.T) {
	addr, dir := server(t), t.TempDir()
	token, file := filepath.Join(dir, "token"), filepath.Join(dir, "r.json")
	if err := os.WriteFile(token, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, who := range [][]string{{"--generators", "2"}, {"--agents", startAgent(t) + "," + startAgent(t), "--agent-token-file", token}} {
		code, out, errs := nsbench(t, slices.Concat([]string{
			"run", "route", "--target", addr, "--json", file, "--quiet", "--rate", "0", "--topics", "20", "--connections", "4", "--duration", "50ms", "--ceiling", "0",
			"--warmup", "still", "--warmup-most", "1100ms",
		}, who)...)
		if code != exitOK || !strings.Contains(out, "warm-up: it did NOT stand still in the 1.10 s") {
			t.Fatalf("%s ends with %d: %s\n%s", who[0], code, errs, out)
		}
		d, err := report.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if w := d.Result.Warmup; w == nil || w.Still || w.Fixed || w.MostSeconds != 1.1 || len(w.Windows) != 1 || d.Result.WarmupSeconds < 1 {
			t.Errorf("%s: the warm-up is %+v", who[0], w)
		}
	}
}

// TestGuided: a generator that is led says what it has seen when it is asked, measures when it
// is told to, and ends when it is told anything else.
func TestGuided(t *testing.T) {
	addr := server(t)
	sc, err := bench.FindScenario("route")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"warmup": "still", "warmup-most": "1h", "duration": "50ms", "connections": "2", "brokers": "2", "topics": "4", "rate": "200"} {
		if err := sc.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := sc.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(task{Scenario: sc, Address: addr, Part: bench.Part{Of: 1}, Led: true})
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{lineMeasure: lineResult, "dance": lineError + `told "dance"`} {
		in, told := io.Pipe()
		out, said := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- generate(t.Context(), in, said) }()
		lines := bufio.NewReader(out)
		hear := func(want string) {
			t.Helper()
			if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, want) {
				t.Errorf("it says %.200q, %v; want %q", line, err, want)
			}
		}
		fmt.Fprintf(told, "%s\n", text)
		hear(lineReady + lineLed)
		fmt.Fprintln(told, lineGo)
		for range 2 {
			fmt.Fprintln(told, lineLook)
			hear(lineSeen + `{"answered":`)
		}
		fmt.Fprintln(told, word)
		hear(want)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		told.Close()
	}
}

// TestOldGenerator: one that cannot be led is no part of a run with a warm-up.
func TestOldGenerator(t *testing.T) {
	for led, want := range map[bool]string{true: "older version", false: ""} {
		m := &member{out: bufio.NewReader(strings.NewReader(lineReady + "\n"))}
		if err := m.expectReady(led); (err != nil) != led || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("led %v: %v", led, err)
		}
	}
}

// TestGeneratorEnds: a generator whose starter is gone ends, and does not load the server for
// as long as it was told.
func TestGeneratorEnds(t *testing.T) {
	addr := server(t)
	sc, err := bench.FindScenario("route")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"warmup": "0s", "duration": "1h", "connections": "2", "topics": "4", "rate": "200"} {
		if err := sc.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := sc.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(task{Scenario: sc, Address: addr, Part: bench.Part{Of: 1}})
	if err != nil {
		t.Fatal(err)
	}
	in, told := io.Pipe()
	out, said := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- generate(t.Context(), in, said) }()
	lines := bufio.NewReader(out)
	fmt.Fprintf(told, "%s\n", text)
	if line, err := lines.ReadString('\n'); err != nil || line != lineReady+"\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	fmt.Fprintln(told, lineGo)
	told.Close()
	line, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, lineResult) && !strings.Contains(line, "interrupted") { // as it had begun or not
		t.Errorf("it says %.200q, %v", line, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestGenerate: a generator says in a line what is wrong.
func TestGenerate(t *testing.T) {
	for in, want := range map[string]string{
		"{\n": "error read the task", `{"TLS":{"CA":"/no/such"}}` + "\n": "error --tls-… without --tls", "{}\n": "error ",
	} {
		var out strings.Builder
		if err := generate(t.Context(), strings.NewReader(in), &out); err != nil || !strings.HasPrefix(out.String(), want) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%q: %v, %q", in, err, out.String())
		}
	}
	if err := generate(t.Context(), strings.NewReader(""), new(strings.Builder)); err == nil {
		t.Error("no task is one")
	}
}

func TestTLSFlags(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--tls-ca", empty}, "without --tls"},
		{[]string{"--tls", "--tls-ca", empty}, "no certificate in it"},
		{[]string{"--tls", "--tls-ca", filepath.Join(dir, "none")}, "no such file"},
		{[]string{"--tls", "--tls-cert", empty}, "no such file"},
		{[]string{"--cpus", "x"}, "is no processor"},
		{[]string{"--export", "xml=x"}, "there are hdr, csv, openmetrics"},
		{[]string{"--export", "csv"}, "not FORM=FILE"},
		{[]string{"--export", "csv=no/such/folder/x"}, "no such file"},
	} {
		if code, _, errs := nsbench(t, append([]string{"run", "route", "--target", "127.0.0.1:1"}, tt.args...)...); code != exitFailed || !strings.Contains(errs, tt.want) {
			t.Errorf("%q ends with %d: %s", tt.args, code, errs)
		}
	}
}

// TestExport writes for other tools, with the run and later.
func TestExport(t *testing.T) {
	addr, dir := server(t), t.TempDir()
	name := func(n string) string { return filepath.Join(dir, n) }
	args := slices.Concat([]string{"run", "route", "--target", addr, "--label", "mine", "--json", name("r.json"), "--export", "hdr=" + name("r.hlog") + ",csv=" + name("r.csv")}, closed)
	if code, _, errs := nsbench(t, args...); code != exitOK {
		t.Fatalf("ends with %d: %s", code, errs)
	}
	if code, out, errs := nsbench(t, "report", "--export", "openmetrics="+name("r.txt"), name("r.json")); code != exitOK || out != "" {
		t.Fatalf("report ends with %d: %s%s", code, out, errs)
	}
	for file, want := range map[string]string{"r.hlog": "Tag=mine/route,0.000000,", "r.csv": "mine,,measured,,route,answered,,300", "r.txt": `nsbench_latency_seconds_count{phase="measured",request="route",round="",scenario="route",server="mine"} 300`} {
		if text, err := os.ReadFile(name(file)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, no %q in\n%s", file, err, want, text)
		}
	}
	if code, _, errs := nsbench(t, "report", "--export", "csv="+name("x.csv"), name("r.json"), name("r.json")); code != exitFailed || !strings.Contains(errs, "one result") {
		t.Errorf("of two results it ends with %d: %s", code, errs)
	}
}

func TestParseCPUs(t *testing.T) {
	for text, want := range map[string]string{"0": "[0]", "0,2-4": "[0 2 3 4]", "3,1,3,2-3": "[1 2 3]", "1023": "[1023]"} {
		if got, err := parseCPUs(text); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s is %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "1-", "-1", "3-1", "1024", "0,,1", "0-9999999"} {
		if got, err := parseCPUs(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// TestPin pins a process of its own, and looks at all its threads and at what it starts.
func TestPin(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it is of Linux")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "NSBENCH_TEST_PIN=1")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "pinned" {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := pinProcess([]int{maxCPU}); err == nil || !strings.Contains(err.Error(), "may not use processor 1023") {
		t.Errorf("error is %v", err)
	}
	sc := bench.Scenario{Kind: "restart"}
	if err := (&generatorFlags{cpus: "0"}).pin(sc, &bench.Options{}); err == nil || !strings.Contains(err.Error(), "starts the server again") {
		t.Errorf("error is %v", err)
	}
}

// testPin is what that process does.
func testPin() error {
	allowed := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			return err.Error()
		}
		_, rest, _ := strings.Cut(string(text), "Cpus_allowed_list:")
		line, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(line)
	}
	before := allowed("/proc/self/status")
	first, _, _ := strings.Cut(strings.FieldsFunc(before, func(r rune) bool { return r == ',' })[0], "-")
	// Threads that are there already.
	stop := make(chan struct{})
	defer close(stop)
	for range 4 {
		go func() {
			runtime.LockOSThread()
			<-stop
		}()
	}
	cpus, err := parseCPUs(first)
	if err != nil {
		return err
	}
	unpinned, err := pinProcess(cpus)
	if err != nil {
		return err
	}
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("threads %q, %w", threads, err)
	}
	for _, file := range threads {
		if got := allowed(file); got != first && !strings.Contains(got, "no such") {
			return fmt.Errorf("%s may use %s", file, got)
		}
	}
	child := func() string {
		out, err := exec.Command("cat", "/proc/self/status").Output()
		if err != nil {
			return err.Error()
		}
		_, rest, _ := strings.Cut(string(out), "Cpus_allowed_list:")
		line, _, _ := strings.Cut(rest, "\n")
		return strings.TrimSpace(line)
	}
	if got := child(); got != first {
		return fmt.Errorf("what it starts may use %s, want %s", got, first)
	}
	got := ""
	unpinned(func() { got = child() })
	if got != before {
		return fmt.Errorf("what it starts unpinned may use %s, want %s", got, before)
	}
	if got := child(); got != first {
		return fmt.Errorf("after that, what it starts may use %s, want %s", got, first)
	}
	return nil
}
