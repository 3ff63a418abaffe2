package main

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gonamesrv/bench"
)

// An agent makes a part of the load of an nsbench on another machine. Who knows
// its token may let it load what it may load: its own loopback, unless it was
// started with --allow-remote.

// The bounds of what an agent and who asks it take from each other.
const (
	leastToken   = 16
	mostToken    = 1 << 10
	mostTask     = 1 << 20
	mostResult   = 256 << 20
	tokenTimeout = 10 * time.Second
	agentsMost   = 64 // connections of an agent at a time
)

// readToken reads a secret without what ends its line.
func readToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimRight(string(text), "\r\n")
	if len(token) < leastToken || len(token) > mostToken || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("%s: a token is one line of %d to %d bytes", file, leastToken, mostToken)
	}
	return token, nil
}

// An agentCommand is `nsbench agent`: its flags.
type agentCommand struct {
	listen, tokenFile string
	allowRemote       bool
	tls               tlsFlags
}

func newAgentCommand() *cobra.Command {
	var f agentCommand
	cmd := &cobra.Command{
		Use:   "agent --token-file FILE",
		Short: "Make parts of the load of an nsbench on another machine",
		Long: "Agent waits for an nsbench that is run with --agents and the same token, and makes the part of the load that it is told,\n" +
			"one at a time. It listens on the loopback, unless it is told otherwise, and loads nothing but this machine without\n" +
			"--allow-remote. Token and results go over the wire as they are: use it within a network that you trust, or through a tunnel.",
		Args:   cobra.NoArgs,
		PreRun: spareProcessors,
		RunE:   f.run,
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.listen, "listen", "127.0.0.1:9975", "address to listen on")
	fl.StringVar(&f.tokenFile, "token-file", "", fmt.Sprintf("file with the token that others must know: one line of at least %d bytes", leastToken))
	fl.BoolVar(&f.allowRemote, "allow-remote", false, "load servers that are not on this machine")
	f.tls.add(fl)
	return cmd
}

func (f *agentCommand) run(cmd *cobra.Command, _ []string) error {
	if f.tokenFile == "" {
		return errors.New("an agent needs --token-file")
	}
	token, err := readToken(f.tokenFile)
	if err != nil {
		return err
	}
	if _, err := f.tls.config(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "address", l.Addr())
	a := &agent{token: token, allowRemote: f.allowRemote, tls: f.tls}
	return a.serve(cmd.Context(), l)
}

// An agent serves until its context ends.
type agent struct {
	token       string
	allowRemote bool
	tls         tlsFlags
	busy        sync.Mutex // held by the one task
}

func (a *agent) serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	places := make(chan struct{}, agentsMost)
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case places <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-places }()
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			a.talk(ctx, conn)
		})
	}
}

// talk does one task for who knows the token. When the other side goes away, the task
// ends.
func (a *agent) talk(ctx context.Context, conn net.Conn) {
	conn.SetDeadline(time.Now().Add(tokenTimeout))
	in := bufio.NewReader(&io.LimitedReader{R: conn, N: mostTask})
	line, err := in.ReadString('\n')
	if err != nil || subtle.ConstantTimeCompare([]byte(strings.TrimSuffix(line, "\n")), []byte(a.token)) != 1 {
		fmt.Fprintln(conn, lineError+"the token is another one") // who does not know it need not hear it
		return
	}
	if !a.busy.TryLock() {
		fmt.Fprintln(conn, lineError+"the agent is at work for somebody else")
		return
	}
	defer a.busy.Unlock()
	conn.SetDeadline(time.Time{})
	_ = generateWith(ctx, in, conn, func(t *task) { t.AllowRemote, t.TLS = a.allowRemote, a.tls }) // the other side is gone
}

// agentFlags are those of who uses agents.
type agentFlags struct {
	addresses []string
	tokenFile string
}

func (f *agentFlags) add(fl *pflag.FlagSet) {
	fl.StringSliceVar(&f.addresses, "agents", nil, "`nsbench agent`s that make the load of route and miss, together: HOST:PORT,…")
	fl.StringVar(&f.tokenFile, "agent-token-file", "", "file with the token of the agents")
}

// crew is nil without agents.
func (f *agentFlags) crew(t task) (bench.Crew, error) {
	if len(f.addresses) == 0 {
		if f.tokenFile != "" {
			return nil, errors.New("--agent-token-file without --agents")
		}
		return nil, nil
	}
	if f.tokenFile == "" {
		return nil, errors.New("--agents needs --agent-token-file")
	}
	token, err := readToken(f.tokenFile)
	if err != nil {
		return nil, err
	}
	return &agentCrew{f.addresses, token, t}, nil
}

// An agentCrew is agents on other machines.
type agentCrew struct {
	addresses []string
	token     string
	task      task
}

// Size is how many they are.
func (c *agentCrew) Size() int { return len(c.addresses) }

// Load lets all of them go together and waits for their results.
func (c *agentCrew) Load(ctx context.Context, sc bench.Scenario, seed uint64, begin func(), lead func(bench.Look) error) ([]*bench.Result, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	members := make([]*member, len(c.addresses))
	for i, address := range c.addresses {
		dialer := net.Dialer{Timeout: tokenTimeout}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("agent %s: %w", address, err)
		}
		defer conn.Close()
		defer context.AfterFunc(life, func() { conn.Close() })()
		if _, err := io.WriteString(conn, c.token+"\n"); err != nil {
			return nil, fmt.Errorf("agent %s: %w", address, err)
		}
		t := c.task
		t.Scenario, t.Seed, t.Part, t.Led = sc, seed, bench.Part{Index: i, Of: len(c.addresses)}, lead != nil
		members[i] = &member{name: "agent " + address, in: halfOf{conn}, out: bufio.NewReader(io.LimitReader(conn, mostResult))}
		if err := members[i].tell(t); err != nil {
			return nil, fmt.Errorf("agent %s: %w", address, err)
		}
	}
	return together(ctx, end, members, begin, lead)
}

// A halfOf is what we say over a connection. Closed, it lets the other side speak on.
type halfOf struct{ net.Conn }

// Close ends our half.
func (h halfOf) Close() error {
	tcp, ok := h.Conn.(*net.TCPConn)
	if !ok {
		return h.Conn.Close()
	}
	return tcp.CloseWrite()
}
