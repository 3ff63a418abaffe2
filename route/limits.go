package route

import "fmt"

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

// A totals is how much there is of what is limited in all, or how much there will
// be more.
type totals struct{ topics, entries int }

func (a totals) plus(b totals) totals  { return totals{a.topics + b.topics, a.entries + b.entries} }
func (a totals) minus(b totals) totals { return totals{a.topics - b.topics, a.entries - b.entries} }

// totals returns what there is. Under mu.
func (t *Table) totals() totals { return totals{t.topicQueueTable.size, t.entries} }

// over returns the limit that more would go beyond, beside what is promised to
// registrations that are between two steps. Those may need less than that: then
// one is refused that would have found room a moment later. Under mu.
func (t *Table) over(more totals) *LimitError {
	sum := t.totals().plus(t.promised).plus(more)
	switch {
	case more.topics > 0 && sum.topics > t.limits.Topics:
		return &LimitError{LimitTopics, sum.topics, t.limits.Topics}
	case more.entries > 0 && sum.entries > t.limits.Entries:
		return &LimitError{LimitEntries, sum.entries, t.limits.Entries}
	}
	return nil
}

// room returns the limit that a would go beyond, with what would be there
// afterwards: what it takes away makes room. It notes what a needs. rested says
// that others were let in, so that everything is to be looked at again. Under mu,
// in the turn of a.s.
func (a *applying) room() (full *LimitError, rested bool) {
	t, s, r := a.t, a.s, a.r
	g := t.growth(s, a.l, r)
	ids := g.ids
	if s != nil {
		ids += s.members.size
	}
	switch lim := &t.limits; {
	case g.ids > 0 && ids > lim.IDsPerName:
		return &LimitError{LimitNameIDs, ids, lim.IDsPerName}, false
	case g.clusters > 0 && t.clustersOf[r.BrokerAddr]+g.clusters > lim.ClustersPerAddr:
		return &LimitError{LimitAddrClusters, t.clustersOf[r.BrokerAddr] + g.clusters, lim.ClustersPerAddr}, false
	case g.brokers > 0 && len(t.links)+g.brokers > lim.Brokers:
		return &LimitError{LimitBrokers, len(t.links) + g.brokers, lim.Brokers}, false
	case g.onConn > 0 && t.linksOn(r.Conn)+g.onConn > lim.BrokersPerConn:
		return &LimitError{LimitConnBrokers, t.linksOn(r.Conn) + g.onConn, lim.BrokersPerConn}, false
	}
	a.need, a.from = totals{0, g.entries}, t.totals()
	publishes := r.BrokerID == masterID || !r.OldVersion && g.smallest
	if publishes {
		// Far from the limits, what it could be at most is good enough.
		a.need = a.need.plus(totals{len(r.Body.Topics), len(r.Body.Topics) + mappingEntries(r)})
	}
	if t.over(a.need) == nil {
		return nil, false
	}
	if len(t.leaving) > 0 {
		t.sweepAll()
		return nil, true
	}
	if publishes {
		if a.foreseen == nil || a.of != s {
			edition := t.edition
			foreseen := t.topicGrowth(s, r, a.listed, a.changed || g.first)
			a.foreseen, a.of = &foreseen, s
			if t.edition != edition {
				return nil, true
			}
		}
		a.need = a.foreseen.plus(totals{0, g.entries})
	}
	return t.over(a.need), false
}

// A growth is by how much addMember and keepAlive will change the counts that are
// limited.
type growth struct {
	ids, clusters, brokers, onConn int
	entries                        int  // filter servers only
	smallest                       bool // the broker will have the smallest ID of its set
	first                          bool // its ID is free
}

// growth foresees what addMember will do. Under mu.
func (t *Table) growth(s *brokerSet, l *liveBroker, r *Registration) growth {
	g := growth{smallest: true, first: true}
	var leaving []*member // displaced, or under another ID till now
	var m, former *member
	filterServers := 0 // before, of the member
	if s != nil {
		m, former = s.member(r.BrokerID), t.memberByAddr[memberAddr{s, r.BrokerAddr}]
		g.first = m == nil
		if m != nil && m != former {
			leaving = append(leaving, m)
		}
		if former != nil && m != former {
			leaving = append(leaving, former)
		}
		if former != nil {
			filterServers = len(s.members.get(former.id).FilterServers)
		}
		for o := range s.members.all {
			if o.ID >= r.BrokerID {
				break
			}
			if o.of != former {
				g.smallest = false
				break
			}
		}
	}
	if g.first {
		g.ids++
	}
	if m == nil || t.links[linkKey{m, l}] == nil {
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
	switch home := s == nil || r.Cluster == s.cluster; {
	case home && !r.Body.FilterServersNull:
		g.entries += len(r.Body.FilterServers) - filterServers
	case !home && m != former:
		g.entries -= filterServers
	}
	for _, o := range leaving {
		if o != m {
			g.ids--
		} else {
			g.entries -= len(s.members.get(m.id).FilterServers)
		}
		g.brokers -= len(o.lives)
		for _, k := range o.lives {
			x := k.live
			if r.Conn != 0 && (x == l || x.conn == r.Conn) {
				g.onConn--
			}
			if o == former && x != l && len(x.owners) == 1 {
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

// topicGrowth returns by how much (*applying).topics will change the totals.
// listed is what dropMissing leaves, nil when it is not called; overwrite says whether it replaces static mappings. It costs about as much as
// applying them. Under mu, which is let go between steps: what others change
// then is not foreseen.
func (t *Table) topicGrowth(s *brokerSet, r *Registration, listed map[string]struct{}, overwrite bool) (g totals) {
	b := r.Body
	deleted := func(*TopicEntry) bool { return false }
	if listed != nil && s != nil {
		deleted = func(e *TopicEntry) bool { return !has(listed, e.name) }
		for id := range s.topics.all {
			t.work++
			if e := t.topicByID.get(id); e != nil && deleted(e) {
				g.entries -= 1 + e.mappings.entries(s.name)
				if e.queues.len() == 1 {
					g.topics--
				}
			}
			t.pause()
		}
	}
	added := map[string]struct{}{} // names of topics that s will serve anew
	for i := range b.Topics {
		t.pause()
		t.work++
		name := window(b.Topics[i].Name)
		if has(added, name) {
			continue
		}
		e, ok := t.topicQueueTable.get(name)
		served := false
		if ok && s != nil {
			served = e.has(s)
		}
		if served && !deleted(e) {
			continue
		}
		added[name] = struct{}{}
		g.entries++
		if !ok || served && e.queues.len() == 1 {
			g.topics++
		}
	}
	g.entries += t.mappingGrowth(r, added, overwrite)
	return g
}

// mappingGrowth returns how many entries the static mappings of r will add, at
// most: they are stored last and one after the other, so what one takes less than
// before is room for the next, but not for the topics.
func (t *Table) mappingGrowth(r *Registration, added map[string]struct{}, overwrite bool) (most int) {
	entries := 0
	type cell struct{ topic, broker string }
	stored := map[cell]int{} // by the mappings before, in entries
	for i := range r.Body.Mappings {
		t.pause()
		t.work++
		m := &r.Body.Mappings[i]
		e, _ := t.topicQueueTable.get(m.Key)
		served := has(added, m.Key) && m.Info.Bname == r.BrokerName
		if of := t.set(m.Info.Bname); of != nil && e != nil && !served {
			served = e.has(of)
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
		most = max(most, entries)
	}
	return most
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
	by := r.by(t, nowMillis)
	by.recordRefused(r, why.Limit.String())
	if s != nil && s.unheard != nil {
		s.unheard.whole = 0 // what it would have listed is not known
	}
	if l == nil {
		return why
	}
	l.hear(nowMillis)
	if s == nil || l.conn == r.Conn {
		return why
	}
	m := s.member(r.BrokerID)
	if m != nil && t.links[linkKey{m, l}] != nil && t.linksOn(r.Conn)+len(l.owners) <= t.limits.BrokersPerConn {
		t.bind(l, r.Conn) // it lives there now, so the end of its old connection is not its own
		t.show(l)
	}
	return why
}

// roomForTopic returns the limit that RegisterTopic would go beyond. The broker
// sets that are to be in it are each listed once. Under mu.
func (t *Table) roomForTopic(topic string, sets []*brokerSet) *LimitError {
	if len(topic) > maxTopicLength {
		return &LimitError{LimitTopicLength, len(topic), maxTopicLength}
	}
	e, ok := t.topicQueueTable.get(topic)
	more := totals{0, len(sets)}
	if !ok && len(sets) > 0 {
		more.topics++
	}
	for _, s := range sets {
		if ok && s.topics.has(e.id) {
			more.entries--
		}
	}
	return t.over(more)
}
