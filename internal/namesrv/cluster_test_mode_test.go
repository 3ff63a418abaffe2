package namesrv_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

const noRouteTo = "No topic route info in name server for the topic: %s\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."

// underTest starts a server in cluster-test mode.
func underTest(t *testing.T, productAddr string, change ...func(*namesrv.Config)) *testServer {
	t.Helper()
	return start(t, func(c *namesrv.Config) {
		c.ClusterTest, c.ProductNamesrvAddr = true, productAddr
		for _, f := range change {
			f(c)
		}
	})
}

// refusing returns an address at which nobody listens, nor will: its port is
// that of a connection.
func refusing(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// TestClusterTest asks a server in cluster-test mode for routes, by requests of
// every kind, with a second server as the product environment.
func TestClusterTest(t *testing.T) {
	product := start(t, nil)
	product.dial(t).Do(brokerA.Register())
	s := underTest(t, product.addr)
	old := nstest.Route("T")
	old.Version = 317
	want := string(product.dial(t).Do(old).Body) // the legacy dialect
	if !strings.Contains(want, `{0:"10.0.0.1:10911"}`) {
		t.Fatalf("the product environment says %s", want)
	}
	c := s.dial(t)
	for _, code := range []codec.RequestCode{codec.ReqGetRouteInfoByTopic, codec.ReqRegisterBroker, codec.ReqBrokerHeartbeat, codec.ReqGetBrokerClusterInfo, 12345} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			reply := c.Do(nstest.Request(code, "topic", "T"))
			wantCode(t, reply, codec.RespSuccess, "")
			if string(reply.Body) != want {
				t.Errorf("route is\n%s, want\n%s", reply.Body, want)
			}
			wantCode(t, c.Do(nstest.Request(code, "topic", "nowhere")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "nowhere"))
			wantCode(t, c.Do(nstest.Request(code)), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "null"))
		})
	}
	t.Run("a registration is one too", func(t *testing.T) {
		b := brokerA
		b.Name = "b"
		wantCode(t, c.Do(b.Register()), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "null"))
		if got := s.Table().View().BrokerCount(); got != 0 {
			t.Errorf("%d brokers are registered", got)
		}
	})
	t.Run("what is known here comes first", func(t *testing.T) {
		_, err := s.Table().RegisterBroker(0, &route.Registration{
			RegistrationHeader: route.RegistrationHeader{Cluster: "C", BrokerName: "test", BrokerAddr: "10.1.0.1:10911", TimeoutMillis: 120_000},
			Body: &codec.RegisterBrokerBody{Topics: []codec.TopicConfig{
				{Name: []byte("T"), Key: []byte("T"), Perm: 6}, {Name: []byte("own"), Key: []byte("own"), Perm: 6},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for topic, wantAddr := range map[string]string{"T": "10.1.0.1", "own": "10.1.0.1", "U": "10.0.0.1"} {
			body := string(c.Do(nstest.Route(topic)).Body)
			if !strings.Contains(body, `{0:"`+wantAddr+`:10911"}`) || strings.Count(body, "10911") != 1 {
				t.Errorf("route of %s is %s", topic, body)
			}
		}
	})
	t.Run("order configuration, of what is known here", func(t *testing.T) {
		if err := s.PutKV("ORDER_TOPIC_CONFIG", "own", "test:8"); err != nil {
			t.Fatal(err)
		}
		if body := string(c.Do(nstest.Route("own")).Body); !strings.Contains(body, `"orderTopicConf":"test:8"`) {
			t.Errorf("route is %s", body)
		}
	})
	t.Run("zone", func(t *testing.T) {
		const empty = `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[]}`
		fields := []string{"topic", "T", "__ZONE_MODE", "true", "__ZONE_NAME", "z"}
		if got := string(c.Do(nstest.Request(codec.ReqGetRouteInfoByTopic, fields...)).Body); got != empty {
			t.Errorf("route in another zone is %s", got)
		}
		if got := string(c.Do(nstest.Request(codec.ReqBrokerHeartbeat, fields...)).Body); got == empty {
			t.Error("only GET_ROUTEINFO_BY_TOPIC is filtered by zone")
		}
	})
	t.Run("a topic too long to ask for", func(t *testing.T) {
		long := strings.Repeat("x", 2_000)
		wantCode(t, c.Do(nstest.Route(long)), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, long))
	})
}

// TestClusterTestServers has a product environment of three name servers, of
// which two cannot be reached. The third is asked, and from then on at once.
func TestClusterTestServers(t *testing.T) {
	product := start(t, nil)
	product.dial(t).Do(brokerA.Register())
	var asked atomic.Int32
	hangup, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := hangup.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			c.Close()
		}
	}()
	defer func() { hangup.Close(); <-done }()
	s := underTest(t, strings.Join([]string{refusing(t), hangup.Addr().String(), product.addr}, ";"))
	c := s.dial(t)
	for range 3 {
		wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("the server that hangs up was asked %d times, want 1", got)
	}
}

// An addressList is an address server of the product environment.
type addressList struct {
	*httptest.Server
	mu    sync.Mutex
	list  string // "" is a failure
	asked []string
}

func listAddresses(t *testing.T, list string) *addressList {
	t.Helper()
	a := &addressList{list: list}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asked = append(a.asked, r.URL.String())
		if a.list == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, a.list)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *addressList) set(list string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = list
}

func (a *addressList) domain() string { return strings.TrimPrefix(a.URL, "http://") }

// TestClusterTestAddressServer finds the product environment by its domain.
func TestClusterTestAddressServer(t *testing.T) {
	product := start(t, nil)
	product.dial(t).Do(brokerA.Register())
	wantAsked := func(a *addressList, want string) {
		t.Helper()
		a.mu.Lock()
		defer a.mu.Unlock()
		if got := strings.Join(a.asked, " "); got != want {
			t.Errorf("the address server was asked for %q, want %q", got, want)
		}
	}
	t.Run("once for many questions", func(t *testing.T) {
		a := listAddresses(t, " "+product.addr+" \nsomething else\n")
		s := underTest(t, "", func(c *namesrv.Config) { c.NamesrvDomain = a.domain() })
		var wg sync.WaitGroup
		for range 8 {
			c := s.dial(t)
			wg.Go(func() {
				if reply := c.Do(nstest.Route("T")); codec.ResponseCode(reply.Code) != codec.RespSuccess {
					t.Errorf("reply is %v", codec.ResponseCode(reply.Code))
				}
			})
		}
		wg.Wait()
		wantAsked(a, "/rocketmq/nsaddr-center?nofix=1")
	})
	t.Run("group and unit", func(t *testing.T) {
		a := listAddresses(t, product.addr)
		s := underTest(t, "", func(c *namesrv.Config) {
			c.NamesrvDomain, c.NamesrvDomainSubgroup, c.ProductEnvName = a.domain(), "ours", "sh"
		})
		wantCode(t, s.dial(t).Do(nstest.Route("T")), codec.RespSuccess, "")
		wantAsked(a, "/rocketmq/ours-sh?nofix=1")
	})
	t.Run("our own address server", func(t *testing.T) {
		a := addressing(t, product.addr)
		s := underTest(t, "", func(c *namesrv.Config) { c.NamesrvDomain, c.ProductEnvName = a.AddressServer(), "" })
		wantCode(t, s.dial(t).Do(nstest.Route("T")), codec.RespSuccess, "")
	})
	for name, list := range map[string]string{"a failure": "", "not a list": "<html>"} {
		t.Run(name, func(t *testing.T) {
			a := listAddresses(t, list)
			s := underTest(t, "", func(c *namesrv.Config) { c.NamesrvDomain = a.domain() })
			c := s.dial(t)
			wantCode(t, c.Do(nstest.Route("T")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
			wantCode(t, c.Do(nstest.Route("T")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
			wantAsked(a, "/rocketmq/nsaddr-center?nofix=1") // and not again at once
		})
	}
}

// TestClusterTestAddressServerAgain fetches the list a second time: a new one
// takes the place of the old one, a failure does not.
func TestClusterTestAddressServerAgain(t *testing.T) {
	first, second := start(t, nil), start(t, nil)
	first.dial(t).Do(brokerA.Register())
	b := brokerA
	b.Topics = []string{"V", "W"}
	second.dial(t).Do(b.Register())
	a := listAddresses(t, first.addr)
	s := underTest(t, "", func(c *namesrv.Config) { c.NamesrvDomain = a.domain() })
	c := s.dial(t)
	wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
	for _, list := range []string{"", "no list", strings.Repeat("x", 70_000)} {
		a.set(list)
		s.FetchProductList()
		wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
	}
	a.set(second.addr)
	wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "") // not due
	s.FetchProductList()
	wantCode(t, c.Do(nstest.Route("T")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
	wantCode(t, c.Do(nstest.Route("V")), codec.RespSuccess, "")
	if a.mu.Lock(); len(a.asked) != 5 {
		t.Errorf("the address server was asked %d times, want 5", len(a.asked))
	}
	a.mu.Unlock()
}

// TestClusterTestUnusableReply has a product environment that talks nonsense.
func TestClusterTestUnusableReply(t *testing.T) {
	replies := [][]byte{
		[]byte("\x00\x00\x00\x08\x00\x00\x00\x04{{{{"),
		[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		codec.AppendRequest(nil, codec.SerializeJSON, nstest.Route("T")),
		codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{}),
		codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Body: []byte(`{"brokerDatas":[`)}),
		codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Code: codec.RespSystemBusy}),
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, reply := range replies {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Write(reply)
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	defer func() { ln.Close(); <-done }()
	c := underTest(t, ln.Addr().String()).dial(t)
	for range replies {
		wantCode(t, c.Do(nstest.Route("T")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
	}
}

// TestClusterTestLoop has two servers that take each other for the product
// environment. A question does not go round.
func TestClusterTestLoop(t *testing.T) {
	a := listAddresses(t, "")
	here := underTest(t, "", func(c *namesrv.Config) { c.NamesrvDomain, c.DefaultThreadPoolNums = a.domain(), 1 })
	there := underTest(t, here.addr, func(c *namesrv.Config) { c.DefaultThreadPoolNums = 1 })
	a.set(there.addr)
	wantCode(t, here.dial(t).Do(nstest.Route("T")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
	wantCode(t, there.dial(t).Do(nstest.Route("T")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
}

// A mute is a name server that accepts questions and hangs up when it is told
// to, without an answer.
type mute struct {
	net.Listener
	asked      chan struct{} // one for each question
	release    chan struct{} // hangs up on one
	open, most atomic.Int32
}

func listenMute(t *testing.T) *mute {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mute{Listener: ln, asked: make(chan struct{}, 100), release: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			m.most.Store(max(m.most.Load(), m.open.Add(1)))
			m.asked <- struct{}{}
			wg.Go(func() {
				<-m.release
				m.open.Add(-1) // before the asker can ask again
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		close(m.release)
		wg.Wait()
	})
	return m
}

// TestClusterTestSilence has a product environment that says nothing.
func TestClusterTestSilence(t *testing.T) {
	within := func(d time.Duration, workers int, m *mute) *testServer {
		return start(t, func(c *namesrv.Config) {
			c.ClusterTest, c.ProductNamesrvAddr, c.DefaultThreadPoolNums = true, m.Addr().String(), workers
		}, func(s *namesrv.Server) { s.SetProductTimeout(d) })
	}
	t.Run("questions end in time", func(t *testing.T) {
		s := within(20*time.Millisecond, 1, listenMute(t))
		c := s.dial(t)
		for range 3 {
			wantCode(t, c.Do(nstest.Route("T")), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
		}
	})
	t.Run("no more at a time than workers", func(t *testing.T) {
		m := listenMute(t)
		s := within(time.Hour, 2, m)
		var askers []*nstest.Client
		for range 6 {
			c := s.dial(t)
			c.Write(c.Frame(nstest.Route("T")))
			askers = append(askers, c)
		}
		for range askers {
			<-m.asked
			m.release <- struct{}{}
		}
		for _, c := range askers {
			wantCode(t, c.Read(), codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "T"))
		}
		if got := m.most.Load(); got > 2 {
			t.Errorf("%d questions were under way, want 2", got)
		}
	})
	t.Run("a server that stops waits for none", func(t *testing.T) {
		m := listenMute(t)
		s := within(time.Hour, 1, m)
		c := s.dial(t)
		c.Write(c.Frame(nstest.Route("T")))
		<-m.asked
	})
}

func TestClusterTestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		addr, domain, fault string
	}{
		"addresses":         {"10.0.0.1:9876;ns.example.org:9876", "", ""},
		"trailing ;":        {"10.0.0.1:9876;", "d", "productNamesrvAddr: \"10.0.0.1:9876;\" has an empty item"},
		"neither":           {"", "", "rocketmq.namesrv.domain is empty"},
		"domain":            {"", "jmenv.tbsite.net", ""},
		"domain and port":   {"", "localhost:80", ""},
		"domain is no host": {"", "a b", "address server of the product environment"},
	} {
		cfg := namesrv.DefaultConfig()
		cfg.ClusterTest, cfg.ProductNamesrvAddr, cfg.NamesrvDomain = true, tc.addr, tc.domain
		err := cfg.Validate()
		if tc.fault == "" && err != nil || tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)) {
			t.Errorf("%s: %v, want %q", name, err, tc.fault)
		}
		cfg.ClusterTest = false
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: is not used, yet: %v", name, err)
		}
	}
}
