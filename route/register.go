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
	// the Journal, and for who asks of the broker.
	WallMillis int64
	Origin     Origin
	// Peer is the address at the other end of it; the zero Addr is not known.
	Peer netip.Addr
	// Version is what the broker says its version is. Java: MQVersion.
	Version int32
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
// right need not do so again. The time that brokers since 5.0 write into each body,
// and that nobody reads, makes no difference (codec.TimelessBody). The hash is keyed
// with a random number of this process, 64 bits wide, and compared only with the
// previous body of the same broker: that two bodies share it by chance is a matter
// of 1 in 10^19 changes.
func HashBody(body []byte, version int32, compressed bool, checksum int32) uint64 {
	b := codec.Timeless(body, checksum)
	var h maphash.Hash
	h.SetSeed(bodySeed)
	// The version and the flag decide how the bytes are read.
	maphash.WriteComparable(&h, version)
	maphash.WriteComparable(&h, compressed)
	maphash.WriteComparable(&h, b.Checksum)
	maphash.WriteComparable(&h, b.Digits)
	h.Write(b.Before)
	h.Write(b.After)
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
	l.registrations.Add(1)
	l.hear(nowMillis)
	l.caughtUp(r.Seq, a.full)
	if l.conn != r.Conn || l.peer != r.Peer || l.remote != r.Origin.Remote {
		t.bind(l, r.Conn)
		l.peer, l.remote = r.Peer, r.Origin.Remote
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
		a.l = &liveBroker{key: r.key(), index: -1, sinceMillis: r.WallMillis}
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
	a.recordTopics(full)
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
	l.peer, l.remote, l.version, l.oldVersion = r.Peer, r.Origin.Remote, r.Version, r.OldVersion
	l.registrations.Add(1)
	l.dataVersion, l.nullDataVersion = r.Body.DataVersion, r.Body.NullDataVersion
	t.show(l)
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
