package admin

import (
	"log/slog"
	"net/http"

	"gonamesrv/internal/component"
	"gonamesrv/internal/namesrv"
)

// An Admin answers for one server.
type Admin struct {
	server *namesrv.Server
	log    *slog.Logger
	mux    *http.ServeMux
	api
}

// New returns an Admin that answers for a server, which need not run yet.
func New(s *namesrv.Server, log *slog.Logger) *Admin {
	a := &Admin{server: s, log: log, mux: http.NewServeMux(), api: newAPI(s)}
	s.Attach("readings", component.Routine(a.takeReadings))
	for _, w := range rows() {
		a.mux.Handle(w.pattern(), a.serve(w))
	}
	a.mux.Handle("/", a.serve(row{handle: (*Admin).notFound}))
	return a
}

// ServeHTTP answers one request. Safe from any goroutine.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// serve returns the handler of a row.
func (a *Admin) serve(row row) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { row.handle(a, w, r) })
}
