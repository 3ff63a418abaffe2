//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// An ecosystemClient is a client that others build on RocketMQ. It sends count
// messages to a topic, receives them, and prints both.
type ecosystemClient struct {
	name, topic string
	talk        func(t *testing.T, home, topic string, count int) (string, *os.ProcessState)
}

// TestEcosystem lets clients that are no part of RocketMQ itself send and receive: those
// who speak its own protocol ask our server, and those who speak gRPC ask a proxy in
// cluster mode, which asks our server. One broker serves all.
func TestEcosystem(t *testing.T) {
	needTools(t)
	t.Parallel()
	const version, set, count = "5.5.0", "broker-a", 100
	dir := workDir(t)
	ns := startNamesrv(t, dir)
	// Without its timer wheel a broker forbids what a proxy does for gRPC clients.
	b := startBroker(t, dir, brokerSpec{version: version, name: set, namesrv: ns.addr(), conf: []string{"timerWheelEnable=true"}})
	waitFor(t, brokerUp, "the broker is in the route", func() error { return registered(ns.addr(), set, b) })
	p := startProxy(t, dir, version, ns.addr())
	p.ready(t)
	proxyAddr := fmt.Sprintf("127.0.0.1:%d", p.grpcPort)

	var side sideBySide
	for _, c := range []ecosystemClient{
		{"Spring Boot starter 2.3.5", "SpringTopic", func(t *testing.T, home, topic string, count int) (string, *os.ProcessState) {
			j := newJVM(t, "2.3.5", home)
			j.artifact = "rocketmq-spring-boot-starter"
			argv := j.argv(t, compileJava(t, j, "SpringTalk"), toolMemory, "SpringTalk", talkArgs(ns.addr(), topic, count)...)
			return run(t, talkTime, "Spring Boot", home, argv...)
		}},
		{"C++ client of PyPI's rocketmq 0.4.4", "CppTopic", func(t *testing.T, home, topic string, count int) (string, *os.ProcessState) {
			if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
				t.Skip("its library is made for Linux on amd64 only")
			}
			return runPython(t, "cpp", home, talkArgs(ns.addr(), topic, count)...)
		}},
		{"Python client 5.1.2, gRPC", "PythonTopic", func(t *testing.T, home, topic string, count int) (string, *os.ProcessState) {
			return runPython(t, "grpc", home, talkArgs(proxyAddr, topic, count)...)
		}},
		{"Node client 1.0.8, gRPC", "NodeGrpcTopic", func(t *testing.T, home, topic string, count int) (string, *os.ProcessState) {
			script, err := filepath.Abs(filepath.Join("node", "grpc", "produce-consume.js"))
			if err != nil {
				t.Fatal(err)
			}
			argv := []string{"node", script, nodeModules(t, filepath.Join("node", "grpc"))}
			return run(t, talkTime, "Node gRPC client", home, slices.Concat(argv, talkArgs(proxyAddr, topic, count))...)
		}},
	} {
		side.run(t, c.name, func(t *testing.T) {
			goCreateTopic(t, ns.addr(), b, c.topic) // not each of them waits until a topic is made
			home := filepath.Join(dir, c.topic)
			if err := os.MkdirAll(home, 0o755); err != nil {
				t.Fatal(err)
			}
			out, state := c.talk(t, home, c.topic, count)
			checkTalk(t, c.name, c.topic, count, out, state)
		})
	}
	side.wait()
}

// talkTime is how long a client has to send and receive.
const talkTime = 4 * soon

// talkArgs are the arguments of a program that talks: server, topic, group, count, and
// the seconds after which it gives up.
func talkArgs(server, topic string, count int) []string {
	return []string{server, topic, "group-" + topic, strconv.Itoa(count), strconv.Itoa(int((talkTime - soon).Seconds()))}
}
