package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"gonamesrv/bench"
	"gonamesrv/bench/launch"
)

func TestMain(m *testing.M) {
	// gnet starts the goroutines of a pool when it is imported.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// A fakeServer writes down what becomes of it.
type fakeServer struct {
	name string
	log  *[]string
}

func (f *fakeServer) Start(context.Context) error { return nil }
func (f *fakeServer) Kill() error                 { return nil }
func (f *fakeServer) Pause() error                { *f.log = append(*f.log, "pause "+f.name); return nil }
func (f *fakeServer) Resume() error               { *f.log = append(*f.log, "resume "+f.name); return nil }
func (f *fakeServer) Target() bench.Target {
	return bench.Target{Name: f.name, Address: "127.0.0.1:1", PID: 7}
}
func (f *fakeServer) FirstReply() time.Duration { return 20 * time.Millisecond }
func (f *fakeServer) Tail() string              { return "\nits output ends with: last words of " + f.name }
func (f *fakeServer) Close() error {
	*f.log = append(*f.log, "close "+f.name)
	return nil
}

// fakes are the options for servers whose rate is a matter of their name.
func fakes(log *[]string, names ...string) Options {
	k, err := bench.FindKind("route")
	if err != nil {
		panic(err)
	}
	opt := Options{Scenario: k.Scenario(), Seed: 7, Rounds: 2}
	for _, n := range names {
		opt.Servers = append(opt.Servers, launch.Spec{Name: n, JVM: strings.HasPrefix(n, "java"), Floor: n == "floor"})
	}
	opt.Floor = func(name string, size int) (launch.Spec, error) {
		return launch.Spec{Name: fmt.Sprintf("%s of %d", name, size), Floor: true}, nil
	}
	opt.Start = func(_ context.Context, s launch.Spec) (Started, error) {
		*log = append(*log, "start "+s.Name)
		return &fakeServer{s.Name, log}, nil
	}
	opt.Load = func(_ context.Context, sc bench.Scenario, o bench.Options, _ func(bench.Progress)) (*bench.Result, error) {
		what := "load"
		if sc.Params.Warmup == 0 {
			what = "warm"
		}
		if o.Floor {
			what += " floor"
		}
		*log = append(*log, fmt.Sprintf("%s %s seed %d for %v", what, o.Target.Name, o.Seed, time.Duration(sc.Params.Duration)))
		res := fakeResult(float64(len(o.Target.Name)) * 100)
		if what == "warm" {
			res.Milestones = []bench.Milestone{{Name: "warm", Seconds: 1, Reached: true}}
		}
		return res, nil
	}
	return opt
}

func fakeResult(rate float64) *bench.Result {
	return &bench.Result{
		OK: true, Server: bench.Process{CPUSecondsPerMillion: 1e3 / rate},
		Phases: []bench.Phase{{Name: "measured", Ops: []bench.Operation{{
			Name: "route", PerSecond: rate, Answered: 10, Bytes: bench.Bytes{Received: 5000}, Latency: bench.Latency{P50: 50, P99: 1e6 / rate},
		}}}},
	}
}

// TestOrder is A B B A, each server started anew, each round with a seed of its
// own; those that compile are warmed up apart where the run itself does not see to
// that; the floor has replies of the first server's size.
func TestOrder(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "java 5", "floor")
	opt.JVMWarmUp = 3 * time.Second
	opt.Scenario.Params.Warmup = bench.Warmup(time.Second)
	c, err := Run(t.Context(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"start ours", "load ours seed 7 for 10s", "close ours",
		"start java 5", "warm java 5 seed 7 for 3s", "load java 5 seed 7 for 10s", "close java 5",
		"start floor of 500", "load floor floor seed 7 for 10s", "close floor of 500",
		"start floor of 500", "load floor floor seed 8 for 10s", "close floor of 500",
		"start java 5", "warm java 5 seed 8 for 3s", "load java 5 seed 8 for 10s", "close java 5",
		"start ours", "load ours seed 8 for 10s", "close ours",
	}
	if !slices.Equal(log, want) {
		t.Errorf("order\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
	if len(c.Turns) != 8 || !c.Turns[1].WarmUp || c.Turns[1].FirstReplySeconds != 0 || c.Turns[2].FirstReplySeconds != 0.02 {
		t.Errorf("turns %+v", c.Turns)
	}
	for _, f := range c.Figures {
		if f.Name == "warm" {
			t.Error("a warm-up counts")
		}
	}
	f := find(t, c, "measured", "route")
	if f.Unit != "/s" || !f.More || math.Abs(f.Servers[1].Ratio.Mean-1.5) > 1e-9 || f.Servers[1].Ratio.N != 2 || f.Servers[0].Ratio.Median != 1 {
		t.Errorf("rate %+v", f)
	}
	if f := find(t, c, "measured", "route p99"); f.More || math.Abs(f.Servers[1].Ratio.Median-1/1.5) > 1e-9 {
		t.Errorf("p99 %+v", f)
	}
}

// TestKeep starts each server once, stops it while others are measured, and lets it
// go on before it is to end.
func TestKeep(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "java 5", "floor")
	opt.Keep, opt.JVMWarmUp = true, 3*time.Second
	opt.Scenario.Params.Warmup = bench.Warmup(time.Second)
	c, err := Run(t.Context(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"start ours", "load ours seed 7 for 10s", "pause ours",
		"start java 5", "warm java 5 seed 7 for 3s", "load java 5 seed 7 for 10s", "pause java 5",
		"start floor of 500", "load floor floor seed 7 for 10s", "pause floor of 500",
		"resume floor of 500", "load floor floor seed 8 for 10s", "pause floor of 500",
		"resume java 5", "load java 5 seed 8 for 10s", "pause java 5",
		"resume ours", "load ours seed 8 for 10s", "pause ours",
	}
	if n := min(len(want), len(log)); !slices.Equal(log[:n], want) {
		t.Errorf("order\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	} else if ends := log[n:]; len(ends) != 6 {
		t.Errorf("they end with %q", ends)
	} else {
		for _, name := range []string{"ours", "java 5", "floor of 500"} {
			if r, e := slices.Index(ends, "resume "+name), slices.Index(ends, "close "+name); r < 0 || e != r+1 {
				t.Errorf("%s ends with %q", name, ends)
			}
		}
	}
	if !c.Kept {
		t.Error("the comparison does not say that servers were kept")
	}
	for _, turn := range c.Turns {
		if first := turn.FirstReplySeconds > 0; first != (turn.Round == 1 && !turn.WarmUp) {
			t.Errorf("turn of round %d, warm-up %v, started for %g s", turn.Round, turn.WarmUp, turn.FirstReplySeconds)
		}
	}
}

// TestOwnWarmUp: a run that warms up until the figure stands still sees to a JVM,
// too, and a scenario that does more than ask does not.
func TestOwnWarmUp(t *testing.T) {
	for kind, want := range map[string]int{"route": 0, "storm": 2} {
		var log []string
		opt := fakes(&log, "ours", "java 5")
		k, err := bench.FindKind(kind)
		if err != nil {
			t.Fatal(err)
		}
		opt.Scenario, opt.JVMWarmUp = k.Scenario(), time.Second
		if _, err := Run(t.Context(), opt, nil); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(strings.Join(log, "\n"), "warm java"); got != want {
			t.Errorf("%s: %d warm-ups of java, want %d:\n%s", kind, got, want, strings.Join(log, "\n"))
		}
	}
}

// TestJVMWarmUp is the load of the scenario without what happens in it, nor what it is judged by.
func TestJVMWarmUp(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "java 5")
	k, err := bench.FindKind("restart")
	if err != nil {
		t.Fatal(err)
	}
	opt.Scenario, opt.JVMWarmUp = k.Scenario(), 3*time.Second
	opt.Scenario.FailIf = []string{"restart: route p99 > 9m"}
	var loads []bench.Scenario
	load := opt.Load
	opt.Load = func(ctx context.Context, sc bench.Scenario, o bench.Options, p func(bench.Progress)) (*bench.Result, error) {
		loads = append(loads, sc)
		return load(ctx, sc, o, p)
	}
	if _, err := Run(t.Context(), opt, nil); err != nil && !errors.Is(err, bench.ErrThreshold) {
		t.Fatal(err)
	}
	if len(loads) != 6 {
		t.Fatalf("%d loads, want 2 rounds of 2 servers, one of which is warmed up:\n%s", len(loads), strings.Join(log, "\n"))
	}
	warm := opt.Scenario.WarmUp(opt.JVMWarmUp)
	for i, want := range []bench.Scenario{opt.Scenario, warm, opt.Scenario, warm, opt.Scenario, opt.Scenario} {
		if !reflect.DeepEqual(loads[i], want) {
			t.Errorf("load %d is %+v, want %+v", i, loads[i], want)
		}
	}
}

func find(t *testing.T, c *Comparison, phase, name string) Figure {
	t.Helper()
	for _, f := range c.Figures {
		if f.Phase == phase && f.Name == name && f.Unit != "" {
			return f
		}
	}
	t.Fatalf("no figure %s %s", phase, name)
	return Figure{}
}

func TestBase(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "floor")
	opt.Base = 1
	c, err := Run(t.Context(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := find(t, c, "measured", "route"); f.Servers[1].Ratio.Mean != 1 || math.Abs(f.Servers[0].Ratio.Mean-0.8) > 1e-9 {
		t.Errorf("ratios to the floor: %+v", f)
	}
}

// TestServerDoesNotStart ends the comparison and says who it was; what was
// seen until then is kept.
func TestServerDoesNotStart(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "other")
	begin := opt.Start
	opt.Start = func(ctx context.Context, s launch.Spec) (Started, error) {
		if s.Name == "other" {
			return nil, errors.New("no such port in a storm")
		}
		return begin(ctx, s)
	}
	c, err := Run(t.Context(), opt, nil)
	if err == nil || err.Error() != "other, round 1: no such port in a storm" {
		t.Errorf("error %v", err)
	}
	if c == nil || len(c.Turns) != 1 {
		t.Errorf("comparison %+v", c)
	}
	if log[len(log)-1] != "close ours" {
		t.Errorf("ended with %q", log[len(log)-1])
	}
}

// TestServerBreaks closes the server whose run cannot be ended, and shows what
// it wrote.
func TestServerBreaks(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "other")
	load := opt.Load
	opt.Load = func(ctx context.Context, sc bench.Scenario, o bench.Options, p func(bench.Progress)) (*bench.Result, error) {
		if o.Target.Name == "other" {
			return nil, errors.New("connect: refused")
		}
		return load(ctx, sc, o, p)
	}
	_, err := Run(t.Context(), opt, nil)
	if err == nil || !strings.Contains(err.Error(), "other, round 1: connect: refused") || !strings.Contains(err.Error(), "last words of other") {
		t.Errorf("error %v", err)
	}
	if log[len(log)-1] != "close other" {
		t.Errorf("ended with %q", log[len(log)-1])
	}
}

// TestWrongReplies goes on, leaves the run out of the figures, and fails in the end.
func TestWrongReplies(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "other")
	opt.Rounds = 3
	load, n := opt.Load, 0
	opt.Load = func(ctx context.Context, sc bench.Scenario, o bench.Options, p func(bench.Progress)) (*bench.Result, error) {
		res, err := load(ctx, sc, o, p)
		if o.Target.Name == "other" {
			if n++; n == 2 {
				res.OK, res.Failures = false, []string{"3 wrong replies"}
				err = bench.ErrWrong
			}
		}
		return res, err
	}
	c, err := Run(t.Context(), opt, nil)
	if !errors.Is(err, bench.ErrWrong) || !strings.Contains(err.Error(), "1 of 6 runs, such as other, round 2: 3 wrong replies") {
		t.Errorf("error %v", err)
	}
	f := find(t, c, "measured", "route")
	if f.Servers[0].Value.N != 3 || f.Servers[1].Value.N != 2 || f.Servers[1].Ratio.N != 2 {
		t.Errorf("rate %+v", f)
	}
}

func TestRefusals(t *testing.T) {
	var log []string
	for name, opt := range map[string]Options{
		"one server":  fakes(&log, "ours"),
		"floor first": fakes(&log, "floor", "ours"),
		"twice":       fakes(&log, "ours", "ours"),
		"no rounds":   func() Options { o := fakes(&log, "ours", "other"); o.Rounds = 0; return o }(),
		"no base":     func() Options { o := fakes(&log, "ours", "other"); o.Base = 2; return o }(),
	} {
		if c, err := Run(t.Context(), opt, nil); err == nil || c != nil {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if len(log) > 0 {
		t.Errorf("something was started: %q", log)
	}
}

func TestStopped(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "other")
	ctx, stop := context.WithCancel(t.Context())
	opt.Load = func(context.Context, bench.Scenario, bench.Options, func(bench.Progress)) (*bench.Result, error) {
		stop()
		return nil, ctx.Err()
	}
	if c, err := Run(ctx, opt, nil); c != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", c, err)
	}
	if want := []string{"start ours", "close ours"}; !slices.Equal(log, want) {
		t.Errorf("order %q", log)
	}
}

// TestSpread holds for any numbers: half of them are on either side of the
// median, all between the ends, in whatever order they come.
func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(1e-9, 1e12), 1, 40).Draw(t, "values")
		s := spread(slices.Clone(values))
		if s.N != len(values) || s.Min != slices.Min(values) || s.Max != slices.Max(values) {
			t.Fatalf("spread %+v", s)
		}
		below, above := 0, 0
		for _, v := range values {
			if v < s.Median {
				below++
			}
			if v > s.Median {
				above++
			}
		}
		if 2*below > len(values) || 2*above > len(values) {
			t.Fatalf("%d below and %d above %g", below, above, s.Median)
		}
		mixed := rapid.Permutation(values).Draw(t, "mixed")
		if again := spread(mixed); again != s {
			t.Fatalf("%+v in another order, was %+v", again, s)
		}
	})
	if (spread(nil) != Spread{}) {
		t.Error("a spread of nothing")
	}
	if s := spread([]float64{4, 1, 2, 10}); s.Median != 3 {
		t.Errorf("the median of two in the middle is %g", s.Median)
	}
}

// TestRatios holds for any rates: a server that is k times as fast in every
// round has ratio k without spread, however much the machine swings between
// the rounds; and the ratio of the base is 1.
func TestRatios(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rounds := rapid.IntRange(1, 8).Draw(t, "rounds")
		k := rapid.Float64Range(0.01, 100).Draw(t, "k")
		base := rapid.IntRange(0, 1).Draw(t, "base")
		missing := rapid.IntRange(0, rounds).Draw(t, "missing") // a round whose base failed; 0 is none
		var turns []Turn
		for round := 1; round <= rounds; round++ {
			swing := rapid.Float64Range(1, 1e6).Draw(t, "swing")
			for server := range 2 {
				rate := swing
				if server != base {
					rate *= k
				}
				res := fakeResult(rate)
				res.OK = !(server == base && round == missing)
				turns = append(turns, Turn{Server: server, Round: round, Result: res})
			}
		}
		figures := figuresOf(2, base, turns)
		paired := rounds
		if missing > 0 {
			paired--
		}
		if len(figures) == 0 {
			t.Fatal("no figures")
		}
		for _, f := range figures {
			if f.Unit == "" {
				continue // errors: there are none
			}
			want := k
			switch f.Unit {
			case "µs", "s/1M":
				want = 1 / k
			}
			if f.Name == "route p50" {
				want = 1
			}
			got := f.Servers[1-base].Ratio
			if got.N != paired {
				t.Fatalf("%s: %d ratios of %d rounds", f.Name, got.N, paired)
			}
			if paired == 0 {
				continue
			}
			for _, r := range []float64{got.Median, got.Min, got.Max} {
				if math.Abs(r-want) > 1e-9*want {
					t.Fatalf("%s: ratio %+v, want %g", f.Name, got, want)
				}
			}
			if one := f.Servers[base].Ratio; one.Min != 1 || one.Max != 1 {
				t.Fatalf("%s: the base's ratio to itself is %+v", f.Name, one)
			}
		}
	})
}

// TestPhaseFigures compares a phase with the first one.
func TestPhaseFigures(t *testing.T) {
	res := fakeResult(100)
	storm := bench.Phase{Name: "storm", Ops: []bench.Operation{
		{Name: "route", PerSecond: 90, Latency: bench.Latency{P99: 30_000}}, {Name: "heartbeat", Oneway: true, PerSecond: 10},
	}, Server: &bench.Process{CPUSecondsPerMillion: 4}}
	res.Phases = append(res.Phases, storm)
	res.Milestones = []bench.Milestone{{Name: "all back", Seconds: 2, Reached: true}, {Name: "never", Seconds: 9}}
	got := map[string]float64{}
	for _, v := range valuesOf(&Turn{Result: res, FirstReplySeconds: 0.5}) {
		got[v.phase+": "+v.name+" "+v.unit] = v.v
	}
	for name, want := range map[string]float64{
		"storm: route p99 / measured ": 3, "storm: server CPU s/1M": 4, "storm: heartbeat /s": 10, ": all back s": 2, ": start to first reply s": 0.5,
	} {
		if got[name] != want {
			t.Errorf("%s is %g, want %g; there are %v", name, got[name], want, got)
		}
	}
	if _, ok := got[": never s"]; ok {
		t.Error("a milestone that was not reached is a figure")
	}
}

// TestZeroFigures: nothing lost is a figure, and no ratio is taken to it.
func TestZeroFigures(t *testing.T) {
	turn := func(server int, shrunken uint64) Turn {
		res := fakeResult(100)
		res.OK, res.Survival = true, &bench.Survival{Event: "restart", Shrunken: shrunken}
		return Turn{Server: server, Round: 1, Result: res}
	}
	for _, f := range figuresOf(2, 0, []Turn{turn(0, 0), turn(1, 7)}) {
		if f.Name != "shrunken routes" {
			continue
		}
		if f.Servers[0].Value.N != 1 || f.Servers[0].Value.Max != 0 || f.Servers[1].Value.Median != 7 || f.Servers[1].Ratio.N != 0 {
			t.Errorf("figure is %+v", f)
		}
		return
	}
	t.Error("shrunken routes are no figure")
}
