package namesrv

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
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
	{"open", presetOpen, ""},
	{"standard", presetStandard, ""},
	{"standard, 100 rules", presetStandard, hundredRules(false)},
	{"standard, 100 rules and deny", presetStandard, hundredRules(true)},
	{"strict, 100 rules", presetStrict, hundredRules(false)},
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
	b.Run("signed", func(b *testing.B) {
		s, frame := signedCase(b, 0)
		c, _ := connect(b)
		b.ReportAllocs()
		var out []byte
		for b.Loop() {
			out = s.Serve(c, 0, frame, out[:0])
		}
		if s.rules.signed[signedGood].Load() == 0 {
			b.Fatal("none was verified")
		}
	})
}

// signedOnly gives nothing to anybody without a key.
const signedOnly = "networks: [{name: none, cidr: 127.0.0.0/8, rights: admin-read}]\naccounts: [{accessKey: ops, secretKey: not a sample, rights: all, networks: [none]}]\n"

// signedCase returns a server that demands a key for a route, from this machine too, and a
// request that has one.
func signedCase(tb testing.TB, body int) (*Server, []byte) {
	tb.Helper()
	s := withRules(tb, presetStrict, signedOnly)
	p := *s.rules.inForce.Load()
	p.groups, p.everybody = presets[presetStrict], noRights
	p.groups[groupLoopback], p.groups[groupSite] = noRights, noRights
	s.rules.inForce.Store(&p)
	r := nstest.Route("T")
	r.Body = make([]byte, body)
	return s, codec.AppendRequest(nil, codec.SerializeJSON, nstest.Sign(r, "ops", "not a sample"))
}

// BenchmarkVerify is what a signature costs, by the size of the body.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{0, 4 << 10, 64 << 10, 1800 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			k := keyOf("ops", "secret")
			r := brokerRequest(size)
			signature, _ := nstest.Sign(r, "ops", "secret").Ext.Get(fieldSignature)
			b.ReportAllocs()
			for b.Loop() {
				if !k.verify(r, signature, false) {
					b.Fatal("wrong")
				}
			}
		})
	}
}

// BenchmarkRegisterSigned is what a worker does for a registration of 10,000 topics that
// says nothing new: one that nobody has to look at, and one that is signed.
func BenchmarkRegisterSigned(b *testing.B) {
	reg := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1}}
	for i := range 10_000 {
		name := fmt.Appendf(nil, "a-topic-with-a-usual-name-%d", i)
		reg.Topics = append(reg.Topics, codec.TopicConfig{Name: name, Key: name, ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
	}
	body := reg.AppendJSON(nil)
	for _, signed := range []bool{false, true} {
		b.Run(fmt.Sprintf("signed=%v", signed), func(b *testing.B) {
			s, _ := signedCase(b, 0)
			c, _ := connect(b)
			r := nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:10911"}.RegisterBody(body)
			if signed {
				r = nstest.Sign(r, "ops", "not a sample")
			}
			frame := codec.AppendRequest(nil, codec.SerializeJSON, r)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = s.serveQueued(c, s.clock.Now(), frame, out[:0], carried{seq: s.arrivals.Add(1), unverified: signed})
			}
			var reply codec.Command
			if err := reply.Decode(out); err != nil || codec.ResponseCode(reply.Code) != codec.RespSuccess {
				b.Fatalf("answered %v, %v", reply.Code, err)
			}
		})
	}
}

func brokerRequest(size int) *codec.Command {
	b := nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:10911", Counter: 1}
	return b.RegisterBody(make([]byte, size))
}

// TestSignedRequestsAllocateNothing on the event loop.
func TestSignedRequestsAllocateNothing(t *testing.T) {
	s, frame := signedCase(t, 0)
	c, _ := connect(t)
	var r request
	if err := r.cmd.Decode(frame); err != nil {
		t.Fatal(err)
	}
	r.conn, r.row = c, s.dispatch.of(codec.ReqGetRouteInfoByTopic)
	p := s.rules.inForce.Load()
	n := testing.AllocsPerRun(10_000, func() {
		if err := s.access(p, &r, len(frame)); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 && !poolsLose() || r.key == nil {
		t.Errorf("%v allocations, key %v", n, r.key)
	}
}

// TestRulesChangeWhileARequestWaits: the worker judges by those that are in force then.
func TestRulesChangeWhileARequestWaits(t *testing.T) {
	s, _ := signedCase(t, 0)
	c, _ := connect(t)
	b := nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:10911", Counter: 1}
	frame := codec.AppendRequest(nil, codec.SerializeJSON, nstest.Sign(b.RegisterPadded(5<<10), "ops", "not a sample"))
	answer := func() codec.ResponseCode {
		var reply codec.Command
		if err := reply.Decode(s.serveQueued(c, s.clock.Now(), frame, nil, carried{seq: s.arrivals.Add(1), unverified: true})); err != nil {
			t.Fatal(err)
		}
		return codec.ResponseCode(reply.Code)
	}
	if got := answer(); got != codec.RespSuccess {
		t.Errorf("with its account it is answered %v", got)
	}
	with := *s.rules.inForce.Load()
	without := with
	without.keys, without.nobody = nil, nil
	s.rules.inForce.Store(&without)
	if got := answer(); got != codec.RespNoPermission {
		t.Errorf("without accounts it is answered %v", got)
	}
	without = with
	without.groups = presets[presetOpen]
	s.rules.inForce.Store(&without)
	if got := answer(); got != codec.RespSuccess {
		t.Errorf("where all may, it is answered %v", got)
	}
}

// poolsLose reports whether what is put into a pool may be lost at once, as under the race
// detector.
func poolsLose() bool {
	var p sync.Pool
	for range 1000 {
		if p.Put(new(int)); p.Get() == nil {
			return true
		}
	}
	return false
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
			if err := s.access(p, r, 0); err != nil {
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
				if err := s.access(p, r, 0); err != nil {
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
