package live

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/vt"
	"pgregory.net/rapid"

	"gonamesrv/bench"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// storming is a run with something of everything.
func storming() *State {
	s := &State{Title: "storm"}
	for i := range 40 {
		s.Add("java 5.5.0, round 2 of 5", bench.Progress{
			Stage: "storm", Elapsed: time.Duration(i) * time.Second, Total: 90 * time.Second, Rate: float64(1000 + i*i*7), InFlight: 64,
			P50: 210 * time.Microsecond, P99: time.Duration(1200+i%9*300) * time.Microsecond, ServerCPU: 1.25, ServerRSS: 340e6, Errors: uint64(i / 39 * 12),
		})
	}
	return s
}

func states() map[string]*State {
	preload := &State{Title: "storm"}
	preload.Add("", bench.Progress{Stage: "preload", Elapsed: 3 * time.Second, Done: 12, Of: 32})
	calm := &State{Title: "route (mine.yaml)"}
	calm.Add("", bench.Progress{Stage: "measured", Elapsed: 75 * time.Second, Total: 2 * time.Minute, Rate: 12_345, P50: 90 * time.Microsecond, P99: time.Millisecond, InFlight: 16, Errors: 1})
	cleanup := &State{Title: "route"}
	cleanup.Add("", bench.Progress{Stage: "cleanup", Elapsed: time.Second})
	odd := &State{Title: "日本語の名前\x1b[31m\nred\u202e" + strings.Repeat("長", 40)}
	odd.Add("a\tb", bench.Progress{Stage: "e\u0301tape", Elapsed: -time.Second, Total: time.Second, Done: 9, Of: 3, Rate: 1e12, P99: time.Hour, InFlight: 1 << 30, ServerCPU: 1e9, ServerRSS: 1 << 62, Errors: 1 << 63})
	return map[string]*State{"storm": storming(), "preload": preload, "calm": calm, "cleanup": cleanup, "odd": odd, "nothing": {}}
}

// TestLines compares with how each state was drawn before.
func TestLines(t *testing.T) {
	for name, s := range states() {
		for _, size := range [][2]int{{100, 20}, {60, 20}, {30, 4}, {20, 1}} {
			got := strings.Join(s.Lines(size[0], size[1]), "\n") + "\n"
			golden(t, fmt.Sprintf("%s-%dx%d.txt", name, size[0], size[1]), got)
		}
		golden(t, name+"-line.txt", s.Line()+"\n")
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}

// TestNothingIsTorn: whatever the size, no line is longer than a terminal is wide,
// there are no more than it is high, and nothing in them moves the cursor.
func TestNothingIsTorn(t *testing.T) {
	for name, s := range states() {
		for width := 0; width <= 250; width++ {
			for height := 0; height <= 80; height++ {
				if height > 9 && height < 80 {
					continue // there are no more lines than that
				}
				lines := s.Lines(width, height)
				if len(lines) > height || (width > 0 && height > 0 && len(lines) == 0) {
					t.Fatalf("%s, %d×%d: %d lines", name, width, height, len(lines))
				}
				for _, l := range lines {
					if columns(l) > width || !utf8.ValidString(l) || strings.ContainsFunc(l, func(r rune) bool { return r < ' ' }) {
						t.Fatalf("%s, %d×%d: %d columns: %q", name, width, height, columns(l), l)
					}
				}
			}
		}
	}
}

// TestPastIsBounded: a run of a day keeps no more than what can be shown.
func TestPastIsBounded(t *testing.T) {
	s := &State{}
	for range 86_400 {
		s.Add("", bench.Progress{Rate: 5})
	}
	if len(s.rates) != kept || len(s.p99s) != kept || cap(s.rates) > 2*kept {
		t.Errorf("%d and %d values are kept, room for %d", len(s.rates), len(s.p99s), cap(s.rates))
	}
	s.Add("next", bench.Progress{Rate: 7})
	if len(s.rates) != 1 || s.rates[0] != 7 {
		t.Errorf("of the turn before %v is left", s.rates)
	}
}

// TestScreen: a terminal shows what was drawn last and nothing of what was drawn
// before, below what was there.
func TestScreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const width, height = 60, 20
		term := vt.NewEmulator(width, height)
		defer term.Close()
		fmt.Fprint(term, "$ nsbench run storm\r\n")
		s := NewScreen(term)
		var last []string
		for range rapid.IntRange(1, 8).Draw(t, "draws") {
			last = last[:0]
			for range rapid.IntRange(1, 7).Draw(t, "lines") {
				last = append(last, rapid.StringMatching(`[a-z▁█━]{0,59}`).Draw(t, "line"))
			}
			s.Draw(last, width)
		}
		want := "$ nsbench run storm\n" + strings.TrimRight(strings.Join(last, "\n"), "\n")
		if got := shown(term); got != strings.TrimRight(want, "\n") {
			t.Fatalf("it shows\n%s\nwant\n%s", got, want)
		}
		s.Clear(width)
		fmt.Fprint(term, "result\r\n")
		if got := shown(term); got != "$ nsbench run storm\nresult" {
			t.Fatalf("cleared it shows\n%s", got)
		}
	})
}

// TestNarrower: lines that a narrower terminal has broken are drawn over as well.
func TestNarrower(t *testing.T) {
	var b bytes.Buffer
	s := NewScreen(&b)
	s.Draw([]string{strings.Repeat("a", 50), "b", ""}, 60)
	b.Reset()
	s.Draw([]string{"c"}, 20)
	if want := "\x1b[4A\rc\x1b[K\x1b[J"; b.String() != want { // 3 rows of a, one each of b and of nothing
		t.Errorf("it writes %q, want %q", b.String(), want)
	}
}

func shown(term *vt.Emulator) string {
	lines := strings.Split(term.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \r")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// TestPlain writes when a stage or a turn begins, and every ten seconds.
func TestPlain(t *testing.T) {
	var b bytes.Buffer
	p, s, at := NewPlain(&b), &State{Title: "route"}, time.Unix(0, 0)
	wrote := func() bool {
		defer b.Reset()
		text, _ := io.ReadAll(&b)
		if n := bytes.Count(text, []byte("\n")); n > 1 || n == 1 && text[len(text)-1] != '\n' {
			t.Errorf("it writes %q", text)
		}
		return len(text) > 0
	}
	for sec, tt := range []struct {
		turn, stage string
		want        bool
	}{
		{"", "preload", true},
		{"", "preload", false},
		{"", "warm-up", true},
		{"a", "warm-up", true},
		{"a", "warm-up", false},
		{"a", "warm-up", false},
		{"b", "warm-up", true},
	} {
		s.Add(tt.turn, bench.Progress{Stage: tt.stage})
		p.Show(s, at.Add(time.Duration(sec)*time.Second))
		if got := wrote(); got != tt.want {
			t.Errorf("second %d: wrote is %t, want %t", sec, got, tt.want)
		}
	}
	for sec, want := range map[int]bool{15: false, 16: true} {
		again := *p
		again.Show(s, at.Add(time.Duration(sec)*time.Second))
		if got := wrote(); got != want {
			t.Errorf("second %d: wrote is %t, want %t", sec, got, want)
		}
	}
}
