package top

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

const (
	leastWidth, leastHeight = 20, 6
	mostServerLines         = 5
)

// View implements tea.Model.
func (m *Model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	return v
}

// screen returns the lines of the screen, none wider than it.
func (m *Model) screen() string {
	if m.width < leastWidth || m.height < leastHeight {
		return cut("too small", m.width)
	}
	head := m.head()
	lines := append(head, m.tabLine())
	rows := m.height - len(head) - 2 // with a header
	switch {
	case m.help:
		lines = append(lines, m.page("HELP", helpLines, 0, rows)...)
	case m.detail != nil:
		title := kinds[m.tab].about + " " + m.clean(m.detail.title)
		lines = append(lines, m.page(title, m.detailLines(), m.detail.top, rows)...)
	default:
		lines = append(lines, m.tableLines(rows)...)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:m.height-1], m.foot())
	return strings.Join(lines, "\n")
}

// seen returns how many rows of the table there are on the screen.
func (m *Model) seen() int {
	return max(1, m.height-len(m.head())-3)
}

// head tells of each server.
func (m *Model) head() []string {
	p, now := m.shown()
	room := m.height / 2 // the rest is for the table
	each, told := max(1, min(mostServerLines, room/len(p.servers))), len(p.servers)
	if told > room {
		told = max(1, room-1)
	}
	var lines []string
	for i := range p.servers[:told] {
		lines = append(lines, flow(m.segments(p, i, now), m.width, each, m.paint)...)
	}
	if rest := len(p.servers) - told; rest > 0 {
		lines = append(lines, cut(fmt.Sprintf("… and %d more: make the window higher", rest), m.width))
	}
	return lines
}

// segments says how a server does, the most important first.
func (m *Model) segments(p *picture, i int, now time.Time) []segment {
	s := &p.servers[i]
	name := segment{text: m.clean(s.name), tone: strong}
	st := s.status
	if st == nil && s.lost == "" {
		return []segment{name, {text: "asking …"}}
	}
	if st == nil {
		return []segment{name, {text: "not reached: " + m.clean(s.lost), tone: bad, shrinks: true}}
	}
	state := segment{text: m.clean(st.State), tone: warned}
	if st.State == "ready" {
		state.tone = good
	}
	brokers := segment{text: "brokers " + brokersText(st)}
	if st.Brokers.Overdue+st.Brokers.Suspect > 0 {
		brokers.text, brokers.tone = brokers.text+" silent", warned
	}
	points := max(8, min(m.width/10, 20))
	line := spark(s.points, min(points, m.width))
	if line != "" {
		line += " "
	}
	all := []segment{name, state}
	if s.isStale(now) {
		text := "not updated since " + clock(s.heard, now)
		if s.lost != "" {
			text += ": " + m.clean(s.lost)
		}
		all = append(all, segment{text: text, tone: bad, shrinks: true})
	}
	all = append(all, segment{text: uptime(st.UptimeSeconds)}, brokers)
	if n := st.Brokers.Masterless; n > 0 {
		all = append(all, segment{text: fmt.Sprintf("masterless %d", n), tone: bad})
	}
	all = append(
		all, segment{text: "topics " + thousands(st.Topics.Count)}, segment{text: "conn " + thousands(st.Connections.Open)},
		segment{text: "req/s " + line + rate(st.Rates.Requests)}, segment{text: "miss/s " + rate(st.Rates.RouteMisses)},
		segment{text: "refused/s " + rate(st.Rates.Refused)}, segment{text: "delay p99 " + inMillis(st.LatencyMs.LoopDelay.P99)},
		segment{text: "cpu " + cpuText(st), breaks: m.width >= 80}, segment{text: "rss " + optionalSize(st.Memory.RSS)}, segment{text: "budget " + budgetText(st)},
		segment{text: "fds " + filesText(st)}, m.queues(st),
	)
	if len(st.Reasons) > 0 {
		all = append(all, segment{text: "! " + m.clean(strings.Join(st.Reasons, ", ")), tone: bad, breaks: true, shrinks: true})
	}
	if n := len(st.Attention); n > 0 {
		a := &st.Attention[0]
		text, t := "! "+a.Severity+": "+a.Text, warned
		if n > 1 {
			text = fmt.Sprintf("! 1 of %d, %s: %s", n, a.Severity, a.Text)
		}
		if a.Severity == "critical" {
			t = bad
		}
		all = append(all, segment{text: m.clean(text), tone: t, breaks: true, shrinks: true})
	}
	if e := lastEvent(p, s.name); e != nil {
		all = append(all, segment{text: m.clean(e.line(now)), shrinks: true})
	}
	if s.isStale(now) {
		for i := range all {
			if all[i].tone != bad {
				all[i].tone = faint
			}
		}
	}
	return all
}

func lastEvent(p *picture, server string) *event {
	for i := len(p.events) - 1; i >= 0; i-- {
		if p.events[i].server == server {
			return &p.events[i]
		}
	}
	return nil
}

func inMillis(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f ms", *ms)
}

// brokersText says how many members are not silent, of all.
func brokersText(st *status) string {
	b := &st.Brokers
	return fmt.Sprintf("%d/%d", b.Members-b.Overdue-b.Suspect, b.Members)
}

func cpuText(st *status) string {
	if st.CPU == nil || st.CPU.Percent == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", *st.CPU.Percent)
}

func optionalSize(n *int64) string {
	if n == nil {
		return "–"
	}
	return size(*n)
}

func budgetText(st *status) string {
	if l := st.Memory.BudgetLimit; l != nil {
		return percent(st.Memory.BudgetUsed, *l)
	}
	return size(st.Memory.BudgetUsed)
}

func filesText(st *status) string {
	n, l := st.Files.Open, st.Files.Limit
	switch {
	case n == nil:
		return "–"
	case l == nil:
		return thousands(*n)
	}
	return thousands(*n) + "/" + thousands(*l)
}

// queues tells of those in which somebody waits.
func (m *Model) queues(st *status) segment {
	text := ""
	for _, q := range st.Queues {
		if q.Waiting > 0 {
			text += fmt.Sprintf(" %s %d/%d", q.Class, q.Waiting, q.Capacity)
		}
	}
	if text == "" {
		return segment{text: "queues 0"}
	}
	return segment{text: m.clean("queues" + text), tone: warned}
}

// tabLine names the tables. The one that is shown has capitals.
func (m *Model) tabLine() string {
	var all []segment
	wide := m.width >= 62
	for i := range kinds {
		text, t := kinds[i].label, faint
		if !wide {
			text = kinds[i].key
		}
		if tab(i) == m.tab {
			text, t = strings.ToUpper(kinds[i].label), strong
		}
		all = append(all, segment{text: text, tone: t})
	}
	return flow(all, m.width, 1, m.paint)[0]
}

// foot says what is shown, and which keys there are.
func (m *Model) foot() string {
	var all []segment
	t := &m.table
	if m.typing {
		return cut("filter: "+m.filter+"▏", m.width-1)
	}
	if m.frozen != nil {
		all = append(all, segment{text: "PAUSED since " + m.frozenAt.Format("15:04:05"), tone: warned})
	}
	rows := thousands(int64(t.all)) + " rows"
	if t.all == 1 {
		rows = "1 row"
	}
	if m.filter != "" {
		rows = fmt.Sprintf("%s of %s with %q", thousands(int64(len(t.rows))), rows, cut(m.filter, 20))
	}
	if m.detail == nil && !m.help {
		all = append(all, segment{text: rows, shrinks: true})
	}
	p, _ := m.shown()
	for i := range p.servers {
		if s := &p.servers[i]; s.refused != "" {
			all = append(all, segment{text: "not asked " + m.clean(s.name) + ": " + m.clean(s.refused), tone: bad, shrinks: true})
			break
		} else if s.data != nil && s.data.more {
			all = append(all, segment{text: m.clean(s.name) + " has more", tone: warned})
			break
		}
	}
	if m.detail != nil || m.help {
		all = append(all, segment{text: "esc back", tone: faint})
	} else {
		for _, text := range []string{"/ filter", "s sort", "space hold", "⏎ why"} {
			if m.width >= 62 {
				all = append(all, segment{text: text, tone: faint})
			}
		}
	}
	all = append(all, segment{text: "? help", tone: faint}, segment{text: "q end", tone: faint})
	return flow(all, m.width, 1, m.paint)[0]
}

// tableLines shows the header of the table and the rows about the cursor.
func (m *Model) tableLines(height int) []string {
	t := &m.table
	p, now := m.shown()
	widths := t.fit(m.width - 2) // the mark of the cursor
	o := m.orders[m.tab]
	var b strings.Builder
	put := func(i int, text string, tn tone, p paint) {
		if widths[i] == 0 {
			return
		}
		if b.Len() > 2 {
			b.WriteString("  ")
		}
		b.WriteString(p.in(tn, pad(text, widths[i], t.columns[i].right)))
	}
	b.WriteString("  ")
	for i, c := range t.columns {
		name := c.name
		if i == o.column {
			name += "▲"
			if o.isDown {
				name = c.name + "▼"
			}
		}
		put(i, name, plain, false)
	}
	lines := []string{m.paint.in(strong, strings.TrimRight(b.String(), " "))}
	if len(t.rows) == 0 {
		return append(lines, cut("  "+m.why(p), m.width))
	}
	top := max(min(m.top, m.cursor), m.cursor-height+2) // the lines about servers may have become more
	for at := top; at < len(t.rows) && len(lines) < height; at++ {
		r := &t.rows[at]
		b.Reset()
		paint, mark := m.paint, "  "
		if at == m.cursor {
			paint, mark = false, "> "
		}
		b.WriteString(mark)
		isStale := r.server >= 0 && p.servers[r.server].isStale(now)
		for i, c := range r.cells {
			tn := c.tone
			if isStale {
				tn = faint
			}
			put(i, c.text, tn, paint)
		}
		line := strings.TrimRight(b.String(), " ")
		if at == m.cursor {
			line = m.paint.in(marked, line)
		}
		lines = append(lines, line)
	}
	return lines
}

// why says why there is no row.
func (m *Model) why(p *picture) string {
	if m.filter != "" && m.table.all > 0 {
		return "no row has this text; esc shows all"
	}
	for i := range p.servers {
		s := &p.servers[i]
		if m.tab < tabEvents && s.up && s.refused == "" && (s.data == nil || s.tab != m.tab) {
			return "asking …"
		}
	}
	return [tabs]string{"no broker", "nobody has asked for a topic lately", "nobody has missed a topic lately", "no connection", "nothing has happened", "no queue"}[m.tab]
}

// page shows lines under a title.
func (m *Model) page(title string, lines []string, top, height int) []string {
	all := []string{m.paint.in(strong, cut(title, m.width))}
	for _, l := range lines[min(top, len(lines)):] {
		if len(all) == height {
			break
		}
		all = append(all, cut(l, m.width))
	}
	return all
}

// detailLines returns the details, broken into lines that fit.
func (m *Model) detailLines() []string {
	if m.detail.lines == nil {
		return []string{"asking …"}
	}
	var all []string
	for _, l := range m.detail.lines {
		for part := range strings.SplitSeq(ansi.Wrap(m.clean(l), m.width, ""), "\n") {
			all = append(all, part)
		}
		if len(all) > mostLines {
			break
		}
	}
	return all
}
