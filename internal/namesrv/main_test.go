package namesrv_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv("NAMESRV_BENCH_CHILD"); mode != "" {
		runChild(mode)
	}
	if file := os.Getenv("NAMESRV_KV_CHILD"); file != "" {
		writeKVUntilKilled(file)
	}
	if file := os.Getenv("NAMESRV_ROUTES_CHILD"); file != "" {
		writeRoutesUntilKilled(file)
	}
	namesrv.BePatient()
	sideBySide()
	// gnet starts the goroutines of a pool when it is imported.
	// gnet keeps the goroutines that take connections for 10 s.
	pooled := goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")
	goleak.VerifyTestMain(m, pooled, goleak.IgnoreCurrent())
}

// sideBySide lets eight parallel tests run at a time, unless the command line says how
// many. They wait most of their time: by default there would be no more of them than
// processors, and on one processor each would wait for itself.
//
// So t.Parallel is for tests that wait. They have servers, files and clocks of their own,
// and look at nothing that belongs to the process: no allocations, descriptors, environment.
// All others have ended by then.
func sideBySide() {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", "8")
	}
}

// A testServer is a server on a free port of the loopback.
type testServer struct {
	*namesrv.Server
	addr    string
	clients testing.TB // whose end is that of the clients; nil is who dials
}

// start runs a server until the test ends; the table must then be in order.
func start(t testing.TB, change func(*namesrv.Config), prepare ...func(*namesrv.Server)) *testServer {
	t.Helper()
	return startWithLog(t, change, slog.New(slog.DiscardHandler), prepare...)
}

// startWithLog is start with a log.
func startWithLog(t testing.TB, change func(*namesrv.Config), log *slog.Logger, prepare ...func(*namesrv.Server)) *testServer {
	t.Helper()
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.TrustLoopback = true // wherever the tests run
	if change != nil {
		change(&cfg)
	}
	s, err := namesrv.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(s)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		if err := s.Table().CheckInvariants(); err != nil {
			t.Errorf("at the end of the test: %v", err)
		}
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(nstest.Patience):
			t.Error("Run does not return")
		}
	})
	return &testServer{Server: s, addr: s.Addr().String()}
}

func (s *testServer) dial(t testing.TB) *nstest.Client {
	t.Helper()
	if s.clients != nil {
		t = s.clients
	}
	return nstest.Dial(t, s.addr)
}

var (
	brokerA = nstest.Broker{Cluster: "C", Name: "a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T", "U"}}
	slaveA  = nstest.Broker{Cluster: "C", Name: "a", Addr: "10.0.0.2:10911", ID: 1, Counter: 1, Topics: []string{"T", "U"}}
)

const emptyCluster = `{"brokerAddrTable":{},"clusterAddrTable":{}}`

func wantCode(t testing.TB, reply *codec.Command, want codec.ResponseCode, remark string) {
	t.Helper()
	if got := codec.ResponseCode(reply.Code); got != want || string(reply.Remark) != remark {
		t.Fatalf("reply is %v %q, want %v %q", got, reply.Remark, want, remark)
	}
}
