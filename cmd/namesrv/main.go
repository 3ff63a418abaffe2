// Command namesrv is the NameServer of Apache RocketMQ. It listens on port
// 9876 and needs no configuration.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"gonamesrv/internal/admin"
	"gonamesrv/internal/component"
	"gonamesrv/internal/logging"
	"gonamesrv/internal/namesrv"
)

// Exit codes are Java's, as far as scripts can depend on them.
const (
	exitOK     = 0
	exitUsage  = 1
	exitFailed = 255
	exitSignal = 128 // plus the number of the second signal, which ends a shutdown
)

// gcPercent is by how many percent the heap grows between two garbage
// collections. It is half of Go's default. The live heap is large and lasts long,
// and requests and repeated registrations allocate next to nothing, so collections
// are rare with either number. Measured with `nsbench register`, 32
// brokers of 10,000 topics, two runs each: 60 MB resident, 145 with 100 percent,
// for 5 % more CPU when data versions are new and 20 % when every topic changes.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ignoreBrokenPipes()
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		os.Exit(exitSignal + int((<-signals).(syscall.Signal)))
	}()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// flushTime is how long the program may wait at its end for the readers of its
// output, all of them together. Each has a tenth of it in any case.
const flushTime = time.Second

// run is the whole program: it returns the exit code once ctx is done or the
// server has failed. Logs go to stderr, and to a file if there is a logFile.
// Only commands that print and end wait for the readers of their output.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if files, ok := isAuditVerify(args); ok {
		return auditVerify(files, stdout, stderr)
	}
	args, check := isConfigCheck(args)
	f, err := parseFlags(args, stdout)
	if err != nil {
		complain(stderr, err)
		fmt.Fprint(stdout, usage)
		return exitUsage
	}
	if f.help {
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	if f.version {
		fmt.Fprintln(stdout, "namesrv", namesrv.Version())
		return exitOK
	}
	if check {
		return configCheck(ctx, f, getenv, stdout, stderr)
	}
	if f.printConfig {
		cfg, notes, err := configure(f, getenv, stdout)
		log := slog.New(slog.NewTextHandler(stderr, nil))
		for _, n := range notes {
			log.Log(ctx, n.Level, n.Msg, n.Attrs...)
		}
		if err != nil {
			complain(stderr, err)
			return exitFailed
		}
		for _, line := range cfg.Properties() {
			fmt.Fprintln(stdout, line)
		}
		return exitOK
	}
	out := newOutputs(ctx, stdout, stderr)
	defer out.close()
	if err := out.serve(ctx, f, getenv); err != nil {
		complain(out.stderr, err)
		return exitFailed
	}
	return exitOK
}

// complain writes an error that ends the program, each of its lines with the
// name of the program in front, and what to do where no key helps. It returns how many
// lines these are.
func complain(w io.Writer, err error) (lines int) {
	text := err.Error()
	if errors.Is(err, syscall.EMFILE) {
		text += "; raise the limit of open files (ulimit -n)"
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "namesrv: "), "engine: ")
		fmt.Fprintln(w, "namesrv: "+line)
		lines++
	}
	return lines
}

// An outputs holds what a server writes to, and the signals that make it write.
type outputs struct {
	stdout, stderr *logging.Queue
	log            *logging.Log // once it is open
	signals        *signalCatcher

	parts *component.List
	end   time.Time // when all must have been said; zero before close
}

// newOutputs begins to take what is said. The other signals are caught until all is
// said, so that they do not end what is ending anyway with another code.
func newOutputs(ctx context.Context, stdout, stderr io.Writer) *outputs {
	o := &outputs{stdout: logging.NewQueue(stdout), stderr: logging.NewQueue(stderr)}
	o.parts = component.NewList(slog.New(slog.NewTextHandler(o.stderr, nil)))
	o.signals = catchSignals(o.stderr)
	o.begin(ctx, "signals", func(context.Context) { o.signals.end() })
	o.begin(ctx, "standard error", o.stderr.Close)
	o.begin(ctx, "standard output", o.stdout.Close)
	return o
}

// begin puts what has started into the list of what is to be stopped.
func (o *outputs) begin(ctx context.Context, name string, stop func(context.Context)) {
	limit := func() time.Duration { return max(time.Until(o.end), flushTime/10) }
	_ = o.parts.Begin(ctx, name, component.Func{OnStop: stop}, limit) // nothing to start can fail
}

// close waits until all output is written, for flushTime at most. The log comes
// first: it may have something to say on standard error.
func (o *outputs) close() {
	o.end = time.Now().Add(flushTime)
	o.parts.Stop(context.Background())
}

// serve reads the configuration and runs a server with it until ctx is done.
func (o *outputs) serve(ctx context.Context, f flags, getenv func(string) string) error {
	cfg, err := o.configure(ctx, f, getenv)
	if err != nil {
		return err
	}
	namesrv.SetMemoryLimit(getenv("GOMEMLIMIT"), o.log.Logger())
	stopProfile, err := startProfile(f.profile, f.profileDir)
	if err != nil {
		return err
	}
	defer stopProfile()
	return serve(ctx, cfg, reloadable(f, getenv), o)
}

// configure reads the configuration and opens the log. The first lines of the log
// are the remarks on the configuration.
func (o *outputs) configure(ctx context.Context, f flags, getenv func(string) string) (namesrv.Config, error) {
	cfg, notes, err := configure(f, getenv, o.stdout)
	logCfg := cfg
	if err != nil {
		logCfg = namesrv.DefaultConfig() // what is wrong may be said anywhere but there
	}
	log, openErr := logging.Open(logging.Options{
		Stderr:       o.stderr,
		Level:        logCfg.Level(),
		Format:       logging.Format(strings.ToLower(logCfg.LogFormat)),
		Phrase:       namesrv.JavaPhrase,
		File:         logCfg.LogFile,
		MaxMegabytes: logCfg.LogFileSize,
		MaxBackups:   logCfg.LogFileBackups,
	})
	if openErr != nil {
		return cfg, fmt.Errorf("namesrv: logFile cannot be written: %w", openErr)
	}
	o.log = log
	o.begin(ctx, "log", log.Close)
	log.Logger().Info("name server starts", "version", namesrv.Version(), "pid", os.Getpid())
	for _, n := range notes {
		log.Logger().Log(ctx, n.Level, n.Msg, n.Attrs...)
	}
	return cfg, err
}

// A reading reads the configuration again.
type reading func() (namesrv.Config, []namesrv.Note, error)

// reloadable returns what reads the configuration as this start has, nil if there is
// no file of it.
func reloadable(f flags, getenv func(string) string) reading {
	if f.configFile == "" {
		return nil
	}
	return func() (namesrv.Config, []namesrv.Note, error) { return configure(f, getenv, io.Discard) }
}

// serve runs a server until ctx is done. again may be nil.
func serve(ctx context.Context, cfg namesrv.Config, again reading, o *outputs) error {
	log := o.log.Logger()
	if cfg.KVConfigPath == "" {
		log.Warn("the KV config is kept in memory only, kvConfigPath is empty")
	}
	s, err := namesrv.New(cfg, log)
	if err != nil {
		return err
	}
	if err := s.Listen(); err != nil {
		return err
	}
	s.OnUpdate(func(c namesrv.Config) { o.log.SetLevel(c.Level()) })
	s.OnLogStats(o.log.Dropped)
	a := admin.New(s, log)
	manager := newSystemd(a.Alive, a.Status, log)
	if manager != nil {
		s.Attach("systemd", manager)
	}
	s.Attach("admin server", a)
	o.signals.onReload(func() {
		manager.has(nowReloading)
		reload(o.log, s, a, again)
		manager.has(nowReloaded)
	})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-s.Ready():
	}
	manager.has(nowServing)
	// Scripts wait for this line, so it is true. Java:
	// NamesrvStartup#createAndStartNamesrvController.
	fmt.Fprintf(o.stdout, "The Name Server boot success. serializeType=%v, address %s\n", cfg.SerializeType, address(cfg, s.Addrs()))
	log.Info("name server serves", "serializeType", fmt.Sprint(cfg.SerializeType), "address", address(cfg, s.Addrs()))
	return <-ended
}

// reload runs after SIGHUP and reads again what can be read again while the server
// serves. Nothing in it may end the program or wait for a peer.
func reload(log *logging.Log, s *namesrv.Server, a *admin.Admin, again reading) {
	log.Reopen()
	s.Reload()
	a.Reload()
	if again != nil {
		s.ReloadConfig(again)
	}
}

// address says where the server listens: a single address as it is configured,
// as Java does but for the brackets of IPv6, several as they are bound.
func address(cfg namesrv.Config, bound []net.Addr) string {
	if len(bound) == 1 {
		_, port, _ := net.SplitHostPort(bound[0].String()) // 0 in the configuration picks one
		host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(cfg.BindAddress), "["), "]")
		return net.JoinHostPort(host, port)
	}
	var text []string
	for _, a := range bound {
		text = append(text, a.String())
	}
	return strings.Join(text, ";")
}
