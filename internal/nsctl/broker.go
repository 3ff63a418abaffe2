package nsctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

// A brokerSet is all brokers of one name.
type brokerSet struct {
	Broker             string         `json:"broker"`
	Clusters           []string       `json:"clusters"`
	Zone               string         `json:"zone,omitempty"`
	EnableActingMaster bool           `json:"enableActingMaster"`
	Members            []brokerMember `json:"members"`
}

// A brokerMember is one broker.
type brokerMember struct {
	BrokerID int64  `json:"brokerId"`
	Addr     string `json:"addr"`
	Role     string `json:"role"` // master or slave
}

// text names a member in one word.
func (m *brokerMember) text() string { return strconv.FormatInt(m.BrokerID, 10) + "@" + m.Addr }

// brokerSets returns the broker sets of an answer, those of one cluster if it is not "".
func brokerSets(info *codec.ClusterInfo, cluster string) []brokerSet {
	in := map[string][]string{}
	for _, cl := range info.ClusterAddrTable {
		for _, name := range cl.BrokerNames {
			in[name] = append(in[name], cl.Cluster)
		}
	}
	sets := []brokerSet{}
	for i := range info.BrokerAddrTable {
		b := &info.BrokerAddrTable[i]
		set := brokerSet{Broker: b.BrokerName, Clusters: in[b.BrokerName], Zone: b.ZoneName, EnableActingMaster: b.EnableActingMaster, Members: members(b.BrokerAddrs)}
		if set.Clusters == nil {
			set.Clusters = []string{}
		}
		if cluster == "" || slices.Contains(set.Clusters, cluster) {
			sets = append(sets, set)
		}
	}
	return sets
}

func members(addrs []codec.BrokerAddr) []brokerMember {
	all := []brokerMember{}
	for _, a := range addrs {
		role := "slave"
		if a.ID == 0 {
			role = "master"
		}
		all = append(all, brokerMember{a.ID, a.Addr, role})
	}
	return all
}

var brokerColumns = []column{
	{name: "broker"},
	{name: "cluster"},
	{name: "id", right: true},
	{name: "addr"},
	{name: "role"},
	{name: "zone", wide: true},
	{name: "acting", wide: true},
}

func brokerRows(b brokerSet) (rows [][]any) {
	cluster := dashed(strings.Join(b.Clusters, ","))
	for _, m := range b.Members {
		rows = append(rows, []any{b.Broker, cluster, m.BrokerID, m.Addr, m.Role, dashed(b.Zone), b.EnableActingMaster})
	}
	if len(rows) == 0 {
		rows = append(rows, []any{b.Broker, cluster, "–", "–", "–", dashed(b.Zone), b.EnableActingMaster})
	}
	return rows
}

// newBroker makes `nsctl broker`.
func (c *ctl) newBroker() *cobra.Command {
	return group("broker", "Brokers", c.brokerList(), c.brokerShow(), c.brokerGroup(), c.brokerVersion(),
		c.brokerPerm(true), c.brokerPerm(false), c.brokerUnregister())
}

func (c *ctl) brokerList() *cobra.Command {
	var cluster string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List brokers",
		Example: "  nsctl broker list --cluster DefaultCluster",
		Args:    cobra.NoArgs,
		RunE: c.reads(func(ctx context.Context, _ []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]brokerSet, error) {
				info, err := s.clusterInfo(ctx)
				if err != nil {
					return nil, err
				}
				return brokerSets(info, cluster), nil
			})
			if err != nil {
				return err
			}
			if err := printLists(c, answers, brokerColumns, brokerRows); err != nil {
				return err
			}
			return outcome(c, answers)
		}),
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "only those of this cluster")
	completes(cmd, "cluster", c.complete(-1, askClusters))
	return cmd
}

func (c *ctl) brokerShow() *cobra.Command {
	return &cobra.Command{
		Use:               "show BROKER",
		Short:             "Show the members of a broker set",
		Example:           "  nsctl broker show broker-a -o json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.complete(0, askBrokers),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]brokerSet, error) {
				b, err := s.brokerSet(ctx, args[0])
				if err != nil {
					return nil, err
				}
				return []brokerSet{*b}, nil
			})
			if err != nil {
				return err
			}
			if err := printLists(c, answers, brokerColumns, brokerRows); err != nil {
				return err
			}
			return ended(c, answers, "there is no broker "+args[0])
		}),
	}
}

// A memberGroup is what brokers are told of their set.
type memberGroup struct {
	Broker  string         `json:"broker"`
	Cluster string         `json:"cluster"`
	Members []brokerMember `json:"members"`
}

func (c *ctl) brokerGroup() *cobra.Command {
	var cluster string
	cmd := &cobra.Command{
		Use:   "group BROKER",
		Short: "Show what the members of a broker set are told of each other",
		Long: "Show what the members of a broker set are told of each other (GET_BROKER_MEMBER_GROUP, which name servers know from 5.0.0 on).\n" +
			"The cluster is the one that the name server knows, unless it is given.",
		Example:           "  nsctl broker group broker-a",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.complete(0, askBrokers),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]memberGroup, error) {
				return s.memberGroups(ctx, args[0], cluster)
			})
			if err != nil {
				return err
			}
			columns := []column{{name: "broker"}, {name: "cluster"}, {name: "id", right: true}, {name: "addr"}, {name: "role"}}
			err = printLists(c, answers, columns, func(g memberGroup) (rows [][]any) {
				for _, m := range g.Members {
					rows = append(rows, []any{g.Broker, g.Cluster, m.BrokerID, m.Addr, m.Role})
				}
				return rows
			})
			if err != nil {
				return err
			}
			return ended(c, answers, "there is no broker "+args[0])
		}),
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster to ask with")
	completes(cmd, "cluster", c.complete(-1, askClusters))
	return cmd
}

func (s *server) memberGroups(ctx context.Context, name, cluster string) ([]memberGroup, error) {
	set, err := s.brokerSet(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := s.knows(codec.ReqGetBrokerMemberGroup); err != nil {
		return nil, err
	}
	in := set.Clusters
	if cluster != "" {
		in = []string{cluster}
	}
	var groups []memberGroup
	for _, cluster := range in {
		reply, err := s.call(ctx, codec.ReqGetBrokerMemberGroup, fields("clusterName", cluster, "brokerName", name), nil)
		if err != nil {
			return nil, err
		}
		// A member group has fields of a broker set, so it reads as a table with one of them.
		var info codec.ClusterInfo
		if err := info.DecodeWithin(slices.Concat([]byte(`{"brokerAddrTable":`), reply.Body, []byte("}")), nil); err != nil {
			return nil, badAnswer(err)
		}
		if len(info.BrokerAddrTable) != 1 {
			return nil, badAnswer(errors.New("not one member group"))
		}
		groups = append(groups, memberGroup{name, cluster, members(info.BrokerAddrTable[0].BrokerAddrs)})
	}
	return groups, nil
}

// A brokerVersion is the data version that a broker has registered with. It has none as
// long as it has not said any.
type brokerVersion struct {
	Broker       string  `json:"broker"`
	Cluster      string  `json:"cluster"`
	BrokerID     int64   `json:"brokerId"`
	Addr         string  `json:"addr"`
	StateVersion *int64  `json:"stateVersion"`
	Timestamp    *string `json:"timestamp"` // by the broker's clock
	Counter      *string `json:"counter"`   // text: it may go beyond 2^53
}

func (c *ctl) brokerVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version BROKER",
		Short: "Show the data versions that the members of a broker set have registered with",
		Long: "Show the data versions that the members of a broker set have registered with (QUERY_DATA_VERSION).\n\n" +
			"A name server takes the question for a sign of life of the broker: one that is dead is routed for a while longer. So this asks\n" +
			"on a terminal before it does so.",
		Example:           "  nsctl broker version broker-a --yes",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.complete(0, askBrokers),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			if c.every == 0 {
				if err := c.confirm("This counts as a sign of life of %s. Ask all the same?", clean(args[0])); err != nil {
					return err
				}
			} else if !c.yes {
				return usage("--watch would keep a dead broker alive: add --yes if you want that")
			}
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]brokerVersion, error) { return s.brokerVersions(ctx, args[0]) })
			if err != nil {
				return err
			}
			columns := []column{
				{name: "broker"}, {name: "cluster"}, {name: "id", right: true}, {name: "addr"}, {name: "state", right: true}, {name: "timestamp"}, {name: "counter", right: true},
			}
			err = printLists(c, answers, columns, func(v brokerVersion) [][]any {
				return [][]any{{v.Broker, v.Cluster, v.BrokerID, v.Addr, number(v.StateVersion, "%d"), number(v.Timestamp, "%s"), number(v.Counter, "%s")}}
			})
			if err != nil {
				return err
			}
			return ended(c, answers, "there is no broker "+args[0])
		}),
	}
}

func (s *server) brokerVersions(ctx context.Context, name string) (all []brokerVersion, err error) {
	set, err := s.brokerSet(ctx, name)
	if err != nil {
		return nil, err
	}
	ours := codec.DataVersion{}.AppendJSON(nil)
	for _, cluster := range set.Clusters {
		for _, m := range set.Members {
			ext := fields("brokerName", name, "brokerAddr", m.Addr, "clusterName", cluster, "brokerId", strconv.FormatInt(m.BrokerID, 10))
			reply, err := s.call(ctx, codec.ReqQueryDataVersion, ext, ours)
			if err != nil {
				return nil, err
			}
			v := brokerVersion{Broker: name, Cluster: cluster, BrokerID: m.BrokerID, Addr: m.Addr}
			d, null, err := codec.DecodeDataVersion(reply.Body, 0)
			if err != nil {
				return nil, badAnswer(err)
			}
			if !null {
				at := time.UnixMilli(d.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z")
				v.StateVersion, v.Timestamp = &d.StateVersion, &at
				if !d.NoCounter {
					counter := strconv.FormatInt(d.Counter, 10)
					v.Counter = &counter
				}
			}
			all = append(all, v)
		}
	}
	return all, nil
}

// brokerPerm makes the commands that take write permission away and give it back.
func (c *ctl) brokerPerm(wipe bool) *cobra.Command {
	code, count := codec.ReqAddWritePermOfBroker, "addTopicCount"
	cmd := &cobra.Command{
		Use:   "add-write BROKER",
		Short: "Let producers write to a broker again",
		Long: "Let producers write to a broker again: all of its topics may be written (ADD_WRITE_PERM_OF_BROKER, which name servers know\n" +
			"from 4.9.2 on).",
		Example: "  nsctl broker add-write broker-a",
	}
	if wipe {
		code, count = codec.ReqWipeWritePermOfBroker, "wipeTopicCount"
		cmd.Use, cmd.Short = "wipe-write BROKER", "Let producers write to a broker no more, before it is taken out"
		cmd.Long = "Let producers write to a broker no more, before it is taken out: none of its topics may be written\n" +
			"(WIPE_WRITE_PERM_OF_BROKER). A broker that changes one of its topics gets the permission back."
		cmd.Example = "  nsctl broker wipe-write broker-a"
	}
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = c.complete(0, askBrokers)
	cmd.RunE = c.writes(func(ctx context.Context, args []string) error {
		name := args[0]
		ask := "give back the permission to write to broker "
		if wipe {
			ask = "take away the permission to write to broker "
		}
		return changeAll(ctx, c, &change{
			missing: "there is no broker " + name, ask: ask + name, name: "broker",
			look: func(ctx context.Context, s *server) ([]state, error) { return s.perm(ctx, name, code) },
			apply: func(ctx context.Context, s *server, _ []state) error {
				reply, err := s.call(ctx, code, fields("brokerName", name), nil)
				if err != nil {
					return err
				}
				if n, ok := reply.Ext.Int32(count); !ok || n == 0 {
					return &refusedError{"it has changed no topic"}
				}
				return nil
			},
		})
	})
	return cmd
}

// perm returns the permissions of a broker: that of the topic named like it, which each
// broker registers. One that does not is shown without.
func (s *server) perm(ctx context.Context, name string, code codec.RequestCode) ([]state, error) {
	if _, err := s.brokerSet(ctx, name); err != nil {
		return nil, err
	}
	if err := s.knows(code); err != nil {
		return nil, err
	}
	st := state{name: name}
	route, err := s.route(ctx, name)
	if _, none := err.(missingError); none {
		return []state{st}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, q := range route.QueueDatas {
		if q.BrokerName == name {
			st.value, st.there = permText(q.Perm), true
		}
	}
	return []state{st}, nil
}

// permText returns a permission as Java does, with its number: 6 RW-.
// Java: PermName#perm2String.
func permText(perm int32) string {
	text := []byte("---")
	for i, bit := range []int32{4, 2, 1} {
		if perm&bit != 0 {
			text[i] = "RWX"[i]
		}
	}
	return fmt.Sprintf("%d %s", perm, text)
}

func (c *ctl) brokerUnregister() *cobra.Command {
	id := int64(-1)
	cmd := &cobra.Command{
		Use:   "unregister BROKER",
		Short: "Forget a broker set, or one member of it",
		Long: "Forget a broker set, or one member of it, as if it had said goodbye (UNREGISTER_BROKER): for a broker that is gone and still\n" +
			"routed. One that lives is back with its next registration, half a minute later.",
		Example:           "  nsctl broker unregister broker-b --id 1",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.complete(0, askBrokers),
		RunE: c.writes(func(ctx context.Context, args []string) error {
			name := args[0]
			what := "broker " + name
			if id >= 0 {
				what = fmt.Sprintf("broker %s with ID %d", name, id)
			}
			wanted := func(set *brokerSet) (all []state) {
				for _, m := range set.Members {
					if id < 0 || m.BrokerID == id {
						all = append(all, state{name: name + " " + m.text(), value: "registered", there: true})
					}
				}
				return all
			}
			return changeAll(ctx, c, &change{
				missing: "there is no " + what, ask: "forget " + what, name: "broker", gone: true, late: true,
				look: func(ctx context.Context, s *server) ([]state, error) {
					set, err := s.brokerSet(ctx, name)
					if err != nil {
						return nil, err
					}
					if all := wanted(set); len(all) > 0 {
						return all, nil
					}
					return nil, missingError{}
				},
				apply: func(ctx context.Context, s *server, before []state) error {
					set, err := s.brokerSet(ctx, name)
					if err != nil {
						return err
					}
					for _, in := range set.Clusters {
						for _, m := range set.Members {
							if id >= 0 && m.BrokerID != id {
								continue
							}
							ext := fields("brokerName", name, "brokerAddr", m.Addr, "clusterName", in, "brokerId", strconv.FormatInt(m.BrokerID, 10))
							if _, err := s.call(ctx, codec.ReqUnregisterBroker, ext, nil); err != nil {
								return err
							}
						}
					}
					return nil
				},
				done: func(_, after []state) error {
					if len(after) > 0 {
						return &refusedError{"it is still registered"}
					}
					return nil
				},
			})
		}),
	}
	cmd.Flags().Int64Var(&id, "id", -1, "only the member with this ID; 0 is the master")
	return cmd
}
