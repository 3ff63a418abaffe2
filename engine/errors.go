package engine

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Why the engine closed a connection, as given to [Handler.Closed].
var (
	// ErrMalformed is wrapped by the error of a stream that cannot be cut
	// into frames.
	ErrMalformed = errors.New("engine: malformed frame")
	// ErrIdle means that for [Options.IdleTimeout] neither a whole frame
	// came nor a write was finished.
	ErrIdle = errors.New("engine: connection idle")
	// ErrPanic means that the handler or a task panicked over this connection.
	ErrPanic = errors.New("engine: handler panicked")
	// ErrSlowReader means that the peer does not read what it asked for.
	ErrSlowReader = errors.New("engine: peer does not read its replies")
	// ErrFlood means that the peer sends requests faster than they can be
	// answered, without waiting for replies.
	ErrFlood = errors.New("engine: peer sends too far ahead of its replies")
	// ErrFrameTimeout is wrapped by the error of a peer that did not finish a
	// frame in time.
	ErrFrameTimeout = errors.New("engine: frame not finished in time")
	// ErrOverloaded means that all connections together hold too many bytes
	// of unfinished frames and unread replies, and this one was among those
	// who have held theirs for longest.
	ErrOverloaded = errors.New("engine: too many bytes of unfinished frames and unread replies")
	// ErrMadeRoom means that there were as many connections as there may be, in
	// all or from its address, and this one, which had not sent a whole frame,
	// made room for a newcomer.
	ErrMadeRoom = errors.New("engine: made room for a newcomer, no whole frame had come")
	// ErrPreamble is wrapped when a connection does not get as far as its first
	// frame: a TLS handshake or a PROXY header that is broken or takes longer
	// than [Options.HandshakeTimeout], or TLS where there is none, or none where
	// it is enforced.
	ErrPreamble = errors.New("engine: bad preamble")
	// ErrShutdown means that the engine is being stopped.
	ErrShutdown = errors.New("engine: shutting down")
)

// errGone stops a turn whose connection has died under it. It is never
// reported: the death has its own reason.
var errGone = errors.New("engine: connection gone")

// A closeKind is the column of [Stats] in which a closed connection is counted.
type closeKind int

const (
	closedLocal closeKind = iota
	closedByPeer
	closedIdle
	closedMalformed
	closedPanic
	closedSlowReader
	closedWriteError
	closedOverloaded
	closedFrameTimeout
	closedFlood
	closedShutdown
	closedPreamble
	closedForRoom
	numCloseKinds
)

// PeerLeft reports whether err, as given to [Handler.Closed], says that the peer
// or the network between us ended the connection: the stream ended, was reset, or
// could not be written to. All other connections were closed by us, which says
// nothing about how the peer is. An error that is not known here counts as ours,
// and so does a read or write for which our system had no memory.
func PeerLeft(err error) bool {
	switch kindOf(err) {
	case closedByPeer, closedWriteError:
		return !errors.Is(err, syscall.ENOMEM) && !errors.Is(err, syscall.ENOBUFS) && !errors.Is(err, syscall.EBADF)
	}
	return false
}

// kindOf sorts the reason of a close into its column.
func kindOf(err error) closeKind {
	var sys *os.SyscallError
	var op *net.OpError
	switch {
	case err == nil:
		return closedLocal
	case errors.Is(err, ErrPreamble):
		return closedPreamble
	case errors.Is(err, ErrMalformed):
		return closedMalformed
	case errors.Is(err, ErrIdle):
		return closedIdle
	case errors.Is(err, ErrPanic):
		return closedPanic
	case errors.Is(err, ErrSlowReader):
		return closedSlowReader
	case errors.Is(err, ErrOverloaded):
		return closedOverloaded
	case errors.Is(err, ErrFrameTimeout):
		return closedFrameTimeout
	case errors.Is(err, ErrFlood):
		return closedFlood
	case errors.Is(err, ErrMadeRoom):
		return closedForRoom
	case errors.Is(err, ErrShutdown):
		return closedShutdown
	case errors.As(err, &sys):
		if sys.Syscall == "write" || sys.Syscall == "writev" {
			return closedWriteError
		}
		return closedByPeer
	case errors.Is(err, net.ErrClosed): // by us
		return closedLocal
	case errors.Is(err, io.EOF), errors.As(err, &op): // op: a TLS alert, by now
		return closedByPeer
	}
	return closedLocal
}
