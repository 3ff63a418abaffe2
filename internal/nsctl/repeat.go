package nsctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// writes makes a command that changes something.
func (c *ctl) writes(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if c.every != 0 {
			return usage("--watch is for commands that only ask")
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
	for {
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
		if c.terminal {
			page = *bytes.NewBuffer(append([]byte(clearScreen), page.Bytes()...))
		}
		if _, err := stdout.Write(page.Bytes()); err != nil {
			return err
		}
		stderr.Write(words.Bytes())
		select {
		case <-ctx.Done():
		case <-time.After(c.every):
		}
		if ctx.Err() != nil {
			break
		}
	}
	if last.code == exitYes {
		return nil
	}
	return last
}

// group makes a command that has only others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("%q is no command of nsctl %s", args[0], use)
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(below...)
	return cmd
}
