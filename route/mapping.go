package route

import (
	"sort"

	"gonamesrv/codec"
)

// topicMappings is one row of topicQueueMappingInfoTable: where the logical
// queues of a static topic live, per broker name. It never changes once
// published.
type topicMappings struct {
	byBroker []codec.BrokerQueueMapping // in ascending order of BrokerName, never empty
}

func (m *topicMappings) find(brokerName string) (i int, ok bool) {
	if m == nil {
		return 0, false
	}
	b := m.byBroker
	i = sort.Search(len(b), func(i int) bool { return b[i].BrokerName >= brokerName })
	return i, i < len(b) && b[i].BrokerName == brokerName
}

// with returns m with the mapping of one broker name added or replaced.
func (m *topicMappings) with(info codec.TopicQueueMappingInfo) *topicMappings {
	row := codec.BrokerQueueMapping{BrokerName: info.Bname, Info: info}
	if m == nil {
		return &topicMappings{byBroker: []codec.BrokerQueueMapping{row}}
	}
	i, ok := m.find(info.Bname)
	if !ok {
		return &topicMappings{byBroker: insertAt(m.byBroker, i, row)}
	}
	c := copyOf(m.byBroker)
	c[i] = row
	return &topicMappings{byBroker: c}
}

// without returns m without the mapping of one broker name, nil when nothing
// is left.
func (m *topicMappings) without(brokerName string) *topicMappings {
	i, ok := m.find(brokerName)
	if !ok {
		return m
	}
	if len(m.byBroker) == 1 {
		return nil
	}
	return &topicMappings{byBroker: removeAt(m.byBroker, i)}
}

// keep returns m with only those broker names that keep wants, nil when nothing
// is left.
func (m *topicMappings) keep(keep func(brokerName string) bool) *topicMappings {
	if m == nil {
		return nil
	}
	var kept []codec.BrokerQueueMapping
	for _, b := range m.byBroker {
		if keep(b.BrokerName) {
			kept = append(kept, b)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return &topicMappings{byBroker: kept}
}

// putMapping stores a broker's static mapping of one topic. A mapping whose
// topic does not list that broker name is left out: it could never be cleaned
// up. overwrite false keeps a mapping that is there already. Under mu.
//
// Differs from Java: RouteInfoManager never removes a mapping, and loses one
// for good when its topic is deleted and comes back with an unchanged data
// version. Here a mapping goes with its queue data and comes back with it.
func (a *applying) putMapping(topic string, info codec.TopicQueueMappingInfo, overwrite bool) {
	t := a.t
	e, ok := t.topicQueueTable.get(topic)
	if !ok {
		return
	}
	s := t.set(info.Bname)
	if s == nil {
		return
	}
	if !e.has(s) {
		return
	}
	if s == a.s && a.newName && !a.marks.has(e.id) {
		return // the broker has been given the topic since the first step, so after the registration
	}
	if i, ok := e.mappings.find(info.Bname); ok && (!overwrite || sameMapping(e.mappings.byBroker[i].Info, info)) {
		return
	}
	more := 1 + len(info.CurrIDMap) - e.mappings.entries(info.Bname)
	if !a.fits(totals{0, more}) {
		return
	}
	s.topicsEdition++
	t.losing = true
	a.r.Changes.mapped(e.name)
	t.entries += more
	t.storeTopic(e.withMappings(e.mappings.with(info)))
}

func sameMapping(a, b codec.TopicQueueMappingInfo) bool {
	if a.Topic != b.Topic || a.Scope != b.Scope || a.TotalQueues != b.TotalQueues || a.Bname != b.Bname ||
		a.Epoch != b.Epoch || a.Dirty != b.Dirty || len(a.CurrIDMap) != len(b.CurrIDMap) ||
		(a.CurrIDMap == nil) != (b.CurrIDMap == nil) {
		return false
	}
	for i := range a.CurrIDMap {
		if a.CurrIDMap[i] != b.CurrIDMap[i] {
			return false
		}
	}
	return true
}
