package admin

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gonamesrv/internal/namesrv"
)

// logIn sends the form with a token, demands a status, and returns the cookie.
func (r *running) logIn(token string, want int) string {
	r.t.Helper()
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.PostForm("http://"+r.addr+"/login", url.Values{"token": {token}, "next": {"/brokers?state=live"}})
	if err != nil {
		r.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != want {
		r.t.Errorf("the form is answered %d, want %d", answer.StatusCode, want)
	}
	if want == http.StatusSeeOther && answer.Header.Get("Location") != "/brokers?state=live" {
		r.t.Errorf("it leads to %s", answer.Header.Get("Location"))
	}
	for _, c := range answer.Cookies() {
		return c.Name + "=" + c.Value
	}
	return ""
}

// A browser asks an Admin directly.
type browser struct {
	t      *testing.T
	a      *Admin
	cookie *http.Cookie
	tls    bool
	header map[string]string
}

func newBrowser(t *testing.T, a *Admin) *browser { return &browser{t: t, a: a} }

func (b *browser) ask(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Host, r.RemoteAddr = "localhost:19876", "127.0.0.1:1"
	if method == http.MethodGet {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	if b.tls {
		r.TLS = &tls.ConnectionState{}
	}
	for name, value := range b.header {
		r.Header.Set(name, value)
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.a.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookie = c
	}
	return w
}

func (b *browser) logIn(token, next string) *httptest.ResponseRecorder {
	return b.ask("POST", "/login", url.Values{"token": {token}, "next": {next}})
}

func withTokens(t *testing.T) *Admin {
	t.Helper()
	a := adminOf(t, func(c *namesrv.Config) { c.AdminTokenFile, c.AdminAnonymousLocal = tokenFile(t), "none" }, newLog(&logText{}))
	if _, err := a.guard.tokens.read(); err != nil {
		t.Fatal(err)
	}
	a.guard.asks = newLimiter(1e9, 1e9)
	return a
}

// TestLogin: the cookie is for this server alone, no script and no other site gets at it; it
// ends with its time, with its token, and by logging out.
func TestLogin(t *testing.T) {
	a := withTokens(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, a)
		if w := b.ask("GET", "/brokers?state=live", nil); w.Code != 401 || !strings.Contains(w.Body.String(), `name="next" value="/brokers?state=live"`) {
			t.Fatalf("a stranger is answered %d %s", w.Code, w.Body)
		}
		w := b.logIn(" "+tokenOf(roleRead)+" ", "/brokers")
		c := b.cookie
		if w.Code != http.StatusSeeOther || c == nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if c.Name != "gonamesrv-19876" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.MaxAge != 12*3600 || c.Path != "/" || c.Domain != "" || len(c.Value) != 43 {
			t.Errorf("the cookie is %+v", c)
		}
		if w := b.ask("GET", "/brokers", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "Log out read-of-test") {
			t.Errorf("with it: %d %s", w.Code, w.Body)
		}
		if w := b.ask("GET", "/debug/pprof/cmdline", nil); w.Code != 403 {
			t.Errorf("what the token may not: %d", w.Code)
		}
		time.Sleep(sessionTime - time.Second)
		if w := b.ask("GET", "/v1/status", nil); w.Code != 200 {
			t.Errorf("a moment before its end: %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := b.ask("GET", "/v1/status", nil); w.Code != 401 {
			t.Errorf("at its end: %d", w.Code)
		}

		b.logIn(tokenOf(roleRead), "/")
		was := *b.cookie
		if w := b.ask("POST", "/logout", nil); w.Code != http.StatusSeeOther || b.cookie.MaxAge != -1 {
			t.Errorf("logging out: %d, %+v", w.Code, b.cookie)
		}
		b.cookie = &was
		if w := b.ask("GET", "/brokers", nil); w.Code != 401 {
			t.Errorf("after it: %d", w.Code)
		}

		b.logIn(tokenOf(roleRead), "/")
		if err := os.WriteFile(a.guard.tokens.path, []byte("probes other "+tokenOf(roleProbes)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.guard.tokens.read(); err != nil {
			t.Fatal(err)
		}
		if w := b.ask("GET", "/brokers", nil); w.Code != 401 {
			t.Errorf("when its token has gone: %d", w.Code)
		}
	})
	b := newBrowser(t, withTokens(t))
	b.tls = true
	if b.logIn(tokenOf(roleDebug), "/"); b.cookie == nil || !b.cookie.Secure {
		t.Errorf("under TLS the cookie is %+v", b.cookie)
	}
}

// TestLoginGuesses: who guesses in the form is counted and stopped as who guesses in a header,
// and neither way helps the other.
func TestLoginGuesses(t *testing.T) {
	a := withTokens(t)
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, a)
		for i := range guessBurst {
			if w := b.logIn(fmt.Sprint(canary, i), "/"); w.Code != 401 || strings.Contains(w.Body.String(), canary) || b.cookie != nil {
				t.Fatalf("guess %d: %d %s", i, w.Code, w.Body)
			}
		}
		if w := b.logIn(tokenOf(roleRead), "/"); w.Code != 429 || w.Header().Get("Retry-After") == "" || b.cookie != nil {
			t.Errorf("then the right one: %d", w.Code)
		}
		b.header = map[string]string{"Authorization": "Bearer " + tokenOf(roleRead)}
		if w := b.ask("GET", "/v1/status", nil); w.Code != 429 {
			t.Errorf("the right one in a header: %d", w.Code)
		}
		b.header = nil
		if got := a.guard.unauthorized.Load(); got != guessBurst {
			t.Errorf("%d guesses are counted", got)
		}
		time.Sleep(time.Second)
		if w := b.logIn(tokenOf(roleRead), "/"); w.Code != http.StatusSeeOther {
			t.Errorf("a second later: %d", w.Code)
		}
	})
}

// TestLoginFromElsewhere: no other page logs a browser in or out.
func TestLoginFromElsewhere(t *testing.T) {
	for name, header := range map[string]map[string]string{
		"another site":   {"Sec-Fetch-Site": "cross-site"},
		"a sister site":  {"Sec-Fetch-Site": "same-site"},
		"another origin": {"Origin": "http://evil.example"},
		"another port":   {"Origin": "http://localhost:1"},
		"no origin":      {"Origin": "null"},
	} {
		b := newBrowser(t, withTokens(t))
		b.header = header
		for _, path := range []string{"/login", "/logout"} {
			if w := b.ask("POST", path, url.Values{"token": {tokenOf(roleRead)}}); w.Code != 403 || b.cookie != nil {
				t.Errorf("%s, %s: %d", path, name, w.Code)
			}
		}
	}
	b := newBrowser(t, withTokens(t))
	b.header = map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:19876"}
	if w := b.logIn(tokenOf(roleRead), "/"); w.Code != http.StatusSeeOther {
		t.Errorf("its own page: %d %s", w.Code, w.Body)
	}
}

// TestLoginLeadsHere: after it nobody is led to another server.
func TestLoginLeadsHere(t *testing.T) {
	b := newBrowser(t, withTokens(t))
	for next, want := range map[string]string{
		"/topics/a%2Fb?zone=z": "/topics/a%2Fb?zone=z", "": "/", "https://evil.example": "/", "//evil.example": "/", `/\evil.example`: "/", "/\tx": "/", "evil": "/",
		"/" + strings.Repeat("x", 3000): "/",
	} {
		if got := b.logIn(tokenOf(roleRead), next).Header().Get("Location"); got != want {
			t.Errorf("%.40q leads to %q, want %q", next, got, want)
		}
	}
	if w := b.ask("POST", "/login", url.Values{"token": {strings.Repeat("x", formBytes)}}); w.Code != 400 {
		t.Errorf("a long form is answered %d", w.Code)
	}
}

// TestSessionsAreBounded: beyond 256 the one that would end first ends.
func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	token, now := sha256.Sum256([]byte("t")), time.Now()
	first, second := s.begin(token, now), s.begin(token, now.Add(time.Second))
	for i := range mostSessions - 1 {
		s.begin(token, now.Add(time.Minute+time.Duration(i)))
	}
	if len(s.list) != mostSessions {
		t.Errorf("there are %d", len(s.list))
	}
	if _, ok := s.find(first, now); ok {
		t.Error("the first one is there")
	}
	if got, ok := s.find(second, now); !ok || got != token {
		t.Error("the second one is not there")
	}
}
