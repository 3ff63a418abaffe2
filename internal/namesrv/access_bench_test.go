package namesrv

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// hundredRules is an accessFile with a hundred networks. With deny, everybody has to be
// looked at.
func hundredRules(deny bool) string {
	var text strings.Builder
	text.WriteString("networks:\n")
	for i := range 99 {
		fmt.Fprintf(&text, "  - { name: n%d, cidr: 10.%d.0.0/16, rights: [admin-read, admin-write] }\n", i, i)
	}
	if deny {
		text.WriteString("  - { name: last, cidr: 10.99.0.0/16, deny: true }\n")
	} else {
		text.WriteString("  - { name: last, cidr: 10.99.0.0/16, rights: config }\n")
	}
	return text.String()
}

// withRules returns a server by a preset and a file, that knows a topic.
func withRules(tb testing.TB, preset, text string) *Server {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.KVConfigPath, cfg.AccessPreset = "", preset
	if text != "" {
		cfg.AccessFile = tb.TempDir() + "/access.yaml"
		if err := os.WriteFile(cfg.AccessFile, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := s.table.RegisterBroker(1, &route.Registration{
		RegistrationHeader: route.RegistrationHeader{Cluster: "c", BrokerName: "b", BrokerAddr: "10.0.0.1:10911", TimeoutMillis: 1 << 40},
		Body: &codec.RegisterBrokerBody{
			DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1},
			Topics: []codec.TopicConfig{
				{Name: []byte("T"), Key: []byte("T"), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6},
				{Name: []byte("U"), Key: []byte("U"), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6},
			},
		},
	}); err != nil {
		tb.Fatal(err)
	}
	return s
}

// accessVariants are the ways to decide: nothing to look at, rights that everybody has,
// and the cached ones of the connection.
var accessVariants = []struct{ name, preset, text string }{
	{"open", presetOpen, ""}, {"standard", presetStandard, ""}, {"standard, 100 rules", presetStandard, hundredRules(false)},
	{"standard, 100 rules and deny", presetStandard, hundredRules(true)}, {"strict, 100 rules", presetStrict, hundredRules(false)},
}

// BenchmarkAccess is what a route request costs on the event loop, by who may send it.
func BenchmarkAccess(b *testing.B) {
	frame := codec.AppendRequest(nil, codec.SerializeJSON, nstest.Route("T"))
	for _, v := range accessVariants {
		b.Run(v.name, func(b *testing.B) {
			s := withRules(b, v.preset, v.text)
			c, _ := connect(b)
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = s.Serve(c, 0, frame, out[:0])
			}
		})
	}
}

// BenchmarkIdentify is what finding out who a peer is costs, once for each connection.
func BenchmarkIdentify(b *testing.B) {
	s := withRules(b, presetStandard, hundredRules(true))
	p, peer := s.rules.inForce.Load(), at("10.98.0.1")
	b.ReportAllocs()
	for b.Loop() {
		p.identify(&peer)
	}
}

// BenchmarkAccessDecision is the decision alone, where the connection is looked at.
func BenchmarkAccessDecision(b *testing.B) {
	s := withRules(b, presetStandard, hundredRules(true))
	c, _ := connect(b)
	r := &request{conn: c, row: s.dispatch.of(codec.ReqGetRouteInfoByTopic)}
	for b.Loop() {
		if p := s.rules.inForce.Load(); r.row.right&^p.everybody != 0 {
			if err := s.access(p, r); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestAccessAllocatesNothing: once a peer is known, who may ask is found out without
// garbage.
func TestAccessAllocatesNothing(t *testing.T) {
	for _, v := range accessVariants {
		s := withRules(t, v.preset, v.text)
		c, _ := connect(t)
		r := &request{conn: c, row: s.dispatch.of(codec.ReqGetRouteInfoByTopic)}
		if n := testing.AllocsPerRun(100, func() {
			if p := s.rules.inForce.Load(); r.row.right&^p.everybody != 0 {
				if err := s.access(p, r); err != nil {
					t.Fatal(err)
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", v.name, n)
		}
		if kept := c.Value() != nil; kept != (v.preset == presetStrict || strings.Contains(v.text, "deny")) {
			t.Errorf("%s: something is kept with the connection: %v", v.name, kept)
		}
	}
}
