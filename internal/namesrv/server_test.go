package namesrv_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestRefusedRegistrationLeavesNoTrace sends registrations that fail, each at
// another point. Afterwards the server knows as little as before.
func TestRefusedRegistrationLeavesNoTrace(t *testing.T) {
	without := func(field string) *codec.Command {
		r := brokerA.Register()
		for i, f := range r.Ext {
			if string(f.Name) == field {
				r.Ext = append(r.Ext[:i], r.Ext[i+1:]...)
				break
			}
		}
		return r
	}
	withBody := func(body string, fields ...string) *codec.Command {
		r := nstest.Request(codec.ReqRegisterBroker, append([]string{
			"brokerName", "a", "brokerAddr", "10.0.0.1:10911", "clusterName", "C", "brokerId", "0", "haServerAddr", "h",
		}, fields...)...)
		r.Body = []byte(body)
		return r
	}
	badCRC := brokerA.Register()
	badCRC.Body = append(badCRC.Body, ' ')
	single := brokerA
	single.Topics = []string{"T"}
	half := brokerA.Body()
	half = half[:len(half)-10]
	cases := map[string]struct {
		request *codec.Command
		remark  string
		ext     bool
	}{
		"no cluster":            {without("clusterName"), "missing or malformed field clusterName", false},
		"no broker name":        {without("brokerName"), "missing or malformed field brokerName", false},
		"no address":            {without("brokerAddr"), "missing or malformed field brokerAddr", false},
		"no broker ID":          {without("brokerId"), "missing or malformed field brokerId", false},
		"broker ID no number":   {withBody("{}", "brokerId", "x"), "missing or malformed field brokerId", false},
		"wrong CRC":             {badCRC, "crc32 not match", true},
		"single topic":          {single.Register(), "register broker failed", true},
		"half a body":           {withBody(string(half)), "Failed to decode RegisterBrokerBody", false},
		"body is no object":     {withBody("[]"), "Failed to decode RegisterBrokerBody", false},
		"null wrapper":          {withBody(`{"topicConfigSerializeWrapper":null}`), "Failed to decode RegisterBrokerBody", false},
		"last topic is broken":  {withBody(`{"topicConfigSerializeWrapper":{"topicConfigTable":{"A":{"topicName":"A"},"B":{"perm":"six"}}}}`), "Failed to decode RegisterBrokerBody", false},
		"compressed but is not": {withBody("no zlib stream", "compressed", "true"), "Failed to decode RegisterBrokerBody", false},
		"zlib stream cut short": {withBody(string(codec.Compress(nil, []byte("0123456789"))[:9]), "compressed", "true"), "Failed to decode RegisterBrokerBody", false},
	}
	s := start(t, nil)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := s.dial(t)
			reply := c.Do(tc.request)
			if got := codec.ResponseCode(reply.Code); got != codec.RespSystemError || !strings.HasPrefix(string(reply.Remark), tc.remark) {
				t.Errorf("reply is %v %q, want %v %q", got, reply.Remark, codec.RespSystemError, tc.remark)
			}
			if hasExt := bytes.Contains(codec.AppendRequest(nil, codec.SerializeJSON, reply), []byte("extFields")); hasExt && !tc.ext {
				t.Errorf("the reply has ext fields %v", reply.Ext)
			}
			if got := string(c.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)).Body); got != emptyCluster {
				t.Errorf("cluster info afterwards is %s", got)
			}
			if got := string(c.Do(nstest.Request(codec.ReqGetAllTopicListFromNameserver)).Body); got != `{"topicList":[]}` {
				t.Errorf("topics afterwards are %s", got)
			}
			if got := s.Table().View().LiveCount(); got != 0 {
				t.Errorf("%d live brokers afterwards", got)
			}
		})
	}
}

// TestWrongChecksumOfAKnownBody: a body that is known is not taken for whole
// when the checksum that came with it says otherwise.
func TestWrongChecksumOfAKnownBody(t *testing.T) {
	c := start(t, nil).dial(t)
	// Each body has another time, and its checksum is wrong by so much; absent is none.
	const absent = 1 << 30
	register := func(wrong int32) codec.ResponseCode {
		r := brokerA.Register()
		checksum := codec.BodyCRC32(r.Body) ^ wrong
		if wrong == absent {
			checksum = 0
		}
		for i := range r.Ext {
			if string(r.Ext[i].Name) == "bodyCrc32" {
				r.Ext[i].Value = strconv.AppendInt(nil, int64(checksum), 10)
				return codec.ResponseCode(c.Do(r).Code)
			}
		}
		t.Fatal("the request has no field bodyCrc32")
		return 0
	}
	for i, tc := range []struct {
		wrong int32
		want  codec.ResponseCode
	}{
		{0, codec.RespSuccess},
		{0, codec.RespSuccess},
		{1, codec.RespSystemError},
		{1, codec.RespSystemError},
		{absent, codec.RespSuccess},
		{1, codec.RespSystemError},
		{0, codec.RespSuccess},
		{-1 << 31, codec.RespSystemError},
		{-1 << 31, codec.RespSystemError},
	} {
		if got := register(tc.wrong); got != tc.want {
			t.Errorf("registration %d, its checksum wrong by %x: %v, want %v", i, tc.wrong, got, tc.want)
		}
	}
}

// TestPeerOfRegistration: a live entry says where its last registration came from.
func TestPeerOfRegistration(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	k := brokerA
	live, ok := s.Table().View().Live([]byte(k.Cluster), []byte(k.Addr))
	if want := netip.MustParseAddrPort(c.LocalAddr()).Addr(); !ok || live.Peer != want {
		t.Errorf("live entry %+v, want one of peer %v", live, want)
	}
}

// TestLateCloseOfOldConnection is rmq#11043: a broker that has come back over
// a new connection is not removed when the old one is closed at last.
func TestLateCloseOfOldConnection(t *testing.T) {
	s := start(t, nil)
	old, fresh, client := s.dial(t), s.dial(t), s.dial(t)
	old.Do(brokerA.Register())
	fresh.Do(brokerA.Register())
	closed := s.EngineStats().ClosedByPeer
	old.Close()
	nstest.Eventually(t, "the old connection is closed", func() bool { return s.EngineStats().ClosedByPeer > closed })
	// The news goes through the default pool in the connection's own order. Wait
	// until it has been dealt with by sending something through every worker.
	for range 64 {
		client.Do(nstest.Request(codec.ReqGetBrokerClusterInfo))
	}
	wantCode(t, client.Do(nstest.Route("T")), codec.RespSuccess, "")
	fresh.Close()
	nstest.Eventually(t, "the broker is gone with its own connection", func() bool {
		return codec.ResponseCode(client.Do(nstest.Route("T")).Code) == codec.RespTopicNotExist
	})
	if got := string(client.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)).Body); got != emptyCluster {
		t.Errorf("cluster info afterwards is %s", got)
	}
}

// TestRegistrationBeforeClose registers and closes at once: in the end the
// broker is gone, however close the two were.
func TestRegistrationBeforeClose(t *testing.T) {
	s := start(t, nil)
	for i := range 200 {
		c := s.dial(t)
		b := brokerA
		b.Name = fmt.Sprint("b", i)
		r := b.Register()
		r.Flag = codec.FlagOneway
		c.Write(c.Frame(r))
		c.Close()
	}
	nstest.Eventually(t, "every connection is closed", func() bool { return s.EngineStats().ClosedByPeer == 200 })
	client := s.dial(t)
	nstest.Eventually(t, "no broker is left", func() bool {
		return string(client.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)).Body) == emptyCluster
	})
}

// TestReadYourWrites asks on another connection as soon as the registration is
// answered: the route is there, and as registered.
func TestReadYourWrites(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("routeReadsOnLoop=%v", onLoop), func(t *testing.T) {
			s := start(t, func(c *namesrv.Config) { c.RouteReadsOnLoop = onLoop })
			broker, client := s.dial(t), s.dial(t)
			for i := range 300 {
				b := brokerA
				b.Counter = int64(i)
				b.Topics = []string{"T", fmt.Sprint("topic-", i)}
				wantCode(t, broker.Do(b.Register()), codec.RespSuccess, "")
				wantCode(t, client.Do(nstest.Route(fmt.Sprint("topic-", i))), codec.RespSuccess, "")
			}
		})
	}
}

// TestOrderOfChanges pipelines registrations and farewells of one broker. They
// are carried out in the order sent, or the last would not win each time.
func TestOrderOfChanges(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	for i := range 50 {
		var all []byte
		n := 40 + i%2
		for j := range n {
			r := brokerA.Register()
			if j%2 == 1 {
				r = brokerA.Unregister()
			}
			all = append(all, c.Frame(r)...)
		}
		c.Write(all)
		for range n {
			wantCode(t, c.Read(), codec.RespSuccess, "")
		}
		want := codec.RespTopicNotExist // n even: the farewell came last
		if n%2 == 1 {
			want = codec.RespSuccess
		}
		if got := codec.ResponseCode(c.Do(nstest.Route("T")).Code); got != want {
			t.Fatalf("after %d changes the route is %v, want %v", n, got, want)
		}
		c.Do(brokerA.Unregister())
	}
}

// TestOverload fills the default pool. What does not fit is refused at once,
// in Java's words; what waited is served.
func TestOverload(t *testing.T) {
	release := make(chan struct{})
	busy := make(chan struct{}, 1)
	s := start(t, func(c *namesrv.Config) {
		c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 1, 2
	}, func(s *namesrv.Server) {
		s.InDefaultPool(700, func() codec.Reply {
			busy <- struct{}{}
			<-release
			return codec.Reply{}
		})
	})
	blocker := s.dial(t)
	blocker.Write(blocker.Frame(nstest.Request(700)))
	<-busy
	client := s.dial(t)
	info := nstest.Request(codec.ReqGetBrokerClusterInfo)
	refused := 0
	var waiting int
	for waiting = 0; refused == 0; waiting++ {
		if waiting > 10 {
			t.Fatal("the pool takes more than its capacity")
		}
		oneway := nstest.Request(codec.ReqGetBrokerClusterInfo)
		client.Write(client.Frame(oneway))
		// A route request is served on the loop, after the other was queued or refused.
		client.Write(client.Frame(nstest.Route("T")))
		reply := client.Read()
		if codec.ResponseCode(reply.Code) == codec.RespSystemBusy {
			wantCode(t, reply, codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
			if reply.Opaque != oneway.Opaque {
				t.Errorf("refused opaque %d, want %d", reply.Opaque, oneway.Opaque)
			}
			refused++
			reply = client.Read()
		}
		wantCode(t, reply, codec.RespTopicNotExist, "No topic route info in name server for the topic: T\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.")
	}
	overloaded := s.Overloaded()
	info.Flag = codec.FlagOneway
	client.Write(client.Frame(info)) // refused in silence
	wantCode(t, client.Do(nstest.Request(999)), codec.RespRequestCodeNotSupported, " request type 999 not supported")
	if got := s.Overloaded(); got != overloaded+1 {
		t.Errorf("%d overloads counted, want %d", got, overloaded+1)
	}
	close(release)
	wantCode(t, blocker.Read(), codec.RespSuccess, "")
	for range waiting - refused {
		wantCode(t, client.Read(), codec.RespSuccess, "")
	}
}

// TestPanic panics in a handler, on the loop and in a pool. It costs that
// connection only.
func TestPanic(t *testing.T) {
	s := start(t, nil, func(s *namesrv.Server) {
		s.OnLoop(701, func() codec.Reply { panic("on the loop") })
		s.InDefaultPool(702, func() codec.Reply { panic("in the pool") })
	})
	bystander := s.dial(t)
	bystander.Do(brokerA.Register())
	for _, code := range []codec.RequestCode{701, 702} {
		c := s.dial(t)
		c.Write(c.Frame(nstest.Request(code)))
		c.MustClose()
		wantCode(t, bystander.Do(nstest.Route("T")), codec.RespSuccess, "")
		wantCode(t, bystander.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)), codec.RespSuccess, "")
	}
	nstest.Eventually(t, "both closes are counted", func() bool { return s.EngineStats().ClosedPanic == 2 })
}

// TestExpiry lets one of two brokers on a connection fall silent, then both.
// The connection is closed with the last of them.
func TestExpiry(t *testing.T) {
	s := start(t, nil)
	c, client := s.dial(t), s.dial(t)
	quick, slow := brokerA, nstest.Broker{Cluster: "C", Name: "b", Addr: "10.0.0.9:10911", Topics: []string{"V", "W"}}
	quick.Fields = []string{"heartbeatTimeoutMillis", "10000"}
	c.Do(quick.Register())
	c.Do(slow.Register())
	s.ScanIn(11 * time.Second)
	wantCode(t, client.Do(nstest.Route("V")), codec.RespSuccess, "")
	if got := codec.ResponseCode(client.Do(nstest.Route("T")).Code); got != codec.RespTopicNotExist {
		t.Errorf("the route of a silent broker is %v", got)
	}
	wantCode(t, c.Do(nstest.Route("V")), codec.RespSuccess, "")
	s.ScanIn(132 * time.Second)
	c.MustClose()
}

// A broker may expire before its registration is answered. Its connection is
// closed all the same.
func TestExpiryBeforeReply(t *testing.T) {
	s := start(t, nil, func(s *namesrv.Server) {
		s.OnLog(func(line string) {
			if line == "broker registered" {
				s.ScanIn(time.Hour)
			}
		})
	})
	c := s.dial(t)
	r := brokerA.Register()
	r.Flag = codec.FlagOneway
	c.Write(c.Frame(r))
	c.MustClose()
}

// TestStorm lets brokers register, leave and drop their connections while
// clients read. No reply is wrong, and the table is in order afterwards.
func TestStorm(t *testing.T) {
	s := start(t, nil)
	anchor := s.dial(t)
	anchor.Do(nstest.Broker{Cluster: "C", Name: "anchor", Addr: "10.9.9.9:1", Topics: []string{"shared", "anchored"}}.Register())
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			b := nstest.Broker{Cluster: "C", Name: fmt.Sprint("b", i/2), Addr: fmt.Sprintf("10.0.0.%d:10911", i), ID: int64(i % 2)}
			for j := range 60 {
				c := nstest.Dial(t, s.addr)
				b.Counter = int64(j)
				b.Topics = []string{"shared", fmt.Sprint("own-", i), fmt.Sprint("turn-", j%5)}
				if reply := c.Do(b.Register()); codec.ResponseCode(reply.Code) != codec.RespSuccess {
					t.Errorf("registration: %v %s", codec.ResponseCode(reply.Code), reply.Remark)
				}
				if j%3 == 0 {
					c.Do(b.Unregister())
				}
				c.Close()
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			c := nstest.Dial(t, s.addr)
			for range 2_000 {
				reply := c.Do(nstest.Route("shared"))
				if codec.ResponseCode(reply.Code) != codec.RespSuccess || !bytes.Contains(reply.Body, []byte("10.9.9.9:1")) {
					t.Errorf("route of a topic that is always there: %v %s", codec.ResponseCode(reply.Code), reply.Body)
					return
				}
			}
		})
	}
	wg.Wait()
	client := s.dial(t)
	nstest.Eventually(t, "only the anchor is left", func() bool {
		body := client.Do(nstest.Request(codec.ReqGetAllTopicListFromNameserver)).Body
		return string(body) == `{"topicList":["anchored","shared"]}`
	})
}
