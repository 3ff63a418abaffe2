package namesrv_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

const keyRules = `
networks:
  - { name: bastion,  cidr: 10.1.2.0/24, rights: route-read }
  - { name: scanners, cidr: 10.9.9.9, deny: true }
accounts:
  - { accessKey: ops,     secretKey: canary-ops,     rights: all }
  - { accessKey: brokers, secretKey: canary-brokers, rights: broker-control }
  - { accessKey: there,   secretKey: canary-there,   rights: all, networks: [bastion] }
  - { accessKey: tls,     secretKey: canary-tls,     rights: all, requireTLS: true }
  - { accessKey: reader,  secretKey: canary-reader }
  - { accessKey: white,   secretKey: canary-white,   rights: all, whiteRemoteAddress: 10.5.5.* }
`

// gives is what a remark says of a signature that gives nothing.
const gives = "; its signature gives nothing: no account of the accessFile has its key and secret, or too many were wrong"

func wipe() *codec.Command { return nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a") }

func signatures(s *testServer) map[string]uint64 {
	all := map[string]uint64{}
	for _, c := range s.Snapshot().Access.Signatures {
		all[c.Outcome] = c.Count
	}
	return all
}

// TestSignedRequests asks for what an address does not give, with keys of all kinds.
func TestSignedRequests(t *testing.T) {
	sign := nstest.Sign
	unsigned := func(fields ...string) *codec.Command {
		r := wipe()
		r.Ext = append(r.Ext, nstest.Request(0, fields...).Ext...)
		return r
	}
	refusal := func(from, text string) string { return "No permission: admin-write from " + from + " (strict)" + text }
	const see = "; see accessFile / accessPreset of the name server"
	for name, tc := range map[string]struct {
		from    string
		request *codec.Command
		remark  string // "" if it is served
		outcome string // of the signature; "" if none was looked at
	}{
		"a key":                       {"203.0.113.7", sign(wipe(), "ops", "canary-ops"), "", "good"},
		"of the site":                 {"10.0.0.1", sign(wipe(), "ops", "canary-ops"), "", "good"},
		"another secret":              {"203.0.113.7", sign(wipe(), "ops", "canary-brokers"), refusal("203.0.113.7", gives), "wrong"},
		"a key that lacks the right":  {"203.0.113.7", sign(wipe(), "brokers", "canary-brokers"), refusal("203.0.113.7", see), "good"},
		"a key without rights of its": {"203.0.113.7", sign(wipe(), "reader", "canary-reader"), refusal("203.0.113.7", see), "good"},
		"an unknown key":              {"203.0.113.7", sign(wipe(), "rocketmq2", "12345678"), refusal("203.0.113.7", gives), "unknownKey"},
		"no key":                      {"203.0.113.7", wipe(), refusal("203.0.113.7", see), ""},
		"an empty key, as C++":        {"203.0.113.7", sign(wipe(), "", ""), refusal("203.0.113.7", see), ""},
		"no signature":                {"203.0.113.7", unsigned("AccessKey", "ops"), refusal("203.0.113.7", see), ""},
		"an empty signature":          {"203.0.113.7", unsigned("AccessKey", "ops", "Signature", ""), refusal("203.0.113.7", see), ""},
		"from its network":            {"10.1.2.3", sign(wipe(), "there", "canary-there"), "", "good"},
		"not from its network":        {"10.1.3.3", sign(wipe(), "there", "canary-there"), refusal("10.1.3.3", "; the account counts from other networks only"), "elsewhere"},
		"not over TLS":                {"203.0.113.7", sign(wipe(), "tls", "canary-tls"), refusal("203.0.113.7", "; the account counts over TLS only"), "plain"},
		"wrong, not over TLS":         {"203.0.113.7", sign(wipe(), "tls", "canary"), refusal("203.0.113.7", gives), "wrong"},
		"denied":                      {"10.9.9.9", sign(wipe(), "ops", "canary-ops"), refusal("10.9.9.9", see), ""},
		"white, as in Java":           {"10.5.5.5", unsigned("AccessKey", "white"), refusal("10.5.5.5", see), ""},
		"what the site may, wrong":    {"10.0.0.1", sign(nstest.Route("T"), "ops", "wrong"), "", ""},
		"the zone is not signed": {"203.0.113.7", func() *codec.Command {
			r := sign(wipe(), "ops", "canary-ops")
			r.Ext = append(r.Ext, nstest.Request(0, "__ZONE_NAME", "z", "__ZONE_MODE", "true").Ext...)
			return r
		}(), "", "good"},
		"another field is not signed": {"203.0.113.7", func() *codec.Command {
			r := sign(wipe(), "ops", "canary-ops")
			r.Ext = append(r.Ext, nstest.Request(0, "more", "z").Ext...)
			return r
		}(), refusal("203.0.113.7", gives), "wrong"},
		"the last field of a name counts": {"203.0.113.7", func() *codec.Command {
			r := sign(wipe(), "ops", "canary-ops")
			r.Ext = append(nstest.Request(0, "brokerName", "b", "AccessKey", "nobody", "Signature", "x").Ext, r.Ext...)
			return r
		}(), "", "good"},
	} {
		for _, form := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
			t.Run(fmt.Sprint(name, form), func(t *testing.T) {
				_, change := withAccess(t, "strict", keyRules)
				s, log := startLogging(t, change)
				brokerAt(t, s)
				tc.request.SerializeType = form
				reply := s.dialFrom(t, tc.from).Do(tc.request)
				if string(reply.Remark) != tc.remark || (codec.ResponseCode(reply.Code) == codec.RespNoPermission) != (tc.remark != "") {
					t.Errorf("answered %v %s", codec.ResponseCode(reply.Code), reply.Remark)
				}
				got := signatures(s)
				delete(got, "none")
				if tc.outcome == "" && len(got) != 0 || tc.outcome != "" && (len(got) != 1 || got[tc.outcome] != 1) {
					t.Errorf("signatures %v, want one %q", got, tc.outcome)
				}
				if shown := string(reply.Remark) + fmt.Sprintf("%+v", s.Snapshot()); strings.Contains(shown, "canary") || log.has("canary") {
					t.Error("a secret is shown")
				}
			})
		}
	}
}

// brokerAt lets a broker register by its key.
func brokerAt(t *testing.T, s *testServer) {
	t.Helper()
	wantCode(t, s.dial(t).Do(nstest.Sign(brokerA.Register(), "brokers", "canary-brokers")), codec.RespSuccess, "")
}

// TestSignedMonitor: a wrong signature is served where all is, and counted.
func TestSignedMonitor(t *testing.T) {
	_, change := withAccess(t, "strict", keyRules)
	s, log := startLogging(t, func(c *namesrv.Config) { change(c); c.AccessMode = "monitor" })
	c := s.dialFrom(t, "203.0.113.7")
	wantCode(t, c.Do(nstest.Sign(wipe(), "ops", "wrong")), codec.RespSuccess, "")
	wantCode(t, c.Do(nstest.Sign(wipe(), "ops", "canary-ops")), codec.RespSuccess, "")
	st := s.Snapshot().Access
	if got := signatures(s); sumOf(st.WouldRefuse) != 1 || got["wrong"] != 1 || got["good"] != 1 {
		t.Errorf("it shows %+v", st)
	}
	nstest.Eventually(t, "a line", func() bool { return log.has("reason=badSignature") })
}

// TestSignedWhite: javaWhiteAddresses brings Java's rule back.
func TestSignedWhite(t *testing.T) {
	_, change := withAccess(t, "strict", keyRules+"javaWhiteAddresses: true\n")
	s := start(t, change)
	r := wipe()
	r.Ext = append(r.Ext, nstest.Request(0, "AccessKey", "white").Ext...)
	wantCode(t, s.dialFrom(t, "10.5.5.5").Do(r), codec.RespSuccess, "")
	wantCode(t, s.dialFrom(t, "10.5.6.5").Do(r), codec.RespNoPermission, "No permission: admin-write from 10.5.6.5 (strict); see accessFile / accessPreset of the name server")
}

// TestSignedOverTLS: an account that requires TLS counts there.
func TestSignedOverTLS(t *testing.T) {
	ca := newPKI(t)
	dir := t.TempDir()
	install(t, dir, ca.valid("server"))
	_, change := withAccess(t, "strict", keyRules)
	s := start(t, func(c *namesrv.Config) { change(c); filesOf(dir)(c); c.TrustLoopback = false }, func(s *namesrv.Server) { s.SetContainer("/.dockerenv") })
	c := nstest.DialTLS(t, s.addr, &tls.Config{InsecureSkipVerify: true})
	wantCode(t, c.Do(nstest.Sign(wipe(), "tls", "canary-tls")), codec.RespSuccess, "")
	if got := signatures(s); got["good"] != 1 {
		t.Errorf("signatures %v", got)
	}
}

// TestSignedLargeRequests: a worker verifies them, before the handler sees them, and takes
// note that a broker has sent them.
func TestSignedLargeRequests(t *testing.T) {
	file, horizons := withHorizons(t, outside)
	_, change := withAccess(t, "strict", keyRules+"  - { accessKey: clients, secretKey: c, rights: route-read }\n")
	s := start(t, func(c *namesrv.Config) { horizons(c); change(c); c.HorizonFile = file })
	const from = "198.51.100.7"
	c := s.dialFrom(t, from)
	for _, size := range []int{100, 5 << 10, 2 << 20} {
		for range 2 { // the second one says nothing new
			wantCode(t, c.Do(nstest.Sign(brokerA.RegisterPadded(size), "brokers", "canary-brokers")), codec.RespSuccess, "")
		}
		if got := signatures(s); got["good"] == 0 || got["wrong"] != 0 {
			t.Errorf("%d bytes: %v", size, got)
		}
	}
	if got := signatures(s); got["good"] != 3 || got["unchanged"] != 3 {
		t.Errorf("of 6 requests, each sent twice: %v", got)
	}
	remark := "No permission: broker-control from " + from + " (strict)"
	bad := s.dialFrom(t, from)
	for _, size := range []int{100, 2 << 20} {
		wantCode(t, bad.Do(nstest.Sign(brokerA.RegisterPadded(size), "brokers", "wrong")), codec.RespNoPermission, remark+gives)
		wantCode(t, bad.Do(nstest.Sign(brokerA.RegisterPadded(size), "nobody", "wrong")), codec.RespNoPermission, remark+gives)
		r := brokerA.RegisterPadded(size)
		wantCode(t, bad.Do(r), codec.RespNoPermission, remark+"; see accessFile / accessPreset of the name server")
	}
	route := func() *codec.Command { return nstest.Sign(nstest.Route("T"), "clients", "c") }
	if got := told(t, bad.Do(route())); got != "rewritten" {
		t.Errorf("whose registration was refused is told what is %s", got)
	}
	for _, size := range []int{100, 2 << 20} {
		b := s.dialFrom(t, from)
		wantCode(t, b.Do(nstest.Sign(brokerA.RegisterPadded(size), "brokers", "canary-brokers")), codec.RespSuccess, "")
		if got := told(t, b.Do(route())); got == "rewritten" {
			t.Errorf("%d bytes: a broker is told what is %s", size, got)
		}
	}
	// Nobody sends much with a request that the event loop serves: it is not looked at.
	wantCode(t, c.Do(nstest.Sign(nstest.Request(codec.ReqGetRouteInfoByTopic, "topic", strings.Repeat("T", 5<<10)), "clients", "c")),
		codec.RespNoPermission, "No permission: route-read from "+from+" (strict); see accessFile / accessPreset of the name server")
}

// TestSignedJoin: brokerJoin lists an account.
func TestSignedJoin(t *testing.T) {
	const join = "brokerJoin: { require: [account:brokers], mode: %s }\n"
	for _, mode := range []string{"enforce", "monitor"} {
		_, change := withAccess(t, "standard", keyRules+fmt.Sprintf(join, mode))
		s := start(t, change)
		c := s.dialFrom(t, "10.0.0.1")
		wantCode(t, c.Do(nstest.Sign(brokerA.Register(), "brokers", "canary-brokers")), codec.RespSuccess, "")
		wantCode(t, c.Do(nstest.Sign(brokerA.RegisterPadded(64<<10), "brokers", "canary-brokers")), codec.RespSuccess, "")
		if st := s.Snapshot().Access; len(st.Refused)+len(st.WouldRefuse) != 0 || signatures(s)["good"] != 2 {
			t.Errorf("it shows %+v", st)
		}
		const other = "No permission: broker-control from 10.0.0.1 (standard); see brokerJoin in the accessFile of the name server"
		for _, tc := range []struct {
			r      *codec.Command
			remark string
		}{
			{slaveA.Register(), other},
			{nstest.Sign(slaveA.Register(), "ops", "canary-ops"), other},
			{nstest.Sign(slaveA.Register(), "brokers", "wrong"), "No permission: broker-control from 10.0.0.1 (standard)" + gives},
		} {
			if mode == "monitor" {
				wantCode(t, c.Do(tc.r), codec.RespSuccess, "")
			} else {
				wantCode(t, c.Do(tc.r), codec.RespNoPermission, tc.remark)
			}
		}
		wantCode(t, c.Do(slaveA.Unregister()), codec.RespSuccess, "") // may leave
		st := s.Snapshot().Access
		if n := sumOf(st.Refused) + sumOf(st.WouldRefuse); n != 3 || (len(st.Refused) == 0) != (mode == "monitor") {
			t.Errorf("%s: it shows %+v", mode, st)
		}
	}
}

// TestSignedGoodbye: who has a key with admin-write says goodbye for brokers of others.
// Its signature is verified once, wherever that is.
func TestSignedGoodbye(t *testing.T) {
	for _, preset := range []string{"standard", "strict"} {
		_, change := withAccess(t, preset, keyRules)
		s := start(t, change)
		wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
		c := s.dialFrom(t, "203.0.113.7")
		reply := c.Do(nstest.Sign(brokerA.Unregister(), "brokers", "canary-brokers"))
		if !strings.HasSuffix(string(reply.Remark), "the broker has registered from another address") {
			t.Errorf("%s: answered %s", preset, reply.Remark)
		}
		wantCode(t, c.Do(nstest.Sign(brokerA.Unregister(), "ops", "canary-ops")), codec.RespSuccess, "")
		if got := signatures(s); got["good"] != 2 || len(got) != 1 {
			t.Errorf("%s: signatures %v", preset, got)
		}
	}
}

// TestSignedZoneOfBrokers: they sign all that they send, and their zone is kept.
func TestSignedZoneOfBrokers(t *testing.T) {
	_, change := withAccess(t, "strict", keyRules)
	s := start(t, change)
	c := s.dialFrom(t, "203.0.113.7")
	zone := nstest.Request(0, "__ZONE_NAME", "z").Ext
	r := brokerA.Register()
	r.Ext = append(r.Ext, zone...)
	wantCode(t, c.Do(nstest.Sign(r, "brokers", "canary-brokers")), codec.RespSuccess, "")
	r = nstest.Sign(brokerA.Register(), "brokers", "canary-brokers")
	r.Ext = append(r.Ext, zone...)
	wantCode(t, c.Do(r), codec.RespNoPermission, "No permission: broker-control from 203.0.113.7 (strict)"+gives)
}

// TestSignedReload: a key that is taken away counts no more, on open connections too.
func TestSignedReload(t *testing.T) {
	t.Parallel()
	file, change := withAccess(t, "strict", keyRules)
	s := start(t, change)
	c := s.dialFrom(t, "203.0.113.7")
	wantCode(t, c.Do(nstest.Sign(wipe(), "ops", "canary-ops")), codec.RespSuccess, "")
	writeFile(t, file, strings.Replace(keyRules, "canary-ops", "canary-new", 1))
	s.Reload()
	nstest.Eventually(t, "it is in force", func() bool { return s.Snapshot().Access.Generation == 2 })
	if got := codec.ResponseCode(c.Do(nstest.Sign(wipe(), "ops", "canary-ops")).Code); got != codec.RespNoPermission {
		t.Errorf("the old secret is answered %v", got)
	}
	wantCode(t, c.Do(nstest.Sign(wipe(), "ops", "canary-new")), codec.RespSuccess, "")
}

// TestLockOut: after ten wrong signatures an address's are not looked at, whoever made
// them; nobody else's address is locked out, nor the key, nor what needs no key.
func TestLockOut(t *testing.T) {
	_, change := withAccess(t, "strict", keyRules)
	s := start(t, change, func(s *namesrv.Server) { s.SlowLockOuts(time.Hour) })
	const guesser = "10.0.0.66"
	c := s.dialFrom(t, guesser)
	remark := "No permission: admin-write from " + guesser + " (strict)" + gives
	for range 30 { // unknown keys lock nobody out
		wantCode(t, c.Do(nstest.Sign(wipe(), "nobody", "x")), codec.RespNoPermission, remark)
	}
	wantCode(t, c.Do(nstest.Sign(wipe(), "ops", "canary-ops")), codec.RespSuccess, "")
	for i := range 12 {
		wantCode(t, c.Do(nstest.Sign(wipe(), "ops", fmt.Sprint("guess ", i))), codec.RespNoPermission, remark)
	}
	wantCode(t, s.dialFrom(t, guesser).Do(nstest.Sign(wipe(), "ops", "canary-ops")), codec.RespNoPermission, remark)
	wantCode(t, c.Do(nstest.Sign(brokerA.RegisterPadded(64<<10), "brokers", "canary-brokers")), codec.RespNoPermission, strings.Replace(remark, "admin-write", "broker-control", 1))
	got := signatures(s)
	if st := s.Snapshot().Access; got["wrong"] != 10 || got["lockedOut"] != 4 || got["unknownKey"] != 30 || st.LockedOut != 1 {
		t.Errorf("signatures %v, %+v", got, st)
	}
	if codec.ResponseCode(c.Do(nstest.Sign(nstest.Route("T"), "ops", "wrong")).Code) == codec.RespNoPermission {
		t.Error("what all may is refused to it")
	}
	wantCode(t, s.dialFrom(t, "10.0.0.67").Do(nstest.Sign(wipe(), "ops", "canary-ops")), codec.RespSuccess, "")
}
