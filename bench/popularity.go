package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// The ways in which readers choose topics.
const (
	popularityUniform = "uniform" // each as often as any other
	popularityZipf    = "zipf"    // few are asked for often, most seldom
)

// defaultZipf is the exponent where none is given.
const defaultZipf = 1.0

// maxZipf bounds the exponent: beyond it one topic is asked for alone.
const maxZipf = 10

// zipfOf returns the exponent of a popularity, 0 for uniform.
func zipfOf(text string) (float64, error) {
	kind, exponent, given := strings.Cut(text, ":")
	switch {
	case text == popularityUniform, text == "":
		return 0, nil
	case kind != popularityZipf:
		return 0, fmt.Errorf("popularity is %q, it must be uniform, zipf or zipf:EXPONENT", text)
	case !given:
		return defaultZipf, nil
	}
	s, err := strconv.ParseFloat(exponent, 64)
	if err != nil || !(s > 0 && s <= maxZipf) {
		return 0, fmt.Errorf("popularity is %q, its exponent must be more than 0 and at most %d", text, maxZipf)
	}
	return s, nil
}

// A picker picks one of n things: at random, or by how popular they are.
type picker interface {
	IntN(n int) int
}

// A popularity says how often each of some things is picked; nil is uniform. It
// is shared by all connections, each of which has random numbers of its own.
type popularity struct {
	upTo  []float64 // how often the first things are picked together
	which []int32   // the thing of each rank, so that no broker has all that are popular
}

// newPopularity fixes by the seed what is popular.
func newPopularity(n int, text string, seed uint64) *popularity {
	s, _ := zipfOf(text) // validated
	if s == 0 {
		return nil
	}
	p := &popularity{upTo: make([]float64, n), which: make([]int32, n)}
	sum := 0.0
	for i := range n {
		sum += math.Pow(float64(i+1), -s)
		p.upTo[i], p.which[i] = sum, int32(i)
	}
	rand.New(rand.NewPCG(seed, 0x217f)).Shuffle(n, func(i, j int) { p.which[i], p.which[j] = p.which[j], p.which[i] })
	return p
}

// by returns what picks by p with random numbers of somebody's own.
func (p *popularity) by(rng *rand.Rand) picker {
	if p == nil {
		return rng
	}
	return &popular{p, rng}
}

type popular struct {
	*popularity
	rng *rand.Rand
}

// IntN picks one of those things; n is their number.
func (p *popular) IntN(n int) int {
	i, _ := slices.BinarySearch(p.upTo, p.rng.Float64()*p.upTo[n-1])
	return int(p.which[min(i, n-1)])
}
