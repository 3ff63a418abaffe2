package namesrv

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/internal/audit"
)

// What strangers may make the audit log write: so many lines in a second for each host,
// and for all of them together. So nobody can fill the disk. What is left out is counted.
const (
	auditLinesPerHost = 10
	auditLinesPerSec  = 200
	auditHosts        = 1024 // whose lines are counted apart; those of all others together
	auditSweep        = time.Minute
)

// An auditLimit says which lines of strangers are written, and counts the others. Safe
// from any goroutine.
type auditLimit struct {
	now     func() time.Duration
	leftOut atomic.Uint64

	mu     sync.Mutex
	second time.Duration // of which the counts are
	all    int
	hosts  map[netip.Addr]*auditHost // by address, of IPv6 by /64
	others auditHost                 // of hosts for which there is no room
}

type auditHost struct {
	second time.Duration
	lines  int    // in it
	left   uint64 // out, since the last line
}

func newAuditLimit(now func() time.Duration) *auditLimit {
	return &auditLimit{now: now, hosts: map[netip.Addr]*auditHost{}}
}

// hostOf returns what stands for a host: hosts have many addresses of IPv6.
func hostOf(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// allow reports whether a line about a host may be written, and how many were left out
// since the last one.
func (l *auditLimit) allow(addr netip.Addr) (left uint64, ok bool) {
	second := l.now().Truncate(time.Second)
	host := hostOf(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.second != second {
		l.second, l.all = second, 0
		if len(l.hosts) >= auditHosts {
			l.forget(second)
		}
	}
	h, most := l.hosts[host], auditLinesPerHost
	switch {
	case h != nil:
	case len(l.hosts) < auditHosts:
		h = &auditHost{}
		l.hosts[host] = h
	default:
		h, most = &l.others, auditLinesPerSec
	}
	if h.second != second {
		h.second, h.lines = second, 0
	}
	if h.lines >= most || l.all >= auditLinesPerSec {
		h.left++
		l.leftOut.Add(1)
		return 0, false
	}
	h.lines++
	l.all++
	left, h.left = h.left, 0
	return left, true
}

// forget makes room: what was left out of silent hosts is of many from now on. Under mu.
func (l *auditLimit) forget(second time.Duration) {
	for host, h := range l.hosts {
		if h.second < second {
			l.others.left += h.left
			delete(l.hosts, host)
		}
	}
}

// sweep forgets hosts that are silent, or all of them, and tells how many of their lines
// nobody has told of. The host is not valid where it is of many.
func (l *auditLimit) sweep(all bool, tell func(host netip.Addr, left uint64)) {
	second := l.now().Truncate(time.Second)
	type rest struct {
		host netip.Addr
		left uint64
	}
	var rests []rest
	l.mu.Lock()
	for host, h := range l.hosts {
		if all || h.second < second {
			if h.left > 0 {
				rests = append(rests, rest{host, h.left})
			}
			delete(l.hosts, host)
		}
	}
	if l.others.left > 0 {
		rests = append(rests, rest{netip.Addr{}, l.others.left})
		l.others.left = 0
	}
	l.mu.Unlock()
	for _, r := range rests {
		tell(r.host, r.left)
	}
}

// putLimited writes a line that a stranger can cause, unless there are too many.
func (s *Server) putLimited(l *audit.Line, host netip.Addr) {
	left, ok := s.auditLimit.allow(host)
	if !ok {
		return
	}
	l.LeftOut = left
	s.audit.Put(l, false)
}

// sweepAudit tells what was left out of the audit log, until ctx is done.
func (s *Server) sweepAudit(ctx context.Context) {
	tick := time.NewTicker(auditSweep)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.auditLimit.sweep(false, s.auditLeftOut)
		case <-ctx.Done():
			return
		}
	}
}

// auditLeftOut writes that lines were left out.
func (s *Server) auditLeftOut(host netip.Addr, left uint64) {
	l := &audit.Line{Event: "leftOut", LeftOut: left}
	if host.IsValid() {
		l.Peer = host.String()
	}
	s.audit.Put(l, false)
}
