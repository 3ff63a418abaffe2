package route

import (
	"slices"
	"strings"
)

// What a Table writes into its Journal. All of it under mu, in the middle of the change
// that it tells of.

// Journal returns what happened. It is that of Options, if there is one.
func (t *Table) Journal() *Journal { return t.journal }

// History returns how it was before.
func (t *Table) History() *History { return t.history }

// record adds an event to the Journal, which readers see once the change is published.
// Under mu.
func (t *Table) record(e JournalEvent) (seq uint64) {
	if t.mute {
		return 0
	}
	t.recorded = true
	return t.journal.add(&e, true)
}

// A Changer is a Table whose changes somebody has asked for: the Journal says whose they
// are, and when they were. What a Table changes without one is told of as by nobody.
type Changer struct {
	t  *Table
	at Moment
	by Origin
}

// By returns the Table as the one that o asks for changes, at a time.
func (t *Table) By(at Moment, o Origin) Changer { return Changer{t, at, o} }

// lock takes mu, and the time. Every change that ends with unlock begins with it.
func (c *Changer) lock() {
	c.t.mu.Lock()
	c.t.setNow(c.at.NowMillis)
}

// setNow notes what time it is. Under mu.
func (t *Table) setNow(millis int64) { t.now = max(t.now, millis) }

// event returns an event of the change.
func (c *Changer) event(kind JournalType, cause CauseKind) JournalEvent {
	return JournalEvent{AtMillis: c.at.WallMillis, Type: kind, Cause: Cause{Kind: cause}, Origin: c.by}
}

// of returns an event of a broker set.
func (c *Changer) of(s *brokerSet, kind JournalType, cause CauseKind) JournalEvent {
	e := c.event(kind, cause)
	e.Cluster, e.Broker = s.cluster, s.name
	return e
}

// by returns who asks for the registration.
func (r *Registration) by(t *Table, nowMillis int64) Changer {
	return Changer{t, Moment{nowMillis, r.WallMillis}, r.Origin}
}

// journalDepartures are the types of those who leave.
var journalDepartures = map[EventKind]struct {
	kind  JournalType
	cause CauseKind
}{
	BrokerUnregistered: {JournalBrokerUnregistered, CauseUnregister},
	BrokerConnLost:     {JournalBrokerConnectionLost, CauseClose},
	BrokerExpired:      {JournalBrokerExpired, CauseSilence},
}

// recordDeparture tells that k is taken away. Under mu.
func (c *Changer) recordDeparture(k *link, kind EventKind) (seq uint64) {
	of := journalDepartures[kind]
	e := c.of(k.set, of.kind, of.cause)
	e.Cluster, e.BrokerID, e.Addr = k.live.key.Cluster, k.member.id, k.member.addr
	if of.cause == CauseSilence {
		l := k.live
		last := l.lastUpdate.Load()
		e.Cause.SilentMillis, e.Cause.TimeoutMillis = c.at.NowMillis-last, l.timeoutMillis
		if l.isUnheard(last) {
			e.Details = &EventDetails{Reason: "not heard of since the start"}
		}
	}
	return c.t.record(e)
}

// recordSetRemoved tells that s is gone, with its topics. Under mu.
func (c *Changer) recordSetRemoved(s *brokerSet, parent uint64) (seq uint64) {
	e := c.of(s, JournalSetRemoved, CauseParent)
	e.Parent, e.Topics.Removed = parent, int32(s.topics.size)
	var names []string
	for id := range s.topics.all {
		if len(names) == maxSample {
			break
		}
		if e := c.t.topicByID.get(id); e != nil {
			names = append(names, e.name)
		}
	}
	if len(names) > 0 {
		e.Details = &EventDetails{Sample: cloneNames(names)}
	}
	return c.t.record(e)
}

// recordSet tells of what has become of a set that has members. Under mu.
func (c *Changer) recordSet(s *brokerSet, kind JournalType, parent uint64, changed int) {
	e := c.of(s, kind, CauseParent)
	first := s.first()
	e.BrokerID, e.Addr = first.id, first.addr
	e.Parent, e.Topics.Changed = parent, int32(changed)
	c.t.record(e)
}

// recordTopic tells what has become of one topic, at the given broker names. counts is
// what to say of so many of them. Under mu.
func (c *Changer) recordTopic(kind JournalType, topic string, brokers []string, counts func(n int32) TopicCounts) {
	slices.Sort(brokers)
	parent := uint64(0)
	for names := range slices.Chunk(brokers, maxEventBrokers) {
		e := c.event(kind, CauseAdmin)
		e.Parent, e.Topics = parent, counts(int32(len(names)))
		e.Details = &EventDetails{Topic: strings.Clone(cut(topic)), Brokers: slices.Clone(names)}
		if seq := c.t.record(e); parent == 0 {
			parent = seq
		}
	}
}

// recordPerm tells that an operator has changed the permission of topics of s. Under mu.
func (c *Changer) recordPerm(s *brokerSet, kind JournalType, changed int) {
	e := c.of(s, kind, CauseAdmin)
	e.Topics.Changed = int32(changed)
	c.t.record(e)
}

// recordRefused tells that a registration has changed nothing. Under mu.
func (c *Changer) recordRefused(r *Registration, reason string) {
	e := c.event(JournalBrokerRefused, CauseRegister)
	e.Cluster, e.Broker, e.BrokerID, e.Addr = r.Cluster, r.BrokerName, r.BrokerID, r.BrokerAddr
	e.Details = &EventDetails{Reason: reason}
	c.t.record(e)
}

// recordRegistered tells that the broker of r is known under its cluster. Under mu.
func (c *Changer) recordRegistered(s *brokerSet, m *member, l *liveBroker) uint64 {
	e := c.of(s, JournalBrokerRegistered, CauseRegister)
	e.Cluster, e.BrokerID, e.Addr = l.key.Cluster, m.id, m.addr
	return c.t.record(e)
}

// recordDisplaced tells that r takes the place of m. Under mu.
func (c *Changer) recordDisplaced(s *brokerSet, m *member, r *Registration, reason string) (seq uint64) {
	for _, k := range m.lives {
		e := c.of(s, JournalBrokerDisplaced, CauseRegister)
		e.Cluster, e.BrokerID, e.Addr = k.live.key.Cluster, m.id, m.addr
		e.Details = &EventDetails{Reason: reason, ByCluster: r.Cluster, ByAddr: r.BrokerAddr}
		seq = c.t.record(e)
	}
	return seq
}

// recordTopics tells and counts what a registration has done to topics, if it has done
// anything; and that a wipe of the broker name is over, which ends with the first whole
// table of another data version. Under mu.
func (a *applying) recordTopics(full bool) {
	c := &a.r.Changes
	counts := c.counts()
	if counts == (TopicCounts{}) {
		return
	}
	g := &a.t.registered
	g.topicsAdded.Add(uint64(c.New + c.Added))
	g.topicsChanged.Add(uint64(c.Changed))
	g.topicsRemoved.Add(uint64(c.Removed))
	e := a.by.of(a.s, JournalTopicsChanged, CauseRegister)
	e.Cluster, e.BrokerID, e.Addr = a.r.Cluster, a.r.BrokerID, a.r.BrokerAddr
	e.Parent, e.Topics = a.registered, counts
	e.Details = &EventDetails{Sample: cloneNames(c.sample())}
	e.Parent = a.t.record(e)
	if a.s.wiped && a.writable > 0 && full {
		a.s.wiped = false
		e.Type, e.Topics, e.Details = JournalPermRestored, TopicCounts{Changed: int32(a.writable)}, nil
		a.t.record(e)
	}
}

// cloneNames returns copies, in one piece of memory: those of the tables may each keep
// thousands of others.
func cloneNames(names []string) []string {
	var text strings.Builder
	for _, n := range names {
		text.WriteString(cut(n))
	}
	rest := text.String()
	copies := make([]string, len(names))
	for i, n := range names {
		l := len(cut(n))
		copies[i], rest = rest[:l], rest[l:]
	}
	return copies
}
