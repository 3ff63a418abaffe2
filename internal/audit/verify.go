package audit

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A Report is what files of an audit log are like, as far as they were read.
type Report struct {
	Lines   int    // whole ones
	Chained int    // of these, with a hash that is right
	Lost    uint64 // lines that were never written, as others say
	Last    string // hash of the last line; "" if it has none
	Notes   []string
}

// Text says for people what Verify has found; err is its error, whose own text is not in it.
func (r *Report) Text(err error) string {
	var text strings.Builder
	for _, note := range r.Notes {
		fmt.Fprintln(&text, note)
	}
	if err != nil {
		fmt.Fprintf(&text, "%d lines before it are as they were written\n", r.Lines)
		return text.String()
	}
	fmt.Fprintf(&text, "%d lines, all in their order, %d of them with a hash that is right; %d lines were lost\n", r.Lines, r.Chained, r.Lost)
	if r.Last != "" {
		fmt.Fprintf(&text, "hash of the last line: %s\n", r.Last)
	}
	return text.String()
}

// A Fault is where a log is not as it was written. It is an error.
type Fault struct {
	File string
	Line int // from 1
	What string
}

func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.What) }

// maxRead bounds a line that is read, in bytes.
const maxRead = 1 << 20

// Verify reads the files of a log, the oldest first, and returns a *Fault for the first
// line that does not follow those before it. Of lines without hashes it looks at the
// numbers. Names that end in .gz are of compressed files.
//
// What cannot be seen: that lines at the very end are missing, or files before the first.
// The last hash tells the former, if it was kept elsewhere. A last line that has no end
// is only noted: it is being written, or its process was killed.
func Verify(paths ...string) (Report, error) {
	var v verifier
	for _, path := range paths {
		if err := v.read(path); err != nil {
			return v.report, err
		}
	}
	switch {
	case v.pieces == 1 && v.open:
		v.note(v.at, "the last line is not whole: it is being written, or its process was killed")
	case v.pieces > 0:
		return v.report, v.at.fault("this is no line of an audit log, or not the whole of one")
	}
	return v.report, nil
}

// A verifier is what is known after the lines so far.
type verifier struct {
	report Report
	last   *lineHead // of the last whole line

	// What was no whole line since then.
	pieces int
	bytes  int64
	open   bool // the last one has no line break
	at     place
}

type place struct {
	file string
	line int
}

func (p place) fault(format string, args ...any) error {
	return &Fault{p.file, p.line, fmt.Sprintf(format, args...)}
}

// A lineHead is what the log adds to a line.
type lineHead struct {
	Seq  uint64
	Boot string
	Lost uint64
	Prev *string
	Torn int64
	hash string
}

func (v *verifier) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	in := bufio.NewReaderSize(from, maxRead)
	for at := (place{path, 1}); ; at.line++ {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return at.fault("no line of an audit log has more than %d bytes", maxRead)
		case errors.Is(err, io.EOF):
			if len(line) > 0 {
				v.piece(at, line)
				v.open = true
			}
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		}
		if !isWhole(line[:len(line)-1]) {
			v.piece(at, line)
		} else if err := v.add(at, line[:len(line)-1]); err != nil {
			return err
		}
	}
}

// piece takes note of what is no whole line. It may be what a process had begun that was
// killed: the next line says so.
func (v *verifier) piece(at place, line []byte) {
	if v.pieces == 0 {
		v.at = at
	}
	v.pieces++
	v.bytes += int64(len(line))
}

// add compares a line with those before it.
func (v *verifier) add(at place, line []byte) error {
	head := &lineHead{}
	if err := json.Unmarshal(line, head); err != nil {
		return at.fault("this is no line of an audit log: %v", err)
	}
	var rest []byte
	rest, head.hash = cutHash(line)
	if err := v.pieceIsSaid(at, head); err != nil {
		return err
	}
	if err := v.number(at, head); err != nil {
		return err
	}
	if err := v.chain(at, head, rest); err != nil {
		return err
	}
	v.report.Lines++
	v.report.Lost += head.Lost
	v.report.Last = head.hash
	v.last = head
	return nil
}

// pieceIsSaid looks whether a line says what is before it that is no line.
func (v *verifier) pieceIsSaid(at place, head *lineHead) error {
	if v.last == nil && v.pieces == 0 {
		return nil // what was before is in another file
	}
	if v.bytes != head.Torn {
		if v.pieces == 0 {
			return at.fault("it says that %d bytes before it are no whole lines, and they are missing", head.Torn)
		}
		return v.at.fault("this is no line of an audit log, or not the whole of one, and the next line does not say so")
	}
	if v.pieces > 0 {
		v.note(v.at, "not whole, as the next line says: its process was killed, or the disk was full")
	}
	v.pieces, v.bytes, v.open = 0, 0, false
	return nil
}

// number looks at the numbers of lines: each process begins with 1, and leaves out those
// of lines that are lost.
func (v *verifier) number(at place, head *lineHead) error {
	want := head.Lost + 1
	switch {
	case v.last == nil && head.Prev != nil && *head.Prev != "", v.last == nil && head.hash == "":
		return nil // lines of the same process may be in another file
	case v.last != nil && v.last.Boot == head.Boot:
		want += v.last.Seq
	}
	if head.Seq != want {
		return at.fault("it has number %d, must have %d: lines are missing, or not in their order", head.Seq, want)
	}
	return nil
}

// chain looks at the hashes.
func (v *verifier) chain(at place, head *lineHead, rest []byte) error {
	before := ""
	if v.last != nil {
		before = v.last.hash
	}
	switch {
	case head.hash == "" && before == "":
		return nil
	case head.hash == "" && v.last.Boot == head.Boot:
		return at.fault("it has no hash, and the line before has one")
	case head.hash == "":
		v.note(at, "from here on lines have no hashes: the server was started without auditChain")
		return nil
	case head.Prev == nil && before == "":
		return at.fault("it does not say what it follows: lines before it are missing")
	case head.Prev != nil && v.last != nil && *head.Prev != before:
		return at.fault("it does not follow the line before: lines are missing, or were changed")
	case head.Prev != nil:
		before = *head.Prev
	}
	if hashOf(before, rest) != head.hash {
		return at.fault("its hash is wrong: it was changed, or lines before it are missing")
	}
	v.report.Chained++
	return nil
}

// maxNotes bounds what is noted.
const maxNotes = 100

func (v *verifier) note(at place, text string) {
	if len(v.report.Notes) < maxNotes {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("%s:%d: %s", at.file, at.line, text))
	}
}
