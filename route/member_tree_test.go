package route

import (
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestMemberTree compares trees with plain maps. Trees from before a change still
// show what they showed.
func TestMemberTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type state struct {
			tree memberTree
			want map[int64]*Member
		}
		now := state{want: map[int64]*Member{}}
		states := []state{now}
		id := rapid.OneOf(rapid.Int64Range(-3, 20), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
		for range rapid.IntRange(1, 60).Draw(rt, "changes") {
			id := id.Draw(rt, "id")
			next := state{want: maps.Clone(now.want)}
			if rapid.Bool().Draw(rt, "remove") {
				if now.want[id] == nil {
					continue
				}
				next.tree = now.tree.without(id)
				delete(next.want, id)
			} else {
				m := &Member{ID: id}
				next.tree = now.tree.with(m)
				next.want[id] = m
			}
			now = next
			states = append(states, now)
		}
		for _, s := range states {
			if got, want := memberIDs(s.tree), slices.Sorted(maps.Keys(s.want)); !slices.Equal(got, want) || s.tree.size != len(want) {
				rt.Fatalf("IDs %v, size %d, want %v", got, s.tree.size, want)
			}
			for id, m := range s.want {
				if s.tree.get(id) != m {
					rt.Fatalf("member %d is another", id)
				}
			}
			if s.tree.get(99) != nil {
				rt.Fatal("a member that is not there")
			}
			if s.tree.size > 0 && s.tree.first().ID != memberIDs(s.tree)[0] {
				rt.Fatalf("first is %d of %v", s.tree.first().ID, memberIDs(s.tree))
			}
		}
	})
}

func memberIDs(t memberTree) (ids []int64) {
	for m := range t.all {
		ids = append(ids, m.ID)
	}
	return ids
}

// TestMemberTreeIsFlat adds IDs in order, the worst there is for a tree without
// balance.
func TestMemberTreeIsFlat(t *testing.T) {
	const n = 1 << 14
	var tree memberTree
	for i := range int64(n) {
		tree = tree.with(&Member{ID: i})
	}
	if d := tree.root.depth(); d > 80 { // about 2.5 log2 n; 80 is out of reach by chance
		t.Errorf("%d members are %d nodes deep", n, d)
	}
}

func (n *memberNode) depth() int {
	if n == nil {
		return 0
	}
	return 1 + max(n.left.depth(), n.right.depth())
}
