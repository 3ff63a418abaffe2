package nsctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
	"gonamesrv/internal/nsdiff"
)

// A configItem is one key of the configuration.
type configItem struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// newConfig makes `nsctl config`.
func (c *ctl) newConfig() *cobra.Command {
	return group("config", "The configuration", c.configGet(), c.configSet(), c.configDiff())
}

func (c *ctl) configGet() *cobra.Command {
	return &cobra.Command{
		Use:               "get [KEY...]",
		Short:             "Show the configuration, or some keys of it",
		Example:           "  nsctl config get\n  nsctl config get listenPort orderMessageEnable",
		ValidArgsFunction: c.complete(-1, askConfigKeys),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]configItem, error) {
				config, err := s.config(ctx)
				if err != nil {
					return nil, err
				}
				items := []configItem{}
				for _, key := range slices.Sorted(maps.Keys(config)) {
					if len(args) == 0 || slices.Contains(args, key) {
						items = append(items, configItem{key, config[key]})
					}
				}
				if len(args) > 0 && len(items) == 0 {
					return nil, missingError{}
				}
				return items, nil
			})
			if err != nil {
				return err
			}
			err = printLists(c, answers, []column{{name: "key"}, {name: "value"}}, func(i configItem) [][]any { return [][]any{{i.Key, textOf(&i.Value)}} })
			if err != nil {
				return err
			}
			return ended(c, answers, "there is no key "+strings.Join(args, ", "))
		}),
	}
}

func (c *ctl) configSet() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "set KEY=VALUE...",
		Short: "Change the configuration",
		Long: "Change the configuration (UPDATE_NAMESRV_CONFIG).\n\n" +
			"A gonamesrv says over its HTTP API when a change takes effect: live, with the next restart, or never (none: the key means nothing\n" +
			"there). A server of Java does not say it; most of its keys are looked at with the start only. Java takes unknown keys and what does\n" +
			"not parse for a success and does nothing: so keys that a server does not list are refused, and what it lists afterwards is shown.",
		Example:           "  nsctl config set orderMessageEnable=true --dry-run\n  nsctl config set orderMessageEnable=true",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: c.completeSettings,
		RunE: c.writes(func(ctx context.Context, args []string) error {
			keys, wanted := []string{}, settings{}
			for _, arg := range args {
				key, value, ok := strings.Cut(arg, "=")
				if !ok || key == "" {
					return usage("%q is not KEY=VALUE", arg)
				}
				if _, twice := wanted[key]; twice {
					return usage("%s is given twice", key)
				}
				keys, wanted[key] = append(keys, key), value
			}
			ch := settingOf(keys, wanted)
			ch.ask, ch.dryRun = "set "+strings.Join(args, " "), dryRun
			return changeAll(ctx, c, ch)
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing; say what there is now and when a change would take effect")
	return cmd
}

func (c *ctl) completeSettings(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, _ := c.complete(-1, askConfigKeys)(cmd, args, typed)
	for i := range names {
		names[i] += "="
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// keys returns the values of some keys, and when a change of them takes effect. It refuses
// those that the server does not list, and those that nobody can change.
func (s *server) keys(ctx context.Context, keys []string) ([]state, error) {
	config, err := s.config(ctx)
	if err != nil {
		return nil, err
	}
	effects := s.effects(ctx, config)
	all := make([]state, len(keys))
	for i, key := range keys {
		value, known := config[key]
		switch {
		case !known && config.release() != "":
			return nil, &refusedError{fmt.Sprintf("%q is no key", key)}
		case !known:
			return nil, &refusedError{fmt.Sprintf("%q is no key, and Java would say nothing about it", key)}
		case effects[key] == "never":
			return nil, &refusedError{fmt.Sprintf("%s cannot be changed while the server runs", key)}
		}
		all[i] = state{name: key, value: value, there: true, effect: effects[key]}
	}
	return all, nil
}

// effects returns when changes take effect, as far as the HTTP API tells.
func (s *server) effects(ctx context.Context, config serverConfig) map[string]string {
	a := s.adminOf(s.addr, config)
	if a == nil || config.release() == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, besideWithin)
	defer cancel()
	var said struct {
		Items []struct{ Key, Effect string }
	}
	if a.get(ctx, "/v1/config", nil, &said) != nil {
		return nil
	}
	effects := map[string]string{}
	for _, item := range said.Items {
		effects[item.Key] = item.Effect
	}
	return effects
}

// setKeys sets keys, all in one request.
func (s *server) setKeys(ctx context.Context, keys []string, values settings) error {
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(escapeProperty(key, true) + "=" + escapeProperty(values[key], false) + "\n")
	}
	_, err := s.call(ctx, codec.ReqUpdateNamesrvConfig, nil, []byte(b.String()))
	return err
}

// escapeProperty writes a text so that Java's Properties#load reads it back. That takes
// bytes for ISO 8859-1, so only ASCII is safe.
func escapeProperty(text string, key bool) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r > '~':
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		case r == '\\', key && strings.ContainsRune("=:#! \t\f", r), i == 0 && (r == ' ' || r == '\t' || r == '\f'):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// A configDiff is a key that servers have different values of.
type configDiff struct {
	Key    string        `json:"key"`
	Values []configValue `json:"values"` // in the order of the servers
}

// A configValue is what one server has.
type configValue struct {
	Server string  `json:"server"`
	Value  *string `json:"value"` // null where it is no key
}

func (c *ctl) configDiff() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Compare the configuration of name servers: exit 1 if it differs",
		Long: "Compare the configuration of name servers: exit 1 if it differs. Keys that not all of them have are left out, and those that differ\n" +
			"by nature: files, ports, addresses.",
		Example: "  nsctl -n 'ns1:9876;ns2:9876' config diff",
		Args:    cobra.NoArgs,
		RunE: c.reads(func(ctx context.Context, _ []string) error {
			if addrs, err := c.addresses(); err == nil && len(addrs) < 2 {
				return usage("there is nothing to compare with: give two name servers at least, as -n 'ns1:9876;ns2:9876'")
			}
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (serverConfig, error) { return s.config(ctx) })
			if err != nil {
				return err
			}
			diffs, several := diffConfigs(answers, all)
			g := &grid{columns: []column{{name: "key"}}}
			for _, a := range answers {
				if a.err == nil {
					g.columns = append(g.columns, column{name: a.server, asIs: true})
				}
			}
			for _, d := range diffs {
				row := []any{d.Key}
				for _, v := range d.Values {
					row = append(row, textOf(v.Value))
				}
				g.add(row...)
			}
			if several {
				if err := c.print(diffs, g); err != nil {
					return err
				}
			}
			if err := outcome(c, answers); err != nil {
				return err
			}
			if len(diffs) > 0 {
				return &exitError{code: exitNo}
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "leave out nothing")
	return cmd
}

// diffConfigs returns the keys that differ, in ascending order, and whether there were two
// servers to compare.
func diffConfigs(answers []answer[serverConfig], everything bool) (diffs []configDiff, several bool) {
	diffs = []configDiff{}
	keys := map[string]int{}
	servers := 0
	for _, a := range answers {
		if a.err == nil {
			servers++
			for key := range a.value {
				keys[key]++
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !everything && (keys[key] < servers || nsdiff.IsLocalKey(key)) {
			continue
		}
		d := configDiff{Key: key}
		distinct := map[string]bool{}
		for _, a := range answers {
			if a.err != nil {
				continue
			}
			if value, ok := a.value[key]; ok {
				d.Values = append(d.Values, configValue{a.server, &value})
				distinct[value] = true
			} else {
				d.Values = append(d.Values, configValue{a.server, nil})
			}
		}
		if len(distinct) > 1 || keys[key] < servers {
			diffs = append(diffs, d)
		}
	}
	return diffs, servers > 1
}
