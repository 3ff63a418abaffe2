package bench

import "net"

// A loop runs all that a worker does on one goroutine, and calls its turn when
// something is due.
type loop interface {
	// enroll hands a connection over, which is the loop's from then on, and returns when
	// worker.opened has been called with c. It may be called from any goroutine.
	enroll(nc net.Conn, c *conn) error
	// execute lets the loop run f later. It returns false, and f does not run, when the loop
	// has ended. It may be called from any goroutine.
	execute(f func()) bool
	// stop closes all connections, of which the worker is not told, and returns when the
	// loop has ended.
	stop()
}

// A socket is a connection of a loop. Only its loop uses it.
type socket interface {
	// Write sends b, which it does not keep, or takes it over to be sent when there is
	// room. After a failed write the connection is closed: worker.closed was called.
	Write(b []byte) (int, error)
}
