package main

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"gonamesrv/bench"
	"gonamesrv/bench/live"
)

// A watcher shows how a run is doing: on a terminal it draws, elsewhere it writes
// a line once in a while.
type watcher struct {
	state  live.State
	file   *os.File // the terminal; nil if it is none
	screen *live.Screen
	plain  *live.Plain
}

// watch shows on w what a run of the scenario says.
func watch(w io.Writer, sc bench.Scenario) *watcher {
	v := &watcher{state: live.State{Title: "nsbench " + sc.Name}}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		v.file, v.screen = f, live.NewScreen(f)
	} else {
		v.plain = live.NewPlain(w)
	}
	return v
}

// show shows what a run says of itself. turn is what is under load.
func (v *watcher) show(turn string, p bench.Progress) {
	v.state.Add(turn, p)
	if v.screen == nil {
		v.plain.Show(&v.state, time.Now())
		return
	}
	width, height := v.size()
	// A terminal may begin a new line behind its last column.
	v.screen.Draw(v.state.Lines(width-1, height), width)
}

// end leaves the terminal to the results.
func (v *watcher) end() {
	if v.screen != nil {
		width, _ := v.size()
		v.screen.Clear(width)
	}
}

func (v *watcher) size() (width, height int) {
	width, height, err := term.GetSize(int(v.file.Fd()))
	if err != nil || width < 2 || height < 1 {
		return 80, 24
	}
	return width, height
}
