package report

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// latencies are those of 10,000 requests, from 10 to so many times 1,000 µs.
func latencies(t testing.TB, slow int64) (bench.Latency, string) {
	t.Helper()
	h := hdrhistogram.New(1, int64(10*time.Minute), 3)
	for i := range int64(10_000) {
		if err := h.RecordValue(10_000 + i*100*slow); err != nil {
			t.Fatal(err)
		}
	}
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	us := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	return bench.Latency{P50: us(50), P90: us(90), P99: us(99), P999: us(99.9), Max: float64(h.Max()) / 1e3, Mean: h.Mean() / 1e3},
		base64.StdEncoding.EncodeToString(b)
}

// sample is a result with something of everything.
func sample(t testing.TB, slow int64) *bench.Result {
	t.Helper()
	k, err := bench.FindKind("storm")
	if err != nil {
		t.Fatal(err)
	}
	calm, calmHistogram := latencies(t, slow)
	storm, stormHistogram := latencies(t, 7*slow)
	r := &bench.Result{
		Format: bench.ResultFormat, Scenario: k.Scenario(), Seed: 42, OK: true,
		Target: bench.Target{Name: "namesrv", Address: "127.0.0.1:9876", PID: 4711},
		Machine: bench.Machine{
			CPU: "Abacus 3000", Cores: 4, Memory: 16e9, OS: "linux/amd64", Kernel: "6.1.0", Go: "go1.26.8", Commit: "0123abc",
		},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), PreloadSeconds: 1.25, WarmupSeconds: 2, MeasuredSeconds: 6,
		Streams: []bench.StreamResult{
			{Name: "readers", Connections: 16, OpenLoop: true, Rate: 2000, Lag: &bench.Latency{P50: 12, P99: 80}},
			{Name: "registrars", Connections: 32, Depth: 1},
		},
		Phases: []bench.Phase{
			{Name: "undisturbed", Seconds: 3, Ops: []bench.Operation{
				{
					Name: "route", Sent: 6000, Answered: 6000, PerSecond: 2000 / float64(slow), Latency: calm, Histogram: calmHistogram, Bytes: bench.Bytes{Sent: 1e6, Received: 3e6},
					Pace: &bench.Pace{Lateness: bench.Latency{P50: 12, P99: 80, Max: 200}, FromWrite: bench.Latency{P99: 900}},
				},
			}, Server: &bench.Process{CPUSeconds: 0.1, CPUSecondsPerMillion: 16.7}},
			{Name: "storm", From: 3, Seconds: 3, Ops: []bench.Operation{
				{
					Name: "route", Sent: 6000, Answered: 5990, PerSecond: 1996.7 / float64(slow), Latency: storm, Histogram: stormHistogram,
					Errors: map[string]uint64{bench.ErrorClosed: 3, bench.ErrorBusy: 7},
					Pace:   &bench.Pace{Lateness: bench.Latency{P99: 4600, Max: 6000}, FromWrite: bench.Latency{P99: 2300}, GeneratorBound: true},
				},
				{Name: "register", Sent: 1234567, Answered: 1234567, PerSecond: 411522.3, Latency: bench.Latency{P50: 0.5, P90: 999.6, P99: 12_345, P999: 1.5e6, Max: 61e6}},
				{Name: "heartbeat", Oneway: true, Sent: 300, PerSecond: 100},
			}, Server: &bench.Process{CPUSeconds: 2, CPUSecondsPerMillion: 1.6}},
		},
		Milestones: []bench.Milestone{
			{Name: "every broker registered again", Since: "storm", Seconds: 0.75, Reached: true}, {Name: "every route back", Since: "kill", Seconds: 10},
		},
		Survival: &bench.Survival{
			Event: "storm", Lookups: 6000, Failed: 40, Unreached: 10, NotFound: 20, Refused: 7, Unanswered: 3, Shrunken: 1500, Late: 1,
			Topics: 1000, TopicsLost: 15, TopicsShrunken: 1000, Brokers: 8, BrokersLeftOut: 4, LackingFrom: 0.25, LackingTo: 2.5, RegistrationsMissed: 2,
		},
		Steps:     []bench.Step{{Connections: 100, Seconds: 0.2, RSS: 20e6, BytesPerConnection: 4096, FDs: 110}, {Connections: 20_000, Seconds: 2, RSS: 90e6, BytesPerConnection: 3500, FDs: 20_010}},
		Server:    bench.Process{CPUSeconds: 2.1, CPUUserSeconds: 1.5, CPUSystemSeconds: 0.6, CPUSecondsPerMillion: 1.7 * float64(slow), RSS: 40e6, PeakRSS: 50e6, Threads: 9, FDs: 55},
		Generator: bench.Process{CPUSeconds: 3, CPUSecondsPerMillion: 2.4, RSS: 80e6, PeakRSS: 81e6, Threads: 8, FDs: 60},
		Ceiling:   &bench.Ceiling{PerSecond: 70_123, ReplyBytes: 1100, Seconds: 2, Connections: 16, Depth: 1, ServerPerMillion: 6.5, Latency: bench.Latency{P99: 400}},
	}
	for i := range 6 {
		r.Series = append(r.Series, bench.Point{Second: i, Rate: 2000 / float64(slow), P99: 900 * float64(slow), Phase: "p", ServerCPU: 0.5, ServerRSS: 40e6})
	}
	r.Series = append(r.Series, bench.Point{Second: 6, Rate: 1}) // of a piece of a second
	r.Warmup = &bench.WarmupCurve{Figure: "server CPU per million requests", Unit: "s/1M", Still: true, MostSeconds: 120}
	for i, v := range []float64{40, 9.1, 8, 7.9, 8.1} {
		r.Warmup.Windows = append(r.Warmup.Windows, bench.Window{Seconds: 0.4 * float64(i+1), Value: v * float64(slow)})
	}
	r.Survival.Recovery = &bench.Recovery{Connections: 4, Depth: 64, Lookups: 12_345, AllSeconds: 0.011}
	limits := bench.DefaultErrorLimits()
	r.MaxErrors = &limits
	r.DropMixedCPU()
	return r
}

// sampleComparison is one of three servers in two rounds; the last one failed once.
func sampleComparison(t testing.TB) *compare.Comparison {
	t.Helper()
	r := sample(t, 1)
	c := &compare.Comparison{
		Kind: compare.Kind, Format: compare.Format, Scenario: r.Scenario, Seed: 42, Rounds: 2, Started: r.Started, Seconds: 90, Machine: r.Machine,
		Command: []string{"nsbench", "compare", "storm", "--command", "rust=x -p {port}"},
		Servers: []compare.Server{{Name: "ours"}, {Name: "java 5.5.0", JVM: true}, {Name: "rust"}, {Name: "floor", Floor: true}},
	}
	for round := 1; round <= 2; round++ {
		for i := range c.Servers {
			r := sample(t, int64(1+i*round))
			r.Label = c.Servers[i].Name
			if i == 1 {
				c.Turns = append(c.Turns, compare.Turn{Server: i, Round: round, WarmUp: true, Result: &bench.Result{OK: true, MeasuredSeconds: 20}})
			}
			if i == 2 && round == 2 {
				r.OK, r.Failures = false, []string{"3 wrong replies, such as: route topic-1: <b> is missing"}
			}
			c.Turns = append(c.Turns, compare.Turn{Server: i, Round: round, FirstReplySeconds: 0.02 * float64(i+1), Result: r})
		}
	}
	c.Figures = compare.Figures(c)
	return c
}

func failed(t testing.TB) *bench.Result {
	r := sample(t, 1)
	r.OK, r.Failures = false, []string{"1 wrong replies, such as: route topic-00012: names <b>broker-x</b>"}
	r.Samples = []bench.Sample{{Operation: "route", Phase: "storm", Reason: "names <b>broker-x</b>", Asked: "route topic-00012", Reply: `"\x00</script><script>alert(1)</script>"`}}
	r.Phases[1].Ops[0].Wrong = 1
	r.Target.PID, r.Ceiling = 0, nil
	return r
}

func documents(t testing.TB) map[string]Document {
	return map[string]Document{
		"result": {Result: sample(t, 1)}, "failed": {Result: failed(t)}, "comparison": {Comparison: sampleComparison(t)},
	}
}

// TestTables compares with the files in testdata; -rewrite writes them.
func TestTables(t *testing.T) {
	for name, d := range documents(t) {
		for ext, got := range map[string]string{"txt": d.Sheet().Text(), "md": d.Sheet().Markdown()} {
			file := filepath.Join("testdata", name+"."+ext)
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: it is\n%s\nwant\n%s", file, got, want)
			}
		}
	}
}

// TestFile reads back what is written, and makes the same tables of it.
func TestFile(t *testing.T) {
	for name, d := range documents(t) {
		file := filepath.Join(t.TempDir(), name+".json")
		if err := os.WriteFile(file, []byte("what was there"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.Write(file); err != nil {
			t.Fatal(err)
		}
		back, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, d) {
			t.Errorf("%s: read back\n%+v\nwant\n%+v", name, back, d)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(left) != 1 {
			t.Errorf("files there: %q, %v", left, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	c := sampleComparison(t)
	c.Turns[0].Server = 9
	stray := Document{Comparison: c}
	file := filepath.Join(t.TempDir(), "stray.json")
	if err := stray.Write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "<html>", "another thing": `{"name":"x"}`, "a newer one": `{"format":99}`, "a newer comparison": `{"kind":"comparison","format":99}`,
		"no servers": `{"kind":"comparison","format":1}`, "a stray turn": string(text), "wrong types": `{"format":1,"seed":"x"}`,
		"a search": `{"kind":"search","format":1,"phases":[{}]}`, "a result of nothing": `{"format":1}`,
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

var (
	scripts = regexp.MustCompile(`(?s)<(script|style)>.*?</(?:script|style)>`)
	loads   = regexp.MustCompile(`\b(fetch|import|importScripts|require)\s*\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\.src\s*=|\.href\s*=|@import|url\(`)
)

// TestPage wants well-formed pages that load nothing and say all that the
// tables say.
func TestPage(t *testing.T) {
	for name, d := range documents(t) {
		text, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("<!DOCTYPE html>")) {
			t.Errorf("%s begins with %.40q", name, text)
		}
		for _, s := range scripts.FindAll(text, -1) {
			if m := loads.Find(s); m != nil {
				t.Errorf("%s: a script or style has %q", name, m)
			}
		}
		if n := bytes.Count(text, []byte("<script")); n != 3 {
			t.Errorf("%s has %d scripts", name, n)
		}
		words := wellFormed(t, name, scripts.ReplaceAll(text, nil))
		sheet := d.Sheet()
		for _, want := range append([]string{sheet.Title}, sheet.Bad...) {
			if !strings.Contains(words, want) {
				t.Errorf("%s: the page does not say %q", name, want)
			}
		}
		for _, table := range sheet.Tables {
			for _, row := range table.Rows {
				for _, cell := range row {
					if !strings.Contains(words, cell) {
						t.Errorf("%s: the page has no cell %q", name, cell)
					}
				}
			}
		}
		for i := range d.charts() {
			if !bytes.Contains(text, fmt.Appendf(nil, `id="chart%d"`, i)) {
				t.Errorf("%s: chart %d has no place", name, i)
			}
		}
	}
}

// loading are the attributes that make a browser load something.
var loading = map[string]bool{"src": true, "href": true, "srcset": true, "data": true, "action": true, "poster": true, "background": true, "ping": true}

// wellFormed reads the page to its end, every element closed in its turn, and
// returns its words.
func wellFormed(t *testing.T, name string, page []byte) string {
	t.Helper()
	var words strings.Builder
	policy := false
	dec := xml.NewDecoder(bytes.NewReader(page))
	dec.Entity = xml.HTMLEntity
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s is not well-formed: %v", name, err)
		}
		switch tok := tok.(type) {
		case xml.CharData:
			words.Write(tok)
		case xml.StartElement:
			for _, a := range tok.Attr {
				if loading[a.Name.Local] {
					t.Errorf("%s: <%s> loads %s", name, tok.Name.Local, a.Value)
				}
				policy = policy || strings.HasPrefix(a.Value, "default-src 'none';")
			}
			if n := tok.Name.Local; n == "link" || n == "iframe" || n == "img" || n == "base" || n == "object" {
				t.Errorf("%s has a <%s>", name, n)
			}
		}
	}
	if !policy {
		t.Errorf("%s does not tell the browser to load nothing", name)
	}
	return words.String()
}

func TestWriteHTML(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	if err := (Document{Result: sample(t, 1)}).WriteHTML(file); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Contains(text, []byte("</html>")) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if err := (Document{Result: sample(t, 1)}).WriteHTML(filepath.Join(file, "x")); err == nil {
		t.Error("it is written below a file")
	}
}

func find(t *testing.T, charts []Chart, title string) Chart {
	t.Helper()
	for _, c := range charts {
		if c.Title == title {
			return c
		}
	}
	t.Fatalf("no chart %q", title)
	return Chart{}
}

func TestCharts(t *testing.T) {
	charts := Document{Result: sample(t, 1)}.charts()
	c := find(t, charts, "Latency by percentile")
	if len(c.Lines) != 2 || c.Lines[1].Name != "route, storm" {
		t.Errorf("lines %+v", c.Lines)
	}
	// 100 is 99 %.
	for i, x := range c.X {
		if math.Abs(x-100) < 1e-6 {
			if got, want := *c.Lines[0].Values[i], sample(t, 1).Phases[0].Ops[0].Latency.P99; got != want {
				t.Errorf("p99 is drawn at %g, want %g", got, want)
			}
		}
	}
	if first := *c.Lines[0].Values[0]; math.Abs(first-10) > 0.1 {
		t.Errorf("the least latency is drawn at %g µs, want 10", first)
	}
	rate := find(t, charts, "Replies per second")
	if len(rate.X) != 6 {
		t.Errorf("%d seconds are drawn, want the 6 whole ones", len(rate.X))
	}
	if rate.Level != nil || !strings.Contains(rate.Note, "70,123/s") {
		t.Errorf("a ceiling far away is drawn: %+v, %s", rate.Level, rate.Note)
	}
	if len(rate.Bands) != 2 || rate.Bands[1] != (Band{"storm", 3, 6}) {
		t.Errorf("bands %+v", rate.Bands)
	}
	near := sample(t, 1)
	near.Ceiling.PerSecond = 2500
	if rate := find(t, (Document{Result: near}).charts(), "Replies per second"); rate.Level != nil {
		t.Error("the ceiling of a closed loop is drawn into an open one")
	}
	near.Streams[0].OpenLoop = false
	if rate := find(t, (Document{Result: near}).charts(), "Replies per second"); rate.Level == nil || rate.Level.Value != 2500 {
		t.Errorf("a ceiling nearby is not drawn: %+v", rate.Level)
	}
	bare := sample(t, 1)
	bare.Series, bare.Steps = nil, nil
	for _, c := range (Document{Result: bare}).charts() {
		if c.Title != "Latency by percentile" {
			t.Errorf("an empty chart %q", c.Title)
		}
	}
}

func TestComparedCharts(t *testing.T) {
	c := sampleComparison(t)
	charts := Document{Comparison: c}.charts()
	p := find(t, charts, "Latency of route by percentile, phase storm")
	if len(p.Lines) != 4 || p.Lines[2].Name != "rust" || p.Lines[2].Color != 2 {
		t.Errorf("lines %+v", p.Lines)
	}
	cpu := find(t, charts, "Server CPU")
	if len(cpu.Lines) != 4 || *cpu.Lines[0].Values[0] != 0.5 {
		t.Errorf("lines %+v", cpu.Lines)
	}
	f := Document{Comparison: c}.forests()
	withRatios := 0
	for _, fig := range c.Figures {
		if fig.Servers[0].Value.Min > 0 {
			withRatios++
		}
	}
	if len(f) != 1 || len(f[0].Servers) != 3 || withRatios == 0 || len(f[0].Rows) != 3*withRatios {
		t.Fatalf("forests %+v", f)
	}
	for _, r := range f[0].Rows {
		if r.Left < 0 || r.Left+r.Width > 100.01 || r.Middle < r.Left-0.01 || r.Middle > r.Left+r.Width+0.01 {
			t.Errorf("row %+v is off the axis", r)
		}
	}
}

// TestNumbers wants three digits that count, whatever the number.
func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0123: "0.01", 0.001234: "0.0012", 1: "1.00", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100", 999.6: "1,000", 1234567: "1,234,567", -1500: "-1,500",
	} {
		if got := digits(v); got != want {
			t.Errorf("digits(%g) is %s, want %s", v, got, want)
		}
	}
	for us, want := range map[float64]string{0: "", 0.5: "0.50 µs", 999: "999 µs", 999.6: "1.00 ms", 1234: "1.23 ms", 999_600: "1.00 s", 75e6: "75.0 s"} {
		if got := micros(us); got != want {
			t.Errorf("micros(%g) is %s, want %s", us, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(0.01, 1e12).Draw(t, "v")
		var back float64
		text := strings.ReplaceAll(digits(v), ",", "")
		if _, err := fmt.Sscan(text, &back); err != nil {
			t.Fatalf("digits(%g) is %q: %v", v, text, err)
		}
		// Below 10, two digits after the point; above, three that count.
		if math.Abs(back-v) > max(0.0051, v*0.0051) {
			t.Fatalf("digits(%g) is %q", v, text)
		}
	})
}

// TestUnmeasuredShown: a result says which requests the server has answered beside the load.
func TestUnmeasuredShown(t *testing.T) {
	r := sample(t, 1)
	if text := (Document{Result: r}).Sheet().Text(); strings.Contains(text, "beside:") {
		t.Errorf("there are none, and it says\n%s", text)
	}
	r.Phases[0].KeepAlives, r.Phases[1].KeepAlives, r.Phases[1].Fences = 1000, 234, 16
	facts := strings.Join(resultFacts(r), "\n")
	if want := "beside: 1,234 requests that kept brokers registered, 16 that made sure that oneway requests were read; CPU per 1M requests counts them"; !strings.Contains(facts, want) {
		t.Errorf("no %q in\n%s", want, facts)
	}
}
