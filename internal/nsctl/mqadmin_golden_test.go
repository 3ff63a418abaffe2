package nsctl

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// recordMQAdmin is how RocketMQ's mqadmin is run: with it, TestMQAdminGolden writes what it
// prints into testdata/mqadmin, in place of comparing. GONAMESRV_MQADMIN_RELEASE is its
// release. TestNsctlAliases in internal/interop compares both against a real cluster.
var recordMQAdmin = flag.String("record-mqadmin", "", "command line of RocketMQ's mqadmin, up to the command")

// An aliasCase is a command line of mqadmin, which ours must print the same for.
type aliasCase struct {
	line   string // SERVER is the name server, TOLD one that tells its configuration
	code   int    // how ours ends
	says   string // must be in what ours says on stderr
	only5  bool   // 4.9.7 does not have it
	apart  bool   // 5.5.0 and 4.9.7 print different things, and we go with 5.5.0
	sorted bool   // mqadmin lists in the order of a hash table, we in ascending order
}

var aliasCases = []aliasCase{
	{line: "clusterList -n SERVER", code: exitSome, says: "127.0.0.1:1: broker broker-a with ID 1: dial tcp", apart: true},
	{line: "clusterList -n SERVER -m", code: exitSome, says: "127.0.0.1:1: broker broker-a with ID 1: dial tcp"},
	{line: "clusterList --namesrvAddr SERVER --moreStats", code: exitSome, says: "127.0.0.1:1: broker broker-a with ID 1: dial tcp"},
	{line: "clusterList -n SERVER -c c1", code: exitSome, says: "127.0.0.1:1: broker broker-a with ID 1: dial tcp", only5: true},
	{line: "clusterList -n SERVER -m --clusterName nothing", only5: true},
	{line: "topicList -n SERVER", sorted: true},
	{line: "topicList -n SERVER -c", code: exitSome, says: "127.0.0.1:1: dial tcp", sorted: true},
	{line: "topicRoute -n SERVER -t ORDERS", apart: true},
	{line: "topicRoute -n SERVER -t ORDERS -l"},
	{line: "topicRoute -n SERVER --topic ONLY-B --list"},
	{line: "topicRoute -n SERVER -t ONLY-B", apart: true},
	{line: "topicRoute -n SERVER -t nothing", code: exitNo, says: "topic nothing is not routed on SERVER"},
	{line: "topicClusterList -n SERVER -t ORDERS"},
	{line: "topicClusterList -n SERVER -t ONLY-B"},
	{line: "topicClusterList -n SERVER -t nothing", code: exitNo, says: "topic nothing is not routed on SERVER"},
	{line: "updateKvConfig -n SERVER -s space -k key -v value"},
	{line: "deleteKvConfig -n SERVER -s space -k key"},
	{line: "deleteKvConfig -n SERVER -s space -k key", code: exitNo, says: "there is no key key in namespace space on SERVER"},
	{line: "updateOrderConf -n SERVER -t ORDERS -m get", code: exitNo, says: "there is no key ORDERS in namespace ORDER_TOPIC_CONFIG on SERVER"},
	{line: "updateOrderConf -n SERVER -t ORDERS -m put -v broker-a:4;broker-b:4"},
	{line: "updateOrderConf -n SERVER -t ORDERS -m get"},
	{line: "topicRoute -n SERVER -t ORDERS", apart: true},
	{line: "updateOrderConf -n SERVER -t ORDERS -m put", code: exitUsage, says: "please set orderConf with option -v."},
	{line: "updateOrderConf -n SERVER -t ORDERS -m delete"},
	{line: "updateOrderConf -n SERVER -t ORDERS -m list", code: exitUsage},
	{line: "wipeWritePerm -n SERVER -b broker-b"},
	{line: "topicRoute -n SERVER -t ONLY-B -l"},
	{line: "wipeWritePerm -n SERVER -b nobody", code: exitNo, says: "there is no broker nobody on SERVER"},
	{line: "addWritePerm -n SERVER -b broker-b"},
	{line: "addWritePerm -n SERVER -b nobody", code: exitNo, says: "there is no broker nobody on SERVER"},
	{line: "getNamesrvConfig -n TOLD", sorted: true},
	{line: "updateNamesrvConfig -n TOLD -k productEnvName -v center"},
	{line: "updateNamesrvConfig -n SERVER -k noSuchKey -v 1", code: exitRefused, says: `"noSuchKey" is no key`},
	{line: "topicRoute -n SERVER", code: exitUsage, says: "Missing required option: t"},
	{line: "updateKvConfig -n SERVER -k key", code: exitUsage, says: "Missing required options: s, v"},
	{line: "clusterList -h", apart: true},
	{line: "topicList -h"},
	{line: "topicRoute --help"},
	{line: "topicClusterList -h"},
	{line: "updateKvConfig -h"},
	{line: "deleteKvConfig -h"},
	{line: "updateOrderConf -h"},
	{line: "wipeWritePerm -h"},
	{line: "addWritePerm -h"},
	{line: "getNamesrvConfig -h"},
	{line: "updateNamesrvConfig -h"},
	{line: "deleteTopic -h"},
	{line: "help topicRoute"},
	{line: "help updateOrderConf"},
}

// TestMQAdminGolden: our aliases print what mqadmin of 5.5.0 and 4.9.7 have printed for the
// same servers, byte for byte.
func TestMQAdminGolden(t *testing.T) {
	broker := fakeServer(t, codec.Version, mqadminBroker)
	addr := startServer(t, func(c *namesrv.Config) { c.OrderMessageEnable = true })
	config := fakeServer(t, codec.Version, mqadminConfig)
	if len(addr) != len(goldenServer) || len(broker) != len(goldenBroker) {
		t.Skip("the columns of a table are as wide as the addresses, and ports here have fewer than five digits")
	}
	for _, b := range []nstest.Broker{
		{Cluster: "c1", Name: "broker-a", Addr: broker, Counter: 7, Topics: []string{"broker-a", "ORDERS", "%RETRY%g", "größe"}, Fields: []string{"__ZONE_NAME", "zone-1"}},
		{Cluster: "c1", Name: "broker-a", Addr: deadServer, ID: 1, Counter: 7, Topics: []string{"broker-a", "ORDERS", "%RETRY%g", "größe"}, Fields: []string{"__ZONE_NAME", "zone-1"}},
		{Cluster: "c1", Name: "broker-b", Addr: deadServer, Counter: 1, Topics: []string{"broker-b", "ORDERS", "ONLY-B"}},
	} {
		register(t, addr, b)
	}
	real := strings.NewReplacer("SERVER", addr, "TOLD", config)
	shown := strings.NewReplacer(addr, goldenServer, config, goldenConfig, broker, goldenBroker)
	if *recordMQAdmin != "" {
		recordAliases(t, real, shown)
		return
	}
	for i, c := range aliasCases {
		t.Run(c.line, func(t *testing.T) {
			args := strings.Fields(real.Replace(c.line))
			code, got, errs := runMQAdmin(t, args...)
			if want := real.Replace(c.says); code != c.code || !strings.Contains(errs, want) {
				t.Errorf("exit %d, want %d and %q: %s", code, c.code, want, errs)
			}
			got = c.normal(shown.Replace(got))
			if strings.HasPrefix(c.says, "Missing") {
				command, _, _ := strings.Cut(c.line, " ")
				_, help, _ := runMQAdmin(t, "help", command)
				if got != help {
					t.Errorf("prints\n%s\nwant its help", got)
				}
				return
			}
			for _, release := range []string{"5.5.0", "4.9.7"} {
				if release != "5.5.0" && (c.only5 || c.apart) {
					continue
				}
				text, err := os.ReadFile(goldenAlias(release, i))
				if err != nil {
					t.Fatal(err)
				}
				if want := c.normal(string(text)); got != want {
					t.Errorf("got\n%s\nwant, as mqadmin %s prints:\n%s", got, release, want)
				}
			}
		})
	}
}

// The addresses in testdata, which have as many bytes as those of servers.
const (
	goldenServer = "namesrv:0123456"
	goldenConfig = "configs:0123456"
	goldenBroker = "brokers:0123456"
)

func goldenAlias(release string, i int) string {
	words := strings.FieldsFunc(aliasCases[i].line, func(r rune) bool { return strings.ContainsRune(" -;:", r) })
	return filepath.Join("testdata", "mqadmin", release, fmt.Sprintf("%02d-%s.txt", i, words[0]))
}

func (c *aliasCase) normal(out string) string {
	if !c.sorted {
		return out
	}
	lines := strings.SplitAfter(out, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// recordAliases writes what mqadmin prints for all cases, one after the other in one JVM:
// the command line ends with the name of the file that has them, and the output of line i
// goes to that name with .i behind it, as with Admin.java in internal/interop. Help is asked
// for by "help COMMAND", which prints the same and does not end the JVM.
func recordAliases(t *testing.T, real, shown *strings.Replacer) {
	t.Helper()
	release := os.Getenv("GONAMESRV_MQADMIN_RELEASE")
	file := filepath.Join(t.TempDir(), "commands")
	var lines []string
	var numbers []int
	for i, c := range aliasCases {
		if (c.only5 || c.apart) && release != "5.5.0" || strings.HasPrefix(c.says, "Missing") {
			continue
		}
		line := real.Replace(c.line)
		if command, help := strings.CutSuffix(strings.Replace(line, "--help", "-h", 1), " -h"); help {
			line = "help " + command
		}
		lines, numbers = append(lines, line), append(numbers, i)
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := append(strings.Fields(*recordMQAdmin), file)
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for n, i := range numbers {
		text, err := os.ReadFile(fmt.Sprintf("%s.%d", file, n))
		if err != nil {
			t.Fatal(err)
		}
		golden := goldenAlias(release, i)
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(shown.Replace(string(text))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mqadminBroker answers what mqadmin asks brokers.
func mqadminBroker(r *codec.Command) *codec.Reply {
	switch r.Code {
	case reqGetBrokerRuntimeInfo:
		earliest := time.Now().Add(-90 * time.Minute).UnixMilli()
		return &codec.Reply{Body: []byte(`{"table":{"brokerActive":"true","putTps":"12.345 1.0 2.0","getTransferredTps":"0.125 1.0","getTransferedTps":"0.125 1.0",` +
			`"sendThreadPoolQueueSize":"3","pullThreadPoolQueueSize":"4","ackThreadPoolQueueSize":"5","sendThreadPoolQueueHeadWaitTimeMills":"6",` +
			`"pullThreadPoolQueueHeadWaitTimeMills":"7","ackThreadPoolQueueHeadWaitTimeMills":"8","pageCacheLockTimeMills":"9","commitLogDiskRatio":"0.43215",` +
			`"timerReadBehind":"1","timerOffsetBehind":"2","timerCongestNum":"12500","timerEnqueueTps":"0.25","timerDequeueTps":"1.05",` +
			`"earliestMessageTimeStamp":"` + strconv.FormatInt(earliest, 10) + `","brokerVersionDesc":"V5_5_0",` +
			`"msgPutTotalYesterdayMorning":"1","msgPutTotalTodayMorning":"100","msgPutTotalTodayNow":"1100",` +
			`"msgGetTotalYesterdayMorning":"2","msgGetTotalTodayMorning":"40","msgGetTotalTodayNow":"12345678901"}}`)}
	case reqQueryTopicConsumeByWho:
		if topic, _ := r.Ext.Get("topic"); string(topic) == "ORDERS" {
			return &codec.Reply{Body: []byte(`{"groupList":["group-a","` + strings.Repeat("g", 70) + `"]}`)}
		}
		return &codec.Reply{Body: []byte(`{"groupList":[]}`)}
	}
	return &codec.Reply{Code: codec.RespRequestCodeNotSupported}
}

// mqadminConfig answers as a name server does that is asked for its configuration.
func mqadminConfig(r *codec.Command) *codec.Reply {
	switch r.Code {
	case codec.ReqGetNamesrvConfig:
		return &codec.Reply{Body: []byte("listenPort=9876\nproductEnvName=center\nkvConfigPath=/root/namesrv/kvConfig.json\n" +
			"anEmptyOne=\nscanNotActiveBrokerIntervalThatIsLongerThanFiftyBytes=5000\n")}
	case codec.ReqUpdateNamesrvConfig:
		return &codec.Reply{}
	}
	return &codec.Reply{Code: codec.RespRequestCodeNotSupported}
}

// runMQAdmin runs the program under the name mqadmin.
func runMQAdmin(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = RunMQAdmin(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}
