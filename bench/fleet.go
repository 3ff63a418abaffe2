package bench

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
)

// What every topic of the load is like. Registrations that change a topic turn
// its number of read queues from queueNums into changedNums, and back.
const (
	queueNums   = 8
	changedNums = 4
	topicPerm   = 6 // read and write
)

// dataVersionTime is the timestamp of every data version, in milliseconds: the
// same in every run, so that the bytes are.
const dataVersionTime = 1_700_000_000_000

// A fleet is the brokers and topics of a run.
type fleet struct {
	header  codec.SerializeType
	form    string
	brokers []*broker
	topics  []*topic
	// generation counts changes of the brokers' states. A reply that was checked in
	// full is not checked again as long as the generation is the same.
	generation atomic.Uint64
	now        func() int64 // the run's time
	disturbed  atomic.Bool  // brokers do not become brokerThere by registering
	survey     survey
}

// A broker is one master. One connection at a time sends for it.
type broker struct {
	cluster, name, addr string
	timeoutMillis       int64 // after which the server gives it up; 0 leaves it to the server
	topics              []*topic
	counter             atomic.Int64 // of the data version registered last

	state atomic.Int32
	since atomic.Int64 // when state came to be, in the run's nanoseconds

	leftOut atomic.Bool // the survey saw a route without it
}

// The states of a broker, as far as the run can know. While it comes or goes a
// route may name it or not.
const (
	brokerThere int32 = iota
	brokerMoving
	brokerGone
)

// A topic is one topic and the brokers that its route must name.
type topic struct {
	name    string
	brokers []*broker
	request *template
	fleet   *fleet
	known   atomic.Pointer[knownBody]

	lost, shrunk atomic.Bool // the survey saw no route of it, or one that lacks brokers
}

// topicsOfItsOwn are topics that a broker registers beside its share of the load.
// Real brokers have such topics, and name servers refuse a new broker that
// registers exactly one topic.
const topicsOfItsOwn = 2

// newFleet lays out p.Topics topics over p.Brokers brokers. Topics come in
// blocks, all topics of a block on the same p.BrokersPerTopic brokers, as in
// the Java project's benchmarks.
func newFleet(p Params, seed uint64) *fleet {
	f := &fleet{header: p.header(), form: p.Form}
	for i := range p.Brokers {
		b := &broker{
			cluster: fmt.Sprintf("nsbench-cluster-%d", i%4),
			name:    fmt.Sprintf("nsbench-broker-%05d", i),
			// On loopback: a server that connects to brokers must not reach a stranger.
			addr: fmt.Sprintf("127.%d.%d.%d:10911", 100+i>>16, i>>8&255, i&255),
		}
		b.counter.Store(firstNumber)
		b.timeoutMillis = time.Duration(p.BrokerTimeout).Milliseconds()
		f.brokers = append(f.brokers, b)
	}
	if p.Brokers == 0 || p.Topics == 0 {
		return f
	}
	letters := rand.New(rand.NewPCG(seed, 1))
	k := p.BrokersPerTopic
	blocks := max(1, (p.Brokers+k-1)/k)
	for i := range p.Topics {
		t := &topic{name: fmt.Sprintf("nsbench-topic-%06d", i), fleet: f}
		if p.LongNames {
			t.name = randomLetters(letters, 32) + fmt.Sprint(i)
		}
		block := i * blocks / p.Topics
		for j := range k {
			b := f.brokers[(block*k+j)%p.Brokers]
			t.brokers = append(t.brokers, b)
			b.topics = append(b.topics, t)
		}
		t.request = routeRequest(f.header, t.name)
		f.topics = append(f.topics, t)
	}
	return f
}

func randomLetters(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

// set changes the state of a broker. now is the run's time.
func (f *fleet) set(b *broker, state int32, now int64) {
	b.since.Store(now)
	b.state.Store(state)
	f.generation.Add(1)
}

// dataVersion is the one registered last.
func (b *broker) dataVersion() codec.DataVersion {
	return codec.DataVersion{Timestamp: dataVersionTime, Counter: b.counter.Load()}
}

// topicConfigs are all topics that b registers.
func (b *broker) topicConfigs() []codec.TopicConfig {
	configs := make([]codec.TopicConfig, 0, len(b.topics)+topicsOfItsOwn)
	add := func(name string) {
		configs = append(configs, codec.TopicConfig{
			Name: []byte(name), Key: []byte(name), ReadQueueNums: queueNums, WriteQueueNums: queueNums, Perm: topicPerm,
		})
	}
	for _, t := range b.topics {
		add(t.name)
	}
	add(b.name)
	add(b.name + "-sync")
	return configs
}
