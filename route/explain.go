package route

import "strings"

// A SightOutcome says what became of an address on its way to a client.
type SightOutcome string

// The outcomes.
const (
	SightAsIs      SightOutcome = "as registered"   // no horizon looks at it
	SightRewritten SightOutcome = "rewritten"       // by a rule
	SightKept      SightOutcome = "kept"            // no result; missing: keep
	SightDropped   SightOutcome = "dropped"         // no result; missing: drop
	SightRefused   SightOutcome = "refuses"         // no result; missing: refuse
	SightOtherZone SightOutcome = "in another zone" // its broker name is left out
)

// A MemberSight is what became of one broker of a route.
type MemberSight struct {
	Cluster, Broker string
	ID              int64 // as registered
	ShownID         int64 // 0 where it stands in for a lost master
	Acting          bool  // it does
	Zone            string
	Registered      string    // address
	LastHeardMillis int64     // when it was last heard of, in milliseconds of the Table's clock; -1 if that is not known
	State           LiveState // how far it is known since a restart; 0 if that is not known
	Suspect         bool      // it is due to leave, and held back
	Rule            int       // number of the rule, from 1; 0 if none
	RuleText        string
	Result          string // what the client is told; "" if nothing
	Outcome         SightOutcome
	Why             string // there is no result
}

// A HorizonTrial is whether a client belongs to a horizon, and why.
type HorizonTrial struct {
	Horizon string
	Fits    bool
	Why     string
}

// An Explanation says what a client is told of a topic, and why.
type Explanation struct {
	Topic   string
	Horizon string         // "" is the common one
	Trials  []HorizonTrial // in order, up to the one that fits
	Members []MemberSight  // in the order of the route: by broker name, then by registered ID
	Refused string         // why there is no answer; "" if there is one
	// NoneLeft says that it is refused because no broker is left that may be told of.
	NoneLeft bool
	Body     []byte // the answer, byte for byte; nil if there is none
}

// Explain says what a client is told of a topic in the given form, and why. It counts
// nothing and keeps nothing. hs may be nil; all arguments are borrowed.
func (v *View) Explain(hs *Horizons, w *Client, topic []byte, f *RouteForm) (Explanation, error) {
	x := Explanation{Topic: string(topic)}
	var h *Horizon
	if hs != nil {
		for _, try := range hs.all {
			ok, why := try.match.fits(w)
			x.Trials = append(x.Trials, HorizonTrial{try.name, ok, why})
			if ok {
				h = try
				break
			}
		}
	}
	x.Horizon = h.Name()
	e, ok := v.Topic(topic)
	if !ok {
		return x, ErrNoTopic
	}
	var s *sight
	seen := map[sightOwner]*MemberSight{}
	if h != nil && !h.isCommon() && !strings.HasPrefix(e.name, syncBrokerMemberPrefix) {
		s = &sight{h: h, each: func(m *MemberSight) { seen[sightOwner{m.Broker, m.Registered}] = m }}
	}
	body := v.encodeRoute(nil, e, f, s)
	if s != nil && (len(body) == 0 || body[0] != '{') {
		x.Refused, x.NoneLeft = (&HorizonRefusal{h.name, string(body)}).Error(), len(body) == 0
	} else {
		x.Body = body
	}
	x.Members = v.memberSights(e, f, seen)
	for i := range x.Members {
		if m := &x.Members[i]; m.Rule > 0 {
			m.RuleText = h.rules[m.Rule-1].String()
		}
	}
	return x, nil
}

// memberSights returns what became of each broker of a topic. seen is what became of
// those that a horizon has looked at.
func (v *View) memberSights(e *TopicEntry, f *RouteForm, seen map[sightOwner]*MemberSight) (all []MemberSight) {
	data := v.PickupTopicRouteData(e, f.Acting)
	here := map[string]bool{}
	filtered := v.PickupTopicRouteData(e, f.Acting)
	if f.InZone {
		FilterByZone(&filtered, window(f.Zone))
	}
	for _, b := range filtered.BrokerDatas {
		here[b.BrokerName] = true
	}
	for _, b := range data.BrokerDatas {
		set, _ := v.brokers.byName.get(b.BrokerName)
		for i, id := range set.idsOf(b.BrokerAddrs) {
			a := b.BrokerAddrs[i]
			m := MemberSight{Registered: a.Addr, Result: a.Addr, Outcome: SightAsIs}
			if s := seen[sightOwner{b.BrokerName, a.Addr}]; s != nil {
				m = *s
			} else if !here[b.BrokerName] {
				m.Result, m.Outcome = "", SightOtherZone
			}
			m.Cluster, m.Broker, m.ID, m.ShownID, m.Acting, m.Zone = b.Cluster, b.BrokerName, id, a.ID, id != a.ID, b.ZoneName
			m.LastHeardMillis = -1
			if live, ok := v.Live([]byte(b.Cluster), []byte(a.Addr)); ok {
				m.LastHeardMillis, m.State, m.Suspect = live.LastUpdateMillis(), live.State(), live.IsSuspect()
			}
			all = append(all, m)
		}
	}
	return all
}
