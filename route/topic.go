package route

import (
	"cmp"
	"math"
	"slices"
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
	queues   *queueNode               // lies behind the entry
	mappings *topicMappings           // topicQueueMappingInfoTable's row; nil for all but static topics
	bodies   atomic.Pointer[bodyList] // filled lazily by readers
	id       uint32                   // index in Table.topicByID, kept as long as the topic exists
	changed  uint32                   // the event that tells of it, or an earlier one that no View without it shows; 0: not known
}

const (
	permWrite     = 2 // Java: PermName.PERM_WRITE
	permReadWrite = 6
)

func (e *TopicEntry) trieKey() string { return e.name }

// Name returns the topic's name.
func (e *TopicEntry) Name() string { return e.name }

// Changed returns the generation of the last change of what brokers say of a topic,
// which e is the entry of in v, or false if that is not known: it was restored and has
// not changed since, or more than 2^32 events have been. Views from that number on show
// the topic as it is in v, and those before it do not; a change in many steps is
// shown by some before it too. It is mostly the number of the event that tells of it.
// What becomes of the members of its broker sets is no change of the topic.
func (v *View) Changed(e *TopicEntry) (seq uint64, known bool) {
	changed := uint64(e.changed)
	if v.sweeping {
		for q := range e.queues.all {
			if b := v.brokers.byID.get(q.set); b.gone {
				changed = max(changed, uint64(eventNumber(b.removed)))
			}
		}
	}
	return min(changed, v.seq), changed > 0
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

// addTopic stores a new topic that s serves, and returns its entry. hash is that of
// the name. Under mu.
func (t *Table) addTopic(name string, hash uint64, s *brokerSet, q queueData) *TopicEntry {
	var w leafWords
	e := newLeafEntry(name, t.newTopicID(), nil, w.pack([]queueData{q}))
	t.namesChanged, t.offersChanged = true, true
	t.entries++
	t.serve(s, e.id)
	t.storeHashed(e, hash)
	return e
}

// addQueue stores q for the topic of e, which s has not served so far. Under mu.
func (t *Table) addQueue(e *TopicEntry, s *brokerSet, q queueData) {
	t.offersChanged = true
	t.entries++
	t.serve(s, e.id)
	t.storeTopic(e.edited(insertRow, q))
}

// setQueue stores q in the place of old for the topic of e, which s serves. Under mu.
func (t *Table) setQueue(e *TopicEntry, s *brokerSet, old, q queueData) {
	if old.topicSysFlag != q.topicSysFlag {
		t.offersChanged = true
	}
	s.topicsEdition++
	t.losing = true
	t.storeTopic(e.edited(replaceRow, q))
}

// serve notes that s serves the topic with the given number. Under mu.
func (t *Table) serve(s *brokerSet, id uint32) {
	s.topicsEdition++
	s.heard(id)
	if s.topics.add(id) {
		s.topicCount.Add(1)
		if len(t.leaving) > 0 {
			t.namesChanged = true // perhaps nobody was shown the topic, and now it is
		}
	}
}

// lose notes that s serves the topic with the given number no longer. Under mu.
func (s *brokerSet) lose(id uint32) {
	s.topics.remove(id)
	s.topicCount.Store(int64(s.topics.size))
}

// dropQueue removes set s, and its static mapping, from the topic of entry e;
// the topic goes with its last broker set. Under mu.
func (t *Table) dropQueue(e *TopicEntry, s *brokerSet) {
	if !e.has(s) {
		return
	}
	t.losing = t.losing || t.leaving[s.name] != s
	s.lose(e.id)
	s.heard(e.id)
	s.topicsEdition++
	t.entries -= 1 + e.mappings.entries(s.name)
	last := e.queues.len() == 1
	if last {
		t.removeTopic(e)
	} else {
		next := e.edited(removeRow, queueData{set: s.id})
		next.mappings = e.mappings.without(s.name)
		t.storeTopic(next)
		if t.leaving[s.name] == s {
			next.changed = max(e.changed, eventNumber(t.brokerByID.get(s.id).removed)) // and not now
		}
	}
	if t.leaving[s.name] == s {
		return // nobody was shown it any more
	}
	t.offersChanged = true
	if last || len(t.leaving) > 0 {
		t.namesChanged = true
	}
}

// removeTopic removes the row of a topic. Under mu.
func (t *Table) removeTopic(e *TopicEntry) {
	t.work += 4
	t.topicQueueTable.remove(t.edition, e.name)
	t.replace(e)
	t.statics -= e.isStatic()
	t.topicByID.put(0, e.id, nil)
	t.freeTopicIDs = append(t.freeTopicIDs, e.id)
}

// storeTopic puts a new entry in place of the one with its name. Under mu.
func (t *Table) storeTopic(e *TopicEntry) { t.storeHashed(e, t.topicQueueTable.hash(e.name)) }

// eventNumber returns what is kept of the number of an event: 0, which is none, of
// those that four bytes cannot hold. After them it is not known any more when a topic
// has changed.
func eventNumber(seq uint64) uint32 {
	if seq > math.MaxUint32 {
		return 0
	}
	return uint32(seq)
}

// storeHashed is storeTopic for who knows the hash of the name. Under mu.
func (t *Table) storeHashed(e *TopicEntry, hash uint64) {
	t.work += 4
	e.changed = eventNumber(t.journal.given.Load() + 1) // whoever changes a topic records it afterwards
	if e.id < t.topicByID.size {
		if old := t.topicByID.get(e.id); old != nil {
			t.replace(old)
			t.statics -= old.isStatic()
		}
	}
	t.statics += e.isStatic()
	t.topicQueueTable.putHashed(t.edition, hash, e)
	t.topicByID.put(0, e.id, e)
}

func (t *Table) newTopicID() uint32 {
	if n := len(t.freeTopicIDs); n > 0 {
		id := t.freeTopicIDs[n-1]
		t.freeTopicIDs = t.freeTopicIDs[:n-1]
		return id
	}
	return t.topicByID.size
}

// RegisterTopic stores queue datas of one topic as a broker gives them, beside
// those that are there. It stores nothing, and reports false, when one of them
// names a broker that is not known, or with a *LimitError, when that is more
// than may be kept.
//
// Differs from Java: RouteInfoManager#registerTopic stores those before the
// first unknown name when the topic exists already.
func (t *Table) RegisterTopic(topic string, queueDatas []codec.QueueData) (stored bool, err error) {
	return t.By(Moment{}, Origin{}).RegisterTopic(topic, queueDatas)
}

// RegisterTopic is Table.RegisterTopic.
func (c Changer) RegisterTopic(topic string, queueDatas []codec.QueueData) (stored bool, err error) {
	t := c.t
	last := make(map[string]codec.QueueData, len(queueDatas)) // of each broker name
	for _, d := range queueDatas {
		last[d.BrokerName] = d
	}
	c.lock()
	defer t.unlock()
	if t.over(totals{1, len(last)}) != nil {
		t.sweepAll()
	}
	sets := make([]*brokerSet, 0, len(last))
	queues := make([]queueData, 0, len(last))
	for name, d := range last {
		s := t.set(name)
		if s == nil {
			return false, nil
		}
		sets = append(sets, s)
		queues = append(queues, queueData{s.id, d.ReadQueueNums, d.WriteQueueNums, d.Perm, d.TopicSysFlag})
	}
	if full := t.roomForTopic(topic, sets); full != nil {
		t.refusals[full.Limit].Add(1)
		return false, full
	}
	if len(sets) == 0 {
		return true, nil
	}
	var rows []queueData
	var mappings *topicMappings
	id := uint32(0)
	e, ok := t.topicQueueTable.get(topic)
	if ok {
		topic, id, mappings = e.name, e.id, e.mappings
		rows = slices.AppendSeq(make([]queueData, 0, e.queues.len()), e.queues.all)
	} else {
		topic, id = strings.Clone(topic), t.newTopicID()
		t.namesChanged = true
	}
	var added, changed []string
	for i, s := range sets {
		var old queueData
		served := false
		if ok {
			if old, served = e.queues.get(s.id); served && old == queues[i] {
				continue
			}
		}
		if served {
			changed = append(changed, s.name)
		} else {
			added = append(added, s.name)
		}
		if !served || old.topicSysFlag != queues[i].topicSysFlag {
			t.offersChanged = true
		}
		if !served {
			t.entries++
		}
		t.serve(s, id)
	}
	if len(added)+len(changed) > 0 {
		t.losing = t.losing || len(changed) > 0
		rows = mergeQueues(rows, queues)
		t.storeTopic(newEntry(topic, id, mappings, newTree(rows), nil))
		c.recordTopic(JournalTopicRegistered, topic, added, func(n int32) TopicCounts { return TopicCounts{Added: n} })
		c.recordTopic(JournalTopicRegistered, topic, changed, func(n int32) TopicCounts { return TopicCounts{Changed: n} })
	}
	return true, nil
}

// mergeQueues returns old with the rows of add put in, or in place of those of
// the same set. add is sorted by it.
func mergeQueues(old, add []queueData) []queueData {
	slices.SortFunc(add, func(a, b queueData) int { return cmp.Compare(a.set, b.set) })
	merged := make([]queueData, 0, len(old)+len(add))
	for _, q := range add {
		for len(old) > 0 && old[0].set < q.set {
			merged, old = append(merged, old[0]), old[1:]
		}
		if len(old) > 0 && old[0].set == q.set {
			old = old[1:]
		}
		merged = append(merged, q)
	}
	return append(merged, old...)
}

// DeleteTopic removes a topic. It comes back with the next registration of a
// broker that still has it.
// Java: RouteInfoManager#deleteTopic(String).
func (t *Table) DeleteTopic(topic string) { t.By(Moment{}, Origin{}).DeleteTopic(topic) }

// DeleteTopic is Table.DeleteTopic.
func (c Changer) DeleteTopic(topic string) {
	c.deleteTopic(topic, func(*brokerSet) bool { return true })
}

// DeleteTopicInCluster removes the brokers of a cluster from a topic, and the
// topic when none is left.
// Java: RouteInfoManager#deleteTopic(String, String).
func (t *Table) DeleteTopicInCluster(topic, cluster string) {
	t.By(Moment{}, Origin{}).DeleteTopicInCluster(topic, cluster)
}

// DeleteTopicInCluster is Table.DeleteTopicInCluster.
func (c Changer) DeleteTopicInCluster(topic, cluster string) {
	c.deleteTopic(topic, func(s *brokerSet) bool { return c.t.lists(cluster, s.name) })
}

func (c *Changer) deleteTopic(topic string, from func(*brokerSet) bool) {
	t := c.t
	c.lock()
	defer t.unlock()
	e, ok := t.topicQueueTable.get(topic)
	if !ok {
		return
	}
	var kept []queueData
	dropped := map[string]bool{} // broker names
	var told []string            // of these, those that readers were shown
	for q := range e.queues.all {
		s := t.brokerByID.get(q.set).set
		if !from(s) {
			kept = append(kept, q)
			continue
		}
		s.lose(e.id)
		s.heard(e.id)
		s.topicsEdition++
		t.entries -= 1 + e.mappings.entries(s.name)
		dropped[s.name] = true
		if t.leaving[s.name] != s {
			told = append(told, s.name)
		}
	}
	switch {
	case len(dropped) == 0:
		return
	case len(kept) == 0:
		t.removeTopic(e)
	default:
		mappings := e.mappings.keep(func(brokerName string) bool { return !dropped[brokerName] })
		t.storeTopic(newEntry(e.name, e.id, mappings, newTree(kept), nil))
	}
	t.losing = true
	c.recordTopic(JournalTopicDeleted, e.name, told, func(n int32) TopicCounts { return TopicCounts{Removed: n} })
	t.offersChanged = true
	if len(kept) == 0 || len(t.leaving) > 0 {
		t.namesChanged = true
	}
}
