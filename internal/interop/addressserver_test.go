//go:build interop

package interop

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestAddressServer gives a Java broker and a Java client no name server but
// the domain of an address server, which is ours.
func TestAddressServer(t *testing.T) {
	needTools(t)
	if reference != "" {
		t.Skip("a Java name server is no address server")
	}
	const version = "5.5.0"
	dir := workDir(t)
	ns := startNamesrv(t, dir)
	port := freePort(t, 0)
	// Another server has the list, so that no test can pass by the name server's own port.
	addresses := startNamesrvOf(t, filepath.Join(dir, "addresses"), "",
		fmt.Sprintf("addressServerPort=%d", port), "addressServerList="+ns.addr())
	domain := fmt.Sprintf("-Drocketmq.namesrv.domain=127.0.0.1:%d", port)

	b := startBroker(t, dir, brokerSpec{
		version: version, name: "broker-a", flags: []string{domain},
		conf: []string{"fetchNamesrvAddrByAddressServer=true", fmt.Sprintf("rmqAddressServerDomain=127.0.0.1:%d", port)},
	})
	step(t, "a Java broker finds its name server", func(t *testing.T) {
		took := waitFor(t, brokerUp, "the broker is in the route", func() error { return registered(ns.addr(), b.name, b) })
		t.Logf("registered after %v", took)
	})
	step(t, "a Java client without any address sends and receives", func(t *testing.T) {
		javaProduceConsume(t, dir, version, "", "FoundTopic", 20, domain)
	})
	t.Run("both servers end on SIGTERM", func(t *testing.T) {
		addresses.stop(t)
		ns.stop(t)
	})
}
