package namesrv_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/internal/namesrv"
)

// TestTLSFaults has files that cannot be used, each in its own way. What an
// operator is told names the file, and says what is wrong with it.
func TestTLSFaults(t *testing.T) {
	dir, ca := t.TempDir(), newPKI(t)
	install(t, dir, ca.valid("us"))
	in := func(name string) string { return filepath.Join(dir, name) }
	ca.trust(dir)
	writeFile(t, in("empty"), "")
	writeFile(t, in("broken"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no DER")})))
	writeFile(t, in("params"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}})))
	writeFile(t, in("encrypted"), string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("no DER")})))
	_, otherKey := pemOf(t, ca.valid("another"))
	writeFile(t, in("other.key"), otherKey)
	_, ourKey := pemOf(t, ca.valid("us"))
	writeFile(t, in("behind"), readFile(t, in("params"))+ourKey)
	good := namesrv.TLSConfig{
		ServerCertPath: in("server.pem"), ServerKeyPath: in("server.key"),
		ClientCertPath: in("server.pem"), ClientKeyPath: in("server.key"),
		ServerTrustCertPath: in("ca.pem"), ClientTrustCertPath: in("ca.pem"),
		ServerAuthClient: true, ClientAuthServer: true,
	}
	both := []string{"server", "client"}
	contexts := map[string]func(*namesrv.TLSConfig) (*tls.Config, error){
		"server": (*namesrv.TLSConfig).ServerContext, "client": (*namesrv.TLSConfig).ClientContext,
	}
	for _, tc := range []struct {
		name                 string
		cert, key, trust, pw string // empty: the good one
		sides                []string
		want                 []string // empty: no fault
	}{
		{name: "good", sides: both},
		{name: "no certificate file", cert: "nowhere", sides: both, want: []string{in("nowhere"), "no such file"}},
		{name: "no key file", key: "nowhere", sides: both, want: []string{in("nowhere"), "no such file"}},
		{name: "no trust file", trust: "nowhere", sides: both, want: []string{in("nowhere"), "no such file"}},
		{name: "empty certificate", cert: "empty", sides: both, want: []string{in("empty") + ", " + in("server.key"), "failed to find any PEM data in certificate input"}},
		{name: "broken certificate", cert: "broken", sides: both, want: []string{in("broken") + ", " + in("server.key"), "x509: malformed certificate"}},
		{name: "a folder as certificate", cert: ".", sides: both, want: []string{dir, "is a directory"}},
		{name: "empty key", key: "empty", sides: both, want: []string{in("empty") + ": no private key in PEM"}},
		{name: "parameters and no key", key: "params", sides: both, want: []string{in("params") + ": no private key in PEM"}},
		{name: "certificate as key", key: "server.pem", sides: both, want: []string{in("server.pem") + ": no private key in PEM"}},
		{name: "key of another", key: "other.key", sides: both, want: []string{in("server.pem") + ", " + in("other.key"), "private key does not match public key"}},
		{name: "key behind parameters, of another", key: "behind", sides: both, want: []string{in("behind"), "does not match"}},
		{name: "encrypted key without password", key: "encrypted", sides: both, want: []string{in("encrypted") + ": the private key is encrypted and there is no password"}},
		{name: "encrypted key that is none", key: "encrypted", pw: "secret", sides: both, want: []string{in("encrypted") + ": asn1: "}},
		{name: "empty trust", trust: "empty", sides: both, want: []string{in("empty") + ": no certificate in PEM"}},
		{name: "key as trust", trust: "server.key", sides: both, want: []string{in("server.key") + ": no certificate in PEM"}},
		{name: "broken trust", trust: "broken", sides: both, want: []string{in("broken") + ": no certificate in PEM"}},
	} {
		c := good
		for _, f := range []struct {
			to   []*string
			file string
		}{{[]*string{&c.ServerCertPath, &c.ClientCertPath}, tc.cert}, {[]*string{&c.ServerKeyPath, &c.ClientKeyPath}, tc.key}, {[]*string{&c.ServerTrustCertPath, &c.ClientTrustCertPath}, tc.trust}} {
			for _, to := range f.to {
				if f.file != "" {
					*to = in(f.file)
				}
			}
		}
		c.ServerKeyPassword, c.ClientKeyPassword = tc.pw, tc.pw
		for _, side := range tc.sides {
			_, err := contexts[side](&c)
			if (err == nil) != (len(tc.want) == 0) {
				t.Errorf("%s, %s: %v", tc.name, side, err)
				continue
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s: error %q does not say %q", tc.name, side, err, want)
				}
			}
		}
	}
	// A password that opens nothing is not in what is told.
	c := good
	c.ServerKeyPath, c.ServerKeyPassword = filepath.Join("testdata", "keys", "pbe-sha1-rc4-128.pem"), "not the word"
	if _, err := c.ServerContext(); err == nil || !strings.HasSuffix(err.Error(), "pbe-sha1-rc4-128.pem: wrong password, or damaged") {
		t.Errorf("wrong password: %v", err)
	}
}

// TestTLSTrustOfTheSystem: where no file says whom to trust, it is whom the
// system trusts, which is not a CA that was made just now.
func TestTLSTrustOfTheSystem(t *testing.T) {
	dir, ca := t.TempDir(), newPKI(t)
	install(t, dir, ca.valid("us"))
	c := namesrv.TLSConfig{ServerAuthClient: true, ClientAuthServer: true}
	c.ServerCertPath, c.ServerKeyPath = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	server, err := c.ServerContext()
	if err != nil || server.ClientCAs != nil {
		t.Errorf("a server trusts %v, %v; want the system's", server.ClientCAs, err)
	}
	client, err := c.ClientContext()
	if err != nil || len(client.Certificates) > 0 {
		t.Fatalf("%d certificates, %v", len(client.Certificates), err)
	}
	if err := client.VerifyConnection(chainOf(t, ca.valid("stranger"))); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a stranger is verified: %v", err)
	}
}

// TestTLSVerifiesChains: a server that shows the certificates between its own
// and the CA is trusted; one that does not, or shows none, is not.
func TestTLSVerifiesChains(t *testing.T) {
	dir, ca := t.TempDir(), newPKI(t)
	c := namesrv.TLSConfig{ClientAuthServer: true, ClientTrustCertPath: ca.trust(dir)}
	client, err := c.ClientContext()
	if err != nil {
		t.Fatal(err)
	}
	between := &pki{t: t}
	between.cert, between.key = ca.issue(&x509.Certificate{
		Subject: ca.cert.Subject, NotAfter: ca.cert.NotAfter, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	leaf := between.valid("a server")
	whole := leaf
	whole.Certificate = append([][]byte{leaf.Certificate[0]}, between.cert.Raw)
	for _, tc := range []struct {
		name  string
		state tls.ConnectionState
		want  string
	}{
		{"the whole chain", chainOf(t, whole), ""},
		{"of the CA itself", chainOf(t, ca.valid("a server")), ""},
		{"one is missing", chainOf(t, leaf), "unknown authority"},
		{"none", tls.ConnectionState{}, "no certificate"},
	} {
		err := client.VerifyConnection(tc.state)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// chainOf is a connection to who shows a certificate.
func chainOf(t *testing.T, c tls.Certificate) (s tls.ConnectionState) {
	t.Helper()
	for _, der := range c.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		s.PeerCertificates = append(s.PeerCertificates, cert)
	}
	return s
}

// TestTLSClientCertificate shows the certificate of a name server to a broker,
// once it has one.
func TestTLSClientCertificate(t *testing.T) {
	dir, ca := t.TempDir(), newPKI(t)
	install(t, dir, ca.valid("us"))
	c := namesrv.TLSConfig{ClientCertPath: filepath.Join(dir, "server.pem"), ClientKeyPath: filepath.Join(dir, "server.key")}
	client, err := c.ClientContext()
	if err != nil || len(client.Certificates) != 1 {
		t.Fatalf("%+v, %v; want one certificate", client, err)
	}
	if leaf, err := x509.ParseCertificate(client.Certificates[0].Certificate[0]); err != nil || leaf.Subject.CommonName != "us" {
		t.Errorf("it is of %v, %v", leaf.Subject, err)
	}
	// Java: one without the other counts for nothing.
	if err := os.Remove(c.ClientKeyPath); err != nil {
		t.Fatal(err)
	}
	c.ClientKeyPath = ""
	if client, err := c.ClientContext(); err != nil || len(client.Certificates) != 0 {
		t.Errorf("without a key: %v, %v", client, err)
	}
}
