package engine

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/panjf2000/gnet/v2"
)

func TestDefaultLoops(t *testing.T) {
	for cpus, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 8: 4, 32: 16, 128: 64, 510: 255, 1024: 255} {
		if got := defaultLoops(cpus); got != want {
			t.Errorf("%d CPUs: %d loops, want %d", cpus, got, want)
		}
	}
}

// holdLoops keeps the loops busy until release is called.
func (s *server) holdLoops() (release func()) {
	s.t.Helper()
	ch := make(chan struct{})
	for _, l := range s.loops {
		eventually(s.t, "the loop has begun", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.el != nil
		})
		held := make(chan struct{})
		l.execute(l.guarded(func() { close(held); <-ch }))
		await(s.t, "a loop is held", held)
	}
	return func() { close(ch) }
}

// perLoop returns how many connections each loop counts.
func (s *server) perLoop() (n []int) {
	for _, l := range s.loops {
		n = append(n, int(l.conns.Load()))
	}
	return n
}

// arrivals dials n connections that arrive before any loop gets round to one.
func (s *server) arrivals(n int) (peers []*client) {
	s.t.Helper()
	release := s.holdLoops()
	defer release()
	counted := func() (sum int) {
		for _, n := range s.perLoop() {
			sum += n
		}
		return sum
	}
	before := counted()
	for range n {
		peers = append(peers, s.dial())
	}
	eventually(s.t, "all on their way", func() bool { return counted() == before+n })
	return peers
}

// Connections that arrive together spread as evenly as those that come one by
// one, and those that come after many have died make up for them.
func TestConnectionsSpreadOverLoops(t *testing.T) {
	const loops, each = 4, maxEnrolling / 4
	opened := make(chan Conn, 10*maxEnrolling)
	s := serve(t, &testHandler{opened: func(c Conn) { opened <- c }}, func(o *Options) { o.Loops = loops })
	homes := map[string]int{} // loop of a peer
	wantEven := func(when string, n, each int) {
		t.Helper()
		for range n {
			c := <-opened
			homes[c.RemoteAddr()] = c.Loop()
		}
		eventually(t, when+": even", func() bool {
			return slices.Equal(s.perLoop(), slices.Repeat([]int{each}, loops))
		})
		var per [loops]int
		for _, l := range homes {
			per[l]++
		}
		if per != [loops]int(slices.Repeat([]int{each}, loops)) {
			t.Errorf("%s: the loops serve %v", when, per)
		}
	}
	peers := s.arrivals(loops * each)
	wantEven("at once", loops*each, each)

	var left int
	for _, c := range peers {
		if at := c.LocalAddr().String(); homes[at] < 2 {
			delete(homes, at)
			c.Close()
			left++
		}
	}
	eventually(t, "half have left", func() bool { return slices.Equal(s.perLoop(), []int{0, 0, each, each}) })
	s.arrivals(left)
	wantEven("after an uneven loss", left, each)
	for range loops {
		s.dial()
	}
	wantEven("one by one", loops, each+1)
}

// Who speaks TLS is no work for its loop and does not keep others from it.
func TestTLSIsNotCountedOnLoops(t *testing.T) {
	s := serve(t, &testHandler{}, func(o *Options) { withTLS(o); o.Loops = 2 })
	for range 5 {
		s.dialTLS(nil).ask("x", "x")
	}
	eventually(t, "none counted", func() bool { return slices.Equal(s.perLoop(), []int{0, 0}) })
	for range 4 {
		s.dial().ping("x")
	}
	if got := s.perLoop(); !slices.Equal(got, []int{2, 2}) {
		t.Errorf("the loops count %v, want 2 each", got)
	}
}

// A brokenLoop takes no connection, at once or later.
type brokenLoop struct {
	gnet.EventLoop
	later bool
}

func (l *brokenLoop) Enroll(context.Context, net.Conn) (<-chan gnet.RegisteredResult, error) {
	err := errors.New("no more")
	if !l.later {
		return nil, err
	}
	ch := make(chan gnet.RegisteredResult, 1)
	ch <- gnet.RegisteredResult{Err: err}
	return ch, nil
}

// What no loop has taken is not counted on one.
func TestFailedEnrollIsNotCounted(t *testing.T) {
	for _, later := range []bool{false, true} {
		e := &Engine{o: Options{}.withDefaults()}
		l := newLoop(e, 0)
		l.begin(&brokenLoop{later: later})
		e.loops = []*loop{l}
		nc, peer := net.Pipe()
		defer peer.Close()
		err := e.enroll(newFake().conn, nc)
		if err == nil || !strings.Contains(err.Error(), "no more") {
			t.Errorf("later %v: error %v", later, err)
		}
		if n := l.conns.Load(); n != 0 {
			t.Errorf("later %v: %d counted", later, n)
		}
		if later {
			continue // gnet closes it
		}
		if _, err := nc.Write([]byte("x")); err == nil {
			t.Error("the connection is not closed")
		}
	}
}
