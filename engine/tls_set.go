package engine

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A tlsSet is all that speak TLS on an engine.
type tlsSet struct {
	frames, bytesIn, bytesOut, handshakes, failedHandshakes atomic.Uint64

	mu      sync.Mutex // guards the following; taken before conn.mu
	open    map[*tlsConn]struct{}
	closed  bool
	readers sync.WaitGroup
}

// start lets t run, unless the engine is stopping. From then on c is its.
func (s *tlsSet) start(t *tlsConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	c := t.c
	c.gone, c.gc = true, nil // for the loop
	c.loop.unlist(c)
	c.mu.Lock()
	c.tls = t
	closing := c.closing.Load()
	if closing {
		t.wakeLocked()
	}
	c.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*tlsConn]struct{})
	}
	s.open[t] = struct{}{}
	s.readers.Go(t.run)
	return true
}

func (s *tlsSet) forget(t *tlsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, t)
}

func (s *tlsSet) review(clock *Clock, b *Budget) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if settled, now := clock.Settled(), clock.Now(); settled {
		for t := range s.open {
			t.review(now)
		}
	}
	if b.tight() {
		s.relieveLocked(b)
	}
}

// relieveLocked evicts the connections that have held bytes for longest, until there
// will be room again. A loop evicts its own at once, this is done once a tick.
func (s *tlsSet) relieveLocked(b *Budget) {
	type holder struct {
		t     *tlsConn
		bytes int64
		since time.Duration
	}
	var holders []holder
	excess := b.excess()
	for t := range s.open {
		switch bytes, since, ok, going := t.holds(); {
		case going:
			excess -= bytes
		case ok:
			holders = append(holders, holder{t, bytes, since})
		}
	}
	slices.SortFunc(holders, func(a, b holder) int { return cmp.Compare(a.since, b.since) })
	for ; excess > 0 && len(holders) > 0; holders = holders[1:] {
		holders[0].t.evict()
		excess -= holders[0].bytes
	}
}

// close closes all and takes no more.
func (s *tlsSet) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for t := range s.open {
		t.c.Close(ErrShutdown)
	}
}

func (s *tlsSet) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
