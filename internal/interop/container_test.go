//go:build interop

package interop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBrokerContainer lets several brokers of one process register over the one
// connection they share, and then kills the process. A Java name server would
// drop the first of them at once and the others after 120 s.
func TestBrokerContainer(t *testing.T) {
	needTools(t)
	t.Parallel()
	dir := workDir(t)
	ns := startNamesrv(t, dir)
	wire := startTap(t, ns.addr())
	c := startContainer(t, dir, wire.addr(), "broker-a", "broker-b", "broker-c")

	step(t, "three brokers register over one connection", func(t *testing.T) {
		took := waitFor(t, brokerUp, "all brokers are in the routes", func() error {
			if err := c.stillRuns(); err != nil {
				return err
			}
			var errs []error
			for _, b := range c.brokers {
				route, err := askRoute(ns.addr(), b.name)
				if err == nil {
					err = route.hasBrokers(b.name, b.member())
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
		t.Logf("registered after %v", took)
		for _, b := range c.brokers {
			checkClusterInfo(t, ns, b.name, b)
		}
		if got := wire.connsWith(codeRegisterBroker); got != 1 {
			t.Errorf("connections that carried a registration: got %d, want 1", got)
		}
	})

	t.Run("kill -9 removes all brokers when the connection is lost", func(t *testing.T) {
		if reference != "" {
			t.Skip("a Java name server removes one broker per lost connection")
		}
		c.signal(t, syscall.SIGKILL)
		took := waitFor(t, soonAfterLoss, "no broker of the container is left", func() error {
			var errs []error
			for _, b := range c.brokers {
				errs = append(errs, routeGone(ns.addr(), b.name), brokerSetGone(ns.addr(), b.name))
			}
			return errors.Join(errs...)
		})
		t.Logf("removed after %v", took)
	})

	t.Run("the name server ends on SIGTERM", func(t *testing.T) {
		ns.stop(t)
	})
}

// A container is a Java process with several brokers.
type container struct {
	*process
	brokers []*broker // none has a process of its own
}

// startContainer starts a broker container with one master per name and returns
// at once.
func startContainer(t *testing.T, dir, namesrv string, names ...string) *container {
	t.Helper()
	const version = "5.5.0"
	home := filepath.Join(dir, "container")
	j := newJVM(t, version, home)
	j.artifact = "rocketmq-container"
	c := &container{}
	var confs []string
	for _, name := range names {
		own := filepath.Join(home, name)
		if err := os.MkdirAll(own, 0o755); err != nil {
			t.Fatal(err)
		}
		b := &broker{
			version: version, name: name, ip: "127.0.0.1",
			port:  freePort(t, -2, 0, 1),
			store: storeFolder(t, version, own),
		}
		if err := os.MkdirAll(b.store, 0o755); err != nil {
			t.Fatal(err)
		}
		conf := filepath.Join(home, name+".properties")
		writeProperties(t, conf, brokerProperties(b, namesrv))
		c.brokers = append(c.brokers, b)
		confs = append(confs, conf)
	}
	conf := filepath.Join(home, "container.properties")
	writeProperties(t, conf, []string{
		"brokerContainerIP=127.0.0.1",
		fmt.Sprintf("listenPort=%d", freePort(t, -2, 0)),
		"namesrvAddr=" + namesrv,
		"brokerConfigPaths=" + strings.Join(confs, ":"),
	})
	argv := j.argv(t, "", brokerMemory, "org.apache.rocketmq.container.BrokerContainerStartup", "-c", conf)
	c.process = startProcess(t, t, "broker container "+version, home, []string{"ROCKETMQ_HOME=" + home}, argv...)
	return c
}
