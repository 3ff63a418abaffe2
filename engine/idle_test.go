package engine

import (
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// The ticker itself, in real time.
func TestSilenceIsNoticed(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) {
		o.IdleTimeout = func() time.Duration { return 20 * time.Millisecond }
	})
	began := time.Now()
	s.dial().wantClosed()
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("closed after %v, want not before 20ms", took)
	}
}

func TestFrameWithoutReplyIsASignOfLife(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{serve: func(_ Conn, _, out []byte) []byte { return out }}, nil)
	c := s.dial()
	for i := range 5 {
		c.send(textFrame("oneway"))
		eventually(t, "served", func() bool { return s.Stats().Frames == uint64(i+1) })
		clock.advance(100 * time.Second)
	}
	if st := s.Stats(); st.Open != 1 {
		t.Error("closed though it spoke")
	}
}

func TestWritingIsASignOfLife(t *testing.T) {
	conns := make(chan Conn, 1)
	s, clock := serveInTime(t, &testHandler{opened: func(c Conn) { conns <- c }}, nil)
	c := s.dial()
	conn := <-conns
	for range 5 {
		clock.advance(100 * time.Second)
		conn.Send(textFrame("news"))
		c.want("news")
	}
	if !conn.Alive() {
		t.Error("closed though it was written to")
	}
	clock.advance(122 * time.Second)
	c.wantClosed()
}

// Who speaks goes to the end of the list, or it would hide the silent behind it.
func TestSilentBehindABusyOneIsClosed(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{}, func(o *Options) { o.Loops = 1 })
	busy := s.dial()
	busy.ping("first")
	silent := s.dial()
	silent.ping("second")
	for range 3 {
		clock.advance(50 * time.Second)
		busy.ping("again")
	}
	silent.wantClosed()
	busy.ping("still here")
}

// Each connection lives by the timeout of its birth.
func TestIdleTimeoutIsReadPerConnection(t *testing.T) {
	var timeout atomic.Int64
	s, clock := serveInTime(t, &testHandler{}, func(o *Options) {
		o.IdleTimeout = func() time.Duration { return time.Duration(timeout.Load()) }
		o.Loops = 1
	})
	never := s.dial()
	never.ping("x")
	timeout.Store(int64(time.Hour))
	long := s.dial()
	long.ping("x")
	timeout.Store(int64(time.Minute))
	short := s.dial()
	short.ping("x")
	clock.advance(62 * time.Second)
	short.wantClosed()
	never.ping("still here")
	long.ping("still here")
	s.onLoop(s.loops[0], func() {
		if n := len(s.loops[0].idles); n != 2 {
			t.Errorf("%d idle lists, want 2: nobody lives by the minute any more", n)
		}
	})
	clock.advance(time.Hour + 2*time.Second)
	long.wantClosed()
	never.ping("still here")
	if st := s.Stats(); st.ClosedIdle != 2 || st.Open != 1 {
		t.Errorf("stats %+v, want two closed as idle, one open", st)
	}
}

// A slow peer that does read what it asked for is not silent.
func TestDrainingIsASignOfLife(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{serve: blower(3 << 20)}, func(o *Options) {
		smallSockets(o)
		o.ChokedTime = time.Hour
	})
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	c.send(textFrame("x"))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	b := make([]byte, 8<<10)
	for total := 0; total < 2<<20; total += len(b) {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
		clock.advance(time.Second)
	}
	// What the kernel has taken meanwhile may be noticed late.
	eventually(t, "closed as idle once it reads no more", func() bool {
		clock.advance(125 * time.Second)
		return s.Stats().ClosedIdle == 1
	})
}

// An idleList is what tick relies on: the longest silent is in front.
func TestIdleListOrder(t *testing.T) {
	l := newLoop(&Engine{o: Options{IdleTimeout: func() time.Duration { return time.Second }}}, 0)
	a, b, c := &conn{id: 1}, &conn{id: 2}, &conn{id: 3}
	for _, x := range []*conn{a, b, c} {
		l.addIdle(x)
	}
	order := func() (ids []uint64) {
		for x := l.idles[0].head; x != nil; x = x.idle.next {
			ids = append(ids, x.id)
		}
		return ids
	}
	check := func(want ...uint64) {
		t.Helper()
		got := order()
		if len(got) != len(want) {
			t.Fatalf("order %v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("order %v, want %v", got, want)
			}
		}
	}
	check(1, 2, 3)
	l.now = 1
	l.touch(a)
	check(2, 3, 1)
	l.touch(a)
	l.touch(c)
	check(2, 1, 3)
	a.unlink(byIdleness)
	check(2, 3)
	a.unlink(byIdleness)
	c.unlink(byIdleness)
	check(2)
	b.unlink(byIdleness)
	check()
}
