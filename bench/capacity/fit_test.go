package capacity

import (
	"math"
	"testing"
)

// TestFit finds the factors that samples are made of, small ones beside large ones.
func TestFit(t *testing.T) {
	want := []float64{17, 0.9, 0.000_03, 1.1}
	var samples []sample
	for _, of := range [][]float64{{1, 0, 0, 0}, {1, 1, 1, 0.1}, {1, 1000, 1000, 0.1}, {1, 10, 3_000_000, 0.3}, {1, 10, 10, 0.001}, {1, 1, 2, 50}} {
		value := 0.0
		for i, v := range of {
			value += want[i] * v
		}
		samples = append(samples, sample{of, value})
	}
	f, ok := fit("memory", "MB", []string{"", "a", "b", "c"}, samples)
	if !ok {
		t.Fatal("nothing is found")
	}
	for i, term := range f.Terms {
		if math.Abs(term.Factor/want[i]-1) > 1e-6 {
			t.Errorf("factor %d is %g, want %g", i, term.Factor, want[i])
		}
	}
	if f.Worst > 1e-9 {
		t.Errorf("the worst error is %g, of samples without any", f.Worst)
	}
	samples[2].value *= 1.5
	if f, ok = fit("memory", "MB", []string{"", "a", "b", "c"}, samples); !ok || f.Worst < 0.1 || f.Worst > 0.5 {
		t.Errorf("the worst error is %g, %v, of samples one of which is off by half", f.Worst, ok)
	}
}

// TestFitIsUndecided: samples that do not tell two terms apart decide nothing, and neither
// do too few, or one that is 0.
func TestFitIsUndecided(t *testing.T) {
	for what, samples := range map[string][]sample{
		"none":     nil,
		"few":      {{[]float64{1, 2}, 3}},
		"together": {{[]float64{1, 2}, 3}, {[]float64{2, 4}, 6}, {[]float64{3, 6}, 9}},
		"zero":     {{[]float64{1, 2}, 0}, {[]float64{1, 4}, 6}},
		"no such":  {{[]float64{1, 0}, 3}, {[]float64{1, 0}, 6}},
	} {
		if f, ok := fit("x", "x", []string{"", "a"}, samples); ok {
			t.Errorf("%s: it is %+v", what, f)
		}
	}
}
