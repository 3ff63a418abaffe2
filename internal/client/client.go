package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"gonamesrv/codec"
)

// Options say how to speak with a server. The zero value is ready.
type Options struct {
	TLS      *tls.Config // nil speaks without
	MaxReply int         // bytes of the longest answer, 1 KiB to 1 GiB; 0 is codec.MaxFrameLength
	Opaque   int32       // what the numbers of requests come after
	Keys     Keys        // Call signs with them
}

// A Conn is one connection to a name server. For one goroutine: either it calls, or it
// sends and receives.
type Conn struct {
	conn   net.Conn
	split  func(b []byte) (int, error)
	most   int
	first  int32  // what opaque begins after
	opaque int32  // of the last request
	buf    []byte // what has come and was not returned yet
	broken error  // why no more can be asked
	keys   Keys
}

// A ReplyError is an answer other than SUCCESS.
type ReplyError struct {
	Code   codec.ResponseCode
	Remark string
}

func (e *ReplyError) Error() string { return fmt.Sprintf("client: %v: %s", e.Code, e.Remark) }

// ErrReply means that what has come is no answer to what was asked.
var ErrReply = errors.New("client: not an answer")

// Dial connects to addr, which is host:port. They part at the last colon: an IPv6
// address may do without brackets. ctx bounds the connecting, name lookup and handshake
// included.
// Java: NetworkUtil#string2SocketAddress.
func Dial(ctx context.Context, addr string, o Options) (*Conn, error) {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && !strings.HasPrefix(addr, "[") {
		addr = net.JoinHostPort(addr[:i], addr[i+1:])
	}
	d := net.Dialer{KeepAlive: -1} // nothing here lives long enough
	d.SetMultipathTCP(false)
	var conn net.Conn
	var err error
	if o.TLS != nil {
		conn, err = (&tls.Dialer{NetDialer: &d, Config: o.TLS}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = d.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	return New(conn, o), nil
}

// New speaks over a connection, which is the Conn's from then on. Options.TLS means
// nothing here.
func New(conn net.Conn, o Options) *Conn {
	if o.MaxReply == 0 {
		o.MaxReply = codec.MaxFrameLength
	}
	return &Conn{conn: conn, split: codec.NewSplitFunc(o.MaxReply), most: o.MaxReply, first: o.Opaque, opaque: o.Opaque, keys: o.Keys}
}

// Net returns the connection below, for deadlines and for its end. Whoever reads from it
// begins behind the frames that have been received, and may miss what came with the last.
func (c *Conn) Net() net.Conn { return c.conn }

// Close closes the connection. It returns no error: nobody could do anything about it.
func (c *Conn) Close() { _ = c.conn.Close() }

// Call asks one thing, as a client of codec.Version does, and returns the answer. An
// answer other than SUCCESS is a *ReplyError; for the rest see Do.
func (c *Conn) Call(ctx context.Context, code codec.RequestCode, ext codec.ExtFields, body []byte) (*codec.Command, error) {
	reply, err := c.Do(ctx, &codec.Command{Code: code, Version: codec.Version, Ext: ext, Body: body})
	if err != nil {
		return nil, err
	}
	if is := codec.ResponseCode(reply.Code); is != codec.RespSuccess {
		return nil, &ReplyError{is, string(reply.Remark)}
	}
	return reply, nil
}

// Do asks one thing and returns the answer, whatever its code is; its bytes are the
// caller's. Of ask the opaque is set. After an error the connection is of no use any
// more; all of it ends with ctx.
//
// What the server asks in between, and answers to what nobody has asked, are passed
// over; together with the answer they must not be longer than Options.MaxReply.
func (c *Conn) Do(ctx context.Context, ask *codec.Command) (*codec.Command, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	// A deadline that has passed is what wakes a blocked Read or Write.
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.conn.SetDeadline(time.Unix(1, 0))
		close(woken)
	})
	reply, err := c.do(ask)
	if !stop() {
		<-woken
		if err == nil {
			c.conn.SetDeadline(time.Time{})
		}
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause // that the deadline has passed is not the reason but its consequence
		}
		c.broken = err
		return nil, err
	}
	return reply, nil
}

// NextOpaque returns the number of the next request, for those who encode it themselves.
func (c *Conn) NextOpaque() int32 {
	if c.opaque == math.MaxInt32 {
		c.opaque = c.first
	}
	c.opaque++
	return c.opaque
}

// Send sends encoded requests, or whatever else b has. The deadline is that of Net.
func (c *Conn) Send(b []byte) error {
	_, err := c.conn.Write(b)
	return err
}

func (c *Conn) do(ask *codec.Command) (*codec.Command, error) {
	signed := *ask
	signed.Opaque, signed.Ext = c.NextOpaque(), c.keys.sign(ask, time.Now())
	ask.Opaque = signed.Opaque
	if err := c.Send(codec.AppendRequest(nil, codec.SerializeJSON, &signed)); err != nil {
		return nil, err
	}
	for read := 0; ; {
		frame, err := c.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		if read += len(frame); read > c.most {
			return nil, fmt.Errorf("%w: more than %d bytes of something else", ErrReply, c.most)
		}
		reply := &codec.Command{}
		if err := reply.Decode(frame); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrReply, err)
		}
		if reply.Flag.IsResponse() && reply.Opaque == ask.Opaque {
			return reply, nil
		}
	}
}

// readSize is how many bytes are read at a time, at least.
const readSize = 16 << 10

// Receive returns the next frame, whatever it is. The frame is the caller's. An end between
// two frames is io.EOF. The memory grows with what has arrived, not with the length that it
// announces. The deadline is that of Net; after it has passed, Receive may be called again.
func (c *Conn) Receive() ([]byte, error) {
	for {
		n, err := c.split(c.buf)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrReply, err)
		}
		if n > 0 && n <= len(c.buf) {
			frame, rest := c.buf[:n:n], c.buf[n:]
			c.buf = nil // who waits for nothing keeps no memory
			if len(rest) > 0 {
				c.buf = slices.Clone(rest)
			}
			return frame, nil
		}
		c.buf = slices.Grow(c.buf, readSize)
		n, err = c.conn.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		switch {
		case n > 0: // what comes with the end may be all that is missing
		case errors.Is(err, io.EOF) && len(c.buf) > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
	}
}
