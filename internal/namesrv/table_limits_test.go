package namesrv_test

import (
	"fmt"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// shown is what the server shows of its tables.
func shown(c *nstest.Client) string {
	text := ""
	for _, r := range []*codec.Command{
		nstest.Request(codec.ReqGetBrokerClusterInfo), nstest.Request(codec.ReqGetAllTopicListFromNameserver),
		nstest.Route("T"), nstest.Route("U"),
	} {
		text += string(c.Do(r).Body) + "\n"
	}
	return text
}

// TestBeyondALimit sends what goes beyond each limit. It is answered with code 1
// and the limit, and changes nothing.
func TestBeyondALimit(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	register := func(change func(b *nstest.Broker)) *codec.Command {
		b := brokerA
		b.Counter = 2
		change(&b)
		return b.Register()
	}
	for _, tc := range []struct {
		name    string
		request *codec.Command
		limit   route.Limit
		remark  string
	}{
		{"cluster", register(func(b *nstest.Broker) { b.Cluster = long(256) }), route.LimitNameLength, "name has 256 bytes, more than 255"},
		{"name", register(func(b *nstest.Broker) { b.Name = long(300) }), route.LimitNameLength, "name has 300 bytes, more than 255"},
		{"zone", register(func(b *nstest.Broker) { b.Fields = []string{"__ZONE_NAME", long(256)} }), route.LimitNameLength, "name has 256 bytes, more than 255"},
		{"address", register(func(b *nstest.Broker) { b.Addr = long(261) }), route.LimitAddrLength, "address has 261 bytes, more than 260"},
		{"topic", register(func(b *nstest.Broker) { b.Topics = []string{"V", long(513)} }), route.LimitTopicLength, "topic name has 513 bytes, more than 512"},
		{"topics", register(func(b *nstest.Broker) { b.Topics = []string{"V", "W"} }), route.LimitTopics, "there would be 4 topics, more than maxTopics, 3"},
		{"entries", register(func(b *nstest.Broker) { b.ID, b.Addr, b.Name, b.Topics = 0, "10.0.0.3:10911", "c", []string{"T", "U"} }), route.LimitEntries, "there would be 6 route entries, more than maxRouteEntries, 5"},
		{"brokers", register(func(b *nstest.Broker) { b.ID, b.Addr = 7, "10.0.0.3:10911"; b.Topics = nil }), route.LimitBrokers, "there would be 4 brokers, more than maxBrokers, 3"},
		{"one topic", withBody(nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", long(513)), `{"queueDatas":[{"brokerName":"a"}]}`), route.LimitTopicLength, "topic name has 513 bytes, more than 512"},
		{"one topic more", withBody(nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "V"), `{"queueDatas":[{"brokerName":"a"},{"brokerName":"b"}]}`), route.LimitEntries, "there would be 6 route entries, more than maxRouteEntries, 5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, log := startLogging(t, func(c *namesrv.Config) { c.MaxTopics, c.MaxBrokers, c.MaxRouteEntries = 3, 3, 5 })
			c := s.dial(t)
			if tc.limit == route.LimitBrokers {
				wantCode(t, c.Do(nstest.Broker{Cluster: "C", Name: "z", Addr: "10.0.0.9:1"}.Register()), 0, "")
			}
			for _, b := range []nstest.Broker{brokerA, {Cluster: "C", Name: "b", Addr: "10.0.0.2:10911", Topics: []string{"T", "U"}}} {
				wantCode(t, c.Do(b.Register()), 0, "")
			}
			before := shown(c)
			wantReply(t, c, tc.request, codec.RespSystemError, "", tc.remark, "")
			if after := shown(c); after != before {
				t.Errorf("it has changed\n%s\nto\n%s", before, after)
			}
			if n := s.Table().Refusals(tc.limit); n != 1 {
				t.Errorf("%d counted, want 1", n)
			}
			wantCode(t, c.Do(brokerA.Register()), 0, "")
			if !log.has("registration refused, it would go beyond a limit") || !log.has(fmt.Sprintf("limit=%q", tc.limit)) && !log.has(fmt.Sprint("limit=", tc.limit)) {
				t.Errorf("it is not in the log: %s", log)
			}
		})
	}
}

func withBody(r *codec.Command, body string) *codec.Command {
	r.Body = []byte(body)
	return r
}

// TestLongestLegalNames registers the longest names that RocketMQ's brokers may
// have: a retry topic of a group of 255 for a topic of 127, and a host name of
// 253 with a port.
func TestLongestLegalNames(t *testing.T) {
	long := func(n int) string { return strings.Repeat("n", n) }
	topics := []string{
		"%RETRY%" + long(255) + "_" + long(127), "%DLQ%" + long(255), "rmq_sys_SYNC_BROKER_MEMBER_" + long(255),
		"rmq_sys_REVIVE_LOG_" + long(255), long(255) + "_REPLY_TOPIC", long(255),
	}
	b := nstest.Broker{
		Cluster: long(255), Name: long(255), Addr: long(253) + ":1091", Topics: topics,
		Fields: []string{"__ZONE_NAME", long(255)},
	}
	c := start(t, nil).dial(t)
	wantCode(t, c.Do(b.Register()), 0, "")
	for _, topic := range topics {
		if reply := c.Do(nstest.Route(topic)); reply.Code != 0 || !strings.Contains(string(reply.Body), b.Addr) {
			t.Errorf("route of %s: code %d, %s", topic, reply.Code, reply.Body)
		}
	}
}

// TestLimitsFollowMemory lets the limits of the tables follow from the memory of
// small and large machines.
func TestLimitsFollowMemory(t *testing.T) {
	for _, tc := range []struct {
		memory                           int64
		topics, brokers, entries         int
		cache                            int64
		setTopics, setBrokers, setEntris int
		setCache                         int64
	}{
		{64 << 20, 65_536, 2048, 262_144, 8 << 20, 0, 0, 0, 0},
		{1 << 20, 10_000, 1000, 100_000, 8 << 20, 0, 0, 0, 0},
		{1 << 30, 1 << 20, 32_768, 1 << 22, 128 << 20, 0, 0, 0, 0}, // 3 million entries fit
		{4 << 30, 4_000_000, 100_000, 16_000_000, 512 << 20, 0, 0, 0, 0},
		{1 << 40, 4_000_000, 100_000, 16_000_000, 2 << 30, 0, 0, 0, 0},
		{1 << 30, 1, 2, 3, 4, 1, 2, 3, 4},
	} {
		cfg := namesrv.DefaultConfig()
		cfg.MaxTopics, cfg.MaxBrokers, cfg.MaxRouteEntries, cfg.RouteCacheBytes = tc.setTopics, tc.setBrokers, tc.setEntris, tc.setCache
		limits, cache := cfg.RouteLimitsFor(tc.memory)
		if want := (route.Limits{Topics: tc.topics, Brokers: tc.brokers, Entries: tc.entries}); limits != want || cache != tc.cache {
			t.Errorf("with %d bytes: %+v, %d, want %+v, %d", tc.memory, limits, cache, want, tc.cache)
		}
	}
}

// TestRouteCacheIsAKey reads more routes than a server may keep. Its next scan makes room
// for others, and leaves most.
func TestRouteCacheIsAKey(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.RouteCacheBytes = 6000 })
	c := s.dial(t)
	b := brokerA
	b.Topics = nil
	for i := range 50 {
		b.Topics = append(b.Topics, fmt.Sprint("T", i))
	}
	wantCode(t, c.Do(b.Register()), 0, "")
	for _, topic := range b.Topics {
		wantCode(t, c.Do(nstest.Route(topic)), 0, "")
	}
	used, misfits := s.Table().CachedBytes()
	if used == 0 || used > 6000 || misfits == 0 {
		t.Fatalf("%d bytes are kept, %d routes are not", used, misfits)
	}
	s.ScanIn(0)
	if left, _ := s.Table().CachedBytes(); left >= used || left < used*3/4 {
		t.Errorf("the scan has left %d bytes of a cache that had %d", left, used)
	}
}
