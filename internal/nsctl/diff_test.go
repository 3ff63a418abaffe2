package nsctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A node is a name server of ours that runs, with its read API.
type node struct {
	t    testing.TB
	addr string
	api  string // host:port
	conn *nstest.Client
	stop func()
}

func newNode(t testing.TB, change func(*namesrv.Config)) *node {
	t.Helper()
	l, web := mustLaunch(t, change)
	n := &node{t: t, addr: l.addr, api: web.Listener.Addr().String(), stop: l.stop}
	n.conn = nstest.Dial(t, n.addr)
	return n
}

// do sends a request over one connection, which stays open.
func (n *node) do(r *codec.Command) {
	n.t.Helper()
	if reply := n.conn.Do(r); codec.ResponseCode(reply.Code) != codec.RespSuccess {
		n.t.Fatalf("request %d is answered %d: %s", r.Code, reply.Code, reply.Remark)
	}
}

var (
	testBrokerA = nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"ORDERS", "a/b", "%RETRY%g"}}
	testBrokerB = nstest.Broker{Cluster: "c1", Name: "broker-b", Addr: "10.0.0.2:10911", Counter: 1, Topics: []string{"ORDERS", "PAYMENTS"}}
)

// body is the body of a broker's registration with other queues for one topic.
func bodyWith(b nstest.Broker, topic string, change func(*codec.TopicConfig)) *codec.Command {
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: b.Counter}}
	for _, name := range b.Topics {
		c := codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6}
		if name == topic {
			change(&c)
		}
		body.Topics = append(body.Topics, c)
	}
	return b.RegisterBody(body.AppendJSON(nil))
}

// diff runs nsctl diff; api says whether the servers are asked over HTTP too.
func diff(t *testing.T, api bool, nodes []*node, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var addrs, apis []string
	for _, n := range nodes {
		addrs, apis = append(addrs, n.addr), append(apis, n.api)
	}
	line := append([]string{"diff", "--timeout", nstest.Patience.String()}, args...)
	if api {
		line = append(line, "--admin", strings.Join(apis, ";"))
	}
	return run(t, append(line, addrs...)...)
}

// found returns the differences that -o json prints, each as a line without addresses.
func found(t *testing.T, stdout string, nodes []*node) (lines []string) {
	t.Helper()
	var a diffAnswer
	if err := json.Unmarshal([]byte(stdout), &a); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	for _, p := range a.Parts {
		if p.Differ != len(p.Differences) {
			t.Errorf("%s: %d of %d", p.Part, len(p.Differences), p.Differ)
		}
		for _, d := range p.Differences {
			line := p.Part + " " + d.Name + "|" + d.What
			for _, n := range nodes {
				said, known := d.Said[n.addr]
				if !known {
					said = "?"
				}
				line += fmt.Sprint("|", said)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// TestDiffFinds makes a difference of each kind, and compares by checksums, by protocol
// with all routes, and by names. No difference is found where there is none.
func TestDiffFinds(t *testing.T) {
	t.Parallel()
	checksums := func(line string) bool { return true }
	names := func(line string) bool { return !strings.Contains(line, "|broker-") }
	for _, c := range []struct {
		name   string
		change func(a, b *node)
		config func(*namesrv.Config) // of b
		want   []string
	}{
		{name: "nothing"},
		{name: "member", change: func(a, _ *node) {
			slave := testBrokerA
			slave.ID, slave.Addr = 1, "10.0.0.9:10911"
			a.do(slave.Register())
		}, want: []string{"brokers broker-a 1@10.0.0.9:10911 in c1||true|false"}},
		{name: "broker", change: func(_, b *node) { b.do(testBrokerB.Unregister()) }, want: []string{
			"brokers broker-b 0@10.0.0.2:10911 in c1||true|false",
			"topics ORDERS|broker-b|true|false",
			"topics PAYMENTS||true|false",
		}},
		{name: "topic", change: func(_, b *node) {
			more := testBrokerB
			more.Counter, more.Topics = 2, append([]string{"new/订"}, more.Topics...)
			b.do(more.Register())
		}, want: []string{"topics new/订||false|true"}},
		{name: "queues", change: func(_, b *node) {
			more := testBrokerB
			more.Counter = 2
			b.do(bodyWith(more, "ORDERS", func(c *codec.TopicConfig) { c.ReadQueueNums = 8 }))
		}, want: []string{"topics ORDERS|broker-b queues|4|8 to read, 4 to write"}},
		{name: "flags", change: func(a, _ *node) {
			more := testBrokerB
			more.Counter = 2
			a.do(bodyWith(more, "PAYMENTS", func(c *codec.TopicConfig) { c.TopicSysFlag = 1 }))
		}, want: []string{"topics PAYMENTS|broker-b flags|1|0"}},
		{name: "perm", change: func(a, _ *node) {
			a.do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "broker-b"))
		}, want: []string{"topics ORDERS|broker-b perm|4|6", "topics PAYMENTS|broker-b perm|4|6"}},
		{name: "mapping", change: func(a, _ *node) {
			body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: 2}}
			for _, name := range testBrokerB.Topics {
				body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6})
			}
			body.Mappings = []codec.RegisteredMapping{{Key: "PAYMENTS", Info: codec.TopicQueueMappingInfo{Topic: "PAYMENTS", TotalQueues: 2, Bname: "broker-b", Scope: "__global__"}}}
			a.do(testBrokerB.RegisterBody(body.AppendJSON(nil)))
		}, want: []string{"topics PAYMENTS|broker-b mapping|{Topic:PAYMENTS Scope:__global__ TotalQueues:2 Bname:broker-b Epoch:0 Dirty:false CurrIDMap:[]}|none"}},
		{name: "config", config: func(c *namesrv.Config) { c.SupportActingMaster = true }, want: []string{"config supportActingMaster||false|true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes := []*node{newNode(t, nil), newNode(t, c.config)}
			for _, n := range nodes {
				n.do(testBrokerA.Register())
				n.do(testBrokerB.Register())
			}
			if c.change != nil {
				c.change(nodes[0], nodes[1])
			}
			for _, way := range []struct {
				name  string
				api   bool
				flags []string
				sees  func(line string) bool
			}{
				{"checksums", true, nil, checksums},
				{"deep", false, []string{"--deep"}, checksums},
				{"topics", false, []string{"--topics", "^[A-Zn]"}, checksums},
				{"names", false, nil, names},
			} {
				for _, confirm := range []string{"0s", "50ms"} {
					code, stdout, stderr := diff(t, way.api, nodes, append(way.flags, "-o", "json", "--confirm", confirm)...)
					var want []string
					for _, line := range c.want {
						if way.sees(line) {
							want = append(want, line)
						}
					}
					if got := found(t, stdout, nodes); !slices.Equal(got, want) || stderr != "" {
						t.Errorf("%s: got\n%s\nwant\n%s\nstderr %q", way.name, strings.Join(got, "\n"), strings.Join(want, "\n"), stderr)
					}
					if want := min(1, len(want)); code != want {
						t.Errorf("%s: exit code %d, want %d", way.name, code, want)
					}
					via := map[bool]string{true: "api", false: "protocol"}[way.api]
					if strings.Count(stdout, `"via": "`+via+`"`) != 2 {
						t.Errorf("%s: %s", way.name, stdout)
					}
				}
			}
		})
	}
}

// TestDiffOfManyTopics: where so many topics differ that buckets do not say where,
// snapshots are compared; the table is cut.
func TestDiffOfManyTopics(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil), newNode(t, nil)}
	many := testBrokerA
	many.Topics = nil
	for i := range 3_000 {
		many.Topics = append(many.Topics, fmt.Sprintf("T%04d", i))
	}
	for _, n := range nodes {
		n.do(many.Register())
	}
	nodes[1].do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "broker-a"))
	code, stdout, stderr := diff(t, true, nodes, "--confirm", "20ms", "-o", "json")
	lines := found(t, stdout, nodes)
	if code != exitNo || stderr != "" || len(lines) != 3_000 || lines[7] != "topics T0007|broker-a perm|6|4|6" {
		t.Errorf("exit %d, %q, %d lines, %.300q", code, stderr, len(lines), lines)
	}
	_, stdout, _ = diff(t, true, nodes, "--confirm", "0s")
	if n := strings.Count(stdout, "\n"); n != 1+shownOfPart+1 || !strings.Contains(stdout, "… and 2980 more: --all") {
		t.Errorf("%d lines:\n%s", n, stdout)
	}
	if _, stdout, _ = diff(t, true, nodes, "--confirm", "0s", "--all"); strings.Count(stdout, "\n") != 3_001 {
		t.Errorf("%d lines with --all", strings.Count(stdout, "\n"))
	}
	if _, stdout, _ = diff(t, true, nodes, "--confirm", "0s", "-o", "name"); strings.Count(stdout, "\n") != 3_000 || !strings.HasPrefix(stdout, "T0000\n") {
		t.Errorf("-o name: %.100q", stdout)
	}
}

// TestDiffHidden: what checksums say differs is shown, also where the routes that we are
// told do not show it.
func TestDiffHidden(t *testing.T) {
	t.Parallel()
	horizons := filepath.Join(t.TempDir(), "horizons.yaml")
	text := `horizons: [{name: h, match: {cidr: [127.0.0.1]}, rewrite: [{from: "10.0.0.1:10911", to: "198.51.100.1:10911"}], missing: drop}]`
	if err := os.WriteFile(horizons, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	hides := func(c *namesrv.Config) { c.HorizonFile = horizons }
	nodes := []*node{newNode(t, hides), newNode(t, hides)}
	for _, n := range nodes {
		n.do(testBrokerB.Register())
	}
	nodes[0].do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "broker-b"))
	code, stdout, _ := diff(t, true, nodes, "-o", "json", "--confirm", "20ms")
	if got := found(t, stdout, nodes); code != exitNo || len(got) != 2 || !strings.HasPrefix(got[0], "topics ORDERS|checksum|") {
		t.Errorf("exit %d, got %q", code, got)
	}
}

// TestDiffRate: a server is not asked for more routes than --rate says.
func TestDiffRate(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil)}
	many := testBrokerA
	for i := range 20 {
		many.Topics = append(many.Topics, fmt.Sprintf("T%d", i))
	}
	for _, n := range nodes {
		n.do(many.Register())
	}
	began := time.Now()
	code, stdout, stderr := diff(t, false, nodes, "--deep", "--rate", "20")
	// 23 routes: two are allowed at once, each other one takes 50 ms.
	if took := time.Since(began); code != exitYes || took < time.Second {
		t.Errorf("exit %d after %v, %q, %q", code, took, stdout, stderr)
	}
}

// TestDiffTable is what people see.
func TestDiffTable(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil), newNode(t, nil)}
	for _, n := range nodes {
		n.do(testBrokerA.Register())
	}
	if code, stdout, stderr := diff(t, true, nodes); code != exitYes || stdout != "the same: brokers, topics, configuration, KV config\n" || stderr != "" {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	if code, stdout, stderr := diff(t, false, nodes); code != exitYes || stdout != "the same: brokers, names of 3 topics, configuration, KV config of ORDER_TOPIC_CONFIG and PROJECT_CONFIG\n" || stderr != "" {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	nodes[1].do(testBrokerB.Register())
	code, stdout, _ := diff(t, true, nodes, "--confirm", "0s", "--no-headers")
	var rows []string
	for line := range strings.Lines(stdout) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	want := []string{"brokers broker-b 0@10.0.0.2:10911 in c1 ✗ ✓ ✗", "topics ORDERS broker-b ✗ ✓ ✗", "topics PAYMENTS ✗ ✓ ✗"}
	if code != exitNo || !slices.Equal(rows, want) {
		t.Errorf("exit %d, %q, want %q", code, rows, want)
	}
}

// TestDiffUnreached: a server that is not reached is said, and lacks nothing.
func TestDiffUnreached(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil), {addr: "127.0.0.1:1", api: "127.0.0.1:1"}}
	for _, n := range nodes[:2] {
		n.do(testBrokerA.Register())
	}
	for _, api := range []bool{true, false} {
		code, stdout, stderr := diff(t, api, nodes, "-o", "json", "--confirm", "20ms")
		if got := found(t, stdout, nodes); code != exitSome || len(got) > 0 || !strings.Contains(stderr, "127.0.0.1:1: ") {
			t.Errorf("exit %d, %q, %q", code, got, stderr)
		}
	}
	nodes[0].do(testBrokerB.Register())
	for _, api := range []bool{true, false} {
		code, stdout, stderr := diff(t, api, nodes, "-o", "json", "--confirm", "20ms")
		got := found(t, stdout, nodes)
		if code != exitNo || !slices.Contains(got, "topics PAYMENTS||true|false|?") || !strings.Contains(stderr, "127.0.0.1:1: ") {
			t.Errorf("exit %d, %q, %q", code, got, stderr)
		}
	}
	if code, stdout, stderr := diff(t, false, nodes[1:]); code != exitSome || stdout != "" || !strings.Contains(stderr, "nothing is compared") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	if code, _, _ := run(t, "diff", "127.0.0.1:1", "127.0.0.1:2"); code != exitNobody {
		t.Errorf("nobody is reached: exit %d", code)
	}
	for _, args := range [][]string{
		{"diff"},
		{"diff", "a:1"},
		{"diff", "a:1", "a:1"},
		{"diff", "a:1", "b:1", "--admin", "a:2"},
		{"diff", "a:1", "b:1", "--topics", "("},
		{"diff", "a:1", "b:1", "--rate", "0"},
		{"diff", "a:1", "b:1", "--confirm", "-1s"},
	} {
		if code, _, stderr := run(t, args...); code != exitUsage {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
	}
}

// TestDiffLosesOne: a server that dies between two looks takes with it what it has said, and
// nothing of what the others say.
func TestDiffLosesOne(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil), newNode(t, nil)}
	for _, n := range nodes {
		n.do(testBrokerA.Register())
	}
	nodes[0].do(testBrokerB.Register())
	more := testBrokerA
	more.Counter, more.Topics = 2, append([]string{"THIRD"}, more.Topics...)
	nodes[2].do(more.Register())
	var out, errs bytes.Buffer
	c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(string) string { return "" }, now: time.Now, timeout: nstest.Patience, output: "json"}
	d, err := c.newComparison([]string{nodes[0].addr, nodes[1].addr, nodes[2].addr}, diffOptions{rate: usualRate, lasting: usualConfirm})
	if err != nil {
		t.Fatal(err)
	}
	d.pause = func(context.Context, time.Duration) error {
		nodes[2].stop()
		nstest.Eventually(t, "the third one has gone", func() bool {
			conn, err := net.Dial("tcp", nodes[2].addr)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		return nil
	}
	got, err := d.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	end := &exitError{}
	if err := d.tell(got, false); !errors.As(err, &end) || end.code != exitNo {
		t.Errorf("it ends with %v", err)
	}
	want := []string{"brokers broker-b 0@10.0.0.2:10911 in c1||true|false|?", "topics PAYMENTS||true|false|?"}
	if lines := found(t, out.String(), nodes); !slices.Equal(lines, want) || !strings.Contains(errs.String(), nodes[2].addr) {
		t.Errorf("got %q, want %q; %s", lines, want, &errs)
	}
}

// TestDiffRefused: what a server refuses is said and not compared; the rest is.
func TestDiffRefused(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, func(c *namesrv.Config) { c.EnableAllTopicList = false })}
	nodes[0].do(testBrokerA.Register())
	code, stdout, stderr := diff(t, false, nodes, "-o", "json", "--confirm", "0s")
	want := []string{"brokers broker-a 0@10.0.0.1:10911 in c1||true|false", "config enableAllTopicList||true|false"}
	if got := found(t, stdout, nodes); code != exitNo || !slices.Equal(got, want) || !strings.Contains(stderr, "topics not compared") {
		t.Errorf("exit %d, %q, %q", code, got, stderr)
	}
}

// TestDiffOfOneAPI: the API of one server is not taken for that of another one on the same
// machine, whoever says so.
func TestDiffOfOneAPI(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil)}
	nodes[0].do(testBrokerA.Register())
	nodes[1].api = nodes[0].api
	code, stdout, stderr := diff(t, true, nodes, "-o", "json", "--confirm", "0s")
	if got := found(t, stdout, nodes); code != exitNo || len(got) == 0 || !strings.Contains(stderr, "it is that of another server") {
		t.Errorf("exit %d, %q, %q", code, got, stderr)
	}
}

// TestDiffInMotion compares two servers while brokers change everything all the time, and
// tell one server after the other. Between two looks each broker has told both of
// something new: nothing may differ but the topic that really does.
func TestDiffInMotion(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil)}
	lasting := nstest.Broker{Cluster: "c1", Name: "broker-z", Addr: "10.0.0.26:10911", Counter: 1, Topics: []string{"KEPT", "KEPT2"}}
	nodes[0].do(lasting.Register())
	lasting.Topics = append(lasting.Topics, "LASTING")
	nodes[1].do(lasting.Register())

	const brokers = 4
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var rounds [brokers]atomic.Int64
	for i := range brokers {
		conns := []*nstest.Client{nstest.Dial(t, nodes[0].addr), nstest.Dial(t, nodes[1].addr)}
		all.Go(func() {
			for n := int64(1); ctx.Err() == nil; n++ {
				b := nstest.Broker{Cluster: "c1", Name: fmt.Sprintf("broker-%d", i), Addr: fmt.Sprintf("10.0.%d.%d:10911", i, 1+n%200), Counter: n}
				b.Addr = fmt.Sprintf("10.%d.%d.%d:10911", i, n/250%250, n%250)
				b.Topics = []string{"SHARED", fmt.Sprintf("OWN-%d", i), fmt.Sprintf("NEW-%d-%d", i, n)}
				r := bodyWith(b, "SHARED", func(c *codec.TopicConfig) { c.ReadQueueNums, c.WriteQueueNums = int32(n), int32(n) })
				for k := range conns {
					reply := conns[(int(n)+k)%2].Do(r)
					if codec.ResponseCode(reply.Code) != codec.RespSuccess {
						t.Errorf("registration: %d %s", reply.Code, reply.Remark)
						return
					}
				}
				rounds[i].Store(n)
			}
		})
	}
	defer func() { stop(); all.Wait() }()
	for _, api := range []bool{true, false} {
		var out, errs bytes.Buffer
		c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(string) string { return "" }, now: time.Now, timeout: nstest.Patience, output: "json"}
		if api {
			c.admin = nodes[0].api + ";" + nodes[1].api
		}
		d, err := c.newComparison([]string{nodes[0].addr, nodes[1].addr}, diffOptions{deep: true, rate: usualRate, lasting: usualConfirm})
		if err != nil {
			t.Fatal(err)
		}
		looks := 0
		d.pause = func(context.Context, time.Duration) error {
			looks++
			for i := range rounds {
				before := rounds[i].Load()
				nstest.Eventually(t, "each broker has told both of something new", func() bool { return rounds[i].Load() >= before+2 })
			}
			return nil
		}
		got, err := d.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.tell(got, false); err == nil {
			t.Error("the topic that differs is not found")
		}
		if lines := found(t, out.String(), nodes); !slices.Equal(lines, []string{"topics LASTING||false|true"}) || looks != len(confirmations) {
			t.Errorf("api %v: after %d looks got %q, want one topic; %s", api, looks, lines, errs.String())
		}
	}
}

// mostMoved is how many bytes the comparison of two of ours may move where three topics
// differ, of however many. All looks of --confirm are in it.
const mostMoved = 200_000
