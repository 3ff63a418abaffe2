package namesrv_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A leavingServer is a server that a test tells to end.
type leavingServer struct {
	*testServer
	log   bytes.Buffer // read when it has ended
	leave context.CancelFunc
	ended chan error
}

// startLeaving runs a server until leave is called, or the test ends.
func startLeaving(t *testing.T, change func(*namesrv.Config), prepare ...func(*namesrv.Server)) *leavingServer {
	t.Helper()
	cfg := namesrv.DefaultConfig()
	cfg.TrustLoopback = true // wherever the tests run
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	change(&cfg)
	l := &leavingServer{ended: make(chan error, 1)}
	s, err := namesrv.New(cfg, slog.New(slog.NewTextHandler(&l.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(s)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	l.testServer = &testServer{Server: s, addr: s.Addr().String()}
	var ctx context.Context
	ctx, l.leave = context.WithCancel(context.Background())
	go func() { l.ended <- s.Run(ctx) }()
	t.Cleanup(l.leave)
	return l
}

// drains tells the server to end and waits until it accepts nobody.
func (l *leavingServer) drains(t *testing.T) {
	t.Helper()
	l.leave()
	nstest.Eventually(t, "nobody new is accepted", func() bool {
		c, err := net.Dial("tcp", l.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// wantEnd waits until the server has ended.
func (l *leavingServer) wantEnd(t *testing.T) {
	t.Helper()
	select {
	case err := <-l.ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(nstest.Patience):
		t.Fatal("Run does not return")
	}
}

// longDrain lets the server take its time: no connection is closed within a
// test.
func longDrain(c *namesrv.Config) {
	c.EnableShutdownGracefully, c.ShutdownWaitTime = true, time.Hour
}

func ofVersion(version int32, r *codec.Command) *codec.Command {
	r.Version = version
	return r
}

// TestGoAway asks a server that is about to end. Peers that understand it are
// sent away, whatever they ask; older ones are served.
func TestGoAway(t *testing.T) {
	s := startLeaving(t, longDrain)
	c, old := s.dial(t), s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	wantCode(t, old.Do(ofVersion(codec.V5_3_1, nstest.Route("T"))), codec.RespSuccess, "")
	s.drains(t)
	for _, r := range []*codec.Command{
		nstest.Route("T"), nstest.Route("unknown"), brokerA.Register(), brokerA.Unregister(), beat(), group(),
		nstest.Request(codec.ReqGetBrokerClusterInfo), nstest.Request(999), nstest.Request(-1),
	} {
		for _, version := range []int32{codec.V5_3_1 + 1, codec.Version, codec.HigherVersion} {
			wantCode(t, c.Do(ofVersion(version, r)), codec.RespGoAway, "please go away")
		}
	}
	for _, version := range []int32{0, codec.V4_9_4, codec.V5_3_1} {
		wantCode(t, old.Do(ofVersion(version, nstest.Route("T"))), codec.RespSuccess, "")
		wantCode(t, old.Do(ofVersion(version, slaveA.Register())), codec.RespSuccess, "")
		wantCode(t, old.Do(ofVersion(version, nstest.Request(999))), codec.RespRequestCodeNotSupported, " request type 999 not supported")
	}
	// A oneway request is carried out and not answered, not even with GO_AWAY.
	b := brokerA
	b.Name = "oneway"
	oneway := b.Register()
	oneway.Flag = codec.FlagOneway
	c.Write(c.Frame(oneway))
	wantCode(t, c.Do(nstest.Route("T")), codec.RespGoAway, "please go away")
	nstest.Eventually(t, "the oneway registration is carried out", func() bool { return s.Table().View().BrokerCount() == 2 })
	c.Close()
	old.Close()
	s.wantEnd(t)
}

// TestGoAwayByDefault asks a server that is about to end and was not configured
// for it: routes are given to the end.
func TestGoAwayByDefault(t *testing.T) {
	g := newGate(t)
	s := startLeaving(t, func(c *namesrv.Config) { c.DrainTime = time.Hour },
		func(s *namesrv.Server) { s.InDefaultPool(700, g.serve) })
	c := s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	waits := nstest.Request(700) // keeps the connection from being closed
	c.Write(c.Frame(waits))
	<-g.entered
	s.drains(t)
	wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
	wantCode(t, c.Do(brokerA.Register()), codec.RespGoAway, "please go away")
	g.release()
	if reply := c.Read(); reply.Opaque != waits.Opaque {
		t.Errorf("opaque of the last reply is %d, want %d", reply.Opaque, waits.Opaque)
	}
	c.MustClose()
	s.wantEnd(t)
}

// TestDrainForgetsNobody lets brokers close their connections and fall silent
// while the server drains. Their routes stay, and nobody is told of a loss.
func TestDrainForgetsNobody(t *testing.T) {
	var now atomic.Int64
	s := startLeaving(t, func(c *namesrv.Config) {
		longDrain(c)
		c.NotifyMinBrokerIDChanged = true
		c.ScanNotActiveBrokerInterval = time.Millisecond
	}, func(s *namesrv.Server) { s.SetClock(func() time.Duration { return time.Duration(now.Load()) }) })
	master, slave, client := s.dial(t), s.dial(t), s.dial(t)
	a, b := brokerA, slaveA
	a.Fields = []string{"enableActingMaster", "true"}
	b.Fields = a.Fields
	wantCode(t, master.Do(a.Register()), codec.RespSuccess, "")
	wantCode(t, slave.Do(b.Register()), codec.RespSuccess, "")
	before := client.Do(ofVersion(0, nstest.Route("T")))
	s.drains(t)
	master.Close()
	nstest.Eventually(t, "the master's connection is closed", func() bool { return s.EngineStats().ClosedByPeer >= 1 && s.EngineStats().Open == 2 })
	now.Add(int64(time.Hour))
	time.Sleep(50 * time.Millisecond) // what must not happen
	after := client.Do(ofVersion(0, nstest.Route("T")))
	wantCode(t, after, codec.RespSuccess, "")
	if !bytes.Equal(before.Body, after.Body) {
		t.Errorf("the route was %s and is now %s", before.Body, after.Body)
	}
	slave.Close()
	client.Close()
	s.wantEnd(t)
	if sent, failed := s.NoticesSent(), s.NoticesFailed(); sent+failed != 0 {
		t.Errorf("%d notices were sent and %d failed", sent, failed)
	}
	if bytes.Contains(s.log.Bytes(), []byte("connection lost")) || bytes.Contains(s.log.Bytes(), []byte("expired")) {
		t.Errorf("the log is\n%s", &s.log)
	}
}

// TestDrainAnswersWhatWaits ends a server while a request waits in a pool. It
// is carried out and answered, and then the connection is closed. By default
// that takes no longer than it must.
func TestDrainAnswersWhatWaits(t *testing.T) {
	g := newGate(t)
	s := startLeaving(t, func(c *namesrv.Config) { c.DrainTime = time.Hour },
		func(s *namesrv.Server) { s.InDefaultPool(700, g.serve) })
	c, idle := s.dial(t), s.dial(t)
	idle.Do(nstest.Route("T"))
	c.Write(c.Frame(nstest.Request(700)))
	<-g.entered
	c.Write(c.Frame(nstest.Request(codec.ReqGetBrokerClusterInfo)))
	c.Write(c.Frame(beat())) // answered on the loop: the other is in the pool
	wantCode(t, c.Read(), codec.RespSuccess, "")
	s.drains(t)
	idle.MustClose()
	g.release()
	wantCode(t, c.Read(), codec.RespSuccess, "")
	wantCode(t, c.Read(), codec.RespSuccess, "")
	c.MustClose()
	s.wantEnd(t)
}

// TestDrainLimit ends a server while a request hangs for ever. The server ends
// all the same.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	s := startLeaving(t, func(c *namesrv.Config) { c.DrainTime = 50 * time.Millisecond },
		func(s *namesrv.Server) { s.InDefaultPool(700, g.serve) })
	c := s.dial(t)
	c.Write(c.Frame(nstest.Request(700)))
	<-g.entered
	s.leave()
	c.MustClose()
	s.wantEnd(t)
	if !bytes.Contains(s.log.Bytes(), []byte("requests abandoned")) {
		t.Errorf("the log is\n%s", &s.log)
	}
}

// TestDrainAtOnce is a server that is told to end as Java's does.
func TestDrainAtOnce(t *testing.T) {
	g := newGate(t)
	s := startLeaving(t, func(c *namesrv.Config) { c.DrainTime = 0 },
		func(s *namesrv.Server) { s.InDefaultPool(700, g.serve) })
	c := s.dial(t)
	c.Write(c.Frame(nstest.Request(700)))
	<-g.entered
	s.leave()
	c.MustClose()
	g.release()
	s.wantEnd(t)
}

// TestDrainIsLive chooses how to end while the server runs.
func TestDrainIsLive(t *testing.T) {
	s := startLeaving(t, longDrain)
	c := s.dial(t)
	wantCode(t, c.Do(updateConfig("enableShutdownGracefully=false\ndrainTimeSeconds=3600")), codec.RespSuccess, "")
	s.leave()
	c.MustClose()
	s.wantEnd(t)
}

// TestDrainAddressServer asks the address server of a server that is about to
// end: a load balancer sees it.
func TestDrainAddressServer(t *testing.T) {
	s := startLeaving(t, func(c *namesrv.Config) {
		longDrain(c)
		c.AddressServerPort, c.AddressServerList = 1, "10.0.0.1:9876"
	}, func(s *namesrv.Server) { s.ServeAddressesAt("127.0.0.1:0") })
	get := func() int {
		answer, err := http.Get("http://" + s.AddressServer() + "/rocketmq/nsaddr")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		io.Copy(io.Discard, answer.Body)
		return answer.StatusCode
	}
	if got := get(); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	c := s.dial(t) // keeps the server from ending
	c.Do(nstest.Route("T"))
	s.drains(t)
	if got := get(); got != http.StatusServiceUnavailable {
		t.Errorf("status %d while the server drains", got)
	}
	http.DefaultClient.CloseIdleConnections()
	c.Close()
	s.wantEnd(t)
}
