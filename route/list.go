package route

import (
	"slices"
	"strings"
	"sync"

	"gonamesrv/codec"
)

// ClusterInfo returns the encoded brokerAddrTable and clusterAddrTable. The
// bytes are shared by all readers and never change; they are encoded once per
// change of a broker set, because every 5.x broker asks every 5 s.
// Java: RouteInfoManager#getAllClusterInfo.
func (v *View) ClusterInfo() []byte {
	return v.brokers.clusterInfo.get(func() []byte {
		info := v.brokers.info()
		return info.AppendJSON(nil)
	})
}

func (bt *brokerTable) info() codec.ClusterInfo {
	var info codec.ClusterInfo
	names := map[string][]string{}
	for b := range bt.byName.all {
		info.BrokerAddrTable = append(info.BrokerAddrTable, b.Data())
	}
	for l := range bt.listings.all {
		names[l.cluster] = append(names[l.cluster], l.brokerName)
	}
	slices.SortFunc(info.BrokerAddrTable, func(a, b codec.BrokerData) int { return strings.Compare(a.BrokerName, b.BrokerName) })
	for c, n := range names {
		slices.Sort(n)
		info.ClusterAddrTable = append(info.ClusterAddrTable, codec.ClusterNames{Cluster: c, BrokerNames: n})
	}
	slices.SortFunc(info.ClusterAddrTable, func(a, b codec.ClusterNames) int { return strings.Compare(a.Cluster, b.Cluster) })
	return info
}

// AllTopicList returns the encoded list of all topics, in ascending order. The
// bytes are shared by all readers and never change; they are encoded once per
// change of the set of topics.
// Java: RouteInfoManager#getAllTopicList.
func (v *View) AllTopicList() []byte {
	return v.names.get(func() []byte { return encodeNames(v.TopicNames()) })
}

// BrokerMemberGroup returns the members of a broker name. The cluster is only
// echoed, as Java does; a name that is unknown has no members. The arguments
// are nil when the request left them out.
// Java: RouteInfoManager#getBrokerMemberGroup.
func (v *View) BrokerMemberGroup(cluster, brokerName []byte) codec.BrokerMemberGroup {
	g := codec.BrokerMemberGroup{
		Cluster:       string(cluster),
		HasCluster:    cluster != nil,
		BrokerName:    string(brokerName),
		HasBrokerName: brokerName != nil,
	}
	if b, ok := v.Broker(brokerName); ok {
		g.BrokerAddrs = b.Data().BrokerAddrs
	}
	return g
}

// A UnitList is one of the three lists of topics by their unit flags.
type UnitList uint8

// The unit lists.
const (
	UnitTopics           UnitList = iota // flag 1: Java: getUnitTopics
	UnitSubTopics                        // flag 2: Java: getHasUnitSubTopicList
	UnitSubTopicsNoUnits                 // flag 2 and not 1: Java: getHasUnitSubUnUnitTopicList
	unitLists
)

const (
	flagUnit    = 1 // Java: TopicSysFlag.FLAG_UNIT
	flagUnitSub = 2 // Java: TopicSysFlag.FLAG_UNIT_SUB
)

func (u UnitList) has(flag int32) bool {
	switch u {
	case UnitTopics:
		return flag&flagUnit != 0
	case UnitSubTopics:
		return flag&flagUnitSub != 0
	}
	return flag&flagUnitSub != 0 && flag&flagUnit == 0
}

// A topicLists holds the encoded lists that depend on what brokers offer. They
// are made when asked for, by walking all topics, and serve all Views until
// something changes that they show: other queues, permissions, data versions and
// members do not.
type topicLists struct {
	unit     [unitLists]lazyBody
	clusters sync.Map  // cluster, one that exists -> *lazyBody
	room     byteCount // of clusters: there may be many, and each may hold all topics
}

// clusterListBytes is how many bytes of topic lists by cluster one topicLists
// keeps, but no more than are kept of routes.
const clusterListBytes = 64 << 20

// TopicsByUnit returns an encoded unit list, in ascending order. A topic is
// judged by the broker with the smallest name (in Java by any).
func (v *View) TopicsByUnit(u UnitList) []byte {
	return v.lists.unit[u].get(func() []byte {
		return v.encodeTopics(func(e *TopicEntry) bool { return u.has(v.rows(e)[0].queue.topicSysFlag) })
	})
}

// TopicsByCluster returns the encoded list of the topics that a broker of the
// cluster serves, in ascending order; none when the cluster is unknown.
// Java: RouteInfoManager#getTopicsByCluster.
func (v *View) TopicsByCluster(cluster string) []byte {
	member := make([]bool, v.brokers.byID.size) // by broker number
	known := false
	for l := range v.brokers.listings.all {
		if l.cluster != cluster {
			continue
		}
		known = true
		b, _ := v.brokers.byName.get(l.brokerName)
		member[b.set.id] = true
	}
	if !known {
		return v.encodeTopics(func(*TopicEntry) bool { return false })
	}
	body, _ := v.lists.clusters.LoadOrStore(cluster, new(lazyBody))
	return body.(*lazyBody).getWithin(&v.lists.room, func() []byte {
		return v.encodeTopics(func(e *TopicEntry) bool {
			for q := range e.queues.all {
				if member[q.set] {
					return true
				}
			}
			return false
		})
	})
}

func (v *View) encodeTopics(pick func(*TopicEntry) bool) []byte {
	return encodeNames(v.namesOf(0, pick))
}

func encodeNames(names []string) []byte {
	size := len(`{"topicList":[]}`)
	for _, name := range names {
		size += len(`"",`) + len(name)
	}
	list := codec.TopicList{Topics: names}
	return list.AppendJSON(make([]byte, 0, size)) // unless there is something to be escaped
}

// SystemTopicList returns the encoded names of all clusters and brokers, which
// brokers serve as topics too, in ascending order, and one broker's address.
// Java: RouteInfoManager#getSystemTopicList.
func (v *View) SystemTopicList() []byte {
	return v.brokers.systemTopics.get(func() []byte {
		info := v.brokers.info()
		return systemTopicList(&info)
	})
}

func systemTopicList(info *codec.ClusterInfo) []byte {
	var list codec.TopicList
	for _, c := range info.ClusterAddrTable {
		list.Topics = append(list.Topics, c.Cluster)
		list.Topics = append(list.Topics, c.BrokerNames...)
	}
	slices.Sort(list.Topics)
	list.Topics = slices.Compact(list.Topics)
	if len(info.BrokerAddrTable) > 0 {
		list.BrokerAddr, list.HasBrokerAddr = info.BrokerAddrTable[0].BrokerAddrs[0].Addr, true
	}
	return list.AppendJSON(nil)
}
