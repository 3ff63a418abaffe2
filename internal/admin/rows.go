package admin

import "net/http"

// A role is what somebody may ask. Each may also what those before it may.
type role uint8

const (
	roleNone role = iota
	roleProbes
	roleMetrics
	roleRead
	roleDebug
)

// A handler answers a request that the guard has let through.
type handler func(a *Admin, w http.ResponseWriter, r *http.Request)

// A row is one endpoint. It is asked with GET or HEAD.
type row struct {
	path   string // of http.ServeMux, without a method
	needs  role
	heavy  bool // costs much: few at a time
	handle handler
}

func (w row) pattern() string { return "GET " + w.path }

// rows returns all endpoints, part by part.
func rows() (all []row) {
	for _, part := range [][]row{
		v1Rows(),
		metricsRows(),
	} {
		all = append(all, part...)
	}
	return all
}
