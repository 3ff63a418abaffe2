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

	// maxEnrolling is how many connections may be on their way to a loop. A busy
	// loop takes milliseconds to answer. If only one could be on its way, a hundred
	// connections a second could come.
	maxEnrolling = 64

	// fdReserve is how many descriptors of RLIMIT_NOFILE connections must not use.
	// They are for files, logs, loops and other listeners, and for enrolments, each
	// of which has two descriptors for a moment.
	fdReserve = 128 + maxEnrolling
)

// connectionLimit returns how many connections may be open. 0 means no limit.
func connectionLimit(configured, maxFiles, reserve int) int {
	if configured > 0 || maxFiles == 0 {
		return configured
	}
	return max(1, maxFiles-reserve, maxFiles/2)
}

// fdReserve returns how many descriptors connections must not use.
func (e *Engine) fdReserve() int { return fdReserve + e.o.OtherFiles }

// acceptAll accepts on all listeners until they are closed.
func (e *Engine) acceptAll() {
	slots := make(chan struct{}, maxEnrolling)
	e.spares.want = len(e.lns)
	e.spares.open()
	defer e.spares.close()
	var acceptors sync.WaitGroup
	for _, ln := range e.lns {
		a := &acceptor{e: e, ln: ln, slots: slots, failed: make(chan error, 1)}
		acceptors.Go(a.run)
	}
	acceptors.Wait()
}

// An acceptor accepts on one listener.
type acceptor struct {
	e      *Engine
	ln     net.Listener
	slots  chan struct{}  // of all acceptors: one value for each enrolment that runs
	work   sync.WaitGroup // the enrolments that run
	failed chan error     // holds one if an enrolment has failed since the last accept
}

// run accepts until the listener is closed, and returns when the last enrolment is
// done. No error ends it. After an error it pauses and goes on, as Netty does. If there
// are no descriptors left, it closes a stranger, whose descriptor the next peer gets;
// other connections notice nothing.
func (a *acceptor) run() {
	e := a.e
	var pause time.Duration
	defer a.work.Wait()
	for {
		err := a.acceptNext()
		if err == nil {
			select {
			case err = <-a.failed:
			default:
				pause = 0
				continue
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && e.mustAcceptMore(a.ln) {
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
		e.acceptLog.warn(e.o.Logger, "accept failed", "addr", a.ln.Addr().String(), "err", err, "pause", pause)
		select {
		case <-e.noMore:
			return
		case <-time.After(pause):
		}
	}
}

// fewFilesLeft reports whether descriptors may run out. With the default of
// MaxConnections they cannot.
func (e *Engine) fewFilesLeft() bool {
	return e.maxFiles > 0 && e.open.Load()+int64(e.fdReserve()) > int64(e.maxFiles)
}

// acceptNext accepts one connection. A goroutine enrolls it. While descriptors may run
// out, acceptNext first makes sure that there is one for the enrolment, and enrolls the
// connection itself. Otherwise it would accept peers and have to cut them off, though
// they could have waited in the backlog.
func (a *acceptor) acceptNext() error {
	e := a.e
	if e.fewFilesLeft() {
		a.work.Wait()
		if err := e.spares.open(); err != nil {
			return err
		}
	}
	c, nc, err := e.acceptOne(a.ln)
	if c == nil {
		return err
	}
	if e.fewFilesLeft() {
		a.work.Wait()
		return e.spares.lend(func() error { return e.enroll(c, nc) })
	}
	a.slots <- struct{}{}
	a.work.Add(1)
	go a.enroll(c, nc) // as WaitGroup.Go, but that allocates two closures for each
	return nil
}

// enroll is the work of the goroutine.
func (a *acceptor) enroll(c *conn, nc net.Conn) {
	defer a.work.Done()
	defer func() { <-a.slots }()
	if err := a.e.enroll(c, nc); err != nil {
		select {
		case a.failed <- err:
		default:
		}
	}
}

// acceptOne accepts one connection and counts it. If it refuses the connection, c is
// nil. It applies the limits, since gnet cannot refuse a connection without opening it.
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
	if c.preamble != preambleProxy && !e.admit(c, c.addr) {
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
	c.preamble = e.preambleOf(c.Peer())
	remote.Zone = ""
	forget(local)
	return c, nil
}

// forget empties an address of which gnet keeps a pointer and reads nothing but the
// zone of a link-local IPv6 address: its bytes would live as long as the connection.
// And when a connection closes, gnet v2.10.0 puts the memory of the zone string into
// a pool of writable slices; net shares that string among all connections.
func forget(a *net.TCPAddr) {
	if a != nil {
		*a = net.TCPAddr{}
	}
}

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

	mu   sync.Mutex // guards the following; held during an enrolment that borrows them
	held []*os.File
}

// open opens as many as are missing. It fails if the system has none.
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
