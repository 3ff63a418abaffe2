package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A turn that ends early leaves frames, and pieces of them, for the next, while
// more arrives and the peer may be choked as well.
func TestTurnsKeepOrder(t *testing.T) {
	for _, highWater := range []int{1 << 30, 64 << 10} {
		t.Run(fmt.Sprintf("highWater=%d", highWater), func(t *testing.T) {
			s := serve(t, &testHandler{serve: blower(40_000)}, func(o *Options) {
				o.Loops, o.HighWater, o.LowWater = 1, highWater, min(highWater, 32<<10)
			})
			c := s.dial()
			const n = 1500
			var all []byte
			for i := range n {
				all = append(all, textFrame("request %d %s", i, strings.Repeat("x", i%300))...)
			}
			go func() {
				for len(all) > 0 {
					k := min(7777, len(all))
					c.Write(all[:k])
					all = all[k:]
				}
			}()
			for i := range n {
				got, err := readFrame(c)
				if want := fmt.Sprintf("request %d x", i); err != nil || i%300 > 0 && !strings.HasPrefix(string(got), want) {
					t.Fatalf("reply %d is %q, %v", i, clip(string(got)), err)
				}
			}
			c.send(textFrame("last"))
			if got, err := readFrame(c); err != nil || !strings.HasPrefix(string(got), "last ") {
				t.Errorf("after all that got %q, %v", clip(string(got)), err)
			}
		})
	}
}

// What has been closed meanwhile is not served again.
func TestClosedWhileBehind(t *testing.T) {
	served := 0
	s := serve(t, &testHandler{serve: func(c Conn, _, out []byte) []byte {
		if served++; served == 2 {
			c.Close(nil) // with the turn over and frames left
		}
		return append(out, textFrame("%s", strings.Repeat("p", 200_000))...)
	}}, func(o *Options) { o.Loops, o.HighWater, o.LowWater = 1, 1<<30, 1 })
	c := s.dial()
	c.send([]byte(strings.Repeat(string(textFrame("x")), 100)))
	for range 2 {
		if _, err := readFrame(c); err != nil {
			t.Fatal(err)
		}
	}
	c.wantClosed()
	s.stop()
	if served != 2 {
		t.Errorf("%d frames served, want 2", served)
	}
}

// TestLeftWhileBehind: what a peer has sent before it leaves is handled, in its order
// and before the end, though its turn never comes; but not if we have closed the
// connection, or if it waits for another reason, and not without bound.
func TestLeftWhileBehind(t *testing.T) {
	const sent = 100
	input := func(n int) (all []byte) {
		for i := range n {
			all = append(all, textFrame("%d", i)...)
		}
		return append(all, textFrame("never whole")[:7]...)
	}
	for _, tc := range []struct {
		name  string
		n     int
		cause error
		wait  func(l *loop, c *conn)
		want  int
	}{
		{"behind", sent, io.EOF, func(l *loop, c *conn) { l.fallBehind(c) }, sent},
		{"reset", sent, os.NewSyscallError("read", syscall.ECONNRESET), func(l *loop, c *conn) { l.fallBehind(c) }, sent},
		{"closed by us", sent, ErrIdle, func(l *loop, c *conn) { l.fallBehind(c) }, 0},
		{"choked", sent, io.EOF, func(l *loop, c *conn) { l.fallBehind(c); c.warm().unsent.choked = true; l.e.choked.Add(1) }, 0},
		{"more than most", mostLeft + 50, io.EOF, func(l *loop, c *conn) { l.fallBehind(c) }, mostLeft},
		{"too fast", sent, io.EOF, func(l *loop, c *conn) {
			c.bucket = &bucket{}
			c.bucket.full.Store(math.MaxInt64 / 2)
			l.fallBehind(c)
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conns := make(chan Conn, 1)
			var left []string
			ended := make(chan int, 1)
			h := &testHandler{opened: func(c Conn) { conns <- c }}
			h.left = func(_ Conn, frame []byte) { left = append(left, string(frame[4:])) }
			h.closed = func(Conn, error) { ended <- len(left) }
			s := serve(t, h, func(o *Options) { o.Loops = 1 })
			s.dial()
			c, l := (<-conns).(*conn), s.loops[0]
			frames := s.Stats().Frames
			s.onLoop(l, func() {
				tc.wait(l, c)
				l.turn(c, input(tc.n))
				l.closed(c, tc.cause)
			})
			if n := <-ended; n != tc.want {
				t.Fatalf("%d frames handled, want %d", n, tc.want)
			}
			for i, text := range left {
				if text != fmt.Sprint(i) {
					t.Fatalf("frame %d is %q", i, text)
				}
			}
			if n := s.Stats().Frames - frames; n != uint64(tc.want) {
				t.Errorf("%d frames are counted, want %d", n, tc.want)
			}
			if held := s.Stats().PartialBytes; held != 0 {
				t.Errorf("%d bytes are still held", held)
			}
		})
	}
}

// TestPanicOfLeft costs the rest of that connection only, and the end is told.
func TestPanicOfLeft(t *testing.T) {
	conns, ended := make(chan Conn, 1), make(chan error, 1)
	h := &testHandler{opened: func(c Conn) { conns <- c }}
	n := 0
	h.left = func(Conn, []byte) {
		n++
		panic("on purpose")
	}
	h.closed = func(_ Conn, err error) { ended <- err }
	s := serve(t, h, func(o *Options) { o.Loops = 1 })
	s.dial()
	c, l := (<-conns).(*conn), s.loops[0]
	s.onLoop(l, func() {
		l.fallBehind(c)
		l.turn(c, append(textFrame("a"), textFrame("b")...))
		l.closed(c, io.EOF)
	})
	if err := <-ended; !errors.Is(err, io.EOF) || n != 1 || s.Stats().Panics != 1 {
		t.Errorf("it ends with %v after %d frames and %d panics", err, n, s.Stats().Panics)
	}
}

// Whoever is behind has one turn when it is caught up with, and none before,
// even if it was choked meanwhile.
func TestBehindHasOneTurn(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	conn, l := (<-conns).(*conn), s.loops[0]
	s.onLoop(l, func() {
		l.fallBehind(conn)
		l.turn(conn, textFrame("waits"))
		conn.warm().unsent.choked = true
		l.choke(conn)
		l.scanChoked() // nothing is unsent: it is let go
		if conn.isChoked() || l.frameCount.Load() != 0 || len(l.behindList) != 1 {
			t.Errorf("choked %v, %d frames served, %d behind; want it behind only", conn.isChoked(), l.frameCount.Load(), len(l.behindList))
		}
	})
	c.want("waits")
	s.onLoop(l, func() {
		if conn.behind || len(l.behindList) != 0 {
			t.Errorf("behind %v, %d listed after its turn", conn.behind, len(l.behindList))
		}
	})
}

// Input that waits is served from where the last turn ended, to the byte,
// whatever becomes of its buffer.
func TestHeldInputIsWhole(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{
		opened: func(c Conn) { conns <- c },
		serve: func(_ Conn, frame, out []byte) []byte {
			if frame[4] == 'b' {
				frame = frameOf(append(frame[4:5:5], make([]byte, flushSize)...)) // a turn of its own
			}
			return append(out, frame...)
		},
	}, func(o *Options) { o.Loops, o.HighWater, o.LowWater = 1, 1<<30, 1 })
	c := s.dial()
	conn, l := (<-conns).(*conn), s.loops[0]
	big, small, long := textFrame("b%0995d", 1), textFrame("s%0995d", 2), textFrame("l%03995d", 3)
	wantBig := func() {
		t.Helper()
		if got, err := readFrame(c); err != nil || len(got) != 1+flushSize {
			t.Fatalf("got %d bytes, %v; want the big reply", len(got), err)
		}
	}
	for range 3 {
		// Two whole frames are left behind the big one, then part of one.
		s.onLoop(l, func() {
			l.fallBehind(conn)
			l.turn(conn, bytes.Join([][]byte{big, small, small}, nil))
		})
		wantBig()
		c.want(string(small[4:]))
		c.want(string(small[4:]))
		s.onLoop(l, func() {
			l.fallBehind(conn)
			l.turn(conn, append(bytes.Clone(textFrame("x")), long[:3000]...))
		})
		c.want("x")
		s.onLoop(l, func() { l.turn(conn, long[3000:]) })
		c.want(string(long[4:]))
		// More than its buffer holds, in pieces.
		s.onLoop(l, func() {
			l.fallBehind(conn)
			for all := bytes.Repeat(append(bytes.Clone(big), small...), 20); len(all) > 0; {
				n := min(333, len(all))
				l.turn(conn, all[:n])
				all = all[n:]
			}
		})
		for range 20 {
			wantBig()
			c.want(string(small[4:]))
		}
	}
}
