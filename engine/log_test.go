package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// TestClosedLines: each kind of misbehaviour has its own limit, so that none
// hides another, and no text of a peer makes a line long.
func TestClosedLines(t *testing.T) {
	log := &logBuffer{}
	l := &loop{e: &Engine{o: Options{Logger: log.logger()}}}
	long := strings.Repeat("é", 1<<20)
	causes := []error{ErrMalformed, ErrPreamble, ErrSlowReader, ErrOverloaded, ErrFrameTimeout, ErrFlood}
	for _, cause := range causes {
		l.noteClosed(&conn{addr: netip.MustParseAddr("10.0.0.1"), port: 1}, fmt.Errorf("%w: %s", cause, long))
	}
	l.noteClosed(&conn{}, ErrIdle) // no line
	for _, cause := range causes {
		if n := strings.Count(log.b.String(), cause.Error()); n != 1 {
			t.Errorf("%d lines of %v, want 1", n, cause)
		}
	}
	if n := log.b.Len(); n > 500*len(causes) {
		t.Errorf("%d bytes of log", n)
	}
}

func TestClipped(t *testing.T) {
	for _, tc := range []struct {
		text any
		want string
	}{
		{nil, "<nil>"},
		{7, "7"},
		{strings.Repeat("a", 256), strings.Repeat("a", 256)},
		{fmt.Errorf("%s", strings.Repeat("a", 255)+"é"), strings.Repeat("a", 255) + "… (257 bytes)"},
	} {
		if got := clipped(tc.text); got != tc.want {
			t.Errorf("clipped(%.20v) = %q, want %q", tc.text, got, tc.want)
		}
	}
}

// TestGnetLines: what gnet says of peers is clipped and limited, its last word is
// not suppressed by others.
func TestGnetLines(t *testing.T) {
	log := &logBuffer{}
	g := gnetLogger{log: log.logger()}
	g.Warnf("warning %s", strings.Repeat("x", 1<<20))
	g.Errorf("error %s", strings.Repeat("x", 1<<20))
	g.Fatalf("fatal %d", 1)
	text := log.b.String()
	if !strings.Contains(text, "warning") || !strings.Contains(text, "error") || !strings.Contains(text, "fatal 1") || len(text) > 1500 {
		t.Errorf("%d bytes: %.2000s", len(text), text)
	}
	for range 1000 {
		g.Warnf("once more")
	}
	if n := strings.Count(log.b.String(), "once more"); n > 500 { // one a second
		t.Errorf("%d lines of 1,000", n)
	}
}
