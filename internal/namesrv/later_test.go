package namesrv_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// waiters are the requests of one code that wait to be answered later.
type waiters struct {
	code codec.RequestCode
	ps   chan *namesrv.LateReply
	gone atomic.Int64
}

// answersLater makes a server answer GET_BROKER_MEMBER_GROUP later, on the event
// loop or in the pool.
func answersLater(loop bool) (*waiters, func(*namesrv.Server)) {
	w := &waiters{code: codec.ReqGetBrokerMemberGroup, ps: make(chan *namesrv.LateReply, 10_000)}
	return w, func(s *namesrv.Server) {
		s.AnswerLater(w.code, loop, func() { w.gone.Add(1) }, func(p *namesrv.LateReply) error {
			w.ps <- p
			return nil
		})
	}
}

// bothPlaces runs a test with a handler on the event loop and with one in the pool.
func bothPlaces(t *testing.T, test func(t *testing.T, loop bool)) {
	for _, loop := range []bool{true, false} {
		t.Run(fmt.Sprintf("loop=%v", loop), func(t *testing.T) { test(t, loop) })
	}
}

// wantLate wants so many requests to wait, once what goes on has come to an end.
func wantLate(t *testing.T, s *testServer, n int) {
	t.Helper()
	nstest.Eventually(t, fmt.Sprintf("%d requests wait", n), func() bool {
		return statsOf(s, codec.ReqGetBrokerMemberGroup).Late == n
	})
	if n == 0 && s.LateConns() != 0 {
		t.Errorf("%d connections are remembered, of which nothing waits", s.LateConns())
	}
}

// TestAnswerLater answers requests of one connection in another order than they
// came in, after a later request has been answered, each once and with its opaque.
func TestAnswerLater(t *testing.T) {
	bothPlaces(t, func(t *testing.T, loop bool) {
		w, prepare := answersLater(loop)
		s := start(t, nil, prepare)
		c := s.dial(t)
		first, second := group(), group()
		c.Write(c.Frame(first))
		one := <-w.ps
		c.Write(c.Frame(second))
		two := <-w.ps
		wantCode(t, c.Do(beat()), codec.RespSuccess, "")
		wantLate(t, s, 2)
		for _, answer := range []struct {
			p      *namesrv.LateReply
			opaque int32
			err    error
			code   codec.ResponseCode
		}{{two, second.Opaque, nil, codec.RespSuccess}, {one, first.Opaque, errors.New("why not"), codec.RespSystemError}} {
			if !answer.p.Send(codec.Reply{}, answer.err) {
				t.Error("nobody waits")
			}
			if answer.p.Send(codec.Reply{}, nil) {
				t.Error("answered twice")
			}
			if r := c.Read(); r.Opaque != answer.opaque || codec.ResponseCode(r.Code) != answer.code {
				t.Errorf("opaque %d, code %d; want %d, %d", r.Opaque, r.Code, answer.opaque, answer.code)
			}
		}
		wantCode(t, c.Do(beat()), codec.RespSuccess, "") // and no second answer before this one
		wantLate(t, s, 0)
		if st := statsOf(s, w.code); st.Requests != 2 || st.Refused["failed"] != 1 || w.gone.Load() != 0 {
			t.Errorf("%+v, %d gone; want 2 requests, one failed, none gone", st, w.gone.Load())
		}
	})
}

// TestAnswerLaterWithError lets a handler return an error after it has promised an
// answer: the error is the answer, the only one.
func TestAnswerLaterWithError(t *testing.T) {
	bothPlaces(t, func(t *testing.T, loop bool) {
		ps := make(chan *namesrv.LateReply, 1)
		s := start(t, nil, func(s *namesrv.Server) {
			s.AnswerLater(codec.ReqGetBrokerMemberGroup, loop, nil, func(p *namesrv.LateReply) error {
				ps <- p
				return errors.New("cannot watch")
			})
		})
		c := s.dial(t)
		wantCode(t, c.Do(group()), codec.RespSystemError, "cannot watch")
		if p := <-ps; p.Send(codec.Reply{}, nil) {
			t.Error("answered twice")
		}
		wantLate(t, s, 0)
	})
}

// TestAnswerLaterOneway answers who wants no answer: nothing is sent, and nothing
// is left.
func TestAnswerLaterOneway(t *testing.T) {
	bothPlaces(t, func(t *testing.T, loop bool) {
		w, prepare := answersLater(loop)
		s := start(t, nil, prepare)
		c := s.dial(t)
		r := group()
		r.Flag = codec.FlagOneway
		c.Write(c.Frame(r))
		if p := <-w.ps; !p.Send(codec.Reply{}, nil) {
			t.Error("nobody waits")
		}
		next := beat()
		if reply := c.Do(next); reply.Opaque != next.Opaque {
			t.Errorf("the oneway request was answered: %+v", reply)
		}
		wantLate(t, s, 0)
	})
}

// TestConnectionEndsBeforeTheAnswer closes connections of which requests wait. They
// are forgotten and their handlers are told, once; the others wait on.
func TestConnectionEndsBeforeTheAnswer(t *testing.T) {
	bothPlaces(t, func(t *testing.T, loop bool) {
		w, prepare := answersLater(loop)
		s := start(t, nil, prepare)
		stays, goes := s.dial(t), s.dial(t)
		stays.Write(stays.Frame(group()))
		kept := <-w.ps
		for range 3 {
			goes.Write(goes.Frame(group()))
		}
		lost := []*namesrv.LateReply{<-w.ps, <-w.ps, <-w.ps}
		goes.Close()
		wantLate(t, s, 1)
		nstest.Eventually(t, "the handlers are told", func() bool { return w.gone.Load() == 3 })
		for _, p := range lost {
			if p.Send(codec.Reply{}, nil) {
				t.Error("one who has left waits")
			}
		}
		if !kept.Send(codec.Reply{}, nil) {
			t.Error("nobody waits")
		}
		wantCode(t, stays.Read(), codec.RespSuccess, "")
		wantLate(t, s, 0)
		if st := statsOf(s, w.code); st.Abandoned != 3 || st.Refused != nil || w.gone.Load() != 3 {
			t.Errorf("%+v, %d gone; want 3 abandoned and gone", st, w.gone.Load())
		}
	})
}

// TestConnectionEndsBeforeLater closes a connection while its handler runs: the
// promise comes when the connection's end has been dealt with, and is not kept.
func TestConnectionEndsBeforeLater(t *testing.T) {
	entered, open := make(chan struct{}), make(chan struct{})
	var gone atomic.Int64
	s := start(t, nil, func(s *namesrv.Server) {
		s.AnswerLaterWhen(codec.ReqGetBrokerMemberGroup, func() { gone.Add(1) }, func() {
			close(entered)
			<-open
		})
	})
	c := s.dial(t)
	c.Write(c.Frame(group()))
	<-entered
	c.Close()
	nstest.Eventually(t, "the connection is closed", func() bool { return s.EngineStats().ClosedByPeer == 1 })
	close(open)
	nstest.Eventually(t, "the handler is told", func() bool { return gone.Load() == 1 })
	wantLate(t, s, 0)
}

// TestLateRepliesAreBounded lets nobody answer. A connection may have so many
// requests waiting, and all together; what is beyond is refused as busy, and there
// is room again when somebody leaves.
func TestLateRepliesAreBounded(t *testing.T) {
	w, prepare := answersLater(true)
	const spare = 10
	s := start(t, nil, prepare, func(s *namesrv.Server) { s.FillLate(namesrv.MaxLateOfConn + spare) })
	greedy, other := s.dial(t), s.dial(t)
	fill := func(c *nstest.Client, n int) {
		t.Helper()
		for range n {
			c.Write(c.Frame(group()))
			<-w.ps
		}
		wantCode(t, c.Do(group()), codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
	}
	fill(greedy, namesrv.MaxLateOfConn)
	fill(other, spare)
	greedy.Close()
	wantLate(t, s, spare)
	fill(other, namesrv.MaxLateOfConn-spare)
	if st := statsOf(s, w.code); st.Refused["tooManyLate"] != 3 || len(st.Refused) != 1 {
		t.Errorf("refused %v, want 3 too many", st.Refused)
	}
}

// TestDrainAnswersWhoWaits ends a server of which requests wait that nobody
// answers. Their peers are told to go, each in words that it knows, and the server
// ends.
func TestDrainAnswersWhoWaits(t *testing.T) {
	for _, graceful := range []bool{false, true} {
		t.Run(fmt.Sprintf("graceful=%v", graceful), func(t *testing.T) {
			w, prepare := answersLater(true)
			l := startLeaving(t, func(c *namesrv.Config) { c.EnableShutdownGracefully = graceful }, prepare)
			young, old, oneway := group(), group(), group()
			young.Version, old.Version, oneway.Flag = codec.Version, codec.V5_3_1, codec.FlagOneway
			a, b, c := l.dial(t), l.dial(t), l.dial(t)
			a.Write(a.Frame(young))
			b.Write(b.Frame(old))
			c.Write(c.Frame(oneway))
			ps := []*namesrv.LateReply{<-w.ps, <-w.ps, <-w.ps}
			wantLate(t, l.testServer, 3)
			l.leave()
			wantCode(t, a.Read(), codec.RespGoAway, "please go away")
			wantCode(t, b.Read(), codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
			for _, conn := range []*nstest.Client{a, b, c} {
				conn.Close()
			}
			if err := <-l.ended; err != nil {
				t.Error(err)
			}
			for _, p := range ps {
				if p.Send(codec.Reply{}, nil) {
					t.Error("somebody waits")
				}
			}
			wantLate(t, l.testServer, 0)
			if st := statsOf(l.testServer, w.code); st.Refused["goAway"] != 3 || w.gone.Load() != 3 {
				t.Errorf("%+v, %d gone; want 3 sent away", st, w.gone.Load())
			}
		})
	}
}

// TestLateRepliesAtOnce answers from several goroutines while connections end: every
// request ends once, by its answer or by its connection's end.
func TestLateRepliesAtOnce(t *testing.T) {
	w, prepare := answersLater(true)
	s := start(t, nil, prepare)
	var answered atomic.Int64
	var answerers sync.WaitGroup
	for range 4 {
		answerers.Go(func() {
			for p := range w.ps {
				if p.Send(codec.Reply{}, nil) {
					answered.Add(1)
				}
			}
		})
	}
	const conns, each = 20, 30
	for range conns {
		c := s.dial(t)
		for range each {
			c.Write(c.Frame(group()))
		}
		last := beat()
		c.Write(c.Frame(last))
		for c.Read().Opaque != last.Opaque { // some of the answers
		}
		c.Close()
	}
	wantLate(t, s, 0)
	close(w.ps)
	answerers.Wait()
	st := statsOf(s, w.code)
	nstest.Eventually(t, "who has left is counted", func() bool {
		st = statsOf(s, w.code)
		return answered.Load()+int64(st.Abandoned) == conns*each && w.gone.Load() == int64(st.Abandoned)
	})
}
