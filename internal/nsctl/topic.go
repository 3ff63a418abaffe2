package nsctl

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

// A topicItem is one topic of a list.
type topicItem struct {
	Topic string `json:"topic"`
}

// A topicRoute is the route of a topic as a client is told it.
type topicRoute struct {
	Topic          string       `json:"topic"`
	OrderTopicConf *string      `json:"orderTopicConf"`
	Queues         []topicQueue `json:"queues"`
	Brokers        []brokerSet  `json:"brokers"`
}

// A topicQueue is what one broker set offers for a topic.
type topicQueue struct {
	Broker         string `json:"broker"`
	Cluster        string `json:"cluster"`
	ReadQueueNums  int32  `json:"readQueueNums"`
	WriteQueueNums int32  `json:"writeQueueNums"`
	Perm           int32  `json:"perm"`
	TopicSysFlag   int32  `json:"topicSysFlag"`
}

// newTopic makes `nsctl topic`.
func (c *ctl) newTopic() *cobra.Command {
	return group("topic", "Topics", c.topicList(), c.topicRoute(), c.topicClusters(), c.topicDelete(), c.topicRegister())
}

func (c *ctl) topicList() *cobra.Command {
	var cluster string
	var system, unit bool
	cmd := &cobra.Command{
		Use:               "list [PREFIX]",
		Short:             "List topics, all or those that begin with PREFIX",
		Example:           "  nsctl topic list\n  nsctl topic list %RETRY% --cluster DefaultCluster\n  nsctl topic list --system",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.complete(0, askTopics),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			code, ext := codec.ReqGetAllTopicListFromNameserver, codec.ExtFields(nil)
			switch {
			case system:
				code = codec.ReqGetSystemTopicListFromNS
			case unit:
				code = codec.ReqGetUnitTopicList
			case cluster != "":
				code, ext = codec.ReqGetTopicsByCluster, fields("cluster", cluster)
			}
			prefix := strings.Join(args, "")
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]topicItem, error) {
				names, err := s.topics(ctx, code, ext, prefix)
				items := make([]topicItem, len(names))
				for i, name := range names {
					items[i].Topic = name
				}
				return items, err
			})
			if err != nil {
				return err
			}
			if err := printLists(c, answers, []column{{name: "topic"}}, func(i topicItem) [][]any { return [][]any{{i.Topic}} }); err != nil {
				return err
			}
			return outcome(c, answers)
		}),
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "only those of this cluster")
	cmd.Flags().BoolVar(&system, "system", false, "only those that RocketMQ itself uses, and the names of clusters and brokers")
	cmd.Flags().BoolVar(&unit, "unit", false, "only those of units")
	cmd.MarkFlagsMutuallyExclusive("cluster", "system", "unit")
	completes(cmd, "cluster", c.complete(-1, askClusters))
	return cmd
}

func (c *ctl) topicRoute() *cobra.Command {
	var version, zone string
	var raw bool
	cmd := &cobra.Command{
		Use:   "route TOPIC",
		Short: "Show the route of a topic, as a client is told it: exit 1 if there is none",
		Example: "  nsctl topic route ORDERS\n  nsctl topic route ORDERS --as-client-version V4_9_3 --raw\n" +
			"  nsctl topic route ORDERS --zone zone-1",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.complete(0, askTopics),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			request := codec.Command{Code: codec.ReqGetRouteInfoByTopic, Version: codec.Version, Ext: fields("topic", args[0])}
			if version != "" {
				v, ok := versionByName(version)
				if !ok {
					return usage("--as-client-version is %q, must be a version of Java's client, as V4_9_4 or 4.9.4, or its number", version)
				}
				request.Version = v
			}
			if zone != "" {
				request.Ext = append(request.Ext, fields("__ZONE_MODE", "true", "__ZONE_NAME", zone)...)
			}
			if addrs, err := c.addresses(); raw && err == nil && len(addrs) > 1 {
				return usage("--raw is for one name server")
			}
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]topicRoute, error) {
				ask := request
				reply, err := s.ask(ctx, &ask)
				if err != nil {
					return nil, err
				}
				switch code := codec.ResponseCode(reply.Code); code {
				case codec.RespSuccess:
				case codec.RespTopicNotExist:
					return nil, missingError{}
				default:
					return nil, &client.ReplyError{Code: code, Remark: string(reply.Remark)}
				}
				if raw {
					_, err := c.stdout.Write(reply.Body)
					return nil, err
				}
				route, err := decodeRoute(reply.Body)
				if err != nil {
					return nil, err
				}
				return []topicRoute{shownRoute(args[0], route)}, nil
			})
			if err != nil {
				return err
			}
			if !raw {
				columns := []column{
					{name: "broker"},
					{name: "cluster"},
					{name: "read", right: true},
					{name: "write", right: true},
					{name: "perm"},
					{name: "flag", right: true, wide: true},
					{name: "zone", wide: true},
					{name: "order", wide: true},
					{name: "members"},
				}
				if err := printLists(c, answers, columns, routeRows); err != nil {
					return err
				}
			}
			return ended(c, answers, "topic "+args[0]+" is not routed")
		}),
	}
	cmd.Flags().StringVar(&version, "as-client-version", "", "ask as a client of this version, as V4_9_3")
	cmd.Flags().StringVar(&zone, "zone", "", "ask as a client in this zone")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the bytes of the answer's body and nothing else")
	return cmd
}

// shownRoute returns a route as it is shown.
func shownRoute(topic string, r *codec.TopicRouteData) topicRoute {
	shown := topicRoute{Topic: topic, Queues: []topicQueue{}, Brokers: []brokerSet{}}
	if r.HasOrderTopicConf {
		shown.OrderTopicConf = &r.OrderTopicConf
	}
	cluster := map[string]string{}
	for i := range r.BrokerDatas {
		b := &r.BrokerDatas[i]
		cluster[b.BrokerName] = b.Cluster
		shown.Brokers = append(shown.Brokers, brokerSet{
			Broker: b.BrokerName, Clusters: []string{b.Cluster}, Zone: b.ZoneName, EnableActingMaster: b.EnableActingMaster, Members: members(b.BrokerAddrs),
		})
	}
	for _, q := range r.QueueDatas {
		shown.Queues = append(shown.Queues, topicQueue{q.BrokerName, cluster[q.BrokerName], q.ReadQueueNums, q.WriteQueueNums, q.Perm, q.TopicSysFlag})
	}
	slices.SortStableFunc(shown.Queues, func(a, b topicQueue) int { return strings.Compare(a.Broker, b.Broker) })
	slices.SortStableFunc(shown.Brokers, func(a, b brokerSet) int { return strings.Compare(a.Broker, b.Broker) })
	return shown
}

func routeRows(r topicRoute) (rows [][]any) {
	order := "–"
	if r.OrderTopicConf != nil {
		order = *r.OrderTopicConf
	}
	for _, q := range r.Queues {
		zone, listed := "–", []string{}
		for _, b := range r.Brokers {
			if b.Broker == q.Broker {
				zone = dashed(b.Zone)
				for _, m := range b.Members {
					listed = append(listed, m.text())
				}
			}
		}
		rows = append(rows, []any{
			q.Broker, dashed(q.Cluster), q.ReadQueueNums, q.WriteQueueNums, permText(q.Perm), q.TopicSysFlag, zone, order, dashed(strings.Join(listed, " ")),
		})
	}
	return rows
}

// versionByName returns the number of a version that has a name in Java, or that is one.
// Java: MQVersion.Version.
func versionByName(text string) (int32, bool) {
	if n, err := strconv.ParseInt(text, 10, 16); err == nil && n >= 0 {
		return int32(n), true
	}
	name := "V" + strings.ReplaceAll(strings.TrimPrefix(strings.ToUpper(text), "V"), ".", "_")
	for v := range codec.HigherVersion {
		if known, _ := codec.VersionName(int32(v)); known == name {
			return int32(v), true
		}
	}
	return 0, false
}

func (c *ctl) topicClusters() *cobra.Command {
	return &cobra.Command{
		Use:               "clusters TOPIC",
		Short:             "List the clusters that a topic is in",
		Example:           "  nsctl topic clusters ORDERS",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.complete(0, askTopics),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			type item struct {
				Cluster string   `json:"cluster"`
				Brokers []string `json:"brokers"` // of this topic
			}
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) ([]item, error) {
				route, err := s.route(ctx, args[0])
				if err != nil {
					return nil, err
				}
				// The clusters are those of the table of clusters, as mqadmin topicClusterList
				// has them: a broker set may be in more than the one that its route says.
				info, err := s.clusterInfo(ctx)
				if err != nil {
					return nil, err
				}
				var items []item
				for _, cl := range info.ClusterAddrTable {
					i := item{Cluster: cl.Cluster}
					for _, b := range route.BrokerDatas {
						if slices.Contains(cl.BrokerNames, b.BrokerName) {
							i.Brokers = append(i.Brokers, b.BrokerName)
						}
					}
					if slices.Sort(i.Brokers); i.Brokers != nil {
						items = append(items, i)
					}
				}
				return items, nil
			})
			if err != nil {
				return err
			}
			err = printLists(c, answers, []column{{name: "cluster"}, {name: "brokers"}}, func(i item) [][]any {
				return [][]any{{i.Cluster, strings.Join(i.Brokers, ",")}}
			})
			if err != nil {
				return err
			}
			return ended(c, answers, "topic "+args[0]+" is not routed")
		}),
	}
}

// queueStates returns what each broker offers for a topic.
func (s *server) queueStates(ctx context.Context, topic, cluster string) ([]state, error) {
	route, err := s.route(ctx, topic)
	if err != nil {
		return nil, err
	}
	in := map[string]string{}
	for _, b := range route.BrokerDatas {
		in[b.BrokerName] = b.Cluster
	}
	var all []state
	for _, q := range route.QueueDatas {
		if cluster == "" || in[q.BrokerName] == cluster {
			text := fmt.Sprintf("%d/%d %s", q.ReadQueueNums, q.WriteQueueNums, permText(q.Perm))
			all = append(all, state{name: q.BrokerName, value: text, there: true})
		}
	}
	if len(all) == 0 {
		return nil, missingError{}
	}
	return all, nil
}

func (c *ctl) topicDelete() *cobra.Command {
	var cluster string
	cmd := &cobra.Command{
		Use:   "delete TOPIC",
		Short: "Forget a topic",
		Long: "Forget a topic (DELETE_TOPIC_IN_NAMESRV). Brokers are not told: one that still has the topic brings it back with its next\n" +
			"registration. mqadmin deleteTopic tells them.",
		Example:           "  nsctl topic delete OLD_ORDERS --cluster c1",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.complete(0, askTopics),
		RunE: c.writes(func(ctx context.Context, args []string) error {
			topic := args[0]
			what := "topic " + topic
			if cluster != "" {
				what += " in cluster " + cluster
			}
			return changeAll(ctx, c, &change{
				missing: "there is no " + what, ask: "forget " + what, name: "broker", gone: true,
				look: func(ctx context.Context, s *server) ([]state, error) {
					all, err := s.queueStates(ctx, topic, cluster)
					if err == nil && cluster != "" && s.speaks > 0 && s.speaks < codec.V5_0_0 { // it would forget the topic in all clusters
						return nil, &refusedError{"this name server is " + versionName(s.speaks) + ", and --cluster came with 5.0.0"}
					}
					return all, err
				},
				apply: func(ctx context.Context, s *server, _ []state) error {
					ext := fields("topic", topic)
					if cluster != "" {
						ext = append(ext, fields("clusterName", cluster)...)
					}
					_, err := s.call(ctx, codec.ReqDeleteTopicInNamesrv, ext, nil)
					return err
				},
				done: func(_, after []state) error {
					if len(after) > 0 {
						return &refusedError{"the topic is still routed"}
					}
					return nil
				},
			})
		}),
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "only the share of this cluster")
	completes(cmd, "cluster", c.complete(-1, askClusters))
	return cmd
}

var queueSyntax = regexp.MustCompile(`^(.+):(\d{1,9})/(\d{1,9})/(\d{1,9})(?:/(\d{1,9}))?$`)

// parseQueues reads BROKER:READ/WRITE/PERM[/FLAG].
func parseQueues(text string) (q codec.QueueData, err error) {
	m := queueSyntax.FindStringSubmatch(text)
	if m == nil {
		return q, usage("%q is not BROKER:READ/WRITE/PERM or BROKER:READ/WRITE/PERM/FLAG, as broker-a:8/8/6", text)
	}
	q.BrokerName = m[1]
	for i, to := range []*int32{&q.ReadQueueNums, &q.WriteQueueNums, &q.Perm, &q.TopicSysFlag} {
		n, _ := strconv.Atoi("0" + m[i+2])
		*to = int32(n)
	}
	return q, nil
}

func (c *ctl) topicRegister() *cobra.Command {
	return &cobra.Command{
		Use:   "register TOPIC BROKER:READ/WRITE/PERM...",
		Short: "Say what brokers offer for a topic, in their place",
		Long: "Say what brokers offer for a topic, in their place (REGISTER_TOPIC_IN_NAMESRV, which name servers know from 5.0.0 on): how many\n" +
			"queues to read and to write, and the permission, 6 for both. A broker that does not have the topic refuses those who come.",
		Example: "  nsctl topic register ORDERS broker-a:8/8/6 broker-b:8/8/6",
		Args:    cobra.MinimumNArgs(2),
		ValidArgsFunction: either(c.complete(0, askTopics), func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			names, _ := c.complete(-1, askBrokers)(cmd, args, typed)
			for i := range names {
				names[i] += ":"
			}
			return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}),
		RunE: c.writes(func(ctx context.Context, args []string) error {
			topic := args[0]
			var data codec.TopicRouteData
			for _, arg := range args[1:] {
				q, err := parseQueues(arg)
				if err != nil {
					return err
				}
				data.QueueDatas = append(data.QueueDatas, q)
			}
			body := data.AppendJSON(nil, codec.DialectStrict)
			return changeAll(ctx, c, &change{
				missing: "not all of these brokers are", ask: "register topic " + topic, name: "broker",
				look: func(ctx context.Context, s *server) ([]state, error) {
					info, err := s.clusterInfo(ctx)
					if err != nil {
						return nil, err
					}
					if err := s.knows(codec.ReqRegisterTopicInNamesrv); err != nil {
						return nil, err
					}
					for _, q := range data.QueueDatas {
						if !slices.ContainsFunc(info.BrokerAddrTable, func(b codec.BrokerData) bool { return b.BrokerName == q.BrokerName }) {
							return nil, missingError{}
						}
					}
					all, err := s.queueStates(ctx, topic, "")
					if _, none := err.(missingError); none {
						err = nil
					}
					for _, q := range data.QueueDatas {
						if !slices.ContainsFunc(all, func(st state) bool { return st.name == q.BrokerName }) {
							all = append(all, state{name: q.BrokerName})
						}
					}
					return all, err
				},
				apply: func(ctx context.Context, s *server, _ []state) error {
					_, err := s.call(ctx, codec.ReqRegisterTopicInNamesrv, fields("topic", topic), body)
					return err
				},
				done: func(_, after []state) error {
					for _, q := range data.QueueDatas {
						want := fmt.Sprintf("%d/%d %s", q.ReadQueueNums, q.WriteQueueNums, permText(q.Perm))
						if !slices.ContainsFunc(after, func(st state) bool { return st.name == q.BrokerName && st.value == want }) {
							return &refusedError{"it has not taken what was said of " + q.BrokerName}
						}
					}
					return nil
				},
			})
		}),
	}
}
