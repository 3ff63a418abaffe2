package admin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// serveMetrics returns an Admin for a server that runs until the end of the test, and the
// server's address.
func serveMetrics(t testing.TB, change func(*namesrv.Config)) (a *Admin, addr string) {
	t.Helper()
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort, cfg.AdminAllowedHosts = "127.0.0.1", 0, "example.com"
	cfg.KVConfigPath = filepath.Join(t.TempDir(), "kvConfig.json")
	if change != nil {
		change(&cfg)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := namesrv.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	a = New(s, slog.New(slog.NewTextHandler(noErrors{t}, nil)))
	a.guard.scrapes = newLimiter(1e9, 1e9)
	return a, s.Addr().String()
}

// noErrors takes the log of an Admin, which is to have nothing to say: an incomplete
// scrape is an error there.
type noErrors struct{ testing.TB }

func (e noErrors) Write(line []byte) (int, error) {
	e.Errorf("logged: %s", line)
	return len(line), nil
}

// scrape returns the metrics by name, as a scrape with the given headers shows them.
func scrape(t testing.TB, a *Admin) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value returns the value of a counter or gauge with all the given labels, NaN if there
// is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[namespace+name].GetMetric() {
		if !hasLabels(m, labels) {
			continue
		}
		if m.Counter != nil {
			return m.GetCounter().GetValue()
		}
		return m.GetGauge().GetValue()
	}
	return math.NaN()
}

func hasLabels(m *dto.Metric, labels []string) bool {
	has := map[string]string{}
	for _, l := range m.Label {
		has[l.GetName()] = l.GetValue()
	}
	for i := 0; i < len(labels); i += 2 {
		if v, ok := has[labels[i]]; !ok || v != labels[i+1] {
			return false
		}
	}
	return true
}

func wantValue(t *testing.T, families map[string]*dto.MetricFamily, want float64, name string, labels ...string) {
	t.Helper()
	if got := value(families, name, labels...); got != want {
		t.Errorf("%s%q is %v, want %v", name, labels, got, want)
	}
}

// TestMetricsOfBrokers registers brokers and compares what is shown of them.
func TestMetricsOfBrokers(t *testing.T) {
	a, addr := serveMetrics(t, func(c *namesrv.Config) { c.SupportActingMaster = true })
	c := nstest.Dial(t, addr)
	for _, b := range []nstest.Broker{
		{Cluster: "c1", Name: "a", ID: 0, Addr: "10.0.0.1:10911", Topics: []string{"T1", "T2", "T3"}},
		{Cluster: "c1", Name: "a", ID: 1, Addr: "10.0.0.2:10911"},
		{Cluster: "c1", Name: "b", ID: 2, Addr: "10.0.0.3:10911"},
		{Cluster: "c2", Name: "odd\xff", ID: 0, Addr: "10.0.0.4:10911", Topics: []string{"T1", "T2"}},
	} {
		if code := codec.ResponseCode(c.Do(b.Register()).Code); code != codec.RespSuccess {
			t.Fatalf("broker %+v: %v", b, code)
		}
	}
	if code := codec.ResponseCode(c.Do(nstest.Route("nothing")).Code); code != codec.RespTopicNotExist {
		t.Fatal(code)
	}
	got := scrape(t, a)
	wantValue(t, got, 1, "active_brokers", "cluster", "c1", "role", "master")
	wantValue(t, got, 2, "active_brokers", "cluster", "c1", "role", "slave")
	wantValue(t, got, 1, "active_brokers", "cluster", "c2", "role", "master")
	wantValue(t, got, 0, "active_brokers", "cluster", "c2", "role", "slave")
	wantValue(t, got, 2, "broker_sets", "cluster", "c1")
	wantValue(t, got, 1, "masterless_broker_sets", "cluster", "c1")
	wantValue(t, got, 0, "masterless_broker_sets", "cluster", "c2")
	wantValue(t, got, 3, "topics")
	wantValue(t, got, 3, "broker_topics", "cluster", "c1", "broker", "a", "broker_id", "1")
	wantValue(t, got, 2, "broker_topics", "broker", "odd\uFFFD", "broker_id", "0")
	wantValue(t, got, 0, "broker_series_omitted")
	wantValue(t, got, 4, "broker_events_total", "event", "registered")
	wantValue(t, got, 1, "requests_refused_total", "request_code", "get_routeinfo_by_topic", "reason", "not_found")
	wantValue(t, got, 1, "active_connections", "transport", "plain")
	wantValue(t, got, 1, "ready", "check", "gate")
	age := value(got, "broker_heartbeat_age_seconds", "broker", "a", "broker_id", "0")
	if worst := value(got, "heartbeat_age_ratio_max", "cluster", "c1"); !(age >= 0 && age < 60 && worst >= 0 && worst < 0.5) {
		t.Errorf("age %v, ratio %v", age, worst)
	}
	if value(got, "memory_budget_limit_bytes", "part", "queue") <= 0 || value(got, "queue_capacity", "class", "admin") <= 0 {
		t.Error("limits are missing")
	}
}

// TestMetricsAreBounded registers more brokers and clusters than have metrics of their
// own, and names as nobody means them.
func TestMetricsAreBounded(t *testing.T) {
	const brokers = 3 * maxClusters
	a, addr := serveMetrics(t, func(c *namesrv.Config) { c.MetricsMaxBrokers = brokers })
	c := nstest.Dial(t, addr)
	register := func(i int) {
		t.Helper()
		name := fmt.Sprintf("%s%04d", strings.Repeat("long\xff\"\\\n{", 20), i)
		b := nstest.Broker{Cluster: name, Name: name, ID: int64(i % 2), Addr: fmt.Sprintf("10.0.1.%d:10911", i), Topics: []string{"T", fmt.Sprint("T", i)}}
		if code := codec.ResponseCode(c.Do(b.Register()).Code); code != codec.RespSuccess {
			t.Fatal(code)
		}
	}
	for i := range brokers {
		register(i)
	}
	got := scrape(t, a)
	if n := len(got[namespace+"broker_topics"].GetMetric()); n+int(value(got, "broker_series_omitted")) != brokers || n == 0 {
		t.Errorf("%d brokers have metrics, %v are left out, of %d", n, value(got, "broker_series_omitted"), brokers)
	}
	if n := len(got[namespace+"broker_sets"].GetMetric()); n > maxClusters+1 {
		t.Errorf("%d clusters have metrics", n)
	}
	if got := value(got, "broker_sets", "cluster", otherCluster); got != brokers-maxClusters {
		t.Errorf("%v broker names are of other clusters, want %d", got, brokers-maxClusters)
	}
	for name, f := range got {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if v := l.GetValue(); len(v) > maxLabel || strings.HasPrefix(v, "10.0.1.") {
					t.Errorf("%s has %s=%q", name, l.GetName(), v)
				}
			}
		}
	}
	register(brokers)
	got = scrape(t, a)
	if n := len(got[namespace+"broker_topics"].GetMetric()); n != 0 || value(got, "broker_series_omitted") != brokers+1 {
		t.Errorf("with one more %d brokers have metrics, %v are left out", n, value(got, "broker_series_omitted"))
	}
}

// TestMetricsJavaNames turns the names of RocketMQ off and on.
func TestMetricsJavaNames(t *testing.T) {
	for _, on := range []bool{true, false} {
		a, _ := serveMetrics(t, func(c *namesrv.Config) { c.MetricsJavaNames = on })
		java := 0
		for name := range scrape(t, a) {
			if strings.HasPrefix(name, "rocketmq_") && !strings.HasPrefix(name, namespace) {
				java++
			}
		}
		if (java > 0) != on {
			t.Errorf("metricsJavaNames=%v: %d metrics have Java's names", on, java)
		}
	}
}

// TestMetricsFormats asks for each format there is, and compares what they say.
func TestMetricsFormats(t *testing.T) {
	a := newAdmin(t)
	for accept, want := range map[string]string{
		"": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
		"application/openmetrics-text; version=1.0.0":                                                  "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
		"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores",
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != want {
			t.Errorf("%q is answered %d %q, want %q", accept, w.Code, got, want)
		}
		if got := w.Header().Get("Content-Length"); got != fmt.Sprint(w.Body.Len()) {
			t.Errorf("%q: length %s of %d", accept, got, w.Body.Len())
		}
		if !strings.Contains(w.Body.String(), namespace+"topics") {
			t.Errorf("%q: no topics in %q", accept, w.Body)
		}
	}
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" || !strings.HasPrefix(w.Body.String(), "\x1f\x8b") {
		t.Errorf("gzip: %v", w.Header())
	}
}

// A stuckWriter never takes a byte, as a peer that does not read.
type stuckWriter struct {
	*httptest.ResponseRecorder
	begun   chan<- struct{}
	proceed <-chan struct{}
}

func (w stuckWriter) Write(p []byte) (int, error) {
	w.begun <- struct{}{}
	<-w.proceed
	return 0, io.ErrClosedPipe
}

// TestSlowScrapesHoldUpNobody lets several peers not read their metrics: others get
// theirs, and those are new.
func TestSlowScrapesHoldUpNobody(t *testing.T) {
	a, addr := serveMetrics(t, nil)
	begun, proceed := make(chan struct{}), make(chan struct{})
	var stuck sync.WaitGroup
	for range 5 {
		stuck.Go(func() {
			a.ServeHTTP(stuckWriter{httptest.NewRecorder(), begun, proceed}, httptest.NewRequest("GET", "/metrics", nil))
		})
		<-begun
	}
	wantValue(t, scrape(t, a), 0, "topics")
	b := nstest.Broker{Cluster: "c", Name: "a", Addr: "10.0.0.1:10911", Topics: []string{"T", "U"}}
	nstest.Dial(t, addr).Do(b.Register())
	wantValue(t, scrape(t, a), 2, "topics")
	close(proceed)
	stuck.Wait()
}

// TestMetricsOfALife scrapes while the server starts, serves and ends, from many
// goroutines.
func TestMetricsOfALife(t *testing.T) {
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort, cfg.AdminAllowedHosts = "127.0.0.1", 0, "example.com"
	cfg.KVConfigPath = ""
	log := slog.New(slog.DiscardHandler)
	s, err := namesrv.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	a := New(s, log)
	a.guard.scrapes = newLimiter(1e9, 1e9)
	wantValue(t, scrape(t, a), 0, "ready", "check", "listener")
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	over := make(chan struct{})
	var scrapers sync.WaitGroup
	for range 4 {
		scrapers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					scrape(t, a)
				}
			}
		})
	}
	<-s.Ready()
	wantValue(t, scrape(t, a), 1, "ready", "check", "listener")
	wantValue(t, scrape(t, a), 1, "ready", "check", "draining")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(over)
	scrapers.Wait()
	wantValue(t, scrape(t, a), 0, "ready", "check", "draining")
}

// TestConfigHash changes each key of the configuration: the hash changes, unless each
// server has a value of its own for it.
func TestConfigHash(t *testing.T) {
	cfg := namesrv.DefaultConfig()
	var settings []namesrv.Setting
	for _, line := range cfg.Properties() {
		key, value, _ := strings.Cut(line, "=")
		settings = append(settings, namesrv.Setting{Key: key, Value: value})
	}
	before, changing := configHash(settings), 0
	for i := range settings {
		old := settings[i].Value
		settings[i].Value += "x"
		if changes := configHash(settings) != before; changes == namesrv.IsOwnKey(settings[i].Key) {
			t.Errorf("%s: the hash changes: %v", settings[i].Key, changes)
		} else if changes {
			changing++
		}
		settings[i].Value = old
	}
	for key, own := range map[string]bool{
		"tls.config.file": true, "tls.server.keyPassword": true, "tls.server.mode": false, "kvConfigPath": true, "listenPort": true, "logFile": true,
		"selfProtection": false, "waitSecondsForService": false, "supportActingMaster": false, "logLevel": false,
	} {
		if namesrv.IsOwnKey(key) != own {
			t.Errorf("each server has a value of its own for %s: %v", key, !own)
		}
	}
	if changing < 50 {
		t.Errorf("only %d keys change the hash", changing)
	}
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{"queueFull": "queue_full", "failed": "failed", "A": "a"} {
		if got := snake(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestMetricsOfPeers shows peers of which one agrees, one differs and one is away, and
// one that is configured twice.
func TestMetricsOfPeers(t *testing.T) {
	same, other := namesrv.PeerPart{Compared: true}, namesrv.PeerPart{Compared: true, Differ: 3, Now: 4}
	ch := make(chan prometheus.Metric, 100)
	emitter(ch).peers([]namesrv.PeerStats{
		{Addr: "ns1:9876", Up: true, Checks: 5, Failed: 2, Brokers: same, Topics: other},
		{Addr: "ns2:9876", Checks: 1, Failed: 1},
		{Addr: "ns1:9876", Up: true},
	})
	close(ch)
	var got []string
	for m := range ch {
		var shown dto.Metric
		if err := m.Write(&shown); err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(m.Desc().String(), `Desc{fqName: "rocketmq_namesrv_`), `"`)
		for _, l := range shown.Label {
			name += " " + l.GetValue()
		}
		got = append(got, fmt.Sprint(name, " ", shown.GetGauge().GetValue()+shown.GetCounter().GetValue()))
	}
	want := []string{
		"peer_up ns1:9876 1", "peer_checks_total ns1:9876 success 3", "peer_checks_total ns1:9876 failed 2",
		"peer_differs brokers ns1:9876 0", "peer_differs topics ns1:9876 3",
		"peer_up ns2:9876 0", "peer_checks_total ns2:9876 success 0", "peer_checks_total ns2:9876 failed 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the metrics are %q, want %q", got, want)
	}
}

// TestDigestsAgree: servers that know the same have one digest, and only those.
func TestDigestsAgree(t *testing.T) {
	b := nstest.Broker{Cluster: "c", Name: "a", Addr: "10.0.0.1:10911", Topics: []string{"T", "U"}}
	digests := func(b nstest.Broker) (brokers, topics float64) {
		a, addr := serveMetrics(t, nil)
		nstest.Dial(t, addr).Do(b.Register())
		got := scrape(t, a)
		return value(got, "table_digest", "table", "brokers"), value(got, "table_digest", "table", "topics")
	}
	brokers, topics := digests(b)
	if again, same := digests(b); again != brokers || same != topics || brokers == 0 || topics == 0 {
		t.Errorf("digests %v and %v, then %v and %v", brokers, topics, again, same)
	}
	b.Topics = append(b.Topics, "V")
	if again, more := digests(b); again != brokers || more == topics {
		t.Errorf("with one more topic: %v and %v, before %v and %v", again, more, brokers, topics)
	}
}
