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
	for id := range s.topics.all {
		e := t.topicByID[id]
		q, _ := e.queue(s.id)
		if perm := change(q.perm); perm != q.perm {
			q.perm = perm
			t.putQueue(e, "", s, q)
		}
	}
	return s.topics.size
}
