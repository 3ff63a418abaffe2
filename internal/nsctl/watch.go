package nsctl

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

// A watchedTopic is what /v1/watch tells of a topic.
type watchedTopic struct {
	Topic  string `json:"topic"`
	Routed bool   `json:"routed"`
	Queues []struct {
		Broker string `json:"broker"`
		Read   int    `json:"readQueueNums"`
		Write  int    `json:"writeQueueNums"`
		Perm   int    `json:"perm"`
	} `json:"queues"`
	Brokers []watchedBroker `json:"brokers"`
}

// A watchedBroker is what it tells of a broker set.
type watchedBroker struct {
	Broker     string  `json:"broker"`
	Registered bool    `json:"registered"`
	Cluster    string  `json:"cluster"`
	Zone       *string `json:"zone"`
	Members    []struct {
		BrokerID json.Number `json:"brokerId"`
		Addr     string      `json:"addr"`
	} `json:"members"`
}

func (t *watchedTopic) text() string {
	if !t.Routed {
		return "not routed"
	}
	var parts []string
	for _, q := range t.Queues {
		parts = append(parts, fmt.Sprintf("%s %d/%d perm %d", q.Broker, q.Read, q.Write, q.Perm))
	}
	for i := range t.Brokers {
		parts = append(parts, t.Brokers[i].Broker+" is "+t.Brokers[i].members())
	}
	return "routed: " + strings.Join(parts, ", ")
}

func (b *watchedBroker) text() string {
	if !b.Registered {
		return "not registered"
	}
	text := "registered: " + b.members() + ", cluster " + b.Cluster
	if b.Zone != nil {
		text += ", zone " + *b.Zone
	}
	return text
}

func (b *watchedBroker) members() string {
	var all []string
	for _, m := range b.Members {
		all = append(all, strings.Trim(m.BrokerID.String(), `"`)+"@"+m.Addr)
	}
	return strings.Join(all, " ")
}

// newWatch makes `nsctl watch`.
func (c *ctl) newWatch() *cobra.Command {
	return group("watch", "Show changes as they come, a line for each",
		&cobra.Command{
			Use:               "topic TOPIC…",
			Short:             "Show what becomes of up to 100 topics, which need not exist",
			Args:              cobra.MinimumNArgs(1),
			RunE:              c.writes(func(ctx context.Context, args []string) error { return c.watch(ctx, url.Values{"topic": args}) }),
			ValidArgsFunction: c.complete(-1, askTopics),
		},
		&cobra.Command{
			Use:   "brokers",
			Short: "Show what becomes of all brokers",
			Args:  cobra.NoArgs,
			RunE:  c.writes(func(ctx context.Context, _ []string) error { return c.watch(ctx, url.Values{"brokers": {"1"}}) }),
		},
	)
}

// watch prints what there is, and then what changes, of all servers.
func (c *ctl) watch(ctx context.Context, query url.Values) error {
	return c.followAll(ctx, func(ctx context.Context, a *admin, out *lines) error {
		w := &watching{admin: a, query: query, known: map[string][]byte{}, warn: func(format string, args ...any) { out.warn(a.name, format, args...) }}
		w.tell = func(kind, name, text string, raw []byte) {
			now := c.now()
			out.print(map[string]any{"server": a.name, "time": now.UTC().Format(time.RFC3339Nano), "kind": kind, "is": json.RawMessage(raw)}, name,
				shownTime(now), a.name, kind, name, text)
		}
		return w.run(ctx)
	})
}

// A watching is what one server tells of topics, or of brokers.
type watching struct {
	*admin
	query url.Values
	tell  func(kind, name, text string, raw []byte)
	warn  func(format string, args ...any)

	at    string            // generation up to where all is known
	known map[string][]byte // what was told of each thing, by its name
	anew  map[string]bool   // what a reset has told so far, nil if none is under way
}

func (w *watching) run(ctx context.Context) error {
	query := func() url.Values {
		q := cloneQuery(w.query)
		if w.at != "" {
			q.Set("since", w.at)
		}
		w.anew = nil // a message that was cut off comes again as a whole
		return q
	}
	return w.admin.follow(ctx, false, query, w.warn, w.take)
}

// take tells what is not known yet. A reset tells all that there is; what it leaves out is
// gone.
func (w *watching) take(e event) error {
	switch e.kind {
	case "reset":
		var said struct {
			Generation *string `json:"generation"`
		}
		if err := json.Unmarshal(e.data, &said); err != nil {
			return err
		}
		switch {
		case said.Generation == nil:
			w.warn("this reader has fallen behind, and begins again where it was")
			return nil
		case w.at == "":
		case bootOf(w.at) != bootOf(*said.Generation):
			w.warn("the server has started again: all is looked at anew")
		default:
			w.warn("all is looked at anew: what has come and gone meanwhile is not known")
		}
		w.anew = map[string]bool{}
	case "topic":
		var t watchedTopic
		if err := json.Unmarshal(e.data, &t); err != nil {
			return err
		}
		w.change(e.kind, t.Topic, t.text(), e.data, !t.Routed)
	case "broker":
		var b watchedBroker
		if err := json.Unmarshal(e.data, &b); err != nil {
			return err
		}
		w.change(e.kind, b.Broker, b.text(), e.data, !b.Registered)
	}
	if e.id == "" {
		return nil // more of the message follows
	}
	w.at = e.id
	if w.anew != nil {
		w.dropOthers()
	}
	return nil
}

// change tells what has become of something, unless it is known.
func (w *watching) change(kind, name, text string, raw []byte, isGone bool) {
	if w.anew != nil {
		w.anew[name] = true
	}
	if bytes.Equal(w.known[name], raw) {
		return
	}
	if isGone && kind == "broker" {
		delete(w.known, name) // of brokers there may be ever new names
	} else {
		w.known[name] = bytes.Clone(raw)
	}
	w.tell(kind, name, text, raw)
}

// dropOthers tells that the brokers are gone that a reset has left out.
func (w *watching) dropOthers() {
	for _, name := range slices.Sorted(maps.Keys(w.known)) {
		if w.anew[name] {
			continue
		}
		delete(w.known, name)
		b := watchedBroker{Broker: name}
		raw, _ := json.Marshal(map[string]any{"broker": name, "registered": false})
		w.tell("broker", name, b.text(), raw)
	}
	w.anew = nil
}
