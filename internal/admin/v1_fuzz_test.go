package admin

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// TestSchemathesis lets schemathesis ask for whatever it makes out of openapi.json, good
// and bad. Nothing may go wrong here, and no answer be another one than the file says.
// `make api-fuzz` runs it.
func TestSchemathesis(t *testing.T) {
	program := os.Getenv("GONAMESRV_SCHEMATHESIS")
	if program == "" {
		t.Skip("make api-fuzz runs it")
	}
	f := newWorld(t)
	var answers [600]atomic.Int64 // by status
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		f.Handler.ServeHTTP(rec, r)
		answers[rec.Code].Add(1)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}))
	defer listener.Close()
	out, err := exec.Command(program, "run", listener.URL+"/v1/openapi.json",
		"--phases", "examples,coverage,fuzzing", "--max-examples", "50", "--workers", "2", "--warnings", "off",
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance",
		"--seed", "1", "--generation-database", "none", "--no-color", "--suppress-health-check", "all").CombinedOutput()
	if text := string(out); err != nil || !strings.Contains(text, "API operations") && !strings.Contains(text, "Operations") {
		t.Errorf("%v\n%s", err, text)
	} else {
		t.Logf("%s", text)
	}
	if good, bad := answers[200].Load(), answers[400].Load(); good < 100 || bad < 100 {
		t.Errorf("only %d good and %d bad requests were made", good, bad)
	}
}

// TestAnyQuery asks for anything with anything: no answer is a failure of ours, and each
// is as openapi.json describes it.
func TestAnyQuery(t *testing.T) {
	f := newWorld(t)
	j := newJudge(t)
	all := endpoints()
	rapid.Check(t, func(rt *rapid.T) {
		e := rapid.SampledFrom(all).Draw(rt, "endpoint")
		path := e.path
		name := rapid.OneOf(rapid.SampledFrom([]string{"ORDERS", "broker-a", "a/b", "%RETRY%g", "größe"}), rapid.StringN(1, 20, 100)).Draw(rt, "name")
		for _, wild := range []string{"{b}", "{t}", "{ns}"} {
			path = strings.Replace(path, wild, url.PathEscape(name), 1)
		}
		if strings.Trim(name, ".") == "" {
			return // a path that is another one
		}
		query := url.Values{}
		for _, p := range e.query {
			if rapid.Bool().Draw(rt, "has "+p) {
				query.Set(p, rapid.OneOf(rapid.SampledFrom([]string{"1", "7", "name", "live", "c1", "broker-a", "A", "V4_9_3,zone-1"}), rapid.String()).Draw(rt, p))
			}
		}
		r := httptest.NewRequest(http.MethodGet, path+"?"+query.Encode(), nil)
		w := httptest.NewRecorder()
		f.Handler.ServeHTTP(w, r)
		j.check(t, e.path, "GET "+r.RequestURI, w)
		if w.Code >= 500 && w.Code != 503 {
			rt.Errorf("GET %s: %d %s", r.RequestURI, w.Code, w.Body)
		}
	})
}
