package namesrv_test

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A server with the default configuration, which is that of port 9876, starts,
// serves and shuts down. (Here it listens on a free port of the loopback.)
//
// Java: NameServerInstanceTest#itWorks
func TestI01_itWorks(t *testing.T) {
	cfg := namesrv.DefaultConfig()
	if got := cfg.Addresses(); len(got) != 1 || got[0] != "0.0.0.0:9876" {
		t.Errorf("the default address is %s", got)
	}
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	addr := s.Addr().String()
	c := nstest.Dial(t, addr)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	c.MustClose()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("somebody still listens after the shutdown")
	}
}
