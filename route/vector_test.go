package route

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestVector compares vectors with plain slices. Vectors from before an edition
// still show what they showed.
func TestVector(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type state struct {
			v    vector[int]
			want []*int
		}
		now := state{v: newVector[int](uint(rapid.IntRange(1, 5).Draw(rt, "bits")))}
		states := []state{now}
		for edition := range uint64(rapid.IntRange(1, 10).Draw(rt, "editions")) {
			now.want = slices.Clone(now.want)
			for range rapid.IntRange(1, 30).Draw(rt, "changes") {
				i := rapid.IntRange(0, len(now.want)).Draw(rt, "number")
				if rapid.Bool().Draw(rt, "longer") {
					i = len(now.want)
				}
				e := new(int)
				if rapid.IntRange(0, 3).Draw(rt, "nothing") == 0 {
					e = nil
				}
				now.v.put(edition, uint32(i), e)
				if i == len(now.want) {
					now.want = append(now.want, e)
				} else {
					now.want[i] = e
				}
			}
			states = append(states, now)
		}
		for _, s := range states {
			var got []*int
			for _, e := range s.v.all {
				got = append(got, e)
			}
			if !slices.Equal(got, s.want) || int(s.v.size) != len(s.want) {
				rt.Fatalf("%d elements, want %d, or others", len(got), len(s.want))
			}
		}
	})
}
