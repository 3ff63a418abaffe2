package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// open returns a log on a pipe; closing it closes both.
func open(t *testing.T, p *pipe, o Options) *Log {
	t.Helper()
	o.Stderr = NewQueue(p)
	o.MaxMegabytes, o.MaxBackups = 1, 2
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stderr.Close(t.Context()) })
	return l
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// TestFileBesideStderr: a standard error that nobody reads does not hold up the
// file.
func TestFileBesideStderr(t *testing.T) {
	p := newPipe()
	file := filepath.Join(t.TempDir(), "logs", "namesrv.log")
	l := open(t, p, Options{File: file})
	l.Logger().Info("hello", "n", 1)
	eventually(t, "the line is in the file", func() bool { return strings.Contains(read(t, file), "level=INFO msg=hello n=1\n") })
	p.open()
	eventually(t, "and on standard error", func() bool { return strings.Contains(p.String(), "level=INFO msg=hello n=1\n") })
	l.Close(t.Context())
}

func TestLevel(t *testing.T) {
	p := &pipe{}
	l := open(t, p, Options{Level: slog.LevelWarn})
	l.Logger().Info("one")
	l.Logger().Warn("two")
	l.SetLevel(slog.LevelDebug)
	l.Logger().Debug("three")
	eventually(t, "the last line is there", func() bool { return strings.Contains(p.String(), "three") })
	if got := p.String(); strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("the log is\n%s", got)
	}
}

func TestJSON(t *testing.T) {
	p := newPipe()
	l := open(t, p, Options{Format: JSON})
	for range queueBytes / 1000 {
		l.Logger().Info("line", "text", strings.Repeat("é", 1000))
	}
	p.open()
	eventually(t, "the word of what was dropped", func() bool {
		l.Logger().Info("more")
		return strings.Contains(p.String(), "log lines dropped")
	})
	for line := range strings.Lines(p.String()) {
		var v struct{ Msg, Level string }
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Msg == "" || v.Level == "" {
			t.Fatalf("line %.100q: %v", line, err)
		}
	}
}

// TestReopen renames the file, as logrotate does.
func TestReopen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namesrv.log")
	l := open(t, &pipe{}, Options{File: file})
	l.Logger().Info("before")
	eventually(t, "the line is there", func() bool { return strings.Contains(read(t, file), "before") })
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	eventually(t, "there is a new file, without another line", func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
	l.Logger().Info("after")
	l.Close(t.Context())
	if old, now := read(t, file+".1"), read(t, file); strings.Contains(old, "after") || !strings.Contains(now, "after") || strings.Contains(now, "before") {
		t.Errorf("the old file is\n%s\nthe new one\n%s", old, now)
	}
	l.Reopen() // after the end, without effect
}

// TestRotation: files have their size, and no more are kept than told.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	l := open(t, &pipe{}, Options{File: filepath.Join(dir, "namesrv.log")})
	text := strings.Repeat("x", maxText)
	for i := range 6 << 20 / maxText {
		l.Logger().Info("line", "i", i, "text", text)
		if i%100 == 0 {
			eventually(t, "the queue has room", func() bool {
				l.file.mu.Lock()
				defer l.file.mu.Unlock()
				return l.file.bytes < queueBytes/4
			})
		}
	}
	l.Close(t.Context())
	eventually(t, "the oldest are removed", func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && len(files) == 3
	})
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Size() > 1<<20 {
			t.Errorf("%s has %d bytes, %v", f.Name(), info.Size(), err)
		}
	}
}

func TestUnwritableFile(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{dir, filepath.Join(inTheWay, "namesrv.log")} {
		q := NewQueue(&pipe{})
		if _, err := Open(Options{Stderr: q, File: file, MaxMegabytes: 1, MaxBackups: 1}); err == nil || !strings.Contains(err.Error(), file) && !strings.Contains(err.Error(), inTheWay) {
			t.Errorf("%s: %v", file, err)
		}
		q.Close(t.Context())
	}
}

// TestFailingFile: standard error is told once that the file cannot be written
// any more, and the file later how much it has missed.
func TestFailingFile(t *testing.T) {
	p := &pipe{}
	dir := filepath.Join(t.TempDir(), "logs")
	file := filepath.Join(dir, "namesrv.log")
	l := open(t, p, Options{File: file})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	for range 10 {
		l.Logger().Info("lost")
	}
	eventually(t, "all have failed", func() bool { return l.file.Dropped() == 10 })
	eventually(t, "standard error is told", func() bool { return strings.Contains(p.String(), `msg="log file cannot be written" file=`+file) })
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("found")
	l.Close(t.Context())
	if got := read(t, file); strings.Count(got, "\n") != 2 || !strings.Contains(got, `msg="log lines dropped" dropped=10`) || !strings.Contains(got, "msg=found") {
		t.Errorf("the file is\n%s", got)
	}
	if n := strings.Count(p.String(), "cannot be written"); n != 1 {
		t.Errorf("standard error is told %d times", n)
	}
}

// TestTornLine: a line that the disk has no room for in the middle does not spoil
// the next one.
func TestTornLine(t *testing.T) {
	f := &halfWriter{}
	r := &reopener{reopen: new(atomic.Bool), file: f}
	for _, text := range []string{"one\n", "two\n", "three\n", "four\n"} {
		f.full = text == "two\n" || text == "three\n"
		if n, err := r.Write([]byte(text)); f.full == (err == nil) || n > len(text) {
			t.Errorf("%q: %d bytes, %v", text, n, err)
		}
	}
	if got := f.text.String(); got != "one\ntw\nfour\n" {
		t.Errorf("the file is %q", got)
	}
}

// A halfWriter writes the first half only while it is full.
type halfWriter struct {
	text bytes.Buffer
	full bool
}

func (h *halfWriter) Write(p []byte) (int, error) {
	if h.full {
		n, _ := h.text.Write(p[:len(p)/2])
		return n, syscall.ENOSPC
	}
	return h.text.Write(p)
}

func (h *halfWriter) Close() error { return nil }

// TestFileMode: a new file has the mode that a program's new files have, one that is
// there keeps its own, and so do those that take its place, by rotation or by
// somebody else's hand.
func TestFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := os.WriteFile(fresh, nil, newFileMode); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(fresh)
	if err != nil {
		t.Fatal(err)
	}
	for name, given := range map[string]os.FileMode{"new": 0, "group": 0o640, "secret": 0o600} {
		want := given
		dir := t.TempDir()
		file := filepath.Join(dir, "namesrv.log")
		if given == 0 {
			want = info.Mode()
		} else {
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			if err := os.Chmod(file, given); err != nil {
				t.Fatal(err)
			}
		}
		l := open(t, &pipe{}, Options{File: file})
		text := strings.Repeat("x", maxText)
		for range 3 << 20 / 2 / maxText { // one file and a half
			l.Logger().Info("line", "text", text)
		}
		eventually(t, "there are two", func() bool { files, _ := os.ReadDir(dir); return len(files) == 2 })
		eventually(t, "all is written", func() bool { l.file.mu.Lock(); defer l.file.mu.Unlock(); return l.file.bytes == 0 })
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
		l.Reopen()
		l.Logger().Info("after")
		l.Close(t.Context())
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 3 {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
		for _, f := range files {
			if info, err := f.Info(); err != nil || info.Mode() != want {
				t.Errorf("%s: %s has mode %v, want %v, %v", name, f.Name(), info.Mode(), want, err)
			}
		}
	}
}

// TestBounded: what nobody has clipped is cut.
func TestBounded(t *testing.T) {
	p := &pipe{}
	l := open(t, p, Options{})
	long := strings.Repeat("é", 1<<20)
	l.Logger().Info("long", "text", long, "err", errors.New(long), slog.Group("args", "stack", long), "none", nil, "n", 7)
	eventually(t, "the line is there", func() bool { return strings.Contains(p.String(), "\n") })
	got := p.String()
	if n := len(got); n > 2*maxText+maxStack+200 || n < maxStack {
		t.Errorf("the line has %d bytes", n)
	}
	if strings.Count(got, "… (2097152 bytes)") != 3 || !strings.Contains(got, "none=<nil> n=7") {
		t.Errorf("the line is %.300q…%q", got, got[len(got)-100:])
	}
}

// A writes counts what it is given.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestWriteStacks(t *testing.T) {
	var w writes
	WriteStacks(&w, time.Unix(0, 0))
	if len(w) != 1 || !strings.Contains(w[0], "logging.TestWriteStacks(") || !strings.Contains(w[0], "stacks of ") {
		t.Errorf("%d writes, %.500q", len(w), w)
	}
	end := make(chan struct{})
	defer close(end)
	for range 5000 {
		go func() { <-end }()
	}
	w = nil
	WriteStacks(&w, time.Unix(0, 0))
	if n := len(w[0]); n < maxStacks || n > maxStacks+200 || !strings.HasSuffix(w[0], "… (cut at 1048576 bytes)\n") {
		t.Errorf("%d bytes of stacks, %q at the end", n, w[0][n-40:])
	}
}
