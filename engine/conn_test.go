package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"github.com/panjf2000/gnet/v2"
)

func TestSendKeepsOrder(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, nil)
	c := s.dial()
	conn := <-conns
	const n = 5000
	go func() {
		for i := range n {
			conn.Send(textFrame("%d", i))
		}
	}()
	for i := range n {
		c.want(fmt.Sprint(i))
	}
}

func TestSendCopies(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	conn := <-conns
	release := make(chan struct{})
	s.loops[0].execute(s.loops[0].guarded(func() { <-release }))
	b := textFrame("mine")
	conn.Send(b)
	copy(b, bytes.Repeat([]byte("X"), len(b)))
	conn.Send(nil)
	close(release)
	c.want("mine")
}

func TestSendFromOpened(t *testing.T) {
	s := serve(t, &testHandler{opened: func(c Conn) { c.Send(textFrame("welcome")) }}, nil)
	c := s.dial()
	c.want("welcome")
	c.ping("x")
}

func TestCloseGivesItsReasonAndFlushes(t *testing.T) {
	reason := errors.New("enough of you")
	h := &testHandler{}
	h.serve = func(c Conn, frame, out []byte) []byte {
		c.Send(textFrame("sent"))
		c.Close(reason)
		c.Close(errors.New("too late"))
		return append(out, textFrame("reply")...)
	}
	s := serve(t, h, nil)
	c := s.dial()
	c.send(append(textFrame("one"), textFrame("not served")...))
	c.want("reply")
	c.want("sent")
	c.wantClosed()
	eventually(t, "counted", func() bool { return s.Stats().ClosedLocal == 1 })
	h.wantCause(t, reason)
	if n := s.Stats().Frames; n != 1 {
		t.Errorf("%d frames served, want 1", n)
	}
}

func TestCloseWhileChoked(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }, serve: blower(1 << 20)}, smallSockets)
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	c.send(append(textFrame("x"), textFrame("y")...))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	(<-conns).Close(nil)
	eventually(t, "closed", func() bool { return s.Stats().ClosedLocal == 1 && s.Stats().Choked == 0 })
}

// Any goroutine may Send and Close at any time, against the peer's own close,
// and each connection is closed once.
func TestSendAgainstClose(t *testing.T) {
	var wg sync.WaitGroup
	s := serve(t, &testHandler{
		opened: func(c Conn) {
			for i := range 3 {
				wg.Go(func() {
					for j := 0; c.Alive() && j < 1000; j++ {
						c.Send(textFrame("%d", j))
						if i == 0 && j == 50+int(c.ID()%50) {
							c.Close(nil)
						}
						runtime.Gosched()
					}
					c.Send([]byte("after the end"))
					c.Close(nil)
				})
			}
		},
	}, nil)
	for round := range 10 {
		var peers sync.WaitGroup
		for i := range 10 {
			c := s.dial()
			peers.Go(func() {
				c.Write(textFrame("hello"))
				switch (round + i) % 3 {
				case 0:
					io.CopyN(io.Discard, c, int64(10*i))
					c.reset()
				case 1:
					c.CloseWrite()
					io.Copy(io.Discard, c)
				default:
					io.Copy(io.Discard, c)
				}
			})
		}
		peers.Wait()
	}
	eventually(t, "all closed", func() bool { return s.Stats().Open == 0 })
	wg.Wait()
	st := s.Stats()
	if sum := st.ClosedByPeer + st.ClosedLocal + st.ClosedWriteError; sum != 100 || st.Accepted != 100 {
		t.Errorf("stats %+v, want 100 accepted and closed by peer, locally or by write error", st)
	}
}

// Workers that reply while the engine stops must not reach a descriptor that
// is no longer the engine's.
func TestSendAgainstStop(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 4})
	for range 5 {
		s := serve(t, throughExecutor(x, echoTask), nil)
		for range 10 {
			c := s.dial()
			go c.Write(bytes.Repeat(textFrame("x"), 10_000))
			go io.Copy(io.Discard, c)
		}
		eventually(t, "under load", func() bool { return s.Stats().Frames > 5000 })
		s.stop()
	}
}

// A countingLoop stands for one of gnet's loops and runs nothing.
type countingLoop struct {
	gnet.EventLoop
	executed int
}

func (l *countingLoop) Execute(context.Context, gnet.Runnable) error {
	l.executed++
	return nil
}

// Waking the loop costs a system call, so many Sends wake it once.
func TestLoopIsWokenOnce(t *testing.T) {
	el := &countingLoop{}
	e := &Engine{o: Options{}.withDefaults()}
	l := newLoop(e, 0)
	l.begin(el)
	for i := range 10 {
		c := &conn{id: uint64(i), e: e, loop: l}
		c.Send([]byte("a"))
		c.Send([]byte("b"))
		c.Close(nil)
	}
	if el.executed != 1 || len(l.ready) != 10 {
		t.Errorf("woken %d times for %d connections, want once for 10", el.executed, len(l.ready))
	}
}

// gnet would write to a descriptor that is somebody else's by then.
func TestNothingIsExecutedOnAnEndedLoop(t *testing.T) {
	el := &countingLoop{}
	e := &Engine{o: Options{}.withDefaults()}
	l := newLoop(e, 0)
	l.begin(el)
	l.end()
	l.execute(l.tickTask)
	(&conn{e: e, loop: l}).Send([]byte("late"))
	if el.executed != 0 {
		t.Errorf("%d tasks executed on a loop that has ended", el.executed)
	}
}

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want closeKind
	}{
		{nil, closedLocal},
		{errors.New("mine"), closedLocal},
		{io.EOF, closedByPeer},
		{fmt.Errorf("x: %w", ErrMalformed), closedMalformed},
		{ErrIdle, closedIdle},
		{ErrPanic, closedPanic},
		{ErrSlowReader, closedSlowReader},
		{ErrOverloaded, closedOverloaded},
		{ErrShutdown, closedShutdown},
	} {
		if got := kindOf(tt.err); got != tt.want {
			t.Errorf("kindOf(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

// What the loop says of why it closes a connection counts more than what Close was
// given, whichever comes first, and of each the first.
func TestCauseOfTheLoopCountsMore(t *testing.T) {
	ours, later, given := errors.New("the loop's"), errors.New("the loop's, later"), errors.New("given to Close")
	e := &Engine{o: Options{Clock: NewClock()}}
	for _, tt := range []struct {
		name string
		say  func(c *conn)
		want error
	}{
		{"only the loop", func(c *conn) { c.setCause(ours) }, ours},
		{"only Close", func(c *conn) { c.Close(given) }, given},
		{"first the loop", func(c *conn) { c.setCause(ours); c.Close(given) }, ours},
		{"first Close", func(c *conn) { c.Close(given); c.setCause(ours) }, ours},
		{"twice the loop", func(c *conn) { c.setCause(ours); c.setCause(later) }, ours},
		{"twice Close", func(c *conn) { c.Close(given); c.Close(later) }, given},
		{"the loop says nothing", func(c *conn) { c.setCause(nil); c.Close(given) }, given},
		{"nobody", func(*conn) {}, io.EOF},
	} {
		c := newConn(e, netip.AddrPort{}, netip.AddrPort{})
		c.queued = true // so that no loop is woken
		tt.say(c)
		if got := closeCause(io.EOF, c.reason); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
