package nsctl

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

// A kvItem is one key of the KV config.
type kvItem struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	Value     string `json:"value"`
}

var kvColumns = []column{{name: "key"}, {name: "namespace"}, {name: "value"}}

func kvRows(i kvItem) [][]any { return [][]any{{i.Key, i.Namespace, textOf(&i.Value)}} }

// newKV makes `nsctl kv`.
func (c *ctl) newKV() *cobra.Command {
	return group("kv", "The KV config: keys and values in namespaces", c.kvList(), c.kvGet(), c.kvPut(), c.kvDelete())
}

func (c *ctl) kvList() *cobra.Command {
	return &cobra.Command{
		Use:   "list [NAMESPACE]",
		Short: "List the keys of a namespace",
		Long: "List the keys of a namespace. Over port 9876 nobody can ask which namespaces there are: without NAMESPACE this needs a gonamesrv\n" +
			"with its admin listener.",
		Example:           "  nsctl kv list ORDER_TOPIC_CONFIG",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.complete(0, askNamespaces),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]kvItem, error) {
				if len(args) == 1 {
					return s.kvs(ctx, args[0])
				}
				config, err := s.config(ctx)
				if err != nil {
					return nil, err
				}
				return allKV(ctx, s.adminOf(s.addr, config))
			})
			if err != nil {
				return err
			}
			if err := printLists(c, answers, kvColumns, kvRows); err != nil {
				return err
			}
			return ended(c, answers, "there is no namespace "+strings.Join(args, ""))
		}),
	}
}

// allKV asks the API for the whole KV config, page by page.
func allKV(ctx context.Context, a *admin) ([]kvItem, error) {
	if a == nil {
		return nil, &unreachedError{errNoAPI}
	}
	items := []kvItem{}
	err := eachKVPage(ctx, a, url.Values{}, func(page []kvItem) bool {
		items = append(items, page...)
		return true
	})
	return items, err
}

// eachKVPage asks the API for the KV config, page by page, as long as take returns true.
func eachKVPage(ctx context.Context, a *admin, query url.Values, take func([]kvItem) bool) error {
	for range 1000 { // pages; what answers may be anybody
		var page struct {
			Items []kvItem
			Next  string
		}
		if err := a.get(ctx, "/v1/kv", query, &page); err != nil {
			return err
		}
		if !take(page.Items) || page.Next == "" {
			return nil
		}
		query.Set("after", page.Next)
	}
	return badAnswer(errors.New("an endless list"))
}

func (c *ctl) kvGet() *cobra.Command {
	return c.getKey(&cobra.Command{
		Use:               "get NAMESPACE KEY",
		Short:             "Show one key: exit 1 if it is not there",
		Example:           "  nsctl kv get ORDER_TOPIC_CONFIG ORDERS",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: either(c.complete(0, askNamespaces), c.complete(1, askKVKeys)),
	}, func(args []string) (namespace, key string) { return args[0], args[1] })
}

// getKey makes a command that shows one key.
func (c *ctl) getKey(cmd *cobra.Command, which func(args []string) (namespace, key string)) *cobra.Command {
	cmd.RunE = c.reads(func(ctx context.Context, args []string) error {
		namespace, key := which(args)
		answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]kvItem, error) {
			value, err := s.kv(ctx, namespace, key)
			if err != nil {
				return nil, err
			}
			return []kvItem{{namespace, key, value}}, nil
		})
		if err != nil {
			return err
		}
		if err := printLists(c, answers, kvColumns, kvRows); err != nil {
			return err
		}
		return ended(c, answers, "there is no key "+key+" in namespace "+namespace)
	})
	return cmd
}

func (c *ctl) kvPut() *cobra.Command {
	return &cobra.Command{
		Use:               "put NAMESPACE KEY VALUE",
		Short:             "Set one key",
		Example:           "  nsctl kv put PROJECT_CONFIG 10.0.0.7 search",
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: either(c.complete(0, askNamespaces), c.complete(1, askKVKeys)),
		RunE: c.writes(func(ctx context.Context, args []string) error {
			if args[0] == orderNamespace {
				if err := checkOrder(args[2]); err != nil {
					return err
				}
			}
			return c.putKey(ctx, args[0], args[1], args[2])
		}),
	}
}

func (c *ctl) kvDelete() *cobra.Command {
	return &cobra.Command{
		Use:               "delete NAMESPACE KEY",
		Short:             "Remove one key",
		Example:           "  nsctl kv delete PROJECT_CONFIG 10.0.0.7",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: either(c.complete(0, askNamespaces), c.complete(1, askKVKeys)),
		RunE:              c.writes(func(ctx context.Context, args []string) error { return c.deleteKey(ctx, args[0], args[1]) }),
	}
}

// keyState returns what a key has; it may have nothing.
func (s *server) keyState(ctx context.Context, namespace, key string) (state, error) {
	value, err := s.kv(ctx, namespace, key)
	if _, none := err.(missingError); none {
		return state{name: key}, nil
	}
	return state{name: key, value: value, there: err == nil}, err
}

// putKey sets a key on all servers.
func (c *ctl) putKey(ctx context.Context, namespace, key, value string) error {
	return changeAll(ctx, c, &change{
		ask: "set " + key + " in namespace " + namespace + " to " + textOf(&value), name: "key",
		look: func(ctx context.Context, s *server) ([]state, error) {
			st, err := s.keyState(ctx, namespace, key)
			return []state{st}, err
		},
		apply: func(ctx context.Context, s *server, _ []state) error {
			_, err := s.call(ctx, codec.ReqPutKVConfig, fields("namespace", namespace, "key", key, "value", value), nil)
			return err
		},
		done: func(_, after []state) error {
			if len(after) != 1 || !after[0].there || after[0].value != value {
				return &refusedError{"the key has another value"}
			}
			return nil
		},
	})
}

// deleteKey removes a key from all servers.
func (c *ctl) deleteKey(ctx context.Context, namespace, key string) error {
	return changeAll(ctx, c, &change{
		missing: "there is no key " + key + " in namespace " + namespace, ask: "remove " + key + " from namespace " + namespace, name: "key", gone: true,
		look: func(ctx context.Context, s *server) ([]state, error) {
			st, err := s.keyState(ctx, namespace, key)
			if err == nil && !st.there {
				err = missingError{}
			}
			return []state{st}, err
		},
		apply: func(ctx context.Context, s *server, _ []state) error {
			_, err := s.call(ctx, codec.ReqDeleteKVConfig, fields("namespace", namespace, "key", key), nil)
			return err
		},
		done: func(_, after []state) error {
			if len(after) > 0 {
				return &refusedError{"the key is still there"}
			}
			return nil
		},
	})
}
