package engine

import (
	"net"
	"sync/atomic"
	"time"
)

const (
	// drainTick is how often connections are closed during a drain.
	drainTick = 10 * time.Millisecond

	// drainLooks is how many connections a loop looks at per tick for some
	// to close.
	drainLooks = 4096

	// The kernel connects peers before we accept them, and resets them when the
	// listener is closed. So when the engine is to stop, acceptors first take
	// those that are there. They look every acceptLook, until a look finds none,
	// for lastAccepts at most.
	acceptLook  = 10 * time.Millisecond
	lastAccepts = time.Second
)

// A Drain says how an engine parts from its peers. It accepts nobody new and
// serves those who are connected. It closes one connection after the other, first
// those that have been silent for longest. It ends when none is left.
type Drain struct {
	// Limit is when all that are still open are closed, finished or not.
	// 0: at once.
	Limit time.Duration

	// Pace is the time between two closes. If all connections would take longer
	// than nine tenths of Limit, it is shorter. 0: the closes are spread over nine
	// tenths of Limit.
	Pace time.Duration
}

// due returns how many of n connections are to be closed by a time after the
// beginning of the drain.
func (d Drain) due(n int64, after time.Duration) int64 {
	due := int64(float64(n) * (float64(after) / (0.9 * float64(d.Limit))))
	if d.Pace > 0 {
		due = max(due, int64(after/d.Pace))
	}
	return min(n, due)
}

// drain carries out Options.Drain. It returns early, with the reason, when a
// loop ends by itself.
func (e *Engine) drain(accepting <-chan struct{}) (fatal error) {
	d := e.o.Drain()
	if d.Limit <= 0 {
		return nil
	}
	started := time.Now()
	e.stopAccepting(accepting)
	n := e.open.Load()
	e.o.Logger.Info("engine drains", "addr", e.addrText(), "connections", n, "limit", d.Limit)
	limit := time.NewTimer(d.Limit - time.Since(started))
	defer limit.Stop()
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for given := int64(0); e.open.Load() > 0; {
		select {
		case fatal = <-e.fatal:
			return fatal
		case <-limit.C:
			e.o.Logger.Warn("engine drain has reached its limit", "addr", e.addrText(), "connections", e.open.Load())
			return nil
		case <-tick.C:
		}
		due := d.due(n, time.Since(started))
		e.drainDue.Add(due - given)
		given = due
		for _, l := range e.loops {
			if e.drainDue.Load() > 0 && l.drainWaiting.CompareAndSwap(false, true) {
				l.execute(l.drainTask)
			}
		}
		e.tls.drainSome(&e.drainDue)
	}
	return nil
}

// stopAccepting ends the acceptors when they have taken whoever has connected,
// and closes the listeners.
func (e *Engine) stopAccepting(accepting <-chan struct{}) {
	e.lastAccept.Store(int64(e.now() + lastAccepts))
	for _, ln := range e.lns {
		_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(acceptLook))
	}
	<-accepting
	e.closeListeners()
}

// mustAcceptMore reports whether the acceptor of ln, whose accept has failed with
// the deadline of stopAccepting, is to go on.
func (e *Engine) mustAcceptMore(ln net.Listener) bool {
	tcp := ln.(*net.TCPListener)
	if int64(e.now()) >= e.lastAccept.Load() || !hasBacklog(tcp) {
		return false
	}
	return tcp.SetDeadline(time.Now().Add(acceptLook)) == nil
}

// drainSome closes as many connections as are due. It does not close one of which a
// request or a reply is on its way; it puts that one at the end of its list. Loop only.
func (l *loop) drainSome() {
	l.drainWaiting.Store(false)
	looks := drainLooks
	for _, il := range l.idles {
		for n := il.size; n > 0; n-- {
			if looks--; looks < 0 || !takeOne(&l.e.drainDue) {
				return
			}
			c := il.head
			if l.isQuiet(c) {
				l.close(c, ErrShutdown)
				continue
			}
			l.e.drainDue.Add(1)
			c.unlink(byIdleness)
			il.push(c)
		}
	}
}

// drainSome does the same for connections with TLS, in no order.
func (s *tlsSet) drainSome(due *atomic.Int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.open {
		if !t.isQuiet() {
			continue
		}
		if !takeOne(due) {
			return
		}
		t.c.Close(ErrShutdown)
	}
}

// isQuiet reports the same of a connection with TLS. One that is being closed is not
// quiet.
func (t *tlsConn) isQuiet() bool {
	c := t.c
	// The socket comes first: what the reader takes from there makes it busy before.
	if c.closing.Load() || socketHasInput(t.nc) || t.busy.Load() || c.hasTasks() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.up && !t.writing && c.out.queue == nil
}

// socketHasInput is hasInput for a socket of package net.
func socketHasInput(nc *net.TCPConn) (has bool) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) { has = hasInput(int(fd)) })
	return has
}

// takeOne subtracts 1 from n, unless n is 0, and reports whether it did.
func takeOne(n *atomic.Int64) bool {
	if n.Add(-1) >= 0 {
		return true
	}
	n.Add(1)
	return false
}

// isQuiet reports whether nothing of c is on its way: no request unread, half
// read or with a worker, no reply that the kernel has not taken. Loop only.
func (l *loop) isQuiet(c *conn) bool {
	return (c.backlog == nil || c.backlog.in.isEmpty()) && !c.hasTasks() && !c.hasOutput() && c.gc.OutboundBuffered() == 0 && !hasInput(c.gc.Fd())
}

// hasTasks reports whether an executor still works for c.
func (c *conn) hasTasks() bool {
	for ln := c.lanes.Load(); ln != nil; ln = ln.next {
		if ln.isBusy() {
			return true
		}
	}
	return false
}

func (ln *lane) isBusy() bool {
	ln.x.mu.Lock()
	defer ln.x.mu.Unlock()
	return ln.busy
}

func (c *conn) hasOutput() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.queue != nil
}
