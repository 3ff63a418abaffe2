package admin

import (
	"net/http"

	"github.com/goccy/go-json"
)

// A problem is the answer to a request that cannot be served (RFC 9457).
type problem struct {
	Type     string `json:"type"` // urn:gonamesrv:problem:NAME
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance"`       // the path that was asked
	Hint     string `json:"hint,omitempty"` // what to do about it
}

// A kind is a type of problem: a name, which is part of the API, and its status.
type kind struct {
	name, title string
	status      int
}

// The kinds.
var (
	kindBadParameter = kind{"bad-parameter", "bad parameter", http.StatusBadRequest}
	kindNotFound     = kind{"not-found", "not found", http.StatusNotFound}
	kindInternal     = kind{"internal", "it went wrong here", http.StatusInternalServerError}
)

// writeProblem answers with a problem of a kind.
func writeProblem(w http.ResponseWriter, r *http.Request, k kind, detail string) {
	writeBody(w, "application/problem+json", k.status, problem{
		Type:     "urn:gonamesrv:problem:" + k.name,
		Title:    k.title,
		Status:   k.status,
		Detail:   detail,
		Instance: r.URL.EscapedPath(),
	})
}

// notFound answers for all paths that have no row.
func (a *Admin) notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, r, kindNotFound, "there is no such endpoint")
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	writeBody(w, "application/json", status, v)
}

func writeBody(w http.ResponseWriter, contentType string, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked may have gone
}
