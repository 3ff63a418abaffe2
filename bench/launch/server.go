package launch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gonamesrv/bench"
	"gonamesrv/bench/group"
	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

// A Server is one server of a Spec, started or not. For one goroutine.
type Server struct {
	spec Spec
	dir  string // "" for one that runs already
	port int

	target     bench.Target
	firstReply time.Duration
	cmd        *exec.Cmd
	ended      chan struct{} // closed when cmd was waited for
	output     string        // file with all it wrote
}

// New makes a server that is not started yet. Close it also when Start fails.
func New(ctx context.Context, spec Spec) (*Server, error) {
	s := &Server{spec: spec, target: spec.running}
	if s.spec.RunsAlready() {
		return s, nil
	}
	var err error
	if spec.given == "" {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if s.dir, err = os.MkdirTemp("", "nsbench-"); err != nil {
		return nil, err
	}
	argv, err := spec.prepare(ctx, s.dir, s.port)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", spec.Name, err), os.RemoveAll(s.dir))
	}
	s.output = cmp.Or(spec.log, filepath.Join(s.dir, "output.log"))
	s.target = bench.Target{Name: spec.Name, Address: cmp.Or(spec.given, fmt.Sprintf("127.0.0.1:%d", s.port)), Command: argv}
	return s, nil
}

// Target describes the server; the process id is that of the last start.
func (s *Server) Target() bench.Target { return s.target }

// FirstReply is how long it took from the start of the process to its first
// reply; 0 for one that runs already.
func (s *Server) FirstReply() time.Duration { return s.firstReply }

// Start starts the process and waits until it answers. If the server runs already,
// Start only makes sure that it answers.
func (s *Server) Start(ctx context.Context) error {
	begun := time.Now()
	if !s.spec.RunsAlready() {
		if err := s.exec(); err != nil {
			return fmt.Errorf("%s: start: %w", s.spec.Name, err)
		}
	}
	if err := s.await(ctx); err != nil {
		return fmt.Errorf("%s: %w%s", s.spec.Name, err, s.Tail())
	}
	if !s.spec.RunsAlready() {
		s.firstReply = time.Since(begun)
	}
	return nil
}

func (s *Server) exec() error {
	if err := s.free(); err != nil {
		return err
	}
	out, err := s.openOutput()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(s.target.Command[0], s.target.Command[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	if s.spec.input != "" {
		cmd.Stdin = strings.NewReader(s.spec.input)
	}
	if s.spec.given == "" {
		cmd.Dir = s.dir
		cmd.Env = append(environment(), "HOME="+s.dir, "ROCKETMQ_HOME="+s.dir, "TMPDIR="+s.dir)
	}
	group.Own(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	noteStart(cmd.Process.Pid)
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its ProcessState
		close(ended)
	}()
	s.cmd, s.ended, s.target.PID = cmd, ended, cmd.Process.Pid
	return nil
}

// environment is ours without what would configure a name server or say where
// it keeps things.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == "HOME" || name == "TMPDIR" || name == "NAMESRV_ADDR" || name == "JAVA_TOOL_OPTIONS" ||
			strings.HasPrefix(name, "JAVA_OPT") || strings.HasPrefix(name, "ROCKETMQ_") || strings.HasPrefix(name, "XDG_")
	})
}

// await waits for the first reply.
func (s *Server) await(ctx context.Context) error {
	within := cmp.Or(s.spec.within, time.Minute)
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if s.ended != nil {
		// A process that has ended will not answer.
		watched, ended := context.WithCancelCause(ctx)
		defer ended(nil)
		stop := make(chan struct{})
		defer close(stop)
		go func(gone chan struct{}, pid int) {
			select {
			case <-gone:
			case <-stop:
				return
			}
			for group.Alive(pid) { // a script may have started the server and ended
				select {
				case <-stop:
					return
				case <-time.After(lookEvery):
				}
			}
			ended(errEnded)
		}(s.ended, s.target.PID)
		ctx = watched
	}
	var last error
	for {
		if s.spec.announces {
			s.readAddress()
		}
		if last = s.there(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			switch cause := context.Cause(ctx); {
			case errors.Is(cause, errEnded):
				return fmt.Errorf("the server has ended before it answered: %v", s.cmd.ProcessState)
			case errors.Is(cause, context.DeadlineExceeded):
				return fmt.Errorf("the server does not answer on %s within %v: %w", s.target.Address, within, last)
			default:
				return cause
			}
		case <-time.After(pollEvery):
		}
	}
}

// there reports whether the server serves.
func (s *Server) there(ctx context.Context) error {
	if s.spec.given != "" {
		return accepts(ctx, s.target.Address)
	}
	return ask(ctx, s.target.Address)
}

// readAddress reads where a server that picks its port listens.
func (s *Server) readAddress() {
	text, err := os.ReadFile(s.output)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		if addr, ok := strings.CutPrefix(line, "address "); ok && strings.HasSuffix(addr, "\n") {
			s.target.Address = strings.TrimSpace(addr) // the last one: it may have been restarted
		}
	}
}

var errEnded = errors.New("the server has ended")

// Kill ends the process and all that it has started at once, and returns when
// they are gone. It does not kill a
// server that ran before us.
func (s *Server) Kill() error {
	if s.spec.RunsAlready() {
		return fmt.Errorf("%s: was not started here and is not killed here", s.spec.Name)
	}
	if s.cmd != nil {
		if err := group.Kill(s.cmd.Process.Pid); err != nil {
			return fmt.Errorf("%s: %w", s.spec.Name, err)
		}
		<-s.ended
		noteEnd(s.cmd.Process.Pid)
	}
	return nil
}

// Pause stops the process, and what it has started, until Resume. It does not
// stop a server that ran before us.
func (s *Server) Pause() error { return s.stop(group.Pause) }

// Resume lets it go on.
func (s *Server) Resume() error { return s.stop(group.Resume) }

func (s *Server) stop(signal func(pid int) error) error {
	if s.spec.RunsAlready() || s.cmd == nil {
		return fmt.Errorf("%s: was not started here and is not stopped here", s.spec.Name)
	}
	return signal(s.cmd.Process.Pid)
}

// stopWithin is how long a server may take to end when it is asked to; shorter
// in a test.
var stopWithin = 10 * time.Second

// Close ends the server, politely first, and removes its folder.
func (s *Server) Close() error {
	if s.dir == "" {
		return nil
	}
	if s.cmd != nil {
		members := group.Signal(s.cmd.Process.Pid, syscall.SIGTERM)
		group.Wait(s.cmd.Process.Pid, members, stopWithin)
		if err := s.Kill(); err != nil { // also what it has left behind
			return errors.Join(err, os.RemoveAll(s.dir))
		}
	}
	return os.RemoveAll(s.dir)
}

// tailLines is how much of a server's output an error shows.
const tailLines = 20

// Tail returns the last lines the server wrote, for an error message; "" when
// there are none.
func (s *Server) Tail() string {
	if s.output == "" {
		return ""
	}
	text, err := os.ReadFile(s.output)
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "\nits output ends with:\n\t" + strings.Join(lines, "\n\t")
}

// lookEvery is how often to look whether what a script has started lives.
const lookEvery = 10 * time.Millisecond

// pollEvery is the pause between two attempts to reach a server: the first
// reply is known to that precision.
const pollEvery = 500 * time.Microsecond

// askWithin bounds one attempt.
const askWithin = 2 * time.Second

// askOpaque has ten digits, as a server that only echoes replaces so many.
const askOpaque = 1_000_000_000

// ask asks for the cluster info, which every release knows, and takes any reply.
func ask(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	conn, err := client.Dial(ctx, addr, client.Options{Opaque: askOpaque})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Call(ctx, codec.ReqGetBrokerClusterInfo, nil, nil)
	if said := (*client.ReplyError)(nil); errors.As(err, &said) {
		return nil
	}
	return err
}
