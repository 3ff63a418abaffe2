package engine

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// idle connects n peers that say nothing.
func (s *server) idle(n int) (peers []*client) {
	s.t.Helper()
	for range n {
		before := s.strangers.size()
		peers = append(peers, s.dial())
		eventually(s.t, "opened", func() bool { return s.strangers.size() > before })
	}
	return peers
}

func (s *strangers) size() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := s.all.first; at != nil; at = at.links[ofAll].next {
		n++
	}
	return n
}

// Whoever only connects makes room, the oldest first, for those who have
// something to say; these stay.
func TestStrangersMakeRoom(t *testing.T) {
	h := &testHandler{}
	s, clock := serveInTime(t, h, func(o *Options) { o.MaxConnections = 20 })
	live := s.dial()
	live.ping("here first")
	idle := s.idle(19)
	young := s.dial()
	young.wantClosed() // they have had no second yet, and so stay
	clock.advance(2 * time.Second)
	for _, stranger := range idle {
		c := s.dial()
		c.ping("newcomer")
		stranger.wantClosed()
		eventually(t, "gone", func() bool { return s.Stats().Open == 20 && len(s.going) == 0 })
	}
	if err := h.lastCause(); !errors.Is(err, ErrMadeRoom) {
		t.Errorf("Closed got %v, want ErrMadeRoom", err)
	}
	clock.advance(time.Hour / 60)
	s.dial().wantClosed() // all have spoken
	live.ping("not disturbed")
	if st := s.Stats(); st.ClosedForRoom != 19 || st.Refused != 2 {
		t.Errorf("%d strangers closed and %d newcomers refused, want 19 and 2", st.ClosedForRoom, st.Refused)
	}
}

// A peer that has begun something is a stranger until a frame is whole, in
// whatever state the connection is.
func TestWhoIsAStranger(t *testing.T) {
	for name, begin := range map[string]func(s *server, c *client) (wantClosed func()){
		"silent": func(s *server, c *client) func() { return c.wantClosed },
		"half a frame": func(s *server, c *client) func() {
			before := s.Stats()
			c.send(textFrame("half")[:6])
			s.arrived(before, 6)
			return c.wantClosed
		},
		"half a PROXY header": func(s *server, c *client) func() {
			before := s.Stats()
			c.send([]byte("PROXY TCP4 "))
			s.arrived(before, 11)
			return c.wantClosed
		},
		"half a handshake": func(s *server, c *client) func() {
			before := s.Stats()
			c.send([]byte{tlsHandshake, 3, 1, 0})
			s.arrived(before, 4)
			eventually(s.t, "handed over", func() bool { return s.Stats().TLSOpen == 1 })
			return c.wantClosed
		},
		"after the handshake": func(s *server, c *client) func() {
			tc := c.upgrade(nil, nil)
			eventually(s.t, "handshake over", func() bool { return s.Stats().TLSHandshakes == 1 })
			return tc.wantClosed
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := serveInTime(t, &testHandler{}, func(o *Options) {
				withProxy(o)
				o.MaxConnections, o.HandshakeTimeout, o.FirstFrameTimeout = 2, time.Hour, time.Hour
			})
			live := s.dial()
			live.ping("has spoken")
			wantClosed := begin(s, s.idle(1)[0])
			clock.advance(2 * time.Second)
			newcomer := s.dial()
			newcomer.ping("newcomer")
			wantClosed()
			live.ping("not disturbed")
			eventually(t, "counted", func() bool { return s.Stats().ClosedForRoom == 1 && s.Stats().Open == 2 })
		})
	}
	t.Run("not who has spoken through TLS", func(t *testing.T) {
		s, clock := serveInTime(t, &testHandler{}, func(o *Options) { withTLS(o); o.MaxConnections = 1 })
		c := s.dialTLS(nil)
		c.ask("x", "x")
		clock.advance(2 * time.Second)
		s.dial().wantClosed()
		c.ask("y", "y")
	})
}

// Where an address has its share of connections, only strangers from there make
// room for newcomers from there.
func TestStrangersOfAnAddressMakeRoom(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{serve: whoAreYou}, func(o *Options) {
		withProxy(o)
		o.MaxConnectionsPerAddress = 2
	})
	from := func(host string) *client {
		c, before := s.dial(), s.Stats()
		header := proxyHeader(t, 2, host+":4711")
		c.send(header)
		s.arrived(before, len(header))
		return c
	}
	elsewhere := from("198.51.100.1")
	a, b := from("198.51.100.2"), from("198.51.100.2")
	clock.advance(2 * time.Second)
	b.send(textFrame("who"))
	b.want("198.51.100.2:4711")
	c := from("198.51.100.2")
	a.wantClosed()
	c.send(textFrame("who"))
	c.want("198.51.100.2:4711")
	from("198.51.100.2").wantClosed() // both have spoken
	elsewhere.send(textFrame("who"))
	elsewhere.want("198.51.100.1:4711")
	if st := s.Stats(); st.ClosedForRoom != 1 || st.RefusedPerAddress != 1 || st.Open != 3 {
		t.Errorf("%d closed, %d refused, %d open; want 1, 1, 3", st.ClosedForRoom, st.RefusedPerAddress, st.Open)
	}
}

// The same without a proxy, where the address is known from the beginning.
func TestStrangersOfAPeerMakeRoom(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{}, func(o *Options) { o.MaxConnectionsPerAddress = 2 })
	idle := s.idle(2)
	clock.advance(2 * time.Second)
	s.dial().ping("newcomer")
	idle[0].wantClosed()
	idle[1].ping("one stranger is enough for one newcomer")
}

// Many come and go at once, some speak and some do not, and every look at the
// strangers finds them old. The limit is kept all the same, but for those about
// to go, and nothing is forgotten.
func TestStrangersInACrowd(t *testing.T) {
	const limit, crowd, each = 10, 8, 100
	var looks atomic.Int64
	o := Options{Addrs: []string{"127.0.0.1:0"}, Split: splitInt32, Loops: 2, MaxConnections: limit}
	withTLS(&o)
	h := &testHandler{}
	e, err := New(h, o)
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	e.strangers.now = func() time.Duration { return time.Duration(looks.Add(1)) * time.Minute }
	s := run(t, e, h)
	var peers sync.WaitGroup
	for range crowd {
		peers.Go(func() {
			for i := range each {
				c := s.dial()
				switch i % 4 {
				case 0:
					c.Write(textFrame("hello"))
					_, _ = readFrame(c)
				case 1:
					c.Write([]byte{tlsHandshake, 3})
				case 2:
					c.Write(textFrame("half")[:5])
				}
				if n := s.Stats().Open; n > limit+maxEnrolling+1 {
					t.Errorf("%d connections open, want at most %d and those about to go", n, limit)
				}
				if i%3 == 0 {
					c.Close()
				} else {
					defer c.Close()
				}
			}
		})
	}
	peers.Wait()
	eventually(t, "all gone", func() bool {
		return s.Stats().Open == 0 && len(s.going) == 0 && s.strangers.size() == 0
	})
	if st := s.Stats(); st.ClosedForRoom == 0 {
		t.Error("nobody had to go")
	}
}

// A stranger costs a newcomer the same whether there are ten or ten thousand,
// and leaves nothing behind.
func TestStrangersInOrder(t *testing.T) {
	now := time.Duration(0)
	s := strangers{now: func() time.Duration { return now }}
	site := [2]netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")}
	var conns []*conn
	for i := range 6 {
		c := &conn{id: uint64(i)}
		conns = append(conns, c)
		s.add(c)
		s.locate(c, site[i%2])
	}
	inPlace := make(chan struct{}, 1)
	if s.takeOldest(inPlace) != nil || s.takeOldestOf(site[0]) != nil {
		t.Error("taken before its time")
	}
	now = strangerTime
	s.spoken(conns[0]) // has spoken
	s.spoken(conns[0])
	s.locate(conns[0], site[0]) // too late to matter
	inPlace <- struct{}{}
	if c := s.takeOldest(inPlace); c != conns[1] {
		t.Errorf("the oldest is %v, want connection 1", c)
	}
	if c := s.takeOldestOf(site[1]); c != conns[3] {
		t.Errorf("the oldest of the second site is %v, want connection 3", c)
	}
	s.spoken(conns[1]) // speaks, too late
	if len(inPlace) != 1 {
		t.Error("given back before it is gone")
	}
	for _, c := range conns {
		s.closed(c)
		s.closed(c)
	}
	if len(inPlace) != 0 || s.size() != 0 || len(s.bySite) != 0 {
		t.Errorf("%d in place, %d strangers, %d sites left, want none", len(inPlace), s.size(), len(s.bySite))
	}
}

// Who comes, speaks and stays costs no memory beyond what the connection does.
func TestStrangersAreUsedAgain(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := strangers{now: func() time.Duration { return 0 }}
	var conns [3]conn
	site := siteOf(netip.MustParseAddr("10.0.0.1"))
	other := siteOf(netip.MustParseAddr("10.0.0.2"))
	s.add(new(conn))
	s.locate(s.all.first.c, site)
	round := func() {
		for i := range conns {
			s.add(&conns[i])
			s.locate(&conns[i], site)
		}
		for _, i := range []int{1, 0, 2} {
			s.spoken(&conns[i])
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations for three strangers, want none", n)
	}
	s.add(&conns[0])
	s.locate(&conns[0], other)
	s.closed(&conns[0])
	if n := s.size(); n != 1 || len(s.bySite) != 1 {
		t.Errorf("%d strangers of %d sites are left, want 1", n, len(s.bySite))
	}
}
