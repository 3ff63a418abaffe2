package engine

import "os"

// The rest of a frame that is much larger than readBuffer is not left to gnet,
// which would bring it 16 KiB at a time and have it copied, but read in large
// pieces straight to where it belongs. And if it comes more slowly than we can
// take it, the kernel is told to gather some of it before it wakes the loop.
// Measured with BenchmarkLargeFrames, 400 KiB, server CPU per frame: a sender
// as fast as can be 330 µs without and 250 with the large reads; one that
// sends 8 KiB each 65 µs, as at 1 Gbit/s, 1,260 without and 610 with the
// gathering. Linux only.
//
// All of this is for the loop only.

// largeRead is the most bytes of a large frame that a turn reads: they take
// about as long as a turn of small requests. It is the most that is gathered,
// too.
const largeRead = 256 << 10

// missing returns how many bytes are missing of the frame that c has begun, 0 if
// that is not known or c is not being served.
func (c *conn) missing() int {
	if c.backlog == nil || c.closing.Load() {
		return 0
	}
	return c.backlog.in.missing()
}

// readRest reads what has come of the frame that c has begun, and nothing
// behind it, and serves it if it is whole then. The end of the stream is left
// to gnet, which sees it as well.
func (l *loop) readRest(c *conn) error {
	fd := c.gc.Fd()
	n := min(c.missing(), largeRead, waiting(fd))
	if n <= 0 {
		return nil
	}
	in := &c.backlog.in
	room, err := in.room((*inputMemory)(c), n)
	if err != nil {
		return err
	}
	if n, err = readSocket(fd, room); err != nil {
		return os.NewSyscallError("read", err) // gnet would not see it again
	}
	l.bytesIn.Add(uint64(n))
	in.fill(n)
	return l.serveAll(c, in)
}

// gather sets how much has to come for the loop to be woken, which is never
// more than what is missing of a large frame, so no whole frame waits in the kernel. Each
// turn of a patient connection ends with gather. If there is no such frame, or the
// connection is not served, gather makes it impatient again.
func (l *loop) gather(c *conn) {
	mark := min(c.missing(), largeRead)
	if mark < readBuffer {
		mark, c.patient = 1, false
	}
	setLowWater(c.gc.Fd(), mark)
}
