package admin

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

func (f *fixture) ofType(t route.JournalType) []route.JournalEvent {
	return f.server.Journal().Last(&route.JournalFilter{Types: []route.JournalType{t}}, 0)
}

// TestEventsAsInTheJournal: each field of an event is that of the journal, and null where
// it has none.
func TestEventsAsInTheJournal(t *testing.T) {
	f := newFixture(t, nil)
	c := nstest.Dial(t, f.addr)
	b := nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T1", "T2"}}
	c.Do(b.Register())
	c.Close()
	nstest.Eventually(t, "the broker's end", func() bool { return len(f.ofType(route.JournalSetRemoved)) > 0 })
	f.do(nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v"))

	var got listing[map[string]any]
	f.want(200, "/v1/events?since=0", &got)
	byType := map[string]map[string]any{}
	for _, e := range got.Items {
		byType[e["type"].(string)] = e
		if n := len(e); n != 22 {
			t.Errorf("%v has %d fields", e, n)
		}
		if e["generation"] != fmt.Sprintf("%s.%v", f.boot, e["seq"]) {
			t.Errorf("event %v is of generation %v", e["seq"], e["generation"])
		}
	}
	lost, removed, put := byType["broker.connectionLost"], byType["set.removed"], byType["kv.put"]
	for _, w := range []struct {
		event map[string]any
		field string
		want  string // JSON
	}{
		{lost, "cause", `{"kind":"close"}`},
		{lost, "cluster", `"c1"`},
		{lost, "broker", `"broker-a"`},
		{lost, "brokerId", `0`},
		{lost, "addr", `"10.0.0.1:10911"`},
		{lost, "parent", `null`},
		{lost, "topics", `{"added":0,"changed":0,"removed":0}`},
		{lost, "sample", `[]`},
		{removed, "parent", fmt.Sprint(lost["seq"])},
		{removed, "topics", `{"added":0,"changed":0,"removed":2}`},
		{removed, "sample", `["T1","T2"]`},
		{removed, "brokerId", `null`},
		{removed, "cause", `{"kind":"parent"}`},
		{put, "broker", `null`},
		{put, "cluster", `null`},
		{put, "code", `100`},
		{put, "cause", `{"kind":"admin"}`},
	} {
		have, err := json.Marshal(w.event[w.field])
		if err != nil || string(have) != w.want {
			t.Errorf("%v: %s is %s, want %s", w.event["type"], w.field, have, w.want)
		}
	}
	if remote, _ := lost["remote"].(string); !strings.HasPrefix(remote, "127.0.0.1:") || lost["conn"] == nil {
		t.Errorf("lost from %v", lost)
	}
	if put["change"] == nil {
		t.Errorf("put: %v", put)
	}
}

// TestEventsGoOn reads page after page until there are no more: each event comes once, in
// its order, and what comes later is there from the last generation on.
func TestEventsGoOn(t *testing.T) {
	f := newFixture(t, nil)
	for i := range 10 {
		f.server.Journal().Note(route.JournalEvent{Type: route.JournalKVPut, Broker: fmt.Sprint("b", i%2), Details: &route.EventDetails{Topic: fmt.Sprint("T", i)}})
	}
	nstest.Eventually(t, "ready", func() bool { return len(f.ofType(route.JournalServerReady)) > 0 })
	newest := f.server.Journal().Newest()
	for _, limit := range []int{1, 3, 100} {
		since, seqs := "0", []uint64{}
		for {
			var page listing[eventAnswer]
			f.want(200, fmt.Sprintf("/v1/events?since=%s&limit=%d", since, limit), &page)
			for _, e := range page.Items {
				seqs = append(seqs, uint64(e.Seq))
			}
			since = page.Generation
			if page.Next == "" {
				break
			}
			if page.Next != page.Generation {
				t.Fatalf("next is %s of %s", page.Next, page.Generation)
			}
		}
		for i, seq := range seqs {
			if seq != uint64(i+1) {
				t.Fatalf("limit %d: event %d comes as number %d", limit, seq, i+1)
			}
		}
		if len(seqs) != int(newest) || since != fmt.Sprintf("%s.%d", f.boot, newest) {
			t.Errorf("limit %d: %d events of %d, up to %s", limit, len(seqs), newest, since)
		}
		var page listing[eventAnswer]
		f.want(200, "/v1/events?since="+since, &page)
		if len(page.Items) != 0 || page.Next != "" || page.Generation != since {
			t.Errorf("after the last: %+v", page)
		}
	}
	for query, want := range map[string]int{
		"broker=b1": 5, "broker=b1&since=0": 5, "broker=none": 0, "topic=T3": 1, "type=kv.*": 10, "type=kv.put,server.*&limit=1000": 12, "limit=2": 2, "cluster=x": 0,
	} {
		var page listing[eventAnswer]
		f.want(200, "/v1/events?"+query, &page)
		if len(page.Items) != want {
			t.Errorf("%s: %d events, want %d", query, len(page.Items), want)
		}
		if query == "limit=2" && uint64(page.Items[1].Seq) != newest {
			t.Errorf("without since the newest are %v", page.Items)
		}
	}
}

// TestEventsThatAreGone: what is not kept any more, and what another start has numbered, is
// answered 410, with the oldest there is.
func TestEventsThatAreGone(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.JournalSize = 1024 })
	nstest.Eventually(t, "ready", func() bool { return len(f.ofType(route.JournalServerReady)) > 0 })
	for range 3000 {
		f.server.Journal().Note(route.JournalEvent{Type: route.JournalKVPut})
	}
	oldest := fmt.Sprintf("%s.%d", f.boot, f.server.Journal().Oldest())
	if oldest == f.boot+".1" {
		t.Fatal("all events are there")
	}
	for since, status := range map[string]int{
		"1": 410, f.boot + ".1": 410, "zz9.3000": 410, "999999": 410, "0": 200, oldest: 200,
		f.boot + ".999999": 200, // of a View whose events will be shown in a moment
		"x!.1":             400, "-1": 400, "": 400, ".1": 400, "1.2.3": 400, strings.Repeat("9", 30): 400,
	} {
		w := f.get("/v1/events?" + url.Values{"since": {since}}.Encode())
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != status {
			t.Errorf("since %q: %d %s", since, w.Code, w.Body)
		}
		if status == 410 && (p.Oldest != oldest || p.Type != "urn:gonamesrv:problem:generation-gone") {
			t.Errorf("since %q: %s", since, w.Body)
		}
	}
}

// TestLastEvents: a broker shows its last events, and who is not there any more what ended
// it.
func TestLastEvents(t *testing.T) {
	f := newFixture(t, nil)
	b := nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Topics: []string{"T"}}
	for i := range 12 {
		b.Counter++
		b.Topics = append(b.Topics, fmt.Sprint("U", i))
		f.register(b)
	}
	var broker brokerAnswer
	f.want(200, "/v1/brokers/broker-a", &broker)
	if broker.Events == nil || len(*broker.Events) != shownEvents {
		t.Fatalf("events %+v", broker.Events)
	}
	for i, e := range *broker.Events {
		if e.Type != "topics.changed" || i > 0 && e.Seq <= (*broker.Events)[i-1].Seq || e.Sample[0] != fmt.Sprint("U", i+2) {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	f.do(b.Unregister())
	nstest.Eventually(t, "the end", func() bool { return f.get("/v1/topics/U3").Code == 404 })
	for path, want := range map[string]string{
		"/v1/topics/T": "set.removed", "/v1/topics/T/route": "set.removed", "/v1/topics/U7": "set.removed", "/v1/brokers/broker-a": "set.removed",
		"/v1/topics/none": "", "/v1/brokers/none": "",
	} {
		var p problem
		f.want(404, path, &p)
		if got := p.LastEvent; (got != nil) != (want != "") || got != nil && got.Type != want {
			t.Errorf("%s: the last event is %+v, want %s", path, got, want)
		}
	}
}
