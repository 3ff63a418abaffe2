package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
	"gonamesrv/bench/launch"
	"gonamesrv/bench/report"
)

// A compareCommand is `nsbench compare`: its flags.
type compareCommand struct {
	runCommand
	servers   []serverFlag // in the order given
	base      string
	rounds    int
	keep      bool
	jvmWarmUp time.Duration
	jvmFlags  string
}

// A serverFlag is one server as it was asked for.
type serverFlag struct{ kind, text string }

// A serverValue collects servers of one kind into a common list, so that their
// order on the command line is that of their turns.
type serverValue struct {
	kind string
	list *[]serverFlag
}

func (v serverValue) String() string { return "" }

// Type is what pflag shows for the value.
func (v serverValue) Type() string {
	return map[string]string{"namesrv": "PATH", "java": "VERSION", "command": "LINE", "server": "ADDR[,PID]"}[v.kind]
}

func (v serverValue) Set(text string) error {
	*v.list = append(*v.list, serverFlag{v.kind, text})
	return nil
}

func newCompareCommand() *cobra.Command {
	var f compareCommand
	cmd := &cobra.Command{
		Use:   "compare NAME [flags]",
		Short: "Run a scenario against several servers in turn, A B B A",
		Long: "Compare runs a scenario against two or more servers in turn, round after round, each round with a seed of its own,\n" +
			"and prints the ratios of their figures with their intervals: it says who is better only where the interval does not\n" +
			"span 1, and after 5 rounds. The servers take turns in the order of their flags, and the other way round in every\n" +
			"other round; ratios are to the first one, or to --base. Each is started anew for each turn (but --keep), on a free\n" +
			"port of the loopback, with a folder of its own. Any server may be named: --namesrv new=bin/namesrv --namesrv old=/tmp/namesrv.\n" +
			"Thresholds (--fail-if) are of the first server, and may be ratios to another, 'server cpu > 1.3x floor', or to another\n" +
			"phase of the same run.\n" +
			"It ends with 2 when replies were not right, with 99 when a threshold does not hold or is not decided, with 1 when a\n" +
			"server could not be run, and with 130 when somebody has interrupted it: then figures are of the turns that were over\n" +
			"by then.",
		Example: "  nsbench compare route --namesrv bin/namesrv --java 5.5.0 --floor\n" +
			"  nsbench compare register --bump --namesrv bin/namesrv --java 4.9.7 --html register.html\n" +
			"  nsbench compare route --namesrv bin/namesrv --command 'rust=rocketmq-namesrv-rust --listenPort {port} --bindAddress 127.0.0.1'",
		PreRun:            spareProcessors,
		RunE:              f.run,
		ValidArgsFunction: completeScenario,
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	server := func(kind, usage string) { fl.Var(serverValue{kind, &f.servers}, kind, usage) }
	server("namesrv", "our own server program")
	server("java", "the Java NameServer of that release, from Maven Central (needs java and mvn)")
	server("floor", "a server that only echoes, with replies as long as those of the first server")
	fl.Lookup("floor").NoOptDefVal = "floor"
	server("command", "any command; {port} stands for where to listen, {dir} for a folder of its own")
	server("server", "a server that runs already, with its process id to measure it")
	fl.StringVar(&f.base, "base", "", "the server that ratios are taken to, by its name; the first one when empty")
	fl.IntVar(&f.rounds, "rounds", compare.MinRounds, "turns of each server; fewer than 5 say nothing of who is better")
	fl.BoolVar(&f.keep, "keep", false, "start each server once and keep it for all rounds, stopped (SIGSTOP) while others are measured; a JVM compiles once then")
	fl.DurationVar(&f.jvmWarmUp, "jvm-warmup", 20*time.Second, "load before each measured run of a Java server, not counted, where the run's own warm-up does not see to it: of scenarios that do more than ask, and with a fixed --warmup. "+
		"Nothing is killed or stopped in it, and no broker leaves; a server that restart starts again is cold all the same")
	fl.StringVar(&f.jvmFlags, "jvm-flags", "", "flags of the JVM; those of RocketMQ's own runserver.sh when empty")
	fl.StringVarP(&f.file, "file", "f", "", "a scenario file, or what nsbench record has written, instead of NAME")
	fl.Uint64Var(&f.seed, "seed", 1, "fixes what is sent in the first round; the next takes one more")
	addMaxErrors(fl, &f.maxErrors)
	fl.IntVar(&f.workers, "workers", 1, "event loops of the generator; for registrations beside other requests as many again")
	fl.DurationVar(&f.ceiling, "ceiling", 2*time.Second, "how long to measure the generator's ceiling after each run; 0 leaves it out")
	f.thresholds.add(fl)
	fl.BoolVar(&f.allowRemote, "allow-remote", false, "load a server that is not on this machine")
	fl.StringVar(&f.json, "json", "", "write all results to this file")
	fl.StringVar(&f.html, "html", "", "write a page with charts to this file")
	f.exports.add(fl)
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	addParams(fl)
	groupFlags(fl, groupServers, "namesrv", "java", "floor", "command", "server", "base", "rounds", "keep", "jvm-warmup", "jvm-flags", "allow-remote")
	groupFlags(fl, groupLoad, "file", "seed", "workers", "ceiling", "max-errors")
	groupFlags(fl, groupResults, "json", "html", "quiet")
	groupHelp(cmd)
	completeFlags(cmd)
	return cmd
}

// spec makes what a flag asks for. A name may stand before it: name=text.
func (f *compareCommand) spec(s serverFlag) (spec launch.Spec, err error) {
	name, text := cutName(s.text)
	switch s.kind {
	case "namesrv":
		spec, err = launch.Namesrv(text)
	case "java":
		spec, err = launch.Java(text, f.jvmFlags)
	case "command":
		spec, err = launch.Command(text)
	case "server":
		addr, id, hasID := strings.Cut(text, ",")
		pid := 0
		if hasID {
			if pid, err = strconv.Atoi(id); err != nil || pid <= 0 {
				return spec, fmt.Errorf("--server %s: %q is no process id", s.text, id)
			}
		}
		spec, err = launch.Address(addr, pid)
	case "floor":
		spec = launch.Spec{Name: "floor", Floor: true} // compare makes it when it knows the size
	}
	if err == nil && name != "" {
		spec.Name = name
	}
	return spec, err
}

// floor is the server that only echoes, for replies of so many bytes.
func floor(name string, replyBytes int) (launch.Spec, error) {
	self, err := os.Executable()
	if err != nil {
		return launch.Spec{}, err
	}
	body := max(0, replyBytes-len(fillerReply(0)))
	spec := launch.Floor("", self, "floor", "--size", strconv.Itoa(body))
	spec.Name = name
	return spec, nil
}

func (f *compareCommand) run(cmd *cobra.Command, args []string) error {
	sc, err := f.scenario(args, cmd.Flags())
	if err != nil {
		return err
	}
	if err := checkWritable(append(f.exports.files(), f.json, f.html)...); err != nil {
		return err
	}
	limits, err := bench.ParseErrorLimits(f.maxErrors)
	if err != nil {
		return err
	}
	if f.jvmFlags != "" && !slices.ContainsFunc(f.servers, func(s serverFlag) bool { return s.kind == "java" }) {
		return errors.New("--jvm-flags are of --java, and there is none")
	}
	opt := compare.Options{
		Scenario: sc, Seed: f.seed, Rounds: f.rounds, Keep: f.keep, JVMWarmUp: f.jvmWarmUp, Floor: floor,
		Bench: bench.Options{
			Workers: f.workers, AllowRemote: f.allowRemote, Commit: commit(), CeilingFor: f.ceiling, StartEcho: startFloor, MaxErrors: &limits,
		},
		Command: commandLine(args, cmd.Flags(), f.servers),
	}
	for _, s := range f.servers {
		spec, err := f.spec(s)
		if err != nil {
			return err
		}
		opt.Servers = append(opt.Servers, spec)
	}
	if f.base != "" {
		opt.Base = slices.IndexFunc(opt.Servers, func(s launch.Spec) bool { return s.Name == f.base })
		if opt.Base < 0 {
			return fmt.Errorf("--base %s: there is no such server; they are called %s", f.base, names(opt.Servers))
		}
	}
	var progress func(compare.Progress)
	end := func() {}
	if !f.quiet {
		w := watch(cmd.ErrOrStderr(), sc)
		end = w.end
		progress = func(p compare.Progress) {
			turn := fmt.Sprintf("%s, round %d of %d", p.Server, p.Round, p.Rounds)
			if p.WarmUp {
				turn += ", JVM warm-up"
			}
			w.show(turn, p.Run)
		}
	}
	c, err := compare.Run(cmd.Context(), opt, progress)
	end()
	if c == nil {
		return err
	}
	d := report.Document{Comparison: c}
	return errors.Join(err, save(cmd.OutOrStdout(), d, f.json, f.html), f.exports.write(d))
}

// cutName parts name=text; the name is "" when there is none.
func cutName(flag string) (name, text string) {
	name, text, named := strings.Cut(flag, "=")
	if !named || strings.ContainsAny(name, " /'\":") {
		return "", flag
	}
	return name, text
}

func names(specs []launch.Spec) string {
	out := make([]string, len(specs))
	for i, s := range specs {
		out[i] = strconv.Quote(s.Name)
	}
	return strings.Join(out, ", ")
}

// commandLine returns the command that repeats the comparison, without the flags
// that name files for the results.
func commandLine(args []string, fl *pflag.FlagSet, servers []serverFlag) []string {
	line := append([]string{"nsbench", "compare"}, args...)
	for _, s := range servers {
		line = append(line, "--"+s.kind)
		if s.kind != "floor" || s.text != "floor" {
			line[len(line)-1] += "=" + s.text
		}
	}
	fl.Visit(func(f *pflag.Flag) {
		if _, server := f.Value.(serverValue); server || slices.Contains([]string{"json", "html", "export", "quiet"}, f.Name) {
			return
		}
		if several, ok := f.Value.(pflag.SliceValue); ok {
			for _, text := range several.GetSlice() {
				line = append(line, "--"+f.Name+"="+text)
			}
			return
		}
		line = append(line, "--"+f.Name+"="+f.Value.String())
	})
	return line
}
