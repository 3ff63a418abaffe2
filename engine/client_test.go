package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// A client is one peer.
type client struct {
	t testing.TB
	*net.TCPConn
}

func (s *server) dial() *client {
	s.t.Helper()
	return dial(s.t, s.Addr().String())
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc)
}

func newClient(t testing.TB, nc net.Conn) *client {
	c := &client{t, nc.(*net.TCPConn)}
	t.Cleanup(func() { c.Close() })
	return c
}

// Read waits no longer than patience, and so each of several.
func (c *client) Read(b []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	return c.TCPConn.Read(b)
}

// Write waits no longer than patience.
func (c *client) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(patience))
	return c.TCPConn.Write(b)
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// want reads one frame and compares.
func (c *client) want(payload string) {
	c.t.Helper()
	got, err := readFrame(c)
	if err != nil {
		c.t.Fatalf("read: %v, want %q", err, clip(payload))
	}
	if string(got) != payload {
		c.t.Fatalf("got %q, want %q", clip(string(got)), clip(payload))
	}
}

func clip(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%s… (%d bytes)", s[:60], len(s))
	}
	return s
}

// ping asks and wants the echo.
func (c *client) ping(text string) {
	c.t.Helper()
	c.send(frameOf([]byte(text)))
	c.want(text)
}

// wantClosed wants the connection closed by the server, with nothing more sent.
func (c *client) wantClosed() {
	c.t.Helper()
	n, err := c.Read(make([]byte, 1))
	var ne net.Error
	if n != 0 || err == nil || errors.As(err, &ne) && ne.Timeout() {
		c.t.Fatalf("read %d bytes, %v; want the connection closed", n, err)
	}
}

// reset closes with RST instead of FIN.
func (c *client) reset() {
	c.SetLinger(0)
	c.Close()
}
