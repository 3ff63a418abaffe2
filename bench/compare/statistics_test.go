package compare

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/bench"
)

// twoServers are the turns of two servers whose p99 of routes, in microseconds,
// was as given round by round.
func twoServers(a, b []float64) *Comparison {
	c := &Comparison{Servers: []Server{{Name: "a"}, {Name: "b"}}}
	for i := range a {
		for server, us := range []float64{a[i], b[i]} {
			res := &bench.Result{OK: true, Phases: []bench.Phase{{Name: "measured", Ops: []bench.Operation{{
				Name: "route", PerSecond: 1, Answered: 1, Latency: bench.Latency{P99: us},
			}}}}}
			c.Turns = append(c.Turns, Turn{Server: server, Round: i + 1, Result: res})
		}
	}
	c.Figures = Figures(c)
	return c
}

// TestWinnerStays: where 831 µs stand against 473 µs, the ratio says the same. In
// two rounds of a machine that swings, the mean of the ratios said 1.12×, and
// with it that 473 is more.
func TestWinnerStays(t *testing.T) {
	c := twoServers([]float64{200, 1462}, []float64{368, 578})
	f := find(t, c, "measured", "route p99")
	a, b := f.Servers[0], f.Servers[1]
	if a.Value.Median != 831 || b.Value.Median != 473 {
		t.Fatalf("medians are %g and %g: this test is not about what it should be", a.Value.Median, b.Value.Median)
	}
	if b.Ratio.Median <= 1 {
		t.Fatalf("the mean of the ratios is %g and does not turn the winner round", b.Ratio.Median)
	}
	if got, want := b.Ratio.Middle(), b.Value.Middle()/a.Value.Middle(); got >= 1 || math.Abs(got-want) > 1e-9 {
		t.Errorf("%.0f µs against %.0f µs is said to be %.2f×, want %.2f×", a.Value.Middle(), b.Value.Middle(), got, want)
	}
	if b.Verdict != "" {
		t.Errorf("two rounds say that it is %s", b.Verdict)
	}
}

// TestRatioOfMeans holds for any figures: the ratio that is shown is that of the
// figures that are shown, whoever is the base.
func TestRatioOfMeans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "rounds")
		draw := func(name string) []float64 {
			return rapid.SliceOfN(rapid.Float64Range(1e-3, 1e9), n, n).Draw(t, name)
		}
		c := twoServers(draw("a"), draw("b"))
		f := c.Figures[1]
		got, want := f.Servers[1].Ratio.Middle(), f.Servers[1].Value.Middle()/f.Servers[0].Value.Middle()
		if math.Abs(got-want) > 1e-6*want {
			t.Fatalf("ratio %g of figures with ratio %g", got, want)
		}
		c.Base = 1
		back := Figures(c)[1].Servers[0]
		if math.Abs(back.Ratio.Middle()*got-1) > 1e-6 {
			t.Fatalf("%g, and the other way round %g", got, back.Ratio.Middle())
		}
		ratio := f.Servers[1].Ratio
		if n > 1 && (ratio.Low > ratio.Mean*(1+1e-9) || ratio.High < ratio.Mean*(1-1e-9)) {
			t.Fatalf("mean %g is not in %g to %g", ratio.Mean, ratio.Low, ratio.High)
		}
		if (f.Servers[1].Verdict == Better && back.Verdict == Better) || (n < MinRounds && f.Servers[1].Verdict != "") {
			t.Fatalf("of %d rounds: %q, and the other way round %q", n, f.Servers[1].Verdict, back.Verdict)
		}
	})
}

// TestInterval: of 1, 2, 3, 4 and 5 as exponents of e it is e³, with 1.963 above
// and below: 2.776 × √2.5 / √5.
func TestInterval(t *testing.T) {
	var values []float64
	for i := 1; i <= 5; i++ {
		values = append(values, math.Exp(float64(i)))
	}
	mean, low, high := geometric(values)
	for _, tt := range []struct{ got, want float64 }{{math.Log(mean), 3}, {math.Log(low), 3 - 1.963}, {math.Log(high), 3 + 1.963}} {
		if math.Abs(tt.got-tt.want) > 1e-3 {
			t.Errorf("mean and interval are e to the %g, %g and %g", math.Log(mean), math.Log(low), math.Log(high))
		}
	}
	if mean, low, high := geometric([]float64{1, 0}); mean != 0 || low != 0 || high != 0 {
		t.Errorf("of a zero it is %g, %g, %g", mean, low, high)
	}
	if mean, low, high := geometric([]float64{3}); math.Abs(mean-3) > 1e-9 || low != 0 || high != 0 {
		t.Errorf("of one number it is %g, %g, %g", mean, low, high)
	}
}

// TestVerdict wants one where the interval is on one side of 1, and only there.
func TestVerdict(t *testing.T) {
	same := []float64{100, 130, 80, 100, 120}
	for _, tt := range []struct {
		name string
		b    []float64
		want string
	}{
		{"equal", same, ""},
		{"half", []float64{52, 64, 41, 49, 60}, Better},
		{"twice", []float64{210, 250, 170, 190, 240}, Worse},
		{"now this, now that", []float64{210, 60, 170, 50, 240}, ""},
	} {
		c := twoServers(same, tt.b)
		if got := find(t, c, "measured", "route p99").Servers[1].Verdict; got != tt.want {
			t.Errorf("%s: verdict %q, want %q", tt.name, got, tt.want)
		}
		if len(tt.b) == MinRounds {
			c = twoServers(same[:4], tt.b[:4])
			if got := find(t, c, "measured", "route p99").Servers[1].Verdict; got != "" {
				t.Errorf("%s: four rounds say that it is %s", tt.name, got)
			}
		}
	}
	// More is better for a rate, and worse for a latency.
	twice := Spread{N: 5, Low: 1.9, High: 2.1}
	if verdict(twice, true) != Better || verdict(twice, false) != Worse {
		t.Error("the direction is mistaken")
	}
}

// TestNoDifference: two servers that do not differ get a verdict in about one of
// twenty comparisons, as the tables say.
func TestNoDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func() (out []float64) {
		for range MinRounds {
			out = append(out, 100*math.Exp(0.3*rng.NormFloat64()))
		}
		return out
	}
	const comparisons = 2000
	n := 0
	for range comparisons {
		if find(t, twoServers(draw(), draw()), "measured", "route p99").Servers[1].Verdict != "" {
			n++
		}
	}
	if part := float64(n) / comparisons; part < 0.03 || part > 0.07 {
		t.Errorf("%.1f %% of comparisons find a difference where there is none, want about 5", 100*part)
	}
}

// TestBar: a goal is met or missed where the interval is on one side of the bar, also when all
// rounds are on the same.
func TestBar(t *testing.T) {
	rounds := []float64{1000, 1290, 1250, 1100, 1295} // 1,181 on average, 1,025 to 1,361 with 95 % confidence
	for _, tt := range []struct {
		text   string
		rounds int
		want   string
	}{
		{"route p99 > 1.4ms", 5, bench.Passed},
		{"route p99 > 1.3ms", 5, bench.Undecided},
		{"route p99 > 1.3ms", 4, bench.Passed}, // too few for an interval: they agree
		{"route p99 > 999us", 5, bench.Failed},
		{"route p99 > 1.2ms", 5, bench.Undecided},
		{"route p99 < 1.3ms", 5, bench.Undecided},
		{"server cpu > 12s", 5, bench.Passed}, // all equal, and at the limit
		{"route errors > 0", 5, bench.Passed}, // no interval is there of nothing
	} {
		c := &Comparison{Servers: []Server{{Name: "ours"}}, Scenario: bench.Scenario{FailIf: []string{tt.text}}}
		for i, p99 := range rounds[:tt.rounds] {
			c.Turns = append(c.Turns, timed(0, i+1, p99, 12, 0))
		}
		_ = c.decide(0) // it is in the verdict
		if v := c.Thresholds[0]; v.Verdict != tt.want || (v.Reason == "") != (tt.want != bench.Undecided) {
			t.Errorf("%s, %d rounds: %+v, want %s", tt.text, tt.rounds, v, tt.want)
		}
	}
}

// TestErrorsCompared: errors are figures, also those of runs that no other figure
// counts.
func TestErrorsCompared(t *testing.T) {
	c := twoServers([]float64{1, 1}, []float64{1, 1})
	bad := c.Turns[3].Result
	bad.OK, bad.Failures = false, []string{"register: 2871 of 3000 requests were refused"}
	bad.Errors = &bench.ErrorCounts{Requests: 3000, Wrong: 1, Refused: 2871, Missing: 2}
	c.Turns = append(c.Turns, Turn{Server: 1, Round: 2, WarmUp: true, Result: &bench.Result{Errors: &bench.ErrorCounts{Wrong: 7}}})
	found := map[string]Values{}
	for _, f := range Figures(c) {
		found[f.Name] = f.Servers[1]
	}
	for name, want := range map[string]float64{"wrong replies": 1, "refused requests": 2871, "missing replies": 2} {
		if v := found[name]; v.Value.N != 2 || v.Value.Max != want || v.Value.Min != 0 {
			t.Errorf("%s: %+v, want 0 and %g", name, v, want)
		}
	}
	if v := found["route p99"]; v.Value.N != 1 {
		t.Errorf("%d runs count, want the one that was right", v.Value.N)
	}
	if got, want := c.Errors(1), (bench.ErrorCounts{Requests: 3000, Wrong: 8, Refused: 2871, Missing: 2}); got != want {
		t.Errorf("errors are %+v, want %+v", got, want)
	}
	if got := c.Errors(0); got.Any() {
		t.Errorf("errors of the other are %+v", got)
	}
}
