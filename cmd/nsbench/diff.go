package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/bench/compare"
	"gonamesrv/bench/report"
)

// A diffCommand is `nsbench diff`: its flags.
type diffCommand struct {
	thresholds thresholdFlags
	gate       string
	server     string
	json, html string
	markdown   bool
}

func newDiffCommand() *cobra.Command {
	var f diffCommand
	cmd := &cobra.Command{
		Use:   "diff OLD.json NEW.json",
		Short: "Compare two results of run or compare, and fail if the later one is worse",
		Long: "Diff shows the figures of two results beside each other. Of comparisons it takes the first server, or --server; their\n" +
			"rounds go together in their order.\n" +
			"A change is written with its sign: --fail-if 'route p99 +10%' fails if p99 has grown by more than 10 %,\n" +
			"'route rate -5%' if the rate has fallen by more than 5 %. Other thresholds are of the later result.\n" +
			"--gate 10% is a threshold for each rate, p50, p90 and p99, for errors and wrong replies, for memory of the server, and\n" +
			"for its CPU per request where all were of one kind.\n" +
			"It ends with 99 if a threshold does not hold or is not decided: because the scenarios differ, replies were not right,\n" +
			"a run was interrupted or generator-bound, or the limit is within the noise of the rounds.",
		Example: "  nsbench diff main.json branch.json --gate 10%\n" +
			"  nsbench diff main.json branch.json --fail-if 'route p99 +10%' --fail-if 'server memory > 150MB'",
		Args: cobra.ExactArgs(2),
		RunE: f.run,
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	f.thresholds.add(fl)
	fl.StringVar(&f.gate, "gate", "", "no figure may be worse by more, such as 10%")
	fl.StringVar(&f.server, "server", "", "which server of comparisons; the first one when empty")
	fl.StringVar(&f.json, "json", "", "write it to this file")
	fl.StringVar(&f.html, "html", "", "write a page with charts to this file")
	fl.BoolVar(&f.markdown, "markdown", false, "print Markdown")
	return cmd
}

// percentage reads such as 10%, "" is 0.
func percentage(flag, text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !strings.HasSuffix(text, "%") || !(v > 0 && v < 100) {
		return 0, fmt.Errorf("--%s %s: it must be more than 0%% and less than 100%%", flag, text)
	}
	return v, nil
}

func (f *diffCommand) run(cmd *cobra.Command, args []string) error {
	gate, err := percentage("gate", f.gate)
	if err != nil {
		return err
	}
	if err := checkWritable(f.json, f.html); err != nil {
		return err
	}
	var pasts [2]compare.Past
	for i, file := range args {
		if pasts[i], err = f.past(file); err != nil {
			return err
		}
	}
	c, err := compare.Diff(pasts[0], pasts[1], f.thresholds.failIf, gate)
	if c == nil {
		return err
	}
	c.Command = append([]string{"nsbench", "diff"}, args...)
	return errors.Join(err, saveAs(cmd.OutOrStdout(), report.Document{Comparison: c}, f.markdown, f.json, f.html))
}

func (f *diffCommand) past(file string) (compare.Past, error) {
	d, err := report.Read(file)
	if err != nil {
		return compare.Past{}, err
	}
	if d.Comparison != nil {
		return compare.PastOf(file, d.Comparison, f.server)
	}
	if f.server != "" {
		return compare.Past{}, fmt.Errorf("--server %s: %s is one run, not a comparison", f.server, file)
	}
	return compare.PastRun(file, d.Result), nil
}
