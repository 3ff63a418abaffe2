package compare

import (
	"context"
	"encoding/json"
	"reflect"
	"runtime"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// TestTurnsTakeLittle: what a comparison keeps of a turn is what is written of it, and nothing
// of how it was measured, so that a hundred rounds take megabytes.
func TestTurnsTakeLittle(t *testing.T) {
	const (
		rounds = 40
		first  = 20       // turn that is measured from, when all is there that is there once
		most   = 64 << 10 // bytes a turn
		second = 150      // bytes
	)
	addr, stop, err := bench.ListenEcho(t.Context(), codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: 1_000_000_000}))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var log []string
	opt := fakes(&log, "ours", "other")
	opt.Rounds = rounds
	p := &opt.Scenario.Params
	p.Topics, p.Connections, p.Rate, p.Warmup, p.Duration = 40, 2, 2000, 0, bench.Duration(20*time.Millisecond)
	turns := 0
	var heap [2]uint64
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what finalizers have let go
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	opt.Load = func(ctx context.Context, sc bench.Scenario, o bench.Options, progress func(bench.Progress)) (*bench.Result, error) {
		if turns++; turns == first {
			heap[0] = live()
		}
		o.Target.Address, o.Target.PID, o.Server, o.Floor = addr, 0, nil, true
		return bench.Run(ctx, sc, o, progress)
	}
	c, err := Run(t.Context(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Figures = nil
	heap[1] = live()
	if each := (int64(heap[1]) - int64(heap[0])) / (2*rounds - first); each > most {
		t.Errorf("a turn takes %d bytes, want at most %d", each, most)
	}
	text, err := json.Marshal(c.Turns[len(c.Turns)-1])
	if err != nil || len(text) > most {
		t.Errorf("%d bytes of a turn are written, want at most %d: %v", len(text), most, err)
	}
	if n := reflect.TypeFor[bench.Point]().Size(); n > second {
		t.Errorf("a second takes %d bytes, want at most %d", n, second)
	}
	runtime.KeepAlive(c)
}

// TestWarmUpKeepsNoHistograms: nobody draws a warm-up.
func TestWarmUpKeepsNoHistograms(t *testing.T) {
	var log []string
	opt := fakes(&log, "ours", "java 5")
	opt.JVMWarmUp, opt.Scenario.Params.Warmup = time.Second, bench.Warmup(time.Second)
	load := opt.Load
	opt.Load = func(ctx context.Context, sc bench.Scenario, o bench.Options, p func(bench.Progress)) (*bench.Result, error) {
		res, err := load(ctx, sc, o, p)
		res.Phases[0].Ops[0].Histogram = "drawn"
		res.Phases[0].Ops[0].Pace = &bench.Pace{Histogram: "drawn", FromWriteHistogram: "drawn"}
		return res, err
	}
	c, err := Run(t.Context(), opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	warm := 0
	for _, turn := range c.Turns {
		want := "drawn"
		if turn.WarmUp {
			warm++
			want = ""
		}
		if o := turn.Result.Phases[0].Ops[0]; o.Histogram != want || o.Pace.Histogram != want || o.Pace.FromWriteHistogram != want {
			t.Errorf("warm-up %v: %q, %+v", turn.WarmUp, o.Histogram, o.Pace)
		}
	}
	if warm != 2 {
		t.Errorf("%d warm-ups", warm)
	}
}
