//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How soon the name server must show that something has happened. All of it is
// far below the 120 s after which a silent broker expires, and far above what a
// machine needs that has nothing else to do.
const (
	soonAfterUnregister = 40 * time.Second // from the reply to UNREGISTER_BROKER
	soonAfterLoss       = 40 * time.Second // from kill -9
	afterRestart        = 60 * time.Second // period 10 s, plus the broker's reconnect
	brokerDown          = 90 * time.Second // from SIGTERM to the broker's exit
)

const messages = 1000

// TestRocketMQ plays one story per version: the server under test starts, a
// master and a slave come, clients talk through them, the server is restarted,
// the brokers go in two ways. The versions share nothing and go side by side; the
// subtests of each build on each other; to repeat one, repeat its version.
func TestRocketMQ(t *testing.T) {
	needTools(t)
	t.Parallel()
	var side sideBySide
	for _, version := range []string{"5.5.0", "4.9.7"} {
		side.run(t, version, func(t *testing.T) { testVersion(t, version) })
	}
	side.wait()
}

func testVersion(t *testing.T, version string) {
	const (
		set       = "broker-a"
		javaTopic = "JavaTopic"
		goTopic   = "GoTopic"
		nodeTopic = "NodeTopic"
		lateTopic = "LateTopic"
	)
	dir := workDir(t)
	ns := startNamesrv(t, dir)
	admin := newMQAdmin(t, dir, version, ns.addr())

	master := startBroker(t, dir, brokerSpec{version: version, name: set, id: 0, namesrv: ns.addr()})
	step(t, "a Java master registers", func(t *testing.T) {
		took := waitFor(t, brokerUp, "the master is in the route", func() error {
			return registered(ns.addr(), set, master)
		})
		t.Logf("registered after %v", took)
		checkClusterInfo(t, ns, set, master)
	})

	wire := startTap(t, ns.addr())
	slave := startBroker(t, dir, brokerSpec{version: version, name: set, id: 1, namesrv: wire.addr()})
	step(t, "a Java slave joins the master", func(t *testing.T) {
		took := waitFor(t, brokerUp, "master and slave are in the route", func() error {
			return registered(ns.addr(), set, master, slave)
		})
		t.Logf("registered after %v", took)
		checkClusterInfo(t, ns, set, master, slave)
		var reply exchange
		waitFor(t, soon, "the slave's registration is answered", func() (err error) {
			reply, err = wire.answered(codeRegisterBroker)
			return err
		})
		if got, want := reply.ext["masterAddr"], master.addr(); got != want {
			t.Errorf("masterAddr in the reply to the slave's registration: got %q, want %q", got, want)
		}
		if got, want := reply.ext["haServerAddr"], master.haAddr(); got != want {
			t.Errorf("haServerAddr in the reply to the slave's registration: got %q, want %q", got, want)
		}
	})

	t.Run("the route speaks the JSON dialect of the asker", func(t *testing.T) {
		checkDialects(t, ns, set, master, slave)
	})

	t.Run("mqadmin updateTopic shows in the route at once", func(t *testing.T) {
		out := admin.run(t, "updateTopic", "-b", master.addr(), "-t", javaTopic, "-r", "6", "-w", "5")
		if !strings.Contains(out, "success") {
			t.Fatalf("mqadmin updateTopic: got no success in:\n%s", out)
		}
		// 4.x registers a new topic after its answer to mqadmin, 5.x before.
		waitFor(t, soon, "the new topic has a route", func() error {
			return topicQueues(ns.addr(), javaTopic, set, 6, 5)
		})
	})

	t.Run("mqadmin clusterList prints both brokers", func(t *testing.T) {
		admin.listsBrokers(t, master, slave)
	})

	t.Run("mqadmin topicList and topicRoute print the topics, both brokers and the queues", func(t *testing.T) {
		printed := runAdminBatch(t, filepath.Join(dir, "mqadmin-batch"), version, []string{
			"topicList -n " + ns.addr(),
			"topicRoute -n " + ns.addr() + " -t " + javaTopic,
		})
		for _, topic := range []string{javaTopic, set, cluster, "TBW102"} {
			if !hasRow(printed[0], []string{topic}) {
				t.Errorf("mqadmin topicList: no line %q in:\n%s", topic, printed[0])
			}
		}
		_, body, ok := strings.Cut(printed[1], "{")
		var route topicRoute
		if err := json.NewDecoder(bytes.NewReader(quoteKeys([]byte("{" + body)))).Decode(&route); !ok || err != nil {
			t.Fatalf("mqadmin topicRoute: no JSON route (%v) in:\n%s", err, printed[1])
		}
		if err := route.hasBrokers(set, master.member(), slave.member()); err != nil {
			t.Errorf("mqadmin topicRoute: %v", err)
		}
		if err := route.hasQueues(set, 6, 5); err != nil {
			t.Errorf("mqadmin topicRoute: %v", err)
		}
	})

	t.Run("a Java producer sends and a Java consumer receives 1000 messages", func(t *testing.T) {
		javaProduceConsume(t, dir, version, ns.addr(), javaTopic, messages)
	})

	t.Run("a Go producer sends and a Go consumer receives 1000 messages", func(t *testing.T) {
		goProduceConsume(t, dir, ns.addr(), goTopic, messages)
	})

	t.Run("a Go producer reads ids and addresses from the text of brokerAddrs", func(t *testing.T) {
		checkGoRoute(t, ns.addr(), javaTopic, set, master, slave)
	})

	t.Run("a JavaScript producer sends and a JavaScript consumer receives 200 messages", func(t *testing.T) {
		// This client makes no topics: it gives up on TOPIC_NOT_EXIST.
		goCreateTopic(t, ns.addr(), master, nodeTopic)
		nodeProduceConsume(t, dir, ns.addr(), nodeTopic, 200)
	})

	step(t, "a restarted name server has the routes back at the brokers' next registration", func(t *testing.T) {
		ns.stop(t)
		ns.start(t)
		took := waitFor(t, afterRestart, "both brokers and their topics are in the routes again", func() error {
			if err := registered(ns.addr(), set, master, slave); err != nil {
				return err
			}
			return topicQueues(ns.addr(), javaTopic, set, 6, 5)
		})
		t.Logf("healed after %v", took)
		checkClusterInfo(t, ns, set, master, slave)
	})

	t.Run("a new topic works after the restart", func(t *testing.T) {
		goProduceConsume(t, dir, ns.addr(), lateTopic, 100)
	})

	// Late in the story, because a slave asks for topics every 10 s (4.9.7) or
	// 60 s (5.5.0) only.
	t.Run("the slave copies the master's messages and topics", func(t *testing.T) {
		waitFor(t, soon, "the slave has the last message", func() error {
			return slave.storesMessage(messageBody(goTopic, messages-1))
		})
		waitFor(t, 60*time.Second+soon, "the slave has the topic", func() error {
			return slave.storesTopic(javaTopic)
		})
	})

	t.Run("SIGTERM unregisters the slave", func(t *testing.T) {
		if err := registered(ns.addr(), set, master, slave); err != nil {
			t.Fatalf("before SIGTERM: %v", err)
		}
		// From here on the tap keeps the slave's connections to the name server
		// open, so only the unregistration can remove it.
		wire.hold()
		slave.terminate(t)
		waitFor(t, brokerDown, "the slave's unregistration is answered", func() error {
			_, err := wire.answered(codeUnregisterBroker)
			return err
		})
		took := waitFor(t, soonAfterUnregister, "the master is alone in the route", func() error {
			return registered(ns.addr(), set, master)
		})
		t.Logf("alone %v after the reply", took)
		checkClusterInfo(t, ns, set, master)
		slave.waitGone(t, brokerDown)
	})

	t.Run("kill -9 removes the master when its connection is lost", func(t *testing.T) {
		if err := registered(ns.addr(), set, master); err != nil {
			t.Fatalf("before kill -9: %v", err)
		}
		master.signal(t, syscall.SIGKILL)
		took := waitFor(t, soonAfterLoss, "no route names the master", func() error {
			return errors.Join(
				routeGone(ns.addr(), set),
				routeGone(ns.addr(), javaTopic),
				brokerSetGone(ns.addr(), set),
			)
		})
		t.Logf("removed after %v", took)
	})

	t.Run("the name server ends on SIGTERM", func(t *testing.T) {
		ns.stop(t)
	})
}

// TestOldBroker lets a broker of 4.3.0, the oldest we care for, register and
// unregister, once with JSON headers and once with RocketMQ's binary ones.
func TestOldBroker(t *testing.T) {
	needTools(t)
	t.Parallel()
	const version = "4.3.0"
	dir := workDir(t)
	ns := startNamesrv(t, dir)

	for _, c := range []struct {
		name  string
		set   string
		flags []string
	}{
		{name: "JSON header", set: "broker-json"},
		{name: "binary header", set: "broker-binary", flags: []string{"-Drocketmq.serialize.type=ROCKETMQ"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire := startTap(t, ns.addr())
			b := startBroker(t, dir, brokerSpec{version: version, name: c.set, namesrv: wire.addr(), flags: c.flags})
			step(t, "a 4.3.0 broker registers", func(t *testing.T) {
				took := waitFor(t, brokerUp, "the broker is in the route", func() error {
					return registered(ns.addr(), c.set, b)
				})
				t.Logf("registered after %v", took)
				checkClusterInfo(t, ns, c.set, b)
				waitFor(t, soon, "its registration is answered", func() error {
					_, err := wire.answered(codeRegisterBroker)
					return err
				})
			})

			t.Run("mqadmin 4.3.0 clusterList prints it", func(t *testing.T) {
				newMQAdmin(t, dir, version, ns.addr()).listsBrokers(t, b)
			})

			t.Run("SIGTERM unregisters it", func(t *testing.T) {
				wire.hold()
				b.terminate(t)
				waitFor(t, brokerDown, "the broker's unregistration is answered", func() error {
					_, err := wire.answered(codeUnregisterBroker)
					return err
				})
				waitFor(t, soonAfterUnregister, "the broker is gone", func() error {
					return errors.Join(routeGone(ns.addr(), c.set), brokerSetGone(ns.addr(), c.set))
				})
				b.waitGone(t, brokerDown)
			})
		})
	}

	t.Run("the name server ends on SIGTERM", func(t *testing.T) {
		ns.stop(t)
	})
}

// step runs a subtest without which the rest of t makes no sense.
func step(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	if !t.Run(name, f) {
		t.FailNow()
	}
}

// A sideBySide runs subtests side by side, in the place that their test has among those
// that run. With t.Parallel they would wait behind all tests that have no place yet, and
// the brokers of their test beside those of the others.
type sideBySide struct {
	all    sync.WaitGroup
	places chan struct{}
}

// atOnce is how many subtests of a test run.
const atOnce = 2

// run starts a subtest when there is a place for it.
func (s *sideBySide) run(t *testing.T, name string, f func(*testing.T)) {
	if s.places == nil {
		s.places = make(chan struct{}, atOnce)
	}
	s.places <- struct{}{}
	s.all.Go(func() {
		defer func() { <-s.places }()
		t.Run(name, f)
	})
}

// wait waits until all have ended, which must be before their test does.
func (s *sideBySide) wait() { s.all.Wait() }

// workDir returns a directory for the files of one test.
func workDir(t *testing.T) string {
	t.Helper()
	keep := os.Getenv("GONAMESRV_INTEROP_KEEP")
	if keep == "" {
		return t.TempDir()
	}
	keep, err := filepath.Abs(keep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(keep, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(keep, strings.ReplaceAll(t.Name(), "/", "-")+"-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkClusterInfo fails the test unless the cluster info names the broker set
// with exactly these members.
func checkClusterInfo(t *testing.T, ns *namesrv, set string, members ...*broker) {
	t.Helper()
	info, err := askClusterInfo(ns.addr())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, b := range members {
		want = append(want, b.member())
	}
	if got := info.BrokerAddrTable[set].members(); !slices.Equal(got, want) {
		t.Errorf("brokerAddrTable of %s: got %q, want %q", set, got, want)
	}
	if got := info.BrokerAddrTable[set].Cluster; got != cluster {
		t.Errorf("cluster of %s: got %q, want %q", set, got, cluster)
	}
	if got := info.ClusterAddrTable[cluster]; !slices.Contains(got, set) {
		t.Errorf("clusterAddrTable of %s: got %q, want %q in it", cluster, got, set)
	}
}

// checkDialects fails the test unless the broker ids are bare integers for an
// asker below version 401, which is what Go clients need, and strings for
// others.
func checkDialects(t *testing.T, ns *namesrv, topic string, master, slave *broker) {
	t.Helper()
	for _, c := range []struct {
		asker   string
		version int
		want    string
	}{
		{"the Go client, version 317", versionOldGo, fmt.Sprintf(`"brokerAddrs":{0:%q,1:%q}`, master.addr(), slave.addr())},
		{"a 5.3.3 client, version 479", versionNew, fmt.Sprintf(`"brokerAddrs":{"0":%q,"1":%q}`, master.addr(), slave.addr())},
	} {
		body, err := askRouteText(ns.addr(), topic, c.version)
		if err != nil {
			t.Errorf("%s: %v", c.asker, err)
			continue
		}
		if !bytes.Contains(body, []byte(c.want)) {
			t.Errorf("%s: got %s, want %s in it", c.asker, body, c.want)
		}
	}
}

// topicQueues returns nil if the route of the topic offers these queues.
func topicQueues(namesrv, topic, set string, read, write int) error {
	route, err := askRoute(namesrv, topic)
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return route.hasQueues(set, read, write)
}

// hasQueues returns nil if the broker set offers these readable and writable
// queues.
func (r topicRoute) hasQueues(set string, read, write int) error {
	want := queueData{BrokerName: set, Perm: 6, ReadQueueNums: read, WriteQueueNums: write}
	if !slices.Contains(r.QueueDatas, want) {
		return fmt.Errorf("queueDatas: got %+v, want %+v in it", r.QueueDatas, want)
	}
	return nil
}
