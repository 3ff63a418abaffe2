package admin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// A factWorld makes the facts of explanations from a table of its own: no server, and no
// clock.
type factWorld struct {
	t     *testing.T
	table *route.Table
	now   int64
}

func newFactWorld(t *testing.T) *factWorld {
	return &factWorld{t: t, table: route.New(route.Options{}), now: 1_000_000}
}

// register registers a broker of cluster c with queues of a permission for each topic.
func (w *factWorld) register(name string, id int64, addr string, perm int32, topics []string, change ...func(*route.Registration)) {
	w.t.Helper()
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: w.now, Counter: 1}}
	for _, topic := range topics {
		body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(topic), Key: []byte(topic), ReadQueueNums: 4, WriteQueueNums: 4, Perm: perm})
	}
	r := &route.Registration{WallMillis: w.now, Body: &body}
	r.Cluster, r.BrokerName, r.BrokerID, r.BrokerAddr, r.TimeoutMillis = "c", name, id, addr, 120_000
	for _, f := range change {
		f(r)
	}
	if _, err := w.table.RegisterBroker(w.now, r); err != nil {
		w.t.Fatal(err)
	}
}

// facts are what is known of a topic. told makes of them what a client in a zone is told.
func (w *factWorld) facts(topic, zone string, acting bool) *topicFacts {
	w.t.Helper()
	v := w.table.View()
	f := &topicFacts{boot: "b", name: topic, zone: zone, brokers: w.survey(v, acting), acting: acting}
	form := route.RouteForm{Acting: acting, InZone: zone != "", Zone: []byte(zone), Dialect: codec.DialectStrict}
	x, err := v.Explain(nil, &route.Client{}, []byte(topic), &form)
	f.told = namesrv.RouteTold{View: v, Why: x, Body: x.Body, Dialect: codec.DialectStrict}
	if err != nil {
		f.told.Code = codec.RespTopicNotExist
	}
	return f
}

func (w *factWorld) survey(v *route.View, acting bool) *survey {
	sv := &survey{view: v, now: time.UnixMilli(w.now)}
	for b := range v.Brokers() {
		s := &surveyed{broker: b, clusters: []string{"c"}, masterless: !b.HasMaster()}
		for m := range b.Members() {
			role := map[bool]string{true: "master", false: "slave"}[m.ID == 0]
			if s.masterless && acting && b.EnableActingMaster && m == b.First() {
				role = "actingMaster"
			}
			s.members = append(s.members, surveyedMember{Member: m, role: role, state: stateLive})
		}
		sv.sets = append(sv.sets, s)
	}
	slices.SortFunc(sv.sets, func(a, b *surveyed) int { return strings.Compare(a.broker.Name, b.broker.Name) })
	return sv
}

func wantsActing(r *route.Registration) { r.EnableActingMaster = true }

func inZone(zone string) func(*route.Registration) {
	return func(r *route.Registration) { r.ZoneName, r.HasZoneName = zone, true }
}

// TestExplainTopic goes through each verdict and each thing that a step can say.
func TestExplainTopic(t *testing.T) {
	topics := []string{"T", "U"}
	two := func(w *factWorld) {
		w.register("a", 0, "10.0.0.1:1", 6, topics, inZone("z1"))
		w.register("b", 0, "10.0.0.2:1", 6, topics, inZone("z2"))
	}
	for _, tc := range []struct {
		name    string
		world   func(w *factWorld)
		topic   string
		zone    string
		acting  bool
		change  func(f *topicFacts)
		verdict string
		check   string // of the step that says it
		result  string
		says    string
		last    bool // it is the last step of its check, not the first
	}{
		{name: "routed", world: two, verdict: verdictRouted, check: "broker", result: stepOK, says: `broker "a": 4 read and 4 write queues for read, write`},
		{name: "known", world: two, verdict: verdictRouted, check: "name", result: stepOK, says: "known"},
		{name: "open", world: two, verdict: verdictRouted, check: "gate", result: stepOK, says: "given"},
		{name: "size", world: two, verdict: verdictRouted, check: "size", result: stepOK, says: "strict dialect"},
		{name: "too large", world: two, change: func(f *topicFacts) { f.told.Body = make([]byte, largeBody) }, verdict: verdictRouted, check: "size", result: stepWarning, says: "8388608 bytes"},
		{name: "gated", world: two, change: func(f *topicFacts) {
			f.told = namesrv.RouteTold{View: f.told.View, Gated: true, Code: codec.RespSystemError}
			f.wait = 33 * time.Second
		}, verdict: verdictGated, check: "gate", result: stepFailed, says: "33 s more"},
		{name: "gated, brokers are shown", world: two, change: func(f *topicFacts) {
			f.told = namesrv.RouteTold{View: f.told.View, Gated: true, Code: codec.RespSystemError}
		}, verdict: verdictGated, check: "broker", result: stepOK, says: "4 read"},
		{name: "gated after a restart", world: two, topic: "none", change: func(f *topicFacts) { f.told.Gated = true }, verdict: verdictGated, check: "gate", result: stepFailed, says: "have registered again"},
		{name: "zone leaves one out", world: two, zone: "z1", verdict: verdictPartly, check: "broker", result: stepFailed, says: `its zone is "z2"`},
		{name: "zone says whom", world: two, zone: "z1", verdict: verdictPartly, check: "zone", result: stepInfo, says: `not told of "b"`},
		{name: "zone of all", world: two, zone: "elsewhere", verdict: verdictNotRouted, check: "zone", result: stepInfo, says: `not told of "a", "b"`},
		{name: "brokers without zone", world: func(w *factWorld) { w.register("a", 0, "10.0.0.1:1", 6, topics) }, zone: "z1", verdict: verdictNotRouted, check: "broker", result: stepFailed, says: "it has no zone"},
		{name: "all in the zone", world: func(w *factWorld) { w.register("a", 0, "10.0.0.1:1", 6, topics, inZone("Z1")) }, zone: "z1", verdict: verdictRouted, check: "zone", result: stepOK, says: "all brokers"},
		{name: "refused by a horizon", world: two, change: func(f *topicFacts) {
			f.told.Why.Horizon, f.told.Why.Refused, f.told.Body = "h", "no rule", nil
		}, verdict: verdictNotRouted, check: "horizon", result: stepFailed, says: "no rule"},
		{name: "of a horizon", world: two, change: func(f *topicFacts) { f.told.Why.Horizon = "h" }, verdict: verdictRouted, check: "horizon", result: stepInfo, says: `"h"`},
		{name: "one suspect", world: two, change: func(f *topicFacts) { f.brokers.sets[1].members[0].state = stateSuspect }, verdict: verdictPartly, check: "broker", result: stepWarning, says: "suspect"},
		{name: "one overdue", world: two, change: func(f *topicFacts) { f.brokers.sets[0].members[0].state = stateOverdue }, verdict: verdictRouted, check: "broker", result: stepWarning, says: "overdue"},
		{name: "one restored", world: two, change: func(f *topicFacts) { f.brokers.sets[0].members[0].state = stateRestored }, verdict: verdictRouted, check: "broker", result: stepWarning, says: "restored"},
		{name: "one wiped", world: func(w *factWorld) { two(w); w.table.WipeWritePermOfBroker("b") }, change: func(f *topicFacts) {
			f.permission = map[string]route.JournalEvent{"b": {Seq: 7, Type: route.JournalPermWiped, Broker: "b", Details: &route.EventDetails{}}}
		}, verdict: verdictPartly, check: "broker", result: stepWarning, says: "for read; clients may not do all with it, since #7 perm.wiped"},
		{name: "all wiped", world: func(w *factWorld) {
			two(w)
			w.table.WipeWritePermOfBroker("a")
			w.table.WipeWritePermOfBroker("b")
		}, verdict: verdictReadOnly, check: "broker", result: stepWarning, says: "for read;"},
		{name: "nothing allowed", world: func(w *factWorld) { w.register("a", 0, "10.0.0.1:1", 0, topics) }, verdict: verdictReadOnly, check: "broker", result: stepWarning, says: "for nothing;"},
		{name: "acting", world: func(w *factWorld) { w.register("a", 1, "10.0.0.1:1", 4, topics, wantsActing) }, acting: true, verdict: verdictReadOnly, check: "broker", result: stepWarning, says: "first slave is shown as master"},
		{name: "acting is off", world: func(w *factWorld) { w.register("a", 1, "10.0.0.1:1", 4, topics, wantsActing) }, verdict: verdictReadOnly, check: "broker", result: stepWarning, says: "supportActingMaster is off"},
		{name: "acting is not wanted", world: func(w *factWorld) { w.register("a", 1, "10.0.0.1:1", 4, topics) }, acting: true, verdict: verdictReadOnly, check: "broker", result: stepWarning, says: "enableActingMaster"},
		{name: "order", world: two, change: func(f *topicFacts) { f.order, f.hasOrder, f.ordered = "a:4;b:4", true, true }, verdict: verdictRouted, check: "order", result: stepInfo, says: "goes with"},
		{name: "order is off", world: two, change: func(f *topicFacts) { f.order, f.hasOrder = "a:4", true }, verdict: verdictRouted, check: "order", result: stepWarning, says: "orderMessageEnable is off"},
		{name: "order names a stranger", world: two, change: func(f *topicFacts) { f.order, f.hasOrder, f.ordered = "a:4;x:4", true, true }, verdict: verdictRouted, check: "order", result: stepWarning, says: `names "x"`},

		{name: "unknown", world: two, topic: "none", verdict: verdictNotRouted, check: "name", result: stepFailed, says: "not known"},
		{name: "other case", world: two, topic: "t", change: func(f *topicFacts) { f.near = []string{"T"} }, verdict: verdictNotRouted, check: "name", result: stepFailed, says: `"T" is: capitals`},
		{name: "not looked", world: two, topic: "t", change: func(f *topicFacts) { f.notLooked = "busy" }, verdict: verdictNotRouted, check: "name", result: stepInfo, says: "busy", last: true},
		{name: "blanks", world: two, topic: " T", verdict: verdictNotRouted, check: "name", result: stepFailed, says: "blank"},
		{name: "no name", world: two, topic: "a/b", verdict: verdictNotRouted, check: "name", result: stepFailed, says: "no broker would make it"},
		{name: "retry", world: two, topic: "%RETRY%g", verdict: verdictNotRouted, check: "name", result: stepFailed, says: `consumer group "g"`},
		{name: "dead letters", world: two, topic: "%DLQ%g", verdict: verdictNotRouted, check: "name", result: stepFailed, says: "dead-letter"},
		{name: "never", world: two, topic: "none", change: func(f *topicFacts) { f.oldest = 5 }, verdict: verdictNotRouted, check: "history", result: stepInfo, says: "from #5 on"},
		{name: "guessed", world: two, topic: "none", change: func(f *topicFacts) {
			f.isGuess, f.ended = true, []route.JournalEvent{{Seq: 9, Type: route.JournalTopicDeleted, Details: &route.EventDetails{}}}
		}, verdict: verdictNotRouted, check: "history", result: stepWarning, says: "the last that is known of it is #9 topic.deleted"},
		{name: "never said", world: two, topic: "none", verdict: verdictNotRouted, check: "brokers", result: stepInfo, says: `"a", "b"`},
		{name: "no brokers", world: func(*factWorld) {}, topic: "none", verdict: verdictNotRouted, check: "brokers", result: stepFailed, says: "no broker"},
		{name: "no creation", world: two, topic: "none", verdict: verdictNotRouted, check: "create", result: stepWarning, says: "auto-creation is off"},
		{name: "creation", world: func(w *factWorld) { two(w); w.register("d", 0, "10.0.0.4:1", 7, []string{"TBW102", "X"}) }, topic: "none", verdict: verdictNotRouted, check: "create", result: stepInfo, says: `"d" will create it on first send`},
		{name: "creation that nothing inherits", world: func(w *factWorld) { w.register("d", 0, "10.0.0.4:1", 6, []string{"TBW102", "X"}) }, topic: "none", verdict: verdictNotRouted, check: "create", result: stepWarning, says: "inherit"},
		{name: "retry topics are not created so", world: two, topic: "%RETRY%g", verdict: verdictNotRouted, check: "create"},

		{name: "a peer has it", world: two, topic: "none", change: peer(namesrv.PeerTopic{Differs: true, Has: true}), verdict: verdictNotRouted, check: "peer", result: stepWarning, says: `"ns2:9876" routes it`},
		{name: "a peer has it not", world: two, change: peer(namesrv.PeerTopic{Differs: true}), verdict: verdictRouted, check: "peer", result: stepWarning, says: "does not route it"},
		{name: "a peer had it not", world: two, topic: "none", change: peer(namesrv.PeerTopic{Differs: true}), verdict: verdictNotRouted, check: "peer", result: stepInfo, says: "differed"},
		{name: "a peer agrees", world: two, change: peer(namesrv.PeerTopic{}), verdict: verdictRouted, check: "peer", result: stepInfo, says: "said the same"},
		{name: "a peer is not known", world: two, change: peer(namesrv.PeerTopic{Unknown: "no answer"}), verdict: verdictRouted, check: "peer", result: stepInfo, says: "no answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newFactWorld(t)
			tc.world(w)
			if tc.topic == "" {
				tc.topic = "T"
			}
			f := w.facts(tc.topic, tc.zone, tc.acting)
			if tc.change != nil {
				tc.change(f)
			}
			verdict, s := explainTopic(f)
			got := s.step(tc.check)
			if tc.last {
				for _, st := range s {
					if st.Check == tc.check {
						got = st
					}
				}
			}
			if verdict != tc.verdict || got.Result != tc.result || !strings.Contains(got.Text, tc.says) {
				t.Errorf("%s\n%+v\nwant %s, and %s: %s %q", verdict, s, tc.verdict, tc.check, tc.result, tc.says)
			}
		})
	}
}

func peer(p namesrv.PeerTopic) func(*topicFacts) {
	p.Addr, p.Checked = "ns2:9876", time.UnixMilli(1)
	return func(f *topicFacts) { f.peers = []namesrv.PeerTopic{p} }
}

// TestExplainTopicOfMany: a topic of very many brokers has no more than so many steps, and
// those of brokers that are not as they should be come first.
func TestExplainTopicOfMany(t *testing.T) {
	w := newFactWorld(t)
	for i := range 3 * mostSteps {
		w.register("b"+string(rune('0'+i/100))+string(rune('0'+i/10%10))+string(rune('0'+i%10)), 0, "10.0.0.1:1", 6, []string{"T", "U"}, func(r *route.Registration) {
			r.BrokerAddr = "10.0.0.1:" + r.BrokerName[1:]
		})
	}
	w.table.WipeWritePermOfBroker("b299")
	verdict, s := explainTopic(w.facts("T", "", false))
	if got := s.step("broker"); verdict != verdictPartly || len(s) > mostSteps+10 || !strings.Contains(got.Text, "b299") || !strings.Contains(s.step("brokers").Text, "200 more") {
		t.Errorf("%s, %d steps, the first of a broker: %+v", verdict, len(s), got)
	}
}

// TestExplainBroker goes through the verdicts and what their steps say.
func TestExplainBroker(t *testing.T) {
	topics := []string{"T", "U"}
	master := func(w *factWorld) { w.register("a", 0, "10.0.0.1:1", 6, topics) }
	for _, tc := range []struct {
		name    string
		world   func(w *factWorld)
		broker  string
		acting  bool
		change  func(f *brokerFacts)
		verdict string
		check   string
		result  string
		says    string
	}{
		{"routed", master, "a", false, nil, verdictRouted, "member", stepOK, "master 0 at"},
		{"topics", master, "a", false, nil, verdictRouted, "topics", stepOK, "2 topics"},
		{"no topics", master, "a", false, func(f *brokerFacts) { f.topics = 0 }, verdictRouted, "topics", stepWarning, "no topic"},
		{"gated", master, "a", false, func(f *brokerFacts) { f.gated, f.wait = true, time.Second }, verdictGated, "gate", stepFailed, "1 s more"},
		{"wiped", master, "a", false, func(f *brokerFacts) {
			f.wiped, f.permission = true, &route.JournalEvent{Seq: 3, Type: route.JournalPermWiped, Details: &route.EventDetails{}}
		}, verdictReadOnly, "topics", stepWarning, "since #3 perm.wiped"},
		{"suspect", master, "a", false, func(f *brokerFacts) { f.brokers.sets[0].members[0].state = stateSuspect }, verdictPartly, "member", stepWarning, "suspect"},
		{"masterless", func(w *factWorld) { w.register("a", 1, "10.0.0.1:1", 4, topics) }, "a", true, nil, verdictReadOnly, "master", stepFailed, "enableActingMaster"},
		{"acting is off", func(w *factWorld) { w.register("a", 1, "10.0.0.1:1", 4, topics, wantsActing) }, "a", false, nil, verdictReadOnly, "master", stepFailed, "supportActingMaster is off"},
		{"acting", func(w *factWorld) { w.register("a", 1, "10.0.0.1:1", 4, topics, wantsActing) }, "a", true, nil, verdictReadOnly, "master", stepWarning, "shown as master"},
		{"zone", func(w *factWorld) { w.register("a", 0, "10.0.0.1:1", 6, topics, inZone("z1")) }, "a", false, nil, verdictRouted, "zone", stepInfo, `"z1"`},
		{"lost", master, "a", false, gone(route.JournalBrokerExpired, 1, 0), verdictPartly, "lost", stepWarning, "member 1"},
		{"lost long ago", master, "a", false, gone(route.JournalBrokerExpired, 1, lostTime+time.Millisecond), verdictRouted, "lost", "", ""},
		{"farewell", master, "a", false, gone(route.JournalBrokerUnregistered, 1, 0), verdictRouted, "lost", "", ""},
		{"back", master, "a", false, gone(route.JournalBrokerConnectionLost, 0, 0), verdictRouted, "lost", "", ""},
		{"unknown", master, "b", false, nil, verdictNotRouted, "name", stepFailed, "not registered"},
		{"other case", master, " A", false, nil, verdictNotRouted, "name", stepFailed, `"a" is: capitals`},
		{"a cluster", master, "c", false, nil, verdictNotRouted, "name", stepFailed, "name of a cluster"},
		{"all gone", master, "b", false, gone(route.JournalBrokerExpired, 0, 0), verdictNotRouted, "lost", stepWarning, "member 0"},
		{"no events", master, "a", false, nil, verdictRouted, "history", stepInfo, "no event"},
		{"events", master, "a", false, func(f *brokerFacts) {
			f.last = []route.JournalEvent{{Seq: 4, Type: route.JournalSetMinID, Details: &route.EventDetails{}}}
		}, verdictRouted, "history", stepInfo, "#4 set.minId"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newFactWorld(t)
			tc.world(w)
			v := w.table.View()
			f := &brokerFacts{boot: "b", name: tc.broker, view: v, brokers: w.survey(v, tc.acting), acting: tc.acting, topics: 2}
			if tc.change != nil {
				tc.change(f)
			}
			verdict, s := explainBroker(f)
			if got := s.step(tc.check); verdict != tc.verdict || got.Result != tc.result || !strings.Contains(got.Text, tc.says) {
				t.Errorf("%s\n%+v\nwant %s, and %s: %s %q", verdict, s, tc.verdict, tc.check, tc.result, tc.says)
			}
		})
	}
}

// gone says that a member has gone so long ago.
func gone(kind route.JournalType, id int64, ago time.Duration) func(*brokerFacts) {
	return func(f *brokerFacts) {
		f.gone = []route.JournalEvent{{
			Seq: 1, Type: kind, Broker: f.name, BrokerID: id, Addr: "10.0.0.9:1", AtMillis: f.brokers.now.Add(-ago).UnixMilli(), Details: &route.EventDetails{},
		}}
	}
}
