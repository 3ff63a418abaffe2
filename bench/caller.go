package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"gonamesrv/codec"
)

// A caller is one connection that asks and waits for the answer: for what is
// not load. It may be used by several goroutines.
type caller struct {
	mu     sync.Mutex // guards the following fields
	conn   net.Conn
	within time.Duration // bounds each answer
	in     *bufio.Reader
	opaque int32
	out    []byte
	frame  []byte
	cmd    codec.Command
}

// callTimeout bounds each answer to a caller.
const callTimeout = 30 * time.Second

// dialCaller connects.
func dialCaller(ctx context.Context, address string) (*caller, error) {
	dialer := net.Dialer{Timeout: connectTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return newCaller(conn, 1<<16), nil
}

// newCaller uses a connection, with a read buffer of so many bytes.
func newCaller(conn net.Conn, buffer int) *caller {
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, buffer), opaque: firstNumber, within: callTimeout}
}

func (c *caller) close() { c.conn.Close() }

// do sends a request and hands its reply to check, which must not keep it. It
// fails when there is no answer; what check finds is returned as it is.
func (c *caller) do(encode func(dst []byte, opaque int32) []byte, check func(*codec.Command) string) (wrong string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opaque++
	c.out = encode(c.out[:0], c.opaque)
	c.conn.SetDeadline(time.Now().Add(c.within))
	if _, err := c.conn.Write(c.out); err != nil {
		return "", err
	}
	if err := c.read(); err != nil {
		return "", err
	}
	if c.cmd.Opaque != c.opaque || !c.cmd.Flag.IsResponse() {
		return fmt.Sprintf("is no answer: opaque %d and flag %d, asked with %d", c.cmd.Opaque, c.cmd.Flag, c.opaque), nil
	}
	return check(&c.cmd), nil
}

// pipeline sends n requests at once and hands each reply to check. It fails
// unless all replies come, in whatever order.
func (c *caller) pipeline(n int, encode func(i int, dst []byte, opaque int32) []byte, check func(i int, cmd *codec.Command)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.opaque + 1
	c.out = c.out[:0]
	for i := range n {
		c.opaque++
		c.out = encode(i, c.out, c.opaque)
	}
	c.conn.SetDeadline(time.Now().Add(c.within))
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	for range n {
		if err := c.read(); err != nil {
			return err
		}
		i := int(c.cmd.Opaque - first)
		if i < 0 || i >= n || !c.cmd.Flag.IsResponse() {
			return fmt.Errorf("no answer: opaque %d and flag %d, asked with %d to %d", c.cmd.Opaque, c.cmd.Flag, first, c.opaque)
		}
		check(i, &c.cmd)
	}
	return nil
}

// read reads one frame.
func (c *caller) read() error {
	head, err := c.in.Peek(4)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(head)) + 4
	if n > codec.MaxFrameLength {
		return fmt.Errorf("%w: %d", codec.ErrFrameTooLarge, n)
	}
	if cap(c.frame) < n {
		c.frame = make([]byte, n)
	}
	c.frame = c.frame[:n]
	if _, err := io.ReadFull(c.in, c.frame); err != nil {
		return err
	}
	return c.cmd.Decode(c.frame)
}

// ask is do with a want: a busy server, or one that is not ready, counts as
// wrong.
func (c *caller) ask(encode func(dst []byte, opaque int32) []byte, w want, since, arg int64) (wrong string, err error) {
	return c.do(encode, func(cmd *codec.Command) string {
		kind, wrong := w.check(cmd, since, arg)
		return kind + wrong
	})
}
