// Command namesrv is the NameServer of Apache RocketMQ. It listens on port
// 9876 and needs no configuration.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

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
// collections. It is half of Go's default: what lives is large and lasts, and
// next to nothing of it is made anew for a request or a repeated registration, so
// that collections are rare either way. Measured with `nsbench register`, 32
// brokers of 10,000 topics, two runs each: 60 MB resident, 145 with 100 percent,
// for 5 % more CPU when data versions are new and 20 % when every topic changes.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
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

// run is the whole program: it returns the exit code once ctx is done or the
// server has failed. Logs go to stderr.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
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
	cfg, notes, err := configure(f, getenv, stdout)
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if !f.printConfig {
		log.Info("name server starts", "version", namesrv.Version(), "pid", os.Getpid())
	}
	for _, n := range notes {
		log.Log(ctx, n.Level, n.Msg, n.Attrs...)
	}
	if err != nil {
		complain(stderr, err)
		return exitFailed
	}
	if f.printConfig {
		for _, line := range cfg.Properties() {
			fmt.Fprintln(stdout, line)
		}
		return exitOK
	}
	stopProfile, err := startProfile(f.profile, f.profileDir)
	if err != nil {
		complain(stderr, err)
		return exitFailed
	}
	defer stopProfile()
	if err := serve(ctx, cfg, log, stdout); err != nil {
		complain(stderr, err)
		return exitFailed
	}
	return exitOK
}

// complain writes an error that ends the program, each of its lines with the
// name of the program in front.
func complain(w io.Writer, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(w, "namesrv: "+strings.TrimPrefix(line, "namesrv: "))
	}
}

// serve runs a server until ctx is done.
func serve(ctx context.Context, cfg namesrv.Config, log *slog.Logger, stdout io.Writer) error {
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
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-s.Ready():
	}
	// Scripts wait for this line, so it is true. Java:
	// NamesrvStartup#createAndStartNamesrvController.
	fmt.Fprintf(stdout, "The Name Server boot success. serializeType=%v, address %s\n", cfg.SerializeType, address(cfg, s.Addrs()))
	return <-ended
}

// address says where the server listens: a single address as it is configured,
// as Java does, several as they are bound.
func address(cfg namesrv.Config, bound []net.Addr) string {
	if len(bound) == 1 {
		_, port, _ := net.SplitHostPort(bound[0].String()) // 0 in the configuration picks one
		return cfg.BindAddress + ":" + port
	}
	var text []string
	for _, a := range bound {
		text = append(text, a.String())
	}
	return strings.Join(text, ";")
}
