package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
)

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the scenarios, or the parameters of one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			if len(args) == 0 {
				for _, k := range bench.Kinds() {
					fmt.Fprintf(w, "%s\t%s\n", k.Name, k.About)
				}
				return w.Flush()
			}
			k, err := bench.FindKind(args[0])
			if err != nil {
				return err
			}
			p := k.Params()
			fmt.Fprintf(w, "%s: %s\n\n", k.Name, k.About)
			for _, key := range k.Keys() {
				fmt.Fprintf(w, "--%s\t%s\t%s\n", key, p.Get(key), bench.AboutParam(key))
			}
			if k.NeedsServer {
				fmt.Fprintf(w, "\n%s kills or stops the server: give its command after --\n", strings.ToUpper(k.Name[:1])+k.Name[1:])
			}
			return w.Flush()
		},
	}
}
