package capture

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Kind is how a capture begins, so that it is not taken for something else.
const Kind = "nsbench-capture"

// Format is the version of the form. It grows when a field changes its meaning.
const Format = 1

// A Head is the first line of a capture. All lines are JSON.
type Head struct {
	Kind    string    `json:"kind"`   // Kind
	Format  int       `json:"format"` // Format
	Started time.Time `json:"started"`
	Bodies  bool      `json:"bodies"` // whether records have bodies
}

// The events of a connection.
const (
	Opened  = "open"
	Closed  = "close"
	Uncut   = "uncut" // what it carries are no frames: it is forwarded, and not recorded any more
	Request = "request"
	Reply   = "reply"
	End     = "end" // of the capture, last
)

// A Record is any other line: something that happened on one connection.
type Record struct {
	Micros int64  `json:"t"`           // since Head.Started
	Conn   int    `json:"c,omitempty"` // its number, from 1
	Event  string `json:"e"`

	// Of requests and replies:
	Code       int               `json:"code,omitempty"` // of a reply, 0 is success
	Opaque     int32             `json:"opaque,omitempty"`
	Oneway     bool              `json:"oneway,omitempty"`
	Binary     bool              `json:"binary,omitempty"`     // the header is in RocketMQ's own form, not JSON
	Compressed bool              `json:"compressed,omitempty"` // the body of a registration
	Size       int               `json:"size,omitempty"`       // of the whole frame, in bytes
	Names      map[string]string `json:"names,omitempty"`      // hashes of those in the header: topic, brokerName, …
	BodyHash   string            `json:"bodyHash,omitempty"`   // keyed, as those of names
	Body       []byte            `json:"body,omitempty"`

	Left uint64 `json:"left,omitempty"` // of the end: records that had no room any more
}

// A Writer writes a capture. Its methods may be called from any goroutine.
type Writer struct {
	mu   sync.Mutex
	w    *bufio.Writer
	file io.Closer
	room int64 // bytes that may still be written
	left uint64
	err  error // the first one of writing
}

// endRoom is kept for the last line.
const endRoom = 256

// Create begins a capture of at most maxSize bytes. The file must not be there yet;
// nobody but its owner may read it.
func Create(path string, head Head, maxSize int64) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w := newWriter(f, f, maxSize)
	head.Kind, head.Format = Kind, Format
	w.line(head)
	if w.err == nil && w.left > 0 {
		w.err = fmt.Errorf("a capture needs more than %d bytes", maxSize)
	}
	if w.err != nil {
		return nil, errors.Join(w.err, f.Close(), os.Remove(path))
	}
	return w, nil
}

func newWriter(w io.Writer, file io.Closer, maxSize int64) *Writer {
	return &Writer{w: bufio.NewWriterSize(w, 64<<10), file: file, room: maxSize - endRoom}
}

// Write writes r, or counts it as left out when there is no room any more.
func (w *Writer) Write(r *Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line(r)
}

// line needs mu.
func (w *Writer) line(v any) {
	text, err := json.Marshal(v)
	if err == nil && w.err == nil {
		// Once one was left out all are: a hole would be taken for silence.
		if w.left > 0 || int64(len(text))+1 > w.room {
			w.left++
			return
		}
		w.room -= int64(len(text)) + 1
		_, err = w.w.Write(append(text, '\n'))
	}
	if w.err == nil {
		w.err = err
	}
}

// Full reports whether records are left out by now, for want of room or because
// they cannot be written.
func (w *Writer) Full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left > 0 || w.err != nil
}

// Flush writes what was kept back.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.w.Flush(); err != nil && w.err == nil {
		w.err = err
	}
}

// Close writes the end. It returns how many records were left out, and the first
// error of all that was written.
func (w *Writer) Close(micros int64) (left uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left = w.left
	w.left, w.room = 0, endRoom
	w.line(&Record{Micros: micros, Event: End, Left: left})
	err = errors.Join(w.err, w.w.Flush())
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
	}
	return left, err
}

// A File is a capture that was read.
type File struct {
	Head
	Records []Record // in the order of their times; without the end
	Left    uint64   // records that had no room
	Cut     bool     // it has no end: whoever wrote it was killed
}

// mostRecords bounds what Read keeps.
const mostRecords = 20_000_000

// IsCapture reports whether a file begins as a capture does.
func IsCapture(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head Head
	line, _ := bufio.NewReader(io.LimitReader(f, 4096)).ReadBytes('\n')
	return json.Unmarshal(line, &head) == nil && head.Kind == Kind
}

// Read reads a capture.
func Read(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func read(r io.Reader) (*File, error) {
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<20))
	c := &File{Cut: true}
	if err := dec.Decode(&c.Head); err != nil {
		return nil, fmt.Errorf("is no capture: %w", err)
	}
	if c.Kind != Kind || c.Format < 1 || c.Format > Format {
		return nil, fmt.Errorf("is no capture, or one of another version: %q of format %d, known is up to %d", c.Kind, c.Format, Format)
	}
	last := int64(0)
	for {
		var rec Record
		switch err := dec.Decode(&rec); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return c, nil
		case err != nil:
			return nil, fmt.Errorf("record %d: %w", len(c.Records)+1, err)
		}
		if rec.Event == End {
			c.Left, c.Cut = rec.Left, false
			return c, nil
		}
		if rec.Micros < 0 || rec.Conn < 1 || rec.Size < 0 {
			return nil, fmt.Errorf("record %d makes no sense: %+v", len(c.Records)+1, rec)
		}
		rec.Micros = max(rec.Micros, last) // two goroutines may have written out of turn
		last = rec.Micros
		if len(c.Records) >= mostRecords {
			return nil, fmt.Errorf("it has more than %d records", mostRecords)
		}
		c.Records = append(c.Records, rec)
	}
}
