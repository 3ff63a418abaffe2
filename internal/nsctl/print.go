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

// A grid is what -o table and -o wide print. Its first column is what -o name prints, each
// name once where it stands several times in a row.
type grid struct {
	columns []column
	rows    [][]string
	bare    bool // without a line of headers
}

// A column of a grid.
type column struct {
	name  string
	wide  bool // only with -o wide
	right bool // numbers
	asIs  bool // the name is that of a server or a file, not a word of ours for a header
	// paint returns the color of a cell, 0 for none: an SGR number such as 31. The cell says
	// the same in words.
	paint func(cell string) int
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
		for i, row := range g.rows {
			if i > 0 && row[0] == g.rows[i-1][0] {
				continue
			}
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
	style.Format.Header = text.FormatDefault
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
		if name := clean(col.name); col.asIs {
			names = append(names, name)
		} else {
			names = append(names, strings.ToUpper(name))
		}
		if col.wide && c.output != "wide" {
			continue
		}
		config := table.ColumnConfig{Number: len(configs) + 1}
		if col.right {
			config.Align, config.AlignHeader = text.AlignRight, text.AlignRight
		}
		if col.paint != nil && c.colored() {
			config.Transformer = func(cell any) string { return painted(fmt.Sprint(cell), col.paint) }
		}
		configs = append(configs, config)
	}
	w.SetColumnConfigs(configs)
	if !c.noHeaders && !g.bare {
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

// painted returns a cell in its color.
func painted(cell string, paint func(string) int) string {
	if color := paint(cell); color != 0 {
		return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, cell)
	}
	return cell
}

// The colors of what is well, what wants a look, and what is wrong.
const (
	green  = 32
	yellow = 33
	red    = 31
)

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
