//go:build interop

package interop

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRollingRestart restarts two of our name servers, one after the other, as
// an operator does: SIGTERM, start, wait until the broker is back. Meanwhile a
// Java client of 5.5.0, which understands GO_AWAY, and one of 4.9.7, which does
// not, send one message after the other. None fails and none is lost.
func TestRollingRestart(t *testing.T) {
	needTools(t)
	t.Parallel()
	const topic = "RollingTopic"
	dir := workDir(t)
	servers := []*namesrv{
		startNamesrvOf(t, filepath.Join(dir, "one"), ""),
		startNamesrvOf(t, filepath.Join(dir, "two"), ""),
	}
	namesrvs := strings.Join(addrs(servers), ";")
	b := startBroker(t, dir, brokerSpec{version: "5.5.0", name: "broker-r", namesrv: namesrvs})
	var clients []*rollingClient
	for _, version := range []string{"5.5.0", "4.9.7"} {
		clients = append(clients, startRollingClient(t, dir, version, namesrvs, topic))
	}
	for _, ns := range servers {
		waitFor(t, brokerUp, "the broker has registered", func() error { return registered(ns.addr(), b.name, b) })
	}
	for _, c := range clients {
		waitFor(t, soon, "the topic is made", func() error { return c.java.tell("send", "producer", topic, "first") })
		waitFor(t, soon, "a consumer starts", func() error { return c.java.tell("consume", c.name, namesrvs, topic) })
		waitFor(t, 60*time.Second, "the consumer has the first message", func() error { return c.java.hasReceived(c.name, "first") })
	}
	for _, ns := range servers {
		waitFor(t, afterRestart, "the topic is known", func() error { _, err := askRoute(ns.addr(), topic); return err })
	}

	for _, c := range clients {
		go c.sendOn()
	}
	for i, ns := range servers {
		step(t, fmt.Sprintf("restart of name server %d", i+1), func(t *testing.T) {
			began := time.Now()
			ns.stop(t)
			t.Logf("SIGTERM to exit: %v", time.Since(began))
			if text := ns.text(); !strings.Contains(text, "engine drains") || strings.Contains(text, "reached its limit") || strings.Contains(text, "connection lost") {
				t.Errorf("the name server has not drained:\n%s", tail(ns.output, 20))
			}
			for _, c := range clients {
				c.sendFresh(t, fmt.Sprintf("Rolling-%s-%d", c.name, i))
			}
			ns.start(t)
			waitFor(t, afterRestart, "the broker and the topic are back", func() error {
				if err := registered(ns.addr(), b.name, b); err != nil {
					return err
				}
				_, err := askRoute(ns.addr(), topic)
				return err
			})
		})
	}
	for _, c := range clients {
		sent := c.stop(t)
		t.Logf("client %s has sent %d messages", c.name, sent)
		waitFor(t, 60*time.Second, "nothing is lost", func() error {
			printed := map[string]bool{}
			for line := range strings.Lines(c.java.text()) {
				printed[line] = true
			}
			for i := range sent {
				if want := fmt.Sprintf("received %s %s\n", c.name, c.body(i)); !printed[want] {
					return fmt.Errorf("no line %q", want)
				}
			}
			return nil
		})
	}
}

// A rollingClient is a JVM with a producer that sends all the time, and a
// consumer.
type rollingClient struct {
	name   string // of the consumer
	topic  string
	java   *javaClients
	fresh  chan string // topics to send to once
	answer chan error  // what became of that
	quit   chan struct{}
	ended  chan struct{}
	sent   atomic.Int64
	failed error // read when ended
}

func startRollingClient(t *testing.T, dir, version, namesrvs, topic string) *rollingClient {
	t.Helper()
	c := &rollingClient{
		name: "consumer-" + strings.ReplaceAll(version, ".", "-"), topic: topic,
		java:  startJavaClients(t, filepath.Join(dir, version), version),
		fresh: make(chan string), answer: make(chan error),
		quit: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := c.java.tell("producer", "producer", namesrvs); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *rollingClient) body(i int64) string { return fmt.Sprintf("%s-%d.", c.name, i) }

// sendOn sends until it is stopped or a message fails. The JVM takes one order
// at a time.
func (c *rollingClient) sendOn() {
	defer close(c.ended)
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-c.quit:
			return
		case topic := <-c.fresh:
			c.answer <- c.java.tell("send", "producer", topic, "fresh")
		case <-pause.C:
			if c.failed = c.java.tell("send", "producer", c.topic, c.body(c.sent.Load())); c.failed != nil {
				return
			}
			c.sent.Add(1)
		}
	}
}

// sendFresh sends to a topic that the producer has to ask for.
func (c *rollingClient) sendFresh(t *testing.T, topic string) {
	t.Helper()
	select {
	case c.fresh <- topic:
		if err := <-c.answer; err != nil {
			t.Errorf("send to a new topic: %v", err)
		}
	case <-c.ended:
		t.Fatalf("client %s has failed after %d messages: %v", c.name, c.sent.Load(), c.failed)
	}
}

// stop ends the sending and returns how many messages were sent.
func (c *rollingClient) stop(t *testing.T) int64 {
	t.Helper()
	close(c.quit)
	<-c.ended
	if c.failed != nil {
		t.Errorf("client %s has failed after %d messages: %v", c.name, c.sent.Load(), c.failed)
	}
	return c.sent.Load()
}
