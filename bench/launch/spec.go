package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"

	"gonamesrv/bench"
)

// A Spec says which server to start, or that it runs already. Its Name is for
// tables.
type Spec struct {
	Name string
	// JVM says that it needs time to compile what it runs.
	JVM bool
	// Floor says that it only echoes: bench.Options.Floor.
	Floor bool

	running bench.Target // with an address: neither started nor stopped
	// prepare writes what the server needs into its folder and returns its command.
	prepare func(ctx context.Context, dir string, port int) (argv []string, err error)
	within  time.Duration // that it may take to answer; 0 is a minute
	given   string        // the address of a server that runs as its user would run it; see Given
	log     string        // file for what it writes; "" is one in its folder
	input   string        // what it reads
	// announces says that it picks its port and writes "address host:port".
	announces bool
}

// Address is a server that runs already, with its process id, or 0.
func Address(addr string, pid int) (Spec, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return Spec{}, fmt.Errorf("server %q: %w", addr, err)
	}
	return Spec{Name: addr, running: bench.Target{Name: addr, Address: addr, PID: pid}}, nil
}

// RunsAlready reports whether the server is said to run already: it is neither
// started, stopped nor ended here.
func (s Spec) RunsAlready() bool { return s.running.Address != "" }

// Reach makes sure that a server which is said to run already is there. Of one that
// is to be started it says nothing.
func (s Spec) Reach(ctx context.Context, within time.Duration) error {
	if !s.RunsAlready() {
		return nil
	}
	return bench.Reach(ctx, s.running.Address, within)
}

// Namesrv is our own program at that path.
func Namesrv(path string) (Spec, error) {
	abs, err := program(path)
	if err != nil {
		return Spec{}, err
	}
	return Spec{Name: filepath.Base(path), prepare: func(_ context.Context, dir string, port int) ([]string, error) {
		conf, err := writeConf(dir, port)
		return []string{abs, "-c", conf}, err
	}}, nil
}

// Command is any command line, split as a shell does, without a shell. In it
// {port} and {dir} stand for the port to listen on and for a folder of its own.
func Command(line string) (Spec, error) {
	words, err := shellwords.Parse(line)
	if err != nil {
		return Spec{}, fmt.Errorf("command %q: %w", line, err)
	}
	if len(words) == 0 {
		return Spec{}, errors.New("the command is empty")
	}
	if !strings.Contains(line, "{port}") && !strings.Contains(line, "{dir}") {
		return Spec{}, fmt.Errorf("command %q has no {port}: it would not know where to listen", line)
	}
	if words[0], err = program(words[0]); err != nil {
		return Spec{}, err
	}
	return Spec{Name: filepath.Base(words[0]), prepare: func(_ context.Context, dir string, port int) ([]string, error) {
		// A command that takes a Java properties file finds one in its folder.
		if _, err := writeConf(dir, port); err != nil {
			return nil, err
		}
		fill := strings.NewReplacer("{port}", strconv.Itoa(port), "{dir}", dir)
		argv := make([]string, len(words))
		for i, w := range words {
			argv[i] = fill.Replace(w)
		}
		return argv, nil
	}}, nil
}

// Floor is a server that answers everything with the same bytes: a command
// that serves until it is told to end, and writes "address host:port" first. It
// reads input, if there is any.
func Floor(input string, argv ...string) Spec {
	return Spec{Name: "floor", Floor: true, announces: true, input: input, prepare: func(context.Context, string, int) ([]string, error) {
		return argv, nil
	}}
}

// program finds an executable; one with a slash is made absolute, as the
// server runs in a folder of its own.
func program(path string) (string, error) {
	if !strings.ContainsRune(path, '/') {
		if _, err := os.Stat(path); err != nil {
			return path, nil // by PATH, when it is started
		}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(abs); err != nil {
		return "", fmt.Errorf("server program: %w", err)
	}
	return abs, nil
}

// confFile is the Java properties file in a server's folder.
const confFile = "namesrv.properties"

func writeConf(dir string, port int) (string, error) {
	path := filepath.Join(dir, confFile)
	text := fmt.Sprintf("bindAddress=127.0.0.1\nlistenPort=%d\nkvConfigPath=%s\nconfigStorePath=%s\nadminServerPort=0\n",
		port, filepath.Join(dir, "kvConfig.json"), filepath.Join(dir, "namesrv.stored.properties"))
	return path, os.WriteFile(path, []byte(text), 0o600)
}
