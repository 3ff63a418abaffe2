package namesrv_test

import (
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// strangerLeaves ends a connection over which nobody has registered (the Java
// tests pass null). The broker of another connection must stay, and go when its
// own is closed. before changes the configuration before the stranger comes.
func strangerLeaves(t *testing.T, before func(*namesrv.Config), closed func(engine.Stats) uint64, leave func(stranger *nstest.Client)) {
	t.Helper()
	s := start(t, nil)
	broker := s.dial(t)
	wantCode(t, broker.Do(brokerA.Register()), codec.RespSuccess, "")
	s.Reconfigure(before)
	stranger := s.dial(t)
	wantCode(t, stranger.Do(nstest.Route("T")), codec.RespSuccess, "")
	leave(stranger)
	nstest.Eventually(t, "the stranger's connection is closed", func() bool {
		return closed(s.EngineStats()) == 1
	})
	// The news goes through the default pool; so does this, behind it.
	for range 64 {
		broker.Do(nstest.Request(codec.ReqGetBrokerClusterInfo))
	}
	wantCode(t, broker.Do(nstest.Route("T")), codec.RespSuccess, "")
	broker.Close()
	nstest.Eventually(t, "the broker is gone with its own connection", func() bool { return s.Table().View().LiveCount() == 0 })
}

func unchanged(*namesrv.Config) {}

// A connection without broker that is closed by its peer changes nothing.
//
// Java: BrokerHousekeepingServiceTest#testOnChannelClose
func TestB01_testOnChannelClose(t *testing.T) {
	strangerLeaves(t, unchanged, func(s engine.Stats) uint64 { return s.ClosedByPeer }, (*nstest.Client).Close)
}

// A connection without broker that fails, here by sending no frame at all, is
// closed and changes nothing.
//
// Java: BrokerHousekeepingServiceTest#testOnChannelException
func TestB02_testOnChannelException(t *testing.T) {
	strangerLeaves(t, unchanged, func(s engine.Stats) uint64 { return s.ClosedMalformed }, func(stranger *nstest.Client) {
		stranger.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		stranger.MustClose()
	})
}

// A connection without broker that is silent for too long is closed and changes
// nothing.
//
// Java: BrokerHousekeepingServiceTest#testOnChannelIdle
func TestB03_testOnChannelIdle(t *testing.T) {
	t.Parallel()
	strangerLeaves(t, func(c *namesrv.Config) { c.ServerChannelMaxIdle = time.Second },
		func(s engine.Stats) uint64 { return s.ClosedIdle }, func(*nstest.Client) {})
}
