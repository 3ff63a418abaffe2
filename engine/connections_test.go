package engine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// TestConnections lists connections of all kinds, each as it is.
func TestConnections(t *testing.T) {
	h := &testHandler{opened: func(c Conn) { c.SetTag(uint32(c.ID()) + 7) }}
	s, clock := serveInTime(t, h, func(o *Options) {
		withTLS(o)
		o.ProxyTrusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	clock.now.Store(int64(time.Hour))
	clear := s.dial()
	clear.send(append([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), textFrame("a")...))
	clear.want("a")
	clock.now.Add(int64(3 * time.Second))
	secret := s.dial().upgrade(nil, []byte("PROXY TCP4 192.0.2.3 192.0.2.2 3 2\r\n"))
	for range 5 {
		secret.echo("b")
	}
	mute := s.dial() // has said nothing of whom it is from: not opened yet
	defer mute.Close()
	clock.now.Add(int64(2 * time.Second))
	for range 3 {
		clear.send(append(textFrame("c"), textFrame("d")...))
		clear.want("c")
		clear.want("d")
	}
	var got []ConnInfo
	eventually(t, "the turns have ended", func() bool {
		var err error
		if got, err = s.Connections(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(got) == 2 && got[0].Served == 7 && got[1].Served == 5
	})
	for i, want := range []ConnInfo{
		{Peer: clear.LocalAddr().(addrPorter).AddrPort(), Claimed: netip.MustParseAddrPort("192.0.2.1:1"), Age: 5 * time.Second, Served: 7},
		{Peer: secret.raw.LocalAddr().(addrPorter).AddrPort(), Claimed: netip.MustParseAddrPort("192.0.2.3:3"), Age: 2 * time.Second, Idle: 2 * time.Second, Served: 5, TLS: true},
	} {
		want.ID, want.Loop, want.Local, want.Tag = got[i].ID, got[i].Loop, netip.MustParseAddrPort(s.Addr().String()), uint32(got[i].ID)+7
		if got[i] != want {
			t.Errorf("connection %d is %+v, want %+v", i, got[i], want)
		}
	}
	clear.Close()
	secret.raw.Close()
	eventually(t, "both are gone", func() bool {
		got, err := s.Connections(t.Context())
		return err == nil && len(got) == 0
	})
}

// echo sends a frame and waits for the same.
func (c *tlsClient) echo(payload string) {
	c.t.Helper()
	if _, err := c.Write(textFrame("%s", payload)); err != nil {
		c.t.Fatal(err)
	}
	if got, err := readFrame(c); err != nil || string(got) != payload {
		c.t.Fatalf("got %q, %v, want %q", got, err, payload)
	}
}

type addrPorter interface{ AddrPort() netip.AddrPort }

// TestConnectionsWhileTheyComeAndGo lists while others open and close, with TLS and
// without: never one twice, and those that stay each time.
func TestConnectionsWhileTheyComeAndGo(t *testing.T) {
	s := serve(t, &testHandler{}, withTLS)
	const stay = 20
	for i := range stay {
		if i%2 == 0 {
			c := s.dial()
			c.send(textFrame("x"))
			c.want("x")
		} else {
			s.dialTLS(nil).echo("x")
		}
	}
	ids := func(all []ConnInfo) (ids []uint64) {
		for _, c := range all {
			ids = append(ids, c.ID)
		}
		return ids
	}
	first, err := s.Connections(t.Context())
	if err != nil || len(first) != stay {
		t.Fatalf("%d connections, %v", len(first), err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			c := s.dial()
			if i%4 == 0 {
				c.startTLS(nil, nil).Handshake()
			}
			c.Close()
		}
	}()
	for range 200 {
		all, err := s.Connections(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := ids(all)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("not in ascending order, each once: %v", got)
		}
		for _, id := range ids(first) {
			if !slices.Contains(got, id) {
				t.Fatalf("%d is missing in %v", id, got)
			}
		}
	}
	close(stop)
	<-stopped
}

// TestConnectionsDoesNotWaitForEver: neither for a loop that hangs nor for one that
// has ended.
func TestConnectionsDoesNotWaitForEver(t *testing.T) {
	e, err := New(&testHandler{}, Options{Split: splitInt32, Addrs: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Connections(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before it runs: %v", err)
	}
	hold, hangs := make(chan struct{}), make(chan struct{})
	h := &testHandler{serve: func(_ Conn, _, out []byte) []byte { close(hangs); <-hold; return out }}
	s := serve(t, h, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	c.send(textFrame("x"))
	<-hangs
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Connections(ctx)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("while the loop hangs: %v", err)
	}
	close(hold)
	s.stop()
	if _, err := s.Connections(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after its end: %v", err)
	}
}

// TestMembers adds and removes connections in any order: each is found in its place,
// and the list gives its memory back.
func TestMembers(t *testing.T) {
	l := newLoop(&Engine{}, 0)
	var there []*conn
	check := func() {
		t.Helper()
		if len(l.members) != len(there) {
			t.Fatalf("%d members, want %d", len(l.members), len(there))
		}
		for i, c := range l.members {
			if int(c.place) != i+1 {
				t.Fatalf("the member in place %d says %d", i+1, c.place)
			}
		}
	}
	for i := range 10_000 {
		c := &conn{id: uint64(i)}
		l.list(c)
		there = append(there, c)
		if i%3 == 0 {
			out := there[i*7919%len(there)]
			there = slices.DeleteFunc(there, func(c *conn) bool { return c == out })
			l.unlist(out)
			l.unlist(out) // not there any more
		}
	}
	check()
	for _, c := range there[10:] {
		l.unlist(c)
	}
	there = there[:10]
	check()
	if cap(l.members) > 1024 {
		t.Errorf("room for %d is kept", cap(l.members))
	}
	for _, c := range there {
		if l.members[c.place-1] != c {
			t.Errorf("%d is not in its place", c.id)
		}
	}
}

// TestConnBornHasRoom: what is beside the port costs nothing.
func TestConnBornHasRoom(t *testing.T) {
	var c conn
	if got := unsafe.Offsetof(c.local) - unsafe.Offsetof(c.addr); got != unsafe.Sizeof(netip.AddrPort{}) {
		t.Errorf("address, port and birth take %d bytes, want those of an AddrPort", got)
	}
}
