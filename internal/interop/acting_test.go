//go:build interop

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestActingMaster kills the master of a real broker set, so that its slave acts
// for it, and brings it back. The brokers have our server and a Java one in
// their list: both must give the same routes and tell the slave the same
// (NOTIFY_MIN_BROKER_ID_CHANGE, 905). The slave registers the address of a tap,
// which sees what it is told.
func TestActingMaster(t *testing.T) {
	needTools(t)
	t.Parallel()
	const version, set, topic = "5.5.0", "broker-a", "ActingTopic"
	const memberTopic = syncTopic + set
	dir := workDir(t)
	conf := []string{"supportActingMaster=true", "notifyMinBrokerIdChanged=true"}
	ns := startNamesrvOf(t, filepath.Join(dir, "subject"), reference, conf...)
	java := startNamesrvOf(t, filepath.Join(dir, "java"), version, conf...)
	servers := []*namesrv{ns, java}

	spec := brokerSpec{
		version: version, name: set, namesrv: strings.Join(addrs(servers), ";"),
		conf: []string{
			"enableSlaveActingMaster=true",
			"brokerNotActiveTimeoutMillis=60000",   // a busy machine must not look like a dead broker
			"syncBrokerMemberGroupPeriod=86400000", // the slave knows what it is told, and does not ask
		},
	}
	// shows returns nil if every server shows this permission and these members
	// in the route of a topic, these members to brokers, and the servers agree.
	shows := func(topic string, perm int, members, toBrokers []string) error {
		errs := []error{sameRoutes(servers, topic, memberTopic)}
		for _, ns := range servers {
			route, err := askRoute(ns.addr(), topic)
			if err == nil {
				err = route.hasBrokers(set, members...)
			}
			if err == nil && (len(route.QueueDatas) != 1 || route.QueueDatas[0].Perm != perm) {
				err = fmt.Errorf("queueDatas: got %+v, want one with perm %d", route.QueueDatas, perm)
			}
			errs = append(errs, err)
			if route, err = askRoute(ns.addr(), memberTopic); err == nil {
				err = route.hasBrokers(set, toBrokers...)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}

	master := startBroker(t, dir, spec)
	spec.id, spec.ip = 1, "127.0.0.2"
	slave := startBroker(t, dir, spec)
	wire := startTapAt(t, slave.addr(), fmt.Sprintf("127.0.0.1:%d", slave.port))
	both := []string{master.member(), slave.member()}
	step(t, "a master and a slave register", func(t *testing.T) {
		took := waitFor(t, brokerUp, "both are in the routes", func() error {
			return errors.Join(registered(ns.addr(), set, master, slave), registered(java.addr(), set, master, slave))
		})
		t.Logf("registered after %v", took)
		goCreateTopic(t, ns.addr(), master, topic)
		waitFor(t, soon, "the new topic has the same route everywhere", func() error {
			return errors.Join(shows(topic, 6, both, both), shows(set, 7, both, both))
		})
	})

	step(t, "kill -9 of the master makes the slave act for it", func(t *testing.T) {
		acts := fmt.Sprintf(", new 1-%s", slave.addr())
		before := strings.Count(slave.log(), acts)
		master.kill(t)
		took := waitFor(t, soonAfterLoss, "the slave is shown in the master's place", func() error {
			return shows(topic, 4, []string{"0 " + slave.addr()}, []string{slave.member()})
		})
		t.Logf("acting after %v", took)
		checkClusterInfo(t, ns, set, slave)
		checkTold(t, wire, slave, map[string]string{
			"minBrokerId": "1", "minBrokerAddr": slave.addr(), "offlineBrokerAddr": master.addr(),
		})
		slave.logs(t, acts, before+1)
	})

	step(t, "a restarted name server shows the acting master at its next registration", func(t *testing.T) {
		ns.stop(t)
		ns.start(t)
		// Not the other topic, which the slave copies from its master once a minute.
		waitFor(t, afterRestart, "the slave is shown in the master's place", func() error {
			return shows(set, 5, []string{"0 " + slave.addr()}, []string{slave.member()})
		})
	})

	step(t, "the master comes back", func(t *testing.T) {
		master.start(t)
		took := waitFor(t, brokerUp, "both are in the routes", func() error {
			if err := master.stillRuns(); err != nil {
				return err
			}
			return errors.Join(shows(topic, 6, both, both), shows(set, 7, both, both))
		})
		t.Logf("back after %v", took)
		checkClusterInfo(t, ns, set, master, slave)
		checkTold(t, wire, slave, map[string]string{
			"minBrokerId": "0", "minBrokerAddr": master.addr(), "haBrokerAddr": master.haAddr(),
		})
		slave.logs(t, fmt.Sprintf("Min broker changed, old: 1-%s, new 0-%s", slave.addr(), master.addr()), 1)
	})

	t.Run("the slave has read all it was told", func(t *testing.T) {
		waitFor(t, soon, "its log has a line for each notice", func() error {
			told := len(wire.asked(codeNotifyMinBrokerIDChange))
			if read := strings.Count(slave.log(), "min broker id changed, prev "); read != told {
				return fmt.Errorf("it was told %d times and has read %d", told, read)
			}
			return nil
		})
	})
}

// checkTold fails the test unless both name servers tell the slave this. Ours
// is known by the release it names.
func checkTold(t *testing.T, wire *tap, slave *broker, want map[string]string) {
	t.Helper()
	waitFor(t, soon, "both name servers have told the slave", func() error {
		var ours, java []map[string]string
		for _, x := range wire.asked(codeNotifyMinBrokerIDChange) {
			if x.version == versionNew || reference != "" {
				ours = append(ours, x.sent)
			}
			if x.version != versionNew {
				java = append(java, x.sent)
			}
			if !x.oneway {
				return hopeless{errors.New("a notice wants a reply")}
			}
		}
		told := func(ext map[string]string) bool { return maps.Equal(ext, want) }
		if !slices.ContainsFunc(ours, told) || !slices.ContainsFunc(java, told) {
			return fmt.Errorf("want %v; the name server under test has sent %v, the Java one %v", want, ours, java)
		}
		return nil
	})
}

// log returns the log of a 5.x broker.
func (b *broker) log() string {
	text, err := os.ReadFile(filepath.Join(b.home, "logs", "rocketmqlogs", "broker.log"))
	if err != nil {
		return err.Error()
	}
	return string(bytes.ToValidUTF8(text, nil))
}

// logs waits until the broker has logged a text so many times.
func (b *broker) logs(t *testing.T, text string, times int) {
	t.Helper()
	waitFor(t, soon, "the broker logs what it does", func() error {
		if n := strings.Count(b.log(), text); n < times {
			return fmt.Errorf("%q is in the log of %s %d times, want %d", text, b.process.name, n, times)
		}
		return nil
	})
}
