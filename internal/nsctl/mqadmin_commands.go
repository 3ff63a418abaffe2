package nsctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// An alias is a command of RocketMQ's mqadmin, under its name, with its flags and its text.
// The exit codes are ours.
type alias struct {
	name    string
	about   string // what mqadmin 5.5.0 says of it
	flags   []aliasFlag
	differs string // what is not as with mqadmin, and which command of nsctl does it
	run     func(ctx context.Context, c *ctl, in *aliasInput) error
}

// An aliasFlag is a flag of such a command.
type aliasFlag struct {
	short, long string
	value       bool // it takes one
	needed      bool
	about       string
}

// aliases are the commands of mqadmin that need name servers and change nothing on brokers,
// in mqadmin's order; and deleteTopic, which says what to use.
// Java: MQAdminStartup#initCommand.
var aliases = []*alias{
	deleteTopicAlias, topicRouteAlias, topicClusterListAlias, clusterListAlias, topicListAlias, updateKvConfigAlias, deleteKvConfigAlias,
	wipeWritePermAlias, addWritePermAlias, updateOrderConfAlias, getNamesrvConfigAlias, updateNamesrvConfigAlias,
}

// aliasCommon are the flags of all of them.
// Java: ServerUtil#buildCommandlineOptions.
var aliasCommon = []aliasFlag{
	{short: "h", long: "help", about: "Print help"},
	{short: "n", long: "namesrvAddr", value: true, about: "Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'"},
}

// An aliasInput is what was given with a command of mqadmin.
type aliasInput struct {
	alias  *alias
	texts  map[string]*string // by the short name of the flag
	words  map[string]*bool
	given  map[string]bool
	listed bool // -n was given
}

// text returns the value of a flag, without blanks around it.
// Java: String#trim, which each command calls.
func (in *aliasInput) text(short string) string {
	if v := in.texts[short]; v != nil {
		return strings.TrimFunc(*v, isTrimmed)
	}
	return ""
}

// aliasCommands makes the commands of mqadmin, which the help of nsctl does not list.
func (c *ctl) aliasCommands() []*cobra.Command {
	var all []*cobra.Command
	for _, a := range aliases {
		all = append(all, c.aliasCommand(a))
	}
	return all
}

func (c *ctl) aliasCommand(a *alias) *cobra.Command {
	in := &aliasInput{alias: a, texts: map[string]*string{}, words: map[string]*bool{}, given: map[string]bool{}}
	cmd := &cobra.Command{Use: a.name, Short: strings.TrimSuffix(a.about, "."), Hidden: true, Args: cobra.NoArgs}
	for _, f := range a.flags {
		if f.value {
			in.texts[f.short] = cmd.Flags().StringP(f.long, f.short, "", f.about)
		} else {
			in.words[f.short] = cmd.Flags().BoolP(f.long, f.short, false, f.about)
		}
	}
	servers := cmd.Flags().String("namesrvAddr", "", "the same as --namesrv")
	cmd.SetHelpFunc(func(*cobra.Command, []string) { c.aliasHelp(a) })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("namesrvAddr") {
			c.servers = *servers
		}
		in.listed = c.servers != ""
		var missing []string
		for _, f := range a.flags {
			in.given[f.short] = cmd.Flags().Changed(f.long)
			if f.needed && !in.given[f.short] {
				missing = append(missing, f.short)
			}
		}
		switch {
		case c.output != "table" || c.noHeaders || c.every != 0:
			return usage("%s prints what mqadmin prints: -o, --no-headers and -w are for the other commands of nsctl", a.name)
		case len(missing) == 1:
			return a.wrong(c, "Missing required option: "+missing[0])
		case len(missing) > 1:
			return a.wrong(c, "Missing required options: "+strings.Join(missing, ", "))
		}
		return a.run(cmd.Context(), c, in)
	}
	return cmd
}

// aliasHelp prints what mqadmin says with -h, and on stderr what is different here.
func (c *ctl) aliasHelp(a *alias) {
	fmt.Fprint(c.stdout, a.help())
	fmt.Fprintln(c.stderr, "\n"+a.differs)
}

// wrong prints the help, as mqadmin does, and returns that the command was called wrongly.
func (a *alias) wrong(c *ctl, text string) error {
	fmt.Fprint(c.stdout, a.help())
	return usage("%s", text)
}

// IsMQAdmin reports whether a program is called by the name of mqadmin: by a link to it,
// or as a copy.
func IsMQAdmin(program string) bool {
	return strings.TrimSuffix(filepath.Base(program), ".exe") == "mqadmin"
}

// RunMQAdmin is the whole program under the name mqadmin: it has the commands of mqadmin
// that concern name servers, and no others. It returns the exit code.
func RunMQAdmin(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &ctl{stdin: stdin, stdout: stdout, stderr: stderr, env: os.Getenv, now: time.Now}
	if len(args) == 0 {
		fmt.Fprint(stdout, aliasList())
		return exitYes
	}
	name := args[0]
	help := len(args) == 2 && name == "help"
	if help {
		name = args[1]
	}
	// Java: MQAdminStartup#findSubCommand.
	i := slices.IndexFunc(aliases, func(a *alias) bool { return strings.EqualFold(a.name, name) })
	switch {
	case i < 0 && (name == "-h" || name == "--help" || name == "help"):
		fmt.Fprint(stdout, aliasList())
		return exitYes
	case i < 0:
		fmt.Fprintf(stderr, "nsctl: %s is not a command for name servers; use RocketMQ's mqadmin\n", clean(name))
		return exitUsage
	case help:
		c.aliasHelp(aliases[i])
		return exitYes
	}
	return c.run(ctx, append([]string{aliases[i].name}, args[1:]...))
}

// askOne asks the servers one after the other until one answers: mqadmin picks one that it
// can connect to. It tells on stderr of those that could not be asked; if there were any,
// the program ends with exitSome. missing is what is said if the server does not have what
// was asked for.
func askOne[T any](ctx context.Context, c *ctl, missing string, ask func(ctx context.Context, s *server) (T, error), show func(T) error) error {
	addrs, err := c.addresses()
	if err != nil {
		return err
	}
	secure, err := c.tls.config()
	if err != nil {
		return err
	}
	var answers []answer[T]
	for _, addr := range addrs {
		s := &server{ctl: c, addr: addr, tls: secure}
		value, err := ask(ctx, s)
		s.close()
		answers = append(answers, answer[T]{addr, value, err})
		var unreached *unreachedError
		if err == nil {
			if err := show(value); err != nil {
				return &exitError{exitNo, err.Error()}
			}
		}
		if !errors.As(err, &unreached) || ctx.Err() != nil {
			break
		}
	}
	if missing == "" {
		missing = "it is not there"
	}
	return ended(c, answers, missing)
}

// writeAll asks all servers to change something, and prints done if none fails.
func writeAll(ctx context.Context, c *ctl, missing, done string, write func(ctx context.Context, s *server) error) error {
	answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (struct{}, error) { return struct{}{}, write(ctx, s) })
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(answers, func(a answer[struct{}]) bool { return a.err != nil && !errors.Is(a.err, missingError{}) }) {
		fmt.Fprint(c.stdout, done)
	}
	return ended(c, answers, missing)
}
