package route

import (
	"maps"
	"slices"
	"strings"

	"gonamesrv/codec"
)

func (f *reference) result(r *Registration) RegisterResult {
	m := f.groups[r.BrokerName].members[0]
	if r.BrokerID == 0 || m == nil {
		return RegisterResult{}
	}
	l := f.live[BrokerKey{r.Cluster, m.addr}]
	if l == nil {
		return RegisterResult{}
	}
	return RegisterResult{HAServerAddr: l.ha, MasterAddr: m.addr}
}

// brokerData returns a group as readers see it.
func (f *reference) brokerData(name string) codec.BrokerData {
	g := f.groups[name]
	first := g.members[g.minID()]
	d := codec.BrokerData{Cluster: g.cluster, BrokerName: name, EnableActingMaster: first.acting, ZoneName: first.zone, HasZoneName: first.hasZone}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		d.BrokerAddrs = append(d.BrokerAddrs, codec.BrokerAddr{ID: id, Addr: g.members[id].addr})
	}
	return d
}

// route returns the encoded route of a topic, nil when there is none.
func (f *reference) route(topic string, d codec.Dialect) []byte {
	queues, ok := f.topics[topic]
	if !ok {
		return nil
	}
	var data codec.TopicRouteData
	filters := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		b := f.brokerData(name)
		for _, a := range b.BrokerAddrs {
			k := refFilter{BrokerKey{b.Cluster, a.Addr}, name}
			if servers := f.filters[k]; servers != nil && f.groups[name].members[a.ID].clusters[b.Cluster] {
				if _, ok := filters[a.Addr]; !ok {
					filters[a.Addr] = servers
				}
			}
		}
		if f.acting && !strings.HasPrefix(topic, "rmq_sys_SYNC_BROKER_MEMBER_") && b.EnableActingMaster && b.BrokerAddrs[0].ID > 0 && queues[name].Perm&2 == 0 {
			b.BrokerAddrs[0].ID = 0
		}
		data.QueueDatas = append(data.QueueDatas, queues[name])
		data.BrokerDatas = append(data.BrokerDatas, b)
		if info, ok := f.maps[topic][name]; ok {
			data.QueueMappingByBroker = append(data.QueueMappingByBroker, codec.BrokerQueueMapping{BrokerName: name, Info: info})
		}
	}
	for _, addr := range slices.Sorted(maps.Keys(filters)) {
		data.FilterServerTable = append(data.FilterServerTable, codec.FilterServers{Addr: addr, Servers: filters[addr]})
	}
	return data.AppendJSON(nil, d)
}

// clusterInfo returns the encoded brokers and clusters.
func (f *reference) clusterInfo() []byte {
	var info codec.ClusterInfo
	for _, name := range slices.Sorted(maps.Keys(f.groups)) {
		info.BrokerAddrTable = append(info.BrokerAddrTable, f.brokerData(name))
	}
	clusters := f.lists()
	for _, c := range slices.Sorted(maps.Keys(clusters)) {
		info.ClusterAddrTable = append(info.ClusterAddrTable, codec.ClusterNames{Cluster: c, BrokerNames: slices.Sorted(maps.Keys(clusters[c]))})
	}
	return info.AppendJSON(nil)
}

// changePerm returns how many topics a broker name serves, and changes each.
func (f *reference) changePerm(name string, change func(int32) int32) (n int) {
	for _, queues := range f.topics {
		if q, ok := queues[name]; ok {
			q.Perm = change(q.Perm)
			queues[name] = q
			n++
		}
	}
	return n
}

func (f *reference) registerTopic(topic string, queueDatas []codec.QueueData) (bool, error) {
	for _, q := range queueDatas {
		if f.groups[q.BrokerName] == nil {
			return false, nil
		}
	}
	before := f.clone()
	for _, q := range queueDatas {
		if f.topics[topic][q.BrokerName] != q {
			delete(f.groups[q.BrokerName].unheard, topic)
		}
		if f.topics[topic] == nil {
			f.topics[topic] = map[string]codec.QueueData{}
		}
		f.topics[topic][q.BrokerName] = q
	}
	if len(topic) > 512 || f.beyond() {
		*f = *before
		return false, errBeyond
	}
	return true, nil
}

// deleteTopic removes a topic, or the brokers of one cluster from it.
func (f *reference) deleteTopic(topic, cluster string) {
	for name := range f.topics[topic] {
		if cluster == "" || f.lists()[cluster][name] {
			delete(f.topics[topic], name)
		}
	}
	f.collect()
}

// lists returns clusterAddrTable.
func (f *reference) lists() map[string]map[string]bool {
	clusters := map[string]map[string]bool{}
	for name, g := range f.groups {
		list := map[string]bool{g.cluster: true}
		for _, m := range g.members {
			maps.Copy(list, m.clusters)
		}
		for c := range list {
			if clusters[c] == nil {
				clusters[c] = map[string]bool{}
			}
			clusters[c][name] = true
		}
	}
	return clusters
}

// topicList returns an encoded list of topics.
func (f *reference) topicList(pick func(queues map[string]codec.QueueData) bool) []byte {
	var list codec.TopicList
	for _, topic := range slices.Sorted(maps.Keys(f.topics)) {
		if pick(f.topics[topic]) {
			list.Topics = append(list.Topics, topic)
		}
	}
	return list.AppendJSON(nil)
}

// systemTopics returns the encoded names of clusters and brokers.
func (f *reference) systemTopics() []byte {
	names := map[string]bool{}
	for c, brokers := range f.lists() {
		names[c] = true
		maps.Copy(names, brokers)
	}
	list := codec.TopicList{Topics: slices.Sorted(maps.Keys(names))}
	for _, name := range slices.Sorted(maps.Keys(f.groups))[:min(1, len(f.groups))] {
		list.BrokerAddr, list.HasBrokerAddr = f.brokerData(name).BrokerAddrs[0].Addr, true
	}
	return list.AppendJSON(nil)
}
