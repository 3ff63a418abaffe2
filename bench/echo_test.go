package bench

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"

	"gonamesrv/codec"
)

// A pipe is a connection of the echo without a socket.
type pipe struct {
	gnet.Conn
	ctx    any
	in     []byte // what is read next
	writes int
	out    bytes.Buffer
}

func (p *pipe) SetContext(v any)         { p.ctx = v }
func (p *pipe) Context() any             { return p.ctx }
func (p *pipe) Next(int) ([]byte, error) { return p.in, nil }
func (p *pipe) Fd() int                  { return -1 }
func (p *pipe) Write(b []byte) (int, error) {
	p.writes++
	return p.out.Write(b)
}

// opaquesIn are the opaques of the frames in b.
func opaquesIn(t *testing.T, b []byte) (all []int32) {
	t.Helper()
	for len(b) > 0 {
		n, err := codec.SplitFrame(b)
		var c codec.Command
		if err != nil || n == 0 || n > len(b) || c.Decode(b[:n]) != nil {
			t.Fatalf("%q is no frame (%v)", b, err)
		}
		all = append(all, c.Opaque)
		b = b[n:]
	}
	return all
}

// echoRequests are requests of both forms, small and large, with their opaques.
func echoRequests() (stream []byte, opaques []int32) {
	for i, size := range []int{0, 3, 100, 400_000, 0, 70_000} {
		for j, st := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
			c := command(codec.ReqRegisterBroker, "brokerName", "b")
			c.Body = bytes.Repeat([]byte(`"opaque":7`), size/10+1)[:size]
			opaque := int32(firstNumber + 10*i + j)
			stream = newTemplate(st, c).appendTo(stream, opaque)
			opaques = append(opaques, opaque)
		}
	}
	return stream, opaques
}

// TestEchoInPieces: the echo answers each frame, however it comes, with all replies to one
// read in one write; and it keeps no body, which would make it dearer than a server.
func TestEchoInPieces(t *testing.T) {
	stream, opaques := echoRequests()
	for _, st := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
		reply := codec.AppendReply(nil, st, &codec.Reply{Opaque: firstNumber, Body: []byte("body")})
		for _, most := range []int{1, 7, 100, 5000, 64 << 10, len(stream)} {
			t.Run(fmt.Sprintf("%v in pieces of up to %d", st, most), func(t *testing.T) {
				e, err := newEcho(reply)
				if err != nil {
					t.Fatal(err)
				}
				p := new(pipe)
				e.OnOpen(p)
				rng := rand.New(rand.NewPCG(1, uint64(most)))
				reads := 0
				for in := stream; len(in) > 0; reads++ {
					p.in = in[:min(1+rng.IntN(most), len(in))]
					in = in[len(p.in):]
					if e.OnTraffic(p) != gnet.None {
						t.Fatal("the connection is closed")
					}
				}
				if got := opaquesIn(t, p.out.Bytes()); fmt.Sprint(got) != fmt.Sprint(opaques) {
					t.Errorf("opaques %v, want %v", got, opaques)
				}
				if p.writes > reads || p.writes > len(opaques) {
					t.Errorf("%d writes for %d reads and %d frames", p.writes, reads, len(opaques))
				}
				ec := p.ctx.(*echoConn)
				if kept := cap(ec.head) + cap(ec.reply); kept > 2000 {
					t.Errorf("%d bytes are kept of a connection", kept)
				}
			})
		}
	}
}

// TestEchoOverTCP: the same over connections, where what is missing of large frames is read
// in another way.
func TestEchoOverTCP(t *testing.T) {
	stream, opaques := echoRequests()
	reply := codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: firstNumber})
	addr, stop, err := ListenEcho(t.Context(), reply)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, most := range []int{2000, 100_000, len(stream)} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() {
			rng := rand.New(rand.NewPCG(1, uint64(most)))
			for in := stream; len(in) > 0; {
				n := min(1+rng.IntN(most), len(in))
				if _, err := conn.Write(in[:n]); err != nil {
					written <- err
					return
				}
				in = in[n:]
			}
			written <- nil
		}()
		conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
		out := make([]byte, len(opaques)*len(reply))
		if _, err := io.ReadFull(conn, out); err != nil {
			t.Fatalf("pieces of up to %d: %v", most, err)
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		if got := opaquesIn(t, out); fmt.Sprint(got) != fmt.Sprint(opaques) {
			t.Errorf("pieces of up to %d: opaques %v, want %v", most, got, opaques)
		}
		conn.Close()
	}
}

// TestEchoAllocates nothing, for small and for large frames.
func TestEchoAllocates(t *testing.T) {
	e, err := newEcho(codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: firstNumber}))
	if err != nil {
		t.Fatal(err)
	}
	p := new(pipe)
	e.OnOpen(p)
	stream, _ := echoRequests()
	n := testing.AllocsPerRun(20, func() {
		for in := stream; len(in) > 0; in = in[len(p.in):] {
			p.in = in[:min(10_000, len(in))]
			e.OnTraffic(p)
		}
		p.out.Reset()
	})
	if n != 0 {
		t.Errorf("%v allocations for a stream of requests", n)
	}
}
