package namesrv_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// outside is a horizon for the clients that a balancer says to come from TEST-NET-2.
const outside = `horizons:
  - name: outside
    match: { cidr: 198.51.100.0/24 }
    rewrite:
      - { broker: a, to: "mq-${broker}-${id}.example.com:1" }
`

// withHorizons makes a server use a horizon file with the given text, which it returns, and
// believe the PROXY headers of the test.
func withHorizons(t testing.TB, text string) (file string, change func(*namesrv.Config)) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "horizons.yaml")
	writeFile(t, file, text)
	return file, func(c *namesrv.Config) {
		c.HorizonFile, c.ProxyProtocolTrusted = file, "127.0.0.0/8"
		c.AccessPreset = "open" // clients of TEST-NET-2 ask for lists
	}
}

// dialFrom connects as from an address that a balancer speaks for.
func (s *testServer) dialFrom(t testing.TB, addr string) *nstest.Client {
	t.Helper()
	c := s.dial(t)
	if strings.Contains(addr, ":") {
		c.Write([]byte("PROXY TCP6 " + addr + " fd00::1 4711 9876\r\n"))
	} else {
		c.Write([]byte("PROXY TCP4 " + addr + " 10.0.0.1 4711 9876\r\n"))
	}
	return c
}

// told returns by which of two addresses an answer names broker a's master.
func told(t testing.TB, reply *codec.Command) string {
	t.Helper()
	body := string(reply.Body)
	registered, rewritten := strings.Contains(body, `"10.0.0.1:10911"`), strings.Contains(body, `"mq-a-0.example.com:1"`)
	if codec.ResponseCode(reply.Code) != codec.RespSuccess || registered == rewritten {
		t.Fatalf("answered %v %s: %s", codec.ResponseCode(reply.Code), reply.Remark, body)
	}
	if rewritten {
		return "rewritten"
	}
	return "registered"
}

// showAddresses are the requests whose answers are rewritten.
func showAddresses() map[string]*codec.Command {
	return map[string]*codec.Command{
		"105": nstest.Route("T"), "106": nstest.Request(codec.ReqGetBrokerClusterInfo), "304": nstest.Request(codec.ReqGetSystemTopicListFromNS),
	}
}

// TestHorizon asks from inside and outside. Outside all addresses are those of the horizon;
// inside, and in what brokers ask, they are as registered.
func TestHorizon(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("routeReadsOnLoop=%v", onLoop), func(t *testing.T) {
			_, horizons := withHorizons(t, outside)
			s := start(t, func(c *namesrv.Config) { horizons(c); c.RouteReadsOnLoop = onLoop })
			wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
			keeper := s.dialFrom(t, "198.51.100.9")
			if addr, _ := keeper.Do(slaveA.Register()).Ext.Get("masterAddr"); string(addr) != "10.0.0.1:10911" {
				t.Errorf("a slave is told that its master is %s", addr)
			}
			client, inside := s.dialFrom(t, "198.51.100.7"), s.dialFrom(t, "192.0.2.7")
			for range 2 {
				for name, r := range showAddresses() {
					if got := told(t, client.Do(r)); got != "rewritten" {
						t.Errorf("%s from outside is as %s", name, got)
					}
					for who, c := range map[string]*nstest.Client{"from inside": inside, "of a broker": keeper} {
						if got := told(t, c.Do(r)); got != "registered" {
							t.Errorf("%s %s is %s", name, who, got)
						}
					}
				}
			}
			if got := told(t, client.Do(group())); got != "registered" {
				t.Errorf("901 is %s", got)
			}
			// Whatever only brokers send tells that one is there, and it stays one.
			for code, r := range map[codec.RequestCode]*codec.Command{
				codec.ReqRegisterBroker:   slaveA.Register(),
				codec.ReqUnregisterBroker: nstest.Broker{Cluster: "C", Name: "z", Addr: "10.9.9.9:1"}.Unregister(),
				codec.ReqQueryDataVersion: nstest.Request(codec.ReqQueryDataVersion, "brokerName", "a", "brokerAddr", "10.0.0.1:10911", "clusterName", "C", "brokerId", "0"),
				codec.ReqBrokerHeartbeat:  beat(),
			} {
				c := s.dialFrom(t, "198.51.100.8")
				if got := told(t, c.Do(nstest.Route("T"))); got != "rewritten" {
					t.Errorf("before %v a route is as %s", code, got)
				}
				c.Do(r)
				for name, r := range showAddresses() {
					if got := told(t, c.Do(r)); got != "registered" {
						t.Errorf("%s after %v is %s", name, code, got)
					}
				}
			}
			st := s.Snapshot().Horizons
			if len(st.Horizons) != 1 || st.Horizons[0].Requests != 10 || st.Horizons[0].Rules[0].Hits == 0 || st.Generation != 1 || st.Since.IsZero() || st.LastError != "" {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestHorizonUnset: without the file nothing is looked at, found or kept.
func TestHorizonUnset(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.ProxyProtocolTrusted, c.AccessPreset = "127.0.0.0/8", "open" })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	for name, r := range showAddresses() {
		if got := told(t, s.dialFrom(t, "198.51.100.7").Do(r)); got != "registered" {
			t.Errorf("%s is %s", name, got)
		}
	}
	s.Reload()
	if st := s.Snapshot(); st.Horizons.Generation != 0 || st.Horizons.Horizons != nil || st.Table.HorizonCachedBytes != 0 || st.Table.HorizonCacheLimit != 64<<20 {
		t.Errorf("%+v, %+v", st.Horizons, st.Table)
	}
}

// TestHorizonRefuses has horizons that leave nothing to be told, or refuse.
func TestHorizonRefuses(t *testing.T) {
	_, horizons := withHorizons(t, `horizons:
  - name: refuses
    match: { cidr: 198.51.100.1 }
    missing: refuse
    rewrite: [{ broker: a, id: 0, to: "x:1" }]
  - name: drops
    match: { cidr: 198.51.100.2 }
    missing: drop
    rewrite: [{ broker: b, to: "x:1" }]
`)
	s := start(t, horizons)
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	wantCode(t, s.dial(t).Do(slaveA.Register()), codec.RespSuccess, "")
	const remark = "refused to clients of horizon refuses: broker a, ID 1: no rule is for it"
	for range 2 {
		for _, r := range showAddresses() {
			wantCode(t, s.dialFrom(t, "198.51.100.1").Do(r), codec.RespSystemError, remark)
		}
		c := s.dialFrom(t, "198.51.100.2")
		wantCode(t, c.Do(nstest.Route("T")), codec.RespTopicNotExist, notThere("T"))
		wantCode(t, c.Do(nstest.Route("nothing")), codec.RespTopicNotExist, notThere("nothing"))
		if body := string(c.Do(nstest.Request(codec.ReqGetBrokerClusterInfo)).Body); body != `{"brokerAddrTable":{},"clusterAddrTable":{"C":[]}}` {
			t.Errorf("without any broker the cluster info is %s", body)
		}
	}
	if got := refusedOf(s, codec.ReqGetRouteInfoByTopic); got["horizon"] != 2 || got["notFound"] != 4 {
		t.Errorf("counted %v", got)
	}
	if st := s.Snapshot().Horizons.Horizons; st[0].Refused != 6 || st[1].NothingLeft != 2 || st[1].Refused != 2 {
		t.Errorf("counted %+v", st)
	}
}

func notThere(topic string) string {
	return "No topic route info in name server for the topic: " + topic + "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
}

// TestHorizonMode turns horizons off and on while clients are connected. In monitor mode
// what would be rewritten is counted.
func TestHorizonMode(t *testing.T) {
	_, horizons := withHorizons(t, outside)
	s := start(t, func(c *namesrv.Config) { horizons(c); c.HorizonMode = "monitor" })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	c := s.dialFrom(t, "198.51.100.7")
	all := func(want string) {
		t.Helper()
		for name, r := range showAddresses() {
			if got := told(t, c.Do(r)); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	}
	all("registered")
	st := s.Snapshot().Horizons.Horizons[0]
	if st.Requests != 3 || st.Rules[0].Hits != 3 {
		t.Errorf("monitor counts %+v", st)
	}
	for _, mode := range []string{"on", "off", "on", "monitor"} {
		wantCode(t, s.dial(t).Do(updateConfig("horizonMode="+mode)), codec.RespSuccess, "")
		all(map[string]string{"on": "rewritten"}[mode] + map[string]string{"off": "registered", "monitor": "registered"}[mode])
		if x, err := s.ExplainRoute("T", &route.Client{Addr: netip.MustParseAddr("198.51.100.7")}, 0, ""); err != nil || (mode == "off") != (x.Horizon == "") {
			t.Errorf("%s is explained as %+v", mode, x)
		}
	}
	if got := s.Snapshot().Horizons.Horizons[0].Requests; got != 12 {
		t.Errorf("%d requests are counted, want 12: none while off", got)
	}
}

// TestHorizonReload changes the file. Clients that are connected are told what is in force
// now; a file that cannot be used changes nothing and is said.
func TestHorizonReload(t *testing.T) {
	t.Parallel()
	file, horizons := withHorizons(t, "horizons: []\n")
	s, log := startLogging(t, horizons)
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	c := s.dialFrom(t, "198.51.100.7")
	generation := func(n uint64) {
		t.Helper()
		s.Reload()
		nstest.Eventually(t, fmt.Sprint("generation ", n), func() bool { return s.Snapshot().Horizons.Generation == n })
	}
	if got := told(t, c.Do(nstest.Route("T"))); got != "registered" {
		t.Errorf("without horizons it is %s", got)
	}
	replace(t, file, outside)
	generation(2)
	if got := told(t, c.Do(nstest.Route("T"))); got != "rewritten" {
		t.Errorf("after the change it is as %s", got)
	}
	for i, bad := range []string{strings.Replace(outside, "rewrite:", "rewrites:", 1), strings.Replace(outside, "/24", "/240", 1), "\x00", ""} {
		replace(t, file, bad)
		s.Reload()
		nstest.Eventually(t, "the fault is noticed", func() bool { return s.Snapshot().Horizons.Failures == uint64(i+1) })
		st := s.Snapshot().Horizons
		if got := told(t, c.Do(nstest.Route("T"))); got != "rewritten" || st.LastError == "" || st.Generation != 2 || len(st.Horizons) != 1 {
			t.Errorf("with a bad file it is as %s; %+v", got, st)
		}
	}
	if !log.has(`unknown key \"rewrites\"`) || !log.has("what was in force stays") {
		t.Errorf("the log says nothing:\n%s", log)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.Reload()
	nstest.Eventually(t, "the loss is noticed", func() bool { return s.Snapshot().Horizons.Failures == 5 })
	if got := told(t, c.Do(nstest.Route("T"))); got != "rewritten" {
		t.Errorf("without the file it is as %s", got)
	}
	before := s.Snapshot().Horizons.Horizons[0].Requests
	replace(t, file, strings.Replace(outside, "198.51.100", "198.51.101", 1))
	generation(3)
	if st := s.Snapshot().Horizons; st.LastError != "" || st.Horizons[0].Requests != before {
		t.Errorf("%+v", st)
	}
	if got := told(t, c.Do(nstest.Route("T"))); got != "registered" {
		t.Errorf("a client that does not belong there any more is told what is %s", got)
	}
	if got := told(t, s.dialFrom(t, "198.51.101.7").Do(nstest.Route("T"))); got != "rewritten" {
		t.Errorf("one that does now is told what is %s", got)
	}
}

// TestHorizonFollowsReload reloads while clients read: each answer is by some rules that
// have been in force, the last one by the last.
func TestHorizonFollowsReload(t *testing.T) {
	t.Parallel()
	file, horizons := withHorizons(t, outside)
	s := start(t, horizons, func(s *namesrv.Server) { s.SetHorizonQuiet(0) })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	var stop atomic.Bool
	done := make(chan string)
	for range 3 {
		c := s.dialFrom(t, "198.51.100.7")
		go func() {
			last := ""
			for ended := false; !ended; {
				ended = stop.Load() // once more after it
				last = string(c.Do(nstest.Route("T")).Body)
				if i := strings.Index(last, "mq-"); i < 0 {
					break
				}
			}
			done <- last
		}()
	}
	for i := range 20 {
		replace(t, file, strings.Replace(outside, "mq-", fmt.Sprintf("mq-%d-", i), 1))
		s.Reload()
		nstest.Eventually(t, "in force", func() bool { return s.Snapshot().Horizons.Generation == uint64(i+2) })
	}
	stop.Store(true)
	for range 3 {
		if last := <-done; !strings.Contains(last, `"mq-19-a-0.example.com:1"`) {
			t.Errorf("the last answer is %s", last)
		}
	}
	s.ScanIn(0) // sweeps what is of other rules
	if st := s.Snapshot().Table; st.HorizonCachedBytes > 2<<10 {
		t.Errorf("%d bytes are kept of rules that are not in force", st.HorizonCachedBytes)
	}
}

// TestHorizonBy finds the horizon of real connections by listener, certificate and PROXY TLV.
func TestHorizonBy(t *testing.T) {
	ca := newPKI(t)
	dir := t.TempDir()
	install(t, dir, ca.valid("server"))
	_, horizons := withHorizons(t, strings.NewReplacer("cidr: 198.51.100.0/24", "listener: 127.0.0.2").Replace(outside)+
		strings.NewReplacer("horizons:\n", "", "outside", "partner", "cidr: 198.51.100.0/24", "certificate: partner-*").Replace(outside)+
		strings.NewReplacer("horizons:\n", "", "outside", "endpoint", "cidr: 198.51.100.0/24", "proxyTLV: {type: 0xEA, value: vpce-1}").Replace(outside))
	s := start(t, func(c *namesrv.Config) {
		horizons(c)
		filesOf(dir)(c)
		c.BindAddress = "127.0.0.1;127.0.0.2"
		c.TLS.ServerNeedClientAuth, c.TLS.ServerAuthClient, c.TLS.ServerTrustCertPath = "optional", true, ca.trust(dir)
	})
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	header := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x16\xc0\x00\x02\x09\x0a\x00\x00\x01\x12\x67\x26\x94\xea\x00\x07\x01vpce-"
	with := func(start string) *nstest.Client {
		c := s.dial(t)
		c.Write([]byte(start))
		return c
	}
	as := func(cert tls.Certificate) *nstest.Client {
		return nstest.DialTLS(t, s.addr, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	for name, tc := range map[string]struct {
		client *nstest.Client
		want   string
	}{
		"one listener":        {s.dial(t), "registered"},
		"the other":           {nstest.Dial(t, s.Addrs()[1].String()), "rewritten"},
		"a TLV":               {with(header + "1"), "rewritten"},
		"another TLV":         {with(header + "2"), "registered"},
		"TLS, no certificate": {nstest.DialTLS(t, s.addr, nil), "registered"},
		"a certificate":       {as(ca.valid("partner-7")), "rewritten"},
		"another certificate": {as(ca.valid("partners")), "registered"},
	} {
		if got := told(t, tc.client.Do(nstest.Route("T"))); got != tc.want {
			t.Errorf("%s: it is as %s, want %s", name, got, tc.want)
		}
	}
	// Where certificates are not verified, nobody is who his certificate says.
	s = start(t, func(c *namesrv.Config) {
		horizons(c)
		filesOf(dir)(c)
		c.TLS.ServerNeedClientAuth, c.TLS.ServerAuthClient = "optional", false
	})
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	if got := told(t, as(newPKI(t).valid("partner-3")).Do(nstest.Route("T"))); got != "registered" {
		t.Errorf("a certificate of anybody: it is as %s", got)
	}
}

// TestHorizonFileStopsTheStart starts with files that cannot be used.
func TestHorizonFileStopsTheStart(t *testing.T) {
	file, horizons := withHorizons(t, strings.Replace(outside, "cidr", "cdir", 1))
	cfg := namesrv.DefaultConfig()
	horizons(&cfg)
	cfg.KVConfigPath = ""
	want := "namesrv: horizonFile " + file + `: line 3: unknown key "cdir"; match has certificate, cidr, except, listener, proxyTLV`
	if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	cfg.HorizonFile += ".not"
	if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "horizonFile") {
		t.Errorf("without the file: %v", err)
	}
	writeFile(t, file, "horizons: []\n#"+strings.Repeat("x", 5<<20))
	cfg.HorizonFile = file
	if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("with a file of 5 MiB: %v", err)
	}
}

// TestExplainRoute explains what a client is told: the same bytes.
func TestExplainRoute(t *testing.T) {
	_, horizons := withHorizons(t, outside)
	s := start(t, func(c *namesrv.Config) { horizons(c); c.OrderMessageEnable = true })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
	if err := s.PutKV("ORDER_TOPIC_CONFIG", "T", "a:4"); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"198.51.100.7", "192.0.2.7"} {
		for _, version := range []int32{0, codec.V4_9_4} {
			r := nstest.Route("T")
			r.Version = version
			body := s.dialFrom(t, from).Do(r).Body
			x, err := s.ExplainRoute("T", &route.Client{Addr: netip.MustParseAddr(from)}, version, "")
			if err != nil || string(x.Body) != string(body) || len(x.Members) != 1 {
				t.Errorf("from %s, version %d: %s, explained as %s; %v", from, version, body, x.Body, err)
			}
		}
	}
	if _, err := s.ExplainRoute("nothing", &route.Client{}, 0, ""); err != route.ErrNoTopic {
		t.Error(err)
	}
	x, err := s.ExplainRoute("T", &route.Client{Addr: netip.MustParseAddr("198.51.100.7")}, 0, "elsewhere")
	if err != nil || x.Members[0].Outcome != route.SightOtherZone || x.Refused == "" {
		t.Errorf("in another zone: %+v, %v", x, err)
	}
}
