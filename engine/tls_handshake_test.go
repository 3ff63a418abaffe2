package engine

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestClientHelloCutAtEveryByte cuts what the loop reads before the hand-over
// and what the goroutine reads after it.
func TestClientHelloCutAtEveryByte(t *testing.T) {
	s := serve(t, &testHandler{}, withTLS)
	cfg := &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}} // a short one
	for k, size := 1, 2; k < size; k++ {
		peer := s.dial()
		c := peer.startTLS(cfg, nil)
		hello := &cutConn{client: peer, s: s, at: k}
		c.Conn = tls.Client(hello, &tls.Config{InsecureSkipVerify: true, CurvePreferences: cfg.CurvePreferences})
		c.ask("hello", "hello")
		size = hello.size
		c.Close()
	}
}

// TestTLSHandshakeFailures: a handshake that comes to nothing is counted, and neither are
// bytes that begin none, nor one that is finished.
func TestTLSHandshakeFailures(t *testing.T) {
	s := serve(t, &testHandler{}, withTLS)
	counts := func(finished, failed uint64) func() bool {
		return func() bool {
			st := s.Stats()
			return st.TLSHandshakes == finished && st.TLSHandshakeFailures == failed
		}
	}
	s.dialTLS(nil).ask("secret", "secret")
	eventually(t, "one is finished", counts(1, 0))
	hello := []byte{0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0}
	bad := s.dial()
	bad.send(hello)
	eventually(t, "a bad one has failed", counts(1, 1))
	gone := s.dial()
	gone.send(hello[:7])
	gone.Close()
	eventually(t, "one that was cut off has failed", counts(1, 2))
	plain := s.dial()
	plain.ping("plain")
	if !counts(1, 2)() {
		t.Errorf("after a peer without TLS: %+v", s.Stats())
	}
}

func TestTLSModes(t *testing.T) {
	hello := []byte{0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0}
	for _, c := range []struct {
		mode           TLSMode
		plain, secured bool
	}{{TLSDisabled, true, false}, {TLSPermissive, true, true}, {TLSEnforcing, false, true}} {
		var served atomic.Bool
		h := &testHandler{serve: func(_ Conn, frame, out []byte) []byte {
			served.Store(true)
			return append(out, frame...)
		}}
		s := serve(t, h, func(o *Options) {
			withTLS(o)
			o.TLSMode = c.mode
		})
		peer := s.dial()
		if c.plain {
			peer.ping("plain")
		} else {
			peer.send(bytes.Repeat(frameOf([]byte("plain")), 100))
			peer.wantClosed()
			h.wantCause(t, ErrPreamble)
			if served.Load() {
				t.Errorf("mode %d: served without TLS", c.mode)
			}
		}
		if c.secured {
			s.dialTLS(nil).ask("secret", "secret")
		} else {
			peer := s.dial()
			peer.send(hello)
			peer.wantClosed()
			h.wantCause(t, ErrPreamble)
		}
	}
}

// TestTLSWithoutConfig: TLS is not served, all else is.
func TestTLSWithoutConfig(t *testing.T) {
	for _, get := range []func() *tls.Config{nil, func() *tls.Config { return nil }} {
		s := serve(t, &testHandler{}, func(o *Options) { o.TLSMode, o.TLSConfig = TLSPermissive, get })
		if err := s.dial().startTLS(nil, nil).Handshake(); err == nil {
			t.Error("a handshake without a certificate")
		}
		s.dial().ping("plain")
		eventually(t, "counted", func() bool { return s.Stats().ClosedPreamble == 1 })
	}
}

// TestTLSConfigChanges: each handshake asks again, and those before stay.
func TestTLSConfigChanges(t *testing.T) {
	var cfg atomic.Pointer[tls.Config]
	cfg.Store(serverTLS())
	s := serve(t, &testHandler{}, func(o *Options) {
		o.TLSMode, o.TLSConfig = TLSPermissive, cfg.Load
	})
	c := s.dialTLS(nil)
	c.ask("one", "one")
	strict := serverTLS().Clone()
	strict.MinVersion = tls.VersionTLS13
	cfg.Store(strict)
	if err := s.dial().startTLS(&tls.Config{MaxVersion: tls.VersionTLS12}, nil).Handshake(); err == nil {
		t.Error("the new configuration is not asked")
	}
	c.ask("two", "two")
}

// TestHandshakeStalls has peers who begin a handshake and say no more, or no
// more than a byte now and then.
func TestHandshakeStalls(t *testing.T) {
	h := &testHandler{}
	s, clock := serveInTime(t, h, func(o *Options) {
		withTLS(o)
		o.HandshakeTimeout = 10 * time.Second
		o.IdleTimeout = func() time.Duration { return time.Hour }
	})
	before := s.Stats()
	stalled, dribbler, silent := s.dial(), s.dial(), s.dial()
	stalled.send([]byte{0x16})
	dribbler.send([]byte{0x16, 3})
	s.arrived(before, 3)
	eventually(t, "both are handed over", func() bool { return s.Stats().TLSOpen == 2 })
	clock.advance(8 * time.Second)
	dribbler.send([]byte{1})
	s.arrived(before, 4)
	if n := s.Stats().Open; n != 3 {
		t.Fatalf("%d open, want 3", n)
	}
	clock.advance(2 * time.Second)
	stalled.wantClosed()
	dribbler.wantClosed()
	silent.ping("not a handshake")
	eventually(t, "both are closed for their preamble", func() bool {
		return s.Stats().ClosedPreamble == 2 && errors.Is(h.lastCause(), ErrPreamble)
	})
}

// TestHandshakeBroken has garbage behind the byte that says TLS, and peers who
// leave in the middle.
func TestHandshakeBroken(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, withTLS)
	garbage := s.dial()
	garbage.send(append([]byte{0x16}, strings.Repeat("garbage ", 100)...))
	io.Copy(io.Discard, garbage)
	for _, end := range []func(*client){func(c *client) { c.Close() }, func(c *client) { c.CloseWrite() }, (*client).reset} {
		peer, before := s.dial(), s.Stats()
		peer.send([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc})
		s.arrived(before, 9)
		end(peer)
	}
	eventually(t, "all are counted", func() bool { st := s.Stats(); return st.ClosedPreamble == 4 && st.Open == 0 })
}

// helloTo returns the first flight of a client who asks for a server's name.
// The client of crypto/tls itself would leave a dot at the end out.
func helloTo(t *testing.T, name string, version uint16) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		_ = tls.Client(there, &tls.Config{ServerName: name[:len(name)-1] + "x", InsecureSkipVerify: true, MaxVersion: version}).Handshake()
	}()
	hello := make([]byte, 16<<10)
	n, err := here.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(hello[:n], []byte(name[:len(name)-1]+"x"), []byte(name), 1)
}

// TestTLSTrailingDot has clients who end the server's name with a dot. They are
// not let in, and the log says why; it does not say so of others.
func TestTLSTrailingDot(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, piece := range []int{1 << 20, 1, 100} {
			log := &logBuffer{}
			s := serve(t, &testHandler{}, func(o *Options) {
				withTLS(o)
				o.Logger = log.logger()
			})
			peer := s.dial()
			if err := peer.SetNoDelay(true); err != nil {
				t.Fatal(err)
			}
			for hello := helloTo(t, "ns.svc.cluster.local.", version); len(hello) > 0; {
				n := min(piece, len(hello))
				if _, err := peer.Write(hello[:n]); err != nil {
					break // the name is in what it has read
				}
				hello = hello[n:]
			}
			_, _ = io.Copy(io.Discard, peer)
			eventually(t, "the log says why", func() bool {
				return log.has("connection not let in") && log.has(`the client names the server \"ns.svc.cluster.local.\", with a dot at the end`)
			})
		}
	}
	log := &logBuffer{}
	s := serve(t, &testHandler{}, func(o *Options) {
		withTLS(o)
		o.Logger = log.logger()
	})
	s.dialTLS(&tls.Config{ServerName: "ns.svc.cluster.local"}).ask("named", "named")
	if err := s.dial().startTLS(&tls.Config{ServerName: "ns.svc.cluster.local", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, nil).Handshake(); err == nil {
		t.Error("an old version is let in")
	}
	eventually(t, "the log says that", func() bool { return log.has("connection not let in") })
	if log.has("with a dot") {
		t.Errorf("the log is %s", log.b.String())
	}
}

// TestDottedServerName gives it beginnings of handshakes and other bytes.
func TestDottedServerName(t *testing.T) {
	long := strings.Repeat("n", 600) + "."
	for _, name := range []string{"a.", "ns.svc.cluster.local.", long} {
		hello := helloTo(t, name, tls.VersionTLS13)
		if got, ok := dottedServerName(hello); !ok || got != name {
			t.Errorf("%q is taken for %q, %v", name, got, ok)
		}
		for n := range hello {
			if got, ok := dottedServerName(hello[:n]); ok && got != name {
				t.Errorf("%q, cut at %d, is taken for %q", name, n, got)
			}
		}
	}
	if got, ok := dottedServerName(helloTo(t, "ns", tls.VersionTLS13)); ok || got != "ns" {
		t.Errorf("a name without a dot is taken for %q, %v", got, ok)
	}
	for _, other := range [][]byte{nil, make([]byte, 1024), bytes.Repeat([]byte{0xff}, 1024)} {
		if got, ok := dottedServerName(other); ok {
			t.Errorf("%q is found in %.20x", got, other)
		}
	}
}
