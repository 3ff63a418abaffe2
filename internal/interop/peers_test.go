//go:build interop

package interop

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A comparedPart is how far a name server agrees with another one, as /v1/peers says.
type comparedPart struct {
	Compared bool
	Why      string
	Differ   int // what has differed for longer than brokers take to register with both
	Samples  []string
}

type comparedPeer struct {
	Addr                    string
	Up                      bool
	Why                     string
	Brokers, Topics, Config comparedPart
	KV                      comparedPart
}

// askPeer returns what our server says of its only peer.
func (w overHTTP) askPeer() (*comparedPeer, error) {
	var l struct{ Items []comparedPeer }
	if err := w.read("/v1/peers", &l); err != nil {
		return nil, err
	}
	if len(l.Items) != 1 || !l.Items[0].Up {
		return nil, fmt.Errorf("peers: %+v", l.Items)
	}
	return &l.Items[0], nil
}

// shows returns nil if the part was compared, so many things count, and these are shown,
// in any order.
func (p *comparedPart) shows(count int, samples ...string) error {
	got := slices.Sorted(slices.Values(p.Samples))
	slices.Sort(samples)
	if !p.Compared || p.Differ != count || !slices.Equal(got, samples) {
		return fmt.Errorf("got %+v, want %d that count: %q", *p, count, samples)
	}
	return nil
}

// TestPeers lets our server compare itself with a Java one. As long as one broker
// registers with both, nothing differs but the key that is set to differ. Another broker,
// which registers with one of them only, is shown with its topics, and is so no more when
// it has gone.
func TestPeers(t *testing.T) {
	needTools(t)
	t.Parallel()
	if reference != "" {
		t.Skip("Java does not compare name servers")
	}
	const only = "supportActingMaster: true here, false there"
	var side sideBySide // they wait most of the time
	for _, c := range []struct {
		version string
		here    bool   // the other broker registers with ours
		where   string // it is then
		config  []string
	}{
		{"5.5.0", true, "only here", []string{only}},
		{"4.9.7", false, "only there", nil}, // it has no such key
	} {
		side.run(t, c.version, func(t *testing.T) {
			dir := workDir(t)
			java := startNamesrvOf(t, filepath.Join(dir, "java"), c.version)
			over, line := adminListener(t)
			ns := startNamesrvOf(t, filepath.Join(dir, "ours"), "", line, "supportActingMaster=true", "peerNamesrvAddr="+java.addr(), "peerCheckSeconds=10")
			both := startBroker(t, dir, brokerSpec{version: c.version, name: "broker-both", namesrv: ns.addr() + ";" + java.addr()})
			step(t, "nothing differs but what is set to", func(t *testing.T) {
				waitFor(t, brokerUp, "the broker is in both routes", func() error {
					if err := registered(ns.addr(), both.name, both); err != nil {
						return err
					}
					return registered(java.addr(), both.name, both)
				})
				waitFor(t, 2*brokerUp, "the comparison says so", func() error {
					p, err := over.askPeer()
					if err != nil {
						return err
					}
					if err := p.Brokers.shows(0); err != nil {
						return fmt.Errorf("brokers: %w", err)
					}
					if err := p.Topics.shows(0); err != nil {
						return fmt.Errorf("topics: %w", err)
					}
					if err := p.Config.shows(len(c.config), c.config...); err != nil {
						return fmt.Errorf("config: %w", err)
					}
					if err := p.KV.shows(0); err != nil {
						return fmt.Errorf("KV config: %w", err)
					}
					return nil
				})
			})

			at := java
			if c.here {
				at = ns
			}
			step(t, "a key of the KV config that only one of them has is shown", func(t *testing.T) {
				change := func(code int, fields map[string]string) {
					t.Helper()
					if reply, err := ask(at.addr(), code, versionNew, fields); err != nil || reply.Code != replySuccess {
						t.Fatalf("request %d: %v, %+v", code, err, reply)
					}
				}
				change(100, map[string]string{"namespace": "ORDER_TOPIC_CONFIG", "key": "ORDERS", "value": "broker-both:8"})
				waitFor(t, 2*brokerUp, "the comparison shows it", func() error {
					p, err := over.askPeer()
					if err != nil {
						return err
					}
					return p.KV.shows(1, "ORDER_TOPIC_CONFIG ORDERS: "+c.where)
				})
				change(102, map[string]string{"namespace": "ORDER_TOPIC_CONFIG", "key": "ORDERS"})
				waitFor(t, brokerUp, "the comparison shows it no more", func() error {
					p, err := over.askPeer()
					if err != nil {
						return err
					}
					return p.KV.shows(0)
				})
			})
			one := startBroker(t, dir, brokerSpec{version: c.version, name: "broker-one", namesrv: at.addr()})
			step(t, "a broker that only one of them knows is shown", func(t *testing.T) {
				waitFor(t, brokerUp, "the broker is in the route", func() error { return registered(at.addr(), one.name, one) })
				member := fmt.Sprintf("broker-one 0@%s in %s: %s", one.addr(), cluster, c.where)
				took := waitFor(t, 2*brokerUp, "the comparison shows it, and its topic", func() error {
					p, err := over.askPeer()
					if err != nil {
						return err
					}
					if err := p.Brokers.shows(1, member); err != nil {
						return fmt.Errorf("brokers: %w", err)
					}
					if topic := "broker-one: " + c.where; p.Topics.Differ == 0 || !slices.Contains(p.Topics.Samples, topic) {
						return fmt.Errorf("topics: got %+v, want %q", p.Topics, topic)
					}
					return nil
				})
				t.Logf("shown after %v", took)
				if metrics, err := over.text("/metrics"); err != nil || !strings.Contains(metrics, fmt.Sprintf("rocketmq_namesrv_peer_differs{part=\"brokers\",peer=%q} 1\n", java.addr())) {
					t.Errorf("metrics: %v: %s", err, grep(metrics, "_peer_"))
				}
				var status struct {
					Peers struct{ Configured, Differ, Unreachable int }
				}
				if err := over.read("/v1/status", &status); err != nil || status.Peers.Configured != 1 || status.Peers.Differ != 1 || status.Peers.Unreachable != 0 {
					t.Errorf("status: %v: %+v", err, status)
				}
			})

			step(t, "it has gone", func(t *testing.T) {
				one.terminate(t)
				one.waitGone(t, brokerDown)
				took := waitFor(t, 2*brokerUp, "brokers and topics agree again", func() error {
					p, err := over.askPeer()
					if err != nil {
						return err
					}
					if err := p.Brokers.shows(0); err != nil {
						return fmt.Errorf("brokers: %w", err)
					}
					if err := p.Topics.shows(0); err != nil {
						return fmt.Errorf("topics: %w", err)
					}
					return nil
				})
				t.Logf("not shown any more after %v", took)
			})

			// Each is said once.
			log, want := ns.text(), 3
			if c.config != nil {
				want++
			}
			if differ, agree := strings.Count(log, "name servers differ"), strings.Count(log, "name servers agree again"); differ != want || agree != 3 {
				t.Errorf("the log says %d times that they differ, and %d times that they agree again:\n%s", differ, agree, grep(log, "name servers"))
			}
		})
	}
	side.wait()
}

// grep returns the lines of a text that have a word in them.
func grep(text, word string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}
