package route

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
)

// Validate reports what in s contradicts itself or goes beyond what names may have:
// an index of something that is not there, what should be in order and is not, what
// there may be once and is there twice, a name that is missing or too long. It does
// not know the Limits of a Table.
func (s *Saved) Validate() error {
	kept := make([]bool, len(s.Lives))
	names := make(map[string]bool, len(s.Sets))
	for i := range s.Sets {
		if err := s.validSet(&s.Sets[i], kept); err != nil {
			return err
		}
		names[s.Sets[i].Name] = true
	}
	if len(names) < len(s.Sets) {
		return errors.New("route: a broker name is saved twice")
	}
	keys := make(map[BrokerKey]bool, len(s.Lives))
	for i := range s.Lives {
		l := &s.Lives[i]
		if !isName(l.Cluster, maxNameLength) || !isName(l.Addr, maxAddrLength) || len(l.HAServerAddr) > maxAddrLength {
			return fmt.Errorf("route: saved live entry %d: a name is missing or too long", i)
		}
		if !kept[i] || l.SilentMillis < 0 || l.IntervalMillis < 0 {
			return fmt.Errorf("route: saved live entry %d keeps nobody, or has a negative time", i)
		}
		keys[BrokerKey{l.Cluster, l.Addr}] = true
	}
	if len(keys) < len(s.Lives) {
		return errors.New("route: a live entry is saved twice")
	}
	if err := s.validTopics(); err != nil {
		return err
	}
	return s.validMappings(names)
}

// validSet looks at one broker set, and marks the live entries that keep a member.
func (s *Saved) validSet(set *SavedSet, kept []bool) error {
	if !isName(set.Name, maxNameLength) || !isName(set.Cluster, maxNameLength) || len(set.Members) == 0 {
		return fmt.Errorf("route: saved broker set %.300q: a name is missing or too long, or there is no member", set.Name)
	}
	addrs := make(map[string]bool, len(set.Members))
	for i := range set.Members {
		m := &set.Members[i]
		addrs[m.Addr] = true
		if i > 0 && set.Members[i-1].ID >= m.ID {
			return fmt.Errorf("route: saved broker set %q: member %d is not in order", set.Name, m.ID)
		}
		if !isName(m.Addr, maxAddrLength) || len(m.ZoneName) > maxNameLength || m.ZoneName != "" && !m.HasZoneName {
			return fmt.Errorf("route: saved broker set %q: member %d: a name is missing or too long", set.Name, m.ID)
		}
		for _, f := range m.FilterServers {
			if len(f) > maxAddrLength {
				return fmt.Errorf("route: saved broker set %q: member %d: a filter server is too long", set.Name, m.ID)
			}
		}
		if err := s.validKeepers(set, m, kept); err != nil {
			return err
		}
	}
	if len(addrs) < len(set.Members) {
		return fmt.Errorf("route: saved broker set %q: two members have one address", set.Name)
	}
	return nil
}

// validKeepers looks at the live entries that keep a member: each is of its address,
// and of another cluster.
func (s *Saved) validKeepers(set *SavedSet, m *SavedMember, kept []bool) error {
	if len(m.Lives) == 0 {
		return fmt.Errorf("route: saved broker set %q: member %d has no live entry", set.Name, m.ID)
	}
	clusters := make(map[string]bool, len(m.Lives))
	for _, i := range m.Lives {
		if uint64(i) >= uint64(len(s.Lives)) || s.Lives[i].Addr != m.Addr || clusters[s.Lives[i].Cluster] {
			return fmt.Errorf("route: saved broker set %q: member %d cannot be kept by live entry %d", set.Name, m.ID, i)
		}
		clusters[s.Lives[i].Cluster] = true
		kept[i] = true
	}
	if len(m.FilterServers) > 0 && !clusters[set.Cluster] {
		return fmt.Errorf("route: saved broker set %q: member %d has filter servers of another cluster", set.Name, m.ID)
	}
	return nil
}

// validTopics looks at topics, rows and offers.
func (s *Saved) validTopics() error {
	rows := s.Rows
	var last []SavedRow // of the topic before, found to be right
	once := newNameSet(s.Topics)
	for i := range s.Topics {
		topic := &s.Topics[i]
		if len(topic.Name) > maxTopicLength || !once.add(uint32(i)) {
			return fmt.Errorf("route: saved topic %d: its name is too long, or another one's", i)
		}
		if topic.Rows <= 0 || topic.Rows > len(rows) {
			return fmt.Errorf("route: saved topic %d: %d rows", i, topic.Rows)
		}
		if slices.Equal(rows[:topic.Rows], last) {
			rows = rows[topic.Rows:]
			continue
		}
		last = rows[:topic.Rows]
		for j, r := range rows[:topic.Rows] {
			if uint64(r.Set) >= uint64(len(s.Sets)) || uint64(r.Offer) >= uint64(len(s.Offers)) || j > 0 && rows[j-1].Set >= r.Set {
				return fmt.Errorf("route: saved topic %d: row %d is not in order, or speaks of nothing", i, j)
			}
		}
		rows = rows[topic.Rows:]
	}
	if len(rows) > 0 {
		return fmt.Errorf("route: %d saved rows are of no topic", len(rows))
	}
	offers := make(map[SavedOffer]bool, len(s.Offers))
	for _, o := range s.Offers {
		offers[o] = true
	}
	if len(offers) < len(s.Offers) {
		return errors.New("route: an offer is saved twice")
	}
	return nil
}

// validMappings looks at the static mappings: each is of a row.
func (s *Saved) validMappings(names map[string]bool) error {
	if len(s.Mappings) == 0 {
		return nil
	}
	type key struct {
		topic      uint32
		brokerName string
	}
	rows := map[key]bool{} // of topics with mappings: whether the mapping has been met
	mapped := make(map[uint32]bool, len(s.Mappings))
	for i := range s.Mappings {
		mapped[s.Mappings[i].Topic] = true
	}
	at := 0
	for i, topic := range s.Topics {
		if mapped[uint32(i)] {
			for _, r := range s.Rows[at : at+topic.Rows] {
				rows[key{uint32(i), s.Sets[r.Set].Name}] = false
			}
		}
		at += topic.Rows
	}
	for i := range s.Mappings {
		m := &s.Mappings[i]
		k := key{m.Topic, m.BrokerName}
		if met, ok := rows[k]; !ok || met {
			return fmt.Errorf("route: saved mapping %d is of no row, or there twice", i)
		}
		rows[k] = true
		if m.Info.Bname != m.BrokerName || len(m.Info.Topic) > maxTopicLength || len(m.Info.Scope) > maxNameLength {
			return fmt.Errorf("route: saved mapping %d: a name is another one's or too long", i)
		}
	}
	return nil
}

// isName reports whether s is not empty and not too long.
func isName(s string, most int) bool { return len(s) > 0 && len(s) <= most }

// A nameSet finds topics that have one name: a hash table of their numbers, which
// takes 8 bytes for each at most.
type nameSet struct {
	topics []SavedTopic
	slots  []uint32 // number of a topic, plus 1; 0 is free
	seed   maphash.Seed
}

func newNameSet(topics []SavedTopic) nameSet {
	return nameSet{topics, make([]uint32, 1<<bits.Len(uint(len(topics)+len(topics)/4))), maphash.MakeSeed()}
}

// add reports whether no topic added before has the name of topic i.
func (n *nameSet) add(i uint32) bool {
	name := n.topics[i].Name
	for at := maphash.String(n.seed, name); ; at++ {
		slot := &n.slots[at&uint64(len(n.slots)-1)]
		if *slot == 0 {
			*slot = i + 1
			return true
		}
		if n.topics[*slot-1].Name == name {
			return false
		}
	}
}
