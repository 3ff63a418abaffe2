// Package meter holds distributions of sizes and times: cheap to add to from any
// goroutine, and as small at the end as at the beginning.
//
// It does not know what is measured, nor clocks, nor how numbers are shown.
//
//	who measures ──Add──► Histogram (bins, atomic) ──Read──► Reading ──Merge, Below, Quantile──► who shows
//
// A Histogram has four bins per doubling, from 128 to 68.7 billion. What is measured
// in nanoseconds has bins from 128 ns to 68 s then; what is measured in bytes, from
// 128 B to 64 GiB. It never allocates, and takes no lock. Reading is not of one
// instant: each number is exact, and none ever decreases.
package meter
