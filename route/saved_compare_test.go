package route

import (
	"testing"

	"pgregory.net/rapid"
)

// TestCompareSaved compares what random histories have left with what they left
// some steps before, row by row.
func TestCompareSaved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{rt: rt, table: New(Options{}), ref: newReference(false, Limits{}), now: 1_000_000}
		steps := func() {
			for range rapid.IntRange(0, 30).Draw(rt, "steps") {
				h.step()
			}
		}
		steps()
		saved := h.table.View().Save(h.now)
		steps()
		later := h.table.View().Save(h.now)
		got, want := CompareSaved(saved, h.table.View()), plainComparison(saved, later)
		if got != want {
			rt.Fatalf("%+v\n and %+v\n got %+v\nwant %+v", saved, later, got, want)
		}
		if same := CompareSaved(later, h.table.View()); same.Rows.Right != len(later.Rows) || same != (SavedComparison{
			Topics: SavedTally{Right: len(later.Topics)}, Rows: SavedTally{Right: len(later.Rows)}, Members: SavedTally{Right: same.Members.Right},
		}) {
			rt.Fatalf("what was saved just now: %+v", same)
		}
	})
}

// plainComparison is CompareSaved by maps.
func plainComparison(old, now *Saved) (c SavedComparison) {
	c.Members = tally(old.memberMap(), now.memberMap())
	a, b := old.rowMaps(), now.rowMaps()
	for topic := range a {
		if b[topic] == nil {
			b[topic] = map[string]SavedOffer{}
		}
	}
	for topic, rows := range b {
		c.addTopic(tally(a[topic], rows))
	}
	return c
}

func tally[V comparable](old, now map[string]V) (t SavedTally) {
	for k, v := range old {
		if w, ok := now[k]; ok && v == w {
			t.Right++
		} else {
			t.Stale++
		}
	}
	for k := range now {
		if _, ok := old[k]; !ok {
			t.Missing++
		}
	}
	return t
}

func (s *Saved) memberMap() map[string]string {
	members := map[string]string{}
	for _, set := range s.Sets {
		for _, m := range set.Members {
			members[set.Name+string(rune(m.ID))] = m.Addr
		}
	}
	return members
}

func (s *Saved) rowMaps() map[string]map[string]SavedOffer {
	topics := map[string]map[string]SavedOffer{}
	rows := s.Rows
	for _, topic := range s.Topics {
		offers := map[string]SavedOffer{}
		for _, r := range rows[:topic.Rows] {
			offers[s.Sets[r.Set].Name] = s.Offers[r.Offer]
		}
		rows = rows[topic.Rows:]
		topics[topic.Name] = offers
	}
	return topics
}
