package top

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// A tone is a color, or none. A word that says the same always stands beside it.
type tone int

const (
	plain tone = iota
	good
	warned
	bad
	faint
	strong
	marked // the row of the cursor
)

// paint reports whether there are colors.
type paint bool

var codes = [...]string{good: "32", warned: "33", bad: "31", faint: "90", strong: "1", marked: "7"}

func (p paint) in(t tone, s string) string {
	if !p || t == plain || s == "" {
		return s
	}
	return "\x1b[" + codes[t] + "m" + s + "\x1b[m"
}

// cells returns how many cells a text takes. Terminals do not agree on all of them; it is
// the larger number, so that a line fits on each.
func cells(s string) int {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return max(ansi.StringWidth(s), ansi.StringWidthWc(s))
		}
	}
	return len(s)
}

// cut returns what fits into so many cells.
func cut(s string, width int) string {
	if cells(s) <= width {
		return s
	}
	for short := width; short > 0; short-- {
		if text := ansi.Truncate(s, short, "…"); cells(text) <= width {
			return text
		}
	}
	return ""
}

// pad returns a text in exactly so many cells.
func pad(s string, width int, right bool) string {
	s = cut(s, width)
	blanks := strings.Repeat(" ", max(0, width-cells(s)))
	if right {
		return blanks + s
	}
	return s + blanks
}

// A segment is a part of a line about a server.
type segment struct {
	text    string
	tone    tone
	breaks  bool // it begins a line, if there is another one
	shrinks bool // it may be cut
}

const fewest = 12 // cells of a segment that was cut

// flow puts segments into lines, two blanks between them. What finds no room is left out, and
// dots say so.
func flow(segments []segment, width, most int, p paint) []string {
	var lines []string
	var line strings.Builder
	used, missing := 0, false
	end := func() {
		lines = append(lines, line.String())
		line.Reset()
		used = 0
	}
	put := func(s *segment, least int) bool {
		space := 0
		if used > 0 {
			space = 2
		}
		room := width - used - space
		text := s.text
		if cells(text) > room {
			if room < least || !s.shrinks && used > 0 {
				return false
			}
			text = cut(text, room)
		}
		line.WriteString(strings.Repeat(" ", space))
		line.WriteString(p.in(s.tone, text))
		used += space + cells(text)
		return true
	}
	for i := range segments {
		s := &segments[i]
		if s.text == "" {
			continue
		}
		if s.breaks && used > 0 && len(lines)+1 < most {
			end()
		}
		if missing && !s.shrinks {
			continue
		}
		if len(lines)+1 < most {
			if put(s, width) {
				continue
			}
			end()
		}
		missing = !put(s, fewest) || missing
	}
	if missing && used+2 <= width {
		line.WriteString(" …")
	}
	end()
	return lines
}

const bars = "▁▂▃▄▅▆▇█"

// spark draws the last points, at most width of them, from 0 to the highest.
func spark(points []float64, width int) string {
	points = points[max(0, len(points)-width):]
	most := 0.0
	for _, p := range points {
		most = max(most, p)
	}
	levels := []rune(bars)
	var b strings.Builder
	for _, p := range points {
		level := 0
		if most > 0 {
			level = int(math.Round(max(p, 0) / most * float64(len(levels)-1)))
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

// thousands writes a number with commas.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// rate writes how often something happens a second, which may not be known.
func rate(r *float64) string {
	switch {
	case r == nil:
		return "–"
	case *r > 0 && *r < 10:
		return strings.TrimSuffix(strconv.FormatFloat(*r, 'f', 1, 64), ".0")
	}
	return thousands(int64(math.Round(*r)))
}

func percent(part, of int64) string {
	if of <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", float64(part)/float64(of)*100)
}

// size writes bytes.
func size(n int64) string {
	switch {
	case n < 10<<10:
		return thousands(n) + " B"
	case n < 10<<20:
		return thousands(n>>10) + " kB"
	}
	return thousands(n>>20) + " MB"
}

// seconds writes milliseconds.
func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s" }

// uptime writes a long duration short.
func uptime(s int64) string {
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// clock writes a moment where the reader is: the time of a day, with the date if it is
// another one.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04:05")
	}
	return t.Format("01-02 15:04:05")
}
