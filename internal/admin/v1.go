package admin

import (
	"net/http"

	"gonamesrv/internal/namesrv"
)

// v1Rows are the endpoints of the read API.
func v1Rows() []row {
	return []row{
		{path: "/v1", needs: roleMetrics, handle: (*Admin).v1},
	}
}

// v1 says which server this is.
func (a *Admin) v1(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}{"gonamesrv", namesrv.Version()})
}
