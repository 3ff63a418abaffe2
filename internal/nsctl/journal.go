package nsctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"
)

// A journalEvent is an event of /v1/events.
type journalEvent struct {
	Seq        json.Number `json:"seq"`
	Generation string      `json:"generation"`
	Time       time.Time   `json:"time"`
	Type       string      `json:"type"`
	Cause      struct {
		Kind      string `json:"kind"`
		SilentMs  *int64 `json:"silentMs"`
		TimeoutMs *int64 `json:"timeoutMs"`
	} `json:"cause"`
	Cluster  string       `json:"cluster"`
	Broker   string       `json:"broker"`
	BrokerID *json.Number `json:"brokerId"`
	Addr     string       `json:"addr"`
	Remote   string       `json:"remote"`
	Identity string       `json:"identity"`
	Topics   struct {
		Added   int `json:"added"`
		Changed int `json:"changed"`
		Removed int `json:"removed"`
	} `json:"topics"`
	Sample  []string `json:"sample"`
	Topic   string   `json:"topic"`
	Brokers []string `json:"brokers"`
	Reason  string   `json:"reason"`
	By      *struct {
		Cluster string `json:"cluster"`
		Addr    string `json:"addr"`
	} `json:"by"`
	Change *struct {
		Args   string `json:"args"`
		Before string `json:"before"`
		After  string `json:"after"`
	} `json:"change"`
	Count *json.Number `json:"count"`
}

// number returns the number of e, 0 if it has none.
func (e *journalEvent) number() uint64 {
	n, _ := strconv.ParseUint(strings.Trim(e.Seq.String(), `"`), 10, 64)
	return n
}

// boot returns the start of the server that has numbered e.
func (e *journalEvent) boot() string { return bootOf(e.Generation) }

// bootOf returns the start of the server that a generation is of.
func bootOf(generation string) string {
	boot, _, _ := strings.Cut(generation, ".")
	return boot
}

// subject says what e is about: a broker, a topic, or several brokers.
func (e *journalEvent) subject() string {
	switch {
	case e.Topic != "":
		return e.Topic
	case e.Broker != "" && e.BrokerID != nil:
		return e.Broker + ":" + e.BrokerID.String()
	case e.Broker != "":
		return e.Broker
	}
	return e.Cluster
}

// text says what e is, besides its type and its subject.
func (e *journalEvent) text() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if e.Addr != "" {
		add("%s", e.Addr)
	}
	if s, t := e.Cause.SilentMs, e.Cause.TimeoutMs; s != nil && t != nil {
		add("silent for %.1f s of %.1f s", float64(*s)/1000, float64(*t)/1000)
	}
	if n := e.Topics; n.Added+n.Changed+n.Removed > 0 {
		of := "topics"
		if e.Topic != "" {
			of = "brokers"
		}
		add("%s +%d ~%d -%d", of, n.Added, n.Changed, n.Removed)
	}
	if len(e.Sample) > 0 {
		add("as %s", strings.Join(e.Sample, " "))
	}
	if len(e.Brokers) > 0 {
		add("brokers %s", strings.Join(e.Brokers, " "))
	}
	if e.By != nil {
		add("by %s of cluster %s", e.By.Addr, e.By.Cluster)
	}
	if e.Reason != "" {
		add("%s", e.Reason)
	}
	if ch := e.Change; ch != nil {
		if ch.Args != "" {
			add("%s", ch.Args)
		}
		if ch.Before != "" || ch.After != "" {
			add("%s -> %s", dashed(ch.Before), dashed(ch.After))
		}
	}
	if e.Count != nil {
		add("count %s", *e.Count)
	}
	if e.Cause.Kind == "admin" {
		who := dashed(e.Remote)
		if e.Identity != "" {
			who += " (" + e.Identity + ")"
		}
		add("asked by %s", who)
	}
	return strings.Join(parts, ", ")
}

// An eventWish says which events are wanted.
type eventWish struct {
	types, cluster, broker, topic string

	after string    // a generation, or the number of an event; "" is none
	from  time.Time // or a time; zero is none
	limit int       // of the newest ones, without since
}

// query returns what of w the API looks after.
func (w *eventWish) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"type": w.types, "cluster": w.cluster, "broker": w.broker, "topic": w.topic} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// fits reports whether e is wanted. It is what the API goes by, which does not do so for
// those who watch.
func (w *eventWish) fits(e *journalEvent) bool {
	return (w.types == "" || w.fitsType(e.Type)) &&
		(w.cluster == "" || e.Cluster == w.cluster) &&
		(w.broker == "" || e.Broker == w.broker || slices.Contains(e.Brokers, w.broker)) &&
		(w.topic == "" || e.Topic == w.topic || slices.Contains(e.Sample, w.topic))
}

func (w *eventWish) fitsType(name string) bool {
	for want := range strings.SplitSeq(w.types, ",") {
		prefix, isAll := strings.CutSuffix(want, "*")
		if want == name || isAll && strings.HasSuffix(prefix, ".") && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// since reads --since: a time that has passed, a moment, a generation, or the number of an
// event.
func (w *eventWish) since(text string, now time.Time) error {
	if text == "" {
		return nil
	}
	if d, err := time.ParseDuration(text); err == nil && strings.Trim(text, "0123456789") != "" {
		if d < 0 {
			return usage("--since is %s, must not be in the future", text)
		}
		w.from = now.Add(-d)
		return nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		w.from = t
		return nil
	}
	boot, number, isWhole := strings.Cut(text, ".")
	if !isWhole {
		number = boot
	}
	if _, err := strconv.ParseUint(number, 10, 63); err != nil || boot == "" {
		return usage("--since is %q, must be a time as 1h30m or 2026-01-31T12:00:00Z, a generation, or the number of an event", text)
	}
	w.after = text
	return nil
}

// read reads events, oldest first, and returns up to where it has looked: what comes after
// that generation was not seen.
func (w *eventWish) read(ctx context.Context, a *admin, each func(*reading[journalEvent])) (generation string, err error) {
	q := w.query()
	switch {
	case w.after != "":
		q.Set("since", w.after)
	case !w.from.IsZero():
		q.Set("since", "0")
	}
	q.Set("limit", "1000")
	if q.Get("since") == "" {
		q.Set("limit", strconv.Itoa(min(max(w.limit, 1), 1000)))
	}
	err = pages(ctx, a, "/v1/events", q, "since", func(p *page[journalEvent]) bool {
		generation = p.Generation
		for i := range p.Items {
			if e := &p.Items[i]; !e.is.Time.Before(w.from) {
				each(e)
			}
		}
		return true
	})
	return generation, goneError(err)
}

// goneError adds to an error what to do about events that are not kept any more.
func goneError(err error) error {
	var said *problemError
	if errors.As(err, &said) && said.Oldest != "" {
		gone := *said
		gone.Detail += "; the oldest event that is kept is " + said.Oldest
		gone.Hint = "--since 0 begins with it"
		return &gone
	}
	return err
}
