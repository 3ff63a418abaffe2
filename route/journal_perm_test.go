package route

import "testing"

// TestRegistrationEndsAWipe: a wipe lasts until a registration with another data version
// lists all topics, and that registration is the event that ended it. Others are not: of
// one topic, with the data version of before, of a slave, or when nothing was wiped.
func TestRegistrationEndsAWipe(t *testing.T) {
	table := New(Options{})
	register := func(counter int64, change func(r *Registration), topics ...string) {
		t.Helper()
		r := limitedRegistration("b", 0, "10.0.0.1:1", topics...)
		r.Body.DataVersion.Counter = counter
		if change != nil {
			change(r)
		}
		mustRegister(t, table, r)
	}
	ended := func() []JournalEvent {
		return table.Journal().Last(&JournalFilter{Types: []JournalType{JournalPermRestored}}, 0)
	}
	all := []string{"T", "U", "V"}
	register(1, nil, all...)
	register(2, func(r *Registration) { r.Body.Topics[0].Perm = 4 }, all...)
	register(3, nil, all...)
	table.WipeWritePerm("b")
	register(3, nil, all...)
	register(4, nil, "T")
	register(4, func(r *Registration) { r.BrokerID, r.BrokerAddr = 1, "10.0.0.2:1" }, all...)
	if got := ended(); len(got) != 0 {
		t.Errorf("before a whole table with another data version: %+v", got)
	}
	register(5, nil, all...)
	got := ended()
	if len(got) != 1 {
		t.Fatalf("after it: %+v", got)
	}
	parent, _, err := table.Journal().Read(got[0].Parent-1, nil, 1)
	if e := got[0]; e.Cause.Kind != CauseRegister || e.Broker != "b" || e.Addr != "10.0.0.1:1" || e.Topics != (TopicCounts{Changed: 2}) ||
		err != nil || parent[0].Type != JournalTopicsChanged {
		t.Errorf("the event is %+v, its parent %+v", e, parent)
	}
	table.WipeWritePerm("b")
	table.AddWritePerm("b")
	register(6, nil, all...)
	if got := ended(); len(got) != 2 || got[1].Cause.Kind != CauseAdmin {
		t.Errorf("after an operator has ended it: %+v", got)
	}
}
