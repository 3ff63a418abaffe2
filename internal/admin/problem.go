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

	Oldest    string       `json:"oldest,omitempty"`    // generation of the oldest event that is there
	LastEvent *eventAnswer `json:"lastEvent,omitempty"` // of what is not there any more
}

// A kind is a type of problem: a name, which is part of the API, and its status.
type kind struct {
	name, title string
	status      int
}

// The kinds. Who asks again later is told when by Retry-After, see writeLater.
var (
	kindBadParameter     = kind{"bad-parameter", "bad parameter", http.StatusBadRequest}
	kindUnauthorized     = kind{"unauthorized", "who asks is not known", http.StatusUnauthorized}
	kindForbidden        = kind{"forbidden", "who asks may not", http.StatusForbidden}
	kindNotFound         = kind{"not-found", "not found", http.StatusNotFound}
	kindMethodNotAllowed = kind{"method-not-allowed", "only GET and HEAD are answered", http.StatusMethodNotAllowed}
	kindMisdirected      = kind{"misdirected", "no name of this server", http.StatusMisdirectedRequest}
	kindTooMany          = kind{"too-many-requests", "too many requests", http.StatusTooManyRequests}
	kindInternal         = kind{"internal", "it went wrong here", http.StatusInternalServerError}
)

// writeProblem answers with a problem of a kind.
func writeProblem(w http.ResponseWriter, r *http.Request, k kind, detail string) {
	writeHint(w, r, k, detail, "")
}

// writeHint is writeProblem that says what to do about it, too.
func writeHint(w http.ResponseWriter, r *http.Request, k kind, detail, hint string) {
	writeBody(w, "application/problem+json", k.status, problem{
		Type:     "urn:gonamesrv:problem:" + k.name,
		Title:    k.title,
		Status:   k.status,
		Detail:   detail,
		Instance: r.URL.EscapedPath(),
		Hint:     hint,
	})
}

// writeLater is writeProblem for who may ask again in a second.
func writeLater(w http.ResponseWriter, r *http.Request, k kind, detail string) {
	w.Header().Set("Retry-After", "1")
	writeProblem(w, r, k, detail)
}

// notFound answers for all paths that have no row.
func (a *Admin) notFound(w http.ResponseWriter, r *http.Request) {
	const detail = "there is no such endpoint"
	if wantsPage(r) {
		a.writePage(w, kindNotFound.status, "trouble", &shell{Title: kindNotFound.title, View: "trouble", Body: trouble{kindNotFound.title, detail, "", nil}})
		return
	}
	writeProblem(w, r, kindNotFound, detail)
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
