// Command nsbench puts load on a RocketMQ name server, ours or any other, and
// reports the results.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
	"gonamesrv/bench/launch"
	"gonamesrv/internal/version"
)

// Exit codes: scripts tell a slow server from a wrong one.
const (
	exitOK     = 0
	exitFailed = 1 // it could not be run
	exitWrong  = 2 // it ran, and replies were not right

	exitThreshold   = 99  // it ran, replies were right, and a threshold does not hold or is not decided
	exitInterrupted = 130 // somebody ended it, as shells say it
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		stop()
		<-again
		launch.KillAll() // who asks again is not asked for patience, and wants nothing left behind
		os.Exit(exitInterrupted)
	})
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// spareProcessors lets the clock by which requests leave, and the loops that
// send them, run whenever the kernel lets them, without waiting for a place in
// Go's scheduler as well. Measured in a storm of 1.8 MB registrations on two
// processors: requests left 4 to 6 ms late in the worst hundredth, 8 to 13 without.
func spareProcessors(*cobra.Command, []string) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.NumCPU() + spareThreads)
	}
}

// spareThreads are those of spareProcessors.
const spareThreads = 2

// run is the whole program; results go to stdout, progress to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := &cobra.Command{
		Use:   "nsbench",
		Short: "Load for RocketMQ name servers",
		Long: "Nsbench puts load on a RocketMQ name server, ours or any other, checks every reply, and says how fast\n" +
			"it answered and what that took. It registers brokers and topics of its own (nsbench-…) and takes them\n" +
			"away in the end: use a server that nobody needs meanwhile. One that is not on this machine's loopback\n" +
			"is loaded only with --allow-remote.\n\n" +
			"It ends with 0 when all was right, 1 when it could not be run, 2 when replies were not right, 99 when a\n" +
			"threshold does not hold or is not decided, and 130 when somebody has interrupted it.",
		Example: "  nsbench list                                              # the scenarios; `list storm` shows one\n" +
			"  nsbench run route -- bin/namesrv                          # starts the server, loads it, ends it\n" +
			"  nsbench run route --rate 5000 --target 127.0.0.1:9877     # one that runs already\n" +
			"  nsbench compare route --namesrv bin/namesrv --floor --keep",
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd.AddCommand(newRunCommand(), newCompareCommand(), newRecordCommand(), newReportCommand(), newResultsCommand(), newListCommand(), newFloorCommand(), newManCommand(), newDemoCommand(), newCapacityCommand())
	cmd.AddCommand(newDiffCommand(), newSearchCommand(), newGeneratorCommand(), newAgentCommand())
	switch err := cmd.ExecuteContext(ctx); {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(stderr, "nsbench:", err)
		return exitInterrupted
	case errors.Is(err, bench.ErrWrong):
		fmt.Fprintln(stderr, err)
		return exitWrong
	case errors.Is(err, bench.ErrThreshold):
		fmt.Fprintln(stderr, err)
		return exitThreshold
	case err != nil:
		fmt.Fprintln(stderr, "nsbench:", err)
		return exitFailed
	}
	return exitOK
}
