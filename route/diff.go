package route

import (
	"iter"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// A Difference is what has changed between two Views. It is made of the Views
// when somebody asks, walks only what they do not share, and takes no lock: who
// watches a Table of a million topics pays for those that have changed.
//
// A View shows nothing of a broker set that has gone, but its rows leave the
// topics a few at a time. So whoever keeps a copy of the Views goes in this order:
//
//  1. Brokers: of a name that is removed every row of every topic is gone, and
//     every mapping, whether or not Topics says so too.
//  2. Topics: everything else that has become of rows and mappings.
//
// Clusters and Live stand for themselves. What has changed and changed back is
// not told of. Not part of a View, so of no Difference, is what moves without the
// lock: the time of the last sign of life, and whether a live entry is suspect or
// its data version trusted.
type Difference struct{ old, now *View }

// Diff returns what has changed since old. Both are Views of one Table, old is
// not the later one; nil stands for an empty View, so that all of now is new.
func Diff(old, now *View) Difference {
	if old == nil {
		old = &View{brokers: &brokerTable{}}
	}
	return Difference{old, now}
}

// A TopicChange says that the row of a topic, as readers see it, is not what it
// was.
type TopicChange struct {
	Name     string
	Old, New *TopicEntry // nil where the View has no such topic

	rows []TopicRowChange
}

// Rows are the broker names whose queue data or static mapping for the topic are
// not what they were, in ascending order; there is at least one.
func (c *TopicChange) Rows() []TopicRowChange { return c.rows }

// A TopicRowChange is what has become of what one broker name offers for a topic.
type TopicRowChange struct {
	BrokerName             string
	Old, New               *codec.QueueData             // nil where there is none
	OldMapping, NewMapping *codec.TopicQueueMappingInfo // nil where there is none; never changed
}

// Topics yields the topics that have changed, in no useful order.
func (d Difference) Topics() iter.Seq[TopicChange] {
	return func(yield func(TopicChange) bool) {
		walk := trieDiff[*TopicEntry]{change: func(old, now *TopicEntry) bool {
			c, ok := d.topic(old, now)
			return !ok || yield(c)
		}}
		walk.walk(d.old.topics.branch(), d.now.topics.branch())
	}
}

// topic compares the entries of one topic, of which one may be nil.
func (d Difference) topic(old, now *TopicEntry) (c TopicChange, changed bool) {
	a, b := d.old.offers(old), d.now.offers(now)
	c.rows = changedRows(a, b)
	if len(c.rows) == 0 {
		return c, false
	}
	if len(a) > 0 {
		c.Name, c.Old = old.name, old
	}
	if len(b) > 0 {
		c.Name, c.New = now.name, now
	}
	return c, true
}

// An offered is what one broker name offers for a topic.
type offered struct {
	queue   codec.QueueData
	mapping *codec.TopicQueueMappingInfo
}

// offers returns what readers see of an entry of v, in ascending order of broker
// name. e may be nil.
func (v *View) offers(e *TopicEntry) []offered {
	if e == nil {
		return nil
	}
	rows := v.rows(e)
	offers := make([]offered, len(rows))
	for i, r := range rows {
		offers[i].queue = r.queueData()
		if at, ok := e.mappings.find(r.broker.Name); ok {
			offers[i].mapping = &e.mappings.byBroker[at].Info
		}
	}
	return offers
}

// queueData returns the row as readers see it.
func (r *routeRow) queueData() codec.QueueData {
	return codec.QueueData{
		BrokerName:     r.broker.Name,
		ReadQueueNums:  r.queue.readQueueNums,
		WriteQueueNums: r.queue.writeQueueNums,
		Perm:           r.queue.perm,
		TopicSysFlag:   r.queue.topicSysFlag,
	}
}

func (o *offered) same(b *offered) bool {
	if o.queue != b.queue || (o.mapping == nil) != (b.mapping == nil) {
		return false
	}
	return o.mapping == b.mapping || sameMapping(*o.mapping, *b.mapping)
}

// changedRows compares offers in ascending order of broker name.
func changedRows(old, now []offered) (rows []TopicRowChange) {
	for len(old) > 0 || len(now) > 0 {
		var c TopicRowChange
		order := firstOf(len(old), len(now), func() int { return strings.Compare(old[0].queue.BrokerName, now[0].queue.BrokerName) })
		if order == 0 && old[0].same(&now[0]) {
			old, now = old[1:], now[1:]
			continue
		}
		if order <= 0 {
			c.BrokerName, c.Old, c.OldMapping = old[0].queue.BrokerName, &old[0].queue, old[0].mapping
			old = old[1:]
		}
		if order >= 0 {
			c.BrokerName, c.New, c.NewMapping = now[0].queue.BrokerName, &now[0].queue, now[0].mapping
			now = now[1:]
		}
		rows = append(rows, c)
	}
	return rows
}

// firstOf says of two sorted lists, of which a and b elements are left, which one's
// first element comes first: below 0 the first's, above 0 the second's, 0 where
// they belong together. compare is asked while both have one.
func firstOf(a, b int, compare func() int) int {
	switch {
	case a == 0:
		return 1
	case b == 0:
		return -1
	}
	return compare()
}

// A BrokerChange says that a broker set is not what it was.
type BrokerChange struct {
	Name     string
	Old, New *Broker // nil where the View has no such broker name
}

// Brokers yields the broker sets that have changed, in no useful order. A set
// that has gone and come back in between is one that has changed, or has not.
func (d Difference) Brokers() iter.Seq[BrokerChange] {
	return func(yield func(BrokerChange) bool) {
		walk := trieDiff[*Broker]{change: func(old, now *Broker) bool {
			c := BrokerChange{Old: old, New: now}
			switch {
			case old == nil:
				c.Name = now.Name
			case now == nil:
				c.Name = old.Name
			case old.says(now):
				return true
			default:
				c.Name = now.Name
			}
			return yield(c)
		}}
		walk.walk(d.old.brokers.byName.branch(), d.now.brokers.byName.branch())
	}
}

// says reports whether b and o say the same.
func (b *Broker) says(o *Broker) bool {
	if b.Cluster != o.Cluster || b.EnableActingMaster != o.EnableActingMaster || b.ZoneName != o.ZoneName || b.HasZoneName != o.HasZoneName {
		return false
	}
	for range (BrokerChange{Old: b, New: o}).Members() {
		return false
	}
	return true
}

// A MemberChange says that a member of a broker set is not what it was.
type MemberChange struct {
	ID       int64
	Old, New *Member // nil where there is none
}

// Members yields the members that have changed, in ascending order of ID: all,
// if the broker set was added or removed.
func (c BrokerChange) Members() iter.Seq[MemberChange] {
	return func(yield func(MemberChange) bool) {
		var old, now *memberNode
		if c.Old != nil {
			old = c.Old.members.root
		}
		if c.New != nil {
			now = c.New.members.root
		}
		old.diff(now, func(a, b *Member) bool {
			switch {
			case a == nil:
				return yield(MemberChange{b.ID, nil, b})
			case b == nil:
				return yield(MemberChange{a.ID, a, nil})
			case a.says(b):
				return true
			}
			return yield(MemberChange{a.ID, a, b})
		})
	}
}

// says reports whether m and o say the same.
func (m *Member) says(o *Member) bool {
	return m.ID == o.ID && m.Addr == o.Addr && m.EnableActingMaster == o.EnableActingMaster && m.ZoneName == o.ZoneName &&
		m.HasZoneName == o.HasZoneName && slices.Equal(m.FilterServers, o.FilterServers)
}

// A LiveChange says that a live entry is not what it was.
type LiveChange struct {
	Key      BrokerKey
	Old, New *LiveInfo // nil where the View has no such entry
}

// Live yields the live entries that have changed, in no useful order. One that
// has left and come back in between has changed.
func (d Difference) Live() iter.Seq[LiveChange] {
	return func(yield func(LiveChange) bool) {
		walk := trieDiff[*LiveInfo]{change: func(old, now *LiveInfo) bool {
			switch {
			case old == nil:
				return yield(LiveChange{now.Key(), nil, now})
			case now == nil:
				return yield(LiveChange{old.Key(), old, nil})
			case old.says(now):
				return true
			}
			return yield(LiveChange{now.Key(), old, now})
		}}
		walk.walk(d.old.live.branch(), d.now.live.branch())
	}
}

// says reports whether l and o say the same of the same life.
func (l *LiveInfo) says(o *LiveInfo) bool {
	return l.live == o.live && l.DataVersion == o.DataVersion && l.NullDataVersion == o.NullDataVersion &&
		l.TimeoutMillis == o.TimeoutMillis && l.HAServerAddr == o.HAServerAddr && l.Conn == o.Conn &&
		l.Peer == o.Peer && l.Remote == o.Remote && l.Version == o.Version && l.OldVersion == o.OldVersion
}

// A ClusterChange says that a cluster lists a broker name now, or that it does
// not any more.
type ClusterChange struct {
	Cluster, BrokerName string
	Listed              bool // now
}

// Clusters yields what has changed in clusterAddrTable, in no useful order.
func (d Difference) Clusters() iter.Seq[ClusterChange] {
	return func(yield func(ClusterChange) bool) {
		walk := trieDiff[*listing]{change: func(old, now *listing) bool {
			switch {
			case old == nil:
				return yield(ClusterChange{now.cluster, now.brokerName, true})
			case now == nil:
				return yield(ClusterChange{old.cluster, old.brokerName, false})
			}
			return true // gone and come back
		}}
		walk.walk(d.old.brokers.listings.branch(), d.now.brokers.listings.branch())
	}
}

// MayRoute reports whether the route of a topic may have changed: its row, or a broker
// set that it is or was on. It is for those who ask of a few topics again and again, and
// costs next to nothing unless something has changed; of some it says so that have not.
func (d Difference) MayRoute(topic string) bool {
	var old *TopicEntry
	if d.old.topics.size > 0 { // the empty View of Diff has no seed to hash with
		old, _ = d.old.topics.get(topic)
	}
	now, _ := d.now.topics.get(topic)
	if old != now {
		return true
	}
	if now == nil || d.old.brokers.version == d.now.brokers.version {
		return false
	}
	for q := range now.queues.all {
		if d.now.brokers.byID.get(q.set).version > d.old.brokers.version {
			return true
		}
	}
	return false
}
