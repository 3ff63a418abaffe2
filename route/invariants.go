package route

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"

	"gonamesrv/codec"
)

// CheckInvariants compares the tables with each other and every derived index
// with what a full scan gives, and returns all contradictions. It costs about what
// Restore does, and memory only for the encoded routes: tests call it after each step,
// and who has restored a Table once. Changes wait for it.
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
	c.index()
	c.warm()
	return errors.Join(c.faults...)
}

type checker struct {
	t      *Table
	faults []error

	addrs, links int // members and links that were met
	entries      int // queue datas, and what static mappings count as, that were met
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
		c.require(c.t.brokerByID.get(s.id) == b && !b.gone, "broker %q: not under its number %d", b.Name, s.id)
		c.require(s.members.size > 0, "broker %q has no member", b.Name)
		c.require(c.t.lists(s.cluster, s.name), "broker %q is not listed in its cluster %q", s.name, s.cluster)
		first := s.first()
		c.require(b.members.root == s.members.root && b.Name == s.name && b.Cluster == s.cluster &&
			b.EnableActingMaster == first.enableActingMaster && b.ZoneName == first.zoneName && b.HasZoneName == first.hasZoneName,
			"broker %q: published %+v, not what it is", s.name, b)
		c.members(s)
	}
	c.require(n == c.t.brokerAddrTable.size, "brokerAddrTable counts %d, holds %d", c.t.brokerAddrTable.size, n)
	used, gone := 0, 0
	for id, b := range c.t.brokerByID.all {
		switch {
		case b == nil:
		case b.gone:
			gone++
			c.require(c.t.leaving[b.Name] == b.set && b.set.id == id && b.set.members.size == 0 && c.t.set(b.Name) == nil, "broker %q is gone, but not leaving", b.Name)
		default:
			used++
		}
	}
	c.require(used == n && gone == len(c.t.leaving) && used+gone+len(c.t.freeBrokerIDs) == int(c.t.brokerByID.size),
		"broker numbers: %d used, %d leaving, %d free of %d", used, gone, len(c.t.freeBrokerIDs), c.t.brokerByID.size)
	c.require(c.addrs == len(c.t.memberByAddr) && c.links == len(c.t.links) && c.links == c.t.linkTable.size, "%d members, %d by address; %d links, %d indexed", c.addrs, len(c.t.memberByAddr), c.links, len(c.t.links))
}

// members: each has an ID and an address of its own, and is kept by live entries
// that know of it.
func (c *checker) members(s *brokerSet) {
	n, doomed := 0, 0
	last := int64(math.MinInt64)
	for pub := range s.members.all {
		m := pub.of
		c.require(n == 0 || last < pub.ID, "broker %q: members out of order", s.name)
		n++
		last = pub.ID
		shown := m.shown(pub.FilterServers)
		c.require(shown.says(pub) && s.member(m.id) == m, "broker %q: member %d is shown as %+v", s.name, m.id, pub)
		c.require(c.t.memberByAddr[memberAddr{s, m.addr}] == m, "broker %q: member %d is not under its address", s.name, m.id)
		c.require(len(m.lives) > 0, "broker %q: member %d has no live entry", s.name, m.id)
		atHome := false
		for i, k := range m.lives {
			l := k.live
			c.links++
			if l.doomed {
				doomed++
			}
			atHome = atHome || l.key.Cluster == s.cluster
			c.require(k.set == s && k.member == m && k.inMember == i && l.owners[k.inLive] == k && c.t.links[linkKey{m, l}] == k && c.t.isPublished(k),
				"broker %q: live entry %v does not know member %d", s.name, l.key, m.id)
			c.require(l.key.Addr == m.addr, "broker %q: member %q kept by live entry of %q", s.name, m.addr, l.key.Addr)
			c.require(c.t.live(l.key) == l, "broker %q: live entry %v is not in the table", s.name, l.key)
		}
		c.require(pub.FilterServers == nil || atHome && len(pub.FilterServers) > 0, "broker %q: member %d has filter servers %v of another cluster", s.name, m.id, pub.FilterServers)
	}
	c.addrs += n
	c.require(doomed == s.doomed, "broker %q: %d links are about to leave, counted %d", s.name, doomed, s.doomed)
	c.require(n == s.members.size, "broker %q counts %d members, holds %d", s.name, s.members.size, n)
}

func (t *Table) isPublished(k *link) bool {
	p, ok := t.linkTable.get(k.key)
	return ok && p == k
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
		for m := range b.set.members.all {
			for _, k := range m.of.lives {
				add(k.live.key.Cluster, b.Name)
			}
		}
	}
	got := map[string]map[string]int{}
	n := 0
	for l := range c.t.clusterAddrTable.all {
		n++
		if got[l.cluster] == nil {
			got[l.cluster] = map[string]int{}
		}
		got[l.cluster][l.brokerName] = l.reasons
		c.require(l.key == string(liveKey(nil, l.cluster, l.brokerName)), "clusterAddrTable: wrong key of %q in %q", l.brokerName, l.cluster)
	}
	c.require(maps.EqualFunc(want, got, maps.Equal[map[string]int]), "clusterAddrTable is %v, want %v", got, want)
	c.require(n == c.t.clusterAddrTable.size, "clusterAddrTable counts %d, holds %d", c.t.clusterAddrTable.size, n)
}

// lives: every live entry has an owner, its connection and its place in the
// expiry queue, unless it is about to leave.
func (c *checker) lives() {
	n, doomed := 0, 0
	byConn := map[uint64]int{}
	for li := range c.t.brokerLiveTable.all {
		n++
		l := li.live
		c.require(l.info == li, "live %v: published side is not the newest", l.key)
		c.require(li.key == string(liveKey(nil, l.key.Cluster, l.key.Addr)), "live %v: wrong key", l.key)
		c.require(len(l.owners) > 0, "live %v has no owner", l.key)
		c.require(li.DataVersion == l.dataVersion && li.NullDataVersion == (l.nullDataVersion || l.applying > 0) &&
			li.TimeoutMillis == l.timeoutMillis && li.HAServerAddr == l.haServerAddr &&
			li.Peer == l.peer && li.Remote == l.remote && li.Version == l.version && li.SinceMillis == l.sinceMillis && li.OldVersion == l.oldVersion && (l.doomed || li.Conn == l.conn), "live %v: shown with %+v", l.key, li)
		for i, o := range l.owners {
			c.require(o.live == l && o.inLive == i && o.member.lives[o.inMember] == o, "live %v: member %d of %q does not know it", l.key, o.member.id, o.set.name)
			c.require(o.set.member(o.member.id) == o.member, "live %v: owner %d is not a member of %q", l.key, o.member.id, o.set.name)
			c.require(c.t.set(o.set.name) == o.set, "live %v: set %q is not in the table", l.key, o.set.name)
		}
		if l.doomed {
			doomed++
			c.require(l.conn == 0 && l.index == -1 && !l.overdue, "live %v: doomed, but on connection %d and number %d in the expiry queue", l.key, l.conn, l.index)
			continue
		}
		if l.conn != 0 {
			byConn[l.conn]++
			c.require(c.t.byConn[l.conn][l.indexOfConn] == l, "live %v: not under its connection %d", l.key, l.conn)
		}
		if a := &l.applied; a.topics != nil && a.set == c.t.set(a.set.name) && a.topicsEdition == a.set.topicsEdition {
			c.require(a.topics.Count() <= a.set.topics.size, "live %v: %d topics are known of %q, which has %d", l.key, a.topics.Count(), a.set.name, a.set.topics.size)
		}
		queue := []*liveBroker(c.t.expiry)
		if l.overdue {
			queue = c.t.overdue
		}
		c.require(l.index >= 0 && l.index < len(queue) && queue[l.index] == l, "live %v: not in the queue of those that may expire, or have (%v)", l.key, l.overdue)
	}
	c.require(n == c.t.brokerLiveTable.size && n == len(c.t.expiry)+len(c.t.overdue)+doomed, "brokerLiveTable counts %d, holds %d, expiry queue %d, %d overdue",
		c.t.brokerLiveTable.size, n, len(c.t.expiry), len(c.t.overdue))
	for i := 1; i < len(c.t.expiry); i++ {
		c.require(c.t.expiry[(i-1)/2].deadline <= c.t.expiry[i].deadline, "expiry queue: entry %d is due before its parent", i)
	}
	c.require(len(byConn) == len(c.t.byConn), "%d connections have brokers, %d are indexed", len(byConn), len(c.t.byConn))
	for conn := range c.t.conns.Range {
		c.require(byConn[conn.(uint64)] > 0, "connection %d is said to have brokers", conn)
	}
	for conn, lives := range c.t.byConn {
		c.require(c.t.HasBrokers(conn), "connection %d is said to have no brokers", conn)
		c.require(len(lives) == byConn[conn], "connection %d: %d brokers, %d indexed", conn, byConn[conn], len(lives))
	}
}

// topics: every queue data belongs to a broker set that knows of it, and a
// static mapping to a queue data. They are walked by number, as they lie in memory and
// in the broker sets' indexes.
func (c *checker) topics() {
	n := 0
	for e := range c.t.topicQueueTable.all {
		n++
		if e.id >= c.t.topicByID.size || c.t.topicByID.get(e.id) != e {
			c.require(false, "topic %q: not under its number %d", e.name, e.id)
		}
	}
	indexes := make([]checkedIndex, c.t.brokerByID.size)
	for id, b := range c.t.brokerByID.all {
		if b != nil {
			indexes[id].topics = &b.set.topics
		}
	}
	numbered, statics := 0, 0
	var last *queueNode // the tree before, found to be right: many topics in a row may share one
	for e := range c.numbered {
		numbered++
		statics += e.isStatic()
		if e.queues == nil {
			c.require(false, "topic %q has no broker", e.name)
			continue
		}
		tree := e.queues
		if tree.isPatched() && len(tree.patch()) == 0 {
			tree = tree.tree()
		}
		if tree != last {
			c.queues(e)
			last = tree
		}
		c.entries += tree.len()
		for q := range tree.all {
			if uint64(q.set) >= uint64(len(indexes)) || indexes[q.set].topics == nil {
				c.require(false, "topic %q: broker number %d is free", e.name, q.set)
			} else if !indexes[q.set].meets(e.id) {
				c.require(false, "topic %q: not in the index of broker %q", e.name, c.t.brokerByID.get(q.set).Name)
			}
		}
		c.mappings(e)
	}
	for id, b := range c.t.brokerByID.all {
		if b != nil {
			c.require(b.set.topics.size == indexes[id].met, "broker %q: index has %d topics, table %d", b.Name, b.set.topics.size, indexes[id].met)
			c.require(int(b.set.topicCount.Load()) == b.set.topics.size, "broker %q: %d topics, shown as %d", b.Name, b.set.topics.size, b.set.topicCount.Load())
		}
	}
	c.require(c.t.statics == statics, "%d topics with static mappings, counted %d", statics, c.t.statics)
	c.require(n == numbered && n == c.t.topicQueueTable.size && n+len(c.t.freeTopicIDs) == int(c.t.topicByID.size), "topicQueueTable counts %d, holds %d, %d have numbers, %d numbers free of %d", c.t.topicQueueTable.size, n, numbered, len(c.t.freeTopicIDs), c.t.topicByID.size)
}

// numbered yields all topics that have a number, in its order.
func (c *checker) numbered(yield func(*TopicEntry) bool) {
	for _, e := range c.t.topicByID.all {
		if e != nil && !yield(e) {
			return
		}
	}
}

// A checkedIndex is the index of a broker set, whose topics are met by number.
type checkedIndex struct {
	topics *idSet
	word   uint64 // the one met last
	high   uint32 // its number; if met
	met    int
}

// meets reports whether a topic is in the index. It looks into the map once for 64
// neighbours.
func (x *checkedIndex) meets(id uint32) bool {
	if x.met == 0 || x.high != id/64 {
		x.high, x.word = id/64, x.topics.words[id/64]
	}
	x.met++
	return x.word&(1<<(id%64)) != 0
}

// mappings: each is of a broker set that serves the topic.
func (c *checker) mappings(e *TopicEntry) {
	if e.mappings == nil {
		return
	}
	c.require(len(e.mappings.byBroker) > 0, "topic %q: empty mappings", e.name)
	for _, m := range e.mappings.byBroker {
		c.entries += 1 + len(m.Info.CurrIDMap)
		s := c.t.set(m.BrokerName)
		if s == nil {
			s = c.t.leaving[m.BrokerName]
		}
		if s == nil {
			c.require(false, "topic %q: mapping of unknown broker %q", e.name, m.BrokerName)
			continue
		}
		c.require(e.has(s), "topic %q: mapping of broker %q without queue data", e.name, m.BrokerName)
	}
}

// queues: the queue datas of a topic are there, in order, and in nodes that say
// rightly what is below them.
func (c *checker) queues(e *TopicEntry) {
	n, last, ordered := 0, uint32(0), true
	for q := range e.queues.all {
		ordered = ordered && (n == 0 || last < q.set)
		last = q.set
		n++
	}
	if !ordered || n != e.queues.len() {
		c.require(false, "topic %q: counts %d queue datas, holds %d, in order: %v", e.name, e.queues.len(), n, ordered)
	}
	if f := e.queues.fault(); f != "" {
		c.require(false, "topic %q: %s", e.name, f)
	}
}

// fault returns what is wrong with the nodes of a list, "" if nothing is.
func (n *queueNode) fault() string {
	if n.count() > n.most() || n.count() < 1 && !n.isPatched() {
		return fmt.Sprintf("a node of %d", n.count())
	}
	if n.isPatched() {
		patch, tree := n.patch(), n.tree()
		if tree.isPatched() || tree.isLeaf() {
			return "a patch to no tree"
		}
		for i := 0; i < len(patch); i += narrowWords {
			if _, _, ok := tree.find(patch[i]); !ok || i > 0 && patch[i-narrowWords] >= patch[i] {
				return fmt.Sprintf("set %d is in the patch, but not in the tree, or not in order", patch[i])
			}
		}
		return tree.fault()
	}
	if n.isLeaf() {
		wide := false
		for q := range n.all {
			wide = wide || !q.isNarrow()
		}
		if wide != n.isWide() {
			return fmt.Sprintf("a leaf of %d words for a row", n.rowWords())
		}
		return ""
	}
	size := 0
	for i, down := range n.down() {
		if n.sets()[i] != down.first() {
			return fmt.Sprintf("set %d is the first below a node, not %d", down.first(), n.sets()[i])
		}
		if down.height() != n.height()-1 {
			return fmt.Sprintf("a node of height %d below one of height %d", down.height(), n.height())
		}
		size += down.len()
		if f := down.fault(); f != "" {
			return f
		}
	}
	if size != n.len() {
		return fmt.Sprintf("%d rows below a node that counts %d", size, n.len())
	}
	return ""
}

// counts: what is limited is counted right, and within its limits.
func (c *checker) counts() {
	t := c.t
	links, entries, applying := 0, c.entries, 0
	clusters := map[string]int{}
	onConn := map[uint64]int{}
	for li := range t.brokerLiveTable.all {
		links += len(li.live.owners)
		clusters[li.live.key.Addr]++
		applying += li.live.applying
		if li.live.conn != 0 {
			onConn[li.live.conn] += len(li.live.owners)
		}
	}
	for b := range t.brokerAddrTable.all {
		for m := range b.set.members.all {
			entries += len(m.FilterServers)
			c.require(len(m.FilterServers) <= t.limits.FilterServersPerBroker, "a broker has %d filter servers", len(m.FilterServers))
		}
	}
	c.require(len(t.links) == links && links <= t.limits.Brokers, "%d brokers of at most %d, counted %d", links, t.limits.Brokers, len(t.links))
	c.require(t.entries == entries && entries <= t.limits.Entries, "%d entries of at most %d, counted %d", entries, t.limits.Entries, t.entries)
	c.require(t.topicQueueTable.size <= t.limits.Topics, "%d topics of at most %d", t.topicQueueTable.size, t.limits.Topics)
	c.require(maps.Equal(t.clustersOf, clusters), "clusters of addresses: counted %v, want %v", t.clustersOf, clusters)
	for addr, n := range clusters {
		c.require(n <= t.limits.ClustersPerAddr, "address %q has %d clusters", addr, n)
	}
	for b := range t.brokerAddrTable.all {
		c.require(b.set.members.size <= t.limits.IDsPerName, "broker %q has %d IDs", b.Name, b.set.members.size)
	}
	c.require(maps.Equal(t.connLinks, onConn), "brokers of connections: counted %v, want %v", t.connLinks, onConn)
	for conn, n := range onConn {
		c.require(n <= t.limits.BrokersPerConn, "connection %d has %d brokers", conn, n)
	}
	c.require(t.promised.topics >= 0 && t.promised.entries >= 0 && (applying > 0 || t.promised == totals{}), "%+v are promised to %d registrations", t.promised, applying)
	c.require(len(t.replaced) == 0, "%d entries wait to be retired", len(t.replaced))
}

// published: the View is the tables, and what it has encoded is what it would
// encode now.
func (c *checker) published() {
	v := c.t.View()
	c.require(v.topics.root == c.t.topicQueueTable.root && v.live.root == c.t.brokerLiveTable.root && v.brokers.byName.root == c.t.brokerAddrTable.root &&
		v.brokers.listings.root == c.t.clusterAddrTable.root && v.brokers.byID.root == c.t.brokerByID.root && v.sweeping == (len(c.t.leaving) > 0),
		"the View is not the newest state")
	if cached := v.names.p.Load(); cached != nil {
		names := v.encodeTopics(func(*TopicEntry) bool { return true })
		c.require(string(*cached) == string(names), "cached topic list %s, want %s", *cached, names)
	}
	fresh := &View{topics: v.topics, brokers: v.brokers, sweeping: v.sweeping, lists: &topicLists{}}
	for u := range unitLists {
		if cached := v.lists.unit[u].p.Load(); cached != nil {
			want := fresh.TopicsByUnit(u)
			c.require(string(*cached) == string(want), "cached unit list %d %s, want %s", u, *cached, want)
		}
	}
	for cluster, body := range v.lists.clusters.Range {
		if cached := body.(*lazyBody).p.Load(); cached != nil {
			want := fresh.TopicsByCluster(cluster.(string))
			c.require(string(*cached) == string(want), "cached list of cluster %q %s, want %s", cluster, *cached, want)
		}
	}
	for e := range c.numbered {
		bodies := e.bodies.Load()
		if bodies == nil {
			continue
		}
		variants := map[uint32]int{} // by horizon
		for r := range bodies.all {
			if r.kind.isVariant() {
				variants[r.horizon]++
				c.require(variants[r.horizon] <= maxVariants, "topic %q: %d variants are kept", e.name, variants[r.horizon])
			}
			c.require(r.nameText() == e.name && r.since <= v.edition, "topic %q: has a route of %q, of View %d after %d", e.name, r.nameText(), r.since, v.edition)
			if r.isDead() || !v.stillRight(e, r) || !v.serves(e) || r.horizon != 0 {
				continue
			}
			data := v.PickupTopicRouteData(e, r.kind&formActing != 0)
			if r.kind&formInZone != 0 {
				FilterByZone(&data, r.zoneText())
			}
			data.OrderTopicConf, data.HasOrderTopicConf = r.orderText(), r.kind&formOrdered != 0
			want := string(data.AppendJSON(nil, codec.Dialect(r.kind&formStrict)))
			c.require(string(r.bodyBytes()) == want, "topic %q: cached body %s, want %s", e.name, r.bodyBytes(), want)
		}
	}
}

// warm: what was restored is counted right. What nobody has listed is served, and
// who was not heard of leaves when its window ends, at the latest.
func (c *checker) warm() {
	for b := range c.t.brokerAddrTable.all {
		u := b.set.unheard
		if u == nil {
			continue
		}
		n := 0
		for high, word := range u.topics.words {
			n += bits.OnesCount64(word)
			if strange := word &^ b.set.topics.words[high]; strange != 0 {
				c.require(false, "broker %q: topics %d and on, those of the bits %x, are restored, but it does not serve them", b.Name, high*64, strange)
			}
		}
		c.require(n > 0 && n == u.topics.size && int64(n) == u.left.Load() && n <= u.restored, "broker %q: %d topics are not listed, counted %d and %d of %d", b.Name, n, u.topics.size, u.left.Load(), u.restored)
	}
	if c.t.warm == nil {
		return
	}
	alive := 0
	for li := range c.t.brokerLiveTable.all {
		l := li.live
		if r := l.restored; r != nil && r.fate.Load() == fateOpen {
			alive++
			c.require(l.state() != Restored || l.doomed || l.overdue || l.deadline <= r.until, "live %v: looked at after %d, its window ends at %d", l.key, l.deadline, r.until)
		}
	}
	w := c.t.Warmth()
	c.require(w.Restored+w.Heard == alive && w.Restored+w.Heard+w.Confirmed+w.Gone == w.Known, "of what was restored: counted %+v, %d are not confirmed", w, alive)
}

// index: each route of the index is where it is looked for, and one that is not
// dead belongs to the newest entry of its topic. Readers may be at work.
func (c *checker) index() {
	x := c.t.cache.index
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.dir.Load()
	c.require(len(d.pages) == 1<<d.depth && len(d.info) == 1<<d.depth, "index: %d pages at depth %d", len(d.pages), d.depth)
	total := 0
	for i := range d.pages {
		p, info := d.pages[i].Load(), d.info[i]
		if p == nil || info == nil {
			c.require(p == nil && info == nil, "index: page %d is there in part", i)
			continue
		}
		places := 1 << (d.depth - info.depth)
		first := i &^ (places - 1)
		c.require(d.pages[first].Load() == p && d.info[first] == info, "index: page %d is not the one at its first place %d", i, first)
		if first != i {
			continue
		}
		n := 0
		for j := range p {
			g := &p[j]
			for k := range g.slots {
				r, tag := g.slots[k].Load(), g.tags.Load()>>(8*k)&0xFF
				if r == nil {
					c.require(tag == 0, "index: an empty slot has the tag %d", tag)
					continue
				}
				n++
				c.require(r.horizon == 0, "index: has a route of %q for a horizon", r.nameText())
				h := x.hashOf(r)
				c.require(d.page(h)&^(places-1) == i && p.group(h) == g && tagOf(h) == tag, "index: the route of %q is not where it is looked for", r.nameText())
				c.require(c.isListed(r) || r.isDead(), "index: the route of %q is not that of its entry", r.nameText())
			}
		}
		c.require(n == info.count, "index: page %d counts %d routes, holds %d", i, info.count, n)
		total += n
	}
	c.require(total == x.count, "index: counts %d routes, holds %d", x.count, total)
}

func (c *checker) isListed(r *encodedRoute) bool {
	e, ok := c.t.topicQueueTable.get(r.nameText())
	if !ok {
		return false
	}
	for other := range e.bodies.Load().all {
		if other == r {
			return true
		}
	}
	return false
}
