package admin

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
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
	{"access", "/v1/access", 200},
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
	"seq": true, "parent": true, "remote": true, "oldest": true, "clientVersion": true, "percent": true,
}

// mayBeNull are those of them that a golden file shows to be null.
var mayBeNull = map[string]bool{"since": true, "clientVersion": true}

// still replaces what is another value each time by what kind of value it is.
func still(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if path, _ := v["key"].(string); strings.HasSuffix(path, "Path") || path == "bindAddress" || path == "listenPort" || path == "horizonFile" {
			v["value"] = "…"
		}
		if _, ok := v["changed"].(string); ok { // a generation; elsewhere it is a number, or names
			v["changed"] = "…"
		}
		for k := range v {
			v[k] = still(k, v[k])
		}
	case []any:
		for i := range v {
			v[i] = still(key, v[i])
		}
	case nil:
		if moving[key] && !mayBeNull[key] {
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
