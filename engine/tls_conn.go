package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/bytebufferpool"
)

const (
	// tlsWrite is how many bytes are written at a time; the peer's progress is
	// seen after each.
	tlsWrite = 64 << 10
)

// hangUpTime is how long a connection that is to be closed may take to write
// what was sent before. Tests have their own.
var hangUpTime = time.Second

// A tlsConn drives the inbox and the outbox of a connection that speaks TLS, in the
// place of the loop: a goroutine that reads and serves, and another while there
// is something to write.
//
// The reader may use the fields of c that are for the loop only.
type tlsConn struct {
	c           *conn
	nc          *net.TCPConn
	tls         *tls.Conn
	tapped      tappedConn    // below tls
	idleTimeout time.Duration // 0: may be silent for ever
	began       time.Duration // the handshake, engine time

	// The following are for the reader only.

	in    inbox
	out   replies                    // of the present turn
	first *bytebufferpool.ByteBuffer // to read the beginning of a frame into; nil while nothing comes

	active atomic.Int64 // last sign of life, engine time
	held   atomic.Int64 // bytes that in holds
	spoke  atomic.Bool  // a whole frame has come
	busy   atomic.Bool  // the reader serves, or has a part of a frame
	choked atomic.Bool  // unsent.choked, for the reader

	// The following are guarded by c.mu.

	unsent  unsent
	done    sync.Cond                  // broadcast when the writer ends
	up      bool                       // the handshake is done
	state   *tls.ConnectionState       // of tls, once somebody has asked for it
	writing bool                       // the writer runs
	broken  bool                       // nothing can be written any more
	pending *bytebufferpool.ByteBuffer // what the writer takes next, nil if nothing
	called  bool                       // the reader was interrupted, see callReaderLocked
	waiting bool                       // in has an unfinished frame whose time runs
	late    time.Duration              // since then
	slow    bool                       // the reader waits for a token, see slow.go
	lagged  time.Duration              // since then
	hangUp  *time.Timer                // closes nc; nil unless c is to be closed
}

// newTLSConn takes c over from its loop. seen is what that has read.
func newTLSConn(c *conn, nc *net.TCPConn, seen []byte) *tlsConn {
	t := &tlsConn{c: c, nc: nc, began: c.e.now()}
	t.tapped = tappedConn{TCPConn: nc, e: c.e, busy: &t.busy, seen: append([]byte(nil), seen...), shaking: true}
	t.tls = tls.Server(&t.tapped, c.e.tlsConfig)
	t.active.Store(int64(t.began))
	t.in.limits = &c.e.inboxLimits
	t.done.L = &c.mu
	return t
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
		t.rest()
	}()
	for {
		if err := t.readOnce(); err != nil {
			return err
		}
	}
}

// rest gives back the buffers that were read into.
func (t *tlsConn) rest() {
	dropTLSInput(t.tls, keptTLSInput)
	t.tapped.release()
	if t.first != nil {
		t.c.e.bufs.put(t.first)
		t.first = nil
	}
}

// readOnce makes one read, straight into the buffer of an unfinished frame if there
// is one, and serves what it has brought.
func (t *tlsConn) readOnce() error {
	served := !t.choked.Load()
	straight := served && !t.in.isEmpty()
	var into []byte
	if straight {
		var err error
		if into, err = t.in.room((*inputMemory)(t.c), 0); err != nil {
			return err
		}
	} else {
		if t.first == nil {
			t.first = t.c.e.bufs.get(smallBuffer)
		}
		into = t.first.B[:cap(t.first.B)]
	}
	n, err := t.tls.Read(into)
	if n > 0 {
		t.busy.Store(true)
		if err := t.turn(into[:n], straight, served); err != nil {
			return err
		}
	}
	if errors.Is(err, errNothingCame) {
		t.rest()
		t.busy.Store(!t.in.isEmpty())
		err = t.tapped.wait()
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return t.resume()
	case err != nil:
		return readError(err)
	}
	return nil
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

// turn serves what one read has brought: data, which straight says is in its place
// already. served is false for what was read while c was choked.
func (t *tlsConn) turn(data []byte, straight, served bool) error {
	m := (*inputMemory)(t.c)
	switch {
	case straight:
		t.in.fill(len(data))
	case !served:
		err := t.in.buffer(m, data, ErrSlowReader)
		t.publish()
		return err
	default:
		if err := t.in.feed(m, data); err != nil {
			return err
		}
	}
	return t.serveAll()
}

// resume is a turn without a read: the writer has interrupted the reader because
// the peer has read enough to be served again.
func (t *tlsConn) resume() error {
	t.answerCall()
	if t.choked.Load() {
		return nil
	}
	t.in.pause()
	t.in.reopen()
	return t.serveAll()
}

// serveAll serves the whole frames of a turn and keeps what is behind them. c may
// become choked meanwhile. The replies leave in one write, or in several if they
// are many.
func (t *tlsConn) serveAll() error {
	m := (*inputMemory)(t.c)
	for t.in.hasMore() && !t.choked.Load() {
		if t.c.closing.Load() {
			t.dropInput()
			return nil
		}
		t.c.e.showNext(&t.in)
		frame, err := t.in.next(m)
		if err != nil {
			return err
		}
		if frame == nil {
			break
		}
		if t.c.bucket != nil && !t.payOrWait() {
			t.dropInput()
			return nil
		}
		t.serveFrame(frame)
	}
	t.reply()
	err := t.in.keep(m, t.c.e.now(), !t.choked.Load())
	t.publish()
	return err
}

// dropInput forgets what has come in a turn of a connection that is being closed, and
// what was buffered: nothing of it is served any more. The reader reads on until its
// peer leaves.
func (t *tlsConn) dropInput() {
	t.in.drop((*inputMemory)(t.c))
	t.in.forget()
	t.publish()
}

// serveFrame gives one frame to the handler, and the replies to the writer if many
// have gathered.
func (t *tlsConn) serveFrame(frame []byte) {
	c := t.c
	t.touch()
	if !t.spoke.Load() {
		t.spoke.Store(true)
		c.e.strangers.spoken(c)
	}
	c.e.tls.frames.Add(1)
	c.served.Add(1)
	if t.out.buf == nil {
		c.beginTurn()
	}
	out := t.out.open(&c.e.bufs)
	out.B = c.e.h.Serve(c, c.turnBegan(), frame, out.B)
	if t.out.isMany() {
		t.reply()
	}
}

// reply gives the replies gathered so far to the writer.
func (t *tlsConn) reply() {
	out := t.out.buf
	if out == nil {
		return
	}
	if len(out.B) == 0 || !t.c.give(out) {
		t.c.e.bufs.put(out)
	}
	t.out.buf = nil
}

// publish tells others what the inbox holds, and since when.
func (t *tlsConn) publish() {
	t.held.Store(int64(t.in.held()))
	t.busy.Store(!t.in.isEmpty())
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.waiting, t.late = t.in.isWaiting() && !t.unsent.choked, t.in.began
}

// callReaderLocked interrupts the reader, which may be reading, by a deadline that
// is over.
func (t *tlsConn) callReaderLocked() {
	t.called = true
	_ = t.nc.SetReadDeadline(time.Unix(1, 0))
}

// answerCall lets the reader read on.
func (t *tlsConn) answerCall() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.called {
		t.called = false
		_ = t.nc.SetReadDeadline(time.Time{})
	}
}

// touch notes a sign of life: a frame has come, or the peer's system has taken bytes.
func (t *tlsConn) touch() { t.active.Store(int64(t.c.e.now())) }

// wakeLocked obeys what has changed: the queue, or that c is to be closed.
func (t *tlsConn) wakeLocked() {
	c := t.c
	if c.closing.Load() && t.hangUp == nil {
		t.hangUp = time.AfterFunc(hangUpTime, func() { t.nc.Close() })
		if !t.up {
			t.nc.Close()
		}
	}
	if !t.up || t.broken {
		return
	}
	t.giveLocked()
	if !t.writing && (t.pending != nil || c.closing.Load()) {
		t.writing = true
		go t.write()
	}
}

// giveLocked gives the queue to the writer, and chokes c if too much is unsent then.
func (t *tlsConn) giveLocked() {
	c := t.c
	if c.out.queue == nil {
		return
	}
	if t.unsent.isFull(&c.e.outboxLimits) {
		t.abortLocked(ErrSlowReader)
		return
	}
	now := c.e.now()
	b := c.out.take()
	t.unsent.give(len(b.B), now)
	if t.pending == nil {
		t.pending = b
	} else {
		t.pending.B = append(t.pending.B, b.B...)
		c.e.bufs.put(b)
	}
	if t.unsent.choke(&c.e.outboxLimits, now) {
		c.e.choked.Add(1)
		t.choked.Store(true)
		t.waiting = false
	}
}

// write is the writer: it writes what is pending and ends. If c is to be closed, it
// hangs up.
func (t *tlsConn) write() {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for t.pending != nil && !t.broken {
		b := t.pending
		t.pending = nil
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
		c.e.bufs.put(b)
	}
	if c.closing.Load() {
		c.mu.Unlock()
		t.tls.Close() // sends a close_notify; hangUp bounds it
		c.mu.Lock()
		t.broken = true
	}
	t.writing = false
	t.done.Broadcast()
}

// wroteLocked takes note that the peer's system has taken n bytes.
func (t *tlsConn) wroteLocked(n int) {
	c := t.c
	t.touch()
	_, _ = t.unsent.recount((*outputMemory)(c), t.unsent.given-n, c.e.now()) // less needs no room
	if t.unsent.unchoke(&c.e.outboxLimits) {
		c.e.choked.Add(-1)
		t.choked.Store(false)
		t.callReaderLocked()
	}
}

// abortLocked closes the socket at once. cause is why, unless there is a reason
// already.
func (t *tlsConn) abortLocked(cause error) {
	c := t.c
	if !c.closing.Load() {
		c.reason = &cause
		c.closing.Store(true)
	}
	t.broken = true
	t.nc.Close()
}

// review closes the connection if its peer was too long silent, at reading, in the
// middle of a frame, or in its handshake.
func (t *tlsConn) review(now time.Duration) {
	c, o := t.c, &t.c.e.o
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return
	}
	if !t.up && now-t.began >= o.HandshakeTimeout {
		t.abortLocked(fmt.Errorf("%w: no handshake within %v", ErrPreamble, o.HandshakeTimeout))
		return
	}
	err := t.unsent.overdue(&c.e.outboxLimits, now)
	if err == nil && t.waiting {
		frame := inbox{limits: &c.e.inboxLimits, spoke: t.spoke.Load(), waiting: true, began: t.late}
		err = frame.overdue(now)
	}
	if err == nil && t.idleTimeout > 0 && now-time.Duration(t.active.Load()) >= t.idleTimeout+o.tick {
		err = ErrIdle
	}
	if err != nil {
		t.abortLocked(err)
	}
}

// holds returns how many bytes the connection holds that wait for its peer, and
// since when; ok is false if there are none. going says that it is being closed
// and gives them back in a moment.
func (t *tlsConn) holds() (bytes int64, since time.Duration, ok, going bool) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	since, ok = t.late, t.waiting
	if t.slow {
		since, ok = t.lagged, true
	}
	if t.unsent.given > 0 && (!ok || t.unsent.owing < since) {
		since, ok = t.unsent.owing, true
	}
	return t.held.Load() + int64(t.unsent.given), since, ok, c.closing.Load()
}

// evict closes the connection to make room in the budget.
func (t *tlsConn) evict() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.c.closing.Load() {
		t.abortLocked(ErrOverloaded)
	}
}

// end closes the connection after what is in its outbox, unless its peer does not
// read that, and tells the handler.
func (t *tlsConn) end(err error) {
	c := t.c
	c.mu.Lock()
	if errors.Is(err, ErrSlowReader) {
		t.abortLocked(err)
	}
	if !c.closing.Load() {
		c.reason = &err
		c.closing.Store(true)
	}
	t.wakeLocked()
	for t.writing {
		t.done.Wait()
	}
	c.life.Store(dead)
	t.broken = true
	t.hangUp.Stop()
	cause := *c.reason
	if t.unsent.choked {
		c.e.choked.Add(-1)
	}
	t.unsent.drop((*outputMemory)(c))
	for _, b := range []*bytebufferpool.ByteBuffer{t.pending, c.out.close((*sendMemory)(c.e))} {
		if b != nil {
			c.e.bufs.put(b)
		}
	}
	t.pending = nil
	c.mu.Unlock()
	t.in.drop((*inputMemory)(c))
	t.nc.Close()
	c.e.tls.forget(t)
	c.loop.finishClose(c, cause)
}
