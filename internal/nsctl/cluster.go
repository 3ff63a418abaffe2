package nsctl

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

// A clusterItem is one cluster.
type clusterItem struct {
	Cluster string   `json:"cluster"`
	Brokers []string `json:"brokers"` // names of broker sets
	Members int      `json:"members"`
	Masters int      `json:"masters"`
}

// newCluster makes `nsctl cluster`.
func (c *ctl) newCluster() *cobra.Command {
	return group("cluster", "Clusters of brokers", &cobra.Command{
		Use:     "list",
		Short:   "List clusters",
		Example: "  nsctl cluster list -o wide",
		Args:    cobra.NoArgs,
		RunE: c.reads(func(ctx context.Context, _ []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]clusterItem, error) {
				info, err := s.clusterInfo(ctx)
				return clusters(info), err
			})
			if err != nil {
				return err
			}
			columns := []column{{name: "cluster"}, {name: "brokers", right: true}, {name: "members", right: true}, {name: "masters", right: true}, {name: "names", wide: true}}
			err = printLists(c, answers, columns, func(i clusterItem) [][]any {
				return [][]any{{i.Cluster, len(i.Brokers), i.Members, i.Masters, strings.Join(i.Brokers, ",")}}
			})
			if err != nil {
				return err
			}
			return outcome(c, answers)
		}),
	})
}

// clusters returns the clusters of an answer, nil for none.
func clusters(info *codec.ClusterInfo) []clusterItem {
	if info == nil {
		return nil
	}
	items := []clusterItem{}
	for _, cl := range info.ClusterAddrTable {
		item := clusterItem{Cluster: cl.Cluster, Brokers: slices.Clone(cl.BrokerNames)}
		if item.Brokers == nil {
			item.Brokers = []string{}
		}
		for _, b := range brokerSets(info, cl.Cluster) {
			item.Members += len(b.Members)
			for _, m := range b.Members {
				if m.BrokerID == 0 {
					item.Masters++
				}
			}
		}
		items = append(items, item)
	}
	return items
}
