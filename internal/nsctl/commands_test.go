package nsctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/goccy/go-yaml"
	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// shownAddrs stand for the addresses of servers, which have as many bytes.
var shownAddrs = []string{"ns1.example:123", "ns2.example:123", "down.test:1"}

// TestCommands plays testdata/commands: each block is a command line, and below it the exit
// code and what is printed. first, second and dead are servers: -n is both unless it is
// given.
func TestCommands(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, filepath.Join("testdata", "commands"), func(t *testing.T, path string) {
		first, second := startPair(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "nsctl" {
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			args, err := shellwords.Parse(d.Input) // quotes, no more
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			both := first + ";" + second
			for i, a := range args {
				if a == "-n" {
					args[i+1] = strings.NewReplacer("first", first, "second", second, "dead", deadServer).Replace(args[i+1])
					both = ""
				}
			}
			if both != "" {
				args = append([]string{"-n", both}, args...)
			}
			code, out, errs := run(t, args...)
			for _, line := range strings.Split(out, "\n") {
				if strings.HasSuffix(line, " ") || strings.Contains(line, "\x1b") {
					t.Errorf("%s prints %q", d.Input, line)
				}
			}
			text := fmt.Sprintf("exit %d\n%s", code, out)
			if errs != "" {
				text += "stderr:\n" + errs
			}
			for i, addr := range []string{first, second, deadServer} {
				text = strings.ReplaceAll(text, addr, shownAddrs[i])
			}
			return text
		})
	})
}

// TestFormats makes sure that what -o json and -o yaml print is the same, for each command
// that lists something, and that -o name prints no more than words.
func TestFormats(t *testing.T) {
	t.Parallel()
	first, second := startPair(t)
	run(t, "-n", first, "kv", "put", "NS", "k", "v")
	for _, line := range []string{
		"status", "health", "version", "cluster list", "broker list", "broker show broker-a", "broker group broker-a", "broker version broker-a",
		"topic list", "topic route ORDERS", "topic clusters ORDERS", "kv list NS", "kv get NS k", "config get", "raw 106",
	} {
		args := append([]string{"-n", first + ";" + second}, strings.Fields(line)...)
		_, fromJSON, _ := run(t, append(args, "-o", "json")...)
		_, fromYAML, _ := run(t, append(args, "-o", "yaml")...)
		var a, b any
		if err := json.Unmarshal([]byte(fromJSON), &a); err != nil {
			t.Errorf("%s: %v in %s", line, err, fromJSON)
		}
		if err := yaml.Unmarshal([]byte(fromYAML), &b); err != nil {
			t.Errorf("%s: %v in %s", line, err, fromYAML)
		}
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if !bytes.Equal(x, y) || !bytes.HasPrefix(x, []byte(`[{"`)) {
			t.Errorf("%s: JSON and YAML differ:\n%s\n%s", line, x, y)
		}
		_, names, _ := run(t, append(args, "-o", "name")...)
		if names == "" || line != "topic list" && strings.Contains(names, " ") {
			t.Errorf("%s: names are %q", line, names)
		}
	}
}

// TestStatusByAPI shows what only the HTTP API knows.
func TestStatusByAPI(t *testing.T) {
	t.Parallel()
	addr, java := startWithAPI(t, nil), startServer(t, nil)
	register(t, addr, brokerA)
	code, out, errs := run(t, "-n", addr+";"+java, "status", "-o", "json")
	var all []serverStatus
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 2 || code != exitYes {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	if st := all[0]; st.State != "ready" || st.UptimeSeconds == nil || *st.Brokers != 1 || *st.Topics != 4 || len(st.Misses) != 0 {
		t.Errorf("got %+v", st)
	}
	if st := all[1]; st.State != "up" || st.UptimeSeconds != nil || st.P99Millis != nil || *st.Brokers != 0 || strings.Join(st.Misses, "") != "broker-a" {
		t.Errorf("got %+v", st)
	}
	if want := fmt.Sprintf("! %s misses broker-a: nsctl diff %s %s\n", java, addr, java); errs != want {
		t.Errorf("said %q, want %q", errs, want)
	}
	run(t, "-n", addr, "kv", "put", "NS", "k", "v")
	if code, out, _ := run(t, "-n", addr, "kv", "list", "--no-headers"); code != exitYes || out != "k  NS  v\n" {
		t.Errorf("kv list: exit %d, %q", code, out)
	}
	if code, _, errs := run(t, "-n", java, "kv", "list"); code != exitNobody || !strings.Contains(errs, errNoAPI.Error()) {
		t.Errorf("kv list without an API: exit %d, %q", code, errs)
	}
	code, out, errs = run(t, "-n", addr, "config", "set", "--no-headers", "orderMessageEnable=true", "serverWorkerThreads=9")
	want := regexp.MustCompile(`^orderMessageEnable +\S+ +false +true +live\nserverWorkerThreads +\S+ +8 +9 +(none|restart|live)\n$`)
	if code != exitYes || !want.MatchString(out) {
		t.Errorf("config set: exit %d, %q%s", code, out, errs)
	}
}

// TestHealthByAPI: a server that serves routes may still say that it is not ready.
func TestHealthByAPI(t *testing.T) {
	t.Parallel()
	addr := startWithAPI(t, func(c *namesrv.Config) { c.ReadyMinBrokers, c.ReadyMaxWait = 1, time.Hour })
	code, out, _ := run(t, "-n", addr, "health", "--no-headers")
	if code != exitNo || !strings.Contains(out, "unhealthy  not ready: brokers: 0 of 1 have registered") {
		t.Errorf("exit %d, %q", code, out)
	}
	ended := make(chan int)
	go func() {
		code, _, _ := run(t, "-n", addr, "health", "--wait", nstest.Patience.String())
		ended <- code
	}()
	register(t, addr, brokerA)
	if code := <-ended; code != exitYes {
		t.Errorf("it waits for a broker, and ends with %d", code)
	}
}

// TestHealthGate: while a server waits for brokers, clients get no routes.
func TestHealthGate(t *testing.T) {
	t.Parallel()
	addr := startServer(t, func(c *namesrv.Config) { c.NeedWaitForService, c.WaitSecondsForService = true, 3600 })
	if code, out, _ := run(t, "-n", addr, "health"); code != exitNo || !strings.Contains(out, "name server not ready") {
		t.Errorf("exit %d, %q", code, out)
	}
}

// TestOldServers asks servers of Java that do not know a request, or that say yes to
// what they do not do.
func TestOldServers(t *testing.T) {
	t.Parallel()
	old := fakeServer(t, 393, func(r *codec.Command) *codec.Reply { // 4.9.0
		switch r.Code {
		case codec.ReqGetBrokerClusterInfo:
			return &codec.Reply{Body: []byte(`{"brokerAddrTable":{"b":{"brokerAddrs":{0:"10.0.0.1:10911"},"brokerName":"b","cluster":"c"}},"clusterAddrTable":{"c":["b"]}}`)}
		case codec.ReqGetRouteInfoByTopic:
			return &codec.Reply{Body: []byte(`{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911"},"brokerName":"b","cluster":"c"}],"filterServerTable":{},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"topicSynFlag":0,"writeQueueNums":4}]}`)}
		case codec.ReqGetNamesrvConfig:
			return &codec.Reply{Body: []byte("listenPort=9876\nproductEnvName=center\n")}
		case codec.ReqUpdateNamesrvConfig:
			return &codec.Reply{}
		}
		return nil
	})
	for line, want := range map[string]string{
		"broker group b":                   "this name server is 4.9.0, and GET_BROKER_MEMBER_GROUP came with 5.0.0",
		"broker add-write b":               "this name server is 4.9.0, and ADD_WRITE_PERM_OF_BROKER came with 4.9.2",
		"topic register T b:1/1/6":         "this name server is 4.9.0, and REGISTER_TOPIC_IN_NAMESRV came with 5.0.0",
		"topic delete T --cluster c":       "this name server is 4.9.0, and --cluster came with 5.0.0",
		"config set productEnvName=x":      "productEnvName is still center",
		"config set noSuchKey=x":           `"noSuchKey" is no key, and Java would say nothing about it`,
		"config set noSuchKey=x --dry-run": `"noSuchKey" is no key, and Java would say nothing about it`,
	} {
		code, _, errs := run(t, append([]string{"-n", old, "--timeout", "1s"}, strings.Fields(line)...)...)
		if code != exitRefused || errs != fmt.Sprintf("nsctl: %s: %s\n", old, want) {
			t.Errorf("%s: exit %d, %q, want %q", line, code, errs, want)
		}
	}
	if code, out, _ := run(t, "-n", old, "version", "--no-headers"); code != exitYes || out != old+"  java  4.9.0  V4_9_0\n" {
		t.Errorf("version: exit %d, %q", code, out)
	}
	if code, out, _ := run(t, "-n", old, "broker", "list", "--no-headers"); code != exitYes || out != "b  c  0  10.0.0.1:10911  master\n" {
		t.Errorf("broker list: exit %d, %q", code, out)
	}
	if code, _, errs := run(t, "-n", old, "--timeout", "100ms", "raw", "904"); code != exitNobody || !strings.Contains(errs, "no answer within 100ms") {
		t.Errorf("raw 904: exit %d, %q", code, errs)
	}
}

// TestLateChange: Java forgets a broker a moment after it has said so.
func TestLateChange(t *testing.T) {
	t.Parallel()
	var looks atomic.Int32
	addr := fakeServer(t, 479, func(r *codec.Command) *codec.Reply {
		switch r.Code {
		case codec.ReqGetBrokerClusterInfo:
			if looks.Add(1) > 4 {
				return &codec.Reply{Body: []byte(`{"brokerAddrTable":{},"clusterAddrTable":{}}`)}
			}
			return &codec.Reply{Body: []byte(`{"brokerAddrTable":{"b":{"brokerAddrs":{0:"10.0.0.1:10911"},"brokerName":"b","cluster":"c"}},"clusterAddrTable":{"c":["b"]}}`)}
		case codec.ReqUnregisterBroker:
			return &codec.Reply{}
		}
		return nil
	})
	code, out, errs := run(t, "-n", addr, "--timeout", nstest.Patience.String(), "broker", "unregister", "b", "--no-headers")
	if want := "b 0@10.0.0.1:10911  " + addr + "  registered  –\n"; code != exitYes || out != want {
		t.Errorf("exit %d, %q%s, want %q", code, out, errs, want)
	}
}

// TestHostileServers: what servers answer neither changes a terminal nor tears a line.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	const evil = "x\x1b]0;pwned\x07\r\ny\u202e"
	text, _ := json.Marshal(evil)
	addr := fakeServer(t, 479, func(r *codec.Command) *codec.Reply {
		if topic, ok := r.Ext.Get("topic"); ok && string(topic) == "refused" {
			return &codec.Reply{Code: codec.RespSystemError, Remark: evil}
		}
		body := fmt.Sprintf(`{"brokerDatas":[{"brokerAddrs":{0:%[1]s},"brokerName":%[1]s,"cluster":%[1]s}],"queueDatas":[{"brokerName":%[1]s}],"orderTopicConf":%[1]s,`+
			`"topicList":[%[1]s],"table":{%[1]s:%[1]s},"clusterAddrTable":{%[1]s:[%[1]s]},"brokerAddrTable":{%[1]s:{"brokerAddrs":{0:%[1]s},"cluster":%[1]s}}}`, text)
		if r.Code == codec.ReqGetNamesrvConfig {
			body = "a=" + evil + "\nb\x1b[31m=c\n"
		}
		return &codec.Reply{Body: []byte(body), Remark: evil, Ext: []codec.Field{{Name: "value", Value: evil}}}
	})
	for _, line := range []string{
		"status", "health", "version", "cluster list", "broker list", "broker list -o name", "topic list", "topic list -o name", "topic route T", "topic route refused",
		"topic clusters T", "kv list NS", "kv get NS k", "config get", "raw 106", "raw 106 -o wide", "kv put NS k v", "topic delete T", "broker show " + evil,
	} {
		args := append([]string{"-n", addr, "--timeout", "300ms"}, strings.Fields(line)...)
		if strings.HasSuffix(line, evil) {
			args = []string{"-n", addr, "broker", "show", evil}
		}
		_, out, errs := run(t, args...)
		for _, r := range out + errs {
			if r != '\n' && isUnclean(r) {
				t.Errorf("%s prints %q", line, out+errs)
				break
			}
		}
		if strings.Contains(out+errs, "\ny") {
			t.Errorf("%s: a line is torn: %q", line, out+errs)
		}
	}
	// A shell takes a name apart that is completed.
	if _, out, _ := run(t, "__complete", "-n", addr, "topic", "route", ""); strings.Contains(out, "x") {
		t.Errorf("completes %q", out)
	}
}

// person runs the program for somebody at a terminal who answers.
func person(t *testing.T, says string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &ctl{stdin: strings.NewReader(says), stdout: &out, stderr: &errs, env: func(string) string { return "" }, now: time.Now, terminal: true, answers: true}
	code = c.run(context.Background(), args)
	return code, out.String(), errs.String()
}

// TestConfirm asks a person before anything is changed, and shows what there is.
func TestConfirm(t *testing.T) {
	t.Parallel()
	addr := startServer(t, nil)
	register(t, addr, brokerA)
	has := func(want bool) {
		t.Helper()
		code, _, _ := run(t, "-n", addr, "kv", "get", "NS", "k")
		if got := code == exitYes; got != want {
			t.Errorf("the key is there: %v, want %v", got, want)
		}
	}
	put := []string{"-n", addr + ";" + deadServer, "kv", "put", "NS", "k", "v"}
	for _, says := range []string{"", "n\n", "\n", "nothing of it\n"} {
		code, out, errs := person(t, says, put...)
		if code != exitNo || out != "" || !strings.Contains(errs, addr+": k: –\n") || !strings.Contains(errs, "is left out: dial tcp") ||
			!strings.Contains(errs, "set k in namespace NS to v on this name server? [y/N] nsctl: nothing was changed\n") {
			t.Errorf("%q: exit %d, %q, %q", says, code, out, errs)
		}
		has(false)
	}
	if code, _, errs := person(t, "y\n", put...); code != exitSome {
		t.Errorf("yes: exit %d, %q", code, errs)
	}
	has(true)
	if code, _, errs := person(t, "", "-n", addr, "--yes", "kv", "delete", "NS", "k"); code != exitYes || strings.Contains(errs, "[y/N]") {
		t.Errorf("--yes: exit %d, %q", code, errs)
	}
	has(false)
	for _, line := range []string{"raw 216 --ext topic=ORDERS", "broker version broker-a"} {
		if code, out, errs := person(t, "n\n", append([]string{"-n", addr}, strings.Fields(line)...)...); code != exitNo || out != "" || !strings.Contains(errs, "[y/N]") {
			t.Errorf("%s: exit %d, %q, %q", line, code, out, errs)
		}
	}
	if code, _, errs := person(t, "", "-n", addr, "raw", "106"); code != exitYes || errs != "" {
		t.Errorf("raw 106: exit %d, %q", code, errs)
	}
}

// TestConfirmEnds: whoever presses Ctrl-C in place of an answer has said no.
func TestConfirmEnds(t *testing.T) {
	t.Parallel()
	addr := startServer(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	says, never := io.Pipe()
	defer never.Close()
	asked := &counted{after: 1, then: cancel}
	c := &ctl{stdin: says, stdout: &bytes.Buffer{}, stderr: asked, env: func(string) string { return "" }, now: time.Now, terminal: true, answers: true}
	if code := c.run(ctx, []string{"-n", addr, "kv", "put", "NS", "k", "v"}); code != exitNo || !strings.Contains(asked.String(), "nothing was changed") {
		t.Errorf("exit %d, %q", code, asked.String())
	}
	if code, _, _ := run(t, "-n", addr, "kv", "get", "NS", "k"); code != exitNo {
		t.Error("the key is there")
	}
}

// TestSecretive asks a server that tells not everybody what it is.
func TestSecretive(t *testing.T) {
	t.Parallel()
	addr := fakeServer(t, 479, func(r *codec.Command) *codec.Reply {
		if r.Code == codec.ReqGetBrokerClusterInfo {
			return &codec.Reply{Body: []byte(`{"brokerAddrTable":{},"clusterAddrTable":{}}`)}
		}
		return &codec.Reply{Code: codec.RespNoPermission, Remark: "not you"}
	})
	for line, want := range map[string]string{
		"status":  addr + "  up  –  0/0  –  –  –\n",
		"version": addr + "  unknown  5.3.3  V5_3_3\n",
		"health":  addr + "  unhealthy  NO_PERMISSION: not you\n",
	} {
		if _, out, errs := run(t, "-n", addr, line, "--no-headers"); out != want {
			t.Errorf("%s: %q%s, want %q", line, out, errs, want)
		}
	}
	if code, _, errs := run(t, "-n", addr, "topic", "list"); code != exitRefused || errs != "nsctl: "+addr+": NO_PERMISSION: not you\n" {
		t.Errorf("topic list: exit %d, %q", code, errs)
	}
}

// TestColor: colors are for terminals, and can be refused there.
func TestColor(t *testing.T) {
	t.Parallel()
	addr := startServer(t, nil)
	colored := func(terminal bool, env map[string]string, args ...string) bool {
		var out, errs bytes.Buffer
		c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(key string) string { return env[key] }, now: time.Now, terminal: terminal}
		c.run(context.Background(), append([]string{"-n", addr, "health"}, args...))
		if !strings.Contains(out.String(), "healthy") {
			t.Errorf("%v %v: %q", env, args, out.String())
		}
		return strings.Contains(out.String(), "\x1b[32mhealthy\x1b[0m")
	}
	for _, tt := range []struct {
		terminal bool
		env      map[string]string
		flags    []string
		want     bool
	}{
		{terminal: true, want: true},
		{terminal: false, want: false},
		{terminal: true, env: map[string]string{"NO_COLOR": "1"}},
		{terminal: true, env: map[string]string{"TERM": "dumb"}},
		{terminal: true, flags: []string{"--color", "never"}},
		{terminal: false, flags: []string{"--color", "always"}, want: true},
		{terminal: true, flags: []string{"-o", "json"}},
	} {
		if got := colored(tt.terminal, tt.env, tt.flags...); got != tt.want {
			t.Errorf("%+v: colored is %v", tt, got)
		}
	}
}

// TestWatch repeats what asks, and nothing else.
func TestWatch(t *testing.T) {
	t.Parallel()
	addr := startServer(t, nil)
	register(t, addr, brokerA)
	for _, terminal := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		out := &counted{after: 3, then: cancel}
		var errs bytes.Buffer
		c := &ctl{stdin: strings.NewReader(""), stdout: out, stderr: &errs, env: func(string) string { return "" }, now: time.Now, terminal: terminal}
		code := c.run(ctx, []string{"-n", addr, "-w", "1ms", "topic", "list", "ORD", "--no-headers"})
		page := "ORDERS\n"
		if terminal {
			page = clearScreen + page
		}
		if want := strings.Repeat(page, 3); code != exitYes || out.String() != want || errs.String() != "" {
			t.Errorf("exit %d, %q, want %q; %q", code, out.String(), want, errs.String())
		}
	}
	// What goes wrong is said, and may go right the next time.
	ctx, cancel := context.WithCancel(t.Context())
	errs := &counted{after: 3, then: cancel}
	c := &ctl{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: errs, env: func(string) string { return "" }, now: time.Now}
	if code := c.run(ctx, []string{"-n", deadServer, "-w", "1ms", "topic", "list"}); code != exitNobody || strings.Count(errs.String(), "nsctl: ") != 3 {
		t.Errorf("exit %d, %q", code, errs.String())
	}
	for _, line := range []string{"kv put NS k v", "raw 216", "broker version broker-a"} {
		if code, out, _ := run(t, append([]string{"-n", addr, "-w", "1ms"}, strings.Fields(line)...)...); code != exitUsage || out != "" {
			t.Errorf("%s: exit %d, %q", line, code, out)
		}
	}
}

// A counted does something after some writes.
type counted struct {
	bytes.Buffer
	after int
	then  func()
}

func (w *counted) Write(b []byte) (int, error) {
	if w.after--; w.after == 0 {
		w.then()
	}
	return w.Buffer.Write(b)
}

// TestCompletion offers what the servers have, and is silent if it cannot.
func TestCompletion(t *testing.T) {
	t.Parallel()
	first, second := startPair(t)
	run(t, "-n", first, "kv", "put", "ORDER_TOPIC_CONFIG", "ORDERS", "broker-a:8")
	for line, want := range map[string]string{
		"topic route O":              "ONLY-B ORDERS",
		"topic route ORDERS ":        "",
		"topic delete %":             "%RETRY%g",
		"broker show ":               "broker-a broker-b",
		"broker wipe-write broker-b": "broker-b",
		"topic list --cluster ":      "c1 c2",
		"config get listen":          "listenPort",
		"config set listen":          "listenPort=",
		"kv get ":                    "ORDER_TOPIC_CONFIG PROJECT_CONFIG",
		"kv get ORDER_TOPIC_CONFIG ": "ORDERS",
		"order delete ":              "ORDERS",
		"status -o ":                 "table wide json yaml name",
		"topic register T ":          "broker-a: broker-b:",
		"raw WIPE":                   "WIPE_WRITE_PERM_OF_BROKER",
		"broker ver":                 "version",
		"completion b":               "bash",
	} {
		args := append([]string{"__complete", "-n", first + ";" + second}, strings.Fields(line)...)
		if strings.HasSuffix(line, " ") {
			args = append(args, "")
		}
		code, out, _ := run(t, args...)
		var got []string
		typed := args[len(args)-1]
		for offer := range strings.Lines(out) {
			name, _, _ := strings.Cut(strings.TrimSuffix(offer, "\n"), "\t")
			if !strings.HasPrefix(name, ":") && strings.HasPrefix(name, typed) { // shells leave out the rest
				got = append(got, name)
			}
		}
		if code != exitYes || strings.Join(got, " ") != want {
			t.Errorf("%s: exit %d, offered %q, want %q", line, code, got, want)
		}
	}
	for _, servers := range []string{deadServer, "nonsense"} {
		if _, out, errs := run(t, "__completeNoDesc", "-n", servers, "topic", "route", "O"); out != ":4\n" || strings.Contains(errs, "nsctl:") {
			t.Errorf("%s: %q, %q", servers, out, errs)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, _ := run(t, "completion", shell); code != exitYes || len(out) < 1000 {
			t.Errorf("completion %s: exit %d, %d bytes", shell, code, len(out))
		}
	}
}

// TestEveryCommandSays walks all commands: each says what it is for.
func TestEveryCommandSays(t *testing.T) {
	t.Parallel()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q", cmd.CommandPath(), cmd.Short)
		}
		if strings.Contains(cmd.Short+cmd.Long, "\t") {
			t.Errorf("%s: a tab", cmd.CommandPath())
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(Command())
}

// TestManPages writes a page for each command, the same each time.
func TestManPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, out, errs := run(t, "man", dir); code != exitYes || out != "" {
		t.Fatalf("exit %d, %q%s", code, out, errs)
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*.1"))
	page, err := os.ReadFile(filepath.Join(dir, "nsctl-topic-route.1"))
	if err != nil || len(pages) < 30 || !bytes.Contains(page, []byte("as-client-version")) || regexp.MustCompile(`\b(19|20)\d\d\b`).Match(page) {
		t.Errorf("%d pages, %v:\n%s", len(pages), err, page)
	}
	if code, _, _ := run(t, "man", filepath.Join(dir, "nothing")); code != exitUsage {
		t.Errorf("a folder that is not there: exit %d", code)
	}
}

// TestEscapeProperty: what is escaped reads back the same, by the rules of Java's files.
func TestEscapeProperty(t *testing.T) {
	t.Parallel()
	addr := startServer(t, func(c *namesrv.Config) { c.ProductEnvName = "x" })
	for _, value := range []string{"a=b", `C:\x`, "a#b", " a", "größe €😀", "!x", "a:b c"} {
		code, out, errs := run(t, "-n", addr, "config", "set", "productEnvName="+value, "-o", "json")
		var all []struct{ Changes []struct{ After string } }
		if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitYes || all[0].Changes[0].After != strings.TrimSpace(value) {
			t.Errorf("%q: exit %d, %s%s", value, code, out, errs)
		}
	}
}
