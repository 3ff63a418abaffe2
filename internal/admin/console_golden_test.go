package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
)

// hostile is a name that would be a script, or another address, if it were not escaped.
const hostile = `<script>alert(1)</script>%0a"'&` + "\u202e\n"

var goldenTime = stamp(time.Date(2026, 11, 28, 12, 3, 11, 311e6, time.UTC))

func ref[T any](v T) *T { return &v }

// goldenStatus is what the strip shows. name is that of a peer.
func goldenStatus(known bool) *statusAnswer {
	st := &statusAnswer{
		Generation: "mj3k2f.1042", Time: goldenTime, Node: "ns1", Version: "1.0.0", State: "starting", Reasons: []string{"listener"}, Rates: ratesAnswer{},
		Queues: []queueState{}, Peers: &peersAnswer{}, Attention: []attentionEntry{},
	}
	if !known {
		return st
	}
	st.State, st.Reasons, st.UptimeSeconds = "ready", []string{}, 3*86400+4*3600
	st.Brokers, st.Topics.Count = brokerTotals{Sets: 4, Members: 5, Masters: 2, Masterless: 2, Overdue: 1}, 1_234_567
	st.Connections = connTotals{612, 4, 1}
	st.Rates.Requests, st.LatencyMs.LoopDelay.P99 = ref(5012.3), ref(0.3)
	st.Queues = []queueState{{"client", 0, 50000, 0}, {"liveness", 3, 20000, 12}}
	st.Memory = memoryAnswer{ref(int64(69 << 20)), 30 << 20, 1 << 20, ref(int64(1 << 30))}
	st.Files = filesAnswer{ref(int64(640)), ref(int64(65536))}
	st.Peers = &peersAnswer{Configured: 2, Differ: 1}
	return st
}

func goldenBroker(name, cluster string, masterless bool, members ...memberAnswer) brokerAnswer {
	return brokerAnswer{Broker: name, Clusters: []string{cluster}, Masterless: masterless, Topics: 40000, Members: members}
}

func goldenMember(id int64, addr, role, state string, age int64) memberAnswer {
	m := memberAnswer{BrokerID: number(id), Addr: addr, Role: role, State: state, FilterServers: []string{}}
	if age >= 0 {
		m.AgeMs, m.TimeoutMs, m.LastContact = &age, ref(int64(120_000)), &goldenTime
	}
	return m
}

func goldenEvents(name string) []eventAnswer {
	return []eventAnswer{
		{
			Seq: 1042, Generation: "mj3k2f.1042", Time: goldenTime, Type: "broker.expired", Cause: causeAnswer{"silence", ref(int64(120_311)), ref(int64(120_000))},
			Cluster: &name, Broker: &name, BrokerID: ref(number(0)), Addr: &name, Topics: topicChanges{Removed: 10000}, Sample: []string{name},
		},
		{
			Seq: 1041, Generation: "mj3k2f.1041", Time: goldenTime, Type: "config.changed", Cause: causeAnswer{Kind: "admin"}, Remote: ref("10.0.0.9:5511"),
			Identity: &name, Reason: &name, Change: &changeAnswer{name, nil, &name}, Topic: &name, Brokers: []string{name}, By: &byAnswer{name, name}, Count: ref(number(3)),
		},
	}
}

// goldenRows are these events; the first has others like it.
func goldenRows(name string) (rows []eventRow) {
	for _, e := range goldenEvents(name) {
		rows = append(rows, eventRow{eventAnswer: e})
	}
	rows[0].Others = &likeEvents{1, "/events?since=mj3k2f.1040&type=broker.expired"}
	return rows
}

func goldenSteps(verdict, name string) explainAnswer {
	return explainAnswer{Generation: "mj3k2f.1042", Topic: name, Verdict: verdict, Steps: steps{
		{"name", stepOK, "it is known", nil},
		{"broker", stepWarning, "broker " + quoted(name) + " " + name, nil},
		{"zone", stepInfo, "no zone", nil},
		{"peers", stepFailed, "nobody else", nil},
	}}
}

// goldenPages are pages of servers without any broker, with brokers in every state, and with
// peers that mean no good.
func goldenPages(t *testing.T) (all []struct {
	name, view string
	status     *statusAnswer
	body       any
},
) {
	add := func(name, view string, status *statusAnswer, body any) {
		all = append(all, struct {
			name, view string
			status     *statusAnswer
			body       any
		}{name, view, status, body})
	}
	empty, busy := goldenStatus(false), goldenStatus(true)
	a := goldenBroker("broker-a", "c1", false, goldenMember(0, "10.0.0.1:10911", "master", stateOverdue, 61_500), goldenMember(1, "10.0.0.2:10911", "slave", stateLive, 3000))
	b := goldenBroker("broker-b", "c1", true, goldenMember(2, "10.0.0.3:10911", "actingMaster", stateRestored, 9000))
	b.EnableActingMaster, b.Zone = true, ref("zone-1")
	c := goldenBroker("broker-c", "c1", true, goldenMember(3, "10.0.0.4:10911", "slave", stateSuspect, -1))
	bad := goldenBroker(hostile, hostile, false, goldenMember(0, hostile, "master", stateLive, 0))
	bad.Zone, bad.Wiped = ref(hostile), true
	badMember := &bad.Members[0]
	badMember.HAServerAddr, badMember.ClientVersion, badMember.DataVersion = ref(hostile), ref("V5_5_0"), &dataVersionAnswer{1, 2, 3}
	rows := []memberRow{{&c, c.Members[0]}, {&b, b.Members[0]}, {&a, a.Members[0]}, {&a, a.Members[1]}}

	add("overview_none", "overview", empty, overviewOf(empty, nil, nil))
	busy.Attention = []attentionEntry{
		{Severity: severityCritical, Code: "broker.masterless", Text: `broker "broker-c" has no master`, Since: &goldenTime, Link: ref("/v1/brokers/broker-c")},
		{Severity: severityCritical, Code: "broker.lost", Text: "gone: " + hostile, Since: &goldenTime, Link: ref("/v1/explain/brokers/%3Cscript%3E%250a")},
		{Severity: severityWarning, Code: "memory.budget", Text: "memoryBudget is short", Since: nil, Link: ref("/v1/status")},
		{Severity: severityWarning, Code: "kvConfig.failed", Text: "the KV config is not saved", Since: &goldenTime, Link: ref("/v1/kv")},
		{Severity: severityWarning, Code: "connections.limit", Text: "connections are short", Since: &goldenTime, Link: ref("/v1/connections")},
		{Severity: severityWarning, Code: "peers.differ", Text: "1 of 2 differ", Since: &goldenTime},
	}
	samples := []chartSample{{at: 1000, values: [figures]float32{10, 9, 1, 0, float32(math.NaN()), 69 << 20, 612, 0}}, {at: 2000, values: [figures]float32{5012, 4000, 0.5, 3, float32(math.NaN()), 70 << 20, 600, 0}}}
	add("overview", "overview", busy, overviewOf(busy, samples, goldenRows(hostile)))
	add("brokers_none", "brokers", empty, &brokersView{First: 1})
	add("brokers", "brokers", busy, &brokersView{Clusters: []string{"c1"}, Rows: rows, First: 101, Total: 204, Registered: 204, Newer: "/brokers?page=1", Older: "/brokers?page=3", Lost: goldenEvents("broker-x")[:1]})
	add("brokers_hostile", "brokers", busy, &brokersView{Name: hostile, Cluster: hostile, State: hostile, Clusters: []string{hostile}, Rows: []memberRow{{&bad, bad.Members[0]}}, First: 1, Total: 1, Registered: 1, Lost: goldenEvents(hostile)})
	add("broker", "broker", busy, &brokerView{Name: "broker-b", Broker: &b, Rows: []memberRow{{&b, b.Members[0]}}, Explain: goldenSteps(verdictPartly, "broker-b"), Events: goldenEvents("broker-b")})
	add("broker_hostile", "broker", busy, &brokerView{Name: hostile, Broker: &bad, Rows: []memberRow{{&bad, bad.Members[0]}}, More: 7, Explain: goldenSteps(verdictRouted, hostile), Events: goldenEvents(hostile)})
	add("broker_unknown", "broker", busy, &brokerView{Name: "nobody", Explain: goldenSteps(verdictNotRouted, "nobody")})
	add("topics_none", "topics", empty, &topicsView{})
	queues := []queueAnswer{{hostile, hostile, 8, 8, 6, 0}, {"broker-a", "c1", 8, 4, 4, 1}}
	topic := topicAnswer{Topic: hostile, Static: true, System: true, Queues: queues}
	add("topics_hostile", "topics", busy, &topicsView{Prefix: hostile, Contains: hostile, Cluster: hostile, Broker: hostile, Perm: "6", Count: 1_234_567, Rows: []topicRow{topicRowOf(topic)}, Next: "/topics?after=x", First: "/topics", Exact: hostile})
	tv := &topicView{Name: hostile, Version: hostile, Zone: hostile, From: hostile, Topic: &topic, MoreQueues: 1, Explain: goldenSteps(verdictReadOnly, hostile), Raw: "/v1/topics/x/route?raw=1", Events: goldenEvents(hostile)}
	name, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	raw := json.RawMessage(`{"brokerDatas":[{"cluster":` + string(name) + `,"brokerName":` + string(name) + `,"brokerAddrs":{"10":"b","0":` + string(name) + `}},{"brokerName":"a","brokerAddrs":{}}],"queueDatas":[{"brokerName":` + string(name) + `,"readQueueNums":8,"writeQueueNums":4,"perm":6}]}`)
	tv.setRoute(&routeAnswer{Topic: hostile, Remark: ref(hostile), Dialect: "legacy", Bytes: 1234, Route: &raw, Applied: []appliedRule{{"zone", []string{hostile}, []string{}}, {"horizon", []string{}, []string{hostile}}}})
	add("topic_hostile", "topic", busy, tv)
	add("topic_unknown", "topic", busy, &topicView{Name: "ORDERS", Explain: goldenSteps(verdictNotRouted, "ORDERS"), NoRoute: "no broker serves topic \"ORDERS\"", Raw: "/v1/topics/ORDERS/route?raw=1"})
	add("clients_none", "clients", empty, &clientsView{})
	add("clients", "clients", busy, &clientsView{Groups: []connGroup{{Language: ref("JAVA"), Version: ref("V5_5_0"), Transport: "tcp", Count: 600}, {Language: ref(""), Version: ref(""), Transport: "tls", Count: 12}}, MoreGroups: 3, Missed: []hitter{{hostile, 100, 3}}, Asked: []hitter{{"ORDERS", 1000, 0}}, Peers: []hitter{{"10.0.0.1", 10, 0}}})
	add("clients_address", "clients", busy, &clientsView{By: "address", Groups: []connGroup{{Address: ref("10.0.0.1"), Transport: "tcp", Count: 600}}})
	add("clients_list", "clients", busy, &clientsView{By: "list", Next: "/clients?after=7&by=list", Connections: []connAnswer{{ID: 7, Address: "10.0.0.1:5511", Language: ref(hostile), Since: goldenTime, IdleMs: 1500, Requests: 12345, Brokers: []string{hostile, "b"}}}})
	add("events_none", "events", empty, &eventsView{IsNewest: true, Groups: eventGroups, Newest: "/events", Oldest: "/events?since=0"})
	add("events_hostile", "events", busy, &eventsView{Type: hostile, Cluster: hostile, Broker: hostile, Topic: hostile, Groups: eventGroups, Rows: goldenEvents(hostile), Newest: "/events", Oldest: "/events?since=0", Next: "/events?since=mj3k2f.1042"})
	add("config_none", "config", empty, &configView{configAnswer: configAnswer{Hash: "c0ffee"}})
	add("config_hostile", "config", busy, &configView{All: true, configAnswer: configAnswer{"c0ffee", []configItem{
		{"listenPort", "29876", ref("9876"), "file", "restart"}, {hostile, hostile, nil, "request", "none"}, {"supportActingMaster", "true", ref("false"), "request", "live"}, {"kvConfigPath", "", nil, "default", "never"},
	}}})
	add("peers_none", "peers", empty, &peersView{})
	differ := peerPart{Compared: true, Differ: ref(3), Since: &goldenTime, Samples: []string{hostile}}
	add("peers_hostile", "peers", busy, &peersView{[]peerAnswer{
		{Addr: hostile, Up: true, Since: &goldenTime, Version: ref(hostile), Checked: &goldenTime, TookMs: 3, Checks: 10, Failed: 1, Brokers: differ, Topics: peerPart{Compared: true, Differ: ref(0)}, Config: peerPart{Why: ref(hostile)}},
		{Addr: "10.0.0.2:9876", Why: ref("connection refused"), Since: &goldenTime, Checks: 3, Failed: 3},
		{Addr: "10.0.0.3:9876"},
		{Addr: "10.0.0.4:9876", Up: true, Since: &goldenTime, Checked: &goldenTime, Checks: 1, Topics: peerPart{Compared: true, Differ: ref(0), Samples: []string{"ORDERS: only here"}}},
	}})
	add("trouble_hostile", "trouble", busy, trouble{"broker not found", hostile, hostile, &goldenEvents(hostile)[0]})
	add("login", "login", nil, loginView{HasForm: true, Next: "/topics/" + hostile})
	add("login_refused", "login", nil, loginView{Detail: hostile, Hint: "adminTokenFile names a file of tokens"})
	return all
}

// unsafeHTML is what no page may have: what is executed or styled in the page itself, and
// what is loaded from elsewhere.
var unsafeHTML = regexp.MustCompile(`(?i)<script(?:>|[^>]*[^r]>.+</script)|<script>| style=|<style|\son\w+=|javascript:|(?:src|href|action)="(?:https?:)?//|ZgotmplZ|alert\(1\)<`)

// TestConsoleGolden compares pages with files.
func TestConsoleGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range goldenPages(t) {
		t.Run(p.name, func(t *testing.T) {
			seen[p.view] = true
			s := &shell{Title: "Title", View: p.view, Status: p.status, Body: p.body, Every: 10}
			if body, ok := p.body.(titled); ok {
				s.Title = body.title()
			}
			if p.status != nil {
				s.Watch, s.Owner = "state=1&events=1&since="+p.status.Generation, hostile
			}
			var b bytes.Buffer
			if err := templates()[p.view].ExecuteTemplate(&b, "layout", s); err != nil {
				t.Fatal(err)
			}
			got := regexp.MustCompile(`/assets/(\w+)-[0-9a-f]{12}\.`).ReplaceAllString(b.String(), "/assets/$1-….")
			if found := unsafeHTML.FindString(got); found != "" {
				t.Errorf("the page has %q", found)
			}
			file := filepath.Join("testdata", "console", p.name+".html")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the page is\n%s\nwant\n%s", got, want)
			}
		})
	}
	for view := range templates() {
		if !seen[view] {
			t.Errorf("page %s has no golden file", view)
		}
	}
}

// TestSignsHaveWords: each state that pages show has a sign, a colour and a word.
func TestSignsHaveWords(t *testing.T) {
	for _, state := range []string{
		stateLive, stateOverdue, stateSuspect, stateRestored, stateMasterless, "ready", "starting", "notReady", "draining", severityCritical, severityWarning,
		stepOK, stepInfo, stepWarning, stepFailed, verdictRouted, verdictPartly, verdictReadOnly, verdictNotRouted, verdictGated,
	} {
		if got := string(signHTML(state)); !regexp.MustCompile(`^<span class="s \w+" data-state="` + state + `"><span aria-hidden="true">.</span> [\w, ]+</span>$`).MatchString(got) {
			t.Errorf("%s is shown as %s", state, got)
		}
	}
	if got := string(signHTML(hostile)); strings.Contains(got, "<") {
		t.Errorf("what is no state is shown as %s", got)
	}
}

// TestWords: how values are written; null is never 0.
func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		countWord(0): "0", countWord(-1234): "-1,234", countWord(int32(999)): "999", countWord(number(1234567)): "1,234,567",
		decimalWord(nil): notKnown, decimalWord(ref(0.0)): "0", decimalWord(ref(0.304)): "0.3", decimalWord(ref(12.34)): "12.3", decimalWord(ref(5012.6)): "5,013", decimalWord(ref(10.04)): "10",
		bytesWord((*int64)(nil)): notKnown, bytesWord(int64(1)): "1 B", bytesWord(int64(1536)): "1.5 KiB", bytesWord(int64(69 << 20)): "69 MiB", bytesWord(int64(math.MaxInt64)): "8.0 EiB",
		knownWord((*string)(nil)): notKnown, knownWord((*number)(nil)): notKnown, knownWord((*int)(nil)): notKnown, knownWord(ref("x")): "x",
		manyWord(1, "key", "keys"): "1 key", manyWord(0, "key", "keys"): "0 keys", manyWord(number(1234), "time", "times"): "1,234 times",
		brokersWord(brokerTotals{Members: 300, Overdue: 300}): "300, 300 overdue", brokersWord(brokerTotals{Members: 2, Suspect: 1}): "2, 1 held back", brokersWord(brokerTotals{}): "0",
		uptimeWord(0): "0 s", uptimeWord(9): "9 s #2", uptimeWord(75): "75 s",
		durationWord(1500): "1.5 s", durationWord(61_500): "61 s", durationWord(125_000): "2 min 5 s", durationWord(7_260_000): "2 h 1 min", durationWord(200_000_000): "2 d 7 h",
		nameWord("größe"): "größe", nameWord(""): `""`, nameWord(" a"): `" a"`, nameWord("a\u202eb"): `"a\u202eb"`, nameWord("a\xff"): `"a\xff"`, nameWord("a\nb"): `"a\nb"`,
		string(whenHTML((*stamp)(nil))): notKnown, string(ageHTML((*int64)(nil))): notKnown,
		agreeWord(nil): "not configured", agreeWord(&peersAnswer{}): "not configured #2", agreeWord(&peersAnswer{Configured: 3, Unreachable: 1, NotAsked: 1}): "1 of 3 not reached", agreeWord(&peersAnswer{3, 1, 1, 1}): "1 of 3 differ", agreeWord(&peersAnswer{Configured: 3}): "3 agree", agreeWord(&peersAnswer{Configured: 3, NotAsked: 2}): "2 of 3 not asked yet",
	} {
		if want, _, _ = strings.Cut(want, " #"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestConsoleColours: each colour of a text can be read on each ground, light and dark
// (contrast of WCAG 2: at least 4.5).
func TestConsoleColours(t *testing.T) {
	css, err := consoleFiles.ReadFile("console/console.css")
	if err != nil {
		t.Fatal(err)
	}
	light := func(hex string) float64 {
		sum := 0.0
		for i, part := range []float64{0.2126, 0.7152, 0.0722} {
			if len(hex) == 3 {
				hex = strings.Repeat(hex[:1], 2) + strings.Repeat(hex[1:2], 2) + strings.Repeat(hex[2:], 2)
			}
			var v uint8
			fmt.Sscanf(hex[2*i:2*i+2], "%x", &v)
			if c := float64(v) / 255; c <= 0.04045 {
				sum += part * c / 12.92
			} else {
				sum += part * math.Pow((c+0.055)/1.055, 2.4)
			}
		}
		return sum
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	if len(schemes) != 2 {
		t.Fatalf("%d schemes", len(schemes))
	}
	for _, scheme := range schemes {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+): #(\w+);`).FindAllStringSubmatch(scheme[1], -1) {
			if len(m[2]) <= 6 {
				colours[m[1]] = light(m[2])
			}
		}
		pairs := [][2]string{{"bg", "link"}, {"bg", "warn"}} // of what is chosen, and of a pressed button
		for _, text := range []string{"text", "dim", "link", "ok", "warn", "bad", "info"} {
			for _, ground := range []string{"bg", "panel", "new"} {
				pairs = append(pairs, [2]string{text, ground})
			}
		}
		for _, p := range pairs {
			a, b := colours[p[0]], colours[p[1]]
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 || a == b {
				t.Errorf("%s on %s has a contrast of %.2f", p[0], p[1], contrast)
			}
		}
	}
}

// TestEventGroups: what the filter offers are types of events.
func TestEventGroups(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) {})
	for _, group := range eventGroups {
		if w := f.get("/v1/events?type=" + group); w.Code != 200 {
			t.Errorf("%s: %d %s", group, w.Code, w.Body)
		}
	}
}
