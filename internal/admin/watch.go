package admin

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// mostWatched is how many topics one watcher may watch.
	mostWatched = 100

	usualWait   = 60 * time.Second
	longestWait = 300 * time.Second
)

// A watchAsk is what somebody watches, and up to where it knows.
type watchAsk struct {
	topics                 []string // no name twice
	brokers, events, state bool

	since   mark
	isSince bool // since is of this start of the server
	wait    time.Duration
}

// watch waits until something has changed, or tells of changes as they come.
func (a *Admin) watch(q *query) (any, error) {
	asStream := strings.Contains(q.Header.Get("Accept"), "text/event-stream")
	ask := a.watchAsk(q)
	if err := q.fault(); err != nil {
		return nil, err
	}
	if asStream {
		return stream(func(w http.ResponseWriter, r *http.Request) { a.watchStream(w, r, ask) }), nil
	}
	return stream(func(w http.ResponseWriter, r *http.Request) { a.watchOnce(w, r, ask) }), nil
}

func (a *Admin) watchAsk(q *query) *watchAsk {
	ask := &watchAsk{brokers: q.flag("brokers"), events: q.flag("events"), state: q.flag("state"), wait: usualWait}
	known := map[string]bool{}
	for _, name := range q.values["topic"] {
		if !known[name] {
			known[name] = true
			ask.topics = append(ask.topics, name)
		}
		if name == "" {
			q.refuse("topic is empty")
		}
	}
	if len(ask.topics) > mostWatched {
		q.refuse("%d topics are asked for, must be %d at most", len(ask.topics), mostWatched)
	}
	if len(ask.topics) == 0 && !ask.brokers && !ask.events && !ask.state {
		q.refuse("nothing is watched; there are topic, brokers, events and state")
	}
	since := q.Header.Get("Last-Event-ID") // of who comes back, with the address that it has asked before
	if since == "" {
		since = q.text("since")
		if since == "" && q.values.Has("since") {
			q.refuse("since is empty, must be a generation")
		}
	}
	if since != "" {
		boot, m, ok := parseMark(since)
		if !ok {
			q.refuse("since is %s, must be a generation", quoted(since))
		}
		if boot == a.boot {
			ask.since, ask.isSince = m, true
		}
	}
	if q.values.Has("wait") {
		wait, err := time.ParseDuration(q.text("wait"))
		if err != nil || wait < 0 || wait > longestWait {
			q.refuse("wait is %s, must be a time from 0s to %.0fs", quoted(q.text("wait")), longestWait.Seconds())
		}
		ask.wait = wait
	}
	return ask
}

// markText writes a mark as a generation: BOOT.SEQ.EDITION. What else is told of a View
// is BOOT.SEQ, which Views in the middle of a change share: who comes with it is told
// everything once more.
func (a *Admin) markText(m mark) string {
	return a.boot + "." + strconv.FormatUint(m.seq, 10) + "." + strconv.FormatUint(m.edition, 10)
}

// parseMark reads a generation, with edition or without.
func parseMark(text string) (boot string, m mark, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 || len(text) > 64 || parts[0] == "" || strings.Trim(parts[0], "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return "", m, false
	}
	for i, to := range []*uint64{&m.seq, &m.edition}[:len(parts)-1] {
		n, err := strconv.ParseUint(parts[i+1], 10, 64)
		if err != nil {
			return "", m, false
		}
		*to = n
	}
	return parts[0], m, true
}

// A watchAnswer is the answer to a long poll: what has changed, whole.
type watchAnswer struct {
	Generation string            `json:"generation"`
	Reset      bool              `json:"reset"` // all that was told before is to be forgotten
	Topics     []json.RawMessage `json:"topics"`
	Brokers    []json.RawMessage `json:"brokers"`
	Events     []json.RawMessage `json:"events"`
	State      json.RawMessage   `json:"state"` // null: nothing new
}

// begin joins the hub, or answers why that cannot be.
func (a *Admin) begin(w http.ResponseWriter, r *http.Request, ask *watchAsk) (watch *watcher, first *message, ok bool) {
	watch, first, err := a.hub.join(ask)
	if err != nil {
		detail, hint := strings.TrimPrefix(err.Error(), "admin: "), ""
		if err == errNoPlace {
			hint = "adminMaxWatchers would allow more"
		}
		(&fault{kind: kindBusy, detail: detail, hint: hint, retryAfter: 5}).write(w, r)
		return nil, nil, false
	}
	return watch, first, true
}

// backlog returns the events up to when w joined that it does not know, at most as many
// as one message has. ok is false if the journal has let go of some in the meantime.
func (a *Admin) backlog(w *watcher, after uint64) (m *message, next uint64, ok bool) {
	events, next, err := a.server.Journal().Read(after, nil, int(min(mostEvents, w.joined.seq-after)))
	if err != nil {
		return nil, after, false
	}
	m = &message{mark: mark{next, w.joined.edition}}
	for i := range events {
		m.add(itemOf("event", a.eventAnswer(&events[i])))
	}
	return m, next, true
}

// hasBacklog reports whether w comes back and does not know all events up to its start.
func (w *watcher) hasBacklog(after uint64) bool {
	return w.ask.events && w.ask.isSince && after < w.joined.seq
}

// watchOnce answers a long poll: at once if there is something to tell, else when there
// is, or when its time is over.
func (a *Admin) watchOnce(w http.ResponseWriter, r *http.Request, ask *watchAsk) {
	watch, m, ok := a.begin(w, r, ask)
	if !ok {
		return
	}
	isReset := m != nil && m.reset
	if !isReset && watch.hasBacklog(ask.since.seq) {
		page, _, ok := a.backlog(watch, ask.since.seq)
		if !ok {
			page = &message{mark: mark{seq: ask.since.seq}, reset: true} // it asks again, and is told everything
		} else if m != nil {
			page.items = append(m.items, page.items...)
		}
		m = page
	}
	if m != nil {
		if ask.state {
			m.add(a.hub.state.now(a))
		}
		a.hub.part(watch)
		a.writeMessage(w, m)
		return
	}
	wait := ask.wait
	if r.Method == http.MethodHead {
		wait = 0
	}
	if wait > 0 {
		wait += time.Duration(rand.Int64N(int64(wait)/16 + 1)) // who began together does not come back together
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-r.Context().Done():
	case <-a.hub.ended:
	case <-late.C:
	case m = <-watch.messages:
	}
	left, known := a.hub.part(watch)
	if m == nil {
		m = left
	}
	switch {
	case m != nil:
		a.writeMessage(w, m)
	case known == mark{}:
		(&fault{kind: kindBusy, detail: "the server ends", retryAfter: 5}).write(w, r)
	default:
		w.Header().Set("ETag", strconv.Quote(a.markText(known)))
		w.WriteHeader(http.StatusNotModified)
	}
}

func (a *Admin) writeMessage(w http.ResponseWriter, m *message) {
	answer := watchAnswer{Generation: a.markText(m.mark), Reset: m.reset, Topics: []json.RawMessage{}, Brokers: []json.RawMessage{}, Events: []json.RawMessage{}}
	for _, it := range m.items {
		switch it.kind {
		case "topic":
			answer.Topics = append(answer.Topics, it.body)
		case "broker":
			answer.Brokers = append(answer.Brokers, it.body)
		case "event":
			answer.Events = append(answer.Events, it.body)
		case "state":
			answer.State = it.body
		}
	}
	w.Header().Set("ETag", strconv.Quote(answer.Generation))
	writeJSON(w, http.StatusOK, answer)
}
