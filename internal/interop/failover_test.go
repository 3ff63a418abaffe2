//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// TestFailover kills name servers under a real broker and real clients. Four
// stand side by side: three of ours and a Java one. Three kinds of clients know
// two of ours, all three of ours, or one of ours and the Java one, and in three
// rounds each loses every server it knows:
//
//	            one   two   three   Java
//	round 1      x
//	round 2            x     x
//	round 3                          x
func TestFailover(t *testing.T) {
	needTools(t)
	t.Parallel()
	const (
		version = "5.5.0"
		set     = "broker-a"
		topic   = "FailoverTopic"
	)
	dir := workDir(t)
	one := startNamesrv(t, filepath.Join(dir, "one"))
	two := startNamesrv(t, filepath.Join(dir, "two"))
	three := startNamesrv(t, filepath.Join(dir, "three"))
	java := startNamesrvOf(t, filepath.Join(dir, "java"), version)
	f := &failover{dir: dir, topic: topic, all: []*namesrv{one, two, three, java}}
	f.broker = startBroker(t, dir, brokerSpec{version: version, name: set, namesrv: strings.Join(addrs(f.all), ";")})
	f.java = startJavaClients(t, dir, version)
	if err := goLog.OutputPath(filepath.Join(dir, "goclient.log")); err != nil {
		t.Fatal(err)
	}

	step(t, "a broker registers with every name server", func(t *testing.T) {
		took := f.converge(t, brokerUp, set)
		t.Logf("registered after %v", took)
		goCreateTopic(t, one.addr(), f.broker, topic)
		f.converge(t, afterRestart, topic)
	})

	for _, l := range []namesrvList{
		{"two of ours", []*namesrv{one, two}},
		{"three of ours", []*namesrv{one, two, three}},
		{"ours and Java's", []*namesrv{three, java}},
	} {
		f.pairs = append(f.pairs, f.startPair(t, l, "java"), f.startPair(t, l, "go"))
	}
	step(t, "clients talk while all name servers run", func(t *testing.T) {
		f.talk(t, f.pairs...)
	})

	for i, r := range []struct {
		name   string
		killed []*namesrv
	}{
		{"kill -9 of one of ours", []*namesrv{one}},
		{"kill -9 of two of ours at once", []*namesrv{two, three}},
		{"kill -9 of the Java name server", []*namesrv{java}},
	} {
		step(t, r.name, func(t *testing.T) {
			for _, ns := range r.killed {
				ns.kill(t)
			}
			f.round(t, i+1)
			for _, ns := range r.killed {
				ns.start(t)
			}
			took := f.converge(t, afterRestart, f.topics()...)
			t.Logf("all name servers agree %v after the restart", took)
		})
	}

	t.Run("a client that is told TOPIC_NOT_EXIST keeps its route", func(t *testing.T) {
		wire := startTap(t, three.addr())
		if err := f.java.tell("producer", "java-stale", wire.addr()); err != nil {
			t.Fatal(err)
		}
		if err := f.java.tell("send", "java-stale", topic, "stale-0"); err != nil {
			t.Fatal(err)
		}
		// A frozen broker does not register, so the restarted server stays empty.
		f.broker.signal(t, syscall.SIGSTOP)
		defer f.broker.signal(t, syscall.SIGCONT)
		three.kill(t)
		three.forget(t)
		before := wire.count(codeRoute, replyTopicNotExist)
		three.start(t)
		waitFor(t, soon, "the client has asked the empty name server", func() error {
			// Two topics in a poll: this one and TBW102.
			if n := wire.count(codeRoute, replyTopicNotExist) - before; n < 4 {
				return fmt.Errorf("the name server has told it %d times", n)
			}
			return nil
		})
		if err := routeGone(three.addr(), topic); err != nil {
			t.Errorf("the restarted name server: %v", err)
		}
		if err := registered(one.addr(), set, f.broker); err != nil {
			t.Errorf("the name server that was not restarted: %v", err)
		}
		f.broker.signal(t, syscall.SIGCONT)
		if err := f.java.tell("send", "java-stale", topic, "stale-1"); err != nil {
			t.Error(err)
		}
		took := f.converge(t, afterRestart, f.topics()...)
		t.Logf("all name servers agree %v after the broker's thaw", took)
	})
}

// A failover is what TestFailover plays with.
type failover struct {
	dir    string
	topic  string
	all    []*namesrv
	broker *broker
	java   *javaClients
	pairs  []*clientPair
	talks  int
	fresh  []string // topics made in the rounds
}

// A namesrvList is what a client is told of name servers.
type namesrvList struct {
	name    string
	servers []*namesrv
}

func addrs(servers []*namesrv) []string {
	var list []string
	for _, ns := range servers {
		list = append(list, ns.addr())
	}
	return list
}

// A clientPair is a producer and a consumer of one kind.
type clientPair struct {
	name        string
	list        namesrvList
	send        func(topic, body string) error
	hasReceived func(body string) error
}

// startPair starts a Java or Go producer and a consumer of the common topic.
func (f *failover) startPair(t *testing.T, l namesrvList, kind string) *clientPair {
	t.Helper()
	f.talks++
	name := fmt.Sprintf("%s-%s-%d", kind, strings.ReplaceAll(strings.ReplaceAll(l.name, " ", "-"), "'", ""), f.talks)
	p := &clientPair{name: name, list: l}
	if kind == "go" {
		producer := startGoProducer(t, name, addrs(l.servers)...)
		p.send = func(topic, body string) error {
			res, err := producer.SendSync(context.Background(), primitive.NewMessage(topic, []byte(body)))
			if err == nil && res.Status != primitive.SendOK {
				err = fmt.Errorf("status %v", res.Status)
			}
			return err
		}
		p.hasReceived = startGoConsumer(t, name, name, f.topic, addrs(l.servers)...).hasReceived
		return p
	}
	namesrvs := strings.Join(addrs(l.servers), ";")
	if err := f.java.tell("producer", name, namesrvs); err != nil {
		t.Fatal(err)
	}
	// A Java client of 5.5.0 tries one name server per question, and a consumer
	// whose first question fails does not start. Another one is made then, which
	// begins with a server drawn anew: each is a throw of the dice, lost two times
	// in three when two servers of three are dead. java/Client.java makes it a
	// throw of 0.1 s instead of 3 s, so that hundreds fit into the time.
	waitFor(t, 2*soon, "a Java consumer starts", func() error {
		return f.java.tell("consume", name+"-consumer", namesrvs, f.topic)
	})
	p.send = func(topic, body string) error { return f.java.tell("send", name, topic, body) }
	p.hasReceived = func(body string) error { return f.java.hasReceived(name+"-consumer", body) }
	return p
}

// round checks that clients old and new can do all they could before some name
// servers went.
func (f *failover) round(t *testing.T, round int) {
	t.Run("known routes serve on", func(t *testing.T) {
		f.talk(t, f.pairs...)
	})
	for _, p := range f.pairs {
		t.Run("new routes are found by "+p.name, func(t *testing.T) {
			topic := fmt.Sprintf("Fresh-%s-%d", p.name, round)
			// The first question may fail: it finds out that the server is gone.
			waitFor(t, soon, "a message to a new topic is stored", func() error {
				return p.send(topic, "fresh")
			})
			f.fresh = append(f.fresh, topic)
		})
	}
	for _, p := range f.pairs {
		kind, _, _ := strings.Cut(p.name, "-")
		t.Run(fmt.Sprintf("a %s client that starts with %s talks", kind, p.list.name), func(t *testing.T) {
			fresh := f.startPair(t, p.list, kind)
			waitFor(t, soon, "its first message is stored", func() error {
				return fresh.send(f.topic, "first-of-"+fresh.name)
			})
			f.talk(t, fresh)
		})
	}
}

// talk lets each pair send, which must never fail, and receive what it sent.
func (f *failover) talk(t *testing.T, pairs ...*clientPair) {
	t.Helper()
	const count = 20
	f.talks++
	var last []func() error
	for i := range count {
		for _, p := range pairs {
			body := fmt.Sprintf("%s-%d-%d", p.name, f.talks, i)
			if err := p.send(f.topic, body); err != nil {
				t.Fatalf("%s sends %s: %v", p.name, body, err)
			}
			last = append(last, func() error { return p.hasReceived(body) })
		}
	}
	waitFor(t, 2*soon, "every consumer has what its producer sent", func() error {
		var errs []error
		last = slices.DeleteFunc(last, func(has func() error) bool {
			err := has()
			errs = append(errs, err)
			return err == nil // and need not be looked for again
		})
		return errors.Join(errs...)
	})
}

// topics returns the topics that all name servers must know.
func (f *failover) topics() []string {
	return append([]string{f.broker.name, f.topic}, f.fresh...)
}

// converge waits until all name servers give the same routes of these topics.
func (f *failover) converge(t *testing.T, within time.Duration, topics ...string) time.Duration {
	t.Helper()
	return waitFor(t, within, "all name servers give the same routes", func() error {
		if err := f.broker.stillRuns(); err != nil {
			return err
		}
		return sameRoutes(f.all, topics...)
	})
}

// sameRoutes returns nil if all servers have routes of these topics, and the
// same ones.
func sameRoutes(servers []*namesrv, topics ...string) error {
	for _, topic := range topics {
		var first []byte
		for i, ns := range servers {
			route, err := askRouteText(ns.addr(), topic, versionNew)
			if err != nil {
				return fmt.Errorf("route of %s from name server %d: %w", topic, i+1, err)
			}
			if first == nil {
				first = route
			}
			if !bytes.Equal(route, first) {
				return fmt.Errorf("route of %s: name server 1 says %s, name server %d says %s", topic, first, i+1, route)
			}
		}
	}
	return nil
}
