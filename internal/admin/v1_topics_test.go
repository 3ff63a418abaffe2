package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/internal/nstest"
)

// TestTopicPages walks all topics in pages of any size: each topic comes once, in order,
// whatever filters there are, and the end is that there is no next.
func TestTopicPages(t *testing.T) {
	f := newFixture(t, nil)
	var even, all []string
	for i := range 1234 {
		all = append(all, fmt.Sprintf("T%04d", i))
		if i%2 == 0 {
			even = append(even, all[i])
		}
	}
	f.register(nstest.Broker{Cluster: "c1", Name: "all", Addr: "10.0.0.1:1", Counter: 1, Topics: all})
	f.register(nstest.Broker{Cluster: "c2", Name: "even", Addr: "10.0.0.2:1", Counter: 1, Topics: even})
	f.names.forget(time.Now().Add(time.Hour))
	for _, tc := range []struct {
		query string
		want  []string
	}{
		{"limit=7", all},
		{"limit=1000", all},
		{"limit=617", all},
		{"limit=1234&fields=name", all},
		{"limit=100&cluster=c2", even},
		{"limit=100&broker=even&fields=name", even},
		{"limit=10&prefix=T001", all[10:20]},
		{"limit=3&prefix=T001", all[10:20]},
		{"limit=50&contains=99", slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !strings.Contains(s, "99") })},
		{"cluster=none", nil},
		{"perm=4", nil},
		{"prefix=zzz", nil},
	} {
		var got []string
		pages, after := 0, ""
		for {
			var page listing[topicName]
			f.want(200, "/v1/topics?"+tc.query+"&after="+url.QueryEscape(after), &page)
			for _, it := range page.Items {
				got = append(got, it.Topic)
			}
			if pages++; page.Next == "" || pages > 1000 {
				break
			}
			after = page.Next
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %d topics in %d pages, want %d", tc.query, len(got), pages, len(tc.want))
		}
	}
}

// TestShortPages: a request looks at so many names, and no more; the page may be empty
// and still have a next.
func TestShortPages(t *testing.T) {
	f := newFixture(t, nil)
	names := make([]string, 2*mostLooked+10)
	for i := range names {
		names[i] = fmt.Sprintf("T%06d", i)
	}
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: names})
	f.names.forget(time.Now().Add(time.Hour))
	last := names[len(names)-1]
	var nexts []string
	for after := ""; ; {
		var page listing[topicName]
		f.want(200, "/v1/topics?contains="+last+"&after="+after, &page)
		if nexts = append(nexts, page.Next); page.Next == "" {
			if len(page.Items) != 1 || page.Items[0].Topic != last {
				t.Errorf("the last page is %+v", page)
			}
			break
		}
		if after = page.Next; len(page.Items) != 0 {
			t.Errorf("page %+v", page)
		}
	}
	if want := []string{names[mostLooked-1], names[2*mostLooked-1], ""}; !slices.Equal(nexts, want) {
		t.Errorf("pages end with %q, want %q", nexts, want)
	}
}

// TestLargePages: what a page shows is bounded, however many brokers have each topic.
func TestLargePages(t *testing.T) {
	if raceEnabled {
		t.Skip("one request at a time")
	}
	f := newFixture(t, nil)
	const brokers = 100
	names := make([]string, mostShown/brokers+100)
	for i := range names {
		names[i] = fmt.Sprintf("T%04d", i)
	}
	for i := range brokers {
		f.register(nstest.Broker{Cluster: "c", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), Counter: 1, Topics: names})
	}
	f.names.forget(time.Now().Add(time.Hour))
	var first, second listing[topicAnswer]
	f.want(200, "/v1/topics?limit=1000", &first)
	f.want(200, "/v1/topics?limit=1000&after="+first.Next, &second)
	if len(first.Items) != mostShown/brokers || len(second.Items) != 100 || second.Next != "" || second.Items[99].Topic != names[len(names)-1] {
		t.Errorf("pages of %d and %d topics, want %d and 100", len(first.Items), len(second.Items), mostShown/brokers)
	}
}
