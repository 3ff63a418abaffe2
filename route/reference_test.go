package route

import (
	"errors"
	"maps"
	"slices"

	"gonamesrv/codec"
)

// A reference is the name server's state kept in the most obvious way: plain
// maps, full scans, no index. It is the judge of Table: whatever the history,
// both must show readers the same.
type reference struct {
	acting bool // supportActingMaster
	limits Limits
	peak   bool // the registration at hand goes beyond a limit before it is done

	groups  map[string]*refGroup                              // brokerAddrTable
	live    map[BrokerKey]*refLive                            // brokerLiveTable
	filters map[refFilter][]string                            // filterServerTable
	topics  map[string]map[string]codec.QueueData             // topicQueueTable
	maps    map[string]map[string]codec.TopicQueueMappingInfo // topicQueueMappingInfoTable
}

// A refFilter is what has filter servers: a broker name at an address.
type refFilter struct {
	BrokerKey
	name string
}

type refGroup struct {
	cluster string
	members map[int64]*refMember

	unheard  map[string]bool // restored topics that nobody has listed since
	restored int             // how many there were
	whole    int             // how many whole tables of
	of       BrokerKey       // this broker have come
	conn     uint64          // over this connection
}

type refMember struct {
	addr     string
	acting   bool
	zone     string
	hasZone  bool
	clusters map[string]bool // those it is registered under
}

type refLive struct {
	last, timeout int64
	dv            codec.DataVersion
	conn          uint64
	ha            string
	missed        uint64 // the newest registration that was turned away, no full one having followed
	patched       bool   // since then the data version has changed

	open         bool   // it was restored, and has not said everything since
	stamp, until int64  // last, as long as nothing was heard of it; and when it leaves then
	untrusted    bool   // what it said was not everything
	publishes    string // of which name its data version says something
}

func newReference(acting bool, limits Limits) *reference {
	return &reference{
		acting:  acting,
		limits:  limits.withDefaults(),
		groups:  map[string]*refGroup{},
		live:    map[BrokerKey]*refLive{},
		filters: map[refFilter][]string{},
		topics:  map[string]map[string]codec.QueueData{},
		maps:    map[string]map[string]codec.TopicQueueMappingInfo{},
	}
}

func (g *refGroup) minID() int64 { return slices.Min(slices.Collect(maps.Keys(g.members))) }

// register applies a registration, and takes it back if it goes beyond a limit.
func (f *reference) register(now int64, r *Registration) (RegisterResult, error) {
	if f.tooLong(r) {
		f.survive(now, r)
		return RegisterResult{}, errBeyond
	}
	before := f.clone()
	result, err := f.apply(now, r)
	if f.peak || f.beyond() {
		*f = *before
		f.survive(now, r)
		return RegisterResult{}, errBeyond
	}
	return result, err
}

// errBeyond stands for any *LimitError.
var errBeyond = errors.New("beyond a limit")

func (f *reference) tooLong(r *Registration) bool {
	long := len(r.Cluster) > 255 || len(r.BrokerName) > 255 || len(r.ZoneName) > 255 || len(r.BrokerAddr) > 260 || len(r.HAServerAddr) > 260
	for _, addr := range r.Body.FilterServers {
		long = long || len(addr) > 260
	}
	for _, tc := range r.Body.Topics {
		long = long || len(tc.Name) > 512
	}
	for _, m := range r.Body.Mappings {
		long = long || len(m.Info.Topic) > 512 || len(m.Info.Scope) > 255 || len(m.Info.Bname) > 255
	}
	return long || len(r.Body.FilterServers) > f.limits.FilterServersPerBroker
}

// beyond counts everything that is limited.
func (f *reference) beyond() bool {
	brokers, entries := 0, 0
	clusters := map[string]int{}
	onConn := map[uint64]int{}
	for k, l := range f.live {
		clusters[k.Addr]++
		brokers += f.owners(k)
		if l.conn != 0 {
			onConn[l.conn] += f.owners(k)
		}
	}
	ids := 0
	for _, g := range f.groups {
		ids = max(ids, len(g.members))
	}
	for _, servers := range f.filters {
		entries += len(servers)
	}
	for _, queues := range f.topics {
		entries += len(queues)
	}
	for _, infos := range f.maps {
		for _, info := range infos {
			entries += 1 + len(info.CurrIDMap)
		}
	}
	most := func(counts []int) int { return slices.Max(append(counts, 0)) }
	return ids > f.limits.IDsPerName || most(slices.Collect(maps.Values(clusters))) > f.limits.ClustersPerAddr ||
		most(slices.Collect(maps.Values(onConn))) > f.limits.BrokersPerConn ||
		brokers > f.limits.Brokers || entries > f.limits.Entries || len(f.topics) > f.limits.Topics
}

// owners returns how many members a live entry keeps.
func (f *reference) owners(k BrokerKey) (n int) {
	for _, g := range f.groups {
		for _, m := range g.members {
			if m.addr == k.Addr && m.clusters[k.Cluster] {
				n++
			}
		}
	}
	return n
}

// survive is what a refused registration does for a broker that is known.
func (f *reference) survive(now int64, r *Registration) {
	if g := f.groups[r.BrokerName]; g != nil {
		g.whole = 0
	}
	k := BrokerKey{r.Cluster, r.BrokerAddr}
	l := f.live[k]
	if l == nil {
		return
	}
	l.last = now
	g := f.groups[r.BrokerName]
	if g == nil || g.members[r.BrokerID] == nil {
		return
	}
	if m := g.members[r.BrokerID]; m.addr != r.BrokerAddr || !m.clusters[r.Cluster] {
		return
	}
	old := l.conn
	l.conn = r.Conn
	if f.beyond() {
		l.conn = old
	}
}

// clone returns a copy that shares nothing that ever changes.
func (f *reference) clone() *reference {
	c := newReference(f.acting, f.limits)
	for name, g := range f.groups {
		copied := new(refGroup)
		*copied = *g
		copied.unheard, copied.members = maps.Clone(g.unheard), map[int64]*refMember{}
		for id, m := range g.members {
			member := *m
			member.clusters = maps.Clone(m.clusters)
			copied.members[id] = &member
		}
		c.groups[name] = copied
	}
	for k, l := range f.live {
		live := *l
		c.live[k] = &live
	}
	maps.Copy(c.filters, f.filters)
	for topic, queues := range f.topics {
		c.topics[topic] = maps.Clone(queues)
	}
	for topic, infos := range f.maps {
		c.maps[topic] = maps.Clone(infos)
	}
	return c
}

// apply follows RouteInfoManager#registerBroker step by step, with the
// differences that Table documents.
func (f *reference) apply(now int64, r *Registration) (RegisterResult, error) {
	key := BrokerKey{r.Cluster, r.BrokerAddr}
	g := f.groups[r.BrokerName]
	if g != nil {
		if m := g.members[r.BrokerID]; m != nil && m.addr != r.BrokerAddr {
			if l := f.live[BrokerKey{r.Cluster, m.addr}]; l != nil && l.dv.StateVersion > r.Body.DataVersion.StateVersion {
				return RegisterResult{}, nil
			}
		}
	}
	first := g == nil || g.members[r.BrokerID] == nil
	if first && len(r.Body.Topics) == 1 {
		return RegisterResult{}, ErrSingleTopic
	}
	old := f.live[key]
	newer := old == nil || old.dv != r.Body.DataVersion
	changed := newer || old.patched
	if g == nil {
		g = &refGroup{cluster: r.Cluster, members: map[int64]*refMember{}}
		f.groups[r.BrokerName] = g
	}
	m := g.members[r.BrokerID]
	if m == nil || m.addr != r.BrokerAddr {
		m = &refMember{addr: r.BrokerAddr, clusters: map[string]bool{}}
		g.members[r.BrokerID] = m
	}
	for id, o := range g.members {
		if id != r.BrokerID && o.addr == r.BrokerAddr {
			delete(g.members, id)
		}
	}
	m.acting, m.zone, m.hasZone = r.EnableActingMaster, r.ZoneName, r.HasZoneName
	m.clusters[r.Cluster] = true
	l := &refLive{last: now, timeout: r.TimeoutMillis, dv: r.Body.DataVersion, conn: r.Conn, ha: r.HAServerAddr}
	if old != nil {
		kept := *old
		kept.last, kept.timeout, kept.dv, kept.conn, kept.ha = l.last, l.timeout, l.dv, l.conn, l.ha
		*l = kept
	}
	missed := l.missed != 0
	f.live[key] = l
	if !r.Body.FilterServersNull && r.Cluster == g.cluster {
		f.filters[refFilter{key, r.BrokerName}] = r.Body.FilterServers
		if len(r.Body.FilterServers) == 0 {
			delete(f.filters, refFilter{key, r.BrokerName})
		}
	}
	prime := !r.OldVersion && r.BrokerID != 0 && g.minID() == r.BrokerID
	if r.BrokerID == 0 || prime {
		f.registerTopics(r, changed, first)
	}
	f.collect()
	full := f.isFull(r)
	if full && len(g.unheard) > 0 && (r.BrokerID == 0 || prime) {
		f.hearWhole(r, missed)
	}
	switch {
	case full:
		l.open, l.untrusted = false, false
	case newer && l.open:
		l.untrusted, l.patched = true, true
	}
	switch {
	case full && r.Seq > l.missed:
		l.missed, l.patched = 0, false
	case !full && newer && l.missed != 0:
		l.patched = true
	}
	return f.result(r), nil
}

// hearWhole counts a whole table, and drops what two of them have not listed.
func (f *reference) hearWhole(r *Registration, missed bool) {
	g, key := f.groups[r.BrokerName], BrokerKey{r.Cluster, r.BrokerAddr}
	if g.of != key || g.conn != r.Conn || missed {
		g.of, g.conn, g.whole = key, r.Conn, 0
	}
	if g.whole++; g.whole < 2 {
		return
	}
	for topic := range g.unheard {
		delete(f.topics[topic], r.BrokerName)
	}
	f.collect()
}

// restart lets another process go on with what this one knows.
func (f *reference) restart(now int64) {
	for k, l := range f.live {
		l.untrusted = f.changed(k, l.dv)
	}
	for name, g := range f.groups {
		g.unheard, g.whole, g.of, g.conn = map[string]bool{}, 0, BrokerKey{}, 0
		for topic, queues := range f.topics {
			if _, ok := queues[name]; ok {
				g.unheard[topic] = true
			}
		}
		g.restored = len(g.unheard)
	}
	for k, l := range f.live {
		l.conn, l.missed, l.patched, l.open = 0, 0, l.untrusted, true
		l.last = min(l.last, now-1)
		l.stamp, l.publishes = l.last, ""
		acting := false
		for name, g := range f.groups {
			for id, m := range g.members {
				if m.addr != k.Addr || !m.clusters[k.Cluster] {
					continue
				}
				for _, o := range g.members {
					acting = acting || o.acting
				}
				if f.owners(k) == 1 && (id == 0 || id == g.minID() && m.acting) {
					l.publishes = name
				}
			}
		}
		if l.until = now + max(l.timeout, 75_000); acting {
			l.until = now + max(l.timeout, 0) + 5_000
		}
	}
}

// query says what a broker is told that asks for its data version.
func (f *reference) query(now int64, k BrokerKey, dv codec.DataVersion) (changed bool) {
	l := f.live[k]
	if l == nil {
		return true
	}
	l.last = now
	if f.changed(k, dv) {
		return true
	}
	if g := f.groups[l.publishes]; l.open && g != nil {
		g.unheard = nil
	}
	l.open = false
	return false
}

// state says how much a live entry has said.
func (f *reference) state(l *refLive) LiveState {
	switch {
	case !l.open:
		return Confirmed
	case l.last == l.stamp:
		return Restored
	}
	return Heard
}

// isFull reports whether a registration that was applied had the whole table of
// its broker.
func (f *reference) isFull(r *Registration) bool {
	lists := func(name string) bool {
		return slices.ContainsFunc(r.Body.Topics, func(tc codec.TopicConfig) bool { return string(tc.Name) == name })
	}
	served := 0
	for topic, queues := range f.topics {
		if _, ok := queues[r.BrokerName]; ok {
			if topic == r.BrokerName {
				return lists(topic)
			}
			served++
		}
	}
	g := f.groups[r.BrokerName]
	half := len(g.unheard) > 0 && 2*len(r.Body.Topics) >= g.restored
	return len(r.Body.Topics) > 1 && (half || len(r.Body.Topics) >= served)
}

// miss turns a registration away.
func (f *reference) miss(now int64, k BrokerKey, seq uint64) {
	if l := f.live[k]; l != nil {
		l.last, l.missed = now, max(l.missed, seq)
	}
}

// changed is what a broker is told that asks whether its data version is known.
func (f *reference) changed(k BrokerKey, dv codec.DataVersion) bool {
	l := f.live[k]
	for _, g := range f.groups {
		if l != nil && g.of == k && len(g.unheard) > 0 {
			return true
		}
	}
	return l == nil || l.dv != dv || l.missed != 0 || l.untrusted
}

// forgetConn separates brokers from a connection that we have closed.
func (f *reference) forgetConn(conn uint64) {
	for _, l := range f.live {
		if l.conn == conn {
			l.conn = 0
		}
	}
}

func (f *reference) registerTopics(r *Registration, changed, first bool) {
	if r.DeleteMissingTopics && len(r.Body.Mappings) == 0 {
		for topic, queues := range f.topics {
			if !slices.ContainsFunc(r.Body.Topics, func(tc codec.TopicConfig) bool { return string(tc.Key) == topic }) {
				delete(queues, r.BrokerName)
			}
		}
	}
	for _, tc := range r.Body.Topics {
		topic := string(tc.Name)
		if _, ok := f.topics[topic][r.BrokerName]; ok && !first && !changed {
			continue
		}
		q := codec.QueueData{BrokerName: r.BrokerName, ReadQueueNums: tc.ReadQueueNums, WriteQueueNums: tc.WriteQueueNums, Perm: tc.Perm, TopicSysFlag: tc.TopicSysFlag}
		if r.BrokerID != 0 && r.EnableActingMaster {
			q.Perm &^= 2
		}
		if f.topics[topic] == nil {
			f.topics[topic] = map[string]codec.QueueData{}
		}
		f.topics[topic][r.BrokerName] = q
	}
	for _, tc := range r.Body.Topics {
		delete(f.groups[r.BrokerName].unheard, string(tc.Name))
	}
	for _, m := range r.Body.Mappings {
		c := f.clone()
		c.collect()
		f.peak = f.peak || c.beyond() // though this mapping may take less than the one before
		if f.maps[m.Key] == nil {
			f.maps[m.Key] = map[string]codec.TopicQueueMappingInfo{}
		}
		if _, ok := f.maps[m.Key][m.Info.Bname]; !ok || changed || first {
			f.maps[m.Key][m.Info.Bname] = m.Info
		}
	}
}

// collect removes what nothing refers to any more.
func (f *reference) collect() {
	for name, g := range f.groups {
		for id, m := range g.members {
			for c := range m.clusters {
				if f.live[BrokerKey{c, m.addr}] == nil {
					delete(m.clusters, c)
				}
			}
			if len(m.clusters) == 0 {
				delete(g.members, id)
			}
		}
		if len(g.members) == 0 {
			delete(f.groups, name)
		}
	}
	for k := range f.live {
		owned := false
		for _, g := range f.groups {
			for _, m := range g.members {
				owned = owned || m.addr == k.Addr && m.clusters[k.Cluster]
			}
		}
		if !owned {
			delete(f.live, k)
		}
	}
	for k := range f.filters {
		kept := false
		if g := f.groups[k.name]; g != nil {
			for _, m := range g.members {
				kept = kept || m.addr == k.Addr && m.clusters[k.Cluster]
			}
		}
		if !kept {
			delete(f.filters, k)
		}
	}
	for topic, queues := range f.topics {
		for name := range queues {
			if f.groups[name] == nil {
				delete(queues, name)
			}
		}
		if len(queues) == 0 {
			delete(f.topics, topic)
		}
	}
	for name, g := range f.groups {
		for topic := range g.unheard {
			if _, ok := f.topics[topic][name]; !ok {
				delete(g.unheard, topic)
			}
		}
		if f.live[g.of] == nil {
			g.of = BrokerKey{}
		}
	}
	for topic, infos := range f.maps {
		for name := range infos {
			if _, ok := f.topics[topic][name]; !ok {
				delete(infos, name)
			}
		}
		if len(infos) == 0 {
			delete(f.maps, topic)
		}
	}
}

// unlink takes live entries from the members of one broker name, or of all.
func (f *reference) unlink(name string, keys ...BrokerKey) {
	reduced := map[string]bool{}
	for n, g := range f.groups {
		for _, m := range g.members {
			for _, k := range keys {
				if m.addr == k.Addr && m.clusters[k.Cluster] && (name == "" || name == n) {
					delete(m.clusters, k.Cluster)
					reduced[n] = true
				}
			}
		}
		f.dropMembers(g)
	}
	for n := range reduced {
		g := f.groups[n]
		if len(g.members) == 0 || !g.members[g.minID()].acting || g.members[0] != nil {
			continue
		}
		for _, queues := range f.topics {
			if q, ok := queues[n]; ok {
				q.Perm &^= 2
				queues[n] = q
			}
		}
	}
	f.collect()
}

func (f *reference) dropMembers(g *refGroup) {
	for id, m := range g.members {
		if len(m.clusters) == 0 {
			delete(g.members, id)
		}
	}
}

func (f *reference) connClosed(conn uint64) {
	f.unlink("", f.keys(func(l *refLive) bool { return l.conn == conn })...)
}

func (f *reference) scan(now int64) {
	f.unlink("", f.silent(now)...)
}

// silent returns who is due to leave.
func (f *reference) silent(now int64) []BrokerKey {
	return f.keys(func(l *refLive) bool {
		if f.state(l) == Restored {
			return l.until < now
		}
		return l.last+l.timeout < now
	})
}

func (f *reference) keys(pick func(*refLive) bool) []BrokerKey {
	var keys []BrokerKey
	for k, l := range f.live {
		if pick(l) {
			keys = append(keys, k)
		}
	}
	return keys
}
