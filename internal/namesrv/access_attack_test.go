package namesrv

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// refusedServer is a server with rules of so many addresses, the last of which denies
// everything to the loopback.
func refusedServer(tb testing.TB, addresses int) *Server {
	tb.Helper()
	var text strings.Builder
	text.WriteString("networks:\n")
	for i := range addresses / 10 {
		fmt.Fprintf(&text, "  - { name: n%d, cidr: [10.%d.%d.0-24, 127.0.0.1, 10.0.1-9.*, 10.0.2.0/24, 10.0.3.0/24, 10.0.4.0/24, 10.0.5.0/24, 10.0.6.0/24, 10.0.7.0/24, 10.0.8.0/24], rights: all }\n", i, i/250, i%250)
	}
	text.WriteString("  - { name: last, cidr: 127.0.0.1, deny: true }\n")
	cfg := DefaultConfig()
	cfg.KVConfigPath = ""
	cfg.AccessFile = tb.TempDir() + "/access.yaml"
	if err := os.WriteFile(cfg.AccessFile, []byte(text.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// BenchmarkRefusal is what a request costs that is refused, by how many addresses the rules
// have.
func BenchmarkRefusal(b *testing.B) {
	for _, addresses := range []int{10, 9_900} {
		b.Run(fmt.Sprintf("%d addresses", addresses), func(b *testing.B) {
			s := refusedServer(b, addresses)
			c, _ := connect(b)
			frame := codec.AppendRequest(nil, codec.SerializeJSON, nstest.Request(codec.ReqRegisterBroker))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = s.Serve(c, 0, frame, out[:0])
			}
			if s.Snapshot().Access.Refused == nil {
				b.Fatal("nothing was refused")
			}
		})
	}
}

// TestAttackRefusalsCostTheSame: what a refusal allocates depends neither on how many rules
// there are, nor on the length of the request, whose body nobody looks at.
func TestAttackRefusalsCostTheSame(t *testing.T) {
	count := func(addresses, body int) float64 {
		s := refusedServer(t, addresses)
		c, _ := connect(t)
		r := nstest.Request(codec.ReqRegisterBroker, "brokerName", "b", "brokerAddr", "10.0.0.1:1", "clusterName", "c", "haServerAddr", "", "brokerId", "0")
		r.Body = make([]byte, body)
		frame := codec.AppendRequest(nil, codec.SerializeJSON, r)
		out := s.Serve(c, 0, frame, nil)
		n := testing.AllocsPerRun(100, func() { out = s.Serve(c, 0, frame, out[:0]) })
		var reply codec.Command
		if err := reply.Decode(out); err != nil || codec.ResponseCode(reply.Code) != codec.RespNoPermission {
			t.Fatalf("answered %v %v", reply.Code, err)
		}
		return n
	}
	few, many, large := count(10, 0), count(9_900, 0), count(10, 15<<20)
	// A few more may be pools: the race detector empties them as it likes.
	if many > few+10 || large > few+10 || few > 20 {
		t.Errorf("%v allocations with few rules, %v with many, %v with a large body", few, many, large)
	}
}

// TestAttackSecretChangesMeanwhile: a secret that changes right after the file was read is
// taken the next time somebody looks.
func TestAttackSecretChangesMeanwhile(t *testing.T) {
	secrets := []string{"first", "second"}
	reads := 0
	cfg := DefaultConfig()
	cfg.AccessFile = "access.yaml"
	k := &accessKeeper{told: func([]any) {}, cfg: &cfg, log: slog.New(slog.DiscardHandler), wall: time.Now, world: aWorld("")}
	k.world.source.readFile = func(path string, _ int64) ([]byte, error) {
		if path == "access.yaml" {
			return []byte("accounts: [{accessKey: ops, secretKey: \"${file:secret}\"}]\n"), nil
		}
		reads++
		return []byte(secrets[min(reads, len(secrets))-1]), nil // another one from the second time on
	}
	text, _ := k.read()
	p, warnings, seen, err := k.policyOf(text)
	if err != nil {
		t.Fatal(err)
	}
	k.use(p, warnings)
	k.seen = seen
	k.reload()
	if got := *k.inForce.Load().file.accounts[0].secret.text; got != "second" {
		t.Errorf("%s is in force", got)
	}
	k.reload()
	if n := k.stats.Generation; n != 2 {
		t.Errorf("rules have come into force %d times", n)
	}
}

// TestAttackSameHost: addresses that many hosts share prove nothing.
func TestAttackSameHost(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"203.0.113.7", "203.0.113.7", true},
		{"203.0.113.7", "203.0.113.8", false},
		{"203.0.113.7", "::ffff:203.0.113.7", true},
		{"2001:db8::1", "2001:db8::2", true}, // privacy addresses of one host
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1", "fe80::2", false}, // all hosts of a link
		{"fe80::1%eth0", "fe80::1", true},
		{"64:ff9b::cb00:7107", "64:ff9b::cb00:7108", false}, // IPv4, translated
		{"64:ff9b::cb00:7107", "203.0.113.7", false},
		{"", "", false},
	} {
		var a, b netip.Addr
		if tc.a != "" {
			a, b = plainAddr(netip.MustParseAddr(tc.a)), plainAddr(netip.MustParseAddr(tc.b))
		}
		if got := sameHost(a, b); got != tc.want || sameHost(b, a) != tc.want {
			t.Errorf("%s and %s: %v", tc.a, tc.b, got)
		}
	}
}

// TestAttackCertificateWarnings: rules of certificates that do not count, or that anybody
// can have, are said.
func TestAttackCertificateWarnings(t *testing.T) {
	file := t.TempDir() + "/access.yaml"
	if err := os.WriteFile(file, []byte("certificates: [{name: ops, dns: ops*, rights: all}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*TLSConfig){
		"no certificate counts":       func(*TLSConfig) {},
		"no certificate counts: that": func(c *TLSConfig) { c.ServerAuthClient = true },
		"the system trusts":           func(c *TLSConfig) { c.TestMode, c.ServerAuthClient = false, true },
		"":                            func(c *TLSConfig) { c.TestMode, c.ServerAuthClient, c.ServerTrustCertPath = false, true, "ca.pem" },
	} {
		cfg := DefaultConfig()
		cfg.AccessFile = file
		change(&cfg.TLS)
		_, notes, err := checkAccess(&cfg, accessWorld{source: systemSource, mode: func(string) (uint32, error) { return 0o600, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if said := fmt.Sprint(notes); want == "" && len(notes) != 0 || !strings.Contains(said, want) {
			t.Errorf("notes are %s, want %q", said, want)
		}
	}
}

// TestAttackJoinOfNobody: what is required of a broker has a name; without one, whoever has
// no certificate would meet it.
func TestAttackJoinOfNobody(t *testing.T) {
	for _, require := range []string{"'certificate:'", "certificate", "'network:'", "network", "''", "'loopback:x'", "public"} {
		text := "networks: [{name: a, cidr: 10.0.0.1, rights: all}]\nbrokerJoin: { require: [" + require + "], mode: enforce }\n"
		if _, err := parseAccessFile([]byte(text), aWorld("").source); err == nil || !strings.Contains(err.Error(), "line 2: ") {
			t.Errorf("%s: %v", require, err)
		}
	}
}
