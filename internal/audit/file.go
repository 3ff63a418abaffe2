package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// newFileMode is the mode of a file that was not there. The next ones have that of the
// one before.
const newFileMode = 0o640

// maxTail is how much of the end of a file is looked at for its last whole line.
const maxTail = 1 << 20

// A file is the file of a log. lumberjack sets it aside and compresses it; it cannot sync,
// so the file is written here. Of one goroutine.
type file struct {
	o     *Options
	older *lumberjack.Logger
	f     *os.File // nil if it could not be opened
	info  os.FileInfo
	size  int64
	dirty bool // not synced

	hash   string // of the last whole line; "" if it has none
	fresh  bool   // the next line is the first that is written here
	torn   int64  // bytes behind the last whole line, when it was opened
	missed uint64 // lines that could not be written since the last one that was
}

func newFile(o *Options) *file {
	return &file{o: o, older: &lumberjack.Logger{Filename: o.Path, MaxBackups: o.MaxBackups, Compress: true}}
}

// open opens the file and finds its last whole line.
func (f *file) open() error {
	f.close()
	if info, err := os.Stat(f.o.Path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", f.o.Path)
	}
	if err := os.MkdirAll(filepath.Dir(f.o.Path), 0o755); err != nil {
		return err
	}
	opened, err := os.OpenFile(f.o.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, newFileMode)
	if err != nil {
		return err
	}
	if err := f.goOnWith(opened); err != nil {
		_ = opened.Close()
		return err
	}
	f.f = opened
	return nil
}

// goOnWith reads the end of a file. If it has no lines at all, what is written goes on
// with what was written before.
func (f *file) goOnWith(opened *os.File) (err error) {
	if f.info, err = opened.Stat(); err != nil {
		return err
	}
	f.size, f.torn = f.info.Size(), 0
	if f.size > 0 {
		tail := make([]byte, min(f.size, maxTail))
		if _, err := opened.ReadAt(tail, f.size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if tail[len(tail)-1] != '\n' {
			if _, err := opened.Write([]byte{'\n'}); err != nil {
				return err
			}
			f.size++
			tail = append(tail, '\n')
		}
		var torn int
		f.hash, torn = lastWhole(tail)
		f.torn = int64(torn)
	}
	f.fresh = true
	return nil
}

// lastWhole returns the hash of the last whole line, and how many bytes are behind it.
func lastWhole(tail []byte) (hash string, behind int) {
	for end := len(tail); end > 0; {
		start := bytes.LastIndexByte(tail[:end-1], '\n') + 1
		line := tail[start : end-1]
		if isWhole(line) {
			_, hash = cutHash(line)
			return hash, len(tail) - end
		}
		end = start
	}
	return "", len(tail)
}

// isWhole reports whether a line is one of ours, without its line break. What is left of
// one whose end is missing never is.
func isWhole(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"t":"`)) && json.Valid(line) }

func (f *file) close() {
	if f.f != nil {
		_ = f.sync()
		_ = f.f.Close()
		f.f = nil
	}
}

// look is called each second: it syncs, and opens the file again if somebody has renamed
// or removed it, or if that failed before.
func (f *file) look() error {
	if f.f == nil {
		return f.open()
	}
	if err := f.sync(); err != nil {
		return err
	}
	info, err := os.Stat(f.o.Path)
	switch {
	case err == nil && !os.SameFile(info, f.info), errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return f.open()
	default:
		return nil
	}
}

func (f *file) sync() error {
	if !f.dirty || f.f == nil {
		return nil
	}
	f.dirty = false
	return f.f.Sync()
}

// write writes a batch of lines by one Write, and returns how many of them are whole in
// the file. After a failure it goes on with what is there.
func (f *file) write(batch []entry, boot string) (whole int, err error) {
	defer func() { f.missed += uint64(len(batch) - whole) }()
	if f.f == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	want := int64(0)
	for _, e := range batch {
		want += int64(len(e.body)) + lineExtra
	}
	if f.size > 0 && f.size+want > int64(f.o.MaxMegabytes)<<20 {
		if err = f.setAside(); f.f == nil {
			return 0, err
		}
	}
	text, hash := f.text(batch, boot)
	n, failed := f.f.Write(text)
	f.dirty = true
	f.size += int64(n)
	if failed != nil {
		whole = bytes.Count(text[:n], []byte{'\n'})
		if whole > 0 {
			f.missed = 0 // the first of them has said so
		}
		reopened := f.open()
		return whole, errors.Join(failed, reopened)
	}
	f.hash, f.fresh, f.missed, f.torn = hash, false, 0, 0
	return len(batch), err
}

// setAside begins another file. If it cannot, it goes on with the one that is there.
func (f *file) setAside() error {
	f.close()
	err := f.older.Rotate()
	_ = f.older.Close()
	return errors.Join(err, f.open())
}

// lineExtra is about what the log itself adds to a line, in bytes.
const lineExtra = 240

// text writes lines, and returns the hash of the last.
func (f *file) text(batch []entry, boot string) (text []byte, hash string) {
	hash = f.hash
	for i, e := range batch {
		begin := len(text)
		text = append(text, `{"t":"`...)
		text = e.at.UTC().AppendFormat(text, time.RFC3339Nano)
		text = append(text, `","seq":`...)
		text = strconv.AppendUint(text, e.seq, 10)
		text = append(append(append(text, `,"boot":"`...), boot...), '"')
		lost := e.lost
		if i == 0 {
			lost += f.missed
			if f.fresh && f.o.Chain {
				text = append(append(append(text, `,"prev":"`...), hash...), '"')
			}
			if f.fresh && f.torn > 0 {
				text = append(text, `,"torn":`...)
				text = strconv.AppendInt(text, f.torn, 10)
			}
		}
		if lost > 0 {
			text = append(text, `,"lost":`...)
			text = strconv.AppendUint(text, lost, 10)
		}
		if len(e.body) > 0 {
			text = append(append(text, ','), e.body...)
		}
		text = append(text, '}')
		if f.o.Chain {
			hash = hashOf(hash, text[begin:])
			text = append(text[:len(text)-1], hashMember...)
			text = append(append(text, hash...), `"}`...)
		} else {
			hash = ""
		}
		text = append(text, '\n')
	}
	return text, hash
}

// hashMember is how the last member of a line begins. No text in a line can look like it:
// its quotes would be escaped.
const hashMember = `,"h":"`

// hashLength is that of a hash in Base64.
var hashLength = base64.StdEncoding.EncodedLen(sha256.Size)

// hashOf returns the hash of a line without its own: SHA-256 of the hash of the line
// before, as text, and of the line, in Base64.
func hashOf(before string, line []byte) string {
	h := sha256.New()
	io.WriteString(h, before)
	h.Write(line)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// cutHash returns a line without its hash, and the hash, "" if it has none.
func cutHash(line []byte) (rest []byte, hash string) {
	at := len(line) - len(hashMember) - hashLength - len(`"}`)
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(hashMember)) || !bytes.HasSuffix(line, []byte(`"}`)) {
		return line, ""
	}
	hash = string(line[at+len(hashMember) : len(line)-len(`"}`)])
	return append(bytes.Clone(line[:at]), '}'), hash
}
