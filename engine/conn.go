package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/valyala/bytebufferpool"
)

// lastID is the number of the newest connection of the process. It is not the
// engine's own because an ID must tell connections of several engines apart.
var lastID atomic.Uint64

// A conn is one connection. Size: 320 B, and no buffer when idle.
type conn struct {
	id     uint64
	remote string // constant once Opened was called
	e      *Engine
	loop   *loop // set before Opened, then constant

	// The following are for the loop only.

	gc       gnet.Conn                  // nil once closed, so that misuse shows
	gone     bool                       // closed: gc's descriptor may be somebody else's by now
	choked   bool                       // listed in loop.choked, see backpressure.go
	behind   bool                       // listed in loop.behind, see fairness.go
	spoke    bool                       // a whole frame has come
	told     bool                       // Opened was called
	patient  bool                       // its low-water mark is up, see large_frame.go
	preamble preamble                   // what is to come before the first frame
	need     int                        // size of the frame that in begins, 0 = not yet known
	off      int                        // where in in the unserved bytes begin
	in       *bytebufferpool.ByteBuffer // bytes not yet served, nil if none
	cause    error                      // why we close it
	unsent   int                        // bytes in gnet's outbound buffer when last looked at; counted in the budget
	since    time.Duration              // choked since, loop time
	active   time.Duration              // last sign of life, loop time
	began    time.Duration              // when the frame in in began, loop time, while listed by frame; behind since, while listed by behind
	owing    time.Duration              // unsent has not been 0 since, loop time, while listed by unsent
	links    [numKinds]link

	strange *stranger // see strangers.go, guarded by its mutex; nil once it has spoken

	opened  atomic.Bool
	alive   atomic.Bool
	closing atomic.Bool          // Close was called
	lanes   atomic.Pointer[lane] // one per executor used, see lane.go

	mu     sync.Mutex // guards the following; taken before loop.mu
	dead   bool       // Closed is being called or was: the loop may be gone
	queued bool       // listed in loop.ready
	reason error      // given to Close
	outbox *bytebufferpool.ByteBuffer
	tls    *tlsConn // set by the loop when it hands c over; then gone is true for the loop
}

func newConn(e *Engine, remote string) *conn {
	return &conn{id: lastID.Add(1), remote: remote, e: e}
}

func (c *conn) ID() uint64         { return c.id }
func (c *conn) RemoteAddr() string { return c.remote }
func (c *conn) Alive() bool        { return c.alive.Load() }

// Send appends b to the outbox. Only the first of several Sends wakes the
// loop: measured with gnet v2.10.0, one AsyncWrite per reply costs up to
// fourteen times as much as one write for all.
func (c *conn) Send(b []byte) {
	if len(b) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return
	}
	if !c.e.hold(len(b)) {
		c.closeLocked(ErrOverloaded)
		return
	}
	if c.outbox == nil {
		c.outbox = c.e.bufs.get(len(b))
	}
	c.outbox.B = append(c.outbox.B, b...)
	c.wakeLocked()
}

// give is Send for a buffer of the engine's pool, which it takes over if it
// can. It reports whether it has; otherwise the buffer is still the caller's.
func (c *conn) give(b *bytebufferpool.ByteBuffer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.dead:
		return false
	case !c.e.hold(len(b.B)):
		c.closeLocked(ErrOverloaded)
		return false
	case c.outbox != nil: // is listed already
		c.outbox.B = append(c.outbox.B, b.B...)
		c.wakeLocked()
		return false
	}
	c.outbox = b
	c.wakeLocked()
	return true
}

// Close asks the loop to close the connection after what is in the outbox.
func (c *conn) Close(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(reason)
}

func (c *conn) closeLocked(reason error) {
	if c.dead || c.closing.Load() {
		return
	}
	c.reason = reason
	c.closing.Store(true)
	c.wakeLocked()
}

// wakeLocked lists c for the loop's next flush. That c is not dead and mu is
// held keeps the loop from ending meanwhile: it must close c first.
func (c *conn) wakeLocked() {
	if c.tls != nil {
		c.tls.wakeLocked()
		return
	}
	if !c.queued {
		c.queued = true
		c.loop.wake(c)
	}
}

// takeOutbox empties the outbox; the caller releases and puts back the buffer.
func (c *conn) takeOutbox() *bytebufferpool.ByteBuffer {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.outbox
	c.outbox, c.queued = nil, false
	return b
}

// holdOutbox leaves the outbox for later.
func (c *conn) holdOutbox() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued = false
}

// die makes c deaf to Send and Close and returns what was left in the outbox
// and the reason given to Close. Loop only.
func (c *conn) die() (outbox *bytebufferpool.ByteBuffer, reason error) {
	c.gone = true
	c.alive.Store(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	outbox, c.outbox = c.outbox, nil
	return outbox, c.reason
}
