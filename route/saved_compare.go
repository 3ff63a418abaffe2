package route

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// A SavedTally says how much of one kind a Saved had right.
type SavedTally struct {
	Right   int // as it is
	Stale   int // other than it is, or not there any more
	Missing int // there, but not saved
}

// A SavedComparison is what would have been shown if a Saved had been served, beside
// what turned out to be so.
type SavedComparison struct {
	Topics  SavedTally // by their rows; one that is stale in part and lacks something counts twice
	Rows    SavedTally // a topic on a broker name
	Members SavedTally // a broker name, ID and address
}

// CompareSaved compares s with a View of a process that has not served it, and has
// heard all brokers since. s must be what Validate accepts. The cost goes with the
// size of both; it takes no lock.
func CompareSaved(s *Saved, now *View) (c SavedComparison) {
	brokers := make([]*Broker, len(s.Sets)) // nil where there is none any more
	known := 0
	for i := range s.Sets {
		brokers[i], _ = now.brokers.byName.get(s.Sets[i].Name)
		if brokers[i] != nil {
			known++
			c.Members.compare(s.Sets[i].Members, brokers[i])
		} else {
			c.Members.Stale += len(s.Sets[i].Members)
		}
	}
	if known < now.BrokerCount() {
		saved := make(map[string]bool, len(s.Sets))
		for i := range s.Sets {
			saved[s.Sets[i].Name] = true
		}
		for b := range now.brokers.byName.all {
			if !saved[b.Name] {
				c.Members.Missing += b.members.size
			}
		}
	}
	rows, shown := s.Rows, 0
	for i := range s.Topics {
		st := &s.Topics[i]
		e, _ := now.Topic([]byte(st.Name))
		if e != nil {
			shown++
		}
		c.addTopic(s.compareRows(rows[:st.Rows], brokers, now, e))
		rows = rows[st.Rows:]
	}
	if shown < now.topics.size {
		saved := newNameSet(s.Topics)
		for i := range s.Topics {
			saved.add(uint32(i))
		}
		for e := range now.topics.all {
			if n := now.rowCount(e); n > 0 && !saved.has(e.name) {
				c.addTopic(SavedTally{Missing: n})
			}
		}
	}
	return c
}

// compare adds the members of a set, of which both lists are in ascending order of ID.
func (t *SavedTally) compare(saved []SavedMember, b *Broker) {
	right := 0
	for i := range saved {
		if m := b.members.get(saved[i].ID); m != nil && m.Addr == saved[i].Addr {
			right++
		}
	}
	t.Right += right
	t.Stale += len(saved) - right
	for m := range b.members.all {
		if _, ok := slices.BinarySearchFunc(saved, m.ID, func(m SavedMember, id int64) int { return cmp.Compare(m.ID, id) }); !ok {
			t.Missing++
		}
	}
}

// compareRows compares the saved rows of a topic with its entry, which may be nil.
func (s *Saved) compareRows(saved []SavedRow, brokers []*Broker, now *View, e *TopicEntry) (t SavedTally) {
	if e == nil {
		return SavedTally{Stale: len(saved)}
	}
	there := 0
	for _, row := range saved {
		b := brokers[row.Set]
		if b == nil {
			t.Stale++
			continue
		}
		q, ok := e.queues.get(b.set.id)
		if !ok {
			t.Stale++
			continue
		}
		there++
		if o := (SavedOffer{q.readQueueNums, q.writeQueueNums, q.perm, q.topicSysFlag}); o == s.Offers[row.Offer] {
			t.Right++
		} else {
			t.Stale++
		}
	}
	t.Missing = now.rowCount(e) - there
	return t
}

// rowCount returns how many rows readers are shown of e.
func (v *View) rowCount(e *TopicEntry) (n int) {
	if !v.sweeping {
		return e.queues.len()
	}
	for q := range e.queues.all {
		if !v.brokers.byID.get(q.set).gone {
			n++
		}
	}
	return n
}

func (c *SavedComparison) addTopic(rows SavedTally) {
	c.Rows.Right += rows.Right
	c.Rows.Stale += rows.Stale
	c.Rows.Missing += rows.Missing
	switch {
	case rows.Stale == 0 && rows.Missing == 0:
		c.Topics.Right++
		return
	case rows.Stale > 0:
		c.Topics.Stale++
	}
	if rows.Missing > 0 {
		c.Topics.Missing++
	}
}

// has reports whether a topic was added that has the given name.
func (n *nameSet) has(name string) bool {
	for at := maphash.String(n.seed, name); ; at++ {
		switch slot := n.slots[at&uint64(len(n.slots)-1)]; {
		case slot == 0:
			return false
		case n.topics[slot-1].Name == name:
			return true
		}
	}
}
