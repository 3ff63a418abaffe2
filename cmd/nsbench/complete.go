package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gonamesrv/bench"
)

// completeScenario offers the names of scenarios for the first argument, with
// what each is.
func completeScenario(_ *cobra.Command, args []string, _ string) (offers []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, k := range bench.Kinds() {
		offers = append(offers, cobra.CompletionWithDesc(k.Name, k.About))
	}
	for _, s := range bench.Samples() {
		offers = append(offers, cobra.CompletionWithDesc(s.Name, s.About))
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

// completeFlags lets the flags of a command that runs scenarios complete: files by
// their ends, words by what they may be, and nothing where a number stands.
func completeFlags(cmd *cobra.Command) {
	ends := map[string]string{"file": "yaml", "json": "json", "html": "html"}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		offer := cobra.NoFileCompletions
		switch p, isParam := f.Value.(*param); {
		case isParam && bench.ParamWords(p.key) != nil:
			offer = cobra.FixedCompletions(bench.ParamWords(p.key), cobra.ShellCompDirectiveNoFileComp)
		case ends[f.Name] != "":
			offer = cobra.FixedCompletions([]string{ends[f.Name]}, cobra.ShellCompDirectiveFilterFileExt)
		case f.Name == "namesrv" || f.Name == "server-log" || f.Name == "command":
			return // any file
		}
		if err := cmd.RegisterFlagCompletionFunc(f.Name, offer); err != nil {
			panic(err) // the flag is one of this command
		}
	})
}
