package route

import (
	"container/heap"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"sync/atomic"

	"gonamesrv/codec"
)

// DefaultHeartbeatTimeoutMillis is how long a broker may be silent when its
// registration does not say. Java: RouteInfoManager.DEFAULT_BROKER_CHANNEL_EXPIRED_TIME.
const DefaultHeartbeatTimeoutMillis = 120_000

// A BrokerKey identifies one live broker. Java: BrokerAddrInfo.
type BrokerKey struct {
	Cluster string
	Addr    string
}

// A LiveInfo is one row of brokerLiveTable as readers see it. Once it is
// published only what its methods tell of changes, without the lock and in every
// View at once: the time of last contact, whether it is suspect, and whether its
// data version is trusted.
// Java: BrokerLiveInfo.
type LiveInfo struct {
	DataVersion codec.DataVersion
	// NullDataVersion says that the broker registered "dataVersion":null, which
	// equals nothing, or that a registration of it is applied in part.
	NullDataVersion bool
	TimeoutMillis   int64  // how long it may be silent
	HAServerAddr    string // empty when it gave none
	// Conn is the connection of its last registration, 0 when there is none any
	// more. Of one that is about to leave it is that of before.
	Conn uint64
	// Peer is where its last registration came from; the zero Addr is not known.
	Peer netip.Addr
	// Remote is Peer with its port, or whom that spoke for; not valid if it is not known,
	// as of a broker that was restored and has not registered since. Version is what it
	// said its version is, see codec.VersionName, of one that has registered.
	Remote  netip.AddrPort
	Version int32
	// OldVersion says that its last registration was that of a broker before 5.0.
	OldVersion bool
	// SinceMillis is when it registered first, without a break since, by the wall clock;
	// 0 if it was restored: the time before the start is not known.
	SinceMillis int64

	key  string // liveKey
	live *liveBroker
}

// Key returns which broker it is.
func (l *LiveInfo) Key() BrokerKey { return l.live.key }

// LastUpdateMillis returns when the broker was last heard of, now, not at the
// time of the View: in milliseconds of the clock that the Table is told.
func (l *LiveInfo) LastUpdateMillis() int64 { return l.live.lastUpdate.Load() }

// Registrations returns how many of its registrations were applied, now: those that
// said nothing new too. Of a broker that was restored those since the start.
func (l *LiveInfo) Registrations() uint64 { return l.live.registrations.Load() }

// Trusted reports whether the topics of its data version are all known. They may
// not be after a registration that was turned away, nor after one that was not whole
// of a broker that was restored; QUERY_DATA_VERSION then says that it has changed.
func (l *LiveInfo) Trusted() bool {
	return l.live.missed.Load() == 0 && (l.live.restored == nil || !l.live.restored.untrusted.Load())
}

// isInDoubt reports whether what is shown may be more, or less, than the topics of
// its data version.
func (l *LiveInfo) isInDoubt() bool { return !l.Trusted() || l.live.isIncomplete() }

func (l *LiveInfo) trieKey() string { return l.key }

// A liveBroker is the writer's side of a LiveInfo. Under mu, except the atomic
// fields, and key, which never changes.
type liveBroker struct {
	key           BrokerKey
	lastUpdate    atomic.Int64 // milliseconds; heartbeats set it without the lock, by hear
	interval      atomic.Int64 // between its signs of life, milliseconds; 0 until there were two
	suspected     atomic.Int64 // suspicion of a lastUpdate; it is void with another
	registrations atomic.Uint64
	timeoutMillis int64
	sinceMillis   int64 // of its first registration, by the wall clock; never changed

	// missed is the number (Registration.Seq) of the newest registration that was
	// turned away and that no full one has followed, 0 if there is none: the data
	// version is not to be trusted then, for topics may be missing.
	missed atomic.Uint64
	// patched says that since missed was last 0 a registration that was not full
	// has changed the data version: topics may be missing although it is right.
	patched bool

	restored   *restored                  // nil if it was not; never changed
	incomplete atomic.Pointer[[]*unheard] // what sets show that it did not list: it is to say everything again. More than one where names share its address

	conn         uint64     // connection of the last registration
	peer         netip.Addr // and where it came from
	remote       netip.AddrPort
	version      int32 // of the last registration, as is oldVersion
	oldVersion   bool
	haServerAddr string
	info         *LiveInfo
	owners       []*link // members it keeps; never empty: a live entry goes with its last one
	applied      appliedRegistration
	doomed       bool // it is about to leave, whatever it does; it has no connection and cannot expire

	dataVersion     codec.DataVersion // of the last registration
	nullDataVersion bool
	applying        int // registrations that are between two steps

	deadline    int64 // when to look again; never later than lastUpdate + timeoutMillis was when it was set
	overdue     bool  // it was found due to leave, and is in Table.overdue
	index       int   // there, or else in the expiry queue; -1 when it is in neither
	indexOfConn int   // in Table.byConn
}

// liveKey joins cluster and address so that no two pairs give the same key.
func liveKey[S string | []byte](dst []byte, cluster, addr S) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(cluster)))
	dst = append(dst, cluster...)
	return append(dst, addr...)
}

// live returns the writer's side of a live broker, nil when it is unknown.
func (t *Table) live(k BrokerKey) *liveBroker {
	var buf [128]byte
	if li, ok := t.brokerLiveTable.get(window(liveKey(buf[:0], k.Cluster, k.Addr))); ok {
		return li.live
	}
	return nil
}

// isFull reports whether b, which was applied to s, is the whole table of a
// broker. That lists the broker's own name as a topic, if there is such a broker:
// each of 4.3 to 5.5 creates this topic at its start. One who has none lists all
// that the name serves, and more than one; or half of what was restored of it.
func (t *Table) isFull(s *brokerSet, b *codec.RegisterBrokerBody) bool {
	if e, ok := t.topicQueueTable.get(s.name); ok {
		if e.has(s) {
			return b.Lists(s.name)
		}
	}
	if u := s.unsaid(); u != nil && b.TopicCount() > 1 && b.TopicCount() >= u.restored-u.restored/2 {
		return true // those of the others that were deleted meanwhile cannot be told from those to come
	}
	return b.TopicCount() > 1 && b.TopicCount() >= s.topics.size
}

// deadlineMillis returns when l expires if nothing more is heard of it.
func (l *liveBroker) deadlineMillis() int64 {
	return l.deadlineAfter(l.lastUpdate.Load())
}

func deadlineMillis(last, timeout int64) int64 {
	if timeout > 0 && last > math.MaxInt64-timeout {
		return math.MaxInt64
	}
	return last + timeout
}

// isChanged reports whether a registration with body b may say something of
// topics that the one before has not. Under mu.
func (l *liveBroker) isChanged(b *codec.RegisterBrokerBody) bool {
	return b.NullDataVersion || l.nullDataVersion || !l.dataVersion.Equal(b.DataVersion)
}

// show makes the published side of l follow the writer's. It says that there is
// no data version to rely on while registrations are being applied. Under mu.
func (t *Table) show(l *liveBroker) {
	null := l.nullDataVersion || l.applying > 0
	now := LiveInfo{
		DataVersion: l.dataVersion, NullDataVersion: null, TimeoutMillis: l.timeoutMillis, HAServerAddr: l.haServerAddr, Conn: l.conn,
		Peer: l.peer, Remote: l.remote, Version: l.version, OldVersion: l.oldVersion, SinceMillis: l.sinceMillis, live: l,
	}
	if l.info != nil && l.info.says(&now) {
		return
	}
	info := new(LiveInfo)
	*info = now
	if l.info != nil {
		info.key = l.info.key
	} else {
		info.key = string(liveKey(nil, l.key.Cluster, l.key.Addr))
		t.clustersOf[l.key.Addr]++
	}
	l.info = info
	t.brokerLiveTable.put(t.edition, info)
}

// bind makes conn the connection whose loss removes l. Connection 0 is none.
func (t *Table) bind(l *liveBroker, conn uint64) {
	if l.conn == conn {
		return
	}
	t.unbind(l)
	l.conn = conn
	if conn != 0 {
		l.indexOfConn = len(t.byConn[conn])
		if l.indexOfConn == 0 {
			t.conns.Store(conn, struct{}{})
		}
		t.byConn[conn] = append(t.byConn[conn], l)
		t.connLinks[conn] += len(l.owners)
	}
}

func (t *Table) unbind(l *liveBroker) {
	if l.conn == 0 {
		return
	}
	lives := t.byConn[l.conn]
	last := len(lives) - 1
	lives[l.indexOfConn] = lives[last]
	lives[l.indexOfConn].indexOfConn = l.indexOfConn
	lives[last] = nil
	if last == 0 {
		delete(t.byConn, l.conn)
		delete(t.connLinks, l.conn)
		t.conns.Delete(l.conn)
	} else {
		t.byConn[l.conn] = lives[:last]
		t.connLinks[l.conn] -= len(l.owners)
	}
	l.conn = 0
}

// linksOn returns how many owners the live entries of a connection have. Under mu.
func (t *Table) linksOn(conn uint64) int { return t.connLinks[conn] }

// doom decides that l leaves: nothing can save it any more. A registration of the
// same broker, or of another one of its name, waits until it has left. Under mu.
func (t *Table) doom(l *liveBroker) {
	l.doomed = true
	t.unbind(l)
	t.unexpire(l)
	for _, k := range l.owners {
		k.set.doomed++
	}
	t.work += 4 + len(l.owners)/16
}

// dropLive removes a live entry that keeps no member any more.
func (t *Table) dropLive(l *liveBroker) {
	if l.doomed {
		t.turns.Broadcast()
	} else {
		t.doom(l)
	}
	t.decide(l, fateGone)
	t.brokerLiveTable.remove(t.edition, l.info.key)
	if t.clustersOf[l.key.Addr]--; t.clustersOf[l.key.Addr] == 0 {
		delete(t.clustersOf, l.key.Addr)
	}
}

// expire sets when to look whether l is silent. Under mu.
func (t *Table) expire(l *liveBroker, deadline int64) {
	l.deadline = deadline
	if l.overdue {
		t.unexpire(l)
	}
	if l.index < 0 {
		heap.Push(&t.expiry, l)
	} else {
		heap.Fix(&t.expiry, l.index)
	}
}

// Heartbeat notes a sign of life of a broker, and reports whether the broker
// is known. Lock-free.
// Java: RouteInfoManager#updateBrokerInfoUpdateTimestamp.
func (t *Table) Heartbeat(nowMillis int64, cluster, addr []byte) bool {
	li, ok := t.View().Live(cluster, addr)
	if ok {
		li.live.hear(nowMillis)
	}
	return ok
}

// RegistrationMissed notes that a registration, the seq-th to arrive, was turned
// away without a look at what it says: a sign of life of its sender, if that is
// known, whose data version is not trusted until a full registration that arrived
// later is applied. Lock-free.
//
// Differs from Java, where a broker whose registrations are refused expires, and
// where one that has registered a topic in vain, and then another one, is told
// for ever that its data version is known.
func (t *Table) RegistrationMissed(nowMillis int64, cluster, addr []byte, seq uint64) {
	li, ok := t.View().Live(cluster, addr)
	if !ok {
		return
	}
	li.live.hear(nowMillis)
	li.live.miss(seq)
}

// miss notes that what the seq-th registration said is not, or not all, known.
func (l *liveBroker) miss(seq uint64) {
	for old := l.missed.Load(); old < seq && !l.missed.CompareAndSwap(old, seq); {
		old = l.missed.Load()
	}
}

// caughtUp takes note that a registration was applied, the seq-th to arrive. A full
// one makes up for all that were turned away before it; one that has waited while
// a later one was turned away makes up for nothing.
func (l *liveBroker) caughtUp(seq uint64, full bool) {
	missed := l.missed.Load()
	if full && missed < seq && l.missed.CompareAndSwap(missed, 0) {
		l.patched = false
	}
}

// Live returns the live entry of a broker. cluster and addr are borrowed.
func (v *View) Live(cluster, addr []byte) (*LiveInfo, bool) {
	var buf [128]byte
	return v.live.get(window(liveKey(buf[:0], cluster, addr)))
}

// NamesByConn returns, for each connection over which live brokers have registered
// last, the names that they registered there, in ascending order, each once.
func (v *View) NamesByConn() map[uint64][]string {
	names := map[uint64][]string{}
	for k := range v.brokers.links.all {
		if l, ok := v.live.get(string(liveKey(nil, k.live.key.Cluster, k.live.key.Addr))); ok && l.Conn != 0 {
			names[l.Conn] = append(names[l.Conn], k.set.name)
		}
	}
	for conn, all := range names {
		slices.Sort(all)
		names[conn] = slices.Compact(all)
	}
	return names
}

// Live returns how many brokers are alive.
func (v *View) LiveCount() int { return v.live.size }

// IsBrokerTopicConfigChanged reports whether dv differs from the data version
// the broker registered with, or that is not trusted, or whose topics may be fewer
// than are shown of it. A broker without live entry counts as changed.
// Java: RouteInfoManager#isBrokerTopicConfigChanged.
func (l *LiveInfo) IsBrokerTopicConfigChanged(dv codec.DataVersion) bool {
	return l.differs(dv) || l.isInDoubt()
}

// differs is that without the question of trust.
func (l *LiveInfo) differs(dv codec.DataVersion) bool {
	return l == nil || l.NullDataVersion || !l.DataVersion.Equal(dv)
}

// An expiryQueue orders live brokers by when to look at them again. A
// heartbeat does not touch it: an entry that comes up too early is put back.
type expiryQueue []*liveBroker

func (q expiryQueue) Len() int           { return len(q) }
func (q expiryQueue) Less(i, j int) bool { return q[i].deadline < q[j].deadline }
func (q expiryQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *expiryQueue) remove(l *liveBroker) { heap.Remove(q, l.index) }

func (q *expiryQueue) Push(x any) {
	l := x.(*liveBroker)
	l.index = len(*q)
	*q = append(*q, l)
}

func (q *expiryQueue) Pop() any {
	old := *q
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return l
}
