package route

import (
	"encoding/binary"
	"iter"
	"sync/atomic"
)

// A Broker is one row of brokerAddrTable as readers see it: all brokers that
// share a name (a broker set). It never changes once published.
// Java: BrokerData.
type Broker struct {
	Name    string
	Cluster string // of the first registration of the name
	// EnableActingMaster and the zone are those that the member with the
	// smallest ID registered with.
	//
	// Differs from Java: RouteInfoManager#registerBroker lets every member
	// overwrite them, so that one old slave turns acting off for all.
	EnableActingMaster bool
	ZoneName           string
	HasZoneName        bool

	members memberTree // never empty
	removed uint64     // of one that is gone, the event that says so
	gone    bool       // nobody is shown it any more; it keeps its number until no topic has it
	version uint64     // brokerTable.version that brought this state
	set     *brokerSet
}

// A Member is one broker of a broker set. It never changes.
type Member struct {
	ID   int64
	Addr string
	// EnableActingMaster and the zone are those of its last registration. Clients
	// are told those of the member with the smallest ID only (Broker).
	EnableActingMaster bool
	ZoneName           string
	HasZoneName        bool
	// FilterServers is the member's row of filterServerTable: what it said in the
	// cluster of its broker set. nil when there are none.
	//
	// Differs from Java: RouteInfoManager keeps one list for all names of a cluster
	// at one address, that of the last registration.
	FilterServers []string

	of *member
}

func (b *Broker) trieKey() string { return b.Name }

// First returns the member with the smallest ID.
func (b *Broker) First() *Member { return b.members.first() }

// Members returns the members in ascending order of ID; there is at least one.
func (b *Broker) Members() iter.Seq[*Member] { return b.members.all }

// MemberCount returns the number of members.
func (b *Broker) MemberCount() int { return b.members.size }

// TopicCount returns how many topics have queues of this name, now, not at the time
// of the View.
func (b *Broker) TopicCount() int { return int(b.set.topicCount.Load()) }

// HasMaster reports whether a member has the ID 0.
func (b *Broker) HasMaster() bool { return b.hasMaster() }

// hasMaster reports whether a member has the ID 0.
func (b *Broker) hasMaster() bool { return b.members.get(masterID) != nil }

// A brokerSet is the writer's side of a Broker. Under mu.
type brokerSet struct {
	id      uint32 // index in Table.brokerByID, kept as long as the set exists
	name    string
	hash    uint64 // of the name, for digests
	cluster string
	members memberTree
	topics  idSet // numbers of the topics with queue data of this name
	// topicCount is topics.size, for those who do not have mu.
	topicCount atomic.Int64
	// topicsEdition grows whenever a queue data or a static mapping of this
	// name changes, whoever changes it.
	topicsEdition uint64
	wiped         bool     // an operator has taken the write permission of its topics, and nothing is known to have given it back
	unheard       *unheard // of its topics; nil if it was not restored, or all of them were listed since
	published     *Broker

	// Who changes the set in steps takes a ticket, and waits for its turn.
	turn, tickets uint64
	doomed        int // links of live entries that are about to leave; no broker registers before they have
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
	lives []*link
}

// A memberAddr finds a member by its address.
type memberAddr struct {
	set  *brokerSet
	addr string
}

// A link says that a live entry keeps a member. Views have it too: its set, member
// and live entry never change.
type link struct {
	key      string // its number, highest byte first: of two links the later one has the higher
	set      *brokerSet
	member   *member
	live     *liveBroker
	inMember int // index in member.lives; -1 once the link is taken away
	inLive   int // index in live.owners
}

func (k *link) trieKey() string { return k.key }

// A linkKey finds the link between a member and a live entry.
type linkKey struct {
	member *member
	live   *liveBroker
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
	s := &brokerSet{name: name, hash: xxHash64(text(name)), cluster: cluster, topics: newIDSet()}
	if n := len(t.freeBrokerIDs); n > 0 {
		s.id = t.freeBrokerIDs[n-1]
		t.freeBrokerIDs = t.freeBrokerIDs[:n-1]
	} else {
		s.id = t.brokerByID.size
	}
	t.addReason(cluster, name)
	return s
}

// removeSet removes a broker set that has lost its last member. From now on
// nobody is shown its topics; the caller sweeps it.
func (c *Changer) removeSet(s *brokerSet, parent uint64) {
	t := c.t
	removed := c.recordSetRemoved(s, parent)
	t.losing = true
	t.brokerAddrTable.remove(t.edition, s.name)
	t.brokersVersion++
	t.brokerByID.put(t.edition, s.id, &Broker{Name: s.name, Cluster: s.cluster, gone: true, removed: removed, version: t.brokersVersion, set: s})
	t.brokersChanged, t.offersChanged = true, true
	t.dropReason(s.cluster, s.name)
	t.leaving[s.name] = s
	if s.topics.size > 0 {
		t.namesChanged = true
	}
	s.hearAll()
	t.emit(Event{Kind: BrokerSetRemoved, Cluster: s.cluster, BrokerName: s.name, Topics: s.topics.size})
}

// sweep takes a broker set that is gone from all its topics, and gives its number
// back. Several may do so together. Under mu, which is let go between steps.
func (t *Table) sweep(s *brokerSet) {
	for id := range s.topics.all {
		if t.leaving[s.name] != s {
			return // another has come to the end first, and its number may be another set's
		}
		if e := t.topicByID.get(id); e != nil {
			t.dropQueue(e, s)
		}
		t.pause()
	}
	if t.leaving[s.name] != s {
		return
	}
	delete(t.leaving, s.name)
	t.brokerByID.put(t.edition, s.id, nil)
	t.freeBrokerIDs = append(t.freeBrokerIDs, s.id)
	t.brokersChanged = true
}

// sweepAll sweeps every broker set that is gone: there may be room then. Under mu,
// which is let go between steps.
func (t *Table) sweepAll() {
	for len(t.leaving) > 0 {
		for _, s := range t.leaving {
			t.sweep(s)
			break
		}
	}
}

// refresh makes the published side of s follow the writer's. It changes
// nothing when readers would see no difference, so that encoded routes stay
// valid.
func (t *Table) refresh(s *brokerSet) {
	t.work += 4
	first, old := s.first(), s.published
	if old != nil && old.members.root == s.members.root && old.EnableActingMaster == first.enableActingMaster &&
		old.ZoneName == first.zoneName && old.HasZoneName == first.hasZoneName {
		return
	}
	t.brokersVersion++
	s.published = &Broker{
		Name:               s.name,
		Cluster:            s.cluster,
		EnableActingMaster: first.enableActingMaster,
		ZoneName:           first.zoneName,
		HasZoneName:        first.hasZoneName,
		members:            s.members,
		version:            t.brokersVersion,
		set:                s,
	}
	t.brokerAddrTable.put(t.edition, s.published)
	t.brokerByID.put(t.edition, s.id, s.published)
	t.brokersChanged = true
}

// first returns the member with the smallest ID; there must be one.
func (s *brokerSet) first() *member { return s.members.first().of }

// member returns the member with the given ID, nil when there is none.
func (s *brokerSet) member(id int64) *member {
	if m := s.members.get(id); m != nil {
		return m.of
	}
	return nil
}

// join adds a member without live entries; its ID must be free.
func (t *Table) join(s *brokerSet, m *member, filterServers []string) {
	shown := m.shown(filterServers)
	s.members = s.members.with(&shown)
	t.memberByAddr[memberAddr{s, m.addr}] = m
	t.entries += len(filterServers)
}

// showMember makes the published side of m follow the writer's, with servers as
// its row of filterServerTable. The slice is kept.
func (t *Table) showMember(s *brokerSet, m *member, servers []string) {
	old, now := s.members.get(m.id), m.shown(servers)
	if old.says(&now) {
		return
	}
	t.entries += len(servers) - len(old.FilterServers)
	kept := now // so that one that is not costs no memory
	s.members = s.members.with(&kept)
}

// shown returns the published side of m.
func (m *member) shown(filterServers []string) Member {
	return Member{
		ID: m.id, Addr: m.addr, EnableActingMaster: m.enableActingMaster, ZoneName: m.zoneName, HasZoneName: m.hasZoneName,
		FilterServers: filterServers, of: m,
	}
}

// link makes l keep m in s, and reports whether it did not before.
func (t *Table) link(s *brokerSet, m *member, l *liveBroker) bool {
	key := linkKey{m, l}
	if t.links[key] != nil {
		return false
	}
	t.linkCount++
	k := &link{key: string(binary.BigEndian.AppendUint64(nil, t.linkCount)), set: s, member: m, live: l, inMember: len(m.lives), inLive: len(l.owners)}
	m.lives = append(m.lives, k)
	l.owners = append(l.owners, k)
	t.links[key] = k
	t.linkTable.put(t.edition, k)
	t.brokersChanged = true
	if l.conn != 0 {
		t.connLinks[l.conn]++
	}
	t.addReason(l.key.Cluster, s.name)
	return true
}

// unlink is the reverse of link: a live entry goes with its last member, a
// member with its last live entry. The set stays, even without members: the
// caller sees to it.
//
// Differs from Java: RouteInfoManager keeps the live entry of a master whose
// place another address has taken, for ever.
func (t *Table) unlink(k *link) {
	t.work += 8
	s, m, l := k.set, k.member, k.live
	last := len(m.lives) - 1
	m.lives[k.inMember] = m.lives[last]
	m.lives[k.inMember].inMember = k.inMember
	m.lives[last] = nil
	m.lives = m.lives[:last]
	last = len(l.owners) - 1
	l.owners[k.inLive] = l.owners[last]
	l.owners[k.inLive].inLive = k.inLive
	l.owners[last] = nil
	l.owners = l.owners[:last]
	k.inMember = -1
	if l.doomed {
		if s.doomed--; s.doomed == 0 {
			t.turns.Broadcast()
		}
	}
	if l.conn != 0 {
		t.connLinks[l.conn]--
	}
	delete(t.links, linkKey{m, l})
	t.linkTable.remove(t.edition, k.key)
	t.brokersChanged = true
	t.dropReason(l.key.Cluster, s.name)
	if len(l.owners) == 0 {
		t.dropLive(l)
	}
	switch {
	case len(m.lives) == 0:
		t.entries -= len(s.members.get(m.id).FilterServers)
		s.members = s.members.without(m.id)
		if at := (memberAddr{s, m.addr}); t.memberByAddr[at] == m {
			delete(t.memberByAddr, at)
		}
	case l.key.Cluster == s.cluster:
		t.showMember(s, m, nil)
	}
}

// unlinkAll unlinks every live entry of a member.
func (t *Table) unlinkAll(m *member) {
	for len(m.lives) > 0 {
		t.unlink(m.lives[len(m.lives)-1])
	}
}
