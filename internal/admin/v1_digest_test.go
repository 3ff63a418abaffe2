package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// TestDigestBuckets: the buckets together have all topics, each once.
func TestDigestBuckets(t *testing.T) {
	f := newWorld(t)
	var all digestList
	f.want(200, "/v1/digest?buckets=8", &all)
	var names []string
	for n := range 8 {
		var one digestList
		f.want(200, fmt.Sprintf("/v1/digest?buckets=8&only=%d", n), &one)
		names = append(names, *one.Names...)
	}
	slices.Sort(names)
	if want := f.server.View().TopicNames(); len(*all.Buckets) != 8 || !slices.Equal(names, want) {
		t.Errorf("%d buckets have %q, want %q", len(*all.Buckets), names, want)
	}
	if w := f.get("/v1/digest?only=1"); w.Code != 400 {
		t.Errorf("only without buckets: %d", w.Code)
	}
}

// TestLargeBucket: the names of a bucket are no way to get them all at once.
func TestLargeBucket(t *testing.T) {
	f := newFixture(t, nil)
	names := make([]string, largestNamePage+1)
	for i := range names {
		names[i] = fmt.Sprintf("T%05d", i)
	}
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: names})
	if w := f.get("/v1/digest?buckets=1&only=0"); w.Code != 400 || !strings.Contains(w.Body.String(), "ask for more buckets") {
		t.Errorf("it is answered %d %.100s", w.Code, w.Body)
	}
	var half digestList
	if f.want(200, "/v1/digest?buckets=2&only=1", &half); len(*half.Names) == 0 {
		t.Error("half of them cannot be had")
	}
}
