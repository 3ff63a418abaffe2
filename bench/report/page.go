package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// The parts of a page. uPlot is its release 1.6.32, as it is.
var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
	//go:embed uplot/uPlot.iife.min.js
	uPlotJS string
	//go:embed uplot/uPlot.min.css
	uPlotCSS string
)

var page = template.Must(template.New("page").Parse(pageHTML))

// HTML returns d as one page that loads nothing.
func (d Document) HTML() ([]byte, error) {
	sheet := d.Sheet()
	data := map[string]any{
		"Sheet": sheet, "Verdict": sheet.verdict(d.interrupted()), "Facts": namedFacts(sheet.Facts), "Charts": d.charts(), "Forests": d.forests(), "Bars": d.bars(),
		"CSS": template.CSS(pageCSS), "UPlotCSS": template.CSS(uPlotCSS),
		"JS": template.JS(pageJS), "UPlot": template.JS(uPlotJS),
	}
	var b bytes.Buffer
	if err := page.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), nil
}

func (d Document) interrupted() bool {
	if d.Comparison != nil {
		return d.Comparison.Interrupted
	}
	return d.Result.Interrupted
}

// WriteHTML writes the page. The file is replaced as a whole.
func (d Document) WriteHTML(path string) error {
	text, err := d.HTML()
	if err != nil {
		return err
	}
	return writeFile(path, text)
}

// A fact is what stands before and after the colon.
type fact struct{ Name, Text string }

func namedFacts(lines []string) []fact {
	var out []fact
	for _, l := range lines {
		n, t, ok := strings.Cut(l, ": ")
		if !ok {
			n, t = "time", l
		}
		out = append(out, fact{n, t})
	}
	return out
}

// A bar is one row of a chart of bars.
type bar struct {
	Label, Text string
	Width       float64 // percent
	Color       int
}

type bars struct {
	Title, Note string
	Rows        []bar
}

// bars compares the phases of a result, operation by operation.
func (d Document) bars() []bars {
	if d.Result == nil || len(d.Result.Phases) < 2 {
		return nil
	}
	var out []bars
	for _, kind := range []struct {
		title, note string
		of          func(bench.Operation) float64
		show        func(float64) string
	}{
		{"p99 by phase", "A bar is compared with those of the same request only.", func(o bench.Operation) float64 { return o.Latency.P99 }, micros},
		{"Rate by phase", "Right replies per second, or requests sent where no reply is wanted. A bar is compared with those of the same request only.", func(o bench.Operation) float64 { return o.PerSecond }, func(v float64) string { return digits(v) + "/s" }},
	} {
		b := bars{Title: kind.title, Note: kind.note}
		var names []string
		for _, p := range d.Result.Phases {
			for _, o := range p.Ops {
				if !slices.Contains(names, o.Name) {
					names = append(names, o.Name)
				}
			}
		}
		for color, name := range names {
			most := 0.0
			start := len(b.Rows)
			for _, p := range d.Result.Phases {
				for _, o := range p.Ops {
					if v := kind.of(o); o.Name == name && v > 0 {
						most = max(most, v)
						b.Rows = append(b.Rows, bar{Label: name + ", " + p.Name, Text: kind.show(v), Width: v, Color: color % colors})
					}
				}
			}
			for i := range b.Rows[start:] {
				b.Rows[start+i].Width *= 100 / most
			}
		}
		out = append(out, b)
	}
	return out
}

// colors is how many colours page.css knows.
const colors = 6

// A forest shows ratios with their spread, on a logarithmic axis.
type forest struct {
	Title, Note string
	Servers     []named
	Ticks       []tick
	Rows        []branch
}

type named struct {
	Name  string
	Color int
}

type tick struct {
	Label string
	Left  float64 // percent
}

type branch struct {
	Label, Text              string
	Values                   string // of the server, and of the base
	First                    bool   // of its figure
	One, Left, Width, Middle float64
	Color                    int
	low, middle, high        float64
}

// forests shows the ratios of a comparison.
func (d Document) forests() []forest {
	c := d.Comparison
	if c == nil {
		return nil
	}
	f := forest{
		Title: "Ratios to " + c.Servers[c.Base].Name,
		Note:  "The dot is the geometric mean of the rounds. The bar is where it lies with 95 % confidence, or with fewer than five rounds from the smallest to the largest. The dashed line is 1×: no difference. More is better where ↑ stands, else less. The axis is logarithmic. Below each ratio: the geometric mean of the server, and that of " + c.Servers[c.Base].Name + ".",
	}
	for i, s := range c.Servers {
		if i != c.Base {
			f.Servers = append(f.Servers, named{s.Name, i % colors})
		}
	}
	low, high := 0.9, 1.1
	for _, fig := range c.Figures {
		first := true
		for i, v := range fig.Servers {
			if i == c.Base || v.Ratio.N == 0 || v.Ratio.Min <= 0 {
				continue
			}
			from, to := v.Ratio.Bounds()
			label := ""
			if first {
				label = strings.TrimPrefix(fig.Phase+": "+figureName(fig), ": ")
				if !severalPhases(c) {
					label = figureName(fig)
				}
			}
			f.Rows = append(f.Rows, branch{
				Label: label, First: first, Text: ratioText(v), Color: i % colors,
				Values: valueText(v.Value, fig.Unit) + " against " + valueText(fig.Servers[c.Base].Value, fig.Unit),
				low:    from, middle: v.Ratio.Middle(), high: to,
			})
			first = false
			low, high = min(low, from), max(high, to)
		}
	}
	if len(f.Rows) == 0 {
		return nil
	}
	from, to := math.Log10(low)-0.03, math.Log10(high)+0.03
	at := func(v float64) float64 { return math.Round((math.Log10(v)-from)/(to-from)*1e4) / 100 }
	for i := range f.Rows {
		r := &f.Rows[i]
		r.One, r.Left, r.Middle = at(1), at(r.low), at(r.middle)
		r.Width = math.Max(0, at(r.high)-r.Left)
	}
	f.Ticks = ticks(low, high, at)
	return []forest{f}
}

func severalPhases(c *compare.Comparison) bool {
	phases := map[string]bool{}
	for _, f := range c.Figures {
		if f.Phase != "" {
			phases[f.Phase] = true
		}
	}
	return len(phases) > 1
}

// ticks are round ratios between low and high, as many as there is room for.
func ticks(low, high float64, at func(float64) float64) []tick {
	for _, steps := range [][]float64{{1, 1.1, 1.2, 1.3, 1.5, 1.7, 2, 2.5, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 5}, {1, 3}, {1}} {
		var out []tick
		for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
			for _, s := range steps {
				if v := s * math.Pow(10, e); v >= low && v <= high {
					out = append(out, tick{strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) + "×", at(v)})
				}
			}
		}
		close := false
		for i := 1; i < len(out); i++ {
			close = close || out[i].Left-out[i-1].Left < 9
		}
		if !close {
			return out
		}
	}
	return []tick{{"1×", at(1)}}
}
