package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/bench/report"
)

// newReportCommand shows results again.
func newReportCommand() *cobra.Command {
	var html, markdown bool
	var exports exportFlags
	cmd := &cobra.Command{
		Use:   "report FILE.json...",
		Short: "Show results of run or compare again, from their JSON files",
		Example: "  nsbench report storm.json\n" +
			"  nsbench report --html *.json          # writes storm.html beside storm.json",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) > 1 && len(exports.files()) > 0 {
				return errors.New("--export takes one result at a time")
			}
			for i, file := range files {
				d, err := report.Read(file)
				if err != nil {
					return err
				}
				switch {
				case len(exports.files()) > 0:
					if err := exports.write(d); err != nil {
						return err
					}
				case html:
					page := strings.TrimSuffix(file, filepath.Ext(file)) + ".html"
					if err := d.WriteHTML(page); err != nil {
						return err
					}
					fmt.Fprintln(cmd.OutOrStdout(), page)
				default:
					if i > 0 {
						fmt.Fprintln(cmd.OutOrStdout())
					}
					fmt.Fprint(cmd.OutOrStdout(), show(d, markdown))
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&html, "html", false, "write an HTML page beside each file")
	exports.add(cmd.Flags())
	cmd.Flags().BoolVar(&markdown, "markdown", false, "write Markdown")
	cmd.MarkFlagsMutuallyExclusive("html", "markdown", "export")
	return cmd
}

func show(d report.Document, markdown bool) string {
	if markdown {
		return d.Sheet().Markdown()
	}
	return d.Sheet().Text()
}

// save prints d and writes the files that are asked for; "" asks for none.
func save(out io.Writer, d report.Document, json, html string) error {
	return saveAs(out, d, false, json, html)
}

// saveAs is save that prints Markdown if it is told to.
func saveAs(out io.Writer, d report.Document, markdown bool, json, html string) error {
	_, err := fmt.Fprint(out, show(d, markdown))
	if json != "" {
		err = errors.Join(err, d.Write(json))
	}
	if html != "" {
		err = errors.Join(err, d.WriteHTML(html))
	}
	return err
}
