package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/panjf2000/gnet/v2"

	"gonamesrv/codec"
)

// echo is a gnet server that does as little as possible: it cuts frames by their
// length and answers each with the same bytes, of which only the opaque changes. All
// replies to one read leave in one write. It keeps nothing of a frame but what it answers:
// no body is copied, and what is missing of a large one is read in large pieces, see
// echo_linux.go.
type echo struct {
	gnet.BuiltinEventEngine
	reply  []byte
	binary bool
	opaque int // where it stands in reply
	engine gnet.Engine
	booted chan struct{}
	out    []byte // the replies of a turn: there is one loop
	rest   []byte // what is missing of large frames goes here
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
		e.opaque = opaqueAt
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
type echoConn struct {
	head    []byte // the start of a frame whose header is not whole
	missing int    // bytes of the body that is on its way
	reply   []byte // to the frame of that body
	patient bool   // see echo_linux.go
}

func (e *echo) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	c.SetContext(new(echoConn))
	return nil, gnet.None
}

func (e *echo) OnTraffic(c gnet.Conn) gnet.Action {
	ec := c.Context().(*echoConn)
	in, _ := c.Next(-1)
	e.out = e.out[:0]
	if !e.take(ec, in) {
		return gnet.Close
	}
	if ec.missing > 0 || ec.patient {
		e.hurry(c, ec, len(in))
	}
	if len(e.out) > 0 {
		_, _ = c.Write(e.out) // gnet closes what cannot be written to
	}
	return gnet.None
}

// take passes over what was read and answers the frames that are whole with it. It
// returns false when in cannot be cut.
func (e *echo) take(ec *echoConn, in []byte) bool {
	for len(in) > 0 {
		switch {
		case ec.missing > 0:
			n := min(ec.missing, len(in))
			in = in[n:]
			e.skip(ec, n)
		case len(ec.head) == 0 && headSize(in) <= len(in):
			n := headSize(in)
			if !e.begin(ec, in[:n]) {
				return false
			}
			in = in[n:]
		default:
			n := min(headSize(ec.head)-len(ec.head), len(in))
			ec.head, in = append(ec.head, in[:n]...), in[n:]
			if len(ec.head) == headSize(ec.head) {
				if !e.begin(ec, ec.head) {
					return false
				}
				ec.head = ec.head[:0]
			}
		}
	}
	return true
}

// fixed is what stands before a header: the lengths of frame and header.
const fixed = 4 + 4

// headSize is how much of a frame is before its body, as far as b tells.
func headSize(b []byte) int {
	if len(b) < fixed {
		return fixed
	}
	frame, header := int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:])&0xffffff)
	return max(fixed, min(4+frame, fixed+header))
}

// begin answers the frame that begins with head, or if it is not whole gets the answer
// ready.
func (e *echo) begin(ec *echoConn, head []byte) bool {
	n, err := codec.SplitFrame(head)
	if err != nil || n < len(head) {
		return false
	}
	if ec.missing = n - len(head); ec.missing == 0 {
		e.out = e.appendReply(e.out, head)
		return true
	}
	ec.reply = e.appendReply(ec.reply[:0], head)
	return true
}

// skip passes over n bytes of a body and answers when there are no more.
func (e *echo) skip(ec *echoConn, n int) {
	if ec.missing -= n; ec.missing == 0 {
		e.out = append(e.out, ec.reply...)
	}
}

// opaqueAt is where the opaque stands in a frame in RocketMQ's binary form.
const opaqueAt = fixed + 5

// appendReply appends the reply with the opaque of the request, of which head is there.
func (e *echo) appendReply(out, head []byte) []byte {
	start := len(out)
	out = append(out, e.reply...)
	at := out[start+e.opaque:]
	if head[4] == byte(codec.SerializeRocketMQ) {
		if len(head) >= opaqueAt+4 {
			putOpaque(at, int32(binary.BigEndian.Uint32(head[opaqueAt:])), e.binary)
		}
		return out
	}
	i := bytes.Index(head, []byte(opaqueKey))
	if i < 0 || len(head) < i+len(opaqueKey)+digits {
		return out
	}
	number := head[i+len(opaqueKey):][:digits]
	if !e.binary {
		copy(at, number)
		return out
	}
	// The server answers in its own form, whatever the request's is.
	var n int32
	for _, d := range number {
		n = n*10 + int32(d-'0')
	}
	putOpaque(at, n, true)
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
