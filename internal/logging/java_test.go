package logging

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestJavaFormat: what Java says, or else our message, then what we say, in one line,
// by the clock of GMT+8 wherever we are.
func TestJavaFormat(t *testing.T) {
	phrase := func(r slog.Record) string {
		if r.Message == "broker gone" {
			return "The broker\nchannel\u2028 expired\x1b[31m, é"
		}
		return ""
	}
	const head = "2026-11-28 07:12:24 "
	at := time.Date(2026, 11, 27, 23, 12, 24, 999_999_999, time.UTC)
	for _, tc := range []struct {
		name string
		say  func(*slog.Logger)
		want string
	}{
		{
			"Java's words", func(l *slog.Logger) { l.Warn("broker gone", "broker", "a", "silentMs", 7) },
			`WARN main - The broker\nchannel\u2028 expired\x1b[31m, é msg="broker gone" broker=a silentMs=7`,
		},
		{"ours", func(l *slog.Logger) { l.Info("engine started", "loops", 2) }, `INFO main - engine started loops=2`},
		{"no facts", func(l *slog.Logger) { l.Error("it hurts") }, `ERROR main - it hurts`},
		{"Java's words only", func(l *slog.Logger) { l.Error("broker gone") }, `ERROR main - The broker\nchannel\u2028 expired\x1b[31m, é msg="broker gone"`},
		{"a message that looks like facts", func(l *slog.Logger) { l.Debug(`msg="" level=INFO`) }, `DEBUG main - msg="" level=INFO`},
		{
			"groups", func(l *slog.Logger) {
				l.With("conn", 3).WithGroup("g").Info("hello", "level", "high", "msg", "", "time", "late")
			},
			`INFO main - hello conn=3 g.level=high g.msg="" g.time=late`,
		},
		{
			"facts with the names of ours", func(l *slog.Logger) { l.Info("hello", "level", "high", "msg", "", "time", "late") },
			`INFO main - hello level=high msg="" time=late`,
		},
		{"lines", func(l *slog.Logger) { l.Info("a\r\nb", "stack", "c\nd", "err", errors.New("e\nf")) }, `INFO main - a\r\nb stack="c\nd" err="e\nf"`},
		{"no UTF-8", func(l *slog.Logger) { l.Info("a\xffb") }, "INFO main - a\uFFFDb"},
		{"another level", func(l *slog.Logger) { l.Log(t.Context(), slog.LevelError+1, "worse", "n", 1) }, `ERROR+1 main - worse n=1`},
	} {
		var out writes
		h := newJavaHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: bounded}, phrase)
		tc.say(slog.New(dated{h, at}))
		if want := head + tc.want + "\n"; len(out) != 1 || out[0] != want {
			t.Errorf("%s:\ngot  %q\nwant %q", tc.name, out, want)
		}
	}
	var out bytes.Buffer
	long := strings.Repeat("x", 1<<20)
	slog.New(newJavaHandler(&out, &slog.HandlerOptions{ReplaceAttr: bounded}, nil)).Info(long, "text", long)
	if n := out.Len(); n > 2*maxText+200 || strings.Count(out.String(), "… (1048576 bytes)") != 2 {
		t.Errorf("a long line has %d bytes", n)
	}
}

// TestJavaLogFile: the words of what was dropped are in Java's format too.
func TestJavaLogFile(t *testing.T) {
	p := newPipe()
	l := open(t, p, Options{Format: Java})
	for range queueBytes / 1000 {
		l.Logger().Info("line", "text", strings.Repeat("x", 1000))
	}
	stderr, file := l.Dropped()
	if stderr == 0 || file != 0 {
		t.Errorf("%d and %d lines are lost", stderr, file)
	}
	p.open()
	eventually(t, "the word of what was dropped", func() bool {
		l.Logger().Info("more")
		return strings.Contains(p.String(), " ERROR main - log lines dropped dropped=")
	})
}

// dated gives all lines one time.
type dated struct {
	slog.Handler
	at time.Time
}

func (d dated) Handle(ctx context.Context, r slog.Record) error {
	r.Time = d.at
	return d.Handler.Handle(ctx, r)
}

func (d dated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return dated{d.Handler.WithAttrs(attrs), d.at}
}
func (d dated) WithGroup(name string) slog.Handler { return dated{d.Handler.WithGroup(name), d.at} }
