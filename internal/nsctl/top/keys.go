package top

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

var helpLines = []string{
	"b t m c e u   brokers, topics, missed topics, clients, events, queues",
	"tab ← →       the next table, the one before",
	"↑ ↓ k j       a row up or down; pgup, pgdn, home, end",
	"⏎             details: why a topic or a broker is as it is; again: back",
	"s S           sort by the next column; the other way round",
	"/             show only rows that contain a text; esc: all",
	"space         hold the picture, and let it go on",
	"? q           this page; end",
}

// press does what a key means.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if name == "ctrl+c" {
		return tea.Quit
	}
	if m.typing {
		m.typeFilter(k, name)
		return nil
	}
	if name == "q" {
		return tea.Quit
	}
	if m.help || m.detail != nil {
		if m.leave(name) {
			return nil
		}
	}
	switch name {
	case "?":
		m.help = true
	case "space":
		m.setPaused(m.frozen == nil)
	case "/":
		m.typing = true
	case "esc":
		m.setFilter("")
	case "s":
		o := &m.orders[m.tab]
		columns := kinds[m.tab].columns
		o.column, o.isDown = (o.column+1)%len(columns), false
		if columns[o.column].name == "SERVER" && len(m.servers) == 1 {
			o.column = (o.column + 1) % len(columns)
		}
		m.refresh()
	case "S":
		m.orders[m.tab].isDown = !m.orders[m.tab].isDown
		m.refresh()
	case "tab", "right":
		return m.show((m.tab + 1) % tabs)
	case "shift+tab", "left":
		return m.show((m.tab + tabs - 1) % tabs)
	case "enter":
		return m.open()
	default:
		if by := m.step(name, m.seen(), len(m.table.rows)); by != 0 {
			m.move(by)
			return nil
		}
		for i := range kinds {
			if name == kinds[i].key {
				return m.show(tab(i))
			}
		}
	}
	return nil
}

// step returns how far a key goes on a page of rows, 0 if it is no such key.
func (m *Model) step(name string, page, rows int) int {
	switch name {
	case "up", "k":
		return -1
	case "down", "j":
		return 1
	case "pgup":
		return -max(page, 1)
	case "pgdown":
		return max(page, 1)
	case "home", "g":
		return -max(rows, 1)
	case "end", "G":
		return max(rows, 1)
	}
	return 0
}

// leave does what a key means where there is no table, and reports whether it means
// something.
func (m *Model) leave(name string) bool {
	switch name {
	case "esc", "enter", "?":
		m.help, m.detail = false, nil
		return true
	case "s", "S", "/":
		return true
	}
	if by := m.step(name, m.seen(), mostLines); by != 0 {
		if m.detail != nil {
			m.scroll(by)
		}
		return true
	}
	return false
}

// scroll moves the lines of a detail.
func (m *Model) scroll(by int) {
	lines := len(m.detailLines())
	m.detail.top = max(0, min(m.detail.top+by, lines-m.seen()))
}

// typeFilter changes the filter by a key.
func (m *Model) typeFilter(k tea.KeyPressMsg, name string) {
	switch name {
	case "enter":
		m.typing = false
	case "esc":
		m.typing = false
		m.setFilter("")
	case "backspace":
		if r := []rune(m.filter); len(r) > 0 {
			m.setFilter(string(r[:len(r)-1]))
		}
	case "ctrl+u":
		m.setFilter("")
	default:
		if k.Text != "" {
			m.setFilter(m.filter + k.Text)
		}
	}
}

func (m *Model) setFilter(text string) {
	text = m.clean(strings.TrimRight(text, "\r\n"))
	if r := []rune(text); len(r) > mostFilter {
		text = string(r[:mostFilter])
	}
	if text != m.filter {
		m.filter = text
		m.refresh()
	}
}

// open shows the details of the row that is marked.
func (m *Model) open() tea.Cmd {
	if len(m.table.rows) == 0 {
		return nil
	}
	r := &m.table.rows[m.cursor]
	m.asked++
	m.detail = &detail{number: m.asked, title: r.title}
	if r.explain == "" {
		m.detail.lines = r.lines()
		return nil
	}
	ctx, s, kind, name, number := m.ctx, &m.servers[r.server], r.explain, r.title, m.asked
	return func() tea.Msg { return detailMsg{number, explain(ctx, s, kind, name)} }
}
