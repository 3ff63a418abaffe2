package namesrv_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestRegistrationsAtOnce lets many brokers register with 1 MiB each at the
// same instant. In proportion, a thousand of them need 3 GiB of budget.
func TestRegistrationsAtOnce(t *testing.T) {
	const brokers = 40
	s := start(t, func(c *namesrv.Config) { c.MemoryBudget = brokers * (3 << 30) / 1000 })
	results := make(chan error, brokers)
	registerAtOnce(t, s.addr, brokers, 1<<20, func(code codec.ResponseCode, err error) {
		if err == nil && code != codec.RespSuccess {
			err = fmt.Errorf("answered %v", code)
		}
		results <- err
	})
	for range brokers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	wantCode(t, s.dial(t).Do(nstest.Route(fmt.Sprint("of", brokers-1))), codec.RespSuccess, "")
	if st := s.EngineStats(); st.ClosedOverloaded != 0 || s.Overloaded() != 0 {
		t.Errorf("%d connections cut off, %d requests refused", st.ClosedOverloaded, s.Overloaded())
	}
	nstest.Eventually(t, "all memory given back", func() bool { return s.Budget().Held() == 0 && s.Budget().Queued() == 0 })
}

// TestQueuedBytes fills the budget for queued work with a registration too
// many: it is refused at once, and what waits for peers is not in its way.
func TestQueuedBytes(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, 64)
	s := start(t, func(c *namesrv.Config) {
		c.MemoryBudget, c.DefaultThreadPoolNums = 64<<20, 1
	}, func(s *namesrv.Server) {
		s.InDefaultPool(codec.ReqGetBrokerClusterInfo, func() codec.Reply {
			entered <- struct{}{}
			<-release
			return codec.Reply{}
		})
	})
	blocker := s.dial(t)
	blocker.Write(blocker.Frame(nstest.Request(codec.ReqGetBrokerClusterInfo)))
	<-entered
	// Seven eighths of 32 MiB are for the default pool: 27 of 1 MiB.
	broker, refused := s.dial(t), 0
	for i := range 30 {
		b := nstest.Broker{Cluster: "C", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:10911", i)}
		broker.Write(broker.Frame(b.RegisterPadded(1 << 20)))
	}
	wantCode(t, s.dial(t).Do(nstest.Route("T")), codec.RespTopicNotExist, "No topic route info in name server for the topic: T\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.")
	nstest.Eventually(t, "three refused", func() bool { return s.Overloaded() == 3 })
	if q := s.Budget().Queued(); q < 27<<20 || q > 28<<20 {
		t.Errorf("%d bytes are queued, want those of 27 registrations", q)
	}
	close(release)
	wantCode(t, blocker.Read(), codec.RespSuccess, "")
	for range 30 {
		if codec.ResponseCode(broker.Read().Code) == codec.RespSystemBusy {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d registrations refused, want 3", refused)
	}
	nstest.Eventually(t, "all memory given back", func() bool { return s.Budget().Queued() == 0 })
}

// TestLimitsAreKeys sets each limit low and lets a peer go beyond it.
func TestLimitsAreKeys(t *testing.T) {
	t.Parallel()
	announce := binary.BigEndian.AppendUint32(nil, 16<<20-4)
	manyReplies := func(c *nstest.Client) []byte {
		return slices.Repeat(c.Frame(nstest.Request(codec.ReqGetNamesrvConfig)), 20_000)
	}
	for _, tc := range []struct {
		name  string
		set   func(*namesrv.Config)
		act   func(t *testing.T, s *testServer)
		count func(s *testServer) uint64
	}{
		{"maxConnections", func(c *namesrv.Config) { c.MaxConnections = 1 }, func(t *testing.T, s *testServer) {
			s.dial(t).MustClose()
		}, func(s *testServer) uint64 { return s.EngineStats().Refused }},
		{"maxConnectionsPerIp", func(c *namesrv.Config) { c.MaxConnectionsPerIP = 1 }, func(t *testing.T, s *testServer) {
			s.dial(t).MustClose()
		}, func(s *testServer) uint64 { return s.EngineStats().RefusedPerAddress }},
		{"requestsPerSecondPerIp", func(c *namesrv.Config) {
			c.RequestsPerIP, c.ProxyProtocolTrusted = 1, "127.0.0.0/8"
		}, func(t *testing.T, s *testServer) {
			c := s.dial(t)
			c.Write([]byte("PROXY TCP4 198.51.100.7 10.0.0.1 4711 9876\r\n"))
			c.Write(slices.Repeat(c.Frame(beat()), 10))
		}, func(s *testServer) uint64 { return uint64(s.EngineStats().Slowed) }},
		{"firstFrameTimeoutMillis", func(c *namesrv.Config) { c.FirstFrameTimeout = time.Millisecond }, func(t *testing.T, s *testServer) {
			c := s.dial(t)
			c.Write(announce)
			c.MustClose()
		}, func(s *testServer) uint64 { return s.EngineStats().ClosedFrameTimeout }},
		{"frameTimeoutMillis", func(c *namesrv.Config) { c.FrameTimeout = time.Millisecond }, func(t *testing.T, s *testServer) {
			c := s.dial(t)
			c.Do(nstest.Route("T"))
			c.Write(announce)
			c.MustClose()
		}, func(s *testServer) uint64 { return s.EngineStats().ClosedFrameTimeout }},
		{"slowReaderTimeoutMillis", func(c *namesrv.Config) {
			c.SlowReaderTimeout, c.ServerSocketSndBufSize, c.MaxPendingInput = time.Millisecond, 16<<10, 1<<30
		}, func(t *testing.T, s *testServer) {
			c := s.dial(t)
			go c.TryWrite(manyReplies(c))
		}, func(s *testServer) uint64 { return s.EngineStats().ClosedSlowReader }},
		{"maxPendingInputSize", func(c *namesrv.Config) {
			c.MaxPendingInput, c.ServerSocketSndBufSize = 10_000, 16<<10
		}, func(t *testing.T, s *testServer) {
			c := s.dial(t)
			go c.TryWrite(manyReplies(c))
		}, func(s *testServer) uint64 { st := s.EngineStats(); return st.ClosedSlowReader + st.ClosedFlood }},
		{"maxPendingOutputSize", func(c *namesrv.Config) {
			c.MaxPendingOutput, c.ServerSocketSndBufSize, c.WriteBufferHighWaterMark = 1<<20, 16<<10, 1<<30
		}, func(t *testing.T, s *testServer) {
			c := s.dial(t)
			go c.TryWrite(manyReplies(c))
		}, func(s *testServer) uint64 { return s.EngineStats().ClosedSlowReader }},
		{"memoryBudget", func(c *namesrv.Config) { c.MemoryBudget = 64 << 20 }, func(t *testing.T, s *testServer) {
			for range 30 {
				c := s.dial(t)
				c.Write(append(slices.Clone(announce), make([]byte, 1<<20)...))
			}
		}, func(s *testServer) uint64 { return s.EngineStats().ClosedOverloaded }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tc.set)
			good := s.dial(t)
			good.Do(nstest.Route("T"))
			tc.act(t, s)
			nstest.Eventually(t, "counted", func() bool { return tc.count(s) > 0 })
			good.Do(nstest.Route("T"))
		})
	}
}

// TestLimitFaults names every limit that is out of range.
func TestLimitFaults(t *testing.T) {
	cfg := namesrv.DefaultConfig()
	cfg.MaxConnections, cfg.MaxConnectionsPerIP, cfg.MemoryBudget = -1, -2, 1<<20
	cfg.FirstFrameTimeout, cfg.FrameTimeout, cfg.SlowReaderTimeout = 0, -time.Second, 0
	cfg.MaxPendingInput, cfg.MaxPendingOutput = 0, -1
	cfg.RequestsPerIP, cfg.RequestRateMode = -7, "off"
	cfg.MissDamping = "maybe"
	cfg.MaxTopics, cfg.MaxBrokers, cfg.MaxRouteEntries, cfg.RouteCacheBytes, cfg.HorizonCacheBytes = -1, -2, -3, -4, -5
	err := cfg.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{
		"maxConnections is -1", "maxConnectionsPerIp is -2", "memoryBudget is 1048576, must be 0 or at least 8388608",
		"firstFrameTimeoutMillis is 0s", "frameTimeoutMillis is -1s", "slowReaderTimeoutMillis is 0s",
		"requestsPerSecondPerIp is -7, must be at least 0", `requestRateMode is "off", must be monitor or enforce`, `missDamping is "maybe", must be off, monitor or enforce`,
		"maxPendingInputSize is 0", "maxPendingOutputSize is -1",
		"maxTopics is -1", "maxBrokers is -2", "maxRouteEntries is -3", "routeCacheBytes is -4", "horizonCacheBytes is -5",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported in: %v", want, err)
		}
	}
}

// TestBindAddresses reads the lists of addresses that an operator may write.
func TestBindAddresses(t *testing.T) {
	for list, want := range map[string]string{
		"0.0.0.0":                    "0.0.0.0:9876",
		"::":                         "[::]:9876",
		"[::1]":                      "[::1]:9876",
		"10.0.0.1;[::1]":             "10.0.0.1:9876 [::1]:9876",
		" 10.0.0.1 , ::1 ; a.b.com ": "10.0.0.1:9876 [::1]:9876 a.b.com:9876",
		"fe80::1%eth0":               "[fe80::1%eth0]:9876",
	} {
		cfg := namesrv.DefaultConfig()
		cfg.BindAddress = list
		if err := cfg.Validate(); err != nil {
			t.Errorf("%q: %v", list, err)
		}
		if got := strings.Join(cfg.Addresses(), " "); got != want {
			t.Errorf("%q is %s, want %s", list, got, want)
		}
	}
	for list, want := range map[string]string{
		"":                  "is empty",
		" ":                 "is empty",
		"10.0.0.1;":         "has an empty item",
		"a,,b":              "has an empty item",
		"10.0.0.1;10.0.0.1": "has 10.0.0.1 twice",
	} {
		cfg := namesrv.DefaultConfig()
		cfg.BindAddress = list
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "bindAddress") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", list, err, want)
		}
	}
}

// TestSeveralAddresses listens on two.
func TestSeveralAddresses(t *testing.T) {
	if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here: ", err)
	} else {
		ln.Close()
	}
	s := start(t, func(c *namesrv.Config) { c.BindAddress = "127.0.0.1;[::1]" })
	if n := len(s.Addrs()); n != 2 {
		t.Fatalf("%d addresses, want 2", n)
	}
	wantCode(t, nstest.Dial(t, s.Addrs()[0].String()).Do(brokerA.Register()), codec.RespSuccess, "")
	wantCode(t, nstest.Dial(t, s.Addrs()[1].String()).Do(nstest.Route("T")), codec.RespSuccess, "")
}

// TestBadPeers lets all kinds of bad peers loose on a server with a broker. The
// routes stay, and are answered.
func TestBadPeers(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *namesrv.Config) {
		c.ServerSocketSndBufSize = 16 << 10
		c.SlowReaderTimeout, c.FirstFrameTimeout, c.FrameTimeout = 300*time.Millisecond, time.Second, time.Second
	})
	broker := s.dial(t)
	wantCode(t, broker.Do(brokerA.Register()), codec.RespSuccess, "")
	var peers []*nstest.Client
	peer := func() *nstest.Client {
		c := s.dial(t)
		peers = append(peers, c)
		return c
	}
	for range 5 {
		peer().TryWrite([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		peer().TryWrite([]byte{0xff, 0xfe, 0xfd, 0xfc, 0xfb})
		half := peer()
		half.TryWrite(half.Frame(brokerA.RegisterPadded(1 << 20))[:600<<10]) // may be closed before it is through
		announces := peer()
		announces.Write(binary.BigEndian.AppendUint32(nil, 16<<20-4))
		deaf := peer()
		go deaf.TryWrite(slices.Repeat(deaf.Frame(nstest.Request(codec.ReqGetNamesrvConfig)), 20_000))
		// A header that promises more than the frame has.
		peer().TryWrite([]byte{0, 0, 0, 8, 0, 0xff, 0xff, 0xff, 1, 2, 3, 4})
		peer().CloseWrite()
	}
	client := s.dial(t)
	nstest.Eventually(t, "each kind closed", func() bool {
		wantCode(t, client.Do(nstest.Route("T")), codec.RespSuccess, "")
		st := s.EngineStats()
		return st.ClosedMalformed >= 15 && st.ClosedFrameTimeout >= 10 && st.ClosedSlowReader+st.ClosedFlood >= 5
	})
	for _, c := range peers {
		c.Close()
	}
	wantCode(t, broker.Do(nstest.Route("U")), codec.RespSuccess, "")
	nstest.Eventually(t, "nothing held, only the honest left", func() bool {
		st := s.EngineStats()
		return st.HeldBytes == 0 && st.Open == 2 && s.Budget().Queued() == 0
	})
}

// TestRequestRate sends 60 requests at once for an address that may send 20 a second.
// All are answered, in their order, with both modes; to enforce it some have to wait.
func TestRequestRate(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"monitor", "enforce"} {
		t.Run(mode, func(t *testing.T) {
			s := start(t, func(c *namesrv.Config) {
				c.RequestsPerIP, c.RequestRateMode, c.ProxyProtocolTrusted = 20, mode, "127.0.0.0/8"
			})
			c := s.dial(t)
			c.Write([]byte("PROXY TCP4 198.51.100.7 10.0.0.1 4711 9876\r\n"))
			began := time.Now()
			var all []byte
			for range 60 {
				all = append(all, c.Frame(beat())...)
			}
			c.Write(all)
			for i := range 60 {
				if reply := c.Read(); int(reply.Opaque) != i+1 {
					t.Fatalf("reply %d is of %d", i+1, reply.Opaque)
				}
				if n := s.EngineStats().Slowed; mode == "monitor" && n > 0 {
					t.Fatalf("%d connections wait", n)
				}
			}
			took := time.Since(began)
			st := s.EngineStats()
			if waited := took > 900*time.Millisecond; mode == "enforce" && !waited || st.TooFast == 0 || st.Addresses != 1 {
				t.Errorf("all are answered after %v, %d were too fast, of %d addresses", took, st.TooFast, st.Addresses)
			}
			if in := s.Snapshot().Limits.RequestsPerAddress; in != 20 {
				t.Errorf("%d are in force, want 20", in)
			}
		})
	}
}
