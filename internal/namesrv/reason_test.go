package namesrv_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// refusedOf returns what was refused of a code, by reason. 0 is all other codes.
func refusedOf(s *testServer, code codec.RequestCode) map[string]uint64 {
	return statsOf(s, code).Refused
}

func statsOf(s *testServer, code codec.RequestCode) namesrv.RequestStats {
	for _, st := range s.Snapshot().Requests {
		if st.Code == code {
			return st
		}
	}
	return namesrv.RequestStats{}
}

// refusedAll returns what was refused, by "code reason".
func refusedAll(s *testServer) map[string]uint64 {
	all := map[string]uint64{}
	for _, st := range s.Snapshot().Requests {
		for why, n := range st.Refused {
			all[st.Name+" "+why] = n
		}
	}
	return all
}

// TestEveryReasonIsCounted refuses a request for each reason there is. Each is
// counted once, at its row, and nothing else is.
func TestEveryReasonIsCounted(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) func(*namesrv.Config) {
		return func(c *namesrv.Config) { c.KVConfigPath = filepath.Join(dir, name) }
	}
	do := func(r *codec.Command) func(*testing.T, *testServer) {
		return func(t *testing.T, s *testServer) { s.dial(t).Do(r) }
	}
	rules := func(text string) func(*namesrv.Config) {
		return func(c *namesrv.Config) {
			c.AccessFile = filepath.Join(dir, "access.yaml")
			writeFile(t, c.AccessFile, text)
		}
	}
	body := func(r *codec.Command, text string) *codec.Command {
		r.Body = []byte(text)
		return r
	}
	update := func(text string) func(*testing.T, *testServer) {
		return do(body(nstest.Request(codec.ReqUpdateNamesrvConfig), text))
	}
	big := strings.Repeat("x", codec.MaxFrameLength)
	g := newGate(t)
	single := brokerA
	single.Topics = []string{"T"}
	const keys = "accounts: [{accessKey: a, secretKey: s, rights: all, requireTLS: true}, {accessKey: b, secretKey: s, rights: all, networks: [a]}, {accessKey: fresh, secretKey: s, rights: all, requireFresh: true}]\nnetworks: [{name: a, cidr: 10.0.0.1, rights: all}]"
	signed := func(key, secret string) func(*testing.T, *testServer) {
		return func(t *testing.T, s *testServer) {
			s.dialFrom(t, "203.0.113.7").Do(nstest.Sign(nstest.Request(codec.ReqGetNamesrvConfig), key, secret))
		}
	}
	fresh := func(at time.Duration, times int) func(*testing.T, *testServer) {
		return func(t *testing.T, s *testServer) {
			r := nstest.SignFresh(nstest.Request(codec.ReqGetNamesrvConfig), "fresh", "s", time.Now().Add(at), nonceText(1))
			for range times {
				s.dialFrom(t, "203.0.113.7").Do(r)
			}
		}
	}
	keyed := func(c *namesrv.Config) {
		rules(keys)(c)
		c.ProxyProtocolTrusted = "127.0.0.1"
	}
	cases := map[string]struct {
		row     string
		config  func(*namesrv.Config)
		prepare func(*namesrv.Server)
		provoke func(*testing.T, *testServer)
	}{
		"failed": {row: "PUT_KV_CONFIG", config: file("plain/kv.json"), provoke: func(t *testing.T, s *testServer) {
			if err := os.MkdirAll(filepath.Join(dir, "plain", "kv.json", "x"), 0o700); err != nil { // where a file is to be
				t.Fatal(err)
			}
			do(putKV("namespace", "n", "key", "k", "value", "v"))(t, s)
		}},
		"malformed": {row: "other", provoke: func(t *testing.T, s *testServer) {
			c := s.dial(t)
			c.Write([]byte{0, 0, 0, 8, 0, 0, 0, 4, 'n', 'o', 'n', 'e'})
			c.MustClose()
		}},
		"strayResponse": {row: "other", provoke: func(t *testing.T, s *testServer) {
			c, r := s.dial(t), beat()
			r.Flag = codec.FlagResponse
			c.Write(c.Frame(r))
			c.Do(beat())
		}},
		"notSupported": {row: "other", provoke: do(nstest.Request(999))},
		"goAway": {row: "BROKER_HEARTBEAT", prepare: (*namesrv.Server).StartDraining, provoke: func(t *testing.T, s *testServer) {
			r := beat()
			r.Version = codec.Version
			do(r)(t, s)
		}},
		"queueFull": {
			row: "GET_BROKER_CLUSTER_INFO",
			config: func(c *namesrv.Config) {
				c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 1, 1
			},
			prepare: func(s *namesrv.Server) { s.InDefaultPool(codec.ReqGetBrokerClusterInfo, g.serve) },
			provoke: func(t *testing.T, s *testServer) {
				fillPool(t, s, codec.ReqGetBrokerClusterInfo)
				g.release()
			},
		},
		"tooOld": {row: "GET_BROKER_MEMBER_GROUP", prepare: func(s *namesrv.Server) { s.ShiftClock(time.Hour) }, provoke: do(group())},
		"noMemory": {
			row:    "GET_KVLIST_BY_NAMESPACE",
			config: func(c *namesrv.Config) { c.MemoryBudget = 64 << 20 },
			provoke: func(t *testing.T, s *testServer) {
				if err := s.PutKV("n", "k", strings.Repeat("v", 256<<10)); err != nil {
					t.Fatal(err)
				}
				held := 32<<20 - 128<<10
				if !s.Budget().Reserve(held) {
					t.Fatal("the budget is taken")
				}
				defer s.Budget().Release(held)
				do(nstest.Request(codec.ReqGetKVListByNamespace, "namespace", "n"))(t, s)
			},
		},
		"tooManyLate": {
			row: "GET_BROKER_MEMBER_GROUP",
			prepare: func(s *namesrv.Server) {
				s.FillLate(0)
				s.AnswerLater(codec.ReqGetBrokerMemberGroup, true, nil, func(*namesrv.LateReply) error { return nil })
			},
			provoke: do(group()),
		},
		"notReady":     {row: "GET_ROUTEINFO_BY_TOPIC", config: func(c *namesrv.Config) { c.NeedWaitForService, c.WaitSecondsForService = true, 1<<20 }, provoke: do(nstest.Route("T"))},
		"disabled":     {row: "GET_UNIT_TOPIC_LIST", config: func(c *namesrv.Config) { c.EnableTopicList = false }, provoke: do(nstest.Request(codec.ReqGetUnitTopicList))},
		"missingField": {row: "QUERY_DATA_VERSION", provoke: do(nstest.Request(codec.ReqQueryDataVersion))},
		"badBody":      {row: "REGISTER_TOPIC_IN_NAMESRV", provoke: do(body(nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "T"), "{"))},
		"notFound":     {row: "GET_ROUTEINFO_BY_TOPIC", provoke: do(nstest.Route("T"))},
		"tableLimit": {row: "REGISTER_BROKER", provoke: func(t *testing.T, s *testServer) {
			b := brokerA
			b.Name = strings.Repeat("n", 300)
			do(b.Register())(t, s)
		}},
		"configLimit": {row: "PUT_KV_CONFIG", provoke: do(putKV("namespace", strings.Repeat("n", 513), "key", "k", "value", "v"))},
		"forbidden":   {row: "UPDATE_NAMESRV_CONFIG", provoke: update("configStorePath=x")},
		"badConfig":   {row: "UPDATE_NAMESRV_CONFIG", provoke: update("noSuchKey=x")},
		"fileInUse": {row: "PUT_KV_CONFIG", config: file("taken.json"), provoke: func(t *testing.T, s *testServer) {
			lock := flock.New(filepath.Join(dir, "taken.json.lock"))
			if ok, err := lock.TryLock(); !ok || err != nil {
				t.Skip("files cannot be locked here")
			}
			defer lock.Unlock()
			do(putKV("namespace", "n", "key", "k", "value", "v"))(t, s)
		}},
		"replyTooLong": {
			row: "GET_BROKER_MEMBER_GROUP",
			prepare: func(s *namesrv.Server) {
				s.OnLoop(codec.ReqGetBrokerMemberGroup, func() codec.Reply { return codec.Reply{Body: []byte(big)} })
			},
			provoke: do(group()),
		},
		"horizon": {
			row: "GET_ROUTEINFO_BY_TOPIC",
			config: func(c *namesrv.Config) {
				c.HorizonFile = filepath.Join(dir, "horizons.yaml")
				writeFile(t, c.HorizonFile, "horizons: [{name: all, match: {cidr: 0.0.0.0/0}, missing: refuse}]")
			},
			provoke: func(t *testing.T, s *testServer) {
				do(brokerA.Register())(t, s)
				do(nstest.Route("T"))(t, s)
			},
		},
		"noRight": {row: "UPDATE_NAMESRV_CONFIG", config: func(c *namesrv.Config) { c.AccessPreset = "strict" }, provoke: update("enableTopicList=true")},
		"denied":  {row: "GET_ROUTEINFO_BY_TOPIC", config: rules("networks: [{name: a, cidr: 127.0.0.0/8, deny: true}]"), provoke: do(nstest.Route("T"))},
		"mayNotJoin": {
			row:     "REGISTER_BROKER",
			config:  rules("networks: [{name: a, cidr: 10.0.0.1, rights: all}]\nbrokerJoin: {require: \"network:a\", mode: enforce}"),
			provoke: do(brokerA.Register()),
		},
		"pinned": {
			row: "REGISTER_BROKER",
			config: func(c *namesrv.Config) {
				rules("brokerJoin: { pin: enforce }")(c)
				c.ProxyProtocolTrusted = "127.0.0.1"
			},
			provoke: func(t *testing.T, s *testServer) {
				for _, from := range []string{"10.0.0.1", "10.0.1.1"} {
					s.dialFrom(t, from).Do(brokerA.Register())
				}
			},
		},
		"notTheBroker": {
			row:    "UNREGISTER_BROKER",
			config: func(c *namesrv.Config) { c.ProxyProtocolTrusted = "127.0.0.1" },
			provoke: func(t *testing.T, s *testServer) {
				s.dialFrom(t, "203.0.113.7").Do(brokerA.Register())
				s.dialFrom(t, "203.0.113.8").Do(brokerA.Unregister())
			},
		},
		"namespace": {
			row: "GET_KV_CONFIG",
			config: func(c *namesrv.Config) {
				rules("kvNamespaces: []")(c)
				c.ProxyProtocolTrusted = "127.0.0.1"
			},
			provoke: func(t *testing.T, s *testServer) {
				s.dialFrom(t, "203.0.113.7").Do(getKV("namespace", "n", "key", "k"))
			},
		},
		"notAudited": {
			row: "PUT_KV_CONFIG",
			config: func(c *namesrv.Config) {
				c.AuditLogPath, c.AuditRequired = filepath.Join(dir, "audit", "audit.log"), true
			},
			provoke: func(t *testing.T, s *testServer) {
				if err := os.Rename(filepath.Join(dir, "audit"), filepath.Join(dir, "away")); err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(dir, "audit"), "in the way")
				nstest.Eventually(t, "it is noticed", func() bool { return s.Snapshot().Audit.Broken })
				do(operatorRequests[codec.ReqPutKVConfig]())(t, s)
			},
		},
		"unknownKey":   {row: "GET_NAMESRV_CONFIG", config: keyed, provoke: signed("c", "s")},
		"badSignature": {row: "GET_NAMESRV_CONFIG", config: keyed, provoke: signed("a", "x")},
		"lockedOut": {
			row: "GET_NAMESRV_CONFIG", config: keyed,
			prepare: func(s *namesrv.Server) { s.LockOut("203.0.113.7") },
			provoke: signed("a", "s"),
		},
		"keyElsewhere": {row: "GET_NAMESRV_CONFIG", config: keyed, provoke: signed("b", "s")},
		"keyPlain":     {row: "GET_NAMESRV_CONFIG", config: keyed, provoke: signed("a", "s")},
		"keyNotFresh":  {row: "GET_NAMESRV_CONFIG", config: keyed, provoke: signed("fresh", "s")},

		"staleSignature": {row: "GET_NAMESRV_CONFIG", config: keyed, provoke: fresh(time.Hour, 1)},
		"replayed":       {row: "GET_NAMESRV_CONFIG", config: keyed, provoke: fresh(0, 2)},
		"manySignatures": {row: "GET_NAMESRV_CONFIG", config: keyed, prepare: (*namesrv.Server).FillNonces, provoke: fresh(0, 1)},
		"singleTopic":    {row: "REGISTER_BROKER", provoke: do(single.Register())},
	}
	for _, why := range namesrv.Reasons() {
		t.Run(why, func(t *testing.T) {
			c, ok := cases[why]
			if !ok {
				t.Fatal("nothing shows this reason")
			}
			var prepare []func(*namesrv.Server)
			if c.prepare != nil {
				prepare = append(prepare, c.prepare)
			}
			s := start(t, c.config, prepare...)
			c.provoke(t, s)
			if got, want := refusedAll(s), map[string]uint64{c.row + " " + why: 1}; !maps.Equal(got, want) {
				t.Errorf("counted %v, want %v", got, want)
			}
		})
	}
}

// TestRefusalTooLong refuses requests with remarks that are too long, one for the
// header of a frame and one, by some bytes, for what clients read. Each counts once,
// under its own reason.
func TestRefusalTooLong(t *testing.T) {
	remark := strings.Repeat("x", codec.MaxFrameLength)
	var size atomic.Int64 // of the remark
	size.Store(codec.MaxFrameLength)
	s := start(t, nil, func(s *namesrv.Server) {
		s.AnswerLater(codec.ReqGetBrokerMemberGroup, true, nil, func(*namesrv.LateReply) error { return errors.New(remark[:size.Load()]) })
	})
	c := s.dial(t)
	for _, said := range []string{"reply header of ", "reply of "} {
		r := group()
		if reply := c.Do(r); codec.ResponseCode(reply.Code) != codec.RespSystemError || !strings.Contains(string(reply.Remark), said) {
			t.Errorf("answered %v %q, want %q", reply.Code, reply.Remark, said)
		}
		// The next one is a frame of 4 bytes more than clients read.
		empty := codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Code: codec.RespSystemError, Opaque: r.Opaque, Remark: "x"})
		size.Store(int64(codec.MaxFrameLength + 4 + 1 - len(empty)))
	}
	if got, want := refusedAll(s), map[string]uint64{"GET_BROKER_MEMBER_GROUP failed": 2}; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// TestRequestsAreCounted counts requests that are served, those that are refused
// and oneway ones, over several connections, once each.
func TestRequestsAreCounted(t *testing.T) {
	s := start(t, nil)
	const conns, each = 20, 3
	for range conns {
		c := s.dial(t)
		for range each {
			r := nstest.Route("T")
			r.Flag = codec.FlagOneway
			c.Write(c.Frame(r))
			c.Do(nstest.Route("T"))
			wantGroup(t, c)
		}
	}
	if st := statsOf(s, codec.ReqGetRouteInfoByTopic); st.Requests != 2*conns*each || st.Refused["notFound"] != 2*conns*each {
		t.Errorf("routes: %+v, want %d requests, all refused", st, 2*conns*each)
	}
	if st := statsOf(s, codec.ReqGetBrokerMemberGroup); st.Requests != conns*each || st.Refused != nil {
		t.Errorf("member groups: %+v, want %d requests", st, conns*each)
	}
	if st := statsOf(s, 0); st.Requests != 0 || st.Name != "other" {
		t.Errorf("others: %+v, want none", st)
	}
}
