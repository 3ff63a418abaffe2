package nsctl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

func (n *node) put(namespace, key, value string) {
	n.t.Helper()
	n.do(nstest.Request(codec.ReqPutKVConfig, "namespace", namespace, "key", key, "value", value))
}

// TestDiffKV: a name server that begins with an empty KV store is noticed, also one whose
// values differ. Namespaces that nobody knows by name are compared where the API tells of
// them, and where they are named.
func TestDiffKV(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil)}
	for _, n := range nodes {
		n.do(testBrokerA.Register())
		n.put("ORDER_TOPIC_CONFIG", "SAME", "broker-a:4")
	}
	nodes[0].put("ORDER_TOPIC_CONFIG", "ORDERS", "broker-a:8")
	nodes[0].put("ORDER_TOPIC_CONFIG", "PAID", "broker-a:8")
	nodes[1].put("ORDER_TOPIC_CONFIG", "PAID", "broker-a:4")
	nodes[1].put("PROJECT_CONFIG", "10.0.0.7", "")
	nodes[0].put("own", "key", "1")
	nodes[0].put("own", "token", "abc")
	nodes[1].put("own", "token", "def")
	nodes[0].put("empty", "key", "1")
	nodes[0].do(nstest.Request(codec.ReqDeleteKVConfig, "namespace", "empty", "key", "key"))
	known := []string{
		"kv ORDER_TOPIC_CONFIG ORDERS||broker-a:8|<nil>",
		"kv ORDER_TOPIC_CONFIG PAID||broker-a:8|broker-a:4",
		"kv PROJECT_CONFIG 10.0.0.7||false|true",
	}
	own := []string{"kv own key||1|<nil>", "kv own token||secret 1|secret 2"}
	for _, way := range []struct {
		name  string
		api   bool
		flags []string
		want  []string
	}{
		{"api", true, nil, slices.Concat(known, own)},
		{"protocol", false, nil, known},
		{"deep", false, []string{"--deep"}, known},
		{"named", false, []string{"--namespace", "own", "--namespace", "none"}, slices.Concat(known, own)},
	} {
		for _, confirm := range []string{"0s", "20ms"} {
			code, stdout, stderr := diff(t, way.api, nodes, append(way.flags, "-o", "json", "--confirm", confirm)...)
			if got := found(t, stdout, nodes); code != exitNo || !slices.Equal(got, way.want) || stderr != "" {
				t.Errorf("%s: exit %d\n%s\nwant\n%s\n%s", way.name, code, strings.Join(got, "\n"), strings.Join(way.want, "\n"), stderr)
			}
		}
	}
	code, stdout, _ := diff(t, false, nodes, "--confirm", "0s", "--no-headers")
	var rows []string
	for line := range strings.Lines(stdout) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	want := []string{"kv ORDER_TOPIC_CONFIG ORDERS broker-a:8 ✗", "kv ORDER_TOPIC_CONFIG PAID broker-a:8 broker-a:4", "kv PROJECT_CONFIG 10.0.0.7 ✗ ✓"}
	if code != exitNo || !slices.Equal(rows, want) {
		t.Errorf("exit %d, %q, want %q", code, rows, want)
	}
}

// TestDiffKVRefused: a server that does not tell its KV config is said not to be compared,
// and differs in nothing. What others say is compared all the same.
func TestDiffKVRefused(t *testing.T) {
	t.Parallel()
	kv := `{"table":{"T":"a:8"}}`
	fake := func(answer func() *codec.Reply) *node {
		return &node{t: t, addr: fakeServer(t, codec.Version, func(r *codec.Command) *codec.Reply {
			switch r.Code {
			case codec.ReqGetNamesrvConfig:
				return &codec.Reply{Body: []byte("enableTopicList=true\n")}
			case codec.ReqGetBrokerClusterInfo:
				return &codec.Reply{Body: []byte(`{"brokerAddrTable":{},"clusterAddrTable":{}}`)}
			case codec.ReqGetAllTopicListFromNameserver:
				return &codec.Reply{Body: []byte(`{"topicList":[]}`)}
			}
			return answer()
		})}
	}
	tells := fake(func() *codec.Reply { return &codec.Reply{Body: []byte(kv)} })
	other := fake(func() *codec.Reply { return &codec.Reply{Body: []byte(`{"table":{}}`)} })
	denies := fake(func() *codec.Reply { return &codec.Reply{Code: codec.RespNoPermission, Remark: "no\nright"} })
	garbles := fake(func() *codec.Reply { return &codec.Reply{Body: []byte(kv[:9])} })
	for _, c := range []struct {
		name   string
		nodes  []*node
		stderr string
		code   int
		want   []string
	}{
		{"refused", []*node{tells, denies}, denies.addr + ": KV config not compared: refused: NO_PERMISSION: no; right", exitSome, nil},
		{"refused by one of three", []*node{tells, denies, other}, "KV config not compared: refused", exitNo, []string{"kv ORDER_TOPIC_CONFIG T||a:8|?|<nil>", "kv PROJECT_CONFIG T||a:8|?|<nil>"}},
		{"garbage", []*node{tells, garbles}, "KV config not compared: codec: ", exitSome, nil},
	} {
		code, stdout, stderr := diff(t, false, c.nodes, "-o", "json", "--confirm", "0s")
		if got := found(t, stdout, c.nodes); code != c.code || !slices.Equal(got, c.want) || strings.Count(stderr, c.stderr) != 1 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit %d, %q, %q", c.name, code, got, stderr)
		}
	}
}

// TestDiffKVBounded: of very many namespaces some are compared, and it is said.
func TestDiffKVBounded(t *testing.T) {
	t.Parallel()
	nodes := []*node{newNode(t, nil), newNode(t, nil)}
	for i := range mostNamespaces {
		nodes[0].put(fmt.Sprintf("n%02d", i), "k", "v")
	}
	code, stdout, stderr := diff(t, true, nodes, "-o", "json", "--confirm", "0s")
	got := found(t, stdout, nodes)
	if code != exitNo || len(got) != mostNamespaces-2 || got[0] != "kv n00 k||v|<nil>" || stderr != "nsctl: not all namespaces of the KV config are compared, only 64\n" {
		t.Errorf("exit %d, %d lines, %.200q, %q", code, len(got), got, stderr)
	}
	args := []string{"diff", "a:1", "b:1"}
	for i := range mostNamespaces {
		args = append(args, "--namespace", fmt.Sprint(i))
	}
	if code, _, stderr := run(t, args...); code != exitUsage || !strings.Contains(stderr, "--namespace") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// TestDiffSigns: what needs a right is asked with the keys that nsctl is given.
func TestDiffSigns(t *testing.T) {
	t.Setenv("container", "test") // so that the loopback is not trusted, whatever this machine is
	dir := t.TempDir()
	access, secret := filepath.Join(dir, "access.yaml"), filepath.Join(dir, "secret")
	for name, text := range map[string]string{access: "accounts: [{accessKey: ops, secretKey: a long secret, rights: [admin-read]}]\n", secret: "a long secret\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	strict := func(c *namesrv.Config) { c.AccessPreset, c.AccessFile, c.TrustLoopback = "strict", access, false }
	nodes := []*node{newNode(t, strict), newNode(t, strict)}
	if code, stdout, stderr := diff(t, false, nodes, "--confirm", "0s"); code != exitSome || strings.Count(stderr, "KV config not compared: refused: NO_PERMISSION") != 2 {
		t.Errorf("without keys: exit %d, %q, %q", code, stdout, stderr)
	}
	if code, stdout, stderr := diff(t, false, nodes, "--confirm", "0s", "--access-key", "ops", "--secret-key-file", secret); code != exitYes || stderr != "" {
		t.Errorf("with keys: exit %d, %q, %q", code, stdout, stderr)
	}
}
