package namesrv_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// keepRoutes keeps the routes in file.
func keepRoutes(file string) func(*namesrv.Config) {
	return func(c *namesrv.Config) { c.RouteSnapshotPath = file }
}

// lifetime runs a server for as long as f does. Its connections outlive it: a broker
// that hangs up before is not there at the end.
func lifetime(t *testing.T, change func(*namesrv.Config), f func(t *testing.T, s *testServer, log *logText), prepare ...func(*namesrv.Server)) {
	t.Helper()
	long := t
	t.Run("lifetime", func(t *testing.T) {
		s, log := startLogging(t, change, prepare...)
		<-s.Ready()
		s.clients = long
		f(t, s, log)
	})
	if t.Failed() {
		t.FailNow()
	}
}

// registerAB registers two brokers and a slave.
func registerAB(t *testing.T, c *nstest.Client) {
	t.Helper()
	b := nstest.Broker{Cluster: "C", Name: "b", Addr: "10.0.0.3:10911", Counter: 7, Topics: []string{"T", "V"}}
	for _, b := range []nstest.Broker{brokerA, slaveA, b} {
		wantCode(t, c.Do(b.Register()), codec.RespSuccess, "")
	}
}

// askVersion asks whether a broker has what its data version says.
func askVersion(c *nstest.Client, addr string, version []byte) (ours []byte, changed string) {
	r := nstest.Request(codec.ReqQueryDataVersion, "brokerName", "x", "brokerAddr", addr, "clusterName", "C", "brokerId", "0")
	r.Body = version
	reply := c.Do(r)
	value, _ := reply.Ext.Get("changed")
	return bytes.Clone(reply.Body), string(value)
}

// questions are what must be answered the same after a restart.
func questions() []*codec.Command {
	strict := nstest.Route("T")
	strict.Version = codec.V4_9_4
	return []*codec.Command{
		nstest.Route("T"), strict, nstest.Route("U"), nstest.Route("V"), nstest.Route("none"),
		nstest.Request(codec.ReqGetBrokerClusterInfo), nstest.Request(codec.ReqGetAllTopicListFromNameserver),
	}
}

func answers(c *nstest.Client) (all []string) {
	for _, q := range questions() {
		reply := c.Do(q)
		all = append(all, fmt.Sprint(reply.Code, string(reply.Remark), string(reply.Body)))
	}
	return all
}

// TestRoutesOutliveARestart stops a server and starts it again. It answers as
// before, byte for byte, and says of no broker that it has changed. Who is not heard
// of leaves when its window ends, who is stays.
func TestRoutesOutliveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	var before []string
	var version []byte
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, log *logText) {
		if !log.has("starts without routes, there is no snapshot of them") {
			t.Errorf("the log is %s", log)
		}
		c := s.dial(t)
		registerAB(t, c)
		before = answers(c)
		version, _ = askVersion(c, brokerA.Addr, nil)
	})
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, log *logText) {
		if !log.has(`msg="starts with the routes of its snapshot" file=` + file + " brokers=3 topics=3 age=") {
			t.Errorf("the log is %s", log)
		}
		c := s.dial(t)
		for i, got := range answers(c) {
			if got != before[i] {
				t.Errorf("answer %d is\n%s, before\n%s", i, got, before[i])
			}
		}
		snap := s.Snapshot().Routes
		if snap.Mode != "on" || snap.Load.Result != "restored" || snap.Load.Brokers != 3 || snap.Warmth.Restored != 3 || snap.Warmth.Known != 3 {
			t.Errorf("it shows %+v", snap)
		}
		if len(version) == 0 {
			t.Fatal("no data version")
		}
		if ours, changed := askVersion(c, brokerA.Addr, version); changed != "false" || !bytes.Equal(ours, version) {
			t.Errorf("322 says changed=%s, %s", changed, ours)
		}
		if w := s.Snapshot().Routes.Warmth; w.Confirmed != 1 || w.Restored != 2 {
			t.Errorf("after one was confirmed it shows %+v", w)
		}
		s.ScanIn(119 * time.Second)
		if n := s.Table().View().LiveCount(); n != 3 {
			t.Errorf("%d live before the end of the window", n)
		}
		wantCode(t, c.Do(slaveA.Register()), codec.RespSuccess, "")
		s.ScanIn(119 * time.Second)
		if n := s.Table().View().LiveCount(); n != 3 {
			t.Errorf("%d live before the end of the window", n)
		}
	})
}

// TestSilentRestoredBroker: with a clock of its own, a broker leaves at the end of
// its window unless it is heard of.
func TestSilentRestoredBroker(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) { registerAB(t, s.dial(t)) })
	var now atomic.Int64
	now.Store(int64(time.Hour))
	clock := func(s *namesrv.Server) { s.SetClock(func() time.Duration { return time.Duration(now.Load()) }) }
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) {
		c := s.dial(t)
		now.Add(int64(119 * time.Second))
		wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
		s.ScanIn(0)
		if n := s.Table().View().LiveCount(); n != 3 {
			t.Errorf("%d live after 119 s", n)
		}
		now.Add(int64(2 * time.Second))
		s.ScanIn(0)
		v := s.Table().View()
		if _, ok := v.Live([]byte("C"), []byte(brokerA.Addr)); !ok || v.LiveCount() != 1 {
			t.Errorf("%d live after 121 s, the one that was heard of: %v", v.LiveCount(), ok)
		}
		if w := s.Snapshot().Routes.Warmth; w.Gone != 2 {
			t.Errorf("it shows %+v", w)
		}
	}, clock)
}

// TestAdminChangesOutliveARestart: what an operator has changed is not undone.
func TestAdminChangesOutliveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	var before []string
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) {
		c := s.dial(t)
		registerAB(t, c)
		wantCode(t, c.Do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a")), codec.RespSuccess, "")
		wantCode(t, c.Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "V")), codec.RespSuccess, "")
		before = answers(c)
	})
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) {
		for i, got := range answers(s.dial(t)) {
			if got != before[i] {
				t.Errorf("answer %d is\n%s, before\n%s", i, got, before[i])
			}
		}
	})
}

// TestSnapshotWhileServing does not wait for the end: a broker that has come is in
// the file soon, and so is what an operator has changed.
func TestSnapshotWhileServing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "routes.snap")
	s, _ := startLogging(t, keepRoutes(file))
	c := s.dial(t)
	shown := func() *route.Saved {
		text, err := os.ReadFile(file)
		if err != nil {
			return &route.Saved{}
		}
		_, saved, err := route.ReadSnapshot(text, 0)
		if err != nil {
			t.Fatal(err)
		}
		return saved
	}
	registerAB(t, c)
	nstest.Eventually(t, "three brokers in the file", func() bool { return len(shown().Lives) == 3 })
	wantCode(t, c.Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "V")), codec.RespSuccess, "")
	nstest.Eventually(t, "no topic V", func() bool { return len(shown().Topics) == 2 })
	nstest.Eventually(t, "two writes", func() bool { return s.Snapshot().Routes.Write.Writes > 1 })
	w := s.Snapshot().Routes.Write
	if w.Writes < 2 || w.Reason != "broker or topic" || w.Bytes == 0 || w.Written.IsZero() || w.WriteFailures != 0 || w.Failing != "" {
		t.Errorf("it shows %+v", w)
	}
}

// idleServer is a server that does not run, which has brokers and keeps them.
func idleServer(t *testing.T, change func(*namesrv.Config), prepare ...func(*namesrv.Server)) (*namesrv.Server, *logText) {
	t.Helper()
	cfg := namesrv.DefaultConfig()
	change(&cfg)
	log := &logText{}
	s, err := namesrv.New(cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prepare {
		p(s)
	}
	t.Cleanup(func() { s.ReleaseFiles(); s.ReleaseRoutes() })
	return s, log
}

// registerSome registers brokers in a server that does not run, each of n topics.
func registerSome(s *namesrv.Server, brokers, n int, counter int64) error {
	for i := range brokers {
		var topics []string
		for j := range n {
			topics = append(topics, fmt.Sprintf("topic-%d-%d", j, counter%7))
		}
		b := nstest.Broker{Cluster: "C", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:10911", i), Counter: counter, Topics: topics}
		if err := register(s, b); err != nil {
			return err
		}
	}
	return nil
}

// register registers a broker in a server that does not run.
func register(s *namesrv.Server, b nstest.Broker) error { return registerFor(s, b, 120_000) }

// registerFor is register of a broker that may be silent for so long.
func registerFor(s *namesrv.Server, b nstest.Broker, timeoutMillis int64) error {
	r := b.Register()
	var body codec.RegisterBrokerBody
	if err := body.Decode(r.Body, r.Version, false, 0); err != nil {
		return err
	}
	_, err := s.Table().RegisterBroker(s.NowMillis(), &route.Registration{
		RegistrationHeader: route.RegistrationHeader{Cluster: b.Cluster, BrokerName: b.Name, BrokerAddr: b.Addr, TimeoutMillis: timeoutMillis},
		Body:               &body,
	})
	return err
}

// bootAt is a run of the machine.
func bootAt(id string, d time.Duration) func(*namesrv.Server) {
	return func(s *namesrv.Server) { s.SetBoot(func() (string, time.Duration) { return id, d }) }
}

// TestDrainWritesRoutes: what has changed while a snapshot was written, and the
// server was told to end, is in the file.
func TestDrainWritesRoutes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	late := nstest.Broker{Cluster: "C", Name: "late", Addr: "10.0.0.9:10911", Counter: 1, Topics: []string{"late", "later"}}
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) {
		c := s.dial(t)
		registerAB(t, c)
		wantCode(t, c.Do(late.Register()), codec.RespSuccess, "")
	})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h, saved, err := route.ReadSnapshot(text, 0)
	if err != nil || len(saved.Lives) != 4 || h.Reason != "drain" && h.Reason != "end" {
		t.Errorf("%+v, %+v, %v", h, saved, err)
	}
}

// TestShadow begins without routes, and compares.
func TestShadow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	lifetime(t, keepRoutes(file), func(t *testing.T, s *testServer, _ *logText) { registerAB(t, s.dial(t)) })
	var now atomic.Int64
	clock := func(s *namesrv.Server) { s.SetClock(func() time.Duration { return time.Duration(now.Load()) }) }
	shadow := func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStart = file, "shadow" }
	lifetime(t, shadow, func(t *testing.T, s *testServer, log *logText) {
		snap := s.Snapshot().Routes
		if snap.Load.Result != "shadow" || snap.Load.Brokers != 3 || s.Table().View().LiveCount() != 0 || !log.has("warmStart is shadow; its snapshot could be used") {
			t.Errorf("it shows %+v, the log is %s", snap, log)
		}
		c := s.dial(t)
		wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
		now.Add(int64(121 * time.Second))
		wantCode(t, c.Do(slaveA.Register()), codec.RespSuccess, "") // wakes it
		nstest.Eventually(t, "it has compared", func() bool { return log.has("snapshot of the routes compared") })
		want := namesrv.RouteShadowStats{Brokers: namesrv.ShadowCount{Right: 2, Stale: 1}, Rows: namesrv.ShadowCount{Right: 2, Stale: 2}}
		if got := s.Snapshot().Routes.Shadow; got != want {
			t.Errorf("it shows %+v, want %+v", got, want)
		}
	}, clock)
}

// TestWarmStartOff touches no file.
func TestWarmStartOff(t *testing.T) {
	dir := t.TempDir()
	off := func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStart = filepath.Join(dir, "routes.snap"), "off" }
	lifetime(t, off, func(t *testing.T, s *testServer, _ *logText) {
		registerAB(t, s.dial(t))
		if snap := s.Snapshot().Routes; snap.Mode != "off" || snap.Load.Result != "off" {
			t.Errorf("it shows %+v", snap)
		}
	})
	wantFiles(t, dir)
}

// TestGateOfAWarmStart: needWaitForService keeps nobody waiting who asks for what was
// restored; in shadow mode it does until nearly all are there again.
func TestGateOfAWarmStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.snap")
	wait := func(c *namesrv.Config) {
		c.RouteSnapshotPath, c.NeedWaitForService, c.WaitSecondsForService = file, true, 3600
	}
	code := func(c *nstest.Client, topic string) codec.ResponseCode {
		return codec.ResponseCode(c.Do(nstest.Route(topic)).Code)
	}
	lifetime(t, wait, func(t *testing.T, s *testServer, _ *logText) {
		c := s.dial(t)
		registerAB(t, c)
		if got := code(c, "T"); got != codec.RespSystemError || s.Snapshot().RoutesGiven {
			t.Errorf("at the first start answered %v", got)
		}
	})
	lifetime(t, wait, func(t *testing.T, s *testServer, _ *logText) {
		c := s.dial(t)
		if known, unknown := code(c, "T"), code(c, "none"); known != codec.RespSuccess || unknown != codec.RespSystemError || !s.Snapshot().RoutesGiven {
			t.Errorf("after a warm start answered %v, of an unknown topic %v", known, unknown)
		}
		for _, addr := range []string{brokerA.Addr, slaveA.Addr, "10.0.0.3:10911"} {
			version, _ := askVersion(c, addr, nil)
			if _, changed := askVersion(c, addr, version); changed != "false" {
				t.Errorf("%s: changed=%s", addr, changed)
			}
		}
		if unknown := code(c, "none"); unknown != codec.RespTopicNotExist {
			t.Errorf("once all are confirmed: of an unknown topic answered %v", unknown)
		}
	})
	lifetime(t, func(c *namesrv.Config) { wait(c); c.WarmStart = "shadow" }, func(t *testing.T, s *testServer, _ *logText) {
		c := s.dial(t)
		wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
		if got := code(c, "T"); got != codec.RespSystemError {
			t.Errorf("one of three is there: answered %v", got)
		}
		registerAB(t, c)
		nstest.Eventually(t, "routes are given", func() bool { return code(c, "T") == codec.RespSuccess })
	})
}

// TestRouteSnapshotBesideKVConfig: who moves the KV config moves the snapshot, unless
// it has a place of its own. Nobody who tests a server writes into a home folder.
func TestRouteSnapshotBesideKVConfig(t *testing.T) {
	for text, want := range map[string]string{
		"":                       filepath.FromSlash("/home/x/namesrv/routes.snap"),
		"kvConfigPath=/srv/a/kv": filepath.FromSlash("/srv/a/routes.snap"),
		"kvConfigPath=":          "",
		"routeSnapshotPath=":     "",
		"routeSnapshotPath=/r\nkvConfigPath=/srv/a/kv": "/r",
		"kvConfigPath=/srv/a/kv\nrouteSnapshotPath=/r": "/r",
		"kvConfigPath=\nrouteSnapshotPath=/r":          "/r",
	} {
		cfg := namesrv.DefaultConfig()
		cfg.SetHome(filepath.FromSlash("/home/x"))
		if _, err := cfg.LoadProperties(writeProperties(t, text)); err != nil || cfg.RouteSnapshotPath != want {
			t.Errorf("%q: %s, %v, want %s", text, cfg.RouteSnapshotPath, err, want)
		}
	}
	if cfg := namesrv.DefaultConfig(); cfg.RouteSnapshotPath != "" {
		t.Errorf("by default it is %s", cfg.RouteSnapshotPath)
	}
}
