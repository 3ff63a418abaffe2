package engine

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A slowConn is a connection in the middle of a large frame whose peer is slow.
type slowConn struct {
	*client
	s     *server
	conn  *conn
	fd    int // on the server's side
	frame []byte
	sent  int // of frame
}

// dialSlow begins a frame of so many bytes, so slowly that the loop has the
// kernel gather the rest.
func dialSlow(t *testing.T, s *server, conns <-chan Conn, size int) *slowConn {
	t.Helper()
	c := &slowConn{client: s.dial(), s: s, frame: patternFrame(size, 1)}
	c.conn = (<-conns).(*conn)
	s.onLoop(c.conn.loop, func() { c.fd = c.conn.gc.Fd() })
	before := s.Stats().BytesIn
	for _, n := range []int{readBuffer, 100} {
		c.more(n)
		eventually(t, "beginning read", func() bool { return s.Stats().BytesIn == before+uint64(c.sent) })
		s.onLoop(c.conn.loop, func() {}) // the turn is over
	}
	c.wantMark(min(largeRead, size-c.sent))
	return c
}

// more sends n bytes more of the frame.
func (c *slowConn) more(n int) {
	c.t.Helper()
	c.send(c.frame[c.sent : c.sent+n])
	c.sent += n
}

// wantMark wants the low-water mark to be so many bytes, soon.
func (c *slowConn) wantMark(want int) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("low-water mark of %d", want), func() (ok bool) {
		c.s.onLoop(c.conn.loop, func() {
			got, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
			ok = err == nil && got == want && c.conn.patient == (want > 1)
		})
		return ok
	})
}

// wantWaiting wants that so many bytes are in the kernel and stay there. They
// have to be few: the kernel may wake the loop before its time for more.
func (c *slowConn) wantWaiting(n int) {
	c.t.Helper()
	eventually(c.t, "bytes in the kernel", func() bool { return waiting(c.fd) == n })
	time.Sleep(5 * time.Millisecond)
	if got := waiting(c.fd); got != n {
		c.t.Errorf("%d bytes wait, want %d: the loop was woken for so few", got, n)
	}
}

func serveSlow(t *testing.T, change func(o *Options)) (*server, chan Conn) {
	t.Helper()
	conns := make(chan Conn, 1)
	return serve(t, &testHandler{opened: func(c Conn) { conns <- c }, serve: answerPattern}, func(o *Options) {
		o.Loops = 1
		if change != nil {
			change(o)
		}
	}), conns
}

// The kernel gathers a part of a large frame that comes slowly, but never waits
// for more than is missing, and not at all once the frame is whole.
func TestSlowLargeFrame(t *testing.T) {
	s, conns := serveSlow(t, nil)
	c := dialSlow(t, s, conns, 2*readBuffer+5000)
	left := len(c.frame) - c.sent
	c.more(10_000)
	c.wantWaiting(10_000)
	c.more(left - 10_001)
	c.wantWaiting(left - 1)
	c.more(1)
	c.wantPattern(c.frame)
	c.wantMark(1)
	small := patternFrame(20, 2)
	for range 3 {
		c.send(small)
		c.wantPattern(small)
	}
}

// The end of a large frame that comes with what follows it.
func TestSlowLargeFrameThenSmall(t *testing.T) {
	s, conns := serveSlow(t, nil)
	small := patternFrame(20, 2)
	for _, size := range []int{2*readBuffer + 100, 100_000, readBuffer + largeRead + 100, 800_000} {
		c := dialSlow(t, s, conns, size)
		c.send(bytes.Join([][]byte{c.frame[c.sent:], small, small}, nil))
		c.wantPattern(c.frame)
		c.wantPattern(small)
		c.wantPattern(small)
		c.wantMark(1)
		// Two without a gap, and a part of a third.
		c.send(bytes.Join([][]byte{c.frame, c.frame, small[:10]}, nil))
		c.wantPattern(c.frame)
		c.wantPattern(c.frame)
		c.wantMark(1)
		c.send(small[10:])
		c.wantPattern(small)
	}
}

// When little is missing there is nothing to gather.
func TestSlowEndOfLargeFrame(t *testing.T) {
	s, conns := serveSlow(t, nil)
	c := dialSlow(t, s, conns, 2*readBuffer+5000)
	s.onLoop(c.conn.loop, func() {
		c.conn.loop.turn(c.conn, c.frame[c.sent:c.sent+10_000]) // as if the kernel had named it
	})
	c.sent += 10_000
	c.wantMark(1)
	for len(c.frame)-c.sent > 1000 {
		c.more(1000)
		eventually(t, "read", func() bool { return waiting(c.fd) == 0 })
	}
	c.more(len(c.frame) - c.sent)
	c.wantPattern(c.frame)
	c.wantMark(1)
}

// Neither the end of a stream nor a deadline waits for what is gathered.
func TestSlowLargeFrameEnds(t *testing.T) {
	s, conns := serveSlow(t, nil)
	for name, leave := range map[string]func(*client){
		"FIN": func(c *client) { c.CloseWrite() },
		"RST": (*client).reset,
	} {
		c := dialSlow(t, s, conns, 800_000)
		c.more(10_000)
		c.wantWaiting(10_000)
		before := s.Stats().ClosedByPeer
		leave(c.client)
		eventually(t, name+" seen", func() bool { return s.Stats().ClosedByPeer == before+1 })
	}
	h := &testHandler{opened: func(c Conn) { conns <- c }}
	inTime, clock := serveInTime(t, h, func(o *Options) { o.Loops = 1 })
	c := dialSlow(t, inTime, conns, 800_000)
	c.more(10_000)
	c.wantWaiting(10_000)
	clock.advance(defaultFirstFrameTimeout + time.Second)
	c.wantClosed()
	if st := inTime.Stats(); st.ClosedFrameTimeout != 1 {
		t.Errorf("stats %+v, want one closed over a frame", st)
	}
}

// Who is not served is read all the same, see backpressure.go: nothing is
// gathered then.
func TestSlowLargeFrameOfWhoIsNotServed(t *testing.T) {
	s, conns := serveSlow(t, func(o *Options) { o.SendBuffer = 16 << 10 })
	small := patternFrame(20, 2)
	reply := textFrame("%05000000d", 0)
	c := dialSlow(t, s, conns, 800_000)
	c.conn.Send(reply)
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	c.more(largeRead)
	c.wantMark(1)
	c.send(c.frame[c.sent : len(c.frame)-100_000])
	eventually(t, "read", func() bool { return s.Stats().BytesIn == uint64(len(c.frame)-100_000) })
	c.want(string(reply[4:]))
	eventually(t, "not choked", func() bool { return s.Stats().Choked == 0 })
	c.send(append(c.frame[len(c.frame)-100_000:len(c.frame):len(c.frame)], small...))
	c.wantPattern(c.frame)
	c.wantPattern(small)
	c.wantMark(1)

	// Choked and let go without a byte read in between.
	c = dialSlow(t, s, conns, 800_000)
	c.conn.Send(reply)
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	c.want(string(reply[4:]))
	eventually(t, "not choked", func() bool { return s.Stats().Choked == 0 })
	c.wantMark(largeRead)
	c.send(append(c.frame[c.sent:len(c.frame):len(c.frame)], small...))
	c.wantPattern(c.frame)
	c.wantPattern(small)
	c.wantMark(1)

	c = dialSlow(t, s, conns, 800_000)
	s.onLoop(c.conn.loop, func() {
		l := c.conn.loop
		l.fallBehind(c.conn)
		l.turn(c.conn, c.frame[c.sent:])
	})
	c.wantPattern(c.frame)
	c.wantMark(1)
	c.send(small)
	c.wantPattern(small)
}
