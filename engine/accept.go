package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	firstPause = 5 * time.Millisecond
	longPause  = time.Second // Netty pauses as long after each failed accept

	// maxEnrolling is how many connections may be on their way to a loop. gnet
	// answers when the loop gets round to it, which on a busy loop takes
	// milliseconds; one at a time would be a hundred connections a second.
	maxEnrolling = 64

	// fdReserve is what connections leave of RLIMIT_NOFILE for files, logs,
	// loops, other listeners, and for enrolments, which have two descriptors
	// for a moment.
	fdReserve = 128 + maxEnrolling
)

// connectionLimit returns how many connections may be open. 0 means no limit.
func connectionLimit(configured, maxFiles int) int {
	if configured > 0 || maxFiles == 0 {
		return configured
	}
	return max(1, maxFiles-fdReserve, maxFiles/2)
}

// acceptAll accepts on all listeners until they are closed.
func (e *Engine) acceptAll() {
	slots := make(chan struct{}, maxEnrolling)
	e.spares.want = len(e.lns)
	e.spares.open()
	defer e.spares.close()
	var acceptors sync.WaitGroup
	for _, ln := range e.lns {
		acceptors.Go(func() { e.acceptOn(ln, slots) })
	}
	acceptors.Wait()
}

// acceptOn accepts until the listener is closed. No error ends it: whatever
// the reason, EMFILE above all, it pauses and goes on, as Netty does, and
// connections already open do not notice, unless one that has not spoken can
// give its descriptor to those who wait. It returns when the last enrolment
// is done.
func (e *Engine) acceptOn(ln net.Listener, slots chan struct{}) {
	var (
		pause  time.Duration
		work   sync.WaitGroup
		failed = make(chan error, 1) // a enrolment failed since the last accept
	)
	defer work.Wait()
	for {
		err := e.acceptNext(ln, &work, slots, failed)
		if err == nil {
			select {
			case err = <-failed:
			default:
				pause = 0
				continue
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && e.mustAcceptMore(ln) {
			continue
		}
		if e.stopping.Load() || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		e.acceptErrors.Add(1)
		outOfFiles := errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
		if outOfFiles && e.makeRoom() {
			pause = 0 // soon there is one
		}
		pause = min(max(2*pause, firstPause), longPause)
		e.acceptLog.warn(e.o.Logger, "accept failed", "addr", ln.Addr().String(), "err", err, "pause", pause)
		select {
		case <-e.leave:
			return
		case <-time.After(pause):
		}
	}
}

// fewFilesLeft reports whether descriptors may run out. It cannot be while
// MaxConnections has its default.
func (e *Engine) fewFilesLeft() bool {
	return e.maxFiles > 0 && e.open.Load()+fdReserve > int64(e.maxFiles)
}

// acceptNext accepts one connection and leaves its enrolment to a goroutine
// that lives as long as that takes. While descriptors may run out it accepts
// only if there is one for the enrolment too, which it waits for. Without, a
// peer who could have waited in the backlog would be accepted to be cut off at
// once.
func (e *Engine) acceptNext(ln net.Listener, work *sync.WaitGroup, slots chan struct{}, failed chan<- error) error {
	if e.fewFilesLeft() {
		work.Wait()
		if err := e.spares.open(); err != nil {
			return err
		}
	}
	c, nc, err := e.acceptOne(ln)
	if c == nil {
		return err
	}
	if e.fewFilesLeft() {
		work.Wait()
		return e.spares.lend(func() error { return e.enroll(c, nc) })
	}
	slots <- struct{}{}
	work.Go(func() {
		defer func() { <-slots }()
		if err := e.enroll(c, nc); err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	})
	return nil
}

// acceptOne accepts one connection and counts it in, or refuses it, and then c
// is nil. The limits are applied before the enrolment: gnet has no way to refuse
// a connection without opening it.
func (e *Engine) acceptOne(ln net.Listener) (c *conn, nc net.Conn, err error) {
	if nc, err = ln.Accept(); err != nil {
		return nil, nil, err
	}
	if e.isFull() && !e.makeRoom() {
		e.refused.Add(1)
		e.refusedLog.warn(e.o.Logger, "connection refused",
			"remote", nc.RemoteAddr().String(), "maxConnections", e.maxConnections)
		nc.Close()
		return nil, nil, nil
	}
	if c, err = e.prepare(nc); err != nil {
		nc.Close()
		return nil, nil, err
	}
	if c.preamble != preambleProxy && !e.admit(c, c.peer.Addr()) {
		nc.Close()
		return nil, nil, nil
	}
	e.open.Add(1)
	e.accepted.Add(1)
	return c, nc, nil
}

// addressOf returns what a is, IPv4 as such; nil is no address.
func addressOf(a *net.TCPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// prepare sets what is to be set on nc and makes our side of it. Whatever can
// fail is done here rather than by gnet, whose Enroll leaks its duplicate of
// the descriptor when it fails half-way (v2.10.0, by its source).
func (e *Engine) prepare(nc net.Conn) (*conn, error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("engine: accepted a %T", nc)
	}
	if e.o.SendBuffer > 0 {
		if err := tcp.SetWriteBuffer(e.o.SendBuffer); err != nil {
			return nil, err
		}
	}
	if e.o.RecvBuffer > 0 {
		if err := tcp.SetReadBuffer(e.o.RecvBuffer); err != nil {
			return nil, err
		}
	}
	remote, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil, errors.New("engine: accepted a connection without an address")
	}
	local, _ := tcp.LocalAddr().(*net.TCPAddr)
	c := newConn(e, addressOf(remote), addressOf(local))
	c.preamble = e.preambleOf(c.peer)
	dropZone(remote)
	if local != nil {
		dropZone(local)
	}
	return c, nil
}

// dropZone forgets the zone of a link-local IPv6 address. When a connection
// closes, gnet v2.10.0 puts the memory of the zone string into a pool of
// writable slices; net shares that string among all connections.
func dropZone(a *net.TCPAddr) { a.Zone = "" }

// enroll gives nc to a loop, which serves it as c, and closes nc. It returns
// after Opened was called.
func (e *Engine) enroll(c *conn, nc net.Conn) error {
	err := e.chooseLoop().enroll(c, nc)
	if err == nil {
		return nil
	}
	e.open.Add(-1)
	e.accepted.Add(^uint64(0))
	e.peers.remove(c.id)
	return fmt.Errorf("engine: enroll %s: %w", c.RemoteAddr(), err)
}

// spares are descriptors kept for enrolments, one for each listener, so that
// there is still one when each of the other acceptors has just taken one.
type spares struct {
	want int // constant

	mu   sync.Mutex // guards the following; held during a enrolment
	held []*os.File
}

// open takes what is missing and fails if it cannot be had.
func (s *spares) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.openLocked()
}

func (s *spares) openLocked() error {
	for len(s.held) < s.want {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		s.held = append(s.held, f)
	}
	return nil
}

// lend gives the descriptors back to the system while f runs.
func (s *spares) lend(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeLocked()
	err := f()
	_ = s.openLocked() // is tried again before the next accept
	return err
}

func (s *spares) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeLocked()
}

func (s *spares) closeLocked() {
	for _, f := range s.held {
		f.Close()
	}
	s.held = nil
}
