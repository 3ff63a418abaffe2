package admin

import (
	"encoding/json"
	"fmt"
	"html"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// pageOf asks for a page as a browser does.
func (f *fixture) pageOf(path string) *httptest.ResponseRecorder {
	f.t.Helper()
	f.guard.asks = newLimiter(1e9, 1e9)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host, r.RemoteAddr = "localhost:19876", "127.0.0.1:1"
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	f.Admin.ServeHTTP(w, r)
	return w
}

func (f *fixture) wantPage(status int, path string) string {
	f.t.Helper()
	w := f.pageOf(path)
	if w.Code != status || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || w.Header().Get("Cache-Control") != "no-store" {
		f.t.Errorf("%s is answered %d %v %s", path, w.Code, w.Header(), w.Body)
	}
	if found := unsafeHTML.FindString(w.Body.String()); found != "" {
		f.t.Errorf("%s has %q", path, found)
	}
	return w.Body.String()
}

// TestConsolePages follows all links between the pages of a server that has some of
// everything, and the worst of names. None leads to an error.
func TestConsolePages(t *testing.T) {
	f := newWorld(t)
	const name = `<script>alert(1)</script>%0a/"'&?#`
	f.register(nstest.Broker{Cluster: name, Name: name, Addr: "10.0.0.9:10911", Counter: 1, Topics: []string{name, "\u202eOTHER", "a b"}})
	f.do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", name))
	gone := nstest.Dial(t, f.addr)
	gone.Do(nstest.Broker{Cluster: "c1", Name: "gone-" + name, Addr: "10.0.0.8:10911", Counter: 1, Topics: []string{"G", "H"}}.Register())
	gone.Close()
	nstest.Eventually(t, "the broker is gone", func() bool {
		return strings.Contains(f.pageOf("/brokers").Body.String(), "broker.connectionLost")
	})
	links := regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)
	seen, queue := map[string]bool{}, []string{"/"}
	for len(queue) > 0 && len(seen) < 1000 {
		path := queue[0]
		queue = queue[1:]
		if path, _, _ = strings.Cut(path, "#"); seen[path] {
			continue
		}
		seen[path] = true
		w := f.pageOf(path)
		if w.Code != http.StatusOK {
			t.Errorf("%s is answered %d %s", path, w.Code, w.Body)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		f.wantPage(200, path)
		for _, m := range links.FindAllStringSubmatch(w.Body.String(), -1) {
			queue = append(queue, html.UnescapeString(m[1]))
		}
	}
	for _, path := range []string{"/brokers", "/topics", "/clients", "/clients?by=list", "/events", "/config?all=1", "/peers", "/brokers/" + url.PathEscape(name), "/topics/" + url.PathEscape(name), "/topics/a%2Fb", "/topics/%25RETRY%25g"} {
		if !seen[path] {
			t.Errorf("no link leads to %s", path)
		}
	}
	if page := f.wantPage(200, "/brokers/"+url.PathEscape(name)); strings.Contains(page, "not registered") || !strings.Contains(page, html.EscapeString(name)) {
		t.Errorf("the broker's page is\n%s", page)
	}
	if page := f.wantPage(200, "/topics/"+url.PathEscape(name)); strings.Contains(page, "No broker serves it") {
		t.Errorf("the topic's page is\n%s", page)
	}
}

// TestConsoleSaysWhatV1Says: the pages show what the read API answers.
func TestConsoleSaysWhatV1Says(t *testing.T) {
	f := newWorld(t)
	for path, texts := range map[string][]string{
		"/":                          {"Needs attention", "broker &#34;broker-d&#34; has no master", "broker.registered"},
		"/brokers":                   {`data-k="broker-a/0@10.0.0.1:10911"`, "no master, a slave stands in", "write permission wiped", "acting master"},
		"/brokers/nobody":            {"not registered", "not routed"},
		"/topics":                    {"größe", "%RETRY%g"},
		"/topics?contains=RD&perm=6": {"ORDERS"},
		"/topics?contains=ORDERS":    {`Go to <a href="/topics/ORDERS">`},
		"/topics?contains=nope":      {"why is", "No topic fits"},
		"/topics?prefix=PAY":         {"PAYMENTS"},
		"/topics/ORDERS?version=4.9.3&zone=zone-1": {"Rule zone removed", "routed in part", "legacy JSON"},
		"/topics/PAYMENTS?from=127.0.0.7":          {"198.51.100.1:10911", "Rule horizon changed"},
		"/topics/PAYMENTS?from=127.0.0.9":          {"None: "},
		"/topics/NOSUCH":                           {"not routed", "No broker serves it"},
		"/clients":                                 {"by language and version"},
		"/clients?by=address":                      {"127.0.0.1"},
		"/events?type=perm.*":                      {"perm.wiped", "an operator asked for it"},
		"/events?since=0":                          {"broker.registered"},
		"/config":                                  {"missDamping", "request"},
		"/config?all=1":                            {"listenPort", "default"},
		"/peers":                                   {"Not configured"},
	} {
		page := f.wantPage(200, path)
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("%s does not say %q:\n%s", path, text, page[strings.Index(page, "<main"):])
			}
		}
	}
	for path, status := range map[string]int{
		"/topics/T?version=x": 400, "/topics/T?from=x": 400, "/brokers?state=x": 400, "/brokers?page=0": 400, "/clients?by=x": 400, "/events?type=x": 400,
		"/events?since=zzz.1": 410, "/?x=1": 400, "/nothing": 404, "/assets/x": 404,
	} {
		if w := f.pageOf(path); w.Code != status {
			t.Errorf("%s is answered %d, want %d", path, w.Code, status)
		}
	}
	if page := f.wantPage(404, "/nothing"); strings.Contains(page, `id="strip"`) {
		t.Error("a path that is not there shows the state to whoever asks")
	}
}

// TestConsolePagesAreBounded: however much there is, a page has 100 rows of it; the worst
// broker is on the first.
func TestConsolePagesAreBounded(t *testing.T) {
	if raceEnabled {
		t.Skip("one request at a time")
	}
	f := newFixture(t, func(c *namesrv.Config) {})
	c := nstest.Dial(t, f.addr)
	var topics []string
	for i := range 250 {
		topics = append(topics, fmt.Sprintf("T%03d", i))
	}
	for i := range 250 {
		b := nstest.Broker{Cluster: "c", Name: fmt.Sprintf("b%03d", i), Addr: fmt.Sprintf("10.0.%d.1:1", i), Counter: 1, Topics: []string{"A", "B"}}
		if i == 0 {
			b.Topics = topics
		}
		if i == 200 {
			b.ID = 1 // and nobody is its master
		}
		if reply := c.Do(b.Register()); codec.ResponseCode(reply.Code) != codec.RespSuccess {
			t.Fatal(string(reply.Remark))
		}
	}
	rows := func(page string) int { return strings.Count(page, "<tr data-k=") }
	for path, want := range map[string]int{"/brokers": 100, "/brokers?page=3": 50, "/brokers?page=9": 0, "/topics": 100, "/topics?after=T200": 49, "/events": 100, "/topics/A": 100 + namedEvents, "/brokers?name=b1": 100, "/brokers?state=masterless": 1} {
		page := f.wantPage(200, path)
		if n := rows(page); n != want {
			t.Errorf("%s has %d rows, want %d", path, n, want)
		}
		if len(page) > 100<<10 {
			t.Errorf("%s has %d bytes", path, len(page))
		}
	}
	if page := f.wantPage(200, "/brokers"); strings.Index(page, `data-k="b200/1@`) > strings.Index(page, `data-k="b000/`) || !strings.Contains(page, `data-k="b200/1@`) {
		t.Error("the broker without master is not the first")
	}
}

// TestConsoleAssets: what pages load is there under a name that says what is in it, and may
// be kept; the script and the styles are small.
func TestConsoleAssets(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) {})
	page := f.wantPage(200, "/")
	n := 0
	for _, m := range regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		w := f.pageOf(m[1])
		if w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Body.Len() == 0 {
			t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
		}
		n++
	}
	if n != len(assetTypes) {
		t.Errorf("the page loads %d assets of %d", n, len(assetTypes))
	}
	if w := f.pageOf("/favicon.ico"); w.Code != 200 || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("the icon is answered %d", w.Code)
	}
	js, _ := os.ReadFile("console/console.js")
	css, _ := os.ReadFile("console/console.css")
	if lines := strings.Count(string(js), "\n"); lines > 400 || len(css) > 8<<10 || lines == 0 || len(css) == 0 {
		t.Errorf("the script has %d lines, the styles %d bytes", lines, len(css))
	}
	if strings.Contains(string(js), "innerHTML") || strings.Contains(string(js), "eval(") {
		t.Error("the script makes HTML of text")
	}
}

// TestCharts: the last 900 samples, oldest first; what is not known is null.
func TestCharts(t *testing.T) {
	a := newAdmin(t)
	start := time.Unix(1_700_000_000, 0)
	for i := range chartSeconds + 10 {
		var delay *float64
		if i >= 20 {
			delay = ref(float64(i))
		}
		a.sample(start.Add(time.Duration(i)*time.Second), i, delay)
	}
	if len(a.charts.samples) != chartSeconds {
		t.Fatalf("%d samples are kept", len(a.charts.samples))
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/charts.json", nil))
	var got map[string][]*float64
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, info := range chartInfo {
		if len(got[info.Key]) != chartSeconds {
			t.Errorf("%s has %d values", info.Key, len(got[info.Key]))
		}
	}
	times, conns, delay := got["times"], got["connections"], got["loopDelay"]
	for i := range times {
		if *times[i] != float64(start.Unix()+int64(i)+10) || *conns[i] != float64(i+10) || got["requests"][i] != nil || (delay[i] == nil) != (i < 10) {
			t.Fatalf("sample %d is %v, %v, %v", i, *times[i], *conns[i], delay[i])
		}
	}
	v := chartsView(a.charts.all())
	if c := v[figureConnections]; c.Now != "909" || c.Span != "from 10 to 909" || v[figureRequests].Now != notKnown {
		t.Errorf("%+v %+v", c, v[figureRequests])
	}
	if x := chartsView([]chartSample{{values: [figures]float32{float32(math.NaN())}}})[figureRequests]; x.Span != "not known yet" {
		t.Errorf("%+v", x)
	}
}

// TestChartsGrow: a server that runs takes a sample each second.
func TestChartsGrow(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) {})
	nstest.Eventually(t, "there are samples with rates", func() bool {
		all := f.charts.all()
		return len(all) > 2 && !math.IsNaN(float64(all[len(all)-1].values[figureRequests]))
	})
}
