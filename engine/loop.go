package engine

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// The lists of unfinished frames.
const (
	firstFrame = iota // of their connections
	laterFrame
)

// A loop is our side of one of gnet's event loops: what its connections share.
// Unless noted, fields and methods are for the loop's goroutine only.
type loop struct {
	e     *Engine
	index int
	el    gnet.EventLoop // constant once the engine accepts

	now     time.Duration // engine time as of the last tick
	out     replies       // of the present turn
	served  uint64        // frames served in the present turn
	scratch inbox         // for turns of connections with nothing buffered; empty between turns

	backlogs     *backlog // that no connection has now
	backlogCount int

	flushed   bool      // it has written early
	turnBegan time.Time // when it had served timeCheck frames, zero until then

	members []*conn // those that Opened was called for, in any order; see connections.go

	lent atomic.Pointer[loan] // the loan of the frame that is being served, see loan.go; nil if there is none

	idles  []*connList
	frames [2]connList // those with an unfinished frame, the oldest first; firstFrame, laterFrame
	unsent connList    // those with unsent bytes, the longest so first
	lagged connList    // those that are behind, turn after turn, the longest so first

	chokedList  []*conn // choked connections, and dead ones until the next scan
	chokedSpare []*conn
	chokeTimer  *time.Timer
	awaited     []awaited // connections in the middle of a PROXY header, and others until the next tick

	behindList  []*conn // connections that wait for their next turn, dead ones among them
	behindSpare []*conn
	bell        *os.File // the far end of the sentinel

	slowList  []*conn // connections that wait for a token, see slow.go, dead ones among them
	slowSpare []*conn
	slowTimer *time.Timer

	flushTask, scanTask, tickTask, drainTask, reliefTask, catchUpTask, slowTask gnet.Runnable

	drainWaiting atomic.Bool // a drainSome is queued and has not run

	late     lateness // see delay.go
	lateTask gnet.Runnable

	tickWaiting   atomic.Bool  // a tick is queued and has not run
	ticked        atomic.Int64 // now, for others to read; 0 while it does not run
	reliefWaiting atomic.Bool  // a relief is queued and has not run

	conns atomic.Int64 // connections it serves, and those on their way to it

	frameCount, bytesIn, bytesOut atomic.Uint64

	mu    sync.Mutex // guards the following; taken after conn.mu
	ended bool       // gnet's loop is ending or has ended: nothing may be executed on it
	ready []*conn    // connections with something in the outbox or to be closed
	spare []*conn    // the other half of the double buffer; loop only
}

func newLoop(e *Engine, index int) *loop {
	l := &loop{e: e, index: index}
	l.scratch.limits = &e.inboxLimits
	l.flushTask = l.guarded(l.flushReady)
	l.scanTask = l.guarded(l.scanChoked)
	l.tickTask = l.guarded(l.tick)
	l.drainTask = l.guarded(l.drainSome)
	l.reliefTask = l.guarded(l.relief)
	l.catchUpTask = l.guarded(l.catchUp)
	l.slowTask = l.guarded(l.goOnSlow)
	l.lateTask = l.guarded(l.late.ran)
	l.frames[firstFrame] = connList{kind: byFrame, timeout: e.o.FirstFrameTimeout}
	l.frames[laterFrame] = connList{kind: byFrame, timeout: e.o.FrameTimeout}
	l.unsent = connList{kind: byUnsent}
	l.lagged = connList{kind: byBehind}
	return l
}

// guarded wraps a task of ours. gnet recovers nothing: a panic on a loop ends
// the process.
func (l *loop) guarded(f func()) gnet.Runnable {
	return gnet.RunnableFunc(func(context.Context) error {
		defer func() {
			if p := recover(); p != nil {
				l.e.panics.Add(1)
				l.e.loopPanicLog.write(l.e.o.Logger, slog.LevelError, "panic on event loop", "loop", l.index,
					"panic", clipped(p), "stack", string(debug.Stack()))
			}
		}()
		f()
		return nil // any other value could end the loop
	})
}

// execute runs task on the loop, soon. gnet does not keep such tasks in order
// (probed with v2.10.0: not beyond 1,024 waiting), so none of ours relies on
// it. Safe from any goroutine.
func (l *loop) execute(task gnet.Runnable) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.executeLocked(task)
}

// executeLocked drops the task if the loop has ended: gnet would write to a
// descriptor that is closed or belongs to somebody else.
func (l *loop) executeLocked(task gnet.Runnable) {
	if !l.ended {
		_ = l.el.Execute(context.Background(), task) // fails only on a loop that has ended
	}
}

// wake lists c for the next flush. Its one caller is conn.wakeLocked.
func (l *loop) wake(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = append(l.ready, c)
	if len(l.ready) == 1 {
		l.executeLocked(l.flushTask)
	}
}

// flushReady writes the outboxes of all listed connections. One task serves
// them all; one for each would cost an allocation or two per reply.
func (l *loop) flushReady() {
	l.mu.Lock()
	list := l.ready
	l.ready = l.spare[:0]
	l.mu.Unlock()
	for _, c := range list {
		l.flush(c)
	}
	clear(list)
	if cap(list) > 4096 {
		list = nil
	}
	l.mu.Lock()
	l.spare = list[:0]
	l.mu.Unlock()
}

// flush writes c's outbox and obeys its Close.
func (l *loop) flush(c *conn) {
	if c.tls != nil {
		return // it was listed before it was handed over
	}
	if l.undecided(c) {
		c.unqueue()
	} else if out := c.takeQueued(); out != nil {
		if !c.gone && l.hasRoom(c) {
			c.warm().unsent.give(len(out.B), l.now)
			if l.writeBytes(c, out.B) {
				l.cool(c)
			}
		} else {
			l.e.release(len(out.B))
		}
		l.e.bufs.put(out)
	}
	if c.closing.Load() {
		l.close(c, nil)
	}
}

// writeBytes gives b to gnet, which sends or copies it, and checks the water
// marks. It reports whether c has survived: a failed Write has closed it, and
// has called OnClose, before it returns.
func (l *loop) writeBytes(c *conn, b []byte) bool {
	_, err := c.gc.Write(b)
	if err != nil || c.gone {
		return false
	}
	l.bytesOut.Add(uint64(len(b)))
	return l.afterWrite(c)
}

// close closes c now. Closed is told the first cause that was given here; if there
// was none, the reason given to Close.
func (l *loop) close(c *conn, cause error) {
	if c.gone {
		return
	}
	c.setCause(cause)
	_ = l.el.Close(c.gc) // fails only if the descriptor was bad, and is closed then
}
