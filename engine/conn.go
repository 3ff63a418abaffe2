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

// The life of a connection:
//
//	             OnOpen                  closeOutbox, or tlsConn.end
//	unopened ───────────► alive ──────────────────────────────────► dead
//	                        │                                        ▲
//	                        └── closing: Close was called ───────────┘
//
// An unopened connection is on its way to its loop. One that is alive is served.
// One that is closing is alive and not served any more: what is in its outbox
// is written first. A dead one is deaf to Send and Close, and Closed is
// being called or was.
//
// Beside that, a connection is gone for its loop when it is dead, or when a reader of
// TLS has taken it over.
const (
	unopened = iota
	alive
	dead
)

// A conn is one connection. Size: 224 B, and no buffer when idle.
type conn struct {
	id      uint64
	addr    netip.Addr                    // of the peer
	port    uint16                        // of the peer; beside born, which a netip.AddrPort would leave no room for
	ours    bool                          // reason is the loop's, which counts more than that of Close; guarded by mu
	born    uint32                        // when it was accepted, engine time in tenths of a second
	local   unique.Handle[netip.AddrPort] // there are few, each for many connections
	claimed *proxyClaim                   // by a PROXY header, nil if there was none; constant once Opened was called
	e       *Engine
	loop    *loop // set before Opened, then constant

	// The following are for the loop only.

	gc       gnet.Conn // nil once closed, so that misuse shows
	gone     bool      // the loop has let go of it: gc's descriptor may be somebody else's by now
	behind   bool      // waits for its next turn, see fairness.go
	slow     bool      // is behind for want of a token, see slow.go
	spoke    bool      // a whole frame has come
	told     bool      // Opened was called
	patient  bool      // its low-water mark is up, see large_frame.go
	preamble preamble  // what is to come before the first frame
	queued   bool      // not the loop's only: listed in loop.ready, guarded by mu
	idle     link      // byIdleness
	backlog  *backlog  // nil while nothing of c waits, see backlog.go
	bucket   *bucket   // of its address, nil if that has no limit; constant after locate, the reader's too

	strange *stranger // see strangers.go, guarded by its mutex; nil once it has spoken

	at      atomic.Int64         // last sign of life, engine time: see loop.touch; before the first, when it was accepted
	served  atomic.Uint64        // frames, in turns that have ended
	tag     atomic.Uint32        // the handler's
	place   uint32               // in loop.members, from 1; 0: not there; loop only, here for want of room above
	value   atomic.Pointer[any]  // the handler's
	lanes   atomic.Pointer[lane] // one per executor used, see lane.go
	life    atomic.Uint32        // see the picture; changed to dead under mu
	closing atomic.Bool          // Close was called; set under mu

	mu     sync.Mutex // guards the following and queued; taken before loop.mu
	reason *error     // why it is closed; nil until then
	out    outbox
	tls    *tlsConn // set by the loop when it hands c over; then gone is true for the loop
}

// bornUnit is the unit of conn.born: it lasts 13 years.
const bornUnit = time.Second / 10

func newConn(e *Engine, peer, local netip.AddrPort) *conn {
	c := &conn{id: lastID.Add(1), addr: peer.Addr(), port: peer.Port(), local: unique.Make(local), e: e}
	now := e.now()
	c.born = uint32(now / bornUnit)
	c.at.Store(int64(now))
	return c
}

func (c *conn) ID() uint64            { return c.id }
func (c *conn) RemoteAddr() string    { return c.remote().String() }
func (c *conn) Peer() netip.AddrPort  { return netip.AddrPortFrom(c.addr, c.port) }
func (c *conn) Local() netip.AddrPort { return c.local.Value() }
func (c *conn) Loop() int             { return c.loop.index }
func (c *conn) SetValue(v any)        { c.value.Store(&v) }
func (c *conn) Tag() uint32           { return c.tag.Load() }
func (c *conn) SetTag(tag uint32)     { c.tag.Store(tag) }
func (c *conn) Alive() bool           { return c.life.Load() == alive }
func (c *conn) Proxied() bool         { return c.claimed != nil }
func (c *conn) own() *conn            { return c }

func (c *conn) Claimed() netip.AddrPort {
	if c.claimed == nil {
		return netip.AddrPort{}
	}
	return c.claimed.source
}

func (c *conn) ProxyTLVs() []byte {
	if c.claimed == nil {
		return nil
	}
	return c.claimed.tlvs
}

// isDead reports whether c is deaf. Under mu the answer holds until mu is unlocked.
func (c *conn) isDead() bool { return c.life.Load() == dead }

// remote returns whom c is from: who is claimed, else the peer.
func (c *conn) remote() netip.AddrPort {
	if claimed := c.Claimed(); claimed.IsValid() {
		return claimed
	}
	return c.Peer()
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

func (c *conn) IsTLS() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tls != nil && c.tls.up
}

// beginTurn reads the clock for a turn of c. Loop or reader only.
func (c *conn) beginTurn() { c.at.Store(int64(c.e.now())) }

// turnBegan returns, within a turn of c, when that began.
func (c *conn) turnBegan() time.Duration { return time.Duration(c.at.Load()) }

// Send queues b in the outbox. Only the first of several Sends wakes the
// loop: measured with gnet v2.10.0, one AsyncWrite per reply costs up to
// fourteen times as much as one write for all.
func (c *conn) Send(b []byte) {
	if len(b) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isDead() {
		return
	}
	if err := c.out.add((*sendMemory)(c.e), b); err != nil {
		c.closeLocked(err)
		return
	}
	c.wakeLocked()
}

// give is Send for a buffer of the engine's pool, which it takes over if it
// can. It reports whether it has; otherwise the buffer is still the caller's.
func (c *conn) give(b *bytebufferpool.ByteBuffer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isDead() {
		return false
	}
	kept, err := c.out.adopt((*sendMemory)(c.e), b)
	if err != nil {
		c.closeLocked(err)
		return false
	}
	c.wakeLocked()
	return kept
}

// Close asks the loop to close the connection after what is in the outbox.
func (c *conn) Close(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(reason)
}

func (c *conn) closeLocked(reason error) {
	if c.isDead() || c.closing.Load() {
		return
	}
	if !c.ours {
		c.reason = &reason
	}
	c.closing.Store(true)
	c.wakeLocked()
}

// setCause says why the loop closes c, unless it has said so already. A nil err says
// nothing. Loop only.
func (c *conn) setCause(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ours {
		c.reason, c.ours = &err, true
	}
}

// wakeLocked lists c for the loop's next flush. The loop cannot end meanwhile: it
// closes c first, and for that it needs mu.
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

// takeQueued empties the queue of the outbox. The caller gives or releases the
// bytes, and puts the buffer back. Loop only.
func (c *conn) takeQueued() *bytebufferpool.ByteBuffer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued = false
	return c.out.take()
}

// unqueue says that c is not listed for a flush any more; its queue stays for later. Loop only.
func (c *conn) unqueue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued = false
}

// closeOutbox makes c deaf to Send and Close and returns what was left in the
// queue, whether c was choked, and why it is closed, nil if neither the loop nor Close
// has said so.
// Loop only.
func (c *conn) closeOutbox() (left *bytebufferpool.ByteBuffer, choked bool, reason *error) {
	c.gone = true
	c.loop.unlist(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life.Store(dead)
	if choked = c.isChoked(); c.backlog != nil {
		c.backlog.unsent.drop((*outputMemory)(c))
	}
	return c.out.close((*sendMemory)(c.e)), choked, c.reason
}
