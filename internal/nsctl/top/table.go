package top

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A column of a table.
type column struct {
	name  string
	right bool // numbers
	drop  int  // where the screen is narrow the highest goes first; 0 stays
}

// A cell is a text without anything that a terminal would obey, and what it is sorted by.
type cell struct {
	text   string
	number float64
	sorts  bool // by number
	tone   tone
}

// A row of a table.
type row struct {
	key     string // no other row has it
	server  int    // the index of the one that is asked again and again; -1: what it has said stays true
	cells   []cell
	serial  int64           // orders rows that are equal
	tie     string          // the same, after that
	title   string          // what it is about, as the server has it
	explain string          // brokers or topics: the server explains it
	lines   func() []string // what is shown of it otherwise
}

// An order is by which column a table is sorted.
type order struct {
	column int // of kind.columns
	isDown bool
}

// A table is what is shown.
type table struct {
	columns []column
	widths  []int // wide enough for each row
	rows    []row
	all     int // rows, before the filter
}

// makeTable makes the table that is to be shown of a picture.
func (m *Model) makeTable(p *picture, now time.Time) table {
	k, o := &kinds[m.tab], m.orders[m.tab]
	b := &builder{clean: m.clean, now: now, tab: m.tab}
	k.fill(b, p)
	t := table{columns: k.columns, rows: b.rows, all: len(b.rows)}
	if m.filter != "" {
		want := strings.ToLower(m.filter)
		t.rows = slices.DeleteFunc(t.rows, func(r row) bool { return !r.has(want) })
	}
	sortRows(t.rows, o)
	for i, c := range t.columns {
		w := len(c.name)
		if i == o.column {
			w++
		}
		for j := range t.rows {
			w = max(w, cells(t.rows[j].cells[i].text))
		}
		t.widths = append(t.widths, w)
	}
	if len(p.servers) == 1 { // it need not be said which
		i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == "SERVER" })
		t.widths = slices.Clone(t.widths)
		t.widths[i] = 0
	}
	return t
}

// has reports whether a row contains a text, in any case.
func (r *row) has(lower string) bool {
	return slices.ContainsFunc(r.cells, func(c cell) bool { return strings.Contains(strings.ToLower(c.text), lower) })
}

// sortRows sorts by a column. Rows that are equal have an order that does not depend on what
// changes all the time.
func sortRows(rows []row, o order) {
	slices.SortStableFunc(rows, func(a, b row) int {
		by, serial := compareCells(&a.cells[o.column], &b.cells[o.column]), cmp.Compare(a.serial, b.serial)
		if o.isDown {
			by, serial = -by, -serial
		}
		return cmp.Or(by, serial, cmp.Compare(a.tie, b.tie), cmp.Compare(a.key, b.key))
	})
}

func compareCells(a, b *cell) int {
	if a.sorts || b.sorts {
		return cmp.Compare(a.number, b.number) // what is not known is 0
	}
	return cmp.Compare(a.text, b.text)
}

const (
	gap      = 2  // between two columns
	fewCells = 16 // that a long text has at least before columns are left out
)

// fit returns how wide each column is on a screen, 0 for one that is left out.
func (t *table) fit(width int) []int {
	widths := slices.Clone(t.widths)
	total := func() int {
		sum := -gap
		for _, w := range widths {
			if w > 0 {
				sum += w + gap
			}
		}
		return sum
	}
	shrink := func(least int) {
		for total() > width {
			most, at := least, -1
			for i, w := range widths {
				if w > most {
					most, at = w, i
				}
			}
			if at < 0 {
				return
			}
			widths[at]--
		}
	}
	shrink(fewCells)
	for total() > width {
		at := -1
		for i, c := range t.columns {
			if widths[i] > 0 && c.drop > 0 && (at < 0 || c.drop > t.columns[at].drop) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		widths[at] = 0
	}
	if total() <= width { // a column has left more room than it took
		spare := width - total()
		for i, w := range widths {
			if w > 0 && w < t.widths[i] {
				more := min(spare, t.widths[i]-w)
				widths[i], spare = w+more, spare-more
			}
		}
	}
	shrink(1)
	return widths
}
