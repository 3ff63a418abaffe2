package route

import (
	"fmt"
	"slices"

	"gonamesrv/codec"
)

// What a name may have at most, in bytes. Nobody's real name is refused: Java's
// brokers allow topics of 127, but the topic in which a group of 255 finds its
// messages again has 390 (%RETRY%<group>_<topic>); an address may be a host name
// of 253 with a port.
const (
	maxTopicLength = 512 // topics
	maxNameLength  = 255 // clusters, broker names, zones, scopes
	maxAddrLength  = 260 // addresses of brokers, of replication, of filter servers
)

// Limits bound what strangers can put into a Table. What would go beyond one
// is refused with a *LimitError, and has changed nothing; what does not grow
// is never refused.
type Limits struct {
	Topics  int // topics; 0 is no limit
	Brokers int // brokers, each under one name and in one cluster; 0 is no limit
	// Entries bounds what topics, filter servers and static mappings take: one
	// for each broker name of each topic, one for each filter server of each
	// broker, and one for each static mapping and each of its queues. 0 is no
	// limit.
	Entries int

	FilterServersPerBroker int // 0 is 1,024
	BrokersPerConn         int // brokers that registered last over one connection; 0 is 1,024
	ClustersPerAddr        int // 0 is 64
	IDsPerName             int // 0 is 1,024
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Topics, unlimited},
		{&l.Brokers, unlimited},
		{&l.Entries, unlimited},
		{&l.FilterServersPerBroker, 1024},
		{&l.BrokersPerConn, 1024},
		{&l.ClustersPerAddr, 64},
		{&l.IDsPerName, 1024},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}

const unlimited = int(^uint(0) >> 1)

// A Limit is one of the bounds of a Table.
type Limit uint8

// The limits.
const (
	LimitTopicLength   Limit = iota // bytes of a topic's name
	LimitNameLength                 // bytes of another name
	LimitAddrLength                 // bytes of an address
	LimitFilterServers              // of one broker
	LimitConnBrokers                // brokers of one connection
	LimitAddrClusters               // clusters of one address
	LimitNameIDs                    // IDs of one broker name
	LimitTopics                     // in all
	LimitBrokers                    // in all
	LimitEntries                    // in all
	limitCount
)

var limitNames = [limitCount]string{
	"topic name length", "name length", "address length", "filter servers of a broker", "brokers of a connection",
	"clusters of an address", "IDs of a broker name", "topics", "brokers", "route entries",
}

func (l Limit) String() string { return limitNames[l] }

// A LimitError refuses a change that would go beyond a limit. Nothing has
// changed.
type LimitError struct {
	Limit Limit
	Size  int // what there would be
	Most  int // what there may be
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("route: %v: %d, at most %d", e.Limit, e.Size, e.Most)
}

// Refusals returns how many changes a limit has refused.
func (t *Table) Refusals(l Limit) int64 { return t.refusals[l].Load() }

// lengths returns what in r is too long, or too many by itself.
func (t *Table) lengths(r *Registration) *LimitError {
	for _, name := range []string{r.Cluster, r.BrokerName, r.ZoneName} {
		if len(name) > maxNameLength {
			return &LimitError{LimitNameLength, len(name), maxNameLength}
		}
	}
	for _, addr := range []string{r.BrokerAddr, r.HAServerAddr} {
		if len(addr) > maxAddrLength {
			return &LimitError{LimitAddrLength, len(addr), maxAddrLength}
		}
	}
	b := r.Body
	if n := len(b.FilterServers); n > t.limits.FilterServersPerBroker {
		return &LimitError{LimitFilterServers, n, t.limits.FilterServersPerBroker}
	}
	for _, addr := range b.FilterServers {
		if len(addr) > maxAddrLength {
			return &LimitError{LimitAddrLength, len(addr), maxAddrLength}
		}
	}
	for i := range b.Topics {
		if n := len(b.Topics[i].Name); n > maxTopicLength {
			return &LimitError{LimitTopicLength, n, maxTopicLength}
		}
	}
	for i := range b.Mappings {
		m := &b.Mappings[i].Info
		if len(m.Topic) > maxTopicLength {
			return &LimitError{LimitTopicLength, len(m.Topic), maxTopicLength}
		}
		if n := max(len(m.Scope), len(m.Bname)); n > maxNameLength {
			return &LimitError{LimitNameLength, n, maxNameLength}
		}
	}
	return nil
}

// room returns the limit that r would go beyond, with what would be there
// afterwards: what it takes away makes room. s and l are nil where they are not
// known yet; changed is whether r has another data version than before. Under mu.
func (t *Table) room(s *brokerSet, l *liveBroker, r *Registration, changed bool) *LimitError {
	g := t.growth(s, l, r)
	ids := g.ids
	if s != nil {
		ids += len(s.members)
	}
	switch lim := &t.limits; {
	case g.ids > 0 && ids > lim.IDsPerName:
		return &LimitError{LimitNameIDs, ids, lim.IDsPerName}
	case g.clusters > 0 && t.clustersOf[r.BrokerAddr]+g.clusters > lim.ClustersPerAddr:
		return &LimitError{LimitAddrClusters, t.clustersOf[r.BrokerAddr] + g.clusters, lim.ClustersPerAddr}
	case g.brokers > 0 && t.links+g.brokers > lim.Brokers:
		return &LimitError{LimitBrokers, t.links + g.brokers, lim.Brokers}
	case g.onConn > 0:
		if n := t.connBrokers(r.Conn) + g.onConn; n > lim.BrokersPerConn {
			return &LimitError{LimitConnBrokers, n, lim.BrokersPerConn}
		}
	}
	topics, entries := 0, g.entries
	if r.BrokerID == masterID || !r.OldVersion && g.smallest {
		// Far from the limits, what it could be at most is good enough.
		topics = len(r.Body.Topics)
		entries += len(r.Body.Topics) + mappingEntries(r)
		if t.overTopics(topics) != nil || t.overEntries(entries) != nil {
			topics, entries = t.topicGrowth(s, r, changed || g.first)
			entries += g.entries
		}
	}
	if err := t.overTopics(topics); err != nil {
		return err
	}
	return t.overEntries(entries)
}

// overTopics and overEntries judge totals that would grow by n.

func (t *Table) overTopics(n int) *LimitError {
	if size := t.topicQueueTable.size + n; n > 0 && size > t.limits.Topics {
		return &LimitError{LimitTopics, size, t.limits.Topics}
	}
	return nil
}

func (t *Table) overEntries(n int) *LimitError {
	if size := t.entries + n; n > 0 && size > t.limits.Entries {
		return &LimitError{LimitEntries, size, t.limits.Entries}
	}
	return nil
}

// connBrokers returns how many brokers registered last over a connection: no
// more than BrokersPerConn. Under mu.
func (t *Table) connBrokers(conn uint64) (n int) {
	for _, l := range t.byConn[conn] {
		n += len(l.owners)
	}
	return n
}

// A growth is by how much admit, keepAlive and putFilterServers will change
// the counts that are limited.
type growth struct {
	ids, clusters, brokers, onConn int
	entries                        int  // filter servers only
	smallest                       bool // the broker will have the smallest ID of its set
	first                          bool // its ID is free
}

// growth foresees what admit will do. Under mu.
func (t *Table) growth(s *brokerSet, l *liveBroker, r *Registration) growth {
	g := growth{smallest: true, first: true}
	var leaving []*member
	var m *member
	if s != nil {
		m = s.member(r.BrokerID)
		g.first = m == nil
		for _, o := range s.members {
			if (o.addr == r.BrokerAddr) != (o.id == r.BrokerID) { // displaced, or under another ID till now
				leaving = append(leaving, o)
			} else if o.id < r.BrokerID {
				g.smallest = false
			}
		}
	}
	if g.first {
		g.ids++
	}
	if m == nil || !slices.Contains(m.lives, l) {
		g.brokers++
	}
	if r.Conn != 0 {
		g.onConn = g.brokers
		if l != nil && l.conn != r.Conn {
			g.onConn += len(l.owners)
		}
	}
	if l == nil {
		g.clusters++
	}
	if !r.Body.FilterServersNull {
		g.entries += len(r.Body.FilterServers) - len(t.filterServerTable[BrokerKey{r.Cluster, r.BrokerAddr}])
	}
	for _, o := range leaving {
		if o.id != r.BrokerID {
			g.ids--
		}
		g.brokers -= len(o.lives)
		for _, x := range o.lives {
			if r.Conn != 0 && (x == l || x.conn == r.Conn) {
				g.onConn--
			}
			if len(x.owners) > 1 || x == l {
				continue
			}
			g.entries -= len(t.filterServerTable[x.key])
			if o.addr == r.BrokerAddr {
				g.clusters--
			}
		}
	}
	return g
}

// mappingEntries returns how many entries the static mappings of r take.
func mappingEntries(r *Registration) (n int) {
	for i := range r.Body.Mappings {
		n += 1 + len(r.Body.Mappings[i].Info.CurrIDMap)
	}
	return n
}

// topicGrowth returns by how much applyTopics will change the number of topics
// and of entries. overwrite says whether it replaces static mappings. It costs
// about as much as applying them. Under mu.
func (t *Table) topicGrowth(s *brokerSet, r *Registration, overwrite bool) (topics, entries int) {
	b := r.Body
	deleted := func(*TopicEntry) bool { return false }
	if r.DeleteMissingTopics && len(b.Mappings) == 0 && s != nil {
		listed := make(map[string]struct{}, len(b.Topics))
		for i := range b.Topics {
			listed[window(b.Topics[i].Key)] = struct{}{}
		}
		deleted = func(e *TopicEntry) bool { return !has(listed, e.name) }
		for id := range s.topics.all {
			e := t.topicByID[id]
			if !deleted(e) {
				continue
			}
			entries -= 1 + e.mappings.entries(s.name)
			if len(e.queues) == 1 {
				topics--
			}
		}
	}
	added := map[string]struct{}{} // names of topics that s will serve anew
	for i := range b.Topics {
		name := window(b.Topics[i].Name)
		if has(added, name) {
			continue
		}
		e, ok := t.topicQueueTable.get(name)
		served := false
		if ok && s != nil {
			_, served = e.find(s.id)
		}
		if served && !deleted(e) {
			continue
		}
		added[name] = struct{}{}
		entries++
		if !ok || served && len(e.queues) == 1 {
			topics++
		}
	}
	return topics, entries + t.mappingGrowth(s, r, added, overwrite)
}

// mappingGrowth returns how many entries the static mappings of r will add.
func (t *Table) mappingGrowth(s *brokerSet, r *Registration, added map[string]struct{}, overwrite bool) (entries int) {
	type cell struct{ topic, broker string }
	stored := map[cell]int{} // by the mappings before, in entries
	for i := range r.Body.Mappings {
		m := &r.Body.Mappings[i]
		e, _ := t.topicQueueTable.get(m.Key)
		served := has(added, m.Key) && m.Info.Bname == r.BrokerName
		if of := t.set(m.Info.Bname); of != nil && e != nil && !served {
			_, served = e.find(of.id)
		}
		if !served {
			continue
		}
		c := cell{m.Key, m.Info.Bname}
		old, again := stored[c]
		if !again && e != nil {
			old = e.mappings.entries(m.Info.Bname)
		}
		if old > 0 && !overwrite {
			continue
		}
		stored[c] = 1 + len(m.Info.CurrIDMap)
		entries += stored[c] - old
	}
	return entries
}

// entries returns what the mapping of one broker name counts among the entries
// of a Table.
func (m *topicMappings) entries(brokerName string) int {
	if i, ok := m.find(brokerName); ok {
		return 1 + len(m.byBroker[i].Info.CurrIDMap)
	}
	return 0
}

// refuse counts a registration that goes beyond a limit. It is a sign of life
// all the same: a live broker must not expire because it has one topic too many.
// Under mu.
func (t *Table) refuse(nowMillis int64, s *brokerSet, l *liveBroker, r *Registration, why *LimitError) error {
	t.refusals[why.Limit].Add(1)
	if l == nil {
		return why
	}
	l.lastUpdate.Store(nowMillis)
	if s == nil || l.conn == r.Conn {
		return why
	}
	m := s.member(r.BrokerID)
	if m != nil && slices.Contains(m.lives, l) && t.connBrokers(r.Conn)+len(l.owners) <= t.limits.BrokersPerConn {
		t.bind(l, r.Conn) // it lives there now, so the end of its old connection is not its own
	}
	return why
}

// roomForTopic returns the limit that RegisterTopic would go beyond. The broker
// names of queueDatas are known. Under mu.
func (t *Table) roomForTopic(topic string, queueDatas []codec.QueueData) *LimitError {
	if len(topic) > maxTopicLength {
		return &LimitError{LimitTopicLength, len(topic), maxTopicLength}
	}
	if len(queueDatas) == 0 {
		return nil
	}
	e, ok := t.topicQueueTable.get(topic)
	if !ok {
		if err := t.overTopics(1); err != nil {
			return err
		}
	}
	if t.overEntries(len(queueDatas)) == nil {
		return nil
	}
	added := map[uint32]struct{}{}
	for _, d := range queueDatas {
		s := t.set(d.BrokerName)
		served := false
		if ok {
			_, served = e.find(s.id)
		}
		if !served {
			added[s.id] = struct{}{}
		}
	}
	return t.overEntries(len(added))
}
