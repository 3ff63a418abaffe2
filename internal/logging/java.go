package logging

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
	"unicode"
)

// Java's log lines. Its logback configuration prescribes
//
//	%d{yyy-MM-dd HH:mm:ss,GMT+8} %p %t - %m%n
//
// and that is what people's grok patterns and alerts know. A line is what Java
// says, then what we say, as key=value:
//
//	2026-11-28 07:12:24 WARN main - The broker channel expired, … 120000ms msg="broker expired" cluster=C …
//
// Java: rmq.namesrv.logback.xml.

// javaZone is the zone of all times, wherever the process runs.
var javaZone = time.FixedZone("GMT+8", 8*60*60)

// javaThread stands for the name of the thread: ours have none.
const javaThread = "main"

// A javaHandler writes lines as Java does. It leaves key=value to a
// slog.TextHandler, whose lines it completes.
type javaHandler struct {
	out    *javaOutput
	facts  slog.Handler // writes to out.facts
	phrase func(slog.Record) string
}

// A javaOutput is what the handlers of one log share.
type javaOutput struct {
	mu    sync.Mutex
	w     io.Writer
	facts bytes.Buffer // under mu, empty between two lines
	line  []byte       // under mu
}

// newJavaHandler returns a handler that writes each line to w by one Write. phrase
// returns what Java says instead of the message, "" if it says nothing of the kind;
// nil is a function that always does.
func newJavaHandler(w io.Writer, options *slog.HandlerOptions, phrase func(slog.Record) string) *javaHandler {
	if phrase == nil {
		phrase = func(slog.Record) string { return "" }
	}
	out := &javaOutput{w: w}
	return &javaHandler{out: out, facts: slog.NewTextHandler(&out.facts, options), phrase: phrase}
}

func (h *javaHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.facts.Enabled(ctx, level)
}

func (h *javaHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &javaHandler{out: h.out, facts: h.facts.WithAttrs(attrs), phrase: h.phrase}
}

func (h *javaHandler) WithGroup(name string) slog.Handler {
	return &javaHandler{out: h.out, facts: h.facts.WithGroup(name), phrase: h.phrase}
}

func (h *javaHandler) Handle(ctx context.Context, r slog.Record) error {
	said, ours := r.Message, ""
	if phrase := h.phrase(r); phrase != "" {
		said, ours = phrase, r.Message
	}
	facts := slog.NewRecord(time.Time{}, r.Level, ours, 0)
	r.Attrs(func(a slog.Attr) bool {
		facts.AddAttrs(a)
		return true
	})
	o := h.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.facts.Reset()
	if err := h.facts.Handle(ctx, facts); err != nil {
		return err
	}
	// Our message stays, where Java's words stand in its place.
	rest := bytes.TrimPrefix(o.facts.Bytes(), []byte("level="+r.Level.String()+" "))
	if ours == "" {
		rest = bytes.TrimPrefix(rest, []byte(`msg=""`))
		rest = bytes.TrimPrefix(rest, []byte(" "))
	}
	line := r.Time.In(javaZone).AppendFormat(o.line[:0], time.DateTime)
	line = append(line, ' ')
	line = append(line, r.Level.String()...)
	line = append(line, " "+javaThread+" - "...)
	line = appendOneLine(line, cut(said, maxText))
	if len(rest) > 1 { // more than the end of the line
		line = append(line, ' ')
	}
	o.line = append(line, rest...)
	_, err := o.w.Write(o.line)
	if cap(o.line) > 2*maxStack {
		o.line, o.facts = nil, bytes.Buffer{}
	}
	return err
}

// appendOneLine appends text, with escapes for all that could begin another line or
// lead a terminal astray: a peer's text is in it.
func appendOneLine(dst []byte, text string) []byte {
	for _, c := range text {
		if unicode.IsPrint(c) {
			dst = append(dst, string(c)...)
			continue
		}
		quoted := strconv.QuoteRune(c)
		dst = append(dst, quoted[1:len(quoted)-1]...)
	}
	return dst
}
