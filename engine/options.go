package engine

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"time"
)

// Defaults of [Options].
const (
	defaultMaxFrame    = 16 << 20
	defaultIdleTimeout = 120 * time.Second
	defaultHighWater   = 64 << 10
	defaultLowWater    = 32 << 10
	defaultChokedInput = 4 << 20
	defaultChokedTime  = 60 * time.Second
	defaultMaxUnsent   = 64 << 20

	defaultHandshakeTimeout  = 10 * time.Second
	defaultFirstFrameTimeout = 30 * time.Second
	defaultFrameTimeout      = 60 * time.Second

	maxLoops = 255 // gnet's own limit
)

// Options are the knobs of an [Engine]. They are copied by [New].
type Options struct {
	// Network is "tcp", "tcp4" or "tcp6". Empty: "tcp".
	Network string

	// Addrs are where to listen, host:port, at least one. An empty host is
	// every address, IPv4 and IPv6, and so is [::] unless there is an IPv4
	// address beside it. Port 0 takes a free port, see [Engine.Addrs].
	// (Java: bindAddress, listenPort)
	Addrs []string

	// Loops is the number of event loops, at most 255. 0: half the CPUs that
	// the process may use (GOMAXPROCS), at least 1. (Java: serverSelectorThreads,
	// 3, which have worker threads behind them; a loop serves what it reads)
	Loops int

	// Split cuts the stream into frames. Required.
	Split SplitFunc

	// MaxFrame is the largest size, in bytes, that Split may report; beyond
	// it the connection is closed. 0: 16 MiB.
	// (Java: com.rocketmq.remoting.frameMaxLength, 16777216)
	MaxFrame int

	// IdleTimeout is asked once for every accepted connection and says how
	// long it may stay silent; a result of 0 or less means for ever. Only a
	// whole frame or a finished write breaks the silence, bytes of an
	// unfinished frame do not. The close comes up to two seconds late.
	// nil: 120 s. (Java: serverChannelMaxIdleTimeSeconds)
	IdleTimeout func() time.Duration

	// HighWater is the number of unsent bytes above which a connection is
	// choked: none of its frames is served until the peer has read them down
	// to LowWater. 0: 64 KiB and 32 KiB, Netty's marks.
	// (Java: writeBufferHighWaterMark, writeBufferLowWaterMark)
	HighWater int
	LowWater  int

	// FirstFrameTimeout and FrameTimeout are how long a frame may take from
	// its first byte to its last: the first of a connection, and any later
	// one. Who takes longer is closed, up to two seconds late. A connection
	// that says nothing has begun no frame. 0: 30 s and 60 s, for which 16 MiB
	// take 4.5 and 2.2 Mbit/s.
	FirstFrameTimeout time.Duration
	FrameTimeout      time.Duration

	// ChokedInput is how many bytes a connection may send, its first waiting
	// frame not counted, while it is not served: because it is choked, or
	// because it sends faster than it can be answered. Who sends more is
	// closed. 0: 4 MiB.
	ChokedInput int

	// ChokedTime is how long a connection may stay choked before it is
	// closed. 0: 60 s.
	ChokedTime time.Duration

	// MaxUnsent closes a connection for which more replies come while so
	// many bytes already wait for the peer to read. 0: 64 MiB.
	MaxUnsent int

	// Budget bounds what peers make all connections together hold; see
	// [Budget] for what counts and afford for who is closed. nil: one of the
	// engine's own, 1 GiB.
	Budget *Budget

	// MaxConnections is the number of connections served at the same time. For
	// one beyond it the oldest is closed that has not sent a whole frame within
	// a second; if there is none, the newcomer is. 0: as many as
	// RLIMIT_NOFILE allows less a reserve of 192 and OtherFiles, but at least half
	// of it; no limit where the system sets none.
	MaxConnections int

	// OtherFiles is how many file descriptors the program needs for what is not the
	// engine's, beyond the reserve: those of another listener with many peers.
	OtherFiles int

	// MaxConnectionsPerAddress is the number of connections served at the
	// same time for one IPv4 address, or one /64 of IPv6. Those beyond it are
	// treated as with MaxConnections, among those from there. 0: no limit.
	MaxConnectionsPerAddress int

	// RequestsPerAddress is how many requests a second are served for one address, or
	// /64 of IPv6, over all its connections, and twice as many at once after two
	// seconds of silence. It counts for whom a connection is, see Conn.Claimed. Those
	// beyond it are served later. At most MaxRequestsPerAddress. 0: no limit. This machine
	// has none.
	RequestsPerAddress int

	// RequestsMonitor counts the requests beyond it and lets nobody wait.
	RequestsMonitor bool

	// RequestsExempt is asked for each new connection whether that address has no limit.
	// It must be quick. nil: only this machine has none.
	RequestsExempt func(netip.Addr) bool

	// Started is called once by Run, when all it takes to serve is there: from
	// then on only the death of an event loop ends it before its context does.
	// nil: nobody is told.
	Started func()

	// Drain is asked when Run's context is done and says how to part from
	// the peers. nil: at once.
	Drain func() Drain

	// TLSMode says whether connections may, must or must not speak TLS. Their
	// first byte tells whether they do. (Java: tls.server.mode)
	TLSMode TLSMode

	// TLSConfig is asked at the beginning of each handshake, by many goroutines
	// at once, and may answer differently from time to time. If it is nil or
	// returns nil, the handshake fails.
	TLSConfig func() *tls.Config

	// ProxyTrusted are the peers who may say by a header of the PROXY protocol,
	// version 1 or 2, on whose behalf they speak. They need not. For all others
	// such a header is a malformed frame. Opened is called for a trusted peer
	// when its first bytes are there. (Java trusts everybody.)
	ProxyTrusted []netip.Prefix

	// HandshakeTimeout is how long a TLS handshake or a PROXY header may take
	// from its first byte. 0: 10 s, as Netty has it for TLS.
	HandshakeTimeout time.Duration

	// SendBuffer and RecvBuffer set SO_SNDBUF and SO_RCVBUF of every
	// connection. 0: the system's choice.
	// (Java: serverSocketSndBufSize, serverSocketRcvBufSize)
	SendBuffer int
	RecvBuffer int

	// Clock measures the silence of peers and how long they take over something.
	// It belongs to this engine while Run runs, for it watches the clock then; other
	// goroutines may read it. nil: one of the engine's own.
	Clock *Clock

	// Logger receives what the engine and gnet have to say. nil: nobody.
	Logger *slog.Logger

	// tick is how often the loops read the clock and look for silent
	// connections. 0: 1 s. Tests set it shorter.
	tick time.Duration

	limitLoopback bool // for tests: RequestsPerAddress counts for this machine, too
}

// Validate reports every fault of o at once, or nil.
func (o Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("engine: "+format, args...))
	}
	switch o.Network {
	case "", "tcp", "tcp4", "tcp6":
	default:
		fault("Network %q is not tcp, tcp4 or tcp6", o.Network)
	}
	if len(o.Addrs) == 0 {
		fault("Addrs are missing")
	}
	for _, addr := range o.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			fault("Addrs: %w", err)
		}
	}
	if o.Split == nil {
		fault("Split is missing")
	}
	if o.Loops > maxLoops {
		fault("Loops %d is above %d", o.Loops, maxLoops)
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"Loops", int64(o.Loops)},
		{"MaxFrame", int64(o.MaxFrame)},
		{"HighWater", int64(o.HighWater)},
		{"LowWater", int64(o.LowWater)},
		{"ChokedInput", int64(o.ChokedInput)},
		{"ChokedTime", int64(o.ChokedTime)},
		{"MaxUnsent", int64(o.MaxUnsent)},
		{"FirstFrameTimeout", int64(o.FirstFrameTimeout)},
		{"FrameTimeout", int64(o.FrameTimeout)},
		{"MaxConnections", int64(o.MaxConnections)},
		{"OtherFiles", int64(o.OtherFiles)},
		{"HandshakeTimeout", int64(o.HandshakeTimeout)},
		{"MaxConnectionsPerAddress", int64(o.MaxConnectionsPerAddress)},
		{"RequestsPerAddress", int64(o.RequestsPerAddress)},
		{"SendBuffer", int64(o.SendBuffer)},
		{"RecvBuffer", int64(o.RecvBuffer)},
	} {
		if f.value < 0 {
			fault("%s %d is negative", f.name, f.value)
		}
	}
	if o.RequestsPerAddress > MaxRequestsPerAddress {
		fault("RequestsPerAddress %d is above %d", o.RequestsPerAddress, MaxRequestsPerAddress)
	}
	if o.TLSMode > TLSEnforcing {
		fault("TLSMode %d is unknown", o.TLSMode)
	}
	if d := o.withDefaults(); d.LowWater > d.HighWater {
		fault("LowWater %d is above HighWater %d", d.LowWater, d.HighWater)
	}
	return errors.Join(faults...)
}

// withDefaults returns o with every zero replaced by what it stands for.
// MaxConnections is left alone: its default is known when the engine starts.
func (o Options) withDefaults() Options {
	o.Network = cmp.Or(o.Network, "tcp")
	o.Loops = cmp.Or(o.Loops, defaultLoops(runtime.GOMAXPROCS(0)))
	o.MaxFrame = cmp.Or(o.MaxFrame, defaultMaxFrame)
	o.HighWater = cmp.Or(o.HighWater, defaultHighWater)
	o.LowWater = cmp.Or(o.LowWater, min(defaultLowWater, o.HighWater))
	o.ChokedInput = cmp.Or(o.ChokedInput, defaultChokedInput)
	o.ChokedTime = cmp.Or(o.ChokedTime, defaultChokedTime)
	o.MaxUnsent = cmp.Or(o.MaxUnsent, defaultMaxUnsent)
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, defaultHandshakeTimeout)
	o.FirstFrameTimeout = cmp.Or(o.FirstFrameTimeout, defaultFirstFrameTimeout)
	o.FrameTimeout = cmp.Or(o.FrameTimeout, defaultFrameTimeout)
	o.tick = cmp.Or(o.tick, time.Second)
	if o.Drain == nil {
		o.Drain = func() Drain { return Drain{} }
	}
	if o.IdleTimeout == nil {
		o.IdleTimeout = func() time.Duration { return defaultIdleTimeout }
	}
	if o.Budget == nil {
		o.Budget = NewBudget(0)
	}
	if o.Clock == nil {
		o.Clock = NewClock()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
