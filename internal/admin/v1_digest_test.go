package admin

import (
	"fmt"
	"slices"
	"strconv"
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

// TestDigestWithin: the finer buckets that lie in a coarse one are those that have its
// topics, and the digest of a bucket is that of its topics.
func TestDigestWithin(t *testing.T) {
	f := newWorld(t)
	sum := func(texts []string) (sum uint64) {
		for _, text := range texts {
			n, err := strconv.ParseUint(text, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum ^= n
		}
		return sum
	}
	var coarse, fine, two digestList
	f.want(200, "/v1/digest?buckets=4", &coarse)
	f.want(200, "/v1/digest?buckets=32", &fine)
	f.want(200, "/v1/digest?buckets=32&within=4&only=3,1", &two)
	var want []string
	for _, n := range []int{3, 1} {
		var in []string
		for ; n < 32; n += 4 {
			in = append(in, (*fine.Buckets)[n])
		}
		if got, want := sum(in), sum((*coarse.Buckets)[n%4:n%4+1]); got != want {
			t.Errorf("the buckets in bucket %d have %x, want %x", n%4, got, want)
		}
		want = append(want, in...)
	}
	if !slices.Equal(*two.Buckets, want) || two.Names != nil {
		t.Errorf("got %q, want %q", *two.Buckets, want)
	}
	var topics digestList
	f.want(200, "/v1/digest?buckets=4&only=3,1", &topics)
	if got, want := sum(*topics.Sums), sum([]string{(*coarse.Buckets)[1], (*coarse.Buckets)[3]}); got != want || len(*topics.Names) != len(*topics.Sums) {
		t.Errorf("the topics of two buckets %+v have %x, want %x", topics, got, want)
	}
	for _, bad := range []string{
		"buckets=32&within=5&only=1", "buckets=4&within=32&only=1", "buckets=32&within=4", "buckets=32&within=4&only=4", "within=4&only=1",
		"buckets=4&only=", "buckets=4&only=1,", "buckets=4&only=1,1", "buckets=4&only=%2B1", "buckets=4&only=1,4",
		"buckets=65536&only=0" + strings.Repeat(",1", 256),
	} {
		if w := f.get("/v1/digest?" + bad); w.Code != 400 {
			t.Errorf("%s is answered %d", bad, w.Code)
		}
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
