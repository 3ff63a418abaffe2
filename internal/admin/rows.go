package admin

import (
	"net/http"
	"slices"

	"gonamesrv/internal/namesrv"
)

// A role is what somebody may ask. Each may also what those before it may. They are
// those of namesrv.AdminRoles, in their order.
type role uint8

const (
	roleNone role = iota
	roleProbes
	roleMetrics
	roleRead
	roleDebug
)

// roleOf returns the role of a word, roleNone for a word that is none.
func roleOf(word string) role { return role(max(0, slices.Index(namesrv.AdminRoles, word))) }

func (r role) String() string { return namesrv.AdminRoles[r] }

// A handler answers a request that the guard has let through.
type handler func(a *Admin, w http.ResponseWriter, r *http.Request)

// A row is one endpoint. It is asked with GET or HEAD; a form is sent with POST.
type row struct {
	path   string // of http.ServeMux, without a method
	needs  role
	heavy  bool // costs much: few at a time
	handle handler
	post   handler // of a form; nil: there is none
}

// methods are those that a row is asked with.
func (r row) methods() string {
	if r.post != nil {
		return "GET, HEAD, POST"
	}
	return "GET, HEAD"
}

// rows returns all endpoints, part by part.
func rows() (all []row) {
	for _, part := range [][]row{
		v1Rows(),
		consoleRows(),
		healthRows(),
		pprofRows(),
		metricsRows(),
	} {
		all = append(all, part...)
	}
	return all
}
