package route

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

	Limits   Limits    // in force
	Refusals []Refusal // since the start, one for each limit, always in the same order
}

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
	for l := range limitCount {
		s.Refusals[l] = Refusal{l.String(), t.Refusals(l)}
	}
	return s
}
