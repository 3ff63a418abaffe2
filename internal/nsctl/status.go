package nsctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

// besideWithin bounds what is asked over HTTP for something that does without it.
const besideWithin = time.Second

// A serverStatus is a name server in one line. What is not known is null.
type serverStatus struct {
	Server        string   `json:"server"`
	State         string   `json:"state"` // starting, ready, notReady, draining; up: nobody says more; java; down
	Version       string   `json:"version"`
	UptimeSeconds *int64   `json:"uptimeSeconds"`
	Brokers       *int     `json:"brokers"`    // members of broker sets that it knows
	AllBrokers    int      `json:"allBrokers"` // that any of the servers knows
	Topics        *int     `json:"topics"`
	Requests      *float64 `json:"requestsPerSecond"`
	P99Millis     *float64 `json:"p99Ms"`
	Misses        []string `json:"misses"` // broker names with members that others know
	Error         string   `json:"error,omitempty"`

	members map[string]string // member to broker name; nil if not known
}

// newStatus makes `nsctl status`.
func (c *ctl) newStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show each name server in one line, and which of them lack brokers",
		Long: "Show each name server in one line, and which of them lack brokers that others have.\n\n" +
			"Brokers and topics are asked for over port 9876, so this works with Java's name servers. State, time since the start, rates and\n" +
			"latency come from the HTTP API of a gonamesrv, if it can be reached.",
		Example: "  nsctl -n 'ns1:9876;ns2:9876' status",
		Args:    cobra.NoArgs,
		RunE: c.reads(func(ctx context.Context, _ []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (serverStatus, error) { return s.status(ctx) })
			if err != nil {
				return err
			}
			return c.printStatus(answers)
		}),
	}
}

// status asks one name server.
func (s *server) status(ctx context.Context) (serverStatus, error) {
	st := serverStatus{Server: s.addr, Misses: []string{}}
	config, err := s.config(ctx)
	if _, unreached := err.(*unreachedError); unreached {
		return st, err
	}
	st.State, st.Version = "java", versionName(s.speaks)
	if err != nil {
		st.State = "up" // it does not tell everybody what it is
	}
	if release := config.release(); release != "" {
		st.State, st.Version = "up", release
	}
	info, err := s.clusterInfo(ctx)
	if err != nil {
		return st, err
	}
	st.members = map[string]string{}
	for i := range info.BrokerAddrTable {
		b := &info.BrokerAddrTable[i]
		for _, m := range b.BrokerAddrs {
			st.members[b.BrokerName+"\x00"+strconv.FormatInt(m.ID, 10)+"\x00"+m.Addr] = b.BrokerName
		}
	}
	n := len(st.members)
	st.Brokers = &n
	// A server may be told not to list its topics.
	if topics, err := s.topics(ctx, codec.ReqGetAllTopicListFromNameserver, nil, ""); err == nil {
		n := len(topics)
		st.Topics = &n
	} else if _, unreached := err.(*unreachedError); unreached {
		return st, err
	}
	if a := s.adminOf(s.addr, config); a != nil && st.State == "up" {
		st.fromAPI(ctx, a)
	}
	return st, nil
}

// fromAPI adds what the HTTP API tells, if it answers.
func (st *serverStatus) fromAPI(ctx context.Context, a *admin) {
	ctx, cancel := context.WithTimeout(ctx, besideWithin)
	defer cancel()
	var said struct {
		State         string
		UptimeSeconds int64
		Rates         struct{ Requests *float64 }
		LatencyMs     struct{ Request struct{ P99 *float64 } }
	}
	if a.get(ctx, "/v1/status", nil, &said) != nil || said.State == "" {
		return
	}
	st.State, st.UptimeSeconds = said.State, &said.UptimeSeconds
	st.Requests, st.P99Millis = said.Rates.Requests, said.LatencyMs.Request.P99
}

// printStatus prints the table, and below it who lacks what.
func (c *ctl) printStatus(answers []answer[serverStatus]) error {
	knows := map[string]string{} // members, and the first server that knows them
	for _, a := range answers {
		for m := range a.value.members {
			knows[m] = cmp.Or(knows[m], a.server)
		}
	}
	g := &grid{columns: []column{
		{name: "server"},
		{name: "state", paint: paintState},
		{name: "version", wide: true},
		{name: "up", right: true},
		{name: "brokers", right: true, paint: paintMark},
		{name: "topics", right: true},
		{name: "req/s", right: true},
		{name: "p99", right: true},
	}}
	all := []serverStatus{}
	var marks []string
	for _, a := range answers {
		st := a.value
		st.Server, st.AllBrokers = a.server, len(knows)
		if a.err != nil {
			st.State, st.Error, st.Misses = "down", errorText(a.err), []string{}
			if _, unreached := a.err.(*unreachedError); !unreached {
				st.State = "refuses"
			}
		}
		other := ""
		for m, first := range knows {
			if _, has := st.members[m]; st.members == nil || has {
				continue
			}
			name, _, _ := strings.Cut(m, "\x00")
			if !slices.Contains(st.Misses, name) {
				st.Misses = append(st.Misses, name)
			}
			other = first
		}
		slices.Sort(st.Misses)
		brokers := "–"
		if st.Brokers != nil {
			brokers = fmt.Sprintf("%d/%d", *st.Brokers, st.AllBrokers)
		}
		if len(st.Misses) > 0 {
			brokers += " !"
			marks = append(marks, fmt.Sprintf("! %s misses %s: nsctl diff %s %s", st.Server, clip(st.Misses), other, st.Server))
		}
		g.add(a.server, st.State, dashed(st.Version), uptime(st.UptimeSeconds), brokers, number(st.Topics, "%d"), number(st.Requests, "%.0f"), number(st.P99Millis, "%.3gms"))
		all = append(all, st)
	}
	if err := c.print(all, g); err != nil {
		return err
	}
	for _, m := range marks {
		fmt.Fprintln(c.stderr, clean(m))
	}
	return outcome(c, answers)
}

func paintState(state string) int {
	switch state {
	case "ready", "healthy":
		return green
	case "down", "refuses", "unhealthy":
		return red
	case "starting", "notReady", "draining":
		return yellow
	}
	return 0
}

func paintMark(cell string) int {
	if strings.HasSuffix(cell, "!") {
		return red
	}
	return 0
}
