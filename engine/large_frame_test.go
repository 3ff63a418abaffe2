package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patternFrame is a frame of so many bytes, at least 8, that tells whether all
// of them are its own.
func patternFrame(size int, seed uint32) []byte {
	b := frameOf(make([]byte, size-4))
	binary.BigEndian.PutUint32(b[4:], seed)
	for i := 8; i < size; i++ {
		b[i] = patternByte(seed, i)
	}
	return b
}

func patternByte(seed uint32, i int) byte { return byte(seed) + byte(i) + byte(i>>8) + byte(i>>16) }

// patternFault returns what is wrong with a patternFrame.
func patternFault(b []byte) error {
	if size, _ := splitInt32(b); size != len(b) || size < 8 {
		return fmt.Errorf("a frame of %d bytes says it has %d", len(b), size)
	}
	seed := binary.BigEndian.Uint32(b[4:])
	for i := 8; i < len(b); i++ {
		if b[i] != patternByte(seed, i) {
			return fmt.Errorf("byte %d of %d in frame %d is wrong", i, len(b), seed)
		}
	}
	return nil
}

// answerPattern is a handler, and a Task, that tells which frame it was given.
func answerPattern(_ Conn, frame, out []byte) []byte {
	if err := patternFault(frame); err != nil {
		return append(out, textFrame("%v", err)...)
	}
	return append(out, textFrame("frame %d of %d", binary.BigEndian.Uint32(frame[4:]), len(frame))...)
}

// wantPattern wants the answer to a patternFrame.
func (c *client) wantPattern(frame []byte) {
	c.t.Helper()
	c.want(fmt.Sprintf("frame %d of %d", binary.BigEndian.Uint32(frame[4:]), len(frame)))
}

// wantRead waits until the loops have read so many bytes in all, of large frames
// whatever has come.
func (s *server) wantRead(n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d bytes read", n), func() bool {
		if s.Stats().BytesIn == 0 {
			return n == 0 // the loops may not run yet
		}
		for _, l := range s.loops {
			s.onLoop(l, func() {
				for i := range l.frames {
					for c := l.frames[i].head; c != nil; c = c.link(byFrame).next {
						setLowWater(c.gc.Fd(), 1)
					}
				}
			})
		}
		return s.Stats().BytesIn >= uint64(n)
	})
}

// Frames of any size follow each other without a gap, whether a read ends
// where one of them ends, before it or behind it.
func TestLargeFramesAmongSmall(t *testing.T) {
	s := serve(t, &testHandler{serve: answerPattern}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	var sizes []int
	for _, at := range []int{readBuffer, 2 * readBuffer, largeBuffer, largeRead, readBuffer + largeRead, 2 * (readBuffer + largeRead)} {
		sizes = append(sizes, at-1, at, at+1, 100)
	}
	sizes = append(sizes, 1<<20, 1<<20, 8, 8, 3<<20, 100, hugeBuffer+100_000, 8)
	for round, piece := range []int{1 << 30, 100_000, readBuffer, 5_000} {
		var all []byte
		var frames [][]byte
		for i, size := range sizes {
			frames = append(frames, patternFrame(size, uint32(100*round+i)))
			all = append(all, frames[i]...)
		}
		go func() {
			for rest := all; len(rest) > 0; {
				n := min(piece, len(rest))
				c.Write(rest[:n])
				rest = rest[n:]
			}
		}()
		for _, f := range frames {
			c.wantPattern(f)
		}
	}
	// Whatever the read that brought the end of a frame brought besides.
	for i, size := range sizes {
		f, small := patternFrame(size, uint32(i)), patternFrame(8+i, 7)
		c.send(bytes.Join([][]byte{f, small, small, f}, nil))
		for _, f := range [][]byte{f, small, small, f} {
			c.wantPattern(f)
		}
	}
	eventually(t, "nothing held", func() bool { return s.Stats().PartialBytes == 0 && s.Budget().Held() == 0 })
}

// wantWaiting waits until so many bytes of c's peer are in the kernel. Loop only.
func (s *server) wantWaiting(c *conn, n int) {
	s.t.Helper()
	if runtime.GOOS != "linux" {
		time.Sleep(100 * time.Millisecond) // it is not known on other systems
		return
	}
	eventually(s.t, fmt.Sprintf("%d bytes wait", n), func() bool { return waiting(c.gc.Fd()) >= n })
}

// All of it behind a PROXY header that came with the first bytes.
func TestLargeFrameBehindPreamble(t *testing.T) {
	s := serve(t, &testHandler{serve: answerPattern}, func(o *Options) {
		o.ProxyTrusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	c := s.dial()
	f := patternFrame(1<<20, 1)
	c.send(bytes.Join([][]byte{[]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), f, f}, nil))
	c.wantPattern(f)
	c.wantPattern(f)
}

// Who leaves in the middle of a large frame has left, once, and nothing of it
// is served or kept.
func TestLeavingInALargeFrame(t *testing.T) {
	for name, leave := range map[string]func(*client){
		"FIN": func(c *client) { c.CloseWrite() },
		"RST": (*client).reset,
	} {
		for _, size := range []int{readBuffer, 100_000, 600_000} {
			t.Run(fmt.Sprintf("%s/after=%d", name, size), func(t *testing.T) {
				h := &testHandler{}
				s := serve(t, h, func(o *Options) { o.Loops = 1 })
				c := s.dial()
				c.send(patternFrame(1<<20, 1)[:size])
				leave(c)
				eventually(t, "closed", func() bool { return s.Stats().ClosedByPeer == 1 })
				if name == "FIN" {
					h.wantCause(t, io.EOF)
				}
				s.stop()
				if st := s.Stats(); st.Frames != 0 || len(h.causes) != 1 {
					t.Errorf("%d frames served, %d times closed; want 0 and 1", st.Frames, len(h.causes))
				}
			})
		}
	}
}

// What is read for a connection on its way out is dropped, and so is the rest
// of its frame: there would be a hole in it.
func TestClosingInALargeFrame(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	conn, l := (<-conns).(*conn), s.loops[0]
	f := patternFrame(100_000, 1)
	c.send(f[:readBuffer])
	eventually(t, "beginning read", func() bool { return s.Stats().BytesIn == readBuffer })
	s.onLoop(l, func() {
		c.send(f[2*readBuffer:])
		s.wantWaiting(conn, len(f)-2*readBuffer)
		conn.closing.Store(true)
		l.turn(conn, f[readBuffer:2*readBuffer])
		if n := len(conn.backlog.in.buf.B); n != readBuffer {
			t.Errorf("%d bytes of the frame are there, want %d and no more", n, readBuffer)
		}
		conn.closing.Store(false)
		conn.Close(nil)
	})
	c.wantClosed()
}

// Who does not read its replies while it sends a large frame, or is behind, has
// it served when it is its turn again.
func TestLargeFrameOfWhoIsNotServed(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }, serve: answerPattern}, smallSockets)
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	conn, l := (<-conns).(*conn), s.loops[0]
	big, small := patternFrame(1<<20, 1), patternFrame(10, 2)
	c.send(big[:300_000])
	s.wantRead(300_000)
	unread := textFrame("%05000000d", 0)
	conn.Send(unread)
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	go c.Write(bytes.Join([][]byte{big[300_000:], small, big, small}, nil))
	eventually(t, "all read", func() bool { return s.Stats().BytesIn == uint64(2*len(big)+2*len(small)) })
	if n := s.Stats().Frames; n != 0 {
		t.Errorf("%d frames served while choked, want 0", n)
	}
	c.want(string(unread[4:]))
	for _, f := range [][]byte{big, small, big, small} {
		c.wantPattern(f)
	}
	for range 3 {
		c.send(big[:200_000])
		s.onLoop(l, func() { l.fallBehind(conn) })
		c.send(big[200_000:])
		s.onLoop(l, func() { l.fallBehind(conn) })
		c.send(small)
		c.wantPattern(big)
		c.wantPattern(small)
	}
	eventually(t, "nothing held", func() bool { return s.Stats().PartialBytes == 0 && s.Budget().Held() == 0 })
}

// A large frame that stalls has the time that any frame has.
func TestLargeFrameTimeout(t *testing.T) {
	for _, size := range []int{readBuffer, 100_000, 600_000} {
		h := &testHandler{}
		s, clock := serveInTime(t, h, func(o *Options) { o.Loops, o.FirstFrameTimeout = 1, 20*time.Second })
		c := s.dial()
		c.send(patternFrame(1<<20, 1)[:size])
		eventually(t, "beginning read", func() bool { return s.Stats().BytesIn >= readBuffer })
		clock.advance(20 * time.Second)
		if st := s.Stats(); st.Open != 1 {
			t.Fatalf("after %d bytes: closed before its time", size)
		}
		clock.advance(2 * time.Second)
		c.wantClosed()
		h.wantCause(t, ErrFrameTimeout)
		s.stop()
	}
}

// Everybody at once, in pieces of any size: each frame is what was sent, on the
// loop and in the worker, to the byte.
func TestLargeFramesOfMany(t *testing.T) {
	frames := 25
	if testing.Short() || raceEnabled {
		frames = 8
	}
	x := newExecutor(t, ExecutorOptions{Workers: 8})
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		seed := binary.BigEndian.Uint32(frame[4:])
		switch {
		case seed%4 == 0: // on the loop
			return answerPattern(c, frame, out)
		case !x.Submit(c, frame, timeless(answerPattern)):
			t.Error("refused")
		case seed%4 == 1: // both at once
			if err := patternFault(frame); err != nil {
				t.Errorf("after Submit: %v", err)
			}
		}
		return out
	}}, func(o *Options) { o.Budget = x.o.Budget })
	var wg sync.WaitGroup
	for k := range 16 {
		c := s.dial()
		r := rand.New(rand.NewPCG(1, uint64(k)))
		var sent [][]byte
		for i := range frames {
			// One connection has replies of the loop only, the next of
			// workers only: between them there is no order.
			seed := uint32(4*(100*k+i)) + uint32(k%4)
			sent = append(sent, patternFrame(1<<(10+r.IntN(10))+r.IntN(1<<19), seed))
		}
		wg.Go(func() {
			for rest := bytes.Join(sent, nil); len(rest) > 0; {
				n := min(1+r.IntN(1<<(1+r.IntN(20))), len(rest))
				if _, err := c.Write(rest[:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
			}
		})
		wg.Go(func() {
			for _, f := range sent {
				got, err := readFrame(c)
				want := fmt.Sprintf("frame %d of %d", binary.BigEndian.Uint32(f[4:]), len(f))
				if err != nil || string(got) != want {
					t.Errorf("got %q, %v, want %q", clip(string(got)), err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all given back", func() bool {
		b := s.Budget()
		return b.Held() == 0 && b.Queued() == 0 && x.Stats().Bytes == 0 && s.Stats().PartialBytes == 0
	})
}

// While large frames flood in, each turn of theirs is short.
func TestFloodOfLargeFrames(t *testing.T) {
	conns := make(chan Conn, 2)
	var read atomic.Uint64
	s := serve(t, &testHandler{
		opened: func(c Conn) { conns <- c },
		serve: func(c Conn, frame, out []byte) []byte {
			if len(frame) < 100 {
				read.Store(c.(*conn).loop.bytesIn.Load())
			}
			return answerPattern(c, frame, out)
		},
	}, func(o *Options) { o.Loops, o.RecvBuffer = 1, 2<<20 })
	flooder := s.dial()
	first := (<-conns).(*conn)
	other := s.dial()
	second := (<-conns).(*conn)
	var before uint64
	go flooder.Write(patternFrame(16<<20, 1))
	s.onLoop(s.loops[0], func() {
		s.wantWaiting(first, 1<<20)
		other.send(patternFrame(10, 2))
		s.wantWaiting(second, 10)
		before = s.loops[0].bytesIn.Load()
	})
	other.want("frame 2 of 10")
	if n := read.Load() - before; n > 2*(readBuffer+largeRead) {
		t.Errorf("%d bytes of the flooder came first, want at most two turns", n)
	}
	flooder.want(fmt.Sprintf("frame 1 of %d", 16<<20))
}
