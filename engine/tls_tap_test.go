package engine

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
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
	for _, name := range []string{"rawInput", "hand"} {
		if n := tlsInputOf(t, conn.tls, name).Cap(); n > 0 {
			t.Errorf("after the handshake crypto/tls still has a buffer %s of %d bytes", name, n)
		}
	}
	large := strings.Repeat("x", 16<<10)
	go client.Write(slices.Concat(frameOf([]byte(large)), textFrame("hello")))
	before := s.Stats().Frames
	for s.Stats().Frames < before+2 {
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
	for _, name := range []string{"rawInput", "hand"} {
		if n := tlsInputOf(t, conn.tls, name).Cap(); n > keptTLSInput {
			t.Errorf("crypto/tls has a buffer %s of %d bytes though all was served", name, n)
		}
	}
	(&tlsClient{t, client, nil}).want(large)
	(&tlsClient{t, client, nil}).want("hello")
}

// tlsInputOf returns an input buffer of crypto/tls.
func tlsInputOf(t *testing.T, c *tls.Conn, name string) *bytes.Buffer {
	t.Helper()
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
		t.Fatalf("this release of Go has no buffer %s in a tls.Conn: see tlsInput", name)
	}
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), f.Offset))
}

// Where the input buffers of crypto/tls are not found, each silent connection costs
// 3.5 KB more.
func TestTLSInputIsFound(t *testing.T) {
	var c tls.Conn
	for i, name := range []string{"rawInput", "hand"} {
		b := tlsInputOf(t, &c, name)
		if len(tlsInput) <= i || unsafe.Pointer(b) != unsafe.Add(unsafe.Pointer(&c), tlsInput[i]) {
			t.Errorf("%s is not where it was found: %v", name, tlsInput)
		}
	}
}

// An input buffer is dropped if it is large and nothing is in it, and is of use again.
func TestDropTLSInput(t *testing.T) {
	var c tls.Conn
	b := tlsInputOf(t, &c, "rawInput")
	b.Write(make([]byte, keptTLSInput+1))
	if dropTLSInput(&c, keptTLSInput); b.Len() != keptTLSInput+1 {
		t.Fatalf("%d bytes left of what has come, want all", b.Len())
	}
	if b.Next(keptTLSInput + 1); b.Cap() == 0 {
		t.Fatal("the buffer was dropped by its reader")
	}
	if dropTLSInput(&c, keptTLSInput); b.Cap() != 0 {
		t.Errorf("an empty buffer of %d bytes was kept", b.Cap())
	}
	b.WriteString("small")
	b.Next(5)
	if dropTLSInput(&c, keptTLSInput); b.Cap() == 0 {
		t.Error("a small buffer was dropped")
	}
	if dropTLSInput(&c, 0); b.Cap() != 0 {
		t.Errorf("a small buffer of %d bytes was kept after the handshake", b.Cap())
	}
}

func TestTLSConnSize(t *testing.T) {
	if n := unsafe.Sizeof(tlsConn{}); n > 480 {
		t.Errorf("TLS adds %d bytes of ours to a connection, want at most 480", n)
	}
}
