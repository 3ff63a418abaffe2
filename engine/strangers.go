package engine

import (
	"net/netip"
	"sync"
	"time"
)

// strangerTime is how long a peer may be silent after it has connected, before it
// may be closed to make room for another. RocketMQ's clients and brokers send a
// request as soon as they are connected.
const strangerTime = time.Second

// The strangers are the connections that have not sent a whole frame yet, the oldest
// first. When there are as many connections as there may be, in all or from one
// address, the oldest stranger makes room for a newcomer, if it is older than
// strangerTime. Connecting costs a peer nothing, so peers that only connect must not keep
// out those that have something to say. If there is no such stranger, the newcomer has to
// go.
//
// A connection with TLS, or still in its preamble, is a stranger too until its
// first whole frame. Safe from any goroutine.
type strangers struct {
	now func() time.Duration // constant

	mu     sync.Mutex // guards the following, and the strange of all connections
	all    strangerList
	bySite map[netip.Prefix]*strangerList

	spares []*stranger // for the next connections
}

// maxSpareStrangers is how many places are kept for the next connections. Most
// connections are strangers for a millisecond, so few are at the same time.
const maxSpareStrangers = 256

// add makes c, which has just been opened, a stranger.
func (s *strangers) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.strange = s.takeSpareLocked()
	c.strange.c, c.strange.since = c, s.now()
	s.all.push(c.strange)
}

func (s *strangers) takeSpareLocked() *stranger {
	last := len(s.spares) - 1
	if last < 0 {
		return new(stranger)
	}
	at := s.spares[last]
	s.spares = s.spares[:last]
	return at
}

// forgetLocked ends that c is a stranger. It is on no list any more.
func (s *strangers) forgetLocked(c *conn) {
	at := c.strange
	c.strange = nil
	if len(s.spares) < maxSpareStrangers {
		*at = stranger{}
		s.spares = append(s.spares, at)
	}
}

// locate says where c is from, for takeOldestOf.
func (s *strangers) locate(c *conn, site netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.strange == nil || !c.strange.listed(ofAll) {
		return
	}
	l := s.bySite[site]
	if l == nil {
		if s.bySite == nil {
			s.bySite = make(map[netip.Prefix]*strangerList)
		}
		l = &strangerList{kind: ofSite}
		s.bySite[site] = l
	}
	c.strange.site = site
	l.push(c.strange)
}

// spoken takes c off the lists, because it has spoken. One that takeOldest has
// returned before is closed all the same.
func (s *strangers) spoken(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.strange != nil && c.strange.listed(ofAll) {
		s.removeLocked(c.strange)
		s.forgetLocked(c)
	}
}

// closed takes c off the lists, because it is closed.
func (s *strangers) closed(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch at := c.strange; {
	case at == nil:
		return
	case at.listed(ofAll):
		s.removeLocked(at)
	case at.inPlace != nil:
		<-at.inPlace
	}
	s.forgetLocked(c)
}

func (s *strangers) removeLocked(at *stranger) {
	at.unlink(ofAll)
	if !at.listed(ofSite) {
		return
	}
	at.unlink(ofSite)
	if s.bySite[at.site].first == nil {
		delete(s.bySite, at.site)
	}
}

// takeOldest takes the oldest stranger off the lists, and the caller closes it. It
// returns nil if none has been silent for strangerTime. When the connection is closed,
// one value is taken from inPlace.
func (s *strangers) takeOldest(inPlace chan struct{}) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeLocked(&s.all, inPlace)
}

// takeOldestOf is takeOldest for those of one site.
func (s *strangers) takeOldestOf(site netip.Prefix) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.bySite[site]; l != nil {
		return s.takeLocked(l, nil)
	}
	return nil
}

func (s *strangers) takeLocked(l *strangerList, inPlace chan struct{}) *conn {
	oldest := l.first
	if oldest == nil || s.now()-oldest.since < strangerTime {
		return nil
	}
	s.removeLocked(oldest)
	oldest.inPlace = inPlace
	return oldest.c
}

// makeRoom closes the oldest stranger and reports whether there was one. Strangers keep
// their descriptors until they are closed, so at most maxEnrolling are being closed at
// the same time; makeRoom waits until there are fewer. Acceptors only.
func (e *Engine) makeRoom() bool {
	select {
	case e.going <- struct{}{}:
	case <-e.noMore:
		return false
	}
	c := e.strangers.takeOldest(e.going)
	if c == nil {
		<-e.going
		return false
	}
	c.cutOff(ErrMadeRoom)
	return true
}

// isFull reports whether there are as many connections as there may be. Those
// that make room are not counted.
func (e *Engine) isFull() bool {
	return e.maxConnections > 0 && e.open.Load()-int64(len(e.going)) >= e.maxConnections
}

// cutOff closes c without waiting for its peer. Safe from any goroutine.
func (c *conn) cutOff(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tls != nil && !c.closing.Load() {
		c.tls.abortLocked(cause)
		return
	}
	c.closeLocked(cause)
}
