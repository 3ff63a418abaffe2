package route

import "slices"

// An Unregistration is one UNREGISTER_BROKER request. The broker ID that the
// request carries is left out: what counts is who has the address now.
type Unregistration struct {
	Cluster    string
	BrokerName string
	BrokerAddr string
}

// UnregisterBrokers removes brokers. Brokers that are not known, or not under
// that name and cluster, are passed over.
// Java: RouteInfoManager#unRegisterBroker.
func (t *Table) UnregisterBrokers(requests ...Unregistration) {
	t.By(Moment{}, Origin{}).UnregisterBrokers(requests...)
}

// UnregisterBrokers is Table.UnregisterBrokers.
func (c Changer) UnregisterBrokers(requests ...Unregistration) {
	t := c.t
	c.lock()
	defer t.unlock()
	var links []*link
	for _, r := range requests {
		s, l := t.set(r.BrokerName), t.live(BrokerKey{r.Cluster, r.BrokerAddr})
		if s == nil || l == nil {
			continue
		}
		if m := t.memberByAddr[memberAddr{s, r.BrokerAddr}]; m != nil && t.links[linkKey{m, l}] != nil {
			links = append(links, t.links[linkKey{m, l}])
		}
	}
	c.depart(links, BrokerUnregistered)
}

// ConnClosed removes every broker whose last registration came over a
// connection that its peer or the network has ended, and returns how many there
// were. A broker that has registered again over another connection is not
// concerned. For a connection that we have closed there is ForgetConn.
//
// Differs from Java: RouteInfoManager#onChannelDestroy removes the first such
// broker only, and decides before it acts, so that a broker which registers in
// between is removed all the same.
func (t *Table) ConnClosed(conn uint64) int { return t.By(Moment{}, Origin{}).ConnClosed(conn) }

// ConnClosed is Table.ConnClosed.
func (c Changer) ConnClosed(conn uint64) int {
	t := c.t
	if !t.HasBrokers(conn) {
		return 0
	}
	c.lock()
	if len(t.byConn[conn]) == 0 {
		t.mu.Unlock()
		return 0
	}
	defer t.unlock()
	n := 0
	var links []*link
	for len(t.byConn[conn]) > 0 { // again, for those who have registered over it between two steps
		for _, l := range slices.Clone(t.byConn[conn]) {
			if l.conn != conn {
				continue // it has left, or registered elsewhere, since the last step
			}
			n++
			links = append(links, l.owners...)
			t.doom(l)
			t.pause()
		}
	}
	c.depart(links, BrokerConnLost)
	return n
}

// ForgetConn separates the brokers whose last registration came over a connection
// from it, and returns how many there were. It is for a connection that we have
// closed: that says nothing about the brokers, which live on until they are silent
// for too long.
//
// Differs from Java: RouteInfoManager#onChannelDestroy removes a broker whoever has
// closed its connection.
func (t *Table) ForgetConn(conn uint64) int {
	if !t.HasBrokers(conn) {
		return 0
	}
	t.mu.Lock()
	defer t.unlock()
	n := 0
	for _, l := range slices.Clone(t.byConn[conn]) {
		if l.conn != conn {
			continue // as in ConnClosed
		}
		n++
		t.unbind(l)
		t.show(l)
		t.work += 4
		t.pause()
	}
	return n
}

// HasBrokers reports whether the last registration of some live broker came over
// conn. Lock-free, and so is ConnClosed or ForgetConn of a connection that has
// none: most connections are clients', and they come and go in thousands. A
// registration that has returned is seen; for one that has not, whoever asks is
// to wait, since it may bring a broker the moment after.
func (t *Table) HasBrokers(conn uint64) bool {
	_, ok := t.conns.Load(conn)
	return ok
}

// An ExpiredBroker is a broker that was removed because it fell silent.
type ExpiredBroker struct {
	BrokerKey
	Conn uint64 // the connection of its last registration; 0 is none
}

// ScanNotActiveBroker removes every broker that has been silent for longer
// than its timeout at the given time, and returns them: what is Due is Removed.
// Java: RouteInfoManager#scanNotActiveBroker.
func (t *Table) ScanNotActiveBroker(nowMillis int64) []ExpiredBroker {
	return t.Remove(t.Due(nowMillis), BrokerExpired)
}

// A leavers is what one change takes from a broker set.
type leavers struct {
	set   *brokerSet
	links []*link
}

// bySet groups links by their broker set.
func bySet(links []*link) []leavers {
	var groups []leavers
	index := make(map[*brokerSet]int, len(links))
	for _, k := range links {
		i, ok := index[k.set]
		if !ok {
			i = len(groups)
			index[k.set] = i
			groups = append(groups, leavers{set: k.set})
		}
		groups[i].links = append(groups[i].links, k)
	}
	return groups
}

// depart takes links away, set by set: first the members, then, in their own
// time, the topics of the sets that have lost their last one. Under mu, which is
// let go between steps.
func (c *Changer) depart(links []*link, kind EventKind) {
	t := c.t
	var groups []leavers
	if len(links) < stepWork {
		groups = bySet(links)
	} else {
		// Nothing of a link that this needs ever changes.
		t.unlock()
		groups = bySet(links)
		t.mu.Lock()
	}
	var gone []*brokerSet
	for _, g := range groups {
		t.take(g.set)
		if c.reduce(g, kind) {
			gone = append(gone, g.set)
		}
		t.release(g.set)
		t.pause()
	}
	for _, s := range gone {
		t.sweep(s)
	}
}

// reduce takes links from one broker set and judges what follows from it once,
// by what is left in the end. It reports whether nothing is, so that the set is
// gone. Under mu, in the caller's turn.
// Java: RouteInfoManager#unRegisterBroker, cleanTopicByUnRegisterRequests.
func (c *Changer) reduce(g leavers, kind EventKind) (gone bool) {
	t, s := c.t, g.set
	var oldMin *member
	var last uint64 // event
	hadMaster := s.member(masterID) != nil
	for _, k := range g.links {
		if k.inMember < 0 {
			continue // taken away since
		}
		if oldMin == nil {
			oldMin = s.first()
		}
		last = c.recordDeparture(k, kind)
		t.unlink(k)
		t.emit(Event{
			Kind: kind, Cluster: k.live.key.Cluster, BrokerName: s.name, BrokerID: k.member.id, Addr: k.member.addr,
			LastUpdateMillis: k.live.lastUpdate.Load(), TimeoutMillis: k.live.timeoutMillis,
		})
		if s.members.size > 0 && t.due() {
			t.refresh(s)
			t.flush()
		}
	}
	if oldMin == nil {
		return false
	}
	if s.members.size == 0 {
		c.removeSet(s, last)
		return true
	}
	t.refresh(s)
	if s.first() != oldMin && s.first().enableActingMaster {
		t.emitLostMinimum(s, oldMin.addr)
		c.recordSet(s, JournalSetMinID, last, 0)
	}
	if hadMaster && s.member(masterID) == nil {
		c.recordSet(s, JournalSetMasterless, last, 0)
	}
	c.wipeIfMasterless(s, last)
	return false
}

// emitLostMinimum tells all remaining members.
// Java: RouteInfoManager#unRegisterBroker, notifyMinBrokerIdChanged.
func (t *Table) emitLostMinimum(s *brokerSet, offline string) {
	first := s.first()
	c := &MinBrokerIDChange{
		MinBrokerID:       first.id,
		MinBrokerAddr:     first.addr,
		OfflineBrokerAddr: offline,
		Receivers:         receivers(s.members, nil),
	}
	t.emit(Event{Kind: MinBrokerIDChanged, Cluster: s.cluster, BrokerName: s.name, BrokerID: first.id, Addr: first.addr, MinID: c})
}
