package nsctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gonamesrv/internal/version"
)

// Exit codes. Scripts go by them; mqadmin's are 0 whatever happens.
const (
	exitYes     = 0 // yes; done; the same
	exitNo      = 1 // the answer is no: not healthy, different, not routed
	exitUsage   = 2 // it was called wrongly
	exitNobody  = 3 // no server was reached
	exitRefused = 4 // a server said no
	exitSome    = 5 // some servers failed, others did not
)

// An exitError says with which code to end. Its text is printed, unless it is empty:
// then all has been said.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// no returns the answer no, with what there is to say besides what was printed.
func no(format string, args ...any) error {
	return &exitError{exitNo, fmt.Sprintf(format, args...)}
}

// usage returns that the program was called wrongly.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Sprintf(format, args...)}
}

// A ctl is one run of the program: who calls it, and the flags of all commands.
type ctl struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(key string) string
	now            func() time.Time
	terminal       bool // a person reads stdout
	answers        bool // a person answers on stdin

	servers   string // addresses of name servers, divided by semicolons
	admin     string // URLs of their HTTP API, in the same order
	tokenFile string
	output    string
	noHeaders bool
	timeout   time.Duration
	every     time.Duration // 0 runs once
	yes       bool
	color     string
	tls       tlsFlags
	keys      keyFlags

	ended <-chan struct{} // closed when somebody ends the program

	webOnce sync.Once
	web     *http.Client // for webClient
	webErr  error

	bundleSeconds int // of profiles of bundles; 0 is the usual
}

// Run is the whole program; it returns the exit code. Results go to stdout, everything
// else to stderr.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &ctl{stdin: stdin, stdout: stdout, stderr: stderr, env: os.Getenv, now: time.Now}
	c.terminal = isTerminal(stdout)
	c.answers = isTerminal(stdin) && isTerminal(stderr)
	return c.run(ctx, args)
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (c *ctl) run(ctx context.Context, args []string) int {
	c.ended = ctx.Done()
	cmd := c.root()
	cmd.SetArgs(args)
	cmd.SetIn(c.stdin)
	cmd.SetOut(c.stdout)
	cmd.SetErr(c.stderr)
	err := cmd.ExecuteContext(ctx)
	if c.web != nil {
		c.web.CloseIdleConnections()
	}
	if err == nil {
		return exitYes
	}
	end := &exitError{exitUsage, err.Error()} // what cobra itself says is about the command line
	errors.As(err, &end)
	if end.text != "" {
		fmt.Fprintln(c.stderr, "nsctl:", strings.TrimSuffix(end.text, "\n"))
	}
	return end.code
}

// Command returns the command with everything below it, for man pages.
func Command() *cobra.Command {
	return (&ctl{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, env: os.Getenv, now: time.Now}).root()
}

// root returns the command with everything below it.
func (c *ctl) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "nsctl",
		Short:             "Look into name servers of RocketMQ, and change what they hold",
		Version:           version.String(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return c.check(cmd) },
	}
	fl := cmd.PersistentFlags()
	fl.SortFlags = false
	fl.StringVarP(&c.servers, "namesrv", "n", "", "name servers, divided by semicolons ($NSCTL_NAMESRV, $NAMESRV_ADDR; 127.0.0.1:9876)")
	fl.StringVar(&c.admin, "admin", "", "URLs of their HTTP APIs, divided by semicolons ($NSCTL_ADMIN; the port that each name server names)")
	fl.StringVar(&c.tokenFile, "token-file", "", "file with the token for the HTTP APIs ($NSCTL_TOKEN is the token itself)")
	fl.StringVarP(&c.output, "output", "o", "table", "table, wide, json, yaml or name")
	fl.BoolVar(&c.noHeaders, "no-headers", false, "no line of headers")
	fl.DurationVar(&c.timeout, "timeout", 5*time.Second, "for each question")
	fl.DurationVarP(&c.every, "watch", "w", 0, "again and again, with this pause")
	fl.BoolVar(&c.yes, "yes", false, "do not ask before something is changed")
	fl.StringVar(&c.color, "color", "auto", "auto, always or never")
	c.tls.add(fl)
	c.keys.add(fl)
	cmd.AddCommand(c.commands()...)
	cmd.AddCommand(c.aliasCommands()...)
	completes(cmd, "output", words("table", "wide", "json", "yaml", "name"))
	completes(cmd, "color", words("auto", "always", "never"))
	return cmd
}

func init() { cobra.EnableCommandSorting = false } // the help has an order of its own

// commands returns the commands in the order of the help.
func (c *ctl) commands() []*cobra.Command {
	return []*cobra.Command{
		// how they do
		c.newStatus(), c.newHealth(), c.newVersion(), c.newTop(),
		// what they hold
		c.newCluster(), c.newBroker(), c.newTopic(), c.newKV(), c.newOrder(), c.newConfig(), c.newRaw(),
		// whether they say the same
		c.newDiff(), c.newPeers(), c.newSnapshot(),
		// what has happened, and why
		c.newExplain(), c.newHistory(), c.newEvents(), c.newWatch(), c.newClients(),
		// what else an operator needs
		c.newAccess(), c.newAudit(), c.newLog(), c.newProtect(), c.newBundle(), c.newProfile(), c.newMan(),
	}
}

// check refuses flags that contradict each other or mean nothing.
func (c *ctl) check(*cobra.Command) error {
	switch c.output {
	case "table", "wide", "json", "yaml", "name":
	default:
		return usage("--output is %q, must be table, wide, json, yaml or name", c.output)
	}
	switch c.color {
	case "auto", "always", "never":
	default:
		return usage("--color is %q, must be auto, always or never", c.color)
	}
	if c.timeout <= 0 || c.every < 0 {
		return usage("--timeout must be more than 0, and --watch not less")
	}
	return nil
}

// colored reports whether colors are wanted. A word always stands beside a color.
func (c *ctl) colored() bool {
	switch c.color {
	case "always":
		return true
	case "never":
		return false
	}
	return c.terminal && c.env("NO_COLOR") == "" && c.env("TERM") != "dumb"
}
