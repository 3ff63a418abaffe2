package engine

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serverTLS returns the engine's side of TLS in tests.
var serverTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})

// A tlsClient is one peer that speaks TLS.
type tlsClient struct {
	t testing.TB
	*tls.Conn
	raw *client
}

func (s *server) dialTLS(cfg *tls.Config) *tlsClient {
	s.t.Helper()
	return s.dial().upgrade(cfg, nil)
}

// upgrade makes the handshake, with first in front of it in one write.
func (c *client) upgrade(cfg *tls.Config, first []byte) *tlsClient {
	c.t.Helper()
	t := c.startTLS(cfg, first)
	if err := t.Handshake(); err != nil {
		c.t.Fatalf("handshake: %v", err)
	}
	return t
}

func (c *client) startTLS(cfg *tls.Config, first []byte) *tlsClient {
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg = cfg.Clone()
	cfg.InsecureSkipVerify = true
	return &tlsClient{c.t, tls.Client(&prefixed{c, first}, cfg), c}
}

// A prefixed puts something in front of the first write.
type prefixed struct {
	*client
	first []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.client.Write(b)
	}
	n, err := p.client.Write(append(p.first, b...))
	n -= len(p.first)
	p.first = nil
	return n, err
}

func (c *tlsClient) ask(text, want string) {
	c.t.Helper()
	if _, err := c.Write(frameOf([]byte(text))); err != nil {
		c.t.Fatalf("write: %v", err)
	}
	c.want(want)
}

func (c *tlsClient) want(payload string) {
	c.t.Helper()
	got, err := readFrame(c)
	if err != nil || string(got) != payload {
		c.t.Fatalf("got %q, %v, want %q", clip(string(got)), err, clip(payload))
	}
}

// wantClosed wants the connection closed, with nothing more sent.
func (c *tlsClient) wantClosed() {
	c.t.Helper()
	n, err := c.Read(make([]byte, 1))
	var ne net.Error
	if n != 0 || err == nil || errors.As(err, &ne) && ne.Timeout() {
		c.t.Fatalf("read %d bytes, %v; want the connection closed", n, err)
	}
}

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

// A cutConn sends its first write in two pieces, the second when the server has
// read the first.
type cutConn struct {
	*client
	s    *server
	at   int
	size int
}

func (c *cutConn) Write(b []byte) (int, error) {
	if c.size > 0 {
		return c.client.Write(b)
	}
	c.size = len(b)
	before := c.s.Stats()
	if _, err := c.client.Write(b[:c.at]); err != nil {
		return 0, err
	}
	c.s.arrived(before, c.at)
	if _, err := c.client.Write(b[c.at:]); err != nil {
		return 0, err
	}
	return len(b), nil
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

// A pausing sends the first byte, and the others after a pause.
type pausing struct {
	*client
	pause func()
}

func (p *pausing) Write(b []byte) (int, error) {
	if p.pause == nil {
		return p.client.Write(b)
	}
	if _, err := p.client.Write(b[:1]); err != nil {
		return 0, err
	}
	p.pause()
	p.pause = nil
	n, err := p.client.Write(b[1:])
	return 1 + n, err
}
