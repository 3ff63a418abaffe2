package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"gopkg.in/natefinch/lumberjack.v2"
)

// Options are where lines go and how they look.
type Options struct {
	Stderr *Queue // where lines go in any case
	Level  slog.Level
	Format Format
	// Phrase returns what Java says in the place of a message, "" if nothing. Format
	// Java only; may be nil.
	Phrase func(slog.Record) string

	File         string // where lines go too, "" nowhere; its folder is made
	MaxMegabytes int    // size in MiB at which the file is set aside and another one begun, at least 1
	MaxBackups   int    // how many are kept that were set aside, at least 1
}

// A Format is how a line looks.
type Format string

// The formats. All of them have one line for each record.
const (
	Text Format = "text" // key=value
	JSON Format = "json" // an object
	Java Format = "java" // what Java says, then key=value
)

// What one attribute may add to a line, in bytes. Whoever logs a text of a peer
// clips it to far less; this is for those who forget it.
const (
	maxText  = 4 << 10
	maxStack = 64 << 10 // of a panic
)

// A Log is an open log. Its methods are safe from any goroutine. Only Close waits
// for a destination.
type Log struct {
	level  slog.LevelVar
	logger *slog.Logger
	stderr *Queue
	file   *Queue // nil when there is none
	reopen atomic.Bool
}

// Open returns a log that writes to o.Stderr and to o.File. It fails when the
// file cannot be written. Later failures of the file are lines on standard error.
func Open(o Options) (*Log, error) {
	l := &Log{stderr: o.Stderr}
	l.level.Set(o.Level)
	newHandler := func(w io.Writer) slog.Handler {
		options := &slog.HandlerOptions{Level: &l.level, ReplaceAttr: bounded}
		switch o.Format {
		case JSON:
			return slog.NewJSONHandler(w, options)
		case Java:
			return newJavaHandler(w, options, o.Phrase)
		default:
			return slog.NewTextHandler(w, options)
		}
	}
	note := func(dropped int) []byte {
		var text bytes.Buffer
		slog.New(newHandler(&text)).Log(context.Background(), slog.LevelError, "log lines dropped", "dropped", dropped)
		return text.Bytes()
	}
	o.Stderr.whenDropped(note)
	var out io.Writer = o.Stderr
	if o.File != "" {
		mode, err := checkFile(o.File, newFileMode)
		if err != nil {
			return nil, err
		}
		l.file = NewQueue(&reopener{
			reopen: &l.reopen,
			name:   o.File,
			mode:   mode,
			file:   &lumberjack.Logger{Filename: o.File, MaxSize: o.MaxMegabytes, MaxBackups: o.MaxBackups, LocalTime: true},
		})
		l.file.whenDropped(note)
		l.file.whenFailed(complaint(slog.New(newHandler(o.Stderr)), o.File))
		out = both{o.Stderr, l.file}
	}
	l.logger = slog.New(newHandler(out))
	return l, nil
}

// newFileMode is the mode of a file that was not there, less the umask, as
// Java's. Whoever wants another one makes the file, or gives it another mode.
const newFileMode = 0o644

// checkFile finds out whether a file can be appended to, makes it if it is not
// there, and returns its mode. The file set aside and the next one have the same.
func checkFile(name string, mode os.FileMode) (os.FileMode, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, mode)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Mode().Perm(), nil
}

// complaint tells standard error, once a minute at most, that the file cannot be
// written.
func complaint(stderr *slog.Logger, file string) func(error) {
	sometimes := rate.Sometimes{Interval: time.Minute}
	return func(err error) {
		sometimes.Do(func() { stderr.Error("log file cannot be written", "file", file, "err", err) })
	}
}

// Logger returns what to log with.
func (l *Log) Logger() *slog.Logger { return l.logger }

// SetLevel changes which lines are written.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Dropped returns how many lines have been lost so far: those that found no room
// on their way to standard error and to the file, and those that could not be
// written. They never decrease.
func (l *Log) Dropped() (stderr, file uint64) {
	stderr = l.stderr.Lost()
	if l.file != nil {
		file = l.file.Lost()
	}
	return stderr, file
}

// Reopen closes the file and opens it again by its name: another program may
// have renamed it.
func (l *Log) Reopen() {
	if l.file != nil {
		l.reopen.Store(true)
		l.file.wake()
	}
}

// Close returns when all lines of the file are written, or when ctx is done.
// Standard error is closed by whoever made its queue.
func (l *Log) Close(ctx context.Context) {
	if l.file != nil {
		l.file.Close(ctx)
	}
}

func (q *Queue) whenDropped(note func(dropped int) []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.note = note
}

func (q *Queue) whenFailed(failed func(error)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = failed
}

// both are two queues that take the same lines.
type both [2]*Queue

func (b both) Write(p []byte) (int, error) {
	_, _ = b[0].Write(p) // a queue never fails
	return b[1].Write(p)
}

// A reopener is a file. When reopen is set it is closed before the next write, by
// the goroutine that writes, because closing may block as long as writing does.
//
// lumberjack gives files that it makes mode 0600, unless one of the name is there:
// so it finds one, with the mode that the one before had when it was opened.
type reopener struct {
	reopen *atomic.Bool
	name   string
	mode   os.FileMode
	file   io.WriteCloser // a *lumberjack.Logger
	torn   bool           // the last line is not whole, the disk was full
}

func (r *reopener) Write(p []byte) (int, error) {
	if r.reopen.Swap(false) {
		_ = r.file.Close() // the next write opens it, or says why it cannot
		if mode, err := checkFile(r.name, r.mode); err == nil {
			r.mode = mode
		}
		r.torn = false
	}
	if r.torn && len(p) > 0 {
		if _, err := r.file.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		r.torn = false
	}
	n, err := r.file.Write(p)
	if err != nil && n > 0 {
		r.torn = true
	}
	return n, err
}

// bounded cuts what is too long for a line.
func bounded(_ []string, a slog.Attr) slog.Attr {
	limit := maxText
	if a.Key == "stack" {
		limit = maxStack
	}
	var text string
	switch v := a.Value.Any().(type) {
	case string:
		text = v
	case error:
		text = v.Error()
	default:
		return a
	}
	return slog.String(a.Key, cut(text, limit))
}

// cut returns text up to limit bytes, and how long it was.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:limit], ""), len(text))
}
