package engine

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// strangerTime is how long a peer may take to say something before it has to go
// if there is no room for another. Peers of ours send a request as soon as they
// are connected.
const strangerTime = time.Second

// A strangers is the connections that have not sent a whole frame yet, in the
// order of their age. One that has been silent for strangerTime makes room for a
// newcomer when there are as many connections as there may be, in all or from an
// address: connecting costs nothing, so whoever only connects must not keep out
// those who have something to say. When all have spoken there is no room: who
// was here first stays, be it a broker or a client of a moment ago.
//
// Connections that speak TLS, and those still in their preamble, are strangers
// until then like any other. Safe from any goroutine.
type strangers struct {
	now func() time.Duration // constant

	mu     sync.Mutex // guards the following, and the strange of all connections
	all    list.List  // of *conn
	bySite map[netip.Prefix]*list.List
}

// A stranger is the place of a connection among the strangers.
type stranger struct {
	since   time.Duration // engine time
	site    netip.Prefix
	all     *list.Element
	ofSite  *list.Element // nil until its site is known, or if nobody asks for it
	inPlace chan struct{} // has a value for this one until it is gone, once it was taken; or nil
}

// add counts a connection in that has just been opened.
func (s *strangers) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.strange = &stranger{since: s.now(), all: s.all.PushBack(c)}
}

// settle tells where c is from, for oldestOf.
func (s *strangers) settle(c *conn, site netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.strange == nil || c.strange.all == nil {
		return
	}
	l := s.bySite[site]
	if l == nil {
		if s.bySite == nil {
			s.bySite = make(map[netip.Prefix]*list.List)
		}
		l = list.New()
		s.bySite[site] = l
	}
	c.strange.site, c.strange.ofSite = site, l.PushBack(c)
}

// leave counts c out, because it has spoken. If it was taken already it has to
// go all the same.
func (s *strangers) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.strange != nil && c.strange.all != nil {
		s.removeLocked(c)
		c.strange = nil
	}
}

// bury counts c out, because it is closed.
func (s *strangers) bury(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch at := c.strange; {
	case at == nil:
		return
	case at.all != nil:
		s.removeLocked(c)
	case at.inPlace != nil:
		<-at.inPlace
	}
	c.strange = nil
}

func (s *strangers) removeLocked(c *conn) {
	at := c.strange
	s.all.Remove(at.all)
	at.all = nil
	if at.ofSite == nil {
		return
	}
	l := s.bySite[at.site]
	l.Remove(at.ofSite)
	at.ofSite = nil
	if l.Len() == 0 {
		delete(s.bySite, at.site)
	}
}

// takeOldest takes the oldest stranger off the list for the caller to close, nil
// if there is none that has been silent for long enough. Once it is buried, a
// value is taken from inPlace.
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

func (s *strangers) takeLocked(l *list.List, inPlace chan struct{}) *conn {
	first := l.Front()
	if first == nil {
		return nil
	}
	c := first.Value.(*conn)
	if s.now()-c.strange.since < strangerTime {
		return nil
	}
	s.removeLocked(c)
	c.strange.inPlace = inPlace
	return c
}

// makeRoom sends the oldest stranger away and reports whether there was one. It
// may wait, for handOvers of them at most go at the same time: until they are
// gone they have descriptors. Acceptors only.
func (e *Engine) makeRoom() bool {
	select {
	case e.going <- struct{}{}:
	case <-e.leave:
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

// isFull reports whether there are as many connections as there may be, those
// not counted that are about to go.
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
