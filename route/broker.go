package route

import (
	"slices"
	"sort"
)

// A Broker is one row of brokerAddrTable as readers see it: all brokers that
// share a name (a broker set). It never changes once published.
// Java: BrokerData.
type Broker struct {
	Name    string
	Cluster string   // of the first registration of the name
	Members []Member // in ascending order of ID, never empty
	// EnableActingMaster and the zone are those that the member with the
	// smallest ID registered with.
	//
	// Differs from Java: RouteInfoManager#registerBroker lets every member
	// overwrite them, so that one old slave turns acting off for all.
	EnableActingMaster bool
	ZoneName           string
	HasZoneName        bool
	Clusters           []string // all that list the name, in ascending order

	version uint64 // brokerTable.version that brought this state
	set     *brokerSet
}

// A Member is one broker of a broker set.
type Member struct {
	ID            int64
	Addr          string
	FilterServers []string // nil when there are none
}

func (b *Broker) trieKey() string { return b.Name }

// hasMaster reports whether a member has the ID 0.
func (b *Broker) hasMaster() bool {
	for _, m := range b.Members {
		if m.ID == masterID {
			return true
		}
	}
	return false
}

// A brokerSet is the writer's side of a Broker. Under mu.
type brokerSet struct {
	id      uint32 // index in Table.brokerByID, kept as long as the set exists
	name    string
	cluster string
	members []*member // in ascending order of id
	topics  idSet     // numbers of the topics with queue data of this name
	// topicsEdition grows whenever a queue data or a static mapping of this
	// name changes, whoever changes it.
	topicsEdition uint64
	published     *Broker
}

// A member is the writer's side of a Member. Under mu.
type member struct {
	id                 int64
	addr               string
	enableActingMaster bool
	zoneName           string
	hasZoneName        bool
	// lives are the live entries that keep this member: one, or one per
	// cluster when an address registers the same name under several clusters.
	lives []*liveBroker
}

// set returns the writer's side of a broker name, nil when it is unknown.
func (t *Table) set(name string) *brokerSet {
	if b, ok := t.brokerAddrTable.get(name); ok {
		return b.set
	}
	return nil
}

// newSet adds a broker set without members; the caller gives it one before it
// publishes.
func (t *Table) newSet(name, cluster string) *brokerSet {
	s := &brokerSet{name: name, cluster: cluster, topics: newIDSet()}
	if n := len(t.freeBrokerIDs); n > 0 {
		s.id = t.freeBrokerIDs[n-1]
		t.freeBrokerIDs = t.freeBrokerIDs[:n-1]
	} else {
		s.id = uint32(len(t.brokerByID))
		t.brokerByID = append(t.brokerByID, nil)
	}
	t.list(cluster, name)
	return s
}

// removeSet removes a broker set that has lost its last member, from all its
// topics too. O(topics of that set).
func (t *Table) removeSet(s *brokerSet) {
	topics := s.topics.size
	for id := range s.topics.all {
		t.dropQueue(t.topicByID[id], s)
	}
	t.brokerAddrTable.remove(t.edition, s.name)
	t.brokerByID[s.id] = nil
	t.freeBrokerIDs = append(t.freeBrokerIDs, s.id)
	t.brokersVersion++
	t.brokersChanged = true
	t.unlist(s.cluster, s.name)
	t.emit(Event{Kind: BrokerSetRemoved, Cluster: s.cluster, BrokerName: s.name, Topics: topics})
}

// refresh makes the published side of s follow the writer's. It changes
// nothing when readers would see no difference, so that encoded routes stay
// valid.
func (t *Table) refresh(s *brokerSet) {
	first := s.members[0]
	b := &Broker{
		Name:               s.name,
		Cluster:            s.cluster,
		Members:            make([]Member, len(s.members)),
		EnableActingMaster: first.enableActingMaster,
		ZoneName:           first.zoneName,
		HasZoneName:        first.hasZoneName,
		Clusters:           []string{s.cluster},
		set:                s,
	}
	for i, m := range s.members {
		b.Members[i] = Member{ID: m.id, Addr: m.addr}
		for _, l := range m.lives {
			if l.key.Cluster == s.cluster {
				b.Members[i].FilterServers = t.filterServerTable[l.key]
			} else if !slices.Contains(b.Clusters, l.key.Cluster) {
				b.Clusters = append(b.Clusters, l.key.Cluster)
			}
		}
	}
	sort.Strings(b.Clusters)
	if s.published != nil && b.sameAs(s.published) {
		return
	}
	t.brokersVersion++
	b.version = t.brokersVersion
	s.published = b
	t.brokerAddrTable.put(t.edition, b)
	t.brokerByID[s.id] = b
	t.brokersChanged = true
}

// sameAs reports whether readers could not tell b from o.
func (b *Broker) sameAs(o *Broker) bool {
	return b.Cluster == o.Cluster && b.EnableActingMaster == o.EnableActingMaster &&
		b.ZoneName == o.ZoneName && b.HasZoneName == o.HasZoneName &&
		slices.Equal(b.Clusters, o.Clusters) &&
		slices.EqualFunc(b.Members, o.Members, func(x, y Member) bool {
			return x.ID == y.ID && x.Addr == y.Addr && slices.Equal(x.FilterServers, y.FilterServers)
		})
}

// find returns where the member with the given ID is, or where it would go.
func (s *brokerSet) find(id int64) (i int, ok bool) {
	return slices.BinarySearchFunc(s.members, id, func(m *member, id int64) int {
		switch {
		case m.id < id:
			return -1
		case m.id > id:
			return 1
		}
		return 0
	})
}

// member returns the member with the given ID, nil when there is none.
func (s *brokerSet) member(id int64) *member {
	if i, ok := s.find(id); ok {
		return s.members[i]
	}
	return nil
}

// join adds a member without live entries; its ID must be free.
func (s *brokerSet) join(m *member) {
	i, _ := s.find(m.id)
	s.members = slices.Insert(s.members, i, m)
}

// link makes l keep m in s. Linking twice changes nothing.
func (t *Table) link(s *brokerSet, m *member, l *liveBroker) {
	if slices.Contains(m.lives, l) {
		return
	}
	t.links++
	m.lives = append(m.lives, l)
	l.owners = append(l.owners, owner{s, m})
	t.list(l.key.Cluster, s.name)
}

// unlink is the reverse of link: a live entry goes with its last member, a
// member with its last live entry. The set stays, even without members: the
// caller sees to it.
//
// Differs from Java: RouteInfoManager keeps the live entry of a master whose
// place another address has taken, for ever.
func (t *Table) unlink(s *brokerSet, m *member, l *liveBroker) {
	t.links--
	m.lives = slices.DeleteFunc(m.lives, func(x *liveBroker) bool { return x == l })
	l.owners = slices.DeleteFunc(l.owners, func(o owner) bool { return o.set == s && o.member == m })
	t.unlist(l.key.Cluster, s.name)
	if len(l.owners) == 0 {
		t.dropLive(l)
	}
	if len(m.lives) == 0 {
		s.members = slices.DeleteFunc(s.members, func(x *member) bool { return x == m })
	}
}

// leave unlinks every live entry of a member.
func (t *Table) leave(s *brokerSet, m *member) {
	for len(m.lives) > 0 {
		t.unlink(s, m, m.lives[len(m.lives)-1])
	}
}
