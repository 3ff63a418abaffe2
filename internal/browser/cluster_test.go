//go:build browser

package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// A cluster is what has registered at a site. Each broker has a connection of its own.
type cluster struct {
	name   string
	topic  string // one of its topics; one that is not there if it has none
	broker string // as well
	conns  map[string]*nstest.Client
}

// clusters are what the pages are looked at with.
var clusters = []struct {
	name     string
	register func(t *testing.T, s *site) *cluster
}{
	{"none", nobody},
	{"three", threeBrokers},
	{"names", badNames},
	{"many", manyBrokers},
}

func nobody(*testing.T, *site) *cluster {
	return &cluster{name: "none", topic: "ORDERS", broker: "broker-a"}
}

// threeBrokers are a set with a slave, a set without, a set that has lost its master, and
// names that would like to be markup.
func threeBrokers(t *testing.T, s *site) *cluster {
	c := &cluster{name: "three", topic: "ORDERS", broker: "broker-a", conns: map[string]*nstest.Client{}}
	for _, b := range []nstest.Broker{
		{Cluster: "shop", Name: "broker-a", Addr: "10.0.0.1:10911", Topics: []string{"TBW102", "ORDERS", "PAYMENTS", "%RETRY%billing", "<b>bold</b>"}},
		{Cluster: "shop", Name: "broker-a", ID: 1, Addr: "10.0.0.2:10911", Topics: []string{"ORDERS", "PAYMENTS"}},
		{Cluster: "shop", Name: "broker-b", Addr: "10.0.0.3:10911", Topics: []string{"TBW102", "ORDERS", "SHIPMENTS"}},
		{Cluster: "shop", Name: "broker-c", ID: 2, Addr: "10.0.0.5:10911", Topics: []string{"STOCK", "RETURNS"}, Fields: []string{"enableActingMaster", "true"}},
	} {
		c.register(t, s, b)
	}
	asker := nstest.Dial(t, s.addr)
	for range 3 {
		asker.Do(nstest.Route("NOT_THERE"))
		asker.Do(nstest.Route("ORDERS"))
	}
	return c
}

// hostile is a name that would be a script if it were not escaped.
const hostile = `<img src=x onerror="alert(1)"><script>alert(1)</script>'"&`

// badNames are brokers whose names are as long as names may be, or would like to be markup.
func badNames(t *testing.T, s *site) *cluster {
	c := &cluster{name: "names", topic: hostile, broker: hostile, conns: map[string]*nstest.Client{}}
	long, hyphens := strings.Repeat("W", 255), strings.Repeat("long-name-", 25)+"x.y.z"
	for _, b := range []nstest.Broker{
		{Cluster: long, Name: long, Addr: "10.2.0.1:10911", Topics: []string{strings.Repeat("T", 127), "SHORT"}},
		{Cluster: hyphens, Name: hyphens, ID: 1, Addr: "broker.with.a.long.name.of.a.host.example.com:10911", Topics: []string{"SHORT", "SLAVE"}},
		{Cluster: hostile, Name: hostile, Addr: "10.2.0.3:10911", Topics: []string{hostile, "SHORT", "\u202eOTHER WAY", "größe"}},
	} {
		c.register(t, s, b)
	}
	return c
}

// manyBrokers are 300 brokers with 100,000 topics.
func manyBrokers(t *testing.T, s *site) *cluster {
	c := &cluster{name: "many", topic: "topic-000001", broker: "broker-001", conns: map[string]*nstest.Client{}}
	const brokers, topics = 300, 100_000
	for i := range brokers {
		b := nstest.Broker{Cluster: fmt.Sprintf("cluster-%d", i%4), Name: fmt.Sprintf("broker-%03d", i), Addr: fmt.Sprintf("10.1.%d.%d:10911", i/200, i%200+1)}
		for topic := i; topic < topics; topic += brokers {
			b.Topics = append(b.Topics, fmt.Sprintf("topic-%06d", topic))
		}
		c.register(t, s, b)
	}
	return c
}

func (c *cluster) register(t *testing.T, s *site, b nstest.Broker) {
	t.Helper()
	conn := nstest.Dial(t, s.addr)
	if reply := conn.Do(b.Register()); codec.ResponseCode(reply.Code) != codec.RespSuccess {
		t.Fatalf("%s is refused: %d %s", b.Name, reply.Code, reply.Remark)
	}
	c.conns[b.Addr] = conn
	// It lives on, as often as brokers do, until its connection ends: a test may take longer on
	// a busy machine than a silent broker lives.
	beat := nstest.Request(codec.ReqBrokerHeartbeat, "clusterName", b.Cluster, "brokerName", b.Name, "brokerAddr", b.Addr)
	beat.Flag |= codec.FlagOneway
	go func() {
		for range time.Tick(30 * time.Second) {
			if conn.TryWrite(conn.Frame(beat)) != nil {
				return
			}
		}
	}()
}
