package route

import (
	"container/heap"
	"errors"
	"hash/maphash"
	"slices"

	"gonamesrv/codec"
)

// ErrSingleTopic refuses the first registration of a broker when it carries
// exactly one topic: it is an incremental one that has overtaken the full one,
// and would make the name server believe that it knows all topics.
// Java: RouteInfoManager#registerBroker, "Can't register topicConfigWrapper".
var ErrSingleTopic = errors.New("route: first registration carries a single topic")

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
	// Seq counts registrations as they arrive, before they wait for their turn: of
	// two of one broker the later has the higher number. See RegistrationMissed.
	Seq uint64
	// BodyHash identifies the encoded body, so that the same body again need not
	// be decoded; 0 says that the same bytes may mean something else next time.
	BodyHash uint64
	Body     *codec.RegisterBrokerBody // borrowed
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
		a.set.published.version != a.setVersion || a.set.topicsEdition != a.topicsEdition ||
		!a.set.member(r.BrokerID).saidBy(r) ||
		l.conn != r.Conn && t.connBrokers(r.Conn)+len(l.owners) > t.limits.BrokersPerConn {
		return RegisterResult{}, false
	}
	l.lastUpdate.Store(nowMillis)
	l.caughtUp(r.Seq, a.full)
	t.bind(l, r.Conn)
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
	tooLong := t.lengths(r)
	t.mu.Lock()
	defer t.unlock()
	s := t.set(r.BrokerName)
	l := t.live(BrokerKey{r.Cluster, r.BrokerAddr})
	if tooLong != nil {
		return RegisterResult{}, t.refuse(nowMillis, s, l, r, tooLong)
	}
	if base := r.Body.Base; base != nil && (l == nil || l.applied.topics != base || !l.applied.sameTopics(s, r)) {
		return RegisterResult{}, ErrTopicsChanged
	}
	if s != nil && t.isStale(s, r) {
		t.emit(r.event(RegistrationRefused))
		return RegisterResult{}, nil
	}
	if (s == nil || s.member(r.BrokerID) == nil) && r.Body.TopicCount() == 1 {
		t.emit(r.event(RegistrationRefused))
		return RegisterResult{}, ErrSingleTopic
	}
	newer := l == nil || r.Body.NullDataVersion || l.info.differs(r.Body.DataVersion)
	changed := newer || l.patched
	if full := t.room(s, l, r, changed); full != nil {
		return RegisterResult{}, t.refuse(nowMillis, s, l, r, full)
	}
	if s == nil {
		s = t.newSet(r.BrokerName, r.Cluster)
	}
	var oldMin int64
	if len(s.members) > 0 {
		oldMin = s.members[0].id
	}

	if l == nil {
		l = &liveBroker{key: BrokerKey{r.Cluster, r.BrokerAddr}, index: -1}
	}
	first := t.admit(s, l, r)
	t.keepAlive(nowMillis, l, r)
	t.putFilterServers(l.key, r.Body.FilterServers, r.Body.FilterServersNull)
	for _, o := range l.owners {
		t.refresh(o.set)
	}
	var topics *codec.KnownTopics
	if (r.BrokerID == masterID || s.isPrimeSlave(r.BrokerID, r.OldVersion)) && t.applyTopics(s, r, changed, first) {
		topics = r.Body.Said
	}
	if r.BrokerID < oldMin {
		t.emitNewMinimum(s, r)
	}
	full := t.isFull(s, r.Body)
	if newer && !full && l.missed.Load() != 0 {
		l.patched = true
	}
	l.caughtUp(r.Seq, full)
	l.applied = appliedRegistration{
		full:          full,
		header:        r.RegistrationHeader,
		bodyHash:      r.BodyHash,
		set:           s,
		setVersion:    s.published.version,
		topicsEdition: s.topicsEdition,
		topics:        topics,
	}
	if r.mapsOthers() {
		// What becomes of those mappings depends on sets that are not watched.
		l.applied.bodyHash = 0
	}
	return t.resultFor(s, r), nil
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
	return l != nil && l.info.DataVersion.StateVersion > r.Body.DataVersion.StateVersion
}

// admit makes the broker of r a member of s, kept by l, and reports whether
// its ID was free. An address has one ID in a set: a slave that became master
// gives its old ID up.
func (t *Table) admit(s *brokerSet, l *liveBroker, r *Registration) (first bool) {
	m := s.member(r.BrokerID)
	first = m == nil
	if p := s.published; p != nil && !slices.Contains(p.Clusters, r.Cluster) {
		t.emit(Event{
			Kind: BrokerNameShared, Cluster: s.cluster, BrokerName: s.name, BrokerID: p.Members[0].ID, Addr: p.Members[0].Addr,
			ByCluster: r.Cluster, ByAddr: r.BrokerAddr,
		})
	}
	if m != nil && m.addr != r.BrokerAddr {
		t.emit(Event{
			Kind: BrokerDisplaced, Cluster: m.lives[0].key.Cluster, BrokerName: s.name, BrokerID: m.id, Addr: m.addr,
			ByCluster: r.Cluster, ByAddr: r.BrokerAddr,
		})
		t.leave(s, m)
		m = nil
	}
	if m == nil {
		m = &member{id: r.BrokerID, addr: r.BrokerAddr}
		s.join(m)
		t.emit(r.event(BrokerRegistered))
	}
	m.enableActingMaster = r.EnableActingMaster
	m.zoneName, m.hasZoneName = r.ZoneName, r.HasZoneName
	t.link(s, m, l)
	for _, o := range slices.Clone(s.members) {
		if o != m && o.addr == r.BrokerAddr {
			t.leave(s, o)
		}
	}
	return first
}

// saidBy reports whether the flags of m are those of r. The member may have
// registered with others since, under another cluster.
func (m *member) saidBy(r *Registration) bool {
	return m.enableActingMaster == r.EnableActingMaster && m.zoneName == r.ZoneName && m.hasZoneName == r.HasZoneName
}

// keepAlive makes l the live entry of the broker of r.
func (t *Table) keepAlive(nowMillis int64, l *liveBroker, r *Registration) {
	l.lastUpdate.Store(nowMillis)
	l.timeoutMillis = r.TimeoutMillis
	l.haServerAddr = r.HAServerAddr
	l.deadline = l.deadlineMillis()
	if l.index < 0 {
		heap.Push(&t.expiry, l)
		t.clustersOf[l.key.Addr]++
	} else {
		heap.Fix(&t.expiry, l.index)
	}
	t.bind(l, r.Conn)
	b := r.Body
	if l.info != nil && l.info.NullDataVersion == b.NullDataVersion && l.info.DataVersion == b.DataVersion {
		return
	}
	l.info = &LiveInfo{
		DataVersion:     b.DataVersion,
		NullDataVersion: b.NullDataVersion,
		key:             string(liveKey(nil, r.Cluster, r.BrokerAddr)),
		live:            l,
	}
	t.brokerLiveTable.put(t.edition, l.info)
}

// applyTopics stores what the body says of topics. With an unchanged data
// version, what is there stays as it is (a wiped permission survives), and
// only what is missing is added. It reports whether all its topics are now
// stored as it says.
// Java: RouteInfoManager#registerBroker, createAndUpdateQueueData.
func (t *Table) applyTopics(s *brokerSet, r *Registration, changed, first bool) (exact bool) {
	b := r.Body
	exact = true
	t.seen.reset(len(t.topicByID) + len(b.Topics))
	if r.DeleteMissingTopics && len(b.Mappings) == 0 {
		if n := t.dropMissing(s, b.Topics); n > 0 {
			e := r.event(TopicsDropped)
			e.Topics, e.Kept = n, s.topics.size
			t.emit(e)
		}
	}
	readOnly := r.BrokerID != masterID && r.EnableActingMaster
	for i := range b.Topics {
		tc := &b.Topics[i]
		q := newQueueData(s.id, tc)
		if readOnly {
			q.perm &^= permWrite
		}
		e, ok := t.topicQueueTable.get(window(tc.Name))
		if !ok {
			t.seen.add(t.putQueue(nil, string(tc.Name), s, q).id)
			continue
		}
		if t.seen.add(e.id) {
			exact = false // the last of its twins counts
		}
		old, ok := e.queue(s.id)
		switch {
		case ok && old == q:
		case ok && !first && !changed:
			exact = false
		default:
			t.putQueue(e, "", s, q)
		}
	}
	for i := range b.Mappings {
		t.putMapping(b.Mappings[i].Key, b.Mappings[i].Info, changed || first)
	}
	return exact
}

// dropMissing takes s from every topic that the table of its registration does
// not list by key, and returns from how many.
func (t *Table) dropMissing(s *brokerSet, topics []codec.TopicConfig) (n int) {
	listed := make(map[string]struct{}, len(topics))
	for i := range topics {
		listed[window(topics[i].Key)] = struct{}{} // the map does not outlive the body
	}
	for id := range s.topics.all {
		if e := t.topicByID[id]; !has(listed, e.name) {
			t.dropQueue(e, s)
			n++
		}
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
	c := &MinBrokerIDChange{
		MinBrokerID:   s.members[0].id,
		MinBrokerAddr: s.members[0].addr,
		HABrokerAddr:  r.HAServerAddr,
	}
	for i, m := range s.members {
		if i > 0 || len(s.members) == 1 {
			c.Receivers = append(c.Receivers, m.addr)
		}
	}
	e := r.event(MinBrokerIDChanged)
	e.MinID = c
	t.emit(e)
}

func (r *Registration) event(kind EventKind) Event {
	return Event{Kind: kind, Cluster: r.Cluster, BrokerName: r.BrokerName, BrokerID: r.BrokerID, Addr: r.BrokerAddr}
}
