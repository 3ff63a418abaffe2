package engine

import (
	"net/netip"
	"sync"
)

// A peerCount counts connections by the address of the peer: an IPv4 address,
// or the /64 of an IPv6 one, which is what a site gives to one host. The zero
// value has no limit, and then counts nothing. Safe from any goroutine.
type peerCount struct {
	limit int // constant

	mu   sync.Mutex // guards the following
	open map[netip.Prefix]int
	of   map[uint64]netip.Prefix // by connection
}

// admit counts a connection in, under the address that its peer really has,
// unless that has its share already.
func (p *peerCount) admit(id uint64, peer netip.Addr) bool {
	if p.limit <= 0 {
		return true
	}
	site := siteOf(peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[site] >= p.limit {
		return false
	}
	if p.open == nil {
		p.open, p.of = make(map[netip.Prefix]int), make(map[uint64]netip.Prefix)
	}
	p.open[site]++
	p.of[id] = site
	return true
}

// remove counts a connection out, if it was admitted.
func (p *peerCount) remove(id uint64) {
	if p.limit <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	site, ok := p.of[id]
	if !ok {
		return
	}
	delete(p.of, id)
	if p.open[site]--; p.open[site] == 0 {
		delete(p.open, site)
	}
}

// siteOf returns what is counted as one peer.
func siteOf(peer netip.Addr) netip.Prefix {
	peer = peer.Unmap().WithZone("")
	bits := 64
	if peer.Is4() {
		bits = 32
	}
	site, _ := peer.Prefix(bits) // fails only for an address that is none
	return site
}

// admit decides whether c may stay, now that the address of its peer is known,
// and sends a stranger away from there if need be. It must not be called twice
// for a connection that stays.
func (e *Engine) admit(c *conn, peer netip.Addr) bool {
	for !e.peers.admit(c.id, peer) {
		other := e.strangers.takeOldestOf(siteOf(peer))
		if other == nil {
			return e.refuse(c)
		}
		e.peers.remove(other.id)
		other.cutOff(ErrMadeRoom)
	}
	return true
}

// locate gives c the bucket of whom it is from, and tells the strangers where that is,
// if it matters.
func (e *Engine) locate(c *conn) {
	c.bucket = e.buckets.join(c.remote().Addr())
	if e.peers.limit > 0 {
		e.strangers.locate(c, siteOf(c.remote().Addr()))
	}
}

// refuse counts a connection that its address has no room for, and says no.
func (e *Engine) refuse(c *conn) bool {
	e.refusedPerAddress.Add(1)
	e.refusedPerAddressLog.warn(e.o.Logger, "connection refused", "remote", c.RemoteAddr(),
		"maxConnectionsPerAddress", e.peers.limit)
	return false
}
