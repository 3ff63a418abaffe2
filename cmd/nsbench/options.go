package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
	"gonamesrv/bench/launch"
)

// options are those of a run, with the server that argv starts, if any, which
// stop ends.
func (f *runCommand) options(cmd *cobra.Command, argv []string) (opt bench.Options, stop func(), err error) {
	stop = func() {}
	limits, err := bench.ParseErrorLimits(f.maxErrors)
	if err != nil {
		return opt, stop, err
	}
	opt = bench.Options{
		Target: bench.Target{Address: f.target, PID: f.pid}, Label: string(f.label), Seed: f.seed, Workers: f.workers,
		AllowRemote: f.allowRemote, Commit: commit(), CeilingFor: f.ceiling, StartEcho: startFloor, MaxErrors: &limits,
	}
	if opt.TLS, err = f.tls.config(); err != nil {
		return opt, stop, err
	}
	opt.Crew, err = f.generators.crew(task{Address: f.target, AllowRemote: f.allowRemote, Workers: f.workers, TLS: f.tls})
	if err != nil {
		return opt, stop, err
	}
	switch {
	case len(argv) == 0 && f.serverLog != "":
		return opt, stop, errors.New("--server-log is for what a command after -- writes, and there is none")
	case len(argv) == 0:
		return opt, stop, nil
	case f.pid != 0:
		return opt, stop, errors.New("--pid is of a server that runs already, and the command after -- starts one")
	}
	spec, err := launch.Given(string(f.label), argv, f.target, f.serverLog)
	if err != nil {
		return opt, stop, err
	}
	server, err := launch.New(cmd.Context(), spec)
	if err != nil {
		return opt, stop, err
	}
	stop = func() { _ = server.Close() } // it is gone in any case
	if err := server.Start(cmd.Context()); err != nil {
		stop()
		return opt, func() {}, fmt.Errorf("start the server: %w", err)
	}
	opt.Server, opt.Target = server, server.Target()
	return opt, stop, nil
}

// argvOf splits the arguments at --: what stands behind it starts the server.
func argvOf(cmd *cobra.Command, args []string) (rest, argv []string) {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		return args[:dash], args[dash:]
	}
	return args, nil
}
