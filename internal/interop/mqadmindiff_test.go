//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// ownKeys are the keys of the configuration that Java does not have.
var ownKeys = []string{
	"routeReadsOnLoop", "drainTimeSeconds", "addressServerPort", "addressServerList", "productNamesrvAddr",
	"rocketmq.namesrv.domain", "rocketmq.namesrv.domain.subgroup",
	"maxConnections", "maxConnectionsPerIp", "requestsPerSecondPerIp", "requestRateMode", "missDamping", "memoryBudget", "firstFrameTimeoutMillis", "frameTimeoutMillis",
	"slowReaderTimeoutMillis", "maxPendingInputSize", "maxPendingOutputSize",
	"maxTopics", "maxBrokers", "maxRouteEntries", "routeCacheBytes",
	"horizonFile", "horizonMode", "horizonCacheBytes",
	"handshakeTimeoutSeconds", "proxyProtocolTrusted", "frameMaxLength", "version",
	"selfProtection", "selfProtectionMaxSeconds", "closeHoldMillis",
	"metricsJavaNames", "metricsMaxBrokers", "logFile", "logLevel", "logFormat", "logFileMaxMegabytes", "logFileMaxBackups",
	"warmStart", "routeSnapshotPath", "warmStartIdentity", "warmStartMaxAgeSeconds", "warmStartLoadMillis", "journalSize", "historyBudget",
	"peerNamesrvAddr", "peerCheckSeconds",
	"adminServerPort", "adminBindAddress", "adminAnonymousLocal", "adminAnonymousRemote", "adminTokenFile", "adminAllowedHosts",
	"adminTlsEnable", "adminMaxConnections", "adminMaxWatchers", "readyMinBrokers", "readyMaxWaitSeconds",
	"accessPreset", "accessMode", "accessFile", "trustLoopback",
	"auditLogPath", "auditLogMaxMegabytes", "auditLogMaxBackups", "auditChain", "auditSync", "auditRequired",
}

// isOwnKey reports whether a line is a key that Java does not list. Those of TLS
// are system properties there.
func isOwnKey(line string) bool {
	return slices.Contains(ownKeys, line) || strings.HasPrefix(line, "tls.")
}

// An adminCommand is one call of mqadmin whose output must be the same for our
// server and a Java one that know the same broker.
type adminCommand struct {
	line    string // CLUSTER, BROKER, ADDR and DIR are replaced
	columns int    // compare so many columns of each line; 0 compares all
	only5   bool   // 4.9.7 does not know it, or trips over a 5.5.0 broker
	says    string // must be in the output, so that two failures do not pass
	ours    string // a difference: what ours must say instead
}

// The commands that need a name server, in an order in which later ones see
// what earlier ones did. Where mqadmin also asks brokers for figures that move,
// only the columns before them are compared.
var adminCommands = []adminCommand{
	{line: "updateTopic -c CLUSTER -t AdminTopic -r 3 -w 2", says: "success"},
	{line: "updateTopic -b ADDR -t GoneTopic -r 1 -w 1", says: "success"},
	{line: "updateTopicPerm -c CLUSTER -t AdminTopic -p 6", says: "success"},
	{line: "updateTopicPerm -c CLUSTER -t NoSuchTopic -p 6"},
	{line: "updateSubGroup -c CLUSTER -g AdminGroup", says: "success"},
	{line: "deleteSubGroup -c CLUSTER -g AdminGroup -r true", says: "success"},

	{line: "clusterList", columns: 4, says: "BROKER"},
	{line: "clusterList -m", columns: 2, says: "BROKER"},
	{line: "clusterList -c CLUSTER", columns: 4, only5: true, says: "BROKER"},
	{line: "clusterList -c NoSuchCluster", only5: true},
	{line: "topicList", says: "AdminTopic"},
	{line: "topicList -c", says: "AdminTopic"},
	{line: "topicRoute -t AdminTopic", says: "ADDR"},
	{line: "topicRoute -t AdminTopic -l", says: "ADDR"},
	{line: "topicRoute -t NoSuchTopic", says: "CODE: 17"},
	{line: "topicRoute -t BROKER", says: "ADDR"},
	{line: "topicClusterList -t AdminTopic", says: "CLUSTER"},
	{line: "topicClusterList -t NoSuchTopic"},
	{line: "topicStatus -t AdminTopic", columns: 2, says: "BROKER"},
	{line: "topicStatus -t NoSuchTopic", says: "CODE: 17"},
	{line: "allocateMQ -t AdminTopic -i 10.0.0.1,10.0.0.2", says: "AdminTopic"},
	{line: "allocateMQ -t NoSuchTopic -i 10.0.0.1", says: "CODE: 17"},
	{line: "brokerStatus -c CLUSTER", columns: 1, says: "putTps"},
	{line: "getBrokerConfig -c CLUSTER", columns: 1, says: "brokerName"},
	{line: "statsAll -t AdminTopic", columns: 1, says: "AdminTopic"},
	{line: "consumerProgress"},
	{line: "consumerProgress -g NoSuchGroup", says: "CODE: 17"},
	{line: "cleanExpiredCQ -c CLUSTER", says: "success"},
	{line: "exportMetadata -c CLUSTER -t true -f DIR", says: "success"},
	{line: "exportConfigs -c CLUSTER -f DIR", only5: true, says: "success"},

	{line: "updateKvConfig -s interop -k key -v value", says: "success"},
	{line: "deleteKvConfig -s interop -k key", says: "success"},
	{line: "deleteKvConfig -s interop -k key", says: "success"},
	{line: "updateOrderConf -t AdminTopic -m get", says: "CODE: 22"},
	{line: "updateOrderConf -t AdminTopic -m put -v BROKER:2", says: "success"},
	{line: "updateOrderConf -t AdminTopic -m get", says: "BROKER:2"},
	{line: "topicRoute -t AdminTopic", says: "BROKER:2"},
	{line: "updateOrderConf -t AdminTopic -m delete", says: "success"},
	{line: "updateOrderConf -t AdminTopic -m get"},
	{line: "topicRoute -t AdminTopic", says: "ADDR"},
	{line: "updateTopic -c CLUSTER -t OrderTopic -o true", says: "success"},
	{line: "updateTopic -b ADDR -t OrderTopic -o true"},
	{line: "topicRoute -t OrderTopic", says: "ADDR"},

	{line: "wipeWritePerm -b BROKER", says: "OK"},
	{line: "wipeWritePerm -b NoSuchBroker", says: "OK, 0"},
	{line: "topicRoute -t BROKER", says: "ADDR"},
	{line: "addWritePerm -b BROKER", says: "OK"},
	{line: "addWritePerm -b NoSuchBroker", says: "OK, 0"},
	{line: "topicRoute -t BROKER", says: "ADDR"},

	{line: "deleteTopic -c CLUSTER -t GoneTopic", says: "success"},
	{line: "deleteTopic -c CLUSTER -t NoSuchTopic", says: "success"},
	{line: "topicRoute -t GoneTopic", says: "CODE: 17"},

	{line: "getNamesrvConfig", columns: 1, says: "listenPort"},
	{line: "updateNamesrvConfig -k productEnvName -v interop", says: "success"},
	{line: "getNamesrvConfig", columns: 1, says: "productEnvName"},
	{line: "updateNamesrvConfig -k kvConfigPath -v elsewhere"},
	// Differences 107.
	{line: "updateNamesrvConfig -k noSuchKey -v value", says: "success", ours: `"noSuchKey" is no key`},
	{line: "updateNamesrvConfig -k listenPort -v letters", says: "success", ours: `listenPort is "letters", must be a whole number`},
}

// TestMQAdmin runs each command of mqadmin that needs a name server against
// ours and against a Java one. One broker has both in its list, so both must
// make mqadmin print the same.
func TestMQAdmin(t *testing.T) {
	needTools(t)
	t.Parallel()
	const version, set = "5.5.0", "broker-a"
	dir := workDir(t)
	const conf = "orderMessageEnable=true" // puts order configurations into routes
	ns := startNamesrvOf(t, filepath.Join(dir, "subject"), reference, conf)
	java := startNamesrvOf(t, filepath.Join(dir, "java"), version, conf)
	b := startBroker(t, dir, brokerSpec{
		version: version, name: set, namesrv: ns.addr() + ";" + java.addr(),
		conf: []string{"timerWheelEnable=true"}, // without it 5.5.0 fails to delete topics
	})
	step(t, "a broker registers with both name servers", func(t *testing.T) {
		waitFor(t, brokerUp, "the broker is in both routes", func() error {
			if err := registered(ns.addr(), set, b); err != nil {
				return err
			}
			return registered(java.addr(), set, b)
		})
	})
	for _, tool := range []string{"5.5.0", "4.9.7"} {
		t.Run("mqadmin "+tool+" prints the same for both", func(t *testing.T) {
			checkAdminTool(t, filepath.Join(dir, "tool-"+tool), tool, ns, java, b)
		})
	}
}

// checkAdminTool runs the commands with one release of mqadmin.
func checkAdminTool(t *testing.T, dir, tool string, ns, java *namesrv, b *broker) {
	var todo []adminCommand
	for _, c := range adminCommands {
		if !c.only5 || strings.HasPrefix(tool, "5.") {
			todo = append(todo, c)
		}
	}
	words := strings.NewReplacer("CLUSTER", cluster, "BROKER", b.name, "ADDR", b.addr(), "DIR", dir)
	var lines []string
	for _, c := range todo {
		verb, args, _ := strings.Cut(words.Replace(c.line), " ")
		for _, addr := range []string{ns.addr(), java.addr()} {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s -n %s %s", verb, addr, args)))
		}
	}
	printed := runAdminBatch(t, dir, tool, lines)
	for i, c := range todo {
		t.Run(c.line, func(t *testing.T) {
			ours := c.normalise(printed[2*i], ns.addr())
			ours = slices.DeleteFunc(ours, isOwnKey)
			theirs := c.normalise(printed[2*i+1], java.addr())
			if c.ours != "" {
				if !strings.Contains(printed[2*i], c.ours) {
					t.Errorf("%s: no %q in\n%s", c.line, c.ours, printed[2*i])
				}
			} else if !slices.Equal(ours, theirs) {
				t.Errorf("%s: got for the name server under test:\n%s\nwant, as for the Java one:\n%s",
					c.line, strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
			}
			if want := words.Replace(c.says); !strings.Contains(printed[2*i+1], want) {
				t.Errorf("%s: no %q in what it prints for the Java name server:\n%s", c.line, want, printed[2*i+1])
			}
		})
	}
}

// runAdminBatch runs commands in one JVM and returns what each has printed. If
// one has timed out, which only a very busy machine brings about, all are run
// again.
func runAdminBatch(t *testing.T, dir, version string, commands []string) []string {
	t.Helper()
	return runAdminBatchIn(t, newJVM(t, version, dir), dir, version, commands)
}

// runAdminBatchIn is runAdminBatch in a JVM that is ready.
func runAdminBatchIn(t *testing.T, j jvm, dir, version string, commands []string) []string {
	t.Helper()
	// What 4.x logs must not mix with what it prints.
	writeFile(t, filepath.Join(dir, "conf", "logback_tools.xml"), `<configuration><root level="OFF"/></configuration>`)
	classes := compileJava(t, j, "Admin")
	file := filepath.Join(dir, "commands")
	writeFile(t, file, strings.Join(commands, "\n")+"\n")
	argv := j.argv(t, classes, toolMemory, "Admin", file)
	for tries := 3; ; tries-- {
		printed := runAdmin(t, dir, version, argv, file, commands)
		if tries == 1 || !slices.ContainsFunc(printed, func(out string) bool { return strings.Contains(out, "RemotingTimeoutException") }) {
			return printed
		}
		t.Logf("a command of mqadmin %s has timed out", version)
	}
}

// runAdmin runs Admin.java once.
func runAdmin(t *testing.T, dir, version string, argv []string, file string, commands []string) []string {
	t.Helper()
	out, state := run(t, 5*time.Minute, "mqadmin "+version, dir, argv...)
	if !state.Success() {
		t.Fatalf("mqadmin %s: %v\n%s", version, state, out)
	}
	var printed []string
	for i := range commands {
		text, err := os.ReadFile(fmt.Sprintf("%s.%d", file, i))
		if err != nil {
			t.Fatalf("mqadmin %s: %s: %v", version, commands[i], err)
		}
		printed = append(printed, string(text))
	}
	return printed
}

// moving is what differs between two runs of one command: clocks, and object
// hashes and lambda numbers in stack traces.
var moving = regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d([.,]\d+)?|\b\d{13}\b|@[0-9a-f]{5,8}\b|\$\$Lambda\S*`)

var logbackStatus = regexp.MustCompile(`^\S+ \|-(INFO|WARN) in `)

// normalise returns the lines of an output as they are compared: sorted, since
// Java lists in hash order, without the address of the name server and without
// what moves or what logback says of itself.
func (c adminCommand) normalise(out, namesrv string) []string {
	out = strings.ReplaceAll(out, namesrv, "NAMESRV")
	out = moving.ReplaceAllString(out, "*")
	var lines []string
	for line := range strings.Lines(out) {
		if logbackStatus.MatchString(line) {
			continue
		}
		line = strings.TrimRight(line, " \r\n")
		if f := strings.Fields(line); c.columns > 0 && len(f) > c.columns {
			line = strings.Join(f[:c.columns], " ")
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}
