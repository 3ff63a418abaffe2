package top

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/goccy/go-json"
)

// A Server is the HTTP API of one name server. Its functions are called from several
// goroutines, and end when their context does.
type Server struct {
	Name   string
	Get    func(ctx context.Context, path string, query url.Values, v any) error
	Stream func(ctx context.Context, path string, query url.Values, each func(kind string, data []byte) bool) error
}

const (
	shortestWait = time.Second // before a server is asked again that was lost, doubled each time
	longestWait  = 30 * time.Second
	mostSilence  = 15 * time.Second // of a stream that tells the state each second
	gatherTime   = 100 * time.Millisecond
	mostRows     = 5000 // brokers asked for, of one server
	pageRows     = 1000
	firstEvents  = 100
	mostHitters  = 256
)

// What the feed tells.
type (
	// toldMsg is what a server has told since the last one.
	toldMsg struct {
		server  int
		at      time.Time
		status  *status // nil: nothing new
		events  []event
		changed bool // there is something new about brokers
	}
	// lostMsg says that a server does not tell any more, or never did.
	lostMsg struct {
		server int
		err    error
	}
	// answerMsg is the answer for the table of a tab.
	answerMsg struct {
		server int
		tab    tab
		data   data
		err    error
	}
	// detailMsg is the answer to a question about a row.
	detailMsg struct {
		number int // of the question
		lines  []string
	}
	tickMsg time.Time
)

// A feed asks the servers.
type feed struct {
	servers []Server
	now     func() time.Time
}

// follow follows the stream of one server until ctx ends, and begins anew when it was cut
// off: after a second, and later each time as long as nothing comes.
func (f *feed) follow(ctx context.Context, i int, send func(tea.Msg)) {
	wait := shortestWait
	for ctx.Err() == nil {
		heard, err := f.stream(ctx, i, send)
		if ctx.Err() != nil {
			return
		}
		send(lostMsg{i, err})
		if heard {
			wait = shortestWait
		}
		pause := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		wait = min(2*wait, longestWait)
	}
}

var errSilent = errors.New("it has told nothing for " + mostSilence.String())

// stream follows one stream to its end.
func (f *feed) stream(ctx context.Context, i int, send func(tea.Msg)) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(mostSilence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	s := &f.servers[i]
	told := toldMsg{server: i}
	var sent time.Time
	err = s.Stream(ctx, "/v1/watch", url.Values{"state": {"1"}, "brokers": {"1"}, "events": {"1"}}, func(kind string, body []byte) bool {
		watchdog.Reset(mostSilence)
		if !heard {
			heard = true
			told.events = f.lastEvents(ctx, s)
		}
		switch kind {
		case "state":
			st := &status{}
			if json.Unmarshal(body, st) == nil {
				told.status = st
			}
		case "event":
			var e event
			if json.Unmarshal(body, &e) == nil {
				e.clip()
				told.events = append(told.events, e)
			}
			if len(told.events) > 2*mostEvents {
				told.events = append([]event(nil), told.events[len(told.events)-mostEvents:]...)
			}
		case "broker", "reset":
			told.changed = true
		}
		// A storm is one message each 100 ms. What is left over goes with the next state,
		// which comes within a second.
		if told.at = f.now(); told.status != nil || told.at.Sub(sent) >= gatherTime {
			send(told)
			sent, told = told.at, toldMsg{server: i}
		}
		return ctx.Err() == nil
	})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err == nil {
		err = errors.New("the stream has ended")
	}
	return heard, err
}

// lastEvents returns what has happened before the stream, nothing if it is not told.
func (f *feed) lastEvents(ctx context.Context, s *Server) []event {
	var page struct {
		Items []event `json:"items"`
	}
	if s.Get(ctx, "/v1/events", url.Values{"limit": {strconv.Itoa(firstEvents)}}, &page) != nil {
		return nil
	}
	for i := range page.Items {
		page.Items[i].clip()
	}
	return page.Items
}

// data is what the table of a tab is made of, for one server.
type data struct {
	brokers []broker
	more    bool // there are more of them
	hitters []hitter
	groups  []group
}

// ask asks one server for the table of a tab. Events and queues are told by the stream.
func ask(ctx context.Context, s *Server, t tab) (d data, err error) {
	switch t {
	case tabBrokers:
		err = eachPage(ctx, s, func(items json.RawMessage) error {
			var page []broker
			err := json.Unmarshal(items, &page)
			d.brokers = append(d.brokers, page...)
			d.more = len(d.brokers) >= mostRows
			return err
		})
	case tabTopics:
		d.hitters, err = getItems[hitter](ctx, s, "/v1/top", url.Values{"by": {"topic"}, "limit": {strconv.Itoa(mostHitters)}})
	case tabMissed:
		d.hitters, err = getItems[hitter](ctx, s, "/v1/top", url.Values{"by": {"missedTopic"}, "limit": {strconv.Itoa(mostHitters)}})
	case tabClients:
		d.groups, err = getItems[group](ctx, s, "/v1/connections", url.Values{"by": {"language,version"}})
	}
	return d, err
}

func getItems[T any](ctx context.Context, s *Server, path string, query url.Values) ([]T, error) {
	var page struct {
		Items []T `json:"items"`
	}
	err := s.Get(ctx, path, query, &page)
	return page.Items, err
}

// eachPage asks for brokers, mostRows at most.
func eachPage(ctx context.Context, s *Server, each func(items json.RawMessage) error) error {
	query := url.Values{"limit": {strconv.Itoa(pageRows)}}
	for range mostRows / pageRows {
		var page struct {
			Items json.RawMessage `json:"items"`
			Next  string          `json:"next"`
		}
		if err := s.Get(ctx, "/v1/brokers", query, &page); err != nil {
			return err
		}
		if err := each(page.Items); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		query.Set("after", page.Next)
	}
	return nil
}

// explain asks why something is as it is, and returns what to show of it.
func explain(ctx context.Context, s *Server, kind, name string) []string {
	var e explanation
	if err := s.Get(ctx, "/v1/explain/"+kind+"/"+url.PathEscape(name), nil, &e); err != nil {
		return []string{"not explained: " + err.Error()}
	}
	lines := []string{fmt.Sprintf("%s is %s on %s", name, verdicts[e.Verdict], s.Name)}
	if verdicts[e.Verdict] == "" {
		lines[0] = fmt.Sprintf("%s on %s: %s", name, s.Name, e.Verdict)
	}
	for _, st := range e.Steps {
		lines = append(lines, fmt.Sprintf("%-8s %-8s %s", st.Check, st.Result, st.Text))
	}
	return lines
}

var verdicts = map[string]string{
	"routed": "routed", "partly": "routed in part", "readOnly": "read-only", "notRouted": "NOT ROUTED", "gated": "not told yet",
}
