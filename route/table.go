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
// takes mu, applies itself, publishes one new View and lets go. What is large is
// cut into steps that let others in between (step.go). Reading needs only View,
// and never waits for a change.
type Table struct {
	view atomic.Pointer[View]

	mu      lock
	edition uint64 // number of the batch of changes in progress; grows with each publish

	topicQueueTable  trie[*TopicEntry] // topic -> broker set -> queue data; also holds topicQueueMappingInfoTable's rows
	brokerAddrTable  trie[*Broker]     // broker name -> members; also holds filterServerTable's rows
	clusterAddrTable trie[*listing]    // (cluster, broker name)
	brokerLiveTable  trie[*LiveInfo]   // (cluster, address) -> last sign of life

	topicByID     vector[TopicEntry] // nil where the ID is free; no View has it
	freeTopicIDs  []uint32
	brokerByID    vector[Broker] // nil where the ID is free
	freeBrokerIDs []uint32
	memberByAddr  map[memberAddr]*member
	links         map[linkKey]*link
	byConn        map[uint64][]*liveBroker // which brokers registered last over a connection
	expiry        expiryQueue
	leaving       map[string]*brokerSet // by name: sets that are gone, but not yet from topicQueueTable
	marks         []*idMarks            // empty, for the next registration
	replaced      []*TopicEntry         // and removed ones, since the last publish

	cache      *bodyCache // of the encoded routes
	limits     Limits
	entries    int                      // what Limits.Entries bounds; what Limits.Brokers bounds is len(links)
	promised   totals                   // to registrations that are between two steps
	clustersOf map[string]int           // address -> number of live entries with it
	connLinks  map[uint64]int           // connection -> owners of its live entries: what Limits.BrokersPerConn bounds
	refusals   [limitCount]atomic.Int64 // not under mu

	// counted is entries and len(links) at the end of the last step, for Stats.
	counted struct{ entries, brokers atomic.Int64 }

	turns    *sync.Cond // somebody's turn at a broker set has ended, or a doomed broker has gone
	work     int        // done in the step at hand
	stepWork int        // the constant, except in tests
	heaviest int        // the most work a step has done, for tests

	brokersVersion uint64 // version of the newest Broker
	brokersChanged bool   // since the last publish
	namesChanged   bool   // the set of topic names, since the last publish
	events         []Event
	onEvent        func(Event)
	betweenSteps   func() // tests only: called without mu
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
		edition:          1,
		topicQueueTable:  newTrie[*TopicEntry](seed),
		brokerAddrTable:  newTrie[*Broker](seed),
		clusterAddrTable: newTrie[*listing](seed),
		brokerLiveTable:  newTrie[*LiveInfo](seed),
		topicByID:        newVector[TopicEntry](10),
		brokerByID:       newVector[Broker](5),
		memberByAddr:     map[memberAddr]*member{},
		links:            map[linkKey]*link{},
		byConn:           map[uint64][]*liveBroker{},
		leaving:          map[string]*brokerSet{},
		limits:           o.Limits.withDefaults(),
		cache:            &bodyCache{byteCount: byteCount{most: cmp.Or(o.CacheBytes, math.MaxInt64)}},
		clustersOf:       map[string]int{},
		connLinks:        map[uint64]int{},
		onEvent:          o.OnEvent,
		stepWork:         stepWork,
	}
	t.turns = sync.NewCond(&t.mu)
	t.brokersChanged, t.namesChanged = true, true
	t.publish()
	return t
}

// View returns what the table looks like now. Lock-free; the View stays as it
// is while the table moves on.
func (t *Table) View() *View { return t.view.Load() }

// publish makes all changes since the last publish visible at once. Under mu.
func (t *Table) publish() {
	v := &View{topics: t.topicQueueTable, live: t.brokerLiveTable, sweeping: len(t.leaving) > 0, lists: newTopicLists(), cache: t.cache}
	if old := t.view.Load(); old != nil {
		v.brokers, v.names = old.brokers, old.names
	}
	if t.brokersChanged {
		v.brokers = &brokerTable{version: t.brokersVersion, byName: t.brokerAddrTable, listings: t.clusterAddrTable, byID: t.brokerByID}
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
	t.endStep()
}

// maxKeptReplaced is for how many entries Table.replaced keeps its memory; a step
// does not replace many more.
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

// A listing is one row of clusterAddrTable: a cluster lists a broker name.
type listing struct {
	cluster, brokerName string
	key                 string // liveKey of both
	reasons             int    // to list it; under mu
}

func (l *listing) trieKey() string { return l.key }

// list counts one more reason why cluster lists the broker name. Under mu.
func (t *Table) list(cluster, brokerName string) {
	key := string(liveKey(nil, cluster, brokerName))
	if l, ok := t.clusterAddrTable.get(key); ok {
		l.reasons++
		return
	}
	t.clusterAddrTable.put(t.edition, &listing{cluster: cluster, brokerName: brokerName, key: key, reasons: 1})
	t.brokersChanged = true
}

// unlist takes one reason away; the row goes with the last. Under mu.
//
// Differs from Java: RouteInfoManager#unRegisterBroker cleans the cluster that
// the request names and leaves the name behind in every other.
func (t *Table) unlist(cluster, brokerName string) {
	key := string(liveKey(nil, cluster, brokerName))
	l, _ := t.clusterAddrTable.get(key)
	l.reasons--
	if l.reasons == 0 {
		t.clusterAddrTable.remove(t.edition, key)
		t.brokersChanged = true
	}
}

// lists reports whether cluster lists the broker name. Under mu.
func (t *Table) lists(cluster, brokerName string) bool {
	_, ok := t.clusterAddrTable.get(string(liveKey(nil, cluster, brokerName)))
	return ok
}
