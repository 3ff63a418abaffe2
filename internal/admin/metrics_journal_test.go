package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestMetricsOfTheJournal: what happened is counted, and how far back that goes.
func TestMetricsOfTheJournal(t *testing.T) {
	a, addr := serveMetrics(t, nil)
	c := nstest.Dial(t, addr)
	b := nstest.Broker{Cluster: "c", Name: "a", Addr: "10.0.0.1:10911", Topics: []string{"T", "U"}}
	c.Do(b.Register())
	c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "N", "key", "k", "value", "v"))
	got := scrape(t, a)
	wantValue(t, got, 1, "journal_events_total", "type", "broker.registered")
	wantValue(t, got, 1, "journal_events_total", "type", "kv.put")
	wantValue(t, got, 0, "journal_events_total", "type", "broker.expired")
	wantValue(t, got, 1, "broker_events_total", "event", "registered")
	wantValue(t, got, float64(a.server.View().Seq()), "generation")
	oldest, _, err := a.server.Journal().Read(0, nil, 1)
	if err != nil || len(oldest) == 0 {
		t.Fatal(oldest, err)
	}
	wantValue(t, got, float64(oldest[0].AtMillis)/1e3, "journal_oldest_timestamp_seconds")
	wantValue(t, got, 0, "log_lines_dropped_total", "kind", "file")
	wantValue(t, got, 0, "log_lines_held_total", "kind", "broker registered")
	wantValue(t, got, 0, "config_reloads_total", "result", "failed")
}

// TestMetricsOfChecks: a check that fails and one that only has something to remark.
func TestMetricsOfChecks(t *testing.T) {
	a, _ := serveMetrics(t, func(c *namesrv.Config) {
		c.NeedWaitForService, c.WaitSecondsForService = true, 3600
		c.ReadyMinBrokers, c.ReadyMaxWait = 1, time.Nanosecond
	})
	got := scrape(t, a)
	for name, want := range map[string]struct{ ready, warning float64 }{"gate": {0, 1}, "brokers": {1, 1}, "loops": {1, 0}, "kvSave": {1, 0}} {
		wantValue(t, got, want.ready, "ready", "check", name)
		wantValue(t, got, want.warning, "check_warning", "check", name)
	}
	if n := len(got[namespace+"ready"].GetMetric()); n != len(checks) {
		t.Errorf("%d of %d checks are shown", n, len(checks))
	}
}

// TestRequestsAreCounted: by the row that answers, whatever strangers ask for.
func TestRequestsAreCounted(t *testing.T) {
	a, _ := serveMetrics(t, nil)
	a.mux.Handle("/panic", a.serve(row{path: "/panic", needs: roleNone, handle: func(*Admin, http.ResponseWriter, *http.Request) { panic("on purpose") }}))
	a.mux.Handle("/halfway", a.serve(row{path: "/halfway", needs: roleNone, handle: func(_ *Admin, w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	}}))
	ask := func(method, url string) {
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
			}
		}()
		r := httptest.NewRequest(method, url, nil)
		r.RemoteAddr = "127.0.0.1:1"
		a.ServeHTTP(httptest.NewRecorder(), r)
	}
	for range 3 {
		ask("GET", "/livez")
	}
	ask("GET", "/v1/topics/one")
	ask("GET", "/v1/topics/two")
	ask("POST", "/v1/status")
	ask("GET", "/nowhere/1")
	ask("GET", "/nowhere/2")
	ask("GET", "http://not.ours/livez")
	ask("GET", "/panic")
	ask("GET", "/halfway")
	want := map[askedKey]uint64{
		{"/livez", 200}: 3, {"/v1/topics/{t}", 404}: 2, {"/v1/status", 405}: 1, {noHandler, 404}: 2, {noHandler, 421}: 1, {"/panic", 500}: 1, {"/halfway", 200}: 1,
	}
	got := a.asked.all()
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%v: %d, want %d", k, got[k], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("counted are %v", got)
	}
	wantValue(t, scrape(t, a), 3, "admin_requests_total", "handler", "/livez", "code", "200")
}
