package engine

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

func TestConnectionLimit(t *testing.T) {
	for _, tt := range []struct{ configured, files, want int }{
		{100, 1024, 100},
		{5000, 1024, 5000}, // the operator knows best
		{0, 0, 0},
		{0, 65536, 65536 - fdReserve},
		{0, 200, 100},
		{0, 1, 1},
	} {
		if got := connectionLimit(tt.configured, tt.files, fdReserve); got != tt.want {
			t.Errorf("connectionLimit(%d, %d) = %d, want %d", tt.configured, tt.files, got, tt.want)
		}
	}
}

func TestMaxConnections(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) { o.MaxConnections = 3 })
	var open []*client
	for range 3 {
		c := s.dial()
		c.ping("in")
		open = append(open, c)
	}
	for range 10 {
		s.dial().wantClosed()
	}
	for _, c := range open {
		c.ping("not disturbed")
	}
	open[0].Close()
	eventually(t, "place free", func() bool { return s.Stats().Open == 2 })
	s.dial().ping("in")
	if st := s.Stats(); st.Refused != 10 || st.Accepted != 4 || st.AcceptErrors != 0 {
		t.Errorf("stats %+v, want 10 refused, 4 accepted, no accept errors", st)
	}
}

// A shakyListener fails when told to.
type shakyListener struct {
	net.Listener
	failures atomic.Int32
	calls    atomic.Int32
}

func (l *shakyListener) Accept() (net.Conn, error) {
	l.calls.Add(1)
	if l.failures.Add(-1) >= 0 {
		return nil, errors.New("accept: no luck today")
	}
	return l.Listener.Accept()
}

func TestAcceptErrorsArePausedOver(t *testing.T) {
	log := &logBuffer{}
	e, err := New(&testHandler{}, Options{Addrs: []string{"127.0.0.1:0"}, Split: splitInt32, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	l := &shakyListener{Listener: e.lns[0]}
	l.failures.Store(6)
	e.lns[0] = l
	began := time.Now()
	s := run(t, e, &testHandler{})
	s.dial().ping("at last")
	if n := s.Stats().AcceptErrors; n != 6 {
		t.Errorf("%d accept errors, want 6", n)
	}
	// It does not spin: each pause is twice the one before.
	if took, least := time.Since(began), (1+2+4+8+16+32)*firstPause; took < least {
		t.Errorf("6 failures took %v, want at least %v", took, least)
	}
	if n := l.calls.Load(); n != 7 && n != 8 { // the 7th is the ping's
		t.Errorf("Accept was called %d times, want 7 and perhaps one more", n)
	}
	if !log.has("accept failed") {
		t.Error("accept errors not logged")
	}
}

// Zones are shared strings of package net, and gnet would recycle their memory.
func TestZonesAreKeptFromGnet(t *testing.T) {
	a := &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 9876, Zone: "eth0"}
	text := a.String()
	forget(a)
	if a.Zone != "" || text != "[fe80::1%eth0]:9876" {
		t.Errorf("zone %q, address said as %q", a.Zone, text)
	}
}

func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	ln.Close()
	conns := make(chan Conn, 2)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) { o.Addrs = []string{":0"} })
	port := s.Addr().(*net.TCPAddr).Port
	six := dial(t, fmt.Sprintf("[::1]:%d", port))
	six.ping("six")
	if got, want := (<-conns).RemoteAddr(), six.LocalAddr().String(); got != want {
		t.Errorf("remote %q, want %q", got, want)
	}
	four := dial(t, fmt.Sprintf("127.0.0.1:%d", port))
	four.ping("four")
	if got, want := (<-conns).RemoteAddr(), four.LocalAddr().String(); got != want {
		t.Errorf("remote %q, want %q", got, want)
	}
}

// gnet keeps the addresses for as long as the connection lives, and does not read
// them.
func TestAddressesAreForgotten(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, nil)
	s.dial().ping("opened")
	c := (<-conns).(*conn)
	var addrs []net.Addr
	s.onLoop(c.loop, func() { addrs = append(addrs, c.gc.LocalAddr(), c.gc.RemoteAddr()) })
	s.stop() // the acceptor has ended
	for _, a := range addrs {
		if ip := a.(*net.TCPAddr).IP; ip != nil {
			t.Errorf("gnet still has %v", ip)
		}
	}
}
