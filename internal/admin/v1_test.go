package admin

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/meter"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

var update = flag.Bool("update", false, "write golden files and docs/METRICS.md anew")

// goldenPaths are asked of the world, each for a golden file.
var goldenPaths = []struct {
	name, path string
	status     int
}{
	{"server", "/v1", 200},
	{"status", "/v1/status", 200},
	{"clusters", "/v1/clusters", 200},
	{"brokers", "/v1/brokers", 200},
	{"brokers_masterless", "/v1/brokers?state=masterless", 200},
	{"brokers_page", "/v1/brokers?cluster=c1&limit=2", 200},
	{"broker", "/v1/brokers/broker-a", 200},
	{"broker_blank", "/v1/brokers/broker%20c", 200},
	{"broker_unknown", "/v1/brokers/nobody", 404},
	{"topics", "/v1/topics", 200},
	{"topics_names", "/v1/topics?fields=name&prefix=A&limit=2", 200},
	{"topics_wiped", "/v1/topics?perm=4&broker=broker+c", 200},
	{"topic", "/v1/topics/ORDERS", 200},
	{"topic_static", "/v1/topics/STATIC", 200},
	{"topic_retry", "/v1/topics/%25RETRY%25g", 200},
	{"topic_slash", "/v1/topics/a%2Fb", 200},
	{"topic_unknown", "/v1/topics/no%2Fsuch", 404},
	{"route", "/v1/topics/ORDERS/route?as=V4_9_3,zone-1", 200},
	{"route_acting", "/v1/topics/ACTING/route", 200},
	{"route_horizon", "/v1/topics/PAYMENTS/route?from=127.0.0.7", 200},
	{"route_refused", "/v1/topics/PAYMENTS/route?from=127.0.0.9", 200},
	{"route_closed", "/v1/topics/PAYMENTS/route?from=127.0.0.8", 404},
	{"route_slash", "/v1/topics/a%2Fb/route", 200},
	{"kv", "/v1/kv", 200},
	{"kv_page", "/v1/kv?limit=1", 200},
	{"kv_namespace", "/v1/kv/a%2Fb", 200},
	{"kv_unknown", "/v1/kv/none", 404},
	{"config_changed", "/v1/config?changed=1", 200},
	{"connections", "/v1/connections", 200},
	{"connections_list", "/v1/connections?list=1", 200},
	{"events_topic", "/v1/events?topic=ORDERS&type=topics.*", 200},
	{"events_broker", "/v1/events?broker=broker-d", 200},
	{"events_gone", "/v1/events?since=zzz.1", 410},
	{"events_type", "/v1/events?type=broker.nothing", 400},
	{"explain_routed", "/v1/explain/topics/EXTRA?as=V4_9_3,zone-2", 200},
	{"explain_partly", "/v1/explain/topics/ORDERS?as=,zone-1", 200},
	{"explain_horizon", "/v1/explain/topics/PAYMENTS?from=127.0.0.9", 200},
	{"explain_wiped", "/v1/explain/topics/WIPED", 200},
	{"explain_acting", "/v1/explain/topics/ACTING", 200},
	{"explain_case", "/v1/explain/topics/orders", 200},
	{"explain_retry", "/v1/explain/topics/%25RETRY%25nobody", 200},
	{"explain_broker", "/v1/explain/brokers/broker-d", 200},
	{"explain_broker_unknown", "/v1/explain/brokers/BROKER-A", 200},
	{"digest", "/v1/digest?buckets=4", 200},
	{"digest_within", "/v1/digest?buckets=16&within=4&only=2", 200},
	{"digest_names", "/v1/digest?buckets=4&only=1,2", 200},
	{"peers", "/v1/peers", 200},
	{"parameter_unknown", "/v1/topics?foo=1", 400},
	{"parameter_none", "/v1/status?foo=1", 400},
	{"parameter_twice", "/v1/topics?limit=1&limit=2", 400},
	{"parameter_bad", "/v1/topics?limit=0", 400},
	{"path_unknown", "/v1/nothing", 404},
}

// moving are the keys of answers whose values are others each time.
var moving = map[string]bool{
	"node": true, "version": true, "revision": true, "boot": true, "started": true, "time": true, "since": true, "lastContact": true,
	"ageMs": true, "conn": true, "rss": true, "heap": true, "budgetUsed": true, "budgetLimit": true, "open": true, "limit": true, "uptimeSeconds": true,
	"hash": true, "requests": true, "routeReads": true, "routeMisses": true, "registrations": true, "heartbeats": true, "refused": true,
	"bytesIn": true, "bytesOut": true, "generation": true, "capacity": true, "p50": true, "p99": true, "id": true, "address": true, "idleMs": true,
	"seq": true, "parent": true, "remote": true, "oldest": true,
}

// still replaces what is another value each time by what kind of value it is.
func still(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if path, _ := v["key"].(string); strings.HasSuffix(path, "Path") || path == "bindAddress" || path == "listenPort" || path == "horizonFile" {
			v["value"] = "…"
		}
		for k := range v {
			v[k] = still(k, v[k])
		}
	case []any:
		for i := range v {
			v[i] = still(key, v[i])
		}
	case nil:
		if moving[key] && key != "since" {
			return "…"
		}
	default:
		if moving[key] {
			return "…"
		}
		if text, ok := v.(string); ok && key == "text" {
			return movingText.ReplaceAllString(text, "…")
		}
	}
	return v
}

// movingText is what of a text is another one each time: moments, numbers of events, ages,
// ports of clients.
var movingText = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:]+Z|#\d+|silent for [\d.]+ s|127\.0\.0\.1:\d+`)

// TestV1Golden compares each kind of answer with a file.
func TestV1Golden(t *testing.T) {
	f := newWorld(t)
	for _, tc := range goldenPaths {
		t.Run(tc.name, func(t *testing.T) {
			w := f.get(tc.path)
			var v any
			if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			var b bytes.Buffer
			fmt.Fprintf(&b, "GET %s\n%d %s\n", tc.path, w.Code, w.Header().Get("Content-Type"))
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(still("", v)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "v1", tc.name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if w.Code != tc.status || b.String() != string(want) {
				t.Errorf("%s answers %d\n%s\nwant %d\n%s", tc.path, w.Code, &b, tc.status, want)
			}
		})
	}
}

// TestRawRoute: raw=1 is byte for byte what a client is answered who asks for the route:
// of each version, zone, address, with acting masters and without.
func TestRawRoute(t *testing.T) {
	f := newWorld(t)
	n := 0
	for _, acting := range []string{"true", "false"} {
		set := nstest.Request(codec.ReqUpdateNamesrvConfig)
		set.Body = []byte("supportActingMaster=" + acting + "\n")
		f.do(set)
		for _, from := range []string{"127.0.0.1", "127.0.0.7", "127.0.0.8", "127.0.0.9"} {
			client := nstest.DialFrom(t, f.addr, net.ParseIP(from)) // all of 127.0.0.0/8 is loopback on Linux
			for _, topic := range []string{"ORDERS", "PAYMENTS", "ACTING", "STATIC", "%RETRY%g", "a/b", "größe", "broker-a", "none"} {
				for _, version := range []struct {
					as     string
					number int32
				}{{"V4_9_3", 399}, {"4.9.4", codec.V4_9_4}, {"V4_9_4_SNAPSHOT", codec.V4_9_4 - 1}, {"400", 400}, {"", codec.Version}} {
					for _, zone := range []string{"", "zone-1", "zone-2", "ZONE-1", "elsewhere"} {
						for _, standard := range []string{"0", "1"} {
							ask := nstest.Route(topic)
							ask.Version = version.number
							if zone != "" {
								ask.Ext = append(ask.Ext, codec.ExtField{Name: []byte("__ZONE_MODE"), Value: []byte("true")}, codec.ExtField{Name: []byte("__ZONE_NAME"), Value: []byte(zone)})
							}
							if standard == "1" {
								ask.Ext = append(ask.Ext, codec.ExtField{Name: []byte("acceptStandardJsonOnly"), Value: []byte("true")})
							}
							reply := client.Do(ask)
							query := url.Values{"raw": {"1"}, "from": {from}, "standardJson": {standard}, "as": {version.as + "," + zone}}
							w := f.get("/v1/topics/" + url.PathEscape(topic) + "/route?" + query.Encode())
							want := map[codec.ResponseCode]int{codec.RespSuccess: 200, codec.RespTopicNotExist: 404, codec.RespSystemError: 503}[codec.ResponseCode(reply.Code)]
							if w.Code != want || want == 200 && w.Body.String() != string(reply.Body) {
								t.Fatalf("topic %s as %s,%s from %s, standard %s, acting %s: %d\n%s\nthe client is told %d\n%s", topic, version.as, zone, from, standard, acting, w.Code, w.Body, reply.Code, reply.Body)
							}
							if want == 200 {
								n++
							}
						}
					}
				}
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d routes were compared", n)
	}
}

// TestRouteIsGated: while needWaitForService keeps clients waiting the route says so.
func TestRouteIsGated(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.NeedWaitForService, c.WaitSecondsForService = true, 3600 })
	var got routeAnswer
	f.want(200, "/v1/topics/T/route", &got)
	if got.Code != 1 || got.Remark == nil || *got.Remark != "name server not ready" || got.Route != nil {
		t.Errorf("the route is %+v", got)
	}
	if w := f.get("/v1/topics/T/route?raw=1"); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("raw: %d %s", w.Code, w.Body)
	}
	var st statusAnswer
	f.want(200, "/v1/status", &st)
	if st.State != "notReady" || !slices.Equal(st.Reasons, []string{"gate"}) || len(st.Attention) == 0 || st.Attention[0].Code != "routes.gated" {
		t.Errorf("status %+v", st)
	}
}

// TestConfigAnswer: sources and effects, secrets are hidden, and the hash tells
// configurations apart.
func TestConfigAnswer(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.TLS.ServerKeyPassword = "geheim" })
	var before, after configAnswer
	f.want(200, "/v1/config", &before)
	items := map[string]configItem{}
	for _, it := range before.Items {
		items[it.Key] = it
	}
	for key, want := range map[string]configItem{
		"maxTopics":                   {Value: "0", Source: "default", Effect: "restart"},
		"missDamping":                 {Value: "monitor", Source: "default", Effect: "live"},
		"configBlackList":             {Value: "configBlackList;configStorePath;kvConfigPath", Source: "default", Effect: "never"},
		"serverWorkerThreads":         {Value: "8", Source: "default", Effect: "none"},
		"tls.server.keyPassword":      {Value: "******", Source: "default", Effect: "restart"},
		"scanNotActiveBrokerInterval": {Value: "5000", Source: "default", Effect: "restart"},
	} {
		got := items[key]
		if got.Value != want.Value || got.Source != want.Source || got.Effect != want.Effect && key != "tls.server.keyPassword" {
			t.Errorf("%s is %+v, want %+v", key, got, want)
		}
	}
	set := func(line string) {
		update := nstest.Request(codec.ReqUpdateNamesrvConfig)
		update.Body = []byte(line)
		f.do(update)
	}
	set("missDamping=off\n")
	f.want(200, "/v1/config?changed=1", &after)
	i := slices.IndexFunc(after.Items, func(it configItem) bool { return it.Key == "missDamping" })
	if i < 0 || after.Items[i].Value != "off" || after.Items[i].Source != "request" || *after.Items[i].Default != "monitor" || after.Hash == before.Hash {
		t.Errorf("after a change: %+v", after)
	}
	set("missDamping=monitor\n")
	f.want(200, "/v1/config?changed=1", &after)
	if slices.ContainsFunc(after.Items, func(it configItem) bool { return it.Key == "missDamping" }) || after.Hash != before.Hash {
		t.Errorf("after it was changed back: %+v, hash before %s", after, before.Hash)
	}
}

// TestTopicPages walks all topics in pages of any size: each topic comes once, in order,
// whatever filters there are, and the end is that there is no next.
func TestTopicPages(t *testing.T) {
	f := newFixture(t, nil)
	var even, all []string
	for i := range 1234 {
		all = append(all, fmt.Sprintf("T%04d", i))
		if i%2 == 0 {
			even = append(even, all[i])
		}
	}
	f.register(nstest.Broker{Cluster: "c1", Name: "all", Addr: "10.0.0.1:1", Counter: 1, Topics: all})
	f.register(nstest.Broker{Cluster: "c2", Name: "even", Addr: "10.0.0.2:1", Counter: 1, Topics: even})
	f.names.forget(time.Now().Add(time.Hour))
	for _, tc := range []struct {
		query string
		want  []string
	}{
		{"limit=7", all},
		{"limit=1000", all},
		{"limit=617", all},
		{"limit=1234&fields=name", all},
		{"limit=100&cluster=c2", even},
		{"limit=100&broker=even&fields=name", even},
		{"limit=10&prefix=T001", all[10:20]},
		{"limit=3&prefix=T001", all[10:20]},
		{"limit=50&contains=99", slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !strings.Contains(s, "99") })},
		{"cluster=none", nil},
		{"perm=4", nil},
		{"prefix=zzz", nil},
	} {
		var got []string
		pages, after := 0, ""
		for {
			var page listing[topicName]
			f.want(200, "/v1/topics?"+tc.query+"&after="+url.QueryEscape(after), &page)
			for _, it := range page.Items {
				got = append(got, it.Topic)
			}
			if pages++; page.Next == "" || pages > 1000 {
				break
			}
			after = page.Next
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %d topics in %d pages, want %d", tc.query, len(got), pages, len(tc.want))
		}
	}
}

// TestShortPages: a request looks at so many names, and no more; the page may be empty
// and still have a next.
func TestShortPages(t *testing.T) {
	f := newFixture(t, nil)
	names := make([]string, 2*mostLooked+10)
	for i := range names {
		names[i] = fmt.Sprintf("T%06d", i)
	}
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: names})
	f.names.forget(time.Now().Add(time.Hour))
	last := names[len(names)-1]
	var nexts []string
	for after := ""; ; {
		var page listing[topicName]
		f.want(200, "/v1/topics?contains="+last+"&after="+after, &page)
		if nexts = append(nexts, page.Next); page.Next == "" {
			if len(page.Items) != 1 || page.Items[0].Topic != last {
				t.Errorf("the last page is %+v", page)
			}
			break
		}
		if after = page.Next; len(page.Items) != 0 {
			t.Errorf("page %+v", page)
		}
	}
	if want := []string{names[mostLooked-1], names[2*mostLooked-1], ""}; !slices.Equal(nexts, want) {
		t.Errorf("pages end with %q, want %q", nexts, want)
	}
}

// TestLargePages: what a page shows is bounded, however many brokers have each topic.
func TestLargePages(t *testing.T) {
	f := newFixture(t, nil)
	const brokers = 100
	names := make([]string, mostShown/brokers+100)
	for i := range names {
		names[i] = fmt.Sprintf("T%04d", i)
	}
	for i := range brokers {
		f.register(nstest.Broker{Cluster: "c", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), Counter: 1, Topics: names})
	}
	f.names.forget(time.Now().Add(time.Hour))
	var first, second listing[topicAnswer]
	f.want(200, "/v1/topics?limit=1000", &first)
	f.want(200, "/v1/topics?limit=1000&after="+first.Next, &second)
	if len(first.Items) != mostShown/brokers || len(second.Items) != 100 || second.Next != "" || second.Items[99].Topic != names[len(names)-1] {
		t.Errorf("pages of %d and %d topics, want %d and 100", len(first.Items), len(second.Items), mostShown/brokers)
	}
}

// TestBrokerPages: as TestTopicPages.
func TestBrokerPages(t *testing.T) {
	f := newWorld(t)
	for limit := 1; limit < 7; limit++ {
		var got []string
		for after := ""; ; {
			var page listing[brokerAnswer]
			f.want(200, fmt.Sprintf("/v1/brokers?limit=%d&after=%s", limit, url.QueryEscape(after)), &page)
			for _, b := range page.Items {
				got = append(got, b.Broker)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if want := []string{"broker c", "broker-a", "broker-b", "broker-d", "broker-e"}; !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %q", limit, got)
		}
	}
}

// TestKVPages: as TestTopicPages; what is between two pages is neither lost nor shown
// twice, whatever its name.
func TestKVPages(t *testing.T) {
	f := newFixture(t, nil)
	var want []string
	for _, ns := range []string{"", "a", "a/b", "b&c=d"} {
		if ns == "" {
			continue
		}
		for _, key := range []string{"%RETRY%g", "k", "k/", "k\x01"} {
			f.do(nstest.Request(codec.ReqPutKVConfig, "namespace", ns, "key", key, "value", "v"))
			want = append(want, ns+" "+key)
		}
	}
	slices.Sort(want)
	for limit := 1; limit < 5; limit++ {
		var got []string
		for after := ""; ; {
			var page listing[kvEntry]
			path := fmt.Sprintf("/v1/kv?limit=%d", limit)
			if after != "" {
				path += "&after=" + url.QueryEscape(after)
			}
			f.want(200, path, &page)
			for _, e := range page.Items {
				got = append(got, e.Namespace+" "+e.Key)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %q, want %q", limit, got, want)
		}
	}
}

// TestSnapshotIsWhole: the snapshot has all that other endpoints show, packed or not.
func TestSnapshotIsWhole(t *testing.T) {
	f := newWorld(t)
	plain := f.get("/v1/snapshot").Body.String()
	packed := f.get("/v1/snapshot", "Accept-Encoding", "gzip")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", packed.Header())
	}
	gz, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	var unpacked bytes.Buffer
	if _, err := unpacked.ReadFrom(gz); err != nil {
		t.Fatal(err)
	}
	moves := regexp.MustCompile(`"(time|lastContact)":"[^"]*"|"ageMs":[0-9]+`)
	if a, b := moves.ReplaceAllString(plain, ""), moves.ReplaceAllString(unpacked.String(), ""); a != b {
		t.Errorf("packed\n%s\nplain\n%s", b, a)
	}
	lines := strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
	types := map[string]int{}
	for _, line := range lines {
		var l struct {
			Type, Topic               string
			Clusters, Brokers, Topics any
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		types[l.Type]++
		if l.Type == "topic" {
			var want topicAnswer
			f.want(200, "/v1/topics/"+url.PathEscape(l.Topic), &want)
			b, _ := json.Marshal(want.Queues)
			if !strings.Contains(line, `"queues":`+string(b)) {
				t.Errorf("%s, want queues %s", line, b)
			}
		}
	}
	last := lines[len(lines)-1]
	if want := fmt.Sprintf(`{"type":"end","clusters":%d,"brokers":%d,"topics":%d}`, types["cluster"], types["broker"], types["topic"]); last != want || types["view"] != 1 || types["broker"] != 5 {
		t.Errorf("the last line is %s, want %s", last, want)
	}
}

// TestSnapshotEnds: who reads too slowly does not get the end.
func TestSnapshotEnds(t *testing.T) {
	f := newWorld(t)
	defer func(was time.Duration) { mostSnapshotTime = was }(mostSnapshotTime)
	for _, d := range []time.Duration{time.Hour, 0} {
		mostSnapshotTime = d
		if got := strings.Contains(f.get("/v1/snapshot").Body.String(), `"type":"end"`); got != (d > 0) {
			t.Errorf("in %v it has an end: %v", d, got)
		}
	}
}

// TestGenerationGrows: an answer after a change has a higher generation of the same boot.
func TestGenerationGrows(t *testing.T) {
	f := newFixture(t, nil)
	var server struct{ Boot, Generation string }
	f.want(200, "/v1", &server)
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "U"}})
	var topic topicAnswer
	f.want(200, "/v1/topics/T", &topic)
	boot, _, _ := strings.Cut(topic.Generation, ".")
	if topic.Generation == server.Generation || boot != server.Boot || !strings.HasPrefix(server.Generation, boot+".") {
		t.Errorf("generation %s of boot %s, before %s", topic.Generation, server.Boot, server.Generation)
	}
}

// TestRates: what is shown a second is what has happened, by the time that has passed.
func TestRates(t *testing.T) {
	var r readings
	if rates := r.rates(); rates.Requests != nil {
		t.Error("there are rates before there are readings")
	}
	for i := range 30 {
		now := reading{at: time.Duration(i) * time.Second}
		now.requests, now.bytesIn = uint64(i*25), uint64(i*1000)
		r.add(now)
	}
	rates := r.rates()
	if *rates.Requests != 25 || *rates.BytesIn != 1000 || *rates.Heartbeats != 0 || len(r.list) != rateSpan+1 {
		t.Errorf("rates %v, %v, %v of %d readings", *rates.Requests, *rates.BytesIn, *rates.Heartbeats, len(r.list))
	}
}

// TestStatusHasRates: a server that runs takes readings by itself.
func TestStatusHasRates(t *testing.T) {
	f := newFixture(t, nil)
	client := nstest.Dial(t, f.addr)
	nstest.Eventually(t, "there are rates of misses", func() bool {
		client.Do(nstest.Route("none"))
		rates := f.readings.rates()
		return rates.RouteMisses != nil && *rates.RouteMisses > 0 && *rates.RouteReads >= *rates.RouteMisses
	})
}

// TestAttentionIsBounded: the worst come first, and no more than 20.
func TestAttentionIsBounded(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 30 {
		f.register(nstest.Broker{Cluster: "c", Name: fmt.Sprintf("b%02d", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), ID: int64(i % 2), Counter: 1, Topics: []string{"T", "U"}})
	}
	var st, again statusAnswer
	f.want(200, "/v1/status", &st)
	if st.Brokers.Sets != 30 || st.Brokers.Masterless != 15 || len(st.Attention) != 15 {
		t.Errorf("%+v, %d entries", st.Brokers, len(st.Attention))
	}
	sv := f.survey(f.server.View())
	for _, s := range sv.sets {
		for i := range s.members {
			s.members[i].state = stateOverdue
		}
	}
	snap := f.server.Snapshot()
	entries := f.attention(&snap, sv)
	if len(entries) != mostAttention || entries[0].Severity != severityCritical || entries[mostAttention-1].Severity != severityWarning {
		t.Errorf("%d entries: %+v", len(entries), entries)
	}
	f.want(200, "/v1/status", &again)
	if *st.Attention[0].Since != *again.Attention[0].Since {
		t.Errorf("the first entry is there since %v, then since %v", st.Attention[0].Since, again.Attention[0].Since)
	}
	if w := f.get(*again.Attention[0].Link); w.Code != http.StatusOK {
		t.Errorf("its link leads to %d", w.Code)
	}
}

// TestNumbers: those that readers of JSON cannot hold are texts.
func TestNumbers(t *testing.T) {
	b, err := json.Marshal([]number{0, -1, 1 << 53, 1<<53 + 1, -1 << 60})
	if want := `[0,-1,9007199254740992,"9007199254740993","-1152921504606846976"]`; err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
}

// TestClientVersions: what may stand for a version, and what may not.
func TestClientVersions(t *testing.T) {
	for text, want := range map[string]int32{
		"V4_9_3": 400, "4.9.3": 400, "V4_9_4": 401, "4.9.4": 401, "V4_9_4_SNAPSHOT": 400, "V5_3_3": 401, "V3_0_0_SNAPSHOT": 400, "479": 479,
	} {
		if got, ok := clientVersion(text); !ok || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"V", "4.9", "V4_9_4_", "4..9.4", "-1", "V4_9_999", "99999999", "x", "4.9.4.1", "+4.9.4"} {
		if got, ok := clientVersion(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// TestConnections: the list, page by page, is what the groups count, and names the brokers
// that came over each.
func TestConnections(t *testing.T) {
	f := newWorld(t)
	var brokers []string
	listed := 0
	for after := "0"; ; {
		var page listing[connAnswer]
		f.want(200, "/v1/connections?list=1&limit=3&after="+after, &page)
		for _, c := range page.Items {
			listed++
			brokers = append(brokers, c.Brokers...)
		}
		if after = page.Next; after == "" {
			break
		}
		if len(page.Items) != 3 {
			t.Fatalf("page %+v", page)
		}
	}
	slices.Sort(brokers)
	if want := []string{"broker c", "broker-a", "broker-a", "broker-b", "broker-d", "broker-e"}; !slices.Equal(brokers, want) {
		t.Errorf("brokers %q", brokers)
	}
	for _, by := range []string{"address", "language,version"} {
		var groups listing[connGroup]
		f.want(200, "/v1/connections?by="+url.QueryEscape(by), &groups)
		if len(groups.Items) != 1 || groups.Items[0].Count != listed {
			t.Errorf("by %s: %+v of %d", by, groups.Items, listed)
		}
	}
}

// TestDigestBuckets: the buckets together have all topics, each once.
func TestDigestBuckets(t *testing.T) {
	f := newWorld(t)
	var all digestList
	f.want(200, "/v1/digest?buckets=8", &all)
	var names []string
	for n := range 8 {
		var one digestList
		f.want(200, fmt.Sprintf("/v1/digest?buckets=8&only=%d", n), &one)
		names = append(names, *one.Names...)
	}
	slices.Sort(names)
	if want := f.server.View().TopicNames(); len(*all.Buckets) != 8 || !slices.Equal(names, want) {
		t.Errorf("%d buckets have %q, want %q", len(*all.Buckets), names, want)
	}
	if w := f.get("/v1/digest?only=1"); w.Code != 400 {
		t.Errorf("only without buckets: %d", w.Code)
	}
}

// TestDigestWithin: the finer buckets that lie in a coarse one are those that have its
// topics, and the digest of a bucket is that of its topics.
func TestDigestWithin(t *testing.T) {
	f := newWorld(t)
	sum := func(texts []string) (sum uint64) {
		for _, text := range texts {
			n, err := strconv.ParseUint(text, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum ^= n
		}
		return sum
	}
	var coarse, fine, two digestList
	f.want(200, "/v1/digest?buckets=4", &coarse)
	f.want(200, "/v1/digest?buckets=32", &fine)
	f.want(200, "/v1/digest?buckets=32&within=4&only=3,1", &two)
	var want []string
	for _, n := range []int{3, 1} {
		var in []string
		for ; n < 32; n += 4 {
			in = append(in, (*fine.Buckets)[n])
		}
		if got, want := sum(in), sum((*coarse.Buckets)[n%4:n%4+1]); got != want {
			t.Errorf("the buckets in bucket %d have %x, want %x", n%4, got, want)
		}
		want = append(want, in...)
	}
	if !slices.Equal(*two.Buckets, want) || two.Names != nil {
		t.Errorf("got %q, want %q", *two.Buckets, want)
	}
	var topics digestList
	f.want(200, "/v1/digest?buckets=4&only=3,1", &topics)
	if got, want := sum(*topics.Sums), sum([]string{(*coarse.Buckets)[1], (*coarse.Buckets)[3]}); got != want || len(*topics.Names) != len(*topics.Sums) {
		t.Errorf("the topics of two buckets %+v have %x, want %x", topics, got, want)
	}
	for _, bad := range []string{
		"buckets=32&within=5&only=1", "buckets=4&within=32&only=1", "buckets=32&within=4", "buckets=32&within=4&only=4", "within=4&only=1",
		"buckets=4&only=", "buckets=4&only=1,", "buckets=4&only=1,1", "buckets=4&only=%2B1", "buckets=4&only=1,4",
		"buckets=65536&only=0" + strings.Repeat(",1", 256),
	} {
		if w := f.get("/v1/digest?" + bad); w.Code != 400 {
			t.Errorf("%s is answered %d", bad, w.Code)
		}
	}
}

// TestLargeBucket: the names of a bucket are no way to get them all at once.
func TestLargeBucket(t *testing.T) {
	f := newFixture(t, nil)
	names := make([]string, largestNamePage+1)
	for i := range names {
		names[i] = fmt.Sprintf("T%05d", i)
	}
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: names})
	if w := f.get("/v1/digest?buckets=1&only=0"); w.Code != 400 || !strings.Contains(w.Body.String(), "ask for more buckets") {
		t.Errorf("it is answered %d %.100s", w.Code, w.Body)
	}
	var half digestList
	if f.want(200, "/v1/digest?buckets=2&only=1", &half); len(*half.Names) == 0 {
		t.Error("half of them cannot be had")
	}
}

// TestLatencies: the quantiles are of what happened between the oldest reading and now.
func TestLatencies(t *testing.T) {
	var l latencies
	if got := l.answer(latencyReading{}); got.Request.P50 != nil || got.QueueWait.P99 != nil {
		t.Errorf("before anything was measured: %+v", got)
	}
	var h meter.Histogram
	for range 20 {
		h.AddMany(1e9, 1000) // long ago
		l.add(latencyReading{request: h.Read()})
	}
	for range 100_000 {
		h.Add(1e6)
	}
	got := l.answer(latencyReading{request: h.Read()})
	if p := *got.Request.P50; p < 1 || p > 1.25 || len(l.list) != latencySpan+1 {
		t.Errorf("half of them took %v ms of %d readings", p, len(l.list))
	}
}

// TestMissesAreNotRefused: that a topic is not there is an answer.
func TestMissesAreNotRefused(t *testing.T) {
	r := readingOf(&namesrv.Snapshot{Requests: []namesrv.RequestStats{
		{Code: codec.ReqGetRouteInfoByTopic, Refused: map[string]uint64{"notFound": 3, "queueFull": 4}},
		{Code: codec.ReqGetKVConfig, Refused: map[string]uint64{"notFound": 5}},
	}})
	if r.refused != 4 || r.routeMisses != 3 {
		t.Errorf("%d refused and %d misses, want 4 and 3", r.refused, r.routeMisses)
	}
}
