package engine

import (
	"cmp"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/bytebufferpool"
)

const (
	// tlsIdleRead is what an idle connection has to read into: enough for most
	// requests. A frame that is longer gets a buffer of the pool.
	tlsIdleRead = 512

	// tlsWrite is how many bytes are written at a time; the peer's progress is
	// seen after each.
	tlsWrite = 64 << 10

	// helloKept is how much of a handshake is kept to say why it failed: the
	// server's name stands near its beginning.
	helloKept = 1 << 10
)

// hangUpTime is how long a connection that is to be closed may take to write
// what was sent before. Tests have their own.
var hangUpTime = time.Second

// A tlsConn is the transport of a connection that speaks TLS: a goroutine that
// reads and serves, in the place of the loop, and another while there is
// something to write. Reading stops while the peer does not read its replies.
//
// What is the loop's of c belongs to the reader.
type tlsConn struct {
	c           *conn
	nc          *net.TCPConn
	tls         *tls.Conn
	tapped      *tappedConn   // below tls
	idleTimeout time.Duration // 0: may be silent for ever
	began       time.Duration // the handshake, engine time

	// The following are for the reader only.

	out   *bytebufferpool.ByteBuffer // replies of the present turn, nil between turns
	first [tlsIdleRead]byte

	active     atomic.Int64 // last sign of life, engine time
	frameBegan atomic.Int64 // when the unfinished frame in c.in began, engine time; 0 if there is none
	held       atomic.Int64 // bytes of c.in
	spoke      atomic.Bool  // a whole frame has come
	busy       atomic.Bool  // the reader serves, or has a part of a frame

	// The following are guarded by c.mu.

	progress sync.Cond            // broadcast when any of the following changes
	up       bool                 // the handshake is done
	state    *tls.ConnectionState // of tls, once somebody has asked for it
	writing  bool                 // the writer runs
	broken   bool                 // nothing can be written any more
	inFlight int                  // bytes the writer has taken and not yet written
	choked   time.Duration        // engine time since when too much is unsent, 0 if not
	hangUp   *time.Timer          // closes nc; nil unless c is to be closed
}

// newTLSConn takes c over from its loop. seen is what that has read.
func newTLSConn(c *conn, nc *net.TCPConn, seen []byte) *tlsConn {
	t := &tlsConn{c: c, nc: nc, began: c.e.now()}
	t.tapped = &tappedConn{TCPConn: nc, e: c.e, seen: append([]byte(nil), seen...), shaking: true}
	t.tls = tls.Server(t.tapped, c.e.tlsConfig)
	t.active.Store(int64(t.began))
	t.progress.L = &c.mu
	return t
}

// A tappedConn is the socket under TLS. It gives what the loop has read of it
// once more, and counts.
type tappedConn struct {
	*net.TCPConn
	e       *Engine
	seen    []byte
	shaking bool   // the handshake is not over
	hello   []byte // its beginning, while it is not
}

func (r *tappedConn) Read(b []byte) (n int, err error) {
	if len(r.seen) > 0 {
		if n = copy(b, r.seen); n == len(r.seen) {
			r.seen = nil
		} else {
			r.seen = r.seen[n:]
		}
	} else {
		n, err = r.TCPConn.Read(b)
	}
	r.e.tls.bytesIn.Add(uint64(n))
	if r.shaking && len(r.hello) < helloKept {
		r.hello = append(r.hello, b[:min(n, helloKept-len(r.hello))]...)
	}
	return n, err
}

func (r *tappedConn) Write(b []byte) (n int, err error) {
	n, err = r.TCPConn.Write(b)
	r.e.tls.bytesOut.Add(uint64(n))
	return n, err
}

// run makes the handshake and lets the reader begin, on a new goroutine because
// a handshake leaves a large stack behind.
func (t *tlsConn) run() {
	c := t.c
	if err := t.shake(); err != nil {
		t.end(fmt.Errorf("%w: %w", ErrPreamble, err))
		return
	}
	c.e.tls.handshakes.Add(1)
	c.mu.Lock()
	t.up = true
	if c.outbox != nil || c.closing.Load() {
		t.wakeLocked()
	}
	c.mu.Unlock()
	c.e.tls.readers.Go(func() { t.end(t.serve()) })
}

// stateLocked returns what the handshake has come to, nil while it is not over.
func (t *tlsConn) stateLocked() *tls.ConnectionState {
	if t.up && t.state == nil {
		s := t.tls.ConnectionState()
		t.state = &s
	}
	return t.state
}

func (t *tlsConn) shake() (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.c.loop.notePanic(t.c, p)
			err = ErrPanic
		}
	}()
	err = t.tls.Handshake()
	if name, ok := dottedServerName(t.tapped.hello); ok && err != nil {
		err = fmt.Errorf("the client names the server %.256q, with a dot at the end, which crypto/tls refuses: %w", name, err)
	}
	t.tapped.shaking, t.tapped.hello = false, nil
	return err
}

// dottedServerName finds the server's name in the beginning of a handshake and
// reports whether it ends with a dot. That is against RFC 6066, but a client may
// take it for the end of a full domain name. Java lets it pass; crypto/tls does
// not say what is wrong.
//
// It looks for the extension by its form: type 0, the lengths of extension, list
// and name, which must agree, and between the latter the type of the name, 0.
func dottedServerName(hello []byte) (name string, ok bool) {
	for ; len(hello) > 9; hello = hello[1:] {
		n := int(binary.BigEndian.Uint16(hello[7:]))
		head := [9]byte{2: byte((n + 5) >> 8), 3: byte(n + 5), 4: byte((n + 3) >> 8), 5: byte(n + 3), 7: byte(n >> 8), 8: byte(n)}
		if [9]byte(hello) == head && n > 0 && n <= len(hello)-9 {
			name = string(hello[9 : 9+n])
			return name, name[n-1] == '.'
		}
	}
	return "", false
}

// serve reads until it cannot, or must not, any more, and returns why.
func (t *tlsConn) serve() (err error) {
	c := t.c
	defer func() {
		if p := recover(); p != nil {
			c.loop.notePanic(c, p)
			err = ErrPanic
		}
		t.reply()
	}()
	for {
		buf, err := t.room()
		if err != nil {
			return err
		}
		n, err := t.tls.Read(buf)
		if n > 0 {
			if err := t.turn(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return readError(err)
		}
	}
}

// readError sorts what ends a stream: the peer has left, with or without the
// TLS word for it, or what it sent is not TLS.
func readError(err error) error {
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.EOF
	case errors.As(err, &op) && op.Op == "local error": // crypto/tls has sent this alert
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case errors.As(err, &record):
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return err
}

// room returns where to read to: the end of c.in, which grows with what has
// come, or the small buffer of an idle connection.
func (t *tlsConn) room() ([]byte, error) {
	c, l := t.c, t.c.loop
	if c.in == nil {
		return t.first[:], nil
	}
	if len(c.in.B) == cap(c.in.B) {
		old, size := c.in, 4*cap(c.in.B)
		if c.need > len(old.B) {
			size = min(size, c.need)
		}
		if err := t.hold(size); err != nil {
			return nil, err
		}
		c.in.B = append(c.in.B, old.B...)
		l.giveBack(old)
	}
	return c.in.B[len(c.in.B):cap(c.in.B)], nil
}

// turn serves what one read has brought. The replies leave in one write, or in
// several if they are many.
func (t *tlsConn) turn(data []byte) error {
	c, l := t.c, t.c.loop
	t.busy.Store(true)
	defer func() { t.busy.Store(c.in != nil) }()
	if c.in != nil {
		c.in.B = c.in.B[:len(c.in.B)+len(data)]
		data = c.in.B
	}
	rest, err := t.serveAll(data)
	if err != nil {
		return err
	}
	t.reply()
	t.waitForPeer()
	switch {
	case len(rest) == 0:
		t.dropInput()
		return nil
	case c.in == nil:
		err = t.keep(rest)
	case len(rest) == len(c.in.B): // nothing was whole
	case len(rest) < cap(c.in.B)/4:
		// Little is left of much: move into a smaller buffer.
		old := c.in
		c.in = nil
		err = t.keep(rest)
		l.giveBack(old)
	default:
		c.in.B = c.in.B[:copy(c.in.B, rest)]
	}
	if t.frameBegan.Load() == 0 {
		t.frameBegan.Store(max(1, int64(c.e.now())))
	}
	return err
}

// keep stores rest, the beginning of a frame, for the next turn.
func (t *tlsConn) keep(rest []byte) error {
	size := len(rest)
	if t.c.need > size {
		size = min(t.c.need, max(2*size, smallBuffer))
	}
	if err := t.hold(size); err != nil {
		return err
	}
	t.c.in.B = append(t.c.in.B, rest...)
	return nil
}

// hold gives c an empty buffer with room for n bytes, if the budget of all
// connections allows. What c.in was before is the caller's to give back.
func (t *tlsConn) hold(n int) error {
	c := t.c
	b := c.e.bufs.get(n)
	if !c.e.hold(cap(b.B)) {
		c.e.bufs.put(b)
		return fmt.Errorf("%w: no room for %d", ErrOverloaded, n)
	}
	c.e.partial.Add(int64(cap(b.B)))
	c.in = b
	t.held.Store(int64(cap(b.B)))
	return nil
}

// dropInput forgets what c.in holds.
func (t *tlsConn) dropInput() {
	t.c.loop.dropInput(t.c)
	t.held.Store(0)
	t.frameBegan.Store(0)
}

// serveAll serves the whole frames of data and returns the rest.
func (t *tlsConn) serveAll(data []byte) (rest []byte, err error) {
	c := t.c
	for len(data) > 0 {
		if c.closing.Load() {
			return nil, nil
		}
		n, err := c.loop.split(data)
		if err != nil {
			return nil, err
		}
		if n == 0 || n > len(data) {
			c.need = n
			return data, nil
		}
		t.touch()
		if !t.spoke.Load() {
			t.spoke.Store(true)
			c.e.strangers.leave(c)
		}
		t.frameBegan.Store(0)
		c.e.tls.frames.Add(1)
		if t.out == nil {
			c.beginTurn()
			t.out = c.e.bufs.getReply()
		}
		t.out.B = c.e.h.Serve(c, c.turnBegan(), data[:n:n], t.out.B)
		if len(t.out.B) >= flushSize {
			t.reply()
			t.waitForPeer()
		}
		data = data[n:]
	}
	return nil, nil
}

// reply gives the replies gathered so far to the writer.
func (t *tlsConn) reply() {
	if t.out == nil {
		return
	}
	if len(t.out.B) == 0 || !t.c.give(t.out) {
		t.c.e.bufs.put(t.out)
	}
	t.out = nil
}

// waitForPeer returns once the peer has read enough of what was sent to it.
func (t *tlsConn) waitForPeer() {
	c, o := t.c, &t.c.e.o
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.unsentLocked() <= o.HighWater || t.broken {
		return
	}
	c.e.choked.Add(1)
	for t.unsentLocked() > o.LowWater && !t.broken {
		t.progress.Wait()
	}
	c.e.choked.Add(-1)
}

func (t *tlsConn) touch() { t.active.Store(int64(t.c.e.now())) }

func (t *tlsConn) unsentLocked() int {
	if t.c.outbox == nil {
		return t.inFlight
	}
	return t.inFlight + len(t.c.outbox.B)
}

// wakeLocked obeys what has changed: the outbox, or that c is to be closed.
func (t *tlsConn) wakeLocked() {
	c := t.c
	if c.closing.Load() && t.hangUp == nil {
		t.hangUp = time.AfterFunc(hangUpTime, func() { t.nc.Close() })
		if !t.up {
			t.nc.Close()
		}
	}
	unsent := t.unsentLocked()
	if t.inFlight > 0 && unsent-t.inFlight > c.e.o.MaxUnsent {
		t.abortLocked(ErrSlowReader)
	}
	if unsent > c.e.o.HighWater && t.choked == 0 {
		t.choked = max(c.e.now(), 1)
	}
	if t.up && !t.writing && !t.broken {
		t.writing = true
		go t.write()
	}
}

// write is the writer: it empties the outbox and ends. If c is to be closed, it
// hangs up.
func (t *tlsConn) write() {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.outbox != nil && !t.broken {
		b := c.outbox
		c.outbox, t.inFlight = nil, len(b.B)
		for left := b.B; len(left) > 0 && !t.broken; {
			n := min(len(left), tlsWrite)
			c.mu.Unlock()
			_, err := t.tls.Write(left[:n])
			c.mu.Lock()
			if err != nil {
				t.abortLocked(err)
				break
			}
			left = left[n:]
			t.wroteLocked(n)
		}
		t.inFlight = 0
		c.e.release(len(b.B))
		c.e.bufs.put(b)
	}
	if c.closing.Load() {
		c.mu.Unlock()
		t.tls.Close() // sends a close_notify; hangUp bounds it
		c.mu.Lock()
		t.broken = true
	}
	t.writing = false
	t.progress.Broadcast()
}

// wroteLocked takes note that the peer's system has taken n bytes.
func (t *tlsConn) wroteLocked(n int) {
	t.inFlight -= n
	t.touch()
	if t.unsentLocked() <= t.c.e.o.LowWater {
		t.choked = 0
	}
	t.progress.Broadcast()
}

// abortLocked closes the socket at once. cause is why, unless there is a reason
// already.
func (t *tlsConn) abortLocked(cause error) {
	c := t.c
	if !c.closing.Load() {
		c.reason = cause
		c.closing.Store(true)
	}
	t.broken = true
	t.progress.Broadcast()
	t.nc.Close()
}

// review closes the connection if its peer was too long silent, at reading, or
// in its handshake.
func (t *tlsConn) review(now time.Duration) {
	c, o := t.c, &t.c.e.o
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing.Load():
	case !t.up && now-t.began >= o.HandshakeTimeout:
		t.abortLocked(fmt.Errorf("%w: no handshake within %v", ErrPreamble, o.HandshakeTimeout))
	case t.choked > 0 && now-t.choked >= o.ChokedTime:
		t.abortLocked(ErrSlowReader)
	case t.frameBegan.Load() > 0 && now-time.Duration(t.frameBegan.Load()) >= t.frameTimeout():
		t.abortLocked(fmt.Errorf("%w: %v", ErrFrameTimeout, t.frameTimeout()))
	case t.idleTimeout > 0 && now-time.Duration(t.active.Load()) >= t.idleTimeout+o.tick:
		t.abortLocked(ErrIdle)
	}
}

// frameTimeout is how long an unfinished frame may take.
func (t *tlsConn) frameTimeout() time.Duration {
	if t.spoke.Load() {
		return t.c.e.o.FrameTimeout
	}
	return t.c.e.o.FirstFrameTimeout
}

// holds returns how many bytes the connection holds that wait for its peer, and
// since when, 0 if none for long enough to matter; going, that it is being
// closed and gives them back in a moment.
func (t *tlsConn) holds() (bytes int64, since time.Duration, going bool) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	since = time.Duration(t.frameBegan.Load())
	if t.choked > 0 && (since == 0 || t.choked < since) {
		since = t.choked
	}
	return t.held.Load() + int64(t.unsentLocked()), since, t.c.closing.Load()
}

// dismiss closes a connection over the budget.
func (t *tlsConn) dismiss() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.c.closing.Load() {
		t.abortLocked(ErrOverloaded)
	}
}

// end closes the connection after what is in its outbox, and tells the handler.
func (t *tlsConn) end(err error) {
	c := t.c
	c.mu.Lock()
	if !c.closing.Load() {
		c.reason = err
		c.closing.Store(true)
	}
	t.wakeLocked()
	for t.writing {
		t.progress.Wait()
	}
	c.dead, t.broken = true, true
	t.hangUp.Stop()
	outbox, cause := c.outbox, c.reason
	c.outbox = nil
	c.mu.Unlock()
	c.alive.Store(false)
	if outbox != nil {
		c.e.release(len(outbox.B))
		c.e.bufs.put(outbox)
	}
	t.dropInput()
	t.nc.Close()
	c.e.tls.forget(t)
	c.loop.bury(c, cause)
}

// A tlsSet is all that speak TLS on an engine.
type tlsSet struct {
	frames, bytesIn, bytesOut, handshakes atomic.Uint64

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

// relieveLocked closes who has held bytes for longest until there will be room
// again. Loops do that for theirs at once, this is done once a tick.
func (s *tlsSet) relieveLocked(b *Budget) {
	type holder struct {
		t     *tlsConn
		bytes int64
		since time.Duration
	}
	var holders []holder
	excess := b.excess()
	for t := range s.open {
		switch bytes, since, going := t.holds(); {
		case going:
			excess -= bytes
		case since > 0:
			holders = append(holders, holder{t, bytes, since})
		}
	}
	slices.SortFunc(holders, func(a, b holder) int { return cmp.Compare(a.since, b.since) })
	for ; excess > 0 && len(holders) > 0; holders = holders[1:] {
		holders[0].t.dismiss()
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
