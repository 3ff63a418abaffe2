package engine

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// draining is a Drain for serve.
func draining(d Drain) func(*Options) {
	return func(o *Options) { o.Drain = func() Drain { return d } }
}

// leave begins to stop the engine; the returned channel is closed when it has.
func (s *server) leave() (left chan struct{}) {
	left = make(chan struct{})
	go func() {
		defer close(left)
		s.stop()
	}()
	return left
}

func (s *server) wantListenerClosed() {
	s.t.Helper()
	eventually(s.t, "nobody new is accepted", func() bool {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			return true
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		return false
	})
}

func isLeft(left <-chan struct{}) bool {
	select {
	case <-left:
		return true
	default:
		return false
	}
}

// Quiet peers are closed long before the limit, and the engine ends then.
func TestDrainEndsWithTheLastConnection(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, draining(Drain{Limit: time.Hour, Pace: time.Millisecond}))
	var cs []*client
	for range 20 {
		c := s.dial()
		c.ping("x")
		cs = append(cs, c)
	}
	left := s.leave()
	for _, c := range cs {
		c.wantClosed()
	}
	await(t, "the engine ends", left)
	if st := s.Stats(); st.ClosedShutdown != 20 || !errors.Is(h.lastCause(), ErrShutdown) {
		t.Errorf("stats %+v, cause %v; want 20 closed by shutdown", st, h.lastCause())
	}
}

func TestDrainWithoutConnections(t *testing.T) {
	s := serve(t, &testHandler{}, draining(Drain{Limit: time.Hour}))
	s.dial().Close()
	eventually(t, "nobody connected", func() bool { s := s.Stats(); return s.Accepted == 1 && s.Open == 0 })
	await(t, "the engine ends", s.leave())
}

// While one connection waits for a worker the others are served, and nobody
// new is accepted. The one gets its reply before it is closed.
func TestDrainFinishesWhatIsQueued(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1})
	task, runs, end := gated(t)
	answered := func(c Conn, at time.Duration, frame, out []byte) []byte {
		return append(task(c, at, frame, out), frame...)
	}
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		x.Submit(c, frame, answered)
		return out
	}}, draining(Drain{Limit: time.Hour, Pace: time.Millisecond}))
	c, idle := s.dial(), s.dial()
	c.send(textFrame("in flight"))
	await(t, "the task runs", runs)
	eventually(t, "both accepted", func() bool { return s.Stats().Accepted == 2 })
	left := s.leave()
	idle.wantClosed()
	s.wantListenerClosed()
	if isLeft(left) || s.Stats().Open != 1 {
		t.Error("the connection in flight is closed")
	}
	end()
	c.want("in flight")
	c.wantClosed()
	await(t, "the engine ends", left)
}

// A request of which only a part has come is waited for.
func TestDrainWaitsForTheRestOfARequest(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) {
		o.Loops = 1
		o.Drain = func() Drain { return Drain{Limit: time.Hour, Pace: time.Millisecond} }
	})
	c := s.dial()
	frame := textFrame("in two parts")
	c.send(frame[:7])
	eventually(t, "the first is kept", func() bool { return s.Stats().PartialBytes > 0 })
	idle := s.dial()
	idle.ping("x")
	left := s.leave()
	idle.wantClosed()
	c.send(frame[7:])
	c.want("in two parts")
	c.wantClosed()
	await(t, "the engine ends", left)
}

// Who does not read is waited for until the limit, and no longer.
func TestDrainLimit(t *testing.T) {
	log := &logBuffer{}
	s := serve(t, &testHandler{}, func(o *Options) {
		o.Logger = log.logger()
		o.Drain = func() Drain { return Drain{Limit: 300 * time.Millisecond, Pace: time.Millisecond} }
	})
	c := s.dial()
	frame := frameOf(make([]byte, 8<<20)) // more than both sockets take
	go c.Write(frame)
	eventually(t, "the reply is on its way", func() bool { return s.Stats().Choked == 1 })
	started := time.Now()
	await(t, "the engine ends", s.leave())
	if took := time.Since(started); took < 300*time.Millisecond {
		t.Errorf("the engine has ended after %v, before the limit", took)
	}
	if !log.has("drain has reached its limit") {
		t.Error("the limit is not logged")
	}
}

// Connections are closed one after the other: at any moment no more than are
// due. Without a pace they are spread over nine tenths of the limit.
func TestDrainPace(t *testing.T) {
	const n = 50
	var (
		mu    sync.Mutex
		times []time.Time
	)
	h := &testHandler{closed: func(Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		times = append(times, time.Now())
	}}
	s := serve(t, h, draining(Drain{Limit: time.Second}))
	for range n {
		s.dial().ping("x")
	}
	started := time.Now()
	await(t, "the engine ends", s.leave())
	if len(times) != n {
		t.Fatalf("%d closed, want %d", len(times), n)
	}
	for i, at := range times {
		if earliest := time.Duration(i+1) * 900 * time.Millisecond / n; at.Sub(started) < earliest {
			t.Fatalf("connection %d is closed after %v, want at least %v", i, at.Sub(started), earliest)
		}
	}
}

func TestDrainDue(t *testing.T) {
	for _, tc := range []struct {
		d     Drain
		n     int64
		after time.Duration
		want  int64
	}{
		{Drain{Limit: 5 * time.Second, Pace: 10 * time.Millisecond}, 3, 10 * time.Millisecond, 1},
		{Drain{Limit: 5 * time.Second, Pace: 10 * time.Millisecond}, 3, time.Second, 3},
		{Drain{Limit: 5 * time.Second, Pace: 10 * time.Millisecond}, 100_000, 45 * time.Millisecond, 1000},
		{Drain{Limit: 5 * time.Second, Pace: 10 * time.Millisecond}, 100_000, 4500 * time.Millisecond, 100_000},
		{Drain{Limit: 30 * time.Second}, 3, 8 * time.Second, 0},
		{Drain{Limit: 30 * time.Second}, 3, 9 * time.Second, 1},
		{Drain{Limit: 30 * time.Second}, 3, 27 * time.Second, 3},
		{Drain{Limit: time.Second}, 0, time.Second, 0},
	} {
		if got := tc.d.due(tc.n, tc.after); got != tc.want {
			t.Errorf("%+v: of %d connections %d are due after %v, want %d", tc.d, tc.n, got, tc.after, tc.want)
		}
	}
}

// Peers that have connected and not been accepted yet are served: nobody who
// has connected is turned away.
//
// The engine is told to stop before it has accepted anybody. Time stands still,
// so that it looks for more until there are none.
func TestDrainServesTheBacklog(t *testing.T) {
	h := &testHandler{}
	e, err := New(h, Options{Addrs: []string{"127.0.0.1:0"}, Split: splitInt32, Loops: 1, Clock: ClockOf(func() time.Duration { return 0 }), Drain: func() Drain {
		return Drain{Limit: patience, Pace: time.Millisecond}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	const n = 20
	var cs []*client
	for range n {
		c := dial(t, e.Addr().String())
		c.send(textFrame("hello"))
		cs = append(cs, c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	for _, c := range cs {
		c.want("hello")
		c.wantClosed()
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	h.check(t)
}

func TestHasBacklog(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if hasBacklog(ln.(*net.TCPListener)) {
		t.Error("a backlog though nobody has connected")
	}
	dial(t, ln.Addr().String())
	eventually(t, "a peer waits", func() bool { return hasBacklog(ln.(*net.TCPListener)) })
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if hasBacklog(ln.(*net.TCPListener)) {
		t.Error("a backlog though all are accepted")
	}
}

// Peers who may be silent for ever are closed too, those who have just spoken
// after those who are silent.
func TestDrainClosesTheSilentFirst(t *testing.T) {
	var order []uint64
	var opened atomic.Uint64
	h := &testHandler{
		opened: func(c Conn) { opened.CompareAndSwap(0, c.ID()) },
		closed: func(c Conn, _ error) { order = append(order, c.ID()) },
	}
	s, clock := serveInTime(t, h, func(o *Options) {
		o.Loops = 1
		o.IdleTimeout = func() time.Duration { return 0 }
		o.Drain = func() Drain { return Drain{Limit: time.Hour, Pace: 20 * time.Millisecond} }
	})
	first := s.dial()
	first.ping("x")
	second := s.dial()
	second.ping("x")
	clock.advance(time.Hour)
	first.ping("y")
	await(t, "the engine ends", s.leave())
	if len(order) != 2 || order[1] != opened.Load() {
		t.Errorf("closed in the order %d, want %d last", order, opened.Load())
	}
}

// Connections that speak TLS are drained too: who is quiet is closed, who waits
// for a reply or has sent a part of a request is waited for.
func TestDrainTLS(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1})
	task, runs, end := gated(t)
	queued := func(c Conn, at time.Duration, frame, out []byte) []byte {
		return append(task(c, at, frame, out), frame...)
	}
	h := &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		if string(frame[4:]) != "queued" {
			return append(out, frame...)
		}
		x.Submit(c, frame, queued)
		return out
	}}
	s := serve(t, h, func(o *Options) {
		withTLS(o)
		o.Drain = func() Drain { return Drain{Limit: time.Hour, Pace: time.Millisecond} }
	})
	idle, waiting, halfway, plain := s.dialTLS(nil), s.dialTLS(nil), s.dialTLS(nil), s.dial()
	idle.ask("x", "x")
	plain.ping("x")
	waiting.Write(textFrame("queued"))
	await(t, "the task runs", runs)
	halfway.ask("x", "x")
	frame := textFrame("in two parts")
	halfway.Write(frame[:7])
	eventually(t, "the first part is kept", func() bool { return s.Stats().PartialBytes > 0 })
	left := s.leave()
	idle.wantClosed()
	plain.wantClosed()
	s.wantListenerClosed()
	if isLeft(left) {
		t.Error("the engine has ended too early")
	}
	halfway.Write(frame[7:])
	halfway.want("in two parts")
	halfway.wantClosed()
	end()
	waiting.want("queued")
	waiting.wantClosed()
	await(t, "the engine ends", left)
	if st := s.Stats(); st.ClosedShutdown != 4 {
		t.Errorf("stats %+v, want 4 closed by shutdown", st)
	}
}

// A request that has arrived and was not read yet is served first.
func TestDrainLooksForUnreadRequests(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	c.ping("x")
	l := s.loops[0]
	s.onLoop(l, func() {
		own := l.idles[0].head
		c.send(textFrame("unread"))
		eventually(t, "it arrives", func() bool { return hasInput(own.gc.Fd()) })
		s.drainDue.Store(1)
		l.drainSome()
	})
	c.want("unread")
	s.onLoop(l, l.drainSome)
	c.wantClosed()
}

// A drain parts from the peers of every address.
func TestDrainOfSeveralAddresses(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) {
		o.Addrs = []string{"127.0.0.1:0", "127.0.0.1:0"}
		o.Drain = func() Drain { return Drain{Limit: patience, Pace: time.Millisecond} }
	})
	var peers []*client
	for range 10 {
		for _, addr := range s.Addrs() {
			c := dial(t, addr.String())
			c.ping("x")
			peers = append(peers, c)
		}
	}
	s.stop()
	for _, c := range peers {
		c.wantClosed()
	}
	if st := s.Stats(); st.ClosedShutdown != 20 || st.AcceptErrors != 0 {
		t.Errorf("stats %+v, want 20 closed by the drain, no accept errors", st)
	}
}
