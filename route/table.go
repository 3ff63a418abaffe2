package route

import (
	"cmp"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
)

// masterID is the broker ID of a master. Java: MixAll.MASTER_ID.
const masterID = 0

// A Table is everything the name server knows about brokers and topics. Its
// tables keep the names they have in Java's RouteInfoManager; what readers see
// of them is the published View.
//
// All methods may be called from any goroutine. Changes are serial: each one
// takes mu, applies itself completely, publishes one new View and lets go.
// Reading needs only View, and never waits for a change.
type Table struct {
	view atomic.Pointer[View]

	mu      sync.Mutex
	edition uint64 // number of the batch of changes in progress; grows with each publish

	topicQueueTable   trie[*TopicEntry]         // topic -> broker set -> queue data; also holds topicQueueMappingInfoTable's rows
	brokerAddrTable   trie[*Broker]             // broker name -> members
	clusterAddrTable  map[string]map[string]int // cluster -> broker name -> number of reasons to list it
	brokerLiveTable   trie[*LiveInfo]           // (cluster, address) -> last sign of life
	filterServerTable map[BrokerKey][]string    // never an empty list

	topicByID     []*TopicEntry // nil where the ID is free
	freeTopicIDs  []uint32
	brokerByID    []*Broker // nil where the ID is free
	freeBrokerIDs []uint32
	byConn        map[uint64][]*liveBroker // which brokers registered last over a connection
	expiry        expiryQueue
	seen          idMarks       // topics of the registration at hand
	replaced      []*TopicEntry // and removed ones, since the last publish

	cache      *bodyCache // of the encoded routes
	limits     Limits
	links      int                      // what Limits.Brokers bounds: the owners of all live entries
	entries    int                      // what Limits.Entries bounds
	clustersOf map[string]int           // address -> number of live entries with it
	refusals   [limitCount]atomic.Int64 // not under mu

	brokersVersion uint64 // version of the newest Broker
	brokersChanged bool   // since the last publish
	namesChanged   bool   // the set of topic names, since the last publish
	events         []Event
	onEvent        func(Event)
}

// Options configure a Table.
type Options struct {
	// OnEvent, if not nil, is told of each change after it has been published,
	// outside the lock, by the goroutine that made the change.
	OnEvent func(Event)

	Limits Limits

	// CacheBytes is how many bytes of encoded routes are kept; 0 is no limit.
	CacheBytes int64
}

// New returns an empty Table.
func New(o Options) *Table {
	seed := maphash.MakeSeed()
	t := &Table{
		edition:           1,
		topicQueueTable:   newTrie[*TopicEntry](seed),
		brokerAddrTable:   newTrie[*Broker](seed),
		clusterAddrTable:  map[string]map[string]int{},
		brokerLiveTable:   newTrie[*LiveInfo](seed),
		filterServerTable: map[BrokerKey][]string{},
		byConn:            map[uint64][]*liveBroker{},
		limits:            o.Limits.withDefaults(),
		cache:             &bodyCache{byteCount: byteCount{most: cmp.Or(o.CacheBytes, math.MaxInt64)}},
		clustersOf:        map[string]int{},
		onEvent:           o.OnEvent,
	}
	t.brokersChanged, t.namesChanged = true, true
	t.publish()
	return t
}

// View returns what the table looks like now. Lock-free; the View stays as it
// is while the table moves on.
func (t *Table) View() *View { return t.view.Load() }

// publish makes all changes since the last publish visible at once. Under mu.
func (t *Table) publish() {
	v := &View{topics: t.topicQueueTable, live: t.brokerLiveTable, lists: newTopicLists(), cache: t.cache}
	if old := t.view.Load(); old != nil {
		v.brokers, v.names = old.brokers, old.names
	}
	if t.brokersChanged {
		// The copy costs 8 bytes per broker set, and only when a set changed.
		v.brokers = &brokerTable{version: t.brokersVersion, byName: t.brokerAddrTable, byID: copyOf(t.brokerByID)}
	}
	if t.namesChanged {
		v.names = &lazyBody{}
	}
	t.brokersChanged, t.namesChanged = false, false
	v.lists.room.most = min(clusterListBytes, t.cache.most)
	t.view.Store(v)
	t.edition++
	for _, e := range t.replaced { // not before, or those who ask meanwhile would encode it again
		t.cache.retire(e)
	}
	clear(t.replaced)
	if t.replaced = t.replaced[:0]; cap(t.replaced) > maxKeptReplaced {
		t.replaced = nil
	}
}

// maxKeptReplaced is for how many entries Table.replaced keeps its memory.
const maxKeptReplaced = 1 << 14

// unlock publishes, lets other changes in and then tells of this one. Every
// change ends with it.
func (t *Table) unlock() {
	t.publish()
	events := t.events
	t.events = nil
	t.mu.Unlock()
	if t.onEvent == nil {
		return
	}
	for _, e := range events {
		t.onEvent(e)
	}
}

// list counts one more reason why cluster lists the broker name. Under mu.
func (t *Table) list(cluster, brokerName string) {
	names := t.clusterAddrTable[cluster]
	if names == nil {
		names = map[string]int{}
		t.clusterAddrTable[cluster] = names
	}
	names[brokerName]++
}

// unlist takes one reason away; name and cluster go with the last. Under mu.
//
// Differs from Java: RouteInfoManager#unRegisterBroker cleans the cluster that
// the request names and leaves the name behind in every other.
func (t *Table) unlist(cluster, brokerName string) {
	names := t.clusterAddrTable[cluster]
	names[brokerName]--
	if names[brokerName] > 0 {
		return
	}
	delete(names, brokerName)
	if len(names) == 0 {
		delete(t.clusterAddrTable, cluster)
	}
}
