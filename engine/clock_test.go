package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A machine is what a clock stands on: a test moves it.
type machine struct {
	mono, asleep atomic.Int64
}

// clock returns a watched clock that beats only when the test says so.
func (m *machine) clock() *Clock {
	c := newClock(
		func() time.Duration { return time.Duration(m.mono.Load()) },
		func() time.Duration { return time.Duration(m.asleep.Load()) })
	c.fixed = true // the engine lets it alone
	c.begin()
	return c
}

func (m *machine) pass(d time.Duration) { m.mono.Add(int64(d)) }

// TestClockTakesPausesOff stops the process for a long time. What the clock shows
// is the same whether the beat, a scan or a loop is the first to go on.
func TestClockTakesPausesOff(t *testing.T) {
	var m machine
	c := m.clock()
	for range 40 {
		m.pass(beatInterval)
		if length := c.beat(); length != 0 {
			t.Fatalf("a beat in time tells of a pause of %v", length)
		}
	}
	if got := c.Now(); got != 10*time.Second || !c.Settled() {
		t.Fatalf("after 10 s the clock shows %v, settled %v", got, c.Settled())
	}
	m.pass(185 * time.Second)
	if got := c.Now(); got != 10*time.Second+stride {
		t.Errorf("before the pause is noticed the clock shows %v", got)
	}
	if c.Settled() {
		t.Error("peers are judged before the pause is noticed")
	}
	if got := c.beat(); got != 185*time.Second {
		t.Errorf("the pause was noticed as %v", got)
	}
	if got := c.Now(); got != 10*time.Second+stride {
		t.Errorf("after the pause is noticed the clock shows %v", got)
	}
	for range settleTime / beatInterval {
		if c.Settled() {
			t.Error("peers are judged before what they sent is served")
		}
		m.pass(beatInterval)
		c.beat()
	}
	if got := c.Now(); got != 10*time.Second+stride+settleTime || !c.Settled() {
		t.Errorf("a second later the clock shows %v, settled %v", got, c.Settled())
	}
	if n, d := c.pauses.Load(), time.Duration(c.paused.Load()); n != 1 || d != 185*time.Second {
		t.Errorf("%d pauses of %v counted", n, d)
	}
}

// TestClockOfASuspendedMachine has CLOCK_MONOTONIC stand still by itself.
func TestClockOfASuspendedMachine(t *testing.T) {
	var m machine
	c := m.clock()
	m.pass(beatInterval)
	m.asleep.Add(int64(time.Hour))
	if got := c.beat(); got != time.Hour+beatInterval {
		t.Errorf("the pause was noticed as %v", got)
	}
	if got := c.Now(); got != beatInterval || c.Settled() {
		t.Errorf("the clock shows %v, settled %v", got, c.Settled())
	}
}

// TestClockUnwatched: nothing is taken off before an engine runs, and after.
func TestClockUnwatched(t *testing.T) {
	var m machine
	c := newClock(func() time.Duration { return time.Duration(m.mono.Load()) }, func() time.Duration { return 0 })
	m.pass(time.Hour)
	if got := c.Now(); got != time.Hour || !c.Settled() {
		t.Errorf("the clock shows %v, settled %v", got, c.Settled())
	}
	c.begin()
	m.pass(time.Minute)
	c.end()
	m.pass(time.Minute)
	if got := c.Now(); got != time.Hour+stride+time.Minute || !c.Settled() && c.last.Load().watched {
		t.Errorf("the clock shows %v", got)
	}
}

// TestClockNeverGoesBack has readers beside the beat, and steps of every size.
func TestClockNeverGoesBack(t *testing.T) {
	var m machine
	c := m.clock()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for last := time.Duration(0); ; {
				now := c.Now()
				if now < last {
					t.Errorf("the clock showed %v and then %v", last, now)
					return
				}
				last = now
				c.Settled()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		before, was := c.Now(), m.mono.Load()
		m.pass(time.Duration(rnd.Int64N(int64(3 * stride))))
		c.beat()
		if went, is := c.Now()-before, time.Duration(m.mono.Load()-was); went != min(is, stride) {
			t.Fatalf("in %v the clock went on by %v", is, went)
		}
	}
	close(stop)
	readers.Wait()
}

// TestClockReadAcrossAPause has the process stop in the middle of a reading, and
// the pause noticed before the reader goes on.
func TestClockReadAcrossAPause(t *testing.T) {
	var m machine
	c := m.clock()
	now := c.now
	c.now = func() time.Duration {
		read := now()
		c.now = now
		m.pass(185 * time.Second)
		c.beat()
		return read
	}
	m.pass(time.Second)
	if got := c.Now(); got != time.Second {
		t.Errorf("the clock shows %v", got)
	}
	if got := c.Now(); got != stride {
		t.Errorf("and then %v", got)
	}
}

// TestClockIsWatched runs an engine with the clock it has by default.
func TestClockIsWatched(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	first := s.o.Clock.last.Load()
	eventually(t, "it beats", func() bool { b := s.o.Clock.last.Load(); return b.watched && b != first })
	s.stop()
	if s.o.Clock.last.Load().watched {
		t.Error("it is watched after Run")
	}
}

// TestPauseCutsNobodyOff stops the process for longer than every limit there is,
// while peers of each kind are about to exceed it. The loops wake before the
// pause is noticed. Nobody is closed then, and each when its time is over.
func TestPauseCutsNobodyOff(t *testing.T) {
	var m machine
	big := blower(3 << 20)
	h := &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		if string(frame[4:]) == "big" {
			return big(c, frame, out)
		}
		return append(out, frame...)
	}}
	clock := m.clock()
	s := serve(t, h, func(o *Options) {
		withProxy(o)
		smallSockets(o)
		o.tick = time.Second
		o.Clock = clock
	})
	// wake is what runs of itself when the process goes on.
	wake := func() {
		for _, l := range s.loops {
			s.onLoop(l, l.tick)
			s.onLoop(l, l.scanChoked)
		}
		s.tls.review(s.o.Clock, s.o.Budget)
	}
	pass := func(d time.Duration) {
		for ; d > 0; d -= time.Second {
			m.pass(time.Second)
			clock.beat()
			wake()
		}
	}
	silent, first, later, slow, proxied, secure, shy := s.dial(), s.dial(), s.dial(), s.dial(), s.dial(), s.dialTLS(nil), s.dial()
	secure.ask("x", "x")
	silent.ping("x")
	later.ping("x")
	slow.SetReadBuffer(16 << 10)
	slow.send(textFrame("big"))
	before := s.Stats()
	half := []byte{0, 0, 0, 9, 'x'}
	first.send(half)
	later.send(half)
	proxied.send([]byte("PROXY TCP4"))
	shy.send([]byte{tlsHandshake, 3})
	s.arrived(before, 2*len(half)+10+2)
	eventually(t, "one is choked, two speak TLS", func() bool { st := s.Stats(); return st.Choked == 1 && st.TLSOpen == 2 })

	pass(8 * time.Second)
	for range 2 {
		m.pass(185 * time.Second)
		wake()
		clock.beat()
		wake()
	}
	if st := s.Stats(); st.Open != 7 || st.Pauses != 2 || st.Paused < 370*time.Second {
		t.Fatalf("after two pauses: %+v, want 7 open", st)
	}
	silent.ping("still here")
	secure.ask("still here", "still here")

	pass(4 * time.Second)
	eventually(t, "preambles", func() bool { return s.Stats().ClosedPreamble == 2 })
	pass(20 * time.Second)
	eventually(t, "the first frame", func() bool { return s.Stats().ClosedFrameTimeout == 1 })
	pass(30 * time.Second)
	eventually(t, "a later frame and a slow reader", func() bool { st := s.Stats(); return st.ClosedFrameTimeout == 2 && st.ClosedSlowReader == 1 })
	if n := s.Stats().Open; n != 2 {
		t.Errorf("%d open, want the two that are silent", n)
	}
	pass(80 * time.Second) // some of it is lost when the engine beats at the same time
	eventually(t, "the silent ones", func() bool { return s.Stats().ClosedIdle == 2 })
}

// TestRunLongAfterNew: the first peers of such an engine are not taken for idle.
func TestRunLongAfterNew(t *testing.T) {
	h := &testHandler{}
	s, clock := serveInTime(t, h, func(o *Options) {
		test := o.Clock
		o.Clock = ClockOf(func() time.Duration { return time.Hour + test.Now() })
	})
	for range 8 {
		s.dial().ping("x") // so its loop knows it
	}
	clock.advance(119 * time.Second)
	if st := s.Stats(); st.Open != 8 {
		t.Errorf("%d are open after 119 s, want 8", st.Open)
	}
	clock.advance(3 * time.Second)
	eventually(t, "all are idle", func() bool { return s.Stats().ClosedIdle == 8 })
}

// clockReads is where the rooms that measure time may ask package time for it:
// everywhere else a Clock is asked. What is compared with another reading of the
// same kind is monotonic; what a deadline of package net is made of as well.
var clockReads = map[string]string{
	"engine/clock.go monotonic":                         "the one",
	"engine/fairness.go spent":                          "the length of a turn, monotonic",
	"engine/dial.go SendOnce":                           "deadline of a socket",
	"engine/drain.go drain":                             "how long a drain has lasted, monotonic",
	"engine/drain.go stopAccepting":                     "deadline of a socket",
	"engine/drain.go mustAcceptMore":                    "deadline of a socket",
	"internal/namesrv/server.go New":                    "the wall clock itself",
	"internal/namesrv/log_limit.go logLimited":          "the age of a line, monotonic",
	"internal/namesrv/damper.go clock":                  "when an answer is due, monotonic",
	"internal/namesrv/admin_log.go write":               "what is shown",
	"internal/namesrv/reload.go logAlways":              "what is shown",
	"internal/namesrv/server.go wallMillis":             "what is shown, and dates what has no date",
	"internal/namesrv/cluster_test_mode.go nameServers": "the age of a list, monotonic",
	"internal/namesrv/cluster_test_mode.go known":       "the age of a list, monotonic",
	"internal/namesrv/cluster_test_mode.go ask":         "deadline of a socket",
	"internal/namesrv/peers.go check":                   "what is shown: a field named Since",
	"internal/namesrv/peers.go tell":                    "what is shown: a field named Since",
	"internal/namesrv/peers_diff.go show":               "what is shown: a field named Since",
	"internal/namesrv/route_snapshot_file.go stamp":     "what is shown, and ages a file over a restart of the machine",
	"internal/namesrv/route_snapshot_file.go ageOf":     "the age of a file over a restart of the machine",
	"internal/namesrv/route_snapshot_keeper.go write":   "what is shown",
	"internal/namesrv/route_snapshot_load.go putAside":  "what is shown",
	"internal/namesrv/access.go use":                    "what is shown",
	"internal/namesrv/remark.go shownMillis":            "what is shown",
	"internal/namesrv/horizons.go use":                  "what is shown",
	"internal/namesrv/tls_reload.go logCertificate":     "certificates are dated",
	"internal/namesrv/tls_context.go selfSigned":        "certificates are dated",
}

// TestOneClock finds who asks the time without leave: Unix seconds of every
// precision move when somebody sets the wall clock, and what comes of that is
// seen on one day in a year.
func TestOneClock(t *testing.T) {
	found := map[string]bool{}
	for _, room := range []string{"engine", "internal/namesrv", "route", "codec"} {
		files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(room, err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				for _, place := range timeReads(t, file) {
					found[room+"/"+filepath.Base(file)+" "+place] = true
				}
			}
		}
	}
	for place := range found {
		if clockReads[place] == "" {
			t.Errorf("%s asks package time: let it ask a Clock, or say here why not", place)
		}
	}
	for place := range clockReads {
		if !found[place] {
			t.Errorf("%s does not ask package time any more", place)
		}
	}
}

// timeReads returns the functions of a file that use time.Now, or a Unix time.
func timeReads(t *testing.T, file string) (places []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		name := "monotonic" // of a variable: only processStart is one
		if f, ok := d.(*ast.FuncDecl); ok {
			name = f.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				switch sel.Sel.Name {
				case "UnixMilli", "UnixNano", "UnixMicro", "Since", "Until":
					places = append(places, name)
				case "Now":
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
						places = append(places, name)
					}
				}
			}
			return true
		})
	}
	return places
}
