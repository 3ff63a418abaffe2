package route

import (
	"runtime"
	"testing"

	"gonamesrv/codec"
)

// TestHistoryOfATopic loses topics in each way there is: what had them, and what
// ended them, is known.
func TestHistoryOfATopic(t *testing.T) {
	const second = 1_000
	topic := benchTopic(7) // no event names it among five
	for _, c := range []struct {
		name string
		lose func(table *Table, now int64)
		kind JournalType
		had  int // brokers, in the View that is found
	}{
		{"deleted", func(table *Table, now int64) {
			table.By(Moment{NowMillis: now}, Origin{}).DeleteTopic(string(topic))
		}, JournalTopicDeleted, 2},
		{"both names go", func(table *Table, now int64) {
			by := table.By(Moment{NowMillis: now}, Origin{})
			by.ConnClosed(1)
			by.ConnClosed(2)
		}, JournalSetRemoved, 2},
		{"one a minute later", func(table *Table, now int64) {
			table.By(Moment{NowMillis: now}, Origin{}).ConnClosed(1)
			table.By(Moment{NowMillis: now + 60*second}, Origin{}).ConnClosed(2)
		}, JournalSetRemoved, 1},
		{"not listed any more", func(table *Table, now int64) {
			for i := range 2 {
				r := benchRegistration(i, benchBody(8, 10, 2, never))
				r.DeleteMissingTopics = true
				if _, err := table.RegisterBroker(now, r); err != nil {
					panic(err)
				}
			}
		}, JournalTopicsChanged, 2},
		{"deleted, and others change in the same second", func(table *Table, now int64) {
			table.By(Moment{NowMillis: now}, Origin{}).DeleteTopic(string(topic))
			for i := range 2 {
				r := benchRegistration(i, benchBody(8, 2, 2, never))
				r.DeleteMissingTopics = true
				if _, err := table.RegisterBroker(now, r); err != nil {
					panic(err)
				}
			}
		}, JournalTopicDeleted, 2},
		{"one of many not listed any more", func(table *Table, now int64) {
			for i := range 2 {
				r := benchRegistration(i, benchBody(9, 2, 2, never))
				r.DeleteMissingTopics = true
				if _, err := table.RegisterBroker(now, r); err != nil {
					panic(err)
				}
			}
		}, JournalTopicsChanged, 2},
		{"one name goes, the other does not list many any more", func(table *Table, now int64) {
			table.By(Moment{NowMillis: now}, Origin{}).ConnClosed(1)
			r := benchRegistration(1, benchBody(9, 2, 2, never))
			r.DeleteMissingTopics = true
			mustRegisterAt(t, table, now, r)
		}, JournalTopicsChanged, 2},
		{"not listed any more, and deleted by an operator in vain later", func(table *Table, now int64) {
			for i := range 2 {
				r := benchRegistration(i, benchBody(8, 10, 2, never))
				r.DeleteMissingTopics = true
				mustRegisterAt(t, table, now, r)
			}
			by := table.By(Moment{NowMillis: now + 2*second}, Origin{})
			by.ConnClosed(1)
			by.ConnClosed(2)
		}, JournalTopicsChanged, 2},
		{"deleted, and others go later", func(table *Table, now int64) {
			table.By(Moment{NowMillis: now}, Origin{}).DeleteTopic(string(topic))
			table.By(Moment{NowMillis: now + second}, Origin{}).ConnClosed(1)
			table.By(Moment{NowMillis: now + 2*second}, Origin{}).ConnClosed(2)
		}, JournalTopicDeleted, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := benchShared(2, 10)
			if _, ok := table.History().Topic(topic); ok {
				t.Error("a topic that is there is history")
			}
			c.lose(table, 10*second)
			past, ok := table.History().Topic(topic)
			if !ok {
				t.Fatal("nothing is known")
			}
			if past.Until.Type != c.kind || past.Until.Seq == 0 || past.Until.Seq <= past.View.Seq() {
				t.Errorf("until %+v, the View is of %d", past.Until, past.View.Seq())
			}
			data := past.View.PickupTopicRouteData(past.Entry, false)
			if len(data.QueueDatas) != c.had || len(data.BrokerDatas) != c.had {
				t.Errorf("it was %+v", data)
			}
			if _, ok := table.History().Topic([]byte("never there")); ok {
				t.Error("a topic that never was is history")
			}
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHistoryIsBounded changes topics for an hour: no more Views are kept than one a
// second, than the budget allows, and than 15 minutes are old. Tight memory takes all.
func TestHistoryIsBounded(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	const budget = 1 << 20 // 4,096 entries
	table := New(Options{HistoryBytes: budget})
	counter, now := int64(1), int64(0)
	change := func(topics int) {
		counter++
		mustRegisterAt(t, table, now, benchRegistration(0, benchBody(0, topics, counter, func(i int) bool { return counter%2 == 0 })))
	}
	change(10)
	for range 1_000 {
		now += 10
		change(3)
	}
	if s := table.History().Stats(); s.Views != 10 {
		t.Errorf("%d Views of 10 s are kept", s.Views)
	}
	for range 3_600 {
		now += 1_000
		change(10)
	}
	s := table.History().Stats()
	if s.Bytes > budget || s.Bytes < budget*3/4 || s.Views > 410 || s.Dropped == 0 || s.MaxBytes != budget {
		t.Errorf("%+v", s)
	}
	now += 100_000
	change(5_000)
	change(5_000) // alone it is more than the budget
	if s := table.History().Stats(); s.Bytes != 0 || s.Views != 0 {
		t.Errorf("after a change that is too large: %+v", s)
	}
	for range 100 {
		now += 10_000
		change(10)
	}
	if s := table.History().Stats(); s.Views < 88 || s.Views > 91 {
		t.Errorf("%d Views of 15 min are kept, one each 10 s", s.Views)
	}
	table.History().Sweep(now+900_001, false)
	if s := table.History().Stats(); s.Views != 0 || s.Bytes != 0 {
		t.Errorf("after 15 min: %+v", s)
	}
	change(20)
	table.History().Sweep(now, true)
	if s := table.History().Stats(); s.Views != 0 || s.Bytes != 0 {
		t.Errorf("memory is tight: %+v", s)
	}
	off := New(Options{HistoryBytes: -1})
	for i := range 3 {
		mustRegisterAt(t, off, int64(i)*10_000, benchRegistration(0, benchBody(0, 10, int64(i), func(int) bool { return i%2 == 0 })))
	}
	if s := off.History().Stats(); s.Views != 0 {
		t.Errorf("what is off keeps %d Views", s.Views)
	}
}

// TestHistoryKeepsNoBodies asks for routes and lists, and keeps Views of before: what was
// encoded of entries that are replaced is let go of, and so are lists.
func TestHistoryKeepsNoBodies(t *testing.T) {
	table := benchShared(2, 1_000)
	for i := range 1_000 {
		mustRoute(t, table.View(), benchTopic(i), codec.DialectStrict)
	}
	lists := string(table.View().AllTopicList()) + string(table.View().ClusterInfo())
	mustRegisterAt(t, table, 5_000, benchRegistration(0, benchBody(0, 1_000, 2, always)))
	past := table.History().kept[0].view
	for e := range past.topics.all {
		if b := e.bodies.Load(); b != retired {
			t.Fatalf("%s keeps its encoded routes", e.name)
		}
	}
	if past.names.p.Load() != nil || past.brokers.clusterInfo.p.Load() != nil {
		t.Error("encoded lists are kept")
	}
	if bytes, _ := table.CachedBytes(); bytes != 0 {
		t.Errorf("%d bytes are kept", bytes)
	}
	if again := string(past.AllTopicList()) + string(past.ClusterInfo()); again != lists {
		t.Error("the View says something else now")
	}
}

// BenchmarkJournal is one event, as a Table and as the server makes it.
func BenchmarkJournal(b *testing.B) {
	j := NewJournal(0)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			j.add(&JournalEvent{Type: JournalTopicsChanged, Cluster: "cluster", Broker: "broker", Addr: "10.0.0.1:10911"}, false)
		}
	})
	b.Run("append and signal", func(b *testing.B) {
		_, cancel, _ := j.Watch()
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			j.Note(JournalEvent{Type: JournalTopicsChanged, Cluster: "cluster", Broker: "broker", Addr: "10.0.0.1:10911"})
		}
	})
	b.Run("read 1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := j.Read(j.Newest()-MaxRead, nil, MaxRead); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHistoryMemory is what a full journal and a full history take, of 300 brokers
// that serve the same 10,000 topics: one registers with all topics changed each second.
func BenchmarkHistoryMemory(b *testing.B) {
	const brokers, topics = 300, 10_000
	bodies := [2]*codec.RegisterBrokerBody{benchBody(0, topics, 1, never), benchBody(0, topics, 2, always)}
	for b.Loop() {
		table := benchShared(brokers, topics)
		now, round := int64(1_000), 0
		change := func() {
			now += historyInterval
			r := benchRegistration(round%brokers, bodies[(round/brokers+1)%2])
			if _, err := table.RegisterBroker(now, r); err != nil {
				b.Fatal(err)
			}
			round++
		}
		for range 20 {
			change()
		}
		h := table.History().Stats()
		full := heapInUse()
		table.History().Sweep(now, true)
		b.ReportMetric(float64(full-heapInUse())/(1<<20), "history-MB")
		b.ReportMetric(float64(h.Bytes)/(1<<20), "counted-MB")
		b.ReportMetric(float64(h.Views), "views")

		before := heapInUse()
		table.journal = NewJournal(0)
		for i := range DefaultJournalSize {
			var sample []string
			for k := range maxSample {
				sample = append(sample, string(benchTopic(i+k)))
			}
			sample = cloneNames(sample)
			table.journal.Note(JournalEvent{Type: JournalTopicsChanged, Cluster: "cluster", Broker: "broker", Addr: "10.0.0.1:10911", Details: &EventDetails{Sample: sample}})
		}
		b.ReportMetric(float64(heapInUse()-before)/(1<<20), "journal-MB")
		runtime.KeepAlive(table)
	}
}
