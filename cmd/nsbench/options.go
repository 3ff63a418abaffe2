package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
)

// options are those of a run, with the server that argv starts, if any, which
// stop ends.
func (f *runCommand) options(cmd *cobra.Command, argv []string) (opt bench.Options, stop func(), err error) {
	stop = func() {}
	opt = bench.Options{
		Target: bench.Target{Name: f.name, Address: f.target, PID: f.pid}, Label: f.label, Seed: f.seed, Workers: f.workers,
		AllowRemote: f.allowRemote, Commit: commit(), CeilingFor: f.ceiling, StartEcho: startFloor,
	}
	if opt.TLS, err = f.tls.config(); err != nil {
		return opt, stop, err
	}
	opt.Crew, err = f.generators.crew(task{Address: f.target, AllowRemote: f.allowRemote, Workers: f.workers, TLS: f.tls})
	if err != nil {
		return opt, stop, err
	}
	if len(argv) == 0 {
		return opt, stop, nil
	}
	server := &bench.Command{Name: f.name, Argv: argv, Address: f.target}
	closeLog := func() {}
	if f.serverLog != "" {
		log, err := os.Create(f.serverLog)
		if err != nil {
			return opt, stop, err
		}
		closeLog = func() { log.Close() }
		server.Output = log
	}
	if err := server.Start(cmd.Context()); err != nil {
		closeLog()
		return opt, stop, fmt.Errorf("start the server: %w", err)
	}
	opt.Server, opt.Target = server, server.Target()
	return opt, func() {
		_ = server.Kill() // it is gone in any case
		closeLog()
	}, nil
}

// argvOf splits the arguments at --: what stands behind it starts the server.
func argvOf(cmd *cobra.Command, args []string) (rest, argv []string) {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		return args[:dash], args[dash:]
	}
	return args, nil
}
