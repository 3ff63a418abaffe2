package top

import (
	"context"
	"errors"
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
	p := tea.NewProgram(newModel(ctx, &o), tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithColorProfile(profile))
	f := &feed{servers: o.Servers, now: o.Now}
	var feeds sync.WaitGroup
	for i := range o.Servers {
		feeds.Go(func() { f.follow(ctx, i, p.Send) })
	}
	_, err := p.Run()
	cancel()
	feeds.Wait()
	if errors.Is(err, context.Canceled) {
		return nil // a signal is a way to end
	}
	return err
}
