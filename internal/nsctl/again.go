package nsctl

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// again runs once, and with --watch again and again until ctx ends. It returns what the
// last run has returned. A command line that is wrong is not run again.
func (c *ctl) again(ctx context.Context, once func(context.Context) error) error {
	for first := true; ; first = false {
		switch {
		case first:
		case c.terminal && (c.output == "table" || c.output == "wide"):
			fmt.Fprint(c.stdout, "\x1b[H\x1b[2J")
		case c.output == "table" || c.output == "wide":
			fmt.Fprintln(c.stdout)
		case c.output == "yaml":
			fmt.Fprintln(c.stdout, "---")
		}
		err := once(ctx)
		var end *exitError
		if c.every == 0 || errors.As(err, &end) && end.code == exitUsage {
			return err
		}
		if !sleep(ctx, c.every) {
			return err
		}
	}
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
	fmt.Fprintf(c.stderr, "nsctl: %s: %s\n", server, clean(fmt.Sprintf(format, args...)))
}
