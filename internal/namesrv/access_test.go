package namesrv_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// withAccess makes a server use an accessFile with the given text, which it returns, and
// believe the PROXY headers of the test.
func withAccess(t testing.TB, preset, text string) (file string, change func(*namesrv.Config)) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "access.yaml")
	writeFile(t, file, text)
	return file, func(c *namesrv.Config) {
		c.AccessPreset, c.AccessFile, c.ProxyProtocolTrusted = preset, file, "127.0.0.0/8"
	}
}

// mayOf returns from testdata/access_matrix.txt who may send what: "code who".
func mayOf(t *testing.T, preset string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("testdata/access_matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut("\n"+string(text), "\n"+preset+"\n\n")
	part, _, _ = strings.Cut(part, "\n\n")
	lines := strings.Split(strings.TrimSpace(part), "\n")
	who := strings.Fields(lines[0])
	may := map[string]bool{}
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		for i := 3; i < len(f); i++ {
			may[f[0]+" "+who[i]] = f[i] == "yes"
		}
	}
	return may
}

const accessRules = `
networks:
  - { name: bastion,  cidr: [203.0.113.7, 198.51.100.0/28], rights: [admin-read, admin-write, config] }
  - { name: scanners, cidr: 10.9.9.9, deny: true }
`

// TestAccessOfPeers sends every code from everywhere to a running server: who may not is
// answered NO_PERMISSION, with what to change, and keeps the connection; who may is not.
func TestAccessOfPeers(t *testing.T) {
	for _, preset := range []string{"open", "standard", "strict"} {
		may := mayOf(t, preset)
		if len(may) != 23*8 {
			t.Fatalf("%d in the matrix", len(may))
		}
		_, change := withAccess(t, preset, accessRules)
		s := start(t, change)
		for who, addr := range map[string]string{"loopback": "", "site": "10.1.2.3", "public": "203.0.113.200", "bastion": "203.0.113.7", "scanner": "10.9.9.9"} {
			c := s.dial(t)
			if addr != "" {
				c.Write([]byte("PROXY TCP4 " + addr + " 10.0.0.1 4711 9876\r\n"))
			}
			refused := 0
			for code := range codec.RequestCode(1000) {
				allowed, known := may[fmt.Sprintf("%d %s", code, who)]
				if !known {
					if code%97 == 0 {
						wantCode(t, c.Do(nstest.Request(code)), codec.RespRequestCodeNotSupported, fmt.Sprintf(" request type %d not supported", code))
					}
					continue
				}
				reply := c.Do(nstest.Request(code))
				if got := codec.ResponseCode(reply.Code) == codec.RespNoPermission; got == allowed {
					t.Errorf("%s, %s: %v is answered %v %s", preset, who, code, codec.ResponseCode(reply.Code), reply.Remark)
				} else if got {
					refused++
					from := strings.TrimPrefix(string(reply.Remark), "No permission: ")
					if want := " (" + preset + "); see accessFile / accessPreset of the name server"; from == string(reply.Remark) || !strings.HasSuffix(from, want) || addr != "" && !strings.Contains(from, " from "+addr+" ") {
						t.Errorf("%v: the remark is %q", code, reply.Remark)
					}
				}
			}
			if n := sumOf(s.Snapshot().Access.Refused); n < uint64(refused) {
				t.Errorf("%s, %s: %d counted, %d refused", preset, who, n, refused)
			}
		}
	}
}

func sumOf(counts []namesrv.AccessCount) (n uint64) {
	for _, c := range counts {
		n += c.Count
	}
	return n
}

// TestAccessInContainers: there loopback is one of the site, unless it is trusted.
func TestAccessInContainers(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s := start(t, func(c *namesrv.Config) { c.TrustLoopback = trusted }, func(s *namesrv.Server) { s.SetContainer("/.dockerenv") })
		want := codec.RespNoPermission
		if trusted {
			want = codec.RespSuccess
		}
		c := s.dial(t)
		if got := codec.ResponseCode(c.Do(updateConfig("enableTopicList=false")).Code); got != want {
			t.Errorf("trustLoopback=%v: answered %v", trusted, got)
		}
		wantCode(t, c.Do(nstest.Request(codec.ReqGetNamesrvConfig)), codec.RespSuccess, "")
	}
}

// TestAccessOneway: a request that is refused and wants no answer has none; the connection
// stays, and is counted on.
func TestAccessOneway(t *testing.T) {
	_, change := withAccess(t, "strict", accessRules)
	s := start(t, change)
	c := s.dialFrom(t, "203.0.113.200")
	for range 3 {
		r := nstest.Request(codec.ReqBrokerHeartbeat, "clusterName", "c", "brokerAddr", "a:1")
		r.Flag |= codec.FlagOneway
		c.Write(c.Frame(r))
	}
	wantCode(t, c.Do(nstest.Request(999)), codec.RespRequestCodeNotSupported, " request type 999 not supported")
	if got := refusedOf(s, codec.ReqBrokerHeartbeat)["noRight"]; got != 3 {
		t.Errorf("%d refused", got)
	}
}

// TestAccessMonitor serves what it would refuse, counts it and says so.
func TestAccessMonitor(t *testing.T) {
	_, change := withAccess(t, "strict", accessRules)
	s, log := startLogging(t, func(c *namesrv.Config) { change(c); c.AccessMode = "monitor" })
	c := s.dialFrom(t, "203.0.113.200")
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	wantCode(t, c.Do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a")), codec.RespSuccess, "")
	wantCode(t, s.dialFrom(t, "10.9.9.9").Do(nstest.Route("T")), codec.RespSuccess, "")
	wantCode(t, s.dialFrom(t, "203.0.113.201").Do(brokerA.Unregister()), codec.RespSuccess, "")
	st := s.Snapshot().Access
	if len(st.Refused) != 0 || sumOf(st.WouldRefuse) != 5 || st.Mode != "monitor" || st.Preset != "strict" {
		t.Errorf("it shows %+v", st)
	}
	nstest.Eventually(t, "a line", func() bool {
		return log.has(`msg="request would be refused, no permission"`) && log.has("right=broker-control") && log.has("who=public")
	})
}

// TestAccessReload: other rules count at once, on open connections too; a file that is
// wrong changes nothing. Nobody waits for the file system to say something.
func TestAccessReload(t *testing.T) {
	t.Parallel()
	file, change := withAccess(t, "standard", accessRules)
	s, log := startLogging(t, change)
	bastion, scanner := s.dialFrom(t, "203.0.113.7"), s.dialFrom(t, "10.9.9.9")
	list := nstest.Request(codec.ReqGetNamesrvConfig)
	wantCode(t, bastion.Do(list), codec.RespSuccess, "")
	if got := codec.ResponseCode(scanner.Do(list).Code); got != codec.RespNoPermission {
		t.Fatalf("answered %v", got)
	}
	writeFile(t, file, strings.Replace(accessRules, "deny", "denied", 1))
	s.Reload()
	nstest.Eventually(t, "it is refused", func() bool { return s.Snapshot().Access.Failures == 1 })
	st := s.Snapshot().Access
	if st.Generation != 1 || !strings.Contains(st.LastError, `line 4: unknown key "denied"`) || !log.has("the access file has changed and cannot be used") {
		t.Errorf("it shows %+v", st)
	}
	wantCode(t, bastion.Do(list), codec.RespSuccess, "")
	writeFile(t, file, "networks: []\n")
	s.Reload()
	nstest.Eventually(t, "it is in force", func() bool { return s.Snapshot().Access.Generation == 2 })
	if got := codec.ResponseCode(bastion.Do(list).Code); got != codec.RespNoPermission {
		t.Errorf("who is named no more is answered %v", got)
	}
	wantCode(t, scanner.Do(list), codec.RespSuccess, "")
	if st := s.Snapshot().Access; st.Failures != 1 || st.LastError != "" || st.Networks != 0 {
		t.Errorf("it shows %+v", st)
	}
}

// TestAccessReloadsSecrets: a secret of another file is looked at too.
func TestAccessReloadsSecrets(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, "canary-1\n")
	_, change := withAccess(t, "standard", "accounts: [{accessKey: ops, secretKey: \"${file:"+secret+"}\"}]\n")
	s, log := startLogging(t, change)
	writeFile(t, secret, "canary-2\n")
	s.Reload()
	nstest.Eventually(t, "it is in force", func() bool { return s.Snapshot().Access.Generation == 2 })
	c := s.dial(t)
	shown := string(c.Do(nstest.Request(codec.ReqGetNamesrvConfig)).Body) + fmt.Sprintf("%+v", s.Snapshot())
	if strings.Contains(shown, "canary") || log.has("canary") {
		t.Error("a secret is shown")
	}
}

// TestAccessKeysStay: no request changes who may do what, not even of who may do all.
func TestAccessKeysStay(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.AccessPreset = "open" })
	c := s.dial(t)
	for _, line := range []string{"accessPreset=open", "accessMode=monitor", "accessFile=/etc/passwd", "trustLoopback=true", "proxyProtocolTrusted=0.0.0.0/0", "access\\u0050reset=open"} {
		wantCode(t, c.Do(updateConfig("enableTopicList=false\n"+line)), codec.RespNoPermission, "Can not update config in black list.")
	}
	if strings.Contains(configText(c), "enableTopicList=false") {
		t.Error("it has changed something")
	}
}

// TestAccessFileStopsTheStart starts with files that cannot be used.
func TestAccessFileStopsTheStart(t *testing.T) {
	file, change := withAccess(t, "standard", strings.Replace(accessRules, "deny", "denied", 1))
	cfg := namesrv.DefaultConfig()
	change(&cfg)
	cfg.KVConfigPath = ""
	want := "namesrv: accessFile " + file + `: line 4: unknown key "denied"; a network has cidr, deny, name, rights`
	if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %v, want %s", err, want)
	}
}

// TestUnregisterFromElsewhere: who may not change everything says goodbye for brokers only
// that have registered over the same connection or from the same address.
func TestUnregisterFromElsewhere(t *testing.T) {
	const elsewhere = "No permission: broker-control from 203.0.113.201 (standard); the broker has registered from another address"
	for _, tc := range []struct{ preset, from, want string }{
		{"standard", "203.0.113.200", ""}, // over another connection
		{"standard", "203.0.113.201", elsewhere},
		{"standard", "10.1.2.3", ""}, // has admin-write
		{"standard", "203.0.113.7", ""},
		{"open", "203.0.113.201", ""},
	} {
		_, change := withAccess(t, tc.preset, accessRules)
		s := start(t, change)
		b := s.dialFrom(t, "203.0.113.200")
		wantCode(t, b.Do(brokerA.Register()), codec.RespSuccess, "")
		other := s.dialFrom(t, tc.from)
		reply := other.Do(brokerA.Unregister())
		if string(reply.Remark) != tc.want {
			t.Errorf("%s from %s: %v %s", tc.preset, tc.from, codec.ResponseCode(reply.Code), reply.Remark)
		}
		gone := string(s.dial(t).Do(nstest.Request(codec.ReqGetBrokerClusterInfo)).Body) == emptyCluster
		if gone != (tc.want == "") {
			t.Errorf("%s from %s: the broker is gone: %v", tc.preset, tc.from, gone)
		}
		wantCode(t, other.Do(slaveA.Unregister()), codec.RespSuccess, "") // who is not known may be said goodbye for, as ever
		wantCode(t, b.Do(brokerA.Unregister()), codec.RespSuccess, "")
		if n := refusedOf(s, codec.ReqUnregisterBroker)["notTheBroker"]; (n == 1) != (tc.want != "") {
			t.Errorf("%d refused", n)
		}
	}
}

// TestBrokerJoin: only who is listed registers; questions for the data version are refused
// with it, or a broker that registers on demand would believe that nothing has changed.
func TestBrokerJoin(t *testing.T) {
	rules := accessRules + `  - { name: brokers, cidr: 203.0.113.100-120, rights: broker-control }
brokerJoin: { require: [network:brokers], mode: enforce }
`
	for _, mode := range []string{"enforce", "monitor"} {
		_, change := withAccess(t, "standard", strings.Replace(rules, "mode: enforce", "mode: "+mode, 1))
		s := start(t, change)
		wantCode(t, s.dialFrom(t, "203.0.113.101").Do(brokerA.Register()), codec.RespSuccess, "")
		query := nstest.Request(codec.ReqQueryDataVersion, "clusterName", "C", "brokerName", "a", "brokerAddr", "10.0.0.2:10911", "brokerId", "1")
		query.Body = []byte(`{"timestamp":1,"counter":1}`)
		c := s.dialFrom(t, "203.0.113.200")
		for _, r := range []*codec.Command{slaveA.Register(), query} {
			if mode == "monitor" {
				wantCode(t, c.Do(r), codec.RespSuccess, "")
			} else {
				wantCode(t, c.Do(r), codec.RespNoPermission, "No permission: broker-control from 203.0.113.200 (standard); see brokerJoin in the accessFile of the name server")
			}
		}
		wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
		wantCode(t, c.Do(slaveA.Unregister()), codec.RespSuccess, "") // may leave
		st := s.Snapshot().Access
		if mode == "enforce" && (sumOf(st.Refused) != 2 || sumOf(st.WouldRefuse) != 0) || mode == "monitor" && (sumOf(st.Refused) != 0 || sumOf(st.WouldRefuse) != 2) {
			t.Errorf("%s: it shows %+v", mode, st)
		}
	}
}

// TestPublicBroker: with the preset standard it registers, and the log says so, unless a
// rule names it.
func TestPublicBroker(t *testing.T) {
	_, change := withAccess(t, "standard", accessRules+"  - { name: brokers, cidr: 203.0.113.100, rights: broker-control }\n")
	s, log := startLogging(t, change)
	const line = `msg="a broker registers from a public address, and no rule of the accessFile names it"`
	wantCode(t, s.dialFrom(t, "203.0.113.100").Do(brokerA.Register()), codec.RespSuccess, "")
	wantCode(t, s.dialFrom(t, "10.1.2.3").Do(slaveA.Register()), codec.RespSuccess, "")
	if log.has(line) {
		t.Error("it says so of a broker that is named, or of the site")
	}
	wantCode(t, s.dialFrom(t, "203.0.113.200").Do(brokerA.Register()), codec.RespSuccess, "")
	nstest.Eventually(t, "a line", func() bool { return log.has(line) && log.has("remote=203.0.113.200:4711") })
	nstest.Eventually(t, "the start says who is given what", func() bool {
		return log.has(`msg="access rules are in force" preset=standard mode=enforce loopback=all site=route-read+broker-control+admin-read+admin-write public=route-read+broker-control`)
	})
}

// TestRefusedBrokerIsNone: who may not register is told what clients are told.
func TestRefusedBrokerIsNone(t *testing.T) {
	file, horizons := withHorizons(t, outside)
	_, change := withAccess(t, "strict", "networks: [{name: clients, cidr: 198.51.100.0/24, rights: route-read}]\n")
	s := start(t, func(c *namesrv.Config) { horizons(c); change(c); c.HorizonFile = file })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	c := s.dialFrom(t, "198.51.100.7")
	if got := codec.ResponseCode(c.Do(slaveA.Register()).Code); got != codec.RespNoPermission {
		t.Fatalf("answered %v", got)
	}
	if got := told(t, c.Do(nstest.Route("T"))); got != "rewritten" {
		t.Errorf("it is told what is %s", got)
	}
}

// TestAccessByCertificate: a certificate says who somebody is only where it is verified.
func TestAccessByCertificate(t *testing.T) {
	ca := newPKI(t)
	dir := t.TempDir()
	install(t, dir, ca.valid("server"))
	_, change := withAccess(t, "strict", "certificates:\n  - { name: ops, dns: ops-1, rights: config }\n  - { name: cn, cn: ops-1, rights: config }\n")
	for _, verified := range []bool{true, false} {
		s := start(t, func(c *namesrv.Config) {
			change(c)
			filesOf(dir)(c)
			c.TLS.ServerNeedClientAuth, c.TLS.ServerAuthClient = "optional", verified
			if verified {
				c.TLS.ServerTrustCertPath = ca.trust(dir)
			}
		})
		as := func(certs ...tls.Certificate) *nstest.Client {
			return nstest.DialTLS(t, s.addr, &tls.Config{Certificates: certs})
		}
		for name, tc := range map[string]struct {
			client *nstest.Client
			may    bool
		}{
			"no TLS": {s.dial(t), false}, "no certificate": {as(), false}, "of somebody else": {as(ca.valid("ops-2")), false},
			"of ops": {as(ca.valid("ops-1")), verified},
		} {
			for range 2 { // the second time it is known
				reply := tc.client.Do(updateConfig("enableTopicList=true"))
				if got := codec.ResponseCode(reply.Code) == codec.RespSuccess; got != tc.may {
					t.Errorf("verified %v, %s: %v %s", verified, name, codec.ResponseCode(reply.Code), reply.Remark)
				}
			}
		}
	}
}

// TestAttackByDistrustedCertificate: who is trusted no more has no rights by it, neither
// over a connection that is open nor by resuming a session. Who is still trusted keeps them.
func TestAttackByDistrustedCertificate(t *testing.T) {
	t.Parallel()
	ca, other := newPKI(t), newPKI(t)
	dir := t.TempDir()
	install(t, dir, ca.valid("server"))
	_, change := withAccess(t, "strict", "certificates:\n  - { name: ops, cn: ops-1, rights: config }\n")
	s := start(t, func(c *namesrv.Config) {
		change(c)
		filesOf(dir)(c)
		c.TLS.ServerNeedClientAuth, c.TLS.ServerAuthClient, c.TLS.ServerTrustCertPath = "optional", true, ca.trust(dir)
	})
	may := func(c *nstest.Client) bool {
		return codec.ResponseCode(c.Do(updateConfig("enableTopicList=true")).Code) == codec.RespSuccess
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.valid("ops-1")}, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	open := nstest.DialTLS(t, s.addr, cfg)
	if !may(open) {
		t.Fatal("ops may not, before")
	}
	second := nstest.DialTLS(t, s.addr, cfg)
	if !may(second) || !second.TLS().DidResume {
		t.Fatal("the session is not resumed, before")
	}
	ours, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(other.trust(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	await := func(reloads uint64, trust string) {
		t.Helper()
		replace(t, filepath.Join(dir, "ca.pem"), trust)
		nstest.Eventually(t, "the trust is in force", func() bool { return s.Snapshot().TLS.Reloads >= reloads })
	}
	await(1, string(ours)+string(theirs))
	if !may(open) {
		t.Error("ops is still trusted, and may not")
	}
	await(2, string(theirs))
	for name, c := range map[string]*nstest.Client{"first": open, "resumed": second} {
		if may(c) {
			t.Errorf("the %s connection of who is distrusted may", name)
		}
	}
	if c, err := nstest.TryDialTLS(t, s.addr, cfg); err == nil {
		if c.TryWrite(c.Frame(updateConfig("enableTopicList=true"))) == nil {
			if frame, err := c.TryReadFrame(nstest.Patience); err == nil {
				var reply codec.Command
				if reply.Decode(frame) == nil && codec.ResponseCode(reply.Code) == codec.RespSuccess {
					t.Error("a new connection of who is distrusted may")
				}
			}
		}
		c.Close()
	}
	await(3, string(ours))
	if !may(open) {
		t.Error("ops is trusted again, and may not")
	}
}

// TestAccessOfNobody: a balancer that speaks for itself, or for nobody, is no peer of the
// site, and not this machine, wherever it is.
func TestAccessOfNobody(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.ProxyProtocolTrusted = "127.0.0.0/8" })
	for name, header := range map[string]string{
		"version 1": "PROXY UNKNOWN\r\n", "LOCAL": "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "no family": "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00",
		"for the loopback": "PROXY TCP4 127.0.0.1 10.0.0.1 4711 9876\r\n",
	} {
		c := s.dial(t)
		c.Write([]byte(header))
		reply := c.Do(nstest.Request(codec.ReqGetNamesrvConfig))
		if codec.ResponseCode(reply.Code) != codec.RespNoPermission {
			t.Errorf("%s: %v", name, codec.ResponseCode(reply.Code))
		}
		wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	}
	wantCode(t, s.dial(t).Do(nstest.Request(codec.ReqGetNamesrvConfig)), codec.RespSuccess, "") // without a header
}
