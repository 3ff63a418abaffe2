package nsctl

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/goccy/go-json"
	"github.com/goccy/go-yaml"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A grid is what -o table and -o wide print. Its first column is what -o name prints.
type grid struct {
	columns []column
	rows    [][]string
}

// A column of a grid.
type column struct {
	name  string
	wide  bool // only with -o wide
	right bool // numbers
}

// add adds a row, with a cell for each column.
func (g *grid) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = clean(fmt.Sprint(cell))
	}
	g.rows = append(g.rows, row)
}

// print prints what was found as the flags want it: v as JSON or YAML, or g.
func (c *ctl) print(v any, g *grid) error {
	switch c.output {
	case "json":
		return c.printJSON(v)
	case "yaml":
		text, err := json.MarshalWithOption(v, json.DisableHTMLEscape())
		if err != nil {
			return err
		}
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
		_, err = c.stdout.Write(text)
		return err
	case "name":
		for _, row := range g.rows {
			if _, err := fmt.Fprintln(c.stdout, row[0]); err != nil {
				return err
			}
		}
		return nil
	}
	_, err := io.WriteString(c.stdout, c.render(g))
	return err
}

func (c *ctl) printJSON(v any) error {
	text, err := json.MarshalIndentWithOption(v, "", "  ", json.DisableHTMLEscape())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", text)
	return err
}

// render returns g as text: columns of one width, two blanks between them, no blanks at
// the ends of lines.
func (c *ctl) render(g *grid) string {
	w := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatUpper
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	pick := func(row []string) table.Row {
		var r table.Row
		for i, cell := range row {
			if !g.columns[i].wide || c.output == "wide" {
				r = append(r, cell)
			}
		}
		return r
	}
	var names []string
	var configs []table.ColumnConfig
	for _, col := range g.columns {
		names = append(names, col.name)
		if col.wide && c.output != "wide" {
			continue
		}
		if col.right {
			configs = append(configs, table.ColumnConfig{Number: len(configs) + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		} else {
			configs = append(configs, table.ColumnConfig{Number: len(configs) + 1})
		}
	}
	w.SetColumnConfigs(configs)
	if !c.noHeaders {
		w.AppendHeader(pick(names))
	}
	for _, row := range g.rows {
		w.AppendRow(pick(row))
	}
	out := w.Render()
	if out == "" {
		return ""
	}
	return out + "\n"
}

// clean replaces what would do something to a terminal or tear a line in a text that may
// come from a peer.
func clean(s string) string {
	if strings.IndexFunc(s, isUnclean) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isUnclean(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isUnclean(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
