package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"sync"
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
