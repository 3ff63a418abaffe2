package top

import (
	"cmp"
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
)

const (
	mostEvents = 1000 // kept, of all servers together
	mostPoints = 60   // of the line of requests, one a second; never more than the screen is wide
	mostFilter = 100  // runes
	mostLines  = 1000 // of details

	tickTime  = 250 * time.Millisecond
	staleTime = 5 * time.Second        // without news, which come each second
	soonTime  = 500 * time.Millisecond // between two questions where brokers change
)

// A Model is what is known, and what of it is shown. Update alone changes it.
type Model struct {
	servers []Server
	clean   func(string) string
	every   time.Duration // between two questions for a table
	slow    time.Duration // the same where the answer costs the server more
	ctx     context.Context
	paint   paint

	width, height int
	now           time.Time // of the last tick or message
	live          picture
	frozen        *picture // what is shown instead while paused
	frozenAt      time.Time

	tab    tab
	orders [tabs]order
	filter string
	typing bool // the filter
	help   bool
	detail *detail
	asked  int // questions for details, so far

	table  table // of what is shown
	cursor int   // in table.rows
	key    string
	top    int // the first row that is shown
}

// A picture is what is known of all servers at one time.
type picture struct {
	servers []server
	events  []event // the oldest first
}

// A server is what is known of one.
type server struct {
	name   string
	status *status // the last that came, nil if none ever did
	points []float64
	heard  time.Time // when it came
	up     bool      // its stream runs
	lost   string    // why it does not; empty: it was not asked yet

	tab     tab // whose table it is
	data    *data
	refused string // why it is not there, or not newer
	asking  bool
	askedAt time.Time
	changed bool // brokers are not what they were
}

// isStale reports whether what is shown of a server may not be so any more.
func (s *server) isStale(now time.Time) bool {
	return !s.up || s.status == nil || now.Sub(s.heard) >= staleTime
}

// A detail is what is shown of one row in place of the table.
type detail struct {
	number int
	title  string
	lines  []string // nil: not answered yet
	top    int
}

// newModel returns a Model of which nothing is known yet.
func newModel(ctx context.Context, o *Options) *Model {
	m := &Model{
		servers: o.Servers, clean: o.Clean, every: o.Every, slow: max(o.Every, 5*time.Second), ctx: ctx, now: o.Now(), width: 80, height: 24,
		paint: paint(o.Colored),
	}
	m.tab = tabOf(o.Tab)
	for i := range kinds {
		m.orders[i] = kinds[i].order
	}
	for _, s := range o.Servers {
		m.live.servers = append(m.live.servers, server{name: s.Name})
	}
	m.refresh()
	return m
}

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return tick() }

func tick() tea.Cmd {
	return tea.Tick(tickTime, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// shown returns the picture that is on the screen, and of when it is.
func (m *Model) shown() (*picture, time.Time) {
	if m.frozen != nil {
		return m.frozen, m.frozenAt
	}
	return &m.live, m.now
}

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		for i := range m.live.servers {
			m.live.servers[i].points = last(m.live.servers[i].points, m.mostPoints())
		}
		m.refresh()
	case tickMsg:
		m.now = time.Time(msg)
		return m, tea.Batch(tick(), m.ask())
	case toldMsg:
		m.told(&msg)
	case lostMsg:
		s := &m.live.servers[msg.server]
		s.up, s.lost = false, msg.err.Error()
	case answerMsg:
		m.answered(&msg)
	case detailMsg:
		if m.detail != nil && m.detail.number == msg.number {
			m.detail.lines = msg.lines[:min(len(msg.lines), mostLines)]
		}
	case tea.PasteMsg:
		if m.typing {
			m.setFilter(m.filter + msg.Content)
		}
	case tea.KeyPressMsg:
		return m, m.press(msg)
	}
	return m, nil
}

// mostPoints is how many are kept.
func (m *Model) mostPoints() int { return min(mostPoints, max(m.width, 1)) }

// told notes what a server has told.
func (m *Model) told(msg *toldMsg) {
	s := &m.live.servers[msg.server]
	if msg.at.After(m.now) {
		m.now = msg.at
	}
	s.up, s.lost, s.changed = true, "", s.changed || msg.changed
	if st := msg.status; st != nil {
		s.status, s.heard = st, msg.at
		if r := st.Rates.Requests; r != nil {
			s.points = last(append(s.points, *r), m.mostPoints())
		}
	}
	m.addEvents(s.name, msg.events)
	if m.frozen == nil && (m.tab == tabQueues && msg.status != nil || m.tab == tabEvents && len(msg.events) > 0) {
		m.refresh()
	}
}

// addEvents adds what has happened, each event once, and keeps the newest.
func (m *Model) addEvents(server string, events []event) {
	if len(events) == 0 {
		return
	}
	known := map[string]bool{}
	for i := range m.live.events {
		if e := &m.live.events[i]; e.server == server {
			known[e.Generation] = true
		}
	}
	for _, e := range events {
		if !known[e.Generation] {
			known[e.Generation], e.server = true, server
			m.live.events = append(m.live.events, e)
		}
	}
	slices.SortStableFunc(m.live.events, func(a, b event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.server, b.server), cmp.Compare(a.Seq, b.Seq))
	})
	m.live.events = last(m.live.events, mostEvents)
}

// last returns the last n of a list, and does not hold on to the others.
func last[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	return append(make([]T, 0, n), list[len(list)-n:]...)
}

// answered notes the answer for a table, unless another one is shown meanwhile.
func (m *Model) answered(msg *answerMsg) {
	s := &m.live.servers[msg.server]
	s.asking = false
	if msg.tab != m.tab {
		s.askedAt = time.Time{}
		return
	}
	if msg.err != nil {
		s.refused = msg.err.Error()
	} else {
		s.data, s.tab, s.refused = &msg.data, msg.tab, ""
	}
	if m.frozen == nil {
		m.refresh()
	}
}

// ask asks the servers for the table that is shown, each for as long as it is not asked
// already and its time has come.
func (m *Model) ask() tea.Cmd {
	if m.tab == tabEvents || m.tab == tabQueues || m.frozen != nil {
		return nil
	}
	var all []tea.Cmd
	for i := range m.live.servers {
		s := &m.live.servers[i]
		pause := m.every
		switch {
		case m.tab == tabClients:
			pause = m.slow
		case m.tab == tabBrokers && s.changed:
			pause = soonTime
		}
		if !s.up || s.asking || m.now.Sub(s.askedAt) < pause {
			continue
		}
		s.asking, s.askedAt, s.changed = true, m.now, false
		ctx, of, t := m.ctx, &m.servers[i], m.tab
		all = append(all, func() tea.Msg {
			d, err := ask(ctx, of, t)
			return answerMsg{i, t, d, err}
		})
	}
	return tea.Batch(all...)
}

// show goes to a tab.
func (m *Model) show(t tab) tea.Cmd {
	m.detail, m.help = nil, false
	if t == m.tab {
		return nil
	}
	m.tab, m.cursor, m.top, m.key = t, 0, 0, ""
	for i := range m.live.servers {
		s := &m.live.servers[i]
		s.data, s.refused, s.askedAt = nil, "", time.Time{}
	}
	m.setPaused(false)
	return m.ask()
}

// setPaused holds the picture, or lets it go on.
func (m *Model) setPaused(is bool) {
	m.frozen = nil
	if is {
		p := m.live
		p.servers, p.events = slices.Clone(p.servers), slices.Clone(p.events)
		for i := range p.servers {
			p.servers[i].points = slices.Clone(p.servers[i].points)
		}
		m.frozen, m.frozenAt = &p, m.now
	}
	m.refresh()
}

// refresh makes the table of what is to be shown. The cursor stays on its row.
func (m *Model) refresh() {
	p, now := m.shown()
	m.table = m.makeTable(p, now)
	rows := m.table.rows
	if i := slices.IndexFunc(rows, func(r row) bool { return r.key == m.key }); i >= 0 && m.key != "" {
		m.cursor = i
	}
	m.move(0)
}

// move moves the cursor by so many rows.
func (m *Model) move(by int) {
	rows := m.table.rows
	m.cursor = max(0, min(m.cursor+by, len(rows)-1))
	if len(rows) == 0 {
		m.top = 0
		return
	}
	if by != 0 {
		m.key = rows[m.cursor].key
	}
	seen := m.seen()
	m.top = max(0, min(m.top, m.cursor, len(rows)-seen))
	m.top = max(m.top, m.cursor-seen+1)
}
