package bench_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// interruptedBy runs a scenario whose context ends when stop says so of a request.
func interruptedBy(t *testing.T, sc bench.Scenario, stop func(req *codec.Command) bool) (*bench.Result, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := startFakeWith(t, func(f *fakeServer) {
		f.before = func(req *codec.Command) {
			if stop(req) {
				cancel()
			}
		}
	})
	return bench.Run(ctx, sc, at(f.addr), nil)
}

// reads counts the reads of the load, and is true from the n-th on.
func reads(n int64) func(req *codec.Command) bool {
	var seen atomic.Int64
	return func(req *codec.Command) bool { return isLoad(req) && seen.Add(1) >= n }
}

// TestInterrupted: what was measured until then is the result, and nothing that
// follows from the interruption is taken for a fault of the server.
func TestInterrupted(t *testing.T) {
	for _, tt := range []struct{ kind, phase string }{
		{"route", "measured"},
		{"storm", "undisturbed"},
		{"mixed", "measured"},
		{"churn", "measured"},
		{"massclose", "before"},
		{"misses", "quiet"},
		{"slowreader", "undisturbed"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			sc := scenario(t, tt.kind, "duration", "1h", "warmup", "0s", "connections", "4")
			res, err := interruptedBy(t, sc, reads(200))
			if !errors.Is(err, bench.ErrInterrupted) || res == nil {
				t.Fatalf("got %v, %v", res, err)
			}
			if !res.Interrupted || !res.OK || len(res.Failures) > 0 {
				t.Errorf("interrupted %t, ok %t, failures %q, samples %+v", res.Interrupted, res.OK, res.Failures, res.Samples)
			}
			if len(res.Phases) != 1 || res.MeasuredSeconds <= 0 || res.Ceiling != nil {
				t.Errorf("phases %+v, measured for %g s, ceiling %v", res.Phases, res.MeasuredSeconds, res.Ceiling)
			}
			if o := op(t, res, tt.phase, "route"); o.Answered < 50 || o.Latency.P50 <= 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestInterruptedWithServer: who interrupts may end the server too. Its connections
// break, and that is no fault of it either.
func TestInterruptedWithServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var mu sync.Mutex
	var conns []net.Conn
	var wg sync.WaitGroup
	defer wg.Wait()
	end := func() { // the server goes away with all its connections
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
	}
	defer end()
	ctx, cancel := context.WithCancel(t.Context())
	stop := reads(200)
	var once sync.Once
	f := startFake(t, func(req *codec.Command, _ *codec.Reply) bool {
		if stop(req) {
			once.Do(func() { cancel(); end() }) // so this one is not answered
		}
		return true
	})
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", f.addr)
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, in, out)
			mu.Unlock()
			wg.Go(func() { copyUntil(out, in) })
			wg.Go(func() { copyUntil(in, out) })
		}
	})
	sc := scenario(t, "route", "duration", "1h", "warmup", "0s")
	opt := at(l.Addr().String())
	limits, err := bench.ParseErrorLimits("missing=0") // so that one would be too many
	if err != nil {
		t.Fatal(err)
	}
	opt.MaxErrors = &limits
	res, err := bench.Run(ctx, sc, opt, nil)
	if !errors.Is(err, bench.ErrInterrupted) || res == nil || !res.OK {
		t.Fatalf("got %+v, %v", res, err)
	}
}

func copyUntil(to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				from.Close()
				return
			}
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// TestInterruptedEarly: before anything is measured there is no result.
func TestInterruptedEarly(t *testing.T) {
	for _, warmup := range []string{"0s", "1h"} {
		sc := scenario(t, "route", "warmup", warmup)
		stop := func(req *codec.Command) bool { return req.Code == codec.ReqRegisterBroker }
		if warmup != "0s" {
			stop = reads(50)
		}
		res, err := interruptedBy(t, sc, stop)
		if res != nil || !errors.Is(err, bench.ErrInterrupted) || !strings.Contains(err.Error(), "before anything was measured") {
			t.Errorf("warm-up %s: got %+v, %v", warmup, res, err)
		}
	}
}

// TestWrongStaysWrong: an interruption does not make a wrong reply right.
func TestWrongStaysWrong(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stop := reads(200)
	f := startFake(t, func(req *codec.Command, reply *codec.Reply) bool {
		if isLoad(req) {
			reply.Body = []byte("{}")
		}
		if stop(req) {
			cancel()
		}
		return true
	})
	res, err := bench.Run(ctx, scenario(t, "route", "duration", "1h", "warmup", "0s"), at(f.addr), nil)
	if !errors.Is(err, bench.ErrInterrupted) || res == nil || res.OK {
		t.Errorf("got %+v, %v", res, err)
	}
}
