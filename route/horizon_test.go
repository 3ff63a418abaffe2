package route

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// horizons makes horizons that must be right.
func horizons(t testing.TB, rules ...HorizonRules) *Horizons {
	t.Helper()
	hs, err := NewHorizons(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	return hs
}

// everybody is the match of a horizon that all belong to.
var everybody = HorizonMatch{CIDR: []string{"0.0.0.0/0", "::/0"}}

// TestHorizonOf finds the horizon of clients by each thing that is known of them.
func TestHorizonOf(t *testing.T) {
	hs := horizons(t,
		HorizonRules{Name: "vpce", Match: HorizonMatch{ProxyTLVs: []ProxyTLV{{"0xEA", "vpce-0a1b"}, {"0xE0", "0x0000000000000007"}}}},
		HorizonRules{Name: "partner", Match: HorizonMatch{Certificates: []string{"Partner-*.example.com"}}},
		HorizonRules{Name: "door", Match: HorizonMatch{Listeners: []string{"192.0.2.1:9877", "2001:db8::1"}}},
		HorizonRules{Name: "door-inside", Match: HorizonMatch{Listeners: []string{"192.0.2.2"}, CIDR: []string{"10.0.0.0/8"}}},
		HorizonRules{Name: "outside", Match: HorizonMatch{CIDR: []string{"0.0.0.0/0", "::/0"}, Except: []string{"10.0.0.0/8", "127.0.0.0/8", "fd00::/8"}}},
	)
	addr, port := netip.MustParseAddr, netip.MustParseAddrPort
	for _, tc := range []struct {
		name string
		who  Client
		want string
	}{
		{"AWS puts a byte in front of its ID", Client{ProxyTLVs: []byte("\x02\x00\x01a\xea\x00\x0a\x01vpce-0a1b")}, "vpce"},
		{"another ID", Client{Addr: addr("10.1.1.1"), ProxyTLVs: []byte("\xea\x00\x0a\x01vpce-0a1c")}, ""},
		{"another type", Client{Addr: addr("10.1.1.1"), ProxyTLVs: []byte("\xee\x00\x0a\x01vpce-0a1b")}, ""},
		{"GCP has eight bytes", Client{ProxyTLVs: []byte("\xe0\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07")}, "vpce"},
		{"longer than it is", Client{Addr: addr("10.1.1.1"), ProxyTLVs: []byte("\xe0\x00\x09\x00\x00\x00\x00\x00\x00\x00\x07")}, ""},
		{"a certificate, in any case", Client{Certificates: []string{"x", "pArtner-7.example.com"}}, "partner"},
		{"another name", Client{Addr: addr("10.1.1.1"), Certificates: []string{"partner-7.example.com.evil"}}, ""},
		{"a listener", Client{Addr: addr("10.1.1.1"), Listener: port("192.0.2.1:9877")}, "door"},
		{"another port of it", Client{Addr: addr("10.1.1.1"), Listener: port("192.0.2.1:9876")}, ""},
		{"any port", Client{Addr: addr("10.1.1.1"), Listener: port("[2001:db8::1]:1")}, "door"},
		{"both", Client{Addr: addr("10.1.1.1"), Listener: port("192.0.2.2:9876")}, "door-inside"},
		{"one of both", Client{Addr: addr("192.168.1.1"), Listener: port("192.0.2.2:9876")}, "outside"},
		{"outside", Client{Addr: addr("192.0.2.9")}, "outside"},
		{"IPv4 in IPv6", Client{Addr: addr("::ffff:10.2.3.4")}, ""},
		{"IPv6 with a zone", Client{Addr: addr("fe80::1%eth0")}, "outside"},
		{"IPv6 inside", Client{Addr: addr("fd00::1")}, ""},
		{"nothing is known", Client{}, ""},
	} {
		h := hs.Of(&tc.who)
		if got := h.Name(); got != tc.want {
			t.Errorf("%s: horizon %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestHorizonFaults has one mistake in each file, which is named with its place.
func TestHorizonFaults(t *testing.T) {
	rule := func(r RewriteRule) HorizonRules {
		return HorizonRules{Name: "h", Match: everybody, Rewrite: []RewriteRule{{Broker: "ok", To: "ok:1"}, r}}
	}
	match := func(m HorizonMatch) HorizonRules { return HorizonRules{Name: "h", Match: m} }
	long := func(n int) (r HorizonRules) {
		r = HorizonRules{Name: "h", Match: everybody}
		for range n {
			r.Rewrite = append(r.Rewrite, RewriteRule{Broker: "b*", To: "${broker}"})
		}
		return r
	}
	for _, tc := range []struct {
		rules HorizonRules
		rule  int
		want  string
	}{
		{HorizonRules{Match: everybody}, -1, `name is ""`},
		{HorizonRules{Name: "a b", Match: everybody}, -1, `name is "a b"`},
		{HorizonRules{Name: "h", Match: everybody, Missing: "drops"}, -1, `missing is "drops"`},
		{match(HorizonMatch{}), -1, "match says nothing"},
		{match(HorizonMatch{Except: []string{"10.0.0.0/8"}}), -1, "except needs cidr"},
		{match(HorizonMatch{CIDR: []string{"10.0.0.0/33"}}), -1, `cidr: "10.0.0.0/33"`},
		{match(HorizonMatch{CIDR: []string{"10.0.0.1/8"}}), -1, "10.0.0.0/8 is the network"},
		{match(HorizonMatch{CIDR: []string{"::ffff:10.0.0.0/104"}}), -1, "written as IPv4"},
		{match(HorizonMatch{Listeners: []string{"localhost:1"}}), -1, `listener: "localhost:1"`},
		{match(HorizonMatch{ProxyTLVs: []ProxyTLV{{"0x100", "a"}}}), -1, `type is "0x100"`},
		{match(HorizonMatch{ProxyTLVs: []ProxyTLV{{"0xEA", "0xabc"}}}), -1, `value is "0xabc"`},
		{match(HorizonMatch{ProxyTLVs: []ProxyTLV{{"0xEA", ""}}}), -1, "value is empty"},
		{match(HorizonMatch{Certificates: []string{""}}), -1, "certificate"},
		{match(HorizonMatch{CIDR: make([]string, maxHorizonItems+1)}), -1, "at most 1000"},
		{rule(RewriteRule{To: "a:1"}), 1, "neither broker, cluster, id nor from"},
		{rule(RewriteRule{Broker: "b"}), 1, `to: "" is no host`},
		{rule(RewriteRule{Broker: "b", To: "a b:1"}), 1, `to: "a b:1" is no host`},
		{rule(RewriteRule{Broker: "b", To: `a"b:1`}), 1, "is no host"},
		{rule(RewriteRule{Broker: "b", To: "a,b:1"}), 1, "is no host"},
		{rule(RewriteRule{Broker: "b", To: "${name}:1"}), 1, "a variable other than"},
		{rule(RewriteRule{Broker: "b", To: "a:0"}), 1, "has no port"},
		{rule(RewriteRule{Broker: "b", To: "a:"}), 1, "has no port"},
		{rule(RewriteRule{Broker: "b", To: "a:65536"}), 1, "has no port"},
		{rule(RewriteRule{Broker: "b", To: "a:+x"}), 1, "has no port"},
		{rule(RewriteRule{Broker: "b", To: "[fe80::1%eth0]:1"}), 1, "no IPv6 address in its brackets"},
		{rule(RewriteRule{Broker: "b", To: "fe80::1%eth0"}), 1, "has a zone"},
		{rule(RewriteRule{Broker: "b", To: "[10.0.0.1]:1"}), 1, "no IPv6 address in its brackets"},
		{rule(RewriteRule{From: "10.0.0.0/8:x", To: "a:1"}), 1, `from: "10.0.0.0/8:x" has no port`},
		{rule(RewriteRule{From: "10.0.0.1/8", To: "a:1"}), 1, "10.0.0.0/8 is the network"},
		{rule(RewriteRule{From: "a/b", To: "a:1"}), 1, "neither an address nor a prefix"},
		{rule(RewriteRule{From: "a b", To: "a:1"}), 1, "neither an address, a prefix nor a host name"},
		{rule(RewriteRule{From: "10.0.0.0/24", To: "198.51.100.0/25"}), 1, "of the same length"},
		{rule(RewriteRule{From: "10.0.0.1", To: "198.51.100.0/24"}), 1, "of the same length"},
		{rule(RewriteRule{Broker: "b", To: "198.51.100.0/24"}), 1, "of the same length"},
		{long(maxOpenRules + 1), -1, "at most 100 may"},
		{HorizonRules{Name: "h", Match: everybody, Rewrite: make([]RewriteRule, maxRules+1)}, -1, "at most 10000"},
		{HorizonRules{Name: "h", Match: everybody, Strict: true, Rewrite: []RewriteRule{{Broker: "a", To: "x:1"}, {Broker: "b", To: "x:1"}}}, 1, "brokers a and b get the one address x:1"},
		{HorizonRules{Name: "h", Match: everybody, Strict: true, Rewrite: []RewriteRule{{Broker: "*", To: "x:1"}}}, 0, "get the one address x:1"},
	} {
		_, err := NewHorizons([]HorizonRules{{Name: "first", Match: everybody}, tc.rules}, nil)
		var f *HorizonFault
		if !errors.As(err, &f) || f.Horizon != 1 || f.Rule != tc.rule || !strings.Contains(f.Text, tc.want) {
			t.Errorf("error is %v (%+v), want one of rule %d: %s", err, f, tc.rule, tc.want)
		}
	}
	if _, err := NewHorizons([]HorizonRules{{Name: "h", Match: everybody}, {Name: "h", Match: everybody}}, nil); err == nil {
		t.Error("two horizons have one name")
	}
	if _, err := NewHorizons(make([]HorizonRules, maxHorizons+1), nil); err == nil {
		t.Errorf("there are %d horizons", maxHorizons+1)
	}
}

// TestHorizonWarnings has rules that are right, and may not be meant.
func TestHorizonWarnings(t *testing.T) {
	for _, tc := range []struct {
		rules []RewriteRule
		want  string // "" is none
	}{
		{[]RewriteRule{{Broker: "a", To: "x:1000"}, {Broker: "b", To: "x:1000"}}, "brokers a and b get the one address x:1000"},
		{[]RewriteRule{{Broker: "*", To: "x:1000"}}, "all brokers to which it applies get the one address x:1000"},
		{[]RewriteRule{{From: "10.0.0.1:10911", To: "x:30911"}}, "connect to port 30909 instead of 30911: it must lead to the broker's port 10909"},
		{[]RewriteRule{{From: "10.0.0.1", To: "x:2"}}, "cannot connect to port 2 - 2"},
		{[]RewriteRule{{From: "10.0.0.1:10911", To: "x:10911"}}, ""},
		{[]RewriteRule{{From: "10.244.0.0/16:10911", To: "203.0.113.7:+20000"}}, ""},
		{[]RewriteRule{{Broker: "*", To: "${broker}-${id}.example.com:10911"}}, ""},
	} {
		hs := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: tc.rules})
		w := hs.Warnings()
		if tc.want == "" && len(w) > 0 || tc.want != "" && (len(w) != 1 || !strings.Contains(w[0].Text, tc.want)) {
			t.Errorf("%v: warnings are %v, want %q", tc.rules, w, tc.want)
		}
	}
}

// TestHorizonsGoOnCounting reads a file again, of which one rule stays, and one horizon.
func TestHorizonsGoOnCounting(t *testing.T) {
	stays := RewriteRule{Broker: "a", To: "x:1"}
	old := horizons(t,
		HorizonRules{Name: "h", Match: everybody, Rewrite: []RewriteRule{{Broker: "b", To: "y:1"}, stays}},
		HorizonRules{Name: "goes", Match: everybody})
	for _, h := range old.all {
		h.counts.requests.Add(7)
	}
	old.all[0].rules[0].hits.Add(1)
	old.all[0].rules[1].hits.Add(2)
	now, err := NewHorizons([]HorizonRules{
		{Name: "comes", Match: everybody},
		{Name: "h", Match: everybody, Rewrite: []RewriteRule{stays, stays, {Broker: "b", To: "y:2"}}},
	}, old)
	if err != nil {
		t.Fatal(err)
	}
	st := now.Stats()
	if st[0].Requests != 0 || st[1].Requests != 7 || st[1].Rules[0].Hits != 2 || st[1].Rules[1].Hits != 0 || st[1].Rules[2].Hits != 0 {
		t.Errorf("counters are %+v", st)
	}
	for _, h := range now.all {
		for _, other := range old.all {
			if h.number == other.number || h.number == 0 {
				t.Errorf("horizon %s has the number %d of another one", h.name, h.number)
			}
		}
	}
}

// TestMatchPattern compares with the obvious, which is slow.
func TestMatchPattern(t *testing.T) {
	var slow func(p, s string) bool
	slow = func(p, s string) bool {
		switch {
		case p == "":
			return s == ""
		case p[0] == '*':
			return slow(p[1:], s) || s != "" && slow(p, s[1:])
		}
		return s != "" && s[0] == p[0] && slow(p[1:], s[1:])
	}
	rapid.Check(t, func(rt *rapid.T) {
		p, s := rapid.StringMatching(`[ab*]{0,6}`).Draw(rt, "pattern"), rapid.StringMatching(`[ab]{0,8}`).Draw(rt, "text")
		if got, want := matchPattern(p, s), slow(p, s); got != want {
			rt.Fatalf("%q matches %q: %v, want %v", p, s, got, want)
		}
	})
}
