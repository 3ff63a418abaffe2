package nsctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// clearScreen sends a terminal home, and clears it.
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

// reads makes a command that only asks: with --watch it does so again and again.
func (c *ctl) reads(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if c.every == 0 {
			return run(cmd.Context(), args)
		}
		return c.repeat(cmd.Context(), func(ctx context.Context) error { return run(ctx, args) })
	}
}

// writes makes a command that changes something, writes files, or goes on by itself.
func (c *ctl) writes(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if c.every != 0 {
			return usage("--watch is for commands that only ask, and end")
		}
		return run(cmd.Context(), args)
	}
}

// repeat runs something until ctx ends, and returns what the last whole run did. Being
// called wrongly ends it at once.
func (c *ctl) repeat(ctx context.Context, run func(ctx context.Context) error) error {
	stdout, stderr := c.stdout, c.stderr
	defer func() { c.stdout, c.stderr = stdout, stderr }()
	last := &exitError{code: exitYes}
	isTable := c.output == "table" || c.output == "wide"
	for first := true; ; first = false {
		var page, words bytes.Buffer // written at once: a screen that is drawn bit by bit flickers
		c.stdout, c.stderr = &page, &words
		err := run(ctx)
		if ctx.Err() != nil {
			break
		}
		end := &exitError{code: exitYes}
		if err != nil {
			end = &exitError{code: exitUsage, text: err.Error()}
			errors.As(err, &end)
			if end.code == exitUsage {
				stderr.Write(words.Bytes())
				return err
			}
			if end.text != "" {
				fmt.Fprintln(&words, "nsctl:", end.text)
			}
		}
		last = &exitError{code: end.code}
		before := ""
		switch {
		case c.terminal && isTable:
			before = clearScreen
		case !first && isTable && !c.noHeaders:
			before = "\n"
		case !first && c.output == "yaml":
			before = "---\n"
		}
		if _, err := stdout.Write(append([]byte(before), page.Bytes()...)); err != nil {
			return err
		}
		stderr.Write(words.Bytes())
		if !sleep(ctx, c.every) {
			break
		}
	}
	if last.code == exitYes {
		return nil
	}
	return last
}

// sleep waits, and reports whether ctx has let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// sayOf says something of a server on stderr.
func (c *ctl) sayOf(server, format string, args ...any) {
	fmt.Fprintf(c.stderr, "nsctl: %s: %s\n", clean(server), clean(fmt.Sprintf(format, args...)))
}

// group makes a command that has only others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var names []string
			for _, sub := range cmd.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			if len(args) == 0 {
				return usage("%s what? There are %s", cmd.CommandPath(), strings.Join(names, ", "))
			}
			return usage("%s has no %q; there are %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(below...)
	return cmd
}
