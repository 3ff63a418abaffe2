package namesrv

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gonamesrv/codec"
)

// Who was refused what, or would be if nobody monitored: what an operator looks at before
// he lets rules be enforced.

// maxReported is how many kinds of refusals are told apart. Beyond it those of one peer are
// counted together wherever it is; beyond twice as many only how many there are.
const maxReported = 1000

// An AccessRefusal is requests that were refused for one reason, or would be, of peers that
// are alike.
type AccessRefusal struct {
	Monitored bool              // they were served, because accessMode or brokerJoin monitors
	Who       string            // by rules, or else loopback, site or public
	From      netip.Prefix      // a /24, of IPv6 a /64; not valid: of many, or of no known address
	Code      codec.RequestCode //
	Request   string            // its name
	Right     string            // that it takes
	Reason    string
	Count     uint64
	First     time.Time // by the wall clock
	Last      time.Time
}

// A refusalKey is what refusals are told apart by.
type refusalKey struct {
	monitored   bool
	why         reason
	group       peerGroup
	certificate string
	account     string
	network     string // the first
	from        netip.Prefix
	row         *row
}

// An accessReport counts refusals by who was refused what. Its memory is bounded. Safe from
// any goroutine.
type accessReport struct {
	mu     sync.Mutex // guards the following
	counts map[refusalKey]*AccessRefusal
	beyond uint64 // for which there was no room
}

func (a *accessReport) add(r *request, id *identity, why reason, monitored bool, now time.Time) {
	key := refusalKey{monitored: monitored, why: why, group: id.group, certificate: id.certificate, account: id.account, from: netOf(id.addr), row: r.row}
	if len(id.networks) > 0 {
		key.network = id.networks[0]
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	is := a.counts[key]
	if is == nil && len(a.counts) >= maxReported {
		key.from = netip.Prefix{}
		is = a.counts[key]
	}
	if is == nil {
		if len(a.counts) >= 2*maxReported {
			a.beyond++
			return
		}
		if a.counts == nil {
			a.counts = map[refusalKey]*AccessRefusal{}
		}
		is = &AccessRefusal{
			Monitored: monitored, Who: clip(id.who()), From: key.from, Code: r.row.code, Request: r.row.name(), Right: r.row.right.String(),
			Reason: why.String(), First: now,
		}
		a.counts[key] = is
	}
	is.Count++
	is.Last = now
}

// netOf returns the network that an address is counted in.
func netOf(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits) // not valid where a is not
	return p
}

// AccessReport returns who was refused what since the start, or would have been, the most
// frequent first, and how many refusals are not in it: there were too many kinds. Safe from
// any goroutine.
func (s *Server) AccessReport() (all []AccessRefusal, beyond uint64) {
	a := &s.rules.report
	a.mu.Lock()
	for _, is := range a.counts {
		all = append(all, *is)
	}
	beyond = a.beyond
	a.mu.Unlock()
	slices.SortFunc(all, func(x, y AccessRefusal) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Who, y.Who), x.From.Addr().Compare(y.From.Addr()),
			cmp.Compare(x.Code, y.Code), cmp.Compare(x.Reason, y.Reason), x.First.Compare(y.First))
	})
	return all, beyond
}
