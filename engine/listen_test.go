package engine

import (
	"net"
	"strings"
	"testing"
)

func TestListenOnSeveralAddresses(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) { o.Addrs = []string{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"} })
	if n := len(s.Addrs()); n != 3 {
		t.Fatalf("%d addresses, want 3", n)
	}
	if s.Addr().String() != s.Addrs()[0].String() {
		t.Errorf("Addr is %v, want the first of %v", s.Addr(), s.Addrs())
	}
	var peers []*client
	for _, addr := range s.Addrs() {
		c := dial(t, addr.String())
		c.ping(addr.String())
		peers = append(peers, c)
	}
	if st := s.Stats(); st.Accepted != 3 || st.Open != 3 {
		t.Errorf("stats %+v, want 3 accepted and open", st)
	}
	s.stop()
	for i, addr := range s.Addrs() {
		peers[i].wantClosed()
		if nc, err := net.Dial("tcp", addr.String()); err == nil {
			nc.Close()
			t.Errorf("%v still accepts after the end", addr)
		}
	}
}

// MaxConnections is for all addresses together.
func TestMaxConnectionsOfSeveralAddresses(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) {
		o.Addrs = []string{"127.0.0.1:0", "127.0.0.1:0"}
		o.MaxConnections = 2
	})
	for _, addr := range s.Addrs() {
		dial(t, addr.String()).ping("in")
	}
	for _, addr := range s.Addrs() {
		dial(t, addr.String()).wantClosed()
	}
	if n := s.Stats().Refused; n != 2 {
		t.Errorf("%d refused, want 2", n)
	}
}

// "::" beside an IPv4 address must leave it alone.
func TestNetworkOf(t *testing.T) {
	for _, tt := range []struct{ network, addr, others, want string }{
		{"tcp", "[::]:1", "", "tcp"},
		{"tcp", ":1", "", "tcp"},
		{"tcp", "[::]:1", "0.0.0.0:1", "tcp6"},
		{"tcp", "[::]:1", "[::1]:2 10.0.0.1:1", "tcp6"},
		{"tcp", "[::]:1", "[fe80::1]:1 localhost:1", "tcp"},
		{"tcp", "[::1]:1", "0.0.0.0:1", "tcp"},
		{"tcp", "0.0.0.0:1", "[::]:1", "tcp"},
		{"tcp4", "[::]:1", "0.0.0.0:1", "tcp4"},
	} {
		all := append(strings.Fields(tt.others), tt.addr)
		if got := networkOf(tt.network, tt.addr, all); got != tt.want {
			t.Errorf("networkOf(%s, %s) beside %q is %s, want %s", tt.network, tt.addr, tt.others, got, tt.want)
		}
	}
}

func TestListenErrorSaysWhat(t *testing.T) {
	lns, err := ListenAll("tcp", []string{"127.0.0.1:0", "127.0.0.1:99999"})
	if err == nil || lns != nil {
		t.Fatalf("listening on port 99999: %v, %v", lns, err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "listen on 127.0.0.1:99999: ") {
		t.Errorf("error %q does not say what it is about", text)
	}
}
