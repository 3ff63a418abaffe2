package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// announce begins a frame of 16 MiB, sends so many bytes of it and waits until
// they are there.
func (s *server) announce(c *client, n int) {
	s.t.Helper()
	before := int(s.Stats().BytesIn)
	c.send(append(binary.BigEndian.AppendUint32(nil, 16<<20-4), make([]byte, n)...))
	s.wantRead(before + 4 + n)
}

// When unfinished frames have used up their share of the budget, the oldest go
// and the newest is served.
func TestBudgetDismissesTheOldestFirst(t *testing.T) {
	opened := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { opened <- c }}, func(o *Options) {
		o.Loops = 1
		o.Budget = NewBudget(8 << 20)
	})
	// Each holds 256 KiB for 200 that came: 12 fill three quarters of 4 MiB.
	var stalled []*client
	var conns []Conn
	for range 40 {
		c := s.dial()
		conns = append(conns, <-opened)
		s.announce(c, 200<<10)
		stalled = append(stalled, c)
		if held := s.Budget().Held(); held > 4<<20 {
			t.Fatalf("%d bytes held, want at most 4 MiB", held)
		}
	}
	newcomer := s.dial()
	payload := string(make([]byte, 1<<20))
	newcomer.ping(payload)
	open := 0
	for i, c := range conns {
		if c.Alive() {
			open++
			continue
		}
		if open > 0 {
			t.Errorf("peer %d is closed, an older one is not", i)
		}
		stalled[i].wantClosed()
	}
	if open < 1 || open > 12 {
		t.Errorf("%d of 40 stalled peers left, want what the budget allows", open)
	}
	if st := s.Stats(); st.ClosedOverloaded != uint64(40-open) {
		t.Errorf("%d closed as overload, want %d", st.ClosedOverloaded, 40-open)
	}
	newcomer.ping("and again")
}

// Budget returns the engine's budget.
func (s *server) Budget() *Budget { return s.o.Budget }

// The holders may all be with another loop than the newcomer.
func TestBudgetIsRelievedByOtherLoops(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) {
		o.Loops = 2
		o.Budget = NewBudget(64 << 20)
	})
	var stalled, others []*client
	var newest *conn
	for len(stalled) < 11 {
		c := s.dial()
		if peer := (<-conns).(*conn); peer.loop.index == 0 {
			s.announce(c, 1200<<10) // holds 2 MiB
			stalled, newest = append(stalled, c), peer
		} else {
			others = append(others, c)
		}
	}
	if st := s.Stats(); st.ClosedOverloaded != 0 {
		t.Fatalf("%d closed already", st.ClosedOverloaded)
	}
	// This one alone needs 4 MiB; 24 are three quarters.
	frame := frameOf(make([]byte, 4<<20))
	others[0].send(frame[:3<<20])
	eventually(t, "relieved", func() bool { return s.Stats().ClosedOverloaded > 0 && !s.Budget().tight() })
	others[0].send(frame[3<<20:])
	others[0].want(string(frame[4:]))
	stalled[0].wantClosed()
	for i, c := range others {
		c.ping(fmt.Sprintf("%d is not disturbed", i))
	}
	if !newest.Alive() {
		t.Error("the newest was closed as well")
	}
}

// dialConns connects n peers and returns both ends of each.
func (s *server) dialConns(n int, conns <-chan Conn) (peers []*client, ours []*conn) {
	for range n {
		peers = append(peers, s.dial())
		ours = append(ours, (<-conns).(*conn))
	}
	return peers, ours
}

// Who sends faster than can be answered holds bytes too, since it fell behind,
// and goes before an honest peer whose frame is half there.
func TestBudgetDismissesWhoIsBehind(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) {
		o.Loops = 1
		o.Budget = NewBudget(8 << 20)
	})
	l := s.loops[0]
	flooders, ours := s.dialConns(7, conns)
	honest, half := s.dialConns(1, conns)
	frame := patternFrame(1<<20, 1)
	s.onLoop(l, func() {
		feed := func(c *conn, data []byte) {
			for len(data) > 0 {
				n := min(readBuffer, len(data))
				l.turn(c, data[:n])
				data = data[n:]
			}
		}
		for i, c := range ours { // about 512 KiB each; 3 MiB are three quarters
			if i == 6 {
				feed(half[0], frame[:200<<10])
			}
			l.fallBehind(c)
			feed(c, bytes.Repeat(textFrame("%01000d", i), 450))
		}
		closed := 0
		for i, c := range ours {
			if c.gone && closed < i {
				t.Errorf("flooder %d is closed, one that has been behind for longer is not", i)
			} else if c.gone {
				closed++
			}
		}
		if closed < 1 || closed > 4 {
			t.Errorf("%d of 7 flooders are closed, want those that had to go", closed)
		}
		if half[0].gone {
			t.Error("the honest peer is closed")
		}
	})
	honest[0].send(frame[200<<10:])
	honest[0].want(string(frame[4:]))
	flooders[6].want(fmt.Sprintf("%01000d", 6))
}

// Who is behind again after its turn has been behind all the time, and who is
// not any more has not.
func TestBehindSince(t *testing.T) {
	conns := make(chan Conn, 1)
	reply := frameOf(make([]byte, flushSize)) // one is a turn
	s, clock := serveInTime(t, &testHandler{
		opened: func(c Conn) { conns <- c },
		serve:  func(_ Conn, _, out []byte) []byte { return append(out, reply...) },
	}, func(o *Options) { o.Loops, o.HighWater, o.LowWater = 1, 1<<30, 1 })
	l := s.loops[0]
	peers, ours := s.dialConns(1, conns)
	c := ours[0]
	clock.advance(time.Second)
	s.onLoop(l, func() {
		l.turn(c, bytes.Repeat(textFrame("x"), 4))
		if !c.behind || c.backlog.lagged != time.Second {
			t.Errorf("behind %v since %v, want so since 1s", c.behind, c.backlog.lagged)
		}
		l.now = 2 * time.Second
		l.catchUp()
		l.catchUp()
		if !c.behind || c.backlog.lagged != time.Second || l.oldestHolder() != c {
			t.Errorf("behind %v since %v, want so since 1s and to be the oldest", c.behind, c.backlog.lagged)
		}
		l.catchUp()
		if c.behind || c.listed(byBehind) {
			t.Error("still listed though all is served")
		}
	})
	go io.Copy(io.Discard, peers[0])
}

// A frame is given its bytes also when it is larger than what is left, as long
// as others can go; when none can, it goes itself.
func TestBudgetOfOne(t *testing.T) {
	h := &testHandler{}
	s := serve(t, h, func(o *Options) {
		o.Loops = 1
		o.Budget = NewBudget(1 << 20)
	})
	c := s.dial()
	go c.Write(append(binary.BigEndian.AppendUint32(nil, 4<<20), make([]byte, 2<<20)...))
	c.wantClosed()
	eventually(t, "counted", func() bool { return s.Stats().ClosedOverloaded == 1 })
	h.wantCause(t, ErrOverloaded)
	s.dial().ping("others go on")
}

// What has been read meanwhile is not held against anybody.
func TestBudgetLooksBeforeItDismisses(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{serve: blower(400_000)}, func(o *Options) {
		smallSockets(o)
		o.HighWater, o.LowWater = 64<<20, 1<<20
		o.Budget = NewBudget(8 << 20)
	})
	var done []*client
	for range 30 {
		c := s.dial()
		c.send(textFrame("x"))
		if _, err := readFrame(c); err != nil {
			t.Fatal(err)
		}
		done = append(done, c)
	}
	if st := s.Stats(); st.ClosedOverloaded != 0 {
		t.Errorf("%d closed that had read everything", st.ClosedOverloaded)
	}
	clock.advance(time.Second)
	if held := s.Budget().Held(); held != 0 {
		t.Errorf("%d bytes held a tick after all was read", held)
	}
	for _, c := range done {
		c.send(textFrame("x"))
		if _, err := readFrame(c); err != nil {
			t.Fatal(err)
		}
	}
}

// Executors send what they like to whom they like; the budget stands all the
// same.
func TestSendBeyondTheBudget(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) {
		smallSockets(o)
		o.Budget = NewBudget(4 << 20)
	})
	c := s.dial()
	conn := <-conns
	hold := make(chan struct{})
	s.loops[0].execute(s.loops[0].guarded(func() { <-hold }))
	for range 10 {
		conn.Send(make([]byte, 1<<20))
		if held := s.Budget().Held(); held > 2<<20 {
			t.Errorf("%d bytes held, want at most 2 MiB", held)
		}
	}
	close(hold)
	eventually(t, "closed as overload", func() bool { return !conn.Alive() && s.Stats().ClosedOverloaded == 1 })
	io.Copy(io.Discard, c)
	s.dial().ping("others go on")
}

// Two executors have one budget, and what waits for peers is not in their way.
func TestBudgetOfExecutors(t *testing.T) {
	b := NewBudget(1 << 20)
	x := newExecutor(t, ExecutorOptions{Workers: 1, Budget: b})
	y := newExecutor(t, ExecutorOptions{Workers: 1, Budget: b})
	releaseX, releaseY := block(t, x), block(t, y)
	defer releaseX()
	defer releaseY()
	if !b.take(&b.held, 500<<10) {
		t.Fatal("half of the budget is not there")
	}
	c := newFake()
	big := make([]byte, 200<<10)
	if !x.Submit(c, big, echoTask) || !y.Submit(c, big, echoTask) {
		t.Fatal("refused within the budget")
	}
	if x.Submit(c, big, echoTask) || y.Submit(c, big, echoTask) {
		t.Error("600 KiB accepted, 512 are the half")
	}
	if x.Stats().Rejected != 1 || y.Stats().Rejected != 1 {
		t.Errorf("rejected %d and %d, want 1 and 1", x.Stats().Rejected, y.Stats().Rejected)
	}
	releaseX()
	eventually(t, "room again", func() bool { return y.Submit(c, big, echoTask) })
	releaseY()
	eventually(t, "all given back", func() bool { return b.Queued() == 0 })
}

// One connection that pipelines thousands leaves room in the queue.
func TestOneConnectionDoesNotFillTheQueue(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, Queue: 4000})
	release := block(t, x)
	defer release()
	flooder, other := deafConn(), newFake()
	taken := 0
	for range 10_000 {
		if x.Submit(flooder, nil, echoTask) {
			taken++
		}
	}
	if taken != 1000 {
		t.Errorf("%d of its tasks are queued, want a quarter of 4,000", taken)
	}
	if !x.Submit(other, nil, echoTask) {
		t.Error("another connection finds the queue full")
	}
	posted := make(chan struct{})
	x.Post(flooder, func() { close(posted) })
	if st := x.Stats(); st.Rejected != 9000 {
		t.Errorf("%d rejected, want 9000", st.Rejected)
	}
	release()
	<-posted
	again := block(t, x)
	defer again()
	for i := range 1000 {
		if !x.Submit(flooder, nil, echoTask) {
			t.Fatalf("task %d refused after the others have run", i)
		}
	}
}

// A request that is answered on the loop has nothing to do with the budget.
func TestSmallRequestsDoNotTouchTheBudget(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) { o.Loops = 1 })
	c := s.dial()
	for i := range 100 {
		c.ping(fmt.Sprint(i))
		if held := s.Budget().Held(); held != 0 {
			t.Fatalf("%d bytes held after a small request", held)
		}
	}
}

// A claim that fails must not make one beside it fail, not even for a moment.
func TestFailedClaimIsInNobodysWay(t *testing.T) {
	b := NewBudget(2 << 20)
	x := newExecutor(t, ExecutorOptions{Workers: 1, Budget: b})
	o := ExecutorOptions{Workers: 1, Budget: b, Levels: []Level{{MaxBytes: 1 << 20}}}
	level := &newLevels(o)[0]
	giant, c := make([]byte, 2<<20), newFake()
	for what, claims := range map[string]struct{ large, small func() bool }{
		"for peers": {
			func() bool { return b.take(&b.held, len(giant)) },
			func() bool { defer b.held.Add(-1); return b.take(&b.held, 1) },
		},
		"for work": {
			func() bool { return b.Reserve(len(giant)) },
			func() bool { defer b.Release(1); return b.Reserve(1) },
		},
		"of a level": {
			func() bool { return level.reserve(len(giant)) },
			func() bool { defer level.count(-1); return level.reserve(1) },
		},
		"of a frame": {
			func() bool { return x.Submit(c, giant, echoTask) },
			func() bool { defer b.Release(1); return b.Reserve(1) },
		},
	} {
		// Four, each interrupted now and then in the middle of a claim.
		rounds := 500_000
		if raceEnabled {
			rounds = 50_000
		}
		var running atomic.Int32
		for range 4 {
			running.Add(1)
			go func() {
				defer running.Add(-1)
				for range rounds {
					if claims.large() {
						t.Errorf("%s: more granted than there is", what)
						return
					}
				}
			}()
		}
		small, refused := 0, 0
		for ; running.Load() > 0; small++ {
			if !claims.small() {
				refused++
			}
		}
		if refused > 0 {
			t.Errorf("%s: %d of %d small claims refused beside large ones that fail", what, refused, small)
		}
	}
	if b.Held() != 0 || b.Queued() != 0 {
		t.Errorf("%d and %d bytes left in the budget", b.Held(), b.Queued())
	}
}
