package namesrv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/youmark/pkcs8"
)

// errNoServerCert stops the start, as it does in Java.
var errNoServerCert = errors.New("namesrv: tls.test.mode.enable is false, so tls.server.certPath and tls.server.keyPath are needed")

// serverContext returns what a server needs to speak TLS.
// Java: TlsHelper#buildSslContext(false).
func (t *TLSConfig) serverContext() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.TestMode {
		cert, err := selfSigned()
		cfg.Certificates, cfg.ClientAuth = []tls.Certificate{cert}, tls.VerifyClientCertIfGiven
		return cfg, err
	}
	if t.ServerCertPath == "" || t.ServerKeyPath == "" {
		return nil, errNoServerCert
	}
	cert, err := loadCertificate(t.ServerCertPath, t.ServerKeyPath, t.ServerKeyPassword)
	if err != nil {
		return nil, err
	}
	cfg.Certificates = []tls.Certificate{cert}
	cfg.ClientAuth = t.clientAuth()
	if t.ServerAuthClient {
		cfg.ClientCAs, err = loadTrust(t.ServerTrustCertPath)
	}
	return cfg, err
}

// clientAuth says what is wanted of clients. Java: with authClient=false any
// certificate is trusted, but require still wants to see one.
func (t *TLSConfig) clientAuth() tls.ClientAuthType {
	need := t.ServerNeedClientAuth
	switch {
	case need == "none":
		return tls.NoClientCert
	case need == "optional" && t.ServerAuthClient:
		return tls.VerifyClientCertIfGiven
	case need == "optional":
		return tls.RequestClientCert
	case need == "require" && !t.ServerAuthClient:
		return tls.RequireAnyClientCert
	}
	return tls.RequireAndVerifyClientCert
}

// clientContext returns what is needed to speak TLS to others.
// Java: TlsHelper#buildSslContext(true).
func (t *TLSConfig) clientContext() (*tls.Config, error) {
	// Java does not check the server's name, so neither may crypto/tls.
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	if t.TestMode {
		return cfg, nil
	}
	if t.ClientAuthServer {
		roots, err := loadTrust(t.ClientTrustCertPath)
		if err != nil {
			return nil, err
		}
		cfg.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s.PeerCertificates, roots) }
	}
	if t.ClientCertPath != "" && t.ClientKeyPath != "" {
		cert, err := loadCertificate(t.ClientCertPath, t.ClientKeyPath, t.ClientKeyPassword)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

func verifyChain(chain []*x509.Certificate, roots *x509.CertPool) error {
	if len(chain) == 0 {
		return errors.New("no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(o)
	return err
}

// A clientTrust is whose certificates say who a peer is.
type clientTrust struct {
	verifies bool           // as tls.server.authClient wants; else nobody's do
	roots    *x509.CertPool // nil: the system's
}

// has reports whether one of the chains, each of which was verified once, ends in a root
// that is trusted now.
func (t *clientTrust) has(chains [][]*x509.Certificate) bool {
	if !t.verifies {
		return false
	}
	for _, chain := range chains {
		root := chain[len(chain)-1]
		o := x509.VerifyOptions{Roots: t.roots, CurrentTime: root.NotAfter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		if _, err := root.Verify(o); err == nil {
			return true
		}
	}
	return false
}

// loadTrust reads the certificates of a PEM file. "" is nil, the system's.
func loadTrust(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate in PEM", path)
	}
	return pool, nil
}

// loadCertificate reads a chain and its key.
func loadCertificate(certPath, keyPath, password string) (tls.Certificate, error) {
	chain, err := os.ReadFile(certPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(keyPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	if key, err = openKey(key, password); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", keyPath, err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s, %s: %w", certPath, keyPath, err)
	}
	return cert, nil
}

// openKey returns the first private key of a PEM text, decrypted if it is
// encrypted.
func openKey(text []byte, password string) ([]byte, error) {
	block, rest := pem.Decode(text)
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("no private key in PEM")
	}
	if block.Type != "ENCRYPTED PRIVATE KEY" {
		return pem.EncodeToMemory(block), nil
	}
	if password == "" {
		return nil, errors.New("the private key is encrypted and there is no password")
	}
	der, ok, err := decryptPKCS12PBE(block.Bytes, password)
	if err != nil {
		return nil, err
	}
	if ok {
		if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
			return nil, errBadPassword
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	key, _, err := pkcs8.ParsePrivateKey(block.Bytes, []byte(password))
	if err != nil {
		return nil, err
	}
	if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// selfSigned makes a certificate that nobody can trust. Java: Netty's
// SelfSignedCertificate, which is RSA.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		NotBefore:             now.AddDate(-1, 0, 0),
		NotAfter:              now.AddDate(100, 0, 0),
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
