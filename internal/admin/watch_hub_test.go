package admin

import (
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

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
