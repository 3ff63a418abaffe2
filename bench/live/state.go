package live

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"gonamesrv/bench"
)

// kept is how many values of the past a State has for its sparklines.
const kept = 300

// A State is all there is to show.
type State struct {
	Title string // of the whole: the scenario, or its file
	Turn  string // what is under load, such as "java 5.5.0, round 2 of 5"; may be ""

	now   bench.Progress
	rates []float64 // a second each, until now
	p99s  []float64 // of the same seconds, in microseconds
}

// Add takes what a run says of itself once a second. Another turn begins with an
// empty past.
func (s *State) Add(turn string, p bench.Progress) {
	if turn != s.Turn {
		s.Turn, s.rates, s.p99s = turn, nil, nil
	}
	s.now = p
	if p.Rate > 0 || len(s.rates) > 0 {
		s.rates = keep(s.rates, p.Rate)
		s.p99s = keep(s.p99s, float64(p.P99)/1e3)
	}
}

func keep(values []float64, v float64) []float64 {
	if len(values) >= kept {
		values = append(values[:0], values[1:]...)
	}
	return append(values, v)
}

// title is what is under load, and by what.
func (s *State) title() string {
	t := s.Title
	if s.Turn != "" {
		t += ": " + s.Turn
	}
	return plain(t)
}

// stage is what goes on, and for how long.
func (s *State) stage() string {
	p := s.now
	t := plain(p.Stage)
	switch {
	case p.Stage == "":
		return "starting"
	case p.Of > 0:
		t += fmt.Sprintf(", %d of %d brokers", p.Done, p.Of)
	case p.Total > 0:
		t += fmt.Sprintf(", %s of %s", span(p.Elapsed), span(p.Total))
	default:
		t += ", " + span(p.Elapsed)
	}
	return t
}

// done is how much of the stage is over, from 0 to 1, and whether that is known.
func (s *State) done() (part float64, known bool) {
	p := s.now
	switch {
	case p.Of > 0:
		return clamp(float64(p.Done) / float64(p.Of)), true
	case p.Total > 0:
		return clamp(float64(p.Elapsed) / float64(p.Total)), true
	}
	return 0, false
}

func clamp(v float64) float64 { return max(0, min(1, v)) }

// span writes a duration in whole seconds.
func span(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return d.Round(time.Second).String()
}

// plain leaves out what would tear a line apart.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.In(r, unicode.Bidi_Control) {
			return '·'
		}
		return r
	}, text)
}
