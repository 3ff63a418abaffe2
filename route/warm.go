package route

import (
	"maps"
	"slices"
	"sync/atomic"

	"gonamesrv/codec"
)

// What a Table was restored with (Restore) is shown like everything else, though
// nobody has said it to this process. Each live entry is in one of three states:
//
//	Restored   nothing was heard of it yet
//	Heard      it lives, but has not said all that it knows
//	Confirmed  it has; or it was not restored
//
// A registration with a whole table (isFull) confirms, and a query of the data
// version that finds it as restored: tables and data versions are of one View. Any
// other sign of life is one, and no more. What is not confirmed is less certain in
// three ways:
//
//   - A restored broker that stays silent leaves when its window ends, not at its
//     time-out: it could not be heard before. Restarts that follow each other give it
//     another window each, but not for ever (Options.MostSilentMillis).
//   - A registration that is not whole may hide others that came between the
//     Saved and this process. So it makes the data version one not to be trusted
//     until a whole one comes: else the broker would be told for ever that its
//     topics are known.
//   - A topic may be restored that the broker has deleted meanwhile. Each broker set
//     remembers which of its topics nobody has listed to this process (unheard). What
//     is left after two whole tables is dropped: two, because a broker may send its
//     table in parts, of which one is taken for the whole; between two of these
//     all others came.

// A LiveState is how much a live entry that was restored has said to this process.
type LiveState uint8

// The states. They come in this order, or skip one.
const (
	Restored  LiveState = iota + 1 // nothing was heard of it
	Heard                          // it lives
	Confirmed                      // it has said all that it knows, or was not restored
)

func (s LiveState) String() string {
	return [...]string{"", "restored", "heard", "confirmed"}[s]
}

// How long a restored broker that stays silent is waited for.
const (
	// minWindowMillis is for one that registers every 60 s, as slowly as brokers may,
	// and looks for lost name servers every 3 s.
	minWindowMillis = 75_000
	// actingWindowMillis comes on top of its time-out for a member of a set that
	// wants an acting master. Such brokers send signs of life every second; and while
	// a dead one is listed, one that starts waits for it before it goes online.
	actingWindowMillis = 5_000
)

// A restored is what a live entry has, besides, that was restored.
type restored struct {
	// stamp is what lastUpdate is until the first sign of life, and never again: so
	// that a heartbeat is one atomic store.
	stamp     int64
	since     atomic.Int64  // when its window began
	until     int64         // when it ends; under mu
	fate      atomic.Uint32 // an entryFate; the first one counts
	untrusted atomic.Bool   // topics of its data version may be missing
	// publishes is what its set has not listed, if what it says of the set counts.
	publishes *unheard
}

// An entryFate is what became of a live entry that was restored.
type entryFate = uint32

const (
	fateOpen entryFate = iota
	fateConfirmed
	fateGone // it has left before
)

// A warmth is what a Table has, besides, that was restored.
type warmth struct {
	lives  []*liveBroker // all that were restored; never changed
	unsaid []*unheard    // of all broker sets that were restored; never changed

	confirmed, gone atomic.Int64
	dropped         atomic.Int64 // rows
}

// An unheard is which of its restored topics a broker set has not listed to this
// process. Under mu, except the atomic fields.
type unheard struct {
	topics   idSet
	restored int          // how many there were
	whole    int          // whole tables since anything last went wrong
	of       *liveBroker  // whose tables,
	conn     uint64       // and over which connection
	left     atomic.Int64 // topics.size, for those who do not have mu
	void     atomic.Bool  // all of them are right
}

// State returns how much the broker has said to this process, now, not at the time
// of the View.
func (l *LiveInfo) State() LiveState { return l.live.state() }

func (l *liveBroker) state() LiveState {
	r := l.restored
	switch {
	case r == nil || r.fate.Load() == fateConfirmed:
		return Confirmed
	case l.isUnheard(l.lastUpdate.Load()):
		return Restored
	}
	return Heard
}

// isUnheard reports whether nothing has been heard of l since Restore, if last is
// when it was last heard of.
func (l *liveBroker) isUnheard(last int64) bool { return l.restored != nil && last == l.restored.stamp }

// await notes that nobody has said yet what was restored of s. Under mu.
func (t *Table) await(s *brokerSet) {
	u := &unheard{topics: idSet{maps.Clone(s.topics.words), s.topics.size}, restored: s.topics.size}
	u.left.Store(int64(u.restored))
	if u.restored == 0 {
		return
	}
	s.unheard = u
	t.warm.unsaid = append(t.warm.unsaid, u)
	for m := range s.members.all {
		for _, k := range m.of.lives {
			// Of a slave it counts if it has no master above it. An old one would
			// not, but it does not say so before it registers.
			if len(k.live.owners) == 1 && (m.ID == masterID || m == s.members.first() && m.EnableActingMaster) {
				k.live.restored.publishes = u
			}
		}
	}
}

// Serving says that from now on brokers can reach this process, so that those who
// were restored are waited for from now on, not from Restore on. Of a Table that
// was not restored it does nothing.
func (t *Table) Serving(nowMillis int64) {
	t.mu.Lock()
	defer t.unlock()
	if t.warm != nil {
		t.beginWindow(nowMillis)
	}
}

// beginWindow says from when on the brokers of which nothing was heard yet are
// waited for. Under mu.
func (t *Table) beginWindow(nowMillis int64) {
	for _, l := range t.warm.lives {
		if l.doomed { // it has left, or is about to
			continue
		}
		l.restored.since.Store(nowMillis)
		l.restored.until = deadlineMillis(nowMillis, l.windowMillis())
		t.expire(l, l.lookAgain(nowMillis))
	}
}

// windowMillis returns how long l is waited for. Under mu.
func (l *liveBroker) windowMillis() int64 {
	for _, k := range l.owners {
		for m := range k.set.members.all {
			if m.EnableActingMaster {
				return deadlineMillis(max(l.timeoutMillis, 0), actingWindowMillis)
			}
		}
	}
	return max(l.timeoutMillis, minWindowMillis)
}

// deadlineAfter returns when l expires if last is when it was last heard of. Under
// mu.
func (l *liveBroker) deadlineAfter(last int64) int64 {
	if l.isUnheard(last) {
		return l.restored.until
	}
	return deadlineMillis(last, l.timeoutMillis)
}

// lookAgain returns when to look whether l is silent: it may be heard of and then
// fall silent before its window ends. Under mu.
func (l *liveBroker) lookAgain(nowMillis int64) int64 {
	deadline := l.deadlineAfter(l.lastUpdate.Load())
	if l.restored != nil {
		deadline = min(deadline, deadlineMillis(nowMillis, l.timeoutMillis))
	}
	return deadline
}

// decide decides the fate of a live entry that was restored. The first decision
// counts. Lock-free.
func (t *Table) decide(l *liveBroker, fate entryFate) {
	r := l.restored
	if r == nil || !r.fate.CompareAndSwap(fateOpen, fate) {
		return
	}
	if fate == fateConfirmed {
		t.warm.confirmed.Add(1)
	} else {
		t.warm.gone.Add(1)
	}
}

// QueryDataVersion notes a sign of life of a broker that asks whether theirs is the
// data version it registered with, and returns whether it is not, or is not to be
// trusted. A broker that was restored, and asks for what was restored, has
// thereby said all that it knows. null says that it has sent none. ours is nil if the
// broker is not known. Lock-free.
// Java: RouteInfoManager#updateBrokerInfoUpdateTimestamp, isBrokerTopicConfigChanged.
func (t *Table) QueryDataVersion(nowMillis int64, cluster, addr []byte, theirs codec.DataVersion, null bool) (ours *LiveInfo, changed bool) {
	ours, ok := t.View().Live(cluster, addr)
	if !ok {
		return nil, true
	}
	l := ours.live
	l.hear(nowMillis)
	if null || ours.IsBrokerTopicConfigChanged(theirs) {
		return ours, true
	}
	if r := l.restored; r != nil && r.fate.Load() == fateOpen {
		if r.publishes != nil {
			r.publishes.void.Store(true)
		}
		t.decide(l, fateConfirmed)
	}
	return ours, false
}

// unsaid returns what of s nobody has listed to this process, nil if there is
// nothing. Under mu.
func (s *brokerSet) unsaid() *unheard {
	if u := s.unheard; u != nil && u.void.Load() {
		s.hearAll()
	}
	return s.unheard
}

// hearAll forgets that there is anything that nobody has listed. Under mu.
func (s *brokerSet) hearAll() {
	u := s.unheard
	if u == nil {
		return
	}
	u.left.Store(0)
	u.countFor(nil)
	s.unheard = nil
}

// heard takes note that somebody has listed the topic with the given number for s,
// or that s does not serve it any more. Under mu.
func (s *brokerSet) heard(id uint32) {
	u := s.unheard
	if u == nil || !u.topics.has(id) {
		return
	}
	u.topics.remove(id)
	u.left.Add(-1)
	if u.topics.size == 0 {
		s.hearAll()
	}
}

// countFor begins to count whole tables anew, with those of l, which may be nil.
// Under mu.
func (u *unheard) countFor(l *liveBroker) {
	if u.of != nil && u.of != l {
		u.of.setIncomplete(u, false)
	}
	u.of, u.whole = l, 0
}

// setIncomplete says whether u waits for a second whole table of l. Under mu.
func (l *liveBroker) setIncomplete(u *unheard, is bool) {
	var others []*unheard
	if old := l.incomplete.Load(); old != nil {
		others = slices.DeleteFunc(slices.Clone(*old), func(o *unheard) bool { return o == u })
	}
	if is {
		others = append(others, u)
	}
	if len(others) == 0 {
		l.incomplete.Store(nil)
		return
	}
	l.incomplete.Store(&others)
}

func (l *liveBroker) isIncomplete() bool {
	all := l.incomplete.Load()
	return all != nil && slices.ContainsFunc(*all, func(u *unheard) bool { return !u.void.Load() })
}

// hear takes note of a registration that was applied and said what s serves. full
// says that it was a whole table. After two of these it drops what none of them, and
// nothing in between, has listed. Under mu, in the caller's turn; mu is let go
// between steps.
func (a *applying) hear(full bool) {
	s, l := a.s, a.l
	u := s.unsaid()
	if u == nil {
		return
	}
	switch {
	case a.short:
		u.whole = 0
		return
	case !full:
		return
	case u.of != l || u.conn != a.r.Conn || a.missed:
		u.countFor(l)
		u.conn = a.r.Conn
	}
	if u.whole++; u.whole < 2 {
		l.setIncomplete(u, true)
		return
	}
	n := a.dropUnheard(u)
	s.hearAll()
	if n > 0 {
		e := a.r.event(RestoredTopicsDropped)
		e.Topics, e.Kept = n, s.topics.size
		a.t.emit(e)
	}
}

// dropUnheard takes s from the topics of u, and returns from how many.
func (a *applying) dropUnheard(u *unheard) (n int) {
	t := a.t
	for id := range u.topics.all {
		t.work++
		if e := t.topicByID.get(id); e != nil && u.topics.has(id) { // else it was deleted, or listed, since
			t.dropQueue(e, a.s)
			t.warm.dropped.Add(1)
			a.r.Changes.removed(e.name)
			n++
		}
		a.pause()
	}
	return n
}

// judge decides what a registration that was applied says about a live entry that
// was restored. Under mu, before its data version is published.
func (a *applying) judge(full bool) {
	r := a.l.restored
	switch {
	case r == nil:
	case full && !a.short:
		r.untrusted.Store(false)
		a.t.decide(a.l, fateConfirmed)
	case a.newer && r.fate.Load() != fateConfirmed:
		r.untrusted.Store(true)
		a.l.patched = true
	}
}

// A Warmth is how far what was restored has been confirmed. All numbers are 0 for a
// Table that was not restored.
type Warmth struct {
	Known int // live entries that were restored

	// Of these. Confirmed ones may have left since, Gone ones have left before.
	Restored, Heard, Confirmed, Gone int

	Unheard int   // restored rows of topics that nobody has listed to this process
	Dropped int64 // of those, that were dropped
}

// Coverage returns the part of what was restored that is confirmed: 1 if nothing was.
func (w *Warmth) Coverage() float64 {
	if w.Known == 0 {
		return 1
	}
	return float64(w.Confirmed) / float64(w.Known)
}

// IsWarmingUp reports whether a broker that was restored is neither confirmed nor
// gone: it may have topics that nobody has been told of. It takes no lock, and costs
// the same however many brokers there are.
func (t *Table) IsWarmingUp() bool {
	c := t.warm
	return c != nil && int(c.confirmed.Load()+c.gone.Load()) < len(c.lives)
}

// Warmth returns the counters. It takes no lock. It looks at each live entry that
// was restored, as long as one of them is neither confirmed nor gone, and at each
// broker set. Safe from any goroutine.
func (t *Table) Warmth() (w Warmth) {
	c := t.warm
	if c == nil {
		return w
	}
	w.Known = len(c.lives)
	w.Confirmed, w.Gone = int(c.confirmed.Load()), int(c.gone.Load())
	if w.Confirmed+w.Gone < w.Known {
		for _, l := range c.lives {
			if l.restored.fate.Load() != fateOpen {
				continue
			}
			if l.state() == Restored {
				w.Restored++
			} else {
				w.Heard++
			}
		}
	}
	for _, u := range c.unsaid {
		if !u.void.Load() {
			w.Unheard += int(u.left.Load())
		}
	}
	w.Dropped = c.dropped.Load()
	return w
}
