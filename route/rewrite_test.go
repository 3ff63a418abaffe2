package route

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

func id(n int64) *int64 { return &n }

// TestRewrite rewrites one address by each kind of rule.
func TestRewrite(t *testing.T) {
	for _, tc := range []struct {
		rules string // of rulesOf
		addr  string
		want  string // "" if there is no result
		rule  int
	}{
		{"broker=broker-a id=0 to=mq-a.example.com:10911", "10.0.0.5:10911", "mq-a.example.com:10911", 1},
		{"broker=broker-a id=1 to=x:1; broker=broker-* to=y:2", "10.0.0.5:10911", "y:2", 2},
		{"broker=* to=y:2; broker=broker-a to=x:1", "10.0.0.5:10911", "y:2", 1},
		{"broker=broker-b to=x:1", "10.0.0.5:10911", "", 0},
		{"cluster=c* to=${broker}-${id}.${cluster}.example.com:10911", "10.0.0.5:10911", "broker-a-0.c1.example.com:10911", 1},
		{"cluster=d* to=x:1", "10.0.0.5:10911", "", 0},
		{"from=10.244.0.0/16:10911 to=203.0.113.7:+20000", "10.244.3.4:10911", "203.0.113.7:30911", 1},
		{"from=10.244.0.0/16:10911 to=203.0.113.7:+20000", "10.244.3.4:10912", "", 0},
		{"from=10.244.0.0/16 to=203.0.113.7:-911", "10.244.3.4:10911", "203.0.113.7:10000", 1},
		{"from=10.244.0.0/16 to=203.0.113.7:+60000", "10.244.3.4:10911", "", 1},
		{"from=10.244.0.0/16 to=203.0.113.7:-10911", "10.244.3.4:10911", "", 1},
		{"from=172.18.0.5:10911 to=127.0.0.1:10911", "172.18.0.5:10911", "127.0.0.1:10911", 1},
		{"from=172.18.0.5 to=127.0.0.1", "172.18.0.5:10911", "127.0.0.1:10911", 1},
		{"from=172.18.0.5 to=127.0.0.1:${port}", "172.18.0.5:10911", "127.0.0.1:10911", 1},
		{"from=10.0.0.0/24 to=198.51.100.0/24", "10.0.0.77:10911", "198.51.100.77:10911", 1},
		{"from=10.0.0.64/26 to=198.51.100.128/26:+1", "10.0.0.77:10911", "198.51.100.141:10912", 1},
		{"from=10.0.0.0/20 to=198.51.96.0/20", "10.0.9.77:10911", "198.51.105.77:10911", 1},
		{"from=10.0.0.0/24 to=198.51.100.0/24", "10.0.1.77:10911", "", 0},
		{"from=10.0.0.7/32 to=198.51.100.9/32", "10.0.0.7:10911", "198.51.100.9:10911", 1},
		{"from=2001:db8::/64 to=2001:db8:1::/64", "[2001:db8::7]:10911", "[2001:db8:1::7]:10911", 1},
		{"from=2001:db8::7 to=[2001:db8:1::9]:1", "[2001:db8::7]:10911", "[2001:db8:1::9]:1", 1},
		{"from=2001:db8::7 to=x", "2001:db8::7:10911", "x:10911", 1}, // as Java writes it
		{"from=10.0.0.1 to=x", "[::ffff:10.0.0.1]:10911", "x:10911", 1},
		{"from=broker.inside to=x", "Broker.Inside:10911", "x:10911", 1},
		{"from=broker.inside to=x", "broker.outside:10911", "", 0},
		{"from=10.0.0.1 to=y:1; from=10.0.0.0/8 to=x:1", "10.0.0.1:10911", "y:1", 1},
		{"from=10.0.0.0/8 to=x:1; from=10.0.0.1 to=y:1", "10.0.0.1:10911", "x:1", 1},
		{"broker=broker-a from=10.0.0.0/8 to=y:1", "11.0.0.1:10911", "", 0},
		{"from=11.0.0.1 to=a:1; broker=broker-a id=5 to=b:1; id=0 to=c:1; broker=broker-a to=d:1; from=10.0.0.1 to=e:1", "10.0.0.1:10911", "c:1", 3},
		{"broker=* to=x", "no port", "", 1},
		{"broker=* to=x:1", "no port", "x:1", 1},
		{"broker=* to=${cluster}:1", "x:1", "c1:1", 1},
	} {
		h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, tc.rules)}).all[0]
		to, rule, why := h.see(&memberAddress{"c1", "broker-a", 0, splitAddress(tc.addr)}, false)
		if to != tc.want || rule != tc.rule || (to == "") != (why != "") {
			t.Errorf("%s: %s becomes %q by rule %d (%s), want %q by rule %d", tc.rules, tc.addr, to, rule, why, tc.want, tc.rule)
		}
	}
	// What clients could not use is no result.
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "broker=* to=${broker}.example.com:1")}).all[0]
	for _, name := range []string{"a,b", `a"b`, "a b", "a:b", "a{", "fe80::1%eth0", strings.Repeat("x", 250), "größe", ""} {
		if to, _, why := h.see(&memberAddress{"c1", name, 0, splitAddress("10.0.0.1:1")}, false); name != "" && (to != "" || why == "") {
			t.Errorf("broker %q becomes %q", name, to)
		}
	}
}

// rulesOf reads rules that are written "key=value key=value; key=value".
func rulesOf(t testing.TB, text string) (rules []RewriteRule) {
	t.Helper()
	for line := range strings.SplitSeq(text, ";") {
		var r RewriteRule
		for word := range strings.FieldsSeq(line) {
			key, value, _ := strings.Cut(word, "=")
			switch key {
			case "broker":
				r.Broker = value
			case "cluster":
				r.Cluster = value
			case "id":
				n, err := strconv.ParseInt(value, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				r.ID = id(n)
			case "from":
				r.From = value
			case "to":
				r.To = value
			default:
				t.Fatalf("no key %s", key)
			}
		}
		rules = append(rules, r)
	}
	return rules
}

// TestFirstRuleWins compares the rule that is found by the indexes with the first one
// that matches.
func TestFirstRuleWins(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rules []RewriteRule
		for range rapid.IntRange(0, 8).Draw(rt, "rules") {
			r := RewriteRule{
				Broker: rapid.SampledFrom([]string{"", "a", "b", "a*", "*"}).Draw(rt, "broker"),
				From:   rapid.SampledFrom([]string{"", "10.0.0.1", "10.0.0.2:2", "10.0.0.0/8", "h", "h:1"}).Draw(rt, "from"),
				To:     "x:1",
			}
			if rapid.Bool().Draw(rt, "id") || r.Broker == "" && r.From == "" {
				r.ID = id(rapid.Int64Range(0, 1).Draw(rt, "n"))
			}
			rules = append(rules, r)
		}
		h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rules}).all[0]
		m := memberAddress{
			"c", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name"), rapid.Int64Range(0, 1).Draw(rt, "member"),
			splitAddress(rapid.SampledFrom([]string{"10.0.0.1:1", "10.0.0.2:2", "h:1", "11.0.0.1:1"}).Draw(rt, "addr")),
		}
		want := 1 + slices.IndexFunc(h.rules, func(r *rewriteRule) bool { return r.matches(&m) })
		if _, got, _ := h.see(&m, false); got != want {
			rt.Fatalf("rule %d counts for %+v, want %d of %v", got, m, want, h.rules)
		}
	})
}

// goClientAddrs reads the addresses of a broker set as the Go client does, which knows
// no JSON there. rocketmq-client-go v2.1.2: TopicRouteData.decode.
func goClientAddrs(text string) map[int64]string {
	addrs := map[int64]string{}
	for _, str := range strings.Split(text[1:len(text)-1], ",") {
		i := strings.Index(str, ":")
		if i < 0 {
			continue
		}
		brokerID := strings.ReplaceAll(str[0:i], "\"", "")
		id, _ := strconv.ParseInt(brokerID, 10, 64)
		addrs[id] = strings.ReplaceAll(str[i+1:], "\"", "")
	}
	return addrs
}

var dialable = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$`)

// TestCanDial makes sure that what we take for an address every client does: the form
// of the specification, and the Go client's own reading of what we would write.
func TestCanDial(t *testing.T) {
	for addr, want := range map[string]bool{
		"10.0.0.1:10911": true, "a_b-c.example.com:1": true, "[2001:db8::1]:65535": true, "a:00080": true,
		"": false, ":1": false, "a": false, "a:": false, "a:0": false, "a:65536": false, "a:+1": false, "a:-1": false, "a:000080": false,
		"a,b:1": false, "a b:1": false, `a"b:1`: false, "a{b:1": false, "2001:db8::1:1": false, "[2001:db8::1]": false, "[fe80::1%eth0]:1": false,
		"[10.0.0.1]:1": false, "[a]:1": false, "[::1:1": false, "a:b:1": false, "größe:1": false, strings.Repeat("x", 300) + ":1": false,
	} {
		if got := CanDial(addr); got != want {
			t.Errorf("%q can be dialled: %v, want %v", addr, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		addr := rapid.OneOf(
			rapid.StringMatching(`[a-z0-9.,:%"{}\[\] _-]{1,12}:[0-9+]{1,6}`), rapid.StringMatching(`\[[0-9a-f:.%]{1,12}\]:[0-9]{1,5}`), rapid.String(),
		).Draw(rt, "addr")
		if !CanDial(addr) {
			return
		}
		if !dialable.MatchString(addr) {
			rt.Fatalf("%q is no address of the specification", addr)
		}
		b := codec.TopicRouteData{BrokerDatas: []codec.BrokerData{{BrokerAddrs: []codec.BrokerAddr{{ID: 0, Addr: addr}, {ID: 1, Addr: "z:1"}}}}}
		var read struct {
			BrokerDatas []struct{ BrokerAddrs json.RawMessage }
		}
		if err := json.Unmarshal(b.AppendJSON(nil, codec.DialectStrict), &read); err != nil {
			rt.Fatal(err)
		}
		got := goClientAddrs(string(read.BrokerDatas[0].BrokerAddrs))
		if len(got) != 2 || got[0] != addr || got[1] != "z:1" {
			rt.Fatalf("the Go client reads %v, want %q", got, addr)
		}
	})
}

// TestManyRules looks addresses up among as many rules as there may be: it costs no more
// than among few.
func TestManyRules(t *testing.T) {
	var rules []RewriteRule
	for i := range maxRules {
		rules = append(rules, RewriteRule{Broker: fmt.Sprintf("broker-%d", i), To: fmt.Sprintf("mq-%d:1", i)})
	}
	h := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rules}).all[0]
	to, rule, _ := h.see(&memberAddress{broker: "broker-9999"}, false)
	if to != "mq-9999:1" || rule != 10_000 || len(h.open) != 0 || len(h.byBroker["broker-9999"]) != 1 {
		t.Errorf("%q by rule %d, %d rules are compared with each address", to, rule, len(h.open))
	}
}
