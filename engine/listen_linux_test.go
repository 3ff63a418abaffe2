package engine

import (
	"context"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// When one address of several cannot be bound, none is. (127.0.0.3 is nobody's
// but Linux has it; its port stays free between two tries.)
func TestListenAllOrNone(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	first, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	e, err := New(&testHandler{}, Options{Addrs: []string{first.Addr().String(), busy.Addr().String()}, Split: splitInt32})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "listen on "+busy.Addr().String()+": bind: address already in use") {
		t.Errorf("error %v, want the address that is taken, and why", err)
	}
	if strings.Contains(err.Error(), first.Addr().String()) || e.Addrs() != nil || e.Addr() != nil {
		t.Errorf("error %q and %v suggest that it listens on the first", err, e.Addrs())
	}
	again, err := net.Listen("tcp", first.Addr().String())
	if err != nil {
		t.Fatalf("the first address was not released: %v", err)
	}
	again.Close()
}

func TestIPv6OnlyBesideIPv4(t *testing.T) {
	for _, tt := range []struct {
		addrs []string
		want  int
	}{
		{[]string{"[::]:0"}, 0},
		{[]string{"[::]:0", "127.0.0.1:0"}, 1},
	} {
		lns, err := ListenAll("tcp", tt.addrs)
		if err != nil {
			t.Skip("no IPv6 here: ", err)
		}
		raw, err := lns[0].(*net.TCPListener).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY); err != nil || got != tt.want {
				t.Errorf("listening on %q, IPV6_V6ONLY is %d, %v; want %d", tt.addrs, got, err, tt.want)
			}
		})
		for _, ln := range lns {
			ln.Close()
		}
	}
}

// dialFrom connects from an address of the loopback.
func (s *server) dialFrom(ip string) *client {
	s.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: patience}
	nc, err := d.Dial("tcp", s.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	return newClient(s.t, nc)
}

// One address can take its share of connections and no more, however hard it
// tries; the others do not notice.
func TestMaxConnectionsPerAddress(t *testing.T) {
	log := &logBuffer{}
	s := serve(t, &testHandler{}, func(o *Options) {
		o.Addrs = []string{"0.0.0.0:0"}
		o.MaxConnectionsPerAddress = 3
		o.Logger = log.logger()
	})
	var open []*client
	for range 3 {
		c := s.dialFrom("127.0.0.2")
		c.ping("in")
		open = append(open, c)
	}
	for range 50 {
		s.dialFrom("127.0.0.2").wantClosed()
	}
	for range 3 {
		s.dialFrom("127.0.0.1").ping("another address")
	}
	if st := s.Stats(); st.RefusedPerAddress != 50 || st.Refused != 0 || st.Open != 6 || st.Accepted != 6 {
		t.Errorf("stats %+v, want 50 refused per address, 6 open", st)
	}
	if !log.has("maxConnectionsPerAddress=3") {
		t.Error("refusals are not logged")
	}
	open[0].Close()
	eventually(t, "place free", func() bool { return s.Stats().Open == 5 })
	s.dialFrom("127.0.0.2").ping("in its place")
	s.dialFrom("127.0.0.2").wantClosed()
	s.stop()
	if n := len(s.peers.open) + len(s.peers.of); n != 0 {
		t.Errorf("%d entries kept after all have gone", n)
	}
}
