package compare

import (
	"context"
	"errors"
)

// take returns the server for its turn: started anew, or, with Options.Keep and
// after its first turn, the one that was put aside.
func (c *comparer) take(ctx context.Context, i int) (s Started, anew bool, err error) {
	if s := c.kept[i]; s != nil {
		if c.Servers[i].RunsAlready() {
			return s, false, nil
		}
		return s, false, s.Resume()
	}
	spec := c.Servers[i]
	if spec.Floor && c.Floor != nil {
		if spec, err = c.Floor(spec.Name, c.replyBytes); err != nil {
			return nil, false, err
		}
	}
	if s, err = c.Start(ctx, spec); err != nil {
		return nil, false, err
	}
	if c.Keep {
		c.kept[i] = s
	}
	return s, true, nil
}

// putBack ends a turn: the server is closed, or stopped until its next turn, so
// that what it does for itself is not done while another is measured.
func (c *comparer) putBack(i int, s Started) error {
	switch {
	case c.kept[i] == nil:
		return s.Close()
	case c.Servers[i].RunsAlready():
		return nil
	default:
		return s.Pause()
	}
}

// closeKept closes the servers that were put aside. A process that is stopped
// does not hear that it shall end.
func (c *comparer) closeKept() (err error) {
	for i, s := range c.kept {
		if !c.Servers[i].RunsAlready() {
			err = errors.Join(err, s.Resume())
		}
		err = errors.Join(err, s.Close())
	}
	return err
}
