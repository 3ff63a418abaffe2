package namesrv_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// writeRoutesUntilKilled is the program of TestSnapshotKilled's children: it says
// what it has read, then writes snapshots and says so after each.
func writeRoutesUntilKilled(file string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	cfg := namesrv.DefaultConfig()
	cfg.RouteSnapshotPath = file
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	fail(err)
	fmt.Println(s.LoadRoutes().Result)
	for n := time.Now().UnixMilli(); ; n++ {
		fail(registerSome(s, 2, 400, n))
		fail(s.WriteRoutes())
		fmt.Println("written")
	}
}

// TestSnapshotKilled kills processes that write snapshots, wherever they are. After
// each the file is whole, and the next process begins with it. NAMESRV_KILLS says how
// often.
func TestSnapshotKilled(t *testing.T) {
	if raceEnabled {
		t.Skip("who is killed tells of no race")
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	kills := 60
	if n, err := strconv.Atoi(os.Getenv("NAMESRV_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "routes.snap")
	inTheMiddle := 0
	for i := range kills {
		child := exec.Command(exe)
		child.Env = append(os.Environ(), "NAMESRV_ROUTES_CHILD="+file)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		want := "restored"
		if i == 0 {
			want = "none"
		}
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("child %d says %q, want %s", i, lines.Text(), want)
		}
		if !lines.Scan() || lines.Text() != "written" {
			t.Fatalf("child %d says %q", i, lines.Text())
		}
		if i%2 == 0 {
			time.Sleep(rand.N(8 * time.Millisecond)) // wherever it is by then
		} else { // however long it takes to what is next, on this machine
			for late := time.Now().Add(nstest.Patience); time.Now().Before(late); {
				if half, _ := filepath.Glob(file + ".tmp-*"); len(half) > 0 {
					break
				}
				time.Sleep(50 * time.Microsecond)
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
		}
		_ = child.Wait() // killed
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("after %d kills: %v", i+1, err)
		}
		if _, saved, err := route.ReadSnapshot(text, 0); err != nil || len(saved.Lives) != 2 || len(saved.Topics) < 400 {
			t.Fatalf("after %d kills: %v", i+1, err)
		}
		if half, _ := filepath.Glob(file + ".tmp-*"); len(half) > 1 {
			t.Fatalf("after %d kills: %q", i+1, half)
		} else {
			inTheMiddle += len(half)
		}
	}
	t.Logf("%d killed, %d in the middle of a write", kills, inTheMiddle)
	if kills >= 60 && inTheMiddle == 0 {
		t.Error("nobody was killed in the middle of a write")
	}
}
