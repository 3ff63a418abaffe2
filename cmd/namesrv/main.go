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
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"gonamesrv/codec"
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
		fmt.Fprintln(stderr, err)
		fmt.Fprint(stdout, usage)
		return exitUsage
	}
	if f.help {
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	cfg, err := configure(f, getenv, stdout, log)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	if f.printConfig {
		for _, line := range cfg.Properties() {
			fmt.Fprintln(stdout, line)
		}
		return exitOK
	}
	namesrv.SetMemoryLimit(getenv("GOMEMLIMIT"), log)
	stopProfile, err := startProfile(f.profile, f.profileDir)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	defer stopProfile()
	if err := serve(ctx, cfg, log, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitOK
}

// configure puts the configuration together: defaults, environment, file.
func configure(f flags, getenv func(string) string, stdout io.Writer, log *slog.Logger) (namesrv.Config, error) {
	cfg := namesrv.DefaultConfig()
	cfg.RocketMQHome = getenv("ROCKETMQ_HOME")
	cfg.LoadJavaOptions(getenv("JAVA_OPT"))
	cfg.LoadJavaOptions(getenv("JAVA_OPT_EXT"))
	if home := homeDir(getenv); home != "" {
		cfg.KVConfigPath = filepath.Join(home, "namesrv", "kvConfig.json")
		cfg.ConfigStorePath = filepath.Join(home, "namesrv", "namesrv.properties")
	}
	if name := getenv("ROCKETMQ_SERIALIZE_TYPE"); strings.TrimSpace(name) != "" {
		st, err := codec.ParseSerializeType(name)
		if err != nil {
			return cfg, fmt.Errorf("ROCKETMQ_SERIALIZE_TYPE: %w", err)
		}
		cfg.SerializeType = st
	}
	if f.configFile == "" {
		return cfg, nil
	}
	ignored, err := cfg.LoadProperties(f.configFile)
	if err != nil {
		return cfg, err
	}
	cfg.ConfigStorePath = f.configFile
	for _, what := range ignored {
		log.Warn("configuration ignored", "file", f.configFile, "what", what)
	}
	fmt.Fprintf(stdout, "load config properties file OK, %s\n", f.configFile)
	return cfg, nil
}

// homeDir returns the user's home folder, "" when there is none. Like Java, it
// believes the user database before the environment.
func homeDir(getenv func(string) string) string {
	if u, err := user.Current(); err == nil && len(u.HomeDir) > 2 {
		return u.HomeDir
	}
	return getenv("HOME")
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
	// Scripts wait for this line. Java: NamesrvStartup#createAndStartNamesrvController.
	fmt.Fprintf(stdout, "The Name Server boot success. serializeType=%v, address %s\n", cfg.SerializeType, address(cfg, s.Addrs()))
	return s.Run(ctx)
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
