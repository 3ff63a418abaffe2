package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/bench/report"
)

// newResultsCommand is for scripts/bench-results.sh.
func newResultsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "results DIR",
		Short:  "Write the summary of a folder of results as Markdown",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := filepath.Glob(filepath.Join(args[0], "*.json"))
			if err != nil {
				return err
			}
			if len(files) == 0 {
				return fmt.Errorf("there is no result in %s", args[0])
			}
			set := map[string]report.Document{}
			var names []string
			for _, file := range files {
				d, err := report.Read(file)
				if err != nil {
					return err
				}
				name := strings.TrimSuffix(filepath.Base(file), ".json")
				set[name] = d
				names = append(names, name)
			}
			return writeSummary(cmd.OutOrStdout(), filepath.Base(args[0]), names, set)
		},
	}
}

func writeSummary(out io.Writer, title string, names []string, set map[string]report.Document) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Results of %s\n\n", title)
	b.WriteString("Made by `scripts/bench-results.sh`. Each section has its command, commit and machine, and the file beside this one with\n" +
		"every run; `nsbench report --html FILE.json` makes a page with charts of it.\n")
	if t := report.Thresholds(names, set); len(t.Rows) > 0 {
		fmt.Fprintf(&b, "\n%s", report.Sheet{Title: "Goals", Tables: []report.Table{t}}.Markdown())
	}
	for _, name := range names {
		fmt.Fprintf(&b, "\nRaw: [%s.json](%s.json)\n\n%s", name, name, set[name].Sheet().Markdown())
	}
	_, err := io.WriteString(out, b.String())
	return err
}
