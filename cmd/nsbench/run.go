package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
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
	name        string
	label       string
	seed        uint64
	workers     int
	ceiling     time.Duration
	allowRemote bool
	file        string
	json        string
	html        string
	serverLog   string
	quiet       bool
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
			"It ends with 2 when replies were not right, with 99 when a threshold (--fail-if) does not hold or is not decided, with 1 when\n" +
			"it could not be run.",
		Example: "  nsbench run route --connections 64 --depth 16\n" +
			"  nsbench run storm --rate 5000 --pid $(pidof namesrv)\n" +
			"  nsbench run restart --target 127.0.0.1:9877 -- bin/namesrv -c other.properties",
		PreRun: spareProcessors,
		RunE:   f.run,
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.target, "target", "127.0.0.1:9876", "address of the server")
	fl.IntVar(&f.pid, "pid", 0, "process of the server, to measure its CPU and memory")
	fl.StringVar(&f.name, "server", "", "what to call the server in results")
	fl.StringVar(&f.label, "label", "", "what to call this run in results")
	fl.StringVarP(&f.file, "file", "f", "", "a scenario file, instead of NAME")
	fl.Uint64Var(&f.seed, "seed", 1, "fixes what is sent")
	fl.IntVar(&f.workers, "workers", 1, "event loops of the generator; for registrations beside other requests as many again")
	fl.DurationVar(&f.ceiling, "ceiling", 2*time.Second, "how long to measure the server that only echoes; 0 leaves it out")
	f.thresholds.add(fl)
	f.tls.add(fl)
	f.generators.add(fl)
	fl.BoolVar(&f.allowRemote, "allow-remote", false, "load a server that is not on this machine")
	fl.StringVar(&f.json, "json", "", "write the whole result to this file")
	fl.StringVar(&f.html, "html", "", "write a page with charts to this file")
	f.exports.add(fl)
	fl.StringVar(&f.serverLog, "server-log", "", "what the COMMAND writes goes to this file")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	addParams(fl)
	return cmd
}

// addParams adds a flag for each parameter of any scenario.
func addParams(fl *pflag.FlagSet) {
	seen := map[string]bool{}
	for _, k := range bench.Kinds() {
		for _, key := range k.Keys() {
			if !seen[key] {
				seen[key] = true
				fl.Var(&param{key: key}, key, bench.AboutParam(key))
				if key == "bump" || key == "oneway" {
					fl.Lookup(key).NoOptDefVal = "true"
				}
			}
		}
	}
}

// A param is the text given for one parameter.
type param struct{ key, text string }

func (p *param) String() string { return p.text }
func (p *param) Type() string   { return "" }
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
		var k *bench.Kind
		if k, err = bench.FindKind(args[0]); err == nil {
			sc = k.Scenario()
		}
	default:
		err = errors.New("give the name of one scenario, or a file with -f; `nsbench list` shows the names")
	}
	if err != nil {
		return sc, err
	}
	fl.Visit(func(given *pflag.Flag) {
		if p, ok := given.Value.(*param); ok && err == nil {
			err = sc.Params.Set(p.key, p.text)
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
	if !f.quiet {
		line := &progressLine{w: cmd.ErrOrStderr()}
		defer line.end()
		progress = line.show
	}
	res, err := bench.Run(cmd.Context(), sc, opt, progress)
	if res == nil {
		return err
	}
	d := report.Document{Result: res}
	return errors.Join(err, save(cmd.OutOrStdout(), d, f.json, f.html), f.exports.write(d))
}

// revision is set by -ldflags where go build does not note it.
var revision string

// commit is the commit this program was built from, as far as go build noted it.
func commit() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	return revision + dirty
}

// A progressLine is one line that is written over again and again.
type progressLine struct {
	w      io.Writer
	prefix string
	shown  bool
}

func (l *progressLine) show(p bench.Progress) {
	l.shown = true
	text := fmt.Sprintf("%s%s %.0fs", l.prefix, p.Stage, p.Elapsed.Seconds())
	if p.Total > 0 {
		text += fmt.Sprintf(" of %.0fs", p.Total.Seconds())
	}
	if p.Of > 0 {
		text += fmt.Sprintf("  %d of %d brokers", p.Done, p.Of)
	}
	if p.Rate > 0 || p.InFlight > 0 {
		text += fmt.Sprintf("  %.0f/s  p99 %v  %d under way", p.Rate, p.P99.Round(time.Microsecond), p.InFlight)
	}
	if p.Errors > 0 {
		text += fmt.Sprintf("  %d ERRORS", p.Errors)
	}
	fmt.Fprintf(l.w, "\r%-90s", text)
}

func (l *progressLine) end() {
	if l.shown {
		fmt.Fprintf(l.w, "\r%s\r", strings.Repeat(" ", 90))
	}
}
