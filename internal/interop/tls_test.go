//go:build interop

package interop

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestTLS has real parties speak TLS: a broker of 5.5.0 that registers with a
// server without any configuration and with one that enforces TLS, and clients
// of two releases who find it by the one and by the other.
func TestTLS(t *testing.T) {
	needTools(t)
	t.Parallel()
	const set, topic, count = "broker-a", "SecretTopic", 100
	// Who speaks TLS for the first time loads many classes before it connects: on a busy
	// machine that takes longer than the 3 s which a client waits for a connection.
	secure := []string{"-Dtls.enable=true", "-Dcom.rocketmq.remoting.client.connect.timeout=30000"}
	dir := workDir(t)
	plain := startNamesrv(t, filepath.Join(dir, "default"))
	strict := startNamesrvOf(t, filepath.Join(dir, "enforcing"), "", "tls.server.mode=enforcing")
	both := strings.Join([]string{plain.addr(), strict.addr()}, ";")
	b := startBroker(t, dir, brokerSpec{version: "5.5.0", name: set, namesrv: both, flags: append(secure, withTLS)})
	step(t, "a Java broker registers over TLS", func(t *testing.T) {
		for _, ns := range []*namesrv{strict, plain} {
			waitFor(t, brokerUp, "the broker is in the route", func() error { return registered(ns.addr(), set, b) })
		}
	})
	t.Run("clients", func(t *testing.T) {
		var side sideBySide
		side.run(t, "a Java producer and consumer of 5.5.0, TLS enforced", func(t *testing.T) {
			javaProduceConsume(t, filepath.Join(dir, "new"), "5.5.0", strict.addr(), topic, count, secure...)
		})
		side.run(t, "a Java producer and consumer of 4.9.7, TLS allowed", func(t *testing.T) {
			javaProduceConsume(t, filepath.Join(dir, "old"), "4.9.7", plain.addr(), topic+"Old", count, secure...)
		})
		side.wait()
	})
	t.Run("without TLS, where it is enforced, nobody is answered", func(t *testing.T) {
		if _, err := askOver(strict.addr(), dialPlain, codeClusterInfo, versionNew, nil); err == nil {
			t.Error("answered")
		}
	})
}

// enforcing holds the addresses that want TLS.
var enforcing sync.Map

func dialPlain(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, soon) }

func dialTLS(addr string) (net.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: soon}, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
}

// dialAsWanted connects with TLS to whom it is known to want it.
func dialAsWanted(addr string) (net.Conn, error) {
	if _, ok := enforcing.Load(addr); ok {
		return dialTLS(addr)
	}
	return dialPlain(addr)
}
