package engine

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// A SplitFunc reports the whole size of the first frame in b, length prefix
// and all. The size may exceed len(b): the rest has then not arrived yet.
// 0 and no error mean that b is too short to tell. An error, a negative size
// or one above [Options.MaxFrame] is a violation of the protocol and closes
// the connection; frames that came before it are served and answered.
//
// It is called on the loops, often, and must be fast, free of side effects
// and must not keep b.
type SplitFunc func(b []byte) (n int, err error)

// A Handler gives meaning to frames. The engine calls it from many loops at
// once, but for any one connection from one goroutine at a time, in the order
// Opened, Serve (any number of times), Closed.
//
// No method may block: a loop that waits, waits for all its connections.
// A panic in any of them is logged and counted and costs that connection only.
type Handler interface {
	// Opened says that c was accepted. It may already Send and Close, but unless
	// [Options.TLSMode] is TLSDisabled what is sent leaves when the first byte
	// has come and tells whether to encrypt it.
	Opened(c Conn)

	// Serve handles one whole frame, as cut by the SplitFunc, length prefix
	// included, and returns out with the reply appended to it, in the manner
	// of strconv.AppendInt. A handler without a reply, or one who will Send
	// it later, returns out unchanged. The replies to all frames that came
	// with one read leave in one write, unless they are big.
	//
	// at is when the turn began in which the frame is served, as a reading of
	// [Options.Clock]. The clock is read once a turn, so all frames that came
	// with one read have the same.
	//
	// frame and out are borrowed until Serve returns: what must live longer
	// is copied. The frame may be read only.
	Serve(c Conn, at time.Duration, frame, out []byte) []byte

	// Closed says that c is gone: exactly once for every connection that
	// Opened was called for, and nothing else follows. err tells why: io.EOF
	// or a read error when the peer left, a write error, [ErrIdle],
	// [ErrSlowReader], [ErrFlood], [ErrMadeRoom], [ErrPanic], [ErrShutdown], an error that
	// wraps [ErrOverloaded], [ErrMalformed], [ErrFrameTimeout] or
	// [ErrPreamble], or the reason that was given to Conn.Close. [PeerLeft]
	// tells whose doing it was.
	Closed(c Conn, err error)
}

// A Preparer is a Handler that wants to know what it will serve. If it waits for
// memory with each request, it can wait for that of many at the same time.
type Preparer interface {
	Handler

	// Prepare shows bytes that have come and that Serve was not called for yet. They
	// begin with a frame, but may end in the middle of one, and nobody has looked at
	// them: not even the SplitFunc. Serve may never be called for them, since the
	// connection may be closed meanwhile. Frames of more than a few KiB are seldom shown.
	//
	// It returns how many of the bytes it has seen. Once these are served, it is shown
	// what is behind them. Whoever has no use for any returns len(next), and is
	// asked again in another turn.
	//
	// next is borrowed until Prepare returns, and may be read only.
	Prepare(next []byte) int
}

// A Leaver is a Handler that also wants the frames of a peer that had not had their turn
// when the peer left: a peer may say something and hang up at once.
type Leaver interface {
	Handler

	// Left handles a whole frame, as Serve does, of a peer that has left: there is nobody
	// to answer. It is called before Closed, in the order of the frames, for 4,096 of
	// them at most; those beyond that are lost. It is not called for a connection that we
	// have closed, or that speaks TLS, or whose peer did not read its replies or asked
	// too fast.
	//
	// frame is borrowed until Left returns, and may be read only.
	Left(c Conn, frame []byte)
}

// A Conn is one accepted connection of an [Engine]; there are no others. All
// methods are safe from any goroutine, also after the connection has died.
type Conn interface {
	// ID returns a number that no other connection of this process has or
	// will ever have. The first is 1.
	ID() uint64

	// RemoteAddr returns the text of Claimed, or if that is not valid, of Peer. It
	// is written anew each time: meant for log lines.
	RemoteAddr() string

	// Peer returns the address of the other end of the TCP connection. An IPv4
	// address is one, also where the listener is IPv6; a link-local one has its
	// zone.
	Peer() netip.AddrPort

	// Claimed returns the address that the peer says it speaks for, see
	// [Options.ProxyTrusted]. It is not valid if the peer has said nothing.
	Claimed() netip.AddrPort

	// Proxied reports whether the peer has sent a PROXY header, also one that names
	// nobody, as balancers send it when they speak for themselves.
	Proxied() bool

	// ProxyTLVs returns fields of the PROXY header by which the peer has said whom it
	// speaks for, as they were there: type, two bytes of length, value. Kept are
	// those that balancers of clouds send (types 0xE0 to 0xEF) and the name that the
	// client has asked for (0x02), up to 256 bytes in all; one that would be beyond
	// that is left out. nil if there are none. They may be read only.
	ProxyTLVs() []byte

	// Local returns the address that the peer has connected to. It is not valid
	// if the system has not told.
	Local() netip.AddrPort

	// TLS returns what was agreed with the peer in the handshake, among it the
	// certificates it has shown, or nil if the connection does not speak TLS.
	// It is nil in Opened, when nobody knows yet, and final from the first Serve
	// on. It is shared and may be read only.
	TLS() *tls.ConnectionState

	// IsTLS reports whether TLS is not nil, and costs much less.
	IsTLS() bool

	// Loop returns the index of the connection's event loop, from 0 to one less
	// than there are. It never changes. A connection with TLS has left its loop,
	// and keeps the index.
	Loop() int

	// Value returns what SetValue was given last, nil if it never was called.
	Value() any

	// SetValue keeps v with the connection, and as long. It is the handler's
	// place for what it knows of the peer; the engine does not look at it. Any
	// goroutine may call it, but two that read, change and write v need a lock
	// of their own.
	SetValue(v any)

	// Tag returns the number that SetTag was given last, 0 if it never was called. It
	// is for what the handler looks at with each frame: it takes no memory beside the
	// connection's own. Any goroutine may call SetTag, with the same care as SetValue.
	Tag() uint32
	SetTag(tag uint32)

	// Send queues a copy of b to be written and returns at once; b is the
	// caller's again. Bytes sent by one goroutine leave in order, and what
	// is sent before the loop gets round to it leaves in one write. Against
	// replies that Serve appends to out there is no order. On a dead
	// connection it does nothing.
	Send(b []byte)

	// Close asks the loop to close the connection. What was sent before is
	// written as far as the peer takes it without waiting; no further frame
	// is served. reason becomes the err of [Handler.Closed]; the first one wins.
	Close(reason error)

	// Alive reports whether the connection is still open.
	Alive() bool

	own() *conn
}
