package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/natefinch/atomic"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// A Document is what can be shown: a result or a comparison, never both.
type Document struct {
	Result     *bench.Result
	Comparison *compare.Comparison
}

// Write writes d as JSON. The file is replaced as a whole.
func (d Document) Write(path string) error {
	var v any = d.Result
	if d.Comparison != nil {
		v = d.Comparison
	}
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return writeFile(path, append(text, '\n'))
}

// writeFile replaces a file as a whole, with the permissions of any other file
// that is not secret.
func writeFile(path string, text []byte) error {
	if err := atomic.WriteFile(path, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("report: write %s: %w", path, err)
	}
	return os.Chmod(path, 0o644)
}

// Read reads what Write wrote.
func Read(path string) (Document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Document{}, err
	}
	d, err := parse(text)
	if err != nil {
		return d, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func parse(text []byte) (Document, error) {
	var head struct {
		Kind   string
		Format int
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Document{}, fmt.Errorf("is no result of nsbench: %w", err)
	}
	known, what := bench.ResultFormat, any(new(bench.Result))
	switch head.Kind {
	case "":
	case compare.Kind:
		known, what = compare.Format, any(new(compare.Comparison))
	default:
		return Document{}, fmt.Errorf("is no result of nsbench run or compare, but of kind %q", head.Kind)
	}
	if head.Format < 1 || head.Format > known {
		return Document{}, fmt.Errorf("is no result of nsbench, or one of another version: its format is %d, known is up to %d", head.Format, known)
	}
	if err := json.Unmarshal(text, what); err != nil {
		return Document{}, fmt.Errorf("is no result of nsbench: %w", err)
	}
	var d Document
	switch what := what.(type) {
	case *bench.Result:
		if len(what.Phases) == 0 {
			return Document{}, errors.New("is no result of nsbench: it has no phases")
		}
		what.DropMixedCPU()
		d.Result = what
	case *compare.Comparison:
		d.Comparison = what
		if err := what.Check(); err != nil {
			return Document{}, err
		}
		// Figures follow from the turns: those of older versions are made anew, and
		// say what they would say today.
		for _, t := range what.Turns {
			t.Result.DropMixedCPU()
		}
		what.Figures = compare.Figures(what)
	}
	return d, nil
}
