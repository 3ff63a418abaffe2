package engine

import (
	"net/netip"
	"time"
)

// A ConnInfo shows one open connection. Its parts are not of one instant.
type ConnInfo struct {
	ID      uint64
	Peer    netip.AddrPort // the other end of the TCP connection
	Claimed netip.AddrPort // whom the peer speaks for; not valid if it has not said so
	Local   netip.AddrPort // what it has connected to
	Loop    int            // index of its event loop; with TLS, of the one that it came by
	TLS     bool
	Age     time.Duration // since it was accepted, less the pauses of the process
	Idle    time.Duration // since its last turn began, or since it was accepted
	Served  uint64        // frames given to Serve, in turns that have ended
}

// Connections returns what is known of all open connections.
func (e *Engine) Connections() []ConnInfo { return nil }
