package meter

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// TestBins: bins follow each other without a gap, each is at most a quarter wide, and
// each value is in the bin that its bounds say.
func TestBins(t *testing.T) {
	if Bound(0) != 128 || Bound(NumBins-2) != 1<<36 || Bound(NumBins-1) != math.MaxUint64 {
		t.Errorf("the bounds are %d, %d, %d", Bound(0), Bound(NumBins-2), Bound(NumBins-1))
	}
	for i := range NumBins - 1 {
		low := uint64(0)
		if i > 0 {
			low = Bound(i - 1)
			if width := Bound(i) - low; width*perDoubling > low {
				t.Errorf("bin %d from %d to %d is wider than a quarter", i, low, Bound(i))
			}
		}
		for _, v := range []uint64{low, (low + Bound(i)) / 2, Bound(i) - 1} {
			if got := binOf(v); got != i {
				t.Errorf("%d is in bin %d, want %d", v, got, i)
			}
		}
	}
	if got := binOf(1 << 36); got != NumBins-1 {
		t.Errorf("the bound of the last but one is in bin %d", got)
	}
}

// TestHistogramIsExact: no value is lost, however many goroutines add.
func TestHistogramIsExact(t *testing.T) {
	var h Histogram
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 10_000 {
				h.Add(int64(i * (g + 1)))
				h.AddMany(int64(i), 3)
			}
		})
	}
	all.Wait()
	h.Add(-5)
	r := h.Read()
	sum := uint64(0)
	for i := range uint64(10_000) {
		sum += i * (36 + 8*3)
	}
	if r.Count != 8*4*10_000+1 || r.Sum != sum {
		t.Errorf("%d values of %d in all, want %d of %d", r.Count, r.Sum, 8*4*10_000+1, sum)
	}
}

// TestReadingAgainstValues compares what a reading says with the values themselves.
func TestReadingAgainstValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var one, other Histogram
	var values []uint64
	for range 20_000 {
		v := uint64(math.Exp(random.Float64() * 26)) // 1 to 196 billion
		values = append(values, v)
		if random.IntN(2) == 0 {
			one.Add(int64(v))
		} else {
			other.Add(int64(v))
		}
	}
	slices.Sort(values)
	r, o := one.Read(), other.Read()
	half := r
	r.Merge(&o)
	if d := r.Since(&o); d != half {
		t.Error("what a reading has more than its part is not the other part")
	}
	before := uint64(0)
	for i := range NumBins - 1 {
		for _, v := range []uint64{Bound(i) - 1, Bound(i), Bound(i) + Bound(i)/11} {
			below, _ := slices.BinarySearch(values, v)
			got := r.Below(v)
			most := uint64(0)
			if v != Bound(i) {
				most = r.Bins[binOf(v)]
			}
			if off := max(got, uint64(below)) - min(got, uint64(below)); off > most {
				t.Errorf("%d are below %d, want %d or %d off", got, v, below, most)
			}
			if got < before {
				t.Errorf("fewer are below %d than below less: %d, %d", v, got, before)
			}
			before = got
		}
	}
	for _, q := range []float64{0, 0.1, 0.5, 0.9} {
		want := values[int(q*float64(len(values)-1))]
		if got := r.Quantile(q); got < want || float64(got) > max(128, float64(want)*1.26) {
			t.Errorf("quantile %v is %d, want %d or up to a quarter more", q, got, want)
		}
	}
	if got := r.Quantile(1); got != math.MaxUint64 {
		t.Errorf("the largest is %d, want the bound of the last bin", got)
	}
	var none Reading
	if none.Quantile(0.5) != 0 || none.Mean() != 0 || none.Below(1000) != 0 {
		t.Error("an empty reading has values")
	}
	if mean := r.Mean(); math.Abs(mean-float64(r.Sum)/20_000) > 1e-3 {
		t.Errorf("the mean is %v", mean)
	}
}

func BenchmarkHistogramAdd(b *testing.B) {
	var h Histogram
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		h.Add(i)
	}
}
