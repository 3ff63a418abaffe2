package route

import (
	"fmt"
	"slices"
	"testing"

	"gonamesrv/codec"
)

// TestTopicChanges registers, and looks at what is said of topics.
func TestTopicChanges(t *testing.T) {
	table := New(Options{Limits: boundless})
	counter := int64(0)
	register := func(name string, queues int32, topics ...string) TopicChanges {
		t.Helper()
		counter++
		body := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: counter}}
		for _, topic := range topics {
			body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(topic), Key: []byte(topic), ReadQueueNums: queues, WriteQueueNums: queues, Perm: 6})
		}
		r := &Registration{
			RegistrationHeader: RegistrationHeader{Cluster: "C", BrokerName: name, BrokerAddr: name + ":1", TimeoutMillis: 1000},
			Conn:               1, Body: body,
		}
		if _, err := table.RegisterBroker(0, r); err != nil {
			t.Fatal(err)
		}
		return r.Changes
	}
	want := func(what string, got, want TopicChanges) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) || got.Any() != (want.New+want.Added+want.Changed > 0) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("T%03d", i))
	}
	want("all are new", register("a", 4, many...), TopicChanges{New: 1000, NewNames: many[:5]})
	want("the same again", register("a", 4, many...), TopicChanges{})
	want("others have them", register("b", 4, many[:10]...), TopicChanges{Added: 10, AddedNames: many[:5]})
	want("one is changed", register("a", 8, many[7]), TopicChanges{Changed: 1, ChangedNames: many[7:8]})
	want("everything at once", register("b", 8, slices.Concat([]string{"N1", "N2", "N3"}, many[:20])...),
		TopicChanges{New: 3, Added: 10, Changed: 10, NewNames: []string{"N1", "N2", "N3"}, AddedNames: many[10:15], ChangedNames: many[:5]})
}

// TestTopicsAreCountedOnce: what the log is told, what the Journal says and what Stats
// counts is one number each, of a Registration that is given again, too.
func TestTopicsAreCountedOnce(t *testing.T) {
	table := New(Options{Limits: boundless})
	r := &Registration{
		RegistrationHeader: RegistrationHeader{Cluster: "C", BrokerName: "a", BrokerAddr: "a:1", TimeoutMillis: 1000, DeleteMissingTopics: true},
		Conn:               1, Body: &codec.RegisterBrokerBody{},
	}
	var sum TopicChanges
	for i, topics := range [][]string{{"T", "U", "V"}, {"T", "U"}, {"T", "W", "X"}} {
		r.Body.DataVersion.Counter, r.Body.Topics = int64(i+1), nil
		for _, topic := range topics {
			r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: []byte(topic), Key: []byte(topic), ReadQueueNums: int32(i), Perm: 6})
		}
		if _, err := table.RegisterBroker(0, r); err != nil {
			t.Fatal(err)
		}
		c := r.Changes
		sum.New, sum.Changed, sum.Removed = sum.New+c.New, sum.Changed+c.Changed, sum.Removed+c.Removed
		e := table.Journal().Last(&JournalFilter{Types: []JournalType{JournalTopicsChanged}}, 1)[0]
		if e.Topics != (TopicCounts{int32(c.New), int32(c.Changed), int32(c.Removed)}) || len(e.Details.Sample) != min(5, c.New+c.Changed+c.Removed) {
			t.Errorf("registration %d has changed %+v, the journal says %+v, such as %q", i, c, e.Topics, e.Details.Sample)
		}
	}
	if sum.New != 5 || sum.Changed != 3 || sum.Removed != 2 {
		t.Errorf("%+v was changed in all", sum)
	}
	if s := table.Stats().Registrations; s.TopicsAdded != 5 || s.TopicsChanged != 3 || s.TopicsRemoved != 2 {
		t.Errorf("counted are %+v", s)
	}
}

// TestRefusalSaysWhy: both kinds of refusal.
func TestRefusalSaysWhy(t *testing.T) {
	var events []Event
	table := New(Options{Limits: boundless, OnEvent: func(e Event) { events = append(events, e) }})
	register := func(addr string, epoch int64, topics ...string) error {
		body := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{StateVersion: epoch, Timestamp: 1, Counter: 1}}
		for _, topic := range topics {
			body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(topic), Key: []byte(topic), Perm: 6})
		}
		_, err := table.RegisterBroker(0, &Registration{
			RegistrationHeader: RegistrationHeader{Cluster: "C", BrokerName: "a", BrokerAddr: addr, TimeoutMillis: 1000}, Conn: 1, Body: body,
		})
		return err
	}
	if err := register("a:1", 5, "T"); err != ErrSingleTopic {
		t.Errorf("a single topic: %v", err)
	}
	register("a:1", 5, "T", "U")
	if err := register("a:2", 4, "T", "U"); err != nil {
		t.Errorf("an old state version: %v", err)
	}
	if n := len(events); n != 3 {
		t.Fatalf("%d events: %+v", n, events)
	}
	if e := events[0]; e.Kind != RegistrationRefused || e.Refused != ErrSingleTopic || e.Topic != "T" || e.Addr != "a:1" {
		t.Errorf("a single topic gives %+v", e)
	}
	if e := events[2]; e.Kind != RegistrationRefused || e.Refused != ErrStateVersion || e.StateVersion != 4 || e.ByStateVersion != 5 || e.Addr != "a:2" || e.ByAddr != "a:1" {
		t.Errorf("an old state version gives %+v", e)
	}
	events = nil
	table.ScanNotActiveBroker(5000)
	if e := events[0]; e.Kind != BrokerExpired || e.LastUpdateMillis != 0 || e.TimeoutMillis != 1000 {
		t.Errorf("silence gives %+v", e)
	}
}
