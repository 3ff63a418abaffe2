package bench

import (
	"cmp"
	"math/rand/v2"
)

// maxUnanswered bounds the requests that one connection of an open loop may
// have under way; those beyond are counted and not sent.
const maxUnanswered = 1 << 18

// A conn is one connection of a stream. It belongs to its worker's loop.
type conn struct {
	lane *lane
	s    socket // nil while there is no connection
	src  source
	rng  *rand.Rand // for pauses

	opaque     int32  // the next one
	slots      []slot // by opaque, a power of two
	unanswered int
	left       int    // requests still to send; -1 knows no end
	in         []byte // the start of a frame that is not whole yet
	rests      bool
	resume     int64 // when the rest ends
}

// A slot remembers a request that is under way.
type slot struct {
	opaque   int32 // 0 when free
	op       int16
	phase    int16
	intended int64
	written  int64 // intended, in a closed loop
	arg      int64
	want     want
}

// fenceOp marks requests that no statistics count.
const fenceOp = -1

func newConn(l *lane, i int, seed uint64, depth int) *conn {
	size := 16
	for size < depth {
		size *= 2
	}
	return &conn{
		lane: l, src: l.stream.source(i), rng: rand.New(rand.NewPCG(seed, uint64(i)<<8|0xff)),
		opaque: firstNumber, slots: make([]slot, size), left: -1,
	}
}

func (c *conn) nextOpaque() int32 {
	opaque := c.opaque
	if c.opaque++; c.opaque < firstNumber {
		c.opaque = firstNumber // after a billion requests
	}
	return opaque
}

// put remembers a request; there must be room: see full.
func (c *conn) put(s slot) {
	for {
		free := &c.slots[int(s.opaque)&(len(c.slots)-1)]
		if free.opaque == 0 {
			*free = s
			c.unanswered++
			return
		}
		c.grow()
	}
}

func (c *conn) full() bool { return c.unanswered >= cmp.Or(c.lane.stream.most, maxUnanswered) }

// grow doubles the slots until each request under way has a slot of its own.
func (c *conn) grow() {
	old := c.slots
	for size := 2 * len(old); ; size *= 2 {
		c.slots = make([]slot, size)
		if c.spread(old) {
			return
		}
	}
}

func (c *conn) spread(old []slot) bool {
	for i := range old {
		if old[i].opaque == 0 {
			continue
		}
		to := &c.slots[int(old[i].opaque)&(len(c.slots)-1)]
		if to.opaque != 0 {
			return false
		}
		*to = old[i]
	}
	return true
}

// take forgets the request with this opaque and returns what was known of it.
func (c *conn) take(opaque int32) (s slot, ok bool) {
	at := &c.slots[int(opaque)&(len(c.slots)-1)]
	if opaque == 0 || at.opaque != opaque {
		return slot{}, false
	}
	s = *at
	*at = slot{}
	c.unanswered--
	return s, true
}
