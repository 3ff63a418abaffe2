package admin

import (
	"testing"

	"gonamesrv/route"
)

// TestEventRows: a storm is a few rows, which say how many others there were, and lead to
// all of them.
func TestEventRows(t *testing.T) {
	a := &Admin{api: api{boot: "b"}}
	events := []route.JournalEvent{{Seq: 1, AtMillis: 500, Type: route.JournalServerStarted, Details: &route.EventDetails{}}}
	const brokers = 300
	for i := range uint64(brokers) {
		for j, kind := range []route.JournalType{route.JournalBrokerRegistered, route.JournalTopicsChanged} {
			events = append(events, route.JournalEvent{Seq: 2 + 2*i + uint64(j), AtMillis: 1000 + int64(i), Type: kind, Details: &route.EventDetails{}})
		}
	}
	events = append(events, route.JournalEvent{Seq: 602, AtMillis: 2000, Type: route.JournalBrokerRegistered, Details: &route.EventDetails{}})
	rows := a.eventRows(events, 12)
	if len(rows) != 1+2*mostAlike+1 {
		t.Fatalf("%d rows", len(rows))
	}
	total := 0
	for i, r := range rows {
		total++
		if r.Others == nil {
			continue
		}
		total += r.Others.More
		if want := map[int]string{5: "/events?since=b.2&type=topics.changed", 6: "/events?since=b.1&type=broker.registered"}[i]; r.Others.Link != want {
			t.Errorf("row %d leads to %s, want %s", i, r.Others.Link, want)
		}
		if r.Others.More != brokers-mostAlike {
			t.Errorf("row %d stands for %d others", i, r.Others.More)
		}
	}
	if total != len(events) || rows[0].Seq != 602 || rows[len(rows)-1].Seq != 1 {
		t.Errorf("%d of %d events: %v", total, len(events), rows)
	}
	if rows := a.eventRows(events, 2); len(rows) != 2 {
		t.Errorf("%d rows, want 2", len(rows))
	}
}
