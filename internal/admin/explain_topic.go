package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// topicFacts are all that an explanation of a topic goes by.
type topicFacts struct {
	boot string // of the server, for generations of events
	name string
	zone string // of who asks

	told       namesrv.RouteTold // to who asks; with the View
	brokers    *survey           // of that View
	acting     bool              // supportActingMaster
	wait       time.Duration     // for which needWaitForService will refuse routes
	order      string            // its order configuration
	hasOrder   bool
	ordered    bool                          // orderMessageEnable
	permission map[string]route.JournalEvent // by broker name, the last event that changed what may be done with the topic
	peers      []namesrv.PeerTopic
	losses     []loss // of who had it and has it no longer, the last one first

	// Of a topic that is not there.
	near      []string // names with the same letters
	notLooked string   // why nobody has looked for them
	past      *route.Past
	ended     []route.JournalEvent // what ended it: the event that took it away, and before it the one that brought this about
	isGuess   bool                 // ended is just the last that is known
	oldest    uint64               // event that is kept
}

// A loss is a broker name that has lost the topic while others have it, and what brought
// that about: the event that did, and before it the one that this follows from.
type loss struct {
	broker string
	ended  []route.JournalEvent // none: not kept any more
}

// explainTopic says what a client is told of a topic, and why.
func explainTopic(f *topicFacts) (verdict string, s steps) {
	entry, there := f.told.View.Topic([]byte(f.name))
	f.explainName(&s, there)
	s.explainGate(f.told.Gated, f.wait)
	if there {
		verdict = f.explainBrokers(&s, entry)
		f.explainLosses(&s)
		if verdict == verdictRouted && len(f.losses) > 0 {
			verdict = verdictPartly
		}
		f.explainZone(&s)
		f.explainHorizon(&s)
		f.explainOrder(&s, entry)
		f.explainSize(&s)
	} else {
		verdict = verdictNotRouted
		f.explainHistory(&s)
		f.explainNever(&s)
		f.explainCreation(&s)
	}
	f.explainPeers(&s, there)
	if f.told.Gated {
		verdict = verdictGated
	}
	return verdict, s
}

// The beginnings of topics that brokers make for consumer groups.
// Java: MixAll.
const (
	retryPrefix = "%RETRY%"
	dlqPrefix   = "%DLQ%"
)

func (f *topicFacts) explainName(s *steps, there bool) {
	group, isRetry := strings.CutPrefix(f.name, retryPrefix)
	dlqGroup, isDLQ := strings.CutPrefix(f.name, dlqPrefix)
	switch {
	case there:
		s.add("name", stepOK, nil, "it is known")
	case len(f.near) > 0:
		s.add("name", stepFailed, facts{"near": f.near}, "it is not known, and %s is: capitals and blanks count", someNames(f.near))
	case strings.TrimSpace(f.name) != f.name:
		s.add("name", stepFailed, nil, "it is not known, and begins or ends with a blank")
	case !isTopicName(f.name):
		s.add("name", stepFailed, nil, "it is not known, and no broker would make it: a name is 1 to 127 of the characters %%, |, _, -, a-z, A-Z, 0-9")
	case isRetry:
		s.add("name", stepFailed, facts{"group": group}, "it is the retry topic of consumer group %s, which no broker knows: the first consumer of the group that connects makes it", quoted(group))
	case isDLQ:
		s.add("name", stepFailed, facts{"group": dlqGroup}, "it is the dead-letter topic of consumer group %s: the first message that fails for good makes it", quoted(dlqGroup))
	default:
		s.add("name", stepFailed, nil, "it is not known")
	}
	if f.notLooked != "" {
		s.add("name", stepInfo, nil, "nobody has looked for names with the same letters: %s", f.notLooked)
	}
}

// isTopicName reports whether a broker would make a topic of this name.
// Java: TopicValidator#validateTopic.
func isTopicName(name string) bool {
	return name != "" && len(name) <= 127 && strings.Trim(name, "%|_-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// mostSteps is how many broker sets of a topic have a step of their own.
const mostSteps = 100

// An offered is what one broker set has of a topic.
type offered struct {
	route.Offer
	shown, master, acting bool // to who asks: some member, one as master, a slave as master
	suspect               bool // a member is
	otherZone             bool // than who asks
}

// write says whether who asks can send to it.
func (o *offered) write() bool { return o.master && o.Perm&permWrite != 0 }

func (o *offered) isWhole() bool { return o.shown && o.write() && o.Perm&permRead != 0 && !o.suspect }

// explainBrokers has a step for each broker set, those that are not as they should be
// first.
func (f *topicFacts) explainBrokers(s *steps, entry *route.TopicEntry) string {
	var all []*offered
	byName := map[string]*offered{}
	for o := range f.told.View.Offers(entry) {
		of := &offered{Offer: o, shown: f.told.Gated, master: f.told.Gated && o.Broker.HasMaster()}
		all, byName[o.Broker.Name] = append(all, of), of
		if set := f.brokers.set(o.Broker.Name); set != nil {
			of.suspect = slices.ContainsFunc(set.members, func(m surveyedMember) bool { return m.state == stateSuspect })
		}
	}
	for _, m := range f.told.Why.Members {
		of := byName[m.Broker]
		switch {
		case of == nil:
		case m.Outcome == route.SightOtherZone:
			of.otherZone = true
		case m.Outcome != route.SightDropped && m.Outcome != route.SightRefused:
			of.shown, of.acting = true, of.acting || m.Acting
			of.master = of.master || m.ShownID == 0
		}
	}
	if f.told.Why.Refused != "" {
		for _, of := range all {
			of.shown, of.master = false, false
		}
	}
	slices.SortFunc(all, func(a, b *offered) int {
		return cmp.Or(cmp.Compare(b2i(a.isWhole()), b2i(b.isWhole())), strings.Compare(a.Broker.Name, b.Broker.Name))
	})
	shown, writable, whole := 0, 0, 0
	for i, of := range all {
		shown, writable, whole = shown+b2i(of.shown), writable+b2i(of.write()), whole+b2i(of.isWhole())
		if i < mostSteps {
			f.explainBroker(s, of)
		}
	}
	if more := len(all) - mostSteps; more > 0 {
		s.add("brokers", stepInfo, facts{"more": more}, "%d more broker sets have it, no worse than these", more)
	}
	switch {
	case shown == 0:
		return verdictNotRouted
	case writable == 0:
		return verdictReadOnly
	case whole < len(all):
		return verdictPartly
	}
	return verdictRouted
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (f *topicFacts) explainBroker(s *steps, o *offered) {
	b := o.Broker
	data := facts{"broker": b.Name, "cluster": b.Cluster, "readQueueNums": o.ReadQueueNums, "writeQueueNums": o.WriteQueueNums, "perm": o.Perm, "shown": o.shown}
	result, members := stepOK, []facts{}
	text := fmt.Sprintf("broker %s: %d read and %d write queues for %s", quoted(b.Name), o.ReadQueueNums, o.WriteQueueNums, permText(o.Perm))
	worse := func(r, format string, args ...any) {
		text += "; " + fmt.Sprintf(format, args...)
		if r == stepFailed || result == stepOK {
			result = r
		}
	}
	if set := f.brokers.set(b.Name); set != nil {
		for i := range set.members {
			m := &set.members[i]
			said, d := explainMember(m)
			if len(members) < mostNamed {
				members = append(members, d)
			}
			if m.state != stateLive {
				worse(stepWarning, "%s", said)
			}
		}
	}
	data["members"] = members
	switch {
	case o.acting:
		worse(stepWarning, "it has no master, and its first slave is shown as master")
	case !b.HasMaster():
		why := whyNotActing(f.acting, b.EnableActingMaster, o.Perm)
		data["notActing"] = why
		worse(stepWarning, "it has no master, and no slave is shown as master: %s", why)
	}
	if o.Perm&permWrite == 0 || o.Perm&permRead == 0 {
		worse(stepWarning, "clients may not do all with it")
		if e, ok := f.permission[b.Name]; ok {
			data["event"] = eventOf(f.boot, &e)
			text += ", since " + eventText(&e)
		}
	}
	if o.Perm&permRead != 0 && o.ReadQueueNums == 0 || o.Perm&permWrite != 0 && o.WriteQueueNums == 0 {
		worse(stepWarning, "it has no queues for that")
	}
	switch {
	case o.otherZone && !b.HasZoneName:
		worse(stepFailed, "it is left out: it has no zone, and a master")
	case o.otherZone:
		worse(stepFailed, "it is left out: its zone is %s", quoted(b.ZoneName))
	case !o.shown:
		worse(stepFailed, "it is left out by the horizon")
	}
	s.add("broker", result, data, "%s", text)
}

func (f *topicFacts) explainZone(s *steps) {
	if f.zone == "" || f.told.Gated {
		return
	}
	var out []string
	for _, m := range f.told.Why.Members {
		if m.Outcome == route.SightOtherZone && !slices.Contains(out, m.Broker) {
			out = append(out, m.Broker)
		}
	}
	data := facts{"zone": f.zone, "removed": firstNames(out), "count": len(out)}
	if len(out) == 0 {
		s.add("zone", stepOK, data, "a client in zone %s is told of all brokers", quoted(f.zone))
		return
	}
	s.add("zone", stepInfo, data, "a client in zone %s is not told of %s", quoted(f.zone), someNames(out))
}

func (f *topicFacts) explainHorizon(s *steps) {
	why := &f.told.Why
	if why.Horizon == "" {
		return
	}
	data := facts{"horizon": why.Horizon}
	if why.Refused != "" {
		s.add("horizon", stepFailed, data, "a client of horizon %s gets no answer: %s", quoted(why.Horizon), why.Refused)
		return
	}
	s.add("horizon", stepInfo, data, "a client of horizon %s is told other addresses", quoted(why.Horizon))
}

func (f *topicFacts) explainOrder(s *steps, entry *route.TopicEntry) {
	if !f.hasOrder {
		return
	}
	data := facts{"config": f.order}
	if !f.ordered {
		s.add("order", stepWarning, data, "it has an order configuration that nobody is told: orderMessageEnable is off")
		return
	}
	var none []string
	for part := range strings.SplitSeq(f.order, ";") {
		name, _, _ := strings.Cut(part, ":")
		serves := false
		for o := range f.told.View.Offers(entry) {
			serves = serves || o.Broker.Name == name
		}
		if !serves && name != "" && len(none) <= mostNamed {
			none = append(none, name)
		}
	}
	if len(none) > 0 {
		data["without"] = firstNames(none)
		s.add("order", stepWarning, data, "its order configuration names %s, who does not serve it: who sends in order to it fails", someNames(none))
		return
	}
	s.add("order", stepInfo, data, "its order configuration goes with the route")
}

// largeBody is from where on a route is worth a warning: clients take 16 MiB.
// Java: NettySystemConfig, com.rocketmq.remoting.frameMaxLength.
const largeBody = 8 << 20

func (f *topicFacts) explainSize(s *steps) {
	if f.told.Body == nil {
		return
	}
	result, dialect := stepOK, "legacy"
	if f.told.Dialect == codec.DialectStrict {
		dialect = "strict"
	}
	if len(f.told.Body) >= largeBody {
		result = stepWarning
	}
	s.add("size", result, facts{"dialect": dialect, "bytes": len(f.told.Body)}, "the answer has %d bytes, in the %s dialect", len(f.told.Body), dialect)
}

// mostLosses is how many broker sets that had a topic have a step of their own.
const mostLosses = 20

// explainLosses says who had a topic that others have.
func (f *topicFacts) explainLosses(s *steps) {
	for i := range f.losses {
		l := &f.losses[i]
		if i == mostLosses {
			s.add("history", stepWarning, nil, "more broker sets had it")
			return
		}
		data := facts{"broker": l.broker, "events": []eventAnswer{}}
		if len(l.ended) == 0 {
			s.add("history", stepWarning, data, "broker %s had it; what ended that is not kept any more", quoted(l.broker))
			continue
		}
		events, ended := f.endedBy(l.ended)
		data["events"], data["until"] = events, events[0].Time
		s.add("history", stepWarning, data, "broker %s had it until %s; ended by %s", quoted(l.broker), atTime(l.ended[0].AtMillis), ended)
	}
}

// endedBy shows the events that ended something.
func (f *topicFacts) endedBy(ended []route.JournalEvent) (events []eventAnswer, text string) {
	events, texts := []eventAnswer{}, []string{}
	for i := range ended {
		events, texts = append(events, eventOf(f.boot, &ended[i])), append(texts, eventText(&ended[i]))
	}
	return events, strings.Join(texts, ", so ")
}

// explainHistory says who had a topic that is gone, and what ended it.
func (f *topicFacts) explainHistory(s *steps) {
	data := facts{}
	events, ended := f.endedBy(f.ended)
	data["events"] = events
	switch {
	case f.past != nil:
		had := f.had()
		data["brokers"] = firstNames(had)
		if ended == "" {
			s.add("history", stepWarning, data, "it was routed by %s; what ended it is not kept any more", someNames(had))
			return
		}
		data["until"] = events[0].Time
		s.add("history", stepWarning, data, "it was routed until %s by %s; ended by %s", atTime(f.ended[0].AtMillis), someNames(had), ended)
	case ended != "" && f.isGuess:
		s.add("history", stepWarning, data, "it was there; the last that is known of it is %s", ended)
	default:
		s.add("history", stepInfo, facts{"oldest": number(f.oldest)}, "nothing is remembered of it: neither in the last 15 minutes, nor by an event that names it, from #%d on", f.oldest)
	}
}

// had returns the names of those who had the topic, in ascending order.
func (f *topicFacts) had() (names []string) {
	if f.past == nil {
		return nil
	}
	for o := range f.past.View.Offers(f.past.Entry) {
		names = append(names, o.Broker.Name)
	}
	slices.Sort(names)
	return names
}

func (f *topicFacts) explainNever(s *steps) {
	var never []string
	had := f.had()
	for _, set := range f.brokers.sets {
		if _, ok := slices.BinarySearch(had, set.broker.Name); !ok {
			never = append(never, set.broker.Name)
		}
	}
	data := facts{"brokers": firstNames(never), "count": len(never)}
	switch {
	case len(f.brokers.sets) == 0:
		s.add("brokers", stepFailed, data, "no broker is registered")
	case len(never) == 0:
		s.add("brokers", stepInfo, data, "all brokers that are registered had it")
	default:
		s.add("brokers", stepInfo, data, "registered, and have not said that they have it: %s", someNames(never))
	}
}

// defaultTopic is from whose route a producer takes the brokers for a topic without one.
// Java: TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC.
const defaultTopic = "TBW102"

// explainCreation says whether a producer who sends to the topic would make it.
func (f *topicFacts) explainCreation(s *steps) {
	if strings.HasPrefix(f.name, retryPrefix) || strings.HasPrefix(f.name, dlqPrefix) || !isTopicName(f.name) {
		return
	}
	entry, ok := f.told.View.Topic([]byte(defaultTopic))
	if !ok {
		s.add("create", stepWarning, nil, "TBW102 is not routed: auto-creation is off, so create the topic")
		return
	}
	var making, refusing []string
	for o := range f.told.View.Offers(entry) {
		if o.Perm&permWrite != 0 && o.Perm&permInherit != 0 && o.Broker.HasMaster() {
			making = append(making, o.Broker.Name)
		} else {
			refusing = append(refusing, o.Broker.Name)
		}
	}
	slices.Sort(making)
	slices.Sort(refusing)
	data := facts{"brokers": firstNames(making), "refusing": firstNames(refusing)}
	if len(making) == 0 {
		s.add("create", stepWarning, data, "TBW102 is routed by %s, and no topic may inherit from it there: auto-creation is off, so create the topic", someNames(refusing))
		return
	}
	s.add("create", stepInfo, data, "TBW102 is routed: %s will create it on first send of a Java producer", someNames(making))
}

func (f *topicFacts) explainPeers(s *steps, there bool) {
	for i := range f.peers {
		p := &f.peers[i]
		data := facts{"peer": p.Addr, "routes": nil, "checked": stampOf(p.Checked)}
		switch {
		case p.Unknown != "":
			s.add("peer", stepInfo, data, "of name server %s it is not known: %s", quoted(p.Addr), p.Unknown)
		case p.Differs && p.Has != there:
			data["routes"] = p.Has
			text := map[bool]string{true: "routes it", false: "does not route it"}[p.Has]
			s.add("peer", stepWarning, data, "name server %s %s, as of %s", quoted(p.Addr), text, atTime(p.Checked.UnixMilli()))
		case p.Differs:
			data["routes"] = p.Has
			s.add("peer", stepInfo, data, "name server %s differed at %s, and does not now as far as is known", quoted(p.Addr), atTime(p.Checked.UnixMilli()))
		default:
			s.add("peer", stepInfo, data, "name server %s said the same of it as this one, at %s", quoted(p.Addr), atTime(p.Checked.UnixMilli()))
		}
	}
}
