package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// TestUpdate says what each message makes of a Model with three brokers of one server.
func TestUpdate(t *testing.T) {
	at := func(seconds int) tickMsg { return tickMsg(start.Add(time.Duration(seconds) * time.Second)) }
	marked := func(s *story) string { return s.table.rows[s.cursor].title }
	for _, test := range []struct {
		name string
		do   func(s *story)
		want string
		got  func(s *story) any
	}{
		{"down", func(s *story) { s.press("down") }, "broker-1", func(s *story) any { return marked(s) }},
		{"down beyond the end", func(s *story) { s.press("down j down pgdown end") }, "broker-2", func(s *story) any { return marked(s) }},
		{"up beyond the start", func(s *story) { s.press("end up k home pgup") }, "broker-0", func(s *story) any { return marked(s) }},
		{"the mark stays on its row", func(s *story) { s.press("down S") }, "broker-1 1", func(s *story) any { return fmt.Sprint(marked(s), " ", s.cursor) }},
		{"the marked row goes", func(s *story) { s.press("end"); s.answer(0, brokersOf(1)) }, "broker-0", func(s *story) any { return marked(s) }},
		{"other way round", func(s *story) { s.press("s S home") }, "broker-2", func(s *story) any { return s.table.rows[0].title }},
		{"by age", func(s *story) {
			s.orders[tabBrokers] = order{7, true}
			s.refresh()
		}, "broker-2 broker-1", func(s *story) any { return s.table.rows[0].title + " " + s.table.rows[1].title }},
		{"columns go round, that of the only server is left out", func(s *story) { s.press(strings.Repeat("s ", len(kinds[tabBrokers].columns)-1)) }, "1", func(s *story) any { return s.orders[0].column }},
		{"filter", func(s *story) { s.press("/ R - 2") }, "1/3 true", func(s *story) any { return fmt.Sprintf("%d/%d %v", len(s.table.rows), s.table.all, s.typing) }},
		{"a filter has all keys", func(s *story) { s.press("/ q s ? space b") }, "qs? b", func(s *story) any { return s.filter }},
		{"backspace", func(s *story) { s.press("/ a ö backspace backspace backspace x") }, "x", func(s *story) any { return s.filter }},
		{"filter kept", func(s *story) { s.press("/ 2 enter end") }, "2 false", func(s *story) any { return fmt.Sprint(s.filter, " ", s.typing) }},
		{"filter dropped", func(s *story) { s.press("/ 2 enter esc") }, "3", func(s *story) any { return len(s.table.rows) }},
		{"filter dropped while typed", func(s *story) { s.press("/ 2 esc") }, "3 false", func(s *story) any { return fmt.Sprint(len(s.table.rows), " ", s.typing) }},
		{"filter pasted", func(s *story) { s.press("/"); s.tell(tea.PasteMsg{Content: "r-1\n"}) }, "r-1", func(s *story) any { return s.filter }},
		{
			"filter is bounded and clean", func(s *story) { s.press("/"); s.tell(tea.PasteMsg{Content: "\x1b" + strings.Repeat("x", 1000)}) }, `100 \u001b`,
			func(s *story) any { return fmt.Sprint(len(s.filter), " ", s.filter[:6]) },
		},
		{"paste elsewhere", func(s *story) { s.tell(tea.PasteMsg{Content: "q"}) }, "", func(s *story) any { return s.filter }},
		{"help and back", func(s *story) { s.press("? esc") }, "false", func(s *story) any { return s.help }},
		{"a tab leaves help", func(s *story) { s.press("? e") }, "false 4", func(s *story) any { return fmt.Sprint(s.help, " ", s.tab) }},
		{"tabs", func(s *story) { s.press("tab right left tab tab") }, "3", func(s *story) any { return int(s.tab) }},
		{"tabs go round", func(s *story) { s.press("left left") }, "4", func(s *story) any { return int(s.tab) }},
		{"another tab forgets what was told", func(s *story) { s.press("t b") }, "0", func(s *story) any { return s.table.all }},
		{"an answer for another tab", func(s *story) {
			s.press("t")
			s.tell(answerMsg{server: 0, tab: tabBrokers, data: brokersOf(2)})
		}, "0", func(s *story) any { return s.table.all }},
		{
			"an answer that is none", func(s *story) { s.tell(answerMsg{server: 0, tab: tabBrokers, err: fmt.Errorf("busy")}) }, "3 busy",
			func(s *story) any { return fmt.Sprint(s.table.all, " ", s.live.servers[0].refused) },
		},
		{"details", func(s *story) { s.press("enter"); s.tell(detailMsg{1, []string{"because"}}) }, "[because]", func(s *story) any { return s.detail.lines }},
		{
			"details of what was asked before", func(s *story) { s.press("enter esc down enter"); s.tell(detailMsg{1, []string{"because"}}) }, "[]",
			func(s *story) any { return s.detail.lines },
		},
		{"details are bounded", func(s *story) {
			s.press("enter")
			s.tell(detailMsg{1, make([]string, 5000)})
			s.press("end")
		}, "true", func(s *story) any { return len(s.detail.lines) <= mostLines && s.detail.top > 0 }},
		{"back from details", func(s *story) { s.press("enter enter") }, "true", func(s *story) any { return s.detail == nil }},
		{
			"paused", func(s *story) { s.press("space"); s.hear(0, 2, state(t, 9, nil)); s.answer(0, brokersOf(9)) }, "3 9",
			func(s *story) any { return fmt.Sprint(s.table.all, " ", s.live.servers[0].status.Brokers.Members) },
		},
		{"goes on", func(s *story) { s.press("space"); s.answer(0, brokersOf(9)); s.press("space") }, "9", func(s *story) any { return s.table.all }},
		{"fresh", func(s *story) { s.hear(0, 1, state(t, 3, nil)); s.tell(at(5)) }, "false", func(s *story) any { return s.live.servers[0].isStale(s.now) }},
		{"stale by silence", func(s *story) { s.hear(0, 1, state(t, 3, nil)); s.tell(at(6)) }, "true", func(s *story) any { return s.live.servers[0].isStale(s.now) }},
		{
			"stale by loss", func(s *story) { s.tell(lostMsg{0, fmt.Errorf("gone")}) }, "true gone",
			func(s *story) any { return fmt.Sprint(s.live.servers[0].isStale(s.now), " ", s.live.servers[0].lost) },
		},
		{
			"back after loss", func(s *story) { s.tell(lostMsg{0, fmt.Errorf("gone")}); s.hear(0, 2, state(t, 3, nil)) }, "false ",
			func(s *story) any { return fmt.Sprint(s.live.servers[0].isStale(s.now), " ", s.live.servers[0].lost) },
		},
		{"each event once", func(s *story) {
			s.hear(0, 1, nil, happening(2, 1, "x", "b"), happening(3, 1, "x", "b"))
			s.hear(0, 2, nil, happening(1, 0, "x", "b"), happening(3, 1, "x", "b"))
		}, "[1 2 3]", func(s *story) any {
			var all []whole
			for _, e := range s.live.events {
				all = append(all, e.Seq)
			}
			return all
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStory(t, 80, 24, "ns1:9876")
			s.hear(0, 0, state(t, 3, nil))
			s.answer(0, brokersOf(3))
			test.do(s)
			if got := fmt.Sprint(test.got(s)); got != test.want {
				t.Errorf("it is %s, want %s", got, test.want)
			}
			s.wantWhole()
		})
	}
}

// TestEnd makes sure that a key ends the program, and which.
func TestEnd(t *testing.T) {
	for keys, ends := range map[string]bool{"q": true, "ctrl+c": true, "? q": true, "enter q": true, "/ ctrl+c": true, "/ q": false, "u": false, "esc": false} {
		s := newStory(t, 80, 24, "ns1:9876")
		s.hear(0, 0, state(t, 1, nil))
		s.answer(0, brokersOf(1))
		cmd := s.press(keys)
		isEnd := false
		if cmd != nil {
			_, isEnd = cmd().(tea.QuitMsg)
		}
		if isEnd != ends {
			t.Errorf("%s ends: %v", keys, isEnd)
		}
	}
	for i := range kinds {
		if k := kinds[i].key; k == "q" || k == "s" || k == "j" || k == "k" || k == "g" {
			t.Errorf("%s means something else too", k)
		}
	}
}

// TestBounds lets servers tell without end.
func TestBounds(t *testing.T) {
	s := newStory(t, 50, 24, "ns1:9876", "ns2:9876")
	for i := range 3000 {
		e := happening(i, i, "broker.registered", "b")
		e.Change = &struct {
			Args   string  `json:"args"`
			Before *string `json:"before"`
			After  *string `json:"after"`
		}{Args: strings.Repeat("x", 64<<10)}
		e.clip()
		s.hear(i%2, i, state(t, 1, nil), e)
	}
	if n := len(s.live.events); n != mostEvents || cap(s.live.events) > 2*mostEvents+4 {
		t.Errorf("%d events are kept, in room for %d", n, cap(s.live.events))
	}
	if e := &s.live.events[0]; e.Seq != 2000 || len(e.Change.Args) > mostText+4 {
		t.Errorf("the oldest is %d, with %d bytes", e.Seq, len(e.Change.Args))
	}
	for _, width := range []int{50, 30, 250} {
		s.tell(tea.WindowSizeMsg{Width: width, Height: 24})
		s.hear(0, 4000+width, state(t, 1, nil))
		if n := len(s.live.servers[0].points); n > min(width, mostPoints) || n < 30 {
			t.Errorf("%d points are kept on a screen of %d cells", n, width)
		}
	}
}

// TestAsking makes sure that a server is asked for its table when its time has come, and by
// one question at a time.
func TestAsking(t *testing.T) {
	s := newStory(t, 80, 24, "ns1:9876", "ns2:9876")
	asks := func(tenths int) (asked string) {
		s.tell(tickMsg(start.Add(time.Duration(tenths) * 100 * time.Millisecond)))
		for i := range s.live.servers {
			if sv := &s.live.servers[i]; sv.asking && sv.askedAt.Equal(s.now) {
				asked += sv.name[2:3]
			}
		}
		return asked
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: asked are %q, want %q", what, got, want)
		}
	}
	want("nobody is there", asks(1), "")
	s.hear(0, 0, state(t, 1, nil))
	want("one is", asks(2), "1")
	want("it has not answered", asks(100), "")
	s.answer(0, brokersOf(1))
	s.now = start
	s.live.servers[0].askedAt = start
	want("too soon", asks(19), "")
	want("after two seconds", asks(20), "1")
	s.answer(0, brokersOf(1))
	s.tell(toldMsg{server: 0, at: start.Add(2100 * time.Millisecond), changed: true})
	want("a broker has changed", asks(24), "")
	want("half a second after the last", asks(25), "1")
	s.answer(0, brokersOf(1))
	want("no change any more", asks(31), "")
	s.press("space")
	want("held", asks(90), "")
	s.press("space e")
	want("told by the stream", asks(100), "")
	s.press("c")
	s.press("t")
	want("another table, while it has not answered", asks(101), "")
	s.tell(answerMsg{server: 0, tab: tabClients})
	want("as soon as it has", asks(102), "1")
	s.answer(0, data{})
	s.press("c")
	if cmd := s.Model.ask(); cmd != nil || !s.live.servers[0].asking {
		t.Error("a tab is not asked for at once")
	}
	s.answer(0, data{})
	want("a table that costs more", asks(140), "")
	want("after five seconds", asks(152), "1")
	s.answer(0, data{})
	s.tell(lostMsg{0, fmt.Errorf("gone")})
	want("lost", asks(500), "")
}
