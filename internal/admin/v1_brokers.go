package admin

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// The states of a member, the worst first. A set is masterless besides.
const (
	stateSuspect    = "suspect"  // it is due to leave, and held back
	stateRestored   = "restored" // of before a restart, and not heard of since
	stateOverdue    = "overdue"  // silent for more than half of its time-out
	stateLive       = "live"
	stateMasterless = "masterless"
)

type clusterAnswer struct {
	Cluster string   `json:"cluster"`
	Brokers []string `json:"brokers"`
	Members int      `json:"members"`
	Masters int      `json:"masters"`
}

// clusters lists all clusters, with all of their brokers.
func (a *Admin) clusters(*query) (any, error) {
	v := a.server.View()
	l := listing[clusterAnswer]{Generation: a.generation(v), Items: []clusterAnswer{}}
	for _, c := range v.Clusters() {
		it := clusterAnswer{Cluster: c.Cluster, Brokers: c.BrokerNames}
		for _, name := range c.BrokerNames {
			b, ok := v.Broker([]byte(name))
			if !ok {
				continue
			}
			for m := range b.Members() {
				it.Members++
				if m.ID == 0 {
					it.Masters++
				}
			}
		}
		l.Items = append(l.Items, it)
	}
	return l, nil
}

type brokerAnswer struct {
	Generation         string         `json:"generation,omitempty"`
	Broker             string         `json:"broker"`
	Clusters           []string       `json:"clusters"`
	Zone               *string        `json:"zone"`
	EnableActingMaster bool           `json:"enableActingMaster"`
	Masterless         bool           `json:"masterless"`
	Topics             int            `json:"topics"`
	Wiped              bool           `json:"wiped"`
	Members            []memberAnswer `json:"members"`
	Events             *[]eventAnswer `json:"events,omitempty"` // the last ones, oldest first
}

type memberAnswer struct {
	BrokerID      number             `json:"brokerId"`
	Addr          string             `json:"addr"`
	Role          string             `json:"role"`
	State         string             `json:"state"`
	Since         *stamp             `json:"since"`
	LastContact   *stamp             `json:"lastContact"`
	AgeMs         *int64             `json:"ageMs"`
	TimeoutMs     *int64             `json:"timeoutMs"`
	HAServerAddr  *string            `json:"haServerAddr"`
	DataVersion   *dataVersionAnswer `json:"dataVersion"`
	Conn          *number            `json:"conn"`
	Remote        *string            `json:"remote"`
	ClientVersion *string            `json:"clientVersion"`
	Registrations *number            `json:"registrations"`
	FilterServers []string           `json:"filterServers"`
}

type dataVersionAnswer struct {
	StateVersion number `json:"stateVersion"`
	Timestamp    number `json:"timestamp"`
	Counter      number `json:"counter"`
}

// brokers lists broker sets by name.
func (a *Admin) brokers(q *query) (any, error) {
	limit, after, cluster := q.limit(largestPage), q.text("after"), q.text("cluster")
	states := q.words("state", stateLive, stateOverdue, stateSuspect, stateRestored, stateMasterless)
	if err := q.fault(); err != nil {
		return nil, err
	}
	v := a.server.View()
	sv := a.survey(v)
	l := listing[brokerAnswer]{Generation: a.generation(v), Items: []brokerAnswer{}}
	shown := []*surveyed{}
	from, found := slices.BinarySearchFunc(sv.sets, after, func(s *surveyed, name string) int { return cmp.Compare(s.broker.Name, name) })
	if found {
		from++
	}
	for _, s := range sv.sets[from:] {
		if cluster != "" && !slices.Contains(s.clusters, cluster) || len(states) > 0 && !s.isIn(states) {
			continue
		}
		if len(shown) == limit {
			l.Next = shown[limit-1].broker.Name
			break
		}
		shown = append(shown, s)
	}
	wiped := a.wipedNames(v)
	for _, s := range shown {
		l.Items = append(l.Items, brokerAnswerOf(sv, s, wiped))
	}
	return l, nil
}

// broker shows one broker set.
func (a *Admin) broker(q *query) (any, error) {
	name := q.PathValue("b")
	v := a.server.View()
	if _, ok := v.Broker([]byte(name)); !ok {
		return nil, a.brokerGone(name)
	}
	sv := a.survey(v)
	i, ok := slices.BinarySearchFunc(sv.sets, name, func(s *surveyed, name string) int { return cmp.Compare(s.broker.Name, name) })
	if !ok {
		return nil, a.brokerGone(name)
	}
	answer := brokerAnswerOf(sv, sv.sets[i], a.wipedNames(v))
	answer.Generation = a.generation(v)
	events := a.eventAnswers(a.eventsOfBroker(name, shownEvents))
	answer.Events = &events
	return answer, nil
}

// brokerGone says that there is no such broker name, and what was the last of it.
func (a *Admin) brokerGone(name string) *fault {
	f := brokerNotFound(name)
	if last := a.eventsOfBroker(name, 1); len(last) > 0 {
		e := a.eventAnswer(&last[0])
		f.lastEvent = &e
	}
	return f
}

func brokerAnswerOf(sv *survey, s *surveyed, wiped map[string]bool) brokerAnswer {
	b := s.broker
	answer := brokerAnswer{
		Broker: b.Name, Clusters: s.clusters, EnableActingMaster: b.EnableActingMaster, Masterless: s.masterless,
		Topics: b.TopicCount(), Wiped: wiped[b.Name], Members: []memberAnswer{},
	}
	if b.HasZoneName {
		answer.Zone = &b.ZoneName
	}
	for _, m := range s.members {
		answer.Members = append(answer.Members, sv.memberAnswer(m))
	}
	return answer
}

func (sv *survey) memberAnswer(m surveyedMember) memberAnswer {
	answer := memberAnswer{BrokerID: number(m.ID), Addr: m.Addr, Role: m.role, State: m.state, FilterServers: m.FilterServers}
	if answer.FilterServers == nil {
		answer.FilterServers = []string{}
	}
	l := m.live
	if l == nil {
		return answer
	}
	age, timeout, contact := m.silence.Milliseconds(), l.TimeoutMillis, stamp(sv.now.Add(-m.silence))
	answer.LastContact, answer.AgeMs, answer.TimeoutMs = &contact, &age, &timeout
	answer.HAServerAddr = optional(l.HAServerAddr)
	if !l.NullDataVersion {
		answer.DataVersion = dataVersionOf(l.DataVersion)
	}
	answer.Conn = optional(number(l.Conn))
	registrations := number(l.Registrations())
	answer.Registrations = &registrations
	if l.SinceMillis > 0 {
		since := stamp(time.UnixMilli(l.SinceMillis))
		answer.Since = &since
	}
	if registrations == 0 {
		return answer // what it said of itself to the process before is not known
	}
	if l.Remote.IsValid() {
		remote := l.Remote.String()
		answer.Remote = &remote
	}
	version, _ := codec.VersionName(l.Version)
	answer.ClientVersion = &version
	return answer
}

func dataVersionOf(dv codec.DataVersion) *dataVersionAnswer {
	return &dataVersionAnswer{number(dv.StateVersion), number(dv.Timestamp), number(dv.Counter)}
}

// A survey is all brokers of a View, and in which state they are now.
type survey struct {
	view *route.View
	now  time.Time
	sets []*surveyed // in ascending order of name
}

type surveyed struct {
	broker     *route.Broker
	clusters   []string // that list it, in ascending order
	masterless bool
	members    []surveyedMember // in ascending order of ID
}

type surveyedMember struct {
	*route.Member
	role, state string
	live        *route.LiveInfo // the one that was heard of last; nil if it has just gone
	silence     time.Duration
}

// survey looks at all brokers. It costs what goes with their number.
func (a *Admin) survey(v *route.View) *survey {
	sv := &survey{view: v, now: a.server.WallTime()}
	clusters := map[string][]string{}
	for _, c := range v.Clusters() {
		for _, name := range c.BrokerNames {
			clusters[name] = append(clusters[name], c.Cluster)
		}
	}
	keepers, acting := v.Keepers(), a.server.ShowsActingMasters()
	for name, of := range clusters {
		b, ok := v.Broker([]byte(name))
		if !ok {
			continue
		}
		s := &surveyed{broker: b, clusters: of, masterless: b.First().ID != 0}
		for m := range b.Members() {
			s.members = append(s.members, a.surveyMember(s, m, keepers, acting && s.masterless && b.EnableActingMaster && m == b.First()))
		}
		sv.sets = append(sv.sets, s)
	}
	slices.SortFunc(sv.sets, func(a, b *surveyed) int { return cmp.Compare(a.broker.Name, b.broker.Name) })
	return sv
}

func (a *Admin) surveyMember(s *surveyed, m *route.Member, keepers route.Keepers, acting bool) surveyedMember {
	sm := surveyedMember{Member: m, role: "slave"}
	switch {
	case m.ID == 0:
		sm.role = "master"
	case acting:
		sm.role = "actingMaster"
	}
	for l := range keepers.Of(m) {
		if silence := a.server.Silence(l); sm.live == nil || silence < sm.silence {
			sm.live, sm.silence = l, silence
		}
	}
	switch l := sm.live; {
	case l == nil, l.IsSuspect():
		sm.state = stateSuspect
	case l.State() == route.Restored:
		sm.state = stateRestored
	case sm.silence.Milliseconds() > l.TimeoutMillis/2:
		sm.state = stateOverdue
	default:
		sm.state = stateLive
	}
	return sm
}

// isIn reports whether the set, or a member of it, is in one of the states.
func (s *surveyed) isIn(states []string) bool {
	if s.masterless && slices.Contains(states, stateMasterless) {
		return true
	}
	return slices.ContainsFunc(s.members, func(m surveyedMember) bool { return slices.Contains(states, m.state) })
}

// A wipedCache knows which brokers with a master have topics none of which may be
// written to: of a set without one nobody writes to any.
type wipedCache struct {
	mu      sync.Mutex
	edition uint64
	names   map[string]bool
	took    time.Duration
	made    time.Time
}

// wipedNames returns the names of those brokers. It looks at topics until each broker has shown one that may, so at few
// unless one is wiped. Then it takes no more than a twentieth of a CPU, however often it
// is asked: the answer may be as many times older than it took.
func (a *Admin) wipedNames(v *route.View) map[string]bool {
	c := &a.wiped
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names != nil && (c.edition == v.Edition() || time.Since(c.made) < 20*c.took) {
		return c.names
	}
	began := time.Now()
	c.names, c.edition = findWiped(v), v.Edition()
	c.made = time.Now()
	c.took = c.made.Sub(began)
	return c.names
}

func findWiped(v *route.View) map[string]bool {
	wiped := map[string]bool{}
	for _, c := range v.Clusters() {
		for _, name := range c.BrokerNames {
			if b, ok := v.Broker([]byte(name)); ok && b.TopicCount() > 0 && b.First().ID == 0 {
				wiped[name] = true
			}
		}
	}
	steps := 0
	for e := range v.Topics {
		if len(wiped) == 0 {
			break
		}
		for o := range v.Offers(e) {
			if o.Perm&2 != 0 {
				delete(wiped, o.Broker.Name)
			}
		}
		if steps++; steps%yieldEvery == 0 {
			runtime.Gosched()
		}
	}
	return wiped
}

// yieldEvery is after how many steps of a long walk others get the processor.
const yieldEvery = 1000
