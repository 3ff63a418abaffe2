package namesrv_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// TestWriteRests: a write sleeps as soon as it has worked for a while, a hundred times as
// long and later forty times, and what it has slept does not count for the time to the next
// one. That of a server that ends does not.
func TestWriteRests(t *testing.T) {
	topics := 20_000
	if raceEnabled {
		topics = 5_000
	}
	for name, c := range map[string]struct {
		piece   time.Duration // of work
		hasTime bool
		each    int // pieces to a sleep
	}{
		"long pieces":         {2 * namesrv.WritePiece, true, 1},
		"a long write":        {25 * time.Millisecond, true, 1},
		"short pieces":        {namesrv.WritePiece / 4, true, 4},
		"somebody waits":      {namesrv.WritePiece, false, 0},
		"pieces of no length": {0, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := idleServer(t, keepRoutes(filepath.Join(t.TempDir(), "routes.snap")))
			if err := registerSome(s, 2, topics, 1); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				pieces, quiet := s.WriteRoutesSlowly(c.piece, c.hasTime)
				slept := time.Since(began)
				want := time.Duration(0)
				for piece := 1; c.each > 0 && piece <= pieces; piece++ {
					switch elapsed := want + time.Duration(piece)*c.piece; {
					case piece%c.each != 0:
					case elapsed < namesrv.WriteLong:
						want += namesrv.WritePause
					default:
						want += namesrv.WritePauseLate
					}
				}
				if pieces < topics/1000 || slept != want {
					t.Errorf("slept for %v between %d pieces of %v, want %v", slept, pieces, c.piece, want)
				}
				if want := 40 * time.Duration(pieces) * c.piece; quiet != want {
					t.Errorf("next write after %v, want %v", quiet, want)
				}
			})
		})
	}
}

// TestSnapshotRefused has a file that is good, and its backup, and then something
// wrong with the one, the other or both. The server starts in any case, with what
// is right or without.
func TestSnapshotRefused(t *testing.T) {
	at := func(wall time.Time) func(*namesrv.Server) {
		return func(s *namesrv.Server) { s.SetWall(func() time.Time { return wall }) }
	}
	wall := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	flip := func(i int) func(*testing.T, string) {
		return func(t *testing.T, file string) {
			text := []byte(readFile(t, file))
			if i < 0 {
				i += len(text)
			}
			text[i] ^= 0x10
			writeFile(t, file, string(text))
		}
	}
	remove := func(t *testing.T, file string) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	same, next := bootAt("one", time.Hour+20*time.Second), bootAt("two", time.Minute)
	none := func(*testing.T, string) {}
	for name, c := range map[string]struct {
		file, backup func(*testing.T, string)
		prepare      []func(*namesrv.Server)
		config       func(*namesrv.Config)
		result, why  string
		files        string // what is left beside the lock
	}{
		"good":                      {none, none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap routes.snap.bak"},
		"wall clock set":            {none, none, []func(*namesrv.Server){same, at(wall.Add(-time.Hour))}, nil, "restored", "", "routes.snap routes.snap.bak"},
		"after a reboot":            {none, none, []func(*namesrv.Server){next, at(wall.Add(time.Minute))}, nil, "restored", "", "routes.snap routes.snap.bak"},
		"no file":                   {remove, remove, []func(*namesrv.Server){same, at(wall)}, nil, "none", "", ""},
		"too old":                   {none, none, []func(*namesrv.Server){bootAt("one", time.Hour+901*time.Second), at(wall)}, nil, "refused", "it was last known to be right 15m1s ago, 15m0s is the most", "routes.snap.bak.refused routes.snap.refused"},
		"not too old":               {none, none, []func(*namesrv.Server){bootAt("one", time.Hour+899*time.Second), at(wall)}, nil, "restored", "", "routes.snap routes.snap.bak"},
		"too old by its key":        {none, none, []func(*namesrv.Server){same, at(wall)}, func(c *namesrv.Config) { c.WarmStartMaxAge = 10 * time.Second }, "refused", "it was last known", "routes.snap.bak.refused routes.snap.refused"},
		"1970 at boot":              {none, none, []func(*namesrv.Server){next, at(time.Unix(60, 0))}, nil, "refused", "its age is not known", "routes.snap.bak.refused routes.snap.refused"},
		"other identity":            {none, none, []func(*namesrv.Server){same, at(wall)}, func(c *namesrv.Config) { c.WarmStartIdentity = "other" }, "refused", `it is of "me", this is "other"`, "routes.snap.bak.refused routes.snap.refused"},
		"other port":                {none, none, []func(*namesrv.Server){same, at(wall)}, func(c *namesrv.Config) { c.WarmStartIdentity = "" }, "refused", ":9876", "routes.snap.bak.refused routes.snap.refused"},
		"other major":               {flip(8), none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap.bak routes.snap.refused"},
		"flipped":                   {flip(4200), none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap.bak routes.snap.refused"},
		"flipped, and the backup":   {flip(4200), flip(-1), []func(*namesrv.Server){same, at(wall)}, nil, "refused", "route: snapshot is damaged", "routes.snap.bak.refused routes.snap.refused"},
		"truncated":                 {func(t *testing.T, file string) { writeFile(t, file, readFile(t, file)[:4100]) }, none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap.bak routes.snap.refused"},
		"blank":                     {func(t *testing.T, file string) { writeFile(t, file, "") }, none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap.bak routes.snap.refused"},
		"killed between two names":  {remove, none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap.bak"},
		"more than the limits":      {none, none, []func(*namesrv.Server){same, at(wall)}, func(c *namesrv.Config) { c.MaxTopics = 10 }, "refused", "topics", "routes.snap.bak.refused routes.snap.refused"},
		"good, but a folder":        {func(t *testing.T, file string) { remove(t, file); mkdir(t, file) }, none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap routes.snap.bak"},
		"one torn stamp":            {flip(3072 + 5), none, []func(*namesrv.Server){same, at(wall)}, nil, "restored", "", "routes.snap routes.snap.bak"},
		"good, with nobody in them": {func(t *testing.T, file string) { writeEmpty(t, file, wall) }, none, []func(*namesrv.Server){same, at(wall)}, nil, "empty", "it has no brokers", "routes.snap routes.snap.bak"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "routes.snap")
			config := func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStartIdentity = file, "me" }
			former, _ := idleServer(t, config, bootAt("one", time.Hour), at(wall))
			for i := range int64(2) {
				if err := registerSome(former, 2, 20, i); err != nil {
					t.Fatal(err)
				}
				if err := former.WriteRoutes(); err != nil {
					t.Fatal(err)
				}
			}
			former.ReleaseRoutes()
			c.file(t, file)
			c.backup(t, file+".bak")
			s, log := idleServer(t, func(cfg *namesrv.Config) {
				config(cfg)
				if c.config != nil {
					c.config(cfg)
				}
			}, c.prepare...)
			got := s.LoadRoutes()
			if got.Result != c.result || !strings.Contains(got.Why, c.why) {
				t.Errorf("it is %+v, want %s, %s", got, c.result, c.why)
			}
			if n := s.Table().View().LiveCount(); (n == 2) != (c.result == "restored") || n != 2 && n != 0 {
				t.Errorf("%d live", n)
			}
			if strings.Contains(c.files, "refused") != log.has("level=WARN msg=\"snapshot of the routes refused\"") && name != "good, but a folder" {
				t.Errorf("the log is %s", log)
			}
			want := append(strings.Fields(c.files), "routes.snap.lock")
			slices.Sort(want)
			wantFiles(t, dir, want...)
		})
	}
}

func mkdir(t *testing.T, dir string) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// writeEmpty writes a whole snapshot of tables without brokers.
func writeEmpty(t *testing.T, file string, wall time.Time) {
	var b bytes.Buffer
	h := &route.SnapshotHeader{Identity: "me", Stamp: route.SnapshotStamp{Number: 1, WallMillis: wall.UnixMilli(), BootID: "one", BoottimeNanos: int64(time.Hour)}}
	if _, err := route.WriteSnapshot(&b, h, route.New(route.Options{}).View(), 0, nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, b.String())
}

// TestSnapshotTakesTooLong abandons what takes too long to read, whole.
func TestSnapshotTakesTooLong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) { registerAB(t, s.dial(t)) })
	slow := make(chan struct{})
	lifetime(t, func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStartLoadTime = file, time.Millisecond }, func(t *testing.T, s *testServer, log *logText) {
		if got := s.Snapshot().Routes.Load.Result; got != "abandoned" || s.Table().View().LiveCount() != 0 || !log.has("starts without routes, reading their snapshot takes too long") {
			t.Errorf("it is %s, %d live, the log is %s", got, s.Table().View().LiveCount(), log)
		}
		close(slow)
	}, func(s *namesrv.Server) { s.OnReadRoutes(func() { <-slow }) })
}

// TestSnapshotOfTwoServers: the second with the same file neither reads nor writes it,
// says so once, and writes it when the first has ended.
func TestSnapshotOfTwoServers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "routes.snap")
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) { registerAB(t, s.dial(t)) })
	long := t
	var second *testServer
	var log *logText
	lifetime(t, keepRoutes(file), func(t *testing.T, first *testServer, _ *logText) {
		before := readFile(t, file)
		second, log = startLogging(long, keepRoutes(file))
		<-second.Ready()
		if got := second.Snapshot().Routes.Load.Result; got != "in use" || second.Table().View().LiveCount() != 0 || !log.has("snapshot of the routes is neither read nor written") {
			t.Errorf("it is %s, the log is %s", got, log)
		}
		wantCode(t, second.dial(t).Do(nstest.Broker{Cluster: "C", Name: "c", Addr: "10.0.0.9:10911", Counter: 1, Topics: []string{"T", "U"}}.Register()), codec.RespSuccess, "")
		nstest.Eventually(t, "it has tried twice", func() bool { return second.Snapshot().Routes.Write.WriteFailures > 1 })
		if w := second.Snapshot().Routes.Write; w.Writes != 0 || !strings.Contains(w.Failing, "another process writes") {
			t.Errorf("it shows %+v", w)
		}
		if readFile(t, file) != before && first.Snapshot().Routes.Write.Writes == 0 {
			t.Error("the second has written")
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings: %s", n, log)
		}
	})
	nstest.Eventually(t, "the second writes", func() bool { return second.Snapshot().Routes.Write.Writes > 0 })
	if !log.has("snapshot of the routes is written by this process from now on") {
		t.Errorf("the log is %s", log)
	}
}

// TestSnapshotCannotBeWritten: there is no folder, and none can be made. The server
// serves, says so, goes on trying, and writes when it can.
func TestSnapshotCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "folder")
	writeFile(t, dir, "in its place")
	s, log := startLogging(t, keepRoutes(filepath.Join(dir, "routes.snap")))
	c := s.dial(t)
	registerAB(t, c)
	nstest.Eventually(t, "it has tried three times", func() bool { return s.Snapshot().Routes.Write.WriteFailures > 2 })
	if reply := c.Do(nstest.Route("T")); codec.ResponseCode(reply.Code) != codec.RespSuccess {
		t.Errorf("answered %v", reply.Code)
	}
	if n := strings.Count(log.String(), "snapshot of the routes cannot be written"); n != 1 {
		t.Errorf("%d lines in the first minute: %s", n, log)
	}
	if w := s.Snapshot().Routes.Write; w.Failing == "" || w.Writes != 0 || w.Age != 0 {
		t.Errorf("it shows %+v", w)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, "it is written", func() bool { return s.Snapshot().Routes.Write.Writes > 0 })
	if w := s.Snapshot().Routes.Write; w.Failing != "" || !log.has("snapshot of the routes is written") {
		t.Errorf("it shows %+v", w)
	}
}
