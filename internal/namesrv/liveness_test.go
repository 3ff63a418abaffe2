package namesrv_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestWallClockSteps sets the wall clock, forwards and backwards, while brokers
// and clients are busy. Nobody notices; only what nobody has dated is dated so.
func TestWallClockSteps(t *testing.T) {
	var step atomic.Int64
	var lost atomic.Bool
	s := start(t, func(c *namesrv.Config) {
		c.ScanNotActiveBrokerInterval = time.Millisecond
		c.NeedWaitForService, c.WaitSecondsForService = true, 0
	}, func(s *namesrv.Server) {
		begin := time.Now()
		s.SetWall(func() time.Time { return begin.Add(time.Duration(step.Load())) })
		s.OnLog(func(line string) {
			if line == "broker expired" || line == "broker connection lost" {
				lost.Store(true)
			}
		})
	})
	brokers := make([]nstest.Broker, 10)
	conns := make([]*nstest.Client, len(brokers))
	for i := range brokers {
		brokers[i] = nstest.Broker{Cluster: "C", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), Topics: []string{"T", fmt.Sprint("b", i)}}
		conns[i] = s.dial(t)
		wantCode(t, conns[i].Do(brokers[i].Register()), codec.RespSuccess, "")
	}
	undated := nstest.Request(codec.ReqRegisterBroker, "brokerName", "u", "brokerAddr", "u:1", "clusterName", "C", "brokerId", "0")
	undated.Body = []byte(`{"topicConfigSerializeWrapper":{"dataVersion":{"counter":1},"topicConfigTable":{"u":{},"T":{}}}}`)
	other := s.dial(t)
	for _, to := range []time.Duration{130 * time.Second, time.Hour, -time.Hour, 0, 365 * 24 * time.Hour} {
		step.Store(int64(to))
		var load sync.WaitGroup
		for i, c := range conns {
			load.Go(func() {
				b := brokers[i]
				for range 20 {
					c.Do(nstest.Request(codec.ReqBrokerHeartbeat, "brokerAddr", b.Addr, "clusterName", b.Cluster, "brokerName", b.Name))
					c.Do(nstest.Route(b.Name))
				}
			})
		}
		load.Wait()
		s.ScanIn(0)
		for i, c := range conns {
			wantCode(t, c.Do(nstest.Route(brokers[i].Name)), codec.RespSuccess, "")
		}
		wantCode(t, other.Do(undated), codec.RespSuccess, "")
		reply := other.Do(nstest.Request(codec.ReqQueryDataVersion, "brokerAddr", "u:1", "clusterName", "C", "brokerName", "u"))
		if want := fmt.Sprintf(`"timestamp":%d}`, s.WallMillis()); !strings.HasSuffix(string(reply.Body), want) {
			t.Errorf("a body without time is dated %s, want …%s", reply.Body, want)
		}
	}
	if lost.Load() {
		t.Error("the log says that a broker is lost")
	}
}

// TestNoScanAfterAPause: brokers are not judged in the moment after a pause.
func TestNoScanAfterAPause(t *testing.T) {
	var now, asked atomic.Int64
	var settled atomic.Bool
	s := start(t, func(c *namesrv.Config) { c.ScanNotActiveBrokerInterval = time.Millisecond }, func(s *namesrv.Server) {
		s.SetClock(func() time.Duration { return time.Duration(now.Load()) })
		s.SetSettled(func() bool { asked.Add(1); return settled.Load() })
	})
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	now.Store(int64(time.Hour))
	from := asked.Load()
	nstest.Eventually(t, "it was time for some scans", func() bool { return asked.Load() > from+3 })
	if n := s.Table().View().LiveCount(); n != 1 {
		t.Fatal("the broker was judged")
	}
	settled.Store(true)
	nstest.Eventually(t, "the broker expires", func() bool { return s.Table().View().LiveCount() == 0 })
}

// TestWhoClosesDecides closes the connection of a broker for each reason that we
// have; the broker stays until it is silent for too long. One that its peer
// closes takes the broker with it.
func TestWhoClosesDecides(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*namesrv.Config)
		make   func(c *nstest.Client)
		closed func(engine.Stats) uint64
	}{
		"idle": {
			change: func(c *namesrv.Config) { c.ServerChannelMaxIdle = 100 * time.Millisecond },
			make:   func(*nstest.Client) {},
			closed: func(s engine.Stats) uint64 { return s.ClosedIdle },
		},
		"frame timeout": {
			change: func(c *namesrv.Config) { c.FrameTimeout = 100 * time.Millisecond },
			make:   func(c *nstest.Client) { c.Write([]byte{0, 0, 1, 0, 0}) },
			closed: func(s engine.Stats) uint64 { return s.ClosedFrameTimeout },
		},
		"malformed frame": {
			make:   func(c *nstest.Client) { c.Write([]byte("GET / HTTP/1.1\r\n\r\n")) },
			closed: func(s engine.Stats) uint64 { return s.ClosedMalformed },
		},
		"malformed header": {
			make:   func(c *nstest.Client) { c.Write([]byte{0, 0, 0, 6, 0, 0, 0, 2, '{', '{'}) },
			closed: func(s engine.Stats) uint64 { return s.ClosedMalformed },
		},
		"panic": {
			make:   func(c *nstest.Client) { c.Write(c.Frame(nstest.Request(701))) },
			closed: func(s engine.Stats) uint64 { return s.ClosedPanic },
		},
		"panic in the pool": {
			make:   func(c *nstest.Client) { c.Write(c.Frame(nstest.Request(702))) },
			closed: func(s engine.Stats) uint64 { return s.ClosedPanic },
		},
		"slow reader": {
			change: func(c *namesrv.Config) {
				c.SlowReaderTimeout, c.ServerSocketSndBufSize = 100*time.Millisecond, 16<<10
			},
			make: func(c *nstest.Client) {
				for range 4 {
					c.Write(c.Frame(nstest.Request(703)))
				}
			},
			closed: func(s engine.Stats) uint64 { return s.ClosedSlowReader },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said atomic.Bool
			s := start(t, tt.change, func(s *namesrv.Server) {
				s.OnLoop(701, func() codec.Reply { panic("on the loop") })
				s.InDefaultPool(702, func() codec.Reply { panic("in the pool") })
				s.OnLoop(703, func() codec.Reply { return codec.Reply{Body: make([]byte, 8<<20)} })
				s.OnLog(func(line string) {
					if line == "connection closed by us, its brokers stay" {
						said.Store(true)
					}
				})
			})
			c := s.dial(t)
			wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
			tt.make(c)
			nstest.Eventually(t, "the connection is closed, and said so", func() bool { return tt.closed(s.EngineStats()) == 1 && said.Load() })
			if n := s.Table().View().LiveCount(); n != 1 {
				t.Fatalf("%d brokers are alive, want the one whose connection we have closed", n)
			}
			// What comes over its next connection, and how that ends, counts again.
			next := s.dial(t)
			wantCode(t, next.Do(brokerA.Register()), codec.RespSuccess, "")
			next.Close()
			nstest.Eventually(t, "the broker is gone with its connection", func() bool { return s.Table().View().LiveCount() == 0 })
		})
	}
}

// query asks for the data version of a broker, as it registered last.
func query(b nstest.Broker) *codec.Command {
	r := nstest.Request(codec.ReqQueryDataVersion, "brokerAddr", b.Addr, "clusterName", b.Cluster, "brokerName", b.Name)
	r.Body = codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: b.Counter}.AppendJSON(nil)
	return r
}

// TestRefusedRegistrationIsALifeSign refuses a broker's registrations because the
// queue is full. It does not expire, and is told to register until it has said
// everything again: what was refused may have been the news of a topic.
func TestRefusedRegistrationIsALifeSign(t *testing.T) {
	const gated = 701
	g := newGate(t)
	var now atomic.Int64
	s := start(t, func(c *namesrv.Config) { c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 1, 4 }, func(s *namesrv.Server) {
		s.AsChange(gated, g.serve)
		s.SetClock(func() time.Duration { return time.Duration(now.Load()) })
	})
	broker, c := nstest.Broker{Cluster: "C", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"b", "T"}}, s.dial(t)
	wantCode(t, c.Do(broker.Register()), codec.RespSuccess, "")
	fillPool(t, s, gated)

	now.Add(int64(100 * time.Second))
	broker.Counter, broker.Topics = 2, []string{"U"}
	wantCode(t, c.Do(broker.Register()), codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
	now.Add(int64(100 * time.Second))
	s.ScanIn(0)
	if n := s.Table().View().LiveCount(); n != 1 {
		t.Fatalf("%d brokers are alive, want the one that was refused", n)
	}
	wantChanged := func(want string) {
		t.Helper()
		if got := ext(c.Do(query(broker)), "changed"); got != want {
			t.Errorf("changed is %s, want %s", got, want)
		}
	}
	wantChanged("true")
	g.release()
	register := func() {
		t.Helper()
		nstest.Eventually(t, "there is room", func() bool { return codec.ResponseCode(c.Do(broker.Register()).Code) == codec.RespSuccess })
	}
	broker.Counter, broker.Topics = 3, []string{"V"}
	register()
	wantChanged("true") // though the version is known now
	broker.Topics = []string{"b", "T", "U", "V"}
	register()
	wantChanged("false")
	if s.RegistrationsMissed() < 1 {
		t.Error("no registration is counted as missed")
	}
	// Silence is still silence.
	s.ScanIn(121 * time.Second)
	if n := s.Table().View().LiveCount(); n != 0 {
		t.Errorf("%d brokers are alive", n)
	}
}

// TestRegistrationRefusedByAWorker: the same where a worker finds no room.
func TestRegistrationRefusedByAWorker(t *testing.T) {
	var now atomic.Int64
	s := start(t, nil, func(s *namesrv.Server) {
		s.SetClock(func() time.Duration { return time.Duration(now.Load()) })
		s.RefuseRegistrations(func(r *codec.Command) bool { return len(r.Body) > 4096 })
	})
	c := s.dial(t)
	broker := nstest.Broker{Cluster: "C", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"b", "T"}}
	wantCode(t, c.Do(broker.Register()), codec.RespSuccess, "")
	now.Add(int64(100 * time.Second))
	if code := codec.ResponseCode(c.Do(broker.RegisterPadded(8192)).Code); code != codec.RespSystemBusy {
		t.Fatalf("the large registration is answered %v", code)
	}
	now.Add(int64(100 * time.Second))
	s.ScanIn(0)
	if got := ext(c.Do(query(broker)), "changed"); got != "true" || s.Table().View().LiveCount() != 1 {
		t.Errorf("changed is %s, %d brokers are alive", got, s.Table().View().LiveCount())
	}
	wantCode(t, c.Do(broker.Register()), codec.RespSuccess, "")
	if got := ext(c.Do(query(broker)), "changed"); got != "false" {
		t.Errorf("changed is %s once it has registered", got)
	}
}

// TestRegistersWhileItExpires has a broker register between the decision that it
// has expired and the close of its connection, which must stay open then.
func TestRegistersWhileItExpires(t *testing.T) {
	var expired func()
	s := start(t, nil, func(s *namesrv.Server) {
		s.OnLog(func(line string) {
			if line == "broker expired" {
				expired()
			}
		})
	})
	c := s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	expired = func() { wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "") }
	s.ScanIn(121 * time.Second)
	s.staysOpen(t, c)
}

// TestRegistrationWaitsWhileItExpires: the same for one that waits in the queue,
// while the decision falls and when the connection would be closed.
func TestRegistrationWaitsWhileItExpires(t *testing.T) {
	const gated = 701
	g := newGate(t)
	s := start(t, nil, func(s *namesrv.Server) { s.AsChange(gated, g.serve) })
	c := s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	c.Write(c.Frame(nstest.Request(gated)))
	<-g.entered
	c.Write(c.Frame(brokerA.Register()))
	wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "") // on the loop: the other is queued by now
	s.ScanIn(121 * time.Second)
	if n := s.Table().View().LiveCount(); n != 0 {
		t.Fatalf("%d brokers are alive", n)
	}
	g.release()
	for range 2 {
		wantCode(t, c.Read(), codec.RespSuccess, "")
	}
	s.staysOpen(t, c)
}

// staysOpen wants the broker of c alive and c open when all that was decided about
// it is done.
func (s *testServer) staysOpen(t *testing.T, c *nstest.Client) {
	t.Helper()
	for range 64 { // through the pool, behind it
		c.Do(nstest.Request(codec.ReqGetBrokerClusterInfo))
	}
	wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
	if n, closed := s.Table().View().LiveCount(), s.EngineStats().ClosedLocal; n != 1 || closed != 0 {
		t.Errorf("%d brokers are alive, %d connections were closed", n, closed)
	}
}
