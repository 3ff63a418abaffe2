package admin

import (
	_ "embed"
	"net/http"
)

// openAPIFile describes the endpoints for programs. Tests compare it with what is
// answered.
//
//go:embed openapi.json
var openAPIFile []byte

func (a *Admin) openAPI(*query) (any, error) {
	return stream(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPIFile)
	}), nil
}
