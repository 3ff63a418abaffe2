// Package engine serves frames over TCP: it owns sockets, event loops, bounded
// executors and every buffer between them.
//
// It does not know what a frame means. How to cut the stream is told to it by
// a [SplitFunc], what to answer by a [Handler]. It knows nothing of RocketMQ,
// topics or brokers, and keeps no state but connections.
//
//	peer ──► listener ──► acceptor ──► loop ──► Split ──► Handler.Serve ──► out ─┐
//	 ▲                    limits,      │                    │                    │
//	 │                    pauses       │             Executor.Submit             │
//	 │                                 │                    ▼                    │
//	 │                                 │    lane ──► worker ──► Task ──► Send    │
//	 │                                 │                                  │      │
//	 └──────────── one write ◄─────────┴──────── outbox ◄─────────────────┘ ◄────┘
//
// # Life of a connection
//
// An acceptor takes it from its listener, refuses it if there are too many, in
// all or from its address, and hands it to the loop with the fewest. The loop
// calls Opened. The first byte tells whether the peer speaks TLS; if so, the
// connection goes to a goroutine of its own, which serves it in the loop's
// place, on crypto/tls: gnet has no TLS. In front of that byte a trusted peer may
// say by a PROXY header whom it speaks for; Opened then waits for it.
//
// From then on each read is a turn: its whole frames are served in order, what
// they append to out leaves in one write, and the beginning of a frame that is
// not yet whole is kept. A turn is never more than 16 KiB of requests, 256 KiB
// of a large one, 256 KiB of replies or some milliseconds, so that no connection
// starves the others of its loop; the rest comes with the next turn.
//
// The connection ends, and Closed is called once, when the peer closes it (a
// half-close counts, as in Netty), a write fails, the stream cannot be cut, the
// handler panics, Close is called, or the engine stops. It ends as well when the
// peer is silent for too long, takes too long over a frame, does not read its
// replies or sends far ahead of them, and when all peers together hold too many
// bytes and this one has held some for longest.
//
// # What bounds it
//
// Every queue and every buffer that a peer can fill: connections by number;
// unfinished frames, requests that wait and replies that wait by one [Budget]
// in bytes; a frame by its size and its time; unread replies by a mark at which
// serving stops, a time and a size; a connection's requests that wait by a size
// on the loop and by a share of the executor's queue. [Options] has the limits,
// [Stats] a counter for each, and the log at most a line a second of each kind.
//
// An engine that is to stop drains first: it accepts nobody new and closes one
// quiet connection after the other, until none is left or the time is over.
//
// # Which goroutine runs what
//
//   - The acceptors, one for each address: accept, count, pause after an error.
//     Up to 64 goroutines that live for the length of an enrolment help them.
//   - A loop, Options.Loops of them, each with its share of the connections:
//     Split, Opened, Serve, Closed, all reading and all writing. It never
//     blocks. What is marked "loop only" needs no lock.
//   - A reader for each connection that speaks TLS: what the loop does for the
//     others, but it may block. Beside it a writer, while there is something to
//     write.
//   - A worker, ExecutorOptions.Workers of them per [Executor]: Tasks and
//     posts. One connection's run in order and never two at a time, the
//     most urgent level first.
//   - The ticker, one: tells the loops once a second to read their clock, and
//     closes connections with TLS whose peers take too long.
//   - The watcher of the clock, one: notices pauses of the process, see [Clock].
//   - Any goroutine: the methods of [Conn], [Executor] and Engine.Stats.
//
// No goroutine belongs to a connection without TLS. Lock order: tlsSet.mu, then
// conn.mu, then loop.mu; Executor.mu stands alone.
//
// # Whose bytes are whose
//
// A frame and out are borrowed by Serve or the Task until it returns. Bytes
// given to Send and Submit are copied. What is read lies in gnet's buffer and
// is served from there; only what is unfinished at the end of a turn is
// copied, into a buffer of the connection that grows with the bytes that came
// and not with the length they announce; the rest of a large frame is read
// straight into it, and Submit transfers it to the task instead of copying it. An idle
// connection has no buffer.
//
// # What gnet does, and is kept from doing
//
// The loops are those of a gnet.Client, gnet v2.10.0, level-triggered. Probed
// with that version: its own acceptor ends the whole server on the first
// EMFILE, hence ours; it recovers no panic, hence a recover in every callback;
// a failed Write closes the connection before it returns, with the descriptor
// number free for reuse, hence nothing touches a connection after one; it
// limits nothing and says nothing when output has drained, hence the list
// of the choked; its tasks overtake each other, hence outboxes, and connections too,
// hence the bell; a loop that fails ends without a word, hence the sentinels.
//
// # Where a limit lives
//
// What a peer may make the engine buffer, and for how long, is decided by types that
// know no socket, no loop and no clock: an inbox cuts the stream into frames, an outbox
// has what is sent, and an unsent counts it until the peer's system has taken it. A loop drives
// them for connections without TLS, a reader and a writer for one with TLS. Each limit
// is there once, and TestConnectionLimits holds peers of both kinds to it.
//
// Read first handler.go, then inbox.go and outbox.go, then turn.go, then executor.go.
//
// Java: remoting's NettyRemotingServer and NettyRemotingAbstract, and the
// executors of NamesrvController. Version 5.3.
package engine
