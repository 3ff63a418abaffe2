package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
)

// announce begins a frame of 16 MiB, sends so many bytes of it and waits until
// they are held.
func (c *tlsClient) announce(s *server, n int) {
	c.t.Helper()
	before := s.Stats().PartialBytes
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, 16<<20-4), make([]byte, n)...)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
	eventually(c.t, "beginning read", func() bool { return s.Stats().PartialBytes >= before+int64(n) })
}

// Frames have to be finished in time with TLS too.
func TestTLSFrameTimeouts(t *testing.T) {
	h := &testHandler{}
	s, clock := serveInTime(t, h, func(o *Options) {
		withTLS(o)
		o.FirstFrameTimeout, o.FrameTimeout = 20*time.Second, 50*time.Second
	})
	silent, first, later := s.dialTLS(nil), s.dialTLS(nil), s.dialTLS(nil)
	later.ask("hello", "hello")
	first.announce(s, 1000)
	later.announce(s, 1000)
	clock.advance(19 * time.Second)
	if st := s.Stats(); st.TLSOpen != 3 {
		t.Fatal("closed before its time")
	}
	clock.advance(2 * time.Second)
	first.wantClosed()
	eventually(t, "the first is counted", func() bool { return s.Stats().ClosedFrameTimeout == 1 })
	if err := h.lastCause(); !errors.Is(err, ErrFrameTimeout) {
		t.Errorf("Closed got %v, want ErrFrameTimeout", err)
	}
	clock.advance(28 * time.Second)
	if st := s.Stats(); st.TLSOpen != 2 {
		t.Fatal("a later frame is closed before its time")
	}
	clock.advance(2 * time.Second)
	later.wantClosed()
	eventually(t, "the later is counted", func() bool { return s.Stats().ClosedFrameTimeout == 2 })
	silent.ask("speaks at last", "speaks at last")
}

// The deadline is that of one frame with TLS too.
func TestTLSFrameTimeoutBeginsWithEachFrame(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{}, withTLS)
	c := s.dialTLS(nil)
	frame := textFrame("0123456789")
	rest := frame
	for range 5 {
		if _, err := c.Write(append(rest[:len(rest):len(rest)], frame[:5]...)); err != nil {
			t.Fatal(err)
		}
		c.want("0123456789")
		eventually(t, "half read", func() bool { return s.Stats().PartialBytes > 0 })
		rest = frame[5:]
		clock.advance(25 * time.Second)
	}
	if st := s.Stats(); st.ClosedFrameTimeout != 0 || st.Open != 1 {
		t.Errorf("stats %+v, want it open", st)
	}
}

// When the budget is nearly used up, the next tick closes whoever has held
// bytes for longest, with TLS too.
func TestTLSBudgetDismissesTheOldestFirst(t *testing.T) {
	h := &testHandler{}
	s, clock := serveInTime(t, h, func(o *Options) {
		withTLS(o)
		o.Budget = NewBudget(8 << 20)
	})
	var stalled []*tlsClient
	for !s.Budget().tight() {
		c := s.dialTLS(nil)
		c.announce(s, 200<<10)
		stalled = append(stalled, c)
		clock.advance(time.Second)
	}
	if len(stalled) < 8 {
		t.Fatalf("%d peers have used up the budget, want each to cost little more than it sent", len(stalled))
	}
	clock.advance(time.Second)
	stalled[0].wantClosed()
	eventually(t, "relieved", func() bool { return !s.Budget().tight() })
	if err := h.lastCause(); !errors.Is(err, ErrOverloaded) {
		t.Errorf("Closed got %v, want ErrOverloaded", err)
	}
	if st := s.Stats(); st.ClosedOverloaded == 0 || st.ClosedOverloaded > 2 {
		t.Errorf("%d closed, want one or two", st.ClosedOverloaded)
	}
	s.dialTLS(nil).ask("newcomer", "newcomer")
}

// Behind a trusted peer the address in the header counts, not the peer's own.
func TestProxyMaxConnectionsPerAddress(t *testing.T) {
	s := serve(t, &testHandler{serve: whoAreYou}, func(o *Options) {
		withProxy(o)
		o.MaxConnectionsPerAddress = 2
	})
	from := func(host int) *client {
		c := s.dial()
		c.send(proxyHeader(t, 2, fmt.Sprintf("198.51.100.%d:4711", host)))
		return c
	}
	var last *client
	for range 2 {
		for host := range 5 {
			last = from(host)
			last.send(textFrame("who"))
			last.want(fmt.Sprintf("198.51.100.%d:4711", host))
		}
	}
	refused := from(4)
	refused.wantClosed()
	if st := s.Stats(); st.RefusedPerAddress != 1 {
		t.Errorf("%d refused, want 1", st.RefusedPerAddress)
	}
	last.Close()
	eventually(t, "it has left", func() bool { return s.Stats().Open == 9 })
	again := from(4)
	again.send(textFrame("who"))
	again.want("198.51.100.4:4711")
}
