package route

import (
	"strings"
	"testing"

	"gonamesrv/codec"
)

// TestCheckInvariantsFinds damages a restored Table in one way after the other: each
// is found. Ten of its topics share the rows of twenty broker sets, and two have a
// broker of their own.
func TestCheckInvariantsFinds(t *testing.T) {
	former := New(Options{})
	for i := range 20 {
		if _, err := former.RegisterBroker(1, benchRegistration(i, benchBody(0, 10, 1, never))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := former.RegisterBroker(1, benchRegistration(20, benchBody(100, 2, 1, never))); err != nil {
		t.Fatal(err)
	}
	saved := former.View().Save(2)
	shared, single := string(benchTopic(3)), string(benchTopic(100))
	entry := func(table *Table, name string) *TopicEntry {
		e, ok := table.topicQueueTable.get(name)
		if !ok {
			t.Fatalf("no topic %q", name)
		}
		return e
	}
	put := func(table *Table, e *TopicEntry) { // as it would be
		table.edition++
		table.topicQueueTable.put(table.edition, e)
		table.topicByID.put(table.edition, e.id, e)
		table.namesChanged = true
		table.publish()
	}
	for name, tt := range map[string]struct {
		damage func(*Table)
		want   string
	}{
		"nothing": {func(*Table) {}, ""},
		"not in the index of a broker": {func(table *Table) {
			table.set("broker-00007").topics.words[0] &^= 1 << entry(table, shared).id
		}, "not in the index of broker"},
		"in the index for nothing": {func(table *Table) { table.set("broker-00007").topics.add(500) }, "index has 11 topics, table 10"},
		"counted wrongly":          {func(table *Table) { table.set("broker-00007").topics.size++ }, "index has 11 topics, table 10"},
		"shown wrongly":            {func(table *Table) { table.set("broker-00007").topicCount.Add(1) }, "10 topics, shown as 11"},
		"static topics wrongly":    {func(table *Table) { table.statics++ }, "topics with static mappings, counted"},
		"under another's number": {func(table *Table) {
			table.topicByID.put(table.edition, entry(table, single).id, entry(table, shared))
		}, "not under its number"},
		"a number beyond all": {func(table *Table) { entry(table, single).id = 5000 }, "not under its number"},
		"no rows":             {func(table *Table) { entry(table, single).queues = nil }, "has no broker"},
		"row of nobody":       {func(table *Table) { put(table, newLeafEntry(single, entry(table, single).id, nil, []uint32{1, 77, 0})) }, "broker number 77 is free"},
		"rows out of order": {func(table *Table) {
			put(table, newLeafEntry(single, entry(table, single).id, nil, []uint32{2, 20, 0, 3, 0}))
		}, "in order: false"},
		"shared rows in a wrong node": {func(table *Table) { entry(table, shared).queues.tree().sets()[1]++ }, "below a node"},
		"shared rows with a patch to nothing": {func(table *Table) {
			e := entry(table, shared)
			put(table, newPatchEntry(shared, e.id, nil, e.queues.tree(), []uint32{20, 0}))
		}, "is in the patch, but not in the tree"},
		"mapping without row": {func(table *Table) {
			e := entry(table, shared)
			put(table, newPatchEntry(shared, e.id, (*topicMappings)(nil).with(codec.TopicQueueMappingInfo{Bname: "broker-00020"}), e.queues.tree(), nil))
		}, `mapping of broker "broker-00020" without queue data`},
		"entries counted wrongly": {func(table *Table) { table.entries++ }, "counted 203"},
		"restored, but not served": {func(table *Table) {
			table.set("broker-00007").unheard.topics.words[3] = 1
		}, "are restored, but it does not serve them"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := Restore(Options{}, saved, 10, 1)
			if err != nil {
				t.Fatal(err)
			}
			tt.damage(table)
			err = table.CheckInvariants()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("it finds %v, want %q", err, tt.want)
			}
		})
	}
}
