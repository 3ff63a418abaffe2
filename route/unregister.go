package route

import (
	"container/heap"
	"slices"
)

// An Unregistration is one UNREGISTER_BROKER request. The broker ID that the
// request carries is left out: what counts is who has the address now.
type Unregistration struct {
	Cluster    string
	BrokerName string
	BrokerAddr string
}

// UnregisterBrokers removes brokers, all in one change. Brokers that are not
// known, or not under that name and cluster, are passed over.
// Java: RouteInfoManager#unRegisterBroker.
func (t *Table) UnregisterBrokers(requests ...Unregistration) {
	t.mu.Lock()
	defer t.unlock()
	d := t.departure()
	for _, r := range requests {
		if l := t.live(BrokerKey{r.Cluster, r.BrokerAddr}); l != nil {
			d.dismiss(l, r.BrokerName, BrokerUnregistered)
		}
	}
	d.settle()
}

// ConnClosed removes every broker whose last registration came over a
// connection that its peer or the network has ended, and returns how many there
// were. A broker that has registered again over another connection is not
// concerned. For a connection that we have closed there is ForgetConn.
//
// Differs from Java: RouteInfoManager#onChannelDestroy removes the first such
// broker only, and decides before it acts, so that a broker which registers in
// between is removed all the same.
func (t *Table) ConnClosed(conn uint64) int {
	t.mu.Lock()
	lost := slices.Clone(t.byConn[conn])
	if len(lost) == 0 {
		t.mu.Unlock()
		return 0
	}
	defer t.unlock()
	d := t.departure()
	for _, l := range lost {
		d.dismiss(l, "", BrokerConnLost)
	}
	d.settle()
	return len(lost)
}

// ForgetConn separates the brokers whose last registration came over a connection
// from it, and returns how many there were. It is for a connection that we have
// closed: that says nothing about the brokers, which live on until they are silent
// for too long.
//
// Differs from Java: RouteInfoManager#onChannelDestroy removes a broker whoever has
// closed its connection.
func (t *Table) ForgetConn(conn uint64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	brokers := t.byConn[conn]
	for _, l := range brokers {
		l.conn = 0
	}
	delete(t.byConn, conn)
	return len(brokers)
}

// HasBrokers reports whether the last registration of some live broker came over
// conn.
func (t *Table) HasBrokers(conn uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byConn[conn]) > 0
}

// An ExpiredBroker is a broker that was removed because it fell silent.
type ExpiredBroker struct {
	BrokerKey
	Conn uint64 // the connection of its last registration; 0 is none
}

// ScanNotActiveBroker removes every broker that has been silent for longer
// than its timeout at the given time, and returns them. Its cost goes with the
// number of those that may have expired, not with that of all.
// Java: RouteInfoManager#scanNotActiveBroker.
func (t *Table) ScanNotActiveBroker(nowMillis int64) []ExpiredBroker {
	t.mu.Lock()
	var silent []*liveBroker
	dep := t.departure()
	for len(t.expiry) > 0 && t.expiry[0].deadline < nowMillis {
		l := t.expiry[0]
		if due := l.deadlineMillis(); due >= nowMillis {
			l.deadline = due
			heap.Fix(&t.expiry, 0)
			continue
		}
		silent = append(silent, l)
		dep.dismiss(l, "", BrokerExpired)
	}
	if len(silent) == 0 {
		t.mu.Unlock()
		return nil
	}
	defer t.unlock()
	dep.settle()
	expired := make([]ExpiredBroker, len(silent))
	for i, l := range silent {
		expired[i] = ExpiredBroker{BrokerKey: l.key, Conn: l.conn}
	}
	return expired
}

// A departure collects the broker sets that one change takes members from, so
// that what follows from it is judged once, by what is left in the end.
type departure struct {
	t       *Table
	reduced []*brokerSet
	oldMin  map[*brokerSet]*member
}

func (t *Table) departure() *departure {
	return &departure{t: t, oldMin: map[*brokerSet]*member{}}
}

// dismiss takes away the members that l keeps: those of one broker name, or
// all when name is empty.
func (d *departure) dismiss(l *liveBroker, name string, kind EventKind) {
	for _, o := range slices.Clone(l.owners) {
		s := o.set
		if name != "" && s.name != name {
			continue
		}
		if d.oldMin[s] == nil {
			d.oldMin[s] = s.members[0]
			d.reduced = append(d.reduced, s)
		}
		d.t.unlink(s, o.member, l)
		d.t.emit(Event{Kind: kind, Cluster: l.key.Cluster, BrokerName: s.name, BrokerID: o.member.id, Addr: o.member.addr})
	}
}

// settle removes the sets that have lost their last member, with their topics,
// and lets a slave stand in for a master that others have lost.
// Java: RouteInfoManager#unRegisterBroker, cleanTopicByUnRegisterRequests.
func (d *departure) settle() {
	for _, s := range d.reduced {
		if len(s.members) == 0 {
			d.t.removeSet(s)
			continue
		}
		d.t.wipeIfMasterless(s)
		d.t.refresh(s)
		if old := d.oldMin[s]; s.members[0] != old && s.members[0].enableActingMaster {
			d.t.emitLostMinimum(s, old.addr)
		}
	}
}

// emitLostMinimum tells all remaining members.
// Java: RouteInfoManager#unRegisterBroker, notifyMinBrokerIdChanged.
func (t *Table) emitLostMinimum(s *brokerSet, offline string) {
	c := &MinBrokerIDChange{
		MinBrokerID:       s.members[0].id,
		MinBrokerAddr:     s.members[0].addr,
		OfflineBrokerAddr: offline,
	}
	for _, m := range s.members {
		c.Receivers = append(c.Receivers, m.addr)
	}
	t.emit(Event{Kind: MinBrokerIDChanged, Cluster: s.cluster, BrokerName: s.name, BrokerID: c.MinBrokerID, Addr: c.MinBrokerAddr, MinID: c})
}
