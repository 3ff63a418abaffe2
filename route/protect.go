package route

import (
	"cmp"
	"slices"
	"sync"
)

// Self-protection: when much of a cluster falls silent at once, it is more likely
// that we cannot hear it than that it is gone. Brokers that are due to leave are
// then held back for a while; they become suspect. A held broker costs clients that
// try it a timeout; a route that shrinks by mistake costs all of them half of their
// brokers.
//
// What is protected is a scope: a cluster, and where a cluster names two zones or
// more, each of its zones. A zone of which nothing is heard, while another one is
// well, is gone: it is what zones are for.
//
// Java has nothing of the kind: RouteInfoManager#scanNotActiveBroker.

// The rule in numbers; shares are of the live brokers of a scope.
const (
	leastOverdue = 3    // fewer say nothing
	enterShare   = 0.45 // that much is overdue: half of a cluster, cut off, is to be held
	exitShare    = 0.25 // no more than that, for calmMillis
	calmMillis   = 30_000

	largeScope       = 50 // with more live brokers, one leaves every largeDripMillis even so
	largeDripMillis  = 100_000
	leftDripMillis   = 10_000 // one of those that were held leaves so often, once the scope is Normal
	ceilingDripMills = 1_000  // and so often after the ceiling

	againMillis = 600_000 // a trouble that begins so soon after another one is held for half as long

	recoveryMillis     = 75_000 // the longest period of a broker, 60 s, and what it may be late
	notablePauseMillis = 5_000  // a pause of ours that leads to Recovering
	deafMillis         = 45_000 // not a byte for so long, from
	deafPeers          = 5      // so many connections

	massCloseMillis = 2_000 // connections that close within it, of leastOverdue brokers and an enterShare, say nothing

	maxScopes     = 1_024   // what is in trouble; beyond it nothing is held
	shownScopes   = 64      // in ProtectionStats
	maxClosings   = 1 << 17 // brokers whose connection has just closed; of more nothing is held
	toldMillis    = 60_000  // between two events of a kind, of a scope
	sizesMillis   = 250     // how old a count of brokers may be, when connections close
	maxHoldMillis = 24 * 3_600_000
)

// A ProtectionPolicy is what an operator sets.
type ProtectionPolicy struct {
	Mode ProtectionMode
	// MaxMillis is how long a broker may be held, from when it was due; 0 is no limit.
	// Then one of them leaves every second.
	MaxMillis int64
}

// A Pulse is what the server knows of itself at a time.
type Pulse struct {
	BytesIn      uint64 // from all peers, since the start
	Connections  int    // open now
	PausedMillis int64  // for how long it has stood still, in all, without what the clock left out
}

// A Protection decides which brokers leave that are due to. It learns of time by
// its arguments only, and changes no table. Safe from any goroutine; mu is held for
// a time that goes with the number of those that are due.
type Protection struct {
	mu       sync.Mutex
	policy   ProtectionPolicy
	scopes   map[scopeKey]*scope         // those that are not Normal, or were not long ago; at most maxScopes
	held     map[*liveBroker]*heldBroker // suspects
	holds    map[string]int64            // cluster -> until when nobody leaves it; at most maxScopes
	closings map[BrokerKey]int64         // when its connection closed; at most maxClosings, of the last massCloseMillis
	closed   map[string]*closedCluster   // those that have closings
	sizes    map[string]int              // cluster -> live brokers
	sizesAt  int64                       // when sizes were counted
	server   ProtectionState             // Normal, Isolated or Recovering
	mark     int64                       // when it became so: what was heard before does not count
	until    int64                       // Recovering ends
	cause    string                      // of server
	prunedAt int64                       // the last pruneClosings
	pulse    Pulse                       // the last one
	heardAt  int64                       // when BytesIn grew last
	peers    int                         // Connections then
	begun    bool                        // there was a Pulse
	prev     int64                       // the last Judge
	told     [protectionEventKinds]told  // of the server
	overdue  int                         // at the last look
	ceilings uint64                      // brokers that left because of MaxMillis
	released uint64                      // brokers that left although they had been held
	heldSum  [protectionCauses]uint64    // by cause
	wouldSum [protectionCauses]uint64    // the same in ProtectionMonitor
	events   []ProtectionEvent           // of the call at hand
}

// NewProtection returns a rule that has seen nothing.
func NewProtection() *Protection {
	return &Protection{
		scopes: map[scopeKey]*scope{}, held: map[*liveBroker]*heldBroker{}, holds: map[string]int64{},
		closings: map[BrokerKey]int64{}, closed: map[string]*closedCluster{},
	}
}

// A scopeKey names a scope.
type scopeKey struct {
	cluster, zone string
	isZone        bool
}

// A scope is what is remembered of a cluster or a zone in trouble.
type scope struct {
	state     ProtectionState
	calm      int64 // since when its share has been small; -1 is not
	suspects  int   // at the last look
	size      scopeSize
	inEpisode bool
	again     bool  // the episode came soon after another one
	ended     int64 // when the last episode did; -1 is never
	drips     [3]drip
	told      [protectionEventKinds]told
}

// The drips of a scope.
const (
	dripLarge = iota
	dripLeft
	dripCeiling
)

// A scopeSize is how many brokers a scope has.
type scopeSize struct{ live, overdue int }

func (z scopeSize) share() float64 {
	if z.live == 0 {
		return 0
	}
	return float64(z.overdue) / float64(z.live)
}

// A drip lets one broker go per interval. It is when the next one may.
type drip int64

// take lets one go if it may. What has not been used before since is lost.
func (d *drip) take(now, since, interval int64) bool {
	if now < int64(*d) {
		return false
	}
	*d = drip(max(int64(*d), since) + interval)
	return true
}

// isTold reports whether the next event of any kind may be told at once.
func (sc *scope) isTold(now int64) bool {
	return !slices.ContainsFunc(sc.told[:], func(k told) bool { return k.once && now-k.at < toldMillis })
}

// A told says when there was an event last, and what has been kept back since.
type told struct {
	at    int64
	once  bool
	count int
}

// A heldBroker is a suspect.
type heldBroker struct {
	key      BrokerKey
	names    []string // of its broker sets
	last     int64    // when it was last heard of
	since    int64    // when it was held first
	until    int64    // for how long it has to be heard, once its scope is Normal; 0 before
	again    bool     // it may be held for half as long
	ceiling  bool     // it has been held for as long as may be
	released bool     // an operator wants it to leave
	counted  [protectionCauses]bool
}

// A Verdict is what becomes of brokers that are due to leave.
type Verdict struct {
	Leave, Hold []DueBroker
	Events      []ProtectionEvent
}

// Scan removes the brokers that have been silent for longer than their timeout, but
// for those that p holds back, and returns those that have left and what happened.
func (t *Table) Scan(nowMillis int64, p *Protection, policy ProtectionPolicy, pulse Pulse) ([]ExpiredBroker, []ProtectionEvent) {
	return t.By(Moment{NowMillis: nowMillis}, Origin{}).Scan(p, policy, pulse)
}

// Scan is Table.Scan, at the time of the Changer.
func (c Changer) Scan(p *Protection, policy ProtectionPolicy, pulse Pulse) ([]ExpiredBroker, []ProtectionEvent) {
	t, now := c.t, c.at.NowMillis
	due := t.Due(now)
	v := p.Judge(now, policy, pulse, t.View(), due)
	t.Suspect(v.Hold)
	return c.Remove(v.Leave, BrokerExpired), v.Events
}

// Judge decides which of those that are due at the given time leave. It is to be
// called at each scan, whether any are due or not. It costs what goes through all
// brokers of the View, if something is due or was not well before.
func (p *Protection) Judge(nowMillis int64, policy ProtectionPolicy, pulse Pulse, v *View, due []DueBroker) Verdict {
	p.mu.Lock()
	p.policy = policy
	if policy.Mode == ProtectionOff {
		p.forget()
		p.feel(nowMillis, pulse)
		p.mu.Unlock()
		return Verdict{Leave: due}
	}
	p.feel(nowMillis, pulse)
	quiet := len(due) == 0 && len(p.held) == 0 && p.isQuiet() && !p.isDeaf(nowMillis)
	if quiet {
		p.overdue = 0
		p.prune(nowMillis)
		p.prev = nowMillis
	}
	events := p.takeEvents()
	p.mu.Unlock()
	if quiet {
		return Verdict{Leave: due, Events: events}
	}
	s := survey(nowMillis, v, due)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.overdue = s.overdue
	p.listen(nowMillis, s)
	verdict := p.divide(nowMillis, s, v, due)
	p.endEpisodes(nowMillis)
	p.prune(nowMillis)
	p.prev = nowMillis
	verdict.Events = append(events, p.takeEvents()...)
	if policy.Mode == ProtectionMonitor {
		return Verdict{Leave: due, Events: verdict.Events}
	}
	return verdict
}

func (p *Protection) takeEvents() []ProtectionEvent {
	e := p.events
	p.events = nil
	return e
}

// forget ends everything: brokers that are held leave with the next scan. Under mu.
func (p *Protection) forget() {
	clear(p.scopes)
	clear(p.held)
	clear(p.closings)
	clear(p.closed)
	p.server, p.mark, p.overdue, p.sizes = ProtectionNormal, 0, 0, nil
}

// isQuiet reports whether nothing is in trouble. Under mu.
func (p *Protection) isQuiet() bool {
	if p.server != ProtectionNormal {
		return false
	}
	for _, sc := range p.scopes {
		if sc.state != ProtectionNormal || sc.inEpisode {
			return false
		}
	}
	return true
}

// feel notes whether the server hears peers at all, and whether it has stood still.
// Under mu.
func (p *Protection) feel(now int64, pulse Pulse) {
	if !p.begun || pulse.BytesIn != p.pulse.BytesIn {
		p.heardAt, p.peers = now, pulse.Connections
	} else if p.server != ProtectionIsolated {
		// Those who have said that they leave are not silent. Once we are deaf, it is us
		// who end connections.
		p.peers = min(p.peers, pulse.Connections)
	}
	p.feelPause(now, pulse.PausedMillis)
	p.pulse, p.begun = pulse, true
}

func (p *Protection) feelPause(now, pausedMillis int64) {
	if p.begun && pausedMillis-p.pulse.PausedMillis >= notablePauseMillis && p.policy.Mode != ProtectionOff {
		p.enterServer(now, ProtectionRecovering, "the server has stood still")
	}
	p.pulse.PausedMillis = pausedMillis
}

// isDeaf reports whether many peers have fallen silent together. Under mu.
func (p *Protection) isDeaf(now int64) bool {
	return p.peers >= deafPeers && now-p.heardAt >= deafMillis
}

func (p *Protection) enterServer(now int64, state ProtectionState, cause string) {
	if p.server != state || state == ProtectionRecovering {
		p.mark = now
	}
	changed := p.server != state
	p.server, p.cause = state, cause
	if state == ProtectionRecovering {
		p.until = now + recoveryMillis
	}
	if changed {
		p.tell(now, &p.told, ProtectionEvent{Kind: ProtectionEntered, State: state, Cause: cause, Overdue: p.overdue, Brokers: len(p.held)}, 0)
	}
}

// tell adds an event, unless there was one of its kind within a minute: that a state
// is left is told if, and only if, it was told that it was entered. n is what a later
// one makes up for.
func (p *Protection) tell(now int64, kinds *[protectionEventKinds]told, e ProtectionEvent, n int) {
	k := &kinds[e.Kind]
	k.count += n
	switch entered := kinds[ProtectionEntered]; {
	case e.Kind != ProtectionLeft:
		if k.once && now-k.at < toldMillis {
			return
		}
	case !entered.once || k.once && k.at >= entered.at:
		return
	}
	if n > 0 {
		e.Brokers = k.count
	}
	*k = told{at: now, once: true}
	p.events = append(p.events, e)
}

// listen moves the states of the scopes and of the server. Under mu.
func (p *Protection) listen(now int64, s *sizes) {
	for key, size := range s.scopes {
		sc := p.scopes[key]
		next := ProtectionNormal
		switch {
		case s.isLost(key):
			// It is gone; its brokers leave at once.
		case size.overdue >= leastOverdue && size.overdue == size.live:
			next = ProtectionFull
		case size.overdue >= leastOverdue && size.share() >= enterShare:
			next = ProtectionPartial
		}
		if sc == nil {
			if next == ProtectionNormal {
				continue
			}
			if sc = p.scope(now, key); sc == nil {
				continue
			}
		}
		sc.size = size
		p.move(now, key, sc, next)
	}
	for key, sc := range p.scopes {
		if _, ok := s.scopes[key]; !ok && sc.state != ProtectionNormal {
			sc.size = scopeSize{} // nobody is left
			p.move(now, key, sc, ProtectionNormal)
		}
	}
	full := false
	for _, sc := range p.scopes {
		full = full || sc.state == ProtectionFull
	}
	switch deaf := p.isDeaf(now); {
	case deaf:
		p.enterServer(now, ProtectionIsolated, "no byte from any peer")
	case full && s.live > 0 && s.overdue == s.live:
		p.enterServer(now, ProtectionIsolated, "no broker is heard")
	case p.server == ProtectionIsolated:
		p.enterServer(now, ProtectionRecovering, "the server was isolated")
	case p.server == ProtectionRecovering && now >= p.until:
		p.server, p.mark = ProtectionNormal, 0
		p.tell(now, &p.told, ProtectionEvent{Kind: ProtectionLeft, State: ProtectionNormal, Cause: p.cause, Live: s.live, Overdue: s.overdue, Brokers: len(p.held)}, 0)
	}
}

// move gives a scope the state that its numbers ask for; it stays where it is until
// they have been small for calmMillis.
func (p *Protection) move(now int64, key scopeKey, sc *scope, next ProtectionState) {
	if next != ProtectionNormal {
		sc.calm = -1
		if next != sc.state {
			if sc.state == ProtectionNormal {
				p.beginEpisode(now, sc)
				sc.drips[dripLarge] = drip(now + largeDripMillis)
			}
			sc.state = next
			p.tellOf(now, key, sc, ProtectionEntered, 0)
		}
		return
	}
	if sc.state == ProtectionNormal {
		return
	}
	if sc.state == ProtectionFull && sc.size.overdue < sc.size.live {
		sc.state = ProtectionPartial // some are heard again
	}
	switch {
	case sc.size.share() > exitShare && sc.size.live > 0:
		sc.calm = -1
	case sc.calm < 0:
		sc.calm = now
	}
	if sc.calm >= 0 && now-sc.calm >= calmMillis {
		sc.state, sc.calm = ProtectionNormal, -1
		p.tellOf(now, key, sc, ProtectionLeft, 0)
	}
}

func (p *Protection) tellOf(now int64, key scopeKey, sc *scope, kind ProtectionEventKind, n int) {
	p.tell(now, &sc.told, ProtectionEvent{
		Kind: kind, Cluster: key.cluster, Zone: key.zone, State: sc.state, Cause: "brokers are silent",
		Live: sc.size.live, Overdue: sc.size.overdue, Brokers: sc.suspects,
	}, n)
}

// scope returns what is remembered of a scope, nil if there is no room. Under mu.
func (p *Protection) scope(now int64, key scopeKey) *scope {
	sc := p.scopes[key]
	if sc == nil && len(p.scopes) < maxScopes {
		sc = &scope{calm: -1, ended: -1}
		p.scopes[key] = sc
	}
	return sc
}

func (p *Protection) beginEpisode(now int64, sc *scope) {
	if !sc.inEpisode {
		sc.inEpisode = true
		sc.again = sc.ended >= 0 && now-sc.ended < againMillis
	}
}

// endEpisodes ends the episodes that are over. Under mu.
func (p *Protection) endEpisodes(now int64) {
	for _, sc := range p.scopes {
		if sc.inEpisode && sc.state == ProtectionNormal && sc.suspects == 0 {
			sc.inEpisode, sc.ended = false, now
		}
	}
}

// prune forgets what does not matter any more. Under mu.
func (p *Protection) prune(now int64) {
	for key, sc := range p.scopes {
		if sc.state == ProtectionNormal && !sc.inEpisode && (sc.ended < 0 || now-sc.ended >= againMillis) && sc.isTold(now) {
			delete(p.scopes, key)
		}
	}
	for cluster, until := range p.holds {
		if now >= until {
			delete(p.holds, cluster)
		}
	}
	p.pruneClosings(now)
	if p.sizes != nil && now-p.sizesAt > massCloseMillis {
		p.sizes = nil
	}
}

// divide decides about each broker. Under mu.
func (p *Protection) divide(now int64, s *sizes, v *View, due []DueBroker) (d Verdict) {
	order := make([]int, len(due))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(due[a].LastUpdateMillis, due[b].LastUpdateMillis) })
	for _, sc := range p.scopes {
		sc.suspects = 0
	}
	held := make(map[*liveBroker]*heldBroker, len(p.held))
	for _, i := range order {
		b := &due[i]
		was := p.held[b.live]
		if was != nil && was.last != b.LastUpdateMillis {
			was = nil // it has been heard of, and fell silent again
		}
		key, cause := p.holdBy(now, s, v, i, b, was)
		if cause == notHeld {
			d.Leave = append(d.Leave, *b)
			if was != nil {
				p.released++
				if sc := p.scopes[key]; sc != nil {
					p.tellOf(now, key, sc, ProtectionReleased, 1)
				}
			}
			continue
		}
		sc := p.scopes[key]
		if p.policy.Mode == ProtectionMonitor {
			p.wouldSum[cause]++
			continue
		}
		if was == nil {
			was = &heldBroker{key: b.BrokerKey, names: s.names(i), last: b.LastUpdateMillis, since: now, again: sc.again}
		}
		if !was.counted[cause] {
			was.counted[cause] = true
			p.heldSum[cause]++
		}
		sc.suspects++
		held[b.live] = was
		d.Hold = append(d.Hold, *b)
	}
	p.held = held
	return d
}

// holdBy returns why a broker is held, and for the sake of which scope. Under mu.
func (p *Protection) holdBy(now int64, s *sizes, v *View, i int, b *DueBroker, was *heldBroker) (scopeKey, ProtectionCause) {
	key := scopeKey{cluster: b.Cluster}
	zone, inZone := s.zoneOf(b.live, b.Cluster)
	if inZone {
		if sc := p.scopes[zone]; sc != nil && sc.state != ProtectionNormal {
			key = zone
		}
	}
	if was != nil && was.released || s.isExempt(now, p.mark, v, i, b) {
		return key, notHeld
	}
	if p.holds[b.Cluster] > now {
		if sc := p.scope(now, key); sc != nil {
			p.beginEpisode(now, sc)
			return key, CauseOperator
		}
	}
	cause := notHeld
	sc := p.scopes[key]
	switch {
	case p.server == ProtectionIsolated:
		cause = CauseIsolated
	case p.server == ProtectionRecovering:
		cause = CauseRecovering
	case inZone && s.isLost(zone):
		return key, notHeld
	case sc != nil && sc.state == ProtectionFull:
		cause = CauseFull
	case sc != nil && sc.state == ProtectionPartial:
		cause = CausePartial
	case was != nil:
		cause = CauseLeaving
	}
	if cause == notHeld {
		return key, notHeld
	}
	if sc = p.scope(now, key); sc == nil {
		return key, notHeld
	}
	p.beginEpisode(now, sc)
	if was != nil && p.policy.MaxMillis > 0 {
		most := p.policy.MaxMillis
		if was.again {
			most /= 2
		}
		if now-was.since >= most {
			if !was.ceiling {
				was.ceiling = true
				p.tellOf(now, key, sc, ProtectionCeiling, 0)
			}
			if sc.drips[dripCeiling].take(now, p.prev, ceilingDripMills) {
				p.ceilings++
				return key, notHeld
			}
			return key, cause
		}
	}
	switch {
	case cause == CausePartial && sc.size.live > largeScope && sc.drips[dripLarge].take(now, now, largeDripMillis):
		return key, notHeld
	case cause != CauseLeaving:
		if was != nil {
			was.until = 0
		}
	case was.until == 0:
		was.until = now + max(0, b.TimeoutMillis)
	case now >= was.until && sc.drips[dripLeft].take(now, now, leftDripMillis):
		return key, notHeld
	}
	return key, cause
}
