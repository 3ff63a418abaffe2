package nsctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// Commands of mqadmin about topics.

var topicFlag = aliasFlag{short: "t", long: "topic", value: true, needed: true, about: "topic name"}

var deleteTopicAlias = &alias{
	name: "deleteTopic", about: "Delete topic from broker and NameServer.",
	flags:   []aliasFlag{topicFlag, {short: "c", long: "clusterName", value: true, needed: true, about: "delete topic from which cluster"}},
	differs: "It is not here, because mqadmin deletes the topic and its messages on brokers too.",
	run: func(_ context.Context, _ *ctl, in *aliasInput) error {
		return usage("mqadmin deleteTopic deletes on brokers, too: use RocketMQ's mqadmin. For name servers alone: nsctl topic delete %s --cluster %s",
			clean(in.text("t")), clean(in.text("c")))
	},
}

var topicListAlias = &alias{
	name: "topicList", about: "Fetch all topic list from name server.",
	flags: []aliasFlag{{short: "c", long: "clusterModel", about: "clusterModel"}},
	differs: "In ascending order; mqadmin has the order of a hash table. With -c a broker of each topic is asked for its consumer groups, as\n" +
		"mqadmin does. See also nsctl topic list.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		if !*in.words["c"] {
			return askOne(ctx, c, "", allTopics, func(names []string) error {
				var b strings.Builder
				for _, name := range names {
					b.WriteString(clean(name) + "\n")
				}
				_, err := fmt.Fprint(c.stdout, b.String())
				return err
			})
		}
		return c.topicGroups(ctx)
	},
}

func allTopics(ctx context.Context, s *server) ([]string, error) {
	return s.topics(ctx, codec.ReqGetAllTopicListFromNameserver, nil, "")
}

// topicGroups prints topics with their cluster and their consumer groups.
// Java: TopicListSubCommand.
func (c *ctl) topicGroups(ctx context.Context) error {
	unasked := false
	err := askOne(ctx, c, "", func(ctx context.Context, s *server) (string, error) {
		info, err := s.clusterInfo(ctx)
		if err != nil {
			return "", err
		}
		names, err := allTopics(ctx, s)
		if err != nil {
			return "", err
		}
		brokers := &consumers{ctl: c, tls: s.tls, brokers: map[string]*server{}, failed: map[string]error{}}
		defer brokers.close()
		var b strings.Builder
		fmt.Fprintf(&b, "%-20s  %-48s  %-48s\n", "#Cluster Name", "#Topic", "#Consumer Group")
		for _, name := range names {
			if strings.HasPrefix(name, "%RETRY%") || strings.HasPrefix(name, "%DLQ%") {
				continue
			}
			cluster, groups := "", []string(nil)
			switch route, err := s.route(ctx, name); {
			case err == nil && len(route.BrokerDatas) > 0:
				cluster = cmp.Or(firstCluster(info, route.BrokerDatas[0].BrokerName), "null")
				groups = brokers.of(ctx, name, route)
			case err != nil && err != error(missingError{}):
				return "", err
			}
			if len(groups) == 0 {
				groups = []string{""}
			}
			for _, group := range groups {
				fmt.Fprintf(&b, "%-20s  %-64s  %-64s\n", front(cluster, 20), front(name, 64), front(group, 64))
			}
		}
		unasked = brokers.tell()
		return b.String(), nil
	}, func(text string) error {
		_, err := fmt.Fprint(c.stdout, text)
		return err
	})
	if err == nil && unasked {
		return &exitError{code: exitSome}
	}
	return err
}

// front returns at most so many characters of a text.
// Java: UtilAll#frontStringAtLeast.
func front(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most])
	}
	return clean(text)
}

// clustersOf returns the clusters that a broker is in.
func clustersOf(info *codec.ClusterInfo, broker string) (names []string) {
	for _, cl := range info.ClusterAddrTable {
		if slices.Contains(cl.BrokerNames, broker) {
			names = append(names, cl.Cluster)
		}
	}
	return names
}

func firstCluster(info *codec.ClusterInfo, broker string) string {
	if names := clustersOf(info, broker); len(names) > 0 {
		return names[0]
	}
	return ""
}

var topicClusterListAlias = &alias{
	name: "topicClusterList", about: "Get cluster info for topic.",
	flags:   []aliasFlag{topicFlag},
	differs: "As with mqadmin these are the clusters of one of its brokers. nsctl topic clusters has those of all.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		topic := in.text("t")
		return askOne(ctx, c, "topic "+topic+" is not routed", func(ctx context.Context, s *server) ([]string, error) {
			info, err := s.clusterInfo(ctx)
			if err != nil {
				return nil, err
			}
			route, err := s.route(ctx, topic)
			if err != nil {
				return nil, err
			}
			if len(route.BrokerDatas) == 0 {
				return nil, missingError{}
			}
			return clustersOf(info, route.BrokerDatas[0].BrokerName), nil
		}, func(names []string) error {
			for _, name := range names {
				if _, err := fmt.Fprintln(c.stdout, clean(name)); err != nil {
					return err
				}
			}
			return nil
		})
	},
}

var topicRouteAlias = &alias{
	name: "topicRoute", about: "Examine topic route info.",
	flags:   []aliasFlag{topicFlag, {short: "l", long: "list", about: "Use list format to print data"}},
	differs: "See also nsctl topic route.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		topic := in.text("t")
		return askOne(ctx, c, "topic "+topic+" is not routed", func(ctx context.Context, s *server) (*codec.TopicRouteData, error) {
			return s.route(ctx, topic)
		}, func(route *codec.TopicRouteData) error {
			text := routeJSON(route)
			if *in.words["l"] {
				text = routeList(route)
			}
			_, err := fmt.Fprint(c.stdout, text)
			return err
		})
	},
}

// routeList returns a route as the table of topicRoute -l.
// Java: TopicRouteSubCommand#printData.
func routeList(route *codec.TopicRouteData) string {
	const line = "%-45s %-32s %-50s %-10s %-11s %-5s\n"
	var b strings.Builder
	fmt.Fprintf(&b, line, "#ClusterName", "#BrokerName", "#BrokerAddrs", "#ReadQueue", "#WriteQueue", "#Perm")
	queues := map[string]codec.QueueData{}
	for _, q := range route.QueueDatas {
		queues[q.BrokerName] = q
	}
	var reads, writes int32
	for _, d := range route.BrokerDatas {
		var addrs []string
		for _, a := range d.BrokerAddrs {
			addrs = append(addrs, fmt.Sprintf("%d=%s", a.ID, clean(a.Addr)))
		}
		q := queues[d.BrokerName]
		reads, writes = reads+q.ReadQueueNums, writes+q.WriteQueueNums
		fmt.Fprintf(&b, line, clean(d.Cluster), clean(d.BrokerName), "{"+strings.Join(addrs, ", ")+"}",
			fmt.Sprint(q.ReadQueueNums), fmt.Sprint(q.WriteQueueNums), fmt.Sprint(q.Perm))
	}
	b.WriteString(strings.Repeat("-", 158) + "\n")
	fmt.Fprintf(&b, line, "Total:", fmt.Sprint(len(queues)), "", fmt.Sprint(reads), fmt.Sprint(writes), "")
	return b.String()
}

var updateOrderConfAlias = &alias{
	name: "updateOrderConf", about: "Create or update or delete order conf.",
	flags: []aliasFlag{
		topicFlag,
		{short: "v", long: "orderConf", value: true, about: "set order conf [eg. brokerName1:num;brokerName2:num]"},
		{short: "m", long: "method", value: true, needed: true, about: "option type [eg. put|get|delete"},
	},
	differs: "What clients cannot read is refused. See also nsctl order.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		topic, conf := in.text("t"), in.text("v")
		missing := "there is no key " + topic + " in namespace " + orderNamespace
		switch in.text("m") {
		case "get":
			return askOne(ctx, c, missing, func(ctx context.Context, s *server) (string, error) {
				return s.kv(ctx, orderNamespace, topic)
			}, func(conf string) error {
				_, err := fmt.Fprintf(c.stdout, "get orderConf success. topic=[%s], orderConf=[%s] ", clean(topic), clean(conf))
				return err
			})
		case "put":
			if strings.TrimSpace(conf) == "" {
				return usage("please set orderConf with option -v.")
			}
			if err := checkOrder(conf); err != nil {
				return err
			}
			done := fmt.Sprintf("update orderConf success. topic=[%s], orderConf=[%s]", clean(topic), clean(conf))
			return writeAll(ctx, c, "", done, func(ctx context.Context, s *server) error {
				return s.putKV(ctx, orderNamespace, topic, conf)
			})
		case "delete":
			return writeAll(ctx, c, missing, fmt.Sprintf("delete orderConf success. topic=[%s]", clean(topic)), func(ctx context.Context, s *server) error {
				return s.deleteKV(ctx, orderNamespace, topic)
			})
		}
		return in.alias.wrong(c, fmt.Sprintf("-m is %q, must be put, get or delete", in.text("m")))
	},
}
