package route

import (
	"slices"
	"testing"
)

// TestCompareNames compares a View with lists that lack something, have more, repeat
// themselves; one topic belongs to a broker that has just gone.
func TestCompareNames(t *testing.T) {
	table := New(Options{})
	for broker, first := range []int{0, 100, 200} {
		if _, err := table.RegisterBroker(1, benchRegistration(broker, benchBody(first, 100, 1, never))); err != nil {
			t.Fatal(err)
		}
	}
	compare := func(v *View, theirs []string) (here, there []string) {
		c := v.CompareNames()
		for _, name := range theirs {
			if !c.Has([]byte(name)) {
				there = append(there, name)
			}
		}
		here = slices.Sorted(c.Rest)
		return here, there
	}
	var all []string
	for i := range 300 {
		all = append(all, string(benchTopic(i)))
	}
	v := table.View()
	if here, there := compare(v, all); here != nil || there != nil {
		t.Errorf("the same lists: only here %q, only there %q", here, there)
	}
	if here, there := compare(v, nil); !slices.Equal(here, all) || there != nil {
		t.Errorf("an empty list: only here %d, only there %q", len(here), there)
	}
	theirs := slices.Concat(all[5:], all[7:9], []string{"", "other", "other"})
	if here, there := compare(v, theirs); !slices.Equal(here, all[:5]) || !slices.Equal(there, theirs[len(theirs)-3:]) {
		t.Errorf("only here %q, only there %q", here, there)
	}

	swept := false
	table.stepWork = 1
	table.betweenSteps = func() {
		if v := table.View(); v.sweeping && !swept {
			swept = true
			if here, there := compare(v, all[:200]); here != nil || there != nil {
				t.Errorf("while topics of a broker that has gone are removed: only here %q, only there %q", here, there)
			}
		}
	}
	r := benchRegistration(2, nil)
	table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
	if !swept {
		t.Error("the broker went in one step: that has not been tried")
	}
	if here, there := compare(table.View(), all[:200]); here != nil || there != nil {
		t.Errorf("without the broker: only here %q, only there %q", here, there)
	}
}
