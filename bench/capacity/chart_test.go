package capacity

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonamesrv/bench"
)

// invented is a report of plausible figures, each times so much.
func invented(times float64) *Report {
	r := &Report{Kind: Kind, Format: Format, Seconds: 600}
	r.Machine = bench.Machine{CPU: "a CPU", Cores: 2, Memory: 8e9, OS: "linux/amd64", Go: "go1.26", Commit: "0123456789abcdef"}
	memory := func(mb float64) Memory {
		return Memory{Resident: uint64(mb * 1.3e6 * times), Peak: uint64(mb * 1.6e6 * times), Heap: uint64(mb * 1e6 * times)}
	}
	r.Empty = memory(12)
	for _, s := range []Size{{100, 1000, false}, {100, 1_000_000, false}, {1, 10_000, true}, {10, 10_000, true}, {300, 10_000, true}} {
		n := float64(s.entries())
		listed := n / float64(s.Brokers)
		mb := 12 + float64(s.topics())*0.0008 + n*0.0001
		r.Points = append(r.Points, Point{
			Size: s, Topics: s.topics(), Entries: s.entries(), Registered: memory(mb), Used: memory(mb * 2), ReplyBytes: 300 + n/float64(s.topics())*100,
			First: Work{s.Brokers, float64(s.Brokers) * (0.0001 + listed*1.2e-6) * times}, NewVersion: Work{100, 100 * (0.0001 + listed*1e-6) * times},
			Unchanged: Work{100, 100 * (0.0001 + listed*1e-7) * times}, Reads: Work{1000, 1000 * (15 + n/float64(s.topics())*0.1) / 1e6 * times},
			Back: Work{1, 0.01}, Left: memory(14), Restart: &Restart{FirstReplySeconds: 0.01, RouteSeconds: 0.1, CPUSeconds: 0.1, Peak: 1e8},
		})
	}
	r.Idle = &Idle{Topics: 1016, Entries: 2016}
	for i := range 5 {
		n := 10_000 * (i + 1)
		r.Idle.Steps = append(r.Idle.Steps, bench.Step{Connections: n, RSS: uint64((20e6 + 900*float64(n)) * times), BytesPerConnection: 900, FDs: n})
	}
	return r
}

// A label is a text of a picture, and where it is.
type label struct {
	text                     string
	left, right, top, bottom float64
}

// labels returns all that can be read in a picture, but what stands upright.
func labels(t *testing.T, svg string) (all []label) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(svg))
	var at *label
	anchor := ""
	size := fontSize
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("it is no XML: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			at = nil
			if e.Name.Local != "text" {
				continue
			}
			at, anchor, size = &label{}, "", fontSize
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "x":
					at.left, _ = strconv.ParseFloat(a.Value, 64)
				case "y":
					at.bottom, _ = strconv.ParseFloat(a.Value, 64)
				case "text-anchor":
					anchor = a.Value
				case "class":
					size = titleSize
				case "transform":
					at.top = 1
				}
			}
		case xml.CharData:
			if at == nil || at.top == 1 {
				continue
			}
			at.text = string(e)
			width := textWidth(at.text, size)
			switch anchor {
			case "end":
				at.left -= width
			case "middle":
				at.left -= width / 2
			}
			at.right, at.top, at.bottom = at.left+width, at.bottom-size*0.8, at.bottom+size*0.2
			all = append(all, *at)
		case xml.EndElement:
			at = nil
		}
	}
}

// TestLabelsFit: whatever the figures are, each label is on the paper and on no other one.
func TestLabelsFit(t *testing.T) {
	for _, times := range []float64{1e-3, 0.4, 1, 2.5, 7, 1000} {
		charts := invented(times).Charts()
		if len(charts) != 6 {
			t.Fatalf("%d charts, want 6", len(charts))
		}
		for _, c := range charts {
			found := labels(t, c.SVG)
			if len(found) < 8 {
				t.Errorf("%s has only %d labels", c.File, len(found))
			}
			for i, l := range found {
				if l.left < 22 || l.right > paperWidth || l.top < 0 || l.bottom > paperHeight {
					t.Errorf("%s, times %g: %q is not on the paper, or on the name of an axis: %+v", c.File, times, l.text, l)
				}
				for _, o := range found[:i] {
					if l.left < o.right && o.left < l.right && l.top < o.bottom && o.top < l.bottom {
						t.Errorf("%s, times %g: %q is on %q", c.File, times, l.text, o.text)
					}
				}
			}
		}
	}
}

// TestLinesAreOnThePaper: all points of a picture lie between its axes.
func TestLinesAreOnThePaper(t *testing.T) {
	place := regexp.MustCompile(`[ML]?([\d.]+) ([\d.]+)`)
	for _, c := range invented(1).Charts() {
		points := 0
		for _, m := range regexp.MustCompile(`<path class="line s\d" stroke-dasharray="[^"]*" d="(M[^h"]+)"/>`).FindAllStringSubmatch(c.SVG, -1) {
			for _, p := range place.FindAllStringSubmatch(m[1], -1) {
				x, err1 := strconv.ParseFloat(p[1], 64)
				y, err2 := strconv.ParseFloat(p[2], 64)
				if err1 != nil || err2 != nil || math.IsNaN(x+y) || x < left || x > plotRight || y < top-0.1 || y > plotBottom+0.1 {
					t.Errorf("%s has a point at %q", c.File, p[0])
				}
				points++
			}
		}
		if points < 2 {
			t.Errorf("%s has %d points", c.File, points)
		}
	}
}

// TestChartsInTheDark: each picture brings its own paper, and other colours for the dark.
func TestChartsInTheDark(t *testing.T) {
	for _, c := range invented(1).Charts() {
		if !strings.Contains(c.SVG, "prefers-color-scheme:dark") || !strings.Contains(c.SVG, `class="paper"`) || strings.Contains(c.SVG, "<script") {
			t.Errorf("%s:\n%s", c.File, c.SVG)
		}
	}
}
