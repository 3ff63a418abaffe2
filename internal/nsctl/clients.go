package nsctl

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

// A connGroup is connections that are alike.
type connGroup struct {
	Language  *string `json:"language"`
	Version   *string `json:"version"`
	Address   *string `json:"address"`
	Transport string  `json:"transport"`
	Count     int     `json:"count"`
}

// A connection is one of them.
type connection struct {
	ID       json.Number `json:"id"`
	Address  string      `json:"address"`
	Language *string     `json:"language"`
	Version  *string     `json:"version"`
	TLS      bool        `json:"tls"`
	Since    time.Time   `json:"since"`
	IdleMs   int64       `json:"idleMs"`
	Requests json.Number `json:"requests"`
	Brokers  []string    `json:"brokers"`
}

// newClients makes `nsctl clients`.
func (c *ctl) newClients() *cobra.Command {
	var by string
	var list bool
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "clients",
		Short: "Say who is connected: by kind of client, by address, or one by one",
		Args:  cobra.NoArgs,
		RunE: c.reads(func(ctx context.Context, _ []string) error {
			switch {
			case by != "version" && by != "address":
				return usage("--by is %q, must be version or address", by)
			case list && cmd.Flags().Changed("by"):
				return usage("--by and --list do not go together")
			case list:
				return c.listClients(ctx)
			}
			return c.countClients(ctx, by)
		}),
	}
	cmd.Flags().StringVar(&by, "by", "version", "version or address")
	cmd.Flags().BoolVar(&list, "list", false, "each connection")
	return cmd
}

// countClients prints groups of connections.
func (c *ctl) countClients(ctx context.Context, by string) error {
	query, g := url.Values{"by": {"language,version"}}, &grid{columns: []column{
		{name: "version"}, {name: "language"}, {name: "server"}, {name: "transport"}, {name: "count", right: true},
	}}
	if by == "address" {
		query, g = url.Values{"by": {"address"}}, &grid{columns: []column{
			{name: "address"}, {name: "server"}, {name: "transport"}, {name: "count", right: true},
		}}
	}
	answers, err := getAll[reading[struct {
		Items []connGroup `json:"items"`
	}]](ctx, c, "/v1/connections", query)
	if err != nil {
		return err
	}
	for _, a := range answers {
		for _, it := range a.value.is.Items {
			if by == "address" {
				g.add(deref(it.Address), a.server, it.Transport, it.Count)
			} else {
				g.add(dashed(deref(it.Version)), dashed(deref(it.Language)), a.server, it.Transport, it.Count)
			}
		}
	}
	return conclude(c, answers, tellings(answers), g)
}

// listClients prints each connection.
func (c *ctl) listClients(ctx context.Context) error {
	answers, err := eachAdmin(ctx, c, func(ctx context.Context, a *admin) (items []reading[connection], err error) {
		query := url.Values{"list": {"1"}, "limit": {"1000"}}
		err = pages(ctx, a, "/v1/connections", query, "after", func(p *page[connection]) bool {
			items = append(items, p.Items...)
			return true
		})
		return items, err
	})
	if err != nil {
		return err
	}
	type serverConns struct {
		Server string            `json:"server"`
		Items  []json.RawMessage `json:"items"`
	}
	all := []serverConns{}
	g := &grid{columns: []column{
		{name: "address"},
		{name: "server"},
		{name: "id", right: true, wide: true},
		{name: "language"},
		{name: "version"},
		{name: "transport"},
		{name: "age", right: true},
		{name: "idle", right: true},
		{name: "requests", right: true},
		{name: "brokers"},
	}}
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		s := serverConns{Server: a.server, Items: []json.RawMessage{}}
		for i := range a.value {
			it := &a.value[i].is
			s.Items = append(s.Items, a.value[i].raw)
			transport := "tcp"
			if it.TLS {
				transport = "tls"
			}
			g.add(it.Address, a.server, it.ID, dashed(deref(it.Language)), dashed(deref(it.Version)), transport, shownAge(c.now().Sub(it.Since)),
				shownAge(time.Duration(it.IdleMs)*time.Millisecond), it.Requests, strings.Join(it.Brokers, " "))
		}
		all = append(all, s)
	}
	return conclude(c, answers, all, g)
}
