package nsctl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A listing is the list of one server, as JSON and YAML show it.
type listing[T any] struct {
	Server string `json:"server"`
	Items  []T    `json:"items"`
}

// printLists prints what the servers have answered. JSON and YAML have the list of each
// server. A table has each row once, in ascending order, and says on which servers it is
// if there are several: what all agree on is read once.
func printLists[T any](c *ctl, answers []answer[[]T], columns []column, rows func(item T) [][]any) error {
	lists := []listing[T]{}
	type merged struct {
		cells []string
		on    []string
	}
	all := map[string]*merged{}
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		items := a.value
		if items == nil {
			items = []T{}
		}
		lists = append(lists, listing[T]{a.server, items})
		if c.output == "json" || c.output == "yaml" {
			continue
		}
		for _, item := range items {
			for _, row := range rows(item) {
				cells := make([]string, len(row))
				for i, cell := range row {
					cells[i] = fmt.Sprint(cell)
				}
				key := strings.Join(cells, "\x00")
				m := all[key]
				if m == nil {
					m = &merged{cells: cells}
					all[key] = m
				}
				if len(m.on) == 0 || m.on[len(m.on)-1] != a.server {
					m.on = append(m.on, a.server)
				}
			}
		}
	}
	if len(lists) == 0 && len(answers) > 0 {
		return nil // outcome says why
	}
	g := &grid{columns: columns}
	if len(answers) > 1 {
		g.columns = append(slices.Clip(columns), column{name: "on"})
	}
	sorted := make([]*merged, 0, len(all))
	for _, m := range all {
		sorted = append(sorted, m)
	}
	slices.SortFunc(sorted, func(a, b *merged) int { return slices.CompareFunc(a.cells, b.cells, compareCells) })
	for _, m := range sorted {
		row := make([]any, 0, len(m.cells)+1)
		for _, cell := range m.cells {
			row = append(row, cell)
		}
		if len(answers) > 1 {
			on := "all"
			if len(m.on) < len(answers) {
				on = strings.Join(m.on, ",")
			}
			row = append(row, on)
		}
		g.add(row...)
	}
	return c.print(lists, g)
}

// compareCells puts numbers before words, and in the order of numbers.
func compareCells(a, b string) int {
	x, err1 := strconv.ParseInt(a, 10, 64)
	y, err2 := strconv.ParseInt(b, 10, 64)
	switch {
	case err1 == nil && err2 == nil:
		return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
	case err1 == nil:
		return -1
	case err2 == nil:
		return 1
	}
	return strings.Compare(a, b)
}

// ended tells what did not work out and returns how the program ends. What is not there
// (a missingError) is the answer no, and no failure: missing says so, as the name of the
// servers goes on behind it.
func ended[T any](c *ctl, answers []answer[T], missing string) error {
	var rest []answer[T]
	var without []string
	for _, a := range answers {
		if errors.Is(a.err, missingError{}) {
			without = append(without, a.server)
			a.err = nil
		}
		rest = append(rest, a)
	}
	if len(without) > 0 {
		fmt.Fprintf(c.stderr, "nsctl: %s on %s\n", clean(missing), clean(strings.Join(without, ", ")))
	}
	if err := outcome(c, rest); err != nil {
		return err
	}
	if len(without) > 0 {
		return &exitError{code: exitNo}
	}
	return nil
}
