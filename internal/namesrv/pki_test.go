package namesrv_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
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
