package route

import "slices"

// A sizes is how many brokers of each scope are alive and overdue at one moment, and
// what is known of those that are due.
type sizes struct {
	scopes        map[scopeKey]scopeSize // clusters without their lost zones, and zones
	live, overdue int
	zones         map[*liveBroker]string // of brokers that name one, or of none at all
	lost          map[scopeKey]bool      // zones of which nothing is heard, while another one of the cluster is well
	sets          [][]*Broker            // of each that is due
}

// survey counts. It goes through all live brokers, and through all broker sets if
// some are due.
func survey(now int64, v *View, due []DueBroker) *sizes {
	s := &sizes{scopes: map[scopeKey]scopeSize{}, sets: make([][]*Broker, len(due))}
	byAddr := make(map[string][]int, len(due))
	for i := range due {
		byAddr[due[i].Addr] = append(byAddr[due[i].Addr], i)
	}
	names := map[string]string{} // cluster -> a zone
	zoned := map[string]bool{}   // clusters that name two
	for b := range v.brokers.byName.all {
		for m := range b.Members() {
			for _, i := range byAddr[m.Addr] {
				if _, ok := v.brokers.listings.get(string(liveKey(nil, due[i].Cluster, b.Name))); ok {
					s.sets[i] = append(s.sets[i], b)
				}
			}
			if m.ZoneName == "" {
				continue
			}
			if z, ok := names[b.Cluster]; ok && z != m.ZoneName {
				zoned[b.Cluster] = true
			}
			names[b.Cluster] = m.ZoneName
			if l, ok := v.live.get(string(liveKey(nil, b.Cluster, m.Addr))); ok {
				if s.zones == nil {
					s.zones = map[*liveBroker]string{}
				}
				s.zones[l.live] = m.ZoneName
			}
		}
	}
	for l := range v.live.all {
		late := 0
		if l.isOverdue(now) {
			late = 1
		}
		cluster := l.live.key.Cluster
		add(s.scopes, scopeKey{cluster: cluster}, 1, late)
		s.live++
		s.overdue += late
		if zoned[cluster] {
			add(s.scopes, scopeKey{cluster, s.zones[l.live], true}, 1, late)
		}
	}
	s.loseZones(zoned)
	return s
}

func add(to map[scopeKey]scopeSize, key scopeKey, live, overdue int) {
	z := to[key]
	to[key] = scopeSize{z.live + live, z.overdue + overdue}
}

// loseZones finds the zones that are lost, and leaves them out of their clusters.
func (s *sizes) loseZones(zoned map[string]bool) {
	if len(zoned) == 0 {
		return
	}
	well := map[string]bool{}
	for key, z := range s.scopes {
		if key.isZone && z.share() < enterShare {
			well[key.cluster] = true
		}
	}
	s.lost = map[scopeKey]bool{}
	for key, z := range s.scopes {
		if key.isZone && z.overdue == z.live && well[key.cluster] {
			s.lost[key] = true
			add(s.scopes, scopeKey{cluster: key.cluster}, -z.live, -z.overdue)
		}
	}
}

// isLost reports whether a scope is a zone that is gone.
func (s *sizes) isLost(key scopeKey) bool { return s.lost[key] }

// zoneOf returns the zone of a broker, if its cluster has several.
func (s *sizes) zoneOf(l *liveBroker, cluster string) (scopeKey, bool) {
	key := scopeKey{cluster, s.zones[l], true}
	_, ok := s.scopes[key]
	return key, ok
}

// names returns the names of the broker sets of the i-th that is due.
func (s *sizes) names(i int) (names []string) {
	for _, b := range s.sets[i] {
		names = append(names, b.Name)
	}
	return names
}

// isExempt reports whether the i-th that is due leaves as with Java: others of its
// set stand in for it, each set that it is in.
func (s *sizes) isExempt(now, mark int64, v *View, i int, b *DueBroker) bool {
	return len(s.sets[i]) > 0 && !slices.ContainsFunc(s.sets[i], func(set *Broker) bool {
		return !hasStandIn(v, set, b.Addr, func(l *LiveInfo) bool { return l.isHeard(now, mark) })
	})
}

// isHeard reports whether the broker is well, as far as we know: it has been heard
// of since mark, by this process, and is not overdue.
func (l *LiveInfo) isHeard(now, mark int64) bool {
	last := l.LastUpdateMillis()
	return !l.live.isUnheard(last) && last >= mark && !l.isOverdue(now)
}

// hasStandIn reports whether the failover that a set was built with takes over from
// the member at addr: the set has an acting master and another member is heard, or
// the member is a slave whose master is heard.
func hasStandIn(v *View, set *Broker, addr string, heard func(*LiveInfo) bool) bool {
	isMaster := false
	for m := range set.Members() {
		isMaster = isMaster || m.Addr == addr && m.ID == masterID
	}
	for m := range set.Members() {
		if m.Addr == addr || !set.EnableActingMaster && (isMaster || m.ID != masterID) {
			continue
		}
		if l, ok := v.live.get(string(liveKey(nil, set.Cluster, m.Addr))); ok && heard(l) {
			return true
		}
	}
	return false
}
