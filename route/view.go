package route

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"gonamesrv/codec"
)

// A View is the state of a Table at one moment. It never changes, so a reader
// takes no lock and sees all tables as of the same change.
type View struct {
	topics  trie[*TopicEntry]
	live    trie[*LiveInfo]
	brokers *brokerTable
	// sweeping says that there are topics of broker sets that are gone, of which
	// nobody is to be shown anything.
	sweeping bool
	names    *lazyBody   // the encoded list of all topics; shared by Views with the same topics
	lists    *topicLists // further lists, of this View alone
	cache    *bodyCache  // of the Table
}

// A brokerTable is the brokerAddrTable of a View, shared by all Views between
// two changes of a broker set.
type brokerTable struct {
	version      uint64
	byName       trie[*Broker]
	listings     trie[*listing]
	byID         vector[Broker]
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

// A bodySet holds the encoded routes of one TopicEntry. Its bodies never
// change; a further dialect makes a new bodySet.
type bodySet struct {
	// stamp is the newest brokerTable.version these bodies are known to be
	// right for. They stay right as long as no broker set of the topic changes.
	stamp  atomic.Uint64
	acting bool      // whether acting masters were shown as masters
	bodies [2][]byte // by codec.Dialect; nil where nobody has asked yet
}

// window makes a string of b without copying it. The string is good for as
// long as b does not change: for a look-up, never to be kept.
func window(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Topic returns the entry of a topic. name is borrowed.
func (v *View) Topic(name []byte) (*TopicEntry, bool) {
	e, ok := v.topics.get(window(name))
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

// TopicCount returns the number of topics, with those of brokers that have just
// gone.
func (v *View) TopicCount() int { return v.topics.size }

// BrokerCount returns the number of broker sets.
func (v *View) BrokerCount() int { return v.brokers.byName.size }

// RouteBody returns the encoded route of a topic of this View. acting says
// whether a slave may stand in for a lost master (the configuration key
// supportActingMaster). The bytes are shared by all readers and never change.
//
// The first reader of a dialect encodes it; all others get the same bytes, at
// the price of one comparison as long as no broker set has changed at all
// since, and of one per broker of the topic else. What finds no room in the
// Table's cache is encoded each time.
func (v *View) RouteBody(e *TopicEntry, d codec.Dialect, acting bool) []byte {
	old := e.bodies.Load()
	valid := old != nil && old.acting == acting && v.stillRight(e, old)
	if valid && old.bodies[d] != nil {
		return old.bodies[d]
	}
	fresh := &bodySet{acting: acting}
	fresh.stamp.Store(v.brokers.version)
	if valid {
		fresh.bodies = old.bodies
	}
	data := v.PickupTopicRouteData(e, acting)
	fresh.bodies[d] = data.AppendJSON(nil, d)
	v.cache.replace(e, old, fresh) // lost to another reader: its bodies are as good
	return fresh.bodies[d]
}

// stillRight reports whether bodies encoded from e show its broker sets as v
// knows them. Bodies of a later View than v count as right: that View had been
// published before they were made.
func (v *View) stillRight(e *TopicEntry, b *bodySet) bool {
	stamp := b.stamp.Load()
	if v.brokers.version <= stamp {
		return true
	}
	for q := range e.queues.all {
		if v.brokers.byID.get(q.set).version > stamp {
			return false
		}
	}
	b.stamp.CompareAndSwap(stamp, v.brokers.version)
	return true
}
