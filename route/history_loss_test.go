package route

import (
	"fmt"
	"slices"
	"testing"
)

// TestHistoryOfABroker lets one of three names lose a topic that the others keep, in each
// way there is, and come back: who had it is known, and what ended that, and who has it
// again, or never had it, is not named.
func TestHistoryOfABroker(t *testing.T) {
	const second = 1_000
	topic := benchTopic(7)
	relist := func(table *Table, now int64, broker, from, n int) {
		r := benchRegistration(broker, benchBody(from, n, now, never))
		r.DeleteMissingTopics = true
		mustRegisterAt(t, table, now, r)
	}
	gone := func(table *Table, now int64, broker int) {
		table.By(Moment{NowMillis: now}, Origin{}).ConnClosed(uint64(broker + 1))
	}
	for _, c := range []struct {
		name string
		lose func(table *Table)
		want string // names and ends, the last one first
	}{
		{"nobody", func(*Table) {}, "[]"},
		{"a name goes", func(table *Table) { gone(table, 10*second, 1) }, "[broker-00001 set.removed]"},
		{"two names go, one after the other", func(table *Table) {
			gone(table, 10*second, 2)
			gone(table, 20*second, 1)
		}, "[broker-00001 set.removed broker-00002 set.removed]"},
		{"two names go together", func(table *Table) {
			gone(table, 10*second, 2)
			gone(table, 10*second, 1)
		}, "[broker-00001 set.removed broker-00002 set.removed]"},
		{"not listed any more", func(table *Table) { relist(table, 10*second, 1, 8, 10) }, "[broker-00001 topics.changed]"},
		{"others are not listed any more later", func(table *Table) {
			gone(table, 10*second, 1)
			relist(table, 20*second, 2, 7, 2)
		}, "[broker-00001 set.removed]"},
		{"it goes and comes back without it", func(table *Table) {
			gone(table, 10*second, 1)
			mustRegisterAt(t, table, 20*second, benchRegistration(1, benchBody(8, 10, 9, never)))
		}, "[broker-00001 set.removed]"},
		{"it goes and comes back", func(table *Table) {
			gone(table, 10*second, 1)
			mustRegisterAt(t, table, 20*second, benchRegistration(1, benchBody(0, 10, 9, never)))
		}, "[]"},
		{"a name that never had it goes", func(table *Table) {
			mustRegisterAt(t, table, 10*second, benchRegistration(3, benchBody(8, 10, 9, never)))
			gone(table, 20*second, 3)
		}, "[]"},
		{"deleted in a cluster", func(table *Table) {
			other := benchRegistration(4, benchBody(0, 10, 9, never))
			other.Cluster = "elsewhere"
			mustRegisterAt(t, table, 10*second, other)
			table.By(Moment{NowMillis: 20 * second}, Origin{}).DeleteTopicInCluster(string(topic), "elsewhere")
		}, "[broker-00004 topic.deleted]"},
		{"too long ago", func(table *Table) {
			gone(table, 10*second, 1)
			table.History().Sweep(10*second+historyMillis+1, false)
		}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := New(Options{})
			for i := range 3 {
				mustRegisterAt(t, table, 1, benchRegistration(i, benchBody(0, 10, 1, never)))
			}
			c.lose(table)
			got := []string{}
			for _, l := range table.History().Losses(topic, 10) {
				got = append(got, l.Broker, l.End.Type.String())
				if e, ok := table.View().Topic(topic); !ok || l.End.Seq == 0 || l.End.Seq > table.View().Seq() {
					t.Errorf("%s until %+v, in %v", l.Broker, l.End, e)
				}
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("it is %v, want %s", got, c.want)
			}
		})
	}
}

// TestLossesAreBounded: of many who have lost a topic as many are named as are asked for,
// and where the Journal does not go back so far, what ended it is not known.
func TestLossesAreBounded(t *testing.T) {
	journal := NewJournal(1)
	table := New(Options{Journal: journal})
	for i := range 50 {
		mustRegisterAt(t, table, 1, benchRegistration(i, benchBody(0, 10, 1, never)))
	}
	for i := range 49 {
		table.By(Moment{NowMillis: int64(i+2) * 2_000}, Origin{}).ConnClosed(uint64(i + 1))
	}
	name := benchTopic(3)
	losses := table.History().Losses(name, 5)
	if len(losses) != 5 || losses[0].Broker != "broker-00048" || losses[4].Broker != "broker-00044" {
		t.Errorf("%+v", losses)
	}
	for range 3 * chunkEvents {
		journal.Note(JournalEvent{Type: JournalKVPut})
	}
	losses = table.History().Losses(name, 100)
	if len(losses) != 49 || slices.ContainsFunc(losses, func(l Loss) bool { return l.End.Seq != 0 }) {
		t.Errorf("%d losses: %+v", len(losses), losses)
	}
}
