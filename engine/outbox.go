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

// An outbox is what was sent to the peer of one connection and what has become
// of it. Bytes are queued by add, taken and given to the transport by the driver
// (to gnet, or to the writer of a TLS connection), and settled when the peer's
// system has taken them. Until then they are reserved. Replies of a turn may be
// given without having been queued.
//
// A peer that does not read is choked when more than the high-water mark is given
// and not settled: the driver serves no more of its requests. Java:
// NettyRemotingServer.NettyServerHandler#channelWritabilityChanged turns reading
// off above the high-water mark and on again below the low one.
//
// It knows neither sockets nor clocks. Invariant: what is queued, taken and not yet
// given, or given and not settled is reserved, and nothing else is. The zero value is empty.
//
// add, adopt and take touch the queue only, and settle, choke and all others do
// not touch it, so the two halves may belong to different goroutines. close
// touches both.
type outbox struct {
	queue *bytebufferpool.ByteBuffer // sent and not yet taken by the driver, nil if nothing is

	given  int           // bytes given to the transport that the peer's system has not taken
	owing  time.Duration // given has not been 0 since
	choked bool          // the peer is not served
	since  time.Duration // it has been choked since
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

// take empties the queue. The caller gives the bytes, which are still reserved, and
// puts the buffer back into the pool.
func (o *outbox) take() *bytebufferpool.ByteBuffer {
	b := o.queue
	o.queue = nil
	return b
}

// give takes note that n bytes of the queue go to the transport now.
func (o *outbox) give(n int, now time.Duration) { o.setGiven(o.given+n, now) }

// settle takes note that the transport still holds so many bytes, some of which
// may not have been in the queue. It reports whether the peer has taken any since
// the last time. The error is ErrOverloaded if the budget has no room for them.
func (o *outbox) settle(m memory, left int, now time.Duration) (progress bool, err error) {
	switch more := left - o.given; {
	case more > 0 && !m.reserve(more):
		return false, ErrOverloaded
	case more < 0:
		m.release(-more)
		progress = true
	}
	o.setGiven(left, now)
	return progress, nil
}

func (o *outbox) setGiven(n int, now time.Duration) {
	if o.given == 0 {
		o.owing = now
	}
	o.given = n
}

// isFull reports whether so much waits for the peer that nothing may be given.
func (o *outbox) isFull(limits *outboxLimits) bool { return o.given > limits.max }

// choke reports whether the peer is to be choked from now on. It reports it
// once.
func (o *outbox) choke(limits *outboxLimits, now time.Duration) bool {
	if o.choked || o.given <= limits.high {
		return false
	}
	o.choked, o.since = true, now
	return true
}

// unchoke reports whether the peer, which is choked, has read enough to be
// served again from now on.
func (o *outbox) unchoke(limits *outboxLimits) bool {
	if !o.choked || o.given > limits.low {
		return false
	}
	o.choked = false
	return true
}

// overdue returns ErrSlowReader if the peer has been choked for too long by now.
func (o *outbox) overdue(limits *outboxLimits, now time.Duration) error {
	if o.choked && now-o.since >= limits.chokedTime {
		return ErrSlowReader
	}
	return nil
}

// close empties the outbox and returns what was still queued, nil if nothing
// was. The caller may write it as far as the peer takes it, and puts it back.
func (o *outbox) close(m memory) *bytebufferpool.ByteBuffer {
	b := o.queue
	if b != nil {
		m.release(len(b.B))
	}
	m.release(o.given)
	*o = outbox{}
	return b
}
