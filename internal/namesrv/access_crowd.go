package namesrv

import (
	"context"
	"net/netip"
	"time"
)

// Whether addresses prove anything here: behind a NAT, or a balancer that sends no PROXY
// header, all peers have one.

// When the server looks at where its peers are, and what is a crowd.
const (
	firstCrowdLook = time.Minute // after the start
	crowdLook      = 10 * time.Minute
	leastCrowd     = 20 // connections; of fewer, half prove nothing
)

// watchCrowd looks for an address of which most connections are, until ctx is done, and
// says so once.
func (s *Server) watchCrowd(ctx context.Context) {
	next := time.NewTimer(firstCrowdLook)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			if s.sayCrowd(ctx) {
				return
			}
			next.Reset(crowdLook)
		}
	}
}

// sayCrowd says of which address most connections are, if rules give it more than to ask
// for routes. It reports whether it has.
func (s *Server) sayCrowd(ctx context.Context) bool {
	conns, err := s.engine.Connections(ctx)
	if err != nil {
		return false // it has not begun, or ends
	}
	places := make([]peerPlace, len(conns))
	for i := range conns {
		c := &conns[i]
		places[i] = placeOf(c.Peer.Addr(), c.Local.Addr(), c.Claimed.Addr(), c.Claimed.IsValid())
	}
	addr, n := crowdOf(places)
	if n == 0 {
		return false
	}
	p := s.rules.inForce.Load()
	for i := range places {
		if places[i].addr != addr {
			continue
		}
		id := p.identify(&accessPeer{peerPlace: places[i]})
		if id.rights&^rightRouteRead == 0 || p.preset == presetOpen {
			return false
		}
		s.log.Warn("most connections are of one address, so addresses do not tell who somebody is: with a balancer, let it send PROXY headers and name it in proxyProtocolTrusted",
			"addr", addr, "connections", n, "of", len(places), "who", id.who(), "rights", id.rights.String(), "preset", p.preset)
		return true
	}
	return false
}

// crowdOf returns the address of which more than half of the connections are, and how many
// those are; 0 if there is none, or too few connections to tell.
func crowdOf(places []peerPlace) (addr netip.Addr, n int) {
	if len(places) < leastCrowd {
		return addr, 0
	}
	votes := 0 // of what may be the majority: each other one takes one away
	for i := range places {
		switch {
		case votes == 0:
			addr, votes = places[i].addr, 1
		case places[i].addr == addr:
			votes++
		default:
			votes--
		}
	}
	for i := range places {
		if places[i].addr == addr {
			n++
		}
	}
	if 2*n <= len(places) || !addr.IsValid() {
		return addr, 0
	}
	return addr, n
}
