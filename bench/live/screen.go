package live

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A Screen draws lines over those that it drew before, at the bottom of what a
// terminal shows.
type Screen struct {
	w      io.Writer
	widths []int // of the lines drawn last, in columns
}

// NewScreen draws on w.
func NewScreen(w io.Writer) *Screen { return &Screen{w: w} }

// Draw replaces what was drawn. width is that of the terminal now: when it has
// become narrower since, the old lines have been broken into several.
func (s *Screen) Draw(lines []string, width int) {
	var b strings.Builder
	s.home(&b, width)
	s.widths = s.widths[:0]
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l)
		b.WriteString("\x1b[K") // the rest of the line
		s.widths = append(s.widths, columns(l))
	}
	b.WriteString("\x1b[J")                // and what is below
	_, _ = io.WriteString(s.w, b.String()) // who watches has gone
}

// Clear removes what was drawn.
func (s *Screen) Clear(width int) {
	if len(s.widths) == 0 {
		return
	}
	var b strings.Builder
	s.home(&b, width)
	b.WriteString("\x1b[J")
	s.widths = s.widths[:0]
	_, _ = io.WriteString(s.w, b.String())
}

// home goes to where the first line begins.
func (s *Screen) home(b *strings.Builder, width int) {
	rows := 0
	for _, w := range s.widths {
		rows += max(1, (w+width-1)/max(1, width))
	}
	if rows > 1 {
		fmt.Fprintf(b, "\x1b[%dA", rows-1)
	}
	b.WriteByte('\r')
}

// plainEvery is how often Plain writes while the same stage goes on.
const plainEvery = 10 * time.Second

// A Plain writes a line when a stage begins, and once in a while.
type Plain struct {
	w     io.Writer
	last  time.Time
	stage string
}

// NewPlain writes to w.
func NewPlain(w io.Writer) *Plain { return &Plain{w: w} }

// Show writes s, if it is time. now is when.
func (p *Plain) Show(s *State, now time.Time) {
	stage := s.Turn + "\x00" + s.now.Stage
	if stage == p.stage && now.Sub(p.last) < plainEvery {
		return
	}
	p.stage, p.last = stage, now
	fmt.Fprintln(p.w, s.Line())
}
