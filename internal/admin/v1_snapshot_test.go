package admin

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSnapshotIsWhole: the snapshot has all that other endpoints show, packed or not.
func TestSnapshotIsWhole(t *testing.T) {
	f := newWorld(t)
	plain := f.get("/v1/snapshot").Body.String()
	packed := f.get("/v1/snapshot", "Accept-Encoding", "gzip")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", packed.Header())
	}
	gz, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	var unpacked bytes.Buffer
	if _, err := unpacked.ReadFrom(gz); err != nil {
		t.Fatal(err)
	}
	moves := regexp.MustCompile(`"(time|lastContact)":"[^"]*"|"ageMs":[0-9]+`)
	if a, b := moves.ReplaceAllString(plain, ""), moves.ReplaceAllString(unpacked.String(), ""); a != b {
		t.Errorf("packed\n%s\nplain\n%s", b, a)
	}
	lines := strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
	types := map[string]int{}
	for _, line := range lines {
		var l struct {
			Type, Topic               string
			Clusters, Brokers, Topics any
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		types[l.Type]++
		if l.Type == "topic" {
			var want topicAnswer
			f.want(200, "/v1/topics/"+url.PathEscape(l.Topic), &want)
			b, _ := json.Marshal(want.Queues)
			if !strings.Contains(line, `"queues":`+string(b)) {
				t.Errorf("%s, want queues %s", line, b)
			}
		}
	}
	last := lines[len(lines)-1]
	if want := fmt.Sprintf(`{"type":"end","clusters":%d,"brokers":%d,"topics":%d}`, types["cluster"], types["broker"], types["topic"]); last != want || types["view"] != 1 || types["broker"] != 5 {
		t.Errorf("the last line is %s, want %s", last, want)
	}
}

// TestSnapshotEnds: who reads too slowly does not get the end.
func TestSnapshotEnds(t *testing.T) {
	f := newWorld(t)
	defer func(was time.Duration) { mostSnapshotTime = was }(mostSnapshotTime)
	for _, d := range []time.Duration{time.Hour, 0} {
		mostSnapshotTime = d
		if got := strings.Contains(f.get("/v1/snapshot").Body.String(), `"type":"end"`); got != (d > 0) {
			t.Errorf("in %v it has an end: %v", d, got)
		}
	}
}

// TestAcceptEncoding: only who says that he reads gzip gets it, of a snapshot and of metrics.
func TestAcceptEncoding(t *testing.T) {
	r := run(t, nil)
	for _, tt := range []struct {
		header string
		want   bool
	}{
		{"", false},
		{"gzip", true},
		{"GZIP;q=0.5, br", true},
		{"deflate, gzip;q=1.0", true},
		{"gzip;q=0", false},
		{"gzip; q=0.000", false},
		{"identity, gzip;q=0", false},
		{"*", true},
		{"*;q=0", false},
		{"*;q=0, gzip", true},
		{"*, gzip;q=0", false},
		{"gzip;q=nonsense", false},
		{"gzipped, xgzip", false},
		{"br", false},
	} {
		if got := takesGzip([]string{tt.header}); got != tt.want {
			t.Errorf("who accepts %q gets gzip: %v", tt.header, got)
		}
	}
	if takesGzip([]string{"br", "gzip"}) != true || takesGzip([]string{"gzip", "gzip;q=0"}) {
		t.Error("of several headers not all count")
	}
	for _, path := range []string{"/v1/snapshot", "/metrics"} {
		for header, want := range map[string]string{"gzip;q=0": "", "gzip": "gzip"} {
			q := httptest.NewRequest(http.MethodGet, path, nil)
			q.Host, q.RemoteAddr = "localhost", "127.0.0.1:1"
			q.Header.Set("Accept-Encoding", header)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, q)
			if got := w.Header().Get("Content-Encoding"); w.Code != http.StatusOK || got != want {
				t.Errorf("%s for who accepts %q: %d, encoding %q", path, header, w.Code, got)
			}
		}
	}
}
