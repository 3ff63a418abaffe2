package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
	"gonamesrv/bench/report"
	"gonamesrv/bench/search"
)

// A searchCommand is `nsbench search`: its flags.
type searchCommand struct {
	runCommand
	slo    []string
	most   float64
	steps  int
	within string
}

// searchFrom is the rate with which a search of a closed loop begins.
const searchFrom = 1000

func newSearchCommand() *cobra.Command {
	var f searchCommand
	cmd := &cobra.Command{
		Use:   "search NAME --slo 'p99 < 2ms' [flags] [-- COMMAND [ARG...]]",
		Short: "Find the highest rate at which an objective holds",
		Long: "Search runs a scenario again and again, each time at another rate and with its own preload and warm-up: it begins with\n" +
			"--rate, doubles it until the objective does not hold, or halves it until it does, and then closes in, until the two rates are\n" +
			"near enough (--within) or --tries are done. A rate does not hold either if fewer than 99 % of the requests are answered\n" +
			"while they are sent. A step that is generator-bound ends the search: beyond it the generator is measured, not the server.\n" +
			"It ends with 99 if no rate holds, with 2 when replies were not right, with 1 when it could not be run.",
		Example: "  nsbench search route --slo 'p99 < 2ms' --duration 10s -- bin/namesrv\n" +
			"  nsbench search route --slo 'route p99 < 2ms' --slo 'route errors <= 0' --rate 20000 --most 200000 --tries 15",
		PreRun:            spareProcessors,
		RunE:              f.run,
		ValidArgsFunction: completeScenario,
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringArrayVar(&f.slo, "slo", nil, "what must hold, such as 'p99 < 2ms' or 'route p99.9 < 10ms'; may be repeated, and all must hold")
	fl.Float64Var(&f.most, "most", 1e6, "the highest rate to try")
	fl.IntVar(&f.steps, "tries", 12, "steps at most")
	fl.StringVar(&f.within, "within", "5%", "end when the rate that holds and the one that does not are so near")
	fl.StringVar(&f.target, "target", "127.0.0.1:9876", "address of the server")
	fl.IntVar(&f.pid, "pid", 0, "process of the server, to measure its CPU and memory")
	fl.Var(&f.label, "label", "what to call the server in results")
	fl.StringVarP(&f.file, "file", "f", "", "a scenario file, instead of NAME")
	fl.Uint64Var(&f.seed, "seed", 1, "fixes what is sent")
	fl.IntVar(&f.workers, "workers", 1, "event loops of the generator; for registrations beside other requests as many again")
	f.tls.add(fl)
	f.generators.add(fl)
	fl.BoolVar(&f.allowRemote, "allow-remote", false, "load a server that is not on this machine")
	fl.StringVar(&f.json, "json", "", "write all steps to this file")
	fl.StringVar(&f.serverLog, "server-log", "", "what the COMMAND writes goes to this file")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	addParams(fl)
	groupFlags(fl, groupServer, "target", "pid", "label", "server-log", "allow-remote")
	groupFlags(fl, groupLoad, "slo", "most", "tries", "within", "file", "seed", "workers")
	groupFlags(fl, groupResults, "json", "quiet")
	groupHelp(cmd)
	completeFlags(cmd)
	return cmd
}

func (f *searchCommand) run(cmd *cobra.Command, args []string) error {
	args, argv := argvOf(cmd, args)
	sc, err := f.scenario(args, cmd.Flags())
	if err != nil {
		return err
	}
	if sc.Params.Rate == 0 {
		if err := sc.Set("rate", fmt.Sprint(min(searchFrom, f.most))); err != nil {
			return err
		}
	}
	within, err := percentage("within", f.within)
	if err != nil {
		return err
	}
	if err := checkWritable(f.json); err != nil {
		return err
	}
	opt, stop, err := f.options(cmd, argv)
	if err != nil {
		return err
	}
	defer stop()
	if err := f.generators.pin(sc, &opt); err != nil {
		return err
	}
	w := watch(cmd.ErrOrStderr(), sc)
	defer w.end()
	s, err := search.Run(cmd.Context(), search.Options{
		Scenario: sc, SLO: f.slo, Most: f.most, Steps: f.steps, Within: within / 100,
		Load: func(ctx context.Context, step int, sc bench.Scenario) (*bench.Result, error) {
			if f.quiet {
				return bench.Run(ctx, sc, opt, nil)
			}
			turn := fmt.Sprintf("step %d, %.0f/s", step, sc.Params.Rate)
			return bench.Run(ctx, sc, opt, func(p bench.Progress) { w.show(turn, p) })
		},
	})
	if s == nil || len(s.Steps) == 0 {
		return err
	}
	w.end()
	_, outErr := fmt.Fprint(cmd.OutOrStdout(), report.SearchSheet(s).Text())
	if f.json != "" {
		outErr = errors.Join(outErr, report.WriteSearch(s, f.json))
	}
	if err == nil && s.Holds == 0 {
		err = fmt.Errorf("%w: no rate that was tried holds", bench.ErrThreshold)
	}
	return errors.Join(err, outErr)
}
