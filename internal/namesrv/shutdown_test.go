package namesrv_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestShutdownLosesNoBroker stops a server to which a broker is connected. That
// the server leaves is not the broker's end: the log does not say so, and
// nobody is told of a new smallest ID.
func TestShutdownLosesNoBroker(t *testing.T) {
	var out bytes.Buffer // read when the server has ended
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	s, err := namesrv.New(cfg, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	c := nstest.Dial(t, s.Addr().String())
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if log := out.String(); !strings.Contains(log, "broker registered") || strings.Contains(log, "connection lost") {
		t.Errorf("the log is\n%s", log)
	}
	if got := s.Table().View().BrokerCount(); got != 1 {
		t.Errorf("%d brokers at the end, want 1", got)
	}
}
