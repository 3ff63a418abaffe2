package engine

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (ours, peers *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); o.Close() })
	return o.(*net.TCPConn), p.(*net.TCPConn)
}

// readWhole reads until nothing more comes and so many bytes have.
func (r *tappedConn) readWhole(t *testing.T, want int) []byte {
	t.Helper()
	var got []byte
	b := make([]byte, 1000)
	for {
		n, err := r.Read(b)
		got = append(got, b[:n]...)
		if len(got) == want && err == errNothingCame {
			return got
		}
		if err == errNothingCame {
			err = r.wait()
		}
		if err != nil {
			t.Fatalf("%d of %d bytes, then %v", len(got), want, err)
		}
	}
}

// A tapped connection waits without a buffer, and gives every byte once.
func TestTappedConnWaits(t *testing.T) {
	for _, size := range []int{1, smallBuffer - 1, smallBuffer, smallBuffer + 1, 100 << 10} {
		ours, peer := tcpPair(t)
		r := &tappedConn{TCPConn: ours, e: new(Engine), busy: new(atomic.Bool)}
		ours.SetReadDeadline(time.Now().Add(patience))
		if n, err := r.Read(make([]byte, 10)); n != 0 || err != errNothingCame {
			t.Fatalf("%d bytes, %v before any have come", n, err)
		}
		sent := bytes.Repeat([]byte("0123456789abcde"), size)[:size]
		go peer.Write(sent[:size/2+1])
		first := r.readWhole(t, size/2+1)
		go peer.Write(sent[size/2+1:])
		if got := append(first, r.readWhole(t, size-size/2-1)...); !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came other than they were sent", size)
		}
		if !r.busy.Swap(false) {
			t.Error("not busy with what it has read")
		}
		r.release()
		ours.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // it has looked once by then
		if err := r.wait(); !errors.Is(err, os.ErrDeadlineExceeded) || r.chunk != nil || r.busy.Load() {
			t.Errorf("a wait that was interrupted: %v, a buffer: %v, busy: %v", err, r.chunk != nil, r.busy.Load())
		}
		ours.SetReadDeadline(time.Time{})
		peer.Close()
		if err := r.wait(); err != nil {
			t.Error("wait for the end: ", err)
		}
		if n, err := r.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("%d bytes, %v after the end", n, err)
		}
	}
}

func TestTappedConnIsReset(t *testing.T) {
	ours, peer := tcpPair(t)
	r := &tappedConn{TCPConn: ours, e: new(Engine), busy: new(atomic.Bool)}
	peer.SetLinger(0)
	peer.Close()
	if err := r.wait(); err != nil {
		t.Error("wait: ", err)
	}
	for range 2 {
		if n, err := r.Read(make([]byte, 10)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%d bytes, %v after a reset", n, err)
		}
	}
}

// While nothing comes, a TLS connection has no buffer of ours.
func TestIdleTLSHasNoBuffer(t *testing.T) {
	s := serve(t, &testHandler{}, withTLS)
	ours, peer := tcpPair(t)
	c := newConn(s.Engine, addressOf(peer.LocalAddr().(*net.TCPAddr)), addressOf(ours.LocalAddr().(*net.TCPAddr)))
	c.loop = s.loops[0]
	c.life.Store(alive)
	s.open.Add(1)
	c.loop.tell(c)
	conn := newTLSConn(c, ours, nil)
	c.tls, conn.up = conn, true
	defer conn.end(io.EOF)
	client := tls.Client(peer, &tls.Config{InsecureSkipVerify: true})
	failed := make(chan error, 1)
	go func() { failed <- client.Handshake() }()
	if err := errors.Join(conn.shake(), <-failed); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write(textFrame("hello")); err != nil {
		t.Fatal(err)
	}
	before := s.Stats().Frames
	for s.Stats().Frames == before {
		if err := conn.readOnce(); err != nil {
			t.Fatal(err)
		}
	}
	ours.SetReadDeadline(time.Unix(1, 0))
	if err := conn.readOnce(); err != nil {
		t.Fatal(err)
	}
	if conn.first != nil || conn.tapped.chunk != nil || conn.tapped.seen != nil {
		t.Error("it has a buffer though all was served")
	}
	(&tlsClient{t, client, nil}).want("hello")
}

func TestTLSConnSize(t *testing.T) {
	if n := unsafe.Sizeof(tlsConn{}); n > 480 {
		t.Errorf("TLS adds %d bytes of ours to a connection, want at most 480", n)
	}
}
