package admin

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

const metricsHead = `# Metrics

What ` + "`/metrics`" + ` of the admin listener shows, made of the server's state at each scrape. Only the
times of what event loops serve are of samples, which stand for all. ` + "`make metrics`" + ` writes this file; a test compares it with what the server exports. Rules
for alerts and a board are in [deploy/monitoring](../deploy/monitoring).

Counters start at 0 with the server. Labels are bounded: topics, addresses and connections are never one. At most
` + "%d clusters have a name, and the rest is `%s`; " + `brokers have metrics of their own only if there are no more than
` + "`metricsMaxBrokers`" + ` of them. Metrics without a value, as of a part that is off, are left out.

| Name | Type | Labels | Meaning |
|---|---|---|---|
`

// metricsFile is docs/METRICS.md as it is to be.
func metricsFile(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, metricsHead, maxClusters, otherCluster)
	for _, f := range sortedFamilies() {
		labels := "–"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, labels, f.help)
	}
	a, _ := serveMetrics(t, nil)
	b.WriteString("\nThose of the Go runtime and of the process are as everywhere:\n\n")
	var others []string
	for name := range scrape(t, a) {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			others = append(others, "`"+name+"`")
		}
	}
	slices.Sort(others)
	b.WriteString(strings.Join(others, ",\n") + ".\n")
	return b.String()
}

// TestMetricsFile compares docs/METRICS.md with the metrics that there are.
func TestMetricsFile(t *testing.T) {
	const file = "../../docs/METRICS.md"
	want := metricsFile(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what is exported; run make metrics", file)
	}
}

// busyMetrics returns what a server shows that has seen one of everything.
func busyMetrics(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	a, addr := serveBusy(t)
	c := nstest.Dial(t, addr)
	b := nstest.Broker{Cluster: "c", Name: "a", Addr: "10.0.0.1:10911", Topics: []string{"T", "U"}}
	c.Do(b.Register())
	c.Do(nstest.Route("T"))
	c.Do(nstest.Route("nothing"))
	c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "N", "key", "k", "value", "v"))
	scrape(t, a) // one that was answered is counted
	return scrape(t, a)
}

// serveBusy serves with everything on that has metrics of its own there is.
func serveBusy(t *testing.T) (a *Admin, addr string) {
	t.Helper()
	horizons := filepath.Join(t.TempDir(), "horizons.yaml")
	if err := os.WriteFile(horizons, []byte(`horizons: [{name: all, match: {cidr: 0.0.0.0/0}, rewrite: [{broker: "*", to: "x:1"}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	return serveMetrics(t, func(c *namesrv.Config) {
		c.HorizonFile, c.HorizonMode = horizons, "on"
		c.PeerNamesrvAddr = "127.0.0.1:1"
		c.AuditLogPath = filepath.Join(t.TempDir(), "audit.log")
	})
}

// TestEveryFamilyIsExported makes sure that nothing is defined, and so documented, that
// no server ever shows, and that everything has the type that is said.
func TestEveryFamilyIsExported(t *testing.T) {
	got := busyMetrics(t)
	for _, f := range families {
		if f == peerDiffers {
			continue // only once a peer was compared, 10 s after the start: TestMetricsOfPeers
		}
		shown := got[f.name]
		if shown == nil {
			t.Errorf("%s is not shown", f.name)
			continue
		}
		if kind := strings.ToLower(shown.GetType().String()); kind != f.kind.String() {
			t.Errorf("%s is a %s, said to be a %s", f.name, kind, f.kind)
		}
		if f.help == "" || !strings.HasSuffix(f.help, ".") || strings.Contains(f.help, "|") {
			t.Errorf("%s: %q is no sentence", f.name, f.help)
		}
	}
}

const monitoring = "../../deploy/monitoring/"

// awaited are metrics that rules or the board ask for and that the server does not have
// yet: what they are made of is still to come.
var awaited = map[string]bool{}

// names finds the names of metrics in a query.
var metricNames = regexp.MustCompile(`\b(rocketmq_[a-z0-9_]+|process_[a-z0-9_]+|go_[a-z0-9_]+)\b`)

// TestMonitoringNamesMetrics makes sure that rules and board ask only for metrics that
// there are.
func TestMonitoringNamesMetrics(t *testing.T) {
	shown := busyMetrics(t)
	rules, err := os.ReadFile(monitoring + "rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(rules)}
	queries := boardQueries(t)
	if len(queries) < 40 {
		t.Fatalf("the board has only %d queries", len(queries))
	}
	asked := map[string]bool{}
	for _, text := range append(texts, queries...) {
		for _, m := range metricNames.FindAllString(text, -1) {
			name := m
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base, ok := strings.CutSuffix(m, suffix); ok && shown[m] == nil {
					name = base
				}
			}
			if base := strings.TrimSuffix(name, "_bucket"); awaited[base] {
				name = base
			}
			asked[name] = true
			if shown[name] == nil && !awaited[name] && name != peerDiffers.name {
				t.Errorf("%s is asked for and not shown, in %q", name, text[:min(len(text), 200)])
			}
		}
	}
	for name := range awaited {
		if shown[name] != nil || !asked[name] {
			t.Errorf("%s need not be awaited", name)
		}
	}
}

// boardQueries returns the queries of the board, with a value for each variable.
func boardQueries(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(monitoring + "board.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, p := range board.Panels {
		if p.Type == "row" {
			rows = append(rows, p.Title)
		} else if len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			queries = append(queries, strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "5s").Replace(target.Expr))
		}
	}
	if want := []string{"Health", "Brokers", "Requests", "Latency", "Connections", "Resources", "Peers"}; !slices.Equal(rows, want) {
		t.Errorf("the rows of the board are %q, want %q", rows, want)
	}
	return queries
}
