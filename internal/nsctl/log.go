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
				return c.reads(func(ctx context.Context, _ []string) error { return c.logLevels(ctx) })(cmd, args)
			}
			level := strings.ToLower(args[0])
			if !slices.Contains(cmd.ValidArgs, level) {
				return usage("the level is %q, must be debug, info, warn or error", args[0])
			}
			return c.writes(func(ctx context.Context, _ []string) error {
				return c.setFor(ctx, settings{"logLevel": level}, back)
			})(cmd, args)
		},
	}
	level.Flags().DurationVar(&back, "for", 0, "set it back after this time, and on Ctrl-C; nsctl waits so long")
	return group("log", "The log of name servers", level)
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
