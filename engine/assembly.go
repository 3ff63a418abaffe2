package engine

import (
	"fmt"
	"math/bits"

	"github.com/valyala/bytebufferpool"
)

// Frames that come in pieces are put together in c.in, a buffer of our own
// rather than gnet's ring: measured with gnet v2.10.0, a 16 MiB frame costs a
// third of the time and half the memory. The buffer grows with the bytes that
// have really come, never on the word of a header.
//
// Invariant: unless c is choked or behind, c.in is nil or holds the beginning
// of one frame, c.off is 0, c.need is the size of that frame or 0 if it cannot
// be told yet, and c is listed by frame. Otherwise c.in[c.off:] is any input,
// c.need says nothing, and what takes long is our doing.
//
// All of this is for the loop only.

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
	l.awaitFrame(c)
	return nil
}

// awaitFrame lists c by the frame that it has begun, if it has, until it is
// whole. A first frame has a list of its own, because it has less time.
func (l *loop) awaitFrame(c *conn) {
	if c.in == nil || c.choked || c.behind || c.preamble != preambleOver || c.listed(byFrame) {
		return
	}
	c.began = l.now
	if c.spoke {
		l.frames[laterFrame].push(c)
	} else {
		l.frames[firstFrame].push(c)
	}
}

// closeUnfinished closes those whose frames have taken too long. As in
// closeIdle, nobody is cut off early.
func (l *loop) closeUnfinished() {
	for i := range l.frames {
		fl := &l.frames[i]
		limit, closes := fl.timeout+l.e.o.tick, 0
		for c := fl.head; c != nil && l.now-c.began >= limit && closes < maxCloses; c = fl.head {
			closes++
			l.close(c, fmt.Errorf("%w: %v", ErrFrameTimeout, fl.timeout))
			c.leave(byFrame) // never look at it twice
		}
	}
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
	if err := l.serveWhole(c); err != nil {
		return nil, err
	}
	return data, nil
}

// serveHeld serves the whole frames in c.in and keeps what is behind them.
func (l *loop) serveHeld(c *conn) error {
	c.leave(byFrame)
	rest, err := l.serveAll(c, c.in.B[c.off:])
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
		c.in, c.off = nil, 0
		err := l.keep(c, rest)
		l.giveBack(old)
		return err
	}
	c.off = len(c.in.B) - len(rest)
	if !c.choked && !c.behind || c.off > len(rest) {
		c.in.B = c.in.B[:copy(c.in.B, rest)]
		c.off = 0
	}
	l.awaitFrame(c)
	return nil
}

// add appends b to c.in.
func (l *loop) add(c *conn, b []byte) error {
	if c.in == nil {
		return l.keep(c, b)
	}
	if err := l.grow(c, len(b)); err != nil {
		return err
	}
	c.in.B = append(c.in.B, b...)
	return nil
}

// grow makes room in c.in for n bytes that have come: for the whole frame once
// a quarter of it is there, before that, or if c is not being served, to the
// next power of two.
func (l *loop) grow(c *conn, n int) error {
	if len(c.in.B)+n <= cap(c.in.B) {
		return nil
	}
	held := c.in.B[c.off:]
	want := len(held) + n
	size := 1 << bits.Len(uint(want-1))
	if c.need >= want && c.need <= 4*want && !c.choked && !c.behind {
		size = c.need
	}
	old := c.in
	if err := l.hold(c, size); err != nil {
		return err
	}
	c.in.B, c.off = append(c.in.B, held...), 0
	l.giveBack(old)
	return nil
}

// hold gives c an empty buffer with room for n bytes, if the budget of all
// connections allows. What c.in was before is the caller's to give back.
func (l *loop) hold(c *conn, n int) error {
	b := l.e.bufs.get(n)
	if !l.afford(c, cap(b.B)) {
		l.e.bufs.put(b)
		return fmt.Errorf("%w: no room for %d", ErrOverloaded, n)
	}
	l.e.partial.Add(int64(cap(b.B)))
	c.in = b
	return nil
}

// giveBack returns a buffer of hold to the pool and the budget.
func (l *loop) giveBack(b *bytebufferpool.ByteBuffer) {
	l.e.partial.Add(-int64(cap(b.B)))
	l.e.release(cap(b.B))
	l.e.bufs.put(b)
}

// dropInput forgets what c.in holds.
func (l *loop) dropInput(c *conn) {
	c.leave(byFrame)
	c.need, c.off = 0, 0
	if c.in != nil {
		l.giveBack(c.in)
		c.in = nil
	}
}
