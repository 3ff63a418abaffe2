package route

import "slices"

// The end of a connection says that its brokers are gone, unless the connections of
// many end together: then it was a load balancer, a firewall, or our own network, and
// the brokers live on until they are silent for too long, as if nobody had closed
// anything. To see that, a while must pass between the close and its effect.

// A ConnBroker is a broker whose last registration came over a connection.
type ConnBroker struct {
	BrokerKey
	Names []string // of its broker sets
}

// BrokersOn returns the brokers whose last registration came over conn.
func (t *Table) BrokersOn(conn uint64) (brokers []ConnBroker) {
	if !t.HasBrokers(conn) {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.byConn[conn] {
		b := ConnBroker{BrokerKey: l.key}
		for _, k := range l.owners {
			b.Names = append(b.Names, k.set.name)
		}
		brokers = append(brokers, b)
	}
	return brokers
}

// A closedCluster counts the connections of a cluster that have just closed.
type closedCluster struct {
	brokers int // with such a connection
	of      int // brokers, alive or with such a connection
	counted int // in wouldSum
}

// isMass reports whether so many have closed that it says nothing of the brokers.
func (c *closedCluster) isMass() bool {
	return c != nil && c.brokers >= leastOverdue && float64(c.brokers) >= enterShare*float64(c.of)
}

// Closed notes that the peer or the network has ended the connection of some
// brokers. It reports whether that is to wait for a moment, and for CloseHeld. If
// not, they leave: with Mode other than ProtectionOn, and where another member of
// the set is to become acting master at once.
func (p *Protection) Closed(nowMillis int64, policy ProtectionPolicy, pausedMillis int64, v *View, brokers []ConnBroker) (wait bool) {
	if policy.Mode == ProtectionOff || len(brokers) == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.policy = policy
	p.feelPause(nowMillis, pausedMillis)
	p.pruneClosings(nowMillis)
	for _, b := range brokers {
		p.noteClosed(nowMillis, v, b.BrokerKey)
	}
	if policy.Mode == ProtectionMonitor {
		p.countWould(brokers)
		return false
	}
	return slices.ContainsFunc(brokers, func(b ConnBroker) bool { return !p.isExempt(nowMillis, v, b, true) })
}

// CloseHeld reports, a moment after Closed said so, whether the brokers stay until
// they are silent for too long, and what happened.
func (p *Protection) CloseHeld(nowMillis int64, policy ProtectionPolicy, pausedMillis int64, v *View, brokers []ConnBroker) (held bool, events []ProtectionEvent) {
	if policy.Mode != ProtectionOn {
		return false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.policy = policy
	p.feelPause(nowMillis, pausedMillis)
	p.pruneClosings(nowMillis)
	for _, b := range brokers {
		if cause := p.closeCause(nowMillis, v, b); cause != notHeld {
			p.heldSum[cause]++
			held = true
		}
	}
	return held, p.takeEvents()
}

// closeCause returns why a broker stays whose connection has closed. Under mu.
func (p *Protection) closeCause(now int64, v *View, b ConnBroker) ProtectionCause {
	c := p.closed[b.Cluster]
	cause := notHeld
	switch {
	case p.isExempt(now, v, b, false):
		return notHeld
	case p.server == ProtectionIsolated || p.begun && p.isDeaf(now):
		return CauseIsolated
	case p.server == ProtectionRecovering && now < p.until:
		return CauseRecovering
	case c.isMass():
		cause = CauseMassClose
		key := scopeKey{cluster: b.Cluster}
		if sc := p.scope(now, key); sc != nil {
			p.tell(now, &sc.told, ProtectionEvent{
				Kind: ProtectionMassClose, Cluster: b.Cluster, State: sc.state, Cause: "connections close together", Live: c.of, Overdue: sc.size.overdue, Brokers: c.brokers,
			}, 0)
		}
	}
	return cause
}

// isExempt reports whether a broker whose connection has closed leaves as with Java;
// at once says that only those count that are not to wait. Under mu.
func (p *Protection) isExempt(now int64, v *View, b ConnBroker, atOnce bool) bool {
	heard := func(l *LiveInfo) bool {
		_, closing := p.closings[l.live.key]
		return !closing && l.isHeard(now, p.mark)
	}
	for _, name := range b.Names {
		set, ok := v.Broker([]byte(name))
		if ok && (atOnce && !set.EnableActingMaster || !hasStandIn(v, set, b.Addr, heard)) {
			return false
		}
	}
	return true
}

// noteClosed counts a broker whose connection has closed, once. Under mu.
func (p *Protection) noteClosed(now int64, v *View, b BrokerKey) {
	if _, known := p.closings[b]; known || len(p.closings) == maxClosings {
		return
	}
	c := p.closed[b.Cluster]
	if c == nil {
		c = &closedCluster{}
		p.closed[b.Cluster] = c
	}
	c.brokers++
	p.closings[b] = now
	c.of = p.sizeOf(now, v, b.Cluster) // again: the one close may follow the other for hours
}

// sizeOf returns how many brokers a cluster has, or had a moment ago, with those that
// have left because their connection has just closed: thousands may close together,
// and they are not counted for each. Under mu.
func (p *Protection) sizeOf(now int64, v *View, cluster string) int {
	if p.sizes == nil || now-p.sizesAt > sizesMillis {
		p.sizes, p.sizesAt = map[string]int{}, now
		for l := range v.live.all {
			p.sizes[l.live.key.Cluster]++
		}
		for b := range p.closings {
			if _, ok := v.live.get(string(liveKey(nil, b.Cluster, b.Addr))); !ok {
				p.sizes[b.Cluster]++
			}
		}
	}
	return p.sizes[cluster]
}

// pruneClosings forgets connections that closed a while ago. Each call takes time
// for what it forgets only, but for one in sizesMillis. Under mu.
func (p *Protection) pruneClosings(now int64) {
	if now-p.prunedAt < sizesMillis && now >= p.prunedAt {
		return
	}
	p.prunedAt = now
	for b, at := range p.closings {
		if now-at > massCloseMillis {
			delete(p.closings, b)
			c := p.closed[b.Cluster]
			if c.brokers--; c.brokers == 0 {
				delete(p.closed, b.Cluster)
			}
		}
	}
}

// countWould counts what ProtectionOn would have held. Under mu.
func (p *Protection) countWould(brokers []ConnBroker) {
	for _, b := range brokers {
		if p.server == ProtectionRecovering || p.server == ProtectionIsolated {
			p.wouldSum[CauseRecovering]++
		} else if c := p.closed[b.Cluster]; c.isMass() && c.brokers > c.counted {
			p.wouldSum[CauseMassClose] += uint64(c.brokers - c.counted)
			c.counted = c.brokers
		}
	}
}
