package nsctl

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

// newEvents makes `nsctl events`.
func (c *ctl) newEvents() *cobra.Command {
	var w eventWish
	var follow bool
	var since string
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what has happened, or what happens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := w.since(since, c.now()); err != nil {
				return err
			}
			if w.limit < 1 || w.limit > 1000 {
				return usage("--limit is %d, must be 1 to 1000", w.limit)
			}
			if !follow {
				return c.reads(func(ctx context.Context, _ []string) error { return c.events(ctx, w) })(cmd, nil)
			}
			if !cmd.Flags().Changed("limit") {
				w.limit = 10
			}
			return c.writes(func(ctx context.Context, _ []string) error { return c.followEvents(ctx, w) })(cmd, nil)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&follow, "follow", "f", false, "go on with what happens, also after a connection was lost")
	fl.StringVar(&w.types, "type", "", "only of these types, divided by commas: broker.expired; broker.* is all that begin so")
	fl.StringVar(&w.cluster, "cluster", "", "only of this cluster")
	fl.StringVar(&w.broker, "broker", "", "only of this broker name")
	fl.StringVar(&w.topic, "topic", "", "only those that name this topic")
	fl.StringVar(&since, "since", "", "from then on: 1h, 2026-01-31T12:00:00Z, a generation, the number of an event, 0 for all that is kept")
	fl.IntVar(&w.limit, "limit", 100, "without --since: so many of the newest, 1 to 1000; with -f 10")
	completes(cmd, "cluster", c.complete(-1, askClusters))
	completes(cmd, "broker", c.complete(-1, askBrokers))
	completes(cmd, "topic", c.complete(-1, askTopics))
	return cmd
}

// newHistory makes `nsctl history`.
func (c *ctl) newHistory() *cobra.Command {
	cmd := group("history", "Show what has become of a topic or a broker")
	for _, what := range []string{"topic", "broker"} {
		var since string
		sub := &cobra.Command{
			Use:               what + " " + strings.ToUpper(what),
			Short:             "Show the events that name a " + what,
			ValidArgsFunction: c.complete(0, map[string]asker{"topic": askTopics, "broker": askBrokers}[what]),
			Args:              cobra.ExactArgs(1),
			RunE: c.reads(func(ctx context.Context, args []string) error {
				w := eventWish{limit: 1000}
				if what == "topic" {
					w.topic = args[0]
				} else {
					w.broker = args[0]
				}
				if err := w.since(since, c.now()); err != nil {
					return err
				}
				return c.events(ctx, w)
			}),
		}
		sub.Flags().StringVar(&since, "since", "1h", "from then on: 1h, 2026-01-31T12:00:00Z, a generation, the number of an event, 0 for all that is kept")
		cmd.AddCommand(sub)
	}
	return cmd
}

// An eventPage is what was read of one server.
type eventPage struct {
	generation string
	items      []reading[journalEvent]
}

// events prints what has happened, in the order of time, of all servers.
func (c *ctl) events(ctx context.Context, w eventWish) error {
	answers, err := eachAdmin(ctx, c, func(ctx context.Context, a *admin) (p eventPage, err error) {
		p.generation, err = w.read(ctx, a, func(e *reading[journalEvent]) { p.items = append(p.items, *e) })
		return p, err
	})
	if err != nil {
		return err
	}
	type serverEvents struct {
		Server string `json:"server"`
		Answer struct {
			Generation string            `json:"generation"`
			Items      []json.RawMessage `json:"items"`
		} `json:"answer"`
	}
	all := []serverEvents{}
	g := &grid{columns: []column{
		{name: "generation", wide: true}, {name: "time"}, {name: "server"}, {name: "type"}, {name: "cluster", wide: true}, {name: "of"}, {name: "what"},
	}}
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		s := serverEvents{Server: a.server}
		s.Answer.Generation, s.Answer.Items = a.value.generation, []json.RawMessage{}
		for i := range a.value.items {
			e := &a.value.items[i]
			s.Answer.Items = append(s.Answer.Items, e.raw)
			g.add(e.is.Generation, shownTime(e.is.Time.In(c.zone())), a.server, e.is.Type, e.is.Cluster, e.is.subject(), e.is.text())
		}
		all = append(all, s)
	}
	if len(all) > 1 {
		sortRowsBy(g, 1)
	}
	return conclude(c, answers, all, g)
}

// An eventTail follows the events of one server. Each is told once, in order.
type eventTail struct {
	*admin
	wish eventWish
	tell func(*reading[journalEvent])
	warn func(format string, args ...any)

	at   string // generation up to where all is known
	last uint64 // number of the newest event that was seen of this start of the server
}

// take tells an event, unless it was seen already. The server leaves out no number, and
// sends all events to whoever watches: what is left out is missing, and that is said.
func (t *eventTail) take(e *reading[journalEvent]) {
	n := e.is.number()
	if e.is.boot() != bootOf(t.at) {
		t.last = 0
	} else if n <= t.last {
		return
	}
	if n > t.last+1 {
		t.warn("events %d to %d are missing: the server does not keep them any more", t.last+1, n-1)
	}
	t.at, t.last = e.is.Generation, n
	if t.wish.fits(&e.is) {
		t.tell(e)
	}
}

// begin reads what there is already.
func (t *eventTail) begin(ctx context.Context) error {
	generation, err := t.wish.read(ctx, t.admin, t.tell)
	if err != nil {
		return err
	}
	t.moveTo(generation)
	return nil
}

// moveTo notes that all is known up to a generation.
func (t *eventTail) moveTo(generation string) {
	_, number, _ := strings.Cut(generation, ".")
	number, _, _ = strings.Cut(number, ".")
	e := journalEvent{Seq: json.Number(number)}
	if n := e.number(); bootOf(generation) != bootOf(t.at) || n >= t.last {
		t.at, t.last = bootOf(generation)+"."+number, n
	}
}

// reset reads what the journal has, because the stream does not go on where it ended: the
// server has started again, or has let go of some events. Which are missing is said.
func (t *eventTail) reset(ctx context.Context, generation string) error {
	if bootOf(t.at) != bootOf(generation) {
		t.warn("the server has started again: what happened from event %d of before until its end is not known", t.last+1)
		t.at, t.last = bootOf(generation)+".0", 0
	}
	kept := eventWish{after: "0"}
	upTo, err := kept.read(ctx, t.admin, t.take)
	if err == nil {
		t.moveTo(upTo)
	}
	return err
}

// run follows until ctx ends. It returns why it cannot begin, or why it is refused.
func (t *eventTail) run(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	query := func() url.Values { return url.Values{"events": {"1"}, "since": {t.at}} }
	return t.admin.follow(ctx, true, query, t.warn, func(e event) error {
		switch e.kind {
		case "reset":
			var said struct {
				Generation *string `json:"generation"`
			}
			if err := json.Unmarshal(e.data, &said); err != nil {
				return err
			}
			if said.Generation == nil {
				t.warn("this reader has fallen behind, and begins again where it was")
				return nil
			}
			return t.reset(ctx, *said.Generation)
		case "event":
			var got reading[journalEvent]
			if err := json.Unmarshal(e.data, &got); err != nil {
				return err
			}
			t.take(&got)
		}
		return nil
	})
}

// followEvents prints events as they come, a line for each, of all servers.
func (c *ctl) followEvents(ctx context.Context, w eventWish) error {
	return c.followAll(ctx, func(ctx context.Context, a *admin, out *lines) error {
		t := &eventTail{admin: a, wish: w, warn: func(format string, args ...any) { out.warn(a.name, format, args...) }}
		t.tell = func(e *reading[journalEvent]) {
			out.print(map[string]any{"server": a.name, "event": e.raw}, e.is.Generation,
				shownTime(e.is.Time.In(c.zone())), a.name, e.is.Type, e.is.subject(), e.is.text())
		}
		return t.run(ctx)
	})
}

// zone is that of the clock on the wall; tests have UTC.
func (c *ctl) zone() *time.Location { return c.now().Location() }
