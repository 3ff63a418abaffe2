package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gonamesrv/engine"
	"gonamesrv/internal/namesrv"
)

// newAdmin returns an Admin for a server that is not started. It answers whoever
// asks it directly, for whatever and as often as they like.
func newAdmin(t *testing.T) *Admin {
	t.Helper()
	a := adminOf(t, func(c *namesrv.Config) {
		c.AdminAllowedHosts = "example.com" // as httptest.NewRequest says
		c.AdminAnonymousRemote = "debug"
	}, slog.New(slog.DiscardHandler))
	a.guard.asks, a.guard.scrapes = newLimiter(1e9, 1e9), newLimiter(1e9, 1e9)
	return a
}

// adminOf returns an Admin for a server that is not started, and that would take free
// ports of loopback for all it listens on.
func adminOf(t *testing.T, change func(*namesrv.Config), log *slog.Logger) *Admin {
	t.Helper()
	cfg := namesrv.DefaultConfig()
	cfg.TrustLoopback = true // wherever the tests run
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.KVConfigPath = filepath.Join(t.TempDir(), "kvConfig.json")
	if change != nil {
		change(&cfg)
	}
	s, err := namesrv.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	a := New(s, log)
	a.listenAt = func(addrs []string) ([]net.Listener, error) {
		for i, addr := range addrs {
			host, _, _ := net.SplitHostPort(addr)
			addrs[i] = net.JoinHostPort(host, "0")
		}
		return engine.ListenAll("tcp", addrs)
	}
	return a
}

// A running server with its Admin.
type running struct {
	*Admin
	t    *testing.T
	addr string
	log  *logText
	end  func() // tells the server to end
	wait func() // until it has
}

// run starts a server and its Admin until the test ends.
func run(t *testing.T, change func(*namesrv.Config)) *running {
	t.Helper()
	log := &logText{}
	return runAdmin(t, adminOf(t, change, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))), log)
}

func runAdmin(t *testing.T, a *Admin, log *logText) *running {
	t.Helper()
	a.server.Attach("admin server", a)
	if err := a.server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.server.Run(ctx) }()
	r := &running{Admin: a, t: t, log: log, end: end}
	r.wait = sync.OnceFunc(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { end(); r.wait() })
	select {
	case <-a.server.Ready():
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	if a.http != nil {
		r.addr = a.http.Addrs()[0].String()
	}
	return r
}

// startError returns why a server does not start, nil if it does.
func startError(t *testing.T, a *Admin) error {
	t.Helper()
	a.server.Attach("admin server", a)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- a.server.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-a.server.Ready():
		end()
		<-ended
		return nil
	}
}

// A logText is a log that is read while it is written.
type logText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A way is a way to ask: a header and where from.
type way struct {
	header map[string]string
	host   string
	from   string // 127.0.0.1 if empty
	method string
}

// ask asks for a path over a connection of its own.
func (r *running) ask(path string, how way) (status int, header http.Header, body string) {
	r.t.Helper()
	dialer := net.Dialer{}
	if how.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(how.from)}
	}
	client := http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	method := how.method
	if method == "" {
		method = http.MethodGet
	}
	q, err := http.NewRequest(method, "http://"+r.addr+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for name, value := range how.header {
		q.Header.Set(name, value)
	}
	q.Host = how.host
	answer, err := client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

func TestV1(t *testing.T) {
	w := httptest.NewRecorder()
	newAdmin(t).ServeHTTP(w, httptest.NewRequest("GET", "/v1", nil))
	var got struct{ Name, Version string }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if got.Name != "gonamesrv" || got.Version != namesrv.Version() {
		t.Errorf("/v1 says %+v", got)
	}
}

func TestUnknownPathIsAProblem(t *testing.T) {
	w := httptest.NewRecorder()
	newAdmin(t).ServeHTTP(w, httptest.NewRequest("GET", "/v1/nothing", nil))
	if got := w.Header().Get("Content-Type"); w.Code != 404 || got != "application/problem+json" {
		t.Errorf("%d %s %s", w.Code, got, w.Body)
	}
}

// TestMethods: HEAD is GET without body, all other methods are refused on every path
// that there is, and a body as well.
func TestMethods(t *testing.T) {
	r := run(t, func(c *namesrv.Config) { c.AdminAnonymousLocal = "debug" })
	for _, row := range rows() {
		if row.path == "/debug/pprof/profile" || row.path == "/debug/pprof/trace" {
			continue // they take their time
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			allow := "GET, HEAD"
			if row.path == "/login" || row.path == "/logout" { // the only ones that are sent something
				if allow = "GET, HEAD, POST"; method == "POST" {
					continue
				}
			}
			code, header, _ := r.ask(strings.TrimSuffix(row.path, "{$}"), way{method: method})
			if code != http.StatusMethodNotAllowed || header.Get("Allow") != allow {
				t.Errorf("%s %s is answered %d, Allow %q", method, row.path, code, header.Get("Allow"))
			}
		}
	}
	if code, header, body := r.ask("/v1", way{method: "HEAD"}); code != 200 || body != "" || header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD is answered %d, %v, %q", code, header, body)
	}
	w := httptest.NewRecorder()
	newAdmin(t).ServeHTTP(w, httptest.NewRequest("GET", "/v1", strings.NewReader("body")))
	if w.Code != http.StatusBadRequest {
		t.Errorf("a body is answered %d", w.Code)
	}
}

// TestHeaders: they are on every answer, whatever it is.
func TestHeaders(t *testing.T) {
	r := run(t, nil)
	for path, how := range map[string]way{
		"/livez": {}, "/v1": {}, "/nothing": {}, "/v1/": {host: "evil.example"}, "/debug/pprof/heap": {}, "//v1": {}, "/readyz": {method: "POST"},
	} {
		code, header, _ := r.ask(path, how)
		for name, want := range headers {
			if got := header.Get(name); got != want {
				t.Errorf("%s, %d: %s is %q", path, code, name, got)
			}
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control-") || name == "Server" {
				t.Errorf("%s has %s", path, name)
			}
		}
	}
}

// TestPanic: a handler that panics is answered 500, or its connection is closed in
// the middle of its answer; the server goes on, and the log says why.
func TestPanic(t *testing.T) {
	log := &logText{}
	a := adminOf(t, nil, slog.New(slog.NewTextHandler(log, nil)))
	a.mux.Handle("/early", a.serve(row{needs: roleProbes, handle: func(*Admin, http.ResponseWriter, *http.Request) { panic("my secret") }}))
	a.mux.Handle("/late", a.serve(row{needs: roleProbes, handle: func(_ *Admin, w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("half"))
		http.NewResponseController(w).Flush()
		panic("late")
	}}))
	r := runAdmin(t, a, log)
	if code, _, body := r.ask("/early", way{}); code != 500 || !strings.Contains(body, "urn:gonamesrv:problem:internal") || strings.Contains(body, "secret") {
		t.Errorf("answered %d %s", code, body)
	}
	answer, err := http.Get("http://" + r.addr + "/late")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("half an answer looks whole: %q", text)
	}
	if code, _, _ := r.ask("/livez", way{}); code != 200 {
		t.Errorf("then it is answered %d", code)
	}
	if got := log.String(); !strings.Contains(got, "panic in the admin server") || !strings.Contains(got, "admin_test.go") {
		t.Errorf("the log is\n%s", got)
	}
}
