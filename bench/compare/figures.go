package compare

import (
	"slices"

	"gonamesrv/bench"
)

// spread sorts values.
func spread(values []float64) Spread {
	s := extent(values)
	s.Mean, s.Low, s.High = geometric(values)
	return s
}

// extent is the middle and the ends; it sorts values.
func extent(values []float64) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	slices.Sort(values)
	median := values[n/2]
	if n%2 == 0 {
		median = values[n/2-1] + (values[n/2]-values[n/2-1])/2
	}
	return Spread{N: n, Median: median, Min: values[0], Max: values[n-1]}
}

// A value is one figure of one run.
type value struct {
	phase, name, unit string
	more              bool
	v                 float64
	bound             bool // a latency that is the generator's own
}

// valuesOf returns all figures of one run. It leaves out what was not measured, and
// so leaves out zeros, except where zero is the best value there is.
func valuesOf(r *Turn) []value {
	res := r.Result
	var out []value
	add := func(phase, name, unit string, more bool, v float64) {
		if v > 0 {
			out = append(out, value{phase: phase, name: name, unit: unit, more: more, v: v})
		}
	}
	latency := func(phase, name, unit string, v float64, bound bool) {
		if v > 0 {
			out = append(out, value{phase: phase, name: name, unit: unit, v: v, bound: bound})
		}
	}
	for _, p := range res.Phases {
		for _, op := range p.Ops {
			add(p.Name, op.Name, "/s", true, op.PerSecond)
			if op.Oneway {
				continue
			}
			l := op.Latency
			for _, q := range []struct {
				name string
				us   float64
			}{{"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999}, {"max", l.Max}} {
				latency(p.Name, op.Name+" "+q.name, "µs", q.us, op.GeneratorBound())
			}
		}
		if p.Server != nil && len(res.Phases) > 1 {
			add(p.Name, "server CPU", "s/1M", false, p.Server.CPUSecondsPerMillion)
		}
	}
	// How a phase changes the operations of the phase before: a storm disturbs reads.
	for i := 1; i < len(res.Phases); i++ {
		for _, op := range res.Phases[i].Ops {
			if before := operation(res.Phases[0], op.Name); before != nil && before.Latency.P99 > 0 {
				latency(res.Phases[i].Name, op.Name+" p99 / "+res.Phases[0].Name, "", op.Latency.P99/before.Latency.P99, op.GeneratorBound() || before.GeneratorBound())
			}
		}
	}
	for _, m := range res.Milestones {
		if m.Reached {
			add("", m.Name, "s", false, m.Seconds)
		}
	}
	if s := res.Survival; s != nil { // none of these is the best there can be
		for _, f := range []struct {
			name string
			n    uint64
		}{
			{"failed lookups", s.Failed},
			{"lookups of topics not found", s.NotFound},
			{"shrunken routes", s.Shrunken},
			{"topics lost", uint64(s.TopicsLost)},
			{"topics shrunken", uint64(s.TopicsShrunken)},
			{"brokers left out", uint64(s.BrokersLeftOut)},
		} {
			out = append(out, value{phase: s.Event, name: f.name, v: float64(f.n)})
		}
	}
	if n := len(res.Steps); n > 0 {
		add("", "memory per connection", "B", false, res.Steps[n-1].BytesPerConnection)
	}
	add("", "server CPU", "s/1M", false, res.Server.CPUSecondsPerMillion)
	if res.Server.CPUSecondsPerMillion == 0 && res.MeasuredSeconds > 0 { // a mix
		add("", "server cores busy", "", false, res.Server.CPUSeconds/res.MeasuredSeconds)
	}
	add("", "server memory", "B", false, float64(res.Server.RSS))
	add("", "server memory, peak", "B", false, float64(res.Server.PeakRSS))
	add("", "server threads", "", false, float64(res.Server.Threads))
	add("", "start to first reply", "s", false, r.FirstReplySeconds)
	add("", "preload", "s", false, res.PreloadSeconds)
	add("", "warm-up", "s", false, warmedUp(res))
	return append(out, errorValues(res)...)
}

// warmedUp is how long the figure took to stand still, 0 where it was not asked to.
func warmedUp(res *bench.Result) float64 {
	if w := res.Warmup; w == nil || w.Fixed {
		return 0
	}
	return res.WarmupSeconds
}

// errorValues are figures of each run, also of one that is not right. None is the
// best there can be.
func errorValues(res *bench.Result) []value {
	e := res.ErrorCounts()
	return []value{
		{name: "wrong replies", v: float64(e.Wrong)},
		{name: "refused requests", v: float64(e.Refused)},
		{name: "missing replies", v: float64(e.Missing)},
	}
}

func operation(p bench.Phase, name string) *bench.Operation {
	for i := range p.Ops {
		if p.Ops[i].Name == name {
			return &p.Ops[i]
		}
	}
	return nil
}

// Figures works out the figures of c from its turns that count. A ratio needs
// both runs of its round.
func Figures(c *Comparison) []Figure { return figuresOf(len(c.Servers), c.Base, c.Turns) }

func figuresOf(servers, base int, runs []Turn) []Figure {
	type key struct{ phase, name, unit string }
	index := map[key]int{}
	var figures []Figure
	byRound := []map[[2]int]value{} // of each figure: by server and round
	last := 0
	for i := range runs {
		r := &runs[i]
		if r.WarmUp || r.Result == nil || r.Result.Interrupted {
			continue
		}
		last = max(last, r.Round)
		values := errorValues(r.Result)
		if r.counts() {
			values = valuesOf(r)
		}
		for _, v := range values {
			k := key{v.phase, v.name, v.unit}
			at, ok := index[k]
			if !ok {
				at = len(figures)
				index[k] = at
				figures = append(figures, Figure{Phase: v.phase, Name: v.name, Unit: v.unit, More: v.more, Servers: make([]Values, servers)})
				byRound = append(byRound, map[[2]int]value{})
			}
			byRound[at][[2]int{r.Server, r.Round}] = v
			figures[at].GeneratorBound = figures[at].GeneratorBound || v.bound
		}
	}
	for i := range figures {
		for s := range servers {
			var values, ratios []float64
			bound := false
			for round := 1; round <= last; round++ {
				v, ok := byRound[i][[2]int{s, round}]
				if !ok {
					continue
				}
				values = append(values, v.v)
				if b, ok := byRound[i][[2]int{base, round}]; ok && b.v > 0 {
					ratios = append(ratios, v.v/b.v)
					bound = bound || v.bound || b.bound
				}
			}
			v := Values{Rounds: slices.Clone(values), Value: spread(values), Ratio: spread(ratios)}
			if s != base && !bound {
				v.Verdict = verdict(v.Ratio, figures[i].More)
			}
			figures[i].Servers[s] = v
		}
	}
	return figures
}
