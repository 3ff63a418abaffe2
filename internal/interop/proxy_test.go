//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestProxy starts a proxy in cluster mode. It asks the name server for routes
// of the cluster's name and the broker's name, has the broker make a topic of
// its own and gives up unless the next question, over another connection, shows
// that topic.
func TestProxy(t *testing.T) {
	needTools(t)
	t.Parallel()
	const version, set, topic = "5.5.0", "broker-a", "ProxyTopic"
	dir := workDir(t)
	ns := startNamesrv(t, dir)
	// Without its timer wheel a broker forbids pop consumption, which is what a
	// proxy does for gRPC clients.
	b := startBroker(t, dir, brokerSpec{version: version, name: set, namesrv: ns.addr(), conf: []string{"timerWheelEnable=true"}})
	waitFor(t, brokerUp, "the broker is in the route", func() error {
		return registered(ns.addr(), set, b)
	})
	goCreateTopic(t, ns.addr(), b, topic)

	p := startProxy(t, dir, version, ns.addr())
	step(t, "a proxy in cluster mode says that it is ready", func(t *testing.T) {
		t.Logf("ready after %v", p.ready(t))
	})

	t.Run("a gRPC client sends and receives 20 messages through it", func(t *testing.T) {
		j := newJVM(t, "5.0.8", filepath.Join(dir, "grpcclient"))
		j.artifact = "rocketmq-client-java"
		const count = 20
		argv := j.argv(t, compileJava(t, j, "GrpcProduceConsume"), toolMemory, "GrpcProduceConsume",
			fmt.Sprintf("127.0.0.1:%d", p.grpcPort), topic, "grpc-"+topic, strconv.Itoa(count), "120")
		out, state := run(t, 4*time.Minute, "gRPC client", j.home, argv...)
		checkTalk(t, "the gRPC client", topic, count, out, state)
	})
}

// A proxy is a real Java proxy in cluster mode.
type proxy struct {
	*process
	grpcPort int
}

// startProxy starts a proxy and returns at once.
func startProxy(t *testing.T, dir, version, namesrv string) *proxy {
	t.Helper()
	home := filepath.Join(dir, "proxy")
	j := newJVM(t, version, home)
	j.artifact = "rocketmq-proxy"
	p := &proxy{grpcPort: freePort(t, 0)}
	text, err := json.Marshal(map[string]any{
		"rocketMQClusterName": cluster,
		"proxyMode":           "CLUSTER",
		"namesrvAddr":         namesrv,
		"localServeAddr":      "127.0.0.1",
		"grpcServerPort":      p.grpcPort,
		"remotingListenPort":  freePort(t, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(home, "conf", "rmq-proxy.json")
	writeFile(t, conf, string(text))
	argv := j.argv(t, "", slices.Concat(brokerMemory, []string{withTLS}), "org.apache.rocketmq.proxy.ProxyStartup", "-pc", conf)
	env := []string{"RMQ_PROXY_HOME=" + home, "ROCKETMQ_HOME=" + home}
	p.process = startProcess(t, t, "proxy "+version, home, env, argv...)
	return p
}

// ready waits until the proxy says that it is, and returns how long that took.
func (p *proxy) ready(t *testing.T) time.Duration {
	t.Helper()
	return waitFor(t, brokerUp, "the proxy has started", func() error {
		if err := p.stillRuns(); err != nil {
			return err
		}
		if !strings.Contains(p.text(), "rocketmq-proxy startup successfully") {
			return fmt.Errorf("it has not said so; its output ends with:\n%s", tail(p.output, 3))
		}
		return nil
	})
}
