package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/bench/capacity"
)

// newCapacityCommand finds out what one server carries.
func newCapacityCommand() *cobra.Command {
	var opt capacity.Options
	var topics, brokers []int
	var of, names int
	var to, from string
	var asMarkdown bool
	cmd := &cobra.Command{
		Use:   "capacity",
		Short: "Find out what one server carries: memory and CPU, size by size",
		Long: "Capacity starts our server anew for each size, lets brokers register and clients ask, and shows memory, CPU time, the start after kill -9, and\n" +
			"formulas for other sizes. Nothing of it is a latency: a machine that does something else too is good enough.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r *capacity.Report
			var err error
			if from != "" {
				if r, err = capacity.Read(from); err != nil {
					return err
				}
			} else {
				if opt.Sizes, err = sizes(topics, of, brokers, names); err != nil {
					return err
				}
				if opt.Reads < 1 || opt.Connections < 0 {
					return errors.New("--reads must be positive, and --connections not negative")
				}
				opt.Namesrv = cmp.Or(opt.Namesrv, besideUs("namesrv"))
				opt.Commit, opt.Command = commit(), append([]string{"nsbench"}, os.Args[1:]...)
				opt.Say = func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), "capacity:", what) }
				if err := enoughFiles(opt.Connections); err != nil {
					return err
				}
				if r, err = capacity.Measure(cmd.Context(), opt); err != nil {
					if to != "" {
						err = errors.Join(err, r.Write(to)) // what was measured until then
					}
					return err
				}
			}
			if to != "" {
				if err := r.Write(to); err != nil {
					return err
				}
			}
			show := r.Text
			if asMarkdown {
				show = r.Markdown
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSuffix(show(), "\n"))
			return err
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&opt.Namesrv, "namesrv", "", "our server; without, the one beside this program or on the PATH")
	fl.IntSliceVar(&topics, "topics", []int{1000, 10_000, 100_000, 1_000_000}, "sizes: so many topics in all, each on one of --of brokers; 0 is none")
	fl.IntVar(&of, "of", 100, "brokers of these sizes")
	fl.IntSliceVar(&brokers, "brokers", []int{1, 10, 30, 100, 300}, "sizes: so many brokers, each with the same --names topics; 0 is none")
	fl.IntVar(&names, "names", 10_000, "topics of each broker of these sizes")
	fl.IntVar(&opt.Connections, "connections", 50_000, "connections that say nothing; 0 leaves them out")
	fl.IntVar(&opt.Reads, "reads", 200_000, "route reads of each size")
	fl.StringVar(&to, "json", "", "write all of it to this file")
	fl.StringVar(&from, "read", "", "measure nothing, and show what such a file has")
	fl.BoolVar(&asMarkdown, "markdown", false, "show it as Markdown")
	return cmd
}

// sizes are those of the flags.
func sizes(topics []int, of int, brokers []int, names int) (all []capacity.Size, err error) {
	if len(topics) > 0 && of < 1 || len(brokers) > 0 && names < 1 {
		return nil, errors.New("--of and --names must be positive")
	}
	for _, n := range topics {
		if n == 0 {
			continue
		}
		if n < of {
			return nil, fmt.Errorf("%d topics: each of %d brokers needs one", n, of)
		}
		all = append(all, capacity.Size{Brokers: of, Names: n})
	}
	for _, n := range brokers {
		if n == 0 {
			continue
		}
		if n < 0 {
			return nil, fmt.Errorf("%d brokers: there must be one", n)
		}
		all = append(all, capacity.Size{Brokers: n, Names: names, Shared: true})
	}
	return all, nil
}
