package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A fixture is a server that runs, with an Admin, and brokers that stay connected.
type fixture struct {
	*Admin
	http.Handler // the read API without its guard: who may ask, and how often, is none of its business
	t            testing.TB
	server       *namesrv.Server
	addr         string
}

const fixtureHorizons = `
horizons:
  - name: office
    match:
      cidr: [127.0.0.7]
    rewrite:
      - { from: "10.0.0.1:10911", to: "198.51.100.1:10911" }
    missing: keep
  - name: closed
    match:
      cidr: [127.0.0.8]
    rewrite:
      - { from: "10.0.0.99:10911", to: "198.51.100.1:10911" }
    missing: drop
  - name: strict
    match:
      cidr: [127.0.0.9]
    rewrite:
      - { from: "10.0.0.99:10911", to: "198.51.100.1:10911" }
    missing: refuse
`

// behindGuard returns a fixture of an Admin.
func behindGuard(t testing.TB, a *Admin) *fixture {
	mux := http.NewServeMux()
	for _, w := range v1Rows() {
		mux.HandleFunc("GET "+w.path, func(out http.ResponseWriter, r *http.Request) { w.handle(a, out, r) })
	}
	mux.HandleFunc("/", a.notFound)
	return &fixture{Admin: a, Handler: mux, t: t}
}

// newFixture starts a server with nothing in it.
func newFixture(t testing.TB, change func(*namesrv.Config)) *fixture {
	t.Helper()
	dir := t.TempDir()
	cfg := namesrv.DefaultConfig()
	cfg.TrustLoopback = true // wherever the tests run
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.KVConfigPath = filepath.Join(dir, "kvConfig.json")
	cfg.ConfigStorePath = filepath.Join(dir, "namesrv.properties")
	cfg.ShutdownWaitTime, cfg.DrainTime = 0, 0
	if change != nil {
		change(&cfg)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := namesrv.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	f := behindGuard(t, New(s, log))
	f.server = s
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ends with %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	case <-time.After(nstest.Patience):
		t.Fatal("the server does not start")
	}
	f.addr = s.Addr().String()
	return f
}

// newWorld is a fixture with some of everything: clusters, zones, a lost master, a static
// topic, an order configuration, odd names, horizons.
func newWorld(t testing.TB) *fixture {
	t.Helper()
	horizons := filepath.Join(t.TempDir(), "horizons.yaml")
	if err := os.WriteFile(horizons, []byte(fixtureHorizons), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(c *namesrv.Config) {
		c.OrderMessageEnable, c.SupportActingMaster, c.HorizonFile = true, true, horizons
	})
	topics := []string{"ORDERS", "PAYMENTS", "%RETRY%g", "a/b", "größe", "TBW102"}
	f.register(nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Counter: 1, Topics: topics, Fields: []string{"__ZONE_NAME", "zone-1"}})
	f.register(nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.2:10911", ID: 1, Counter: 1, Topics: topics, Fields: []string{"__ZONE_NAME", "zone-1"}})
	f.register(nstest.Broker{Cluster: "c1", Name: "broker-b", Addr: "10.0.0.3:10911", Counter: 1 << 60, Topics: []string{"ORDERS", "EXTRA"}, Fields: []string{"__ZONE_NAME", "zone-2"}})
	f.register(nstest.Broker{Cluster: "c2", Name: "broker c", Addr: "10.0.0.4:10911", Counter: 1, Topics: []string{"WIPED", "ALSO"}})
	f.register(nstest.Broker{Cluster: "c1", Name: "broker-d", Addr: "10.0.0.5:10911", ID: 2, Counter: 1, Topics: []string{"ACTING", "ACTING2"}, Fields: []string{"enableActingMaster", "true"}})
	static := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1}}
	for _, name := range []string{"STATIC", "EXTRA"} {
		static.Topics = append(static.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 2, WriteQueueNums: 2, Perm: 4})
	}
	static.Mappings = []codec.RegisteredMapping{{Key: "STATIC", Info: codec.TopicQueueMappingInfo{Topic: "STATIC", TotalQueues: 2, Bname: "broker-e", Scope: "__global__"}}}
	e := nstest.Broker{Cluster: "c2", Name: "broker-e", Addr: "10.0.0.6:10911", Counter: 1}
	f.do(e.RegisterBody(static.AppendJSON(nil)))
	f.do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "broker c"))
	f.do(nstest.Request(codec.ReqPutKVConfig, "namespace", "ORDER_TOPIC_CONFIG", "key", "ORDERS", "value", "broker-a:8"))
	f.do(nstest.Request(codec.ReqPutKVConfig, "namespace", "a/b", "key", "password", "value", "geheim"))
	update := nstest.Request(codec.ReqUpdateNamesrvConfig)
	update.Body = []byte("missDamping=off\n")
	f.do(update)
	return f
}

// register registers a broker over a connection of its own, which stays open.
func (f *fixture) register(b nstest.Broker) { f.do(b.Register()) }

// do sends a request over a connection of its own and demands success.
func (f *fixture) do(r *codec.Command) *codec.Command {
	f.t.Helper()
	reply := nstest.Dial(f.t, f.addr).Do(r)
	if codec.ResponseCode(reply.Code) != codec.RespSuccess {
		f.t.Fatalf("request %d is answered %d: %s", r.Code, reply.Code, reply.Remark)
	}
	return reply
}

// get asks over HTTP.
func (f *fixture) get(path string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = "127.0.0.1:1"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.Handler.ServeHTTP(w, r)
	return w
}

// want asks, demands a status and decodes the answer.
func (f *fixture) want(status int, path string, v any) {
	f.t.Helper()
	w := f.get(path)
	if w.Code != status {
		f.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		f.t.Fatalf("%s: %v: %s", path, err, strings.TrimSpace(w.Body.String()))
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *stamp) UnmarshalJSON(b []byte) error { return (*time.Time)(s).UnmarshalJSON(b) }

// UnmarshalJSON reads what MarshalJSON writes.
func (n *number) UnmarshalJSON(b []byte) error {
	return json.Unmarshal([]byte(strings.Trim(string(b), `"`)), (*int64)(n))
}
