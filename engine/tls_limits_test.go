package engine

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// announce begins a frame of 16 MiB, sends so many bytes of it and waits until
// they are held, and until it is known when the frame has begun.
func (c *tlsClient) announce(s *server, n int) {
	c.t.Helper()
	peer := s.tlsConnOf(c)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, 16<<20-4), make([]byte, n)...)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
	eventually(c.t, "beginning read", func() bool { return peer.held.Load() >= int64(n) && peer.awaitsFrame() })
}

// awaitsFrame reports whether the time of an unfinished frame runs.
func (t *tlsConn) awaitsFrame() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	return t.waiting
}

// tlsConnOf returns the server's side of a connection.
func (s *server) tlsConnOf(c *tlsClient) (peer *tlsConn) {
	s.t.Helper()
	eventually(s.t, "handed over", func() bool {
		s.tls.mu.Lock()
		defer s.tls.mu.Unlock()
		for t := range s.tls.open {
			if t.c.RemoteAddr() == c.LocalAddr().String() {
				peer = t
			}
		}
		return peer != nil
	})
	return peer
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
	var peers []*tlsConn
	for !s.Budget().tight() {
		clock.advance(time.Second) // a second between two of them, and none at the end
		c := s.dialTLS(nil)
		c.announce(s, 200<<10)
		stalled, peers = append(stalled, c), append(peers, s.tlsConnOf(c))
		eventually(t, "what is held is held once", func() bool { // a buffer that grows is two for a moment
			held := int64(0)
			for _, peer := range peers {
				held += peer.held.Load()
			}
			return held == s.Budget().Held()
		})
	}
	if len(stalled) < 8 {
		t.Fatalf("%d peers have used up the budget, want each to cost little more than it sent", len(stalled))
	}
	// Who has to go is known: the oldest, as long as there is too much.
	excess, leaving := s.Budget().excess(), 0
	for ; excess > 0; leaving++ {
		excess -= peers[leaving].held.Load()
	}
	clock.advance(time.Second)
	for i := range leaving {
		stalled[i].wantClosed()
	}
	eventually(t, "they are counted", func() bool { return s.Stats().ClosedOverloaded == uint64(leaving) })
	h.wantCause(t, ErrOverloaded)
	for range 3 {
		clock.advance(time.Second) // there is room: nobody else has to go
	}
	for i, peer := range peers {
		if closed := peer.c.closing.Load(); closed != (i < leaving) {
			t.Errorf("peer %d of %d closed: %v, want the oldest %d", i, len(peers), closed, leaving)
		}
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
