package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// A follower watches over HTTP and applies what it is told, in order.
type follower struct {
	base   string // address and query
	stream bool
	cuts   bool // it loses its connection now and then, also in the middle of a message

	mu       sync.Mutex
	topics   map[string]string // what it was told last, as JSON
	brokers  map[string]string
	events   []uint64
	mark     string
	messages int // with something in them
	items    int
	resets   int
	began    time.Time
}

func (f *follower) apply(kind, body string) {
	switch kind {
	case "topic":
		var t watchedTopic
		if json.Unmarshal([]byte(body), &t) == nil {
			f.topics[t.Topic] = body
		}
	case "broker":
		var b watchedBroker
		if json.Unmarshal([]byte(body), &b) == nil {
			if f.brokers[b.Broker] = body; !b.Registered {
				delete(f.brokers, b.Broker)
			}
		}
	case "event":
		var e struct{ Seq uint64 }
		if json.Unmarshal([]byte(body), &e) == nil {
			f.events = append(f.events, e.Seq)
		}
	case "reset":
		f.resets++
		clear(f.topics)
		clear(f.brokers)
	}
	f.items++
}

// follow watches until ctx is done.
func (f *follower) follow(ctx context.Context, client *http.Client) error {
	f.topics, f.brokers, f.began = map[string]string{}, map[string]string{}, time.Now()
	for ctx.Err() == nil {
		var err error
		if f.stream {
			err = f.stay(ctx, client)
		} else {
			err = f.poll(ctx, client)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (f *follower) poll(ctx context.Context, client *http.Client) error {
	address := f.base + "&wait=20s"
	if f.mark != "" {
		address += "&since=" + f.mark
	}
	r, _ := http.NewRequestWithContext(ctx, "GET", address, nil)
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer.StatusCode == http.StatusNotModified {
		f.mark = strings.Trim(answer.Header.Get("ETag"), `"`)
		return nil
	}
	var got watchAnswer
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || answer.StatusCode != 200 {
		return fmt.Errorf("%d: %v", answer.StatusCode, err)
	}
	if got.Reset {
		f.apply("reset", "")
	}
	for kind, bodies := range map[string][]json.RawMessage{"topic": got.Topics, "broker": got.Brokers, "event": got.Events} {
		for _, body := range bodies {
			f.apply(kind, string(body))
		}
	}
	f.mark = got.Generation
	f.messages++
	return nil
}

func (f *follower) stay(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", f.base, nil)
	r.Header.Set("Accept", "text/event-stream")
	if f.mark != "" {
		r.Header.Set("Last-Event-ID", f.mark)
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return fmt.Errorf("%d", answer.StatusCode)
	}
	lines := bufio.NewReader(answer.Body)
	left := -1
	if f.cuts {
		left = rand.IntN(500)
	}
	var kind, id, body string
	for ; left != 0; left-- {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // it comes back
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			body = value
		case "":
			f.mu.Lock()
			if body != "" {
				f.apply(kind, body)
			}
			if id != "" {
				f.mark = id
				f.messages++
			}
			f.mu.Unlock()
			kind, id, body = "", "", ""
		}
	}
	return nil
}

// A crowd of brokers changes topics all the time.
type crowd struct {
	f     *fixture
	conns []*nstest.Client
	names []string // of topics
	round int
}

func newCrowd(f *fixture, brokers, topics int) *crowd {
	c := &crowd{f: f}
	for range brokers {
		c.conns = append(c.conns, nstest.Dial(f.t, f.addr))
	}
	for i := range topics {
		c.names = append(c.names, fmt.Sprintf("topic-%d", i))
	}
	return c
}

// register lets broker i register a share of the topics, each with another number of
// queues than before; in some rounds without some of them.
func (c *crowd) register(i, round int) {
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: int64(round + 1)}}
	for n, name := range c.names {
		if n%len(c.conns) == i && (n+round)%7 != 0 {
			q := int32(1 + (n+round)%16)
			body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: q, WriteQueueNums: q, Perm: 6})
		}
	}
	b := nstest.Broker{Cluster: "c", Name: fmt.Sprintf("b%d", i), Addr: fmt.Sprintf("10.0.%d.%d:1", i, round%3), Counter: int64(round + 1)}
	if reply := c.conns[i].Do(b.RegisterBody(body.AppendJSON(nil))); reply.Code != 0 {
		c.f.t.Errorf("a registration is answered %d %s", reply.Code, reply.Remark)
	}
}

// storm registers all brokers so many times, each on a goroutine of its own.
func (c *crowd) storm(rounds int) {
	var all sync.WaitGroup
	for i := range c.conns {
		all.Go(func() {
			for r := range rounds {
				c.register(i, c.round+r)
			}
		})
	}
	all.Wait()
	c.round += rounds
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(nstest.Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not true: %s", what)
		}
	}
}

// TestWatchersLoseNothing lets 10,000 topics change under 64 watchers, who poll or
// stream, and of whom some lose their connections all the time. In the end each knows
// what is, and was told of it in a bounded number of messages.
func TestWatchersLoseNothing(t *testing.T) {
	// One that has lost its connection may be back before that is noticed.
	f := newFixture(t, func(c *namesrv.Config) { c.AdminMaxWatchers = 128 })
	c := newCrowd(f, 4, 10_000)
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
	eventually(t, "all watch", func() bool {
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
		eventually(t, fmt.Sprintf("watcher %d knows what is", i), func() bool {
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
				eventually(t, "it is told of the newest event", func() bool {
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
	eventually(t, "it waits", func() bool { n, _, _ := f.hub.stats(); return n == 1 })
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
	eventually(t, "nobody watches", func() bool { n, _, _ := f.hub.stats(); return n == 0 })
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
	eventually(t, "it is stuck", func() bool { return out.writes.Load() == 2 })
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

// TestJournalGoesRound: one that comes back after more events than the journal keeps is
// told to begin anew, and so is one that is told of them and not quick enough.
func TestJournalGoesRound(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.JournalSize = 1024 })
	var first watchAnswer
	f.want(200, "/v1/watch?events=1", &first)
	w, _, err := f.hub.join(&watchAsk{events: true})
	if err != nil {
		t.Fatal(err)
	}
	f.hub.mu.Lock() // so the hub does not see them come
	for range 3000 {
		f.server.Journal().Note(route.JournalEvent{Type: route.JournalKVPut})
	}
	f.hub.mu.Unlock()
	select {
	case <-w.lost:
	case <-time.After(nstest.Patience):
		t.Fatal("the watcher is not lost")
	}
	var again watchAnswer
	f.want(200, "/v1/watch?events=1&since="+first.Generation, &again)
	if !again.Reset || len(again.Events) > 0 {
		t.Errorf("it is told reset %v, %d events", again.Reset, len(again.Events))
	}
	// 500 are in the journal still: they come in one answer, and none twice.
	for range 500 {
		f.server.Journal().Note(route.JournalEvent{Type: route.JournalKVPut})
	}
	var more watchAnswer
	f.want(200, "/v1/watch?events=1&since="+again.Generation, &more)
	for len(more.Events) < 500 {
		n := len(more.Events)
		since, events := more.Generation, more.Events
		more = watchAnswer{}
		f.want(200, "/v1/watch?events=1&since="+since, &more)
		if more.Events = append(events, more.Events...); len(more.Events) == n {
			t.Fatal("no more events come")
		}
	}
	if len(more.Events) != 500 {
		t.Errorf("%d events came", len(more.Events))
	}
}

// TestStream: what a browser is told, first and when it comes back, byte for byte.
func TestStream(t *testing.T) {
	r := run(t, func(c *namesrv.Config) { c.AdminAnonymousLocal = "read" })
	a := r.server.Addr().String()
	if reply := nstest.Dial(t, a).Do(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "X"}}.Register()); reply.Code != 0 {
		t.Fatal(reply)
	}
	open := func(id string) (io.Closer, *bufio.Reader, http.Header) {
		q, _ := http.NewRequest("GET", "http://"+r.addr+"/v1/watch?topic=T&since=gone.1.1", nil)
		q.Header.Set("Accept", "text/event-stream")
		q.Header.Set("Last-Event-ID", id)
		answer, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Body, bufio.NewReader(answer.Body), answer.Header
	}
	block := func(from *bufio.Reader) (lines []string) {
		for {
			line, err := from.ReadString('\n')
			if err != nil {
				t.Fatal(err, lines)
			}
			if line == "\n" {
				return lines
			}
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	body, text, header := open("")
	if header.Get("Content-Type") != "text/event-stream" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("the header is %v", header)
	}
	if got := block(text); !slices.Equal(got, []string{"retry: 3000"}) {
		t.Errorf("it begins with %q", got)
	}
	if got := block(text); got[0] != "event: reset" || len(got) != 2 {
		t.Errorf("then comes %q", got)
	}
	got := block(text)
	if len(got) != 3 || got[0] != "event: topic" || !strings.HasPrefix(got[1], "id: "+r.boot+".") || !strings.HasPrefix(got[2], `data: {"topic":"T","routed":true`) {
		t.Fatalf("then comes %q", got)
	}
	id := strings.TrimPrefix(got[1], "id: ")
	body.Close()
	// While it is away, its topic does not change, and then it does.
	body, text, _ = open(id)
	block(text)
	nstest.Dial(t, a).Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "T"))
	if got := block(text); got[0] != "event: topic" || !strings.Contains(got[2], `"routed":false`) || got[1] == "id: "+id {
		t.Errorf("then comes %q", got)
	}
	body.Close()
	body, text, _ = open(id)
	block(text)
	if got := block(text); got[0] != "event: topic" || !strings.Contains(got[2], `"routed":false`) {
		t.Errorf("with the first id comes %q", got)
	}
	body.Close()
	eventually(t, "its end is noticed", func() bool { return r.Stats().Watchers == 0 })
}

// TestWatchersEnd: they end with the server, which waits for none of them, and leave no
// goroutine.
func TestWatchersEnd(t *testing.T) {
	before := goleak.IgnoreCurrent()
	r := run(t, func(c *namesrv.Config) { c.ShutdownWaitTime, c.DrainTime = 0, 0 })
	r.guard.asks, r.guard.scrapes = newLimiter(1e9, 1e9), newLimiter(1e9, 1e9)
	var clients sync.WaitGroup
	transport := &http.Transport{}
	for i := range 20 {
		q, _ := http.NewRequest("GET", "http://"+r.addr+"/v1/watch?topic=T&state=1&wait=300s", nil)
		if i%2 == 0 {
			q.Header.Set("Accept", "text/event-stream")
		} else {
			q.URL.RawQuery = "topic=T&wait=300s&since=" + r.markText(mark{0, r.server.View().Edition()})
		}
		clients.Go(func() {
			if answer, err := transport.RoundTrip(q); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
	eventually(t, "streams watch", func() bool { return r.Stats().Watchers >= 10 })
	r.end()
	r.wait()
	clients.Wait()
	transport.CloseIdleConnections()
	if n := r.Stats().Watchers; n != 0 {
		t.Errorf("%d watch", n)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if _, _, err := r.hub.join(&watchAsk{state: true}); err != errNotServing {
		t.Errorf("after the end one joins with %v", err)
	}
}

// TestHubSleeps: it is subscribed only while somebody watches, and a while longer.
func TestHubSleeps(t *testing.T) {
	f := newFixture(t, nil)
	isAwake := func() bool {
		f.hub.mu.Lock()
		defer f.hub.mu.Unlock()
		return f.hub.view != nil
	}
	if isAwake() {
		t.Error("nobody watches, and it is awake")
	}
	w, _, err := f.hub.join(&watchAsk{topics: []string{"T"}, brokers: true})
	if err != nil || !isAwake() {
		t.Fatalf("it sleeps: %v", err)
	}
	f.hub.sweep(time.Now().Add(time.Hour))
	if !isAwake() {
		t.Error("somebody watches, and it sleeps")
	}
	f.hub.part(w)
	f.hub.sweep(time.Now())
	if !isAwake() {
		t.Error("it sleeps at once")
	}
	f.hub.sweep(time.Now().Add(time.Hour))
	if isAwake() || len(f.hub.topics) > 0 {
		t.Error("it stays awake")
	}
	for range 100 { // no subscription is left behind, of which there are few
		w, _, err := f.hub.join(&watchAsk{topics: []string{"T"}})
		if err != nil {
			t.Fatal(err)
		}
		f.hub.part(w)
		f.hub.sweep(time.Now().Add(time.Hour))
	}
}

// TestStateIsMadeOnce: as many as watch it, it is made once a second.
func TestStateIsMadeOnce(t *testing.T) {
	f := newFixture(t, nil)
	var all []*watcher
	for range 10 {
		w, _, err := f.hub.join(&watchAsk{state: true})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	var bodies [][]byte
	for _, w := range all {
		m := <-w.messages
		bodies = append(bodies, m.items[0].body)
		f.hub.part(w)
	}
	for _, b := range bodies {
		if &b[0] != &bodies[0][0] {
			t.Fatal("the state was made for each")
		}
	}
}
