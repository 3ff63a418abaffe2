package admin

import (
	"context"
	"errors"
	"sync"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

const (
	// hubPause is how long the hub rests after each look, in which changes are gathered;
	// after a long look four times as long as that took, so that it takes a fifth of a
	// CPU, whoever watches what, but mostPause at most: where others have the CPUs, a look
	// takes long without being much work.
	hubPause  = 100 * time.Millisecond
	mostPause = 500 * time.Millisecond

	// Messages that a watcher has not taken: beyond so many, or so many bytes in all but
	// the newest, it has fallen behind.
	mostUntaken      = 64
	mostUntakenBytes = 1 << 20

	// lingering is for how long the hub goes on with what nobody watches any more:
	// whoever asks again and again is away for a moment each time, and is then told
	// what has changed, rather than everything.
	lingering = 10 * time.Second

	// mostEvents is how many events are in one message.
	mostEvents = route.MaxRead
)

// A hub tells all watchers what has changed. It is one goroutine, which is signalled of
// new Views and events and sleeps while nobody watches. It then compares the newest View
// with the last one at which it looked, so that a storm of changes costs what is watched
// ten times a second, and the writers of the tables next to nothing.
//
// No update is lost. A watcher that joins is given what it watches as of hub.view, and
// hub.view moves only under mu: from one View to a later one, with a message to each
// watcher of what differs, in order. So a watcher that has applied all its messages knows
// what it watches as of hub.view, and the mark of the last one says so: it is the number
// of the View (its edition; not that of an event alone, as there are Views in the middle
// of a change) and that of the newest event told. One that comes back with a mark is
// told all that has changed since then, or is not known not to have; for each thing the
// hub remembers when it last saw it change or began to look. One for whose
// messages there is no room any more is told to begin anew.
type hub struct {
	server *namesrv.Server
	boot   string
	most   int // watchers
	wake   chan struct{}

	mu       sync.Mutex
	isOver   bool
	ended    chan struct{} // closed when it is over
	watchers map[*watcher]struct{}
	topics   map[string]*watched
	brokers  watched
	view     *route.View // at which it looked last; nil while it sleeps
	seq      uint64      // of the newest event that was told
	refused  uint64      // watchers for whom there was no place
	reset    uint64      // watchers who fell behind
	leave    func()      // ends the signals
	views    <-chan struct{}
	events   <-chan struct{}
	touched  []*watcher // for whom the look at hand has found something

	state stateCache
}

// A watched is a topic, or all brokers. Editions are those of Views.
type watched struct {
	changed  uint64 // when it was last seen to change, or when it was first looked at if that is later
	watchers map[*watcher]struct{}
	left     time.Time // when nobody watched it any more
}

// isSince reports whether it is as in the View of an edition.
func (w *watched) isSince(edition uint64) bool { return edition >= w.changed }

// A mark says up to where a watcher knows everything.
type mark struct {
	seq     uint64 // of an event
	edition uint64 // of a View; 0 is none
}

// A message is what one look has found for one watcher.
type message struct {
	mark  mark
	reset bool // forget what was told before: all of it is here
	items []item
	size  int // bytes
}

// An item is one thing that was changed, as JSON. Watchers share it.
type item struct {
	kind string // topic, broker, event, state
	body []byte
}

func (m *message) add(it item) {
	m.items = append(m.items, it)
	m.size += len(it.body)
}

// A watcher waits for changes.
type watcher struct {
	ask      *watchAsk
	messages chan *message
	lost     chan struct{} // closed when it has fallen behind
	joined   mark          // what comes later is in messages

	// Under hub.mu.
	next    *message
	untaken int // bytes, without those of the newest message
	newest  int // bytes of it
	gone    bool
}

var (
	errNotServing  = errors.New("admin: watchers are served while the server serves")
	errNoPlace     = errors.New("admin: as many watch as may")
	errSubscribers = errors.New("admin: the tables have too many subscribers")
)

func newHub(s *namesrv.Server, boot string, most int) *hub {
	return &hub{
		server: s, boot: boot, most: most, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		watchers: map[*watcher]struct{}{}, topics: map[string]*watched{}, brokers: watched{watchers: map[*watcher]struct{}{}},
	}
}

// run looks until ctx is done. Whoever watches then has to go.
func (a *Admin) runHub(ctx context.Context) {
	h := a.hub
	defer h.end()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for ticking := true; ; {
		h.mu.Lock()
		views, events, awake := h.views, h.events, h.view != nil
		h.mu.Unlock()
		if awake != ticking {
			ticking = awake
			second.Stop()
			if awake {
				second.Reset(time.Second)
			}
		}
		isSecond := false
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-views:
		case <-events:
		case <-second.C:
			isSecond = true
		}
		began := time.Now()
		h.look()
		if isSecond {
			h.tellState(a)
			h.sweep(began)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(hubPause, 4*time.Since(began)), mostPause)):
		}
	}
}

// end lets go of everything.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.isOver = true
	close(h.ended)
	h.sleep()
}

// sleep ends the signals and forgets what was watched. Under mu.
func (h *hub) sleep() {
	if h.view == nil {
		return
	}
	h.leave()
	h.view, h.views, h.events, h.leave = nil, nil, nil, nil
	clear(h.topics)
}

// awake begins to look, if it does not already. Under mu.
func (h *hub) awake() error {
	if h.view != nil {
		return nil
	}
	views, endViews, err := h.server.Subscribe()
	if err != nil {
		return errSubscribers
	}
	events, endEvents, err := h.server.Journal().Watch()
	if err != nil {
		endViews()
		return errSubscribers
	}
	h.views, h.events, h.leave = views, events, func() { endViews(); endEvents() }
	h.view, h.seq = h.server.View(), h.server.Journal().Newest() // after the subscriptions: there is a signal of all that is newer
	h.brokers.changed = h.view.Edition()
	h.signal()
	return nil
}

// signal makes the hub look soon.
func (h *hub) signal() {
	select {
	case h.wake <- struct{}{}:
	default: // it is about to
	}
}

// join adds a watcher, and returns what it is to be told at once: nil if nothing.
func (h *hub) join(ask *watchAsk) (w *watcher, first *message, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.isOver || !h.isReady():
		return nil, nil, errNotServing
	case len(h.watchers) >= h.most:
		h.refused++
		return nil, nil, errNoPlace
	}
	if err := h.awake(); err != nil {
		return nil, nil, err
	}
	if ask.since.seq > h.seq || ask.since.edition > h.view.Edition() {
		h.advance() // who asks has seen more elsewhere, and must not be told of less
	}
	w = &watcher{ask: ask, messages: make(chan *message, mostUntaken), lost: make(chan struct{})}
	h.watchers[w] = struct{}{}
	for _, name := range ask.topics {
		t := h.topics[name]
		if t == nil {
			t = &watched{changed: h.view.Edition(), watchers: map[*watcher]struct{}{}}
			h.topics[name] = t
		}
		t.watchers[w] = struct{}{}
	}
	if ask.brokers {
		h.brokers.watchers[w] = struct{}{}
	}
	if first = h.first(ask); first != nil && first.reset {
		ask.since = mark{} // it says nothing here
	}
	w.joined = h.mark()
	return w, first, nil
}

// isReady reports whether the server has the table with which it stays: another one
// would number its Views anew.
func (h *hub) isReady() bool {
	select {
	case <-h.server.Ready():
		return true
	default:
		return false
	}
}

// first returns what a watcher is told at once, nil if it knows all that there is. Events
// are not in it. Under mu.
func (h *hub) first(ask *watchAsk) *message {
	since := ask.since
	m := &message{mark: h.mark()}
	newest := max(h.seq, h.server.View().Seq(), h.server.Journal().Newest())
	m.reset = !ask.isSince || since.edition > h.view.Edition() || since.seq > newest ||
		ask.brokers && !h.brokers.isSince(since.edition) || // those that are gone are known by being left out
		ask.events && since.seq+1 < h.server.Journal().Oldest()
	for _, name := range ask.topics {
		if m.reset || !h.topics[name].isSince(since.edition) {
			m.add(topicItem(h.view, name))
		}
	}
	if ask.brokers && m.reset {
		for b := range h.view.Brokers() {
			m.add(brokerItem(b.Name, b))
		}
	}
	if !m.reset && len(m.items) == 0 {
		return nil
	}
	return m
}

func (h *hub) mark() mark { return mark{h.seq, h.view.Edition()} }

// part removes a watcher. It returns the message that it has not taken, or nil, and up
// to where it knows everything if there is none.
func (h *hub) part(w *watcher) (left *message, now mark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(w)
	select {
	case left = <-w.messages:
	default:
	}
	if h.view == nil {
		return left, mark{} // it has ended
	}
	return left, h.mark()
}

// drop removes a watcher, if it is there. Under mu.
func (h *hub) drop(w *watcher) {
	if w.gone {
		return
	}
	w.gone = true
	delete(h.watchers, w)
	delete(h.brokers.watchers, w)
	now := time.Now()
	for _, name := range w.ask.topics {
		t := h.topics[name]
		if t == nil {
			continue // it has ended
		}
		delete(t.watchers, w)
		if len(t.watchers) > 0 {
			continue
		}
		if t.left = now; len(h.topics) > 2*mostWatched*h.most {
			delete(h.topics, name)
		}
	}
	if h.brokers.left = now; len(h.watchers) == 0 {
		h.signal()
	}
}

// known returns up to where a watcher knows everything, if it has taken all its messages.
func (h *hub) known(w *watcher) (now mark, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.gone || h.view == nil || len(w.messages) > 0 {
		return now, false
	}
	return h.mark(), true
}

// took says that w has taken a message.
func (h *hub) took(w *watcher, m *message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.untaken -= m.size
}

// look tells all watchers what has changed.
func (h *hub) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.view != nil {
		h.advance()
	}
}

// advance goes on to the newest View. Under mu.
func (h *hub) advance() {
	if now := h.server.View(); now != h.view {
		h.advanceTo(now)
	}
	h.advanceEvents()
	h.send()
}

func (h *hub) advanceTo(now *route.View) {
	d := route.Diff(h.view, now)
	h.view = now
	for name, t := range h.topics {
		if !d.MayRoute(name) {
			continue
		}
		t.changed = now.Edition()
		if len(t.watchers) == 0 {
			continue
		}
		it := topicItem(now, name)
		for w := range t.watchers {
			h.give(w, it)
		}
	}
	for c := range d.Brokers() {
		h.brokers.changed = now.Edition()
		if len(h.brokers.watchers) == 0 {
			break
		}
		it := brokerItem(c.Name, c.New)
		for w := range h.brokers.watchers {
			h.give(w, it)
		}
	}
}

// advanceEvents tells of new events, so many at a time.
func (h *hub) advanceEvents() {
	journal := h.server.Journal()
	var listeners []*watcher
	for w := range h.watchers {
		if w.ask.events {
			listeners = append(listeners, w)
		}
	}
	if len(listeners) == 0 {
		h.seq = max(h.seq, journal.Newest())
		return
	}
	events, next, err := journal.Read(h.seq, nil, mostEvents)
	if err != nil { // the ring has gone round in between
		h.seq = journal.Newest()
		for _, w := range listeners {
			h.fallBehind(w)
		}
		return
	}
	if h.seq = next; next < journal.Newest() {
		h.signal()
	}
	for i := range events {
		it := itemOf("event", eventOf(h.boot, &events[i]))
		for _, w := range listeners {
			if events[i].Seq > w.ask.since.seq {
				h.give(w, it)
			}
		}
	}
}

// give adds to the message of a watcher. Under mu.
func (h *hub) give(w *watcher, it item) {
	if w.next == nil {
		w.next = &message{}
		h.touched = append(h.touched, w)
	}
	w.next.add(it)
}

// send hands out the messages. It waits for nobody. Under mu.
func (h *hub) send() {
	for _, w := range h.touched {
		m := w.next
		m.mark, w.next = h.mark(), nil
		if w.gone {
			continue
		}
		select {
		case w.messages <- m:
			w.untaken += m.size
			if w.newest = m.size; len(w.messages) > 1 && w.untaken-w.newest > mostUntakenBytes {
				h.fallBehind(w)
			}
		default:
			h.fallBehind(w)
		}
	}
	clear(h.touched)
	h.touched = h.touched[:0]
}

// fallBehind removes a watcher that cannot be told everything any more. Under mu.
func (h *hub) fallBehind(w *watcher) {
	if !w.gone {
		h.reset++
		h.drop(w)
		close(w.lost)
	}
}

// tellState tells those who watch it how the server is.
func (h *hub) tellState(a *Admin) {
	h.mu.Lock()
	wanted := false
	for w := range h.watchers {
		wanted = wanted || w.ask.state
	}
	h.mu.Unlock()
	if !wanted {
		return
	}
	it := h.state.renew(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.view == nil {
		return
	}
	for w := range h.watchers {
		if w.ask.state {
			h.give(w, it)
		}
	}
	h.send()
}

// sweep forgets what nobody has watched for a while.
func (h *hub) sweep(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, t := range h.topics {
		if len(t.watchers) == 0 && now.Sub(t.left) > lingering {
			delete(h.topics, name)
		}
	}
	if len(h.watchers) == 0 && len(h.topics) == 0 && now.Sub(h.brokers.left) > lingering {
		h.sleep()
	}
}

// stats returns how many watch, for how many there was no place, and how many fell behind.
func (h *hub) stats() (now int, refused, reset uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers), h.refused, h.reset
}
