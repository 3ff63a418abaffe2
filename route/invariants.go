package route

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"gonamesrv/codec"
)

// CheckInvariants compares the tables with each other and every derived index
// with what a full scan gives, and returns all contradictions. It is slow:
// tests call it after each step.
func (t *Table) CheckInvariants() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &checker{t: t}
	c.brokers()
	c.clusters()
	c.lives()
	c.topics()
	c.counts()
	c.published()
	return errors.Join(c.faults...)
}

type checker struct {
	t      *Table
	faults []error
}

func (c *checker) require(ok bool, format string, args ...any) {
	if !ok {
		c.faults = append(c.faults, fmt.Errorf("route: "+format, args...))
	}
}

// brokers: every set has members, each with a free ID and address of its own,
// and each kept by live entries that know of it.
func (c *checker) brokers() {
	n := 0
	for b := range c.t.brokerAddrTable.all {
		n++
		s := b.set
		c.require(s.published == b, "broker %q: published side is not the newest", b.Name)
		c.require(c.t.brokerByID[s.id] == b, "broker %q: not under its number %d", b.Name, s.id)
		c.require(len(s.members) > 0, "broker %q has no member", b.Name)
		c.require(c.t.clusterAddrTable[s.cluster][s.name] > 0, "broker %q is not listed in its cluster %q", s.name, s.cluster)
		ids, addrs := map[int64]bool{}, map[string]bool{}
		for i, m := range s.members {
			c.require(!ids[m.id] && !addrs[m.addr], "broker %q: ID %d or address %q twice", s.name, m.id, m.addr)
			ids[m.id], addrs[m.addr] = true, true
			c.require(i == 0 || s.members[i-1].id < m.id, "broker %q: members out of order", s.name)
			c.require(len(m.lives) > 0, "broker %q: member %d has no live entry", s.name, m.id)
			for _, l := range m.lives {
				c.require(l.key.Addr == m.addr, "broker %q: member %q kept by live entry of %q", s.name, m.addr, l.key.Addr)
				c.require(slices.Contains(l.owners, owner{s, m}), "broker %q: live entry %v does not know member %d", s.name, l.key, m.id)
				c.require(c.t.live(l.key) == l, "broker %q: live entry %v is not in the table", s.name, l.key)
			}
		}
		fresh := *b
		c.t.checkRefresh(s, &fresh)
		c.require(fresh.sameAs(b), "broker %q: published %+v, want %+v", s.name, b, fresh)
	}
	c.require(n == c.t.brokerAddrTable.size, "brokerAddrTable counts %d, holds %d", c.t.brokerAddrTable.size, n)
	used := 0
	for _, b := range c.t.brokerByID {
		if b != nil {
			used++
		}
	}
	c.require(used == n && used+len(c.t.freeBrokerIDs) == len(c.t.brokerByID), "broker numbers: %d used, %d free of %d", used, len(c.t.freeBrokerIDs), len(c.t.brokerByID))
}

// checkRefresh fills b with what refresh would publish of s now.
func (t *Table) checkRefresh(s *brokerSet, b *Broker) {
	first := s.members[0]
	b.EnableActingMaster, b.ZoneName, b.HasZoneName = first.enableActingMaster, first.zoneName, first.hasZoneName
	clusters := map[string]bool{s.cluster: true}
	b.Members = nil
	for _, m := range s.members {
		pub := Member{ID: m.id, Addr: m.addr}
		for _, l := range m.lives {
			clusters[l.key.Cluster] = true
			if l.key.Cluster == s.cluster {
				pub.FilterServers = t.filterServerTable[l.key]
			}
		}
		b.Members = append(b.Members, pub)
	}
	b.Clusters = slices.Sorted(maps.Keys(clusters))
}

// clusters: clusterAddrTable lists a name once per reason and no other name.
func (c *checker) clusters() {
	want := map[string]map[string]int{}
	add := func(cluster, name string) {
		if want[cluster] == nil {
			want[cluster] = map[string]int{}
		}
		want[cluster][name]++
	}
	for b := range c.t.brokerAddrTable.all {
		add(b.set.cluster, b.Name)
		for _, m := range b.set.members {
			for _, l := range m.lives {
				add(l.key.Cluster, b.Name)
			}
		}
	}
	c.require(maps.EqualFunc(want, c.t.clusterAddrTable, maps.Equal[map[string]int]), "clusterAddrTable is %v, want %v", c.t.clusterAddrTable, want)
}

// lives: every live entry has an owner, its connection and its place in the
// expiry queue; filter servers belong to live entries.
func (c *checker) lives() {
	n := 0
	byConn := map[uint64]int{}
	for li := range c.t.brokerLiveTable.all {
		n++
		l := li.live
		c.require(l.info == li, "live %v: published side is not the newest", l.key)
		c.require(li.key == string(liveKey(nil, l.key.Cluster, l.key.Addr)), "live %v: wrong key", l.key)
		c.require(len(l.owners) > 0, "live %v has no owner", l.key)
		for _, o := range l.owners {
			c.require(slices.Contains(o.member.lives, l), "live %v: member %d of %q does not know it", l.key, o.member.id, o.set.name)
			c.require(slices.Contains(o.set.members, o.member), "live %v: owner %d is not a member of %q", l.key, o.member.id, o.set.name)
			c.require(c.t.set(o.set.name) == o.set, "live %v: set %q is not in the table", l.key, o.set.name)
		}
		if l.conn != 0 {
			byConn[l.conn]++
			c.require(slices.Contains(c.t.byConn[l.conn], l), "live %v: not under its connection %d", l.key, l.conn)
		}
		if a := &l.applied; a.topics != nil && a.set == c.t.set(a.set.name) && a.topicsEdition == a.set.topicsEdition {
			c.require(a.topics.Count() <= a.set.topics.size, "live %v: %d topics are known of %q, which has %d", l.key, a.topics.Count(), a.set.name, a.set.topics.size)
		}
		c.require(l.index < len(c.t.expiry) && c.t.expiry[l.index] == l, "live %v: not in the expiry queue", l.key)
	}
	c.require(n == c.t.brokerLiveTable.size && n == len(c.t.expiry), "brokerLiveTable counts %d, holds %d, expiry queue %d", c.t.brokerLiveTable.size, n, len(c.t.expiry))
	for i := 1; i < len(c.t.expiry); i++ {
		c.require(c.t.expiry[(i-1)/2].deadline <= c.t.expiry[i].deadline, "expiry queue: entry %d is due before its parent", i)
	}
	c.require(len(byConn) == len(c.t.byConn), "%d connections have brokers, %d are indexed", len(byConn), len(c.t.byConn))
	for conn, lives := range c.t.byConn {
		c.require(len(lives) == byConn[conn], "connection %d: %d brokers, %d indexed", conn, byConn[conn], len(lives))
	}
	for k, servers := range c.t.filterServerTable {
		c.require(len(servers) > 0 && c.t.live(k) != nil, "filterServerTable: %v is empty or not alive", k)
	}
}

// topics: every queue data belongs to a broker set that knows of it, and a
// static mapping to a queue data.
func (c *checker) topics() {
	n := 0
	perSet := map[uint32]int{}
	for e := range c.t.topicQueueTable.all {
		n++
		c.require(len(e.queues) > 0, "topic %q has no broker", e.name)
		c.require(c.t.topicByID[e.id] == e, "topic %q: not under its number %d", e.name, e.id)
		for i, q := range e.queues {
			c.require(i == 0 || e.queues[i-1].set < q.set, "topic %q: queue datas out of order", e.name)
			b := c.t.brokerByID[q.set]
			if b == nil {
				c.require(false, "topic %q: broker number %d is free", e.name, q.set)
				continue
			}
			c.require(b.set.topics.has(e.id), "topic %q: not in the index of broker %q", e.name, b.Name)
			perSet[q.set]++
		}
		if e.mappings == nil {
			continue
		}
		c.require(len(e.mappings.byBroker) > 0, "topic %q: empty mappings", e.name)
		for _, m := range e.mappings.byBroker {
			s := c.t.set(m.BrokerName)
			if s == nil {
				c.require(false, "topic %q: mapping of unknown broker %q", e.name, m.BrokerName)
				continue
			}
			_, ok := e.queue(s.id)
			c.require(ok, "topic %q: mapping of broker %q without queue data", e.name, m.BrokerName)
		}
	}
	for b := range c.t.brokerAddrTable.all {
		c.require(b.set.topics.size == perSet[b.set.id], "broker %q: index has %d topics, table %d", b.Name, b.set.topics.size, perSet[b.set.id])
	}
	c.require(n == c.t.topicQueueTable.size && n+len(c.t.freeTopicIDs) == len(c.t.topicByID), "topicQueueTable counts %d, holds %d, %d numbers free of %d", c.t.topicQueueTable.size, n, len(c.t.freeTopicIDs), len(c.t.topicByID))
}

// counts: what is limited is counted right, and within its limits.
func (c *checker) counts() {
	t := c.t
	links, entries := 0, 0
	clusters := map[string]int{}
	for li := range t.brokerLiveTable.all {
		links += len(li.live.owners)
		clusters[li.live.key.Addr]++
	}
	for _, servers := range t.filterServerTable {
		entries += len(servers)
		c.require(len(servers) <= t.limits.FilterServersPerBroker, "a broker has %d filter servers", len(servers))
	}
	for e := range t.topicQueueTable.all {
		entries += len(e.queues)
		if e.mappings != nil {
			for _, m := range e.mappings.byBroker {
				entries += 1 + len(m.Info.CurrIDMap)
			}
		}
	}
	c.require(t.links == links && links <= t.limits.Brokers, "%d brokers of at most %d, counted %d", links, t.limits.Brokers, t.links)
	c.require(t.entries == entries && entries <= t.limits.Entries, "%d entries of at most %d, counted %d", entries, t.limits.Entries, t.entries)
	c.require(t.topicQueueTable.size <= t.limits.Topics, "%d topics of at most %d", t.topicQueueTable.size, t.limits.Topics)
	c.require(maps.Equal(t.clustersOf, clusters), "clusters of addresses: counted %v, want %v", t.clustersOf, clusters)
	for addr, n := range clusters {
		c.require(n <= t.limits.ClustersPerAddr, "address %q has %d clusters", addr, n)
	}
	for b := range t.brokerAddrTable.all {
		c.require(len(b.set.members) <= t.limits.IDsPerName, "broker %q has %d IDs", b.Name, len(b.set.members))
	}
	for conn := range t.byConn {
		c.require(t.connBrokers(conn) <= t.limits.BrokersPerConn, "connection %d has %d brokers", conn, t.connBrokers(conn))
	}
	c.require(len(t.replaced) == 0, "%d entries wait to be retired", len(t.replaced))
}

// published: the View is the tables, and what it has encoded is what it would
// encode now.
func (c *checker) published() {
	v := c.t.View()
	c.require(v.topics.root == c.t.topicQueueTable.root && v.live.root == c.t.brokerLiveTable.root && v.brokers.byName.root == c.t.brokerAddrTable.root,
		"the View is not the newest state")
	c.require(slices.Equal(v.brokers.byID, c.t.brokerByID), "the View's broker numbers are not the newest")
	for e := range v.topics.all {
		cached := e.bodies.Load()
		if cached == nil || !v.stillRight(e, cached) {
			continue
		}
		data := v.PickupTopicRouteData(e, cached.acting)
		for d, body := range cached.bodies {
			if body != nil {
				want := string(data.AppendJSON(nil, codec.Dialect(d)))
				c.require(string(body) == want, "topic %q: cached body %s, want %s", e.name, body, want)
			}
		}
	}
}
