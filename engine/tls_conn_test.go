package engine

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTLSEcho(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			h := &testHandler{}
			s := serve(t, h, withTLS)
			plain := s.dial()
			c := s.dialTLS(&tls.Config{MinVersion: version, MaxVersion: version})
			for i := range 10 {
				c.ask(fmt.Sprint("secret ", i), fmt.Sprint("secret ", i))
				plain.ping("open")
			}
			st := s.Stats()
			if st.Open != 2 || st.TLSOpen != 1 || st.TLSHandshakes != 1 || st.Frames != 20 {
				t.Errorf("stats: %+v", st)
			}
			if err := c.CloseWrite(); err != nil { // the TLS word for it
				t.Fatal(err)
			}
			c.wantClosed()
			h.wantCause(t, io.EOF)
			eventually(t, "gone", func() bool { st := s.Stats(); return st.Open == 1 && st.TLSOpen == 0 && st.ClosedByPeer == 1 })
		})
	}
}

// TestTLSIdentity: across the hand-over it is one connection, opened before,
// with its ID, its lanes and what was sent to it.
func TestTLSIdentity(t *testing.T) {
	x := NewExecutor(ExecutorOptions{Workers: 2})
	t.Cleanup(x.Close)
	var opened atomic.Uint64
	h := &testHandler{}
	h.opened = func(c Conn) {
		opened.Store(c.ID())
		c.Send(textFrame("welcome"))
	}
	h.serve = func(c Conn, frame, out []byte) []byte {
		if c.ID() != opened.Load() || !c.Alive() {
			t.Errorf("connection %d, alive %v; opened was %d", c.ID(), c.Alive(), opened.Load())
		}
		x.Submit(c, frame, func(_ Conn, _ time.Duration, frame, out []byte) []byte { return append(out, frame...) })
		return out
	}
	var last Conn
	h.closed = func(c Conn, _ error) { last = c }
	s := serve(t, h, withTLS)
	c := s.dialTLS(nil)
	c.want("welcome")
	var all []byte
	for i := range 500 {
		all = append(all, textFrame("task %d", i)...)
	}
	go c.Write(all)
	for i := range 500 {
		c.want(fmt.Sprintf("task %d", i))
	}
	c.Close()
	s.stop()
	if last == nil || last.ID() != opened.Load() || last.Alive() {
		t.Errorf("closed %v", last)
	}
	last.Send([]byte("into the void"))
	last.Close(nil)
}

// TestTLSFrames sends frames of all sizes around the bounds of buffers and of
// records, in pieces that have nothing to do with them.
func TestTLSFrames(t *testing.T) {
	s := serve(t, &testHandler{}, withTLS)
	c := s.dialTLS(nil)
	var all []byte
	var want []int
	for _, n := range []int{0, 1, 100, 507, 508, 509, 511, 512, 513, 4095, 4096, 4097, 16 << 10, 16<<10 + 1, 64 << 10, 1 << 20, 3, 1 << 20, 0} {
		all = append(all, frameOf(bytes.Repeat([]byte{byte(n)}, n))...)
		want = append(want, n)
	}
	for _, piece := range []int{len(all), 16 << 10, 4 << 10, 777} {
		go func() {
			for left := all; len(left) > 0; {
				n := min(piece, len(left))
				if _, err := c.Write(left[:n]); err != nil {
					t.Error(err)
					return
				}
				left = left[n:]
			}
		}()
		for _, n := range want {
			got, err := readFrame(c)
			if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(n)}, n)) {
				t.Fatalf("pieces of %d: frame of %d bytes came back as %d, %v", piece, n, len(got), err)
			}
		}
	}
	eventually(t, "no buffer is held", func() bool { return s.Stats().PartialBytes == 0 })
	long := append(frameOf(make([]byte, 10<<10)), 0, 0, 0) // a buffer for it is larger than need be
	before := s.Stats()
	c.Write(long[:5000])
	s.arrived(before, 5000)
	c.Write(long[5000:])
	c.want(string(make([]byte, 10<<10)))
	eventually(t, "little is held of little", func() bool {
		n := s.Stats().PartialBytes
		return n > 0 && n <= smallBuffer
	})
}

// TestTLSPipelined has many requests under way on many connections, half of
// them answered by a pool.
func TestTLSPipelined(t *testing.T) {
	x := NewExecutor(ExecutorOptions{Workers: 4})
	t.Cleanup(x.Close)
	h := &testHandler{}
	h.serve = func(c Conn, frame, out []byte) []byte {
		if frame[4] == 'p' {
			x.Submit(c, frame, func(_ Conn, _ time.Duration, frame, out []byte) []byte { return append(out, frame...) })
			return out
		}
		return append(out, frame...)
	}
	s := serve(t, h, withTLS)
	var wg sync.WaitGroup
	for range 20 {
		c := s.dialTLS(nil)
		wg.Go(func() {
			go func() {
				for i := range 300 {
					c.Write(append(textFrame("p%d", i), textFrame("l%d", i)...))
				}
			}()
			next := map[byte]int{}
			for range 600 {
				got, err := readFrame(c)
				if err != nil {
					t.Error(err)
					return
				}
				if want := fmt.Sprintf("%c%d", got[0], next[got[0]]); string(got) != want {
					t.Errorf("got %q, want %q", got, want)
					return
				}
				next[got[0]]++
			}
		})
	}
	wg.Wait()
}

// TestTLSMalformed serves what comes before a broken frame, and nothing behind.
func TestTLSMalformed(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, withTLS)
	c := s.dialTLS(nil)
	c.Write(append(textFrame("whole"), 0xff, 0xff, 0xff, 0xff, 0))
	c.want("whole")
	c.wantClosed()
	h.wantCause(t, ErrMalformed)

	big := s.dialTLS(nil)
	big.Write([]byte{0x7f, 0, 0, 0})
	big.wantClosed()
	eventually(t, "counted", func() bool { return s.Stats().ClosedMalformed == 2 })

	// What is not TLS any more.
	broken := s.dialTLS(nil)
	broken.ask("fine", "fine")
	broken.raw.send(bytes.Repeat([]byte{0x17, 3, 3, 0, 32}, 20))
	eventually(t, "counted", func() bool { return s.Stats().ClosedMalformed == 3 })
}

func TestTLSPanic(t *testing.T) {
	h := &testHandler{serve: func(_ Conn, frame, out []byte) []byte {
		if string(frame[4:]) == "panic" {
			panic("test")
		}
		return append(out, frame...)
	}}
	s := serve(t, h, withTLS)
	c := s.dialTLS(nil)
	c.Write(append(textFrame("before"), textFrame("panic")...))
	c.want("before")
	c.wantClosed()
	h.wantCause(t, ErrPanic)
	if st := s.Stats(); st.Panics != 1 || st.ClosedPanic != 1 {
		t.Errorf("stats: %+v", st)
	}
}

// TestTLSCloseFlushes: what was sent before Close arrives, with its reason.
func TestTLSCloseFlushes(t *testing.T) {
	reason := errors.New("enough")
	h := &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		c.Send(bytes.Repeat(textFrame("last words"), 100))
		c.Close(reason)
		c.Close(errors.New("too late"))
		return out
	}}
	s := serve(t, h, withTLS)
	c := s.dialTLS(nil)
	c.Write(append(textFrame("go"), textFrame("not served")...))
	for range 100 {
		c.want("last words")
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF { // with a close_notify
		t.Errorf("read %d, %v", n, err)
	}
	h.wantCause(t, reason)
	if n := s.Stats().Frames; n != 1 {
		t.Errorf("%d frames served", n)
	}
}

// TestTLSHalfClose: as without TLS, a FIN is a leave, and what was asked before
// is answered.
func TestTLSHalfClose(t *testing.T) {
	for name, leave := range map[string]func(*tlsClient){
		"close_notify": func(c *tlsClient) { c.CloseWrite() },
		"FIN":          func(c *tlsClient) { c.raw.CloseWrite() },
		"FIN in a record": func(c *tlsClient) {
			c.raw.send([]byte{0x17, 3, 3, 0, 32, 1, 2})
			c.raw.CloseWrite()
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &testHandler{}
			s := serve(t, h, withTLS)
			c := s.dialTLS(nil)
			c.Write(textFrame("last question"))
			leave(c)
			c.want("last question")
			c.wantClosed()
			h.wantCause(t, io.EOF)
		})
	}
}

// written waits until no writer runs.
func (s *server) written() {
	s.t.Helper()
	eventually(s.t, "all is written", func() bool {
		s.tls.mu.Lock()
		defer s.tls.mu.Unlock()
		for t := range s.tls.open {
			t.c.mu.Lock()
			busy := t.writing || t.c.out.queue != nil
			t.c.mu.Unlock()
			if busy {
				return false
			}
		}
		return true
	})
}

// TestTLSShutdown stops an engine with peers in every state but one.
func TestTLSShutdown(t *testing.T) {
	s := serve(t, &testHandler{}, withTLS)
	before := s.Stats()
	stalled := s.dial()
	stalled.send([]byte{0x16, 3, 1})
	s.arrived(before, 3)
	idle := s.dialTLS(nil)
	idle.ask("hello", "hello")
	half := s.dialTLS(nil)
	half.Write([]byte{0, 0, 1})
	eventually(t, "half a frame has come", func() bool { return s.Stats().PartialBytes > 0 })
	s.stop()
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the idle peer read %d, %v; want a close_notify", n, err)
	}
}

// TestTLSShutdownBesideSlowReader: who takes no bytes does not hold the end up
// for longer than hangUpTime.
func TestTLSShutdownBesideSlowReader(t *testing.T) {
	defer func(d time.Duration) { hangUpTime = d }(hangUpTime)
	hangUpTime = 50 * time.Millisecond
	s := serve(t, &testHandler{serve: blower(4 << 20)}, func(o *Options) {
		withTLS(o)
		smallSockets(o)
	})
	c := s.dialTLS(nil)
	c.Write(textFrame("blow"))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	s.stop() // fails when it takes as long as patience
	if n := s.Stats().ClosedShutdown; n != 1 {
		t.Errorf("%d closed by shutdown, want 1", n)
	}
}

// TestTLSChurn opens and closes in every way, beside peers without TLS, and
// looks for what is left.
func TestTLSChurn(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, withTLS)
	plain := s.dial()
	plain.ping("warm")
	warm := s.dialTLS(nil)
	warm.ask("warm", "warm")
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 25 {
				peer := dial(t, s.Addr().String())
				switch c := peer.startTLS(nil, nil); i % 5 {
				case 0:
					c.ask("hello", "hello")
					c.Close()
				case 1:
					c.ask("hello", "hello")
					peer.reset()
				case 2:
					c.Write(textFrame("nobody waits"))
					c.Close()
				case 3:
					peer.send([]byte{0x16, 3, 1, 0})
				case 4:
					peer.ping("plain")
				}
				peer.Close()
			}
		})
	}
	wg.Wait()
	plain.ping("still")
	warm.ask("still", "still")
	eventually(t, "only two are left", func() bool { st := s.Stats(); return st.Open == 2 && st.TLSOpen == 1 })
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "descriptors are closed", func() bool { return openFiles(t) <= files })
}

// openFiles returns how many descriptors this process has, 0 where that cannot
// be told.
func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// TestTLSReset: the death of the socket is noticed by the writer
// too, and counted as what it is.
func TestTLSReset(t *testing.T) {
	h := &testHandler{serve: blower(1 << 20)}
	s := serve(t, h, withTLS)
	c := s.dialTLS(nil)
	c.Write(bytes.Repeat(textFrame("blow"), 10))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	c.raw.reset()
	eventually(t, "gone", func() bool { st := s.Stats(); return st.Open == 0 && st.ClosedByPeer+st.ClosedWriteError == 1 })
}

// TestConnectionsWithoutTLSHaveNoGoroutine, also while they have said nothing.
func TestConnectionsWithoutTLSHaveNoGoroutine(t *testing.T) {
	s := serve(t, &testHandler{}, withProxy)
	s.dial().ping("warm")
	before := runtime.NumGoroutine()
	for range 50 {
		s.dial()
		s.dial().ping("hello")
	}
	eventually(t, "accepted", func() bool { return s.Stats().Open == 101 })
	eventually(t, "no goroutine is left of the hand-over", func() bool { return runtime.NumGoroutine() <= before })
}

// TestSentBeforeTheFirstByte waits for it, and is never sent if it does not come.
func TestSentBeforeTheFirstByte(t *testing.T) {
	h := &testHandler{}
	conns := make(chan Conn, 3)
	h.opened = func(c Conn) {
		c.Send(textFrame("welcome"))
		conns <- c
	}
	s := serve(t, h, withTLS)
	plain := s.dial()
	c := <-conns
	c.Send(textFrame("again"))
	plain.send(textFrame("hello"))
	plain.want("welcome")
	plain.want("again")
	plain.want("hello")
	left := s.dial()
	c = <-conns
	c.Close(nil)
	left.wantClosed()
}

// TestFlushBehindHandOver has a flush, which was due before the hand-over, come
// after it: what is to be sent waits for the handshake all the same.
func TestFlushBehindHandOver(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, withTLS)
	peer := s.dial()
	c := (<-conns).(*conn)
	before := s.Stats()
	secure := peer.startTLS(nil, nil)
	secure.Conn = tls.Client(&pausing{client: peer, pause: func() {
		s.arrived(before, 1)
		eventually(t, "handed over", func() bool { return s.Stats().TLSOpen == 1 })
		c.Send(textFrame("welcome"))
		s.onLoop(c.loop, func() { c.loop.flush(c) })
	}}, &tls.Config{InsecureSkipVerify: true})
	secure.want("welcome")
}
