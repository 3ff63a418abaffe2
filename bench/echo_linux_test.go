package bench

import (
	"testing"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"gonamesrv/codec"
)

// A socketPipe is a pipe with a socket behind it.
type socketPipe struct {
	pipe
	fd int
}

func (p *socketPipe) Fd() int { return p.fd }

// TestEchoReadsTheRest: what is missing of a large frame is read at once when it is there,
// and nothing behind it; and else is gathered by the kernel, until the frame is whole.
func TestEchoReadsTheRest(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	e, err := newEcho(codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: firstNumber}))
	if err != nil {
		t.Fatal(err)
	}
	p := &socketPipe{fd: pair[0]}
	e.OnOpen(p)
	c := command(codec.ReqRegisterBroker, "brokerName", "b")
	c.Body = make([]byte, 100<<10)
	frame := newTemplate(codec.SerializeJSON, c).appendTo(nil, firstNumber+1)
	const behind = 10
	lowWater := func() int {
		n, err := unix.GetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_RCVLOWAT)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	turn := func(in []byte) {
		p.in = in
		if e.OnTraffic(p) != gnet.None {
			t.Fatal("the connection is closed")
		}
	}

	// gnet's read was full, and the rest is there.
	rest := append(frame[echoRead:len(frame):len(frame)], make([]byte, behind)...)
	if n, err := unix.Write(pair[1], rest); n != len(rest) {
		t.Fatalf("%d of %d bytes were written (%v)", n, len(rest), err)
	}
	turn(frame[:echoRead])
	if got := opaquesIn(t, p.out.Bytes()); len(got) != 1 || got[0] != firstNumber+1 || p.writes != 1 {
		t.Errorf("after one turn there are replies %v in %d writes, want one", got, p.writes)
	}
	if n, _ := unix.Read(pair[0], make([]byte, len(rest))); n != behind {
		t.Errorf("%d bytes are left behind the frame, want %d", n, behind)
	}

	// The frame comes in small pieces.
	turn(frame[:20<<10])
	if got, want := lowWater(), len(frame)-(20<<10); got != want {
		t.Errorf("the loop is woken when there are %d bytes, want %d", got, want)
	}
	turn(frame[20<<10 : 90<<10])
	if got := lowWater(); got != 1 {
		t.Errorf("near the end of the frame the loop is woken when there are %d bytes, want 1", got)
	}
	turn(frame[90<<10:])
	if p.writes != 2 {
		t.Errorf("%d writes, want 2", p.writes)
	}
}
