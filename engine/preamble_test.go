package engine

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// withTLS lets an engine serve both kinds of peers.
func withTLS(o *Options) {
	o.TLSMode = TLSPermissive
	o.TLSConfig = func() *tls.Config { return serverTLS() }
}

// withProxy lets an engine trust every peer of the loopback.
func withProxy(o *Options) {
	withTLS(o)
	o.ProxyTrusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// whoAreYou answers with the address that the connection is said to come from.
func whoAreYou(c Conn, _, out []byte) []byte { return append(out, textFrame("%s", c.RemoteAddr())...) }

func proxyHeader(t testing.TB, version byte, source string, tlvs ...proxyproto.TLV) []byte {
	t.Helper()
	src := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source))
	dst := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 9876}
	if src.IP.To4() == nil {
		dst.IP = net.ParseIP("2001:db8::1")
	}
	h := proxyproto.HeaderProxyFromAddrs(version, src, dst)
	if len(tlvs) > 0 {
		if err := h.SetTLVs(tlvs); err != nil {
			t.Fatal(err)
		}
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// arrived waits until the engine has read n bytes since before was taken.
func (s *server) arrived(before Stats, n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d bytes read", n), func() bool { return s.Stats().BytesIn >= before.BytesIn+uint64(n) })
}

func TestProxyHeaderCutAtEveryByte(t *testing.T) {
	h := &testHandler{serve: whoAreYou}
	s := serve(t, h, withProxy)
	for name, c := range map[string]struct {
		header []byte
		want   string // empty: the socket's
	}{
		"v1":                {proxyHeader(t, 1, "198.51.100.7:4711"), "198.51.100.7:4711"},
		"v1 IPv6":           {proxyHeader(t, 1, "[2001:db8::7]:4711"), "[2001:db8::7]:4711"},
		"v1 unknown":        {[]byte("PROXY UNKNOWN\r\n"), ""},
		"v1 worst":          {[]byte("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), ""},
		"v2":                {proxyHeader(t, 2, "198.51.100.7:4711"), "198.51.100.7:4711"},
		"v2 IPv6":           {proxyHeader(t, 2, "[2001:db8::7]:4711"), "[2001:db8::7]:4711"},
		"v2 TLV":            {proxyHeader(t, 2, "198.51.100.7:1", proxyproto.TLV{Type: 0xEA, Value: []byte("vpce-1")}), "198.51.100.7:1"},
		"v2 local":          {[]byte(proxyV2 + "\x20\x00\x00\x00"), ""},
		"v2 local, address": {[]byte(proxyV2 + "\x20\x11\x00\x0c1234123412ab"), ""},
		"v2 unspec":         {[]byte(proxyV2 + "\x21\x00\x00\x02ab"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for k := range len(c.header) + 1 {
				peer, before := s.dial(), s.Stats()
				want := c.want
				if want == "" {
					want = peer.LocalAddr().String()
				}
				peer.send(c.header[:k])
				s.arrived(before, k)
				peer.send(append(c.header[k:len(c.header):len(c.header)], textFrame("who")...))
				peer.want(want)
				if got := s.Stats().BytesIn - before.BytesIn; got != uint64(len(c.header)+7) {
					t.Fatalf("cut at %d: %d bytes counted, want %d", k, got, len(c.header)+7)
				}
				peer.ping2("who", want)
				peer.Close()
			}
		})
	}
}

// ping2 asks and wants another answer.
func (c *client) ping2(text, want string) {
	c.t.Helper()
	c.send(frameOf([]byte(text)))
	c.want(want)
}

// TestProxyHeaderByteByByte has the header, and what follows, in single bytes.
func TestProxyHeaderByteByByte(t *testing.T) {
	s := serve(t, &testHandler{serve: whoAreYou}, withProxy)
	for _, version := range []byte{1, 2} {
		peer, before := s.dial(), s.Stats()
		all := append(proxyHeader(t, version, "198.51.100.7:4711"), textFrame("who")...)
		for i := range all {
			peer.send(all[i : i+1])
			s.arrived(before, i+1)
		}
		peer.want("198.51.100.7:4711")
	}
}

// TestProxyHeaderWithManyFrames has more behind the header than the frame that
// decides: nothing may be lost, of what came in pieces either.
func TestProxyHeaderWithManyFrames(t *testing.T) {
	s := serve(t, &testHandler{}, withProxy)
	peer := s.dial()
	var all []byte
	for i := range 1000 {
		all = append(all, textFrame("frame %d", i)...)
	}
	all = append(proxyHeader(t, 1, "198.51.100.7:4711"), all...)
	before := s.Stats()
	peer.send(all[:10])
	s.arrived(before, 10)
	peer.send(all[10 : len(all)-3])
	for i := range 999 {
		peer.want(fmt.Sprintf("frame %d", i))
	}
	peer.send(all[len(all)-3:])
	peer.want("frame 999")
}

// TestProxyWithoutHeader has a trusted peer that speaks for itself.
func TestProxyWithoutHeader(t *testing.T) {
	s := serve(t, &testHandler{serve: whoAreYou}, withProxy)
	peer := s.dial()
	peer.ping2("who", peer.LocalAddr().String())
	secure := s.dialTLS(nil)
	secure.ask("who", secure.LocalAddr().String())
}

func TestProxyThenTLS(t *testing.T) {
	s := serve(t, &testHandler{serve: whoAreYou}, withProxy)
	for _, version := range []byte{1, 2} {
		header := proxyHeader(t, version, "198.51.100.7:4711")
		for _, cut := range []int{0, 1, 15, len(header) - 1, len(header)} {
			peer, before := s.dial(), s.Stats()
			peer.send(header[:cut])
			s.arrived(before, cut)
			secure := peer.upgrade(nil, header[cut:])
			secure.ask("who", "198.51.100.7:4711")
		}
	}
}

// TestBadProxyHeaders are closed, are never opened for the handler, and leave
// nothing behind.
func TestBadProxyHeaders(t *testing.T) {
	var log logBuffer
	h := &testHandler{opened: func(Conn) { t.Error("a connection with a bad header was opened") }}
	s := serve(t, h, func(o *Options) {
		withProxy(o)
		o.Logger = log.logger()
		o.HandshakeTimeout = time.Hour // that would close them too
	})
	v2 := func(rest string) string { return proxyV2 + rest }
	bad := map[string]string{
		"v1 garbage":         "PROXY garbage\r\n",
		"v1 too long":        "PROXY TCP4 " + strings.Repeat("1", 200),
		"v1 one too long":    "PROXY UNKNOWN " + strings.Repeat("f", maxProxyV1-15) + "\r\n",
		"v1 without end":     "PROXY " + strings.Repeat("f", maxProxyV1),
		"v1 no CR":           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
		"v1 bad port":        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
		"v1 bad address":     "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
		"v1 other family":    "PROXY TCP4 ::1 ::1 1 2\r\n",
		"v2 bad version":     v2("\x11\x11\x00\x0c123412341212"),
		"v2 bad command":     v2("\x2f\x11\x00\x0c123412341212"),
		"v2 short address":   v2("\x21\x11\x00\x04abcd"),
		"v2 unknown family":  v2("\x21\x41\x00\x04abcd"),
		"v2 short TCP6":      v2("\x21\x21\x00\x0c123412341212"),
		"v2 unspec, version": v2("\x31\x00\x00\x00"),
	}
	n := uint64(0)
	for name, text := range bad {
		t.Run(name, func(t *testing.T) {
			peer := s.dial()
			peer.send([]byte(text))
			peer.wantClosed()
		})
		n++
	}
	eventually(t, "all are counted", func() bool { return s.Stats().ClosedPreamble == n && s.Stats().Open == 0 })
	if !log.has("connection not let in") {
		t.Error("nothing in the log")
	}
}

// TestTwoProxyHeaders: the second is no frame.
func TestTwoProxyHeaders(t *testing.T) {
	s := serve(t, &testHandler{}, withProxy)
	for _, version := range []byte{1, 2} {
		header := proxyHeader(t, version, "198.51.100.7:4711")
		peer := s.dial()
		peer.send(append(header, header...))
		peer.wantClosed()
	}
	eventually(t, "counted as malformed", func() bool { return s.Stats().ClosedMalformed == 2 })
}

// TestProxyHeaderOfAStranger is a malformed frame, whatever it says.
func TestProxyHeaderOfAStranger(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, func(o *Options) {
		withProxy(o)
		o.ProxyTrusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::1/128")}
	})
	for _, version := range []byte{1, 2} {
		peer := s.dial()
		peer.send(append(proxyHeader(t, version, "198.51.100.7:4711"), textFrame("who")...))
		peer.wantClosed()
		h.wantCause(t, ErrMalformed)
	}
}

func TestTrustedPeers(t *testing.T) {
	e, err := New(&testHandler{}, Options{Addrs: []string{":0"}, Split: splitInt32, ProxyTrusted: []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fe80::/10"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for peer, want := range map[string]preamble{
		"10.1.2.3:1": preambleProxy, "[::ffff:10.1.2.3]:1": preambleProxy, "[fe80::1%eth0]:1": preambleProxy,
		"10.2.2.3:1": preambleTLS, "[::1]:1": preambleTLS,
	} {
		if got := e.preambleOf(netip.MustParseAddrPort(peer)); got != want {
			t.Errorf("%s: %d, want %d", peer, got, want)
		}
	}
}

// TestProxyHeaderTakesTooLong: the time runs from the first byte, and more
// bytes do not lengthen it.
func TestProxyHeaderTakesTooLong(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{}, func(o *Options) {
		withProxy(o)
		o.HandshakeTimeout = 10 * time.Second
		o.IdleTimeout = func() time.Duration { return time.Hour }
	})
	silent, dribbler, done := s.dial(), s.dial(), s.dial()
	s.wantOpened(3)
	clock.advance(20 * time.Second) // silence is no offence
	before := s.Stats()
	header := proxyHeader(t, 1, "198.51.100.7:4711")
	dribbler.send(header[:1])
	done.send(header[:1])
	s.arrived(before, 2)
	clock.advance(6 * time.Second)
	dribbler.send(header[1:2])
	done.send(header[1:])
	s.arrived(before, 2+len(header))
	clock.advance(3 * time.Second)
	if n := s.Stats().Open; n != 3 {
		t.Fatalf("%d open, want all three", n)
	}
	clock.advance(2 * time.Second)
	dribbler.wantClosed()
	done.ping("still here")
	silent.send(header)
	silent.ping("late is not too late")
	if n := s.Stats().ClosedPreamble; n != 1 {
		t.Errorf("%d closed for their preamble, want 1", n)
	}
}

// TestProxyPeerLeavesEarly has connections end in the middle of the preamble;
// the handler never hears of them.
func TestProxyPeerLeavesEarly(t *testing.T) {
	h := &testHandler{opened: func(Conn) { t.Error("opened") }}
	s := serve(t, h, withProxy)
	header := proxyHeader(t, 2, "198.51.100.7:4711")
	for _, n := range []int{0, 1, 12, len(header) - 1} {
		peer, before := s.dial(), s.Stats()
		eventually(t, "accepted", func() bool { return s.Stats().Open == 1 })
		peer.send(header[:n])
		s.arrived(before, n)
		peer.Close()
		eventually(t, "gone", func() bool { return s.Stats().Open == 0 })
	}
	peer, before := s.dial(), s.Stats()
	peer.send(header[:3])
	s.arrived(before, 3)
	s.stop() // with one under way
}

// TestClosedFromOpened closes a connection when its address is known.
func TestClosedFromOpened(t *testing.T) {
	reason := errors.New("not you")
	h := &testHandler{
		opened: func(c Conn) {
			if strings.HasPrefix(c.RemoteAddr(), "198.51.100.7:") {
				c.Close(reason)
			}
		},
		serve: func(Conn, []byte, []byte) []byte { panic("served") },
	}
	s := serve(t, h, withProxy)
	peer := s.dial()
	peer.send(append(proxyHeader(t, 1, "198.51.100.7:4711"), textFrame("who")...))
	peer.wantClosed()
	h.wantCause(t, reason)
	secure := s.dial()
	secure.send(append(proxyHeader(t, 1, "198.51.100.7:4711"), 0x16, 3, 1))
	secure.wantClosed()
}

func TestPanicInOpenedBehindProxy(t *testing.T) {
	h := &testHandler{opened: func(Conn) { panic("test") }}
	s := serve(t, h, withProxy)
	peer := s.dial()
	peer.send(append(proxyHeader(t, 1, "198.51.100.7:4711"), textFrame("who")...))
	peer.wantClosed()
	h.wantCause(t, ErrPanic)
}

// FuzzProxyHeader compares reading at once with reading byte by byte: size and
// address must not depend on where a header was cut, nothing panics, and no
// header is longer than it may be.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nrest"))
	f.Add([]byte(proxyV2 + "\x21\x11\x00\x0c1234567890ab and the rest"))
	f.Add([]byte(proxyV2 + "\x20\x00\x00\x00"))
	f.Add([]byte{0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := proxyHeaderSize(b)
		if err == nil && (size < 0 || size > proxyV2Fixed+0xFFFF) {
			t.Fatalf("size %d", size)
		}
		for k := 1; k < len(b); k++ {
			n, bad := proxyHeaderSize(b[:k])
			if bad != nil || n <= k { // decided
				if (bad == nil) != (err == nil) || n != size {
					t.Fatalf("%d of %d bytes: size %d, %v; all: %d, %v", k, len(b), n, bad, size, err)
				}
				break
			}
		}
		if err != nil || size == 0 || size > len(b) {
			return
		}
		header := bytes.Clone(b[:size])
		claimed, err := parseProxyHeader(header)
		if err == nil && claimed != noClaim && (!claimed.source.IsValid() || claimed.source.Addr().Is4In6() || len(claimed.tlvs) > maxProxyTLVs) {
			t.Fatalf("claimed is %+v", claimed)
		}
	})
}
