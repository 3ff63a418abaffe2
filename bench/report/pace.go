package report

import (
	"strings"

	"gonamesrv/bench"
)

// generatorBound marks latencies that are the generator's own.
const generatorBound = "generator-bound"

// star stands behind the names of such figures in tables that have no room for words, and
// starNote below these tables.
const (
	star     = " *"
	starNote = " * " + generatorBound + ": the generator itself was late by more than a third of the p99, so this is no figure of the server."
)

// starred is the name of an operation with a star where it is due, which adds a note to t.
func (t *Table) starred(o bench.Operation) string {
	return t.star(o.Name, o.GeneratorBound())
}

func (t *Table) star(name string, bound bool) string {
	if !bound {
		return name
	}
	if !strings.HasSuffix(t.Note, starNote) {
		t.Note += starNote
	}
	return name + star
}

// paceTable shows how much of the latencies of open loops is the generator's.
func paceTable(r *bench.Result) Table {
	t := Table{
		Title: "Lateness of the generator", Left: 2,
		Head: []string{"phase", "request", "late p50", "late p99", "late max", "p99 with it", "p99 without"},
		Note: "Late: from the moment when a request was to leave to its write. With it: from that moment to the reply. Without: from the write to the reply.",
	}
	for _, p := range r.Phases {
		for _, o := range p.Ops {
			if o.Pace == nil {
				continue
			}
			l := o.Pace.Lateness
			t.Rows = append(t.Rows, []string{
				p.Name, t.starred(o), orNothing(l.P50), orNothing(l.P99), orNothing(l.Max), micros(o.Latency.P99), micros(o.Pace.FromWrite.P99),
			})
		}
	}
	return t
}
