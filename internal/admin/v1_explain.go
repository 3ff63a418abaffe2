package admin

import (
	"context"
	"runtime"
	"strings"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// An explainAnswer says what clients are told of something, and the steps to it.
type explainAnswer struct {
	Generation string `json:"generation"`
	Topic      string `json:"topic,omitempty"`
	Broker     string `json:"broker,omitempty"`
	Verdict    string `json:"verdict"`
	Steps      steps  `json:"steps"`
}

// explainTopic gathers what explainTopic goes by.
func (a *Admin) explainTopic(q *query) (any, error) {
	ask := namesrv.RouteQuestion{Topic: q.PathValue("t"), Version: codec.Version}
	askAs(q, &ask)
	if err := q.fault(); err != nil {
		return nil, err
	}
	told, cfg := a.server.TellRoute(&ask), a.server.Config()
	f := &topicFacts{
		boot: a.boot, name: ask.Topic, zone: ask.Zone, told: told, brokers: a.survey(told.View), acting: cfg.SupportActingMaster,
		wait: a.server.Health().Gate, ordered: cfg.OrderMessageEnable, peers: a.server.PeerTopics(ask.Topic),
	}
	for ns, entry := range a.server.KVConfig(orderNamespace, ask.Topic) {
		if ns == orderNamespace && entry.Name == ask.Topic {
			f.order, f.hasOrder = entry.Value, true
		}
		break
	}
	if _, ok := told.View.Topic([]byte(ask.Topic)); ok {
		f.permission = a.lastPermissions(ask.Topic)
		for _, l := range a.server.History().Losses([]byte(ask.Topic), mostLosses+1) {
			lost := loss{broker: l.Broker}
			if l.End.Seq > 0 {
				lost.ended = a.withParent(l.End)
			}
			f.losses = append(f.losses, lost)
		}
	} else {
		f.near, f.notLooked = a.nearNames(q.Context(), ask.Topic)
		a.addPast(f)
	}
	answer := explainAnswer{Generation: a.generation(told.View), Topic: ask.Topic}
	answer.Verdict, answer.Steps = explainTopic(f)
	return answer, nil
}

// orderNamespace is where order configurations are.
// Java: NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG.
const orderNamespace = "ORDER_TOPIC_CONFIG"

// permissionEvents are the types of events that change what may be done with all topics of
// a broker name.
var permissionEvents = []route.JournalType{route.JournalPermWiped, route.JournalPermRestored, route.JournalSetActing}

// lastPermissions returns the last event that changed, or may have changed, what may be
// done with a topic, by broker name: of one that names the topic, or is about all.
func (a *Admin) lastPermissions(topic string) map[string]route.JournalEvent {
	last := map[string]route.JournalEvent{}
	for _, f := range []*route.JournalFilter{{Types: permissionEvents}, {Topic: topic}} {
		for _, e := range a.server.Journal().Last(f, 0) {
			for _, name := range append([]string{e.Broker}, e.Details.Brokers...) {
				if name != "" && last[name].Seq < e.Seq {
					last[name] = e
				}
			}
		}
	}
	return last
}

// addPast adds what is known of a topic that is not there.
func (a *Admin) addPast(f *topicFacts) {
	f.oldest = a.server.Journal().Oldest()
	if past, ok := a.server.History().Topic([]byte(f.name)); ok {
		f.past = &past
		if past.Until.Seq > 0 {
			f.ended = a.withParent(past.Until)
		}
		return
	}
	if e, ok := a.endOfTopic(f.name); ok {
		f.ended, f.isGuess = a.withParent(e), true
	}
}

// withParent returns an event, and before it those that brought it about: the broker that
// was the last of a removed set, or that another one took the place of, whose registration
// lists other topics.
func (a *Admin) withParent(e route.JournalEvent) []route.JournalEvent {
	const near = 8 // between two events of one change others may come that are of no table
	if e.Parent == 0 {
		return []route.JournalEvent{e}
	}
	events, _, err := a.server.Journal().Read(max(e.Parent, near)-near, nil, near)
	if err != nil {
		return []route.JournalEvent{e}
	}
	for i := len(events) - 1; i >= 0; i-- {
		p := events[i]
		if e.Type == route.JournalSetRemoved && p.Seq == e.Parent ||
			e.Type == route.JournalTopicsChanged && p.Type == route.JournalBrokerDisplaced && p.Broker == e.Broker && p.Details.ByAddr == e.Addr {
			return []route.JournalEvent{p, e}
		}
	}
	return []route.JournalEvent{e}
}

// nearNames returns up to 10 topics with the letters of a name that is none: in other case,
// or with blanks around. It goes through the list of names that pages of topics share,
// which costs much where it is not there yet: so few do it at a time, and who waits for
// too long is told that nobody has looked.
func (a *Admin) nearNames(ctx context.Context, name string) (near []string, notLooked string) {
	leave, ok := a.guard.enterHeavy(ctx)
	if !ok {
		return nil, "others ask for much at this moment"
	}
	defer leave()
	name = strings.TrimSpace(name)
	names, _ := a.sortedNames()
	for i, other := range names {
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
		if strings.EqualFold(strings.TrimSpace(other), name) && len(near) < mostNamed {
			near = append(near, other)
		}
	}
	return near, ""
}

// explainBroker gathers what explainBroker goes by.
func (a *Admin) explainBroker(q *query) (any, error) {
	name, v, cfg, health := q.PathValue("b"), a.server.View(), a.server.Config(), a.server.Health()
	journal := a.server.Journal()
	f := &brokerFacts{
		boot: a.boot, name: name, view: v, brokers: a.survey(v), acting: cfg.SupportActingMaster, gated: health.Gate > 0, wait: health.Gate,
		wiped: a.wipedNames(v)[name], last: a.eventsOfBroker(name, shownEvents),
		gone: journal.Last(&route.JournalFilter{Types: departures, Broker: name}, 0),
	}
	if b, ok := v.Broker([]byte(name)); ok {
		f.topics = b.TopicCount()
	}
	if last := journal.Last(&route.JournalFilter{Types: permissionEvents, Broker: name}, 1); len(last) > 0 {
		f.permission = &last[0]
	}
	answer := explainAnswer{Generation: a.generation(v), Broker: name}
	answer.Verdict, answer.Steps = explainBroker(f)
	return answer, nil
}
