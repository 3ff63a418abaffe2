package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gonamesrv/codec"
)

// ErrNoTopic says that there is no such topic.
var ErrNoTopic = errors.New("route: no such topic")

// A HorizonRefusal says why clients of a horizon get no answer.
type HorizonRefusal struct {
	Horizon string
	Why     string // "" if no broker is left that they may be told of
}

func (r *HorizonRefusal) Error() string {
	if r.Why == "" {
		return "no broker is left for clients of horizon " + r.Horizon
	}
	return "refused to clients of horizon " + r.Horizon + ": " + r.Why
}

// RouteAs returns the encoded route of a topic as clients of a horizon are told it. The
// bytes are shared by all readers and never change; the name is borrowed. The error is
// ErrNoTopic or a *HorizonRefusal.
//
// Brokers find each other by the topics that syncBrokerMemberPrefix begins: of those
// all are told what brokers say.
func (v *View) RouteAs(h *Horizon, name []byte, f *RouteForm) ([]byte, error) {
	h.counts.requests.Add(1)
	if h.isCommon() || strings.HasPrefix(window(name), syncBrokerMemberPrefix) {
		if body, ok := v.Route(name, f); ok {
			return body, nil
		}
		return nil, ErrNoTopic
	}
	e, ok := v.Topic(name)
	if !ok {
		return nil, ErrNoTopic
	}
	seen := *f
	seen.horizon = h
	body := v.RouteIn(e, &seen)
	if len(body) > 0 && body[0] == '{' {
		return body, nil
	}
	return nil, h.refuse(string(body))
}

// refuse counts an answer that is not given.
func (h *Horizon) refuse(why string) error {
	if h.counts.refused.Add(1); why == "" {
		h.counts.nothing.Add(1)
	}
	return &HorizonRefusal{h.name, why}
}

// A sight is one answer on its way to clients of a horizon.
type sight struct {
	h       *Horizon
	refused string                // why nothing is answered
	owners  map[string]sightOwner // of results

	missing, same uint64
	hits          []int // indexes of rules

	// each, if not nil, is told of each address.
	each func(*MemberSight)
}

// A sightOwner is who has a result.
type sightOwner struct{ broker, addr string }

// count adds to the counters what has been seen.
func (s *sight) count() {
	for _, i := range s.hits {
		s.h.rules[i].hits.Add(1)
	}
	s.h.counts.missing.Add(s.missing)
	s.h.counts.sameAddress.Add(s.same)
}

// address returns what clients are told of one address, and false if they are not to
// be told of it.
func (s *sight) address(m *memberAddress) (string, bool) {
	to, rule, why := s.h.see(m, false)
	outcome := SightRewritten
	if to == "" {
		s.missing++
		switch s.h.missing {
		case missingKeep:
			to, outcome = m.addr.text, SightKept
		case missingDrop:
			outcome = SightDropped
		case missingRefuse:
			outcome = SightRefused
			if s.refused == "" {
				// Whoever must not be told the address is not told it here either.
				s.refused = fmt.Sprintf("broker %s, ID %d: %s", m.broker, m.id, why)
			}
		}
	} else {
		s.hits = append(s.hits, rule-1)
	}
	if to != "" {
		s.own(m, to)
	}
	if s.each != nil {
		s.each(&MemberSight{Cluster: m.cluster, Broker: m.broker, ID: m.id, Registered: m.addr.text, Rule: rule, Result: to, Outcome: outcome, Why: why})
	}
	return to, to != ""
}

// own takes note of who has a result. Two addresses with one result are a mistake: what is
// meant for one of them reaches the other.
func (s *sight) own(m *memberAddress, to string) {
	o, taken := s.owners[to]
	switch {
	case !taken:
		if s.owners == nil {
			s.owners = map[string]sightOwner{}
		}
		s.owners[to] = sightOwner{m.broker, m.addr.text}
	case o.addr == m.addr.text: // they share it without us
	default:
		if s.same++; o.broker != m.broker && s.h.strict && s.refused == "" {
			s.refused = fmt.Sprintf("brokers %s and %s get the one address %s", o.broker, m.broker, to)
		}
	}
}

// A toldAddress is what became of an address.
type toldAddress struct {
	to string // "" if nobody is to be told of it
	of memberAddress
}

// rewriteRoute rewrites the addresses in a route of the View, and returns false if nothing
// is to be answered. Broker sets of which no member is left go, with their queue datas and
// filter servers; their static mappings stay, as FilterByZone has it.
func (v *View) rewriteRoute(s *sight, d *codec.TopicRouteData) bool {
	told := map[string]toldAddress{} // by registered address; of two brokers with one the first
	for i := range d.BrokerDatas {
		b := &d.BrokerDatas[i]
		set, _ := v.brokers.byName.get(b.BrokerName)
		ids := set.idsOf(b.BrokerAddrs)
		kept := b.BrokerAddrs[:0]
		for j, a := range b.BrokerAddrs {
			m := memberAddress{b.Cluster, b.BrokerName, ids[j], splitAddress(a.Addr)}
			to, ok := s.address(&m)
			if _, twice := told[a.Addr]; !twice && len(d.FilterServerTable) > 0 {
				told[a.Addr] = toldAddress{to, m}
			}
			if ok {
				kept = append(kept, codec.BrokerAddr{ID: a.ID, Addr: to})
			}
		}
		b.BrokerAddrs = kept
	}
	if s.refused != "" {
		return false
	}
	gone := map[string]bool{}
	d.BrokerDatas = slices.DeleteFunc(d.BrokerDatas, func(b codec.BrokerData) bool {
		gone[b.BrokerName] = len(b.BrokerAddrs) == 0
		return gone[b.BrokerName]
	})
	d.QueueDatas = slices.DeleteFunc(d.QueueDatas, func(q codec.QueueData) bool { return gone[q.BrokerName] })
	s.filterServers(d, told)
	return len(d.BrokerDatas) > 0
}

// filterServers rewrites the filter servers of a route. Their keys are the addresses that
// clients are told.
func (s *sight) filterServers(d *codec.TopicRouteData, told map[string]toldAddress) {
	d.FilterServerTable = slices.DeleteFunc(d.FilterServerTable, func(f codec.FilterServers) bool { return told[f.Addr].to == "" })
	for i := range d.FilterServerTable {
		f := &d.FilterServerTable[i]
		of := told[f.Addr]
		f.Addr = of.to
		servers := make([]string, 0, len(f.Servers)) // another list: that one is the View's
		for _, server := range f.Servers {
			of.of.addr = splitAddress(server)
			to, rule, _ := s.h.see(&of.of, true)
			switch {
			case to != "":
				s.hits = append(s.hits, rule-1)
				servers = append(servers, to)
			case s.h.missing == missingKeep:
				servers = append(servers, server)
			}
		}
		f.Servers = servers
	}
	slices.SortStableFunc(d.FilterServerTable, func(a, b codec.FilterServers) int { return strings.Compare(a.Addr, b.Addr) })
	d.FilterServerTable = slices.CompactFunc(d.FilterServerTable, func(a, b codec.FilterServers) bool { return a.Addr == b.Addr })
}

// idsOf returns the IDs with which addresses of b are registered: one of them may be shown
// as master. A rule for an ID means the broker, not who stands in for it.
func (b *Broker) idsOf(addrs []codec.BrokerAddr) []int64 {
	ids := make([]int64, 0, len(addrs))
	for m := range b.members.all {
		if len(ids) == len(addrs) || addrs[len(ids)].Addr != m.Addr {
			break
		}
		ids = append(ids, m.ID)
	}
	if len(ids) == len(addrs) {
		return ids
	}
	byAddr := make(map[string]int64, b.members.size) // a negative ID was shown as 0, behind others
	for m := range b.members.all {
		byAddr[m.Addr] = m.ID
	}
	for _, a := range addrs[len(ids):] {
		ids = append(ids, byAddr[a.Addr])
	}
	return ids
}

// The lists that show addresses of brokers.
const (
	listClusterInfo = iota
	listSystemTopics
	horizonLists
)

// A horizonList is the newest encoded list of a horizon, made by the first who asks. Not
// for event loops.
type horizonList struct {
	mu      sync.Mutex // held by who makes it: one at a time
	version uint64     // of the brokerTable it is made of; 0 before the first
	body    []byte     // nil if it was too long to be kept
	refused string     // why there is none
}

// listShare is which part of the cache one list of one horizon may take: all of them
// together no more than half of it.
const listShare = 2 * maxHorizons * horizonLists

// ClusterInfoAs is ClusterInfo as clients of a horizon are told it. The error is a
// *HorizonRefusal.
func (v *View) ClusterInfoAs(h *Horizon) ([]byte, error) {
	return v.listAs(h, listClusterInfo, v.ClusterInfo, func(info *codec.ClusterInfo) []byte { return info.AppendJSON(nil) })
}

// SystemTopicListAs is SystemTopicList as clients of a horizon are told it: the names
// are the same, the address is one that they can use. The error is a *HorizonRefusal.
func (v *View) SystemTopicListAs(h *Horizon) ([]byte, error) {
	return v.listAs(h, listSystemTopics, v.SystemTopicList, func(info *codec.ClusterInfo) []byte {
		all := v.brokers.info()
		all.BrokerAddrTable = info.BrokerAddrTable
		return systemTopicList(&all)
	})
}

// listAs returns a list as clients of h are told it.
func (v *View) listAs(h *Horizon, which int, common func() []byte, encode func(*codec.ClusterInfo) []byte) ([]byte, error) {
	h.counts.requests.Add(1)
	if h.isCommon() {
		return common(), nil
	}
	l := &h.lists[which]
	l.mu.Lock()
	defer l.mu.Unlock()
	body, refused := l.body, l.refused
	if l.version != v.brokers.version+1 || body == nil && refused == "" {
		info := v.brokers.info()
		s := sight{h: h}
		if refused, body = s.rewriteInfo(&info), nil; refused == "" {
			body = encode(&info)
		}
		s.count()
		l.version, l.body, l.refused = v.brokers.version+1, body, refused
		if int64(cap(body)) > v.cache.horizons.most/listShare {
			l.body = nil
		}
	}
	if refused != "" {
		return nil, h.refuse(refused)
	}
	return body, nil
}

// rewriteInfo rewrites the addresses of all brokers, and returns why there is no answer.
// Broker names of which no member is left go, from the clusters too.
func (s *sight) rewriteInfo(info *codec.ClusterInfo) (refused string) {
	gone := map[string]bool{}
	for i := range info.BrokerAddrTable {
		b := &info.BrokerAddrTable[i]
		kept := b.BrokerAddrs[:0]
		for _, a := range b.BrokerAddrs {
			if to, ok := s.address(&memberAddress{b.Cluster, b.BrokerName, a.ID, splitAddress(a.Addr)}); ok {
				kept = append(kept, codec.BrokerAddr{ID: a.ID, Addr: to})
			}
		}
		b.BrokerAddrs = kept
		gone[b.BrokerName] = len(kept) == 0
	}
	if s.refused != "" {
		return s.refused
	}
	info.BrokerAddrTable = slices.DeleteFunc(info.BrokerAddrTable, func(b codec.BrokerData) bool { return gone[b.BrokerName] })
	for i := range info.ClusterAddrTable {
		c := &info.ClusterAddrTable[i]
		c.BrokerNames = slices.DeleteFunc(c.BrokerNames, func(name string) bool { return gone[name] })
	}
	return ""
}
