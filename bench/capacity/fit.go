package capacity

import (
	"math"
)

// A Formula says what something takes: the sum of its terms. It is made of figures that
// were measured, so that the squares of its relative errors are least.
type Formula struct {
	What  string
	Unit  string
	Terms []Term
	Worst float64 // the largest relative error, of what was measured
}

// A Term is so much for each of something; Of is "" for what there is always.
type Term struct {
	Factor float64
	Of     string
}

// at is what f says for so much of each of its terms.
func (f Formula) at(of ...float64) (sum float64) {
	for i, t := range f.Terms {
		sum += t.Factor * of[i]
	}
	return sum
}

// A sample is what was measured, and how much there was of each term.
type sample struct {
	of    []float64
	value float64
}

// fit returns the factors of a formula with a term for each name. ok is false if the
// samples do not decide them.
func fit(what, unit string, names []string, samples []sample) (f Formula, ok bool) {
	n := len(names)
	scale := make([]float64, n) // so that all columns are alike
	for _, s := range samples {
		for i, v := range s.of {
			scale[i] = math.Max(scale[i], math.Abs(v))
		}
	}
	// The normal equations, the right side in the last column.
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n+1)
		for _, s := range samples {
			if scale[i] == 0 || s.value == 0 {
				return Formula{}, false
			}
			row := s.of[i] / scale[i] / s.value
			for j := range n {
				m[i][j] += row * s.of[j] / scale[j] / s.value
			}
			m[i][n] += row
		}
	}
	if len(samples) < n || !solve(m) {
		return Formula{}, false
	}
	f = Formula{What: what, Unit: unit}
	for i, name := range names {
		f.Terms = append(f.Terms, Term{m[i][n] / scale[i], name})
	}
	for _, s := range samples {
		f.Worst = math.Max(f.Worst, math.Abs(f.at(s.of...)/s.value-1))
	}
	return f, true
}

// solve solves n equations, each with its right side in the last column, where it leaves
// the solution. It reports whether there is one.
func solve(m [][]float64) bool {
	n := len(m)
	for i := range n {
		best := i
		for j := i + 1; j < n; j++ {
			if math.Abs(m[j][i]) > math.Abs(m[best][i]) {
				best = j
			}
		}
		m[i], m[best] = m[best], m[i]
		if math.Abs(m[i][i]) < 1e-12 {
			return false
		}
		for j := range n {
			if j == i {
				continue
			}
			times := m[j][i] / m[i][i]
			for k := i; k <= n; k++ {
				m[j][k] -= times * m[i][k]
			}
		}
	}
	for i := range n {
		m[i][n] /= m[i][i]
	}
	return true
}

// Terms of formulas.
const (
	perTopic      = "1,000 topics"
	perEntry      = "1,000 entries"
	perConnection = "1,000 connections"
	perListed     = "1,000 topics that it lists"
	perNew        = "1,000 of them that no broker had"
	perKilobyte   = "kB of the answer"
)

const (
	megabyte = 1e6
	thousand = 1e3
)

// Formulas are what follows from a report, as far as it has enough sizes.
type Formulas struct {
	Peak, Heap                   *Formula // of topics, entries and connections; Heap of the first two
	First, Unchanged, NewVersion *Formula // CPU of one registration, of the topics that it lists; First of new ones too
	Reads                        *Formula // CPU of a million, of the size of the answer
}

// Formulas works them out.
func (r *Report) Formulas() (f Formulas) {
	base := []float64{1, 0, 0, 0}
	peak := []sample{{base, float64(r.Empty.Peak) / megabyte}}
	heap := []sample{{base[:3], float64(r.Empty.Heap) / megabyte}}
	var first, unchanged, newVersion, reads []sample
	for _, p := range r.Points {
		of := []float64{1, float64(p.Topics) / thousand, float64(p.Entries) / thousand, float64(p.Brokers) / thousand}
		peak = append(peak, sample{of, float64(p.Used.Peak) / megabyte})
		heap = append(heap, sample{of[:3], float64(p.Registered.Heap) / megabyte})
		listed := []float64{1, float64(p.Entries) / float64(p.Brokers) / thousand}
		fresh := float64(p.Topics) / float64(p.Brokers) / thousand
		first = append(first, sample{append(listed[:2:2], fresh), p.First.each() * thousand})
		unchanged = append(unchanged, sample{listed, p.Unchanged.each() * thousand})
		newVersion = append(newVersion, sample{listed, p.NewVersion.each() * thousand})
		reads = append(reads, sample{[]float64{1, p.ReplyBytes / thousand}, p.Reads.each() * 1e6})
	}
	if i := r.Idle; i != nil {
		for _, s := range i.Steps {
			of := []float64{1, float64(i.Topics) / thousand, float64(i.Entries) / thousand, float64(s.Connections) / thousand}
			peak = append(peak, sample{of, float64(s.RSS) / megabyte})
		}
	}
	set := func(to **Formula, what, unit string, names []string, samples []sample) {
		if one, ok := fit(what, unit, names, samples); ok {
			*to = &one
		}
	}
	tables := []string{"", perTopic, perEntry}
	set(&f.Peak, "memory at its most", "MB", append(tables, perConnection), peak)
	set(&f.Heap, "live objects once all brokers have registered", "MB", tables, heap)
	set(&f.First, "a broker's first registration", "ms of CPU", []string{"", perListed, perNew}, first)
	set(&f.NewVersion, "a registration with a new data version", "ms of CPU", []string{"", perListed}, newVersion)
	set(&f.Unchanged, "a registration that repeats the last one", "ms of CPU", []string{"", perListed}, unchanged)
	set(&f.Reads, "a million reads", "s of CPU", []string{"", perKilobyte}, reads)
	return f
}

// all are those that there are, in the order to show them.
func (f Formulas) all() (there []*Formula) {
	for _, one := range []*Formula{f.Peak, f.Heap, f.First, f.NewVersion, f.Unchanged, f.Reads} {
		if one != nil {
			there = append(there, one)
		}
	}
	return there
}
