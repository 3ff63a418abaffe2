package namesrv_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestNotifyTLS sends a notice with TLS, to a broker whose certificate is
// wanted to be known.
func TestNotifyTLS(t *testing.T) {
	dir, ca := t.TempDir(), newPKI(t)
	trust := ca.trust(dir)
	for name, tc := range map[string]struct {
		cert tls.Certificate
		test bool
		told bool
	}{
		"known":              {ca.valid("broker"), false, true},
		"unknown":            {newPKI(t).valid("broker"), false, false},
		"expired":            {ca.leaf("broker", time.Now().Add(-time.Hour)), false, false},
		"unknown, test mode": {newPKI(t).valid("broker"), true, true},
		"no TLS":             {tls.Certificate{}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *namesrv.Config) {
				notifying(c)
				c.TLS.ServerMode, c.TLS.TestMode = "disabled", tc.test
				c.TLS.ClientEnable, c.TLS.ClientAuthServer, c.TLS.ClientTrustCertPath = true, true, trust
			})
			// Who does not speak TLS hangs up on what begins a handshake.
			left := listenFor(t, func(c net.Conn) io.Reader { return io.LimitReader(c, 16) })
			if tc.cert.Certificate != nil {
				left = listenTLS(t, tc.cert)
			}
			c := s.dial(t)
			wantCode(t, c.Do(registration(acting(1, "127.0.0.1:19998"))), codec.RespSuccess, "")
			wantCode(t, c.Do(registration(acting(2, left.addr))), codec.RespSuccess, "")
			wantCode(t, c.Do(acting(1, "127.0.0.1:19998").Unregister()), codec.RespSuccess, "")
			got := <-left.notices
			if told := bytes.Contains(got, []byte(left.addr)); told != tc.told {
				t.Errorf("told %v, want %v: %q", told, tc.told, got)
			}
			nstest.Eventually(t, "it is counted", func() bool { return s.NoticesSent() == 1 == tc.told && s.NoticesFailed() == 1 != tc.told })
		})
	}
}

// TestClientTLSUnusable: nothing is sent without TLS when it was to be sent with.
func TestClientTLSUnusable(t *testing.T) {
	s, log := startLogging(t, func(c *namesrv.Config) {
		notifying(c)
		c.TLS.ServerMode, c.TLS.TestMode = "disabled", false
		c.TLS.ClientEnable, c.TLS.ClientAuthServer, c.TLS.ClientTrustCertPath = true, true, "/not/there"
	})
	left := listen(t)
	c := s.dial(t)
	c.Do(registration(acting(1, "127.0.0.1:19998")))
	c.Do(registration(acting(2, left.addr)))
	c.Do(acting(1, "127.0.0.1:19998").Unregister())
	nstest.Eventually(t, "it fails", func() bool { return s.NoticesFailed() == 1 && log.has("tls.enable is true") })
	select {
	case b := <-left.notices:
		t.Errorf("sent %q", b)
	default:
	}
}

// listenTLS is listen for a broker that speaks TLS.
func listenTLS(t *testing.T, cert tls.Certificate) *brokerPort {
	t.Helper()
	return listenFor(t, func(c net.Conn) io.Reader { return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}) })
}

// TestClusterTestTLS asks the product environment with TLS, which enforces it.
func TestClusterTestTLS(t *testing.T) {
	product := start(t, func(c *namesrv.Config) { c.TLS.ServerMode = "enforcing" })
	nstest.DialTLS(t, product.addr, nil).Do(brokerA.Register())
	s := underTest(t, product.addr, func(c *namesrv.Config) { c.TLS.ClientEnable = true })
	wantCode(t, s.dial(t).Do(nstest.Route("T")), codec.RespSuccess, "")
}
