package route

import (
	"cmp"
	"math"
	"slices"
)

// Restore returns a Table that goes on with what another one knew ageMillis before
// nowMillis, the time that the new Table is told. The live entries have no
// connection, and wait for their brokers (warm.go). There are no events; the first
// View with all of it is number 2, or a later one if somebody is left out.
//
// Who has been silent for too long (Options.MostSilentMillis) is left out, as if it
// had expired: a dead broker must not be kept for ever by restarts that each wait for
// it anew. That is counted from its time-out, so that of those who were well when s
// was saved either all are restored or none, however old s is.
//
// Either all of s is restored or nothing: Restore returns what Validate finds in s,
// or a *LimitError if it is more than o.Limits allow. Strings and slices of s are
// kept, except the names of topics, so s must not change any more.
func Restore(o Options, s *Saved, nowMillis, ageMillis int64) (*Table, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	t := New(o)
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &restoring{t: t, s: s, now: nowMillis, age: max(ageMillis, 0), most: cmp.Or(o.MostSilentMillis, DefaultMostSilentMillis)}
	r.addLives()
	r.addSets()
	r.addMappings()
	if over := r.over(); over != nil {
		return nil, over
	}
	r.addTopics()
	t.brokersChanged, t.namesChanged, t.offersChanged = true, true, true
	t.warm = &warmth{}
	r.expireSilent()
	for _, l := range r.lives {
		if !l.doomed {
			t.warm.lives = append(t.warm.lives, l)
		}
	}
	for _, s := range r.sets {
		if s.members.size > 0 {
			t.await(s)
		}
	}
	t.beginWindow(nowMillis)
	t.work = 0 // nobody has waited for it
	t.publish()
	return t, nil
}

// expireSilent lets those expire who have been silent for too long. Nobody is told.
func (r *restoring) expireSilent() {
	t := r.t
	var links []*link
	for i := range r.s.Lives {
		sl, l := &r.s.Lives[i], r.lives[i]
		if deadlineMillis(sl.SilentMillis, r.age) > deadlineMillis(r.most, max(sl.TimeoutMillis, 0)) {
			l.restored.fate.Store(fateGone) // it does not count
			links = append(links, l.owners...)
			t.doom(l)
		}
	}
	if len(links) == 0 {
		return
	}
	defer func(onEvent func(Event)) { t.onEvent, t.mute = onEvent, false }(t.onEvent)
	t.onEvent, t.mute = nil, true
	(&Changer{t: t}).depart(links, BrokerExpired)
}

// A restoring is a Saved, found to be right, that becomes a Table. Under Table.mu,
// though nobody else has the Table yet.
type restoring struct {
	t        *Table
	s        *Saved
	now, age int64
	most     int64 // Options.MostSilentMillis

	lives    []*liveBroker // as in Saved
	sets     []*brokerSet  // the same; their numbers are their indexes
	mappings map[uint32]*topicMappings
	runs     []idRun // of sets
}

// addLives makes the live entries; they keep nobody yet.
func (r *restoring) addLives() {
	t := r.t
	r.lives = make([]*liveBroker, len(r.s.Lives))
	t.clustersOf = make(map[string]int, len(r.s.Lives))
	for i := range r.s.Lives {
		sl := &r.s.Lives[i]
		l := &liveBroker{
			key: BrokerKey{sl.Cluster, sl.Addr}, index: -1, timeoutMillis: sl.TimeoutMillis, haServerAddr: sl.HAServerAddr,
			dataVersion: sl.DataVersion, nullDataVersion: sl.NullDataVersion, patched: sl.Untrusted,
			peer: sl.Peer, oldVersion: sl.OldVersion,
			restored: &restored{stamp: r.stamp(sl.SilentMillis)},
		}
		if sl.IntervalMillis != 0 {
			l.interval.Store(min(max(sl.IntervalMillis, leastIntervalMillis), mostIntervalMillis))
		}
		l.restored.untrusted.Store(sl.Untrusted)
		l.lastUpdate.Store(l.restored.stamp)
		t.show(l)
		r.lives[i] = l
	}
}

// stamp returns when a broker was last heard of that had been silent for so long
// when it was saved: before now, so that the next sign of life has another time.
func (r *restoring) stamp(silentMillis int64) int64 {
	silent := max(deadlineMillis(silentMillis, r.age), 1)
	if r.now < math.MinInt64+silent {
		return math.MinInt64
	}
	return r.now - silent
}

// addSets makes the broker sets with their members.
func (r *restoring) addSets() {
	t := r.t
	members, links := 0, 0
	for i := range r.s.Sets {
		members += len(r.s.Sets[i].Members)
		for j := range r.s.Sets[i].Members {
			links += len(r.s.Sets[i].Members[j].Lives)
		}
	}
	t.memberByAddr = make(map[memberAddr]*member, members)
	t.links = make(map[linkKey]*link, links)
	r.sets = make([]*brokerSet, len(r.s.Sets))
	for i := range r.s.Sets {
		ss := &r.s.Sets[i]
		s := t.newSet(ss.Name, ss.Cluster)
		for j := range ss.Members {
			sm := &ss.Members[j]
			m := &member{id: sm.ID, addr: sm.Addr, enableActingMaster: sm.EnableActingMaster, zoneName: sm.ZoneName, hasZoneName: sm.HasZoneName}
			t.join(s, m, copyOf(sm.FilterServers))
			for _, l := range sm.Lives {
				t.link(s, m, r.lives[l])
			}
		}
		t.refresh(s)
		r.sets[i] = s
	}
}

// addMappings puts the static mappings together, topic by topic.
func (r *restoring) addMappings() {
	r.mappings = map[uint32]*topicMappings{}
	for i := range r.s.Mappings {
		sm := &r.s.Mappings[i]
		r.mappings[sm.Topic] = r.mappings[sm.Topic].with(sm.Info)
		r.t.entries += 1 + len(sm.Info.CurrIDMap)
	}
}

// over returns the limit that the Table goes beyond, with its topics.
func (r *restoring) over() error {
	t := r.t
	t.entries += len(r.s.Rows)
	most := func(limit Limit, n, most int) error {
		if n <= most {
			return nil
		}
		return &LimitError{limit, n, most}
	}
	lim := &t.limits
	errs := []error{
		most(LimitTopics, len(r.s.Topics), lim.Topics),
		most(LimitBrokers, len(t.links), lim.Brokers),
		most(LimitEntries, t.entries, lim.Entries),
	}
	for _, n := range t.clustersOf {
		errs = append(errs, most(LimitAddrClusters, n, lim.ClustersPerAddr))
	}
	for _, s := range r.sets {
		errs = append(errs, most(LimitNameIDs, s.members.size, lim.IDsPerName))
		for m := range s.members.all {
			errs = append(errs, most(LimitFilterServers, len(m.FilterServers), lim.FilterServersPerBroker))
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// An idRun is 64 neighbours of an idSet that is being filled in ascending order: a
// map would cost more than all else, for each row.
type idRun struct {
	high uint32
	bits uint64
}

// add adds the IDs of a range.
func (n *idRun) add(s *idSet, from, to uint32) {
	for from < to {
		if n.high != from/64 {
			n.flush(s)
			*n = idRun{high: from / 64}
		}
		count := min(to-from, 64-from%64)
		n.bits |= ^uint64(0) >> (64 - count) << (from % 64)
		s.size += int(count)
		from += count
	}
}

// flush puts the neighbours into s.
func (n *idRun) flush(s *idSet) {
	if n.bits != 0 {
		s.words[n.high] = n.bits
	}
}

// addTopics makes the topics. Their numbers are their indexes.
func (r *restoring) addTopics() {
	t := r.t
	entries := make([]*TopicEntry, len(r.s.Topics))
	r.runs = make([]idRun, len(r.sets))
	rest := r.s.Rows
	b := entryBuilder{s: r.s}
	var names nameSlab // those of s may be windows into a text, and one would keep all of it
	var last []SavedRow
	first := 0 // topic with rows like last, and all since
	for i := range r.s.Topics {
		st := &r.s.Topics[i]
		rows := rest[:st.Rows]
		rest = rest[st.Rows:]
		same := slices.Equal(rows, last)
		if !same {
			r.serve(last, first, i)
			last, first = rows, i
		}
		entries[i] = b.entry(names.copy(st.Name), uint32(i), r.mappings[uint32(i)], rows, same)
		t.topicByID.put(0, uint32(i), entries[i])
		t.statics += entries[i].isStatic()
	}
	r.serve(last, first, len(entries))
	for i, s := range r.sets {
		r.runs[i].flush(&s.topics)
		s.topicCount.Store(int64(s.topics.size))
	}
	t.topicQueueTable.fill(t.edition, entries)
}

// serve notes that the sets of rows serve the topics of a range. Neighbours mostly
// have the same rows, and a thousand sets may serve each.
func (r *restoring) serve(rows []SavedRow, from, to int) {
	for _, row := range rows {
		r.runs[row.Set].add(&r.sets[row.Set].topics, uint32(from), uint32(to))
	}
}

// An entryBuilder makes one TopicEntry after the other.
type entryBuilder struct {
	s    *Saved
	rows []queueData
	tree *queueNode // of the topic before, if it has one
}

// entry returns the entry of a topic with the given rows, which are the same as
// those of the topic before or not. Topics in a row that are offered by the same
// sets in the same way share their queue datas, if these are a tree: a change of one
// copies what it changes, as ever.
func (b *entryBuilder) entry(name string, id uint32, m *topicMappings, rows []SavedRow, same bool) *TopicEntry {
	if len(rows) > queueRows && same {
		return newPatchEntry(name, id, m, b.tree, nil)
	}
	b.rows = b.rows[:0]
	for _, row := range rows {
		o := &b.s.Offers[row.Offer]
		b.rows = append(b.rows, queueData{row.Set, o.ReadQueueNums, o.WriteQueueNums, o.Perm, o.TopicSysFlag})
	}
	if len(rows) <= queueRows {
		var w leafWords
		return newLeafEntry(name, id, m, w.pack(b.rows))
	}
	b.tree = newTree(b.rows)
	return newPatchEntry(name, id, m, b.tree, nil)
}

// fill makes t, which is empty, the map of elements, of which no two have one key:
// the same as if they had been put one by one.
func (t *trie[E]) fill(edition uint64, elements []E) {
	if len(elements) == 0 {
		return
	}
	slots := make([]trieSlot[E], len(elements))
	for i, e := range elements {
		slots[i] = trieSlot[E]{t.hash(e.trieKey()), e}
	}
	slices.SortFunc(slots, func(a, b trieSlot[E]) int { return cmp.Compare(a.hash, b.hash) })
	t.root, t.size = newTrieNode(edition, trieFirst, slots), len(slots)
}

// newTrieNode returns the node of the level of shift with copies of slots, which are
// in ascending order of hash.
func newTrieNode[E keyed](edition uint64, shift int, slots []trieSlot[E]) *trieNode[E] {
	n := &trieNode[E]{edition: edition, size: len(slots)}
	for len(slots) > 0 {
		i := trieWay(slots[0].hash, shift)
		end := 1
		for end < len(slots) && trieWay(slots[end].hash, shift) == i {
			end++
		}
		if end <= trieBucket || isLast(shift) {
			b := newBucket[E](end)
			copy(b, slots)
			n.setBucket(i, b)
		} else {
			n.setNode(i, newTrieNode(edition, shift-trieBits, slots[:end]))
		}
		slots = slots[end:]
	}
	return n
}
