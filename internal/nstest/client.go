package nstest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

// Patience is how long a test waits for anything. It is far longer than that takes, also
// on a busy machine.
const Patience = 2 * time.Minute

// A Client is one connection to a name server. For one goroutine.
type Client struct {
	t    testing.TB
	conn *client.Conn
}

// Dial connects; the connection is closed when the test ends.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	return DialFrom(t, addr, nil)
}

// DialFrom is Dial with an address for the client's end. With nil the system chooses it.
func DialFrom(t testing.TB, addr string, from net.IP) *Client {
	t.Helper()
	dialer := net.Dialer{Timeout: Patience}
	if from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: from}
	}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("connect to the server: %v", err)
	}
	c := &Client{t: t, conn: client.New(conn, client.Options{})}
	t.Cleanup(c.Close)
	return c
}

// DialTLS connects with TLS. It does not verify the server's certificate.
func DialTLS(t testing.TB, addr string, cfg *tls.Config) *Client {
	t.Helper()
	c, err := TryDialTLS(t, addr, cfg)
	if err != nil {
		t.Fatalf("connect to the server with TLS: %v", err)
	}
	return c
}

// TryDialTLS is DialTLS for a handshake that may fail. With TLS 1.3 it returns before the
// server has verified the client's certificate.
func TryDialTLS(t testing.TB, addr string, cfg *tls.Config) (*Client, error) {
	t.Helper()
	c := Dial(t, addr)
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg = cfg.Clone()
	cfg.InsecureSkipVerify = true
	secure := tls.Client(c.conn.Net(), cfg)
	secure.SetDeadline(time.Now().Add(Patience))
	c.conn = client.New(secure, client.Options{})
	return c, secure.Handshake()
}

// TLS returns what the handshake has agreed on, of a client with TLS.
func (c *Client) TLS() tls.ConnectionState { return c.conn.Net().(*tls.Conn).ConnectionState() }

// NewClient returns a client that uses conn and belongs to no test. Only its methods that
// return an error, and so need no test to fail, may be called.
func NewClient(conn net.Conn) *Client { return &Client{conn: client.New(conn, client.Options{})} }

// Close closes the connection.
func (c *Client) Close() { c.conn.Close() }

// CloseWrite sends a FIN.
func (c *Client) CloseWrite() { c.conn.Net().(*net.TCPConn).CloseWrite() }

// LocalAddr returns the client's own address.
func (c *Client) LocalAddr() string { return c.conn.Net().LocalAddr().String() }

// Frame encodes a request with a JSON header and the next opaque.
func (c *Client) Frame(r *codec.Command) []byte {
	r.Opaque = c.conn.NextOpaque()
	return codec.AppendRequest(nil, r.SerializeType, r)
}

// Write sends bytes as they are.
func (c *Client) Write(b []byte) {
	c.t.Helper()
	if err := c.TryWrite(b); err != nil {
		c.t.Fatalf("write to the server: %v", err)
	}
}

// TryWrite is Write to a server that may have closed the connection.
func (c *Client) TryWrite(b []byte) error {
	c.conn.Net().SetWriteDeadline(time.Now().Add(Patience))
	return c.conn.Send(b)
}

// ReadFrame returns the next frame the server sends.
func (c *Client) ReadFrame() []byte {
	c.t.Helper()
	frame, err := c.TryReadFrame(Patience)
	if err != nil {
		c.t.Fatalf("read from the server: %v", err)
	}
	return frame
}

// TryReadFrame returns the next frame, or an error if the stream ends before. It waits
// for d at most.
func (c *Client) TryReadFrame(d time.Duration) ([]byte, error) {
	c.conn.Net().SetReadDeadline(time.Now().Add(d))
	return c.conn.Receive()
}

// Read returns the next reply.
func (c *Client) Read() *codec.Command {
	c.t.Helper()
	reply := new(codec.Command)
	if err := reply.Decode(c.ReadFrame()); err != nil {
		c.t.Fatalf("decode the reply: %v", err)
	}
	if !reply.Flag.IsResponse() {
		c.t.Fatalf("the server sent a request: %+v", reply)
	}
	return reply
}

// Do sends a request and returns its reply.
func (c *Client) Do(r *codec.Command) *codec.Command {
	c.t.Helper()
	c.Write(c.Frame(r))
	reply := c.Read()
	if reply.Opaque != r.Opaque {
		c.t.Fatalf("opaque of the reply is %d, want %d", reply.Opaque, r.Opaque)
	}
	return reply
}

// MustClose waits until the server closes the connection without sending
// anything more.
func (c *Client) MustClose() {
	c.t.Helper()
	frame, err := c.TryReadFrame(Patience)
	var netErr net.Error
	switch {
	case err == nil:
		c.t.Fatalf("the server sent %q before it closed the connection", frame)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, client.ErrReply):
		c.t.Fatalf("the server sent half a frame before it closed the connection: %v", err)
	case errors.As(err, &netErr) && netErr.Timeout():
		c.t.Fatalf("the server did not close the connection within %v", Patience)
	}
}

// Eventually waits until ok returns true. It asks often at first, and less often the longer
// that takes: who asks all the time is in the way of what is waited for.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); {
		waited := time.Since(began)
		if waited > Patience {
			t.Fatalf("not within %v: %s", Patience, what)
		}
		time.Sleep(min(max(waited/8, time.Millisecond), 25*time.Millisecond))
	}
}

// Reset ends the connection with a reset, not with the end of its stream.
func (c *Client) Reset() {
	if tcp, ok := c.conn.Net().(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.conn.Close()
}
