package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// tlsFlags are those for TLS, called as in nsctl. Generators are told them as JSON.
type tlsFlags struct {
	On, Insecure  bool
	CA, Cert, Key string
}

func (t *tlsFlags) add(fl *pflag.FlagSet) {
	fl.BoolVar(&t.On, "tls", false, "speak TLS with the server")
	fl.StringVar(&t.CA, "tls-ca", "", "PEM file of those who may sign the server's certificate; the system's when empty")
	fl.StringVar(&t.Cert, "tls-cert", "", "PEM file of our certificate, for a server that wants one")
	fl.StringVar(&t.Key, "tls-key", "", "PEM file of its key")
	fl.BoolVar(&t.Insecure, "tls-insecure", false, "believe any certificate, as clients of RocketMQ do")
}

// config returns nil for no TLS.
func (t *tlsFlags) config() (*tls.Config, error) {
	if !t.On {
		if t.CA != "" || t.Cert != "" || t.Key != "" || t.Insecure {
			return nil, errors.New("--tls-… without --tls")
		}
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in it", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}
