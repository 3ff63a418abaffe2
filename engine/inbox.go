package engine

import (
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/valyala/bytebufferpool"
)

// probe is how many bytes are added at a time to a frame whose size cannot be
// told yet. Most need only the rest of a length field.
const probe = 64

// A memory gives an inbox or an outbox the buffers it needs and counts them.
type memory interface {
	// get returns an empty buffer with room for n bytes. put takes it back.
	get(n int) *bytebufferpool.ByteBuffer
	put(b *bytebufferpool.ByteBuffer)

	// reserve counts n bytes in on the budget and reports whether there was
	// room for them. release counts them out.
	reserve(n int) bool
	release(n int)
}

// inboxLimits are what an inbox holds its peer to.
type inboxLimits struct {
	split      SplitFunc
	maxFrame   int           // bytes of a frame
	ahead      int           // bytes that may be buffered beside one frame
	first      time.Duration // which the first frame of a connection may take,
	later      time.Duration // and each other
	resolution time.Duration // how old the time may be that an inbox is given
}

// An inbox cuts the stream of one connection into frames. It knows neither
// sockets nor clocks: its driver feeds it what a read has brought, serves the
// frames it yields, and tells it what time it is.
//
// A turn is one of
//
//	feed       what a read has brought, or
//	room, fill what a read has brought straight into the buffer of a frame, or
//	reopen     what was buffered while the connection was not served,
//
// then next until it yields nothing or the driver has had enough, then keep. peek and
// saw may come before any next. While the driver does not serve the connection, it calls
// buffer instead.
//
// Frames are served from where they are read to. Only what is left at the end of a
// turn is copied, into a buffer of the inbox. That grows with the bytes that have
// come, never on the word of a header: to the next power of two, and to the whole
// frame once a quarter of it is there or if it is small.
//
// Invariant between turns: buf is nil, or begins one frame, or the connection
// is not served. In the second case off is 0, need is the size of the frame or 0
// if it cannot be told yet, and isWaiting reports true.
//
// The zero value with limits is an empty inbox. For one goroutine at a time.
type inbox struct {
	limits *inboxLimits

	buf     *bytebufferpool.ByteBuffer // nil if nothing is buffered; its capacity is reserved
	off     int                        // buf.B[:off] was yielded in earlier turns
	need    int                        // the size of the frame that buf begins, 0 if it is not known
	spoke   bool                       // a frame was yielded before the one that buf begins
	waiting bool                       // began counts
	began   time.Duration              // when the frame that buf begins was first seen

	todo  []byte // within a turn: what next has yet to cut
	shown int    // so many bytes at the front of todo were seen already
	whole frameState
}

// A frameState says, within a turn, what buf is.
type frameState uint8

const (
	fragment frameState = iota // the beginning of a frame, or nothing
	complete                   // one whole frame, which comes before todo
	yielded                    // that frame, after next has yielded it
	spread                     // any input, and todo is the end of it
)

// feed begins a turn with data, which the inbox reads until keep.
func (in *inbox) feed(m memory, data []byte) error {
	if in.buf == nil {
		in.todo = data
		return nil
	}
	for in.need == 0 {
		if len(data) == 0 {
			return nil
		}
		n := min(probe, len(data))
		if err := in.add(m, data[:n]); err != nil {
			return err
		}
		data = data[n:]
		size, err := in.split(in.buf.B)
		if err != nil {
			return err
		}
		in.need = size
		if size > 0 && size < len(in.buf.B) {
			// The frame was whole already, with something behind it: rare, so
			// all of it is cut in the buffer.
			if err := in.add(m, data); err != nil {
				return err
			}
			in.reopen()
			return nil
		}
	}
	n := min(in.need-len(in.buf.B), len(data))
	if err := in.add(m, data[:n]); err != nil {
		return err
	}
	in.todo = data[n:]
	in.look()
	return nil
}

// missing returns how many bytes are missing of the frame that is buffered, 0 if
// there is none or its size is not known.
func (in *inbox) missing() int {
	if in.need == 0 || in.whole != fragment {
		return 0
	}
	return in.need - len(in.buf.B)
}

// room returns the free end of the buffer of an unfinished frame, for the driver to
// read into. It has room for n bytes, which must have come, or for at least one if n
// is 0. The driver calls fill with the number of bytes it has read. A frame that is
// large enough to be lent must be alone in its buffer, so there is no room for the
// bytes behind it.
func (in *inbox) room(m memory, n int) ([]byte, error) {
	if err := in.grow(m, max(n, 1)); err != nil {
		return nil, err
	}
	free := in.buf.B[len(in.buf.B):cap(in.buf.B)]
	switch {
	case n > 0:
		free = free[:n]
	case in.need > smallBuffer:
		free = free[:min(len(free), in.missing())]
	}
	return free, nil
}

// fill begins a turn with n bytes that were read into room.
func (in *inbox) fill(n int) {
	in.buf.B = in.buf.B[:len(in.buf.B)+n]
	if in.need == 0 || in.need < len(in.buf.B) {
		in.reopen()
		return
	}
	in.look()
}

// look takes note if the frame in buf is whole now.
func (in *inbox) look() {
	if len(in.buf.B) == in.need {
		in.whole = complete
	}
}

// reopen begins a turn with what is buffered.
func (in *inbox) reopen() {
	if in.buf != nil {
		in.todo, in.whole, in.need = in.buf.B[in.off:], spread, 0
	}
}

// hasMore reports whether a turn goes on: next may yield a frame.
func (in *inbox) hasMore() bool { return in.whole == complete || len(in.todo) > 0 }

// forget gives up a turn that was not kept, of an inbox with nothing buffered.
func (in *inbox) forget() {
	in.todo, in.shown, in.need, in.waiting, in.whole = nil, 0, 0, false, fragment
}

// next returns the next whole frame, nil if there is none. The frame may be read
// until the next call of any method. The error wraps ErrMalformed.
func (in *inbox) next(m memory) ([]byte, error) {
	switch in.whole {
	case complete:
		in.whole, in.waiting, in.spoke = yielded, false, true
		return in.buf.B[:len(in.buf.B):len(in.buf.B)], nil
	case yielded:
		in.drop(m)
	}
	data := in.todo
	if len(data) == 0 {
		return nil, nil
	}
	n, err := in.split(data)
	if err != nil {
		return nil, err
	}
	if n == 0 || n > len(data) {
		in.need = n
		return nil, nil
	}
	in.todo, in.waiting, in.spoke = data[n:], false, true
	in.shown = max(in.shown-n, 0)
	return data[:n:n], nil
}

// peek returns what next is going to cut now, nil if something else comes first: a
// frame in buf, or what was seen before. It takes nothing. saw says how many of these
// bytes were seen; whatever that number is, only what peek returns depends on it.
func (in *inbox) peek() []byte {
	if in.shown > 0 || in.whole == complete {
		return nil
	}
	return slices.Clip(in.todo)
}

func (in *inbox) saw(n int) { in.shown = n }

// alone returns the buffer of the frame that next has just yielded if the frame
// is all that is in it, else nil.
func (in *inbox) alone() *bytebufferpool.ByteBuffer {
	if in.whole == yielded {
		return in.buf
	}
	return nil
}

// transfer gives up the buffer that alone has returned: it is the caller's, and
// its bytes are off the budget of m.
func (in *inbox) transfer(m memory) {
	m.release(cap(in.buf.B))
	in.buf = nil
}

// collect buffers data and returns all that is buffered. It is for a stream that is
// not cut yet. detach takes the buffer away from the inbox; its bytes are still
// reserved.
func (in *inbox) collect(m memory, data []byte) ([]byte, error) {
	if err := in.add(m, data); err != nil {
		return nil, err
	}
	return in.buf.B, nil
}

func (in *inbox) detach() *bytebufferpool.ByteBuffer {
	b := in.buf
	in.buf = nil
	return b
}

// keep ends a turn. It buffers what next has not yielded. served reports whether
// the connection goes on to be served; then next must have returned nil, and the
// time of a frame that is left unfinished runs from now unless it did so already.
func (in *inbox) keep(m memory, now time.Duration, served bool) error {
	if in.whole == yielded {
		in.drop(m)
	}
	if !served {
		in.need, in.waiting = 0, false
	}
	rest, how := in.todo, in.whole
	in.todo, in.shown, in.whole = nil, 0, fragment
	var err error
	switch {
	case how == spread:
		err = in.keepSpread(m, rest, served)
	case len(rest) > 0:
		err = in.add(m, rest)
	}
	if err == nil && in.buf != nil && served && !in.waiting {
		in.waiting, in.began = true, now
	}
	return err
}

// keepSpread keeps rest, the end of buf.
func (in *inbox) keepSpread(m memory, rest []byte, served bool) error {
	old := in.buf
	off := len(old.B) - len(rest)
	switch {
	case len(rest) == 0:
		in.drop(m)
	case off > 0 && len(rest) < cap(old.B)/4:
		// Little is left of much: move into a smaller buffer.
		in.buf, in.off = nil, 0
		err := in.add(m, rest)
		putReserved(m, old)
		return err
	case served || off > len(rest):
		old.B, in.off = old.B[:copy(old.B, rest)], 0
	default:
		in.off = off
	}
	return nil
}

// buffer is a turn of a connection that is not served. The error is flood when too
// much is buffered then: more than one frame and inboxLimits.ahead.
func (in *inbox) buffer(m memory, data []byte, flood error) error {
	in.need, in.waiting = 0, false
	if err := in.add(m, data); err != nil {
		return err
	}
	buffered := in.buf.B[in.off:]
	if len(buffered) <= in.limits.ahead {
		return nil
	}
	first, err := in.split(buffered)
	switch {
	case err != nil:
		return err
	case len(buffered) <= first+in.limits.ahead:
		return nil
	}
	return flood
}

// pause says that the connection is not served from now on.
func (in *inbox) pause() { in.need, in.waiting = 0, false }

// isWaiting reports whether there is an unfinished frame whose time runs.
func (in *inbox) isWaiting() bool { return in.waiting }

// isEmpty reports whether nothing is buffered.
func (in *inbox) isEmpty() bool { return in.buf == nil }

// held returns how many bytes are reserved.
func (in *inbox) held() int {
	if in.buf == nil {
		return 0
	}
	return cap(in.buf.B)
}

// overdue returns an error that wraps ErrFrameTimeout if an unfinished frame has
// taken too long by now.
func (in *inbox) overdue(now time.Duration) error {
	limit := in.limits.first
	if in.spoke {
		limit = in.limits.later
	}
	if !in.waiting || now-in.began < limit+in.limits.resolution {
		return nil
	}
	return fmt.Errorf("%w: %v", ErrFrameTimeout, limit)
}

// drop forgets what is buffered.
func (in *inbox) drop(m memory) {
	in.off, in.need, in.waiting, in.whole = 0, 0, false, fragment
	if in.buf != nil {
		putReserved(m, in.buf)
		in.buf = nil
	}
}

// add appends b to buf.
func (in *inbox) add(m memory, b []byte) error {
	if len(b) == 0 && in.buf != nil {
		return nil
	}
	if err := in.grow(m, len(b)); err != nil {
		return err
	}
	in.buf.B = append(in.buf.B, b...)
	return nil
}

// grow makes room in buf for n bytes that have come. Nothing else decides how large
// buf is.
func (in *inbox) grow(m memory, n int) error {
	old := in.buf
	var buffered []byte
	if old != nil {
		if len(old.B)+n <= cap(old.B) {
			return nil
		}
		buffered = old.B[in.off:]
	}
	come := len(buffered) + n
	size := 1 << bits.Len(uint(come))
	switch {
	case in.need >= come && in.need <= max(4*come, smallBuffer):
		size = in.need
	case in.need > come:
		size = max(size, smallBuffer)
	case old == nil:
		size = come
	}
	b := m.get(size)
	if !m.reserve(cap(b.B)) {
		m.put(b)
		return fmt.Errorf("%w: no room for %d", ErrOverloaded, size)
	}
	in.buf, in.off = b, 0
	if old != nil {
		b.B = append(b.B, buffered...)
		putReserved(m, old)
	}
	return nil
}

// putReserved gives back a buffer whose capacity is reserved.
func putReserved(m memory, b *bytebufferpool.ByteBuffer) {
	m.release(cap(b.B))
	m.put(b)
}

// split asks for the size of the first frame of b and distrusts the answer.
func (in *inbox) split(b []byte) (int, error) {
	n, err := in.limits.split(b)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	case n < 0:
		return 0, fmt.Errorf("%w: size %d", ErrMalformed, n)
	case n > in.limits.maxFrame:
		return 0, fmt.Errorf("%w: size %d exceeds %d", ErrMalformed, n, in.limits.maxFrame)
	}
	return n, nil
}
