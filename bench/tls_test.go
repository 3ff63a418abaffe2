package bench_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/internal/namesrv"
)

// certificates are files of an authority, and of a certificate of it for
// 127.0.0.1.
type certificates struct {
	ca, cert, key string
	pool          *x509.CertPool
	pair          tls.Certificate
}

func newCertificates(t *testing.T) certificates {
	t.Helper()
	made := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	ca, caKey := made(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	leaf, key := made(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "one"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ca, caKey)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := certificates{
		ca: write("ca.pem", "CERTIFICATE", ca.Raw), cert: write("cert.pem", "CERTIFICATE", leaf.Raw), key: write("key.pem", "PRIVATE KEY", keyDER),
		pool: x509.NewCertPool(),
	}
	c.pool.AddCert(ca)
	if c.pair, err = tls.LoadX509KeyPair(c.cert, c.key); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLS speaks TLS over every connection of a run: the server takes nothing else,
// and wants a certificate of ours.
func TestTLS(t *testing.T) {
	c := newCertificates(t)
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.TLS.ConfigFile, cfg.TLS.TestMode, cfg.TLS.ServerMode = "", false, "enforcing"
	cfg.TLS.ServerCertPath, cfg.TLS.ServerKeyPath = c.cert, c.key
	cfg.TLS.ServerNeedClientAuth, cfg.TLS.ServerAuthClient, cfg.TLS.ServerTrustCertPath = "require", true, c.ca
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	addr := s.Addr().String()
	opt := at(addr)
	opt.TLS = &tls.Config{RootCAs: c.pool, Certificates: []tls.Certificate{c.pair}}
	for _, tt := range [][]string{
		{"route", "rate", "0", "depth", "8"},
		{"route", "rate", "1000"},
		{"register", "rate", "0", "bump", "true", "topics", "2000"},
		{"churn", "death", "kill", "topics", "4"},
		{"massclose"},
		{"connections", "connections", "20", "duration", "1ms"},
		{"slowreader"},
		{"misses"},
	} {
		t.Run(strings.Join(tt, " "), func(t *testing.T) {
			res := run(t, scenario(t, tt[0], tt[1:]...), opt)
			if !strings.HasPrefix(res.Target.TLS, "TLS 1.3, TLS_") {
				t.Errorf("it was spoken %q", res.Target.TLS)
			}
		})
	}
	t.Run("replay", func(t *testing.T) {
		sc, err := bench.ReadScenario(handmade(t, 0, time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if o := run(t, sc, opt).Phases[0].Ops[0]; o.Answered != 2 {
			t.Errorf("%+v", o)
		}
	})
	sc := scenario(t, "route", "timeout", "1m")
	for name, tt := range map[string]struct {
		cfg  *tls.Config
		want string
	}{
		"no TLS":                 {nil, ""},
		"nobody to trust":        {&tls.Config{Certificates: []tls.Certificate{c.pair}}, "certificate signed by unknown authority"},
		"no certificate of ours": {&tls.Config{RootCAs: c.pool}, ""},
		"another name":           {&tls.Config{RootCAs: c.pool, Certificates: []tls.Certificate{c.pair}, ServerName: "other"}, "valid for"},
	} {
		opt.TLS = tt.cfg
		if res, err := bench.Run(t.Context(), sc, opt, nil); err == nil || res != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want %q", name, err, tt.want)
		}
	}
	opt.TLS = &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{c.pair}}
	opt.CeilingFor = 50 * time.Millisecond
	if res := run(t, sc, opt); res.Ceiling != nil {
		t.Errorf("without TLS it would be %+v", res.Ceiling)
	}
}
