package engine

import (
	"time"

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
	case !c.isServed():
		err = c.warm().in.buffer((*inputMemory)(c), data, c.floodCause())
	default:
		in := l.inboxOf(c)
		if err = in.feed((*inputMemory)(c), data); err == nil {
			err = l.serveAll(c, in)
		}
	}
	if err == nil && c.missing() >= readBuffer {
		switch {
		case full:
			err = l.readRest(c)
		case len(c.backlog.in.buf.B) >= readBuffer:
			c.patient = true // we are faster than the peer
		}
	}
	return l.finish(c, err)
}

// isServed reports whether requests of c are served now. Loop only.
func (c *conn) isServed() bool { return !c.isChoked() && !c.behind }

// floodCause is why c is closed if it sends too much while it is not served.
func (c *conn) floodCause() error {
	if c.isChoked() {
		return ErrSlowReader
	}
	return ErrFlood
}

// finish ends a turn: it writes the replies, also those before a frame that
// was malformed or caused a panic, and after an error asks gnet to close c.
// Nothing touches c.gc after a failed write.
func (l *loop) finish(c *conn, err error) gnet.Action {
	l.endTurn(c)
	l.scratch.forget()
	if out := l.out.buf; out != nil {
		if !c.gone {
			l.write(c)
		}
		l.out.buf = nil
		l.e.bufs.put(out)
	}
	if c.gone {
		return gnet.None
	}
	if err != nil {
		c.setCause(err)
		return gnet.Close
	}
	if c.patient {
		l.gather(c)
	}
	l.cool(c)
	return gnet.None
}

// write sends the replies gathered so far and reports whether c has survived.
func (l *loop) write(c *conn) bool {
	out := l.out.buf
	b := out.B
	out.B = b[:0]
	return len(b) == 0 || l.hasRoom(c) && l.writeBytes(c, b)
}

// serveAll serves the whole frames of a turn and keeps what is behind them. c may
// become choked or slow meanwhile, or have had its turn.
func (l *loop) serveAll(c *conn, in *inbox) error {
	var now time.Duration
	if c.bucket != nil {
		now = l.e.now()
	}
	for in.hasMore() {
		switch {
		case c.closing.Load():
			return nil
		case c.isChoked():
			return l.keepInput(c, in)
		case l.spent():
			l.fallBehind(c)
			return l.keepInput(c, in)
		case c.bucket != nil && l.mustSlow(c, now):
			l.slow(c)
			return l.keepInput(c, in)
		}
		l.e.showNext(in)
		frame, err := in.next((*inputMemory)(c))
		if err != nil {
			return err
		}
		if frame == nil {
			break
		}
		if c.bucket != nil {
			l.pay(c, now)
		}
		if b := in.alone(); b != nil && len(b.B) > smallBuffer {
			err = l.serveLent(c, in, b)
		} else {
			err = l.serve(c, frame)
		}
		if err != nil {
			return err
		}
	}
	return l.keepInput(c, in)
}

// showNext shows the handler what comes next, if it wants to know.
func (e *Engine) showNext(in *inbox) {
	if e.ahead == nil {
		return
	}
	if next := in.peek(); len(next) > 0 {
		in.saw(e.ahead.Prepare(next))
	}
}

// serve gives one frame to the handler and writes early if many replies have
// gathered. The error is errGone or nil.
func (l *loop) serve(c *conn, frame []byte) error {
	out := l.out.buf
	if out == nil {
		l.touch(c)
		c.beginTurn()
		out = l.out.open(&l.e.bufs)
	}
	l.served++
	if !c.spoke {
		c.spoke = true
		l.e.strangers.spoken(c)
	}
	out.B = l.e.h.Serve(c, c.turnBegan(), frame, out.B)
	if l.out.isMany() {
		l.flushed = true
		if !l.write(c) {
			return errGone
		}
	}
	return nil
}

// resume is a turn without a read: it serves what was buffered while c was
// choked or behind. That may be megabytes, and c may well be choked or behind
// again afterwards.
func (l *loop) resume(c *conn) {
	if c.backlog == nil || c.backlog.in.isEmpty() || c.closing.Load() || c.behind {
		return
	}
	if l.serveBuffered(c) == gnet.Close {
		l.close(c, nil)
	}
}

func (l *loop) serveBuffered(c *conn) (action gnet.Action) {
	defer func() {
		if p := recover(); p != nil {
			l.notePanic(c, p)
			action = l.finish(c, ErrPanic)
		}
	}()
	in := &c.backlog.in
	in.reopen()
	return l.finish(c, l.serveAll(c, in))
}
