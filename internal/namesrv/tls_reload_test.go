package namesrv_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestTLSReload replaces certificates in every way operators do, while a
// connection is used.
func TestTLSReload(t *testing.T) {
	t.Parallel()
	ca := newPKI(t)
	use := func(t *testing.T, c *nstest.Client) {
		t.Helper()
		wantCode(t, c.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)), codec.RespSuccess, "")
	}
	t.Run("renamed over", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		install(t, dir, ca.valid("one"))
		s, log := startLogging(t, filesOf(dir))
		c := nstest.DialTLS(t, s.addr, nil)
		for _, name := range []string{"two", "three"} {
			install(t, dir, ca.valid(name))
			nstest.Eventually(t, name, func() bool { return serverName(t, s.addr) == name })
			use(t, c)
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
		use(t, c)
	})
	t.Run("written in place", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		install(t, dir, ca.valid("one"))
		s := start(t, filesOf(dir))
		cert, key := pemOf(t, ca.valid("two"))
		writeFile(t, filepath.Join(dir, "server.key"), key)
		writeFile(t, filepath.Join(dir, "server.pem"), cert)
		nstest.Eventually(t, "two", func() bool { return serverName(t, s.addr) == "two" })
	})
	t.Run("a symbolic link in the path, as Kubernetes does it", func(t *testing.T) {
		t.Parallel()
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
			use(t, c)
		}
	})
	t.Run("whom to trust", func(t *testing.T) {
		t.Parallel()
		dir, other := t.TempDir(), newPKI(t)
		install(t, dir, ca.valid("server"))
		s := start(t, func(c *namesrv.Config) {
			filesOf(dir)(c)
			c.TLS.ServerNeedClientAuth, c.TLS.ServerAuthClient, c.TLS.ServerTrustCertPath = "require", true, ca.trust(dir)
		})
		cfg := &tls.Config{Certificates: []tls.Certificate{ca.valid("client")}, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
		c := nstest.DialTLS(t, s.addr, cfg)
		use(t, c)
		other.trust(dir)
		nstest.Eventually(t, "the client is not let in any more", func() bool {
			c, err := nstest.TryDialTLS(t, s.addr, cfg)
			defer func() { c.Close() }()
			if err == nil {
				c.TryWrite(c.Frame(nstest.Route("T")))
				_, err = c.TryReadFrame(nstest.Patience)
			}
			return err != nil
		})
		use(t, c)
	})
	t.Run("the file of settings", func(t *testing.T) {
		t.Parallel()
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
		t.Parallel()
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
	t.Run("when told to", func(t *testing.T) {
		t.Parallel()
		dir, hidden := t.TempDir(), t.TempDir()
		install(t, dir, ca.valid("one"))
		s := start(t, filesOf(dir), func(s *namesrv.Server) { s.SetTLSPoll(time.Hour) })
		// From now on the files have other names in a directory that nobody watches.
		install(t, hidden, ca.valid("two"))
		for _, f := range []string{"server.pem", "server.key"} {
			if err := os.Link(filepath.Join(hidden, f), filepath.Join(dir, f+".new")); err != nil {
				t.Skip("no hard links:", err)
			}
			if err := os.Rename(filepath.Join(dir, f+".new"), filepath.Join(dir, f)); err != nil {
				t.Fatal(err)
			}
		}
		nstest.Eventually(t, "two", func() bool { return serverName(t, s.addr) == "two" })
		cert, key := pemOf(t, ca.valid("three"))
		writeFile(t, filepath.Join(hidden, "server.pem"), cert)
		writeFile(t, filepath.Join(hidden, "server.key"), key)
		for range 3 {
			s.Reload()
		}
		nstest.Eventually(t, "three", func() bool { return serverName(t, s.addr) == "three" })
	})
	t.Run("without a sign", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "not there yet")
		s := start(t, filesOf(dir), func(s *namesrv.Server) { s.SetTLSPoll(10 * time.Millisecond) })
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		install(t, dir, ca.valid("one"))
		nstest.Eventually(t, "one", func() bool { return serverName(t, s.addr) == "one" })
	})
}

// TestTLSFileFailsClosed: a fault in the file of settings stops the start; of a
// running server, what was in force stays in force: clients without certificate
// are not let in because somebody has mistyped a word, or removed the file.
func TestTLSFileFailsClosed(t *testing.T) {
	t.Parallel()
	dir, ca := t.TempDir(), newPKI(t)
	install(t, dir, ca.valid("server"))
	file := filepath.Join(dir, "tls.properties")
	good := fmt.Sprintf("tls.test.mode.enable=false\ntls.server.certPath=%[1]s/server.pem\ntls.server.keyPath=%[1]s/server.key\n"+
		"tls.server.need.client.auth=require\ntls.server.authClient=true\ntls.server.trustCertPath=%[2]s\n", dir, ca.trust(dir))
	faults := map[string]string{
		"tls.server.need.client.auth=required": `namesrv: tls.server.need.client.auth is "required", must be none, optional or require`,
		"tls.server.authClient=yes":            `namesrv: tls.server.authClient is "yes", must be true or false`,
		"tls.test.mode.enable=":                `namesrv: tls.test.mode.enable is "", must be true or false`,
		"x=\\u12":                              "malformed",
	}
	for fault, want := range faults {
		writeFile(t, file, good+fault)
		cfg := namesrv.DefaultConfig()
		cfg.KVConfigPath, cfg.TLS.ConfigFile = "", file
		if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); fault != "x=\\u12" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v", fault, err)
		}
	}
	writeFile(t, file, good+"tls.server.mode=enforcing\ntls.server.authClints=true\n")
	s, log := startLogging(t, func(c *namesrv.Config) { c.TLS.ConfigFile = file }, func(s *namesrv.Server) { s.SetTLSPoll(10 * time.Millisecond) })
	for _, want := range []string{"unknown key in the configuration\" file=" + file + " key=tls.server.authClints nearest=tls.server.authClient", "key=tls.server.mode"} {
		if !log.has(want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
	strangers := func() bool {
		c, err := nstest.TryDialTLS(t, s.addr, nil)
		defer func() { c.Close() }()
		if err == nil {
			c.TryWrite(c.Frame(nstest.Route("T")))
			_, err = c.TryReadFrame(20 * time.Second)
		}
		return err == nil
	}
	for fault, want := range faults {
		replace(t, file, good+fault)
		nstest.Eventually(t, fault+" is logged", func() bool { return log.has(strings.ReplaceAll(want, `"`, `\"`)) })
		if strangers() {
			t.Errorf("with %s anybody is let in", fault)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, "the loss is logged", func() bool { return log.has("tls.properties: file does not exist") })
	if strangers() {
		t.Error("without the file anybody is let in")
	}
}
