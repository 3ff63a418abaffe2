package namesrv_test

import (
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestProxyProtocol: the real address is where an address shows, with TLS and
// without; a stranger's header is no header.
func TestProxyProtocol(t *testing.T) {
	s, log := startLogging(t, func(c *namesrv.Config) { c.ProxyProtocolTrusted = "192.0.2.1; 127.0.0.0/8" })
	c := s.dial(t)
	c.Write([]byte("PROXY TCP4 198.51.100.7 10.0.0.1 4711 9876\r\n"))
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	c.Write([]byte{0xff, 0xff, 0xff, 0xff})
	c.MustClose()
	nstest.Eventually(t, "the log names the peer", func() bool { return log.has("remote=198.51.100.7:4711") })
	wantCode(t, s.dial(t).Do(nstest.Request(codec.ReqGetBrokerClusterInfo)), codec.RespSuccess, "") // without a header

	s = start(t, nil)
	c = s.dial(t)
	c.TryWrite([]byte("PROXY TCP4 198.51.100.7 10.0.0.1 4711 9876\r\n"))
	c.MustClose()
}

func TestProxyProtocolTrustedFaults(t *testing.T) {
	for _, list := range []string{"10.0.0.0/33", "localhost", "10.0.0.1:9876", "10.0.0.0/8,10.0.0.1"} {
		cfg := namesrv.DefaultConfig()
		cfg.ProxyProtocolTrusted = list
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "proxyProtocolTrusted") {
			t.Errorf("%q: %v", list, err)
		}
	}
	cfg := namesrv.DefaultConfig()
	cfg.ProxyProtocolTrusted = "10.0.0.1;; ::1;fd00::/8;::ffff:10.0.0.1; "
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
