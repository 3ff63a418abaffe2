package top

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/goccy/go-json"
)

var start = time.Date(2026, 3, 4, 12, 3, 0, 0, time.UTC)

// clean is what nsctl gives.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// A story tells a Model what happens.
type story struct {
	*Model
	t testing.TB
}

// newStory begins with servers that were not reached yet, on a screen of so many cells.
func newStory(t testing.TB, width, height int, names ...string) *story {
	t.Helper()
	o := Options{Tab: "brokers", Every: 2 * time.Second, Clean: clean, Now: func() time.Time { return start }}
	for _, name := range names {
		o.Servers = append(o.Servers, Server{
			Name: name,
			Get: func(context.Context, string, url.Values, any) error {
				t.Error("something was asked, by nobody who was told to")
				return nil
			},
		})
	}
	s := &story{newModel(context.Background(), &o), t}
	s.tell(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// tell gives a message to the Model.
func (s *story) tell(msg tea.Msg) tea.Cmd {
	s.t.Helper()
	m, cmd := s.Update(msg)
	if m != s.Model {
		s.t.Fatal("another model")
	}
	return cmd
}

// press presses keys, by their names, divided by blanks.
func (s *story) press(keys string) (cmd tea.Cmd) {
	s.t.Helper()
	for key := range strings.FieldsSeq(keys) {
		cmd = s.tell(keyOf(key))
	}
	return cmd
}

func keyOf(name string) tea.KeyPressMsg {
	special := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "space": tea.KeySpace, "up": tea.KeyUp, "down": tea.KeyDown, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp,
		"home": tea.KeyHome, "end": tea.KeyEnd, "tab": tea.KeyTab, "left": tea.KeyLeft, "right": tea.KeyRight, "backspace": tea.KeyBackspace,
	}
	switch {
	case name == "ctrl+c":
		return tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	case name == "ctrl+u":
		return tea.KeyPressMsg{Code: 'u', Mod: tea.ModCtrl}
	case name == "space":
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	case special[name] != 0:
		return tea.KeyPressMsg{Code: special[name]}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

const statusText = `{"generation":"mj3k2f.7","time":"2026-03-04T12:03:00Z","node":"n","version":"1","uptimeSeconds":273600,"state":"ready","reasons":[],
"brokers":{"sets":%[1]d,"members":%[1]d,"masters":%[1]d,"masterless":0,"overdue":0,"suspect":0},"topics":{"count":40000},
"connections":{"open":612,"tls":0,"choked":0},"rates":{"requests":5012.4,"routeReads":1,"routeMisses":3,"registrations":1,"heartbeats":1,"refused":0,"bytesIn":1,"bytesOut":1},
"latencyMs":{"request":{"p50":0.1,"p99":0.2},"loopDelay":{"p50":0.1,"p99":0.31},"queueWait":{"p99":null}},
"queues":[{"class":"change","waiting":0,"capacity":5000,"rejected":0},{"class":"admin","waiting":0,"capacity":5000,"rejected":"9007199254740993"}],
"memory":{"rss":72351744,"heap":1,"budgetUsed":1000000,"budgetLimit":100000000},"files":{"open":640,"limit":65536},"digest":null,"peers":null,"attention":[]}`

// state returns what a server with so many brokers says of itself, changed.
func state(t testing.TB, brokers int, change func(*status)) *status {
	t.Helper()
	st := &status{}
	if err := json.Unmarshal(fmt.Appendf(nil, statusText, brokers), st); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(st)
	}
	return st
}

// hear lets a server tell its state, so many seconds after the start.
func (s *story) hear(server, seconds int, st *status, events ...event) {
	s.t.Helper()
	s.tell(toldMsg{server: server, at: start.Add(time.Duration(seconds) * time.Second), status: st, events: events})
}

// answer answers for the table of the tab.
func (s *story) answer(server int, d data) { s.tell(answerMsg{server: server, tab: s.tab, data: d}) }

// brokersOf returns so many brokers; each third is overdue, each fifth has topics.
func brokersOf(n int) (d data) {
	for i := range n {
		age, timeout, since := int64(1000+i), int64(120_000), start.Add(-time.Hour)
		version := "V5_5_0"
		m := member{Addr: fmt.Sprintf("10.0.%d.%d:10911", i/250, i%250), Role: "master", State: "live", AgeMs: &age, TimeoutMs: &timeout, ClientVersion: &version, Since: &since}
		if i%3 == 2 {
			m.State, *m.AgeMs = "overdue", 61_000
		}
		d.brokers = append(d.brokers, broker{Broker: fmt.Sprintf("broker-%d", i), Clusters: []string{"DefaultCluster"}, Topics: int64(i%5) * 1000, Members: []member{m}})
	}
	return d
}

// happening returns an event of a broker.
func happening(seq, second int, kind, broker string) event {
	e := event{Seq: whole(seq), Generation: "mj3k2f." + strconv.Itoa(seq), Time: start.Add(time.Duration(second) * time.Second), Type: kind, Broker: &broker}
	addr, silent, timeout := "10.0.0.2:10911", int64(120_300), int64(120_000)
	e.Addr = &addr
	if kind == "broker.expired" {
		e.Cause.Kind, e.Cause.SilentMs, e.Cause.TimeoutMs = "silence", &silent, &timeout
	}
	return e
}
