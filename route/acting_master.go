package route

import (
	"cmp"
	"slices"

	"gonamesrv/codec"
)

// isPrimeSlave reports whether a member that registers with the given ID
// publishes its topics although it is a slave: it is the smallest member of a
// set without master, and its release knows of acting masters at all.
// Java: RouteInfoManager#registerBroker, isPrimeSlave.
func (s *brokerSet) isPrimeSlave(id int64, oldVersion bool) bool {
	return !oldVersion && id != masterID && s.first().id == id
}

// standsIn reports whether the smallest member of b is shown as its master
// for a topic with the given queue data: the set has lost its master, wants a
// stand-in, and the queues are read only, so that nobody writes to a slave.
// Java: RouteInfoManager#pickupTopicRouteData, needActingMaster.
func standsIn(b *Broker, q queueData) bool {
	return b.EnableActingMaster && !b.hasMaster() && q.perm&permWrite == 0
}

// promote shows the smallest ID of d, whose addresses are in ascending order
// of ID, as ID 0.
func promote(d *codec.BrokerData) {
	d.BrokerAddrs[0].ID = masterID
	slices.SortStableFunc(d.BrokerAddrs, func(a, b codec.BrokerAddr) int { return cmp.Compare(a.ID, b.ID) })
}

// wipeIfMasterless takes the write permission from all topics of a set that
// has just lost its master and leaves the smallest slave to stand in. Under mu,
// in the caller's turn.
// Java: RouteInfoManager#cleanTopicByUnRegisterRequests.
func (c *Changer) wipeIfMasterless(s *brokerSet, parent uint64) {
	if !s.first().enableActingMaster || s.member(masterID) != nil {
		return
	}
	if n := c.t.changeTopics(s, func(perm int32) int32 { return perm &^ permWrite }, &PermChange{}); n > 0 {
		c.recordSet(s, JournalSetActing, parent, n)
	}
}
