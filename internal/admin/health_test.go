package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/component"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestChecks: what each check says of each state that it is about.
func TestChecks(t *testing.T) {
	in := time.Now().Add
	day := 24 * time.Hour
	for _, tt := range []struct {
		check  string
		h      namesrv.Health
		status status
		reason string
	}{
		{"loops", namesrv.Health{}, statusOK, ""},
		{"loops", namesrv.Health{LoopSilence: 10 * time.Second}, statusOK, ""},
		{"loops", namesrv.Health{LoopSilence: 10*time.Second + 1}, statusFailed, "an event loop has not run for 11 s"},
		{"housekeeping", namesrv.Health{ScanInterval: 5 * time.Second, ScanSilence: 30 * time.Second}, statusOK, ""},
		{"housekeeping", namesrv.Health{ScanInterval: 5 * time.Second, ScanSilence: 31 * time.Second}, statusFailed, "nobody has looked for silent brokers for 31 s"},
		{"housekeeping", namesrv.Health{ScanInterval: time.Minute, ScanSilence: 6 * time.Minute}, statusOK, ""},
		{"housekeeping", namesrv.Health{ScanInterval: time.Minute, ScanSilence: 6*time.Minute + 1}, statusFailed, "nobody has looked for silent brokers for 361 s"},
		{"listener", namesrv.Health{State: namesrv.StateStarting}, statusFailed, "peers are not served yet"},
		{"listener", namesrv.Health{State: namesrv.StateServing}, statusOK, ""},
		{"listener", namesrv.Health{State: namesrv.StateDraining}, statusOK, ""},
		{"listener", namesrv.Health{State: namesrv.StateStopped}, statusFailed, "peers are not served any more"},
		{"draining", namesrv.Health{State: namesrv.StateServing}, statusOK, ""},
		{"draining", namesrv.Health{State: namesrv.StateDraining}, statusFailed, "draining"},
		{"gate", namesrv.Health{Gate: 32*time.Second + 1}, statusFailed, "33 s left"},
		{"gate", namesrv.Health{}, statusOK, ""},
		{"brokers", namesrv.Health{}, statusOK, ""},
		{"brokers", namesrv.Health{MinBrokers: 3, Brokers: 3, Registered: 1, MaxWait: 2 * time.Minute, Uptime: time.Minute}, statusFailed, "1 of 3 have registered, waiting for 60 s more at most"},
		{"brokers", namesrv.Health{MinBrokers: 3, Registered: 3, MaxWait: 2 * time.Minute}, statusOK, ""},
		{"brokers", namesrv.Health{MinBrokers: 3, Registered: 1, MaxWait: 2 * time.Minute, Uptime: 2 * time.Minute}, statusWarning, "1 of 3 have registered, nobody waits for them any more"},
		{"budget", namesrv.Health{BudgetUsed: 800, BudgetLimit: 1000}, statusOK, ""},
		{"budget", namesrv.Health{BudgetUsed: 810, BudgetLimit: 1000}, statusWarning, "81 % of the memory budget is in use"},
		{"files", namesrv.Health{Connections: 850, MaxConnections: 1000}, statusOK, ""},
		{"files", namesrv.Health{Connections: 910, MaxConnections: 1000}, statusWarning, "91 % of the connections that may be are open"},
		{"files", namesrv.Health{Connections: 910}, statusOK, ""},
		{"files", namesrv.Health{Connections: 40, MaxConnections: 50}, statusOK, ""},
		{"files", namesrv.Health{Connections: 45, MaxConnections: 50}, statusWarning, "90 % of the connections that may be are open"},
		{"audit", namesrv.Health{AuditBroken: true}, statusWarning, "the audit log cannot be written"},
		{"kvSave", namesrv.Health{KVSaveFailed: true}, statusWarning, "the last change of the KV config could not be written"},
		{"certificate", namesrv.Health{}, statusOK, ""},
		{"certificate", namesrv.Health{CertificateEnd: in(15 * day)}, statusOK, ""},
		{"certificate", namesrv.Health{CertificateEnd: in(3*day + time.Hour)}, statusWarning, "ends in 3 days"},
		{"certificate", namesrv.Health{CertificateEnd: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)}, statusWarning, "ended on 2020-01-02"},
		{"anyBroker", namesrv.Health{State: namesrv.StateServing, Uptime: 2 * time.Minute}, statusOK, ""},
		{"anyBroker", namesrv.Health{State: namesrv.StateServing, Uptime: 3 * time.Minute}, statusWarning, "no broker has registered"},
		{"anyBroker", namesrv.Health{State: namesrv.StateServing, Uptime: 3 * time.Minute, Brokers: 1}, statusOK, ""},
	} {
		i := slices.IndexFunc(checks, func(c check) bool { return c.name == tt.check })
		if s, reason := checks[i].of(&tt.h); s != tt.status || reason != tt.reason {
			t.Errorf("%s of %+v is %v %q, want %v %q", tt.check, tt.h, s, reason, tt.status, tt.reason)
		}
	}
	for _, p := range probes {
		for _, name := range append(p.must, remarks...) {
			if !slices.ContainsFunc(checks, func(c check) bool { return c.name == name }) {
				t.Errorf("%s: there is no check %s", p.path, name)
			}
		}
	}
	for _, name := range remarks {
		for _, p := range probes {
			if slices.Contains(p.must, name) {
				t.Errorf("%s is a remark and a must of %s", name, p.path)
			}
		}
	}
}

// TestProbesOfALife asks a real server from its start to its end. It is started when
// it serves, ready when enough brokers have registered and routes are given, and not
// ready from the moment at which it is told to end.
func TestProbesOfALife(t *testing.T) {
	log := &logText{}
	a := adminOf(t, func(c *namesrv.Config) {
		c.ReadyMinBrokers, c.ReadyMaxWait = 2, time.Hour
		c.NeedWaitForService, c.WaitSecondsForService = true, 3600
		c.ConfigStorePath = ""
		c.EnableShutdownGracefully, c.ShutdownWaitTime = true, time.Hour
	}, newLog(log))
	r := &running{Admin: a, t: t, log: log}
	listening, release := make(chan struct{}), make(chan struct{})
	a.server.Attach("admin server", a)
	a.server.Attach("snapshot that takes long to load", component.Func{OnStart: func(context.Context) error {
		close(listening)
		<-release
		return nil
	}})
	if err := a.server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.server.Run(ctx) }()
	<-listening
	r.addr = a.http.Addrs()[0].String()
	want := func(when string, wants map[string]string) {
		t.Helper()
		for path, want := range wants {
			code, header, body := r.ask(path, way{})
			if got := fmt.Sprint(code, " ", body); got != want+"\n" || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
				t.Errorf("%s, %s is answered %s, want %s", when, path, got, want)
			}
		}
	}
	left := func(path, want string) { // a number of seconds is among it
		t.Helper()
		before, after, _ := strings.Cut(want, "#")
		code, _, body := r.ask(path, way{})
		if got := fmt.Sprint(code, " ", body); !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after+"\n") {
			t.Errorf("%s is answered %s, want %s", path, got, want)
		}
	}
	want("starting", map[string]string{
		"/livez":                               "200 ok",
		"/startupz":                            "503 not started: listener: peers are not served yet",
		"/readyz?exclude=gate&exclude=brokers": "503 not ready: listener: peers are not served yet",
	})
	close(release)
	<-a.server.Ready()
	want("serving", map[string]string{"/livez": "200 ok", "/startupz": "200 ok", "/readyz?exclude=gate&exclude=brokers": "200 ok"})
	left("/readyz?exclude=gate", "503 not ready: brokers: 0 of 2 have registered, waiting for # s more at most")
	left("/readyz?exclude=brokers", "503 not ready: gate: # s left")
	c := nstest.Dial(t, a.server.Addr().String())
	for _, name := range []string{"broker-a", "broker-b"} {
		register(t, c, name)
	}
	want("with brokers", map[string]string{"/readyz?exclude=gate": "200 ok"})
	left("/readyz", "503 not ready: gate: # s left")
	update := nstest.Request(codec.ReqUpdateNamesrvConfig)
	update.Body = []byte("needWaitForService=false")
	succeeds(t, c, update)
	want("ready", map[string]string{
		"/readyz": "200 ok",
		"/readyz?verbose": "200 [+]loops ok\n[+]listener ok\n[+]draining ok\n[+]gate ok\n[+]brokers ok\n" +
			"[+]budget ok\n[+]files ok\n[+]kvSave ok\n[+]audit ok\n[+]certificate ok\n[+]anyBroker ok\nreadyz check passed",
		"/livez?verbose": "200 [+]loops ok\n[+]housekeeping ok\nlivez check passed",
	})
	if got := a.Status(); got != "ready, 2 brokers, 1 connections" {
		t.Errorf("the status is %s", got)
	}
	end()
	nstest.Eventually(t, "it drains", func() bool { return a.server.Health().State == namesrv.StateDraining })
	want("draining", map[string]string{
		"/livez": "200 ok", "/startupz": "200 ok", "/readyz": "503 not ready: draining",
		"/readyz?verbose&exclude=gate&exclude=brokers": "503 [+]loops ok\n[+]listener ok\n[-]draining failed: draining\n" +
			"[+]budget ok\n[+]files ok\n[+]kvSave ok\n[+]audit ok\n[+]certificate ok\n[+]anyBroker ok\nreadyz check failed",
	})
	c.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestProbeJSON: the shape, and that a check says since when.
func TestProbeJSON(t *testing.T) {
	r := run(t, func(c *namesrv.Config) { c.ReadyMinBrokers = 1 })
	type answer struct {
		Status string
		Checks []struct{ Name, Status, Reason, Since string }
	}
	ask := func() (code int, a answer) {
		code, header, body := r.ask("/readyz", way{header: map[string]string{"Accept": "application/json"}})
		if err := json.Unmarshal([]byte(body), &a); err != nil || header.Get("Content-Type") != "application/json" {
			t.Fatalf("answered %s: %v", body, err)
		}
		return code, a
	}
	code, first := ask()
	if code != http.StatusServiceUnavailable || first.Status != "failed" || len(first.Checks) != 11 {
		t.Errorf("answered %d %+v", code, first)
	}
	at := func(a answer) (since string) {
		for _, c := range a.Checks {
			if _, err := time.Parse(time.RFC3339, c.Since); err != nil || !strings.HasSuffix(c.Since, "Z") {
				t.Errorf("%s since %s: %v", c.Name, c.Since, err)
			}
			if c.Name == "brokers" {
				if (c.Status == "failed") != (c.Reason != "") {
					t.Errorf("brokers %+v", c)
				}
				since = c.Since
			}
		}
		return since
	}
	if _, second := ask(); at(second) != at(first) {
		t.Errorf("it has failed since %s, and since %s", at(first), at(second))
	}
	register(t, nstest.Dial(t, r.server.Addr().String()), "broker-a")
	if code, last := ask(); code != http.StatusOK || last.Status != "ok" || at(last) < at(first) {
		t.Errorf("answered %d %+v", code, last)
	}
	if code, _, body := r.ask("/readyz?exclude=nothing", way{}); code != http.StatusBadRequest {
		t.Errorf("an unknown check is answered %d %s", code, body)
	}
}

// TestRestoredBrokersHaveNotRegistered: brokers that are known from the process before
// are no reason to be ready.
func TestRestoredBrokersHaveNotRegistered(t *testing.T) {
	dir := t.TempDir()
	at := func(c *namesrv.Config) {
		c.KVConfigPath, c.RouteSnapshotPath = dir+"/kvConfig.json", dir+"/routes.snap"
		c.WarmStartIdentity, c.ReadyMinBrokers, c.ReadyMaxWait = "me", 1, time.Hour
		c.AdminServerPort = 0
	}
	r := run(t, at)
	register(t, nstest.Dial(t, r.server.Addr().String()), "broker-a")
	if !strings.HasPrefix(r.Status(), "ready") {
		t.Fatal(r.Status())
	}
	r.end()
	r.wait()
	r = run(t, at)
	if h := r.server.Health(); h.Brokers != 1 || h.Registered != 0 {
		t.Errorf("%d brokers, %d registered", h.Brokers, h.Registered)
	}
	if got := r.Status(); !strings.HasPrefix(got, "not ready: brokers: 0 of 1 have registered") {
		t.Errorf("the status is %s", got)
	}
	register(t, nstest.Dial(t, r.server.Addr().String()), "broker-a")
	if got := r.Status(); got != "ready, 1 brokers, 1 connections" {
		t.Errorf("the status is %s", got)
	}
}

// register registers a master.
func register(t *testing.T, c *nstest.Client, name string) {
	t.Helper()
	succeeds(t, c, nstest.Broker{Cluster: "c", Name: name, Addr: name + ":10911", Topics: []string{"TopicTest", "TopicOther"}}.Register())
}

func succeeds(t *testing.T, c *nstest.Client, request *codec.Command) {
	t.Helper()
	if got := c.Do(request); codec.ResponseCode(got.Code) != codec.RespSuccess {
		t.Fatalf("%v is answered %d %s", request.Code, got.Code, got.Remark)
	}
}
