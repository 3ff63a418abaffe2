package engine

import (
	"time"

	"github.com/valyala/bytebufferpool"
)

// flushSize is how many bytes of replies a turn gathers before it writes them
// and looks at the water marks. It bounds what a peer who does not read can
// make us hold to HighWater + flushSize + one reply.
const flushSize = 256 << 10

// A replies gathers what the handler answers within one turn, so that it leaves
// in one write. The zero value is empty. For one goroutine at a time.
type replies struct {
	buf *bytebufferpool.ByteBuffer // nil between turns
}

// open returns the buffer to append to.
func (r *replies) open(pool *buffers) *bytebufferpool.ByteBuffer {
	if r.buf == nil {
		r.buf = pool.getReply()
	}
	return r.buf
}

// isMany reports whether it is time to write before the turn is over.
func (r *replies) isMany() bool { return len(r.buf.B) >= flushSize }

// outboxLimits are what an outbox holds its peer to.
type outboxLimits struct {
	high, low  int           // water marks in bytes: above high nothing is served, until low
	max        int           // bytes above which nothing is added
	chokedTime time.Duration // how long a peer may be choked
}

// What is sent to a peer lies first in the outbox of its connection, where any
// goroutine puts it. The driver takes it from there, gives it to the transport (to
// gnet, or to the writer of a TLS connection), and counts it as unsent until the
// peer's system has taken it. All that time the bytes are reserved. Replies of a
// turn are never in the outbox: the driver gives them at once.
//
// Both types know neither sockets nor clocks.

// An outbox is what was sent to the peer of one connection and not yet taken by
// the driver. Invariant: the bytes in it are reserved. The zero value is empty. For
// one goroutine at a time.
type outbox struct {
	queue *bytebufferpool.ByteBuffer // nil if nothing is queued
}

// add queues a copy of b. The error is ErrOverloaded if the budget has no room.
func (o *outbox) add(m memory, b []byte) error {
	if !m.reserve(len(b)) {
		return ErrOverloaded
	}
	if o.queue == nil {
		o.queue = m.get(len(b))
	}
	o.queue.B = append(o.queue.B, b...)
	return nil
}

// adopt is add for a buffer that the outbox may keep. It reports whether it has
// kept it.
func (o *outbox) adopt(m memory, b *bytebufferpool.ByteBuffer) (kept bool, err error) {
	if o.queue != nil {
		return false, o.add(m, b.B)
	}
	if !m.reserve(len(b.B)) {
		return false, ErrOverloaded
	}
	o.queue = b
	return true, nil
}

// take empties the outbox. The bytes are still reserved: the caller gives or releases
// them, and puts the buffer back into the pool.
func (o *outbox) take() *bytebufferpool.ByteBuffer {
	b := o.queue
	o.queue = nil
	return b
}

// close empties the outbox and returns what was in it, nil if nothing was. The
// bytes are no longer reserved. The caller may write them as far as the peer takes
// them, and puts the buffer back.
func (o *outbox) close(m memory) *bytebufferpool.ByteBuffer {
	b := o.take()
	if b != nil {
		m.release(len(b.B))
	}
	return b
}

// An unsent counts the bytes that the transport holds for one peer.
//
// A peer that does not read is choked when these are more than the high-water mark:
// the driver serves no more of its requests. Java:
// NettyRemotingServer.NettyServerHandler#channelWritabilityChanged turns reading
// off above the high-water mark and on again below the low one.
//
// Invariant: given bytes are reserved. The zero value counts none. For one goroutine
// at a time.
type unsent struct {
	given  int           // bytes that the peer's system has not taken
	owing  time.Duration // given has not been 0 since
	choked bool          // the peer is not served
	since  time.Duration // it has been choked since
}

// give takes note that n bytes of the queue go to the transport now.
func (u *unsent) give(n int, now time.Duration) { u.setGiven(u.given+n, now) }

// recount takes note that the transport still holds so many bytes, some of which
// may not have been in the queue. It reports whether the peer has taken any since
// the last time. The error is ErrOverloaded if the budget has no room for them.
func (u *unsent) recount(m memory, left int, now time.Duration) (progress bool, err error) {
	switch more := left - u.given; {
	case more > 0 && !m.reserve(more):
		return false, ErrOverloaded
	case more < 0:
		m.release(-more)
		progress = true
	}
	u.setGiven(left, now)
	return progress, nil
}

func (u *unsent) setGiven(n int, now time.Duration) {
	if u.given == 0 {
		u.owing = now
	}
	u.given = n
}

// isFull reports whether so much waits for the peer that nothing may be given.
func (u *unsent) isFull(limits *outboxLimits) bool { return u.given > limits.max }

// choke reports whether the peer is to be choked from now on. It reports it
// once.
func (u *unsent) choke(limits *outboxLimits, now time.Duration) bool {
	if u.choked || u.given <= limits.high {
		return false
	}
	u.choked, u.since = true, now
	return true
}

// unchoke reports whether the peer, which is choked, has read enough to be
// served again from now on.
func (u *unsent) unchoke(limits *outboxLimits) bool {
	if !u.choked || u.given > limits.low {
		return false
	}
	u.choked = false
	return true
}

// overdue returns ErrSlowReader if the peer has been choked for too long by now.
func (u *unsent) overdue(limits *outboxLimits, now time.Duration) error {
	if u.choked && now-u.since >= limits.chokedTime {
		return ErrSlowReader
	}
	return nil
}

// drop counts out what is unsent, of a connection that is closed.
func (u *unsent) drop(m memory) {
	m.release(u.given)
	*u = unsent{}
}
