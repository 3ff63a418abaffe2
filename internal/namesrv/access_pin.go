package namesrv

import (
	"net/netip"
	"slices"

	"gonamesrv/engine"
	"gonamesrv/route"
)

// Who may take the place of a broker that lives. A broker name and ID is pinned to whoever
// registered it: another peer that registers the same name and ID, or the same address,
// takes it away from a broker that is still heard. Java lets everybody.
//
// A pin lasts as long as the broker is heard. So one that has died and comes back from
// somewhere else is let in: at once if its connection was closed, else when it has been
// silent for half of its timeout.

// The words of brokerJoin.pin.
const (
	pinOff     = "off"
	pinMonitor = modeMonitor // the default: what enforce would refuse is counted and logged
	pinEnforce = modeEnforce
)

// mayDisplace returns why the sender of a registration may not register, because another
// peer has registered that broker and is heard; nil if it may.
func (s *Server) mayDisplace(r *request, reg *route.Registration) error {
	p := s.rules.inForce.Load()
	if p.file.join.pin == pinOff {
		return nil
	}
	v := s.table.View()
	if l, ok := v.Live([]byte(reg.Cluster), []byte(reg.BrokerAddr)); ok {
		if err := s.pinned(p, r, l); err != nil {
			return err
		}
	}
	b, ok := v.Broker([]byte(reg.BrokerName))
	if !ok {
		return nil
	}
	for m := range b.Members() {
		if m.ID != reg.BrokerID || m.Addr == reg.BrokerAddr {
			continue
		}
		if l, ok := v.Live([]byte(reg.Cluster), []byte(m.Addr)); ok {
			return s.pinned(p, r, l)
		}
	}
	return nil
}

// pinned returns why a peer may not take the place of a broker, nil if it may: the broker
// is not heard any more, or the peer is who has registered it.
func (s *Server) pinned(p *accessPolicy, r *request, l *route.LiveInfo) error {
	if l.Conn == r.conn.ID() || !s.isHeard(l) {
		return nil
	}
	peer := accessPeerOf(r.conn)
	id := p.identify(&peer)
	if r.key != nil {
		id.account = r.key.key
	}
	if s.isWhoRegistered(p, &id, r.conn, &peer, l) {
		return nil
	}
	return s.refuseOf(p, r, &id, &refusal{why: reasonPinned}, p.monitor || p.file.join.pin != pinEnforce)
}

// isHeard reports whether a broker shows that it lives: it has registered with this
// process, and was heard within half of its timeout.
func (s *Server) isHeard(l *route.LiveInfo) bool {
	return l.Conn != 0 && s.nowMillis()-l.LastUpdateMillis() <= l.TimeoutMillis/2
}

// isWhoRegistered reports whether a peer is who has registered a broker: by its account,
// its certificate, a network of the accessFile, or because it is near.
func (s *Server) isWhoRegistered(p *accessPolicy, id *identity, c engine.Conn, peer *accessPeer, l *route.LiveInfo) bool {
	of, account := s.brokerConns.getWith(l.Conn)
	if of == nil { // it is being closed
		return !c.Proxied() && isNear(peer.addr, plainAddr(l.Peer))
	}
	if id.account != "" && id.account == account {
		return true
	}
	other := accessPeerOf(of)
	was := p.identify(&other)
	return id.certificate != "" && id.certificate == was.certificate ||
		id.group == groupLoopback && was.group == groupLoopback ||
		isNear(peer.addr, other.addr) ||
		slices.ContainsFunc(id.networks, func(name string) bool { return slices.Contains(was.networks, name) })
}

// isNear reports whether two addresses are of one /24, of IPv6 of one /64.
func isNear(a, b netip.Addr) bool {
	if !a.IsValid() || !b.IsValid() || a.Is4() != b.Is4() {
		return false
	}
	if a.Is4() {
		p, err := a.Prefix(24)
		return err == nil && p.Contains(b)
	}
	return sameHost(a, b)
}
