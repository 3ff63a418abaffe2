package admin

import (
	"slices"
	"strings"
	"time"

	"gonamesrv/route"
)

// brokerFacts are all that an explanation of a broker name goes by.
type brokerFacts struct {
	boot string // of the server, for generations of events
	name string

	view       *route.View
	brokers    *survey // of that View
	acting     bool    // supportActingMaster
	gated      bool
	wait       time.Duration // for which needWaitForService will refuse routes
	topics     int
	wiped      bool                 // it has a master and topics, of which none may be written to
	permission *route.JournalEvent  // the last event that changed what may be done with its topics
	gone       []route.JournalEvent // with which its members have gone, oldest first
	last       []route.JournalEvent // of the name, oldest first
}

// explainBroker says what clients are told of a broker name, and why.
func explainBroker(f *brokerFacts) (verdict string, s steps) {
	set := f.brokers.set(f.name)
	f.explainName(&s, set != nil)
	s.explainGate(f.gated, f.wait)
	verdict = verdictNotRouted
	if set != nil {
		verdict = f.explainSet(&s, set)
	}
	if f.explainLost(&s) && verdict == verdictRouted {
		verdict = verdictPartly
	}
	f.explainEvents(&s)
	if f.gated {
		verdict = verdictGated
	}
	return verdict, s
}

func (f *brokerFacts) explainName(s *steps, there bool) {
	if there {
		s.add("name", stepOK, nil, "it is registered")
		return
	}
	var near, cluster []string
	for _, set := range f.brokers.sets {
		if len(near) < mostNamed && strings.EqualFold(strings.TrimSpace(set.broker.Name), strings.TrimSpace(f.name)) {
			near = append(near, set.broker.Name)
		}
		if slices.Contains(set.clusters, f.name) {
			cluster = append(cluster, set.broker.Name)
		}
	}
	switch {
	case len(near) > 0:
		s.add("name", stepFailed, facts{"near": near}, "it is not registered, and %s is: capitals and blanks count", someNames(near))
	case len(cluster) > 0:
		s.add("name", stepFailed, facts{"brokers": firstNames(cluster)}, "it is the name of a cluster, with %s", someNames(cluster))
	default:
		s.add("name", stepFailed, nil, "it is not registered")
	}
}

// explainSet has a step for each member, and one for each thing that concerns them all.
func (f *brokerFacts) explainSet(s *steps, set *surveyed) string {
	b, suspect := set.broker, false
	for i := range set.members {
		m := &set.members[i]
		suspect = suspect || m.state == stateSuspect
		if i == mostSteps {
			s.add("members", stepInfo, facts{"more": len(set.members) - i}, "%d members more", len(set.members)-i)
		}
		if i >= mostSteps {
			continue
		}
		text, data := explainMember(m)
		result := stepOK
		if m.state != stateLive {
			result = stepWarning
		}
		s.add("member", result, data, "%s", text)
	}
	switch {
	case !set.masterless:
		s.add("master", stepOK, nil, "it has a master")
	case set.members[0].role == "actingMaster":
		s.add("master", stepWarning, nil, "it has no master; of topics that nobody may write to, its first slave is shown as master")
	default:
		why := whyNotActing(f.acting, b.EnableActingMaster, 0)
		s.add("master", stepFailed, facts{"notActing": why}, "it has no master, and no slave is shown as master: %s", why)
	}
	switch {
	case f.topics == 0:
		s.add("topics", stepWarning, facts{"topics": 0}, "it has said no topic")
	case f.wiped:
		data, since := facts{"topics": f.topics, "event": nil}, ""
		if e := f.permission; e != nil {
			data["event"], since = eventOf(f.boot, e), ", since "+eventText(e)
		}
		s.add("topics", stepWarning, data, "none of its %d topics may be written to%s", f.topics, since)
	default:
		s.add("topics", stepOK, facts{"topics": f.topics}, "it has %d topics", f.topics)
	}
	if b.HasZoneName {
		s.add("zone", stepInfo, facts{"zone": b.ZoneName}, "clients of zones other than %s are not told of it", quoted(b.ZoneName))
	}
	switch {
	case set.masterless || f.wiped:
		return verdictReadOnly
	case suspect:
		return verdictPartly
	}
	return verdictRouted
}

// explainLost reports whether a member is gone that did not mean to, and has not come back.
func (f *brokerFacts) explainLost(s *steps) bool {
	lost := lostBrokers(f.view, f.gone, f.brokers.now.UnixMilli())
	for i, e := range lost {
		if i == mostNamed {
			s.add("lost", stepWarning, facts{"more": len(lost) - i}, "%d members more have gone", len(lost)-i)
			break
		}
		s.add("lost", stepWarning, facts{"event": eventOf(f.boot, e)}, "member %d at %s has gone and is not back: %s", e.BrokerID, quoted(e.Addr), eventText(e))
	}
	return len(lost) > 0
}

func (f *brokerFacts) explainEvents(s *steps) {
	if len(f.last) == 0 {
		s.add("history", stepInfo, facts{"events": []eventAnswer{}}, "no event of it is kept")
		return
	}
	events := make([]eventAnswer, 0, len(f.last))
	for i := range f.last {
		events = append(events, eventOf(f.boot, &f.last[i]))
	}
	s.add("history", stepInfo, facts{"events": events}, "the last of its events is %s", eventText(&f.last[len(f.last)-1]))
}
