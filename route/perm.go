package route

// WipeWritePermOfBroker takes the write permission from all topics of a broker
// name, and returns how many topics that name serves, whether or not it was
// writable there. It holds until the broker registers with another data
// version.
// Java: RouteInfoManager#wipeWritePermOfBrokerByLock.
func (t *Table) WipeWritePermOfBroker(brokerName string) int {
	return t.changePerm(brokerName, func(perm int32) int32 { return perm &^ permWrite })
}

// AddWritePermOfBroker sets the permission of all topics of a broker name to
// exactly read and write, whatever else it was, and returns how many topics
// that name serves.
// Java: RouteInfoManager#addWritePermOfBrokerByLock.
func (t *Table) AddWritePermOfBroker(brokerName string) int {
	return t.changePerm(brokerName, func(int32) int32 { return permReadWrite })
}

func (t *Table) changePerm(brokerName string, change func(perm int32) int32) int {
	t.mu.Lock()
	defer t.unlock()
	s := t.set(brokerName)
	if s == nil {
		return 0
	}
	t.take(s)
	defer t.release(s)
	return t.changeTopics(s, change)
}

// changeTopics changes the permission of all topics of s, and returns how many
// there are. Under mu, in the caller's turn.
func (t *Table) changeTopics(s *brokerSet, change func(perm int32) int32) (n int) {
	for id := range s.topics.all {
		t.work++
		e := t.topicByID.get(id)
		if e == nil {
			continue // deleted since
		}
		q, ok := e.queue(s.id)
		if !ok {
			continue
		}
		n++
		if perm := change(q.perm); perm != q.perm {
			q.perm = perm
			t.putQueue(e, "", s, q)
		}
		t.pause()
	}
	return n
}
