package engine

import (
	"errors"
	"net"
	"time"
)

// A connection stays on the loop that it is given to, so it is given to the one
// with the fewest. gnet chooses so too, but counts a connection only when the
// loop gets round to it, so all that arrive together would go to one loop. We count
// those on their way as well.
//
// We count connections, not work. One that speaks TLS has left its loop and is not
// counted. Where many connections of one loop have died, the next
// to come make up for it; nothing is moved.

// defaultLoops returns how many loops serve on so many CPUs: half of them, since
// workers, and often the peers, need some too.
func defaultLoops(cpus int) int { return min(max(1, cpus/2), maxLoops) }

// chooseLoop returns the loop with the fewest connections and counts one more.
func (e *Engine) chooseLoop() *loop {
	e.choosing.Lock()
	defer e.choosing.Unlock()
	least := e.loops[0]
	for _, l := range e.loops[1:] {
		if l.conns.Load() < least.conns.Load() {
			least = l
		}
	}
	least.conns.Add(1)
	return least
}

// enroll gives nc, which serves c, to l and closes it: gnet works on a duplicate.
// It returns after Opened was called, unless it fails. Then c is not counted.
func (l *loop) enroll(c *conn, nc net.Conn) error {
	err := l.enrollCounted(c, nc)
	if err != nil {
		l.conns.Add(-1)
	}
	return err
}

func (l *loop) enrollCounted(c *conn, nc net.Conn) error {
	remote, _ := nc.RemoteAddr().(*net.TCPAddr)
	opening, err := l.el.Enroll((*enrolContext)(c), nc)
	if err != nil {
		nc.Close()
		return err
	}
	if result := <-opening; result.Err != nil {
		return result.Err
	}
	// A loop that could not register the descriptor says nothing: OnOpen was
	// never called.
	if c.life.Load() == unopened {
		return errors.New("event loop did not take it")
	}
	if remote != nil {
		remote.IP = nil // see forget; its zone may be read by now
	}
	return nil
}

// An enrolContext is a connection as the context of its enrolment, which is never
// cancelled. gnet asks for one value only, which it makes the context of its own
// connection; gnet.NewContext would allocate for that.
type enrolContext conn

func (c *enrolContext) Value(any) any                   { return (*conn)(c) }
func (c *enrolContext) Deadline() (_ time.Time, _ bool) { return }
func (c *enrolContext) Done() <-chan struct{}           { return nil }
func (c *enrolContext) Err() error                      { return nil }
