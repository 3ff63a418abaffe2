package report

import (
	"fmt"
	"strings"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// A verdict is what a page says first.
type verdict struct {
	Text  string
	Class string // good, some or bad
}

// verdict is about all errors, also about those that are within the limits, and says
// when the run was interrupted.
func (s Sheet) verdict(interrupted bool) verdict {
	switch {
	case len(s.Bad) > 0:
		return verdict{"Replies were not right", "bad"}
	case s.Errors.Any():
		return verdict{"Not every reply was right: " + errorLine(s.Errors), "some"}
	}
	if interrupted {
		return verdict{"Interrupted; every reply until then was right", "good"}
	}
	return verdict{"Every reply was right", "good"}
}

// errorLine says in a line what was not right.
func errorLine(c bench.ErrorCounts) string {
	if !c.Any() {
		return "none of " + count(c.Requests) + " requests"
	}
	var parts []string
	for _, kind := range []struct {
		name string
		n    uint64
	}{{"wrong", c.Wrong}, {"refused", c.Refused}, {"missing", c.Missing}, {"lacking brokers", c.Lacking}, {"answered otherwise than recorded", c.Differs}} {
		if kind.n > 0 {
			parts = append(parts, count(kind.n)+" "+kind.name)
		}
	}
	return strings.Join(parts, ", ") + " of " + count(c.Requests) + " requests"
}

// limitLine says how many errors were allowed; "" where it is not known.
func limitLine(l *bench.ErrorLimits) string {
	if l == nil {
		return ""
	}
	return fmt.Sprintf("; allowed were %s %% wrong, %s %% refused and %s %% missing", digits(l.Wrong), digits(l.Refused), digits(l.Missing))
}

const errorNote = "Wrong: a wrong reply. Refused: SYSTEM_BUSY. Missing: no reply, or not sent. Lacking: a route without some of its brokers, or none, while brokers come and go. " +
	"Errors: all of these, and replies of a replay with another code than was recorded."

func errorHead(first ...string) []string {
	return append(first, "requests", "right", "wrong", "refused", "missing", "lacking", "errors")
}

func errorCells(c bench.ErrorCounts, right string) []string {
	bad := c.Wrong + c.Refused + c.Missing + c.Lacking + c.Differs
	part := "0 %"
	if bad > 0 {
		part = digits(float64(bad)*100/float64(max(1, c.Requests))) + " %"
	}
	return []string{count(c.Requests), right, count(c.Wrong), count(c.Refused), count(c.Missing), count(c.Lacking), part}
}

// errorTable are the errors of a run, by phase and request.
func errorTable(r *bench.Result) Table {
	t := Table{Title: "Errors", Left: 2, Head: errorHead("phase", "request"), Note: errorNote}
	var phases bench.ErrorCounts
	for _, p := range r.Phases {
		for i := range p.Ops {
			o := &p.Ops[i]
			right := count(o.Answered)
			if o.Oneway {
				right = "oneway"
			}
			c := o.ErrorCounts()
			phases.Add(c)
			t.Rows = append(t.Rows, append([]string{p.Name, o.Name}, errorCells(c, right)...))
		}
	}
	if all := r.ErrorCounts(); all.Wrong > phases.Wrong {
		t.Rows = append(t.Rows, []string{"", "before, after, or to no request", "", "", count(all.Wrong - phases.Wrong), "", "", "", ""})
	}
	return t
}

// errorsCompared are the errors of each server, of all its runs.
func errorsCompared(c *compare.Comparison, names []string) Table {
	t := Table{
		Title: "Errors", Left: 1, Head: append(errorHead("server"), "runs", "not right"),
		Note: errorNote + " Of all runs, warm-ups too; no other figure counts a run that was not right.",
	}
	for i, n := range names {
		runs, bad := 0, 0
		answered := uint64(0)
		for _, turn := range c.Turns {
			if turn.Server != i || turn.Result == nil {
				continue
			}
			runs++
			if !turn.Result.OK {
				bad++
			}
			for _, p := range turn.Result.Phases {
				for _, o := range p.Ops {
					answered += o.Answered
				}
			}
		}
		cells := append([]string{n}, errorCells(c.Errors(i), count(answered))...)
		t.Rows = append(t.Rows, append(cells, fmt.Sprint(runs), fmt.Sprint(bad)))
	}
	return t
}
