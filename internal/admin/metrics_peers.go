package admin

import (
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// What tells whether name servers agree.

var (
	tableDigest = gauge("table_digest", "A checksum of what is in the tables, the low 52 bits of it: equal for name servers that know the same.", "table")
	peerUp      = gauge("peer_up", "1 if the last check has reached the name server of peerNamesrvAddr.", "peer")
	peerDiffers = gauge("peer_differs", "What differs from the name server of peerNamesrvAddr in brokers, topics, config or kv, and has for longer than brokers take from one registration to the next. Left out if it could not be compared.", "peer", "part")
	peerChecks  = counter("peer_checks_total", "Comparisons with the name server of peerNamesrvAddr.", "peer", "result")
)

// maxExact is the largest integer whose digits a metric keeps, and 1.
const maxExact = 1 << 52

func (e emitter) digest(v *route.View) {
	d := v.Digest()
	e.add(tableDigest, float64(d.Brokers%maxExact), "brokers")
	e.add(tableDigest, float64(d.Topics%maxExact), "topics")
}

// peers emits what is known of the peers. They are configured, so their number is
// bounded, and no stranger's address is among them.
func (e emitter) peers(all []namesrv.PeerStats) {
	seen := map[string]bool{}
	for i := range all {
		p := &all[i]
		name := labelOf(p.Addr)
		if seen[name] {
			continue
		}
		seen[name] = true
		e.add(peerUp, boolean(p.Up), name)
		e.add(peerChecks, float64(p.Checks-min(p.Checks, p.Failed)), name, "success")
		e.add(peerChecks, float64(p.Failed), name, "failed")
		for _, part := range []struct {
			name string
			*namesrv.PeerPart
		}{{"brokers", &p.Brokers}, {"topics", &p.Topics}, {"config", &p.Config}, {"kv", &p.KV}} {
			if part.Compared {
				e.add(peerDiffers, float64(part.Differ), name, part.name)
			}
		}
	}
}
