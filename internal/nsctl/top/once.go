package top

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/goccy/go-json"
)

// A Look is one picture of a server.
type Look struct {
	Server string          `json:"server"`
	Status json.RawMessage `json:"status"` // of /v1/status
	Items  json.RawMessage `json:"items"`  // of the table, as the API has them; null for queues, which are in status

	status status
	data   data
	events []event
}

// LookAt asks a server once.
func LookAt(ctx context.Context, s *Server, tabName string) (l Look, err error) {
	t := tabOf(tabName)
	l.Server = s.Name
	if l.Status, err = read(ctx, s, "/v1/status", nil, &l.status); err != nil {
		return l, err
	}
	switch t {
	case tabBrokers:
		all := []json.RawMessage{}
		err = eachPage(ctx, s, func(items json.RawMessage) error {
			var raw []json.RawMessage
			var page []broker
			if err := json.Unmarshal(items, &raw); err != nil {
				return err
			}
			if err := json.Unmarshal(items, &page); err != nil {
				return err
			}
			all, l.data.brokers = append(all, raw...), append(l.data.brokers, page...)
			return nil
		})
		if err == nil {
			l.Items, err = json.Marshal(all)
		}
	case tabTopics, tabMissed:
		by := "topic"
		if t == tabMissed {
			by = "missedTopic"
		}
		l.Items, err = readItems(ctx, s, "/v1/top", url.Values{"by": {by}, "limit": {strconv.Itoa(mostHitters)}}, &l.data.hitters)
	case tabClients:
		l.Items, err = readItems(ctx, s, "/v1/connections", url.Values{"by": {"language,version"}}, &l.data.groups)
	case tabEvents:
		l.Items, err = readItems(ctx, s, "/v1/events", url.Values{"limit": {strconv.Itoa(firstEvents)}}, &l.events)
	case tabQueues:
		l.Items = json.RawMessage("null")
	}
	return l, err
}

// read asks for something, and returns it as it is too.
func read(ctx context.Context, s *Server, path string, query url.Values, v any) (json.RawMessage, error) {
	var raw []byte
	if err := s.Get(ctx, path, query, &raw); err != nil {
		return nil, err
	}
	return raw, json.Unmarshal(raw, v)
}

func readItems(ctx context.Context, s *Server, path string, query url.Values, v any) (json.RawMessage, error) {
	var page struct {
		Items json.RawMessage `json:"items"`
	}
	if _, err := read(ctx, s, path, query, &page); err != nil {
		return nil, err
	}
	return page.Items, json.Unmarshal(page.Items, v)
}

// A Table is columns and rows of texts, which are clean.
type Table struct {
	Columns []string
	Right   []bool // numbers
	Rows    [][]string
}

// Tables returns what the screen would show of the looks: a row for each server, and the table
// of the tab.
func Tables(looks []Look, o *Options) (servers, rows Table) {
	var p picture
	now := o.Now()
	servers = Table{
		Columns: []string{"server", "state", "up", "brokers", "topics", "conn", "req/s", "miss/s", "refused/s", "delay p99", "cpu", "rss", "budget", "fds", "queued"},
		Right:   append(make([]bool, 3), slices.Repeat([]bool{true}, 12)...),
	}
	for i := range looks {
		l := &looks[i]
		st := &l.status
		waiting := int64(0)
		for _, q := range st.Queues {
			waiting += q.Waiting
		}
		servers.Rows = append(servers.Rows, []string{
			o.Clean(l.Server), o.Clean(st.State), uptime(st.UptimeSeconds), brokersText(st), thousands(st.Topics.Count), thousands(st.Connections.Open),
			rate(st.Rates.Requests), rate(st.Rates.RouteMisses), rate(st.Rates.Refused), inMillis(st.LatencyMs.LoopDelay.P99), cpuText(st),
			optionalSize(st.Memory.RSS), budgetText(st), filesText(st), thousands(waiting),
		})
		p.servers = append(p.servers, server{name: l.Server, status: st, heard: now, up: true, tab: tabOf(o.Tab), data: &l.data})
		for _, e := range l.events {
			e.server = l.Server
			p.events = append(p.events, e)
		}
	}
	m := newModel(context.Background(), o)
	t := m.makeTable(&p, now)
	for i, c := range t.columns {
		if t.widths[i] > 0 {
			rows.Columns, rows.Right = append(rows.Columns, c.name), append(rows.Right, c.right)
		}
	}
	for _, r := range t.rows {
		var cells []string
		for i, c := range r.cells {
			if t.widths[i] > 0 {
				cells = append(cells, c.text)
			}
		}
		rows.Rows = append(rows.Rows, cells)
	}
	return servers, rows
}

func tabOf(name string) tab { return tab(max(0, slices.Index(tabNames[:], name))) }
