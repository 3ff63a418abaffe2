package route

import (
	"cmp"
	"errors"
	"slices"
)

// A ProtectionStats is what self-protection shows. All numbers are of one moment;
// those of brokers and scopes are of the last scan.
type ProtectionStats struct {
	State ProtectionState // of the server: normal, isolated or recovering
	Cause string          // of State, empty while normal
	// Scopes are those that are not normal or have suspects, and those that have been so
	// within ten minutes: the first 64, in ascending order. ScopeCount says how many there are.
	Scopes     []ScopeStats
	ScopeCount int
	Suspects   int // brokers that are held back
	Overdue    int // brokers that are silent; 0 while nothing is due

	Held       HeldCounts // expiries and closes that had no effect
	WouldHold  HeldCounts // those that would have had none, in ProtectionMonitor
	Released   uint64     // brokers that left after they had been held
	AtCeiling  uint64     // those of Released that were held for as long as may be
	HeldByHand int        // clusters that an operator holds
}

// A ScopeStats is one scope. Zone is empty for a whole cluster, and for the brokers
// without a zone in a cluster that has several (IsZone).
type ScopeStats struct {
	Cluster, Zone           string
	IsZone                  bool
	State                   ProtectionState
	Live, Overdue, Suspects int
}

// Stats returns what it shows.
func (p *Protection) Stats() ProtectionStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := ProtectionStats{
		State: p.server, ScopeCount: len(p.scopes), Suspects: len(p.held), Overdue: p.overdue,
		Held: heldCounts(&p.heldSum), WouldHold: heldCounts(&p.wouldSum),
		Released: p.released, AtCeiling: p.ceilings, HeldByHand: len(p.holds),
	}
	if s.State != ProtectionNormal {
		s.Cause = p.cause
	}
	for key, sc := range p.scopes {
		s.Scopes = append(s.Scopes, ScopeStats{key.cluster, key.zone, key.isZone, sc.state, sc.size.live, sc.size.overdue, sc.suspects})
	}
	slices.SortFunc(s.Scopes, func(a, b ScopeStats) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Zone, b.Zone))
	})
	s.Scopes = slices.Clip(s.Scopes[:min(len(s.Scopes), shownScopes)])
	return s
}

// Errors of Hold.
var (
	ErrHoldTooLong  = errors.New("route: a cluster is held for no time or for more than a day")
	ErrTooManyHolds = errors.New("route: too many clusters are held")
)

// Hold lets nobody of a cluster leave for being silent, for so long from now on,
// except where others of its set stand in. There is no ceiling. A later Hold takes
// the place of an earlier one. It has effect with ProtectionOn only.
func (p *Protection) Hold(nowMillis int64, cluster string, forMillis int64) error {
	if forMillis <= 0 || forMillis > maxHoldMillis {
		return ErrHoldTooLong
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.holds[cluster]; !ok && len(p.holds) == maxScopes {
		return ErrTooManyHolds
	}
	p.holds[cluster] = nowMillis + forMillis
	return nil
}

// Release lets the suspects of a cluster leave with the next scan, or only those of
// a broker name if it is not empty, and ends a Hold of the whole cluster. It returns
// how many suspects there were. Those that fall silent later are held as before.
func (p *Protection) Release(cluster, brokerName string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if brokerName == "" {
		delete(p.holds, cluster)
	}
	for _, h := range p.held {
		if h.key.Cluster == cluster && (brokerName == "" || slices.Contains(h.names, brokerName)) {
			h.released = true
			n++
		}
	}
	return n
}
