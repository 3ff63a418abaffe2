package route

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// topicSaid writes what brokers say of a topic as a View shows it; "" if it does not.
func topicSaid(v *View, name string) string {
	e, ok := v.Topic([]byte(name))
	if !ok {
		return ""
	}
	var rows []string
	for o := range v.Offers(e) {
		m := ""
		if i, ok := e.mappings.find(o.Broker.Name); ok {
			m = fmt.Sprintf("%+v", e.mappings.byBroker[i].Info)
		}
		rows = append(rows, fmt.Sprint(o.Broker.Name, o.ReadQueueNums, o.WriteQueueNums, o.Perm, o.TopicSysFlag, m))
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// TestTopicChanged: from each View to the next, in random histories, a topic of which
// another thing is said has another generation of its last change, one between the two;
// and where nothing happened it is the same one, while the rows of broker sets that have
// gone are removed too.
func TestTopicChanged(t *testing.T) {
	moved, still, swept := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{rt: rt, table: New(Options{}), ref: newReference(false, Limits{}), now: 1_000_000}
		inSteps := rapid.Bool().Draw(rt, "in steps")
		table, last, restarted := h.table, h.table.View(), false
		look := func() {
			v := h.table.View()
			if h.table != table { // it is another process, which knows no time before
				table, last, restarted = h.table, v, true
			}
			if v == last {
				return
			}
			for e := range v.Topics {
				now, known := v.Changed(e)
				if !known && !restarted || now > v.Seq() {
					rt.Fatalf("topic %q has changed at %d, %v, in the View of %d", e.name, now, known, v.Seq())
				}
				old, ok := last.Topic([]byte(e.name))
				switch {
				case topicSaid(last, e.name) != topicSaid(v, e.name):
					moved++
					if now < last.Seq() || now == last.Seq() && !inSteps {
						rt.Fatalf("topic %q was %q at %d and is %q at %d, and has changed at %d", e.name, topicSaid(last, e.name), last.Seq(), topicSaid(v, e.name), v.Seq(), now)
					}
				case !ok:
				default:
					still++
					if old != e && v.Seq() == last.Seq() {
						swept++
					}
					if was, _ := last.Changed(old); was != now && now <= last.Seq() {
						rt.Fatalf("topic %q is the same, and had changed at %d, and now at %d", e.name, was, now)
					}
				}
			}
			last = v
		}
		if inSteps {
			h.table.stepWork = 1
			stepped(h.table, look)
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			h.step()
			look()
		}
	})
	t.Logf("%d changes, %d times the same, of these %d with a row swept", moved, still, swept)
	if !raceEnabled && (moved == 0 || still == 0 || swept == 0) {
		t.Error("something has not been tried")
	}
}

// TestTopicChangedByEvent: the generation is the number of the event that tells of the
// change, be that a registration, an operator's request or the end of a broker.
func TestTopicChangedByEvent(t *testing.T) {
	table := New(Options{})
	register := func(broker string, conn uint64, topics ...string) {
		t.Helper()
		r := limitedRegistration(broker, 0, "10.0.0.1:"+broker, topics...)
		r.Conn = conn
		if _, err := table.RegisterBroker(1, r); err != nil {
			t.Fatal(err)
		}
	}
	type change struct {
		what string
		do   func()
		tell JournalType
	}
	register("a", 1, "T", "U")
	for _, c := range []change{
		{"a registration", func() { register("b", 2, "T", "V") }, JournalTopicsChanged},
		{"a wipe", func() { table.WipeWritePerm("b") }, JournalPermWiped},
		{"the end of a broker", func() { table.ConnClosed(2) }, JournalSetRemoved},
	} {
		before, _ := table.View().Topic([]byte("U"))
		other, _ := table.View().Changed(before)
		c.do()
		v := table.View()
		e, _ := v.Topic([]byte("T"))
		seq, known := v.Changed(e)
		events, _, err := table.Journal().Read(seq-1, nil, 1)
		if err != nil || !known || events[0].Type != c.tell {
			t.Errorf("%s: T has changed at %d, %v, which is %+v", c.what, seq, known, events)
		}
		u, _ := v.Topic([]byte("U"))
		if now, _ := v.Changed(u); now != other {
			t.Errorf("%s: U had changed at %d, and now at %d", c.what, other, now)
		}
	}
	restored, err := Restore(Options{MostSilentMillis: math.MaxInt64}, table.View().Save(1), 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	v := restored.View()
	e, _ := v.Topic([]byte("T"))
	if seq, known := v.Changed(e); known {
		t.Errorf("a topic that was restored has changed at %d", seq)
	}
}

// TestEventNumber: what does not fit is not known, and never wrong.
func TestEventNumber(t *testing.T) {
	for seq, want := range map[uint64]uint32{0: 0, 1: 1, math.MaxUint32: math.MaxUint32, math.MaxUint32 + 1: 0, math.MaxUint64: 0} {
		if got := eventNumber(seq); got != want {
			t.Errorf("of %d %d is kept, want %d", seq, got, want)
		}
	}
}
