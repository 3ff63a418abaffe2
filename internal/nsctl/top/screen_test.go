package top

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the golden files anew")

// wantScreen compares the screen with a golden file, and looks for torn lines.
func (s *story) wantScreen(name string) {
	s.t.Helper()
	got := s.screen()
	s.wantWhole()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got+"\n"), 0o666); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	if got+"\n" != string(want) {
		s.t.Errorf("%s: the screen is\n%s\nwant\n%s\n(-update writes it anew)", name, got, want)
	}
}

// wantWhole demands as many lines as the screen has, none wider than it.
func (s *story) wantWhole() {
	s.t.Helper()
	lines := strings.Split(s.screen(), "\n")
	if len(lines) != s.height {
		s.t.Errorf("%d×%d: %d lines", s.width, s.height, len(lines))
	}
	for i, l := range lines {
		if w := max(ansi.StringWidth(l), ansi.StringWidthWc(l)); w > s.width {
			s.t.Errorf("%d×%d: line %d has %d cells: %q", s.width, s.height, i, w, l)
		}
	}
}

// TestScreens shows each situation on screens of three sizes.
func TestScreens(t *testing.T) {
	expired := happening(17, 11, "broker.expired", "broker-b")
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 12}} {
		for _, test := range []struct {
			name string
			tell func(s *story)
		}{
			{"unreached", func(s *story) { s.tell(lostMsg{0, fmt.Errorf("connection refused")}) }},
			{"none", func(s *story) {
				s.hear(0, 1, state(t, 0, func(st *status) {
					st.Rates.Requests, st.Rates.RouteMisses, st.Rates.Refused, st.LatencyMs.LoopDelay.P99, st.Memory.RSS, st.Files.Open = nil, nil, nil, nil, nil, nil
					st.Attention = []attention{{"critical", "brokers.none", "the tables are empty: no broker after 2 min"}}
				}))
				s.answer(0, data{})
			}},
			{"three", func(s *story) {
				for i := range 30 {
					s.hear(0, i-29, state(t, 3, func(st *status) { r := float64(i * i); st.Rates.Requests = &r }))
				}
				s.hear(0, 11, state(t, 3, func(st *status) { st.Brokers.Overdue = 1 }), expired)
				s.answer(0, brokersOf(3))
			}},
			{"many", func(s *story) {
				s.hear(0, 11, state(t, 300, nil), expired)
				s.answer(0, brokersOf(300))
				s.press("end")
			}},
			{"stale", func(s *story) {
				s.hear(0, 1, state(t, 3, nil), expired)
				s.answer(0, brokersOf(3))
				s.tell(lostMsg{0, fmt.Errorf("connection refused")})
				s.tell(tickMsg(start.Add(time.Minute)))
			}},
			{"paused", func(s *story) {
				s.hear(0, 1, state(t, 3, nil))
				s.answer(0, brokersOf(3))
				s.press("space")
				s.hear(0, 2, state(t, 300, nil), expired)
				s.tell(tickMsg(start.Add(time.Minute)))
			}},
			{"filter", func(s *story) {
				s.hear(0, 1, state(t, 300, nil))
				s.answer(0, brokersOf(300))
				s.press("/ R - 2 9 enter")
			}},
			{"several", func(s *story) {
				s.hear(0, 1, state(t, 3, nil), expired)
				s.hear(1, 1, state(t, 2, func(st *status) { st.State, st.Reasons, st.Brokers.Masterless = "notReady", []string{"gate"}, 1 }))
				s.tell(lostMsg{2, fmt.Errorf("connection refused")})
				s.answer(0, brokersOf(3))
				s.answer(1, brokersOf(2))
			}},
			{"help", func(s *story) { s.press("?") }},
			{"details", func(s *story) {
				s.hear(0, 1, state(t, 3, nil))
				s.answer(0, brokersOf(3))
				s.press("down enter")
				s.tell(detailMsg{1, []string{"broker-1 is NOT ROUTED on ns1:9876", "member   failed   10.0.0.1:10911 was silent for 120.3 s of 120 s, and has not registered since"}})
			}},
		} {
			name := fmt.Sprintf("%s-%dx%d", test.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				names := []string{"ns1:9876"}
				if test.name == "several" {
					names = append(names, "ns2:9876", "ns3:9876")
				}
				s := newStory(t, size[0], size[1], names...)
				test.tell(s)
				s.wantScreen(name)
			})
		}
	}
}

// TestTabs shows each table.
func TestTabs(t *testing.T) {
	for i, name := range tabNames {
		s := newStory(t, 100, 16, "ns1:9876", "ns2:9876")
		s.hear(0, 1, state(t, 3, nil), happening(3, 0, "broker.registered", "broker-a"), happening(17, 11, "broker.expired", "broker-b"))
		s.hear(1, 1, state(t, 3, func(st *status) { st.Queues[0].Waiting = 12 }))
		s.press(kinds[i].key)
		s.answer(0, data{
			brokers: brokersOf(2).brokers, hitters: []hitter{{"ORDERS", 120, 3}, {"PAYMENTS", 4000, 0}},
			groups: []group{{"JAVA", "V5_5_0", "tcp", 600}, {"GO", "V4_9_3", "tls", 12}},
		})
		s.wantScreen("tab-" + name)
	}
}

// TestColors shows colors, each beside a word.
func TestColors(t *testing.T) {
	s := newStory(t, 80, 24, "ns1:9876")
	s.paint = true
	s.hear(0, 1, state(t, 3, nil))
	s.answer(0, brokersOf(3))
	s.wantScreen("colors")
	colored := s.screen()
	if s.paint = false; ansi.Strip(colored) != s.screen() {
		t.Error("a screen without colors does not say the same")
	}
}

// TestNothingIsTorn shows much on screens of all sizes, with names that take other widths
// than they have letters, and that a terminal would obey.
func TestNothingIsTorn(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine does all of it")
	}
	names := []string{
		"größe", "日本語の名前", "🙂🙂🙂", "a\x1b[2Jb", "c\r\nd", "e\u202ef", "👩‍👩‍👧", "ก็็็็็็", "\xff\xfe", strings.Repeat("x", 255), strings.Repeat("語", 100), "☺️☺️☺️", strings.Repeat("👍🏽", 30), "🇩🇪🇩🇪", "\x9b31m", "tab\ttab",
	}
	for _, paint := range []paint{false, true} {
		s := newStory(t, 80, 24, "ns1:9876", "日本:9876", "a\x1b[2J:1")
		s.paint = paint
		var d data
		var events []event
		for i, name := range names {
			m := brokersOf(1).brokers[0].Members[0]
			m.Addr, m.Role, m.State, m.ClientVersion = name, name, name, &name
			d.brokers = append(d.brokers, broker{Broker: name, Clusters: []string{name, name}, Members: []member{m}})
			d.hitters = append(d.hitters, hitter{name, whole(i), 0})
			d.groups = append(d.groups, group{name, name, name, 1})
			e := happening(i, i, name, name)
			e.Reason, e.Addr, e.Cluster = &name, &name, &name
			events = append(events, e)
		}
		st := state(t, 3, func(st *status) {
			st.State, st.Reasons, st.Attention = names[3], names, []attention{{names[3], names[4], strings.Join(names, " ")}}
			st.Queues = append(st.Queues, queue{Class: names[3], Waiting: 1})
		})
		s.hear(0, 1, st, events...)
		s.hear(1, 1, st, events...)
		s.tell(lostMsg{1, fmt.Errorf("%s", strings.Join(names, " "))})
		for i := range kinds {
			for _, keys := range []string{"", "/ x", "esc enter", "esc ?", "esc end", "space"} {
				s.press("esc " + kinds[i].key)
				s.answer(0, d)
				s.press(keys)
				if s.detail != nil {
					s.tell(detailMsg{s.detail.number, names})
				}
				for _, size := range [][2]int{{1, 1}, {19, 6}, {20, 5}, {20, 6}, {33, 9}, {40, 12}, {61, 20}, {62, 20}, {80, 24}, {121, 40}, {250, 80}} {
					s.resize(size[0], size[1])
				}
				s.press("esc esc")
			}
		}
	}
}

func (s *story) resize(width, height int) {
	s.t.Helper()
	s.width, s.height = width, height
	s.refresh()
	text := s.screen()
	if width < leastWidth || height < leastHeight {
		if ansi.StringWidth(text) > width {
			s.t.Errorf("%d×%d: %q", width, height, text)
		}
		return
	}
	s.wantWhole()
	for _, r := range ansi.Strip(text) {
		if r != '\n' && clean(string(r)) != string(r) {
			s.t.Fatalf("%d×%d: %q is on the screen", width, height, r)
		}
	}
	if !bool(s.paint) && strings.Contains(text, "\x1b") {
		s.t.Fatalf("%d×%d: a screen without colors has an escape", width, height)
	}
}

// TestMarkIsSeen makes sure that the marked row is on the screen, however much there is to say
// of the servers.
func TestMarkIsSeen(t *testing.T) {
	s := newStory(t, 80, 24, "ns1:9876", "ns2:9876")
	s.hear(0, 1, state(t, 300, nil))
	s.answer(0, brokersOf(300))
	s.press("end up up up")
	s.hear(0, 1, state(t, 300, func(st *status) {
		st.Attention = []attention{{"critical", "x", strings.Repeat("x", 80)}}
	}), happening(1, 0, "broker.expired", "b"))
	s.hear(1, 1, state(t, 300, nil), happening(1, 0, "broker.expired", "b"))
	if marked := "> " + s.table.rows[s.cursor].cells[0].text; !strings.Contains(s.screen(), "\n"+marked) {
		t.Errorf("no row is marked on\n%s", s.screen())
	}
}
