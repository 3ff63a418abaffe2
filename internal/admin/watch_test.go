package admin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestWatchersLoseNothing lets 10,000 topics change under 64 watchers, who poll or
// stream, and of whom some lose their connections all the time. In the end each knows
// what is, and was told of it in a bounded number of messages.
func TestWatchersLoseNothing(t *testing.T) {
	// One that has lost its connection may be back before that is noticed.
	f := newFixture(t, func(c *namesrv.Config) { c.AdminMaxWatchers = 128 })
	topics := 10_000
	if raceEnabled {
		topics = 3_000
	}
	c := newCrowd(f, 4, topics)
	listener := httptest.NewServer(f.Handler)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer func() { stop(); work.Wait(); client.CloseIdleConnections(); listener.Close() }()
	watched := make([][]string, 64)
	followers := make([]*follower, len(watched))
	for i := range watched {
		query := url.Values{}
		for range 100 {
			watched[i] = append(watched[i], c.names[rand.IntN(len(c.names))])
		}
		query["topic"] = watched[i]
		if i%8 == 0 {
			query.Set("brokers", "1")
		}
		if i%8 == 1 {
			query.Set("events", "1")
		}
		w := &follower{base: listener.URL + "/v1/watch?" + query.Encode(), stream: i%2 == 0, cuts: i%4 == 0}
		followers[i] = w
		work.Go(func() {
			if err := w.follow(ctx, client); err != nil {
				t.Errorf("watcher %d: %v", i, err)
			}
		})
	}
	nstest.Eventually(t, "all watch", func() bool {
		for _, w := range followers {
			w.mu.Lock()
			n := w.messages
			w.mu.Unlock()
			if n == 0 {
				return false
			}
		}
		return true
	})
	rounds := 12
	began := f.server.View().Edition()
	c.storm(rounds)
	f.do(nstest.Broker{Cluster: "c", Name: "b3", Addr: "10.0.3.9:1"}.Register()) // without any topic: the same as none
	f.do(nstest.Broker{Cluster: "c", Name: "b3", Addr: "10.0.3.9:1"}.Unregister())

	view := f.server.View()
	brokers := map[string]string{}
	for b := range view.Brokers() {
		brokers[b.Name] = string(brokerItem(b.Name, b).body)
	}
	for i, w := range followers {
		nstest.Eventually(t, fmt.Sprintf("watcher %d knows what is", i), func() bool {
			if f.server.View() != view {
				view = f.server.View() // sweeps
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, name := range watched[i] {
				if w.topics[name] != string(topicItem(view, name).body) {
					return false
				}
			}
			if i%8 != 0 {
				return true
			}
			for name, body := range brokers {
				if w.brokers[name] != body {
					return false
				}
			}
			return len(w.brokers) == len(brokers)
		})
	}
	views := f.server.View().Edition() - began
	for i, w := range followers {
		w.mu.Lock()
		if i%8 == 1 {
			for n := 1; n < len(w.events); n++ {
				if w.events[n] != w.events[n-1]+1 {
					t.Errorf("watcher %d: event %d comes after %d", i, w.events[n], w.events[n-1])
				}
			}
			if newest := f.server.Journal().Newest(); len(w.events) == 0 || w.events[len(w.events)-1] < newest {
				w.mu.Unlock()
				nstest.Eventually(t, "it is told of the newest event", func() bool {
					w.mu.Lock()
					defer w.mu.Unlock()
					return len(w.events) > 0 && w.events[len(w.events)-1] == newest
				})
				w.mu.Lock()
			}
		}
		// What it was told at once when it came back counts besides.
		if most := int(time.Since(w.began)/hubPause) + 10; !w.cuts && w.messages > most {
			t.Errorf("watcher %d was told %d times in %v", i, w.messages, time.Since(w.began))
		}
		if !w.cuts && w.resets > 1 {
			t.Errorf("watcher %d was reset %d times", i, w.resets)
		}
		if i < 4 {
			t.Logf("watcher %d: %d messages, %d items, %d resets, in %v; %d Views", i, w.messages, w.items, w.resets, time.Since(w.began), views)
		}
		w.mu.Unlock()
	}
}

// TestWatchAsks: what is asked for is refused, answered at once, or waited for.
func TestWatchAsks(t *testing.T) {
	f := newFixture(t, nil)
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "U"}})
	many := strings.Repeat("&topic=x", 101)
	for i := range 101 {
		many = strings.Replace(many, "=x", fmt.Sprintf("=%d", i), 1)
	}
	for _, query := range []string{"", "topic=", "topics=T", "topic=T&since=", "topic=T&since=x", "topic=T&since=a.b", "topic=T&since=a.1.2.3", "topic=T&since=A.1", "topic=T&wait=301s", "topic=T&wait=-1s", "topic=T&wait=x", "brokers=2", "brokers=0", "brokers=1&brokers=1", many[1:]} {
		if w := f.get("/v1/watch?" + query); w.Code != 400 {
			t.Errorf("%s is answered %d %s", query, w.Code, w.Body)
		}
	}
	ask := func(query string) (got struct {
		Generation string
		Reset      bool
		Topics     []watchedTopic
		Brokers    []watchedBroker
		Events     []struct{ Seq uint64 }
		State      *struct{ Node string }
	},
	) {
		t.Helper()
		f.want(200, "/v1/watch?"+query, &got)
		return got
	}
	all := ask("topic=T&topic=none&topic=T&brokers=1&events=1&state=1")
	if !all.Reset || len(all.Topics) != 2 || !all.Topics[0].Routed || all.Topics[1].Routed || len(all.Brokers) != 1 || len(all.Events) != 0 || all.State == nil {
		t.Errorf("at first one is told %+v", all)
	}
	if b := all.Topics[0].Brokers; len(b) != 1 || b[0].Members[0].Addr != "10.0.0.1:1" || len(all.Topics[0].Queues) != 1 {
		t.Errorf("the topic is %+v", all.Topics[0])
	}
	w := f.get("/v1/watch?topic=T&wait=0s&since=" + all.Generation)
	if tag := strings.Trim(w.Header().Get("ETag"), `"`); w.Code != 304 || !strings.HasPrefix(tag, f.boot+".") || w.Body.Len() > 0 {
		t.Errorf("if nothing has changed, it is answered %d, %q, %s", w.Code, tag, w.Body)
	}
	if got := ask("topic=T&since=zzz.9.9"); !got.Reset || len(got.Topics) != 1 {
		t.Errorf("with the generation of another start one is told %+v", got)
	}
	if got := ask("topic=T&since=" + f.boot + ".99999.99999"); !got.Reset {
		t.Errorf("with a generation that there is not, one is told %+v", got)
	}
	if got := ask("topic=T&since=" + f.generation(f.server.View())); got.Reset || len(got.Topics) != 1 {
		t.Errorf("with a generation of something else, one is told %+v", got)
	}

	// Two changes: of one of the topics that are watched, and of its broker set alone.
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.2:1", ID: 1, Counter: 1, Topics: []string{"T", "U"}})
	got := ask("topic=T&topic=none&brokers=1&events=1&since=" + all.Generation)
	if len(got.Topics) != 1 || len(got.Topics[0].Brokers[0].Members) != 2 || len(got.Brokers) != 1 || len(got.Events) == 0 {
		t.Errorf("a slave has come, and one is told %+v", got)
	}
	for i, e := range got.Events {
		if i > 0 && e.Seq != got.Events[i-1].Seq+1 {
			t.Errorf("the events are %v", got.Events)
		}
	}
	f.do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "T"))
	got = ask("topic=T&topic=U&topic=none&since=" + got.Generation)
	if len(got.Topics) == 0 || got.Topics[0].Topic != "T" || got.Topics[0].Routed {
		t.Errorf("the topic is deleted, and one is told %+v", got)
	}

	// One that waits is told when it changes, and not of others.
	mark := ask("topic=T&topic=U").Generation
	told := make(chan *httptest.ResponseRecorder)
	go func() { told <- f.get("/v1/watch?topic=T&wait=300s&since=" + mark) }()
	nstest.Eventually(t, "it waits", func() bool { n, _, _ := f.hub.stats(); return n == 1 })
	f.do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "U"))
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 2, Topics: []string{"T", "X"}})
	if w := <-told; w.Code != 200 || !strings.Contains(w.Body.String(), `"topic":"T"`) || strings.Contains(w.Body.String(), `"reset":true`) {
		t.Errorf("it is told %d %s", w.Code, w.Body)
	}
	for _, accept := range []string{"", "text/event-stream"} {
		r := httptest.NewRequest(http.MethodHead, "/v1/watch?topic=T&since="+mark, nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		f.watch2(w, r)
		if w.Code != 200 && w.Code != 304 || accept != "" && w.Body.Len() > 0 {
			t.Errorf("HEAD is answered %d %s", w.Code, w.Body)
		}
	}
	nstest.Eventually(t, "nobody watches", func() bool { n, _, _ := f.hub.stats(); return n == 0 })
}

// watch2 serves one request past the fixture's mux, which has GET only.
func (f *fixture) watch2(w http.ResponseWriter, r *http.Request) {
	for _, e := range endpoints() {
		if e.path == "/v1/watch" {
			e.serve(f.Admin, w, r)
		}
	}
}

// TestViewsInTheMiddle: what a View shows that has no event of its own is told as well,
// also to one that comes back with the number of an event that has not changed.
func TestViewsInTheMiddle(t *testing.T) {
	f := newFixture(t, nil)
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "X"}})
	ask := &watchAsk{topics: []string{"T"}}
	w, _, err := f.hub.join(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer f.hub.part(w)
	old := w.joined
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 2, Topics: []string{"T", "U"}})
	f.do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "T"))
	m := <-w.messages
	for m.mark.edition < f.server.View().Edition() {
		m = <-w.messages
	}
	for _, tt := range []struct {
		since mark
		told  bool
	}{{m.mark, false}, {mark{m.mark.seq, m.mark.edition - 1}, true}, {mark{m.mark.seq, old.edition}, true}, {mark{old.seq, m.mark.edition}, false}, {mark{seq: m.mark.seq}, true}} {
		back, first, err := f.hub.join(&watchAsk{topics: []string{"T"}, since: tt.since, isSince: true})
		if err != nil {
			t.Fatal(err)
		}
		f.hub.part(back)
		if (first != nil) != tt.told {
			t.Errorf("one that comes back with %+v at %+v is told %+v", tt.since, m.mark, first)
		}
	}
}

// An unreadWriter is a peer that does not read until it is let go.
type unreadWriter struct {
	*httptest.ResponseRecorder
	writes atomic.Int32
	stuck  chan struct{}
}

func (w *unreadWriter) Write(b []byte) (int, error) {
	if w.writes.Add(1) > 1 { // retry is through
		<-w.stuck
	}
	return w.ResponseRecorder.Write(b)
}

// TestSlowWatcher: one that does not read is told, after 64 messages that it has not
// taken, to begin anew, and is closed; others are told everything meanwhile. So is one
// that leaves too many bytes.
func TestSlowWatcher(t *testing.T) {
	f := newFixture(t, nil)
	out := &unreadWriter{ResponseRecorder: httptest.NewRecorder(), stuck: make(chan struct{})}
	r := httptest.NewRequest("GET", "/v1/watch?topic=T", nil)
	r.Header.Set("Accept", "text/event-stream")
	ended := make(chan struct{})
	go func() { f.Handler.ServeHTTP(out, r); close(ended) }()
	nstest.Eventually(t, "it is stuck", func() bool { return out.writes.Load() == 2 })
	quick, _, err := f.hub.join(&watchAsk{topics: []string{"T"}})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for i := range mostUntaken + 1 {
		f.register(nstest.Broker{Cluster: "c", Name: fmt.Sprintf("b%d", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), Counter: 1, Topics: []string{"T", "X"}})
		f.hub.look()
		m := <-quick.messages
		f.hub.took(quick, m)
		if seen++; strings.Count(string(m.items[0].body), `"queues":`) != 1 {
			t.Fatalf("told %s", m.items[0].body)
		}
	}
	if _, _, behind := f.hub.stats(); behind != 1 {
		t.Errorf("after %d messages %d have fallen behind", seen, behind)
	}
	close(out.stuck)
	<-ended
	if text := out.Body.String(); !strings.HasSuffix(text, "event: reset\nid: 0.0\ndata: {\"generation\":null}\n\n") {
		t.Errorf("it is told\n%s", text[max(0, len(text)-300):])
	}
	if n, _, _ := f.hub.stats(); n != 1 {
		t.Errorf("%d watch, want the other one", n)
	}
	f.hub.part(quick)

	w, _, err := f.hub.join(&watchAsk{topics: []string{"T"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * 1024 {
		f.hub.mu.Lock()
		f.hub.give(w, item{"topic", make([]byte, 64<<10)})
		f.hub.send()
		f.hub.mu.Unlock()
		if len(w.messages) > mostUntaken/2 {
			break
		}
	}
	select {
	case <-w.lost:
	default:
		t.Errorf("%d messages of 64 KiB wait", len(w.messages))
	}
}

// TestWatcherIsOneTooMany: there are 64, by adminMaxWatchers, and a place that is left is
// free again.
func TestWatcherIsOneTooMany(t *testing.T) {
	f := newFixture(t, nil)
	var all []*watcher
	for range 64 {
		w, _, err := f.hub.join(&watchAsk{brokers: true})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	w := f.get("/v1/watch?topic=T")
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "problem:busy") || !strings.Contains(w.Body.String(), "adminMaxWatchers") {
		t.Errorf("one more is answered %d, %v, %s", w.Code, w.Header(), w.Body)
	}
	if w := f.get("/v1/watch?topic=T", "Accept", "text/event-stream"); w.Code != 503 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("one more is answered %d, %v", w.Code, w.Header())
	}
	f.hub.part(all[0])
	f.hub.part(all[0]) // no two places
	if w := f.get("/v1/watch?topic=T"); w.Code != 200 {
		t.Errorf("then it is answered %d", w.Code)
	}
	if n, refused, _ := f.hub.stats(); n != 63 || refused != 2 {
		t.Errorf("%d watch, %d were refused", n, refused)
	}
	for _, w := range all {
		f.hub.part(w)
	}
}
