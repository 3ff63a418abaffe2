package route

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// TestExplain explains what several clients are told of a topic. The bytes are those that
// RouteAs gives them, and nothing is counted.
func TestExplain(t *testing.T) {
	table := twoSets(t)
	zone := limitedRegistration("z", 0, "10.0.2.1:10911", "T", "T2")
	zone.ZoneName, zone.HasZoneName = "zone-z", true
	mustRegister(t, table, zone)
	hs := horizons(t,
		HorizonRules{Name: "partner", Match: HorizonMatch{Certificates: []string{"partner"}}, Rewrite: rulesOf(t, "broker=a id=0 to=a:1"), Missing: "refuse"},
		HorizonRules{Name: "drops", Match: HorizonMatch{CIDR: []string{"192.0.2.0/28"}}, Rewrite: rulesOf(t, "broker=b to=x:1; broker=a id=1 to=${broker}-${id}:1; broker=a to=bad..:+60000"), Missing: "drop"},
		HorizonRules{Name: "outside", Match: HorizonMatch{CIDR: []string{"0.0.0.0/0"}, Except: []string{"10.0.0.0/8"}}, Rewrite: rulesOf(t, "from=10.0.0.0/16 to=198.51.0.0/16")},
	)
	v := table.View()
	text := func(x *Explanation) string {
		var b strings.Builder
		for _, try := range x.Trials {
			fmt.Fprintf(&b, "%s %v: %s\n", try.Horizon, try.Fits, try.Why)
		}
		for _, m := range x.Members {
			fmt.Fprintf(&b, "%s %d %s -> rule %d -> %s, %s", m.Broker, m.ID, m.Registered, m.Rule, m.Result, m.Outcome)
			if m.Why != "" {
				fmt.Fprintf(&b, " (%s)", m.Why)
			}
			b.WriteByte('\n')
		}
		return b.String() + x.Refused
	}
	for _, tc := range []struct {
		who  Client
		form RouteForm
		want string
	}{
		{Client{Addr: netip.MustParseAddr("10.9.9.9")}, RouteForm{}, `
partner false: its certificate has no such name
drops false: 10.9.9.9 is in no cidr
outside false: 10.9.9.9 is in except 10.0.0.0/8
a 0 10.0.0.1:10911 -> rule 0 -> 10.0.0.1:10911, as registered
a 1 10.0.0.2:10911 -> rule 0 -> 10.0.0.2:10911, as registered
b 0 10.0.1.1:10911 -> rule 0 -> 10.0.1.1:10911, as registered
z 0 10.0.2.1:10911 -> rule 0 -> 10.0.2.1:10911, as registered
`},
		{Client{Addr: netip.MustParseAddr("192.0.2.200")}, RouteForm{InZone: true, Zone: []byte("zone-y")}, `
partner false: its certificate has no such name
drops false: 192.0.2.200 is in no cidr
outside true: 192.0.2.200 is in cidr 0.0.0.0/0
a 0 10.0.0.1:10911 -> rule 0 -> , in another zone
a 1 10.0.0.2:10911 -> rule 0 -> , in another zone
b 0 10.0.1.1:10911 -> rule 0 -> , in another zone
z 0 10.0.2.1:10911 -> rule 0 -> , in another zone
no broker is left for clients of horizon outside`},
		{Client{Addr: netip.MustParseAddr("192.0.2.200")}, RouteForm{InZone: true, Zone: []byte("ZONE-Z")}, `
partner false: its certificate has no such name
drops false: 192.0.2.200 is in no cidr
outside true: 192.0.2.200 is in cidr 0.0.0.0/0
a 0 10.0.0.1:10911 -> rule 0 -> , in another zone
a 1 10.0.0.2:10911 -> rule 0 -> , in another zone
b 0 10.0.1.1:10911 -> rule 0 -> , in another zone
z 0 10.0.2.1:10911 -> rule 1 -> 198.51.2.1:10911, rewritten
`},
		{Client{Addr: netip.MustParseAddr("192.0.2.9")}, RouteForm{}, `
partner false: its certificate has no such name
drops true: 192.0.2.9 is in cidr 192.0.2.0/28
a 0 10.0.0.1:10911 -> rule 3 -> , dropped (clients cannot connect to "bad..:70911")
a 1 10.0.0.2:10911 -> rule 2 -> a-1:1, rewritten
b 0 10.0.1.1:10911 -> rule 1 -> x:1, rewritten
z 0 10.0.2.1:10911 -> rule 0 -> , dropped (no rule is for it)
`},
		{Client{Certificates: []string{"Partner"}}, RouteForm{}, `
partner true: its certificate names "partner"
a 0 10.0.0.1:10911 -> rule 1 -> a:1, rewritten
a 1 10.0.0.2:10911 -> rule 0 -> , refuses (no rule is for it)
b 0 10.0.1.1:10911 -> rule 0 -> , refuses (no rule is for it)
z 0 10.0.2.1:10911 -> rule 0 -> , refuses (no rule is for it)
refused to clients of horizon partner: broker a, ID 1: no rule is for it`},
	} {
		x, err := v.Explain(hs, &tc.who, []byte("T"), &tc.form)
		if err != nil {
			t.Fatal(err)
		}
		if got := "\n" + text(&x); got != tc.want {
			t.Errorf("explained as%s\nwant%s", got, tc.want)
		}
		for _, st := range hs.Stats() {
			if st.Requests > 0 || st.Missing > 0 || st.Rules[0].Hits > 0 {
				t.Fatalf("something was counted: %+v", st)
			}
		}
		var body []byte
		if h := hs.Of(&tc.who); h == nil {
			body, _ = v.Route([]byte("T"), &tc.form)
		} else {
			var refusal *HorizonRefusal
			if body, err = v.RouteAs(h, []byte("T"), &tc.form); errors.As(err, &refusal) != (x.Refused != "") {
				t.Errorf("RouteAs: %v, explained as %q", err, x.Refused)
			}
			*h.counts = horizonCounts{}
			for _, r := range h.rules {
				r.hits.Store(0)
			}
		}
		if string(body) != string(x.Body) {
			t.Errorf("the bytes are %s, explained as %s", body, x.Body)
		}
	}
	if _, err := v.Explain(hs, &Client{}, []byte("nothing"), &RouteForm{}); !errors.Is(err, ErrNoTopic) {
		t.Errorf("a topic that is not there: %v", err)
	}
	x, err := v.Explain(nil, &Client{}, []byte("T"), &RouteForm{Dialect: codec.DialectStrict})
	if err != nil || len(x.Trials) > 0 || string(x.Body) != string(mustRoute(t, v, []byte("T"), codec.DialectStrict)) {
		t.Errorf("without horizons: %+v, %v", x, err)
	}
	if m := x.Members[0]; m.LastHeardMillis != 1 || m.Cluster != "c0" || m.Acting || x.Members[3].Zone != "zone-z" {
		t.Errorf("members are %+v", x.Members)
	}
}

// TestExplainActing explains a route in which a slave stands in for its master.
func TestExplainActing(t *testing.T) {
	table := New(Options{})
	r := limitedRegistration("a", 0, "10.0.0.1:10911", "T", "T2")
	r.EnableActingMaster = true
	mustRegister(t, table, r)
	r = limitedRegistration("a", 3, "10.0.0.2:10911", "T", "T2")
	r.EnableActingMaster, r.Conn = true, 2
	mustRegister(t, table, r)
	table.ConnClosed(1)
	hs := horizons(t, HorizonRules{Name: "h", Match: everybody, Rewrite: rulesOf(t, "id=3 to=x:1")})
	x, err := table.View().Explain(hs, &Client{Addr: netip.MustParseAddr("192.0.2.1")}, []byte("T"), &RouteForm{Acting: true})
	if err != nil || len(x.Members) != 1 {
		t.Fatal(x, err)
	}
	if m := x.Members[0]; !m.Acting || m.ID != 3 || m.ShownID != 0 || m.Result != "x:1" || m.RuleText != "id:3 to:x:1" {
		t.Errorf("it is %+v", m)
	}
}

// What a restart and self-protection know of a broker is said of it too.
func TestExplainTellsStates(t *testing.T) {
	old := New(Options{})
	mustRegister(t, old, limitedRegistration("a", 0, "10.0.0.1:10911", "T", "T2"))
	mustRegister(t, old, limitedRegistration("b", 0, "10.0.0.2:10911", "T", "T2"))
	table, err := Restore(Options{}, old.View().Save(0), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	table.Heartbeat(1, []byte("c0"), []byte("10.0.0.2:10911"))
	table.Suspect(slices.DeleteFunc(table.Due(1<<40), func(d DueBroker) bool { return d.Addr != "10.0.0.2:10911" }))
	x, err := table.View().Explain(nil, &Client{}, []byte("T"), &RouteForm{})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, m := range x.Members {
		got += fmt.Sprintln(m.Broker, m.State, m.Suspect)
	}
	if want := "a restored false\nb heard true\n"; got != want {
		t.Errorf("it tells\n%swant\n%s", got, want)
	}
}
