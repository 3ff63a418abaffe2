package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
	"gonamesrv/bench/report"
)

// quick makes a run as short as it can be.
var quick = []string{"--quiet", "--topics", "20", "--connections", "4", "--requests", "300", "--ceiling", "0"}

// wantEmpty makes sure that servers have left nothing in the folder for
// temporary files.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestCompare takes turns between our server, the same by a command of its
// own, and the floor, and writes all three forms of the result.
func TestCompare(t *testing.T) {
	_, argv := namesrv(t)
	dir, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	file, page := filepath.Join(dir, "c.json"), filepath.Join(dir, "c.html")
	args := append([]string{
		"compare", "route", "--rounds", "2", "--json", file, "--html", page,
		"--namesrv", argv[0], "--floor", "--command", "other=" + argv[0] + " -c '{dir}/namesrv.properties'", "--base", "other",
	}, quick...)
	code, out, errs := nsbench(t, args...)
	if code != exitOK {
		t.Fatalf("ends with %d: %s", code, errs)
	}
	for _, want := range []string{"nsbench route: namesrv against floor against other", "ratios to other", "route per second ↑", "server CPU", "start to first reply", "command: nsbench compare route --namesrv="} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	wantEmpty(t, tmp)
	d, err := report.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Comparison
	if c == nil || c.Base != 2 || c.Seed != 1 || len(c.Turns) != 6 {
		t.Fatalf("comparison %+v", c)
	}
	for i, turn := range c.Turns {
		res := turn.Result
		if turn.Server != []int{0, 1, 2, 2, 1, 0}[i] || turn.Round != 1+i/3 || res.Seed != uint64(turn.Round) {
			t.Errorf("turn %d is server %d in round %d with seed %d", i, turn.Server, turn.Round, res.Seed)
		}
		if op := res.Phases[0].Ops[0]; op.Answered != 300 || res.Target.PID == 0 || turn.FirstReplySeconds <= 0 {
			t.Errorf("turn %d: %+v, process %d, first reply %g s", i, op, res.Target.PID, turn.FirstReplySeconds)
		}
	}
	// Replies of the floor are as long as those of the first server.
	ours, floor := c.Turns[0].Result.Phases[0].Ops[0].Bytes, c.Turns[1].Result.Phases[0].Ops[0].Bytes
	if d := int64(ours.Received) - int64(floor.Received); d < 0 || d >= 300 {
		t.Errorf("300 replies are %d bytes, those of the floor %d", ours.Received, floor.Received)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "Ratios to other") {
		t.Errorf("page: %d bytes, %v", len(text), err)
	}

	if code, again, errs := nsbench(t, "report", file); code != exitOK || again != out {
		t.Errorf("report ends with %d, %s, and shows\n%s\nwant\n%s", code, errs, again, out)
	}
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := nsbench(t, "report", "--html", file); code != exitOK || out != page+"\n" {
		t.Errorf("report --html ends with %d: %s%s", code, out, errs)
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
	if code, out, _ := nsbench(t, "report", "--markdown", file); code != exitOK || !strings.Contains(out, "| route per second ↑ |") {
		t.Errorf("report --markdown ends with %d:\n%s", code, out)
	}
}

// TestCompareRestart lets compare's servers be killed and started by a scenario.
func TestCompareRestart(t *testing.T) {
	_, argv := namesrv(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	code, out, errs := nsbench(t, "compare", "restart", "--quiet", "--rounds", "1", "--ceiling", "0", "--warmup", "0s", "--duration", "200ms",
		"--rate", "200", "--topics", "50", "--brokers", "4", "--connections", "2", "--namesrv", "a="+argv[0], "--namesrv", "b="+argv[0])
	if code != exitOK || !strings.Contains(out, "every route back") {
		t.Errorf("ends with %d:\n%s\n%s", code, out, errs)
	}
	wantEmpty(t, tmp)
}

// TestCompareFailing says which server failed and shows the end of its output;
// what was seen of the others is kept.
func TestCompareFailing(t *testing.T) {
	_, argv := namesrv(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ours := append([]string{"compare", "route", "--rounds", "2", "--namesrv", argv[0]}, quick...)
	code, out, errs := nsbench(t, append(ours, "--command", "broken="+argv[0]+" -c {dir}/none.properties")...)
	if code != exitFailed {
		t.Errorf("ends with %d", code)
	}
	for _, want := range []string{"broken, round 1: ", "has ended before it answered", "exit status 255", "none.properties: no such file"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
	if !strings.Contains(out, "route per second") {
		t.Errorf("what was seen of the first server is lost:\n%s", out)
	}

	addr, stop, err := bench.ListenEcho(t.Context(), fillerReply(10))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if code, _, errs := nsbench(t, append(ours, "--server", "liar="+addr)...); code == exitOK || !strings.Contains(errs, "liar") {
		t.Errorf("with a server that is none it ends with %d: %s", code, errs)
	}
	wantEmpty(t, tmp)
}

func TestCompareUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"compare"}, "name of one scenario"},
		{[]string{"compare", "route"}, "0 servers"},
		{[]string{"compare", "route", "--floor"}, "1 servers"},
		{[]string{"compare", "route", "--floor", "--server", "127.0.0.1:1"}, "cannot come first"},
		{[]string{"compare", "route", "--server", "127.0.0.1:1", "--server", "127.0.0.1:1"}, "two servers are called"},
		{[]string{"compare", "route", "--server", "nowhere"}, "missing port"},
		{[]string{"compare", "route", "--server", "127.0.0.1:1,me"}, "no process id"},
		{[]string{"compare", "route", "--java", "newest"}, "no release"},
		{[]string{"compare", "route", "--namesrv", "no/such/program"}, "no such file"},
		{[]string{"compare", "route", "--command", "sleep 1"}, "no {port}"},
		{[]string{"compare", "route", "--server", "127.0.0.1:1", "--floor", "--base", "java"}, "they are called"},
		{[]string{"compare", "route", "--server", "127.0.0.1:1", "--floor", "--json", "no/such/folder/x.json"}, "no such file"},
		{[]string{"report"}, "requires at least 1 arg"},
		{[]string{"report", "no/such.json"}, "no such file"},
		{[]string{"report", "main.go"}, "no result of nsbench"},
		{[]string{"report", "--html", "--markdown", "x"}, "none of the others can be"},
	} {
		if code, out, errs := nsbench(t, tt.args...); code != exitFailed || !strings.Contains(errs, tt.want) || out != "" {
			t.Errorf("%q ends with %d, %q and %q, want %q", tt.args, code, out, errs, tt.want)
		}
	}
}

// TestResults summarizes a folder, and says when there is nothing in it.
func TestResults(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := nsbench(t, "results", dir); code != exitFailed || !strings.Contains(errs, "there is no result in") {
		t.Errorf("of an empty folder it ends with %d: %s", code, errs)
	}
	c := &compare.Comparison{
		Kind: compare.Kind, Format: compare.Format, Servers: []compare.Server{{Name: "namesrv"}, {Name: "floor", Floor: true}},
		Scenario: bench.Scenario{Params: bench.Params{Connections: 64, Depth: 1}},
		Turns:    []compare.Turn{{Round: 1, FirstReplySeconds: 0.01, Result: &bench.Result{OK: true}}},
	}
	c.Figures = compare.Figures(c)
	c.Thresholds = []bench.Verdict{{Threshold: "server first-reply > 20ms", Verdict: bench.Passed, Measured: 0.01, Limit: 0.02, Unit: "s", Rounds: 1}}
	if err := (report.Document{Comparison: c}).Write(filepath.Join(dir, "route-64x1.json")); err != nil {
		t.Fatal(err)
	}
	code, out, errs := nsbench(t, "results", dir)
	if code != exitOK {
		t.Fatalf("ends with %d: %s", code, errs)
	}
	for _, want := range []string{"| route-64x1 | server first-reply > 20ms | passed | 20.0 ms | 10.0 ms |", "Raw: [route-64x1.json](route-64x1.json)", "| start to first reply | 10.0 ms |"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
