package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"gonamesrv/internal/namesrv"
)

const (
	sessionTime  = 12 * time.Hour
	mostSessions = 256     // beyond it the one that would end first ends
	formBytes    = 4 << 10 // of a form
)

// sessions are the browsers that have shown a token. They are kept in memory, as
// hashes: whoever reads it cannot take one over. Safe from any goroutine.
type sessions struct {
	mu   sync.Mutex
	list map[[sha256.Size]byte]session // by the hash of what the cookie has
}

// A session ends with its time, or with its token.
type session struct {
	token [sha256.Size]byte
	until time.Time
}

// begin returns what the cookie of a new session has.
func (s *sessions) begin(token [sha256.Size]byte, now time.Time) string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	text := base64.RawURLEncoding.EncodeToString(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		s.list = map[[sha256.Size]byte]session{}
	}
	if len(s.list) >= mostSessions {
		var first [sha256.Size]byte
		for key, at := range s.list {
			if was, ok := s.list[first]; !ok || at.until.Before(was.until) {
				first = key
			}
		}
		delete(s.list, first)
	}
	s.list[sha256.Sum256([]byte(text))] = session{token, now.Add(sessionTime)}
	return text
}

// find returns the hash of the token that a session began with.
func (s *sessions) find(cookie string, now time.Time) (token [sha256.Size]byte, ok bool) {
	key := sha256.Sum256([]byte(cookie))
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.list[key]
	if ok && !now.Before(at.until) {
		delete(s.list, key)
		ok = false
	}
	return at.token, ok
}

func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, sha256.Sum256([]byte(cookie)))
}

// cookieName has the port: browsers send cookies to all ports of a machine, and there may
// be several servers.
func cookieName(r *http.Request) string {
	_, port, _ := net.SplitHostPort(r.Host)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		port = "0"
	}
	return "gonamesrv-" + port
}

// loggedIn returns whose token the browser that asks has shown, as long as it is one.
func (g *guard) loggedIn(r *http.Request) (owner, bool) {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return owner{}, false
	}
	token, ok := g.sessions.find(c.Value, time.Now())
	if !ok {
		return owner{}, false
	}
	return g.tokens.findSum(token)
}

// A loginView is the form for a token, and why it is shown.
type loginView struct {
	Detail, Hint string
	HasForm      bool   // there are tokens
	Next         string // where to go then
}

func (a *Admin) writeLogin(w http.ResponseWriter, status int, v loginView) {
	v.HasForm = a.guard.tokens.path != ""
	a.writePage(w, status, "login", &shell{Title: "Log in", View: "login", Body: v})
}

func (a *Admin) loginPage(w http.ResponseWriter, r *http.Request) {
	v := loginView{Next: ownPath(r.URL.Query().Get("next"))}
	if a.guard.tokens.path == "" {
		v.Detail, v.Hint = "this server has no tokens", "adminTokenFile names a file of tokens"
	}
	a.writeLogin(w, http.StatusOK, v)
}

// ownPath returns a path of this server, or that of its first page.
func ownPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 2048 {
		return "/"
	}
	return next
}

// login begins a session for who knows a token. Guesses count as those in a header.
func (a *Admin) login(w http.ResponseWriter, r *http.Request) {
	g, peer := a.guard, peerOf(r)
	if !g.guesses.has(peer) {
		g.tooMany.Add(1)
		a.refuseLater(w, r, "too many tokens from there were not known")
		return
	}
	if err := r.ParseForm(); err != nil {
		a.writeLogin(w, http.StatusBadRequest, loginView{Detail: "the form cannot be read", Next: "/"})
		return
	}
	next := ownPath(r.PostForm.Get("next"))
	token := strings.TrimSpace(r.PostForm.Get("token"))
	o, ok := g.tokens.find(token)
	if !ok {
		a.wrongToken(r, peer)
		a.writeLogin(w, http.StatusUnauthorized, loginView{Detail: "the token is not known", Hint: "the tokens are in the file of adminTokenFile", Next: next})
		return
	}
	if o.role < roleRead {
		g.forbidden.Add(1)
		a.writeLogin(w, http.StatusForbidden, loginView{
			Detail: "pages take the role read, the token has " + o.role.String(), Hint: "a token of that role in the file of adminTokenFile would allow it", Next: next,
		})
		return
	}
	a.setCookie(w, r, g.sessions.begin(o.token, time.Now()), int(sessionTime.Seconds()))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// logout ends the session.
func (a *Admin) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName(r)); err == nil {
		a.guard.sessions.end(c.Value)
	}
	a.setCookie(w, r, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (a *Admin) setCookie(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}

// wrongToken counts a token that nobody has.
func (a *Admin) wrongToken(r *http.Request, peer netip.Addr) {
	a.guard.guesses.take(peer)
	a.guard.unauthorized.Add(1)
	a.server.LogLimited(slog.LevelWarn, "admin request with a token that is not known", func() []any {
		return []any{"remote", peer, "path", namesrv.Clip(r.URL.Path)}
	})
}

// fromElsewhere refuses forms that other pages have sent.
var fromElsewhere = http.NewCrossOriginProtection()

// refuse answers who may not: a browser with the form for a token.
func (a *Admin) refuse(w http.ResponseWriter, r *http.Request, k kind, detail, hint string) {
	if !wantsPage(r) {
		writeHint(w, r, k, detail, hint)
		return
	}
	a.writeLogin(w, k.status, loginView{Detail: detail, Hint: hint, Next: ownPath(r.URL.RequestURI())})
}

// refuseLater answers who may ask again in a second.
func (a *Admin) refuseLater(w http.ResponseWriter, r *http.Request, detail string) {
	if !wantsPage(r) {
		writeLater(w, r, kindTooMany, detail)
		return
	}
	w.Header().Set("Retry-After", "1")
	a.writePage(w, http.StatusTooManyRequests, "trouble", &shell{Title: kindTooMany.title, View: "trouble", Body: trouble{kindTooMany.title, detail, "try again in a second", nil}})
}
