//go:build interop

package interop

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// A shadow knows who is registered where: enough to tell which steps of a
// random history would run into a difference that COMPAT.md lists. Such steps
// are left out (each difference has a story of its own, testdata/differences),
// so that whatever else differs is news. It knows no topics.
type shadow struct {
	sets   map[string]*shadowSet
	listed map[string]map[string]bool // broker name -> clusters that list it
	live   map[liveKey]*shadowLive
	used   map[member]map[int]bool // all that was ever registered, and its IDs, to be cleaned up
	keys   map[configKey]bool      // all that was ever put, to be cleaned up
	byID   bool                    // a 4.x server: it unregisters whoever has the ID
}

type configKey struct{ namespace, key string }

type liveKey struct{ cluster, addr string }

type shadowLive struct {
	state, conn int
	filters     bool
}

// A member is an address in a broker set.
type member struct{ cluster, broker, addr string }

// setFlags are what a registration says of its broker set.
type setFlags struct {
	acting  bool
	zone    string
	hasZone bool
}

type shadowSet struct {
	cluster string
	members map[int]shadowMember
	flags   setFlags // of the latest registration, as Java keeps them
}

type shadowMember struct {
	addr, cluster string
	flags         setFlags
}

func newShadow() *shadow {
	return &shadow{
		sets:   make(map[string]*shadowSet),
		listed: make(map[string]map[string]bool),
		live:   make(map[liveKey]*shadowLive),
		used:   make(map[member]map[int]bool),
		keys:   make(map[configKey]bool),
	}
}

// clone returns a shadow that can be changed without changing h, except for
// what is cleaned up.
func (h *shadow) clone() *shadow {
	c := *h
	c.sets, c.listed, c.live = make(map[string]*shadowSet), make(map[string]map[string]bool), make(map[liveKey]*shadowLive)
	for name, set := range h.sets {
		copied := *set
		copied.members = maps.Clone(set.members)
		c.sets[name] = &copied
	}
	for name, clusters := range h.listed {
		c.listed[name] = maps.Clone(clusters)
	}
	for key, live := range h.live {
		copied := *live
		c.live[key] = &copied
	}
	return &c
}

func (s *shadowSet) idOf(addr string) (int, bool) {
	for id, m := range s.members {
		if m.addr == addr {
			return id, true
		}
	}
	return 0, false
}

// agreed reports whether Java's flags, those of the latest registration, are
// ours, those of the smallest ID.
func (s *shadowSet) agreed() bool {
	return len(s.members) == 0 || s.members[slices.Min(slices.Collect(maps.Keys(s.members)))].flags == s.flags
}

// masterless reports whether losing a member, or seeming to, clears write bits.
func (s *shadowSet) masterless() bool {
	_, master := s.members[0]
	return s.flags.acting && !master
}

// A registrant is a registration as the shadow sees it.
type registrant struct {
	member
	id, state, conn int
	topics          int
	refused         bool   // for its checksum
	filters         string // null, none or some
	flags           setFlags
}

func newRegistrant(s command) registrant {
	r := registrant{
		member: member{s.arg("cluster"), s.arg("broker"), s.arg("addr")},
		id:     s.number("id"), conn: s.number("conn"), topics: len(s.vals("topics")), filters: "null",
		flags: setFlags{acting: s.arg("acting") == "true", zone: s.arg("zone"), hasZone: s.has("zone")},
	}
	r.refused = s.arg("crc") == "bad"
	var counter int
	fmt.Sscanf(s.arg("version"), "%d/%d", &r.state, &counter)
	switch {
	case len(s.vals("filters")) > 0:
		r.filters = "some"
	case s.has("filters"):
		r.filters = "none"
	}
	return r
}

// releaseDiffers stands for what an older release does otherwise than 5.5.0.
const releaseDiffers = -1

// difference returns the number in COMPAT.md of the difference into which the
// step would run, 0 if none.
func (h *shadow) difference(s command) int {
	switch s.cmd {
	case "register":
		return h.registerDifference(newRegistrant(s))
	case "expire":
		return h.expireDifference(newRegistrant(s))
	case "unregister":
		m := member{s.arg("cluster"), s.arg("broker"), s.arg("addr")}
		if set := h.sets[m.broker]; h.byID && set != nil {
			holder, taken := set.members[s.number("id")]
			if _, isMember := set.idOf(m.addr); isMember != taken || taken && holder.addr != m.addr {
				return releaseDiffers
			}
		}
		return h.leaveDifference(m)
	case "close":
		return h.closeDifference(s.number("conn"))
	case "topic":
		return h.topicDifference(s)
	case "route":
		if s.has("zone") && (s.has("strict") || s.has("standard")) {
			return 14
		}
	}
	return 0
}

// topicDifference is about queues of which some belong to an unknown set.
func (h *shadow) topicDifference(s command) int {
	known := 0
	queues := s.queues("queues", "")
	for _, q := range queues {
		if h.sets[q.name] != nil {
			known++
		}
	}
	if known > 0 && known < len(queues) {
		return 32
	}
	return 0
}

func (h *shadow) registerDifference(r registrant) int {
	if r.refused {
		return 0
	}
	set := h.sets[r.broker]
	if set == nil {
		set = &shadowSet{cluster: r.cluster, flags: r.flags}
	}
	former, isMember := set.idOf(r.addr)
	trace := set.flags != r.flags || !h.listed[r.broker][r.cluster] || isMember && former != r.id
	live := h.live[liveKey{r.cluster, r.addr}]
	holder, taken := set.members[r.id]
	switch outcome := h.outcome(set, r); {
	case outcome == stale && (trace || live != nil):
		return 3
	case outcome == single && trace:
		return 2
	case outcome != accepted:
		return 0
	}
	mixed := len(h.listed[r.broker]) > 1
	if isMember && set.members[former].cluster != r.cluster || isMember && former != r.id && mixed {
		return 8
	}
	if taken && holder.addr != r.addr {
		// Java keeps the holder's live entry. The player unregisters the holder
		// (see displaced), which must not change anything else.
		if h.byID || mixed || holder.cluster != r.cluster || h.shared(holder.addr, r.broker) || r.id != 0 && r.flags.acting {
			return 4
		}
	}
	if h.filtersDiffer(r, set.cluster) {
		return 17
	}
	if h.filtersShared(r) {
		return 102
	}
	after := h.afterRegister(set, r)
	if !after.agreed() {
		return 11
	}
	return 0
}

// expireDifference is about a broker that comes and falls silent. One that is
// refused, or takes another's ID, is none.
func (h *shadow) expireDifference(r registrant) int {
	if n := h.registerDifference(r); n != 0 {
		return n
	}
	if set := h.sets[r.broker]; set != nil {
		if holder, taken := set.members[r.id]; taken && holder.addr != r.addr {
			return 4
		}
	}
	after := h.clone()
	after.register(r)
	if after.live[liveKey{r.cluster, r.addr}] == nil {
		return 2
	}
	return after.closeDifference(r.conn)
}

// filtersDiffer reports whether an address with filter servers would be shown
// under two clusters.
func (h *shadow) filtersDiffer(r registrant, cluster string) bool {
	filters, clusters := r.filters == "some", map[string]bool{cluster: true, r.cluster: true}
	for k, l := range h.live {
		if k.addr == r.addr {
			clusters[k.cluster] = true
			filters = filters || l.filters
		}
	}
	for _, set := range h.sets {
		if _, ok := set.idOf(r.addr); ok {
			clusters[set.cluster] = true
		}
	}
	return filters && len(clusters) > 1
}

// filtersShared reports whether an address with filter servers would have two
// names.
func (h *shadow) filtersShared(r registrant) bool {
	filters := r.filters == "some"
	for k, l := range h.live {
		filters = filters || k.addr == r.addr && l.filters
	}
	return filters && h.shared(r.addr, r.broker)
}

type registerOutcome int

const (
	accepted registerOutcome = iota
	stale                    // an outdated state version
	single                   // one topic, and the ID not taken
)

func (h *shadow) outcome(set *shadowSet, r registrant) registerOutcome {
	holder, taken := set.members[r.id]
	switch {
	case taken && holder.addr != r.addr && h.state(r.cluster, holder.addr) > r.state:
		return stale
	case !taken && r.topics == 1:
		return single
	}
	return accepted
}

func (h *shadow) state(cluster, addr string) int {
	if l := h.live[liveKey{cluster, addr}]; l != nil {
		return l.state
	}
	return -1
}

func (h *shadow) afterRegister(set *shadowSet, r registrant) *shadowSet {
	after := &shadowSet{cluster: set.cluster, members: maps.Clone(set.members), flags: r.flags}
	if after.members == nil {
		after.members = make(map[int]shadowMember)
	}
	if id, ok := after.idOf(r.addr); ok {
		delete(after.members, id)
	}
	after.members[r.id] = shadowMember{r.addr, r.cluster, r.flags}
	return after
}

// shared reports whether an address is a member of another set as well.
func (h *shadow) shared(addr, broker string) bool {
	for name, set := range h.sets {
		if _, ok := set.idOf(addr); ok && name != broker {
			return true
		}
	}
	return false
}

// displaced returns the unregistration that must follow a registration that
// takes an ID from another address: without it Java keeps the live entry of
// that address for ever, difference 4.
func (h *shadow) displaced(s command) *command {
	if s.cmd != "register" {
		return nil
	}
	r := newRegistrant(s)
	set := h.sets[r.broker]
	if r.refused || set == nil || h.outcome(set, r) != accepted {
		return nil
	}
	holder, taken := set.members[r.id]
	if !taken || holder.addr == r.addr {
		return nil
	}
	leave := &command{cmd: "unregister"}
	return leave.with("cluster", holder.cluster).with("broker", r.broker).with("addr", holder.addr).with("id", s.arg("id"))
}

func (h *shadow) leaveDifference(m member) int {
	set := h.sets[m.broker]
	isMember := false
	id := 0
	if set != nil {
		id, isMember = set.idOf(m.addr)
	}
	switch live := h.live[liveKey{m.cluster, m.addr}]; {
	case live != nil && (!isMember || h.shared(m.addr, m.broker)):
		return 8
	case isMember && (set.members[id].cluster != m.cluster || live == nil):
		return 8
	case !isMember && set != nil && set.masterless():
		return 8 // Java clears the write bits of the set all the same
	case !isMember:
		return 0
	case len(h.listed[m.broker]) > 1:
		return 9
	}
	after := &shadowSet{members: maps.Clone(set.members), flags: set.flags}
	delete(after.members, id)
	if !after.agreed() {
		return 11
	}
	return 0
}

func (h *shadow) closeDifference(conn int) int {
	keys := h.on(conn)
	switch len(keys) {
	case 0:
		return 0
	case 1:
	default:
		return 5
	}
	owners := h.owners(keys[0])
	if len(owners) != 1 || h.shared(keys[0].addr, owners[0].broker) || h.sets[owners[0].broker].cluster != keys[0].cluster {
		return 5
	}
	return h.leaveDifference(owners[0])
}

// on returns the live entries whose latest registration came over conn.
func (h *shadow) on(conn int) []liveKey {
	var keys []liveKey
	for k, l := range h.live {
		if l.conn == conn {
			keys = append(keys, k)
		}
	}
	return keys
}

func (h *shadow) owners(k liveKey) []member {
	var owners []member
	for name, set := range h.sets {
		for _, m := range set.members {
			if m.addr == k.addr && m.cluster == k.cluster {
				owners = append(owners, member{k.cluster, name, k.addr})
			}
		}
	}
	return owners
}

// apply does what the step does and returns the members lost with their
// connection. It is right for steps without difference.
func (h *shadow) apply(s command) []member {
	switch s.cmd {
	case "register":
		h.register(newRegistrant(s))
	case "kv-put":
		h.keys[configKey{s.arg("namespace"), s.arg("key")}] = true
	case "expire":
		r := newRegistrant(s)
		h.register(r)
		lost := h.owners(liveKey{r.cluster, r.addr})
		for _, m := range lost {
			h.leave(m)
		}
		return lost
	case "unregister":
		h.leave(member{s.arg("cluster"), s.arg("broker"), s.arg("addr")})
	case "close":
		var lost []member
		for _, k := range h.on(s.number("conn")) {
			lost = append(lost, h.owners(k)...)
		}
		for _, m := range lost {
			h.leave(m)
		}
		return lost
	}
	return nil
}

// alone reports whether no other broker is on the connection of a broker that
// expires.
func (h *shadow) alone(s command) bool {
	r := newRegistrant(s)
	for _, key := range h.on(r.conn) {
		if key != (liveKey{r.cluster, r.addr}) {
			return false
		}
	}
	return true
}

func (h *shadow) register(r registrant) {
	if h.used[r.member] == nil {
		h.used[r.member] = make(map[int]bool)
	}
	h.used[r.member][r.id] = true
	set := h.sets[r.broker]
	if set == nil {
		set = &shadowSet{cluster: r.cluster}
	}
	if r.refused || h.outcome(set, r) != accepted {
		return
	}
	h.sets[r.broker] = h.afterRegister(set, r)
	if h.listed[r.broker] == nil {
		h.listed[r.broker] = make(map[string]bool)
	}
	h.listed[r.broker][r.cluster] = true
	if holder, taken := set.members[r.id]; taken && holder.addr != r.addr && !h.shared(holder.addr, r.broker) {
		delete(h.live, liveKey{holder.cluster, holder.addr})
	}
	live := &shadowLive{state: r.state, conn: r.conn, filters: r.filters == "some"}
	if old := h.live[liveKey{r.cluster, r.addr}]; old != nil && r.filters == "null" {
		live.filters = old.filters
	}
	h.live[liveKey{r.cluster, r.addr}] = live
}

func (h *shadow) leave(m member) {
	set := h.sets[m.broker]
	if set == nil {
		return
	}
	if id, ok := set.idOf(m.addr); ok && set.members[id].cluster == m.cluster {
		delete(set.members, id)
		delete(h.live, liveKey{m.cluster, m.addr})
	}
	if len(set.members) == 0 {
		delete(h.sets, m.broker)
		delete(h.listed, m.broker)
	}
}

// cleanup returns steps, in phases, after which nothing of the history is left
// on either server, whatever Java has left dangling: a set that comings and goes
// once more takes its name from its cluster, one cluster at a time.
func (h *shadow) cleanup() (phases [][]command) {
	var leave []command
	for k := range h.keys {
		leave = append(leave, *(&command{cmd: "kv-delete"}).with("namespace", k.namespace).with("key", k.key))
	}
	clusters := make(map[string][]string)
	rounds := 0
	for m, ids := range h.used {
		for id := range ids {
			leave = append(leave, *m.tell("unregister").with("id", strconv.Itoa(id)))
		}
		if c := clusters[m.broker]; !slices.Contains(c, m.cluster) {
			clusters[m.broker] = append(c, m.cluster)
			rounds = max(rounds, len(c)+1)
		}
	}
	phases = append(phases, leave)
	for round := range rounds {
		var coming, leaving []command
		for broker, c := range clusters {
			if round < len(c) {
				m := member{c[round], broker, "last"}
				coming, leaving = append(coming, *m.tell("register")), append(leaving, *m.tell("unregister"))
			}
		}
		phases = append(phases, slices.Concat(coming, leaving))
	}
	return phases
}

func (m member) tell(cmd string) *command {
	return (&command{cmd: cmd}).with("cluster", m.cluster).with("broker", m.broker).with("addr", m.addr)
}
