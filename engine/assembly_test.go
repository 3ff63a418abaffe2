package engine

import (
	"testing"
	"time"
)

// Frames have to be finished in time: the first one of a connection, and, with
// more of it, each later one. Who says nothing has begun none.
func TestFrameTimeouts(t *testing.T) {
	h := &testHandler{}
	s, clock := serveInTime(t, h, func(o *Options) {
		o.Loops = 1
		o.FirstFrameTimeout, o.FrameTimeout = 20*time.Second, 50*time.Second
	})
	silent, first, later := s.dial(), s.dial(), s.dial()
	later.ping("hello")
	s.announce(first, 100)
	s.announce(later, 100)
	clock.advance(20 * time.Second)
	first.dribble(s, 1) // a byte is no excuse
	if st := s.Stats(); st.ClosedFrameTimeout != 0 {
		t.Fatal("closed before its time")
	}
	clock.advance(time.Second)
	first.wantClosed()
	h.wantCause(t, ErrFrameTimeout)
	clock.advance(29 * time.Second)
	if st := s.Stats(); st.ClosedFrameTimeout != 1 {
		t.Fatal("a later frame is closed before its time")
	}
	clock.advance(time.Second)
	later.wantClosed()
	if st := s.Stats(); st.ClosedFrameTimeout != 2 || st.Open != 1 {
		t.Errorf("stats %+v, want two closed over frames, one open", st)
	}
	silent.ping("speaks at last")
}

// dribble sends n bytes and waits until they are read.
func (c *client) dribble(s *server, n int) {
	c.t.Helper()
	before := s.Stats().BytesIn
	c.send(make([]byte, n))
	eventually(c.t, "read", func() bool { return s.Stats().BytesIn == before+uint64(n) })
}

// The deadline is that of one frame: a connection may always be in the middle
// of one.
func TestFrameTimeoutBeginsWithEachFrame(t *testing.T) {
	for _, cut := range []int{2, 5} { // in the length, and behind it
		s, clock := serveInTime(t, &testHandler{}, func(o *Options) { o.Loops = 1 })
		c := s.dial()
		frame := textFrame("0123456789")
		c.send(frame[:cut])
		for range 20 {
			eventually(t, "beginning read", func() bool { return s.Stats().BytesIn%uint64(len(frame)) == uint64(cut) })
			clock.advance(25 * time.Second)
			c.send(append(frame[cut:len(frame):len(frame)], frame[:cut]...))
			c.want("0123456789")
		}
		if st := s.Stats(); st.ClosedFrameTimeout != 0 || st.Open != 1 {
			t.Errorf("cut at %d: stats %+v, want it open", cut, st)
		}
	}
}

// While we do not serve a connection, its frames cannot get finished, and that
// is not its fault.
func TestFrameTimeoutWaitsForChoked(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{serve: blower(250_000)}, func(o *Options) {
		smallSockets(o)
		o.FirstFrameTimeout, o.FrameTimeout, o.ChokedTime = 10*time.Second, 10*time.Second, time.Hour
		o.IdleTimeout = func() time.Duration { return 0 }
	})
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	next := textFrame("next")
	c.send(append(textFrame("x"), next[:6]...))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	clock.advance(time.Minute)
	if st := s.Stats(); st.Open != 1 {
		t.Fatalf("stats %+v, want it open", st)
	}
	if _, err := readFrame(c); err != nil {
		t.Fatal(err)
	}
	eventually(t, "not choked", func() bool { return s.Stats().Choked == 0 })
	clock.advance(9 * time.Second)
	if st := s.Stats(); st.Open != 1 {
		t.Fatal("the time while it was choked counts")
	}
	clock.advance(3 * time.Second)
	eventually(t, "closed", func() bool { return s.Stats().ClosedFrameTimeout == 1 })
}
