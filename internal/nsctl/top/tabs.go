package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A tab is one of the tables.
type tab int

const (
	tabBrokers tab = iota
	tabTopics
	tabMissed
	tabClients
	tabEvents
	tabQueues
	tabs
)

// tabNames are how tabs are called on the command line.
var tabNames = [tabs]string{"brokers", "topics", "missed", "clients", "events", "queues"}

// A kind is what a tab shows.
type kind struct {
	key     string
	label   string // with its key in brackets
	about   string // what a row is about
	columns []column
	order   order // at first
	fill    func(b *builder, p *picture)
}

var hitterColumns = []column{{name: "SERVER", drop: 1}, {name: "TOPIC"}, {name: "COUNT", right: true}, {name: "±ERROR", right: true, drop: 2}}

// kinds has one for each tab. Its key is q for no tab: that ends.
var kinds = [tabs]kind{
	{"b", "[b]rokers", "BROKER", []column{
		{name: "SERVER", drop: 1},
		{name: "CLUSTER", drop: 5},
		{name: "BROKER"},
		{name: "ID", right: true},
		{name: "ADDR", drop: 3},
		{name: "ROLE", drop: 7},
		{name: "STATE"},
		{name: "AGE", right: true, drop: 2},
		{name: "TIMEOUT", right: true, drop: 6},
		{name: "TOPICS", right: true, drop: 4},
		{name: "VERSION", drop: 9},
		{name: "SINCE", drop: 8},
	}, order{column: 1}, fillBrokers},
	{"t", "[t]opics", "TOPIC", hitterColumns, order{2, true}, fillHitters},
	{"m", "[m]issed", "TOPIC", hitterColumns, order{2, true}, fillHitters},
	{"c", "[c]lients", "CLIENT", []column{
		{name: "SERVER", drop: 1}, {name: "LANGUAGE"}, {name: "VERSION"}, {name: "TRANSPORT", drop: 2}, {name: "COUNT", right: true},
	}, order{4, true}, fillClients},
	{"e", "[e]vents", "EVENT", []column{
		{name: "TIME"}, {name: "SERVER", drop: 2}, {name: "EVENT"}, {name: "CLUSTER", drop: 4}, {name: "BROKER", drop: 1}, {name: "ADDR", drop: 3}, {name: "WHAT", drop: 5},
	}, order{0, true}, fillEvents},
	{"u", "q[u]eues", "QUEUE", []column{
		{name: "SERVER", drop: 1}, {name: "QUEUE"}, {name: "WAITING", right: true}, {name: "CAPACITY", right: true, drop: 2}, {name: "REJECTED", right: true},
	}, order{2, true}, fillQueues},
}

// A builder gathers rows.
type builder struct {
	clean func(string) string
	now   time.Time
	tab   tab
	rows  []row
}

func (b *builder) text(s string) cell {
	if s == "" {
		s = "–"
	}
	return cell{text: b.clean(s)}
}

func (b *builder) optional(s *string) cell {
	if s == nil {
		return cell{text: "–"}
	}
	return b.text(*s)
}

func count(n int64) cell { return cell{text: thousands(n), number: float64(n), sorts: true} }

// millis shows a duration, which may not be known.
func millis(ms *int64) cell {
	if ms == nil {
		return cell{text: "–", sorts: true, number: -1}
	}
	return cell{text: seconds(*ms), number: float64(*ms), sorts: true}
}

// moment shows a time, which may not be known.
func (b *builder) moment(t *time.Time) cell {
	if t == nil {
		return cell{text: "–", sorts: true}
	}
	return cell{text: clock(*t, b.now), number: float64(t.UnixMilli()), sorts: true}
}

// table returns what is known of a server for the tab, nil if nothing is.
func (b *builder) table(s *server) *data {
	if s.tab != b.tab {
		return nil
	}
	return s.data
}

func fillBrokers(b *builder, p *picture) {
	for i := range p.servers {
		s := &p.servers[i]
		d := b.table(s)
		if d == nil {
			continue
		}
		for j := range d.brokers {
			br := &d.brokers[j]
			for k := range br.Members {
				mb := &br.Members[k]
				r := row{
					key: strconv.Itoa(i) + "\x00" + br.Broker + "\x00" + strconv.FormatInt(int64(mb.BrokerID), 10), server: i, title: br.Broker, explain: "brokers",
					tie: fmt.Sprintf("%s\x00%020d", br.Broker, mb.BrokerID),
					cells: []cell{
						b.text(s.name), b.text(strings.Join(br.Clusters, ",")), b.text(br.Broker), count(int64(mb.BrokerID)), b.text(mb.Addr), b.text(mb.Role),
						b.state(br, mb), millis(mb.AgeMs), millis(mb.TimeoutMs), count(br.Topics), b.optional(mb.ClientVersion), b.moment(mb.Since),
					},
				}
				r.cells[3].text = strconv.FormatInt(int64(mb.BrokerID), 10) // a name, not a number of things
				b.add(r)
			}
		}
	}
}

// state shows the state of a member, and what is wrong with its set.
func (b *builder) state(br *broker, mb *member) cell {
	c := b.text(mb.State)
	switch mb.State {
	case "live":
		c.tone = good
	case "suspect":
		c.tone = bad
	default:
		c.tone = warned
	}
	if br.Masterless {
		c.text, c.tone = c.text+" no-master", bad
	}
	if br.Wiped {
		c.text, c.tone = c.text+" wiped", max(c.tone, warned)
	}
	return c
}

func (b *builder) add(r row) { b.rows = append(b.rows, r) }

func fillHitters(b *builder, p *picture) {
	for i := range p.servers {
		s := &p.servers[i]
		if d := b.table(s); d != nil {
			for _, h := range d.hitters {
				b.add(row{
					key: strconv.Itoa(i) + "\x00" + h.Name, server: i, title: h.Name, explain: "topics", tie: h.Name,
					cells: []cell{b.text(s.name), b.text(h.Name), count(int64(h.Count)), count(int64(h.Error))},
				})
			}
		}
	}
}

func fillClients(b *builder, p *picture) {
	for i := range p.servers {
		s := &p.servers[i]
		if d := b.table(s); d != nil {
			for _, g := range d.groups {
				title := g.Language + " " + g.Version
				b.add(row{
					key: strconv.Itoa(i) + "\x00" + title + "\x00" + g.Transport, server: i, title: title,
					cells: []cell{b.text(s.name), b.text(g.Language), b.text(g.Version), b.text(g.Transport), count(int64(g.Count))},
					lines: func() []string {
						return []string{fmt.Sprintf("%d connections of %s by %s to %s", g.Count, title, g.Transport, s.name), "one by one: /v1/connections?list=1"}
					},
				})
			}
		}
	}
}

func fillQueues(b *builder, p *picture) {
	for i := range p.servers {
		s := &p.servers[i]
		if s.status == nil {
			continue
		}
		for _, q := range s.status.Queues {
			b.add(row{
				key: strconv.Itoa(i) + "\x00" + q.Class, server: i, title: q.Class,
				cells: []cell{b.text(s.name), b.text(q.Class), count(q.Waiting), count(q.Capacity), count(int64(q.Rejected))},
				lines: func() []string {
					return []string{
						fmt.Sprintf("requests of class %s on %s", q.Class, s.name), fmt.Sprintf("%s wait, %s may", thousands(q.Waiting), thousands(q.Capacity)),
						fmt.Sprintf("%s were refused since the start because it was full", thousands(int64(q.Rejected))),
					}
				},
			})
		}
	}
}

func fillEvents(b *builder, p *picture) {
	for i := range p.events {
		e := &p.events[i]
		at := b.moment(&e.Time)
		r := row{
			key: e.server + "\x00" + e.Generation, server: -1, serial: int64(e.Seq), title: e.Type,
			cells: []cell{at, b.text(e.server), b.text(e.Type), b.optional(e.Cluster), b.optional(e.Broker), b.optional(e.Addr), b.text(e.what())},
			lines: e.lines,
		}
		switch e.Type {
		case "broker.expired", "broker.connectionLost":
			r.cells[2].tone = bad
		}
		b.add(r)
	}
}

// what says what an event says besides its type and its broker.
func (e *event) what() string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if e.Topic != nil {
		say("topic %s", *e.Topic)
	}
	if c := e.Cause; c.SilentMs != nil && c.TimeoutMs != nil {
		say("silent %s of %s", seconds(*c.SilentMs), seconds(*c.TimeoutMs))
	}
	if t := e.Topics; t.Added+t.Changed+t.Removed > 0 {
		say("topics +%d ~%d -%d", t.Added, t.Changed, t.Removed)
	}
	if e.By != nil {
		say("by %s", e.By.Addr)
	}
	if e.Change != nil {
		say("%s", e.Change.Args)
	}
	if e.Reason != nil {
		say("%s", *e.Reason)
	}
	if e.Count != nil {
		say("%d", *e.Count)
	}
	return strings.Join(parts, ", ")
}

// line says in one line what has happened.
func (e *event) line(now time.Time) string {
	text := clock(e.Time, now) + " " + e.Type
	if e.Broker != nil {
		text += " " + *e.Broker
	}
	if e.Addr != nil {
		text += " at " + *e.Addr
	}
	if what := e.what(); what != "" {
		text += ", " + what
	}
	return text
}

// lines says all that is kept of an event.
func (e *event) lines() []string {
	lines := []string{fmt.Sprintf("#%d %s on %s at %s", e.Seq, e.Type, e.server, e.Time.Format(time.RFC3339Nano)), "generation  " + e.Generation, "cause       " + e.Cause.Kind}
	say := func(name string, value *string) {
		if value != nil {
			lines = append(lines, fmt.Sprintf("%-11s %s", name, *value))
		}
	}
	say("cluster", e.Cluster)
	say("broker", e.Broker)
	if e.BrokerID != nil {
		id := strconv.FormatInt(int64(*e.BrokerID), 10)
		say("broker ID", &id)
	}
	say("address", e.Addr)
	say("topic", e.Topic)
	say("remote", e.Remote)
	say("identity", e.Identity)
	say("reason", e.Reason)
	if e.By != nil {
		say("by cluster", &e.By.Cluster)
		say("by address", &e.By.Addr)
	}
	if c := e.Change; c != nil {
		say("asked for", &c.Args)
		say("before", c.Before)
		say("after", c.After)
	}
	if what := e.what(); what != "" {
		say("summary", &what)
	}
	return lines
}
