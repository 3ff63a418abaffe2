package admin

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"gonamesrv/internal/namesrv"
)

// newAdmin returns an Admin for a server that is not started.
func newAdmin(t *testing.T) *Admin {
	t.Helper()
	cfg := namesrv.DefaultConfig()
	cfg.KVConfigPath = filepath.Join(t.TempDir(), "kvConfig.json")
	log := slog.New(slog.DiscardHandler)
	s, err := namesrv.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	return New(s, log)
}

func TestV1(t *testing.T) {
	w := httptest.NewRecorder()
	newAdmin(t).ServeHTTP(w, httptest.NewRequest("GET", "/v1", nil))
	var got struct{ Name, Version string }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if got.Name != "gonamesrv" || got.Version != namesrv.Version() {
		t.Errorf("/v1 says %+v", got)
	}
}

func TestUnknownPathIsAProblem(t *testing.T) {
	w := httptest.NewRecorder()
	newAdmin(t).ServeHTTP(w, httptest.NewRequest("GET", "/v1/nothing", nil))
	if got := w.Header().Get("Content-Type"); w.Code != 404 || got != "application/problem+json" {
		t.Errorf("%d %s %s", w.Code, got, w.Body)
	}
}
