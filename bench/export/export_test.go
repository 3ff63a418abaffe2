package export

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// result has two phases, whose latencies are known.
func result(t *testing.T, slow int64) *bench.Result {
	t.Helper()
	histogram := func(n, by int64) string {
		h := hdrhistogram.New(1, int64(10*time.Minute), 3)
		for i := range n {
			if err := h.RecordValue((i + 1) * by * slow); err != nil {
				t.Fatal(err)
			}
		}
		b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	return &bench.Result{
		OK: true, Scenario: bench.Scenario{Name: `my "own"`, Kind: "storm"}, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		PreloadSeconds: 1.5, WarmupSeconds: 0.5, Target: bench.Target{PID: 7},
		Phases: []bench.Phase{
			{Name: "quiet", Seconds: 2, Ops: []bench.Operation{
				{
					Name: "route", Sent: 100, Answered: 100, PerSecond: 50, Latency: bench.Latency{P50: 50, P99: 99, Mean: 50}, Histogram: histogram(100, 1000),
					Pace: &bench.Pace{Lateness: bench.Latency{P99: 40}, FromWrite: bench.Latency{P99: 60}, GeneratorBound: true},
				},
			}},
			{Name: "slow readers", From: 2, Seconds: 3, Ops: []bench.Operation{
				{Name: "asked, and not read", Sent: 10, Answered: 7, Wrong: 1, PerSecond: 2, Errors: map[string]uint64{bench.ErrorBusy: 2}, Latency: bench.Latency{P50: 5e6}, Histogram: histogram(7, 1e9)},
				{Name: "heartbeat", Oneway: true, Sent: 5, PerSecond: 1},
			}},
		},
		Series:     []bench.Point{{Second: 0, Phase: "quiet", Rate: 50, P99: 99, ServerCPU: 0.5, ServerRSS: 1e6}},
		Milestones: []bench.Milestone{{Name: "every route back", Seconds: 2.5, Reached: true}, {Name: "never"}},
		Server:     bench.Process{CPUSeconds: 1.25, RSS: 1e6}, Generator: bench.Process{CPUSeconds: 3},
		Thresholds: []bench.Verdict{{Threshold: "route p99 > 5ms", Verdict: bench.Passed}, {Threshold: "route p99 > 5ms", Verdict: bench.Passed}},
	}
}

// TestHDR reads back what was written, with the tags and the times.
func TestHDR(t *testing.T) {
	var b bytes.Buffer
	if err := HDR(&b, []Run{{Result: result(t, 1)}}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"#[Histogram log format version 1.3]", "#[StartTime: 1767323047 (seconds since epoch)", "Tag=quiet/route,0.000000,2.000000,", "Tag=slow_readers/asked__and_not_read,2.000000,3.000000,"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	log := hdrhistogram.NewHistogramLogReader(strings.NewReader(text))
	for _, want := range []struct {
		n, max int64
	}{{100, 100_000}, {7, 7e9}} {
		h, err := log.NextIntervalHistogram()
		if err != nil || h == nil {
			t.Fatal(h, err)
		}
		if h.TotalCount() != want.n || math.Abs(float64(h.Max()-want.max)) > float64(want.max)/1000 {
			t.Errorf("%d values up to %d, want %d up to %d", h.TotalCount(), h.Max(), want.n, want.max)
		}
	}
	if h, _ := log.NextIntervalHistogram(); h != nil {
		t.Errorf("one more: %v", h.Tag())
	}
	spoilt := result(t, 1)
	spoilt.Phases[0].Ops[0].Histogram = "!"
	if err := HDR(&b, []Run{{Result: spoilt}}); err == nil || !strings.Contains(err.Error(), "route, phase quiet") {
		t.Errorf("of a spoilt histogram: %v", err)
	}
}

// TestRuns: the runs of a comparison follow each other, without those that warm up.
func TestRuns(t *testing.T) {
	second := result(t, 2)
	second.Started = second.Started.Add(10 * time.Second)
	c := &compare.Comparison{Servers: []compare.Server{{Name: "ours"}, {Name: "java 5.5.0"}}, Turns: []compare.Turn{
		{Server: 0, Round: 1, Result: result(t, 1)}, {Server: 1, Round: 1, WarmUp: true, Result: result(t, 9)}, {Server: 1, Round: 1, Result: second},
	}}
	var b bytes.Buffer
	if err := HDR(&b, RunsOf(c)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Tag=ours/quiet/route,0.000000,", "Tag=java_5.5.0/quiet/route,10.000000,2.000000,0.2"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if n := strings.Count(b.String(), "Tag="); n != 4 {
		t.Errorf("%d intervals", n)
	}
	b.Reset()
	if err := CSV(&b, RunsOf(c)); err != nil || !strings.Contains(b.String(), "java 5.5.0,1,quiet,,route,p99,us,99\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
	b.Reset()
	if err := OpenMetrics(&b, RunsOf(c)); err != nil || !strings.Contains(b.String(), `server="java 5.5.0"`) {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	if err := CSV(&b, []Run{{Result: result(t, 1)}}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, r := range rows {
		has[strings.Join(r[2:], "|")] = true
	}
	for _, want := range []string{
		"phase|second|request|figure|unit|value", "quiet||route|p99|us|99", "quiet||route|rate|1/s|50", "slow readers||asked, and not read|error busy||2",
		"slow readers||asked, and not read|wrong||1", "slow readers||heartbeat|sent||5", "quiet|0||p99|us|99", "quiet||route|late p99|us|40", "quiet||route|p99 from write|us|60", "quiet||route|generator-bound||1", "quiet|0||server cores||0.5",
		"|||milestone every route back|s|2.5", "|||server memory|B|1e+06",
	} {
		if !has[want] {
			t.Errorf("no line %s", want)
		}
	}
	for row := range has {
		if strings.Contains(row, "heartbeat|p99") || strings.Contains(row, "never") {
			t.Errorf("a line %s, which was not measured", row)
		}
	}
}

// TestOpenMetrics reads the text as Prometheus does.
func TestOpenMetrics(t *testing.T) {
	var b bytes.Buffer
	if err := OpenMetrics(&b, []Run{{Server: "ours", Result: result(t, 1)}}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.String(), "\n# EOF\n") {
		t.Errorf("it has no end:\n%s", b.String())
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(strings.TrimSuffix(b.String(), "# EOF\n")))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	find := func(name string, labels ...string) *dto.Metric {
		t.Helper()
		for _, m := range families[name].GetMetric() {
			n := 0
			for _, l := range m.Label {
				for i := 0; i+1 < len(labels); i += 2 {
					if l.GetName() == labels[i] && l.GetValue() == labels[i+1] {
						n++
					}
				}
			}
			if n == len(labels)/2 {
				return m
			}
		}
		t.Fatalf("no %s %q in\n%s", name, labels, b.String())
		return nil
	}
	if !strings.Contains(b.String(), `nsbench_latency_seconds{phase="quiet",request="route",round="",scenario="my \"own\"",server="ours",quantile="0.99"} 9.9e-05`) {
		t.Errorf("no p99 in\n%s", b.String())
	}
	for _, tt := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"nsbench_requests_total", []string{"request", "route", "outcome", "answered"}, 100},
		{"nsbench_requests_total", []string{"phase", "slow readers", "outcome", "busy"}, 2},
		{"nsbench_requests_total", []string{"phase", "slow readers", "outcome", "wrong"}, 1},
		{"nsbench_requests_per_second", []string{"request", "heartbeat"}, 1},
		{"nsbench_cpu_seconds_total", []string{"process", "server"}, 1.25},
		{"nsbench_cpu_seconds_total", []string{"process", "generator"}, 3},
		{"nsbench_resident_memory_bytes", []string{"process", "server"}, 1e6},
		{"nsbench_milestone_seconds", []string{"milestone", "every route back"}, 2.5},
		{"nsbench_threshold", []string{"threshold", "route p99 > 5ms", "verdict", "passed"}, 1},
		{"nsbench_generator_bound", []string{"phase", "quiet", "request", "route"}, 1},
		{"nsbench_lateness_p99_seconds", []string{"phase", "quiet", "request", "route"}, 40e-6},
		{"nsbench_replies_right", []string{"scenario", `my "own"`}, 1},
	} {
		m := find(tt.name, tt.labels...)
		if got := m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue(); got != tt.want {
			t.Errorf("%s %q is %g, want %g", tt.name, tt.labels, got, tt.want)
		}
	}
}

func TestFile(t *testing.T) {
	form, err := Find("csv")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.csv")
	if err := File(file, form, []Run{{Result: result(t, 1)}}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "server,round,") {
		t.Errorf("%q, %v", text, err)
	}
	if err := File(filepath.Join(file, "below"), form, nil); err == nil || errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "below") {
		t.Errorf("below a file: %v", err)
	}
	if _, err := Find("xml"); err == nil || !strings.Contains(err.Error(), "there are hdr, csv, openmetrics") {
		t.Errorf("error is %v", err)
	}
}
