package nsctl

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-json"

	"gonamesrv/codec"
)

// What mqadmin asks brokers, and clusterList.

const (
	reqGetBrokerRuntimeInfo   codec.RequestCode = 28  // GET_BROKER_RUNTIME_INFO
	reqQueryTopicConsumeByWho codec.RequestCode = 300 // QUERY_TOPIC_CONSUME_BY_WHO
)

// brokersAtOnce is how many brokers are asked at the same time.
const brokersAtOnce = 32

var clusterListAlias = &alias{
	name: "clusterList", about: "List cluster infos.",
	flags: []aliasFlag{
		{short: "m", long: "moreStats", about: "Print more stats"},
		{short: "i", long: "interval", value: true, about: "specify intervals numbers, it is in seconds"},
		{short: "c", long: "clusterName", value: true, about: "which cluster"},
	},
	differs: "Brokers are asked for their version and their figures, as mqadmin does, all at once. One that does not answer has the row that\n" +
		"mqadmin prints for it, and is named on stderr: exit 5. The columns are those of 5.5.0. See also nsctl broker list.",
	run: func(ctx context.Context, c *ctl, in *aliasInput) error {
		every := time.Duration(0)
		if in.given["i"] {
			n, err := strconv.Atoi(in.text("i"))
			if err != nil || n < 1 || n > 86400 {
				return usage("-i is %q, must be a number of seconds", in.text("i"))
			}
			every = time.Duration(n) * time.Second
		}
		for {
			if err := c.clusterList(ctx, in.text("c"), *in.words["m"]); err != nil || every == 0 || !sleep(ctx, every) {
				return err
			}
		}
	},
}

// A memberRow is one broker of a cluster, and what it has answered.
type memberRow struct {
	cluster, broker string
	member          brokerMember
	stats           runtimeStats
	err             error
}

// clusterList prints the brokers of a cluster, or of all.
// Java: ClusterListSubCommand.
func (c *ctl) clusterList(ctx context.Context, cluster string, more bool) error {
	failed := false
	err := askOne(ctx, c, "", func(ctx context.Context, s *server) ([]*memberRow, error) {
		info, err := s.clusterInfo(ctx)
		if err != nil {
			return nil, err
		}
		s.close()
		rows := memberRows(info, cluster)
		askMembers(ctx, c, s.tls, rows)
		return rows, nil
	}, func(rows []*memberRow) error {
		for _, r := range rows {
			if r.err != nil {
				failed = true
				c.sayOf(clean(r.member.Addr), "broker %s with ID %d: %s", r.broker, r.member.BrokerID, errorText(r.err))
			}
		}
		return printMembers(c, rows, more)
	})
	if err == nil && failed {
		return &exitError{code: exitSome}
	}
	return err
}

// memberRows returns the brokers in the order in which they are printed. Java has clusters
// in the order of a hash table.
func memberRows(info *codec.ClusterInfo, cluster string) (rows []*memberRow) {
	sets := map[string][]codec.BrokerAddr{}
	for _, b := range info.BrokerAddrTable {
		sets[b.BrokerName] = b.BrokerAddrs
	}
	for _, cl := range info.ClusterAddrTable {
		if cluster != "" && cl.Cluster != cluster {
			continue
		}
		for _, name := range slices.Sorted(slices.Values(cl.BrokerNames)) {
			for _, m := range members(sets[name]) {
				rows = append(rows, &memberRow{cluster: cl.Cluster, broker: name, member: m})
			}
		}
	}
	return rows
}

// askMembers asks brokers for their figures.
func askMembers(ctx context.Context, c *ctl, secure *tls.Config, rows []*memberRow) {
	turn := make(chan struct{}, brokersAtOnce)
	var all sync.WaitGroup
	for _, r := range rows {
		turn <- struct{}{}
		all.Go(func() {
			s := &server{ctl: c, addr: r.member.Addr, tls: secure}
			defer func() {
				s.close()
				<-turn
			}()
			reply, err := s.call(ctx, reqGetBrokerRuntimeInfo, nil, nil)
			if err != nil {
				r.err = err
				return
			}
			var table struct{ Table map[string]string }
			r.err = badAnswer(json.Unmarshal(reply.Body, &table))
			r.stats = table.Table
		})
	}
	all.Wait()
}

const (
	memberHeader = "%-22s  %-22s  %-4s  %-22s %-16s  %16s  %30s  %-22s  %-11s  %-12s  %-8s  %-10s\n"
	memberLine   = "%-22s  %-22s  %-4d  %-22s %-16s  %16s  %30s  %-22s  %11s  %-12s  %-8s  %10s\n"
)

// printMembers prints the table of clusterList, that of -m with more.
// Java: ClusterListSubCommand#printClusterBaseInfo, #printClusterMoreStats.
func printMembers(c *ctl, rows []*memberRow, more bool) error {
	var b strings.Builder
	if more {
		fmt.Fprintf(&b, "%-16s  %-32s %14s %14s %14s %14s\n", "#Cluster Name", "#Broker Name", "#InTotalYest", "#OutTotalYest", "#InTotalToday", "#OutTotalToday")
	} else {
		fmt.Fprintf(&b, memberHeader, "#Cluster Name", "#Broker Name", "#BID", "#Addr", "#Version", "#InTPS(LOAD)", "#OutTPS(LOAD)",
			"#Timer(Progress)", "#PCWait(ms)", "#Hour", "#SPACE", "#ACTIVATED")
	}
	for _, r := range rows {
		cells := []any{clean(r.cluster), clean(r.broker)}
		if more {
			for _, n := range r.stats.totals() {
				cells = append(cells, n)
			}
			fmt.Fprintf(&b, "%-16s  %-32s %14d %14d %14d %14d\n", cells...)
			continue
		}
		cells = append(cells, r.member.BrokerID, clean(r.member.Addr))
		for _, text := range r.stats.columns(c.now()) {
			cells = append(cells, clean(text))
		}
		fmt.Fprintf(&b, memberLine, cells...)
	}
	_, err := fmt.Fprint(c.stdout, b.String())
	return err
}

// runtimeStats are the figures of a broker, as it has told them. A broker that has not
// answered has none.
type runtimeStats map[string]string

// text returns a figure as Java prints it.
func (r runtimeStats) text(key string) string {
	if text, ok := r[key]; ok {
		return text
	}
	return "null"
}

// totals returns how many messages went in and out yesterday, and today. Java gives up at
// the first figure that is none, and the rest are 0.
func (r runtimeStats) totals() [4]int64 {
	var n [6]int64
	var all [4]int64
	for i, key := range []string{"msgPutTotalTodayMorning", "msgPutTotalYesterdayMorning", "msgGetTotalTodayMorning", "msgGetTotalYesterdayMorning", "msgPutTotalTodayNow", "msgGetTotalTodayNow"} {
		var err error
		if n[i], err = strconv.ParseInt(r[key], 10, 64); err != nil {
			break
		}
		switch i {
		case 1:
			all[0] = n[0] - n[1]
		case 3:
			all[1] = n[2] - n[3]
		case 4:
			all[2] = n[4] - n[0]
		case 5:
			all[3] = n[5] - n[2]
		}
	}
	return all
}

// columns returns the columns of clusterList from the version on.
func (r runtimeStats) columns(now time.Time) []string {
	version, wait := "", ""
	var sends, sendWait, pulls, pullWait, acks, ackWait string
	var behind [3]int64 // read, offset, congested
	var tps [2]float64  // enqueued, dequeued
	if r != nil {
		sends, pulls, acks = r.text("sendThreadPoolQueueSize"), r.text("pullThreadPoolQueueSize"), "N"
		sendWait, pullWait, ackWait = r.text("sendThreadPoolQueueHeadWaitTimeMills"), r.text("pullThreadPoolQueueHeadWaitTimeMills"), "N"
		if text, ok := r["ackThreadPoolQueueSize"]; ok {
			acks = text
		}
		if text, ok := r["ackThreadPoolQueueHeadWaitTimeMills"]; ok {
			ackWait = text
		}
		version, wait = r.text("brokerVersionDesc"), r.text("pageCacheLockTimeMills")
		r.timer(&behind, &tps)
	}
	hour, space := 0.0, 0.0
	if earliest, err := strconv.ParseInt(r["earliestMessageTimeStamp"], 10, 64); err == nil {
		hour = float64(now.UnixMilli()-earliest) / 1000 / 60 / 60
	}
	space, _ = strconv.ParseFloat(strings.TrimSpace(r["commitLogDiskRatio"]), 64)
	return []string{
		version,
		fmt.Sprintf("%9s(%s,%sms)", javaFixed(r.firstOf("putTps"), 2), sends, sendWait),
		fmt.Sprintf("%9s(%s,%sms|%s,%sms)", javaFixed(r.firstOf("getTransferredTps"), 2), pulls, pullWait, acks, ackWait),
		fmt.Sprintf("%d-%d(%sw, %s, %s)", behind[0], behind[1], javaFixed(float64(float32(behind[2])/10000), 1), javaFixed(tps[0], 1), javaFixed(tps[1], 1)),
		wait,
		javaFixed(hour, 2),
		javaFixed(space, 4),
		strconv.FormatBool(strings.EqualFold(r["brokerActive"], "true")),
	}
}

// timer reads what a broker says of its timer. Java gives up at the first figure that is
// none, and the rest are 0.
func (r runtimeStats) timer(behind *[3]int64, tps *[2]float64) {
	for i, key := range []string{"timerReadBehind", "timerOffsetBehind", "timerCongestNum"} {
		n, err := strconv.ParseInt(r[key], 10, 64)
		if err != nil {
			return
		}
		behind[i] = n
	}
	for i, key := range []string{"timerEnqueueTps", "timerDequeueTps"} {
		f, err := strconv.ParseFloat(strings.TrimSpace(r[key]), 32)
		if err != nil {
			return
		}
		tps[i] = f
	}
}

// firstOf returns the first number of a figure that has several, 0 for none.
func (r runtimeStats) firstOf(key string) float64 {
	first, _, _ := strings.Cut(r[key], " ")
	f, _ := strconv.ParseFloat(first, 64)
	return f
}

// javaFixed returns a number as Java's format %.2f does: it rounds the shortest decimal that
// stands for it, and halves up, where Go rounds the number itself.
func javaFixed(f float64, digits int) string {
	n, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'f', -1, 64))
	if !ok { // infinite, or no number
		return strconv.FormatFloat(f, 'f', digits, 64)
	}
	return n.FloatString(digits)
}

// A consumers asks brokers which groups consume a topic. For one goroutine.
type consumers struct {
	*ctl
	tls     *tls.Config
	brokers map[string]*server // by address
	failed  map[string]error   // who is not asked again
}

func (q *consumers) close() {
	for _, s := range q.brokers {
		s.close()
	}
}

// of asks the first broker of a route for the groups. There are none if it does not answer,
// or does not know.
// Java: DefaultMQAdminExtImpl#queryTopicConsumeByWho.
func (q *consumers) of(ctx context.Context, topic string, route *codec.TopicRouteData) []string {
	for _, b := range route.BrokerDatas {
		if len(b.BrokerAddrs) == 0 {
			continue
		}
		addr := b.BrokerAddrs[0].Addr
		if q.failed[addr] != nil {
			return nil
		}
		s := q.brokers[addr]
		if s == nil {
			s = &server{ctl: q.ctl, addr: addr, tls: q.tls}
			q.brokers[addr] = s
		}
		reply, err := s.call(ctx, reqQueryTopicConsumeByWho, fields("topic", topic), nil)
		if _, unreached := err.(*unreachedError); unreached {
			s.close()
			q.failed[addr] = err
		}
		if err != nil {
			return nil
		}
		var list struct{ GroupList []string }
		if json.Unmarshal(reply.Body, &list) != nil {
			return nil
		}
		return slices.Compact(slices.Sorted(slices.Values(list.GroupList)))
	}
	return nil
}

// tell tells of the brokers that could not be asked, and reports whether there are any.
func (q *consumers) tell() bool {
	for _, addr := range slices.Sorted(maps.Keys(q.failed)) {
		q.sayOf(clean(addr), "%s", errorText(q.failed[addr]))
	}
	return len(q.failed) > 0
}
