package route

// WipeWritePermOfBroker takes the write permission from all topics of a broker
// name, and returns how many topics that name serves, whether or not it was
// writable there. It holds until the broker registers with another data
// version.
// Java: RouteInfoManager#wipeWritePermOfBrokerByLock.
func (t *Table) WipeWritePermOfBroker(brokerName string) int {
	return t.WipeWritePerm(brokerName).Topics
}

// WipeWritePerm is WipeWritePermOfBroker for those who want to know more.
func (t *Table) WipeWritePerm(brokerName string) PermChange {
	return t.By(Moment{}, Origin{}).WipeWritePerm(brokerName)
}

// WipeWritePerm is Table.WipeWritePerm.
func (c Changer) WipeWritePerm(brokerName string) PermChange {
	return c.changePerm(brokerName, JournalPermWiped, func(perm int32) int32 { return perm &^ permWrite })
}

// AddWritePermOfBroker sets the permission of all topics of a broker name to
// exactly read and write, whatever else it was, and returns how many topics
// that name serves.
// Java: RouteInfoManager#addWritePermOfBrokerByLock.
func (t *Table) AddWritePermOfBroker(brokerName string) int {
	return t.AddWritePerm(brokerName).Topics
}

// AddWritePerm is AddWritePermOfBroker for those who want to know more.
func (t *Table) AddWritePerm(brokerName string) PermChange {
	return t.By(Moment{}, Origin{}).AddWritePerm(brokerName)
}

// AddWritePerm is Table.AddWritePerm.
func (c Changer) AddWritePerm(brokerName string) PermChange {
	return c.changePerm(brokerName, JournalPermRestored, func(int32) int32 { return permReadWrite })
}

// A PermChange is what became of the permission of a broker name's topics. All
// numbers are 0 for a name that is not known.
type PermChange struct {
	Topics        int // that the name serves
	Before, After int // of these, that may be written to there
	Changed       bool
}

func (c *Changer) changePerm(brokerName string, kind JournalType, change func(perm int32) int32) (p PermChange) {
	t := c.t
	c.lock()
	defer t.unlock()
	s := t.set(brokerName)
	if s == nil {
		return p
	}
	t.take(s)
	defer t.release(s)
	if n := t.changeTopics(s, change, &p); n > 0 {
		c.recordPerm(s, kind, n)
		s.wiped = kind == JournalPermWiped
	}
	return p
}

// changeTopics changes the permission of all topics of s, and returns of how many it
// is another one now. Under mu, in the caller's turn.
func (t *Table) changeTopics(s *brokerSet, change func(perm int32) int32, c *PermChange) (changed int) {
	for id := range s.topics.all {
		t.work++
		e := t.topicByID.get(id)
		if e == nil {
			continue // deleted since
		}
		q, ok := e.queues.get(s.id)
		if !ok {
			continue
		}
		c.Topics++
		perm := change(q.perm)
		c.Before += int((q.perm & permWrite) / permWrite)
		c.After += int((perm & permWrite) / permWrite)
		if perm != q.perm {
			c.Changed = true
			changed++
			old := q
			q.perm = perm
			t.setQueue(e, s, old, q)
		}
		t.pause()
	}
	return changed
}
