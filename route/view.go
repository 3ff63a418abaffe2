package route

import (
	"iter"
	"sync"
	"sync/atomic"
	"unsafe"

	"gonamesrv/codec"
)

// A View is the state of a Table at one moment. It never changes, so a reader
// takes no lock and sees all tables as of the same change.
//
// Views are numbered in the order in which they were published, and each differs
// from the one before. One that was published in the middle of a large change is
// a View like others. What has changed between two of them says Diff.
type View struct {
	topics  trie[*TopicEntry]
	live    trie[*LiveInfo]
	brokers *brokerTable
	// sweeping says that there are topics of broker sets that are gone, of which
	// nobody is to be shown anything.
	sweeping bool
	names    *topicNames // of all topics; shared by Views with the same topics
	lists    *topicLists // further lists; shared by Views that show the same in them
	cache    *bodyCache  // of the Table
	edition  uint64      // that of the View before, and 1
	seq      uint64      // of the newest event when it was published
}

// A brokerTable is the brokerAddrTable of a View, shared by all Views between
// two changes of a broker set.
type brokerTable struct {
	version      uint64
	byName       trie[*Broker]
	listings     trie[*listing]
	byID         vector[Broker]
	links        trie[*link]
	clusterInfo  lazyBody
	systemTopics lazyBody
}

// A lazyBody is an encoded answer that the first reader makes, while those who
// come at the same time wait: it may be large. Not for event loops.
type lazyBody struct {
	p  atomic.Pointer[[]byte]
	mu sync.Mutex // held by who makes it
}

func (l *lazyBody) get(encode func() []byte) []byte {
	return l.getWithin(nil, encode)
}

// getWithin is get for a body that is kept only if it fits; nil is any room.
func (l *lazyBody) getWithin(room *byteCount, encode func() []byte) []byte {
	if b := l.p.Load(); b != nil {
		return *b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.p.Load(); b != nil {
		return *b
	}
	b := encode()
	if room == nil || room.claim(int64(cap(b))) {
		l.p.Store(&b)
	}
	return b
}

// window makes a string of b without copying it. The string is good for as
// long as b does not change: for a look-up, never to be kept.
func window(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Edition returns the number of the View: 1 is the empty one that a Table begins
// with. Another process counts anew.
func (v *View) Edition() uint64 { return v.edition }

// Seq returns the number of the newest event of the Journal when the View was
// published: the View shows all that events up to it say.
func (v *View) Seq() uint64 { return v.seq }

// Topic returns the entry of a topic. name is borrowed.
func (v *View) Topic(name []byte) (*TopicEntry, bool) {
	return v.topic(v.topics.hash(window(name)), name)
}

// topic is Topic for a name of which h is the hash.
func (v *View) topic(h uint64, name []byte) (*TopicEntry, bool) {
	e, ok := v.topics.find(h, window(name))
	if ok && v.sweeping && !v.serves(e) {
		return nil, false
	}
	return e, ok
}

// serves reports whether a broker set that is not gone has the topic.
func (v *View) serves(e *TopicEntry) bool {
	for q := range e.queues.all {
		if !v.brokers.byID.get(q.set).gone {
			return true
		}
	}
	return false
}

// Broker returns the broker set with the given name. name is borrowed.
func (v *View) Broker(name []byte) (*Broker, bool) { return v.brokers.byName.get(window(name)) }

// Brokers returns the broker sets, in no useful order.
func (v *View) Brokers() iter.Seq[*Broker] { return v.brokers.byName.all }

// TopicCount returns the number of topics, with those of brokers that have just
// gone.
func (v *View) TopicCount() int { return v.topics.size }

// BrokerCount returns the number of broker sets.
func (v *View) BrokerCount() int { return v.brokers.byName.size }

// RouteBody is RouteIn for a form without zone or order configuration.
func (v *View) RouteBody(e *TopicEntry, d codec.Dialect, acting bool) []byte {
	return v.RouteIn(e, &RouteForm{Dialect: d, Acting: acting})
}
