package admin

import (
	"bufio"
	"net/http"
	"time"
)

const (
	// keepAlive is how often a stream says something, so that nobody between takes it
	// for dead.
	keepAlive = 15 * time.Second

	// retryMillis is after how long a browser comes back.
	retryMillis = "3000"

	// streamBuffer is how much is written at a time.
	streamBuffer = 32 << 10
)

// A streamWriter writes a stream of server-sent events. Only the last event of a message
// has an ID: who is cut off in the middle of one is told all of it again.
type streamWriter struct {
	a   *Admin
	w   *bufio.Writer
	out http.Flusher
}

func (s *streamWriter) text(parts ...string) {
	for _, p := range parts {
		_, _ = s.w.WriteString(p) // Flush has the error
	}
}

func (s *streamWriter) event(kind string, body []byte, id string) {
	s.text("event: ", kind, "\n", id, "data: ")
	_, _ = s.w.Write(body)
	s.text("\n\n")
}

// message writes a message, not yet to the network.
func (s *streamWriter) message(m *message) {
	id := "id: " + s.a.markText(m.mark) + "\n"
	if m.reset {
		first := ""
		if len(m.items) == 0 {
			first = id
		}
		s.event("reset", []byte(`{"generation":"`+s.a.markText(m.mark)+`"}`), first)
	}
	for i, it := range m.items {
		if i == len(m.items)-1 {
			s.event(it.kind, it.body, id)
		} else {
			s.event(it.kind, it.body, "")
		}
	}
}

// flush reports whether whoever watches can still be told something.
func (s *streamWriter) flush() bool {
	if s.w.Flush() != nil {
		return false
	}
	s.out.Flush()
	return true
}

// watchStream tells of changes until whoever watches goes, falls behind, or the server
// ends.
func (a *Admin) watchStream(w http.ResponseWriter, r *http.Request, ask *watchAsk) {
	watch, m, ok := a.begin(w, r, ask)
	if !ok {
		return
	}
	defer a.hub.part(watch)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would wait for more
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	out := &streamWriter{a: a, w: bufio.NewWriterSize(w, streamBuffer), out: w.(http.Flusher)}
	out.text("retry: ", retryMillis, "\n\n")
	if !out.flush() || !a.beginStream(out, watch, m) {
		return
	}
	idle := time.NewTicker(keepAlive)
	defer idle.Stop()
	for {
		select {
		case <-watch.lost: // whatever else there is
			a.endStream(out)
			return
		default:
		}
		select {
		case <-r.Context().Done():
			return
		case <-a.hub.ended:
			return
		case <-watch.lost:
		case m := <-watch.messages:
			a.hub.took(watch, m)
			out.message(m)
			if !out.flush() {
				return
			}
		case <-idle.C:
			// An ID without an event counts: who comes back later is not told what it knows.
			if now, ok := a.hub.known(watch); ok {
				out.text("id: ", a.markText(now), "\n")
			}
			out.text(": keep\n\n")
			if !out.flush() {
				return
			}
		}
	}
}

// beginStream tells what a watcher is to know at first.
func (a *Admin) beginStream(out *streamWriter, watch *watcher, m *message) bool {
	isReset := m != nil && m.reset
	if watch.ask.state {
		if m == nil {
			m = &message{mark: watch.joined}
		}
		m.add(a.hub.state.now(a))
	}
	if isReset || !watch.hasBacklog(watch.ask.since.seq) {
		if m != nil {
			out.message(m)
		}
		return out.flush()
	}
	if m != nil {
		m.mark.seq = watch.ask.since.seq // the events are not told yet
		out.message(m)
	}
	for after := watch.ask.since.seq; watch.hasBacklog(after); {
		page, next, ok := a.backlog(watch, after)
		if !ok {
			a.endStream(out)
			return false
		}
		out.message(page)
		if after = next; !out.flush() {
			return false
		}
	}
	return true
}

// endStream tells a watcher that it has not been told everything, and is to begin anew:
// with a mark of no start there was, so that it is told all.
func (a *Admin) endStream(out *streamWriter) {
	out.event("reset", []byte(`{"generation":null}`), "id: 0.0\n")
	out.flush()
}
