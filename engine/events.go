package engine

import (
	"errors"
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/panjf2000/gnet/v2"
)

// A sentinel is the context of the silent connection that stands for a loop.
type sentinel struct{ l *loop }

// An events receives gnet's callbacks, each on the loop of its connection.
type events struct {
	gnet.BuiltinEventEngine
	e *Engine
}

// OnOpen gives c its loop and tells the handler. The acceptor is waiting.
func (ev *events) OnOpen(gc gnet.Conn) (_ []byte, action gnet.Action) {
	switch c := gc.Context().(type) {
	case *sentinel:
		c.l.begin(gc.EventLoop())
	case *conn:
		l := ev.loopOf(gc.EventLoop())
		if l == nil {
			return nil, gnet.Close
		}
		c.loop, c.gc = l, gc
		c.life.Store(alive)
		l.addIdle(c)
		ev.e.strangers.add(c)
		if c.preamble != preambleProxy {
			ev.e.locate(c)
		}
		if c.preamble != preambleProxy && l.tell(c) {
			c.setCause(ErrPanic)
			return nil, gnet.Close
		}
	}
	return nil, gnet.None
}

// OnTraffic is called once for what one read has brought.
func (ev *events) OnTraffic(gc gnet.Conn) gnet.Action {
	// All of it is taken, always: gnet keeps leftovers in a ring that it
	// grows slowly and recycles for ever, and does not call again for them.
	data, _ := gc.Next(-1)
	switch c := gc.Context().(type) {
	case *sentinel:
		c.l.catchUp()
	case *conn:
		switch {
		case c.gone:
		case c.preamble != preambleOver:
			return c.loop.greet(c, data)
		default:
			return c.loop.turn(c, data)
		}
	}
	return gnet.None
}

// OnClose is the end of c, whoever wanted it: gnet calls it for every
// connection that was opened, once, while the descriptor is still ours.
func (ev *events) OnClose(gc gnet.Conn, err error) gnet.Action {
	switch c := gc.Context().(type) {
	case *sentinel:
		c.l.end()
		ev.e.loopEnded(c.l)
	case *conn:
		if c.loop == nil {
			break
		}
		c.loop.conns.Add(-1)
		if !c.gone {
			c.loop.closed(c, err)
		}
	}
	return gnet.None
}

func (ev *events) loopOf(el gnet.EventLoop) *loop {
	for _, l := range ev.e.loops {
		if l.el == el {
			return l
		}
	}
	return nil
}

// guard calls f and reports whether it panicked.
func (l *loop) guard(c *conn, f func()) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			l.notePanic(c, p)
		}
	}()
	f()
	return false
}

func (l *loop) notePanic(c *conn, p any) {
	l.e.panics.Add(1)
	l.e.panicLog.write(l.e.o.Logger, slog.LevelError, "handler panicked", "conn", c.id, "remote", c.RemoteAddr(),
		"panic", clipped(p), "stack", string(debug.Stack()))
}

// closed takes c off every list, writes what is left in its outbox as far as
// the peer takes it, counts, and tells the handler.
func (l *loop) closed(c *conn, err error) {
	left, choked, reason := c.closeOutbox()
	if left != nil {
		if err == nil && !l.undecided(c) {
			// Not after an error: the peer is gone. gnet flushes once more
			// after OnClose and drops the rest.
			_, _ = c.gc.Write(left.B)
			l.bytesOut.Add(uint64(len(left.B)))
		}
		l.e.bufs.put(left)
	}
	c.gc = nil
	if choked {
		l.e.choked.Add(-1)
	}
	c.unlink(byIdleness)
	c.unlink(byUnsent)
	c.unlink(byBehind)
	c.endSlow()
	cause := closeCause(err, reason)
	if PeerLeft(cause) && !choked {
		l.serveLeft(c)
	}
	l.dropInput(c)
	l.cool(c)

	l.finishClose(c, cause)
}

// finishClose counts c out and tells the handler. For a connection that spoke TLS
// its reader calls it, not the loop.
func (l *loop) finishClose(c *conn, cause error) {
	l.e.strangers.closed(c)
	l.e.closed[kindOf(cause)].Add(1)
	l.e.peers.remove(c.id)
	l.e.buckets.leave(c.bucket)
	l.e.open.Add(-1) // last: who sees that it is gone finds it counted
	l.noteClosed(c, cause)
	if c.told {
		l.guard(c, func() { l.e.h.Closed(c, cause) })
	}
}

// closeCause returns why a connection died: our reason, or if there is none, what gnet
// says, who says nothing when its loop ends.
func closeCause(err error, reason *error) error {
	switch {
	case reason != nil:
		return *reason
	case err == nil:
		return ErrShutdown
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return err
}

// noteClosed logs the misbehaviour of peers, each kind sparingly.
func (l *loop) noteClosed(c *conn, cause error) {
	kind := kindOf(cause)
	if msg := closedMessage(kind); msg != "" {
		l.e.closedLogs[kind].warn(l.e.o.Logger, msg, "conn", c.id, "remote", c.RemoteAddr(), "err", clipped(cause))
	}
}

// closedMessage is what is said of a closed connection, "" if nothing.
func closedMessage(kind closeKind) string {
	switch kind {
	case closedMalformed:
		return "malformed frame"
	case closedPreamble:
		return "connection not let in"
	case closedSlowReader, closedOverloaded, closedFrameTimeout, closedFlood, closedForRoom:
		return "connection cut off"
	}
	return ""
}

// begin tells the loop which of gnet's it is. The acceptor starts after that.
func (l *loop) begin(el gnet.EventLoop) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.el = el
	l.now = l.e.now() // the first tick is a second away
	l.ticked.Store(int64(max(l.now, 1)))
}

// end makes the loop refuse tasks from now on.
func (l *loop) end() {
	if l.chokeTimer != nil {
		l.chokeTimer.Stop()
	}
	if l.slowTimer != nil {
		l.slowTimer.Stop()
	}
	l.ticked.Store(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}
