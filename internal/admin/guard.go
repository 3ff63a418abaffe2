package admin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"gonamesrv/internal/namesrv"
)

const (
	// heavyWait is how long a request may wait for those before it that cost much.
	heavyWait = time.Second

	// How often an address may ask, in requests a second and at once after silence; how
	// often it may ask for metrics, so that no page that asks for much keeps a scraper
	// away; and how often it may have a token that is not known.
	askRate, askBurst       = 20, 40
	scrapeRate, scrapeBurst = 5, 10
	guessRate, guessBurst   = 2, 5
)

// A guard knows who may ask what, and how often.
type guard struct {
	local, remote role
	tokens        *tokens
	sessions      sessions
	hosts         map[string]bool // in lower case

	asks, scrapes, guesses *limiter

	heavy     chan struct{} // holds one for each request under way that costs much
	profiling chan struct{} // the same for what only one may ask at a time

	// Requests that were refused, by why.
	misdirected, unauthorized, forbidden, tooMany atomic.Uint64
}

func newGuard(cfg *namesrv.Config) *guard {
	g := &guard{
		local:     roleOf(cfg.AdminAnonymousLocal),
		remote:    roleOf(cfg.AdminAnonymousRemote),
		tokens:    &tokens{path: cfg.AdminTokenFile},
		hosts:     map[string]bool{"": true, "localhost": true}, // HTTP/1.0 has none, a browser always does
		asks:      newLimiter(askRate, askBurst),
		scrapes:   newLimiter(scrapeRate, scrapeBurst),
		guesses:   newLimiter(guessRate, guessBurst),
		heavy:     make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/4)),
		profiling: make(chan struct{}, 1),
	}
	own, _ := os.Hostname()
	short, _, _ := strings.Cut(own, ".")
	for _, host := range append(cfg.AdminHosts(), own, short) {
		g.hosts[hostName(host)] = true
	}
	return g
}

// hostName returns what is the same for all ways to write a host name.
func hostName(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// isHere reports whether a request came for this server, by its Host. A page in
// somebody's browser may give its own name the address of this server, and could then
// read whatever that browser can reach; but its requests say that name.
func (g *guard) isHere(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return g.hosts[hostName(host)]
}

// admit lets a request through, or answers it.
func (a *Admin) admit(w http.ResponseWriter, r *http.Request, row row) bool {
	g := a.guard
	peer := peerOf(r)
	bearer, hasToken := bearerOf(r)
	if l := g.limiterOf(row); l != nil && !l.take(peer) {
		g.tooMany.Add(1)
		a.refuseLater(w, r, "an address may ask 20 times a second, for metrics 5 times")
		return false
	}
	may, name := g.anonymous(peer, r.Header), ""
	if hasToken {
		// Whoever guesses is stopped before the next guess is compared.
		if !g.guesses.has(peer) {
			g.tooMany.Add(1)
			writeLater(w, r, kindTooMany, "too many tokens from there were not known")
			return false
		}
		owner, ok := g.tokens.find(bearer)
		if !ok {
			a.wrongToken(r, peer)
			w.Header().Set("WWW-Authenticate", `Bearer realm="gonamesrv", error="invalid_token"`)
			a.refuse(w, r, kindUnauthorized, "the token is not known", "the tokens are in the file of adminTokenFile")
			return false
		}
		may, name = max(may, owner.role), owner.name
	} else if owner, ok := g.loggedIn(r); ok {
		hasToken, may, name = true, max(may, owner.role), owner.name
	}
	if out, ok := w.(*answer); ok {
		out.token = name
	}
	if may >= row.needs {
		return true
	}
	detail := "it takes the role " + row.needs.String() + ", without a token there is " + may.String()
	switch {
	case hasToken:
		detail = "it takes the role " + row.needs.String() + ", the token has " + may.String()
		g.forbidden.Add(1)
		a.refuse(w, r, kindForbidden, detail, "a token of that role in the file of adminTokenFile would allow it")
	case g.tokens.path == "":
		g.forbidden.Add(1)
		a.refuse(w, r, kindForbidden, detail, g.anonymousKey(peer, r.Header)+"="+row.needs.String()+" would allow it to all, adminTokenFile to who has a token")
	default:
		g.unauthorized.Add(1)
		w.Header().Set("WWW-Authenticate", `Bearer realm="gonamesrv"`)
		a.refuse(w, r, kindUnauthorized, detail, "send a token of adminTokenFile as Authorization: Bearer; "+g.anonymousKey(peer, r.Header)+"="+row.needs.String()+" would allow it to all")
	}
	return false
}

// limiterOf returns what limits requests for a row. Probes are never refused for their
// number: they cost next to nothing, and who is not answered restarts the server.
func (g *guard) limiterOf(row row) *limiter {
	switch row.needs {
	case roleProbes:
		return nil
	case roleMetrics:
		return g.scrapes
	default:
		return g.asks
	}
}

// anonymous returns the role of who asks without a token.
func (g *guard) anonymous(peer netip.Addr, h http.Header) role {
	if isLocal(peer, h) {
		return g.local
	}
	return g.remote
}

// anonymousKey returns the key that says so.
func (g *guard) anonymousKey(peer netip.Addr, h http.Header) string {
	if isLocal(peer, h) {
		return "adminAnonymousLocal"
	}
	return "adminAnonymousRemote"
}

var (
	local4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	local6 = netip.IPv6Loopback()
)

// isLocal reports whether somebody on this machine asks, for nobody else. Other
// addresses of loopback belong to proxies: 127.0.0.6 is Istio's.
func isLocal(peer netip.Addr, h http.Header) bool {
	if peer != local4 && peer != local6 {
		return false
	}
	for name := range h {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded") {
			return false
		}
	}
	return true
}

// peerOf returns the address that asks, the zero Addr if it has none.
func peerOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// bearerOf returns the token of a request. Other schemes of authorization are those
// of a proxy before us.
func bearerOf(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// enterHeavy waits until few enough requests that cost much are under way. Whoever
// may enter leaves again.
func (g *guard) enterHeavy(ctx context.Context) (leave func(), ok bool) {
	late := time.NewTimer(heavyWait)
	defer late.Stop()
	select {
	case g.heavy <- struct{}{}:
		return func() { <-g.heavy }, true
	case <-late.C:
	case <-ctx.Done():
	}
	return nil, false
}
