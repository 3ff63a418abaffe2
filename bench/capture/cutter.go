package capture

import (
	"encoding/binary"

	"gonamesrv/codec"
)

// mostHeader is how long a header may be to be looked at. Those of RocketMQ have a
// few hundred bytes.
const mostHeader = 64 << 10

// A cutter cuts one direction of a connection into frames as their bytes go by. It
// keeps headers, and bodies only if it is told to: at most mostHeader bytes, or one
// frame.
type cutter struct {
	bodies bool
	// emit is told of each frame when its last byte is there. cmd is nil when its
	// header cannot be read. Body is nil unless bodies are kept.
	emit func(cmd *codec.Command, size int, body []byte)
	hash func(body []byte) // is told of each part of a body; nil tells nobody

	buf    []byte // of the frame: length, header word, header, and the body if it is kept
	size   int    // of the frame; 0 while it is not known
	header int    // of its bytes, those before the body
	seen   int    // of its bytes, those that have gone by
	cmd    codec.Command
	failed bool
}

const frameHead = 8 // bytes of length and header word

// feed takes the next bytes, and reports whether they are still frames.
func (c *cutter) feed(b []byte) bool {
	for len(b) > 0 && !c.failed {
		b = b[c.take(b):]
	}
	return !c.failed
}

// take takes some of b, at least one byte.
func (c *cutter) take(b []byte) int {
	if c.size == 0 {
		n := min(len(b), frameHead-c.seen)
		c.buf = append(c.buf, b[:n]...)
		if c.seen += n; c.seen == frameHead {
			c.begin()
		}
		return n
	}
	if c.seen < c.header {
		n := min(len(b), c.header-c.seen)
		if c.header <= mostHeader {
			c.buf = append(c.buf, b[:n]...)
		}
		c.seen += n
		c.finish()
		return n
	}
	n := min(len(b), c.size-c.seen)
	if c.bodies {
		c.buf = append(c.buf, b[:n]...)
	}
	if c.hash != nil {
		c.hash(b[:n])
	}
	c.seen += n
	c.finish()
	return n
}

// begin reads the first eight bytes.
func (c *cutter) begin() {
	n, err := codec.SplitFrame(c.buf)
	if err != nil {
		c.failed, c.buf = true, nil
		return
	}
	c.size = n
	c.header = frameHead + int(binary.BigEndian.Uint32(c.buf[4:])&0xffffff)
	c.finish()
}

// finish emits the frame if all of it has gone by.
func (c *cutter) finish() {
	if c.seen < c.size {
		return
	}
	cmd, body := &c.cmd, []byte(nil)
	if c.header > mostHeader {
		cmd = nil
	} else {
		if c.bodies {
			body = c.buf[c.header:]
		}
		// A frame of the header alone.
		head := c.buf[:c.header]
		binary.BigEndian.PutUint32(head, uint32(c.header-4))
		if cmd.Decode(head) != nil {
			cmd = nil
		}
	}
	c.emit(cmd, c.size, body)
	c.buf, c.size, c.header, c.seen = c.buf[:0], 0, 0, 0
	if cap(c.buf) > mostHeader { // of a large body
		c.buf = nil
	}
}
