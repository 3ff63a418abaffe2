package admin

import (
	"fmt"
	"net/http"
	"strconv"
)

// Kinds of problems that only the read API has.
var (
	kindTopicNotFound  = kind{"topic-not-found", "topic not found", http.StatusNotFound}
	kindBrokerNotFound = kind{"broker-not-found", "broker not found", http.StatusNotFound}
	kindBusy           = kind{"busy", "not now", http.StatusServiceUnavailable}
)

// A fault is why a request of the read API is not served.
type fault struct {
	kind
	detail, hint string
	retryAfter   int // seconds; 0: it need not be tried again
	oldest       string
	lastEvent    *eventAnswer
}

func (f *fault) Error() string { return "admin: " + f.title + ": " + f.detail }

// write answers with the fault.
func (f *fault) write(w http.ResponseWriter, r *http.Request) {
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	writeBody(w, "application/problem+json", f.status, problem{
		Type: "urn:gonamesrv:problem:" + f.name, Title: f.title, Status: f.status, Detail: f.detail,
		Instance: r.URL.EscapedPath(), Hint: f.hint, Oldest: f.oldest, LastEvent: f.lastEvent,
	})
}

func badParameter(format string, args ...any) *fault {
	return &fault{kind: kindBadParameter, detail: fmt.Sprintf(format, args...)}
}

func topicNotFound(name string) *fault {
	return &fault{kind: kindTopicNotFound, detail: "no broker serves topic " + quoted(name), hint: "nsctl explain topic " + quoted(name)}
}

func brokerNotFound(name string) *fault {
	return &fault{kind: kindBrokerNotFound, detail: "no broker of the name " + quoted(name) + " is registered", hint: "nsctl explain broker " + quoted(name)}
}
