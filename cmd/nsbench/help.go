package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gonamesrv/bench"
)

// helpWidth is how wide a help may be, in columns.
const helpWidth = 100

// The groups of flags that are no parameters of scenarios, in their order.
const (
	groupServer  = "The server"
	groupServers = "The servers"
	groupLoad    = "The load"
	groupResults = "The results"
	groupOthers  = "Other flags"
)

const groupKey = "nsbench-group" // the annotation that says a flag's group

// groupFlags puts flags that were defined into a group of the help.
func groupFlags(fl *pflag.FlagSet, title string, names ...string) {
	for _, name := range names {
		if err := fl.SetAnnotation(name, groupKey, []string{title}); err != nil {
			panic(err) // the flag is a constant of ours
		}
	}
}

// groupHelp makes the help of a command that runs scenarios: flags in groups, each
// with its type and its default. Where the name of a scenario stands on the line,
// it shows the parameters of that one only.
func groupHelp(cmd *cobra.Command) {
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		fmt.Fprint(cmd.OutOrStdout(), helpText(cmd, namedScenario(args)))
	})
}

// namedScenario is the first scenario that args name, nil for none.
func namedScenario(args []string) *bench.Scenario {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			continue
		}
		if sc, err := bench.FindScenario(a); err == nil {
			return &sc
		}
	}
	return nil
}

func helpText(cmd *cobra.Command, sc *bench.Scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", wrap(strings.ReplaceAll(cmd.Long, "\n", " "), "", helpWidth), cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	for _, g := range flagGroups(cmd.Flags(), sc) {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		left := 0
		for _, f := range g.flags {
			left = max(left, len(flagName(f)))
		}
		for _, f := range g.flags {
			name := "  " + flagName(f) + strings.Repeat(" ", left-len(flagName(f))+2)
			fmt.Fprintf(&b, "%s%s\n", name, wrap(flagUsage(f, sc), strings.Repeat(" ", len(name)), helpWidth-len(name)))
		}
	}
	if sc == nil {
		fmt.Fprintf(&b, "\nA scenario knows only some parameters: `%s NAME --help` shows those of one.\n", cmd.CommandPath())
	}
	return b.String()
}

// wrap breaks text so that no line has more than width columns. All lines but the
// first begin with indent, which does not count.
func wrap(s, indent string, width int) string {
	var lines []string
	for _, l := range strings.Split(s, "\n") {
		lines = append(lines, strings.Split(text.WrapSoft(l, max(20, width)), "\n")...)
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n"+indent)
}

type flagGroup struct {
	title string
	flags []*pflag.Flag
}

// flagGroups are the flags of a command in the order of the help: first those of
// its own, then the parameters, of sc or of all scenarios.
func flagGroups(fl *pflag.FlagSet, sc *bench.Scenario) []flagGroup {
	var titles []string
	of := map[string][]*pflag.Flag{}
	add := func(title string, f *pflag.Flag) {
		if of[title] == nil {
			titles = append(titles, title)
		}
		of[title] = append(of[title], f)
	}
	fl.VisitAll(func(f *pflag.Flag) {
		if g := f.Annotations[groupKey]; len(g) == 1 && !f.Hidden {
			add(g[0], f)
		}
	})
	fl.VisitAll(func(f *pflag.Flag) {
		if _, param := f.Value.(*param); !param && len(f.Annotations[groupKey]) == 0 && !f.Hidden {
			add(groupOthers, f)
		}
	})
	for _, g := range bench.ParamGroups() {
		for _, key := range g.Keys {
			f := fl.Lookup(key)
			if _, param := f.Value.(*param); param && knows(sc, key) {
				add("Parameters: "+strings.ToLower(g.Title[:1])+g.Title[1:], f)
			}
		}
	}
	var out []flagGroup
	for _, title := range titles {
		out = append(out, flagGroup{title, of[title]})
	}
	return out
}

// knows reports whether a parameter means something to sc; nil is any scenario.
func knows(sc *bench.Scenario, key string) bool {
	if sc == nil {
		return true
	}
	k, err := bench.FindKind(sc.Kind)
	return err == nil && slices.Contains(k.Keys(), key)
}

// flagName is a flag as it is written, with the type of its value.
func flagName(f *pflag.Flag) string {
	n := "    --" + f.Name
	if f.Shorthand != "" {
		n = "-" + f.Shorthand + ", --" + f.Name
	}
	if t := f.Value.Type(); t != "bool" && t != "" && f.NoOptDefVal == "" {
		n += " " + t
	}
	return n
}

// flagUsage is what a flag means and what it is when it is not given.
func flagUsage(f *pflag.Flag, sc *bench.Scenario) string {
	if p, ok := f.Value.(*param); ok {
		is := bench.ParamDefaults(p.key)
		if sc != nil {
			is = sc.Params.Get(p.key)
		}
		return bench.AboutParam(p.key) + " (default " + is + ")"
	}
	switch f.DefValue {
	case "", "0", "false", "[]":
		return f.Usage
	}
	return f.Usage + " (default " + f.DefValue + ")"
}
