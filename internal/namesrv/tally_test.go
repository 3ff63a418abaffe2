package namesrv

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
)

// seeded makes the gaps of a tally the same each time.
func (t *tally) seeded(seed uint64) *tally {
	random := rand.New(rand.NewPCG(seed, 1))
	t.draw = func() int32 { return 1 + random.Int32N(mostGap) }
	t.next()
	return t
}

// TestTallyIsExact counts from many goroutines: nothing is lost, and what a sample stands
// for is no more than was counted.
func TestTallyIsExact(t *testing.T) {
	y := newTally(true)
	rows := []*row{{index: 3}, {index: maxRows - 1}}
	const workers, each = 8, 20_000
	var all sync.WaitGroup
	for g := range workers {
		all.Go(func() {
			for i := range each {
				w := rows[i%2]
				due := y.isDue()
				if due {
					y.next()
				}
				y.came(w, outcome((i+g)%int(numOutcomes)))
				if due {
					y.sample(w, time.Duration(i))
				}
			}
		})
	}
	all.Wait()
	for _, w := range rows {
		if got := y.total(w); got != workers*each/2 {
			t.Errorf("%d requests, want %d", got, workers*each/2)
		}
		timed := y.duration(w).Read().Count
		if timed > y.total(w) || timed != y.timed[w.index] || timed+4*mostGap*workers < y.total(w) {
			t.Errorf("%d requests are timed of %d", timed, y.total(w))
		}
	}
	if y.total(&row{index: 4}) != 0 {
		t.Error("a row that had no requests has some")
	}
}

// TestSamplerIsFair serves what a client sends that always has 64 requests under way
// together, one of them of a slow code and one slow for its topic, beside a code that is
// rare. Each code is as frequent among the samples as it is, and so is what is slow.
func TestSamplerIsFair(t *testing.T) {
	y := newTally(false).seeded(11)
	usual, slow, rare := &row{index: 1}, &row{index: 2}, &row{index: 3}
	const rounds = 40_000
	samples := 0
	serve := func(w *row, took time.Duration) {
		due := y.isDue()
		if due {
			y.next()
			samples++
		}
		y.came(w, outcomeSuccess)
		if due {
			y.sample(w, took)
		}
	}
	for i := range rounds {
		for at := range 64 {
			switch {
			case at == 17:
				serve(slow, time.Millisecond)
			case at == 40:
				serve(usual, 100*time.Microsecond)
			case at == 41 && i%100 == 0:
				serve(rare, time.Second)
			default:
				serve(usual, time.Microsecond)
			}
		}
	}
	if gap := 64.0 * rounds / float64(samples); math.Abs(gap-64) > 2 {
		t.Errorf("one of %.1f requests is timed, want one of 64", gap)
	}
	for name, w := range map[string]*row{"usual": usual, "slow": slow, "rare": rare} {
		got, want := y.duration(w).Read().Count, y.total(w)
		if got > want || got+5_000 < want && w != rare {
			t.Errorf("%s: %d requests are timed of %d", name, got, want)
		}
		if w == rare && got == 0 {
			t.Errorf("%s: none is timed of %d", name, want)
		}
	}
	r := y.duration(usual).Read()
	late := float64(r.Count-r.Below(uint64(50*time.Microsecond))) / float64(r.Count)
	if want := 1.0 / 63; late < want*0.85 || late > want*1.15 {
		t.Errorf("%.4f of the usual ones are slow, want %.4f", late, want)
	}
	r = y.duration(slow).Read()
	if mean, want := r.Mean(), float64(time.Millisecond); mean != want {
		t.Errorf("the slow ones take %v, want %v", time.Duration(mean), time.Duration(want))
	}
}

// TestConnTag reads back what was written, and is never 0.
func TestConnTag(t *testing.T) {
	for _, language := range []codec.LanguageCode{codec.LanguageUnknown, codec.LanguageJava, codec.LanguageNodeJS} {
		for _, version := range []int32{-5, 0, codec.Version, codec.HigherVersion, 1<<31 - 1} {
			for _, kind := range []int{0, 5, otherKind} {
				for _, place := range []int{0, 77, mostTallies - 1} {
					g := newConnTag(kind, language, version, place)
					if g == 0 || g.isBroker() || !(g | tagBroker).isBroker() || g.kind() != kind || g.language() != language || g.tally() != place {
						t.Errorf("%d %d %d %d became %#x", kind, language, version, place, g)
					}
					if want := max(0, min(version, mostTagVersion)); g.version() != want {
						t.Errorf("version %d became %d, want %d", version, g.version(), want)
					}
				}
			}
		}
	}
	if n := len(newTallies(5000).all); n > mostTallies {
		t.Errorf("%d tallies for tags of %d", n, mostTallies)
	}
}

// TestClientKinds: strangers with any language and version take no more than 32 places,
// and give them back.
func TestClientKinds(t *testing.T) {
	var k clientKinds
	var joined []int
	for version := range int32(400) {
		for language := codec.LanguageUnknown; language <= codec.LanguageNodeJS; language++ {
			joined = append(joined, k.join(language, version))
		}
	}
	total := func() (n, other int) {
		for _, c := range k.snapshot() {
			n += c.Count
			if c.Language == "other" {
				other = c.Count
			}
		}
		return n, other
	}
	if n, other := total(); n != len(joined) || other == 0 || len(k.snapshot()) != maxClientKinds+1 {
		t.Errorf("%d clients of %d kinds, %d others; want %d of %d", n, len(k.snapshot()), other, len(joined), maxClientKinds+1)
	}
	for _, kind := range joined {
		k.leave(kind)
	}
	if got := k.snapshot(); len(got) != 0 {
		t.Errorf("when all are gone there are %v", got)
	}
	a, b := k.join(codec.LanguageGo, codec.Version), k.join(codec.LanguageGo, codec.Version-1) // a snapshot of the same minor version
	k.join(codec.LanguageUnknown, 1<<30)
	if a != b {
		t.Errorf("one minor version has the places %d and %d", a, b)
	}
	got := k.snapshot()
	want := []ClientCount{{"GO", "5.3", 2}, {"UNKNOWN", "higher", 1}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, want %v", got, want)
	}
}
