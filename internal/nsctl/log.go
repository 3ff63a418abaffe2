package nsctl

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// newLog makes `nsctl log`.
func (c *ctl) newLog() *cobra.Command {
	cmd := &cobra.Command{Use: "log", Short: "Say or set of which level the log of a server is", RunE: noCommand}
	var back time.Duration
	level := &cobra.Command{
		Use:       "level [debug|info|warn|error]",
		Short:     "Say which lines go to the log, or set it",
		Long:      "Say which lines go to the log, or set it for all servers. What is set stays, also over a restart, unless --for is given.",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"debug", "info", "warn", "error"},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case back < 0:
				return usage("--for is %v, must not be negative", back)
			case len(args) == 0 && back > 0:
				return usage("--for without a level")
			case len(args) == 0:
				return c.again(cmd.Context(), c.logLevels)
			case c.every > 0:
				return usage("--watch is for what changes nothing")
			}
			level := strings.ToLower(args[0])
			if !slices.Contains(cmd.ValidArgs, level) {
				return usage("the level is %q, must be debug, info, warn or error", args[0])
			}
			if err := c.confirm("Set logLevel of %s to %s?", c.serverText(), level); err != nil {
				return err
			}
			return c.setFor(cmd.Context(), settings{"logLevel": level}, back)
		},
	}
	level.Flags().DurationVar(&back, "for", 0, "set it back after this time, and on Ctrl-C; nsctl waits so long")
	cmd.AddCommand(level)
	return cmd
}

// serverText names the servers, for a question.
func (c *ctl) serverText() string {
	addrs, err := c.addresses()
	if err != nil {
		return "the name servers"
	}
	return strings.Join(addrs, ", ")
}

// logLevels prints the level of each server, and where it comes from.
func (c *ctl) logLevels(ctx context.Context) error {
	type level struct {
		Server string `json:"server"`
		Level  string `json:"level"`
		Source string `json:"source"`
	}
	answers, err := getAll[struct {
		Items []struct {
			Key    string `json:"key"`
			Value  string `json:"value"`
			Source string `json:"source"`
		} `json:"items"`
	}](ctx, c, "/v1/config", url.Values{})
	if err != nil {
		return err
	}
	g := &grid{columns: []column{{name: "server"}, {name: "level"}, {name: "source"}}}
	all := []level{}
	for _, a := range answers {
		for _, it := range a.value.Items {
			if it.Key == "logLevel" {
				all = append(all, level{a.server, it.Value, it.Source})
				g.add(a.server, it.Value, it.Source)
			}
		}
	}
	return conclude(c, answers, all, g)
}
