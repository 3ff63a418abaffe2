package namesrv_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A pki makes certificates, for servers and clients alike.
type pki struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	p := &pki{t: t}
	p.cert, p.key = p.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "a CA"}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return p
}

func (p *pki) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := p.cert, p.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		p.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return cert, key
}

// leaf returns a certificate that ends at notAfter.
func (p *pki) leaf(name string, notAfter time.Time) tls.Certificate {
	p.t.Helper()
	cert, key := p.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter,
	})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (p *pki) valid(name string) tls.Certificate { return p.leaf(name, time.Now().Add(24*time.Hour)) }

func pemOf(t testing.TB, c tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// trust writes the CA into dir and returns the file.
func (p *pki) trust(dir string) string {
	p.t.Helper()
	file := filepath.Join(dir, "ca.pem")
	writeFile(p.t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})))
	return file
}

// install writes a certificate with its key into dir.
func install(t testing.TB, dir string, c tls.Certificate) {
	t.Helper()
	cert, key := pemOf(t, c)
	replace(t, filepath.Join(dir, "server.pem"), cert)
	replace(t, filepath.Join(dir, "server.key"), key)
}

// replace renames a new file over an old one.
func replace(t testing.TB, file, text string) {
	t.Helper()
	writeFile(t, file+".new", text)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// filesOf makes a server use the certificate in dir.
func filesOf(dir string) func(*namesrv.Config) {
	return func(c *namesrv.Config) {
		c.TLS.TestMode = false
		c.TLS.ServerCertPath, c.TLS.ServerKeyPath = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	}
}

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
		{"nonsense", true, "nkue"},
		{"optional", false, "nkue"},
		{"optional", true, "nk"},
		{"require", false, "kue"},
		{"REQUIRE", true, "k"},
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
							_, err = c.TryReadFrame(20 * time.Second)
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

// A logText is where a test reads what a server logs.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logText) has(text string) bool { return strings.Contains(l.String(), text) }

// startLogging is start with a log from the beginning.
func startLogging(t testing.TB, change func(*namesrv.Config)) (*testServer, *logText) {
	t.Helper()
	log := &logText{}
	return startWithLog(t, change, slog.New(slog.NewTextHandler(log, nil))), log
}

// TestTLSMisconfigured: paths that are missing stop the start; files that
// cannot be used stop TLS, until they can.
func TestTLSMisconfigured(t *testing.T) {
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

func TestTLSUnknownMode(t *testing.T) {
	s, log := startLogging(t, func(c *namesrv.Config) { c.TLS.ServerMode = "Enforcing" })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	if !log.has("tls.server.mode is unknown") {
		t.Errorf("log: %s", log)
	}
}

// TestTLSReload replaces certificates in every way operators do, while a
// connection is used.
func TestTLSReload(t *testing.T) {
	ca := newPKI(t)
	use := func(c *nstest.Client) {
		t.Helper()
		wantCode(t, c.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)), codec.RespSuccess, "")
	}
	t.Run("renamed over", func(t *testing.T) {
		dir := t.TempDir()
		install(t, dir, ca.valid("one"))
		s, log := startLogging(t, filesOf(dir))
		c := nstest.DialTLS(t, s.addr, nil)
		for _, name := range []string{"two", "three"} {
			install(t, dir, ca.valid(name))
			nstest.Eventually(t, name, func() bool { return serverName(t, s.addr) == name })
			use(c)
		}
		// Only one of the two, and then garbage: the old one stays in force.
		cert, key := pemOf(t, ca.valid("four"))
		replace(t, filepath.Join(dir, "server.pem"), cert)
		nstest.Eventually(t, "the fault is logged", func() bool { return log.has("cannot be used") })
		if name := serverName(t, s.addr); name != "three" {
			t.Errorf("with half of a change: %s", name)
		}
		replace(t, filepath.Join(dir, "server.key"), key)
		nstest.Eventually(t, "four", func() bool { return serverName(t, s.addr) == "four" })
		if err := os.Remove(filepath.Join(dir, "server.key")); err != nil {
			t.Fatal(err)
		}
		nstest.Eventually(t, "the loss is logged", func() bool { return log.has("server.key: no such file") })
		if name := serverName(t, s.addr); name != "four" {
			t.Errorf("without a key: %s", name)
		}
		use(c)
	})
	t.Run("written in place", func(t *testing.T) {
		dir := t.TempDir()
		install(t, dir, ca.valid("one"))
		s := start(t, filesOf(dir))
		cert, key := pemOf(t, ca.valid("two"))
		writeFile(t, filepath.Join(dir, "server.key"), key)
		writeFile(t, filepath.Join(dir, "server.pem"), cert)
		nstest.Eventually(t, "two", func() bool { return serverName(t, s.addr) == "two" })
	})
	t.Run("a symbolic link in the path, as Kubernetes does it", func(t *testing.T) {
		dir := t.TempDir()
		publish := func(version, name string) {
			t.Helper()
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			install(t, filepath.Join(dir, version), ca.valid(name))
			if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
				t.Fatal(err)
			}
		}
		publish("..1", "one")
		for _, f := range []string{"server.pem", "server.key"} {
			if err := os.Symlink(filepath.Join("..data", f), filepath.Join(dir, f)); err != nil {
				t.Fatal(err)
			}
		}
		s := start(t, filesOf(dir))
		c := nstest.DialTLS(t, s.addr, nil)
		for i, name := range []string{"two", "three", "four"} {
			publish(fmt.Sprintf("..%d", i+2), name)
			if err := os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..%d", i+1))); err != nil {
				t.Fatal(err)
			}
			nstest.Eventually(t, name, func() bool { return serverName(t, s.addr) == name })
			use(c)
		}
	})
	t.Run("whom to trust", func(t *testing.T) {
		dir, other := t.TempDir(), newPKI(t)
		install(t, dir, ca.valid("server"))
		s := start(t, func(c *namesrv.Config) {
			filesOf(dir)(c)
			c.TLS.ServerNeedClientAuth, c.TLS.ServerAuthClient, c.TLS.ServerTrustCertPath = "require", true, ca.trust(dir)
		})
		cfg := &tls.Config{Certificates: []tls.Certificate{ca.valid("client")}, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
		c := nstest.DialTLS(t, s.addr, cfg)
		use(c)
		other.trust(dir)
		nstest.Eventually(t, "the client is not let in any more", func() bool {
			c, err := nstest.TryDialTLS(t, s.addr, cfg)
			defer func() { c.Close() }()
			if err == nil {
				c.TryWrite(c.Frame(nstest.Route("T")))
				_, err = c.TryReadFrame(20 * time.Second)
			}
			return err != nil
		})
		use(c)
	})
	t.Run("the file of settings", func(t *testing.T) {
		dir := t.TempDir()
		install(t, dir, ca.valid("one"))
		file := filepath.Join(dir, "tls.properties")
		s := start(t, func(c *namesrv.Config) { c.TLS.ConfigFile = file })
		if name := serverName(t, s.addr); name != "localhost" {
			t.Errorf("without the file: %s", name)
		}
		writeFile(t, file, fmt.Sprintf("tls.test.mode.enable=false\ntls.server.certPath=%[1]s/server.pem\ntls.server.keyPath=%[1]s/server.key\n", dir))
		nstest.Eventually(t, "one", func() bool { return serverName(t, s.addr) == "one" })
		install(t, dir, ca.valid("two"))
		nstest.Eventually(t, "two", func() bool { return serverName(t, s.addr) == "two" })
		elsewhere := t.TempDir()
		install(t, elsewhere, ca.valid("three"))
		replace(t, file, fmt.Sprintf("tls.test.mode.enable=false\ntls.server.certPath=%[1]s/server.pem\ntls.server.keyPath=%[1]s/server.key\n", elsewhere))
		nstest.Eventually(t, "three", func() bool { return serverName(t, s.addr) == "three" })
		install(t, elsewhere, ca.valid("four"))
		nstest.Eventually(t, "four", func() bool { return serverName(t, s.addr) == "four" })
	})
	t.Run("links to files elsewhere", func(t *testing.T) {
		dir, elsewhere := t.TempDir(), t.TempDir()
		install(t, elsewhere, ca.valid("one"))
		for _, f := range []string{"server.pem", "server.key"} {
			if err := os.Symlink(filepath.Join(elsewhere, f), filepath.Join(dir, f)); err != nil {
				t.Fatal(err)
			}
		}
		s := start(t, filesOf(dir))
		install(t, elsewhere, ca.valid("two"))
		nstest.Eventually(t, "two", func() bool { return serverName(t, s.addr) == "two" })
	})
	t.Run("without a sign", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "not there yet")
		s := start(t, filesOf(dir), func(s *namesrv.Server) { s.SetTLSPoll(10 * time.Millisecond) })
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		install(t, dir, ca.valid("one"))
		nstest.Eventually(t, "one", func() bool { return serverName(t, s.addr) == "one" })
	})
}

// TestTLSKeysOfConfig: where settings may come from, and who overrides whom.
func TestTLSKeysOfConfig(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, newPKI(t).valid("from the files"))
	file := filepath.Join(dir, "tls.properties")
	writeFile(t, file, fmt.Sprintf("tls.test.mode.enable=false\ntls.server.keyPath=%s/server.key\n"+
		"tls.server.mode=enforcing\ntls.enable=true\ntls.config.file=/nowhere\n", dir)) // the last three count for nothing here
	cfg := namesrv.DefaultConfig()
	cfg.LoadJavaOptions("-server -Xmx4g -Dtls.server.mode=disabled -Dtls.config.file=" + file + " -Dtls.server.keyPath=/none -Dlisten=1 -DlistenPort=1 -Dnonsense -D")
	ignored, err := cfg.LoadProperties(writeProperties(t, "tls.server.mode=permissive\ntls.server.keyPath=/nor this\ntls.server.certPath="+dir+"/server.pem"))
	if err != nil || len(ignored) != 0 || cfg.ListenPort != 9876 || cfg.TLS.ServerMode != "permissive" || cfg.TLS.ConfigFile != file {
		t.Fatalf("%+v, ignored %q, %v", cfg, ignored, err)
	}
	if !slices.Equal(cfg.JavaOptions, []string{"tls.config.file"}) {
		t.Errorf("from Java's options: %q", cfg.JavaOptions)
	}
	s := start(t, func(c *namesrv.Config) { c.TLS = cfg.TLS })
	if name := serverName(t, s.addr); name != "from the files" {
		t.Errorf("the certificate is of %q", name)
	}
	s.dial(t).Do(brokerA.Register())
}

// TestTLSSecrets: no request shows a password, changes how TLS is spoken, or
// writes into the file what came from elsewhere.
func TestTLSSecrets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.properties")
	writeFile(t, file, "bindAddress=127.0.0.1\nlistenPort=0\ntls.server.keyPassword=from the file\n")
	s := start(t, func(c *namesrv.Config) {
		c.LoadJavaOptions("-Dtls.client.keyPassword=hidden -Dtls.server.mode=permissive")
		if _, err := c.LoadProperties(file); err != nil {
			t.Fatal(err)
		}
		c.ConfigStorePath = file
	})
	c := s.dial(t)
	if text := configText(c); !strings.Contains(text, "tls.server.keyPassword=******\n") || !strings.Contains(text, "tls.client.keyPassword=******\n") {
		t.Errorf("the configuration is\n%s", text)
	}
	for _, key := range []string{"tls.server.mode=disabled", "tls.enable=true", "tls.server.keyPassword=x", "tls.config.file=x", "proxyProtocolTrusted=0.0.0.0/0"} {
		wantCode(t, c.Do(updateConfig(key)), codec.RespNoPermission, "Can not update config in black list.")
	}
	wantCode(t, c.Do(updateConfig("supportActingMaster=true")), codec.RespSuccess, "")
	text := readFile(t, file)
	if !strings.Contains(text, "tls.server.keyPassword=from the file\n") || strings.Contains(text, "hidden") || strings.Contains(text, "tls.server.mode") {
		t.Errorf("the file is\n%s", text)
	}
}

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
			left := listen(t)
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
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &brokerPort{ln.Addr().String(), make(chan []byte, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}))
			c.Close()
			p.notices <- b
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return p
}

// TestClusterTestTLS asks the product environment with TLS, which enforces it.
func TestClusterTestTLS(t *testing.T) {
	product := start(t, func(c *namesrv.Config) { c.TLS.ServerMode = "enforcing" })
	nstest.DialTLS(t, product.addr, nil).Do(brokerA.Register())
	s := underTest(t, product.addr, func(c *namesrv.Config) { c.TLS.ClientEnable = true })
	wantCode(t, s.dial(t).Do(nstest.Route("T")), codec.RespSuccess, "")
}

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
	wantCode(t, s.dial(t).Do(nstest.Route("U")), codec.RespTopicNotExist, string(s.dial(t).Do(nstest.Route("U")).Remark)) // no header, served

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
