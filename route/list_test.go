package route

import (
	"testing"

	"gonamesrv/codec"
)

// TestListsOutliveWhatTheyDoNotShow changes a table whose lists by unit and by
// cluster have been made: they are made again only if the change shows in them.
// That they are right is for CheckInvariants, and for random histories.
func TestListsOutliveWhatTheyDoNotShow(t *testing.T) {
	flagged := func(broker int, counter int64, flag int32) *Registration {
		b := benchBody(0, 4, counter, never)
		b.Topics[2].TopicSysFlag = flag
		return benchRegistration(broker, b)
	}
	slave := benchRegistration(0, benchBody(0, 0, 1, never))
	slave.BrokerID, slave.BrokerAddr = 1, "s"
	const cluster = "cluster-0"
	for name, c := range map[string]struct {
		change func(*testing.T, *Table)
		kept   bool
	}{
		"other queues": {func(t *testing.T, table *Table) {
			mustRegister(t, table, benchRegistration(0, benchBody(0, 4, 2, always)))
		}, true},
		"other version": {func(t *testing.T, table *Table) {
			mustRegister(t, table, benchRegistration(0, benchBody(0, 4, 2, never)))
		}, true},
		"permission":          {func(_ *testing.T, table *Table) { table.WipeWritePermOfBroker("broker-00000") }, true},
		"a slave joins":       {func(t *testing.T, table *Table) { mustRegister(t, table, slave) }, true},
		"a connection closes": {func(_ *testing.T, table *Table) { table.ForgetConn(1) }, true},
		"topic offered again": {func(_ *testing.T, table *Table) {
			_, _ = table.RegisterTopic(string(benchTopic(0)), []codec.QueueData{{BrokerName: "broker-00000", ReadQueueNums: 3, Perm: 4}})
		}, true},
		"other flag": {func(t *testing.T, table *Table) { mustRegister(t, table, flagged(1, 2, 3)) }, false},
		"topic offered with a flag": {func(_ *testing.T, table *Table) {
			_, _ = table.RegisterTopic(string(benchTopic(0)), []codec.QueueData{{BrokerName: "broker-00000", ReadQueueNums: 3, Perm: 4, TopicSysFlag: 1}})
		}, false},
		"topic of one more": {func(_ *testing.T, table *Table) {
			_, _ = table.RegisterTopic("new", []codec.QueueData{{BrokerName: "broker-00000"}})
		}, false},
		"a broker joins": {func(t *testing.T, table *Table) {
			mustRegister(t, table, benchRegistration(2, benchBody(0, 4, 1, never)))
		}, false},
		"one more topic of a broker": {func(t *testing.T, table *Table) {
			mustRegister(t, table, benchRegistration(0, benchBody(0, 5, 2, never)))
		}, false},
		"a broker leaves": {func(_ *testing.T, table *Table) {
			table.UnregisterBrokers(Unregistration{cluster, "broker-00001", "10.0.0.1:10911"})
		}, false},
		"a topic goes":          {func(_ *testing.T, table *Table) { table.DeleteTopic(string(benchTopic(1))) }, false},
		"goes from one cluster": {func(_ *testing.T, table *Table) { table.DeleteTopicInCluster(string(benchTopic(1)), cluster) }, false},
		"not listed any more": {func(t *testing.T, table *Table) {
			r := benchRegistration(0, benchBody(0, 3, 2, never))
			r.DeleteMissingTopics = true
			mustRegister(t, table, r)
		}, false},
		"another cluster": {func(t *testing.T, table *Table) {
			r := benchRegistration(0, benchBody(0, 4, 1, never))
			r.Cluster = "c9"
			mustRegister(t, table, r)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			table := New(Options{})
			mustRegister(t, table, benchRegistration(0, benchBody(0, 4, 1, never)))
			mustRegister(t, table, flagged(1, 1, 1))
			before := table.View()
			ask := func(v *View) []byte {
				for u := range unitLists {
					v.TopicsByUnit(u)
				}
				return v.TopicsByCluster(cluster)
			}
			old := ask(before)
			c.change(t, table)
			if table.View() == before {
				t.Fatal("nothing has changed")
			}
			if err := table.CheckInvariants(); err != nil { // of the lists that were kept
				t.Error(err)
			}
			fresh := ask(table.View())
			if kept := &old[0] == &fresh[0]; kept != c.kept {
				t.Errorf("kept: %v, want %v", kept, c.kept)
			}
			if err := table.CheckInvariants(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestServedWhileOneLeaves gives a topic to another broker while its only one has
// gone, but not yet from the topic: the list of all topics, which was asked for in
// between, shows it again.
func TestServedWhileOneLeaves(t *testing.T) {
	table := New(Options{})
	mustRegister(t, table, benchRegistration(0, benchBody(0, 4, 1, never)))
	mustRegister(t, table, benchRegistration(1, benchBody(100, 4, 1, never)))
	r := benchRegistration(0, nil)
	table.stepWork = 1
	given := 0
	table.betweenSteps = func() {
		if len(table.leaving) == 0 || given > 0 {
			return
		}
		table.View().AllTopicList()
		for i := range 4 {
			if e, ok := table.View().topics.get(string(benchTopic(i))); ok {
				given++
				stored, err := table.RegisterTopic(e.name, []codec.QueueData{{BrokerName: "broker-00001"}})
				if !stored || err != nil {
					t.Errorf("%v, %v", stored, err)
				}
			}
			mustHold(t, table)
		}
	}
	table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
	if given == 0 {
		t.Error("the broker has left in one step: the test tests nothing")
	}
	table.betweenSteps = nil
	mustHold(t, table)
}
