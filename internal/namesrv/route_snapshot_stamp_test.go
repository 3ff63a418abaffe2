package namesrv_test

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// A machineClock is what several processes of one machine go by.
type machineClock struct{ since atomic.Int64 }

func (c *machineClock) add(d time.Duration) { c.since.Add(int64(d)) }

// prepare lets a server go by the clock.
func (c *machineClock) prepare(s *namesrv.Server) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s.SetBoot(func() (string, time.Duration) { return "one", time.Hour + time.Duration(c.since.Load()) })
	s.SetWall(func() time.Time { return start.Add(time.Duration(c.since.Load())) })
}

// TestStampedSnapshot: a snapshot of which nothing has changed for long is as old as
// its last stamp, not as its text. A stamp changes nothing else, and one that was torn
// leaves the one before.
func TestStampedSnapshot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	mine := func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStartIdentity = file, "me" }
	var clock machineClock
	s, _ := idleServer(t, mine, clock.prepare)
	if err := registerSome(s, 2, 10, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteRoutes(); err != nil {
		t.Fatal(err)
	}
	written := readFile(t, file)
	var stamped [2]string
	for i := range stamped {
		clock.add(400 * time.Second)
		if err := s.StampRoutes(); err != nil {
			t.Fatal(err)
		}
		stamped[i] = readFile(t, file)
		h, _, err := route.ReadSnapshot([]byte(stamped[i]), 0)
		if want := time.Hour + time.Duration(i+1)*400*time.Second; err != nil || h.Stamp.BoottimeNanos != int64(want) || h.Stamp.Number != uint64(i+3) {
			t.Fatalf("stamp %d is %+v, %v, want one of %v", i, h.Stamp, err, want)
		}
		if stamped[i][:3072] != written[:3072] || stamped[i][4096:] != written[4096:] {
			t.Errorf("stamp %d changes more than the stamps", i)
		}
	}
	if w := s.Snapshot().Routes.Write; w.Stamps != 2 || w.Writes != 1 || w.StampFailures != 0 {
		t.Errorf("it shows %+v", w)
	}
	s.ReleaseRoutes()
	clock.add(500 * time.Second) // 1,300 s after it was written
	torn := []byte(stamped[1])
	for i := 3072; i < 4096; i++ {
		if stamped[0][i] != stamped[1][i] {
			torn[i] ^= 0xFF
			break
		}
	}
	for _, tt := range []struct {
		name, text, result string
		age                time.Duration
	}{
		{"stamped twice", stamped[1], "restored", 500 * time.Second},
		{"stamped once", stamped[0], "restored", 900 * time.Second},
		{"the second is torn", string(torn), "restored", 900 * time.Second},
		{"never stamped", written, "refused", 1300 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			writeFile(t, file, tt.text)
			next, _ := idleServer(t, mine, clock.prepare)
			got := next.LoadRoutes()
			next.ReleaseRoutes()
			if got.Result != tt.result || got.Age != tt.age {
				t.Errorf("it is %+v, want %s after %v", got, tt.result, tt.age)
			}
		})
	}
}

// TestSnapshotWithoutLocks: where the file system knows no locks, who writes is known
// by what is written. A process takes over what it found at its start, if nobody has
// written or stamped it since, and what nobody has stamped for three minutes.
func TestSnapshotWithoutLocks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	mine := func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStartIdentity = file, "me" }
	var clock machineClock
	counter := int64(0)
	begin := func(want string) *namesrv.Server {
		t.Helper()
		s, _ := idleServer(t, mine, clock.prepare, (*namesrv.Server).WithoutLocks)
		if got := s.LoadRoutes(); got.Result != want {
			t.Fatalf("it is %+v, want %s", got, want)
		}
		return s
	}
	write := func(s *namesrv.Server) error {
		counter++
		if err := registerSome(s, 2, 10, counter); err != nil {
			t.Fatal(err)
		}
		return s.WriteRoutes()
	}
	good := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	refused := func(what string, err error, before string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "another process writes it") || readFile(t, file) != before {
			t.Fatalf("%s: %v", what, err)
		}
	}
	a := begin("none")
	good("the first", write(a))
	b := begin("restored")
	good("what it found", write(b))
	theirs := readFile(t, file)
	refused("written by another", write(a), theirs)
	refused("stamped by who has not written it", a.StampRoutes(), theirs)
	good("its own", write(b))

	c := begin("restored")
	clock.add(time.Minute)
	good("its own, again", b.StampRoutes())
	refused("stamped since it was read", write(c), readFile(t, file))

	clock.add(179 * time.Second)
	refused("stamped 179 s ago", write(c), readFile(t, file))
	clock.add(2 * time.Second)
	good("stamped 181 s ago", write(c))
	refused("taken over", write(b), readFile(t, file))
}

// TestWindowBeginsWhenServing: it takes 100 s from the moment the routes are restored
// until brokers can reach the server. Their window begins then, not before.
func TestWindowBeginsWhenServing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) { registerAB(t, s.dial(t)) })
	var now, slow atomic.Int64
	now.Store(int64(time.Hour))
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) {
		if slow.Load() != 1 {
			t.Fatalf("%d times slow", slow.Load())
		}
		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{119 * time.Second, 3}, {121 * time.Second, 0}} {
			now.Store(int64(time.Hour + 100*time.Second + tt.after))
			s.ScanIn(0)
			if n := s.Table().View().LiveCount(); n != tt.want {
				t.Errorf("%d live %v after it began to serve, want %d", n, tt.after, tt.want)
			}
		}
	}, func(s *namesrv.Server) {
		s.SetClock(func() time.Duration { return time.Duration(now.Load()) })
		s.OnLog(func(line string) {
			if line == "starts with the routes of its snapshot" {
				now.Add(int64(100 * time.Second))
				slow.Add(1)
			}
		})
	})
}

// TestSilentForTooLong: a broker that had been silent for longer than a snapshot may be
// old, beyond its time-out, is not in what the next server begins with. So restarts that
// follow one another do not keep a dead one.
func TestSilentForTooLong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	var clock machineClock
	fake := func(s *namesrv.Server) {
		clock.prepare(s)
		s.SetClock(func() time.Duration { return time.Duration(clock.since.Load()) })
	}
	s, _ := idleServer(t, func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStartIdentity = file, "me" }, fake)
	if err := registerSome(s, 2, 10, 1); err != nil {
		t.Fatal(err)
	}
	clock.add(route.DefaultHeartbeatTimeoutMillis*time.Millisecond + time.Minute)
	if err := s.WriteRoutes(); err != nil {
		t.Fatal(err)
	}
	s.ReleaseRoutes()
	for most, want := range map[time.Duration]int{59 * time.Second: 0, 61 * time.Second: 2} {
		next, _ := idleServer(t, func(c *namesrv.Config) {
			c.RouteSnapshotPath, c.WarmStartIdentity, c.WarmStartMaxAge = file, "me", most
		}, fake)
		next.LoadRoutes()
		next.ReleaseRoutes()
		if got := next.Table().View().BrokerCount(); got != want {
			t.Errorf("with %v it begins with %d brokers, want %d", most, got, want)
		}
	}
}
