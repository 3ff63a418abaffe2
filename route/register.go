package route

import (
	"errors"
	"hash/maphash"
	"net/netip"
	"slices"

	"gonamesrv/codec"
)

// ErrSingleTopic refuses the first registration of a broker when it carries
// exactly one topic: it is an incremental one that has overtaken the full one,
// and would make the name server believe that it knows all topics.
// Java: RouteInfoManager#registerBroker, "Can't register topicConfigWrapper".
var ErrSingleTopic = errors.New("route: first registration carries a single topic")

// ErrStateVersion says why a registration is refused whose broker is not told: another
// address has its ID, with a newer state version.
// Java: RouteInfoManager#registerBroker, "Registering Broker conflicts".
var ErrStateVersion = errors.New("route: another address has the broker ID, with a newer state version")

// ErrTopicsChanged refuses a registration whose body was decoded beside what
// was known of the broker's topics (codec's DecodeKnown), because that is not so
// any more. Nothing has changed; the body is to be decoded in full.
var ErrTopicsChanged = errors.New("route: topics have changed since the body was decoded")

// A RegistrationHeader is what a registration says besides its body. Its
// strings are owned.
type RegistrationHeader struct {
	Cluster       string
	BrokerName    string
	BrokerAddr    string
	BrokerID      int64
	HAServerAddr  string // empty when the broker gave none
	ZoneName      string
	HasZoneName   bool
	TimeoutMillis int64 // how long the broker may be silent
	// EnableActingMaster wants a slave to stand in for a lost master.
	EnableActingMaster bool
	// OldVersion says that the field enableActingMaster was absent: a broker
	// before 5.0, whose slaves never publish topics.
	OldVersion bool
	// DeleteMissingTopics removes topics that the body does not list.
	// Java: deleteTopicWithBrokerRegistration.
	DeleteMissingTopics bool
}

// A Registration is one REGISTER_BROKER request.
type Registration struct {
	RegistrationHeader
	Conn uint64 // the connection it came over; 0 is none
	// WallMillis is when it came, by the wall clock, and Origin who has sent it: for
	// the Journal.
	WallMillis int64
	Origin     Origin
	// Peer is the address at the other end of it; the zero Addr is not known.
	Peer netip.Addr
	// Seq counts registrations as they arrive, before they wait for their turn: of
	// two of one broker the later has the higher number. See RegistrationMissed.
	Seq uint64
	// BodyHash identifies the encoded body, so that the same body again need not
	// be decoded; 0 says that the same bytes may mean something else next time.
	BodyHash uint64
	Body     *codec.RegisterBrokerBody // borrowed

	Changes TopicChanges // set by RegisterBroker: what has become of topics
}

// A RegisterResult is what a registering slave is told of its master. Both are
// empty for a master, or when no master is alive.
// Java: RegisterBrokerResult.
type RegisterResult struct {
	HAServerAddr string
	MasterAddr   string
}

// An appliedRegistration is what has been applied for a live broker, as far as
// it matters to recognise a repetition.
type appliedRegistration struct {
	header        RegistrationHeader
	bodyHash      uint64
	full          bool // the body was a whole table
	set           *brokerSet
	setVersion    uint64 // set.published.version afterwards
	topicsEdition uint64 // set.topicsEdition afterwards
	// topics is what the body said of topics, if afterwards the tables said the
	// same of the set; else nil.
	topics *codec.KnownTopics
}

// sameTopics reports whether the tables still say of s what a said of it, and
// whether r means the same by the same text. Under mu.
func (a *appliedRegistration) sameTopics(s *brokerSet, r *Registration) bool {
	return a.topics != nil && a.set == s && a.topicsEdition == s.topicsEdition && a.header == r.RegistrationHeader
}

var bodySeed = maphash.MakeSeed()

// HashBody returns the BodyHash of an encoded body that was sent by a broker
// of the given version. checksum is the one that came with it; who has found it
// right need not do so again. The hash is keyed with a random number of this
// process, 64 bits wide, and compared only with the previous body of the same
// broker: that two bodies share it by chance is a matter of 1 in 10^19 changes.
func HashBody(body []byte, version int32, compressed bool, checksum int32) uint64 {
	var h maphash.Hash
	h.SetSeed(bodySeed)
	// The version and the flag decide how the bytes are read.
	maphash.WriteComparable(&h, version)
	maphash.WriteComparable(&h, compressed)
	maphash.WriteComparable(&h, checksum)
	h.Write(body)
	return h.Sum64() | 1
}

// RegisterUnchanged applies a registration without looking at its body, if
// everything it could change is still as the previous registration of this
// broker with the same header and body left it. It reports whether that was
// so; if not, nothing has happened, and RegisterBroker is to be called.
func (t *Table) RegisterUnchanged(nowMillis int64, r *Registration) (RegisterResult, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.live(BrokerKey{r.Cluster, r.BrokerAddr})
	if l == nil || r.BodyHash == 0 {
		return RegisterResult{}, false
	}
	a := &l.applied
	if a.bodyHash != r.BodyHash || a.header != r.RegistrationHeader || t.set(r.BrokerName) != a.set ||
		a.set.unsaid() != nil || a.set.published.version != a.setVersion || a.set.topicsEdition != a.topicsEdition ||
		l.doomed || a.set.doomed > 0 || a.set.taken() || l.conn != r.Conn && t.linksOn(r.Conn)+len(l.owners) > t.limits.BrokersPerConn {
		return RegisterResult{}, false
	}
	m := a.set.member(r.BrokerID)
	if t.links[linkKey{m, l}] == nil || !m.saidBy(r) {
		return RegisterResult{}, false
	}
	t.registered.unchanged.Add(1)
	l.hear(nowMillis)
	l.caughtUp(r.Seq, a.full)
	if l.conn != r.Conn || l.peer != r.Peer {
		t.bind(l, r.Conn)
		l.peer = r.Peer
		t.show(l)
		t.publish()
	}
	return t.resultFor(a.set, r), true
}

// KnownTopics returns what need not be decoded of the body of a registration
// that is to come, nil if that is nothing.
func (t *Table) KnownTopics(r *Registration) *codec.KnownTopics {
	if r.DeleteMissingTopics {
		return nil // dropMissing wants to see them all
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.live(BrokerKey{r.Cluster, r.BrokerAddr})
	if l == nil || !l.applied.sameTopics(t.set(r.BrokerName), r) {
		return nil
	}
	return l.applied.topics
}

// RegisterBroker applies a registration. It returns ErrSingleTopic, and has
// changed nothing, when the registration is refused, or ErrTopicsChanged when
// its body has to be decoded again. A registration with an outdated state
// version is refused too, but the broker is not told. A *LimitError says that
// it is more than may be kept: of a known broker it is a sign of life, and no
// more.
// Java: RouteInfoManager#registerBroker.
func (t *Table) RegisterBroker(nowMillis int64, r *Registration) (RegisterResult, error) {
	r.Changes = TopicChanges{}
	a := &applying{t: t, r: r, by: r.by(t, nowMillis), listed: r.listed()}
	others := r.mapsOthers()
	tooLong := t.lengths(r)
	a.by.lock()
	defer t.unlock()
	defer func() {
		if a.s != nil {
			t.release(a.s)
		}
	}()
	if ok, err := a.begin(nowMillis, tooLong); !ok {
		return RegisterResult{}, err
	}
	if a.s == nil {
		a.newName = true
		a.s = t.newSet(r.BrokerName, r.Cluster)
		t.take(a.s)
	}
	s := a.s
	var oldMin int64
	if s.members.size > 0 {
		oldMin = s.first().id
	}
	if a.l == nil {
		a.l = &liveBroker{key: r.key(), index: -1}
	}
	l := a.l
	first := a.addMember()
	t.keepAlive(nowMillis, l, r)
	t.refresh(s)
	if r.BrokerID < oldMin {
		t.emitNewMinimum(s, r)
		a.by.recordSet(s, JournalSetMinID, a.registered, 0)
	}
	var topics *codec.KnownTopics
	publishes := r.BrokerID == masterID || s.isPrimeSlave(r.BrokerID, r.OldVersion)
	if publishes && a.topics(a.changed, first) {
		topics = r.Body.Said
	}
	full := t.isFull(s, r.Body)
	if publishes {
		a.hear(full)
	}
	a.judge(full)
	a.end()
	a.recordTopics()
	if a.newer && !full && a.missed {
		l.patched = true
	}
	if a.short {
		l.miss(max(r.Seq, 1))
	} else {
		l.caughtUp(r.Seq, full)
	}
	l.applied = appliedRegistration{}
	if !a.disturbed && !a.short {
		l.applied = appliedRegistration{
			header:        r.RegistrationHeader,
			bodyHash:      r.BodyHash,
			full:          full,
			set:           s,
			setVersion:    s.published.version,
			topicsEdition: s.topicsEdition,
			topics:        topics,
		}
	}
	t.registered.applied.Add(1)
	if others {
		// What becomes of those mappings depends on sets that are not watched.
		l.applied.bodyHash = 0
	}
	return t.resultFor(s, r), nil
}

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

// mapsOthers reports whether the body has a static mapping of another broker
// name than its own. No real broker sends one.
func (r *Registration) mapsOthers() bool {
	return slices.ContainsFunc(r.Body.Mappings, func(m codec.RegisteredMapping) bool { return m.Info.Bname != r.BrokerName })
}

// isStale reports whether another address holds the ID with a newer state
// version: a master deposed by the controller must not take its place back.
//
// Differs from Java: RouteInfoManager#registerBroker has by then changed the
// set's flags, dropped the sender's former ID and its live entry.
func (t *Table) isStale(s *brokerSet, r *Registration) bool {
	m := s.member(r.BrokerID)
	if m == nil || m.addr == r.BrokerAddr {
		return false
	}
	l := t.live(BrokerKey{r.Cluster, m.addr})
	return l != nil && l.dataVersion.StateVersion > r.Body.DataVersion.StateVersion
}

// staleEvent is the event of a registration that isStale. Under mu.
func (t *Table) staleEvent(s *brokerSet, r *Registration) Event {
	e := r.event(RegistrationRefused)
	e.Refused, e.ByCluster, e.ByAddr = ErrStateVersion, r.Cluster, s.member(r.BrokerID).addr
	e.StateVersion = r.Body.DataVersion.StateVersion
	e.ByStateVersion = t.live(BrokerKey{r.Cluster, e.ByAddr}).dataVersion.StateVersion
	return e
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

// saidBy reports whether the flags of m are those of r. The member may have
// registered with others since, under another cluster.
func (m *member) saidBy(r *Registration) bool {
	return m.enableActingMaster == r.EnableActingMaster && m.zoneName == r.ZoneName && m.hasZoneName == r.HasZoneName
}

// keepAlive makes l the live entry of the broker of r.
func (t *Table) keepAlive(nowMillis int64, l *liveBroker, r *Registration) {
	if l.info == nil {
		l.lastUpdate.Store(nowMillis) // nothing is known of a time before
	} else {
		l.hear(nowMillis)
	}
	l.timeoutMillis = r.TimeoutMillis
	l.haServerAddr = r.HAServerAddr
	t.expire(l, l.deadlineMillis())
	t.bind(l, r.Conn)
	l.peer, l.oldVersion = r.Peer, r.OldVersion
	l.dataVersion, l.nullDataVersion = r.Body.DataVersion, r.Body.NullDataVersion
	t.show(l)
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

const maxKeptMarks = 1 << 16

// listed returns the keys of the body's table of topics if dropMissing is to
// see them, else nil.
func (r *Registration) listed() map[string]struct{} {
	if !r.DeleteMissingTopics || len(r.Body.Mappings) > 0 {
		return nil
	}
	listed := make(map[string]struct{}, len(r.Body.Topics))
	for i := range r.Body.Topics {
		listed[window(r.Body.Topics[i].Key)] = struct{}{} // the map does not outlive the body
	}
	return listed
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

func has(set map[string]struct{}, key string) bool {
	_, ok := set[key]
	return ok
}

// resultFor returns what the broker of r is told.
func (t *Table) resultFor(s *brokerSet, r *Registration) RegisterResult {
	if r.BrokerID == masterID {
		return RegisterResult{}
	}
	m := s.member(masterID)
	if m == nil {
		return RegisterResult{}
	}
	l := t.live(BrokerKey{r.Cluster, m.addr})
	if l == nil {
		return RegisterResult{}
	}
	return RegisterResult{HAServerAddr: l.haServerAddr, MasterAddr: m.addr}
}

// emitNewMinimum tells all but the new smallest member, or that one if it is
// alone.
// Java: RouteInfoManager#notifyMinBrokerIdChanged, chooseBrokerAddrsToNotify.
func (t *Table) emitNewMinimum(s *brokerSet, r *Registration) {
	first := s.members.first()
	but := first
	if s.members.size == 1 {
		but = nil
	}
	e := r.event(MinBrokerIDChanged)
	e.MinID = &MinBrokerIDChange{
		MinBrokerID:   first.ID,
		MinBrokerAddr: first.Addr,
		HABrokerAddr:  r.HAServerAddr,
		Receivers:     receivers(s.members, but),
	}
	t.emit(e)
}

func (r *Registration) event(kind EventKind) Event {
	return Event{Kind: kind, Cluster: r.Cluster, BrokerName: r.BrokerName, BrokerID: r.BrokerID, Addr: r.BrokerAddr}
}
