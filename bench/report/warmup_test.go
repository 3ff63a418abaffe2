package report

import (
	"strings"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

func curve(still, fixed bool, values ...float64) *bench.WarmupCurve {
	w := &bench.WarmupCurve{Figure: "server CPU per million requests", Unit: "s/1M", Still: still, Fixed: fixed, MostSeconds: 120}
	for i, v := range values {
		w.Windows = append(w.Windows, bench.Window{Seconds: float64(i + 1), Value: v})
	}
	return w
}

// TestWarmupLine: a line shows the curve, and says whether it stood still.
func TestWarmupLine(t *testing.T) {
	for _, tt := range []struct {
		w    *bench.WarmupCurve
		want string
	}{
		{nil, ""},
		{curve(true, false, 110, 78, 60.1, 60, 60), "it stood still after 5.00 s; server CPU per million requests: 110 → 78.0 → 60.1 → 60.0 → 60.0 s"},
		{curve(false, false, 110, 78), "it did NOT stand still in the 120 s that the warm-up might take; server CPU per million requests: 110 → 78.0 s"},
		{curve(true, true, 60, 60, 60), "5.00 s were asked for, and it stood still; server CPU per million requests: 60.0 → 60.0 → 60.0 s"},
		{curve(false, true, 60), "5.00 s were asked for, and it is NOT KNOWN to have stood still; server CPU per million requests: 60.0 s"},
		{curve(false, false, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7), "it did NOT stand still in the 120 s that the warm-up might take; server CPU per million requests: 20.0 → 19.0 → 18.0 → 17.0 → 16.0 → 15.0 → … → 12.0 → 11.0 → 10.0 → 9.00 → 8.00 → 7.00 s"},
	} {
		r := sample(t, 1)
		r.WarmupSeconds, r.Warmup = 5, tt.w
		if got := warmupLine(r); got != tt.want {
			t.Errorf("%s\nwant\n%s", got, tt.want)
		}
		page, err := Document{Result: r}.HTML()
		if err != nil {
			t.Fatal(err)
		}
		if words := wellFormed(t, "page", scripts.ReplaceAll(page, nil)); !strings.Contains(words, tt.want) || !strings.Contains(r.Target.Name, "namesrv") {
			t.Errorf("the page does not say %q", tt.want)
		}
	}
}

// TestWarmupOfWhatHappens: what is said of warm-ups is true where something happens: a server
// that was killed is not the one that was warmed up, and its warm-up was without that.
func TestWarmupOfWhatHappens(t *testing.T) {
	c := sampleComparison(t)
	for kind, want := range map[string][]string{
		"storm":   {"java 5.5.0 was loaded in the same way for 20.0 s, which no figure counts", "2 rounds, each started anew; ratios"},
		"pause":   {"java 5.5.0 was loaded in the same way, without pause, for 20.0 s, which no figure counts", "2 rounds, each started anew; ratios"},
		"restart": {"java 5.5.0 was loaded in the same way, without restart, for 20.0 s", "each started anew, and killed and started again in each run; ratios", "and later the server was killed: the one that came back was cold; server CPU"},
	} {
		c.Scenario.Kind = kind
		for _, turn := range c.Turns {
			turn.Result.Scenario.Kind = kind
		}
		text := strings.Join(comparisonFacts(c, []string{"ours", "java 5.5.0", "rust", "floor"}), "\n")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", kind, w, text)
			}
		}
		if kind != "restart" && strings.Contains(text, "cold") {
			t.Errorf("%s: cold in\n%s", kind, text)
		}
	}
}

// TestWarmupsCompared: each server has its line.
func TestWarmupsCompared(t *testing.T) {
	c := sampleComparison(t)
	c.Servers = c.Servers[:2]
	c.Turns = nil
	for round := 1; round <= 2; round++ {
		for i, w := range []*bench.WarmupCurve{curve(true, false, 10, 10, 10), curve(round == 2, false, 110, 78, 60)} {
			r := sample(t, 1)
			r.WarmupSeconds, r.Warmup = float64(10*(i+1)*round), w
			c.Turns = append(c.Turns, compare.Turn{Server: i, Round: round, Result: r})
		}
	}
	text := strings.Join(comparisonFacts(c, []string{"ours", "java 5.5.0"}), "\n")
	for _, want := range []string{
		"warm-up of ours: 10.0 to 20.0 s; it stood still in 2 of 2 runs; in the first: it stood still after 10.0 s; server CPU per million requests: 10.0 → 10.0 → 10.0 s",
		"warm-up of java 5.5.0: 20.0 to 40.0 s; it stood still in 1 of 2 runs; in the first: it did NOT stand still",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
