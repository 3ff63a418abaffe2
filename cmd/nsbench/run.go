package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gonamesrv/bench"
	"gonamesrv/bench/report"
)

// A runCommand is `nsbench run`: its flags.
type runCommand struct {
	target      string
	pid         int
	label       labelValue
	seed        uint64
	workers     int
	ceiling     time.Duration
	allowRemote bool
	file        string
	json        string
	html        string
	serverLog   string
	quiet       bool
	maxErrors   string
	thresholds  thresholdFlags
	tls         tlsFlags
	exports     exportFlags
	generators  generatorFlags
}

func newRunCommand() *cobra.Command {
	var f runCommand
	cmd := &cobra.Command{
		Use:   "run NAME [flags] [-- COMMAND [ARG...]]",
		Short: "Run a scenario, built in or from a file",
		Long: "Run puts the load of a scenario on a server and prints what came of it.\n" +
			"With a command after -- it starts that server first, which must listen on the target's address, and ends it afterwards.\n" +
			"The brokers and topics of the scenario are registered before and taken away in the end. Then a server that only echoes\n" +
			"is asked the same, which shows what the generator could reach (--ceiling).\n" +
			"It ends with 2 when replies were not right or too many were refused or missing (--max-errors), with 99\n" +
			"when a threshold (--fail-if) does not hold or is not decided, with 1 when it could not be run, and with 130 when somebody has interrupted it: then results are of what was measured until then.",
		Example: "  nsbench run route --connections 64 --depth 16\n" +
			"  nsbench run storm --rate 5000 --pid $(pidof namesrv)\n" +
			"  nsbench run restart --target 127.0.0.1:9877 -- bin/namesrv -c other.properties",
		PreRun:            spareProcessors,
		RunE:              f.run,
		ValidArgsFunction: completeScenario,
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.target, "target", "127.0.0.1:9876", "address of the server")
	fl.IntVar(&f.pid, "pid", 0, "process of the server, to measure its CPU and memory")
	fl.Var(&f.label, "label", "what to call the server in results, such as 'java 5.5.0'")
	fl.Var(movedValue("run has no such flag: say where the server is with --target, or what to call it with --label, which is it that %q is?"),
		"server", "")
	fl.Lookup("server").Hidden = true
	fl.StringVarP(&f.file, "file", "f", "", "a scenario file, or what nsbench record has written, instead of NAME")
	fl.Uint64Var(&f.seed, "seed", 1, "fixes what is sent")
	fl.IntVar(&f.workers, "workers", 1, "event loops of the generator; for registrations beside other requests as many again")
	fl.DurationVar(&f.ceiling, "ceiling", 2*time.Second, "how long to measure the server that only echoes; 0 leaves it out")
	f.thresholds.add(fl)
	f.tls.add(fl)
	f.generators.add(fl)
	fl.BoolVar(&f.allowRemote, "allow-remote", false, "load a server that is not on this machine")
	fl.StringVar(&f.json, "json", "", "write the whole result to this file")
	fl.StringVar(&f.html, "html", "", "write a page with charts to this file")
	addMaxErrors(fl, &f.maxErrors)
	f.exports.add(fl)
	fl.StringVar(&f.serverLog, "server-log", "", "what the COMMAND writes goes to this file")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	addParams(fl)
	groupFlags(fl, groupServer, "target", "pid", "label", "server-log", "allow-remote")
	groupFlags(fl, groupLoad, "file", "seed", "workers", "ceiling", "max-errors")
	groupFlags(fl, groupResults, "json", "html", "quiet")
	groupHelp(cmd)
	completeFlags(cmd)
	return cmd
}

// addMaxErrors adds the flag that bounds errors.
func addMaxErrors(fl *pflag.FlagSet, to *string) {
	fl.StringVar(to, "max-errors", "", "errors of a run that is right, in percent; wrong=0,refused=1,missing=1 when not given")
}

// addParams adds a flag for each parameter of any scenario.
func addParams(fl *pflag.FlagSet) {
	for _, g := range bench.ParamGroups() {
		for _, key := range g.Keys {
			fl.Var(&param{key: key}, key, bench.AboutParam(key)+" (default "+bench.ParamDefaults(key)+")")
			if bench.ParamType(key) == "" {
				fl.Lookup(key).NoOptDefVal = "true"
			}
		}
	}
}

// A param is the text given for one parameter.
type param struct{ key, text string }

func (p *param) String() string { return p.text }
func (p *param) Type() string   { return bench.ParamType(p.key) }
func (p *param) Set(text string) error {
	p.text = text
	return new(bench.Params).Set(p.key, text)
}

// scenario puts name or file, and the parameters given as flags, together.
func (f *runCommand) scenario(args []string, fl *pflag.FlagSet) (sc bench.Scenario, err error) {
	switch {
	case f.file != "" && len(args) == 0:
		sc, err = bench.ReadScenario(f.file)
	case f.file == "" && len(args) == 1:
		sc, err = bench.FindScenario(args[0])
	default:
		err = errors.New("give the name of one scenario, or a file with -f; `nsbench list` shows the names")
	}
	if err != nil {
		return sc, err
	}
	fl.Visit(func(given *pflag.Flag) {
		if p, ok := given.Value.(*param); ok && err == nil {
			err = sc.Set(p.key, p.text)
		}
	})
	if err != nil {
		return sc, err
	}
	return sc, f.thresholds.apply(&sc)
}

func (f *runCommand) run(cmd *cobra.Command, args []string) error {
	args, argv := argvOf(cmd, args)
	sc, err := f.scenario(args, cmd.Flags())
	if err != nil {
		return err
	}
	if err := checkWritable(append(f.exports.files(), f.json, f.html)...); err != nil {
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
	var progress func(bench.Progress)
	end := func() {}
	if !f.quiet {
		w := watch(cmd.ErrOrStderr(), sc)
		end = w.end
		progress = func(p bench.Progress) { w.show(string(f.label), p) }
	}
	res, err := bench.Run(cmd.Context(), sc, opt, progress)
	end()
	if res == nil {
		return err
	}
	d := report.Document{Result: res}
	return errors.Join(err, save(cmd.OutOrStdout(), d, f.json, f.html), f.exports.write(d))
}
