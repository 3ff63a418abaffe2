package namesrv

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync/atomic"
	"time"

	"gonamesrv/engine"
)

var errNoClientContext = errors.New("namesrv: tls.enable is true, but its files cannot be used")

// A tlsContexts is what it takes to speak TLS, made of files and made again
// when these change. Java: TlsHelper, FileWatchService.
type tlsContexts struct {
	cfg    TLSConfig // without its file
	serves bool      // peers, or the admin listener: a context for servers is wanted
	log    *slog.Logger
	seen   map[string][sha256.Size]byte // what the contexts were made of

	hasFile bool // they were made with tls.config.file

	server, client atomic.Pointer[tls.Config] // nil if there is none, or none could be made

	trust  atomic.Pointer[clientTrust] // of the server's context
	trusts func(*clientTrust)          // told of it when it is made again; set before it is watched

	reloaded func(error) // told of each try to use files that have changed; set before it is watched

	reloads, reloadFailures atomic.Uint64

	*fileWatch // only where TLS is used
}

// newTLSContexts makes the contexts. As in Java, files that cannot be used stop
// nothing but TLS, while paths that are missing stop the start; so do values in
// tls.config.file that do not parse.
func newTLSContexts(cfg TLSConfig, forAdmin bool, log *slog.Logger) (*tlsContexts, error) {
	t := &tlsContexts{cfg: cfg, serves: forAdmin || cfg.mode() != engine.TLSDisabled, log: log}
	t.fileWatch = newFileWatch(t.paths, t.reload, log)
	if !t.used() {
		return t, nil
	}
	t.seen = t.fingerprint()
	if err := t.make(); err != nil {
		var bad *badValue
		if errors.Is(err, errNoServerCert) || errors.As(err, &bad) {
			return nil, err
		}
		log.Error("TLS cannot be served, connections that begin with it are closed", "err", err)
	}
	return t, nil
}

// used reports whether anybody speaks TLS.
func (t *tlsContexts) used() bool {
	return t.serves || t.cfg.ClientEnable
}

// make builds the contexts anew. Each that cannot be built stays as it is, and
// so do both without the settings of tls.config.file: the others are the default,
// which trusts everybody.
func (t *tlsContexts) make() error {
	cfg, found, notes, err := t.cfg.withFile()
	for _, n := range notes {
		t.log.Log(context.Background(), n.Level, n.Msg, n.Attrs...)
	}
	if err != nil {
		return err
	}
	if t.hasFile && !found {
		return fmt.Errorf("%s: %w", t.cfg.ConfigFile, fs.ErrNotExist)
	}
	t.hasFile = found
	var serverErr, clientErr error
	if t.serves {
		var made *tls.Config
		if made, serverErr = cfg.serverContext(); serverErr == nil {
			t.server.Store(made)
			trust := &clientTrust{verifies: cfg.ServerAuthClient && !cfg.TestMode, roots: made.ClientCAs}
			if t.trust.Store(trust); t.trusts != nil {
				t.trusts(trust)
			}
			t.logCertificate(&cfg, made)
		}
	}
	if cfg.ClientEnable {
		var made *tls.Config
		if made, clientErr = cfg.clientContext(); clientErr == nil {
			t.client.Store(made)
		}
	}
	return errors.Join(serverErr, clientErr)
}

func (t *tlsContexts) logCertificate(cfg *TLSConfig, made *tls.Config) {
	if cfg.TestMode {
		t.log.Info("TLS is served with a self-signed certificate", "mode", cfg.ServerMode)
		return
	}
	leaf := leafOf(made)
	log := t.log.Info
	if time.Now().After(leaf.NotAfter) || time.Now().Before(leaf.NotBefore) {
		log = t.log.Warn
	}
	log("TLS is served", "mode", cfg.ServerMode, "certificate", cfg.ServerCertPath, "subject", leaf.Subject.String(),
		"notBefore", leaf.NotBefore, "notAfter", leaf.NotAfter)
}

// leafOf returns the certificate that a context shows, nil if it shows none.
func leafOf(c *tls.Config) *x509.Certificate {
	if c == nil || len(c.Certificates) == 0 || len(c.Certificates[0].Certificate) == 0 {
		return nil
	}
	if leaf := c.Certificates[0].Leaf; leaf != nil {
		return leaf
	}
	leaf, _ := x509.ParseCertificate(c.Certificates[0].Certificate[0]) // it was parsed before
	return leaf
}

// A TLSStats shows the certificates in force, and how often they were read again.
type TLSStats struct {
	Reloads        uint64 // files had changed, and are in force
	ReloadFailures uint64 // files had changed, and could not be used

	// When the certificate ends that the server shows to peers, and the one that it
	// shows to whom it connects. Zero if there is none.
	ServerNotAfter, ClientNotAfter time.Time
}

func (t *tlsContexts) stats() TLSStats {
	st := TLSStats{Reloads: t.reloads.Load(), ReloadFailures: t.reloadFailures.Load()}
	if leaf := leafOf(t.server.Load()); leaf != nil {
		st.ServerNotAfter = leaf.NotAfter
	}
	if leaf := leafOf(t.client.Load()); leaf != nil {
		st.ClientNotAfter = leaf.NotAfter
	}
	return st
}

// forClient returns how to speak to others: nil without TLS.
//
// Differs from Java, which speaks without TLS when it has tls.enable=true and
// cannot use the files.
func (t *tlsContexts) forClient() (*tls.Config, error) {
	if !t.cfg.ClientEnable {
		return nil, nil
	}
	if c := t.client.Load(); c != nil {
		return c, nil
	}
	return nil, errNoClientContext
}

// paths returns every file that matters.
func (t *tlsContexts) paths() []string {
	cfg, _, _, _ := t.cfg.withFile() // make says what is wrong with it
	all := []string{cfg.ConfigFile}
	if !cfg.TestMode {
		all = append(all, cfg.ServerCertPath, cfg.ServerKeyPath, cfg.ClientCertPath, cfg.ClientKeyPath)
		if cfg.ServerAuthClient {
			all = append(all, cfg.ServerTrustCertPath)
		}
		if cfg.ClientAuthServer {
			all = append(all, cfg.ClientTrustCertPath)
		}
	}
	paths := all[:0]
	for _, p := range all {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}

// fingerprint returns what is in the files now. One that cannot be read has
// the sum of nothing.
func (t *tlsContexts) fingerprint() map[string][sha256.Size]byte {
	sums := map[string][sha256.Size]byte{}
	for _, p := range t.paths() {
		text, _ := os.ReadFile(p)
		sums[p] = sha256.Sum256(text)
	}
	return sums
}

// reload makes the contexts again if a file has changed. Connections keep what they
// have begun with; what cannot be used leaves everything as it is.
func (t *tlsContexts) reload() {
	now := t.fingerprint()
	if maps.Equal(now, t.seen) {
		return
	}
	t.seen = now
	if err := t.make(); err != nil {
		t.reloadFailures.Add(1)
		t.log.Error("TLS files have changed and cannot be used, what was in force stays", "err", err)
		t.tell(err)
		return
	}
	t.reloads.Add(1)
	t.log.Info("TLS files have changed and are in force for new connections")
	t.tell(nil)
}

func (t *tlsContexts) tell(err error) {
	if t.reloaded != nil {
		t.reloaded(err)
	}
}
