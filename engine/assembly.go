package engine

import (
	"fmt"

	"github.com/valyala/bytebufferpool"
)

// Frames that come in pieces are put together in c.in, a buffer of our own
// rather than gnet's ring: measured with gnet v2.10.0, a 16 MiB frame costs a
// third of the time and half the memory. The buffer grows with the bytes that
// have really come, never on the word of a header.
//
// Invariant: unless c is choked, c.in is nil or holds the beginning of one
// frame, and c.need is the size of that frame or 0 if it cannot be told yet.
// All of this is for the loop only.

// probe is how many bytes are added at a time to a frame whose size cannot be
// told yet. Most need only the rest of a length field.
const probe = 64

// keep stores rest, the beginning of a frame, for the next turn.
func (l *loop) keep(c *conn, rest []byte) error {
	size := len(rest)
	if c.need > size {
		// Twice what has come, or all of it where that is little.
		size = min(c.need, max(2*size, smallBuffer))
	}
	if err := l.hold(c, size); err != nil {
		return err
	}
	c.in.B = append(c.in.B, rest...)
	return nil
}

// complete adds data to the frame that c.in begins and serves it once whole.
// It returns what follows the frame, none of which was copied.
func (l *loop) complete(c *conn, data []byte) (rest []byte, err error) {
	for c.need == 0 {
		if len(data) == 0 {
			return nil, nil
		}
		k := min(probe, len(data))
		if err := l.add(c, data[:k]); err != nil {
			return nil, err
		}
		data = data[k:]
		if c.need, err = l.split(c.in.B); err != nil {
			return nil, err
		}
		if c.need > 0 && c.need <= len(c.in.B) {
			// Whole already, with something behind it: rare, so all of it is
			// served from the buffer.
			if err := l.add(c, data); err != nil {
				return nil, err
			}
			return nil, l.serveHeld(c)
		}
	}
	k := min(c.need-len(c.in.B), len(data))
	if err := l.add(c, data[:k]); err != nil {
		return nil, err
	}
	data = data[k:]
	if len(c.in.B) < c.need {
		return nil, nil
	}
	if err := l.serve(c, c.in.B); err != nil {
		return nil, err
	}
	l.dropInput(c)
	return data, nil
}

// serveHeld serves the whole frames in c.in and keeps what is behind them.
func (l *loop) serveHeld(c *conn) error {
	rest, err := l.serveAll(c, c.in.B)
	if err != nil || c.gone {
		return err
	}
	if len(rest) == 0 {
		l.dropInput(c)
		return nil
	}
	if len(rest) < cap(c.in.B)/4 {
		// Little is left of much: move into a smaller buffer.
		old := c.in
		c.in = nil
		err := l.keep(c, rest)
		l.giveBack(old)
		return err
	}
	c.in.B = c.in.B[:copy(c.in.B, rest)]
	return nil
}

// add appends b to c.in, which grows fourfold but not beyond the frame.
func (l *loop) add(c *conn, b []byte) error {
	if c.in == nil {
		return l.keep(c, b)
	}
	want := len(c.in.B) + len(b)
	if want > cap(c.in.B) {
		size := max(want, 4*cap(c.in.B))
		if c.need > 0 && !c.choked {
			size = max(want, min(size, c.need))
		} else if c.choked {
			size = max(want, min(size, 2*cap(c.in.B)))
		}
		old := c.in
		if err := l.hold(c, size); err != nil {
			return err
		}
		c.in.B = append(c.in.B, old.B...)
		l.giveBack(old)
	}
	c.in.B = append(c.in.B, b...)
	return nil
}

// hold gives c an empty buffer with room for n bytes, if the budget of all
// connections allows. What c.in was before is the caller's to give back.
func (l *loop) hold(c *conn, n int) error {
	b := l.e.bufs.get(n)
	if total := l.e.partial.Add(int64(cap(b.B))); total > l.e.o.MaxPartial {
		l.giveBack(b)
		return fmt.Errorf("%w: %d bytes exceed %d", ErrOverloaded, total, l.e.o.MaxPartial)
	}
	c.in = b
	return nil
}

// giveBack returns a buffer of hold to the pool and the budget.
func (l *loop) giveBack(b *bytebufferpool.ByteBuffer) {
	l.e.partial.Add(-int64(cap(b.B)))
	l.e.bufs.put(b)
}

// dropInput forgets what c.in holds.
func (l *loop) dropInput(c *conn) {
	c.need = 0
	if c.in != nil {
		l.giveBack(c.in)
		c.in = nil
	}
}
