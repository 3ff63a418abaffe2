package namesrv_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A gate is a request that waits until it is opened.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

func newGate(t *testing.T) *gate {
	g := &gate{entered: make(chan struct{}, 1000), open: make(chan struct{})}
	t.Cleanup(g.release)
	return g
}

func (g *gate) serve() codec.Reply {
	g.entered <- struct{}{}
	<-g.open
	return codec.Reply{}
}

func (g *gate) release() {
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

// fillPool sends requests of a code, each over a connection of its own, until
// one is refused. It returns the others, whose requests run or wait.
func fillPool(t *testing.T, s *testServer, code codec.RequestCode) (waiting []*nstest.Client) {
	t.Helper()
	for range 1000 {
		c := s.dial(t)
		r := nstest.Request(code)
		c.Write(c.Frame(r))
		// Answered on the loop, after the other was queued or refused.
		c.Write(c.Frame(nstest.Request(codec.ReqBrokerHeartbeat, "brokerAddr", "x", "clusterName", "x", "brokerName", "x")))
		reply := c.Read()
		if codec.ResponseCode(reply.Code) == codec.RespSystemBusy {
			wantCode(t, reply, codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
			return waiting
		}
		wantCode(t, reply, codec.RespSuccess, "")
		waiting = append(waiting, c)
	}
	t.Fatal("the pool is never full")
	return nil
}

func group() *codec.Command {
	return nstest.Request(codec.ReqGetBrokerMemberGroup, "clusterName", "C", "brokerName", "a")
}

func beat() *codec.Command {
	return nstest.Request(codec.ReqBrokerHeartbeat, "brokerAddr", "10.0.0.1:10911", "clusterName", "C", "brokerName", "a")
}

// wantGroup wants the reply of GET_BROKER_MEMBER_GROUP, which has a remark.
func wantGroup(t *testing.T, c *nstest.Client) {
	t.Helper()
	if got := codec.ResponseCode(c.Do(group()).Code); got != codec.RespSuccess {
		t.Fatalf("the member group is %v", got)
	}
}

// TestAdminDoesNotHoldUpBrokers lets requests of operators, or such as wait for
// the disk, hang and fill their queue. Brokers and clients do not notice.
func TestAdminDoesNotHoldUpBrokers(t *testing.T) {
	for name, install := range map[string]func(*namesrv.Server, *gate){
		"admin": func(s *namesrv.Server, g *gate) { s.InDefaultPool(700, g.serve) },
		"disk":  func(s *namesrv.Server, g *gate) { s.AsDisk(700, g.serve) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			s := start(t, func(c *namesrv.Config) {
				c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 2, 40
			}, func(s *namesrv.Server) { install(s, g) })
			waiting := fillPool(t, s, 700)
			<-g.entered
			waiting = append(waiting, fillPool(t, s, 700)...)
			if n := len(waiting); n != 11 {
				t.Errorf("%d requests run or wait, want 11", n)
			}
			broker, client := s.dial(t), s.dial(t)
			for i := range 100 {
				b := brokerA
				b.Counter = int64(i)
				wantCode(t, broker.Do(b.Register()), codec.RespSuccess, "")
				wantCode(t, broker.Do(beat()), codec.RespSuccess, "")
				wantGroup(t, broker)
				wantCode(t, client.Do(nstest.Route("T")), codec.RespSuccess, "")
			}
			wantCode(t, broker.Do(brokerA.Unregister()), codec.RespSuccess, "")
			g.release()
			for _, c := range waiting {
				wantCode(t, c.Read(), codec.RespSuccess, "")
			}
		})
	}
}

// TestOverloadIsLogged: a full queue is said, but not for each request.
func TestOverloadIsLogged(t *testing.T) {
	g := newGate(t)
	var lines atomic.Int64
	s := start(t, func(c *namesrv.Config) {
		c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 1, 4
	}, func(s *namesrv.Server) {
		s.InDefaultPool(700, g.serve)
		s.LogLinesEvery(time.Hour)
		s.OnLog(func(line string) {
			if line == "request refused, queue full" {
				lines.Add(1)
			}
		})
	})
	fillPool(t, s, 700)
	fillPool(t, s, 700)
	if got := lines.Load(); got != 1 || s.Overloaded() < 2 {
		t.Errorf("%d lines for %d refused requests, want 1", got, s.Overloaded())
	}
	g.release() // or the end waits for the pool
}

// TestDiskDoesNotHoldUpAdmin lets requests that wait for the disk hang: lists
// are served.
func TestDiskDoesNotHoldUpAdmin(t *testing.T) {
	g := newGate(t)
	s := start(t, func(c *namesrv.Config) {
		c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 4, 40
	}, func(s *namesrv.Server) { s.AsDisk(700, g.serve) })
	waiting := fillPool(t, s, 700)
	c := s.dial(t)
	for range 20 {
		wantCode(t, c.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)), codec.RespSuccess, "")
	}
	g.release()
	for _, c := range waiting {
		wantCode(t, c.Read(), codec.RespSuccess, "")
	}
}

// TestRegistrationStorm lets registrations hang, on all workers, and fill their
// queue. Routes, on the loop or through their own pool, heartbeats and the
// questions for a data version are answered; so is, as soon as one worker is
// free again, the question for the members of a set.
func TestRegistrationStorm(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("routeReadsOnLoop=%v", onLoop), func(t *testing.T) {
			g := newGate(t)
			s := start(t, func(c *namesrv.Config) {
				c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 2, 20
				c.RouteReadsOnLoop = onLoop
			}, func(s *namesrv.Server) { s.AsChange(700, g.serve) })
			broker, client := s.dial(t), s.dial(t)
			wantCode(t, broker.Do(brokerA.Register()), codec.RespSuccess, "")
			waiting := fillPool(t, s, 700)
			<-g.entered
			<-g.entered // all workers are busy
			waiting = append(waiting, fillPool(t, s, 700)...)
			if n := len(waiting); n != 22 {
				t.Errorf("%d requests run or wait, want 22", n)
			}
			for range 50 {
				wantCode(t, client.Do(nstest.Route("T")), codec.RespSuccess, "")
				wantCode(t, broker.Do(beat()), codec.RespSuccess, "")
				version := nstest.Request(codec.ReqQueryDataVersion, "brokerAddr", "10.0.0.1:10911", "clusterName", "C", "brokerName", "a", "brokerId", "0")
				wantCode(t, broker.Do(version), codec.RespSuccess, "")
			}
			wantCode(t, broker.Do(brokerA.Register()), codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
			broker.Write(broker.Frame(group()))
			admin := s.dial(t)
			admin.Write(admin.Frame(nstest.Request(codec.ReqGetBrokerClusterInfo)))
			g.release()
			for _, c := range append(waiting, admin) {
				wantCode(t, c.Read(), codec.RespSuccess, "")
			}
			if got := codec.ResponseCode(broker.Read().Code); got != codec.RespSuccess {
				t.Errorf("the member group is %v", got)
			}
			wantCode(t, broker.Do(brokerA.Register()), codec.RespSuccess, "")
		})
	}
}

// TestRouteStorm lets route requests hang in the client pool and fill it:
// brokers and operators do not notice.
func TestRouteStorm(t *testing.T) {
	g := newGate(t)
	s := start(t, func(c *namesrv.Config) {
		c.RouteReadsOnLoop = false
		c.ClientRequestThreadPoolNums, c.ClientRequestThreadPoolQueueCapacity = 1, 10
	}, func(s *namesrv.Server) { s.InClientPool(codec.ReqGetRouteInfoByTopic, g.serve) })
	waiting := fillPool(t, s, codec.ReqGetRouteInfoByTopic)
	broker := s.dial(t)
	for range 50 {
		wantCode(t, broker.Do(brokerA.Register()), codec.RespSuccess, "")
		wantCode(t, broker.Do(beat()), codec.RespSuccess, "")
		wantCode(t, broker.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)), codec.RespSuccess, "")
	}
	g.release()
	for _, c := range waiting {
		wantCode(t, c.Read(), codec.RespSuccess, "")
	}
}

// TestOrderAcrossClasses pipelines registrations, lists and farewells on one
// connection: each list shows what was there when it was asked for.
func TestOrderAcrossClasses(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	var want []string
	var all []byte
	add := func(r *codec.Command, body string) {
		all = append(all, c.Frame(r)...)
		want = append(want, body)
	}
	list := func() *codec.Command { return nstest.Request(codec.ReqGetAllTopicListFromNameserver) }
	for range 100 {
		add(list(), `{"topicList":[]}`)
		add(brokerA.Register(), "")
		add(nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v"), "")
		add(list(), `{"topicList":["T","U"]}`)
		add(brokerA.Unregister(), "")
		add(nstest.Request(codec.ReqDeleteKVConfig, "namespace", "n", "key", "k"), "")
	}
	c.Write(all)
	for i, body := range want {
		reply := c.Read()
		if codec.ResponseCode(reply.Code) != codec.RespSuccess || int(reply.Opaque) != i+1 || body != "" && string(reply.Body) != body {
			t.Fatalf("reply %d is %v %q of opaque %d, want %s", i, codec.ResponseCode(reply.Code), reply.Body, reply.Opaque, body)
		}
	}
	// The connection's end comes after what waits for the disk before it.
	all = slices.Concat(c.Frame(nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v")), c.Frame(brokerA.Register()))
	c.Write(all)
	c.Close()
	other := s.dial(t)
	nstest.Eventually(t, "the value is put", func() bool {
		return string(other.Do(nstest.Request(codec.ReqGetKVConfig, "namespace", "n", "key", "k")).Remark) == ""
	})
	nstest.Eventually(t, "the broker is gone with its connection", func() bool {
		return s.EngineStats().ClosedByPeer == 1 && s.Table().View().LiveCount() == 0
	})
}

// TestTargets: a queue that does not get shorter takes nothing new of what is asked again
// later. What brokers say of themselves, and what waits for the disk, is taken as long
// as there is room.
func TestTargets(t *testing.T) {
	s := start(t, nil)
	<-s.Ready()
	var got []time.Duration
	for _, l := range s.Snapshot().DefaultPool.InForce.Levels {
		got = append(got, l.Target)
	}
	if want := []time.Duration{50 * time.Millisecond, 0, 200 * time.Millisecond, 0}; !slices.Equal(got, want) {
		t.Errorf("the targets of liveness, change, admin and disk are %v, want %v", got, want)
	}
	if levels := s.Snapshot().ClientPool.InForce.Levels; len(levels) != 1 || levels[0].Target != 0 {
		t.Errorf("the client pool has %+v, want no target", levels)
	}
}
