package route

import (
	"fmt"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// The files java_*_test.go hold the tests of the Java name server, one for
// one: the number in front is that of the table in docs/COMPAT.md. A test
// asserts what the Java test meant, also where the Java test asserts nothing.

// A javaTable is a fresh table for one test, with a clock and the settings that
// the Java tests switch.
type javaTable struct {
	*Table
	t             *testing.T
	now           int64
	acting        bool // supportActingMaster
	deleteMissing bool // deleteTopicWithBrokerRegistration
}

// newJavaTable returns an empty table; when the test ends it must be in order.
func newJavaTable(t *testing.T) *javaTable {
	t.Parallel()
	j := &javaTable{Table: New(Options{}), t: t, now: 1_700_000_000_000}
	t.Cleanup(func() {
		if err := j.CheckInvariants(); err != nil {
			t.Errorf("at the end of the test: %v", err)
		}
	})
	return j
}

// A javaBroker is what a broker of a Java test says of itself.
type javaBroker struct {
	RegistrationHeader
	version codec.DataVersion
	conn    uint64
}

// at returns the same broker at another address and with another ID.
func (b javaBroker) at(addr string, id int64) javaBroker {
	b.BrokerAddr, b.BrokerID = addr, id
	return b
}

// named returns the same broker under another name.
func (b javaBroker) named(name string) javaBroker {
	b.BrokerName = name
	return b
}

// in returns the same broker in another cluster.
func (b javaBroker) in(cluster string) javaBroker {
	b.Cluster = cluster
	return b
}

// over returns the same broker registering over a connection.
func (b javaBroker) over(conn uint64) javaBroker {
	b.conn = conn
	return b
}

// notActing returns the same broker without a wish for acting masters.
func (b javaBroker) notActing() javaBroker {
	b.EnableActingMaster = false
	return b
}

// silentFor returns the same broker with a timeout of its own.
func (b javaBroker) silentFor(millis int64) javaBroker {
	b.TimeoutMillis = millis
	return b
}

// next returns the same broker with the next data version.
func (b javaBroker) next() javaBroker {
	b.version.Counter++
	return b
}

func (b javaBroker) unregistration() Unregistration {
	return Unregistration{Cluster: b.Cluster, BrokerName: b.BrokerName, BrokerAddr: b.BrokerAddr}
}

// topicConfigs are writable topics with as many read as write queues.
func topicConfigs(queues int32, names ...string) []codec.TopicConfig {
	configs := make([]codec.TopicConfig, len(names))
	for i, name := range names {
		configs[i] = codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: queues, WriteQueueNums: queues, Perm: 6}
	}
	return configs
}

// register registers a broker that lists no filter servers.
func (j *javaTable) register(b javaBroker, topics ...codec.TopicConfig) RegisterResult {
	j.t.Helper()
	b.DeleteMissingTopics = j.deleteMissing
	result, err := j.RegisterBroker(j.now, &Registration{
		RegistrationHeader: b.RegistrationHeader,
		Conn:               b.conn,
		Body:               &codec.RegisterBrokerBody{DataVersion: b.version, Topics: topics},
	})
	if err != nil {
		j.t.Fatalf("register %s %d at %s: %v", b.BrokerName, b.BrokerID, b.BrokerAddr, err)
	}
	return result
}

func (j *javaTable) unregister(brokers ...javaBroker) {
	requests := make([]Unregistration, len(brokers))
	for i, b := range brokers {
		requests[i] = b.unregistration()
	}
	j.UnregisterBrokers(requests...)
}

// offer stores a topic with 8 queues for one broker name, as a broker does that
// has created it.
func (j *javaTable) offer(topic, brokerName string, perm, flag int32) bool {
	stored, err := j.RegisterTopic(topic, []codec.QueueData{{BrokerName: brokerName, ReadQueueNums: 8, WriteQueueNums: 8, Perm: perm, TopicSysFlag: flag}})
	return stored && err == nil
}

// expire runs the scan and returns the addresses of those it removed.
func (j *javaTable) expire() string {
	var addrs []string
	for _, e := range j.ScanNotActiveBroker(j.now) {
		addrs = append(addrs, e.Addr)
	}
	return strings.Join(addrs, " ")
}

// route returns a topic's route as its readers decode it, one broker name as
// "name id=address … read/write/perm", or "none".
func (j *javaTable) route(topic string) string {
	j.t.Helper()
	v := j.View()
	e, ok := v.Topic([]byte(topic))
	if !ok {
		return "none"
	}
	var data codec.TopicRouteData
	if err := data.Decode(v.RouteBody(e, codec.DialectStrict, j.acting)); err != nil {
		j.t.Fatalf("the route of %s: %v", topic, err)
	}
	if len(data.BrokerDatas) != len(data.QueueDatas) {
		j.t.Fatalf("the route of %s has %d brokers and %d queue datas", topic, len(data.BrokerDatas), len(data.QueueDatas))
	}
	var names []string
	for i, b := range data.BrokerDatas {
		q := data.QueueDatas[i]
		text := b.BrokerName
		for _, a := range b.BrokerAddrs {
			text += fmt.Sprintf(" %d=%s", a.ID, a.Addr)
		}
		if q.BrokerName != b.BrokerName {
			text += " with the queues of " + q.BrokerName
		}
		names = append(names, fmt.Sprintf("%s %d/%d/%d", text, q.ReadQueueNums, q.WriteQueueNums, q.Perm))
	}
	return strings.Join(names, "; ")
}

// wantRoute compares the routes of topics with one text; when says what has
// just happened.
func (j *javaTable) wantRoute(when, want string, topics ...string) {
	j.t.Helper()
	for _, topic := range topics {
		if got := j.route(topic); got != want {
			j.t.Errorf("%s: route of %s is\n\t%s, want\n\t%s", when, topic, got, want)
		}
	}
}

// wantBody compares an encoded answer.
func (j *javaTable) wantBody(what string, got []byte, want string) {
	j.t.Helper()
	if string(got) != want {
		j.t.Errorf("%s is\n\t%s, want\n\t%s", what, got, want)
	}
}
