package capacity

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonamesrv/bench/report"
)

// A Chart is a picture of a report, as SVG that is as good in the light as in the dark.
type Chart struct {
	File string // its name
	Alt  string // what it shows, for those who do not see it
	SVG  string
}

// A drawing is lines over one axis. Both axes go by powers of ten, unless linear.
type drawing struct {
	file, title    string
	x, y           string // what the axes are
	linear         bool
	at             []float64 // x of all lines
	lines          []line
	showX, showY   func(float64) string
	least, most    float64 // of y, filled in by range
	leastX, mostX  float64
	ticksY, ticksX []float64
}

type line struct {
	name   string
	values []float64
}

// The paper, in its own units, which are pixels at the size at which most see it.
const (
	paperWidth, paperHeight  = 720.0, 380.0
	left, right, top, bottom = 96.0, 30.0, 78.0, 56.0
	fontSize, titleSize      = 13.0, 16.0
	titleLine, legendLine    = 26.0, 54.0
	widestLetter             = 0.62 // of the font size, for most letters of a sans serif
	legendMark, legendGap    = 28.0, 26.0
	plotRight                = paperWidth - right
	plotBottom               = paperHeight - bottom
	maxLines                 = 3 // that differ in colour, dashes and marks
)

const style = `<style>
.paper{fill:#fff}text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:16px;font-weight:600}
.grid{stroke:#d8dee4}.line{fill:none;stroke-width:2.5}
.s0{stroke:#0969da}.s1{stroke:#bc4c00}.s2{stroke:#1a7f37}.m0{fill:#0969da}.m1{fill:#bc4c00}.m2{fill:#1a7f37}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117}text{fill:#e6edf3}.grid{stroke:#3d444d}
.s0{stroke:#58a6ff}.s1{stroke:#f0883e}.s2{stroke:#3fb950}.m0{fill:#58a6ff}.m1{fill:#f0883e}.m2{fill:#3fb950}}
</style>
`

var dashes = [maxLines]string{"", "8 5", "2 5"}

// textWidth is how much room a text takes at most.
func textWidth(s string, size float64) float64 {
	return float64(len([]rune(s))) * size * widestLetter
}

// draw makes the picture.
func (d *drawing) draw() string {
	d.measure()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s">`+"\n",
		paperWidth, paperHeight, paperWidth, paperHeight, escape(d.title))
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="paper" width="%g" height="%g" rx="6"/>`+"\n", paperWidth, paperHeight)
	text := func(x, y float64, anchor, class, s string) {
		if class != "" {
			class = ` class="` + class + `"`
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>`+"\n", x, y, anchor, class, escape(s))
	}
	text(left, titleLine, "start", "title", d.title)
	at := left
	for i, l := range d.lines {
		fmt.Fprintf(&b, `<path class="line s%d" stroke-dasharray="%s" d="M%.1f %.1fh%g"/>`+"\n", i, dashes[i], at, legendLine-4, legendMark)
		d.mark(&b, i, at+legendMark/2, legendLine-4)
		text(at+legendMark+6, legendLine, "start", "", l.name)
		at += legendMark + 6 + textWidth(l.name, fontSize) + legendGap
	}
	for _, v := range d.ticksY {
		y := d.placeY(v)
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fH%.1f"/>`+"\n", left, y, plotRight)
		text(left-8, y+4.5, "end", "", d.showY(v))
	}
	for _, v := range d.ticksX {
		x := d.placeX(v)
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fV%.1f"/>`+"\n", x, plotBottom, plotBottom+5)
		text(x, plotBottom+20, "middle", "", d.showX(v))
	}
	text((left+plotRight)/2, paperHeight-12, "middle", "", d.x)
	fmt.Fprintf(&b, `<text x="16" y="%.1f" text-anchor="middle" transform="rotate(-90 16 %.1f)">%s</text>`+"\n", (top+plotBottom)/2, (top+plotBottom)/2, escape(d.y))
	for i, l := range d.lines {
		var path []string
		for j, v := range l.values {
			path = append(path, fmt.Sprintf("%.1f %.1f", d.placeX(d.at[j]), d.placeY(v)))
		}
		fmt.Fprintf(&b, `<path class="line s%d" stroke-dasharray="%s" d="M%s"/>`+"\n", i, dashes[i], strings.Join(path, "L"))
		for j, v := range l.values {
			d.mark(&b, i, d.placeX(d.at[j]), d.placeY(v))
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// mark draws one point of the i-th line: a disc, a square or a triangle.
func (d *drawing) mark(b *strings.Builder, i int, x, y float64) {
	switch i {
	case 0:
		fmt.Fprintf(b, `<circle class="m0" cx="%.1f" cy="%.1f" r="4.5"/>`+"\n", x, y)
	case 1:
		fmt.Fprintf(b, `<rect class="m1" x="%.1f" y="%.1f" width="8" height="8"/>`+"\n", x-4, y-4)
	default:
		fmt.Fprintf(b, `<path class="m%d" d="M%.1f %.1fl5 9h-10z"/>`+"\n", i, x, y-5)
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes all
	return b.String()
}

// measure finds out what the axes reach from and to.
func (d *drawing) measure() {
	var all []float64
	for _, l := range d.lines {
		all = append(all, l.values...)
	}
	d.least, d.most = slices.Min(all), slices.Max(all)
	d.leastX, d.mostX = slices.Min(d.at), slices.Max(d.at)
	d.ticksX = d.at
	if d.linear {
		d.least, d.leastX = 0, 0
		step := niceStep(d.most / 4)
		d.most = math.Ceil(d.most/step) * step
		for v := 0.0; v <= d.most*1.001; v += step {
			d.ticksY = append(d.ticksY, v)
		}
		return
	}
	// One tick for each power of ten, with some between where there are few.
	steps := []float64{1}
	switch decades := math.Log10(d.most / d.least); {
	case decades < 1.2:
		steps = []float64{1, 1.5, 2, 3, 5, 7}
	case decades < 3:
		steps = []float64{1, 2, 5}
	}
	var ticks []float64
	for e := math.Floor(math.Log10(d.least)); e <= math.Ceil(math.Log10(d.most)); e++ {
		for _, s := range steps {
			ticks = append(ticks, s*math.Pow(10, e))
		}
	}
	from := 0
	for from+1 < len(ticks) && ticks[from+1] <= d.least {
		from++
	}
	to := len(ticks) - 1
	for to > from+1 && ticks[to-1] >= d.most {
		to--
	}
	d.ticksY = ticks[from : to+1]
	d.least, d.most = ticks[from], ticks[to]
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is not less than v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(cmp.Or(v, 1))))
	for _, s := range []float64{1, 2, 5} {
		if s*power >= v {
			return s * power
		}
	}
	return 10 * power
}

func (d *drawing) placeX(v float64) float64 {
	return left + 12 + (plotRight-left-24)*d.part(v, d.leastX, d.mostX)
}

func (d *drawing) placeY(v float64) float64 {
	return plotBottom - (plotBottom-top)*d.part(v, d.least, d.most)
}

// part is where v lies between two values: from 0 to 1.
func (d *drawing) part(v, least, most float64) float64 {
	if least == most {
		return 0.5
	}
	if d.linear {
		return (v - least) / (most - least)
	}
	return math.Log(v/least) / math.Log(most/least)
}

// Charts returns the pictures of a report, those for which it has two sizes at least.
func (r *Report) Charts() (charts []Chart) {
	var own, shared []Point
	for _, p := range r.Points {
		if p.Shared {
			shared = append(shared, p)
		} else {
			own = append(own, p)
		}
	}
	of := func(points []Point, value func(Point) float64) (values []float64) {
		for _, p := range points {
			values = append(values, value(p))
		}
		return values
	}
	brokers := func(p Point) float64 { return float64(p.Brokers) }
	memory := func(points []Point) []line {
		return []line{
			{"resident, at its most", of(points, func(p Point) float64 { return float64(p.Used.Peak) })},
			{"once all have registered", of(points, func(p Point) float64 { return float64(p.Registered.Resident) })},
			{"live objects", of(points, func(p Point) float64 { return float64(p.Registered.Heap) })},
		}
	}
	registration := func(points []Point) []line {
		ms := func(w func(Point) Work) []float64 {
			return of(points, func(p Point) float64 { return w(p).each() * thousand })
		}
		return []line{
			{"first", ms(func(p Point) Work { return p.First })},
			{"new data version", ms(func(p Point) Work { return p.NewVersion })},
			{"unchanged", ms(func(p Point) Work { return p.Unchanged })},
		}
	}
	add := func(d drawing, alt string) {
		if d.showX == nil {
			d.showX = func(v float64) string { return report.Count(uint64(v)) }
		}
		if len(d.at) >= 2 {
			charts = append(charts, Chart{d.file, alt, d.draw()})
		}
	}
	size := report.Size
	if len(own) > 0 {
		topics := of(own, func(p Point) float64 { return float64(p.Names) })
		x := fmt.Sprintf("topics in all, each on one of %d brokers", own[0].Brokers)
		add(drawing{file: "capacity-memory-topics.svg", title: "Memory by topics", x: x, y: "bytes", at: topics, lines: memory(own), showY: size},
			"Memory grows in proportion to the number of topics")
		add(drawing{
			file: "capacity-registration-topics.svg", title: "CPU of one registration by topics", x: x, y: "ms", at: topics,
			lines: registration(own), showY: report.Number,
		}, "The CPU time of a registration grows with the topics that it lists")
	}
	if len(shared) > 0 {
		at := of(shared, brokers)
		x := fmt.Sprintf("brokers, each with the same %s topics", report.Count(uint64(shared[0].Names)))
		add(drawing{file: "capacity-memory-brokers.svg", title: "Memory by brokers", x: x, y: "bytes", at: at, lines: memory(shared), showY: size},
			"Memory grows with the number of brokers that have each topic")
		add(drawing{
			file: "capacity-registration-brokers.svg", title: "CPU of one registration by brokers", x: x, y: "ms", at: at,
			lines: registration(shared), showY: report.Number,
		}, "What a registration costs, by the number of brokers that have the same topics")
		add(drawing{
			file: "capacity-reads-brokers.svg", title: "CPU of a million route reads", x: x, y: "seconds", at: at, showY: report.Number,
			lines: []line{{"one request at a time", of(shared, func(p Point) float64 { return p.Reads.each() * 1e6 })}},
		}, "What a read costs, by the number of brokers that the answer names")
	}
	if i := r.Idle; i != nil {
		d := drawing{
			file: "capacity-connections.svg", title: "Memory by connections", x: "connections that say nothing", y: "bytes",
			linear: true, showY: size, lines: []line{{name: "resident"}},
		}
		for _, s := range i.Steps {
			d.at, d.lines[0].values = append(d.at, float64(s.Connections)), append(d.lines[0].values, float64(s.RSS))
		}
		add(d, "Memory grows in proportion to the number of connections")
	}
	return charts
}
