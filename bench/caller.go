package bench

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

// A caller is one connection that asks and waits for the answer: for what is
// not load. It may be used by several goroutines.
type caller struct {
	mu     sync.Mutex // guards the following fields
	conn   *client.Conn
	within time.Duration // bounds each answer
	out    []byte
	size   int // bytes of the last reply
	cmd    codec.Command
}

// callTimeout bounds each answer to a caller.
const callTimeout = 30 * time.Second

// dialCaller connects.
func dialCaller(ctx context.Context, d *dialer) (*caller, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return newCaller(conn), nil
}

// newCaller uses a connection.
func newCaller(conn net.Conn) *caller {
	return &caller{conn: client.New(conn, client.Options{Opaque: firstNumber}), within: callTimeout}
}

func (c *caller) close() { c.conn.Close() }

// reset ends the connection as a killed process does: with RST, not with FIN.
func (c *caller) reset() {
	if tcp, ok := tcpOf(c.conn.Net()); ok {
		_ = tcp.SetLinger(0) // it has closed already when this fails
	}
	c.close()
}

// do sends a request and hands its reply to check, which must not keep it. It
// fails when there is no answer; what check finds is returned as it is.
func (c *caller) do(encode func(dst []byte, opaque int32) []byte, check func(*codec.Command) string) (wrong string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	opaque := c.conn.NextOpaque()
	c.out = encode(c.out[:0], opaque)
	c.conn.Net().SetDeadline(time.Now().Add(c.within))
	if err := c.conn.Send(c.out); err != nil {
		return "", err
	}
	if err := c.read(); err != nil {
		return "", err
	}
	if c.cmd.Opaque != opaque || !c.cmd.Flag.IsResponse() {
		return fmt.Sprintf("is no answer: opaque %d and flag %d, asked with %d", c.cmd.Opaque, c.cmd.Flag, opaque), nil
	}
	return check(&c.cmd), nil
}

// pipeline sends n requests at once and hands each reply to check. It fails
// unless all replies come, in whatever order.
func (c *caller) pipeline(n int, encode func(i int, dst []byte, opaque int32) []byte, check func(i int, cmd *codec.Command)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := make(map[int32]int, n) // its place
	c.out = c.out[:0]
	for i := range n {
		opaque := c.conn.NextOpaque()
		asked[opaque] = i
		c.out = encode(i, c.out, opaque)
	}
	c.conn.Net().SetDeadline(time.Now().Add(c.within))
	if err := c.conn.Send(c.out); err != nil {
		return err
	}
	for range n {
		if err := c.read(); err != nil {
			return err
		}
		i, ok := asked[c.cmd.Opaque]
		if !ok || !c.cmd.Flag.IsResponse() {
			return fmt.Errorf("no answer to any of %d requests: opaque %d and flag %d", n, c.cmd.Opaque, c.cmd.Flag)
		}
		delete(asked, c.cmd.Opaque)
		check(i, &c.cmd)
	}
	return nil
}

// read reads one frame.
func (c *caller) read() error {
	frame, err := c.conn.Receive()
	if err != nil {
		return err
	}
	c.size = len(frame)
	return c.cmd.Decode(frame)
}

// ask is do with a want: a busy server, or one that is not ready, counts as
// wrong.
func (c *caller) ask(encode func(dst []byte, opaque int32) []byte, w want, since, arg int64) (wrong string, err error) {
	return c.do(encode, func(cmd *codec.Command) string {
		kind, wrong := w.check(cmd, since, arg)
		return kind + wrong
	})
}
