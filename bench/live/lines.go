package live

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"gonamesrv/bench/report"
)

// Lines draws s in at most height lines of at most width columns, the most
// valuable first.
func (s *State) Lines(width, height int) []string {
	if width < 1 || height < 1 {
		return nil
	}
	var all []string
	if height == 1 {
		all = []string{join(s.stage(), s.figures())}
	} else {
		all = []string{beside(s.title(), s.bar(), width), join(s.stage(), s.errors())}
		for _, line := range []string{s.figures(), s.server()} {
			if line != "" {
				all = append(all, line)
			}
		}
		all = append(all, s.sparklines(width)...)
	}
	all = all[:min(len(all), height)]
	for i := range all {
		all[i] = cut(all[i], width)
	}
	return all
}

// Line is s in one line, however long.
func (s *State) Line() string {
	t := join(s.title(), s.stage(), s.figures(), s.server())
	if s.now.Errors > 0 {
		t = join(t, s.errors())
	}
	return t
}

func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "   ")
}

// figures are those of the last second.
func (s *State) figures() string {
	p := s.now
	if p.Rate == 0 && p.InFlight == 0 {
		return ""
	}
	return fmt.Sprintf("%s/s   p50 %s   p99 %s   %s under way",
		report.Number(p.Rate), report.Micros(float64(p.P50)/1e3), report.Micros(float64(p.P99)/1e3), report.Count(uint64(max(0, p.InFlight))))
}

func (s *State) errors() string {
	switch s.now.Errors {
	case 0:
		return "no errors"
	case 1:
		return "1 ERROR"
	}
	return report.Count(s.now.Errors) + " ERRORS"
}

func (s *State) server() string {
	p := s.now
	if p.ServerRSS == 0 {
		return ""
	}
	return fmt.Sprintf("server %s cores   %s", report.Number(p.ServerCPU), report.Size(float64(p.ServerRSS)))
}

// barWidth is the width of a bar of progress.
const barWidth = 24

func (s *State) bar() string {
	part, known := s.done()
	if !known {
		return ""
	}
	full := int(part*barWidth + 0.5)
	return strings.Repeat("━", full) + strings.Repeat("╌", barWidth-full)
}

// beside puts right at the right end of a line, if there is room.
func beside(left, right string, width int) string {
	room := width - columns(left) - columns(right)
	if right == "" || room < 2 {
		return left
	}
	return left + strings.Repeat(" ", room) + right
}

// sparklines are the past seconds, as many as fit.
func (s *State) sparklines(width int) (lines []string) {
	for _, l := range []struct {
		name   string
		values []float64
		show   func(float64) string
	}{
		{"rate ", s.rates, func(v float64) string { return report.Number(v) + "/s" }},
		{"p99  ", s.p99s, report.Micros},
	} {
		most := 0.0
		for _, v := range l.values {
			most = max(most, v)
		}
		top := "  up to " + l.show(most)
		room := width - columns(l.name) - columns(top)
		if most == 0 || room < 4 {
			continue
		}
		lines = append(lines, l.name+spark(l.values[max(0, len(l.values)-room):], most)+top)
	}
	return lines
}

var levels = []rune("▁▂▃▄▅▆▇█")

// spark draws values between 0 and most; of a second without one it draws nothing.
func spark(values []float64, most float64) string {
	var b strings.Builder
	for _, v := range values {
		if v <= 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(levels[min(len(levels)-1, int(v/most*float64(len(levels))))])
	}
	return b.String()
}

func columns(line string) int { return text.StringWidthWithoutEscSequences(line) }

// cut shortens a line to so many columns. A character that needs two is left out
// when there is room for one.
func cut(line string, width int) string {
	if columns(line) <= width {
		return line
	}
	const missing = "…"
	room := width - columns(missing)
	if room < 0 { // where it needs two columns
		return ""
	}
	var b strings.Builder
	for _, r := range line {
		w := columns(string(r))
		if w > room {
			break
		}
		room -= w
		b.WriteRune(r)
	}
	b.WriteString(missing)
	return b.String()
}
