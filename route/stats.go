package route

import "gonamesrv/meter"

// A Stats is how full a Table is, and what it has refused. Topics, BrokerNames and
// LiveEntries are of one published View; every other number is exact by itself.
type Stats struct {
	Topics      int // with queues on at least one broker, or once registered by themselves
	BrokerNames int
	LiveEntries int // (cluster, address) with a last sign of life
	Brokers     int // what Limits.Brokers bounds: a broker counts under each name and in each cluster
	Entries     int // what Limits.Entries bounds

	CachedBytes  int64 // bytes of encoded routes that are kept
	CacheLimit   int64 // bytes that may be kept
	CacheMisfits int64 // routes that were encoded and not kept, since the start

	// The same of routes that are kept for horizons.
	HorizonCachedBytes, HorizonCacheLimit, HorizonCacheMisfits int64

	// Routes that were encoded, since the start, in either form of JSON; all others were
	// answered from those that are kept.
	EncodedLegacy, EncodedStrict uint64

	Registrations RegistrationStats

	Limits   Limits    // in force
	Refusals []Refusal // since the start, one for each limit, always in the same order
}

// A RegistrationStats shows what became of registrations, since the start, and of the
// topics in them. Those that a limit, a wrong time or a single topic is in the way of
// are in none of these: who registers is told.
type RegistrationStats struct {
	Unchanged uint64 // RegisterUnchanged was enough: a sign of life
	Applied   uint64 // the others, also if in the end nothing was different
	Stale     uint64 // not applied for their state version, without the broker being told

	// Topics of one broker name that registrations have added, changed or removed, static
	// mappings apart. One that two brokers add counts twice.
	TopicsAdded, TopicsChanged, TopicsRemoved uint64
}

// LockTimes returns how long changes have waited for the lock of the Table, and how
// long they have held it each time, in nanoseconds of Options.Nanotime: of a change in
// steps, each step. Safe from any goroutine.
func (t *Table) LockTimes() (wait, hold meter.Reading) { return t.mu.wait.Read(), t.mu.hold.Read() }

// A Refusal is how many changes a limit has refused.
type Refusal struct {
	Limit string // as in the log and in LimitError
	Count int64
}

// Stats returns the counters. It takes no lock and reads a few dozen numbers,
// however large the tables are. Safe from any goroutine.
func (t *Table) Stats() Stats {
	v := t.View()
	s := Stats{
		Topics:      v.TopicCount(),
		BrokerNames: v.BrokerCount(),
		LiveEntries: v.LiveCount(),
		Brokers:     int(t.counted.brokers.Load()),
		Entries:     int(t.counted.entries.Load()),
		CacheLimit:  t.cache.most,
		Limits:      t.limits,
		Refusals:    make([]Refusal, limitCount),
	}
	s.CachedBytes, s.CacheMisfits = t.CachedBytes()
	s.EncodedLegacy, s.EncodedStrict = t.cache.encoded[0].Load(), t.cache.encoded[formStrict].Load()
	g := &t.registered
	s.Registrations = RegistrationStats{
		Unchanged: g.unchanged.Load(), Applied: g.applied.Load(), Stale: g.stale.Load(),
		TopicsAdded: g.topicsAdded.Load(), TopicsChanged: g.topicsChanged.Load(), TopicsRemoved: g.topicsRemoved.Load(),
	}
	h := &t.cache.horizons
	s.HorizonCachedBytes, s.HorizonCacheLimit, s.HorizonCacheMisfits = h.used.Load(), h.most, h.misfits.Load()
	for l := range limitCount {
		s.Refusals[l] = Refusal{l.String(), t.Refusals(l)}
	}
	return s
}

// A HorizonStats shows what a horizon does. A horizon of the same name that takes its place
// goes on counting, and so do those of its rules that stay the same.
type HorizonStats struct {
	Name        string
	Requests    uint64 // by its clients, for what shows addresses
	Refused     uint64 // of them
	NothingLeft uint64 // of those: no broker was left that could be told

	// The following count when an answer is made. One that is kept may be given many
	// times.

	Missing     uint64 // addresses without a result
	SameAddress uint64 // addresses whose result was that of another one of the same answer
	Rules       []RuleStats
}

// A RuleStats shows what a rule does.
type RuleStats struct {
	Rule string
	Hits uint64 // addresses rewritten, when an answer was made
}

// Stats returns the counters of each horizon. hs may be nil.
func (hs *Horizons) Stats() []HorizonStats {
	if hs == nil {
		return nil
	}
	all := make([]HorizonStats, len(hs.all))
	for i, h := range hs.all {
		c := h.counts
		all[i] = HorizonStats{
			Name: h.name, Requests: c.requests.Load(), Refused: c.refused.Load(), NothingLeft: c.nothing.Load(),
			Missing: c.missing.Load(), SameAddress: c.sameAddress.Load(), Rules: make([]RuleStats, len(h.rules)),
		}
		for j, r := range h.rules {
			all[i].Rules[j] = RuleStats{r.String(), r.hits.Load()}
		}
	}
	return all
}
