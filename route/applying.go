package route

// An applying is a registration that is judged, and then applied: its broker is
// made a member, and its topics go into the tables, in the turn of its broker set.
type applying struct {
	t *Table
	s *brokerSet  // nil while its name is free
	l *liveBroker // nil while its broker is not known
	r *Registration

	by         Changer
	registered uint64 // the event that says so; 0 if it was known

	newer   bool // it has another data version than the one before
	missed  bool // one before has been turned away
	changed bool // so that what is there is to be replaced, or that must be done for another reason

	foreseen *totals // by topicGrowth, for set of
	of       *brokerSet
	need     totals // how much it may still add to
	from     totals // what there was then

	newName bool                // nobody had the broker name
	listed  map[string]struct{} // what dropMissing leaves; nil when it is not to be called
	marks   *idMarks            // topics of the body so far
	paused  bool
	// writable is how many topics s can be written to again that it had.
	writable int
	// disturbed says that somebody else has changed a topic of s between two
	// steps: the tables may not be as the body says.
	disturbed bool
	// short says that something was left out, because there was no room for it
	// any more.
	short bool
}

// begin waits until the registration may begin, and judges it, before anything
// is changed. Under mu, which may be let go meanwhile; the turn of a.s, if that is
// not nil, is the caller's to release.
func (a *applying) begin(nowMillis int64, tooLong *LimitError) (ok bool, err error) {
	t, r := a.t, a.r
	for {
		s := t.enter(r)
		l := t.live(r.key())
		a.s, a.l = s, l
		if tooLong != nil {
			return false, t.refuse(nowMillis, s, l, r, tooLong)
		}
		if base := r.Body.Base; base != nil && (l == nil || l.applied.topics != base || !l.applied.sameTopics(s, r)) {
			return false, ErrTopicsChanged
		}
		if s != nil && t.isStale(s, r) {
			t.registered.stale.Add(1)
			t.emit(t.staleEvent(s, r))
			a.by.recordRefused(r, "stateVersion")
			return false, nil
		}
		if (s == nil || s.member(r.BrokerID) == nil) && r.Body.TopicCount() == 1 {
			e := r.event(RegistrationRefused)
			e.Refused = ErrSingleTopic
			if len(r.Body.Topics) == 1 {
				e.Topic = string(r.Body.Topics[0].Name)
			}
			t.emit(e)
			a.by.recordRefused(r, "singleTopic")
			return false, ErrSingleTopic
		}
		a.newer = l == nil || l.isChanged(r.Body)
		a.missed = l != nil && l.missed.Load() != 0
		a.changed = a.newer || l != nil && l.patched
		full, rested := a.room()
		if full != nil {
			return false, t.refuse(nowMillis, s, l, r, full)
		}
		if !rested {
			return true, nil
		}
		if s != nil {
			t.release(s)
		}
		a.s = nil // everything may have changed
	}
}

// pause ends the step if it is due to. Until the last one, nobody may rely on
// the data version or on what was applied before.
func (a *applying) pause() {
	t := a.t
	if !t.due() {
		return
	}
	if !a.paused {
		a.paused = true
		a.l.applying++
		t.show(a.l)
		a.l.applied = appliedRegistration{}
	}
	edition := a.s.topicsEdition
	a.need = a.need.plus(a.from).minus(t.totals())
	promise := totals{max(a.need.topics, 0), max(a.need.entries, 0)}
	t.promised = t.promised.plus(promise)
	t.flush()
	t.promised = t.promised.minus(promise)
	a.from = t.totals()
	if a.s.topicsEdition != edition {
		a.disturbed = true
	}
}

// fits reports whether there is room for more. What was foreseen always has it,
// unless others have deleted what it was to stand beside, and filled the room.
func (a *applying) fits(more totals) bool {
	if !a.paused {
		return true
	}
	full := a.t.over(more)
	if full != nil && !a.short {
		a.short = true
		a.t.refusals[full.Limit].Add(1)
	}
	return full == nil
}

// end shows the data version, if that had to wait.
func (a *applying) end() {
	if a.paused {
		a.l.applying--
		a.t.show(a.l)
	}
}

// addMember makes the broker a member of its set, kept by its live entry, and reports
// whether its ID was free. An address has one ID in a set: a slave that became master
// gives its old ID up. Filter servers that the body does not speak of stay.
func (a *applying) addMember() (first bool) {
	t, s, l, r := a.t, a.s, a.l, a.r
	hadMaster := s.member(masterID) != nil
	m := s.member(r.BrokerID)
	first = m == nil
	if s.published != nil && !t.lists(r.Cluster, s.name) {
		first := s.first()
		t.emit(Event{
			Kind: BrokerNameShared, Cluster: s.cluster, BrokerName: s.name, BrokerID: first.id, Addr: first.addr,
			ByCluster: r.Cluster, ByAddr: r.BrokerAddr,
		})
	}
	if m != nil && m.addr != r.BrokerAddr {
		t.emit(Event{
			Kind: BrokerDisplaced, Cluster: m.lives[0].live.key.Cluster, BrokerName: s.name, BrokerID: m.id, Addr: m.addr,
			ByCluster: r.Cluster, ByAddr: r.BrokerAddr,
		})
		a.by.recordDisplaced(s, m, r, "its ID was taken")
		t.unlinkAll(m)
		m = nil
	}
	if m == nil {
		m = &member{id: r.BrokerID, addr: r.BrokerAddr, enableActingMaster: r.EnableActingMaster, zoneName: r.ZoneName, hasZoneName: r.HasZoneName}
		old := t.memberByAddr[memberAddr{s, m.addr}]
		var filterServers []string
		if old != nil && r.Cluster == s.cluster {
			filterServers = s.members.get(old.id).FilterServers
		}
		t.join(s, m, filterServers)
		t.link(s, m, l)
		a.registered = a.by.recordRegistered(s, m, l)
		if old != nil {
			a.by.recordDisplaced(s, old, r, "it has another ID now")
			t.unlinkAll(old) // not before l keeps m: l would go with it
		}
		e := r.event(BrokerRegistered)
		e.HAServerAddr = r.HAServerAddr
		t.emit(e)
	}
	if t.link(s, m, l) {
		a.registered = a.by.recordRegistered(s, m, l)
	}
	if hadMaster && s.member(masterID) == nil {
		a.by.recordSet(s, JournalSetMasterless, a.registered, 0)
	}
	m.enableActingMaster = r.EnableActingMaster
	m.zoneName, m.hasZoneName = r.ZoneName, r.HasZoneName
	servers := s.members.get(m.id).FilterServers
	if !r.Body.FilterServersNull && r.Cluster == s.cluster {
		servers = copyOf(r.Body.FilterServers)
	}
	t.showMember(s, m, servers)
	return first
}

// topics stores what the body says of topics. With an unchanged data
// version, what is there stays as it is (a wiped permission survives), and
// only what is missing is added. It reports whether all its topics are now
// stored as it says.
// Java: RouteInfoManager#registerBroker, createAndUpdateQueueData.
func (a *applying) topics(changed, first bool) (exact bool) {
	t, s, r := a.t, a.s, a.r
	b := r.Body
	exact = true
	if a.listed != nil {
		if n := a.dropMissing(); n > 0 {
			e := r.event(TopicsDropped)
			e.Topics, e.Kept = n, s.topics.size
			t.emit(e)
		}
	}
	a.marks = t.takeMarks()
	readOnly := r.BrokerID != masterID && r.EnableActingMaster
	guess := topicGuess{t: t}
	var names nameSlab
	for i := range b.Topics {
		tc := &b.Topics[i]
		q := newQueueData(s.id, tc)
		if readOnly {
			q.perm &^= permWrite
		}
		e, ok := guess.find(tc.Name)
		if !ok {
			t.work++
			if a.fits(totals{1, 1}) {
				e := t.addTopic(names.copy(window(tc.Name)), guess.hash, s, q)
				a.marks.add(e.id)
				guess.added(e.id)
				r.Changes.isNew(e.name)
			} else {
				exact = false
			}
			a.pause()
			continue
		}
		if a.marks.add(e.id) {
			exact = false // the last of its twins counts
		}
		t.work++
		s.heard(e.id)
		old, ok := e.queues.get(s.id)
		switch {
		case ok && old == q:
		case ok && !first && !changed:
			exact = false
		case !ok && !a.fits(totals{0, 1}):
			exact = false
		case !ok:
			t.addQueue(e, s, q)
			r.Changes.added(e.name)
		default:
			t.setQueue(e, s, old, q)
			if q.perm&^old.perm&permWrite != 0 {
				a.writable++
			}
			r.Changes.changed(e.name)
		}
		a.pause()
	}
	for i := range b.Mappings {
		t.work++
		a.putMapping(b.Mappings[i].Key, b.Mappings[i].Info, changed || first)
		a.pause()
	}
	t.giveMarks(a.marks)
	return exact
}

// takeMarks returns empty marks; several registrations may be between two steps.
// Under mu.
func (t *Table) takeMarks() *idMarks {
	n := len(t.marks)
	if n == 0 {
		return &idMarks{}
	}
	m := t.marks[n-1]
	t.marks = t.marks[:n-1]
	return m
}

// giveMarks keeps marks for the next registration, if they are few. Under mu.
func (t *Table) giveMarks(m *idMarks) {
	if len(t.marks) == 0 && cap(m.ids) <= maxKeptMarks {
		m.reset()
		t.marks = append(t.marks, m)
	}
}

// dropMissing takes s from every topic that the table of its registration does
// not list by key, and returns from how many.
func (a *applying) dropMissing() (n int) {
	t := a.t
	for id := range a.s.topics.all {
		t.work++
		if e := t.topicByID.get(id); e != nil && !has(a.listed, e.name) {
			t.dropQueue(e, a.s)
			a.r.Changes.removed(e.name)
			n++
		}
		a.pause()
	}
	return n
}
