package engine

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// addrPort is the address of one end of a test's socket.
func addrPort(a net.Addr) netip.AddrPort { return addressOf(a.(*net.TCPAddr)) }

// A connection knows both its ends, whoever claims what, also when it is closed.
func TestConnAddresses(t *testing.T) {
	claim := netip.MustParseAddrPort("203.0.113.9:4711")
	for _, tt := range []struct {
		name    string
		change  func(*Options)
		header  []byte
		claimed netip.AddrPort
	}{
		{"plain", nil, nil, netip.AddrPort{}},
		{"on all addresses", func(o *Options) { o.Addrs = []string{":0"} }, nil, netip.AddrPort{}},
		{"trusted, and says nothing", withProxy, nil, netip.AddrPort{}},
		{"by header", withProxy, proxyHeader(t, 2, claim.String()), claim},
		{"by a header of version 1 that knows nobody", withProxy, []byte("PROXY UNKNOWN\r\n"), netip.AddrPort{}},
		{"by a header of a balancer that speaks for itself", withProxy, []byte(proxyV2 + "\x20\x00\x00\x00"), netip.AddrPort{}},
		{"by a header without a family", withProxy, []byte(proxyV2 + "\x21\x00\x00\x00"), netip.AddrPort{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conns := make(chan Conn, 1)
			s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, tt.change)
			c := s.dial()
			c.send(append(tt.header, textFrame("x")...))
			c.want("x")
			conn := <-conns
			check := func(when string) {
				t.Helper()
				remote := addrPort(c.LocalAddr())
				if tt.claimed.IsValid() {
					remote = tt.claimed
				}
				if conn.Peer() != addrPort(c.LocalAddr()) || conn.Local() != addrPort(c.RemoteAddr()) ||
					conn.Claimed() != tt.claimed || conn.Proxied() != (tt.header != nil) || conn.RemoteAddr() != remote.String() {
					t.Errorf("%s: peer %v, local %v, claimed %v, remote %s; the client is %v at %v", when,
						conn.Peer(), conn.Local(), conn.Claimed(), conn.RemoteAddr(), c.LocalAddr(), c.RemoteAddr())
				}
			}
			check("open")
			c.Close()
			eventually(t, "closed", func() bool { return s.Stats().Open == 0 })
			check("closed")
		})
	}
}

// The fields of a PROXY header by which balancers name an endpoint are kept, up to a bound;
// others are not, nor any that cannot be read.
func TestConnProxyTLVs(t *testing.T) {
	tlv := func(kind byte, n int) proxyproto.TLV {
		return proxyproto.TLV{Type: proxyproto.PP2Type(kind), Value: bytes.Repeat([]byte{kind}, n)}
	}
	raw := func(tlvs ...proxyproto.TLV) string {
		b, _ := proxyproto.JoinTLVs(tlvs)
		return string(b)
	}
	broken := proxyHeader(t, 2, "203.0.113.9:4711", tlv(0xEA, 5))
	broken[len(broken)-6]++ // the length of the field is that of more than there is
	for name, tt := range map[string]struct {
		header []byte
		want   string
	}{
		"none":             {proxyHeader(t, 2, "203.0.113.9:4711"), ""},
		"version 1":        {proxyHeader(t, 1, "203.0.113.9:4711"), ""},
		"no header":        {nil, ""},
		"some":             {proxyHeader(t, 2, "203.0.113.9:4711", tlv(0x01, 4), tlv(0xEA, 5), tlv(0x30, 9), tlv(0x02, 7), tlv(0xE0, 8)), raw(tlv(0xEA, 5), tlv(0x02, 7), tlv(0xE0, 8))},
		"as many as fit":   {proxyHeader(t, 2, "203.0.113.9:4711", tlv(0xEA, 253)), raw(tlv(0xEA, 253))},
		"one is too large": {proxyHeader(t, 2, "203.0.113.9:4711", tlv(0xEA, 254), tlv(0xEE, 5)), raw(tlv(0xEE, 5))},
		"cannot be read":   {broken, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan Conn, 1)
			s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, withProxy)
			c := s.dial()
			c.send(append(tt.header, textFrame("x")...))
			c.want("x")
			if got := string((<-conns).ProxyTLVs()); got != tt.want {
				t.Errorf("TLVs are %q, want %q", got, tt.want)
			}
		})
	}
}

// What was agreed in the handshake is there when the first frame is served.
func TestConnTLS(t *testing.T) {
	states := make(chan *tls.ConnectionState, 3)
	tell := func(c Conn) { states <- c.TLS() }
	h := &testHandler{opened: tell, closed: func(c Conn, _ error) { tell(c) }}
	h.serve = func(c Conn, frame, out []byte) []byte {
		tell(c)
		return append(out, frame...)
	}
	s := serve(t, h, func(o *Options) {
		withTLS(o)
		cfg := serverTLS().Clone()
		cfg.ClientAuth = tls.RequireAnyClientCert
		o.TLSConfig = func() *tls.Config { return cfg }
	})
	plain := s.dial()
	plain.ping("x")
	plain.Close()
	for _, when := range []string{"Opened", "Serve", "Closed"} {
		if st := <-states; st != nil {
			t.Errorf("%s of a plain connection: %+v", when, st)
		}
	}
	cert := serverTLS().Certificates[0]
	c := s.dialTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
	c.ask("x", "x")
	if st := <-states; st != nil {
		t.Errorf("Opened, before the handshake: %+v", st)
	}
	first := <-states
	if first == nil || !first.HandshakeComplete || len(first.PeerCertificates) != 1 ||
		first.PeerCertificates[0].Subject.CommonName != "localhost" {
		t.Fatalf("Serve: %+v, want the client's certificate", first)
	}
	c.raw.Close()
	if last := <-states; last != first {
		t.Errorf("Closed: %p, want what Serve had, %p", last, first)
	}
}

// The value is the handler's, on whatever goroutine it is.
func TestConnValue(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{})
	h := &testHandler{}
	h.serve = func(c Conn, frame, out []byte) []byte {
		switch string(frame[4:]) {
		case "set":
			c.SetValue("on the loop")
			return append(out, frame...)
		case "task":
			x.Submit(c, frame, func(c Conn, _ time.Duration, frame, out []byte) []byte {
				c.SetValue("by a task")
				return append(out, frame...)
			})
			return out
		}
		text, _ := c.Value().(string)
		return append(out, textFrame("%s", text)...)
	}
	s := serve(t, h, nil)
	c, other := s.dial(), s.dial()
	for _, step := range []struct{ say, want string }{
		{"get", ""}, {"set", "set"}, {"get", "on the loop"}, {"task", "task"}, {"get", "by a task"},
	} {
		c.send(textFrame("%s", step.say))
		c.want(step.want)
	}
	other.send(textFrame("get"))
	other.want("")
	conn := newFake()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 1000 {
				conn.SetValue(i)
				if v, ok := conn.Value().(int); !ok || v < 0 || v > 3 {
					t.Errorf("value %v", conn.Value())
				}
			}
		})
	}
	all.Wait()
	if conn.SetValue(nil); conn.Value() != nil {
		t.Errorf("value %v after nil", conn.Value())
	}
}

// timed is an echo that keeps the times it is given.
type timed struct {
	x           *Executor // to which frames "task" go
	clock       atomic.Pointer[testClock]
	serve, task chan time.Duration
}

func (h *timed) Opened(Conn)        {}
func (h *timed) Closed(Conn, error) {}
func (h *timed) Serve(c Conn, at time.Duration, frame, out []byte) []byte {
	h.serve <- at
	h.clock.Load().now.Add(int64(time.Millisecond)) // time goes on during a turn
	if string(frame[4:]) == "task" {
		h.x.Submit(c, frame, func(_ Conn, arrived time.Duration, frame, out []byte) []byte {
			h.task <- arrived
			return append(out, frame...)
		})
		return out
	}
	return append(out, frame...)
}

// All frames of a turn have one time, that of its beginning, and a task has the
// time of the turn it came with, however late it runs.
func TestTimeOfTheTurn(t *testing.T) {
	for _, secure := range []bool{false, true} {
		x := newExecutor(t, ExecutorOptions{})
		h := &timed{x: x, serve: make(chan time.Duration, 10), task: make(chan time.Duration, 10)}
		s, clock := serveInTime(t, h, withTLS)
		h.clock.Store(clock)
		var send func([]byte)
		var want func(string)
		if secure {
			c := s.dialTLS(nil)
			send, want = func(b []byte) { c.Write(b) }, c.want
		} else {
			c := s.dial()
			send, want = c.send, c.want
		}
		release := block(t, x)
		var last time.Duration
		for i := range 3 {
			clock.now.Store(int64(i+1) * int64(time.Second))
			now := s.now()
			send(append(append(textFrame("task"), textFrame("a")...), textFrame("b")...))
			for range 3 {
				if at := <-h.serve; at != now {
					t.Errorf("TLS %v: served at %v, want %v", secure, at, now)
				}
			}
			want("a")
			want("b")
			last = now
		}
		clock.now.Add(int64(time.Minute))
		release()
		for i := range 3 {
			want("task")
			if at := <-h.task; at != last-time.Duration(2-i)*time.Second {
				t.Errorf("TLS %v: task %d arrived at %v, want a second before %v for each that came later", secure, i, at, last)
			}
		}
	}
}
