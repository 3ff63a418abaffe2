package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen, and for each read and
// write of its peers: longer than any machine is busy with something else.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	if child := os.Getenv("ENGINE_TEST_CHILD"); child != "" {
		os.Exit(runChild(child))
	}
	hangUpTime = patience // a busy machine is not a peer that takes no bytes
	// gnet starts the goroutines of a pool when it is imported.
	// gnet keeps the goroutines that take connections for 10 s.
	pooled := goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")
	goleak.VerifyTestMain(m, pooled, goleak.IgnoreCurrent())
}

// splitInt32 cuts frames with a length of four bytes that does not count itself.
func splitInt32(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	n := int32(binary.BigEndian.Uint32(b))
	if n < 0 {
		return 0, fmt.Errorf("negative length %d", n)
	}
	return 4 + int(n), nil
}

func frameOf(payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	return append(b, payload...)
}

func textFrame(format string, args ...any) []byte {
	return frameOf(fmt.Appendf(nil, format, args...))
}

// A testHandler echoes unless told otherwise, and checks the engine's side of
// the contract: Opened, then Serve, then Closed, each where it belongs.
type testHandler struct {
	mu     sync.Mutex // guards the following
	opened func(c Conn)
	serve  func(c Conn, frame, out []byte) []byte
	closed func(c Conn, err error)
	left   func(c Conn, frame []byte)
	state  map[uint64]int // 1 opened, 2 closed
	faults []string
	causes []error
}

func (h *testHandler) step(c Conn, what string, from, to int) {
	if h.state == nil {
		h.state = make(map[uint64]int)
	}
	if got := h.state[c.ID()]; got != from {
		h.faults = append(h.faults, fmt.Sprintf("%s of connection %d in state %d, want %d", what, c.ID(), got, from))
	}
	h.state[c.ID()] = to
}

func (h *testHandler) Opened(c Conn) {
	h.mu.Lock()
	h.step(c, "Opened", 0, 1)
	f := h.opened
	h.mu.Unlock()
	if f != nil {
		f(c)
	}
}

func (h *testHandler) Serve(c Conn, _ time.Duration, frame, out []byte) []byte {
	h.mu.Lock()
	h.step(c, "Serve", 1, 1)
	f := h.serve
	h.mu.Unlock()
	if f != nil {
		return f(c, frame, out)
	}
	return append(out, frame...)
}

func (h *testHandler) Left(c Conn, frame []byte) {
	h.mu.Lock()
	h.step(c, "Left", 1, 1)
	f := h.left
	h.mu.Unlock()
	if f != nil {
		f(c, frame)
	}
}

func (h *testHandler) Closed(c Conn, err error) {
	h.mu.Lock()
	h.step(c, "Closed", 1, 2)
	h.causes = append(h.causes, err)
	f := h.closed
	h.mu.Unlock()
	if f != nil {
		f(c, err)
	}
}

// check fails the test if the contract was broken or a connection was opened
// and never closed. To be called when the engine has stopped.
func (h *testHandler) check(t testing.TB) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.faults {
		t.Error(f)
	}
	for id, s := range h.state {
		if s != 2 {
			t.Errorf("connection %d was opened and not closed", id)
		}
	}
}

// set lets a running test give the handler other functions.
func (h *testHandler) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// wantCause waits until Closed was called with cause last.
func (h *testHandler) wantCause(t testing.TB, cause error) {
	t.Helper()
	eventually(t, fmt.Sprintf("Closed gets %v", cause), func() bool { return errors.Is(h.lastCause(), cause) })
}

// lastCause returns what Closed was called with last.
func (h *testHandler) lastCause() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.causes) == 0 {
		return nil
	}
	return h.causes[len(h.causes)-1]
}

// A server is an engine that runs.
type server struct {
	*Engine
	t    testing.TB
	stop func() // stops it and waits; once
}

// serve runs an engine for the length of the test.
func serve(t testing.TB, h Handler, change func(o *Options)) *server {
	t.Helper()
	o := Options{Addrs: []string{"127.0.0.1:0"}, Split: splitInt32, Loops: 2, tick: 10 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	e, err := New(h, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	return run(t, e, h)
}

// A testClock is the time of an engine that lives in its own time.
type testClock struct {
	s   *server
	now atomic.Int64
}

// serveInTime is serve for an engine whose time passes only by advance. Its
// ticker stands still: an engine that looks at its connections by itself, in
// the middle of what a test does, sees what is not there yet.
func serveInTime(t testing.TB, h Handler, change func(o *Options)) (*server, *testClock) {
	t.Helper()
	clock := &testClock{}
	o := Options{Addrs: []string{"127.0.0.1:0"}, Split: splitInt32, Loops: 2}
	o.Clock = ClockOf(func() time.Duration { return time.Duration(clock.now.Load()) })
	if change != nil {
		change(&o)
	}
	e, err := New(h, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	e.tickEvery = 1000 * time.Hour
	clock.s = run(t, e, h)
	return clock.s, clock
}

// advance lets d pass, second by second, as the ticker does.
func (k *testClock) advance(d time.Duration) {
	for ; d > 0; d -= time.Second {
		k.now.Add(int64(min(d, time.Second)))
		for _, l := range k.s.loops {
			k.s.onLoop(l, l.tick)
		}
		k.s.tls.review(k.s.o.Clock, k.s.o.Budget)
	}
}

// wantOpened waits until the loops have taken so many connections, all that are
// open and do not speak TLS. Stats.Open counts those on their way, which will
// be as old as the clock says when they arrive.
func (s *server) wantOpened(n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d connections with their loops", n), func() bool {
		if s.Stats().Open != n {
			return false // and the loops may not run yet
		}
		taken := 0
		for _, l := range s.loops {
			s.onLoop(l, func() {
				for _, il := range l.idles {
					taken += il.size
				}
			})
		}
		return taken == n
	})
}

// onLoop runs f on a loop and waits for it.
func (s *server) onLoop(l *loop, f func()) {
	eventually(s.t, "the loop runs", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.el != nil
	})
	done := make(chan struct{})
	l.execute(l.guarded(func() {
		defer close(done)
		f()
	}))
	select {
	case <-done:
	case <-time.After(patience):
		s.t.Fatalf("loop does not answer\n%s", stacks())
	}
}

// run is serve for an engine that listens already.
func run(t testing.TB, e *Engine, h Handler) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	s := &server{Engine: e, t: t}
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v, want nil", err)
			}
		case <-time.After(patience):
			t.Errorf("Run does not return\n%s", stacks())
		}
		if h, ok := h.(*testHandler); ok {
			h.check(t)
		}
		if n := e.Stats().Open; n != 0 {
			t.Errorf("%d connections open after Run", n)
		}
		if st := e.Stats(); st.PartialBytes != 0 || st.HeldBytes != 0 {
			t.Errorf("%d bytes of partial frames, %d in all held after Run", st.PartialBytes, st.HeldBytes)
		}
	})
	t.Cleanup(s.stop)
	return s
}

func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}

// eventually waits until ok reports true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("does not happen: %s\n%s", what, stacks())
		}
	}
}

// A logBuffer is where a test reads what was logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestEcho(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	c := s.dial()
	c.ping("hello")
	c.ping("")
	c.ping(strings.Repeat("x", 100_000))
	st := s.Stats()
	if st.Accepted != 1 || st.Open != 1 || st.Frames != 3 {
		t.Errorf("stats %+v, want 1 accepted, 1 open, 3 frames", st)
	}
	const want = 4 + 5 + 4 + 4 + 100_000
	eventually(t, "all bytes counted", func() bool { return s.Stats().BytesIn == want && s.Stats().BytesOut == want })
}

func TestListenErrorNamesAddress(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	e, err := New(&testHandler{}, Options{Addrs: []string{s.Addr().String()}, Split: splitInt32})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Listen()
	if err == nil {
		t.Fatal("two engines listen on one port")
	}
	if n := strings.Count(err.Error(), s.Addr().String()); n != 1 || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %q, want the address once and the reason", err)
	}
	if err := e.Run(context.Background()); err == nil {
		t.Error("Run succeeds without an address")
	}
}

func TestCloseReleasesListener(t *testing.T) {
	o := Options{Addrs: []string{"127.0.0.1:0"}, Split: splitInt32}
	e, err := New(&testHandler{}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close before Listen: %v", err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err == nil {
		t.Error("second Listen succeeds")
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	o.Addrs = []string{e.Addr().String()}
	again, err := New(&testHandler{}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Listen(); err != nil {
		t.Errorf("port not released: %v", err)
	}
	again.Close()
}

func TestRunTwice(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	s.dial().ping("up")
	if err := s.Run(context.Background()); err == nil {
		t.Error("second Run succeeds")
	}
	s.dial().ping("still up")
}

// A server must be able to start again at once on a port that has connections
// in TIME_WAIT.
func TestRestartOnSamePort(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	addr := s.Addr().String()
	c := s.dial()
	c.ping("x")
	s.stop() // the server closes first, so the wait is on its side
	c.wantClosed()
	again := serve(t, &testHandler{}, func(o *Options) { o.Addrs = []string{addr} })
	again.dial().ping("y")
}

func TestStopUnderLoad(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, func(o *Options) { o.ChokedInput = 1 << 30 }) // no reader is slow for want of a CPU
	var clients sync.WaitGroup
	batch := bytes.Repeat(textFrame("%0100d", 1), 50)
	for range 20 {
		c := s.dial()
		clients.Add(2)
		go func() {
			defer clients.Done()
			for {
				if _, err := c.Write(batch); err != nil {
					return
				}
			}
		}()
		go func() {
			defer clients.Done()
			io.Copy(io.Discard, c)
		}()
	}
	eventually(t, "10,000 frames served", func() bool { return s.Stats().Frames > 10_000 && s.Stats().Accepted == 20 })
	s.stop()
	clients.Wait()
	st := s.Stats()
	if st.ClosedShutdown != 20 || st.Accepted != 20 {
		t.Errorf("stats %+v, want 20 connections closed by shutdown", st)
	}
	if !errors.Is(h.lastCause(), ErrShutdown) {
		t.Errorf("Closed got %v, want ErrShutdown", h.lastCause())
	}
	if nc, err := net.Dial("tcp", s.Addr().String()); err == nil {
		nc.Close()
		t.Error("still accepting after Run")
	}
}

// What was sent before the stop must reach the peer if it fits the socket.
func TestStopFlushesOutbox(t *testing.T) {
	var conn Conn
	served := make(chan struct{})
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		conn = c
		close(served)
		return out
	}}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	c.send(textFrame("go"))
	<-served
	// The loop is held up, so that the outbox is full when it is told to stop.
	release := make(chan struct{})
	s.loops[0].execute(s.loops[0].guarded(func() { <-release }))
	conn.Send(textFrame("last words"))
	go func() {
		defer close(release)
		eventually(t, "told to stop", s.stopping.Load)
	}()
	s.stop()
	c.want("last words")
	c.wantClosed()
}

func TestConnSize(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n > 224 {
		t.Errorf("a connection is %d bytes, want at most 224", n)
	}
}

func TestIDsStartAtOneAndGrow(t *testing.T) {
	var mu sync.Mutex
	seen := map[uint64]bool{}
	note := func(c Conn) {
		mu.Lock()
		defer mu.Unlock()
		if c.ID() == 0 || seen[c.ID()] {
			t.Errorf("id %d is zero or was used before", c.ID())
		}
		seen[c.ID()] = true
	}
	a, b := serve(t, &testHandler{opened: note}, nil), serve(t, &testHandler{opened: note}, nil)
	for range 5 {
		a.dial().ping("a")
		b.dial().ping("b")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 10 {
		t.Errorf("%d ids, want 10", len(seen))
	}
}

func TestRemoteAddrOutlivesConnection(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, nil)
	c := s.dial()
	opened := <-conns
	if got, want := opened.RemoteAddr(), c.LocalAddr().String(); got != want {
		t.Errorf("RemoteAddr %q, want %q", got, want)
	}
	if !opened.Alive() {
		t.Error("an open connection is not alive")
	}
	c.Close()
	eventually(t, "connection dead", func() bool { return s.Stats().Open == 0 })
	if opened.Alive() {
		t.Error("a closed connection is alive")
	}
	if got, want := opened.RemoteAddr(), c.LocalAddr().String(); got != want {
		t.Errorf("RemoteAddr after close %q, want %q", got, want)
	}
	opened.Send([]byte("nobody hears"))
	opened.Close(nil)
	dead := opened.(*conn)
	dead.mu.Lock()
	defer dead.mu.Unlock()
	if dead.out.queue != nil || dead.queued {
		t.Error("a dead connection keeps what it is sent")
	}
}
