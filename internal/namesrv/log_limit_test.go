package namesrv

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestClip(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", ""},
		{strings.Repeat("a", 256), strings.Repeat("a", 256)},
		{strings.Repeat("a", 257), strings.Repeat("a", 256) + "… (257 bytes)"},
		{strings.Repeat("a", 255) + "é", strings.Repeat("a", 255) + "… (257 bytes)"},
	} {
		if got := clip(tc.text); got != tc.want {
			t.Errorf("clip of %d bytes = %q, want %q", len(tc.text), got, tc.want)
		}
	}
}

func TestLineLimit(t *testing.T) {
	var l lineLimit
	now := time.Now()
	for i, want := range []struct {
		after time.Duration
		kind  string
		held  int
		ok    bool
	}{
		{0, "a", 0, true},
		{0, "a", 0, false},
		{0, "b", 0, true}, // a kind of its own
		{lineInterval - 1, "a", 0, false},
		{1, "a", 2, true},
		{2 * lineInterval, "a", 0, true},
	} {
		now = now.Add(want.after)
		if held, ok := l.allow(now, want.kind); held != want.held || ok != want.ok {
			t.Errorf("line %d: %d, %v, want %d, %v", i, held, ok, want.held, want.ok)
		}
	}
}

// TestHeldBackLinesAreNotMade: of a line that is held back nothing is made.
func TestHeldBackLinesAreNotMade(t *testing.T) {
	var log bytes.Buffer
	s := &Server{log: slog.New(slog.NewTextHandler(&log, nil)), lines: lineLimit{every: time.Hour}}
	made := 0
	say := func() {
		s.logLimited(slog.LevelWarn, "again and again", func() []any {
			made++
			return []any{"text", strings.Repeat("x", 100)}
		})
	}
	say()
	if n := testing.AllocsPerRun(100, say); n != 0 {
		t.Errorf("%v allocations for a line that is not written", n)
	}
	s.logLimited(slog.LevelDebug, "not at this level", func() []any { made++; return nil })
	if made != 1 || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "text=xxx") {
		t.Errorf("made %d times, the log is %q", made, log.String())
	}
}
