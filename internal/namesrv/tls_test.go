package namesrv_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// serverName returns the name in the certificate that a server shows, or why
// it shows none.
func serverName(t testing.TB, addr string) string {
	t.Helper()
	c, err := nstest.TryDialTLS(t, addr, nil)
	defer func() { c.Close() }() // there is a client even if there is no TLS
	if err != nil {
		return err.Error()
	}
	return c.TLS().PeerCertificates[0].Subject.CommonName
}

// TestTLSByDefault: without any configuration the port serves both.
func TestTLSByDefault(t *testing.T) {
	s := start(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := nstest.DialTLS(t, s.addr, &tls.Config{MinVersion: version, MaxVersion: version})
		wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
		wantCode(t, s.dial(t).Do(nstest.Route("T")), codec.RespSuccess, "")
		c.Close()
		nstest.Eventually(t, "the broker's connection took it along", func() bool {
			return codec.ResponseCode(s.dial(t).Do(nstest.Route("T")).Code) == codec.RespTopicNotExist
		})
	}
	if name := serverName(t, s.addr); name != "localhost" {
		t.Errorf("the certificate is of %q", name)
	}
}

func TestTLSDisabled(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.TLS.ServerMode = "disabled" })
	c := s.dial(t)
	c.TryWrite([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))
	c.MustClose()
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
}

// TestTLSEnforced: what comes without TLS is not carried out. (Java carries out
// what it has read by then.)
func TestTLSEnforced(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.TLS.ServerMode = "enforcing" })
	for range 20 {
		plain := s.dial(t)
		frame := plain.Frame(brokerA.Register())
		plain.TryWrite(append(frame, plain.Frame(updateConfig("enableTopicList=false"))...))
		plain.MustClose()
	}
	c := nstest.DialTLS(t, s.addr, nil)
	wantBody(t, c, nstest.Request(codec.ReqGetBrokerClusterInfo), emptyCluster)
	if !strings.Contains(configText(c), "enableTopicList=true\n") {
		t.Error("the configuration was changed without TLS")
	}
	if n := s.EngineStats().Frames; n != 2 {
		t.Errorf("%d frames served, want those two", n)
	}
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
}

// TestTLSClientCertificates has every kind of client meet every kind of server.
func TestTLSClientCertificates(t *testing.T) {
	dir, ca, stranger := t.TempDir(), newPKI(t), newPKI(t)
	install(t, dir, ca.valid("server"))
	trust := ca.trust(dir)
	known, unknown, expired := ca.valid("client"), stranger.valid("client"), ca.leaf("client", time.Now().Add(-time.Hour))
	for _, tc := range []struct {
		need   string
		verify bool
		want   string // who is let in: n(one), k(nown), u(nknown), e(xpired)
	}{
		{"none", false, "nkue"},
		{"none", true, "nkue"},
		{"optional", false, "nkue"},
		{"optional", true, "nk"},
		{"require", false, "kue"},
		{"require", true, "k"},
	} {
		t.Run(fmt.Sprint(tc.need, " ", tc.verify), func(t *testing.T) {
			s := start(t, func(c *namesrv.Config) {
				filesOf(dir)(c)
				c.TLS.ServerNeedClientAuth, c.TLS.ServerAuthClient, c.TLS.ServerTrustCertPath = tc.need, tc.verify, trust
			})
			for who, cert := range map[string]*tls.Certificate{"n": {}, "k": &known, "u": &unknown, "e": &expired} {
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					c, err := nstest.TryDialTLS(t, s.addr, &tls.Config{
						MaxVersion:           version,
						GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil },
					})
					if err == nil {
						if err = c.TryWrite(c.Frame(nstest.Route("T"))); err == nil {
							_, err = c.TryReadFrame(nstest.Patience)
						}
					}
					if got, want := err == nil, strings.Contains(tc.want, who); got != want {
						t.Errorf("client %s, %s: let in %v (%v), want %v", who, tls.VersionName(version), got, err, want)
					}
				}
			}
		})
	}
}

// TestTLSKeys opens one key in all its forms, as openssl writes them.
func TestTLSKeys(t *testing.T) {
	dir, ca := t.TempDir(), newPKI(t)
	plain := filepath.Join("testdata", "keys", "plain.pem")
	block, _ := pem.Decode([]byte(readFile(t, plain)))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "opened"}, NotAfter: time.Now().Add(24 * time.Hour),
	}, ca.cert, key.(*ecdsa.PrivateKey).Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := pemOf(t, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	writeFile(t, filepath.Join(dir, "server.pem"), cert)
	for file, fault := range map[string]string{
		"plain": "", "sec1": "", "pbe-sha1-rc4-128": "", "pbe-sha1-3des": "", "pbes2-aes256": "", "pbes2-aes128-sha1": "", "pbes2-3des": "", "pbes2-scrypt": "",
		"pbe-md5-des": "only PBES2 supported",
	} {
		for password, wrong := range map[string]bool{"rocketmq": false, "wrong": true, "": true} {
			s, log := startLogging(t, func(c *namesrv.Config) {
				filesOf(dir)(c)
				c.TLS.ServerKeyPath, c.TLS.ServerKeyPassword = filepath.Join("testdata", "keys", file+".pem"), password
			})
			encrypted := strings.HasPrefix(file, "pbe")
			want := fault == "" && (!wrong || !encrypted)
			if got := serverName(t, s.addr) == "opened"; got != want {
				t.Errorf("%s with password %q: opened %v, want %v; %s", file, password, got, want, log)
			}
		}
	}
}

// TestTLSMisconfigured: paths that are missing stop the start; files that
// cannot be used stop TLS, until they can.
func TestTLSMisconfigured(t *testing.T) {
	t.Parallel()
	cfg := namesrv.DefaultConfig()
	cfg.TLS.TestMode = false
	if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "tls.server.certPath") {
		t.Errorf("without paths: %v", err)
	}
	cfg.TLS.ServerMode = "disabled"
	if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("without paths, and without TLS: %v", err)
	}

	dir := t.TempDir()
	s, log := startLogging(t, filesOf(dir))
	if !log.has("TLS cannot be served") {
		t.Errorf("log: %s", log)
	}
	c, err := nstest.TryDialTLS(t, s.addr, nil)
	if err == nil {
		t.Error("TLS is served without a certificate")
	}
	c.Close()
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	install(t, dir, newPKI(t).valid("repaired"))
	nstest.Eventually(t, "TLS is served", func() bool { return serverName(t, s.addr) == "repaired" })
}

// TestTLSCipherSuites: those without forward secrecy are not spoken.
func TestTLSCipherSuites(t *testing.T) {
	dir, ca := t.TempDir(), newPKI(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	install(t, dir, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	s := start(t, filesOf(dir))
	for suite, want := range map[uint16]bool{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256:       false,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA:          false,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true,
		tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:    true,
	} {
		c, err := nstest.TryDialTLS(t, s.addr, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if got := err == nil; got != want {
			t.Errorf("%s: spoken %v, want %v", tls.CipherSuiteName(suite), got, want)
		}
		c.Close()
	}
}
