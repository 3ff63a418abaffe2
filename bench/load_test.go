package bench_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
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

// A localCrew makes the parts in this process.
type localCrew struct {
	size  int
	opt   bench.Options
	looks int // at the warm-up
	spoil func(part int, r *bench.Result, err error) (*bench.Result, error)
}

func (c *localCrew) Size() int { return c.size }

func (c *localCrew) Load(ctx context.Context, sc bench.Scenario, seed uint64, begin func(), lead func(bench.Look) error) ([]*bench.Result, error) {
	results, errs := make([]*bench.Result, c.size), make([]error, c.size)
	ready, begun := make(chan struct{}, c.size), make(chan struct{})
	looks, measure := make([]chan chan bench.Seen, c.size), make(chan struct{})
	ctx, end := context.WithCancel(ctx)
	defer end()
	var wg sync.WaitGroup
	for i := range c.size {
		looks[i] = make(chan chan bench.Seen)
		wg.Go(func() {
			opt := c.opt
			opt.Seed, opt.Part = seed, bench.Part{Index: i, Of: c.size}
			if lead != nil {
				opt.Warm = func(ctx context.Context, seen func() bench.Seen) error {
					for {
						select {
						case <-ctx.Done():
							return ctx.Err()
						case answer := <-looks[i]:
							answer <- seen()
						case <-measure:
							return nil
						}
					}
				}
			}
			opt.Ready = func(context.Context) error {
				ready <- struct{}{}
				<-begun
				return nil
			}
			results[i], errs[i] = bench.Run(ctx, sc, opt, nil)
			if c.spoil != nil {
				results[i], errs[i] = c.spoil(i, results[i], errs[i])
			}
		})
	}
	for range c.size {
		<-ready
	}
	begin()
	close(begun)
	if lead != nil {
		err := lead(func() (seen []bench.Seen, err error) {
			for i := range looks {
				answer := make(chan bench.Seen, 1)
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case looks[i] <- answer:
					seen = append(seen, <-answer)
				}
			}
			c.looks++
			return seen, nil
		})
		if err != nil {
			end()
			wg.Wait()
			return nil, err
		}
		close(measure)
	}
	wg.Wait()
	return results, errors.Join(errs...)
}

// TestCrewWarmsUp: several generators warm up as a single one does, until the figure of all of
// them together stands still or it was long enough, and the result says which.
func TestCrewWarmsUp(t *testing.T) {
	_, opt := startProcess(t)
	addr, pid := opt.Target.Address, opt.Target.PID
	opt.Server = nil // it is not started anew
	for _, tt := range []struct {
		params []string
		figure string
		fixed  bool
		most   float64
		pid    bool
	}{
		{[]string{"rate", "0", "warmup", "still", "warmup-most", "40s"}, "server CPU per million requests", false, 40, true},
		{[]string{"rate", "0", "warmup", "still", "warmup-most", "1100ms"}, "replies per second", false, 1.1, false},
		{[]string{"rate", "800", "warmup", "1200ms"}, "median latency", true, 1.2, false},
	} {
		var mu sync.Mutex
		var parts []*bench.Result
		crew := &localCrew{size: 2, opt: at(addr), spoil: func(_ int, r *bench.Result, err error) (*bench.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, r)
			return r, err
		}}
		opt.Crew = crew
		if opt.Target.PID = 0; tt.pid {
			opt.Target.PID = pid
		}
		sc := scenario(t, "route", tt.params...)
		res := run(t, sc, opt)
		w := res.Warmup
		if w == nil || w.Figure != tt.figure || w.Fixed != tt.fixed || w.MostSeconds != tt.most || len(w.Windows) == 0 {
			t.Fatalf("%q: the warm-up is %+v", tt.params, w)
		}
		last := w.Windows[len(w.Windows)-1]
		if crew.looks != len(w.Windows)+1 && crew.looks != len(w.Windows)+2 { // one begins, and one may be too short
			t.Errorf("%q: %d looks at all, and %d windows", tt.params, crew.looks, len(w.Windows))
		}
		for _, one := range w.Windows {
			if one.Value <= 0 {
				t.Errorf("%q: windows %+v", tt.params, w.Windows)
			}
		}
		if !tt.fixed && !w.Still && last.Seconds < tt.most*4/5 {
			t.Errorf("%q: it did not stand still, and gave up after %g s", tt.params, last.Seconds)
		}
		if res.WarmupSeconds < last.Seconds || res.Scenario.Params.Warmup != sc.Params.Warmup {
			t.Errorf("%q: it took %g s, less than %g, or was to take %s", tt.params, res.WarmupSeconds, last.Seconds, res.Scenario.Params.Get("warmup"))
		}
		for _, p := range parts {
			if p.WarmupSeconds < last.Seconds*9/10 {
				t.Errorf("%q: a part has warmed up for %g s, all together for %g", tt.params, p.WarmupSeconds, res.WarmupSeconds)
			}
		}
	}

	// What goes wrong meanwhile ends the run.
	opt.Crew = failingCrew{}
	if res, err := bench.Run(t.Context(), scenario(t, "route", "warmup", "still"), opt, nil); err == nil || res != nil || !strings.Contains(err.Error(), "nobody looks") {
		t.Errorf("got %+v, %v", res, err)
	}
}

// A failingCrew cannot be looked at.
type failingCrew struct{}

func (failingCrew) Size() int { return 2 }

func (failingCrew) Load(_ context.Context, _ bench.Scenario, _ uint64, begin func(), lead func(bench.Look) error) ([]*bench.Result, error) {
	begin()
	return nil, lead(func() ([]bench.Seen, error) { return nil, errors.New("nobody looks") })
}

// TestCrew: a run whose load others make is what they have seen together: counts and
// rates add up, latencies are merged, and the load is that of one.
func TestCrew(t *testing.T) {
	_, opt := startProcess(t)
	addr := opt.Target.Address
	opt.Server = nil // it is not started anew
	var parts []*bench.Result
	var mu sync.Mutex
	crew := &localCrew{size: 3, opt: at(addr), spoil: func(_ int, r *bench.Result, err error) (*bench.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		parts = append(parts, r)
		return r, err
	}}
	opt.Crew = crew
	sc := scenario(t, "route", "rate", "900", "connections", "7", "duration", "500ms")
	sc.Stages = []string{"a: hold 300ms", "b: step 300ms to 1500"}
	res := run(t, sc, opt)
	if res.Generators != 3 || len(parts) != 3 {
		t.Fatalf("%d generators, %d parts", res.Generators, len(parts))
	}
	for n, rate := range []float64{900, 1500} {
		o := op(t, res, res.Phases[n].Name, "route")
		sent, answered := uint64(0), uint64(0)
		longest := 0.0
		for _, p := range parts {
			sent += p.Phases[n].Ops[0].Sent
			answered += p.Phases[n].Ops[0].Answered
			longest = max(longest, p.Phases[n].Ops[0].Latency.Max)
		}
		if o.Sent != sent || o.Answered != answered || o.Answered == 0 || o.Latency.Max != longest {
			t.Errorf("phase %s: %+v, want %d sent, %d answered, at most %g µs", res.Phases[n].Name, o, sent, answered, longest)
		}
		if due := 0.3 * rate; math.Abs(float64(sent)-due) > 3 {
			t.Errorf("phase %s: %d were sent, want %.0f", res.Phases[n].Name, sent, due)
		}
		if h, err := bench.DecodeHistogram(o.Histogram); err != nil || uint64(h.TotalCount()) != answered {
			t.Errorf("phase %s: histogram: %v", res.Phases[n].Name, err)
		}
	}
	if res.Server.CPUSeconds <= 0 || res.Server.RSS == 0 || res.Phases[1].Server == nil || res.Streams[0].Lag == nil {
		t.Errorf("server %+v, streams %+v", res.Server, res.Streams)
	}
	if rates := parts[0].Streams[0].Rate + parts[1].Streams[0].Rate + parts[2].Streams[0].Rate; math.Abs(rates-900) > 1e-6 {
		t.Errorf("the rates of the parts are %g/s together, want 900", rates)
	}
	if parts[0].Streams[0].Connections+parts[1].Streams[0].Connections+parts[2].Streams[0].Connections != 7 {
		t.Errorf("connections %+v", parts)
	}

	sc = scenario(t, "route", "rate", "0", "connections", "7", "requests", "301", "duration", "10m")
	sc.FailIf = []string{"route errors > 0"}
	if o := op(t, run(t, sc, opt), "measured", "route"); o.Sent != 301 || o.Answered != 301 {
		t.Errorf("301 requests are %+v", o)
	}
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 {
			r.GeneratorBound = true
		}
		return r, err
	}
	if res, err := bench.Run(t.Context(), sc, opt, nil); !errors.Is(err, bench.ErrThreshold) || res == nil || !res.GeneratorBound {
		t.Errorf("one is generator-bound: %v, %+v", err, res)
	}
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 {
			return nil, errors.New("lost")
		}
		return r, err
	}
	if res, err := bench.Run(t.Context(), sc, opt, nil); err == nil || !strings.Contains(err.Error(), "lost") || res != nil {
		t.Errorf("one is lost: %v, %+v", err, res)
	}
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 {
			r.OK, r.Failures = false, []string{"it was wrong"}
		}
		return r, err
	}
	mustFailWith(t, sc, opt, "generator 2: it was wrong")
	crew.spoil = func(part int, r *bench.Result, err error) (*bench.Result, error) {
		if part == 1 { // to no request, and an agent that shows no sample
			r.Errors.Wrong++
		}
		return r, err
	}
	mustFailWith(t, sc, opt, "1 wrong replies")

	for _, tt := range []struct {
		sc   bench.Scenario
		want string
	}{
		{scenario(t, "storm"), "route and miss only"},
		{scenario(t, "route", "connections", "2"), "each needs one"},
	} {
		if _, err := bench.Run(t.Context(), tt.sc, opt, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.sc.Name, err, tt.want)
		}
	}
}

// TestCrewLateness: how late the requests of several generators left is merged, request
// by request, and marks what all of them, or one of them, have measured of themselves.
func TestCrewLateness(t *testing.T) {
	addr := startOwn(t)
	opt := at(addr)
	var mu sync.Mutex
	late, answered := uint64(0), uint64(0)
	worst := 0.0
	spoil := func(part int, r *bench.Result) {}
	opt.Crew = &localCrew{size: 2, opt: at(addr), spoil: func(part int, r *bench.Result, err error) (*bench.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			return r, err
		}
		o := &r.Phases[0].Ops[0]
		late, answered, worst = late+o.Sent, answered+o.Answered, max(worst, o.Pace.Lateness.Max)
		o.Pace.GeneratorBound, r.GeneratorBound = false, false // of a busy machine
		spoil(part, r)
		return r, err
	}}
	sc := scenario(t, "route", "rate", "900", "duration", "300ms", "warmup", "0s")
	o := op(t, run(t, sc, opt), "measured", "route")
	if o.Pace == nil || o.Pace.Lateness.Max != worst {
		t.Fatalf("the pace is %+v, and one was late by %g µs", o.Pace, worst)
	}
	for text, want := range map[string]uint64{o.Pace.Histogram: late, o.Pace.FromWriteHistogram: answered} {
		if h, err := bench.DecodeHistogram(text); err != nil || uint64(h.TotalCount()) != want {
			t.Errorf("histogram of %d, want %d: %v", h.TotalCount(), want, err)
		}
	}
	if want := o.Pace.Lateness.P99 > o.Latency.P99/3; o.GeneratorBound() != want {
		t.Errorf("late by %g of %g µs, and generator-bound: %v", o.Pace.Lateness.P99, o.Latency.P99, o.GeneratorBound())
	}

	spoil = func(part int, r *bench.Result) {
		r.Phases[0].Ops[0].Pace.GeneratorBound = part == 1
	}
	res := run(t, sc, opt)
	if o := op(t, res, "measured", "route"); !res.GeneratorBound || !o.GeneratorBound() {
		t.Errorf("one of two is generator-bound, and the run is not: %v, %+v", res.GeneratorBound, o.Pace)
	}
	spoil = func(part int, r *bench.Result) { r.Phases[0].Ops[0].Pace.Histogram = "spoilt" }
	if _, err := bench.Run(t.Context(), sc, opt, nil); err == nil || !strings.Contains(err.Error(), "generator 1: route") {
		t.Errorf("of a spoilt histogram: %v", err)
	}
}

// TestCrewErrors: errors are judged by the limits of the run, of all generators together.
func TestCrewErrors(t *testing.T) {
	sc := scenario(t, "route", "rate", "0", "requests", "300", "duration", "10m")
	refusing := func() bench.Options {
		opt := at(startFake(t, refuseEveryThird()).addr)
		opt.Crew = &localCrew{size: 2, opt: opt}
		return opt
	}
	mustFailWith(t, sc, refusing(), "refused (SYSTEM_BUSY)")
	limits, err := bench.ParseErrorLimits("refused=50")
	if err != nil {
		t.Fatal(err)
	}
	opt := refusing()
	opt.MaxErrors = &limits
	if o := op(t, run(t, sc, opt), "measured", "route"); o.Errors[bench.ErrorBusy] == 0 {
		t.Errorf("nothing was refused: %+v", o)
	}
}

// refuseEveryThird refuses a third of the first reads of the load.
func refuseEveryThird() func(*codec.Command, *codec.Reply) bool {
	var n atomic.Int64
	return func(req *codec.Command, reply *codec.Reply) bool {
		if !isLoad(req) {
			return true
		}
		if i := n.Add(1); i%3 == 0 && i < 250 { // not when all is checked in the end
			reply.Code, reply.Body = codec.RespSystemBusy, nil
		}
		return true
	}
}

func mustFailWith(t *testing.T, sc bench.Scenario, opt bench.Options, words string) {
	t.Helper()
	res, err := bench.Run(t.Context(), sc, opt, nil)
	if !errors.Is(err, bench.ErrWrong) || res == nil || !strings.Contains(strings.Join(res.Failures, "\n"), words) {
		t.Errorf("error %v, want %q", err, words)
	}
}

// certificates are files of an authority, and of a certificate of it for
// 127.0.0.1.
type certificates struct {
	ca, cert, key string
	pool          *x509.CertPool
	pair          tls.Certificate
}

func newCertificates(t *testing.T) certificates {
	t.Helper()
	made := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	ca, caKey := made(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	leaf, key := made(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "one"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ca, caKey)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := certificates{
		ca: write("ca.pem", "CERTIFICATE", ca.Raw), cert: write("cert.pem", "CERTIFICATE", leaf.Raw), key: write("key.pem", "PRIVATE KEY", keyDER),
		pool: x509.NewCertPool(),
	}
	c.pool.AddCert(ca)
	if c.pair, err = tls.LoadX509KeyPair(c.cert, c.key); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLS speaks TLS over every connection of a run: the server takes nothing else,
// and wants a certificate of ours.
func TestTLS(t *testing.T) {
	c := newCertificates(t)
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.TLS.ConfigFile, cfg.TLS.TestMode, cfg.TLS.ServerMode = "", false, "enforcing"
	cfg.TLS.ServerCertPath, cfg.TLS.ServerKeyPath = c.cert, c.key
	cfg.TLS.ServerNeedClientAuth, cfg.TLS.ServerAuthClient, cfg.TLS.ServerTrustCertPath = "require", true, c.ca
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	addr := s.Addr().String()
	opt := at(addr)
	opt.TLS = &tls.Config{RootCAs: c.pool, Certificates: []tls.Certificate{c.pair}}
	for _, tt := range [][]string{
		{"route", "rate", "0", "depth", "8"},
		{"route", "rate", "1000"},
		{"register", "rate", "0", "bump", "true", "topics", "2000"},
		{"churn", "death", "kill", "topics", "4"},
		{"massclose"},
		{"connections", "connections", "20", "duration", "1ms"},
		{"slowreader"},
		{"misses"},
	} {
		t.Run(strings.Join(tt, " "), func(t *testing.T) {
			res := run(t, scenario(t, tt[0], tt[1:]...), opt)
			if !strings.HasPrefix(res.Target.TLS, "TLS 1.3, TLS_") {
				t.Errorf("it was spoken %q", res.Target.TLS)
			}
		})
	}
	t.Run("replay", func(t *testing.T) {
		sc, err := bench.ReadScenario(handmade(t, 0, time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if o := run(t, sc, opt).Phases[0].Ops[0]; o.Answered != 2 {
			t.Errorf("%+v", o)
		}
	})
	sc := scenario(t, "route", "timeout", "1m")
	for name, tt := range map[string]struct {
		cfg  *tls.Config
		want string
	}{
		"no TLS":                 {nil, ""},
		"nobody to trust":        {&tls.Config{Certificates: []tls.Certificate{c.pair}}, "certificate signed by unknown authority"},
		"no certificate of ours": {&tls.Config{RootCAs: c.pool}, ""},
		"another name":           {&tls.Config{RootCAs: c.pool, Certificates: []tls.Certificate{c.pair}, ServerName: "other"}, "valid for"},
	} {
		opt.TLS = tt.cfg
		if res, err := bench.Run(t.Context(), sc, opt, nil); err == nil || res != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want %q", name, err, tt.want)
		}
	}
	opt.TLS = &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{c.pair}}
	opt.CeilingFor = 50 * time.Millisecond
	if res := run(t, sc, opt); res.Ceiling != nil {
		t.Errorf("without TLS it would be %+v", res.Ceiling)
	}
}
