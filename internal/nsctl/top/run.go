package top

import (
	"context"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// Options say what is shown.
type Options struct {
	Servers []Server            // at least one
	Tab     string              // one of Tabs; the first is shown at first
	Every   time.Duration       // between two questions for a table; what a stream tells comes each second
	Clean   func(string) string // returns a text without anything that a terminal obeys
	Colored bool
	Now     func() time.Time
}

// Tabs returns the names of the tables.
func Tabs() []string { return tabNames[:] }

// Run shows the screen on a terminal until a key or ctx ends it. Afterwards the terminal is as
// it was, and nothing runs any more.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	profile := colorprofile.Ascii // no colors, but reverse
	if o.Colored {
		profile = colorprofile.ANSI
	}
	p := tea.NewProgram(newModel(ctx, &o), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithColorProfile(profile))
	f := &feed{servers: o.Servers, now: o.Now}
	var feeds sync.WaitGroup
	for i := range o.Servers {
		feeds.Go(func() { f.follow(ctx, i, p.Send) })
	}
	// With a context of its own the program would be killed, and leave behind who reads the keys.
	stop := context.AfterFunc(ctx, p.Quit)
	_, err := p.Run()
	stop()
	cancel()
	feeds.Wait()
	return err
}
