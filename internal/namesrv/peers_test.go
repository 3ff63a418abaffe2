package namesrv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nsdiff"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// A peerWorld is a name server that compares itself with one other, without a socket,
// and with a clock of its own.
type peerWorld struct {
	t       *testing.T
	peers   *peers
	ours    *route.Table
	cfg     Config
	kv      codec.KVConfigTable
	now     time.Duration
	log     bytes.Buffer
	answers func() (*peerAnswers, error)

	theirs    *route.Table // what answers tells
	theirsCfg Config
	theirsKV  codec.KVConfigTable
}

var peerWorldBegan = time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC)

func newPeerWorld(t *testing.T) *peerWorld {
	w := &peerWorld{t: t, ours: route.New(route.Options{}), theirs: route.New(route.Options{}), cfg: DefaultConfig(), theirsCfg: DefaultConfig()}
	w.answers = w.tell
	w.peers = &peers{
		log: slog.New(slog.NewTextHandler(&w.log, nil)), every: time.Minute, again: peerConfirm,
		now:   func() time.Duration { return w.now },
		wall:  func() time.Time { return peerWorldBegan.Add(w.now) },
		us:    func() (*route.View, *Config, *kvState) { return w.ours.View(), &w.cfg, newKVState(w.kv, 0) },
		ask:   func(context.Context, string, []string) (*peerAnswers, error) { return w.answers() },
		turns: make(chan struct{}, 1),
		list:  []*peer{{addr: "ns2:9876", stats: PeerStats{Addr: "ns2:9876", Why: "not asked yet"}}},
	}
	for _, table := range []*route.Table{w.ours, w.theirs} {
		w.register(table, "C", "a", "10.0.0.1:10911", 0, "T", "U")
		w.register(table, "C", "b", "10.0.0.2:10911", 0, "T", "%RETRY%g/订")
	}
	return w
}

// register lets a broker register with a table.
func (w *peerWorld) register(table *route.Table, cluster, name, addr string, id int64, topics ...string) {
	body := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: int64(w.now) + 1}}
	for _, topic := range topics {
		body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(topic), Key: []byte(topic), ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6})
	}
	_, err := table.RegisterBroker(w.now.Milliseconds(), &route.Registration{
		RegistrationHeader: route.RegistrationHeader{Cluster: cluster, BrokerName: name, BrokerAddr: addr, BrokerID: id, TimeoutMillis: 1 << 40},
		Conn:               1, Body: body,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// tell answers as a server does that has theirs.
func (w *peerWorld) tell() (*peerAnswers, error) {
	v := w.theirs.View()
	return &peerAnswers{
		brokers: peerAnswer{body: v.ClusterInfo()},
		topics:  peerAnswer{body: v.AllTopicList()},
		config:  peerAnswer{body: w.theirsCfg.text()},

		namespaces: w.tellKV(peerNamespaces(newKVState(w.kv, 0))),
	}, nil
}

// check lets time pass, then asks.
func (w *peerWorld) check(after time.Duration) PeerStats {
	w.now += after
	w.peers.check(w.t.Context(), w.peers.list[0])
	return w.peers.stats()[0]
}

// lines returns how many log lines have the given text.
func (w *peerWorld) lines(text string) int { return strings.Count(w.log.String(), text) }

// TestPeersDiffer makes one difference of each kind. It shows at once, counts when it
// has lasted, is told of once, and so is its end.
func TestPeersDiffer(t *testing.T) {
	brokers := func(s *PeerStats) *PeerPart { return &s.Brokers }
	topics := func(s *PeerStats) *PeerPart { return &s.Topics }
	config := func(s *PeerStats) *PeerPart { return &s.Config }
	kv := func(s *PeerStats) *PeerPart { return &s.KV }
	const order = "ORDER_TOPIC_CONFIG"
	both := func(w *peerWorld, change func(*route.Table)) { change(w.ours); change(w.theirs) }
	leave := func(table *route.Table, name, addr string) {
		table.UnregisterBrokers(route.Unregistration{Cluster: "C", BrokerName: name, BrokerAddr: addr})
	}
	for _, c := range []struct {
		name    string
		begin   func(*peerWorld)
		end     func(*peerWorld)
		part    func(*PeerStats) *PeerPart
		samples []string
	}{
		{
			"broker only here", func(w *peerWorld) { w.register(w.ours, "C", "b", "10.0.0.3:10911", 1, "T", "%RETRY%g/订") },
			func(w *peerWorld) { leave(w.ours, "b", "10.0.0.3:10911") }, brokers,
			[]string{"b 1@10.0.0.3:10911 in C: only here"},
		},
		{
			"broker only there", func(w *peerWorld) { w.register(w.theirs, "C", "b", "10.0.0.3:10911", 1, "T", "%RETRY%g/订") },
			func(w *peerWorld) { w.register(w.ours, "C", "b", "10.0.0.3:10911", 1, "T", "%RETRY%g/订") }, brokers,
			[]string{"b 1@10.0.0.3:10911 in C: only there"},
		},
		{
			"address", func(w *peerWorld) {
				w.register(w.ours, "C", "b", "10.0.0.3:10911", 1, "T", "U")
				w.register(w.theirs, "C", "b", "10.0.0.4:10911", 1, "T", "U")
			},
			func(w *peerWorld) {
				leave(w.ours, "b", "10.0.0.3:10911")
				leave(w.theirs, "b", "10.0.0.4:10911")
			}, brokers,
			[]string{"b 1@10.0.0.3:10911 in C: only here", "b 1@10.0.0.4:10911 in C: only there"},
		},
		{
			"id", func(w *peerWorld) {
				w.register(w.ours, "C", "b", "10.0.0.3:10911", 1, "T", "U")
				w.register(w.theirs, "C", "b", "10.0.0.3:10911", 2, "T", "U")
			},
			func(w *peerWorld) { both(w, func(table *route.Table) { leave(table, "b", "10.0.0.3:10911") }) },
			brokers,
			[]string{"b 1@10.0.0.3:10911 in C: only here", "b 2@10.0.0.3:10911 in C: only there"},
		},
		{
			"topic only there", func(w *peerWorld) { w.register(w.theirs, "C", "a", "10.0.0.1:10911", 0, "T", "U", "new") },
			func(w *peerWorld) { w.register(w.ours, "C", "a", "10.0.0.1:10911", 0, "T", "U", "new") }, topics,
			[]string{"new: only there"},
		},
		{
			"topic only here", func(w *peerWorld) { w.register(w.ours, "C", "a", "10.0.0.1:10911", 0, "T", "U", "new") },
			func(w *peerWorld) { w.ours.DeleteTopic("new") }, topics,
			[]string{"new: only here"},
		},
		{
			"configuration", func(w *peerWorld) { w.cfg.SupportActingMaster = true },
			func(w *peerWorld) { w.theirsCfg.SupportActingMaster = true }, config,
			[]string{"supportActingMaster: true here, false there"},
		},
		{ // a new name server that begins with nothing
			"KV config only there", func(w *peerWorld) { w.theirsKV = kvOf(order, "T", "a:4", "U", "a:4") },
			func(w *peerWorld) { w.kv = kvOf(order, "T", "a:4", "U", "a:4") }, kv,
			[]string{order + " T: only there", order + " U: only there"},
		},
		{
			"KV config only here", func(w *peerWorld) { w.kv = kvOf("mine", "k", "v") },
			func(w *peerWorld) { w.kv = kvOf("mine") }, kv,
			[]string{"mine k: only here"},
		},
		{
			"value of the KV config", func(w *peerWorld) { w.kv, w.theirsKV = kvOf(order, "T", "a:4"), kvOf(order, "T", "a:8") },
			func(w *peerWorld) { w.theirsKV = w.kv }, kv,
			[]string{order + " T: a:4 here, a:8 there"},
		},
		{
			"secret of the KV config", func(w *peerWorld) { w.kv, w.theirsKV = kvOf("n", "token", "abc"), kvOf("n", "token", "def") },
			func(w *peerWorld) { w.kv = w.theirsKV }, kv,
			[]string{"n token: ****** here, ****** there"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newPeerWorld(t)
			want := func(s PeerStats, differ, now int) {
				t.Helper()
				if !s.Up || s.Why != "" || s.Version != Version() {
					t.Fatalf("the peer is up: %v, %q, version %q", s.Up, s.Why, s.Version)
				}
				part := *c.part(&s)
				for _, p := range []*PeerPart{&s.Brokers, &s.Topics, &s.Config, &s.KV} {
					if !p.Compared || p.Why != "" || p != c.part(&s) && p.Now > 0 {
						t.Errorf("part %+v", p)
					}
				}
				if part.Differ != differ || part.Now != now {
					t.Fatalf("%d of %d differences count, want %d of %d", part.Differ, part.Now, differ, now)
				}
				if now > 0 && !slices.Equal(slices.Sorted(slices.Values(part.Samples)), c.samples) {
					t.Errorf("samples are %q, want %q", part.Samples, c.samples)
				}
				if since := peerWorldBegan.Add(10 * time.Second); differ > 0 && !part.Since.Equal(since) || differ == 0 && !part.Since.IsZero() {
					t.Errorf("since %v", part.Since)
				}
			}
			n := len(c.samples)
			want(w.check(0), 0, 0)
			c.begin(w)
			want(w.check(10*time.Second), 0, n)
			if pause := w.peers.pause(w.peers.list[0]); pause < peerConfirm || pause >= 40*time.Second {
				t.Errorf("where something differs the next check is in %v", pause)
			}
			want(w.check(peerConfirm-1), 0, n)
			if w.lines("name servers differ") > 0 {
				t.Errorf("it is told of too early:\n%s", &w.log)
			}
			want(w.check(1), n, n)
			if pause := w.peers.pause(w.peers.list[0]); pause < 54*time.Second || pause > 67*time.Second {
				t.Errorf("where it counts the next check is in %v", pause)
			}
			want(w.check(time.Minute), n, n)
			if w.lines("name servers differ") != 1 || !strings.Contains(w.log.String(), c.samples[0]) {
				t.Errorf("the log says\n%s", &w.log)
			}
			c.end(w)
			want(w.check(time.Minute), 0, 0)
			want(w.check(time.Minute), 0, 0)
			if w.lines("name servers agree again") != 1 || w.lines("name servers differ") != 1 {
				t.Errorf("the log says\n%s", &w.log)
			}
		})
	}
}

// TestPeersOfManyTopics lets topics come and go so fast that each check sees others that
// only one of the two has: none of them counts. One that lasts does, though thousands
// come and go.
func TestPeersOfManyTopics(t *testing.T) {
	for _, churn := range []int{1, 5_000} {
		w := newPeerWorld(t)
		for i := range 4 {
			names := []string{"T", "U", "lasting"}
			for n := range churn {
				names = append(names, fmt.Sprintf("new-%d-%d", i, n))
			}
			w.theirs = route.New(route.Options{})
			w.register(w.theirs, "C", "a", "10.0.0.1:10911", 0, names...)
			w.register(w.theirs, "C", "b", "10.0.0.2:10911", 0, "T", "%RETRY%g/订")
			s := w.check(40 * time.Second)
			differ := 0
			if i > 0 && (churn < watchedDifferences || s.Topics.Differ > 0) { // one of 5,000 may not be among those that are watched
				differ = 1
			}
			if s.Topics.Differ != differ || s.Topics.Now != churn+1 {
				t.Errorf("check %d: %d of %d differences count, want %d of %d", i, s.Topics.Differ, s.Topics.Now, differ, churn+1)
			}
			if len(s.Topics.Samples) != min(churn+1, peerSamples) || differ > 0 && s.Topics.Samples[0] != "lasting: only there" {
				t.Errorf("check %d: samples are %q", i, s.Topics.Samples)
			}
			if n := len(w.peers.list[0].topics.seen.items); n > watchedDifferences {
				t.Errorf("%d differences are watched", n)
			}
		}
	}
	w := newPeerWorld(t) // all of the other one's topics, as after its restart
	w.register(w.ours, "C", "a", "10.0.0.1:10911", 0, manyNames(5_000)...)
	w.theirs = route.New(route.Options{})
	w.check(0)
	if s := w.check(peerConfirm); s.Topics.Differ != watchedDifferences || s.Topics.Now < 5_000 || s.Brokers.Differ != 2 {
		t.Errorf("after a restart of the other one: topics %+v, brokers %+v", s.Topics, s.Brokers)
	}
}

func manyNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("topic-%d", i))
	}
	return names
}

// TestPeerNotReached: what is not known is not said to be equal, and what has differed
// before still does afterwards.
func TestPeerNotReached(t *testing.T) {
	w := newPeerWorld(t)
	if s := w.peers.stats()[0]; s.Up || s.Why != "not asked yet" || s.Checks != 0 || !s.Checked.IsZero() {
		t.Errorf("before the first check: %+v", s)
	}
	w.register(w.ours, "C", "c", "10.0.0.9:10911", 0, "T", "U")
	w.check(0)
	w.answers = func() (*peerAnswers, error) { return nil, errors.New(strings.Repeat("no", 1000)) }
	for i := range 2 {
		s := w.check(time.Minute)
		if s.Up || len(s.Why) > 300 || s.Brokers.Compared || s.Brokers.Why == "" || s.Checks != uint64(2+i) || s.Failed != uint64(1+i) {
			t.Errorf("not reached: %+v", s)
		}
		if want := peerWorldBegan.Add(time.Minute); !s.Since.Equal(want) || !s.Checked.Equal(peerWorldBegan.Add(w.now)) {
			t.Errorf("not reached since %v, want %v; checked %v", s.Since, want, s.Checked)
		}
	}
	w.answers = w.tell
	if s := w.check(time.Minute); !s.Up || s.Brokers.Differ != 1 || !s.Brokers.Since.Equal(peerWorldBegan) {
		t.Errorf("reached again: %+v", s)
	}
	if w.lines("not reached") != 1 || w.lines("reached again") != 1 || w.lines("name servers differ") != 1 {
		t.Errorf("the log says\n%s", &w.log)
	}
	w.peers.list[0].stats.Up = false // for a context that ends
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.peers.check(ctx, w.peers.list[0])
	if s := w.peers.stats()[0]; s.Checks != 4 {
		t.Errorf("a check that was given up counts: %+v", s)
	}
}

// TestPeerAnswersOfJava reads what Java name servers answer.
func TestPeerAnswersOfJava(t *testing.T) {
	w := newPeerWorld(t)
	w.cfg.ListenPort, w.cfg.ServerSelectorThreads = 9877, 5
	w.cfg.PeerNamesrvAddr = "ns2:9876"
	w.cfg.KVConfigPath = "/here/kvConfig.json"
	w.answers = func() (*peerAnswers, error) {
		return &peerAnswers{
			brokers: peerAnswer{body: []byte(`{"brokerAddrTable":{"b":{"brokerAddrs":{0:"10.0.0.2:10911"},"brokerName":"b","cluster":"C","enableActingMaster":true,"zoneName":"z"},"a":{"brokerAddrs":{"0":"10.0.0.1:10911"},"brokerName":"a","cluster":"C"}},"clusterAddrTable":{"C":["b","a"],"gone":[]}}`)},
			topics:  peerAnswer{body: []byte(`{"topicList":["U","%RETRY%g\/\u8ba2","T"]}`)},
			config:  peerAnswer{body: []byte("listenPort=9876\nserverSelectorThreads=3\nserverWorkerThreads=99\nkvConfigPath=/root/namesrv/kvConfig.json\nrocketmqHome=/opt\nbindAddress=0.0.0.0\nenableTopicList=true\nkeyOfTomorrow=1\nscanNotActiveBrokerInterval=5000\n")},

			namespaces: []peerNamespace{{"ORDER_TOPIC_CONFIG", true, []byte(`{"table":{"U":"b:8;a:8","T\/1":"a:4"}}`)}, {"PROJECT_CONFIG", false, nil}},
		}, nil
	}
	w.kv = kvOf("ORDER_TOPIC_CONFIG", "T/1", "a:4", "U", "b:8;a:8")
	s := w.check(0)
	for _, p := range []PeerPart{s.Brokers, s.Topics, s.Config, s.KV} {
		if !p.Compared || p.Now != 0 {
			t.Errorf("%+v", p)
		}
	}
	if !s.Up || s.Version != "" {
		t.Errorf("up %v, version %q", s.Up, s.Version)
	}
}

// TestPeerAnswersBadly: what cannot be read is said, and nothing is held against what
// can.
func TestPeerAnswersBadly(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	refused := &client.ReplyError{Code: codec.RespSystemError, Remark: "disable" + long}
	good, _ := newPeerWorld(t).tell()
	kv := func(body string) []peerNamespace { return []peerNamespace{{"ORDER_TOPIC_CONFIG", true, []byte(body)}} }
	for name, a := range map[string]peerAnswers{
		"refused":    {peerAnswer{err: refused}, peerAnswer{err: refused}, peerAnswer{err: refused}, peerAnswer{err: refused}, nil},
		"nothing":    {namespaces: kv("")},
		"garbage":    {peerAnswer{body: []byte(long)}, peerAnswer{body: []byte(long)}, peerAnswer{body: []byte(long)}, peerAnswer{}, kv(long)},
		"half":       {peerAnswer{body: good.brokers.body[:20]}, peerAnswer{body: good.topics.body[:20]}, good.config, peerAnswer{}, kv(`{"table":{"T":"a`)},
		"huge":       {peerAnswer{body: []byte(`{"brokerAddrTable":{` + strings.Repeat(`"b":{},`, 1<<20+1) + `}}`)}, peerAnswer{body: []byte(`[`)}, good.config, peerAnswer{}, kv(`{"table":{` + strings.Repeat(`"k":"v",`, 1<<20) + `}}`)},
		"long names": {peerAnswer{body: []byte(`{"brokerAddrTable":{"` + long + `":{"brokerAddrs":{0:"` + long + `"}}}}`)}, peerAnswer{body: []byte(`{"topicList":["` + long + `"]}`)}, peerAnswer{body: []byte("enableTopicList=" + long)}, peerAnswer{}, kv(`{"table":{"` + long + `":"v","short":"` + long + `"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPeerWorld(t)
			w.answers = func() (*peerAnswers, error) { return &a, nil }
			s := w.check(0)
			for part, p := range map[string]PeerPart{"brokers": s.Brokers, "topics": s.Topics, "config": s.Config, "kv": s.KV} {
				size := len(p.Why)
				for _, sample := range p.Samples {
					size += len(sample)
				}
				if size > 4*clipLength+200 {
					t.Errorf("%s: %d bytes are shown", part, size)
				}
				if part != "config" && name != "long names" && (p.Compared || p.Why == "" || p.Now > 0) {
					t.Errorf("%s: %+v, want a reason", part, p)
				}
			}
			if s := w.check(peerConfirm); name != "long names" && s.Brokers.Differ+s.Topics.Differ+s.KV.Differ > 0 {
				t.Errorf("it counts: %+v", s)
			}
		})
	}
}

// TestLocalKeys: keys that differ by nature are real keys, and a word that ends the name
// of one of them ends no other.
func TestLocalKeys(t *testing.T) {
	for _, key := range nsdiff.LocalKeys {
		if _, ok := knownKeys[key]; !ok && key != versionKey {
			t.Errorf("there is no key %s", key)
		}
	}
	var local []string
	for _, k := range configKeys {
		if IsOwnKey(k.name) && !slices.Contains(nsdiff.LocalKeys, k.name) {
			local = append(local, k.name)
		}
	}
	t.Logf("files, ports and addresses: %q", local)
	for _, key := range []string{"listenPort", "bindAddress", "kvConfigPath", "peerNamesrvAddr", "tls.server.keyPath", "tls.server.keyPassword", "tls.config.file", "logFile", "horizonFile"} {
		if !slices.Contains(local, key) {
			t.Errorf("%s is compared", key)
		}
	}
	for _, key := range []string{"supportActingMaster", "enableTopicList", "waitSecondsForService", "horizonMode", "tls.enable", "maxTopics"} {
		if IsOwnKey(key) {
			t.Errorf("%s is not compared", key)
		}
	}
}

// TestIdleKeys: the keys of Java that nobody compares with ours are those that mean
// nothing here.
func TestIdleKeys(t *testing.T) {
	var unused []string
	for _, k := range configKeys {
		if k.unused {
			unused = append(unused, k.name)
		}
	}
	slices.Sort(unused)
	if !slices.Equal(unused, nsdiff.IdleKeys) {
		t.Errorf("got %q, want %q", nsdiff.IdleKeys, unused)
	}
}

// TestPeerConfig is what Validate says of the keys.
func TestPeerConfig(t *testing.T) {
	for list, want := range map[string]string{
		"": "", "ns2:9876": "", "10.0.0.1:9876;[fd00::1]:9876": "",
		"ns2":                                  "not host:port",
		"ns2:9876;":                            "empty item",
		"ns2:0":                                "not host:port",
		strings.Repeat("n:1;", 32) + "last:99": "lists 33 name servers",
	} {
		cfg := DefaultConfig()
		cfg.PeerNamesrvAddr = list
		if err := cfg.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", list, err, want)
		}
	}
	for _, d := range []time.Duration{0, 9 * time.Second, 25 * time.Hour, -1} {
		cfg := DefaultConfig()
		cfg.PeerCheck = d
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "peerCheckSeconds") {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// runServer runs a server until the test ends, or until stop is called.
func runServer(t *testing.T, change func(*Config), prepare func(*Server)) (s *Server, stop func()) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	change(&cfg)
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(s)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(nstest.Patience):
			t.Error("Run does not return")
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// waitForPeer waits until a check has had the given result.
func waitForPeer(t *testing.T, s *Server, ok func(PeerStats) bool) PeerStats {
	t.Helper()
	for end := time.Now().Add(nstest.Patience); ; time.Sleep(5 * time.Millisecond) {
		got := s.Snapshot().Peers[0]
		if ok(got) {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("the peer shows %+v", got)
		}
	}
}

// soonChecked lets a server compare itself again and again.
func soonChecked(s *Server) {
	s.peers.first, s.peers.every, s.peers.again = time.Millisecond, time.Millisecond, time.Millisecond
}

// TestPeersOverTheNetwork runs servers that ask each other.
func TestPeersOverTheNetwork(t *testing.T) {
	other, stopOther := runServer(t, func(*Config) {}, nil)
	s, _ := runServer(t, func(c *Config) { c.PeerNamesrvAddr = other.Addr().String() }, soonChecked)
	got := waitForPeer(t, s, func(p PeerStats) bool { return p.Up })
	if got.Version != Version() || !got.Brokers.Compared || !got.Topics.Compared || !got.Config.Compared || got.Brokers.Now+got.Topics.Now+got.Config.Now > 0 || !got.KV.Compared || got.KV.Now > 0 {
		t.Errorf("two empty servers: %+v", got)
	}
	b := nstest.Broker{Cluster: "C", Name: "a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T", "U"}}
	nstest.Dial(t, other.Addr().String()).Do(b.Register())
	got = waitForPeer(t, s, func(p PeerStats) bool { return p.Brokers.Now > 0 && p.Topics.Now == 2 })
	if want := []string{"T: only there", "U: only there"}; !slices.Equal(got.Topics.Samples, want) || got.Topics.Differ > 0 {
		t.Errorf("topics %+v, want %q", got.Topics, want)
	}
	stopOther()
	if got = waitForPeer(t, s, func(p PeerStats) bool { return !p.Up }); got.Why == "" || got.Failed == 0 || got.Brokers.Compared {
		t.Errorf("the other one has ended: %+v", got)
	}
}

// TestPeersEndWithTheServer ends a server whose peer accepts and says nothing.
func TestPeersEndWithTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			asked <- c
		}
	}()
	s, stop := runServer(t, func(c *Config) { c.PeerNamesrvAddr = l.Addr().String() }, func(s *Server) { s.peers.first = time.Millisecond })
	c := <-asked
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	stop()
	if p := s.Snapshot().Peers[0]; p.Checks > 0 && time.Since(began) < peerTimeout {
		t.Errorf("a check that the end has cut off counts: %+v", p)
	}
}

// TestNoPeersNobodyAsked: without the key there is nothing that could ask.
func TestNoPeersNobodyAsked(t *testing.T) {
	s, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.ReleaseFiles()
	if s.peers != nil || s.Snapshot().Peers != nil {
		t.Errorf("peers: %+v", s.Snapshot().Peers)
	}
}

// TestPeerTopics: what differs is told of the topic that was asked for, and of no other; what
// is not known says why.
func TestPeerTopics(t *testing.T) {
	few, many := peerDiff{}, peerDiff{}
	few.add([]byte("THERE"), onlyThere)
	few.add([]byte("HERE"), onlyHere)
	for i := range 2 * watchedDifferences {
		many.add([]byte(strconv.Itoa(i)), onlyThere)
	}
	few.finish(0, &peerDiff{})
	many.finish(0, &peerDiff{})
	up := PeerStats{Up: true, Topics: PeerPart{Compared: true}}
	p := &peers{list: []*peer{
		{addr: "few", stats: up, names: few},
		{addr: "many", stats: up, names: many},
		{addr: "down", stats: PeerStats{Why: "no answer"}},
		{addr: "other", stats: PeerStats{Up: true, Topics: PeerPart{Why: "refused"}}},
	}}
	for name, want := range map[string]PeerTopic{"THERE": {Differs: true, Has: true}, "HERE": {Differs: true}, "ELSE": {}, "THER": {}} {
		all := p.topic(name)
		want.Addr = "few"
		if all[0] != want {
			t.Errorf("%s: %+v, want %+v", name, all[0], want)
		}
		if all[1].Unknown == "" || all[2].Unknown != "no answer" || all[3].Unknown != "refused" {
			t.Errorf("%s: %+v", name, all[1:])
		}
	}
	if (*peers)(nil).topic("T") != nil {
		t.Error("nobody is asked, and something is known")
	}
}
