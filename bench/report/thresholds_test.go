package report

import (
	"strings"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/bench/search"
)

var verdicts = []bench.Verdict{
	{Threshold: "route p99 > 5ms", Verdict: bench.Passed, Measured: 4321, Limit: 5000, Unit: "µs"},
	{Threshold: "route errors > 0", Verdict: bench.Passed, Limit: 0},
	{Threshold: "server memory > 150MB", Verdict: bench.Failed, Measured: 200e6, Limit: 150e6, Unit: "B"},
	{Threshold: "route p99 > 1ms", Verdict: bench.Undecided, Limit: 1000, Unit: "µs", Reason: bench.GeneratorBound},
}

// TestThresholdsShown: the text and the page of a result, and of a comparison, show each
// threshold with its verdict.
func TestThresholdsShown(t *testing.T) {
	r := sample(t, 1)
	r.Thresholds, r.Scenario.Stages = verdicts, []string{"climb: ramp 1s to 5", "hold 2s"}
	c := sampleComparison(t)
	c.Thresholds = append([]bench.Verdict{{
		Threshold: "server cpu > 1.3x floor", Verdict: bench.Undecided, Measured: 1.25, Limit: 1.3, Unit: "×", Rounds: 3, Low: 1.2, High: 1.4, Reason: "the rounds are on both sides of the limit",
	}}, verdicts...)
	c.Notes = []string{"DIFFERENT: topics was 1 and is 2"}
	for name, tt := range map[string]struct {
		d    Document
		want []string
	}{
		"result": {Document{Result: r}, []string{"thresholds: 2 passed, 1 failed, 1 not decided", "stages: climb: ramp 1s to 5; hold 2s", "4.32 ms", "not decided: generator-bound", "failed 150 MB 200 MB"}},
		"comparison": {Document{Comparison: c}, []string{
			"thresholds: 2 passed, 1 failed, 2 not decided", "not decided: the rounds are 1.30× 1.25× 1.20× 1.40×", "note: DIFFERENT: topics was 1",
		}},
	} {
		text := strings.Join(strings.Fields(tt.d.Sheet().Text()), " ")
		page, err := tt.d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, tt.d.Sheet().Text())
			}
		}
		for _, v := range verdicts {
			if !strings.Contains(text, v.Threshold+" "+v.Verdict) {
				t.Errorf("%s: the text does not say %q %s", name, v.Threshold, v.Verdict)
			}
			if !strings.Contains(string(page), strings.ReplaceAll(v.Threshold, ">", "&gt;")) {
				t.Errorf("%s: the page does not show %q", name, v.Threshold)
			}
		}
	}
	if table := thresholdTable(nil); len(table.Rows) > 0 || len(thresholdFact(nil)) > 0 {
		t.Error("thresholds are shown where there are none")
	}
}

// TestThresholdsOfSet: the goals of a folder are the thresholds of its results.
func TestThresholdsOfSet(t *testing.T) {
	r, c := sample(t, 1), sampleComparison(t)
	r.Thresholds, c.Thresholds = verdicts[:1], verdicts[2:]
	table := Thresholds([]string{"a", "b", "none"}, map[string]Document{"a": {Result: r}, "b": {Comparison: c}, "none": {Result: sample(t, 1)}})
	if len(table.Rows) != 3 || table.Rows[0][0] != "a" || table.Rows[2][0] != "b" || table.Rows[0][2] != bench.Passed || table.Left != 3 {
		t.Errorf("table %+v", table)
	}
}

// TestSearchSheet says what was found, how it ended, and each step.
func TestSearchSheet(t *testing.T) {
	res := sample(t, 1)
	res.Thresholds = verdicts
	s := &search.Search{
		Scenario: res.Scenario, SLO: []string{"p99 < 2ms", "errors <= 0"}, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 60, Holds: 2000, Fails: 4000,
		Steps: []search.Step{{Rate: 2000, Verdict: search.Holds, Result: res}, {Rate: 4000, Verdict: search.DoesNot, Reason: "p99 >= 2ms", Result: res}},
	}
	for ended, want := range map[string]string{
		search.EndedFound: "found: 2,000/s holds, 4,000/s does not, after 2 steps", search.EndedSteps: "does not; out of steps", search.EndedGenerator: "generator-bound, so the server may carry more",
		search.EndedMost: "the most that was to be tried", "": "did not come to its end",
	} {
		s.Ended = ended
		text := strings.Join(strings.Fields(SearchSheet(s).Text()), " ")
		if strings.Contains(text, "thresholds:") {
			t.Errorf("the thresholds of a step are shown as if they were those of the search:\n%s", text)
		}
		for _, want := range []string{want, "the highest rate at which p99 < 2ms and errors <= 0", "does not hold: p99 >= 2ms"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", ended, want, text)
			}
		}
	}
	s.Holds, s.Fails, s.Ended = 0, 1, search.EndedNone
	if text := SearchSheet(s).Text(); !strings.Contains(text, "no rate holds") {
		t.Error(text)
	}
}
