package namesrv_test

import (
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestKVNamespaces reads values of name spaces that kvNamespaces lists and of others: of
// these, only who may read what operators do has any.
func TestKVNamespaces(t *testing.T) {
	const public, site = "203.0.113.7", "10.0.0.1"
	const order, other = "ORDER_TOPIC_CONFIG", "OF_OPERATORS"
	ask := func(namespace, key string) *codec.Command { return getKV("namespace", namespace, "key", key) }
	sign := func(r *codec.Command, key string) *codec.Command { return nstest.Sign(r, key, "canary-"+key) }
	for name, tc := range map[string]struct {
		rule           string
		listed, others bool // what who may read routes may have of these
	}{
		"none":           {"", true, true},
		"no value":       {"kvNamespaces:\n", true, true},
		"one":            {"kvNamespaces: [ORDER_TOPIC_CONFIG]\n", true, false},
		"two":            {"kvNamespaces:\n  - PROJECT_CONFIG\n  - ORDER_TOPIC_CONFIG\n", true, false},
		"both":           {"kvNamespaces: [ORDER_TOPIC_CONFIG, OF_OPERATORS]\n", true, true},
		"none is listed": {"kvNamespaces: []\n", false, false},
		"another case":   {"kvNamespaces: [order_topic_config]\n", false, false},
	} {
		_, change := withAccess(t, "standard", keyRules+tc.rule)
		s := start(t, change)
		for _, namespace := range []string{order, other} {
			if err := s.PutKV(namespace, "k", "v"); err != nil {
				t.Fatal(err)
			}
		}
		const remark = "No permission: route-read from " + public + " (standard); values of this name space take admin-read, see kvNamespaces in the accessFile of the name server"
		has := func(what, from string, r *codec.Command, may bool) {
			t.Helper()
			reply := s.dialFrom(t, from).Do(r)
			value, _ := reply.Ext.Get("value")
			if may != (codec.ResponseCode(reply.Code) == codec.RespSuccess && string(value) == "v") || !may && string(reply.Remark) != remark {
				t.Errorf("%s, %s: answered %v %s %s", name, what, codec.ResponseCode(reply.Code), reply.Remark, value)
			}
		}
		has("one that is listed", public, ask(order, "k"), tc.listed)
		has("another one", public, ask(other, "k"), tc.others)
		if !tc.others {
			has("no such key", public, ask(other, "none"), false)
			has("no such name space", public, ask("none", "k"), false)
			has("no name space", public, getKV("key", "k"), false)
		}
		has("of the site", site, ask(other, "k"), true)
		has("a key", public, sign(ask(other, "k"), "ops"), true)
		has("a key that lacks the right", public, sign(ask(other, "k"), "reader"), tc.others)
		has("a wrong signature", public, nstest.Sign(ask(other, "k"), "ops", "wrong"), tc.others)
		got, refused := signatures(s), refusedOf(s, codec.ReqGetKVConfig)["namespace"]
		if tc.others && len(got) != 0 || !tc.others && (got["good"] != 2 || got["wrong"] != 1) {
			t.Errorf("%s: signatures %v", name, got)
		}
		want := uint64(0)
		if !tc.others {
			want = 6
		}
		if !tc.listed {
			want++
		}
		if refused != want {
			t.Errorf("%s: %d refused, want %d", name, refused, want)
		}
	}
}

// TestKVNamespacesMonitor serves what it would refuse, and counts it.
func TestKVNamespacesMonitor(t *testing.T) {
	file, change := withAccess(t, "standard", "kvNamespaces: []\nmode: monitor\n")
	s := start(t, change)
	if err := s.PutKV("n", "k", "v"); err != nil {
		t.Fatal(err)
	}
	c := s.dialFrom(t, "203.0.113.7")
	wantCode(t, c.Do(getKV("namespace", "n", "key", "k")), codec.RespSuccess, "")
	if st := s.Snapshot().Access; sumOf(st.WouldRefuse) != 1 || len(st.Refused) != 0 {
		t.Errorf("it shows %+v", st)
	}
	writeFile(t, file, "kvNamespaces: []\n")
	s.Reload()
	nstest.Eventually(t, "it is in force", func() bool { return s.Snapshot().Access.Generation == 2 })
	if got := codec.ResponseCode(c.Do(getKV("namespace", "n", "key", "k")).Code); got != codec.RespNoPermission {
		t.Errorf("enforced, it is answered %v", got)
	}
}

// TestKVNamespacesShown: config check says which they are.
func TestKVNamespacesShown(t *testing.T) {
	for rule, want := range map[string]string{
		"networks: []":          "",
		"kvNamespaces: []":      "a value of the KV config (101) takes admin-read\n",
		"kvNamespaces: [P, N]":  "a value of the KV config (101) takes admin-read, but in N, P\n",
		"kvNamespaces: [[], 1]": "there must be one text",
		"kvNamespaces: N":       "kvNamespaces must be a list",
	} {
		cfg := namesrv.DefaultConfig()
		_, change := withAccess(t, "standard", rule+"\n")
		change(&cfg)
		table, _, err := namesrv.CheckAccess(cfg)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", rule, err)
			}
			continue
		}
		if shown := strings.Contains(table, "KV config"); shown != (want != "") || !strings.HasSuffix(table, want) {
			t.Errorf("%s: it says\n%s", rule, table)
		}
	}
}
