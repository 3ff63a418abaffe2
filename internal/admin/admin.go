package admin

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"

	"gonamesrv/internal/component"
	"gonamesrv/internal/namesrv"
)

// An Admin answers for one server. It is a component too, see listener.go.
type Admin struct {
	server *namesrv.Server
	log    *slog.Logger
	mux    *http.ServeMux
	guard  *guard
	health *health
	listener

	scraping sync.Once
	scraper  *scraper // once the first has asked for metrics
	asked    asked
	api
}

// New returns an Admin that answers for a server, which need not run yet. It is
// configured as the server is.
func New(s *namesrv.Server, log *slog.Logger) *Admin {
	cfg := s.Config()
	a := &Admin{server: s, log: log, mux: http.NewServeMux(), guard: newGuard(&cfg), health: newHealth(), listener: newListener(), api: newAPI(s, &cfg)}
	s.Attach("readings", component.Routine(a.takeReadings))
	s.Attach("watchers", component.Routine(a.runHub))
	for _, w := range rows() {
		a.mux.Handle(w.path, a.serve(w))
	}
	a.mux.Handle("/", a.serve(row{handle: (*Admin).notFound}))
	return a
}

// headers go with every answer: nothing is kept, nothing is guessed, and a page shows
// and asks nothing but what comes from here.
var headers = map[string]string{
	"Cache-Control":          "no-store",
	"X-Content-Type-Options": "nosniff",
	"Referrer-Policy":        "no-referrer",
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}

// ServeHTTP answers one request. Safe from any goroutine.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	out := &answer{ResponseWriter: w}
	defer a.asked.note(out)
	defer a.afterPanic(out, r)
	if !a.guard.isHere(r.Host) {
		a.guard.misdirected.Add(1)
		writeHint(out, r, kindMisdirected, "the server is asked by a name that is not its own", "adminAllowedHosts would allow it; so would its address")
		return
	}
	if r.RequestURI == "*" { // which ServeMux answers itself
		a.serve(row{handle: (*Admin).notFound}).ServeHTTP(out, r)
		return
	}
	a.mux.ServeHTTP(out, r)
}

// serve returns the handler of a row.
func (a *Admin) serve(row row) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if out, ok := w.(*answer); ok {
			out.handler = row.path
		}
		handle := row.handle
		switch isForm := r.Method == http.MethodPost && row.post != nil; {
		case isForm && fromElsewhere.Check(r) != nil:
			writeProblem(w, r, kindForbidden, "another page has sent this form")
			return
		case isForm:
			handle, r.Body = row.post, http.MaxBytesReader(w, r.Body, formBytes)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", row.methods())
			writeProblem(w, r, kindMethodNotAllowed, "to change something, ask the name server itself, as mqadmin does")
			return
		case r.ContentLength != 0:
			writeProblem(w, r, kindBadParameter, "a request has no body")
			return
		}
		served := false
		if row.needs == roleDebug {
			defer func() { a.audit(w, r, row, served) }()
		}
		if !a.admit(w, r, row) {
			return
		}
		served = true
		if row.heavy {
			leave, ok := a.guard.enterHeavy(r.Context())
			if !ok {
				a.guard.tooMany.Add(1)
				a.refuseLater(w, r, "others ask for much at this moment")
				return
			}
			defer leave()
		}
		handle(a, w, r)
	})
}

// An answer remembers whether it has begun, and who gives it.
type answer struct {
	http.ResponseWriter
	handler string // path of the row
	token   string // name of the token; "" where there is none that is known
	status  int    // 0 if it has not begun, or without being asked for one
	begun   bool
}

func (w *answer) WriteHeader(status int) {
	if !w.begun {
		w.status = status
	}
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *answer) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Flush implements http.Flusher.
func (w *answer) Flush() {
	w.begun = true
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// audit tells the audit log of a request that not everybody may send.
func (a *Admin) audit(w http.ResponseWriter, r *http.Request, row row, served bool) {
	q := &namesrv.HTTPRequest{TLS: r.TLS, Method: r.Method, Path: r.URL.Path, Role: row.needs.String(), Served: served}
	q.Peer, _ = netip.ParseAddrPort(r.RemoteAddr)
	if out, ok := w.(*answer); ok {
		q.Token, q.Status = out.token, cmp.Or(out.status, http.StatusOK)
	}
	a.server.AuditHTTP(q)
}

// afterPanic answers for a handler that has panicked, or closes the connection in the
// middle of its answer. The program goes on.
func (a *Admin) afterPanic(w *answer, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	stack := debug.Stack()
	a.server.LogLimited(slog.LevelError, "panic in the admin server", func() []any {
		return []any{"path", namesrv.Clip(r.URL.Path), "panic", p, "stack", string(stack)}
	})
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, r, kindInternal, "the log says more")
}
