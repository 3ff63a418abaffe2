package report

import (
	"slices"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// A goal is a figure of one comparison, of our server, with its limit: as it
// is, or as a ratio to another server in the same round.
type goal struct {
	about  string
	set    string // the name of the comparison, as in scripts/bench-results.sh
	phase  string
	figure string
	to     string // ratio to this server; "" takes the figure itself
	most   float64
	load   func(bench.Params) bool // the load it is meant for
}

// ours is what our server is called in those comparisons.
const ours = "namesrv"

// reading is a closed loop of so many connections.
func reading(connections, depth int) func(bench.Params) bool {
	return func(p bench.Params) bool { return p.Rate == 0 && p.Connections == connections && p.Depth == depth }
}

// large is 32 brokers with 10,000 topics each.
func large(p bench.Params) bool {
	return p.Brokers == 32 && p.Topics*p.BrokersPerTopic == 32*10_000
}

// goals are what the project has set itself.
var goals = []goal{
	{"CPU per route read, 64 connections × 1, to a server that only echoes", "route-64x1", "", "server CPU", "floor", 1.3, reading(64, 1)},
	{"CPU per route read, 1,000 × 1, to a server that only echoes", "route-1000x1", "", "server CPU", "floor", 1.3, reading(1000, 1)},
	{"CPU per route read, 64 × 16, to a server that only echoes", "route-64x16", "", "server CPU", "floor", 2.5, reading(64, 16)},
	{"p99 of reads in a storm of two registrars, 32 × 10,000 topics, to the undisturbed one", "storm", "storm", "route p99 / undisturbed", "", 2, large},
	{"CPU per unchanged registration of 10,000 topics, to Java 5.5.0", "register-same", "", "server CPU", "java 5.5.0", 0.1, large},
	{"CPU per registration of 10,000 topics with a new data version, to Java 5.5.0", "register-bump", "", "server CPU", "java 5.5.0", 1.0 / 3, large},
	{"from the start of the process to its first reply", "route-64x1", "", "start to first reply", "", 0.020, reading(64, 1)},
	{"memory with 32 × 10,000 topics, unchanged registrations", "register-same", "", "server memory", "", 150e6, large},
	{"memory with 32 × 10,000 topics, new data versions", "register-bump", "", "server memory", "", 150e6, large},
}

// Goals says which of the project's goals the comparisons of a set meet: not
// decided where the interval of the figure spans the limit, or after too few
// rounds. It leaves out goals that were not measured, or were measured under another
// load.
func Goals(set map[string]Document) Table {
	t := Table{
		Title: "Measured", Left: 2, Head: []string{"goal", "met", "at most", "measured", "from", "to"},
		Note: "Measured: the geometric mean of the rounds; a ratio is taken within each round. From, to: where it lies with 95 % confidence. Not decided: that spans the limit, or there were fewer than five rounds.",
	}
	for _, g := range goals {
		c := set[g.set].Comparison
		if c == nil || !g.load(c.Scenario.Params) {
			continue
		}
		s, unit := g.measure(c)
		if s.N == 0 {
			continue
		}
		met := "not decided"
		if below, decided := s.Below(g.most); decided {
			met = map[bool]string{true: "yes", false: "no"}[below]
		}
		low, high := s.Bounds()
		t.Rows = append(t.Rows, []string{g.about, met, quantity(g.most, unit), quantity(s.Middle(), unit), quantity(low, unit), quantity(high, unit)})
	}
	return t
}

func (g goal) measure(c *compare.Comparison) (s compare.Spread, unit string) {
	index := func(name string) int {
		return slices.IndexFunc(c.Servers, func(s compare.Server) bool { return s.Name == name })
	}
	us := index(ours)
	as := *c
	if g.to != "" {
		as.Base = index(g.to)
	}
	if us < 0 || as.Base < 0 {
		return s, ""
	}
	for _, f := range compare.Figures(&as) {
		if f.Phase != g.phase || f.Name != g.figure {
			continue
		}
		if g.to != "" {
			return f.Servers[us].Ratio, "×"
		}
		if f.Unit == "" {
			return f.Servers[us].Value, "×"
		}
		return f.Servers[us].Value, f.Unit
	}
	return s, ""
}
