package nsctl

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

const (
	completeWithin = time.Second // somebody has pressed the tab key
	mostCompleted  = 1000
)

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// An asker asks a server for what may be typed.
type asker = func(ctx context.Context, s *server, typed string, args []string) ([]string, error)

// complete offers, for the argument behind n others, what the servers have. Whatever goes
// wrong, nothing is offered: nobody wants to read about it in the middle of a line.
func (c *ctl) complete(n int, ask asker) completion {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if n >= 0 && len(args) != n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completeWithin)
		defer cancel()
		answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]string, error) { return ask(ctx, s, typed, args) })
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, a := range answers {
			for _, name := range a.value {
				// A shell would take apart what is not plain.
				if strings.HasPrefix(name, typed) && strings.IndexFunc(name, isUnclean) < 0 {
					names = append(names, name)
				}
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
		return names[:min(len(names), mostCompleted)], cobra.ShellCompDirectiveNoFileComp
	}
}

func askTopics(ctx context.Context, s *server, typed string, _ []string) ([]string, error) {
	return s.topics(ctx, codec.ReqGetAllTopicListFromNameserver, nil, typed)
}

func askBrokers(ctx context.Context, s *server, _ string, _ []string) (names []string, err error) {
	info, err := s.clusterInfo(ctx)
	if err != nil {
		return nil, err
	}
	for i := range info.BrokerAddrTable {
		names = append(names, info.BrokerAddrTable[i].BrokerName)
	}
	return names, nil
}

func askClusters(ctx context.Context, s *server, _ string, _ []string) (names []string, err error) {
	info, err := s.clusterInfo(ctx)
	if err != nil {
		return nil, err
	}
	for i := range info.ClusterAddrTable {
		names = append(names, info.ClusterAddrTable[i].Cluster)
	}
	return names, nil
}

func askConfigKeys(ctx context.Context, s *server, _ string, _ []string) (names []string, err error) {
	config, err := s.config(ctx)
	for key := range config {
		names = append(names, key)
	}
	return names, err
}

// askNamespaces offers those that RocketMQ knows by name, and all of a server of ours.
func askNamespaces(ctx context.Context, s *server, _ string, _ []string) ([]string, error) {
	names := []string{orderNamespace, "PROJECT_CONFIG"}
	config, err := s.config(ctx)
	if err != nil {
		return names, nil
	}
	items, err := allKV(ctx, s.adminOf(s.addr, config))
	for _, item := range items {
		names = append(names, item.Namespace)
	}
	return names, err
}

func askKVKeys(ctx context.Context, s *server, _ string, args []string) (names []string, err error) {
	items, err := s.kvs(ctx, args[0])
	for _, item := range items {
		names = append(names, item.Key)
	}
	return names, err
}

// either offers one thing for the first argument and another for the second.
func either(first, second completion) completion {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return first(cmd, args, typed)
		}
		return second(cmd, args, typed)
	}
}

// files lets the shell offer files.
func files(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// words offers fixed words.
func words(list ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
}

// completes makes a flag complete. It panics if there is no such flag.
func completes(cmd *cobra.Command, flag string, f completion) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag is a constant of ours
	}
}
