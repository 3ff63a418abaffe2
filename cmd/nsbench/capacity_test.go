package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/bench/capacity"
)

// TestCapacity measures a few small sizes, and finds what there must be of each; nothing is
// left behind.
func TestCapacity(t *testing.T) {
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	file := filepath.Join(t.TempDir(), "capacity.json")
	code, out, errs := nsbench(t, "capacity", "--namesrv", bin, "--topics", "40", "--of", "4", "--brokers", "1,3", "--names", "20",
		"--connections", "50", "--reads", "500", "--json", file)
	if code != exitOK {
		t.Fatalf("it ends with %d: %s%s", code, errs, out)
	}
	for _, want := range []string{"What one server carries", "Memory", "CPU", "kill -9 and start", "Connections that say nothing", "Formulas"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	r, err := capacity.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Points) != 3 || r.Idle == nil || len(r.Idle.Steps) != 5 || r.Empty.Heap == 0 || r.Machine.Cores == 0 {
		t.Fatalf("it has %+v", r)
	}
	for i, want := range []struct{ topics, entries int }{{48, 48}, {22, 22}, {26, 66}} {
		p := r.Points[i]
		if p.Topics != want.topics || p.Entries != want.entries {
			t.Errorf("%v: %d topics and %d entries, want %d and %d", p.Size, p.Topics, p.Entries, want.topics, want.entries)
		}
		for what, w := range map[string]capacity.Work{"first": p.First, "unchanged": p.Unchanged, "new": p.NewVersion, "asked": p.AskedOnce, "back": p.Back} {
			if w.Requests < p.Brokers || w.CPUSeconds <= 0 {
				t.Errorf("%v: %s is %+v", p.Size, what, w)
			}
		}
		switch {
		case p.Reads.Requests != 500, p.ReplyBytes < 100, p.RegistrationBytes < 1000, p.SnapshotBytes == 0, p.CacheBytes == 0:
			t.Errorf("%v: %+v", p.Size, p)
		case p.Registered.Heap == 0, p.Left.Heap == 0, p.Registered.Resident <= p.Registered.Heap, p.Used.Peak < p.Registered.Peak:
			t.Errorf("%v: its memory is %+v and %+v", p.Size, p.Registered, p.Used)
		case p.Restart == nil, p.Restart.RouteSeconds <= 0, p.Restart.RouteSeconds < p.Restart.FirstReplySeconds/2:
			t.Errorf("%v: after kill -9 it is %+v", p.Size, p.Restart)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("it has left %v, %v", left, err)
	}
	code, out, errs = nsbench(t, "capacity", "--read", file, "--markdown")
	if code != exitOK || errs != "" || !strings.HasPrefix(out, "# Capacity, 20") || !strings.Contains(out, "| 3 | 20, the same | 66 |") {
		t.Errorf("read again it ends with %d: %s%s", code, errs, out)
	}
}

// TestCapacityFails: what cannot be measured is refused before anything is started.
func TestCapacityFails(t *testing.T) {
	for want, args := range map[string][]string{
		"no such file":          {"--namesrv", "/no/such/program", "--connections", "0"},
		"each of 5 brokers":     {"--topics", "3", "--of", "5"},
		"there must be one":     {"--brokers", "-1"},
		"must be positive":      {"--reads", "0"},
		"--of and --names":      {"--names", "0"},
		"file descriptors":      {"--connections", "99999000"},
		"no such file or":       {"--read", "/no/such/file"},
		"unknown flag: --sizes": {"--sizes", "3"},
	} {
		if code, out, errs := nsbench(t, append([]string{"capacity"}, args...)...); code != exitFailed || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%q ends with %d: %s%s, want %q", args, code, out, errs, want)
		}
	}
}
