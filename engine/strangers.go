package engine

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// strangerTime is how long a peer may be silent after it has connected, before it
// may be closed to make room for another. RocketMQ's clients and brokers send a
// request as soon as they are connected.
const strangerTime = time.Second

// A strangers is the connections that have not sent a whole frame yet, the oldest
// first. When there are as many connections as there may be, in all or from one
// address, the oldest of them that is older than strangerTime makes room for a
// newcomer. Connecting costs nothing, so whoever only connects must not keep out
// those who have something to say. When all have spoken, the newcomer has to go.
//
// A connection with TLS, or still in its preamble, is a stranger too until its
// first whole frame. Safe from any goroutine.
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
	inPlace chan struct{} // once taken: holds one value for this one until it is closed; may be nil
}

// add counts a connection in that has just been opened.
func (s *strangers) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.strange = &stranger{since: s.now(), all: s.all.PushBack(c)}
}

// locate tells where c is from, for oldestOf.
func (s *strangers) locate(c *conn, site netip.Prefix) {
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

// spoken takes c off the list, because it has spoken. If it was taken already, it
// is closed all the same.
func (s *strangers) spoken(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.strange != nil && c.strange.all != nil {
		s.removeLocked(c)
		c.strange = nil
	}
}

// closed takes c off the list, because it is closed.
func (s *strangers) closed(c *conn) {
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

// takeOldest takes the oldest stranger off the list, for the caller to close. It
// returns nil if none has been silent for long enough. closed then takes one value
// from inPlace.
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

// makeRoom closes the oldest stranger and reports whether there was one. At most
// maxEnrolling of them are being closed at the same time, because they hold
// descriptors until then; for one more makeRoom waits. Acceptors only.
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
