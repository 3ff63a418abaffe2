package bench

import (
	"encoding/json"
	"testing"
	"time"

	"gonamesrv/codec"
)

// TestStandsStill wants three windows in a row within 5 %, not before, and not of
// a figure that falls on, however slowly it does so at first.
func TestStandsStill(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []float64
		want   int // windows that it takes; 0 never
	}{
		{"at once", []float64{10, 10.4, 10.2}, 3},
		{"falls slowly", []float64{110, 107.5, 105, 102, 99, 96, 93, 90, 87, 84, 81}, 0},
		{"rises slowly", []float64{100, 102, 104, 106, 108, 110, 112}, 0},
		{"falls no more than it swings", []float64{100, 99.5, 99}, 3},
		{"has fallen", []float64{110, 107.5, 105, 105.5}, 4},
		{"a JVM", []float64{110, 78, 60, 54, 39, 34, 30, 28, 27, 27.5, 27.2}, 10},
		{"falls on", []float64{110, 106, 102, 98, 94, 91, 88, 85, 82, 79, 76}, 0},
		{"now this, now that", []float64{10, 12, 10, 12, 10, 12}, 0},
		{"two are not enough", []float64{20, 10, 10}, 0},
		{"nothing is answered", []float64{0, 0, 0, 0}, 0},
		{"just within", []float64{100, 105, 100}, 3},
		{"just beyond", []float64{100, 105.1, 100}, 0},
	} {
		got := 0
		var windows []Window
		for i, v := range tt.values {
			windows = append(windows, Window{Value: v})
			if isStill(windows) && got == 0 {
				got = i + 1
			}
		}
		if got != tt.want {
			t.Errorf("%s: still after %d windows, want %d", tt.name, got, tt.want)
		}
	}
}

// echoRun runs reads against a server that only echoes.
func echoRun(t *testing.T, change func(*Params)) *Result {
	t.Helper()
	sc := scenarioNamed(t, "route")
	sc.Params.Topics, sc.Params.Connections, sc.Params.Duration = 40, 2, Duration(time.Second)
	change(&sc.Params)
	return echoed(t, sc, func(*run) {})
}

// echoed runs a scenario against a server that only echoes, when change has changed what it
// likes.
func echoed(t *testing.T, sc Scenario, change func(*run)) *Result {
	t.Helper()
	addr, stop, err := ListenEcho(t.Context(), codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: firstNumber}))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	r, err := newRun(t.Context(), sc, Options{Target: Target{Address: addr}, Seed: 1, Floor: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	res, err := r.result(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestWarmsUpUntilStill: the warm-up ends when the figure stands still, or is said
// not to have, whatever the machine does meanwhile. The curve shows why.
func TestWarmsUpUntilStill(t *testing.T) {
	const most = 15 * time.Second
	res := echoRun(t, func(p *Params) { p.Warmup, p.WarmupMost = UntilStill, Duration(most) })
	w := res.Warmup
	if w == nil || w.Fixed || w.Figure != "replies per second" || w.Unit != "/s" || w.MostSeconds != most.Seconds() || len(w.Windows) < stillWindows {
		t.Fatalf("warm-up is %+v", w)
	}
	if w.Still != isStill(w.Windows) {
		t.Errorf("it says that it stood still: %v, of %+v", w.Still, w.Windows)
	}
	for n := range w.Windows[1:] {
		if isStill(w.Windows[:n+1]) {
			t.Errorf("it went on after window %d of %+v", n+1, w.Windows)
		}
	}
	if last := w.Windows[len(w.Windows)-1].Seconds; !w.Still && last < most.Seconds()*4/5 {
		t.Errorf("it did not stand still, and gave up after %g s", last)
	}
	if res.WarmupSeconds < w.Windows[len(w.Windows)-1].Seconds {
		t.Errorf("it took %g s, less than its windows %+v", res.WarmupSeconds, w.Windows)
	}
}

// TestWarmUpGivesUp: a figure that never stands still ends the warm-up at its
// maximum, and the result says so.
func TestWarmUpGivesUp(t *testing.T) {
	w := echoRun(t, func(p *Params) { p.Warmup, p.WarmupMost = UntilStill, Duration(1100*time.Millisecond) }).Warmup
	if w == nil || w.Still || w.Fixed || w.MostSeconds != 1.1 || len(w.Windows) != 1 {
		t.Errorf("warm-up is %+v", w)
	}
}

// TestFixedWarmUp lasts as long as it was told to, and shows its curve, too.
func TestFixedWarmUp(t *testing.T) {
	res := echoRun(t, func(p *Params) { p.Warmup, p.Rate = Warmup(1200*time.Millisecond), 100 })
	w := res.Warmup
	if w == nil || !w.Fixed || w.Still || w.Figure != "median latency" || len(w.Windows) != 1 || w.Windows[0].Value <= 0 || res.WarmupSeconds < 1.2 {
		t.Errorf("warm-up of %g s is %+v", res.WarmupSeconds, w)
	}
	if res := echoRun(t, func(p *Params) { p.Warmup = 0 }); res.Warmup != nil || res.WarmupSeconds != 0 {
		t.Errorf("none took %g s and is %+v", res.WarmupSeconds, res.Warmup)
	}
}

// TestWarmupText reads and writes both forms.
func TestWarmupText(t *testing.T) {
	for text, want := range map[string]Warmup{"still": UntilStill, "3s": Warmup(3 * time.Second), "0s": 0} {
		var p Params
		if err := p.Set("warmup", text); err != nil || p.Warmup != want || p.Get("warmup") != text {
			t.Errorf("%s: %v, %v, written as %s", text, p.Warmup, err, p.Get("warmup"))
		}
		written, err := json.Marshal(p)
		var back Params
		if err != nil || json.Unmarshal(written, &back) != nil || back != p {
			t.Errorf("%s: written as %s, %v, read as %+v", text, written, err, back)
		}
	}
	if err := new(Params).Set("warmup", "long"); err == nil {
		t.Error("long is a time")
	}
}
