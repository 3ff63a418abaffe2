package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// A Chart is what page.js draws: lines over one x axis. Values are nil where
// there is nothing to draw.
type Chart struct {
	Title string     `json:"title"`
	Note  string     `json:"note"`
	X     []float64  `json:"x"`
	XAxis string     `json:"xAxis"` // "seconds", "percentile" (x is 1/(1-q)) or "connections"
	Y     string     `json:"y"`     // "µs", "/s", "B" or "cores"
	Log   bool       `json:"log"`   // y axis
	Lines []Line     `json:"lines"`
	Bands []Band     `json:"bands,omitempty"` // along x, with their names
	Level *NamedLine `json:"level,omitempty"` // across the chart
}

// A Line is one series; Color is an index into the page's colours.
type Line struct {
	Name   string     `json:"name"`
	Color  int        `json:"color"`
	Values []*float64 `json:"values"`
}

// A Band is a part of the x axis.
type Band struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// A NamedLine is a constant.
type NamedLine struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// charts returns what d has to draw.
func (d Document) charts() []Chart {
	var out []Chart
	if c := d.Comparison; c != nil {
		out = comparisonCharts(c)
	} else {
		out = resultCharts(d.Result)
	}
	return slices.DeleteFunc(out, func(c Chart) bool { return len(c.X) == 0 || len(c.Lines) == 0 })
}

func resultCharts(r *bench.Result) []Chart {
	out := []Chart{resultPercentiles(r)}
	runs := []seriesOf{{name(r), []*bench.Result{r}}}
	out = append(out, overTime(runs)...)
	return append(out, stepCharts(runs)...)
}

func comparisonCharts(c *compare.Comparison) []Chart {
	var runs []seriesOf
	for i, s := range c.Servers {
		one := seriesOf{name: s.Name}
		for _, t := range c.Turns {
			if t.Server == i && !t.WarmUp && t.Result.OK && !t.Result.Interrupted {
				one.results = append(one.results, t.Result)
			}
		}
		runs = append(runs, one)
	}
	out := comparedPercentiles(runs)
	out = append(out, overTime(runs)...)
	return append(out, stepCharts(runs)...)
}

// perDecade is how many points of each decade of 1/(1-q) are drawn.
const perDecade = 10

// percentileGrid are values of 1/(1-q), from 1 (the least) as far as some
// latency of n is beyond.
func percentileGrid(n int64) []float64 {
	var x []float64
	for i := 0; ; i++ {
		v := math.Pow(10, float64(i)/perDecade)
		if v > float64(n) || v > 1e7 {
			return x
		}
		x = append(x, v)
	}
}

func percentiles(h *hdrhistogram.Histogram, grid []float64) []*float64 {
	out := make([]*float64, len(grid))
	for i, x := range grid {
		if h != nil && x <= float64(h.TotalCount()) {
			ns := h.Min()
			if i > 0 {
				ns = h.ValueAtQuantile((1 - 1/x) * 100)
			}
			us := max(0.1, float64(ns)/1e3) // a logarithm is taken of it
			out[i] = &us
		}
	}
	return out
}

// percentileNote says how such a chart is read.
const percentileNote = "How long the slowest part of all requests took: at 99 %, one of a hundred took at least so long. Both axes are logarithmic."

// resultPercentiles has a line for each operation of each phase.
func resultPercentiles(r *bench.Result) Chart {
	c := Chart{Title: "Latency by percentile", Note: percentileNote, XAxis: "percentile", Y: "µs", Log: true}
	var most int64
	type line struct {
		name string
		h    *hdrhistogram.Histogram
	}
	var lines []line
	for _, p := range r.Phases {
		for _, o := range p.Ops {
			h := histogram(o)
			if h == nil {
				continue
			}
			n := o.Name
			if len(r.Phases) > 1 {
				n += ", " + p.Name
			}
			lines = append(lines, line{n, h})
			most = max(most, h.TotalCount())
		}
	}
	c.X = percentileGrid(most)
	for i, l := range lines {
		c.Lines = append(c.Lines, Line{Name: l.name, Color: i, Values: percentiles(l.h, c.X)})
	}
	return c
}

// histogram returns the latencies of an operation, nil for none.
func histogram(o bench.Operation) *hdrhistogram.Histogram {
	if o.Histogram == "" {
		return nil
	}
	h, err := bench.DecodeHistogram(o.Histogram)
	if err != nil {
		return nil // the figures are in the table
	}
	return h
}

// A seriesOf is a server and its runs that count.
type seriesOf struct {
	name    string
	results []*bench.Result
}

// comparedPercentiles has a chart for each operation of each phase, with a line
// for each server: all rounds together.
func comparedPercentiles(runs []seriesOf) []Chart {
	type key struct{ phase, op string }
	var keys []key
	all := map[key][]*hdrhistogram.Histogram{}
	for i, s := range runs {
		for _, r := range s.results {
			for _, p := range r.Phases {
				for _, o := range p.Ops {
					h := histogram(o)
					if h == nil {
						continue
					}
					k := key{p.Name, o.Name}
					if all[k] == nil {
						all[k] = make([]*hdrhistogram.Histogram, len(runs))
						keys = append(keys, k)
					}
					if all[k][i] == nil {
						all[k][i] = h
					} else {
						all[k][i].Merge(h)
					}
				}
			}
		}
	}
	var out []Chart
	for _, k := range keys {
		c := Chart{
			Title: fmt.Sprintf("Latency of %s by percentile, phase %s", k.op, k.phase), Note: percentileNote + " All rounds together.",
			XAxis: "percentile", Y: "µs", Log: true,
		}
		var most int64
		for _, h := range all[k] {
			if h != nil {
				most = max(most, h.TotalCount())
			}
		}
		c.X = percentileGrid(most)
		for i, h := range all[k] {
			if h != nil {
				c.Lines = append(c.Lines, Line{Name: runs[i].name, Color: i, Values: percentiles(h, c.X)})
			}
		}
		out = append(out, c)
	}
	return out
}

// overTime are the charts over the seconds of the measured time; of several
// rounds it shows the median of each second.
func overTime(runs []seriesOf) []Chart {
	note := ""
	last := 0
	for _, s := range runs {
		for _, r := range s.results {
			last = max(last, wholeSeconds(r))
		}
		if len(s.results) > 1 {
			note = " Each second: the median of the rounds."
		}
	}
	var x []float64
	for i := range last {
		x = append(x, float64(i+1))
	}
	rate := Chart{Title: "Replies per second", Note: "All requests that are answered, by the time of the reply." + note, Y: "/s"}
	p99 := Chart{Title: "p99 of each second", Note: "All requests that are answered, by the time of the reply." + note, Y: "µs", Log: true}
	cpu := Chart{Title: "Server CPU", Note: "Cores that the server kept busy." + note, Y: "cores"}
	mem := Chart{Title: "Server memory", Note: "Resident set of the server." + note, Y: "B"}
	for _, c := range []struct {
		chart *Chart
		of    func(bench.Point) float64
	}{
		{&rate, func(p bench.Point) float64 { return p.Rate }},
		{&p99, func(p bench.Point) float64 { return p.P99 }},
		{&cpu, func(p bench.Point) float64 { return p.ServerCPU }},
		{&mem, func(p bench.Point) float64 { return float64(p.ServerRSS) }},
	} {
		c.chart.X, c.chart.XAxis = x, "seconds"
		for i, s := range runs {
			if values, any := perSecond(s.results, last, c.of); any {
				c.chart.Lines = append(c.chart.Lines, Line{Name: s.name, Color: i, Values: values})
			}
		}
		c.chart.Bands = bands(runs, last)
	}
	addCeiling(&rate, runs)
	return []Chart{rate, p99, cpu, mem}
}

// wholeSeconds is how many points of the series are of a whole second.
func wholeSeconds(r *bench.Result) int {
	return min(len(r.Series), int(r.MeasuredSeconds+0.05))
}

// perSecond returns the median over all results of each second, nil where
// none has a value, and whether there is any.
func perSecond(results []*bench.Result, n int, of func(bench.Point) float64) (values []*float64, any bool) {
	values = make([]*float64, n)
	for sec := range n {
		var all []float64
		for _, r := range results {
			if sec < wholeSeconds(r) {
				if v := of(r.Series[sec]); v > 0 {
					all = append(all, v)
				}
			}
		}
		if len(all) > 0 {
			slices.Sort(all)
			values[sec] = &all[len(all)/2]
			any = true
		}
	}
	return values, any
}

// bands are the phases of the first result, when it has several.
func bands(runs []seriesOf, last int) []Band {
	i := slices.IndexFunc(runs, func(s seriesOf) bool { return len(s.results) > 0 })
	if i < 0 || len(runs[i].results[0].Phases) < 2 {
		return nil
	}
	var out []Band
	for _, p := range runs[i].results[0].Phases {
		out = append(out, Band{Name: p.Name, From: p.From, To: min(p.From+p.Seconds, float64(last)+1)})
	}
	return out
}

// addCeiling draws the generator's ceiling where it can be compared with the
// rate, or says where it is.
func addCeiling(rate *Chart, runs []seriesOf) {
	var results []*bench.Result
	for _, s := range runs {
		results = append(results, s.results...)
	}
	i := slices.IndexFunc(results, func(r *bench.Result) bool { return r.Ceiling != nil && r.Ceiling.PerSecond > 0 })
	if i < 0 {
		return
	}
	c := results[i].Ceiling
	_, _, closed := reached(results[i])
	what := fmt.Sprintf("%s/s, what the generator reaches in a closed loop against a server that only echoes", digits(c.PerSecond))
	most := 0.0
	for _, l := range rate.Lines {
		for _, v := range l.Values {
			if v != nil {
				most = max(most, *v)
			}
		}
	}
	if closed && c.PerSecond <= 3*most {
		rate.Level = &NamedLine{Name: "ceiling", Value: c.PerSecond}
		rate.Note += " The ceiling line: " + what + "."
		return
	}
	rate.Note += " The ceiling, far off this chart or driven otherwise: " + what + "."
}

// stepCharts are those of a scenario that goes in steps.
func stepCharts(runs []seriesOf) []Chart {
	c := Chart{Title: "Server memory by connections", Note: "Resident set of the server at each step; of several rounds the last.", XAxis: "connections", Y: "B"}
	for i, s := range runs {
		if len(s.results) == 0 {
			continue
		}
		steps := s.results[len(s.results)-1].Steps
		if len(steps) == 0 {
			continue
		}
		var x []float64
		var values []*float64
		for _, st := range steps {
			x = append(x, float64(st.Connections))
			rss := float64(st.RSS)
			values = append(values, &rss)
		}
		if c.X == nil {
			c.X = x
		}
		if slices.Equal(c.X, x) {
			c.Lines = append(c.Lines, Line{Name: s.name, Color: i, Values: values})
		}
	}
	return []Chart{c}
}
