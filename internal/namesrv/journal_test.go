package namesrv_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// wantAdminEvent looks for the event of an operator's request: one where the line of the
// log says that something was changed, or refused, and none where nothing was.
func wantAdminEvent(t *testing.T, s *testServer, name string, code codec.RequestCode, since uint64, line string) {
	t.Helper()
	events, _, err := s.Journal().Read(since, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	events = slices.DeleteFunc(events, func(e route.JournalEvent) bool { return e.Cause.Kind == route.CauseSelf })
	changed, refused := strings.Contains(line, " changed=true "), strings.HasPrefix(line, "level=WARN")
	if !changed && !refused {
		if len(events) > 0 {
			t.Errorf("%s: it has changed nothing, and there is %+v", name, events)
		}
		return
	}
	if len(events) != 1 {
		t.Errorf("%s: %d events, want 1", name, len(events))
		return
	}
	e := events[0]
	if e.Cause.Kind != route.CauseAdmin || e.Origin.Code != code || e.Origin.Conn == 0 || !e.Origin.Remote.Addr().IsLoopback() || e.Origin.Remote.Port() == 0 ||
		(e.Type == route.JournalAdminRefused) != refused || time.Since(time.UnixMilli(e.AtMillis)) > time.Hour {
		t.Errorf("%s: event %+v", name, e)
	}
	if (e.Type == route.JournalAdminRefused) != (e.Details.Reason != "") {
		t.Errorf("%s: event %+v says %+v", name, e, e.Details)
	}
}

// TestJournalHidesSecrets changes secrets: neither of their values is in the journal.
func TestJournalHidesSecrets(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	for _, value := range []string{"hush-1", "hush-2"} {
		c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "accessKey", "value", value))
		c.Do(updateConfig("tls.server.keyPassword=" + value))
	}
	events, _, _ := s.Journal().Read(0, nil, 0)
	kinds := map[route.JournalType]int{}
	for _, e := range events {
		kinds[e.Type]++
		if d := e.Details; strings.Contains(d.Args+d.Before+d.After+d.Reason, "hush") {
			t.Errorf("%v: %+v", e.Type, d)
		}
	}
	if kinds[route.JournalKVPut] != 2 {
		t.Errorf("events %v", kinds)
	}
}

// TestJournalOfAServer goes through the life of a server with one broker: what became of
// either is told, in this order, and where it came from.
func TestJournalOfAServer(t *testing.T) {
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.KVConfigPath = ""
	cfg.RouteSnapshotPath = filepath.Join(t.TempDir(), "routes.snap")
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	journal := s.Journal()
	wait := func(kind route.JournalType) route.JournalEvent {
		t.Helper()
		for end := time.Now().Add(nstest.Patience); ; time.Sleep(time.Millisecond) {
			if last := journal.Last(&route.JournalFilter{Types: []route.JournalType{kind}}, 1); len(last) > 0 {
				return last[0]
			}
			if time.Now().After(end) {
				t.Fatalf("no %v", kind)
			}
		}
	}
	wait(route.JournalServerReady)
	ts := &testServer{Server: s, addr: s.Addr().String()}
	c := ts.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	c.Close()
	lost := wait(route.JournalBrokerConnectionLost)
	registered := wait(route.JournalBrokerRegistered)
	if lost.Origin.Conn != registered.Origin.Conn || lost.Origin.Remote != registered.Origin.Remote || registered.Origin.Conn == 0 ||
		!registered.Origin.Remote.IsValid() || registered.Origin.Code != codec.ReqRegisterBroker {
		t.Errorf("registered by %+v, lost from %+v", registered.Origin, lost.Origin)
	}
	wait(route.JournalSetRemoved)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	var got []string
	events, _, _ := journal.Read(0, nil, 0)
	for _, e := range events {
		got = append(got, e.Type.String())
	}
	want := []string{
		"server.started", "warm.loaded", "server.ready", "broker.registered", "topics.changed", "broker.connectionLost", "set.removed",
		"server.draining",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
	if snap := s.Snapshot().Journal; snap.Newest != uint64(len(want)) || snap.Oldest != 1 || snap.Kept != len(want) || snap.History.Views != 1 {
		t.Errorf("snapshot %+v", snap)
	}
	past, ok := s.History().Topic([]byte(brokerA.Topics[0]))
	if !ok || past.Until.Type != route.JournalSetRemoved || past.Until.Parent != lost.Seq {
		t.Errorf("%s was known: %v, until %+v", brokerA.Topics[0], ok, past.Until)
	}
}
