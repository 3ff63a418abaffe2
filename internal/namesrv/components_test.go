package namesrv

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/internal/component"
	"gonamesrv/internal/nstest"
)

// everythingOn is a server with all components, on the loopback.
func everythingOn(t *testing.T, log io.Writer) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.KVConfigPath = filepath.Join(t.TempDir(), "kvConfig.json")
	cfg.RouteSnapshotPath = filepath.Join(t.TempDir(), "routes.snap")
	cfg.AddressServerPort, cfg.AddressServerList = 1, "10.0.0.1:9876"
	cfg.PeerNamesrvAddr = "127.0.0.1:1"
	cfg.ClusterTest, cfg.ProductNamesrvAddr = true, "127.0.0.1:1"
	cfg.HorizonFile = filepath.Join(t.TempDir(), "horizons.yaml")
	if err := os.WriteFile(cfg.HorizonFile, []byte(`horizons: [{name: all, match: {cidr: 0.0.0.0/0}, rewrite: [{broker: "*", to: "x:1"}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.AuditLogPath, cfg.AuditChain = filepath.Join(t.TempDir(), "audit.log"), true
	s, err := New(cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.ServeAddressesAt("127.0.0.1:0")
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantNothingLeft looks for what a server might leave behind; TestMain looks for
// goroutines, those of the pools too.
func wantNothingLeft(t *testing.T, s *Server) {
	t.Helper()
	for _, addr := range append(s.addresses.http.Addrs(), s.Addr()) {
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			t.Errorf("somebody still listens on %s", addr)
		}
	}
	if s.kv.file.held != nil {
		t.Error("the file of the KV config is still locked")
	}
	if s.keeper.file.held != nil {
		t.Error("the file of the routes is still locked")
	}
	if s.product.ctx.Err() == nil || s.notifier.ctx.Err() == nil {
		t.Error("something may still be asked or sent")
	}
}

// TestFailedStart has an engine, the last of the components, that does not start.
// What has started before it is stopped.
func TestFailedStart(t *testing.T) {
	s := everythingOn(t, io.Discard)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.engine.Run(over); err != nil { // it is used once
		t.Fatal(err)
	}
	s.ready = make(chan struct{})
	if err := s.Run(t.Context()); err == nil || err.Error() != "engine: run twice" {
		t.Errorf("Run returns %v", err)
	}
	wantNothingLeft(t, s)
	if err := s.Run(t.Context()); err == nil {
		t.Error("it runs twice")
	}
}

// TestStopDuringStart tells a server to end before it serves.
func TestStopDuringStart(t *testing.T) {
	s := everythingOn(t, io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run returns %v", err)
	}
	s.product.Stop(ctx) // never started, so never stopped
	s.notifier.Stop(ctx)
	wantNothingLeft(t, s)
}

// TestStopOrder stops a server with every component, and one more behind
// them that does not stop. The others end all the same.
func TestStopOrder(t *testing.T) {
	var log bytes.Buffer // read when the server has ended
	s := everythingOn(t, &log)
	e := &engineComponent{s: s}
	parts := s.components(e)
	if err := parts.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := nstest.Dial(t, s.Addr().String())
	if reply := c.Do(nstest.Route("T")); codec.ResponseCode(reply.Code) != codec.RespTopicNotExist {
		t.Errorf("answered %v", reply.Code)
	}
	stuck := component.Func{OnStop: func(ctx context.Context) {
		select {
		case <-e.ended:
			t.Error("the engine ends before who needs it")
		default:
		}
		<-ctx.Done()
	}}
	if err := parts.Begin(t.Context(), "stuck", stuck, func() time.Duration { return time.Millisecond }); err != nil {
		t.Fatal(err)
	}
	parts.Stop(context.Background())
	if err := e.result(); err != nil {
		t.Error(err)
	}
	wantNothingLeft(t, s)
	if text := log.String(); strings.Count(text, `level=WARN msg="component`) != 1 || !strings.Contains(text, "component=stuck ") {
		t.Errorf("the log is\n%s", text)
	}
}

// TestStuckEngine: Run does not take an engine that hangs for one that has ended.
func TestStuckEngine(t *testing.T) {
	e := &engineComponent{ended: make(chan struct{})}
	if err := e.result(); !errors.Is(err, errEngineStuck) {
		t.Errorf("error is %v", err)
	}
	e.err = engine.ErrShutdown
	close(e.ended)
	if err := e.result(); !errors.Is(err, engine.ErrShutdown) {
		t.Errorf("error is %v", err)
	}
}
