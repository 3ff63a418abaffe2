package route

import (
	"slices"
	"strings"

	"gonamesrv/codec"
)

// syncBrokerMemberPrefix starts the names of the topics by which brokers learn
// who else is in their set: they must see the real broker IDs.
// Java: TopicValidator.SYNC_BROKER_MEMBER_GROUP_PREFIX.
const syncBrokerMemberPrefix = "rmq_sys_SYNC_BROKER_MEMBER_"

// PickupTopicRouteData puts the route of a topic of this View together. The
// lists are in ascending order of broker name; the strings are the View's own.
// orderTopicConf is left to the caller.
// Java: RouteInfoManager#pickupTopicRouteData.
func (v *View) PickupTopicRouteData(e *TopicEntry, acting bool) codec.TopicRouteData {
	rows := v.rows(e)
	d := codec.TopicRouteData{
		BrokerDatas: make([]codec.BrokerData, len(rows)),
		QueueDatas:  make([]codec.QueueData, len(rows)),
	}
	acting = acting && !strings.HasPrefix(e.name, syncBrokerMemberPrefix)
	for i, r := range rows {
		d.QueueDatas[i] = codec.QueueData{
			BrokerName:     r.broker.Name,
			ReadQueueNums:  r.queue.readQueueNums,
			WriteQueueNums: r.queue.writeQueueNums,
			Perm:           r.queue.perm,
			TopicSysFlag:   r.queue.topicSysFlag,
		}
		d.BrokerDatas[i] = r.broker.Data()
		if acting && standsIn(r.broker, r.queue) {
			promote(&d.BrokerDatas[i])
		}
		for m := range r.broker.members.all {
			if m.FilterServers != nil {
				d.FilterServerTable = append(d.FilterServerTable, codec.FilterServers{Addr: m.Addr, Servers: m.FilterServers})
			}
		}
	}
	// One address under two broker names: the first name's list is shown (in
	// Java the last one's, in hash order).
	slices.SortStableFunc(d.FilterServerTable, func(a, b codec.FilterServers) int { return strings.Compare(a.Addr, b.Addr) })
	d.FilterServerTable = slices.CompactFunc(d.FilterServerTable, func(a, b codec.FilterServers) bool { return a.Addr == b.Addr })
	if e.mappings != nil {
		d.QueueMappingByBroker = e.mappings.byBroker
	}
	return d
}

// A routeRow is one broker set of a topic and what it offers.
type routeRow struct {
	broker *Broker
	queue  queueData
}

// rows returns the broker sets of a topic in ascending order of name. The
// entry itself is in order of set number, which is quicker to search.
func (v *View) rows(e *TopicEntry) []routeRow {
	rows := make([]routeRow, 0, e.queues.len())
	for q := range e.queues.all {
		if b := v.brokers.byID.get(q.set); !b.gone {
			rows = append(rows, routeRow{b, q})
		}
	}
	slices.SortFunc(rows, func(a, b routeRow) int { return strings.Compare(a.broker.Name, b.broker.Name) })
	return rows
}

// Data returns the broker set as peers see it; the address list is a copy.
func (b *Broker) Data() codec.BrokerData {
	d := codec.BrokerData{
		Cluster:            b.Cluster,
		BrokerName:         b.Name,
		BrokerAddrs:        make([]codec.BrokerAddr, 0, b.members.size),
		EnableActingMaster: b.EnableActingMaster,
		ZoneName:           b.ZoneName,
		HasZoneName:        b.HasZoneName,
	}
	for m := range b.members.all {
		d.BrokerAddrs = append(d.BrokerAddrs, codec.BrokerAddr{ID: m.ID, Addr: m.Addr})
	}
	return d
}
