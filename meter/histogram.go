package meter

import (
	"math/bits"
	"sync/atomic"
)

const (
	perDoubling = 4
	leastBits   = 7  // what is below 1<<leastBits is in the first bin
	mostBits    = 36 // what is at least 1<<mostBits is in the last bin

	// NumBins is how many bins there are: four for each doubling, one for what is
	// less and one for what is more.
	NumBins = (mostBits-leastBits)*perDoubling + 2
)

// A Histogram counts values by their size. The zero value is ready. Size: 960 B. It
// may be as much as a quarter off, upwards, about each value, and is exact about
// their number and their sum. Safe from any goroutine.
type Histogram struct {
	bins [NumBins]atomic.Uint64
	sum  atomic.Uint64
}

// Add counts a value. A negative one counts as 0.
func (h *Histogram) Add(v int64) { h.AddMany(v, 1) }

// AddMany counts a value that stands for n.
func (h *Histogram) AddMany(v int64, n uint64) {
	u := uint64(max(v, 0))
	h.sum.Add(u * n) // first: who reads the bins first never finds a sum too small for them
	h.bins[binOf(u)].Add(n)
}

// binOf returns the number of the bin of v.
func binOf(v uint64) int {
	switch {
	case v < 1<<leastBits:
		return 0
	case v >= 1<<mostBits:
		return NumBins - 1
	}
	exp := bits.Len64(v) - 1
	return 1 + (exp-leastBits)*perDoubling + int(v>>(exp-2)&(perDoubling-1))
}

// Bound returns what all values of a bin are less than. The last bin has no bound;
// it returns the largest number there is.
func Bound(bin int) uint64 {
	if bin >= NumBins-1 {
		return 1<<64 - 1
	}
	exp := leastBits + bin/perDoubling
	return (perDoubling + uint64(bin%perDoubling)) << (exp - 2)
}

// Read returns what the histogram holds.
func (h *Histogram) Read() (r Reading) {
	for i := range h.bins {
		r.Bins[i] = h.bins[i].Load()
		r.Count += r.Bins[i]
	}
	r.Sum = h.sum.Load()
	return r
}

// A Reading is what a Histogram held. It is a value: copies share nothing.
type Reading struct {
	Count uint64          // of values
	Sum   uint64          // of values, in their unit
	Bins  [NumBins]uint64 // how many values are less than Bound of the bin, and of no bin before
}

// Merge adds what another histogram of the same unit held.
func (r *Reading) Merge(o *Reading) {
	r.Count += o.Count
	r.Sum += o.Sum
	for i := range r.Bins {
		r.Bins[i] += o.Bins[i]
	}
}

// Below returns how many values were less than v, if those of the bin that v is in
// are spread evenly over it: it is exact where v is a Bound, else no further off than
// that bin is full. It never decreases, neither with v nor from one reading of a
// histogram to the next, so it may be the bucket of a cumulative histogram.
func (r *Reading) Below(v uint64) (n uint64) {
	bin := binOf(v)
	for i := range bin {
		n += r.Bins[i]
	}
	if bin == NumBins-1 {
		return n
	}
	low := uint64(0)
	if bin > 0 {
		low = Bound(bin - 1)
	}
	hi, lo := bits.Mul64(r.Bins[bin], v-low)
	share, _ := bits.Div64(hi, lo, Bound(bin)-low) // hi is less: v is less than the bound
	return n + share
}

// Quantile returns what a share q of all values, from 0 to 1, is less than or equal
// to: the bound of a bin, so up to a quarter too much. 0 if there are none; the
// largest number if it is among those beyond all bounds.
func (r *Reading) Quantile(q float64) uint64 {
	if r.Count == 0 {
		return 0
	}
	rank := uint64(q * float64(r.Count))
	rank = min(max(rank, 1), r.Count)
	for i, n := range r.Bins {
		if n >= rank {
			return Bound(i)
		}
		rank -= n
	}
	return Bound(NumBins - 1)
}

// Mean returns Sum by Count, 0 if there are no values.
func (r *Reading) Mean() float64 {
	if r.Count == 0 {
		return 0
	}
	return float64(r.Sum) / float64(r.Count)
}

// Since returns what has been added since an earlier reading of the same histogram.
func (r *Reading) Since(earlier *Reading) (d Reading) {
	d.Count, d.Sum = r.Count-earlier.Count, r.Sum-earlier.Sum
	for i := range r.Bins {
		d.Bins[i] = r.Bins[i] - earlier.Bins[i]
	}
	return d
}
