package engine

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/panjf2000/gnet/v2"
	"github.com/valyala/bytebufferpool"
)

// lastID is the number of the newest connection of the process. It is not the
// engine's own because an ID must tell connections of several engines apart.
var lastID atomic.Uint64

// A conn is one connection. Size: 360 B, and no buffer when idle.
type conn struct {
	id      uint64
	peer    netip.AddrPort
	local   unique.Handle[netip.AddrPort] // there are few, each for many connections
	claimed *netip.AddrPort               // by a PROXY header, nil if there was none; constant once Opened was called
	e       *Engine
	loop    *loop // set before Opened, then constant

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

	at      atomic.Int64         // when its last turn began, engine time
	value   atomic.Pointer[any]  // the handler's
	lanes   atomic.Pointer[lane] // one per executor used, see lane.go
	opened  atomic.Bool
	alive   atomic.Bool
	closing atomic.Bool // Close was called

	dead   bool // Closed is being called or was: the loop may be gone; guarded by mu
	queued bool // listed in loop.ready; guarded by mu

	mu     sync.Mutex // guards the following and the two above; taken before loop.mu
	reason error      // given to Close
	outbox *bytebufferpool.ByteBuffer
	tls    *tlsConn // set by the loop when it hands c over; then gone is true for the loop
}

func newConn(e *Engine, peer, local netip.AddrPort) *conn {
	return &conn{id: lastID.Add(1), peer: peer, local: unique.Make(local), e: e}
}

func (c *conn) ID() uint64            { return c.id }
func (c *conn) RemoteAddr() string    { return c.remote().String() }
func (c *conn) Peer() netip.AddrPort  { return c.peer }
func (c *conn) Local() netip.AddrPort { return c.local.Value() }
func (c *conn) Loop() int             { return c.loop.index }
func (c *conn) SetValue(v any)        { c.value.Store(&v) }
func (c *conn) Alive() bool           { return c.alive.Load() }
func (c *conn) own() *conn            { return c }

func (c *conn) Claimed() netip.AddrPort {
	if c.claimed == nil {
		return netip.AddrPort{}
	}
	return *c.claimed
}

// remote returns whom c is from: who is claimed, else the peer.
func (c *conn) remote() netip.AddrPort {
	if c.claimed == nil {
		return c.peer
	}
	return *c.claimed
}

func (c *conn) Value() any {
	if v := c.value.Load(); v != nil {
		return *v
	}
	return nil
}

func (c *conn) TLS() *tls.ConnectionState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tls == nil {
		return nil
	}
	return c.tls.stateLocked()
}

// beginTurn reads the clock for a turn of c. Loop or reader only.
func (c *conn) beginTurn() { c.at.Store(int64(c.e.now())) }

// turnBegan returns when the last turn of c began.
func (c *conn) turnBegan() time.Duration { return time.Duration(c.at.Load()) }

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
