package bench_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// TestThresholds: a run says which of its thresholds hold, and fails by those that do
// not; one that it cannot know is refused before anything is sent.
func TestThresholds(t *testing.T) {
	addr := startOwn(t)
	sc := scenario(t, "route", "rate", "0", "requests", "200", "duration", "10m")
	sc.FailIf = []string{"route errors > 0", "route p99 > 9m", "milestone noon > 1s"}
	res, err := bench.Run(t.Context(), sc, at(addr), nil)
	if !errors.Is(err, bench.ErrThreshold) || errors.Is(err, bench.ErrWrong) || res == nil || !res.OK {
		t.Fatalf("error %v, result %+v", err, res)
	}
	for i, want := range []string{bench.Passed, bench.Passed, bench.Undecided} {
		if got := res.Thresholds[i]; got.Verdict != want || got.Threshold != sc.FailIf[i] {
			t.Errorf("verdict %+v, want %s", got, want)
		}
	}
	sc.FailIf = sc.FailIf[:2]
	if res := run(t, sc, at(addr)); len(res.Thresholds) != 2 {
		t.Errorf("verdicts %+v", res.Thresholds)
	}
	sc.FailIf = []string{"route p50 > 1ns"}
	if _, err := bench.Run(t.Context(), sc, at(addr), nil); !errors.Is(err, bench.ErrThreshold) || !strings.Contains(err.Error(), `"route p50 > 1ns" failed`) {
		t.Errorf("error %v", err)
	}

	var asked atomic.Int64
	f := startFakeWith(t, func(f *fakeServer) { f.before = func(*codec.Command) { asked.Add(1) } })
	for _, text := range []string{"rout p99 > 1ms", "storm: route p99 > 1ms", "server cpu > 2x floor", "route p99 +10%", "server memory > 1B", "server cores > 1", "lookups failed > 0"} {
		sc.FailIf = []string{text}
		if res, err := bench.Run(t.Context(), sc, at(f.addr), nil); err == nil || res != nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: error %v", text, err)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests were sent", n)
	}

	// Wrong replies are worse than a threshold.
	sc.FailIf = []string{"route p99 > 9m"}
	spoilt := startFake(t, func(req *codec.Command, reply *codec.Reply) bool {
		if req.Code == codec.ReqGetRouteInfoByTopic {
			reply.Body = nil
		}
		return true
	})
	res = mustFail(t, sc, at(spoilt.addr), "")
	if len(res.Thresholds) != 1 || res.Thresholds[0].Verdict == bench.Passed {
		t.Errorf("of a run that is not right: %+v", res.Thresholds)
	}
}

// TestStages: each stage is a phase, in which as many requests are sent as its rate
// and its length say.
func TestStages(t *testing.T) {
	addr := startOwn(t)
	for _, workers := range []int{1, 2} {
		opt := at(addr)
		opt.Workers = workers
		sc := scenario(t, "route", "rate", "500", "warmup", "50ms")
		sc.Stages = []string{"climb: ramp 400ms to 2000", "top: hold 200ms", "step 200ms to 300", "fall: ramp 300ms to 50/s"}
		res := run(t, sc, opt)
		if len(res.Phases) != 4 {
			t.Fatalf("phases %+v", res.Phases)
		}
		for i, want := range []struct {
			name     string
			from, to float64
			lasts    float64
		}{{"climb", 500, 2000, 0.4}, {"top", 2000, 2000, 0.2}, {"step 200ms to 300", 300, 300, 0.2}, {"fall", 300, 50, 0.3}} {
			p := res.Phases[i]
			if p.Name != want.name || p.Seconds < want.lasts {
				t.Errorf("phase %s lasts %g s, want %s and %g s", p.Name, p.Seconds, want.name, want.lasts)
			}
			// However late the next one begins.
			sent := float64(p.Ops[0].Sent)
			area := (want.from + want.to) / 2 * want.lasts
			if math.Abs(sent-area) > float64(workers) {
				t.Errorf("%d workers, phase %s of %g s: %g requests were sent, want %.1f", workers, p.Name, p.Seconds, sent, area)
			}
		}
	}
}

// TestPoissonRun sends as many as the rate says, give or take what chance does, and
// the same bytes with the same seed.
func TestPoissonRun(t *testing.T) {
	res := run(t, scenario(t, "route", "rate", "2000", "arrivals", "poisson", "duration", "1s"), at(startOwn(t)))
	sent, want := float64(res.Phases[0].Ops[0].Sent), 2000*res.Phases[0].Seconds
	if math.Abs(sent-want) > 6*math.Sqrt(want) {
		t.Errorf("%g requests were sent in %g s at 2,000/s", sent, res.Phases[0].Seconds)
	}
	if !res.Streams[0].Poisson {
		t.Error("the result does not say that moments were random")
	}
	sent1 := func(seed uint64) []string {
		f := startFake(t, nil)
		opt := at(f.addr)
		opt.Seed = seed
		run(t, scenario(t, "route", "rate", "2000", "arrivals", "poisson", "popularity", "zipf:1.2", "requests", "300", "duration", "10m"), opt)
		return f.sent()
	}
	first := sent1(1)
	if !slices.Equal(first, sent1(1)) {
		t.Error("two runs with one seed send different bytes")
	}
	if slices.Equal(first, sent1(2)) {
		t.Error("another seed sends the same bytes")
	}
}

// TestPopularityRun asks for few topics often.
func TestPopularityRun(t *testing.T) {
	count := func(popularity string) (most int) {
		var mu sync.Mutex
		counts := map[string]int{}
		f := startFakeWith(t, func(f *fakeServer) {
			f.before = func(req *codec.Command) {
				if req.Code == codec.ReqGetRouteInfoByTopic {
					topic, _ := req.Ext.Get("topic")
					mu.Lock()
					counts[string(topic)]++
					mu.Unlock()
				}
			}
		})
		run(t, scenario(t, "route", "rate", "0", "topics", "200", "popularity", popularity, "requests", "2000", "duration", "10m"), at(f.addr))
		for _, n := range counts {
			most = max(most, n)
		}
		return most
	}
	if n := count("zipf:2"); n < 1000 {
		t.Errorf("zipf:2 asks for the most popular topic %d times of 2,000, want more than half", n)
	}
	if n := count("uniform"); n > 100 {
		t.Errorf("uniform asks for one topic %d times of 2,000", n)
	}
}
