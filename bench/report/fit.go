package report

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// textWidth is how wide a sheet for a terminal may be, in columns.
const textWidth = 100

// A table that is too wide has cells of at most so many columns: of words, and of
// lists and heads. A pair of the latter has room beside the words.
const (
	widestWords = 36
	widestList  = 18
)

// wrap breaks text into lines of at most width columns; 0 or less knows no limit.
// All lines but the first begin with indent, which counts.
func wrap(s, indent string, width int) string {
	if width <= 0 {
		return s
	}
	var lines []string
	for _, l := range strings.Split(s, "\n") {
		lines = append(lines, strings.Split(text.WrapSoft(l, max(16, width-len(indent))), "\n")...)
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n"+indent)
}

// wrapFact leaves a command as it is: to be copied.
func wrapFact(f string, width int) string {
	if strings.HasPrefix(f, "command: ") {
		return f
	}
	return wrap(f, "  ", width)
}

// fit returns t as one table that is at most width columns wide, or as several:
// each has the columns of words and some of the others. Words are broken before
// columns are.
func (t Table) fit(width int) []Table {
	if width <= 0 || t.columns() <= width {
		return []Table{t}
	}
	words := min(widestWords, (width-2*(widestList+2))/max(1, t.Left)-2)
	t.Head = slices.Clone(t.Head)
	for i := range t.Head {
		t.Head[i] = wrap(t.Head[i], "", widestList)
	}
	t.Rows = slices.Clone(t.Rows)
	for i, r := range t.Rows {
		r = slices.Clone(r)
		for j := range r {
			switch {
			case j < t.Left:
				r[j] = wrap(r[j], "", words)
			case strings.Contains(r[j], ", "): // a number with its unit stays whole
				r[j] = wrap(r[j], "", widestList)
			}
		}
		t.Rows[i] = r
	}
	var out []Table
	for at := t.Left; at < len(t.Head); {
		part := t.with(at, t.next(at))
		to := t.next(at)
		for to < len(t.Head) {
			wider := t.with(at, t.next(to))
			if wider.columns() > width {
				break
			}
			part, to = wider, t.next(to)
		}
		out = append(out, part)
		at = to
	}
	return out
}

// next is where the column at some place, and those joined to it, end.
func (t Table) next(at int) int {
	for at++; at < len(t.Head) && slices.Contains(t.Joined, at); at++ {
	}
	return at
}

// with is t with its words and the columns from one place to another.
func (t Table) with(from, to int) Table {
	pick := func(cells []string) []string {
		return append(slices.Clone(cells[:min(t.Left, len(cells))]), cells[min(from, len(cells)):min(to, len(cells))]...)
	}
	out := Table{Title: t.Title, Left: t.Left, Note: t.Note, Head: pick(t.Head)}
	for _, r := range t.Rows {
		out.Rows = append(out.Rows, pick(r))
	}
	return out
}

// columns is how wide t is on a terminal: a space on each side of each cell.
func (t Table) columns() (sum int) {
	for i := range t.Head {
		most := text.LongestLineLen(t.Head[i])
		for _, r := range t.Rows {
			if i < len(r) {
				most = max(most, text.LongestLineLen(r[i]))
			}
		}
		sum += most + 2
	}
	return sum
}
