package admin

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// An endpoint is a row of the read API. Its answer is a value that becomes JSON, or a
// stream; its error is a *fault, or one of ours.
type endpoint struct {
	path   string
	needs  role
	heavy  bool
	query  []string // the parameters that it knows
	many   []string // those of them that may come again
	answer func(a *Admin, q *query) (any, error)
}

// A stream writes an answer that is not one piece of JSON.
type stream func(w http.ResponseWriter, r *http.Request)

// endpoints are the read API. openapi.json describes them.
func endpoints() []endpoint {
	page := []string{"limit", "after"}
	return []endpoint{
		{path: "/v1", needs: roleMetrics, answer: (*Admin).v1},
		{path: "/v1/openapi.json", needs: roleMetrics, answer: (*Admin).openAPI},
		{path: "/v1/status", needs: roleRead, answer: (*Admin).status},
		{path: "/v1/clusters", needs: roleRead, answer: (*Admin).clusters},
		{path: "/v1/brokers", needs: roleRead, query: append([]string{"cluster", "state"}, page...), answer: (*Admin).brokers},
		{path: "/v1/brokers/{b}", needs: roleRead, answer: (*Admin).broker},
		{path: "/v1/topics", needs: roleRead, heavy: true, query: append([]string{"prefix", "contains", "cluster", "broker", "perm", "fields"}, page...), answer: (*Admin).topics},
		{path: "/v1/topics/{t}", needs: roleRead, answer: (*Admin).topic},
		{path: "/v1/topics/{t}/route", needs: roleRead, query: []string{"as", "from", "standardJson", "raw"}, answer: (*Admin).route},
		{path: "/v1/kv", needs: roleRead, query: page, answer: (*Admin).kv},
		{path: "/v1/kv/{ns}", needs: roleRead, query: page, answer: (*Admin).kv},
		{path: "/v1/config", needs: roleRead, query: []string{"changed"}, answer: (*Admin).config},
		{path: "/v1/access", needs: roleRead, answer: (*Admin).access},
		{path: "/v1/connections", needs: roleRead, heavy: true, query: append([]string{"by", "list"}, page...), answer: (*Admin).connections},
		{path: "/v1/top", needs: roleRead, query: []string{"by", "limit"}, answer: (*Admin).top},
		{path: "/v1/digest", needs: roleRead, heavy: true, query: []string{"buckets", "within", "only"}, answer: (*Admin).digest},
		{path: "/v1/events", needs: roleRead, query: []string{"since", "type", "cluster", "broker", "topic", "limit"}, answer: (*Admin).events},
		{path: "/v1/explain/topics/{t}", needs: roleRead, query: []string{"as", "from"}, answer: (*Admin).explainTopic},
		{path: "/v1/explain/brokers/{b}", needs: roleRead, answer: (*Admin).explainBroker},
		{path: "/v1/peers", needs: roleRead, answer: (*Admin).peers},
		{path: "/v1/watch", needs: roleRead, query: []string{"topic", "brokers", "events", "state", "since", "wait"}, many: []string{"topic"}, answer: (*Admin).watch},
		{path: "/v1/snapshot", needs: roleRead, heavy: true, answer: (*Admin).snapshot},
	}
}

// v1Rows are the endpoints as the listener knows them.
func v1Rows() (rows []row) {
	for _, e := range endpoints() {
		rows = append(rows, row{path: e.path, needs: e.needs, heavy: e.heavy, handle: e.serve})
	}
	return rows
}

func (e endpoint) serve(a *Admin, w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r, e.query, e.many...)
	var v any
	if err == nil {
		v, err = e.answer(a, q)
	}
	var f *fault
	switch write, isStream := v.(stream); {
	case errors.As(err, &f):
		f.write(w, r)
	case err != nil:
		a.log.Error("request over HTTP failed", "path", e.path, "err", err)
		(&fault{kind: kindInternal, detail: "see the log of the server"}).write(w, r)
	case isStream:
		write(w, r)
	default:
		writeJSON(w, http.StatusOK, v)
	}
}

// A listing is an answer of many items. Another page follows if it has a next one.
type listing[T any] struct {
	Generation string `json:"generation"`
	Items      []T    `json:"items"`
	Next       string `json:"next,omitempty"`
}

// generation returns the number of a View as everybody is told it: BOOT.SEQ.
func (a *Admin) generation(v *route.View) string {
	return a.boot + "." + strconv.FormatUint(v.Seq(), 10)
}

// bootOf names a start of a server: when it was, in milliseconds.
func bootOf(started time.Time) string { return strconv.FormatInt(started.UnixMilli(), 36) }

// nodeName is how this machine calls itself.
func nodeName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// v1 says which server this is, and what can be asked.
func (a *Admin) v1(*query) (any, error) {
	snap := a.server.Snapshot()
	version, revision, _ := strings.Cut(snap.Version, "+")
	links := map[string]string{}
	for _, e := range endpoints() {
		if e.path != "/v1" {
			links[strings.TrimPrefix(e.path, "/v1/")] = e.path
		}
	}
	return struct {
		Name        string            `json:"name"`
		Version     string            `json:"version"`
		Revision    *string           `json:"revision"`
		JavaVersion string            `json:"javaVersion"`
		Node        string            `json:"node"`
		Boot        string            `json:"boot"`
		Started     stamp             `json:"started"`
		Generation  string            `json:"generation"`
		Links       map[string]string `json:"links"`
	}{
		"gonamesrv", version, optional(revision), javaVersion, a.node, a.boot, stamp(snap.Started),
		a.generation(a.server.View()), links,
	}, nil
}

// javaVersion is the release of Java whose number is sent to peers.
var javaVersion, _ = codec.VersionName(codec.Version)

// A stamp is a moment as it is written everywhere: RFC 3339 in UTC, with milliseconds.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// A number is whole. Beyond 2^53, where readers of JSON lose digits, it is written as
// text.
type number int64

func (n number) MarshalJSON() ([]byte, error) {
	const exact = 1 << 53
	b := strconv.AppendInt(nil, int64(n), 10)
	if n > exact || n < -exact {
		b = append(append([]byte{'"'}, b...), '"')
	}
	return b, nil
}

// optional returns v, or nil if it is the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// An api is what the read API keeps between requests.
type api struct {
	node, boot string
	names      nameCache
	wiped      wipedCache
	readings   readings
	notices    notices
	latencies  latencies
	charts     charts
	hub        *hub
}

func newAPI(s *namesrv.Server, cfg *namesrv.Config) api {
	boot := bootOf(s.Snapshot().Started)
	return api{node: nodeName(), boot: boot, hub: newHub(s, boot, cfg.AdminMaxWatchers)}
}
