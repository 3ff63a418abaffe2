package engine

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// ErrNotRunning says that an engine does not run yet, or not any more.
var ErrNotRunning = errors.New("engine: not running")

// A ConnInfo shows one open connection. Its parts are not of one instant.
type ConnInfo struct {
	ID      uint64
	Peer    netip.AddrPort // the other end of the TCP connection
	Claimed netip.AddrPort // whom the peer speaks for; not valid if it has not said so
	Local   netip.AddrPort // what it has connected to
	Loop    int            // index of its event loop; with TLS, of the one that it came by
	TLS     bool
	Age     time.Duration // since it was accepted, less the pauses of the process, to a tenth of a second
	Idle    time.Duration // since its last turn began, or since it was accepted; without TLS, also since its peer has read what waited for it
	Served  uint64        // frames given to Serve, in turns that have ended
	Tag     uint32        `json:"-"` // Conn.Tag
}

// Connections returns all open connections that Opened was called for, in ascending
// order of their IDs. Each loop copies its list of pointers, and all
// else is done by the caller, who waits for the slowest loop. It fails if ctx is done
// before, and with [ErrNotRunning]. Safe from any goroutine.
func (e *Engine) Connections(ctx context.Context) ([]ConnInfo, error) {
	lists := make(chan []*conn, len(e.loops))
	for _, l := range e.loops {
		if !l.mayExecute() {
			return nil, ErrNotRunning
		}
		l.execute(l.guarded(func() { lists <- slices.Clone(l.members) }))
	}
	var all []ConnInfo
	now := e.now()
	for range e.loops {
		select {
		case list := <-lists:
			for _, c := range list {
				if c.Alive() {
					all = append(all, c.info(now, false))
				}
			}
		case <-e.ended:
			return nil, ErrNotRunning
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	for _, c := range e.tls.list() {
		if c.Alive() {
			all = append(all, c.info(now, true))
		}
	}
	slices.SortFunc(all, func(a, b ConnInfo) int { return cmp.Compare(a.ID, b.ID) })
	// One that began TLS between its loop's copy and this is in both, and speaks it.
	kept := all[:0]
	for i := range all {
		if n := len(kept); n > 0 && kept[n-1].ID == all[i].ID {
			kept[n-1].TLS = true
			continue
		}
		kept = append(kept, all[i])
	}
	return kept, nil
}

// info shows c, which Opened was called for.
func (c *conn) info(now time.Duration, tls bool) ConnInfo {
	return ConnInfo{
		ID:      c.id,
		Peer:    c.Peer(),
		Claimed: c.Claimed(),
		Local:   c.Local(),
		Loop:    c.loop.index,
		TLS:     tls,
		Age:     max(0, now-time.Duration(c.born)*bornUnit).Truncate(bornUnit),
		Idle:    max(0, now-c.turnBegan()),
		Served:  c.served.Load(),
		Tag:     c.tag.Load(),
	}
}

// mayExecute reports whether the loop runs tasks: it has begun and has not ended.
func (l *loop) mayExecute() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.el != nil && !l.ended
}

// list adds c to the members of its loop. Loop only.
func (l *loop) list(c *conn) {
	l.members = append(l.members, c)
	c.place = uint32(len(l.members))
}

// unlist takes c off them, if it is there. The last one takes its place. Loop only.
func (l *loop) unlist(c *conn) {
	if c.place == 0 {
		return
	}
	last := len(l.members) - 1
	moved := l.members[last]
	l.members[c.place-1], moved.place = moved, c.place
	l.members[last] = nil
	l.members = l.members[:last]
	c.place = 0
	if cap(l.members) > 1024 && last < cap(l.members)/4 {
		l.members = append(make([]*conn, 0, 2*last), l.members...)
	}
}

// list returns all that speak TLS or are about to.
func (s *tlsSet) list() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.open))
	for t := range s.open {
		all = append(all, t.c)
	}
	return all
}
