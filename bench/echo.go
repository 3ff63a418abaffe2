package bench

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/panjf2000/gnet/v2"

	"gonamesrv/codec"
)

// echo is a gnet server that does as little as possible: it cuts frames by their
// length and answers each with the same bytes, of which only the opaque changes.
type echo struct {
	gnet.BuiltinEventEngine
	reply  []byte
	binary bool
	opaque int // where it stands in reply
	engine gnet.Engine
	booted chan struct{}
}

// opaqueKey is what stands before the opaque in a JSON header.
const opaqueKey = `"opaque":`

// newEcho makes an echo of a whole reply frame whose opaque has ten digits, as
// the replies to our requests have.
func newEcho(reply []byte) (*echo, error) {
	var c codec.Command
	if err := c.Decode(reply); err != nil {
		return nil, fmt.Errorf("reply to echo: %w", err)
	}
	e := &echo{reply: bytes.Clone(reply), binary: c.SerializeType == codec.SerializeRocketMQ, booted: make(chan struct{})}
	if e.binary {
		e.opaque = 4 + 4 + 5
		return e, nil
	}
	e.opaque = bytes.Index(reply, []byte(opaqueKey)) + len(opaqueKey)
	if c.Opaque < firstNumber {
		return nil, fmt.Errorf("reply to echo: opaque %d has no ten digits", c.Opaque)
	}
	return e, nil
}

func (e *echo) OnBoot(eng gnet.Engine) gnet.Action {
	e.engine = eng
	close(e.booted)
	return gnet.None
}

// An echoConn is what the echo keeps of a connection.
type echoConn struct{ in, out []byte }

func (e *echo) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	c.SetContext(new(echoConn))
	return nil, gnet.None
}

func (e *echo) OnTraffic(c gnet.Conn) gnet.Action {
	ec := c.Context().(*echoConn)
	in, _ := c.Next(-1)
	partial := len(ec.in) > 0
	if partial {
		ec.in = append(ec.in, in...)
		in = ec.in
	}
	ec.out = ec.out[:0]
	for len(in) > 0 {
		n, err := codec.SplitFrame(in)
		if err != nil {
			return gnet.Close
		}
		if n == 0 || n > len(in) {
			break
		}
		ec.out = e.appendReply(ec.out, in[:n])
		in = in[n:]
	}
	if partial || len(in) > 0 {
		ec.in = append(ec.in[:0], in...)
	}
	if len(ec.out) > 0 {
		_, _ = c.Write(ec.out) // gnet closes what cannot be written to
	}
	return gnet.None
}

// appendReply appends the reply with the request's opaque.
func (e *echo) appendReply(out, request []byte) []byte {
	start := len(out)
	out = append(out, e.reply...)
	at := out[start+e.opaque:]
	switch {
	case e.binary && request[4] == byte(codec.SerializeRocketMQ):
		copy(at[:4], request[4+4+5:])
	case e.binary || request[4] != byte(codec.SerializeJSON):
		// The server answers in its own form, whatever the request's is.
		var c codec.Command
		if c.Decode(request) == nil {
			putOpaque(at, c.Opaque, e.binary)
		}
	default:
		if i := bytes.Index(request, []byte(opaqueKey)); i >= 0 && len(request)-i-len(opaqueKey) >= digits {
			copy(at[:digits], request[i+len(opaqueKey):])
		}
	}
	return out
}

// ListenEcho serves reply, a whole frame in which only the opaque is replaced,
// on a free port of the loopback, until stop is called or ctx is done.
func ListenEcho(ctx context.Context, reply []byte) (addr string, stop func(), err error) {
	e, err := newEcho(reply)
	if err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- gnet.Run(e, "tcp://127.0.0.1:0", gnet.WithNumEventLoop(1), gnet.WithLogger(quiet{}), gnet.WithReuseAddr(true))
	}()
	select {
	case err := <-ended:
		return "", nil, fmt.Errorf("echo server: %w", err)
	case <-e.booted:
	}
	var once sync.Once
	end := func() {
		once.Do(func() {
			_ = e.engine.Stop(context.Background()) // it runs, so it stops
			<-ended
		})
	}
	addr, err = e.address()
	if err != nil {
		end()
		return "", nil, err
	}
	unwatch := context.AfterFunc(ctx, end)
	return addr, func() { unwatch(); end() }, nil
}

// address asks the listening socket, which gnet does not show.
func (e *echo) address() (string, error) {
	fd, err := e.engine.Dup()
	if err != nil {
		return "", fmt.Errorf("echo server: %w", err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return "", fmt.Errorf("echo server: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// echoHere is the EchoStarter of a run that was given none: it echoes in this
// process.
func echoHere(ctx context.Context, reply []byte) (addr string, pid int, stop func(), err error) {
	addr, stop, err = ListenEcho(ctx, reply)
	return addr, 0, stop, err
}
