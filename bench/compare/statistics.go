package compare

import (
	"math"
	"slices"
)

// MinRounds is how many rounds it takes before a comparison says who is better.
const MinRounds = 5

// The verdicts on a ratio. There is none, "", where it takes more rounds, or where
// the ratio might as well be 1.
const (
	Better = "better"
	Worse  = "worse"
)

// geometric returns the geometric mean of some numbers, and between which bounds
// it lies with 95 % confidence if the logarithms of the numbers are spread
// normally: Student's interval. The mean of ratios in this sense is the ratio of
// the means. All are 0 when a number is not positive; low and high also when
// there is one number only.
func geometric(values []float64) (mean, low, high float64) {
	n := float64(len(values))
	if n == 0 {
		return 0, 0, 0
	}
	sum := 0.0
	for _, v := range values {
		if v <= 0 {
			return 0, 0, 0
		}
		sum += math.Log(v)
	}
	middle := sum / n
	mean = math.Exp(middle)
	switch first := values[0]; {
	case n == 1:
		return first, 0, 0
	case slices.Min(values) == slices.Max(values):
		return first, first, first // not what rounding makes of it
	}
	squares := 0.0
	for _, v := range values {
		d := math.Log(v) - middle
		squares += d * d
	}
	reach := student(len(values)-1) * math.Sqrt(squares/(n-1)/n)
	return mean, math.Exp(middle - reach), math.Exp(middle + reach)
}

// student is the quantile of 97.5 % of Student's distribution.
func student(degrees int) float64 { return students[min(degrees, len(students)-1)] }

var students = []float64{
	math.Inf(1), 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
	2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
}

// hasInterval reports whether s is of rounds enough, all positive.
func (s Spread) hasInterval() bool { return s.N >= MinRounds && s.Low > 0 }

// Middle is what to show of s: the geometric mean, or the median where there is
// none because a number is 0.
func (s Spread) Middle() float64 {
	if s.Mean > 0 {
		return s.Mean
	}
	return s.Median
}

// Bounds are what to show beside it: the interval, or the ends where there is
// none.
func (s Spread) Bounds() (low, high float64) {
	if s.hasInterval() {
		return s.Low, s.High
	}
	return s.Min, s.Max
}

// spans reports whether a bar is within the interval, so that chance decides on which side
// of it s is.
func (s Spread) spans(bar float64) bool { return s.hasInterval() && s.Low < bar && bar < s.High }

// verdict says whether a ratio to the base is better than 1 or worse.
func verdict(ratio Spread, more bool) string {
	switch {
	case !ratio.hasInterval() || (ratio.Low <= 1+epsilon && ratio.High >= 1-epsilon):
		return ""
	case more == (ratio.Low > 1):
		return Better
	}
	return Worse
}

// epsilon is what rounding may make of a ratio of equal numbers.
const epsilon = 1e-9
