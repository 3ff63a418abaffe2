package engine

import (
	"fmt"

	"github.com/panjf2000/gnet/v2"
)

// turn serves c what one read has brought, see fairness.go, and in the middle of
// a large frame reads more, see large_frame.go. All replies leave in one write.
// Loop only.
func (l *loop) turn(c *conn, data []byte) (action gnet.Action) {
	l.bytesIn.Add(uint64(len(data)))
	defer func() {
		if p := recover(); p != nil {
			l.notePanic(c, p)
			action = l.finish(c, ErrPanic)
		}
	}()
	full := len(data) == readBuffer // there may be more
	var err error
	switch {
	case c.closing.Load(): // on its way out: no further frame is served
	case c.choked || c.behind:
		err = l.hoard(c, data)
	case c.in != nil:
		if data, err = l.complete(c, data); err == nil && len(data) > 0 {
			err = l.serveOrKeep(c, data)
		}
	default:
		err = l.serveOrKeep(c, data)
	}
	if err == nil && c.rest() >= readBuffer {
		switch {
		case full:
			err = l.readRest(c)
		case len(c.in.B) >= readBuffer:
			c.patient = true // we are faster than the peer
		}
	}
	return l.finish(c, err)
}

// finish ends a turn: it writes the replies, also those before a frame that
// was malformed or caused a panic, and after an error asks gnet to close c.
// Nothing touches c.gc after a failed write.
func (l *loop) finish(c *conn, err error) gnet.Action {
	l.endTurn()
	if l.out != nil {
		if !c.gone {
			l.write(c)
		}
		l.e.bufs.put(l.out)
		l.out = nil
	}
	if c.gone {
		return gnet.None
	}
	if err != nil {
		if c.cause == nil {
			c.cause = err
		}
		return gnet.Close
	}
	if c.patient {
		l.gather(c)
	}
	return gnet.None
}

// write sends the replies gathered so far and reports whether c has survived.
func (l *loop) write(c *conn) bool {
	b := l.out.B
	l.out.B = b[:0]
	return len(b) == 0 || l.writeBytes(c, b)
}

// serveOrKeep serves the whole frames of data and keeps the rest.
func (l *loop) serveOrKeep(c *conn, data []byte) error {
	rest, err := l.serveAll(c, data)
	if err != nil || len(rest) == 0 {
		return err
	}
	return l.keep(c, rest)
}

// serveAll serves the whole frames at the beginning of data and returns what
// is behind them: the beginning of a frame, of which c.need is then the size
// if known, or, if c has become choked or has had its turn, anything.
func (l *loop) serveAll(c *conn, data []byte) (rest []byte, err error) {
	for len(data) > 0 {
		if c.closing.Load() {
			return nil, nil
		}
		if c.choked || l.spent() {
			if !c.choked {
				l.fallBehind(c)
			}
			c.need = 0
			return data, nil
		}
		n, err := l.split(data)
		if err != nil {
			return nil, err
		}
		if n == 0 || n > len(data) {
			c.need = n
			return data, nil
		}
		if err := l.serve(c, data[:n:n]); err != nil {
			return nil, err
		}
		data = data[n:]
	}
	return nil, nil
}

// split asks for the size of the first frame of data and distrusts the answer.
func (l *loop) split(data []byte) (int, error) {
	n, err := l.e.o.Split(data)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	case n < 0:
		return 0, fmt.Errorf("%w: size %d", ErrMalformed, n)
	case n > l.e.o.MaxFrame:
		return 0, fmt.Errorf("%w: size %d exceeds %d", ErrMalformed, n, l.e.o.MaxFrame)
	}
	return n, nil
}

// serve gives one frame to the handler and writes early if many replies have
// gathered. The error is errGone or nil.
func (l *loop) serve(c *conn, frame []byte) error {
	if l.out == nil {
		c.beginTurn()
		l.out = l.e.bufs.getReply()
	}
	l.touch(c)
	l.served++
	if !c.spoke {
		c.spoke = true
		l.e.strangers.leave(c)
	}
	l.out.B = l.e.h.Serve(c, c.turnBegan(), frame, l.out.B)
	if len(l.out.B) >= flushSize {
		l.flushed = true
		if !l.write(c) {
			return errGone
		}
	}
	return nil
}

// resume is a turn without a read: it serves what was hoarded while c was
// choked or behind. That may be megabytes, and c may well be again over it.
func (l *loop) resume(c *conn) {
	if c.in == nil || c.closing.Load() || c.behind {
		return
	}
	if l.held(c) == gnet.Close {
		l.close(c, nil)
	}
}

func (l *loop) held(c *conn) (action gnet.Action) {
	defer func() {
		if p := recover(); p != nil {
			l.notePanic(c, p)
			action = l.finish(c, ErrPanic)
		}
	}()
	return l.finish(c, l.serveHeld(c))
}
