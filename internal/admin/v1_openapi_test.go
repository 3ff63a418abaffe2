package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gonamesrv/internal/nstest"
)

// An openAPIDoc is as much of openapi.json as the tests look at themselves.
type openAPIDoc struct {
	Paths map[string]struct {
		Get *struct {
			OperationID string `json:"operationId"`
			Role        string `json:"x-role"`
			Heavy       bool   `json:"x-heavy"`
			Parameters  []struct{ Name, In string }
			Responses   map[string]struct {
				Ref     string `json:"$ref"`
				Content map[string]struct{ Schema json.RawMessage }
			}
		}
	}
}

// A judge compares answers with openapi.json.
type judge struct {
	doc      openAPIDoc
	compiler *jsonschema.Compiler
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	j := &judge{compiler: jsonschema.NewCompiler()}
	if err := json.Unmarshal(openAPIFile, &j.doc); err != nil {
		t.Fatal(err)
	}
	file, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPIFile))
	if err != nil {
		t.Fatal(err)
	}
	j.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := j.compiler.AddResource("openapi.json", file); err != nil {
		t.Fatal(err)
	}
	return j
}

// check demands that an answer of an endpoint is as openapi.json says.
func (j *judge) check(t *testing.T, path, asked string, w *httptest.ResponseRecorder) {
	t.Helper()
	escape := func(s string) string { return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(s)) }
	status := fmt.Sprint(w.Code)
	response, ok := j.doc.Paths[path].Get.Responses[status]
	if !ok {
		t.Errorf("%s answers %s, which is not described", asked, status)
		return
	}
	at := "/paths/" + escape(path) + "/get/responses/" + status
	content := response.Content
	if response.Ref != "" {
		at = strings.TrimPrefix(response.Ref, "#")
		content = map[string]struct{ Schema json.RawMessage }{"application/problem+json": {}}
	}
	kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if _, ok := content[kind]; !ok || err != nil {
		t.Errorf("%s answers %q, which is not described", asked, w.Header().Get("Content-Type"))
		return
	}
	if !strings.Contains(kind, "json") {
		return
	}
	schema, err := j.compiler.Compile("openapi.json#" + at + "/content/" + escape(kind) + "/schema")
	if err != nil {
		t.Fatal(err)
	}
	bodies := []string{w.Body.String()}
	if kind == "application/x-ndjson" {
		bodies = strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
	}
	for _, body := range bodies {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s answers what is not described: %v\n%s", asked, err, body)
		}
	}
}

// TestOpenAPINamesEndpoints: each endpoint is in the file with its role and its
// parameters, and nothing else is.
func TestOpenAPINamesEndpoints(t *testing.T) {
	j := newJudge(t)
	roles := map[role]string{roleMetrics: "metrics", roleRead: "read"}
	known := map[string]bool{}
	for _, e := range endpoints() {
		known[e.path] = true
		got := j.doc.Paths[e.path].Get
		if got == nil {
			t.Errorf("openapi.json does not describe %s", e.path)
			continue
		}
		var query, path []string
		for _, p := range got.Parameters {
			if p.In == "path" {
				path = append(path, "{"+p.Name+"}")
			} else {
				query = append(query, p.Name)
			}
		}
		if !slices.Equal(query, e.query) || got.Role != roles[e.needs] || got.Heavy != e.heavy || strings.Count(e.path, "{") != len(path) {
			t.Errorf("%s: %+v, described as %+v", e.path, e, *got)
		}
		for _, name := range path {
			if !strings.Contains(e.path, name) {
				t.Errorf("%s has no %s", e.path, name)
			}
		}
	}
	for path := range j.doc.Paths {
		if !known[path] {
			t.Errorf("openapi.json describes %s, which is not there", path)
		}
	}
}

// TestOpenAPIIsClosed: no object of an answer may have members that the file does not
// name, or new fields would not be found out.
func TestOpenAPIIsClosed(t *testing.T) {
	var doc struct {
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(openAPIFile, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if _, ok := v["properties"].(map[string]any); ok && v["additionalProperties"] != false {
				t.Errorf("%s may have other members", path)
			}
			for k, x := range v {
				walk(path+"/"+k, x)
			}
		case []any:
			for i, x := range v {
				walk(fmt.Sprintf("%s/%d", path, i), x)
			}
		}
	}
	walk("", doc.Components.Schemas)
	if len(doc.Components.Schemas) < 20 {
		t.Errorf("only %d schemas", len(doc.Components.Schemas))
	}
}

// TestAnswersAreAsDescribed asks a rich world, an empty one and one that is not ready for
// everything, with parameters good and bad.
func TestAnswersAreAsDescribed(t *testing.T) {
	j := newJudge(t)
	worlds := map[string]*fixture{"rich": newWorld(t), "empty": newFixture(t, nil)}
	worlds["stopped"] = behindGuard(t, newAdmin(t))
	asked := map[string]bool{}
	values := map[string][]string{
		"limit": {"1", "3", "0", "x", "10000", ""}, "after": {"ORDERS", "zzz", "a/b", "%ff"}, "state": {"live", "masterless,overdue", "1", "dead", ""},
		"cluster": {"c1", "none"}, "broker": {"broker-a"}, "perm": {"4", "6", "8"}, "fields": {"name", "all"}, "prefix": {"A", "%25"}, "contains": {"R", "\x00"},
		"as": {"V4_9_3,zone-1", ",zone-2", "x", "4.9.4"}, "from": {"127.0.0.7", "127.0.0.8", "127.0.0.9", "::1", "x", "fe80::1%eth0"},
		"standardJson": {"1", "yes"}, "raw": {"1", "0", "x"}, "changed": {"1", "false", "x"}, "by": {"address", "language,version", "topic", "missedTopic", "peer", "x"}, "list": {"1", "x"}, "buckets": {"1", "16", "0"}, "only": {"0", "0,1", "x"}, "within": {"1", "x"},
		"since": {"0", "1", "99999999", "abc.5", "x.y", "-1", ""}, "type": {"broker.*", "topics.changed,broker.*", "broker", "*", "", "broker.nothing"}, "topic": {"ORDERS", "none", "\xff", ""},
		"brokers": {"1", "x"}, "events": {"1", "x"}, "wait": {"0s", "x"}, "unknown": {"1"},
	}
	for world, f := range worlds {
		for _, e := range endpoints() {
			paths := []string{e.path}
			for name, texts := range map[string][]string{
				"{b}": {"broker-a", "broker c", "broker-d", "none"}, "{ns}": {"a/b", "ORDER_TOPIC_CONFIG", "none"},
				"{t}": {"ORDERS", "%RETRY%g", "a/b", "größe", "STATIC", "ACTING", "none", "..", ".", "a//b", "\x00", "\xff", " ", strings.Repeat("x", 5000)},
			} {
				if !strings.Contains(e.path, name) {
					continue
				}
				paths = nil
				for _, text := range texts {
					escaped := url.PathEscape(text)
					if strings.Trim(text, ".") == "" {
						escaped = strings.ReplaceAll(text, ".", "%2E")
					}
					paths = append(paths, strings.Replace(e.path, name, escaped, 1))
				}
			}
			for _, path := range paths {
				queries := []string{""}
				for _, name := range append(slices.Clone(e.query), "unknown") {
					for _, v := range values[name] {
						queries = append(queries, "?"+url.Values{name: {v}}.Encode())
					}
					if len(values[name]) == 0 {
						t.Errorf("no value for %s", name)
					}
				}
				queries = append(queries, "?%zz", "?a;b", "?=", "?&")
				for _, query := range queries {
					w := f.get(path + query)
					j.check(t, e.path, world+": GET "+path+query, w)
					if w.Code == 200 && world == "rich" {
						asked[e.path] = true
					}
					if w.Code >= 500 && w.Code != 503 {
						t.Errorf("%s: GET %s%s: %d %s", world, path, query, w.Code, w.Body)
					}
				}
			}
		}
	}
	for _, e := range endpoints() {
		if !asked[e.path] {
			t.Errorf("%s was never answered", e.path)
		}
	}
}

// TestJudgeJudges: an answer that has a member more, or one less, is found out.
func TestJudgeJudges(t *testing.T) {
	j := newJudge(t)
	f := newFixture(t, nil)
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "U"}})
	body := f.get("/v1/topics/T").Body.String()
	schema, err := j.compiler.Compile("openapi.json#/components/schemas/TopicDetail")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		old, now string
		ok       bool
	}{
		{`"static":false`, `"static":false`, true},
		{`"static":false`, `"static":false,"more":1`, false},
		{`"static":false,`, ``, false},
		{`"perm":6`, `"perm":"6"`, false},
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(body, tc.old, tc.now, 1)))
		if err != nil || !strings.Contains(body, tc.old) {
			t.Fatalf("%v: %s", err, body)
		}
		if err := schema.Validate(v); (err == nil) != tc.ok {
			t.Errorf("%s for %s: %v", tc.now, tc.old, err)
		}
	}
}

// TestOpenAPIIsServed: the file is what is embedded, and Java's version in it is ours.
func TestOpenAPIIsServed(t *testing.T) {
	w := httptest.NewRecorder()
	newAdmin(t).ServeHTTP(w, httptest.NewRequest("GET", "/v1/openapi.json", nil))
	if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), openAPIFile) {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
	if javaVersion != "V5_3_3" {
		t.Errorf("the version that is sent to peers is %s", javaVersion)
	}
}
