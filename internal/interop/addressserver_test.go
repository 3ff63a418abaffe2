//go:build interop

package interop

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// TestAddressServer gives a Java broker and a Java client no name server but
// the domain of an address server, which is ours.
func TestAddressServer(t *testing.T) {
	needTools(t)
	t.Parallel()
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

// TestAddressServerGoClient gives the Go client the list of our address server:
// the client refuses host names, and addresses it does not recognize.
func TestAddressServerGoClient(t *testing.T) {
	if reference != "" {
		t.Skip("a Java name server is no address server")
	}
	const list = "10.0.0.1:9876;10.0.0.2:9876;[fd00::1]:9876"
	port := freePort(t, 0)
	startNamesrvOf(t, workDir(t), "", fmt.Sprintf("addressServerPort=%d", port), "addressServerList="+list)

	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/rocketmq/nsaddr", port))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("got status %s, error %v, want 200", r.Status, err)
	}
	// The Go client takes a list apart in this way before it checks it.
	addrs := strings.Split(strings.TrimSpace(string(text)), ";")
	if _, err := primitive.NewNamesrvAddr(addrs...); err != nil {
		t.Errorf("the Go client refuses the list %q: %v", text, err)
	}
	if len(addrs) != 3 {
		t.Errorf("got %d addresses, want 3: %q", len(addrs), text)
	}
}
