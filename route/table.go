package route

import (
	"hash/maphash"
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
	edition uint64 // number of the batch of changes in progress, for tries and vectors; grows with each new View

	topicQueueTable  trie[*TopicEntry] // topic -> broker set -> queue data; also holds topicQueueMappingInfoTable's rows
	brokerAddrTable  trie[*Broker]     // broker name -> members; also holds filterServerTable's rows
	clusterAddrTable trie[*listing]    // (cluster, broker name)
	brokerLiveTable  trie[*LiveInfo]   // (cluster, address) -> last sign of life

	topicByID     vector[TopicEntry] // nil where the ID is free; no View has it
	freeTopicIDs  []uint32
	order         topicOrder
	brokerByID    vector[Broker] // nil where the ID is free
	freeBrokerIDs []uint32
	memberByAddr  map[memberAddr]*member
	links         map[linkKey]*link
	linkTable     trie[*link]              // those of links, for Views
	linkCount     uint64                   // links there have ever been
	byConn        map[uint64][]*liveBroker // which brokers registered last over a connection
	conns         sync.Map                 // the keys of byConn, for those who do not have mu; changed under it
	expiry        expiryQueue              // live brokers but those that are overdue or doomed
	overdue       []*liveBroker            // found due to leave by the last Due, and not heard of since, as far as we know
	scanning      bool                     // a Due is between two steps
	leaving       map[string]*brokerSet    // by name: sets that are gone, but not yet from topicQueueTable
	marks         []*idMarks               // empty, for the next registration
	replaced      []*TopicEntry            // and removed ones, since the last publish
	retiring      int                      // how many encoded routes those had

	cache      *bodyCache // of the encoded routes
	limits     Limits
	entries    int                      // what Limits.Entries bounds; what Limits.Brokers bounds is len(links)
	promised   totals                   // to registrations that are between two steps
	clustersOf map[string]int           // address -> number of live entries with it
	connLinks  map[uint64]int           // connection -> owners of its live entries: what Limits.BrokersPerConn bounds
	statics    int                      // topics with static mappings
	refusals   [limitCount]atomic.Int64 // not under mu

	registered struct{ unchanged, applied, stale, topicsAdded, topicsChanged, topicsRemoved atomic.Uint64 }

	// counted is entries, len(links) and statics at the end of the last step, for Stats.
	counted struct{ entries, brokers, statics atomic.Int64 }

	turns    *sync.Cond // somebody's turn at a broker set has ended, or a doomed broker has gone
	work     int        // done in the step at hand
	stepWork int        // the constant, except in tests
	heaviest int        // the most work a step has done, for tests

	brokersVersion uint64 // version of the newest Broker
	brokersChanged bool   // since the last publish
	namesChanged   bool   // the set of topic names, since the last publish
	offersChanged  bool   // what topicLists show, since the last publish: who serves which topic with which flags, which cluster lists whom
	events         []Event
	untold         []Event // of published changes, oldest first
	telling        bool    // somebody is calling onEvent
	onEvent        func(Event)
	betweenSteps   func() // tests only: called without mu
	viewStored     func() // tests only: called under mu, when a View has just been stored

	warm *warmth // nil if it was not restored; never changed

	subscribers subscribers

	journal  *Journal
	history  *History
	now      int64 // the newest time that a change was told; under mu
	recorded bool  // into the journal, since the last publish
	losing   bool  // something was lost or changed that Views show, since the last publish
	mute     bool  // nothing is recorded
}

// Options configure a Table.
type Options struct {
	// OnEvent, if not nil, is told of each change after it has been published,
	// outside the lock. It is called by a goroutine that makes a change, for one event
	// at a time, in the order of the changes. Mostly that is the goroutine of the change
	// itself, before the change returns. A change that is made while others are being
	// told leaves its events to who is telling, and may return before they are told.
	//
	// OnEvent is to be quick: while more than 65,536 events wait for it, changes wait
	// too. It may read Views, and must not change the Table: it may be called in the
	// middle of a change, whose turn at a broker set (step.go) or whose events the
	// other change would wait for, for ever. Who wants to change something upon an
	// event leaves that to another goroutine.
	OnEvent func(Event)

	Limits Limits

	// CacheBytes is how many bytes of encoded routes are kept; 0 is no limit.
	CacheBytes int64

	// HorizonCacheBytes is how many bytes of encoded routes of horizons are kept beside
	// them; 0 is no limit.
	HorizonCacheBytes int64

	// Nanotime, if not nil, is a clock that does not go backwards, in nanoseconds: with
	// it the lock of the Table is timed, see LockTimes. It must never return 0.
	Nanotime func() int64

	// Journal is where the events of the Table go; nil makes one of the default size.
	// Several Tables may share it, if only one of them is changed.
	Journal *Journal

	// HistoryBytes is about how much Views that are kept may keep alive; 0 is
	// DefaultHistoryBytes, less than 0 keeps none.
	HistoryBytes int64

	// MostSilentMillis is for how long beyond its time-out a broker may have been
	// silent for Restore to restore it; 0 is DefaultMostSilentMillis.
	MostSilentMillis int64
}

// DefaultMostSilentMillis is what Options.MostSilentMillis is by default: 15 min.
// Longer ago another one may have been given the address of a broker.
const DefaultMostSilentMillis = 900_000

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
		linkTable:        newTrie[*link](seed),
		byConn:           map[uint64][]*liveBroker{},
		leaving:          map[string]*brokerSet{},
		limits:           o.Limits.withDefaults(),
		cache:            newBodyCache(o.CacheBytes, o.HorizonCacheBytes, seed),
		clustersOf:       map[string]int{},
		connLinks:        map[uint64]int{},
		onEvent:          o.OnEvent,
		stepWork:         stepWork,
		journal:          o.Journal,
	}
	t.mu.nanotime = o.Nanotime
	if t.journal == nil {
		t.journal = NewJournal(0)
	}
	t.history = newHistory(t.journal, t.View, o.HistoryBytes)
	t.turns = sync.NewCond(&t.mu)
	t.brokersChanged, t.namesChanged, t.offersChanged = true, true, true
	t.publish()
	return t
}

// View returns what the table looks like now. Lock-free; the View stays as it
// is while the table moves on.
func (t *Table) View() *View { return t.view.Load() }

// publish makes all changes since the last publish visible at once, as a new
// View. If there are none the View stays: it is as new as it can be. Under mu.
func (t *Table) publish() {
	if old := t.view.Load(); old == nil || t.hasChanged(old) {
		v := t.next(old)
		for _, e := range t.replaced { // before, or somebody could be shown an old route by the new View
			t.cache.retire(e, v.edition)
		}
		t.view.Store(v)
		if len(t.replaced) > 0 || t.losing {
			t.history.published(old, len(t.replaced), t.losing, t.now)
			t.losing = false
		}
		if t.viewStored != nil {
			t.viewStored()
		}
		t.edition++
		t.cache.forget() // not before, or those who ask meanwhile would encode it again
		t.subscribers.signal()
	}
	if t.recorded {
		t.recorded = false
		t.journal.show()
	}
	clear(t.replaced)
	t.retiring = 0
	if t.replaced = t.replaced[:0]; cap(t.replaced) > maxKeptReplaced {
		t.replaced = nil
	}
	t.endStep()
}

// hasChanged reports whether the tables are not as v shows them any more. Under mu.
func (t *Table) hasChanged(v *View) bool {
	return t.brokersChanged || t.namesChanged || !t.topicQueueTable.same(&v.topics) || !t.brokerLiveTable.same(&v.live)
}

// next returns the View after old, which is nil for the first. Under mu.
func (t *Table) next(old *View) *View {
	v := &View{edition: 1, seq: t.journal.given.Load(), topics: t.topicQueueTable, live: t.brokerLiveTable, sweeping: len(t.leaving) > 0, cache: t.cache}
	if old != nil {
		v.edition, v.brokers, v.names, v.lists = old.edition+1, old.brokers, old.names, old.lists
	}
	if t.brokersChanged {
		v.brokers = &brokerTable{version: t.brokersVersion, byName: t.brokerAddrTable, listings: t.clusterAddrTable, byID: t.brokerByID, links: t.linkTable}
	}
	if t.namesChanged {
		v.names = &topicNames{}
	}
	if t.offersChanged {
		v.lists = &topicLists{room: byteCount{most: min(clusterListBytes, t.cache.most)}}
	}
	t.brokersChanged, t.namesChanged, t.offersChanged = false, false, false
	return v
}

// maxKeptReplaced is for how many entries Table.replaced keeps its memory; a step
// does not replace many more.
const maxKeptReplaced = 1 << 14

// replace notes that e is not the row of its topic any more. Under mu.
func (t *Table) replace(e *TopicEntry) {
	t.replaced = append(t.replaced, e)
	for range e.bodies.Load().all {
		t.retiring++
	}
}

// unlock publishes, tells of the change and lets other changes in. Every change
// ends with it.
func (t *Table) unlock() {
	defer t.mu.Unlock() // whatever OnEvent does
	t.publish()
	t.tell()
}

// tell has the events of the change at hand told, in the order of the changes. If
// somebody is telling already, that one tells them; else the caller does, together
// with those that come meanwhile. Under mu, which is let go while OnEvent runs.
func (t *Table) tell() {
	if len(t.events) == 0 {
		return
	}
	edition := t.view.Load().edition
	for i := range t.events {
		t.events[i].Edition = edition
	}
	t.untold = append(t.untold, t.events...)
	t.events = nil
	if t.telling {
		for len(t.untold) > maxUntold {
			t.turns.Wait()
		}
		return
	}
	t.telling = true
	defer func() { t.telling = false }()
	for len(t.untold) > 0 {
		events := t.untold
		t.untold = nil
		if len(events) > maxUntold {
			t.turns.Broadcast()
		}
		t.tellThese(events)
	}
}

func (t *Table) tellThese(events []Event) {
	t.mu.Unlock()
	defer t.mu.Lock()
	for _, e := range events {
		t.onEvent(e)
	}
}

// maxUntold is how many events may wait for a slow OnEvent. Changes that make more
// wait until it has caught up.
const maxUntold = 1 << 16

// A listing is one row of clusterAddrTable: a cluster lists a broker name.
type listing struct {
	cluster, brokerName string
	key                 string // liveKey of both
	reasons             int    // its broker set, and each link between the two; under mu
}

func (l *listing) trieKey() string { return l.key }

// addReason counts one more reason why cluster lists the broker name. Under mu.
func (t *Table) addReason(cluster, brokerName string) {
	key := string(liveKey(nil, cluster, brokerName))
	if l, ok := t.clusterAddrTable.get(key); ok {
		l.reasons++
		return
	}
	t.clusterAddrTable.put(t.edition, &listing{cluster: cluster, brokerName: brokerName, key: key, reasons: 1})
	t.brokersChanged, t.offersChanged = true, true
}

// dropReason takes one reason away; the row goes with the last. Under mu.
//
// Differs from Java: RouteInfoManager#unRegisterBroker cleans the cluster that
// the request names and leaves the name behind in every other.
func (t *Table) dropReason(cluster, brokerName string) {
	key := string(liveKey(nil, cluster, brokerName))
	l, _ := t.clusterAddrTable.get(key)
	l.reasons--
	if l.reasons == 0 {
		t.clusterAddrTable.remove(t.edition, key)
		t.brokersChanged, t.offersChanged = true, true
	}
}

// lists reports whether cluster lists the broker name. Under mu.
func (t *Table) lists(cluster, brokerName string) bool {
	_, ok := t.clusterAddrTable.get(string(liveKey(nil, cluster, brokerName)))
	return ok
}
