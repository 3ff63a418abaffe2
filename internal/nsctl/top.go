package nsctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"gonamesrv/internal/nsctl/top"
)

// topPause is between two questions of `nsctl top` for its table.
const topPause = 2 * time.Second

// newTop makes `nsctl top`.
func (c *ctl) newTop() *cobra.Command {
	once, tab := false, ""
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show how name servers do, and their brokers, topics and clients, as it changes",
		Long: "Show how name servers do, each second, and a table of brokers, topics, missed topics, clients, events or queues.\n" +
			"The key ? says what other keys do; q ends. It needs a gonamesrv with its admin listener, and a terminal unless --once is given.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(top.Tabs(), tab) {
				return usage("--tab is %q, must be one of %s", tab, strings.Join(top.Tabs(), ", "))
			}
			admins, err := c.admins()
			if err != nil {
				return err
			}
			defer admins[0].http.CloseIdleConnections() // all have the same
			o := top.Options{Tab: tab, Every: topPause, Clean: clean, Colored: c.colored(), Now: c.now}
			if c.every > 0 {
				o.Every = c.every
			}
			for _, a := range admins {
				o.Servers = append(o.Servers, top.Server{Name: a.name, Get: a.show, Stream: a.tell})
			}
			if once {
				return c.topOnce(cmd.Context(), &o)
			}
			switch {
			case !c.terminal || !isTerminal(c.stdin):
				return usage("top needs a terminal; without one, use top --once")
			case c.env("TERM") == "dumb":
				return usage("top needs a terminal that can do more than TERM=dumb; here, use top --once")
			case c.output != "table":
				return usage("--output %s is for top --once", c.output)
			}
			if err := top.Run(cmd.Context(), o, c.stdin, c.stdout); err != nil {
				return no("%v", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print one picture, and end")
	cmd.Flags().StringVar(&tab, "tab", top.Tabs()[0], "the table: "+strings.Join(top.Tabs(), ", "))
	return cmd
}

// show asks for one thing, for a screen.
func (a *admin) show(ctx context.Context, path string, query url.Values, v any) error {
	return inShort(a.get(ctx, path, query, v))
}

// tell follows a stream, for a screen.
func (a *admin) tell(ctx context.Context, path string, query url.Values, each func(kind string, data []byte) bool) error {
	return inShort(a.stream(ctx, path, query, func(e event) bool { return each(e.kind, e.data) }))
}

// inShort leaves out which URL an error is about: a line of the screen says which server.
func inShort(err error) error {
	var web *url.Error
	var unreached *unreachedError
	if errors.As(err, &unreached) && errors.As(err, &web) {
		return &unreachedError{fmt.Errorf("%w: %w", errNoAPI, web.Err)}
	}
	return err
}

// topOnce prints one picture of each server.
func (c *ctl) topOnce(ctx context.Context, o *top.Options) error {
	if c.every > 0 {
		return usage("--watch and --once contradict each other")
	}
	answers := make([]answer[top.Look], len(o.Servers))
	var all sync.WaitGroup
	for i := range o.Servers {
		all.Go(func() {
			a := &answers[i]
			a.server = o.Servers[i].Name
			a.value, a.err = top.LookAt(ctx, &o.Servers[i], o.Tab)
		})
	}
	all.Wait()
	looks := []top.Look{}
	for _, a := range answers {
		if a.err == nil {
			looks = append(looks, a.value)
		}
	}
	servers, rows := top.Tables(looks, o)
	if len(looks) == 0 && (c.output == "table" || c.output == "wide") {
		return outcome(c, answers) // headers alone say nothing
	}
	if err := c.print(looks, gridOf(&servers)); err != nil {
		return err
	}
	if c.output == "table" || c.output == "wide" {
		if _, err := c.stdout.Write([]byte("\n" + c.render(gridOf(&rows)))); err != nil {
			return err
		}
	}
	return outcome(c, answers)
}

func gridOf(t *top.Table) *grid {
	g := &grid{rows: t.Rows}
	for i, name := range t.Columns {
		g.columns = append(g.columns, column{name: name, right: t.Right[i]})
	}
	return g
}
