package admin

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gonamesrv/internal/namesrv"
)

// canary is in each token, and must be nowhere else.
const canary = "canary-c0ffee"

func tokenOf(r role) string { return canary + "-" + r.String() + "-0123456789" }

// tokenFile writes a file with a token for each role.
func tokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	text := "# role name token\n\n"
	for r := roleProbes; r <= roleDebug; r++ {
		text += fmt.Sprintf("%v %v-of-test %s\n", r, r, tokenOf(r))
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRoles asks for an endpoint of each role in every way there is, over a real
// connection, with every word for those who have no token. It is let through exactly
// if its role is large enough; else the answer names what would allow it.
func TestRoles(t *testing.T) {
	endpoints := map[role]string{roleProbes: "/livez", roleMetrics: "/v1", roleRead: "/test/read", roleDebug: "/debug/pprof/cmdline"}
	remotes := []string{"none", "probes", "metrics", "read"}
	if raceEnabled {
		remotes = remotes[2:] // the goroutines are the same
	}
	for _, local := range namesrv.AdminRoles {
		for _, remote := range remotes {
			for _, withFile := range []bool{false, true} {
				log := &logText{}
				a := adminOf(t, func(c *namesrv.Config) {
					c.AdminAnonymousLocal, c.AdminAnonymousRemote = local, remote
					if withFile {
						c.AdminTokenFile = tokenFile(t)
					}
				}, newLog(log))
				a.guard.asks, a.guard.scrapes, a.guard.guesses = newLimiter(1e9, 1e9), newLimiter(1e9, 1e9), newLimiter(1e9, 1e9)
				a.mux.Handle("/test/read", a.serve(row{needs: roleRead, handle: func(_ *Admin, w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, "read") }}))
				r := runAdmin(t, a, log)
				type wayOf struct {
					way
					has role
					key string // that would allow it to those without a token
				}
				ways := map[string]wayOf{
					"local":             {way{}, roleOf(local), "adminAnonymousLocal"},
					"local with basic":  {way{header: map[string]string{"Authorization": "Basic eDp5"}}, roleOf(local), "adminAnonymousLocal"},
					"proxied":           {way{header: map[string]string{"X-Forwarded-For": "192.0.2.1"}}, roleOf(remote), "adminAnonymousRemote"},
					"proxied, RFC 7239": {way{header: map[string]string{"Forwarded": "for=192.0.2.1"}}, roleOf(remote), "adminAnonymousRemote"},
					"sidecar":           {way{from: "127.0.0.6"}, roleOf(remote), "adminAnonymousRemote"},
				}
				for has := roleProbes; withFile && has <= roleDebug; has++ {
					bearer := map[string]string{"Authorization": "Bearer " + tokenOf(has)}
					ways["local with token of "+has.String()] = wayOf{way{header: bearer}, max(roleOf(local), has), ""}
					ways["far with token of "+has.String()] = wayOf{way{header: bearer, from: "127.0.0.6"}, max(roleOf(remote), has), ""}
				}
				// A browser that has shown a token may what the token may.
				for has := roleProbes; withFile && has <= roleDebug; has++ {
					cookie := r.logIn(tokenOf(has), map[bool]int{true: http.StatusSeeOther, false: http.StatusForbidden}[has >= roleRead])
					if (cookie != "") != (has >= roleRead) {
						t.Errorf("a token of %v gets cookie %q", has, cookie)
					}
					if cookie != "" {
						header := map[string]string{"Cookie": cookie}
						ways["local with cookie of "+has.String()] = wayOf{way{header: header}, max(roleOf(local), has), ""}
						ways["far with cookie of "+has.String()] = wayOf{way{header: header, from: "127.0.0.6"}, max(roleOf(remote), has), ""}
					}
				}
				for name, w := range ways {
					// Pages take the role read, what they are made with takes none. A browser is
					// shown the form for a token, a program JSON.
					for path, needs := range map[string]role{"/": roleRead, "/brokers": roleRead, "/topics/T": roleRead, "/charts.json": roleRead, "/login": roleNone, assetURL("console.css"): roleNone} {
						how := w.way
						how.header = maps.Clone(how.header)
						if how.header == nil {
							how.header = map[string]string{}
						}
						how.header["Accept"] = "text/html"
						code, header, body := r.ask(path, how)
						if w.has >= needs {
							if code != http.StatusOK {
								t.Errorf("local=%s remote=%s, %s: page %s is answered %d %s", local, remote, name, path, code, body)
							}
						} else if code != 401 && code != 403 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") ||
							strings.Contains(body, `action="/login"`) != withFile || strings.Contains(body, "id=\"strip\"") {
							t.Errorf("local=%s remote=%s, %s: page %s is answered %d %s", local, remote, name, path, code, body)
						}
					}
					for needs, path := range endpoints {
						code, header, body := r.ask(path, w.way)
						if w.has >= needs {
							if code != http.StatusOK {
								t.Errorf("local=%s remote=%s, %s: %s is answered %d %s", local, remote, name, path, code, body)
							}
							continue
						}
						want, hint := http.StatusForbidden, "adminTokenFile"
						if w.key != "" {
							hint = w.key + "=" + needs.String()
							if withFile {
								want = http.StatusUnauthorized
							}
						}
						if code != want || !strings.Contains(body, hint) || (code == 401) != (header.Get("WWW-Authenticate") != "") {
							t.Errorf("local=%s remote=%s, %s: %s is answered %d %s, want %d and %s", local, remote, name, path, code, body, want, hint)
						}
					}
				}
				wrong := way{header: map[string]string{"Authorization": "Bearer " + canary + "-nobodys"}}
				if code, header, body := r.ask("/livez", wrong); code != 401 || header.Get("WWW-Authenticate") == "" || strings.Contains(body, canary) {
					t.Errorf("a wrong token is answered %d %s", code, body)
				}
				r.end()
				r.wait()
				if strings.Contains(log.String(), canary) {
					t.Errorf("a token is in the log:\n%s", log)
				}
			}
		}
	}
}

// TestHost: a request that names another host is refused on every path, so that a page
// that gives its name our address reads nothing.
func TestHost(t *testing.T) {
	r := run(t, func(c *namesrv.Config) { c.AdminAllowedHosts = "namesrv-0.rocketmq.svc; Other.Example" })
	r.guard.scrapes = newLimiter(1e9, 1e9)
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:19876": 200, "localhost.:19876": 200, "127.0.0.1": 200, "10.1.2.3:80": 200, "[::1]:80": 200, "[fe80::1]": 200,
		own: 200, strings.ToUpper(own) + ":19876": 200, "namesrv-0.rocketmq.svc:19876": 200, "other.example": 200,
		"evil.example": 421, "evil.example:19876": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "rocketmq.svc": 421,
	} {
		for _, path := range []string{"/livez", "/v1"} {
			if code, _, body := r.ask(path, way{host: host}); code != want || want == 421 && !strings.Contains(body, "adminAllowedHosts") {
				t.Errorf("Host %s: %s is answered %d %s, want %d", host, path, code, body, want)
			}
		}
	}
	if code, _, _ := r.ask("/nothing", way{host: "evil.example"}); code != 421 {
		t.Errorf("a path that is not there is answered %d", code)
	}
	c := r.dial("GET /livez HTTP/1.0\r\n\r\n") // of a load balancer
	if text, _ := io.ReadAll(c); !strings.Contains(string(text), "200 OK") {
		t.Errorf("without a Host it is answered %s", text)
	}
	if got := r.Stats().Misdirected; got == 0 {
		t.Error("nothing is counted")
	}
}

// TestPeer: what is local, and for whom a proxy may ask.
func TestPeer(t *testing.T) {
	for _, tt := range []struct {
		remote, header string
		local          bool
	}{
		{"127.0.0.1:1", "", true},
		{"[::1]:1", "", true},
		{"[::ffff:127.0.0.1]:1", "", true},
		{"127.0.0.2:1", "", false},
		{"127.0.0.6:1", "", false},
		{"10.0.0.1:1", "", false},
		{"[::2]:1", "", false},
		{"@", "", false},
		{"127.0.0.1:1", "Forwarded", false},
		{"127.0.0.1:1", "X-Forwarded-For", false},
		{"127.0.0.1:1", "X-Forwarded-Host", false},
		{"127.0.0.1:1", "X-Real-IP", false},
		{"127.0.0.1:1", "Via", false},
		{"127.0.0.1:1", "X-Request-Id", true},
	} {
		q := httptest.NewRequest("GET", "/", nil)
		q.RemoteAddr = tt.remote
		if tt.header != "" {
			q.Header.Set(tt.header, "")
		}
		if got := isLocal(peerOf(q), q.Header); got != tt.local {
			t.Errorf("%s with %q is local: %v", tt.remote, tt.header, got)
		}
	}
}

// inTime calls f with an Admin of its own in a bubble of time, and with a function
// that asks.
func inTime(t *testing.T, change func(*namesrv.Config), f func(a *Admin, ask func(path, from, token string) *httptest.ResponseRecorder)) {
	a := adminOf(t, change, newLog(&logText{}))
	if a.guard.tokens.path != "" {
		if _, err := a.guard.tokens.read(); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f(a, func(path, from, token string) *httptest.ResponseRecorder {
			q := httptest.NewRequest("GET", path, nil)
			q.Host, q.RemoteAddr = "localhost", netip.AddrPortFrom(netip.MustParseAddr(from), 1).String()
			if token != "" {
				q.Header.Set("Authorization", "bearer "+token)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, q)
			return w
		})
	})
}

// TestRequestLimit: 40 at once, then 20 a second, for one address or /64 of IPv6, paths
// that are not there included; probes and metrics as often as anybody likes.
func TestRequestLimit(t *testing.T) {
	inTime(t, nil, func(a *Admin, ask func(path, from, token string) *httptest.ResponseRecorder) {
		passed := func(n int, path, from string) (ok int) {
			for range n {
				w := ask(path, from, "")
				if w.Code != http.StatusTooManyRequests {
					ok++
				} else if w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "too-many-requests") {
					t.Errorf("answered %v %s", w.Header(), w.Body)
				}
			}
			return ok
		}
		for _, path := range []string{"/livez", "/readyz"} {
			if got := passed(1000, path, "10.0.0.1"); got != 1000 {
				t.Errorf("%s is answered %d times", path, got)
			}
		}
		if got := passed(10, "/metrics", "10.0.0.1") + passed(90, "/v1", "10.0.0.1"); got != 10 {
			t.Errorf("%d scrapes at once", got)
		}
		if got := passed(100, "/debug/pprof/", "10.0.0.1"); got != 40 { // forbidden, and counted
			t.Errorf("%d at once", got)
		}
		if got := passed(100, "/nothing", "10.0.0.2"); got != 40 {
			t.Errorf("%d at once of another", got)
		}
		time.Sleep(time.Second)
		if got := passed(100, "/nothing", "10.0.0.1"); got != 20 {
			t.Errorf("%d after a second", got)
		}
		time.Sleep(time.Hour)
		if got := passed(30, "/nothing", "2001:db8::1") + passed(30, "/nothing", "2001:db8::2:1"); got != 40 {
			t.Errorf("%d of a /64", got)
		}
		if got := passed(100, "/nothing", "2001:db8:0:1::1"); got != 40 {
			t.Errorf("%d of the next /64", got)
		}
		if a.Stats().TooMany == 0 {
			t.Error("nothing is counted")
		}
	})
}

// TestGuessing: whoever guesses tokens may do so twice a second, on every path, the
// right token among them; others and those without a token go on.
func TestGuessing(t *testing.T) {
	file := tokenFile(t)
	inTime(t, func(c *namesrv.Config) { c.AdminTokenFile = file }, func(a *Admin, ask func(path, from, token string) *httptest.ResponseRecorder) {
		right := tokenOf(roleDebug)
		guessed := 0
		for range 1000 {
			switch w := ask("/livez", "10.0.0.1", "0123456789abcdef"); w.Code {
			case http.StatusUnauthorized:
				guessed++
			case http.StatusTooManyRequests:
			default:
				t.Fatalf("answered %d", w.Code)
			}
		}
		if guessed != guessBurst {
			t.Errorf("%d guesses at once", guessed)
		}
		if w := ask("/livez", "10.0.0.1", right); w.Code != http.StatusTooManyRequests {
			t.Errorf("the right one among them is answered %d", w.Code)
		}
		if w := ask("/livez", "10.0.0.1", ""); w.Code != http.StatusOK {
			t.Errorf("without a token: %d", w.Code)
		}
		if w := ask("/debug/pprof/cmdline", "10.0.0.2", right); w.Code != http.StatusOK {
			t.Errorf("from elsewhere: %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := ask("/debug/pprof/cmdline", "10.0.0.1", right); w.Code != http.StatusOK {
			t.Errorf("a second later: %d", w.Code)
		}
	})
}

// TestLimiterForgets: it remembers 1,024 addresses, those that came last.
func TestLimiterForgets(t *testing.T) {
	l := newLimiter(1e-9, 1)
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range limitPeers {
		l.take(at(i))
	}
	if l.has(at(0)) {
		t.Error("it has forgotten the first") // and that made it the last
	}
	for i := range limitPeers - 1 {
		l.take(at(limitPeers + i))
	}
	if len(l.buckets) != limitPeers || l.recent.Len() != limitPeers {
		t.Errorf("%d addresses, %d in order", len(l.buckets), l.recent.Len())
	}
	if l.has(at(0)) {
		t.Error("it has forgotten who came last")
	}
	if !l.has(at(1)) {
		t.Error("it remembers who came first")
	}
}

// TestHeavy: so many at once as there is room for; the next waits for a second, and
// is then told to come later.
func TestHeavy(t *testing.T) {
	inTime(t, nil, func(a *Admin, ask func(path, from, token string) *httptest.ResponseRecorder) {
		a.guard.heavy = make(chan struct{}, cap(a.guard.heavy)) // of this bubble
		entered, release := make(chan struct{}), make(chan struct{})
		a.mux.Handle("/test/heavy", a.serve(row{needs: roleRead, heavy: true, handle: func(_ *Admin, w http.ResponseWriter, _ *http.Request) {
			entered <- struct{}{}
			<-release
			w.WriteHeader(http.StatusOK)
		}}))
		var first []chan int
		for range cap(a.guard.heavy) {
			done := make(chan int, 1)
			go func() { done <- ask("/test/heavy", "127.0.0.1", "").Code }()
			<-entered
			first = append(first, done)
		}
		began := time.Now()
		if w := ask("/test/heavy", "127.0.0.1", ""); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || time.Since(began) != time.Second {
			t.Errorf("one more is answered %d %v after %v", w.Code, w.Header(), time.Since(began))
		}
		next := make(chan int, 1)
		go func() { next <- ask("/test/heavy", "127.0.0.1", "").Code }()
		synctest.Wait()
		close(release)
		<-entered
		for _, done := range append(first, next) {
			if code := <-done; code != http.StatusOK {
				t.Errorf("answered %d", code)
			}
		}
	})
}
