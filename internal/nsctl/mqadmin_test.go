package nsctl

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// TestMQAdminName: under the name mqadmin there are its commands for name servers, in any
// case, and no others.
func TestMQAdminName(t *testing.T) {
	for name, want := range map[string]bool{"mqadmin": true, "/usr/bin/mqadmin": true, "nsctl": false, "bin/nsctl": false, "mqadmin2": false} {
		if IsMQAdmin(name) != want {
			t.Errorf("IsMQAdmin(%q) is not %v", name, want)
		}
	}
	addr := startServer(t, nil)
	register(t, addr, brokerB)
	for _, tc := range []struct {
		args []string
		code int
		says string // on stdout or stderr
	}{
		{[]string{"topicroute", "-n", addr, "-t", "ONLY-B"}, exitYes, `"brokerName":"broker-b"`},
		{[]string{"TOPICLIST", "-n", addr}, exitYes, "ONLY-B\n"},
		{nil, exitYes, "   topicRoute                          Examine topic route info.\n"},
		{[]string{"help"}, exitYes, "   topicRoute                          Examine topic route info.\n"},
		{[]string{"help", "TopicRoute"}, exitYes, "usage: mqadmin topicRoute [-h] [-l]"},
		{[]string{"topicList", "-h"}, exitYes, "See also nsctl topic list.\n"},
		{[]string{"consumerProgress", "-n", addr}, exitUsage, "nsctl: consumerProgress is not a command for name servers; use RocketMQ's mqadmin\n"},
		{[]string{"help", "consumerProgress"}, exitUsage, "nsctl: consumerProgress is not a command for name servers; use RocketMQ's mqadmin\n"},
		{[]string{"status", "-n", addr}, exitUsage, "nsctl: status is not a command for name servers; use RocketMQ's mqadmin\n"},
		{[]string{"\x1b[2J"}, exitUsage, `nsctl: \u001b[2J is not a command`},
		{[]string{"deleteTopic", "-n", addr, "-t", "ONLY-B", "-c", "c2"}, exitUsage, "nsctl topic delete ONLY-B --cluster c2\n"},
		{[]string{"topicRoute", "-n", addr, "-topic", "ONLY-B"}, exitUsage, "unknown command \"ONLY-B\""},
		{[]string{"topicList", "-n", addr, "-o", "json"}, exitUsage, "prints what mqadmin prints"},
		{[]string{"topicList", "-n", addr, "-w", "1s"}, exitUsage, "prints what mqadmin prints"},
		{[]string{"clusterList", "-n", addr, "-i", "0"}, exitUsage, "must be a number of seconds"},
		{[]string{"updateOrderConf", "-n", addr, "-t", "T", "-m", "put", "-v", "b:1;"}, exitUsage, "without a semicolon in the end"},
		{[]string{"updateKvConfig", "-n", addr, "-s", "ORDER_TOPIC_CONFIG", "-k", "T", "-v", "b"}, exitUsage, "an order configuration is"},
		{[]string{"topicRoute", "-n", "nonsense", "-t", "T"}, exitUsage, "is not host:port"},
	} {
		code, out, errs := runMQAdmin(t, tc.args...)
		if code != tc.code || !strings.Contains(out+errs, tc.says) {
			t.Errorf("%q: exit %d, want %d and %q:\n%s%s", tc.args, code, tc.code, tc.says, out, errs)
		}
	}
	// As commands of nsctl they are there, and not listed.
	if code, out, errs := run(t, "topicList", "-n", addr); code != exitYes || !strings.Contains(out, "ONLY-B\n") {
		t.Errorf("nsctl topicList: exit %d, %s%s", code, out, errs)
	}
	if _, out, _ := run(t, "--help"); strings.Contains(out, "topicList") {
		t.Errorf("nsctl --help lists topicList:\n%s", out)
	}
}

// TestMQAdminServers: what reads goes to the first server that answers, what writes to all;
// the exit code says who has failed.
func TestMQAdminServers(t *testing.T) {
	first, second := startServer(t, nil), startServer(t, nil)
	register(t, first, brokerB)
	both, half, none := first+";"+second, deadServer+";"+first, deadServer
	for _, tc := range []struct {
		line      string
		code      int
		out, says string
	}{
		{"topicClusterList -n " + both + " -t ONLY-B", exitYes, "c2\n", ""},
		{"topicClusterList -n " + half + " -t ONLY-B", exitSome, "c2\n", deadServer + ": dial"},
		{"topicClusterList -n " + half + " -t nothing", exitSome, "", "topic nothing is not routed on " + first},
		{"topicClusterList -n " + none + " -t ONLY-B", exitNobody, "", deadServer + ": dial"},
		{"updateKvConfig -n " + both + " -s s -k k -v v", exitYes, "create or update kv config to namespace success.\n", ""},
		{"updateKvConfig -n " + half + " -s s -k k -v w", exitSome, "", deadServer + ": dial"},
		{"deleteKvConfig -n " + both + " -s s -k k", exitYes, "delete kv config from namespace success.\n", ""},
		{
			"wipeWritePerm -n " + both + " -b broker-b", exitNo, fmt.Sprintf("wipe write perm of broker[broker-b] in name server[%s] OK, 3\nwipe write perm of broker[broker-b] in name server[%s] OK, 0\n", first, second),
			"there is no broker broker-b on " + second,
		},
		{"addWritePerm -n " + half + " -b broker-b", exitSome, fmt.Sprintf("add write perm of broker[broker-b] in name server[%s] Failed\nadd write perm of broker[broker-b] in name server[%s] OK, 3\n", deadServer, first), deadServer + ": dial"},
		{"updateNamesrvConfig -n " + both + " -k productEnvName -v x", exitYes, fmt.Sprintf("update name server config success![%s, %s]\nproductEnvName : x\n", first, second), ""},
		{"updateNamesrvConfig -n " + half + " -k productEnvName -v y", exitSome, "", deadServer + ": dial"},
	} {
		code, out, errs := runMQAdmin(t, strings.Fields(tc.line)...)
		if code != tc.code || out != tc.out || !strings.Contains(errs, tc.says) || tc.says == "" && errs != "" {
			t.Errorf("%s: exit %d, want %d; got\n%swant\n%sand on stderr %q: %s", tc.line, code, tc.code, out, tc.out, tc.says, errs)
		}
	}
	code, out, _ := runMQAdmin(t, "getNamesrvConfig", "-n", half)
	if code != exitSome || !strings.HasPrefix(out, "============"+first+"============\n") || !strings.Contains(out, fmt.Sprintf("%-50s=  %s\n", "productEnvName", "y")) {
		t.Errorf("getNamesrvConfig: exit %d\n%s", code, out)
	}
}

// TestMQAdminJava: a server of Java says success to what it does not do, and nothing to what
// it does not know.
func TestMQAdminJava(t *testing.T) {
	addr := fakeServer(t, 373, func(r *codec.Command) *codec.Reply { // V4_7_1
		switch r.Code {
		case codec.ReqGetNamesrvConfig:
			return &codec.Reply{Body: []byte("listenPort=9876\n")}
		case codec.ReqUpdateNamesrvConfig:
			return &codec.Reply{}
		case codec.ReqGetBrokerClusterInfo:
			return &codec.Reply{Body: []byte(`{"brokerAddrTable":{"b":{"brokerAddrs":{0:"10.0.0.1:1"},"brokerName":"b","cluster":"c"}},"clusterAddrTable":{"c":["b"]}}`)}
		}
		return nil
	})
	for line, says := range map[string]string{
		"updateNamesrvConfig -k noSuchKey -v 1":   `"noSuchKey" is no key`,
		"updateNamesrvConfig -k listenPort -v xx": "listenPort is still 9876",
		"addWritePerm -b b":                       "came with 4.9.2",
	} {
		code, out, errs := runMQAdmin(t, append(strings.Fields(line), "-n", addr)...)
		if code != exitRefused || !strings.Contains(errs, says) || strings.Contains(out, "success") || strings.Contains(out, "OK") {
			t.Errorf("%s: exit %d, %s%s", line, code, out, errs)
		}
	}
}

// TestMQAdminHostile: what brokers have named, and what they answer, does nothing to a
// terminal, and a broker that answers nonsense is named.
func TestMQAdminHostile(t *testing.T) {
	const bell = `bell\u0007\u001b[2Jü\u202e` // as in JSON
	broker := fakeServer(t, codec.Version, func(r *codec.Command) *codec.Reply {
		if r.Code == reqGetBrokerRuntimeInfo {
			return &codec.Reply{Body: []byte(`{"table":{"brokerVersionDesc":"\u001b[2J","putTps":"1e999 x","commitLogDiskRatio":"NaN","timerCongestNum":"x"}}`)}
		}
		return &codec.Reply{Body: []byte(`{"groupList":["\u001b[2J"]}`)}
	})
	nonsense := fakeServer(t, codec.Version, func(*codec.Command) *codec.Reply { return &codec.Reply{Body: []byte("[")} })
	set := func(name, addr string) string {
		return fmt.Sprintf(`{"brokerAddrs":{0:"%s"},"brokerName":"%s","cluster":"%s","enableActingMaster":false}`, addr, name, bell)
	}
	addr := fakeServer(t, codec.Version, func(r *codec.Command) *codec.Reply {
		text := ""
		switch r.Code {
		case codec.ReqGetBrokerClusterInfo:
			text = fmt.Sprintf(`{"brokerAddrTable":{"%s":%s,"b2":%s},"clusterAddrTable":{"%[1]s":["%[1]s","b2"]}}`, bell, set(bell, broker), set("b2", nonsense))
		case codec.ReqGetAllTopicListFromNameserver:
			text = fmt.Sprintf(`{"topicList":["T","%s"]}`, bell)
		case codec.ReqGetRouteInfoByTopic:
			text = fmt.Sprintf(`{"brokerDatas":[%s],"filterServerTable":{},"queueDatas":[{"brokerName":"%s","perm":6,"readQueueNums":1,"topicSysFlag":0,"writeQueueNums":1}]}`, set(bell, broker), bell)
		}
		return &codec.Reply{Body: []byte(text)}
	})
	for _, line := range []string{"clusterList", "clusterList -m", "topicList", "topicList -c", "topicRoute -t T", "topicRoute -l -t T", "topicClusterList -t T"} {
		code, out, errs := runMQAdmin(t, append(strings.Fields(line), "-n", addr)...)
		if code != exitYes && (code != exitSome || !strings.Contains(errs, nonsense)) {
			t.Errorf("%s: exit %d: %s%s", line, code, out, errs)
		}
		if strings.ContainsAny(out+errs, "\x07\x1b\u202e") {
			t.Errorf("%s prints %q", line, out+errs)
		}
		if !strings.Contains(strings.ToLower(out), "bell\\u0007\\u001b[2jü\\u202e") {
			t.Errorf("%s does not print the name: %s", line, out)
		}
	}
}

// TestJavaFixed: the shortest decimal is rounded, and halves up.
func TestJavaFixed(t *testing.T) {
	for _, tc := range []struct {
		f      float64
		digits int
		want   string
	}{
		{0, 2, "0.00"},
		{0.125, 2, "0.13"},
		{1.005, 2, "1.01"},
		{0.25, 1, "0.3"},
		{12.345, 2, "12.35"},
		{0.43215, 4, "0.4322"},
		{-0.125, 2, "-0.13"},
		{1e20, 1, "100000000000000000000.0"},
		{float64(float32(1.05)), 1, "1.0"},
	} {
		if got := javaFixed(tc.f, tc.digits); got != tc.want {
			t.Errorf("javaFixed(%v, %d) is %s, want %s", tc.f, tc.digits, got, tc.want)
		}
	}
}

// TestMQAdminInterval: -i asks again and again until the program is ended.
func TestMQAdminInterval(t *testing.T) {
	asked := make(chan struct{}, 100)
	addr := fakeServer(t, codec.Version, func(*codec.Command) *codec.Reply {
		asked <- struct{}{}
		return &codec.Reply{Body: []byte(`{"brokerAddrTable":{},"clusterAddrTable":{}}`)}
	})
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan int)
	go func() {
		ended <- RunMQAdmin(ctx, []string{"clusterList", "-n", addr, "-i", "1"}, strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})
	}()
	<-asked
	<-asked
	end()
	if code := <-ended; code != exitYes && code != exitNobody {
		t.Errorf("exit %d", code)
	}
}

// TestMQAdminDocumented: docs/NSCTL.md says of each command that mqadmin 5.5.0 and 4.9.7
// list whether it is here, and ours say of themselves what 5.5.0 says of them.
func TestMQAdminDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "NSCTL.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range []string{"5.5.0", "4.9.7"} {
		list, err := os.ReadFile(filepath.Join("testdata", "mqadmin", release, "commands.txt")) // what it prints without a command
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for line := range strings.Lines(string(list)) {
			line, isCommand := strings.CutPrefix(line, "   ")
			if !isCommand {
				continue
			}
			found++
			name := strings.Fields(line)[0]
			at := strings.Index(string(text), "`"+name+"`")
			if at < 0 {
				t.Errorf("docs/NSCTL.md does not name mqadmin's %s", name)
				continue
			}
			row, _, _ := strings.Cut(string(text[strings.LastIndexByte(string(text[:at]), '\n')+1:]), "\n")
			here := slices.ContainsFunc(aliases, func(a *alias) bool { return a.name == name && a != deleteTopicAlias })
			if here != strings.Contains(row, "| yes |") || !here && !strings.Contains(row, "| no: ") {
				t.Errorf("docs/NSCTL.md has of %s the row %s", name, row)
			}
		}
		if found < 50 {
			t.Errorf("%s lists %d commands", release, found)
		}
		for line := range strings.Lines(aliasList()) {
			if release == "5.5.0" && strings.HasPrefix(line, "   ") && !strings.Contains(string(list), line) {
				t.Errorf("mqadmin 5.5.0 does not list %q", line)
			}
		}
	}
}
