package namesrv_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/meter"
)

// durationOf returns how long the requests of a code took.
func durationOf(s *testServer, code codec.RequestCode) meter.Reading {
	for _, m := range s.Meters().Requests {
		if m.Code == code {
			return m.Duration
		}
	}
	return meter.Reading{}
}

// TestOutcomes counts each request once, by what it was answered, however many
// connections send at once, and times those of workers each.
func TestOutcomes(t *testing.T) {
	s := start(t, nil)
	s.dial(t).Do(brokerA.Register())
	const conns, each = 8, 50
	var all sync.WaitGroup
	for range conns {
		c := s.dial(t)
		all.Go(func() {
			for i := range each {
				c.Do(nstest.Route("T"))
				c.Do(nstest.Route(fmt.Sprint("none-", i)))
				oneway := beat()
				oneway.Flag = codec.FlagOneway
				c.Write(c.Frame(oneway))
				c.Do(group())
				c.Do(nstest.Request(9999))
			}
		})
	}
	all.Wait()
	const n = conns * each
	for code, want := range map[codec.RequestCode]map[string]uint64{
		codec.ReqGetRouteInfoByTopic:  {"success": n, "topic_not_exist": n},
		codec.ReqBrokerHeartbeat:      {"oneway": n},
		codec.ReqGetBrokerMemberGroup: {"success": n},
		codec.ReqRegisterBroker:       {"success": 1},
		0:                             {"request_code_not_supported": n},
	} {
		if st := statsOf(s, code); !maps.Equal(st.Outcomes, want) || st.Requests != sum(want) {
			t.Errorf("%s: %d requests, %v, want %v", st.Name, st.Requests, st.Outcomes, want)
		}
	}
	if got := durationOf(s, codec.ReqGetBrokerMemberGroup).Count; got != n {
		t.Errorf("%d member groups are timed, want %d", got, n)
	}
	if got := durationOf(s, codec.ReqGetRouteInfoByTopic).Count; got == 0 || got > 2*n {
		t.Errorf("samples stand for %d of %d routes", got, 2*n)
	}
	m := s.Meters()
	var classes []string
	for _, p := range m.Pools {
		classes = append(classes, p.Class)
		want := map[string]uint64{"liveness": n, "change": 1}[p.Class]
		if p.Wait.Count != want || p.Service.Count != want {
			t.Errorf("%s: %d waited, %d were served, want %d", p.Class, p.Wait.Count, p.Service.Count, want)
		}
	}
	if want := []string{"client", "liveness", "change", "admin", "disk"}; !slices.Equal(classes, want) {
		t.Errorf("the classes are %v, want %v", classes, want)
	}
	if len(m.Requests) != len(s.Snapshot().Requests) || m.Requests[len(m.Requests)-1].Name != "other" || len(m.LoopDelay) != len(s.Snapshot().Engine.LoopOpen) {
		t.Errorf("%d codes, %d loops", len(m.Requests), len(m.LoopDelay))
	}
	if m.LockWait.Count == 0 || m.LockHold.Count == 0 || m.RegistrationBytes.Count != 1 {
		t.Errorf("the lock was taken %d times and held %d times, %d bodies", m.LockWait.Count, m.LockHold.Count, m.RegistrationBytes.Count)
	}
	s.ScanIn(0)
	if got := s.Meters().ExpiryScan.Count; got == 0 {
		t.Error("a scan is not timed")
	}
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// TestOutcomeOfAbandoned: a request whose connection ends while it waits for a late
// answer is counted all the same.
func TestOutcomeOfAbandoned(t *testing.T) {
	bothPlaces(t, func(t *testing.T, loop bool) {
		w, prepare := answersLater(loop)
		s := start(t, nil, prepare)
		c := s.dial(t)
		c.Write(c.Frame(group()))
		<-w.ps
		c.Close()
		nstest.Eventually(t, "abandoned", func() bool { return statsOf(s, w.code).Abandoned == 1 })
		nstest.Eventually(t, "counted", func() bool {
			return maps.Equal(statsOf(s, w.code).Outcomes, map[string]uint64{"abandoned": 1})
		})
	})
}

// TestRegistrationResults: registrations are counted by what became of them, and topics
// by what they did.
func TestRegistrationResults(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.DeleteTopicWithBrokerRegistration = true })
	c := s.dial(t)
	want := namesrv.RegistrationStats{}
	b := brokerA
	step := func(what string, change func()) {
		t.Helper()
		change()
		c.Do(b.Register())
		if got := s.Snapshot().Registered; got != want {
			t.Fatalf("%s: %+v, want %+v", what, got, want)
		}
	}
	step("two topics", func() { want.Changed, want.TopicsAdded = 1, 2 })
	step("the same again", func() { want.Unchanged = 1 })
	step("another one", func() {
		b.Topics, b.Counter = append(slices.Clone(b.Topics), "V"), b.Counter+1
		want.Changed, want.TopicsAdded = 2, 3
	})
	step("one less", func() {
		b.Topics, b.Counter = b.Topics[1:], b.Counter+1
		want.Changed, want.TopicsRemoved = 3, 1
	})
	step("a stranger with a single topic", func() {
		b.Name, b.Addr, b.Topics = "single", "10.0.0.77:10911", []string{"T"}
		want.Refused = 1
	})
}

// TestKVSaves counts what is written to disk, and what cannot be.
func TestKVSaves(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.KVConfigPath = filepath.Join(t.TempDir(), "kv.json") })
	c := s.dial(t)
	for range 2 { // the second one changes nothing
		c.Do(putKV("namespace", "n", "key", "k", "value", "v"))
	}
	c.Do(putKV("namespace", "n", "key", "l", "value", "v"))
	if got := s.Snapshot().KVConfig; got.Saves != 2 || got.SavesFailed != 0 || got.Entries != 2 || s.Meters().KVSave.Count != 2 {
		t.Errorf("%+v, %d timed, want 2 saves of 2 entries", got, s.Meters().KVSave.Count)
	}
}

// TestConnectionsOfAServer lists who is connected, as what, and for which brokers.
func TestConnectionsOfAServer(t *testing.T) {
	s := start(t, nil)
	broker, client, mute := s.dial(t), s.dial(t), s.dial(t)
	broker.Do(brokerA.Register())
	r := nstest.Route("T")
	r.Language, r.Version = codec.LanguageGo, codec.V5_3_1
	for range 3 {
		client.Do(r)
	}
	var got []namesrv.Connection
	nstest.Eventually(t, "all are there", func() bool {
		var err error
		if got, err = s.Connections(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(got) == 3 && got[0].Served+got[1].Served+got[2].Served == 4
	})
	var kinds []string
	for _, c := range got {
		if c.Broker != slices.Equal(c.Brokers, []string{"a"}) {
			t.Errorf("a broker? %v, it has %v", c.Broker, c.Brokers)
		}
		kinds = append(kinds, fmt.Sprint(c.Language, " ", c.Version, " ", c.Served, " ", c.Broker))
	}
	slices.Sort(kinds)
	name, minor := codec.VersionName(brokerA.Register().Version)
	want := []string{"  0 false", "GO V5_3_1 3 false", "JAVA " + name + " 1 true"}
	if !slices.Equal(kinds, want) {
		t.Errorf("connected are %q, want %q", kinds, want)
	}
	clients := []namesrv.ClientCount{{Language: "GO", Version: "5.3", Count: 1}, {Language: "JAVA", Version: minor, Count: 1}}
	if got := s.Snapshot().Clients; !slices.Equal(got, clients) {
		t.Errorf("clients are %v, want %v", got, clients)
	}
	client.Close()
	mute.Close()
	nstest.Eventually(t, "one is gone", func() bool { return slices.Equal(s.Snapshot().Clients, clients[1:]) })
}

// TestConnectionsAfterTheEnd: who asks too late is told.
func TestConnectionsAfterTheEnd(t *testing.T) {
	var s *testServer
	t.Run("while it lives", func(t *testing.T) {
		s = start(t, nil)
		<-s.Ready()
		if all, err := s.Connections(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
	})
	if _, err := s.Connections(t.Context()); err != engine.ErrNotRunning {
		t.Errorf("after the end: %v", err)
	}
}

// TestTop finds a topic that is asked for most, one that is missed most, and who asks.
func TestTop(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprint("onLoop=", onLoop), func(t *testing.T) {
			s := start(t, func(c *namesrv.Config) { c.RouteReadsOnLoop = onLoop })
			c := s.dial(t)
			c.Do(brokerA.Register())
			nstest.Eventually(t, "both topics and the peer are there", func() bool {
				for range 200 {
					c.Do(nstest.Route("T"))
					c.Do(nstest.Route("missing"))
				}
				top := s.Top(2)
				return len(top.Topics) == 2 && len(top.Missed) == 1 && top.Missed[0].Name == "missing" &&
					len(top.Peers) == 1 && top.Peers[0].Name == "127.0.0.1" && top.Peers[0].Count > 0
			})
			if n := len(s.Top(1).Topics); n != 1 {
				t.Errorf("of the first one there are %d", n)
			}
		})
	}
}
