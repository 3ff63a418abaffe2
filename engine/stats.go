package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// A Stats is a reading of an engine's counters. Each is exact; together they
// are not of one instant.
type Stats struct {
	Open     int    // connections open now
	Accepted uint64 // connections handed to a loop since the start
	Refused  uint64 // connections closed on arrival, MaxConnections being reached by peers who speak

	RefusedPerAddress uint64 // connections closed on arrival, MaxConnectionsPerAddress being reached

	// RequestsPerAddress: the addresses that it counts for now, connected or until
	// lately; connections that wait because their address has asked too often; and
	// requests that had to wait, or would have had to. Those behind one on its connection
	// wait with it.
	Addresses int
	Slowed    int
	TooFast   uint64

	AcceptErrors uint64 // failures to accept or to hand over; each is followed by a pause
	Panics       uint64 // panics in Opened, Serve and Closed
	Frames       uint64 // frames given to Serve
	BytesIn      uint64 // bytes read
	BytesOut     uint64 // bytes given to the kernel or waiting for it
	PartialBytes int64  // bytes held now for unfinished and choked frames
	HeldBytes    int64  // those, and replies that wait to be read: the engine's share of the budget
	Choked       int    // connections that do not read their replies now

	// LoopOpen is how many connections each event loop serves or is about to. Those
	// that speak TLS are on none.
	LoopOpen []int

	// LoopTicked is when each event loop has looked at its clock last, which it does
	// once a second, by Options.Clock. 0: it does not run.
	LoopTicked []time.Duration

	// Closed connections by what ended them. The sum is Accepted - Open.
	ClosedByPeer     uint64 // the peer closed, half-closed or reset
	ClosedLocal      uint64 // Conn.Close
	ClosedIdle       uint64
	ClosedMalformed  uint64
	ClosedPanic      uint64
	ClosedSlowReader uint64
	ClosedWriteError uint64
	ClosedOverloaded uint64
	ClosedShutdown   uint64
	ClosedPreamble   uint64 // TLS or PROXY header missing, broken or late

	TLSOpen       int    // connections of Open that speak TLS
	TLSHandshakes uint64 // finished since the start
	// TLSHandshakeFailures are those that began and did not come to that: the peer, or the
	// certificates, would not do, or one end has gone meanwhile.
	TLSHandshakeFailures uint64

	ClosedFrameTimeout uint64
	ClosedFlood        uint64
	ClosedForRoom      uint64 // strangers that made room for a newcomer

	// Pauses is how often the process, or the machine, has stood still for 2 s
	// and more while the engine ran, and Paused for how long in all.
	Pauses uint64
	Paused time.Duration
}

// Stats returns the counters. Safe from any goroutine.
func (e *Engine) Stats() Stats {
	s := Stats{
		Open:              int(e.open.Load()),
		Accepted:          e.accepted.Load(),
		Refused:           e.refused.Load(),
		RefusedPerAddress: e.refusedPerAddress.Load(),

		Addresses: int(e.buckets.size.Load()),
		Slowed:    int(e.slowed.Load()),
		TooFast:   e.tooFast.Load(),

		AcceptErrors: e.acceptErrors.Load(),
		Panics:       e.panics.Load(),
		PartialBytes: e.partial.Load(),
		HeldBytes:    e.o.Budget.Held(),
		Choked:       int(e.choked.Load()),

		ClosedByPeer:     e.closed[closedByPeer].Load(),
		ClosedLocal:      e.closed[closedLocal].Load(),
		ClosedIdle:       e.closed[closedIdle].Load(),
		ClosedMalformed:  e.closed[closedMalformed].Load(),
		ClosedPanic:      e.closed[closedPanic].Load(),
		ClosedSlowReader: e.closed[closedSlowReader].Load(),
		ClosedWriteError: e.closed[closedWriteError].Load(),
		ClosedOverloaded: e.closed[closedOverloaded].Load(),
		ClosedShutdown:   e.closed[closedShutdown].Load(),
		ClosedPreamble:   e.closed[closedPreamble].Load(),

		TLSOpen:       e.tls.size(),
		TLSHandshakes: e.tls.handshakes.Load(),
		Frames:        e.tls.frames.Load(),
		BytesIn:       e.tls.bytesIn.Load(),
		BytesOut:      e.tls.bytesOut.Load(),

		TLSHandshakeFailures: e.tls.failedHandshakes.Load(),

		ClosedFrameTimeout: e.closed[closedFrameTimeout].Load(),
		ClosedFlood:        e.closed[closedFlood].Load(),
		ClosedForRoom:      e.closed[closedForRoom].Load(),

		Pauses: e.o.Clock.pauses.Load(),
		Paused: time.Duration(e.o.Clock.paused.Load()),
	}
	for _, l := range e.loops {
		s.LoopOpen = append(s.LoopOpen, int(l.conns.Load()))
		s.LoopTicked = append(s.LoopTicked, time.Duration(l.ticked.Load()))
		s.Frames += l.frameCount.Load()
		s.BytesIn += l.bytesIn.Load()
		s.BytesOut += l.bytesOut.Load()
	}
	return s
}

// A sparingLog lets one line a second through and counts what it holds back:
// peers decide how often a peer misbehaves. Safe from any goroutine.
type sparingLog struct {
	next atomic.Int64 // nanoseconds of monotonic before which nothing is written
	held atomic.Int64 // since the last line

	total atomic.Uint64 // held back since the start
}

// warn writes the line if none was written within the last second.
func (s *sparingLog) warn(log *slog.Logger, msg string, args ...any) {
	s.write(log, slog.LevelWarn, msg, args...)
}

// write is warn at another level.
func (s *sparingLog) write(log *slog.Logger, level slog.Level, msg string, args ...any) {
	now := int64(monotonic())
	next := s.next.Load()
	if now < next || !s.next.CompareAndSwap(next, now+int64(time.Second)) {
		s.held.Add(1)
		s.total.Add(1)
		return
	}
	if held := s.held.Swap(0); held > 0 {
		args = append(args, "suppressed", held)
	}
	log.Log(context.Background(), level, msg, args...)
}

// clipLength is how many bytes of a text a log line may hold that a peer may
// have a part in.
const clipLength = 256

// clipped returns such a text as it is logged: whole up to clipLength bytes, else
// its beginning and its length.
func clipped(text any) string {
	s := fmt.Sprint(text)
	if len(s) <= clipLength {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:clipLength], ""), len(s))
}
