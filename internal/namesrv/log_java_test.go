package namesrv_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/logging"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A messageLog remembers the messages that pass to the next handler.
type messageLog struct {
	slog.Handler
	mu   *sync.Mutex
	seen map[string]bool
}

func (m *messageLog) Handle(ctx context.Context, r slog.Record) error {
	m.mu.Lock()
	m.seen[r.Message] = true
	m.mu.Unlock()
	return m.Handler.Handle(ctx, r)
}

// javaLine is what Logstash makes of a line of namesrv.log:
// %{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{NOTSPACE:thread} - %{GREEDYDATA:message}
var javaLine = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (DEBUG|INFO|WARN|ERROR) (\S+) - (\S.*)$`)

// TestJavaLog makes each event happen, and looks for it with the patterns that people
// have for Java's namesrv.log. Java's words are those of the strings in the class
// files of rocketmq-namesrv 5.5.0.
func TestJavaLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kv")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := &logText{}
	stderr := logging.NewQueue(text)
	log, err := logging.Open(logging.Options{Stderr: stderr, Format: logging.Java, Phrase: namesrv.JavaPhrase})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stderr.Close(context.Background()) })
	seen := &messageLog{log.Logger().Handler(), &sync.Mutex{}, map[string]bool{}}
	uptime := time.Duration(0)
	s := startWithLog(t, func(c *namesrv.Config) {
		c.KVConfigPath, c.SelfProtection = filepath.Join(dir, "kvConfig.json"), "off"
		c.NeedWaitForService, c.WaitSecondsForService = true, 3600
		c.DeleteTopicWithBrokerRegistration = true
	}, slog.New(seen), func(s *namesrv.Server) { s.SetUptime(func() time.Duration { return uptime }) })
	c := s.dial(t)
	broker := func(name string, id int64, addr string, topics ...string) nstest.Broker {
		return nstest.Broker{Cluster: "DefaultCluster", Name: name, ID: id, Addr: addr, Topics: topics}
	}
	// A body with other queues, or of another master epoch.
	body := func(epoch, counter int64, queues int32, topics ...string) []byte {
		b := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{StateVersion: epoch, Timestamp: 1, Counter: counter}}
		for _, name := range topics {
			b.Topics = append(b.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: queues, WriteQueueNums: queues, Perm: 6})
		}
		return b.AppendJSON(nil)
	}
	a, b := broker("broker-a", 0, "10.0.0.1:10911", "T1", "T2"), broker("broker-b", 0, "10.0.0.2:10911", "T1", "T3")
	lost := broker("broker-lost", 0, "10.0.0.3:10911", "T1", "T2")
	over := nstest.Dial(t, s.Addr().String())
	const identityA = `BrokerIdentityInfo \[clusterName=DefaultCluster, brokerAddr=10\.0\.0\.1:10911\]`
	const client = `127\.0\.0\.1:\d+`
	for _, tc := range []struct {
		name    string
		happens func()
		want    []string // each in one line more, WARN or INFO in front
	}{
		{"a route too early", func() { c.Do(nstest.Route("T1")) }, []string{`WARN name server not ready. request code 105`}},
		{"configuration", func() { c.Do(updateConfig("needWaitForService=false")) }, []string{
			`INFO updateConfig called by ` + client + `; Replace, key: needWaitForService, value: true -> false`,
			`INFO updateConfig called by (?P<client>\S+)`,
		}},
		{"a refused configuration", func() { c.Do(updateConfig("nobodyKnows=1")) }, []string{`WARN updateConfig called by ` + client}},
		{"a broker", func() { c.Do(a.Register()) }, []string{
			`INFO new broker registered, ` + identityA + ` HAService: 10\.0\.0\.1:109111`,
			`INFO new broker registered, (?P<broker>.+) HAService: (?P<ha>\S+)`,
			`INFO new topic registered, T1, T2`,
			`INFO new topic registered, (?P<topic>\S+)`,
		}},
		{"other queues", func() { c.Do(a.RegisterBody(body(0, 7, 8, "T1", "T2"))) }, []string{`INFO topic changed, T1, T2`, `INFO topic changed, (?P<topic>\S+)`}},
		{"fewer topics", func() { c.Do(a.RegisterBody(body(0, 8, 8, "T1"))) }, []string{`WARN deleteTopic, remove one broker's topic broker-a, 1 topics`}},
		{"a single topic", func() { c.Do(broker("broker-c", 0, "10.0.0.4:10911", "T9").Register()) }, []string{
			`WARN Can't register topicConfigWrapper=\[T9\] because broker\[0\]=10\.0\.0\.4:10911 has not registered\.`,
			`WARN Can't register topicConfigWrapper=`,
		}},
		{"a deposed master", func() {
			c.Do(b.RegisterBody(body(3, 1, 4, "T1", "T3")))
			deposed := broker("broker-b", 0, "10.0.0.9:10911")
			c.Do(deposed.RegisterBody(body(2, 1, 4, "T1", "T3")))
		}, []string{
			`WARN Registering Broker conflicts with the existed one, just ignore\.: Cluster:DefaultCluster, BrokerName:broker-b, BrokerId:0, Old BrokerAddr:10\.0\.0\.2:10911, Old Version:3, New BrokerAddr:10\.0\.0\.9:10911, New Version:2\.`,
		}},
		{"a body that is not what was sent", func() {
			r := a.Register()
			r.Body = append(r.Body, ' ')
			c.Do(r)
		}, []string{`WARN receive registerBroker request,crc32 not match,from ` + client}},
		{"a smaller ID", func() {
			c.Do(broker("broker-d", 2, "10.0.0.6:10911", "T1", "T3").Register())
			c.Do(broker("broker-d", 1, "10.0.0.7:10911", "T1", "T3").Register())
		}, []string{`INFO min broker id changed to 1, notify .*, offline broker addr null`}},
		{"a wipe", func() { c.Do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "broker-a")) }, []string{
			`INFO wipe write perm of broker\[broker-a\], client: ` + client + `, 1`,
			`INFO wipe write perm of broker\[(?P<broker>[^]]+)\], client: (?P<client>\S+), (?P<topics>\d+)`,
		}},
		{"the opposite", func() { c.Do(nstest.Request(codec.ReqAddWritePermOfBroker, "brokerName", "broker-a")) }, []string{
			`INFO add write perm of broker\[broker-a\], client: ` + client + `, 1`,
		}},
		{"a new item", func() {
			c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "ORDER_TOPIC_CONFIG", "key", "T1", "value", "broker-a:4"))
		}, []string{
			`INFO putKVConfig create new config item, Namespace: ORDER_TOPIC_CONFIG Key: T1 Value: broker-a:4`,
			`INFO putKVConfig (create new|update) config item, Namespace: (?P<namespace>\S+) Key: (?P<key>\S+) Value: (?P<value>\S+)`,
		}},
		{"another value", func() {
			c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "ORDER_TOPIC_CONFIG", "key", "T1", "value", "broker-a:8"))
		}, []string{`INFO putKVConfig update config item, Namespace: ORDER_TOPIC_CONFIG Key: T1 Value: broker-a:8`}},
		{"all items", func() { s.LogKVConfig() }, []string{
			`INFO configTable SIZE: 1`,
			`INFO configTable NS: ORDER_TOPIC_CONFIG Key: T1 Value: broker-a:8`,
		}},
		{"no item", func() { c.Do(nstest.Request(codec.ReqDeleteKVConfig, "namespace", "ORDER_TOPIC_CONFIG", "key", "T1")) }, []string{
			`INFO deleteKVConfig delete a config item, Namespace: ORDER_TOPIC_CONFIG Key: T1 Value: broker-a:8`,
		}},
		{"a secret", func() {
			c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "dbPassword", "value", "hunter2"))
		}, []string{`INFO putKVConfig create new config item, Namespace: n Key: dbPassword Value: \*{6}`}},
		{"a topic of an operator", func() {
			r := nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "N")
			r.Body = []byte(`{"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":2,"writeQueueNums":3}]}`)
			c.Do(r)
			c.Do(r)
		}, []string{`INFO Register topic route:N, broker-a:2/3/6`, `INFO Topic route already exist\.N, broker-a:2/3/6`}},
		{"no topic", func() {
			c.Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "N", "clusterName", "DefaultCluster"))
		}, []string{`INFO deleteTopic, remove the topic all queue DefaultCluster N`}},
		{"a name that begins another line", func() {
			c.Do(broker("x\n2026-11-28 07:12:24 ERROR main - persist kvconfig Exception,", 0, "10.0.0.8:1", "T1", "T2").Register())
		}, []string{`INFO new broker registered, .*brokerAddr=10\.0\.0\.8:1\]`}},
		{"a configuration file", func() {
			s.ReloadConfig(func() (namesrv.Config, []namesrv.Note, error) {
				cfg := s.Config()
				cfg.EnableTopicList = false
				return cfg, nil, nil
			})
		}, []string{`INFO Replace, key: enableTopicList, value: true -> false`}},
		{"a farewell", func() { c.Do(broker("broker-d", 1, "10.0.0.7:10911").Unregister()) }, []string{
			`INFO unregisterBroker, remove from brokerLiveTable OK, BrokerIdentityInfo \[clusterName=DefaultCluster, brokerAddr=10\.0\.0\.7:10911\]`,
			`INFO .*unregisterBroker, remove addr from brokerAddrTable OK, (?P<broker>.+\])`,
		}},
		{"a closed connection", func() {
			over.Do(lost.Register())
			over.Close()
		}, []string{
			`INFO the broker's channel destroyed, submit the unregister request at once, broker info: .*brokerAddr=10\.0\.0\.3:10911\], submit result: true`,
			`INFO the broker's channel destroyed`,
			`INFO .*remove from brokerLiveTable OK, .*10\.0\.0\.3:10911`,
			`INFO unregisterBroker, remove name from brokerAddrTable OK, broker-lost`,
			`INFO .*unregisterBroker, remove name from clusterAddrTable OK, broker-lost`,
		}},
		{"silence", func() { s.ScanIn(121 * time.Second) }, []string{
			`WARN The broker channel expired, ` + identityA + ` 120000ms`,
			`WARN The broker channel expired, (?P<broker>.+) (?P<timeout>\d+)ms`,
			`WARN .*the broker's channel destroyed, submit the unregister request at once, broker info: ` + identityA,
			`WARN .*unregisterBroker, remove from brokerLiveTable OK, ` + identityA,
		}},
		{"a disk that fails", func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			c = s.dial(t) // the one before went with its brokers
			c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v"))
		}, []string{`ERROR persist kvconfig Exception, .+`}},
	} {
		before := len(text.String())
		tc.happens()
		for _, want := range tc.want {
			level, message, _ := strings.Cut(want, " ")
			pattern := regexp.MustCompile(`^` + message)
			found := func(line string) bool {
				m := javaLine.FindStringSubmatch(line)
				return m != nil && m[2] == level && m[3] == "main" && pattern.MatchString(m[4])
			}
			nstest.Eventually(t, fmt.Sprintf("%s: a line has %q", tc.name, want), func() bool {
				lines := strings.Split(text.String()[before:], "\n")
				return slices.ContainsFunc(lines[:len(lines)-1], found)
			})
		}
	}
	for line := range strings.Lines(text.String()) {
		if !javaLine.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("line %q is not one of Java's", line)
		}
	}
	if strings.Contains(text.String(), "hunter2") {
		t.Error("a secret is in the log")
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, msg := range namesrv.JavaMessages() {
		if !seen.seen[msg] && msg != "name server serves" { // of the program
			t.Errorf("nothing of the above makes the line %q", msg)
		}
	}
}
