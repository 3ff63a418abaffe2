package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
)

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the scenarios, or the parameters of one",
		Long: "List shows the scenarios that are built in, and the samples: scenario files that the program has with it. Of one\n" +
			"scenario it shows the parameters; of a sample also its file, to copy and to change.",
		Example: "  nsbench list\n" +
			"  nsbench list storm",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listAll(cmd.OutOrStdout())
			}
			return listOne(cmd.OutOrStdout(), args[0])
		},
	}
}

func listAll(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, k := range bench.Kinds() {
		fmt.Fprintf(w, "%s\t%s\n", k.Name, k.About)
	}
	fmt.Fprint(w, "\t\nsamples:\t\n")
	for _, s := range bench.Samples() {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s.About)
	}
	return w.Flush()
}

func listOne(out io.Writer, name string) error {
	sc, err := bench.FindScenario(name)
	if err != nil {
		return err
	}
	k, err := bench.FindKind(sc.Kind)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s: %s\n\n", name, about(name, k))
	for _, key := range k.Keys() {
		fmt.Fprintf(w, "--%s\t%s\t%s\n", key, sc.Params.Get(key), bench.AboutParam(key))
	}
	if k.NeedsServer {
		fmt.Fprintf(w, "\n%s kills or stops the server: give its command after --\n", strings.ToUpper(name[:1])+name[1:])
	}
	for _, s := range bench.Samples() {
		if s.Name == name {
			fmt.Fprintf(w, "\nIts file:\n\n%s", s.Text)
		}
	}
	return w.Flush()
}

func about(name string, k *bench.Kind) string {
	for _, s := range bench.Samples() {
		if s.Name == name {
			return s.About
		}
	}
	return k.About
}
