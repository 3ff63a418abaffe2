package namesrv

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"gonamesrv/internal/nstest"
)

// startForHealth runs a server until the test ends.
func startForHealth(t *testing.T, prepare func(*Server)) (s *Server, end func()) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.BindAddress, cfg.ListenPort, cfg.KVConfigPath, cfg.RouteSnapshotPath = "127.0.0.1", 0, "", ""
	cfg.ScanNotActiveBrokerInterval = 10 * time.Millisecond
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	prepare(s)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestHealthOfAServerThatHangs holds the locks that a server has, so that an event loop
// hangs and so does the scan. Health answers all the same, and says so.
func TestHealthOfAServerThatHangs(t *testing.T) {
	t.Parallel()
	hang, goOn := make(chan struct{}), make(chan struct{})
	s, end := startForHealth(t, func(s *Server) {
		s.settled = func() bool {
			select {
			case <-hang:
				<-goOn
			default:
			}
			return true
		}
	})
	if h := s.Health(); h.State != StateServing || h.LoopSilence > time.Minute || h.ScanInterval != 10*time.Millisecond || h.BudgetLimit == 0 || h.MaxConnections == 0 {
		t.Errorf("health %+v", h)
	}
	close(hang)
	for _, mu := range []interface{ Lock() }{&s.replacing, &s.changing, &s.listing, &s.kv.mu, &s.notifier.mu, &s.brokerConns.mu, &s.damper.mu, &s.late.mu} {
		mu.Lock()
	}
	c := nstest.Dial(t, s.Addr().String())
	nstest.Eventually(t, "it is connected", func() bool { return s.Health().Connections == 1 })
	s.late.size.Add(1)           // as if a request waited
	c.Close()                    // its loop waits for the lock of those that do
	const long = 3 * time.Second // a loop is heard each second
	nstest.Eventually(t, "the loop and the scan are silent", func() bool {
		h := s.Health()
		return h.LoopSilence > long && h.ScanSilence > long
	})
	for _, mu := range []interface{ Unlock() }{&s.replacing, &s.changing, &s.listing, &s.kv.mu, &s.notifier.mu, &s.brokerConns.mu, &s.damper.mu, &s.late.mu} {
		mu.Unlock()
	}
	s.late.size.Add(-1)
	close(goOn)
	nstest.Eventually(t, "both are heard", func() bool {
		h := s.Health()
		return h.LoopSilence < long && h.ScanSilence < long
	})
	end()
	if h := s.Health(); h.State != StateStopped || h.LoopSilence != 0 || h.ScanSilence != 0 {
		t.Errorf("after the end: %+v", h)
	}
}

// TestHealthBeforeTheStart: it answers while the table is being replaced.
func TestHealthBeforeTheStart(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KVConfigPath, cfg.NeedWaitForService = "", true
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.replacing.Lock()
	defer s.replacing.Unlock()
	if h := s.Health(); h.State != StateStarting || h.Gate <= 0 || h.Gate > 45*time.Second || h.Brokers != 0 || !h.CertificateEnd.IsZero() {
		t.Errorf("health %+v", h)
	}
}

// TestKVSaveFailed: it is known until a change could be written.
func TestKVSaveFailed(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KVConfigPath = t.TempDir() + "/kvConfig.json"
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.releaseFiles()
	path, value := s.kv.file.path, "v"
	s.kv.file.path = "health_test.go/kvConfig.json" // no folder
	if err := s.kv.put("n", "k", &value); err == nil || !s.Health().KVSaveFailed || !s.Snapshot().KVConfig.SaveFailed {
		t.Errorf("the error is %v, health %+v", err, s.Health())
	}
	s.kv.file.path = path
	if err := s.kv.put("n", "k", &value); err != nil || s.Health().KVSaveFailed {
		t.Errorf("the error is %v, health %+v", err, s.Health())
	}
}
