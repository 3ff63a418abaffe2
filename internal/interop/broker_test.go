//go:build interop

package interop

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

const cluster = "DefaultCluster"

// A broker is a real Java broker.
type broker struct {
	*process
	version string
	name    string // of the broker set
	id      int
	ip      string // it registers
	port    int
	home    string
	store   string

	owner *testing.T // the test with which the broker ends, also after a restart in a subtest
	argv  []string
}

// A brokerSpec says which broker to start; what is not here is the same for
// all brokers of the suite.
type brokerSpec struct {
	version string
	name    string
	id      int      // 0 is the master, others are slaves
	ip      string   // to register; empty is 127.0.0.1. With another one it listens on 127.0.0.1 only
	namesrv string   // empty: the broker has to find them
	flags   []string // JVM flags
	conf    []string // lines of configuration that override the common ones
	under   []string // what runs its command
}

func (b *broker) addr() string { return fmt.Sprintf("%s:%d", b.ip, b.port) }

func (b *broker) haAddr() string { return fmt.Sprintf("127.0.0.1:%d", b.port+1) }

// member returns the broker as topicRoute.hasBrokers wants it.
func (b *broker) member() string { return fmt.Sprintf("%d %s", b.id, b.addr()) }

// startBroker starts a broker and returns at once.
func startBroker(t *testing.T, dir string, s brokerSpec) *broker {
	t.Helper()
	home := filepath.Join(dir, fmt.Sprintf("%s-%d", s.name, s.id))
	j := newJVM(t, s.version, home)
	j.under = s.under
	b := &broker{
		version: s.version, name: s.name, id: s.id,
		ip:    cmp.Or(s.ip, "127.0.0.1"),
		port:  freePort(t, -2, 0, 1), // -2 is the VIP port, +1 the HA port
		home:  home,
		store: storeFolder(t, s.version, home),
		owner: t,
	}
	conf := filepath.Join(home, "broker.properties")
	writeProperties(t, conf, append(brokerProperties(b, s.namesrv), s.conf...))
	flags := slices.Concat(brokerMemory, s.flags)
	b.argv = j.argv(t, "", flags, "org.apache.rocketmq.broker.BrokerStartup", "-c", conf)
	b.start(t)
	return b
}

// start starts the broker, with what it has stored if it ran before, and
// returns at once.
func (b *broker) start(t *testing.T) {
	t.Helper()
	label := fmt.Sprintf("broker %s %s id %d", b.version, b.name, b.id)
	b.process = startProcess(t, b.owner, label, b.home, []string{"ROCKETMQ_HOME=" + b.home}, b.argv...)
}

// brokerProperties returns what a broker is told. Without a name server it has
// to find one.
func brokerProperties(b *broker, namesrv string) []string {
	role := "ASYNC_MASTER"
	if b.id != 0 {
		role = "SLAVE"
	}
	lines := []string{
		"brokerClusterName=" + cluster,
		"brokerName=" + b.name,
		fmt.Sprintf("brokerId=%d", b.id),
		"brokerRole=" + role,
		"flushDiskType=ASYNC_FLUSH",
		"brokerIP1=" + b.ip,
		"brokerIP2=127.0.0.1",
		fmt.Sprintf("listenPort=%d", b.port),
		fmt.Sprintf("haListenPort=%d", b.port+1),
		"registerNameServerPeriod=10000", // the smallest allowed
		"autoCreateTopicEnable=true",
		"storePathRootDir=" + b.store,
		"storePathCommitLog=" + b.commitLog(),
		// Small files. 4.3.0 spells the first two without the second p.
		"mappedFileSizeCommitLog=16777216",
		"mappedFileSizeConsumeQueue=60000",
		"mapedFileSizeCommitLog=16777216",
		"mapedFileSizeConsumeQueue=60000",
		"maxHashSlotNum=4000",
		"maxIndexNum=1000",
		"diskMaxUsedSpaceRatio=95",
		// A busy machine must not look like a busy broker, which refuses messages.
		"waitTimeMillsInSendQueue=10000",
		"osPageCacheBusyTimeOutMills=10000",
		// A broker of 5.5.0 looks at the clock without a pause until this has passed, 10 s by default.
		"transactionMetricFlushInterval=200",
		"timerWheelEnable=false",
		"enableCompaction=false",
	}
	if b.ip != "127.0.0.1" {
		lines = append(lines, "bindAddress=127.0.0.1") // its address is somebody else's to listen on
	}
	if namesrv != "" {
		lines = append(lines, "namesrvAddr="+namesrv)
	}
	return lines
}

func (b *broker) commitLog() string { return filepath.Join(b.store, "commitlog") }

// terminate asks the broker to shut down and returns at once.
func (b *broker) terminate(t *testing.T) {
	t.Helper()
	b.signal(t, syscall.SIGTERM)
}

// registered returns nil once the name server's route of the topic named like
// the broker set (every broker brings one) shows exactly these members.
func registered(namesrv, name string, members ...*broker) error {
	for _, b := range members {
		if err := b.stillRuns(); err != nil {
			return err
		}
	}
	route, err := askRoute(namesrv, name)
	if err != nil {
		return err
	}
	var want []string
	for _, b := range members {
		want = append(want, b.member())
	}
	return route.hasBrokers(name, want...)
}

// brokerUp is how long a broker may take from its start to its registration. A
// 5.x broker that has not connected to a name server by the time of its first
// one leaves that out, and comes back to it after 10 s.
const brokerUp = 4 * soon

// storesMessage returns nil if the broker's commit log holds a message with
// this body.
func (b *broker) storesMessage(body string) error {
	entries, err := os.ReadDir(b.commitLog())
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(b.commitLog(), e.Name()))
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte(body)) {
			return nil
		}
	}
	return fmt.Errorf("no message %q in the commit log of %s", body, b.process.name)
}

// storesTopic returns nil if the broker has written the topic to its disk.
func (b *broker) storesTopic(topic string) error {
	text, err := os.ReadFile(filepath.Join(b.store, "config", "topics.json"))
	if err != nil {
		return err
	}
	want := fmt.Sprintf(`"topicName":%q`, topic)
	if !bytes.Contains(text, []byte(want)) {
		return fmt.Errorf("no topic %s in topics.json of %s", topic, b.process.name)
	}
	return nil
}
