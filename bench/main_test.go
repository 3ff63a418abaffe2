package bench_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gonamesrv/bench"
	"gonamesrv/internal/namesrv"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv("BENCH_TEST_SERVER"); addr != "" {
		serve(addr) // the server that TestRestart kills
	}
	if os.Getenv("BENCH_TEST_ECHO") != "" {
		echoChild() // the server of BenchmarkPacer
	}
	// gnet starts the goroutines of a pool when it is imported.
	// gnet keeps the goroutines that take connections for 10 s.
	pooled := goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")
	goleak.VerifyTestMain(m, pooled, goleak.IgnoreCurrent())
}

// startOwn runs our own server in this process until the test ends.
func startOwn(t testing.TB) string {
	t.Helper()
	s, err := newOwn("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * time.Minute):
			t.Error("the server does not end")
		}
	})
	return s.Addr().String()
}

func newOwn(host string, port int) (*namesrv.Server, error) {
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = host, port
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return s, s.Listen()
}

// scenario returns a built-in scenario made small, with parameters given as
// name, value, name, value, …
func scenario(t testing.TB, name string, params ...string) bench.Scenario {
	t.Helper()
	k, err := bench.FindKind(name)
	if err != nil {
		t.Fatal(err)
	}
	sc := k.Scenario()
	small := []string{
		"brokers", "6", "topics", "12", "brokers-per-topic", "2", "connections", "4", "registrars", "3", "rate", "500", "steps", "2",
		"slow-readers", "2", "warmup", "20ms", "duration", "200ms", "timeout", "2m", "period", "300ms", "away", "200ms", "producers", "5",
	}
	for i := 0; i+1 < len(small); i += 2 {
		for _, key := range k.Keys() {
			if key == small[i] {
				set(t, &sc, small[i], small[i+1])
			}
		}
	}
	for i := 0; i+1 < len(params); i += 2 {
		set(t, &sc, params[i], params[i+1])
	}
	return sc
}

func set(t testing.TB, sc *bench.Scenario, key, value string) {
	t.Helper()
	if err := sc.Params.Set(key, value); err != nil {
		t.Fatal(err)
	}
}

// run runs a scenario that must go well.
func run(t testing.TB, sc bench.Scenario, opt bench.Options) *bench.Result {
	t.Helper()
	res, err := bench.Run(t.Context(), sc, opt, nil)
	if err != nil {
		if res != nil {
			t.Fatalf("%s: %v\n%s\nsamples: %+v", sc.Name, err, strings.Join(res.Failures, "\n"), res.Samples)
		}
		t.Fatalf("%s: %v", sc.Name, err)
	}
	if !res.OK || len(res.Failures) > 0 {
		t.Fatalf("%s: no error, but failures: %v", sc.Name, res.Failures)
	}
	return res
}

// mustFail runs a scenario whose replies must be found wrong, for a reason in
// which the words occur.
func mustFail(t testing.TB, sc bench.Scenario, opt bench.Options, words string) *bench.Result {
	t.Helper()
	res, err := bench.Run(t.Context(), sc, opt, nil)
	if !errors.Is(err, bench.ErrWrong) || res == nil || res.OK {
		t.Fatalf("%s: error is %v, want ErrWrong and a result", sc.Name, err)
	}
	text := strings.Join(res.Failures, "\n")
	for _, s := range res.Samples {
		text += "\n" + s.Reason
	}
	if !strings.Contains(text, words) {
		t.Fatalf("%s: fails with\n%s\nwant %q in it", sc.Name, text, words)
	}
	return res
}

func at(addr string) bench.Options {
	return bench.Options{Target: bench.Target{Address: addr}, Seed: 7}
}

// op returns an operation of a phase.
func op(t testing.TB, res *bench.Result, phase, name string) bench.Operation {
	t.Helper()
	for _, p := range res.Phases {
		for _, o := range p.Ops {
			if p.Name == phase && o.Name == name {
				return o
			}
		}
	}
	t.Fatalf("there is no operation %q in phase %q of %+v", name, phase, res.Phases)
	return bench.Operation{}
}
