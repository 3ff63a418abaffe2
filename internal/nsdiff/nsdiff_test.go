package nsdiff

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// A world is what one server knows.
type world struct {
	members map[string]*codec.BrokerData // by broker name
	topics  map[string]map[string]Queue  // by topic, by broker
	config  map[string]string
}

var (
	brokerNames = []string{"a", "b", "broker/c", `d"e`, "größe"}
	topicNames  = []string{"T", "U", "%RETRY%g/订", `x\y`, "a/b", "ORDERS", "t\u2028", "Z", "ü"}
	configKeys  = []string{"supportActingMaster", "scanNotActiveBrokerInterval", "clusterTest", "enableTopicList"}
	clusters    = []string{"c1", "c/2"}
)

func drawWorld(t *rapid.T) *world {
	w := &world{members: map[string]*codec.BrokerData{}, topics: map[string]map[string]Queue{}, config: map[string]string{}}
	for _, name := range brokerNames {
		if !rapid.Bool().Draw(t, "broker") {
			continue
		}
		b := &codec.BrokerData{Cluster: rapid.SampledFrom(clusters).Draw(t, "cluster"), BrokerName: name}
		for id := range rapid.Int64Range(1, 3).Draw(t, "members") {
			b.BrokerAddrs = append(b.BrokerAddrs, codec.BrokerAddr{ID: id, Addr: fmt.Sprintf("10.0.%d.%d:10911", len(w.members), id)})
		}
		w.members[name] = b
	}
	for _, topic := range topicNames {
		queues := map[string]Queue{}
		for _, broker := range brokerNames {
			if rapid.Bool().Draw(t, "has") {
				queues[broker] = drawQueue(t, broker)
			}
		}
		if len(queues) > 0 {
			w.topics[topic] = queues
		}
	}
	for _, key := range configKeys {
		w.config[key] = rapid.SampledFrom([]string{"true", "false", "1"}).Draw(t, key)
	}
	return w
}

func drawQueue(t *rapid.T, broker string) Queue {
	n := rapid.Int32Range(0, 3)
	return Queue{Broker: broker, Read: n.Draw(t, "read"), Write: n.Draw(t, "write"), Perm: n.Draw(t, "perm"), Flags: n.Draw(t, "flags")}
}

// clone returns w as another server knows it.
func (w *world) clone() *world {
	c := &world{members: map[string]*codec.BrokerData{}, topics: map[string]map[string]Queue{}, config: map[string]string{}}
	for name, b := range w.members {
		copied := *b
		copied.BrokerAddrs = slices.Clone(b.BrokerAddrs)
		c.members[name] = &copied
	}
	for name, queues := range w.topics {
		c.topics[name] = map[string]Queue{}
		for broker, q := range queues {
			c.topics[name][broker] = q
		}
	}
	for key, value := range w.config {
		c.config[key] = value
	}
	return c
}

// A told is what a server answers, as bytes: in an order, with quotes, escapes and members
// that it may choose.
type told struct {
	cluster, names, config []byte
	routes                 map[string][]byte
}

func (w *world) tell(t *rapid.T) told {
	quote := func(s string) string {
		b, _ := json.Marshal(s)
		text := string(b)
		if rapid.Bool().Draw(t, "escapes") { // as fastjson 1 writes a slash, and anybody may any letter
			text = strings.ReplaceAll(text, "/", `\/`)
			text = strings.ReplaceAll(text, "订", `\u8ba2`)
		}
		return text
	}
	quotedIDs := rapid.Bool().Draw(t, "quoted ids")
	data := func(b *codec.BrokerData) string {
		var addrs []string
		for _, a := range shuffled(t, b.BrokerAddrs) {
			key := fmt.Sprint(a.ID)
			if quotedIDs {
				key = `"` + key + `"`
			}
			addrs = append(addrs, key+":"+quote(a.Addr))
		}
		text := fmt.Sprintf(`{"brokerAddrs":{%s},"brokerName":%s,"cluster":%s`, strings.Join(addrs, ","), quote(b.BrokerName), quote(b.Cluster))
		if rapid.Bool().Draw(t, "acting flag") {
			text += `,"enableActingMaster":true,"zoneName":"z"`
		}
		return text + "}"
	}
	var a told
	var sets, names []string
	for _, name := range keysOf(t, w.members) {
		sets = append(sets, quote(name)+":"+data(w.members[name]))
	}
	a.cluster = []byte(`{"clusterAddrTable":{"gone":[]},"brokerAddrTable":{` + strings.Join(sets, ",") + `}}`)
	a.routes = map[string][]byte{}
	for _, topic := range keysOf(t, w.topics) {
		names = append(names, quote(topic))
		var queues, brokers []string
		for _, broker := range keysOf(t, w.topics[topic]) {
			q := w.topics[topic][broker]
			queues = append(queues, fmt.Sprintf(`{"topicSysFlag":%d,"brokerName":%s,"perm":%d,"readQueueNums":%d,"writeQueueNums":%d}`, q.Flags, quote(broker), q.Perm, q.Read, q.Write))
			if b := w.members[broker]; b != nil {
				acting := *b
				if acting.BrokerAddrs = slices.Clone(b.BrokerAddrs); rapid.Bool().Draw(t, "acts") {
					acting.BrokerAddrs[0].ID = 0
				}
				brokers = append(brokers, data(&acting))
			}
		}
		a.routes[topic] = []byte(fmt.Sprintf(`{"brokerDatas":[%s],"filterServerTable":{},"queueDatas":[%s]}`, strings.Join(brokers, ","), strings.Join(queues, ",")))
	}
	a.names = []byte(`{"topicList":[` + strings.Join(names, ",") + `]}`)
	lines := []string{"rocketmqHome=" + rapid.String().Draw(t, "home"), fmt.Sprintf("listenPort=%d", rapid.Int().Draw(t, "port"))}
	for _, key := range keysOf(t, w.config) {
		lines = append(lines, key+"="+w.config[key]+rapid.SampledFrom([]string{"", " ", "\r"}).Draw(t, "blank"))
	}
	a.config = []byte(strings.Join(shuffled(t, lines), "\n"))
	return a
}

func keysOf[V any](t *rapid.T, m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return shuffled(t, keys)
}

func shuffled[T any](t *rapid.T, list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return rapid.Permutation(list).Draw(t, "order")
}

// compare compares what servers have answered; routed says of which topics the routes are
// known.
func compare(t *rapid.T, all []told, routed func(topic string) bool) (texts []string) {
	infos := make([]*codec.ClusterInfo, len(all))
	lines := make([]map[string]string, len(all))
	sources := make([]Source, len(all))
	for i, a := range all {
		infos[i] = &codec.ClusterInfo{}
		if err := infos[i].DecodeWithin(a.cluster, nil); err != nil {
			t.Fatal(err)
		}
		lines[i] = ConfigLines(a.config)
		names, err := NamesOf(a.names, nil)
		if err != nil {
			t.Fatal(err)
		}
		sources[i] = names.Source()
	}
	differences := Brokers(infos)
	err := Merge(sources, func(name string, said []Topic) error {
		for i := range said {
			if said[i].There && routed(name) {
				var r codec.TopicRouteData
				if err := r.Decode(all[i].routes[name]); err != nil {
					t.Fatal(err)
				}
				said[i] = RoutedBy(&r)
			}
		}
		differences = append(differences, CompareTopic(name, said)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range append(differences, Config(lines)...) {
		texts = append(texts, d.key())
	}
	return texts
}

// TestDifferences seeds differences of every kind into what servers know: each is found,
// none is invented, and in one order, whatever the order, quotes and escapes of answers.
func TestDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := drawWorld(t)
		n := rapid.IntRange(2, 4).Draw(t, "servers")
		worlds := make([]*world, n)
		for i := range worlds {
			worlds[i] = base.clone()
		}
		for range rapid.IntRange(0, 4).Draw(t, "seeds") {
			seed(t, worlds[rapid.IntRange(0, n-1).Draw(t, "server")])
		}
		want := plainDifferences(worlds)
		routed := func(string) bool { return true }
		tell := func() []told {
			var all []told
			for _, w := range worlds {
				all = append(all, w.tell(t))
			}
			return all
		}
		got := compare(t, tell(), routed)
		if again := compare(t, tell(), routed); !slices.Equal(got, again) {
			t.Fatalf("first\n%q, then\n%q", got, again)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// seed makes one server know something else.
func seed(t *rapid.T, w *world) {
	switch rapid.SampledFrom([]string{"broker", "member", "id", "addr", "cluster", "topic", "new topic", "queue", "config"}).Draw(t, "kind") {
	case "broker":
		delete(w.members, rapid.SampledFrom(brokerNames).Draw(t, "name"))
	case "member":
		if b := w.members[rapid.SampledFrom(brokerNames).Draw(t, "name")]; b != nil {
			b.BrokerAddrs = b.BrokerAddrs[:1]
		}
	case "id":
		if b := w.members[rapid.SampledFrom(brokerNames).Draw(t, "name")]; b != nil {
			b.BrokerAddrs[len(b.BrokerAddrs)-1].ID += 7
		}
	case "addr":
		if b := w.members[rapid.SampledFrom(brokerNames).Draw(t, "name")]; b != nil {
			b.BrokerAddrs[0].Addr = "192.0.2.1:10911"
		}
	case "cluster":
		if b := w.members[rapid.SampledFrom(brokerNames).Draw(t, "name")]; b != nil {
			b.Cluster = "other"
		}
	case "topic":
		delete(w.topics, rapid.SampledFrom(topicNames).Draw(t, "name"))
	case "new topic":
		w.topics["new/"+rapid.StringN(1, 5, 20).Draw(t, "name")] = map[string]Queue{"a": drawQueue(t, "a")}
	case "queue":
		if queues := w.topics[rapid.SampledFrom(topicNames).Draw(t, "name")]; queues != nil {
			broker := rapid.SampledFrom(brokerNames).Draw(t, "broker")
			queues[broker] = drawQueue(t, broker)
		}
	case "config":
		w.config[rapid.SampledFrom(configKeys).Draw(t, "key")] = "7"
	}
}

// plainDifferences is the judge: the same rules in the plainest code, sorted.
func plainDifferences(worlds []*world) (texts []string) {
	note := func(name, what string, value func(w *world) Value) {
		d := Difference{Name: name, What: what}
		values := map[Value]bool{}
		for _, w := range worlds {
			v := value(w)
			d.Said = append(d.Said, v)
			if v.Known {
				values[v] = true
			}
		}
		if len(values) > 1 {
			texts = append(texts, d.key())
		}
	}
	members, topics := map[string]bool{}, map[string]bool{}
	membersOf := func(w *world) map[string]bool {
		all := map[string]bool{}
		for _, b := range w.members {
			for _, a := range b.BrokerAddrs {
				all[fmt.Sprintf("%s %d@%s in %s", b.BrokerName, a.ID, a.Addr, b.Cluster)] = true
			}
		}
		return all
	}
	for _, w := range worlds {
		for m := range membersOf(w) {
			members[m] = true
		}
		for topic := range w.topics {
			topics[topic] = true
		}
	}
	for m := range members {
		note(m, "", func(w *world) Value { return Value{Known: true, There: membersOf(w)[m]} })
	}
	for topic := range topics {
		note(topic, "", func(w *world) Value { return Value{Known: true, There: w.topics[topic] != nil} })
		for _, broker := range brokerNames {
			field := func(what string, text func(q Queue) string) {
				note(topic, broker+what, func(w *world) Value {
					q, has := w.topics[topic][broker]
					switch {
					case has:
						return There(text(q))
					case what == "" && w.topics[topic] != nil:
						return Absent
					}
					return Value{}
				})
			}
			field("", func(Queue) string { return "" })
			field(" queues", func(q Queue) string {
				if q.Read == q.Write {
					return fmt.Sprint(q.Read)
				}
				return fmt.Sprintf("%d to read, %d to write", q.Read, q.Write)
			})
			field(" perm", func(q Queue) string { return fmt.Sprint(q.Perm) })
			field(" flags", func(q Queue) string { return fmt.Sprint(q.Flags) })
		}
	}
	for _, key := range configKeys {
		note(key, "", func(w *world) Value { return There(w.config[key]) })
	}
	slices.Sort(texts)
	return texts
}

// TestUnknown: what is not known of a server is not missing there.
func TestUnknown(t *testing.T) {
	info := &codec.ClusterInfo{BrokerAddrTable: []codec.BrokerData{{Cluster: "c", BrokerName: "b", BrokerAddrs: []codec.BrokerAddr{{Addr: "x"}}}}}
	if d := Brokers([]*codec.ClusterInfo{info, nil, info}); d != nil {
		t.Errorf("brokers: %+v", d)
	}
	if d := Config([]map[string]string{{"a": "1"}, nil, {"b": "1"}}); d != nil {
		t.Errorf("configuration: %+v", d)
	}
	names, err := NamesOf([]byte(`{"topicList":["T","T","S"]}`), nil)
	if err != nil || names.Len() != 2 {
		t.Fatalf("%v, %d names", err, names.Len())
	}
	var seen []string
	err = Merge([]Source{names.Source(), nil}, func(name string, said []Topic) error {
		seen = append(seen, name)
		if d := CompareTopic(name, said); d != nil || said[1].Known {
			t.Errorf("%s: %+v", name, d)
		}
		return nil
	})
	if err != nil || !slices.Equal(seen, []string{"S", "T"}) {
		t.Errorf("%v, %q", err, seen)
	}
	routed := Topic{Known: true, There: true, Routed: true, Queues: []Queue{{Broker: "b", Read: 4}}}
	if d := CompareTopic("T", []Topic{routed, {Known: true, There: true}, {}}); d != nil {
		t.Errorf("a route that is not known: %+v", d)
	}
	if d := CompareTopic("T", []Topic{routed, {Known: true}}); len(d) != 1 || d[0].What != "" {
		t.Errorf("a topic that is not there: %+v, want one difference", d)
	}
}

// TestIdleKeyOfOurs: a key that means nothing to one of ours is compared among Java's.
func TestIdleKeyOfOurs(t *testing.T) {
	ours, java, other := map[string]string{VersionKey: "1", "serverWorkerThreads": "8"}, map[string]string{"serverWorkerThreads": "9"}, map[string]string{"serverWorkerThreads": "10"}
	if d := Config([]map[string]string{ours, java}); d != nil {
		t.Errorf("%+v", d)
	}
	if d := Config([]map[string]string{ours, java, other}); len(d) != 1 || d[0].Said[0].Known {
		t.Errorf("%+v", d)
	}
}

// TestMergeStops: an order that is none, and an error, are those of their server; nothing
// that has not come is missing.
func TestMergeStops(t *testing.T) {
	list := func(names ...string) Source {
		return func() (string, Topic, bool, error) {
			if len(names) == 0 {
				return "", Topic{}, false, nil
			}
			name := names[0]
			names = names[1:]
			if name == "error" {
				return "", Topic{}, false, fmt.Errorf("torn")
			}
			return name, Topic{Known: true, There: true}, true, nil
		}
	}
	for _, bad := range [][]string{{"b", "a"}, {"a", "a"}, {"a", "error"}, {"error"}} {
		count := 0
		err := Merge([]Source{list("a", "b", "c"), list(bad...)}, func(string, []Topic) error { count++; return nil })
		se, ok := err.(*SourceError)
		if !ok || se.Server != 1 || count > 2 {
			t.Errorf("%q: %v after %d topics", bad, err, count)
		}
	}
}

// TestStanding: what has changed in between does not stand, nor what one server alone says.
func TestStanding(t *testing.T) {
	d := func(name string, said ...Value) Difference { return Difference{Name: name, Said: said} }
	old := []Difference{d("a", There("1"), There("2")), d("b", There("1"), There("2")), d("c", Absent, There("")), d("d", Absent, There(""))}
	now := []Difference{d("d", Absent, There("")), d("a", There("1"), There("3")), d("b", There("1"), There("2")), d("c", There(""), Absent)}
	if got := Standing(old, now); len(got) != 2 || got[0].Name != "b" || got[1].Name != "d" {
		t.Errorf("got %+v", got)
	}
	three := []Difference{d("a", There("1"), There("1"), There("2")), d("b", There("1"), There("2"), There("2"))}
	if got := Without(three, 2); len(got) != 1 || got[0].Name != "b" || got[0].Said[2].Known || !three[1].Said[2].Known {
		t.Errorf("got %+v", got)
	}
}

// TestNamesCost holds the names of one server to the bytes that the package promises.
func TestNamesCost(t *testing.T) {
	body := []byte(`{"topicList":["T"`)
	const count = 100_000
	for i := range count {
		body = fmt.Appendf(body, `,"topic-%020d"`, i*7919%count)
	}
	n, err := NamesOf(append(body, `]}`...), nil)
	if err != nil || n.Len() != count+1 {
		t.Fatalf("%v, %d names", err, n.Len())
	}
	if perName := float64(cap(n.text)+8*cap(n.spans)) / count; perName > 26+8+4 { // quotes and a comma
		t.Errorf("%.1f bytes for each name of 26", perName)
	}
}

// BenchmarkNames reads and compares the names of 1,000,000 topics of two servers.
func BenchmarkNames(b *testing.B) {
	body := []byte(`{"topicList":["T"`)
	const count = 1_000_000
	for i := range count {
		body = fmt.Appendf(body, `,"topic-%020d"`, i*7919%count)
	}
	body = append(body, `]}`...)
	b.ReportAllocs()
	for b.Loop() {
		var sources []Source
		for range 2 {
			n, err := NamesOf(body, nil)
			if err != nil {
				b.Fatal(err)
			}
			sources = append(sources, n.Source())
		}
		if err := Merge(sources, func(name string, said []Topic) error {
			if said[0].There != said[1].There {
				CompareTopic(name, said)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDependencies keeps the doors of this package shut.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range strings.Fields(string(out)) {
		if d == "net" || d == "log/slog" || strings.HasPrefix(d, "gonamesrv/") && d != "gonamesrv/codec" && d != "gonamesrv/internal/nsdiff" {
			t.Errorf("nsdiff depends on %s: it compares answers, others ask", d)
		}
	}
}
