//go:build interop && linux

package interop

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// A natted is a network that others reach only at an address of its router,
// as that of containers is. No packet crosses the router: a forwarder there
// stands for what NAT does, as docker-proxy does.
//
//	c 198.51.100.2 ─── 198.51.100.1 r 172.30.0.1 ─── 172.30.0.2 b
//	clients               the name server               the broker
//
// The clients have no route to 172.30.0.0/24: they cannot connect to the
// address that the broker registers.
type natted struct{ *lan }

const (
	natClient = "198.51.100.2"
	natOuter  = "198.51.100.1" // of the router
	natInner  = "172.30.0.1"   // of the router
	natBroker = "172.30.0.2"
)

func startNATted(t *testing.T) natted {
	t.Helper()
	n := natted{newLAN(t, "crb")}
	for _, l := range []struct {
		letter rune
		eth    string // of the router
		router string
		addr   string
	}{{'c', "outer", natOuter, natClient}, {'b', "inner", natInner, natBroker}} {
		n.ip(t, "-n", n.name('r'), "link", "add", l.eth, "type", "veth", "peer", "name", "eth0", "netns", n.name(l.letter))
		n.ip(t, "-n", n.name('r'), "addr", "add", l.router+"/24", "dev", l.eth)
		n.ip(t, "-n", n.name('r'), "link", "set", l.eth, "up")
		n.ip(t, "-n", n.name(l.letter), "addr", "add", l.addr+"/24", "dev", "eth0")
		n.ip(t, "-n", n.name(l.letter), "link", "set", "eth0", "up")
	}
	return n
}

// publish forwards a port of the router's outer address, and returns how many
// connections have come.
func (n natted) publish(t *testing.T, port int, to string) *atomic.Int64 {
	t.Helper()
	ln, err := n.listen('r', fmt.Sprintf("%s:%d", natOuter, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	came := new(atomic.Int64)
	dial := n.dialFrom('r')
	go func() {
		for {
			down, err := ln.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			go func() {
				defer down.Close()
				up, err := dial(to)
				if err != nil {
					return
				}
				defer up.Close()
				go func() {
					io.Copy(down, up)
					down.Close()
				}()
				io.Copy(up, down)
			}()
		}
	}()
	return came
}

// startNamesrv starts our server on the router, on all of its addresses.
func (n natted) startNamesrv(t *testing.T, dir string, conf ...string) *namesrv {
	t.Helper()
	s := newNamesrv(t, dir, "", append([]string{"bindAddress=0.0.0.0"}, conf...)...)
	s.under = n.under('r')
	s.launch(t)
	waitFor(t, 2*soon, "the name server answers", func() error {
		if err := s.stillRuns(); err != nil {
			return err
		}
		_, err := askClusterInfoOver(fmt.Sprintf("%s:%d", natInner, s.port), n.dialFrom('r'))
		return err
	})
	return s
}

// sees returns nil if who asks from a namespace is told this address of the broker, and no
// other broker.
func (n natted) sees(from rune, namesrv string, b *broker, addr string) error {
	info, err := askClusterInfoOver(namesrv, n.dialFrom(from))
	if err != nil {
		return err
	}
	set, there := info.BrokerAddrTable[b.name]
	if !there {
		return fmt.Errorf("%s is told of no %s", string(from), b.name)
	}
	if got, want := set.members(), []string{fmt.Sprintf("%d %s", b.id, addr)}; !slices.Equal(got, want) {
		return hopeless{fmt.Errorf("%s is told that %s is %q, want %q", string(from), b.name, got, want)}
	}
	return nil
}

// A natClients is a kind of clients on the outer side: talk sends and receives
// count messages, or fails, and returns what was printed.
type natClients struct {
	name  string
	topic string
	count int
	vip   bool // they connect to the port two below
	alone bool // that they cannot do without horizons is shown by a kind that connects as they do
	talk  func(t *testing.T, dir, namesrv, topic string, count int) (string, *os.ProcessState)
	check func(t *testing.T, who, topic string, count int, out string, state *os.ProcessState)
}

const natNodeTopic = "NATNodeTopic" // ali-ons makes no topics

func (n natted) clients() []natClients {
	java := func(version string, flags ...string) func(*testing.T, string, string, string, int) (string, *os.ProcessState) {
		return func(t *testing.T, dir, namesrv, topic string, count int) (string, *os.ProcessState) {
			t.Helper()
			j := newJVM(t, version, filepath.Join(dir, "javaclient"))
			j.under = n.under('c')
			return runJavaClient(t, j, namesrv, topic, count, flags...)
		}
	}
	golang := func(t *testing.T, dir, namesrv, topic string, count int) (string, *os.ProcessState) {
		t.Helper()
		return runGoClient(t, n.under('c'), dir, namesrv, topic, count)
	}
	checkGo := func(t *testing.T, who, _ string, _ int, out string, state *os.ProcessState) {
		t.Helper()
		if !state.Success() {
			t.Errorf("%s ended with %v:\n%s", who, state, out)
		}
	}
	node := func(t *testing.T, dir, namesrv, topic string, count int) (string, *os.ProcessState) {
		t.Helper()
		return runNodeClient(t, n.under('c'), dir, namesrv, topic, count)
	}
	const count = 100
	return []natClients{
		{"Java 4.9.7", "NATOldTopic", count, false, true, java("4.9.7"), checkTalk},
		{"Java 4.9.7 with VIP channel", "NATVIPTopic", count, true, false, java("4.9.7", "-Dcom.rocketmq.sendMessageWithVIPChannel=true"), checkTalk},
		{"Java 5.5.0", "NATNewTopic", count, false, false, java("5.5.0"), checkTalk},
		{"Go 2.1.2", "NATGoTopic", count, false, false, golang, checkGo},
		{"ali-ons 3.12.0", natNodeTopic, count, false, false, node, checkTalk},
	}
}

// natHorizons returns the example of docs/SPLIT_HORIZON.md that fits: clients
// that reach the name server through a forwarder come from the gateway of the
// network and are told the registered port; others, who come with their own
// address, are told another.
func natHorizons(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "SPLIT_HORIZON.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```yaml\n(horizons:\n  - name: gateway\n.*?)```").FindSubmatch(page)
	if m == nil {
		t.Fatal("SPLIT_HORIZON.md has no file that begins with the horizon gateway")
	}
	return string(m[1])
}

// TestHorizonNAT lets all kinds of clients talk to a broker that they cannot reach at
// its registered address. A second name server, without horizons, shows that
// they cannot.
func TestHorizonNAT(t *testing.T) {
	needTools(t)
	t.Parallel()
	const set = "broker-a"
	n := startNATted(t)
	dir := workDir(t)
	file := filepath.Join(dir, "horizons.yaml")
	writeFile(t, file, natHorizons(t))
	with := n.startNamesrv(t, filepath.Join(dir, "with"), "horizonFile="+file)
	without := n.startNamesrv(t, filepath.Join(dir, "without"))
	at := func(ip string, s *namesrv) string { return fmt.Sprintf("%s:%d", ip, s.port) }

	b := startBroker(t, dir, brokerSpec{
		version: "5.5.0", name: set, ip: natBroker, under: n.under('b'),
		namesrv: at(natInner, with) + ";" + at(natInner, without),
		conf:    []string{"bindAddress=" + natBroker, "brokerIP2=" + natBroker},
	})
	shifted := fmt.Sprintf("%s:%d", natOuter, b.port+10000)
	kept := fmt.Sprintf("%s:%d", natOuter, b.port)
	came := n.publish(t, b.port+10000, b.addr())
	cameVIP := n.publish(t, b.port+10000-2, fmt.Sprintf("%s:%d", natBroker, b.port-2))
	cameKept := n.publish(t, b.port, b.addr())
	gateway := without.port + 10000 // the name server through the forwarder
	n.publish(t, gateway, at(natInner, with))

	told := func(t *testing.T) {
		t.Helper()
		for _, c := range []struct {
			from          rune
			namesrv, addr string
		}{
			{'b', at(natInner, with), b.addr()},
			{'b', at(natInner, without), b.addr()},
			{'c', at(natOuter, with), shifted},
			{'c', at(natOuter, without), b.addr()},
			{'c', fmt.Sprintf("%s:%d", natOuter, gateway), kept},
		} {
			if err := n.sees(c.from, c.namesrv, b, c.addr); err != nil {
				t.Errorf("cluster info of %s: %v", c.namesrv, err)
			}
		}
	}
	step(t, "the broker is told its own address, and clients another", func(t *testing.T) {
		waitFor(t, brokerUp, "the broker is registered with both", func() error {
			if err := b.stillRuns(); err != nil {
				return err
			}
			if err := n.sees('b', at(natInner, with), b, b.addr()); err != nil {
				return err
			}
			return n.sees('b', at(natInner, without), b, b.addr())
		})
		told(t)
		if conn, err := n.dialFrom('c')(b.addr()); err == nil {
			conn.Close()
			t.Fatalf("clients reach %s, the registered address", b.addr())
		}
	})

	step(t, "mqadmin from outside finds the broker", func(t *testing.T) {
		admin := newMQAdmin(t, dir, "5.5.0", at(natOuter, with))
		admin.under = n.under('c')
		outer := *b
		outer.ip, outer.port = natOuter, b.port+10000
		admin.listsBrokers(t, &outer)
		out := admin.run(t, "updateTopic", "-c", cluster, "-t", natNodeTopic, "-r", "4", "-w", "4")
		if !strings.Contains(out, "success") {
			t.Fatalf("mqadmin updateTopic: got no success in:\n%s", out)
		}
	})

	t.Run("clients", func(t *testing.T) {
		var side sideBySide
		for _, c := range n.clients() {
			home := filepath.Join(dir, c.topic)
			side.run(t, c.name, func(t *testing.T) {
				out, state := c.talk(t, home, at(natOuter, with), c.topic, c.count)
				c.check(t, c.name, c.topic, c.count, out, state)
			})
			if c.alone {
				continue
			}
			side.run(t, c.name+" without horizons", func(t *testing.T) {
				port := b.port
				if c.vip {
					port -= 2
				}
				out, state := c.talk(t, filepath.Join(home, "without"), at(natOuter, without), c.topic, 1)
				vain := regexp.MustCompile(fmt.Sprintf(`.*\b(connect to|dial tcp|ENETUNREACH) %s:%d\b.*`, regexp.QuoteMeta(natBroker), port)).FindString(out)
				if state.Success() || vain == "" {
					t.Errorf("%s ended with %v, want a failure to connect to port %d of %s:\n%s", c.name, state, port, natBroker, out)
				}
				t.Log(vain)
			})
		}
		side.run(t, "Java 4.9.7 from the gateway", func(t *testing.T) {
			const topic, count = "NATGatewayTopic", 100
			c := n.clients()[0]
			out, state := c.talk(t, filepath.Join(dir, topic), fmt.Sprintf("%s:%d", natOuter, gateway), topic, count)
			c.check(t, c.name, topic, count, out, state)
		})
		side.wait()
	})

	t.Run("the broker is still registered, and connections have gone where they were told", func(t *testing.T) {
		if err := b.stillRuns(); err != nil {
			t.Fatal(err)
		}
		told(t)
		t.Logf("connections: %d, %d to the VIP port, %d with the port kept", came.Load(), cameVIP.Load(), cameKept.Load())
		if came.Load() == 0 || cameVIP.Load() == 0 || cameKept.Load() == 0 {
			t.Error("a published port was not used")
		}
	})
}
