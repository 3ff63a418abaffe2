package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPipelinedInOrder(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	c := s.dial()
	const n = 1000
	var all []byte
	for i := range n {
		all = append(all, textFrame("request %d", i)...)
	}
	go c.Write(all)
	for i := range n {
		c.want(fmt.Sprintf("request %d", i))
	}
}

// One read's replies must leave in one write: a write each costs up to
// fourteen times the CPU.
func TestRepliesOfOneTurnLeaveInOneWrite(t *testing.T) {
	// A turn that lasts too long gives way to other peers: on a busy machine there are a few.
	inTurn := 0
	var again atomic.Int64
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		if inTurn++; len(out) == 0 && inTurn > 1 {
			inTurn = 1
			again.Add(1)
		}
		if len(out) != (inTurn-1)*len(frame) {
			t.Errorf("frame %d finds %d bytes of replies before its own, want %d", inTurn, len(out), (inTurn-1)*len(frame))
		}
		return append(out, frame...)
	}}, nil)
	c := s.dial()
	c.send(bytes.Repeat(textFrame("abc"), 100)) // one segment on loopback
	for range 100 {
		c.want("abc")
	}
	if n := again.Load(); n > 10 {
		t.Errorf("it took %d turns", n+1)
	}
}

func TestFrameCutAtEveryByte(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	c := s.dial()
	var all []byte
	var want []string
	for _, text := range []string{"first", "", "the third", strings.Repeat("z", 200)} {
		all = append(all, frameOf([]byte(text))...)
		want = append(want, text)
	}
	before := s.Stats().BytesIn
	for cut := 1; cut < len(all); cut++ {
		c.send(all[:cut])
		// The second piece must find the first one read, or nothing is cut.
		before += uint64(cut)
		eventually(t, "first piece read", func() bool { return s.Stats().BytesIn == before })
		c.send(all[cut:])
		before += uint64(len(all) - cut)
		for _, text := range want {
			c.want(text)
		}
	}
}

func TestOneByteAtATime(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	c := s.dial()
	all := append(append(textFrame("slowly"), textFrame("")...), textFrame("but surely")...)
	for i := range all {
		c.send(all[i : i+1])
		eventually(t, "byte read", func() bool { return s.Stats().BytesIn == uint64(i+1) })
	}
	c.want("slowly")
	c.want("")
	c.want("but surely")
}

// A split that wants to see more of a stream than its first frame is long.
func TestSplitThatLooksFarAhead(t *testing.T) {
	split := func(b []byte) (int, error) {
		if len(b) < 12 {
			return 0, nil
		}
		return splitInt32(b)
	}
	s := serve(t, &testHandler{}, func(o *Options) { o.Split = split })
	c := s.dial()
	all := append(append(textFrame("a"), textFrame("b")...), textFrame("long enough to end it")...)
	for i := range all {
		c.send(all[i : i+1])
		eventually(t, "byte read", func() bool { return s.Stats().BytesIn == uint64(i+1) })
	}
	for _, text := range []string{"a", "b", "long enough to end it"} {
		c.want(text)
	}
}

func TestBigFrameInPieces(t *testing.T) {
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		sum := uint32(0)
		for _, b := range frame[4:] {
			sum = sum*31 + uint32(b)
		}
		return append(out, textFrame("%d %d", len(frame), sum)...)
	}}, nil)
	payload := make([]byte, 16<<20-4)
	sum := uint32(0)
	for i := range payload {
		payload[i] = byte(i * i >> 8)
		sum = sum*31 + uint32(payload[i])
	}
	b := frameOf(payload)
	c := s.dial()
	for len(b) > 0 {
		n := min(64<<10, len(b))
		c.send(b[:n])
		b = b[n:]
	}
	c.want(fmt.Sprintf("%d %d", 16<<20, sum))
	c.send(textFrame(""))
	c.want("4 0")
	if n := s.Stats().PartialBytes; n != 0 {
		t.Errorf("%d bytes held after the frame, want 0", n)
	}
}

func TestSplitFaultsAreMalformed(t *testing.T) {
	for name, split := range map[string]SplitFunc{
		"negative size": func([]byte) (int, error) { return -1, nil },
		"own error":     func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, &testHandler{}, func(o *Options) { o.Split = split })
			c := s.dial()
			c.send([]byte("x"))
			c.wantClosed()
			eventually(t, "counted", func() bool { return s.Stats().ClosedMalformed == 1 })
		})
	}
}

func TestTruncatedFrameThenFIN(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, nil)
	c := s.dial()
	whole := textFrame("never whole")
	c.send(whole[:len(whole)-1])
	c.CloseWrite()
	c.wantClosed()
	eventually(t, "counted", func() bool { return s.Stats().ClosedByPeer == 1 })
	if st := s.Stats(); st.Frames != 0 {
		t.Errorf("%d frames served, want 0", st.Frames)
	}
	h.wantCause(t, io.EOF)
}

// What was sent before a close of ours leaves before it.
func TestSentBeforeMalformedArrives(t *testing.T) {
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		c.Send(frame)
		return out
	}}, nil)
	c := s.dial()
	c.send(append(textFrame("sent"), 0x80, 0, 0, 0))
	c.want("sent")
	c.wantClosed()
}

// A half-close closes the whole, but replies made on the loop get out first.
func TestFINRightAfterRequest(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	for range 50 {
		c := s.dial()
		c.send(append(textFrame("a"), textFrame("b")...))
		c.CloseWrite()
		c.want("a")
		c.want("b")
		c.wantClosed()
	}
	eventually(t, "counted", func() bool { return s.Stats().ClosedByPeer == 50 })
}

// A length field is a claim: 200 of them must not make us reserve 3 GiB.
func TestAnnouncedFrameCostsLittle(t *testing.T) {
	s := serve(t, &testHandler{}, nil)
	head := binary.BigEndian.AppendUint32(nil, 16<<20-4)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 200 {
		s.dial().send(append(head, "a few bytes"...))
	}
	eventually(t, "all read", func() bool { return s.Stats().BytesIn == 200*15 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("heap grew by %d bytes for 200 connections, want less than 8 MiB", grown)
	}
	if n := s.Stats().PartialBytes; n > 200*smallBuffer {
		t.Errorf("%d bytes held, want at most %d", n, 200*smallBuffer)
	}
}

func TestHandlerPanic(t *testing.T) {
	for _, where := range []string{"Opened", "Serve", "Serve of an assembled frame", "Closed"} {
		t.Run(where, func(t *testing.T) {
			log := &logBuffer{}
			h := &testHandler{}
			s := serve(t, h, func(o *Options) { o.Logger = log.logger() })
			good := s.dial()
			good.ping("before")
			switch where {
			case "Opened":
				h.set(func() { h.opened = func(Conn) { panic("boom in Opened") } })
			case "Closed":
				h.set(func() { h.closed = func(Conn, error) { panic("boom in Closed") } })
			default:
				h.set(func() {
					h.serve = func(_ Conn, frame, out []byte) []byte {
						if string(frame[4:]) == "bomb" {
							panic("boom in Serve")
						}
						return append(out, frame...)
					}
				})
			}
			c := s.dial()
			switch where {
			case "Serve":
				c.send(append(append(textFrame("fine"), textFrame("bomb")...), textFrame("never")...))
				c.want("fine") // a reply before the panic is not lost
			case "Serve of an assembled frame":
				c.send(textFrame("bomb")[:6])
				eventually(t, "read", func() bool { return s.Stats().BytesIn >= 6+10 })
				c.send(textFrame("bomb")[6:])
			case "Closed":
				c.CloseWrite()
			}
			c.wantClosed()
			eventually(t, "counted", func() bool { return s.Stats().Panics == 1 })
			if where != "Closed" {
				eventually(t, "counted as closed", func() bool { return s.Stats().ClosedPanic == 1 })
			}
			if !log.has("boom in") || !log.has("goroutine") {
				t.Error("panic not logged with its stack")
			}
			good.ping("after")
			h.set(func() { h.closed = nil })
		})
	}
}

// Nothing may be done to a connection whose write has failed: gnet has closed
// it inside Write, and its descriptor may already be another connection's.
func TestWriteErrorMidBatch(t *testing.T) {
	var served atomic.Int32
	var fd int
	entered, resume := make(chan struct{}), make(chan struct{})
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		if string(frame[4:]) != "x" {
			return append(out, frame...)
		}
		if served.Add(1) == 1 {
			fd = c.(*conn).gc.Fd()
			close(entered)
			<-resume
		}
		return append(out, make([]byte, flushSize)...)
	}}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	c.send(bytes.Repeat(textFrame("x"), 5))
	<-entered
	c.reset()
	eventually(t, "the reset has come", func() bool {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n == 1 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	})
	close(resume)
	eventually(t, "counted", func() bool { return s.Stats().ClosedWriteError == 1 })
	if n := served.Load(); n != 1 {
		t.Errorf("%d frames served, want 1: the connection died at the first write", n)
	}
	if n := s.Stats().Panics; n != 0 {
		t.Errorf("%d panics, want 0: the dead connection was touched", n)
	}
	s.dial().ping("others go on")
}

// The steady state of the loop path must not allocate.
func TestServingDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget on purpose")
	}
	s := serve(t, echo{}, nil) // no bookkeeping
	c := s.dial()

	request := bytes.Repeat(textFrame("%0500d", 7), 16)
	reply := make([]byte, len(request))
	round := func() {
		c.Write(request)
		io.ReadFull(c, reply)
	}
	for range 100 {
		round()
	}
	if n := testing.AllocsPerRun(2000, round); n >= 1 {
		t.Errorf("%.2f allocations for 16 requests, want less than 1", n)
	}
}

// echo is a Handler without any bookkeeping.
type echo struct{}

func (echo) Opened(Conn)                                             {}
func (echo) Closed(Conn, error)                                      {}
func (echo) Serve(_ Conn, _ time.Duration, frame, out []byte) []byte { return append(out, frame...) }

func TestManyClientsAtOnce(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) { o.Loops = 3 })
	var wg sync.WaitGroup
	for i := range 50 {
		c := s.dial()
		wg.Go(func() {
			for j := range 50 {
				text := fmt.Sprintf("%d/%d", i, j)
				c.Write(textFrame("%s", text))
				if got, err := readFrame(c); err != nil || string(got) != text {
					t.Errorf("got %q, %v, want %q", got, err, text)
					return
				}
			}
		})
	}
	wg.Wait()
}
