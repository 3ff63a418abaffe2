package route

import (
	"sort"
	"strings"
	"sync/atomic"

	"gonamesrv/codec"
)

// A TopicEntry is one row of topicQueueTable: a topic and what each broker set
// offers for it. It never changes once published; a change makes a new entry.
// The encoded answers to route requests are made by the first reader and live
// as long as the entry does, if they fit the Table's cache.
type TopicEntry struct {
	name     string
	queues   []queueData             // in ascending order of set
	mappings *topicMappings          // topicQueueMappingInfoTable's row; nil for all but static topics
	bodies   atomic.Pointer[bodySet] // filled lazily by readers
	id       uint32                  // index in Table.topicByID, kept as long as the topic exists
}

// A queueData is one cell of topicQueueTable, 20 bytes: millions of them are
// kept, so it names its broker set by number and holds no pointer.
// Java: QueueData.
type queueData struct {
	set            uint32 // brokerSet.id
	readQueueNums  int32
	writeQueueNums int32
	perm           int32
	topicSysFlag   int32
}

const (
	permWrite     = 2 // Java: PermName.PERM_WRITE
	permReadWrite = 6
)

func (e *TopicEntry) trieKey() string { return e.name }

// Name returns the topic's name.
func (e *TopicEntry) Name() string { return e.name }

// find returns where the queue data of set is, or where it would go.
func (e *TopicEntry) find(set uint32) (i int, ok bool) {
	q := e.queues
	i = sort.Search(len(q), func(i int) bool { return q[i].set >= set })
	return i, i < len(q) && q[i].set == set
}

// queue returns the queue data of set.
func (e *TopicEntry) queue(set uint32) (queueData, bool) {
	if i, ok := e.find(set); ok {
		return e.queues[i], true
	}
	return queueData{}, false
}

// newQueueData is what the name server keeps of a broker's topic config.
// Java: RouteInfoManager#createAndUpdateQueueData.
func newQueueData(set uint32, tc *codec.TopicConfig) queueData {
	return queueData{
		set:            set,
		readQueueNums:  tc.ReadQueueNums,
		writeQueueNums: tc.WriteQueueNums,
		perm:           tc.Perm,
		topicSysFlag:   tc.TopicSysFlag,
	}
}

// putQueue stores q for the topic of entry e, or for a new topic called name
// when e is nil, and returns the new entry. Under mu.
func (t *Table) putQueue(e *TopicEntry, name string, s *brokerSet, q queueData) *TopicEntry {
	next := &TopicEntry{}
	switch {
	case e == nil:
		next.name = name
		next.queues = []queueData{q}
		next.id = t.newTopicID()
		t.namesChanged = true
		t.entries++
	default:
		next.name, next.id, next.mappings = e.name, e.id, e.mappings
		if i, ok := e.find(q.set); ok {
			next.queues = copyOf(e.queues)
			next.queues[i] = q
		} else {
			next.queues = insertAt(e.queues, i, q)
			t.entries++
		}
	}
	s.topics.add(next.id)
	s.topicsEdition++
	t.storeTopic(next)
	return next
}

// dropQueue removes set s, and its static mapping, from the topic of entry e;
// the topic goes with its last broker set. Under mu.
func (t *Table) dropQueue(e *TopicEntry, s *brokerSet) {
	i, ok := e.find(s.id)
	if !ok {
		return
	}
	s.topics.remove(e.id)
	s.topicsEdition++
	t.entries -= 1 + e.mappings.entries(s.name)
	if len(e.queues) == 1 {
		t.topicQueueTable.remove(t.edition, e.name)
		t.replaced = append(t.replaced, e)
		t.topicByID[e.id] = nil
		t.freeTopicIDs = append(t.freeTopicIDs, e.id)
		t.namesChanged = true
		return
	}
	t.storeTopic(&TopicEntry{
		name:     e.name,
		id:       e.id,
		queues:   removeAt(e.queues, i),
		mappings: e.mappings.without(s.name),
	})
}

// storeTopic puts a new entry in place of the one with its name. Under mu.
func (t *Table) storeTopic(e *TopicEntry) {
	if old := t.topicByID[e.id]; old != nil {
		t.replaced = append(t.replaced, old)
	}
	t.topicQueueTable.put(t.edition, e)
	t.topicByID[e.id] = e
}

func (t *Table) newTopicID() uint32 {
	if n := len(t.freeTopicIDs); n > 0 {
		id := t.freeTopicIDs[n-1]
		t.freeTopicIDs = t.freeTopicIDs[:n-1]
		return id
	}
	t.topicByID = append(t.topicByID, nil)
	return uint32(len(t.topicByID) - 1)
}

// RegisterTopic stores queue datas of one topic as a broker gives them, beside
// those that are there. It stores nothing, and reports false, when one of them
// names a broker that is not known, or with a *LimitError, when that is more
// than may be kept.
//
// Differs from Java: RouteInfoManager#registerTopic stores those before the
// first unknown name when the topic exists already.
func (t *Table) RegisterTopic(topic string, queueDatas []codec.QueueData) (stored bool, err error) {
	t.mu.Lock()
	defer t.unlock()
	for _, d := range queueDatas {
		if t.set(d.BrokerName) == nil {
			return false, nil
		}
	}
	if full := t.roomForTopic(topic, queueDatas); full != nil {
		t.refusals[full.Limit].Add(1)
		return false, full
	}
	for _, d := range queueDatas {
		s := t.set(d.BrokerName)
		q := queueData{s.id, d.ReadQueueNums, d.WriteQueueNums, d.Perm, d.TopicSysFlag}
		e, ok := t.topicQueueTable.get(topic)
		if !ok {
			t.putQueue(nil, strings.Clone(topic), s, q)
			continue
		}
		if old, ok := e.queue(s.id); !ok || old != q {
			t.putQueue(e, "", s, q)
		}
	}
	return true, nil
}

// DeleteTopic removes a topic. It comes back with the next registration of a
// broker that still has it.
// Java: RouteInfoManager#deleteTopic(String).
func (t *Table) DeleteTopic(topic string) {
	t.deleteTopic(topic, func(*brokerSet) bool { return true })
}

// DeleteTopicInCluster removes the brokers of a cluster from a topic, and the
// topic when none is left.
// Java: RouteInfoManager#deleteTopic(String, String).
func (t *Table) DeleteTopicInCluster(topic, cluster string) {
	t.deleteTopic(topic, func(s *brokerSet) bool { return t.clusterAddrTable[cluster][s.name] > 0 })
}

func (t *Table) deleteTopic(topic string, from func(*brokerSet) bool) {
	t.mu.Lock()
	defer t.unlock()
	e, ok := t.topicQueueTable.get(topic)
	if !ok {
		return
	}
	for _, q := range e.queues {
		if s := t.brokerByID[q.set].set; from(s) {
			now, _ := t.topicQueueTable.get(topic) // dropQueue replaces the entry
			t.dropQueue(now, s)
		}
	}
}
