package route

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// maxSubscribers bounds who is signalled of each new View. They are parts of this
// process (a journal, one hub for all who watch over the network), never peers.
const maxSubscribers = 16

// ErrSubscribers says that there are as many subscribers as there may be.
var ErrSubscribers = errors.New("route: too many subscribers")

// Subscribe returns a channel on which there is something to receive whenever a
// View was published since the last receive, or since Subscribe. Signals are
// coalesced: a subscriber that is slow, or does not listen at all, holds nobody
// up and finds one signal, however many Views there were. Whoever has received
// loads the newest View, and Diff says what has changed since the one before.
//
// The channel is never closed. cancel ends the signals, and may be called more
// than once.
func (t *Table) Subscribe() (changed <-chan struct{}, cancel func(), err error) {
	return t.subscribers.subscribe()
}

// subscribers are those who want to know of a new View. Safe from any goroutine;
// to signal takes no lock, and one atomic load when there are none.
type subscribers struct {
	mu  sync.Mutex
	now atomic.Pointer[[]chan struct{}] // replaced under mu, never changed
}

func (s *subscribers) subscribe() (changed <-chan struct{}, cancel func(), err error) {
	c := make(chan struct{}, 1)
	if !s.add(c) {
		return nil, nil, ErrSubscribers
	}
	return c, func() { s.remove(c) }, nil
}

func (s *subscribers) list() []chan struct{} {
	if l := s.now.Load(); l != nil {
		return *l
	}
	return nil
}

// signal leaves one signal with each.
func (s *subscribers) signal() {
	for _, c := range s.list() {
		select {
		case c <- struct{}{}:
		default: // it has one
		}
	}
}

// add reports whether there was room.
func (s *subscribers) add(c chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.list()
	if len(old) == maxSubscribers {
		return false
	}
	more := append(slices.Clone(old), c)
	s.now.Store(&more)
	return true
}

func (s *subscribers) remove(c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fewer := slices.DeleteFunc(slices.Clone(s.list()), func(o chan struct{}) bool { return o == c })
	if len(fewer) == 0 {
		s.now.Store(nil)
		return
	}
	s.now.Store(&fewer)
}
