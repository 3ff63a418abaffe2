package engine

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// blower answers every frame with its text and padding.
func blower(size int) func(Conn, []byte, []byte) []byte {
	pad := strings.Repeat("p", size)
	return func(_ Conn, frame, out []byte) []byte {
		return append(out, textFrame("%s %s", frame[4:], pad)...)
	}
}

// smallSockets keeps the kernel from swallowing what a test wants stuck.
func smallSockets(o *Options) {
	o.Loops = 1
	o.SendBuffer = 16 << 10
}

// A limitRig is an engine in its own time and peers of one transport.
type limitRig struct {
	*testing.T
	secure bool
	h      *testHandler
	s      *server
	clock  *testClock
	conns  chan Conn
}

// A limitPeer is one of the peers, and the server's side of it.
type limitPeer struct {
	io.ReadWriter
	rig  *limitRig
	raw  *client
	conn *conn
}

// start runs the engine of the rig.
func (r *limitRig) start(serve func(c Conn, frame, out []byte) []byte, change func(o *Options)) {
	r.Helper()
	r.conns = make(chan Conn, 100)
	r.h = &testHandler{serve: serve, opened: func(c Conn) { r.conns <- c }}
	r.s, r.clock = serveInTime(r.T, r.h, func(o *Options) {
		o.Loops = 1
		if r.secure {
			withTLS(o)
		}
		if change != nil {
			change(o)
		}
	})
}

// dial connects a peer, which has said nothing yet but its handshake.
func (r *limitRig) dial() *limitPeer {
	r.Helper()
	p := &limitPeer{rig: r, raw: r.s.dial()}
	p.conn = (<-r.conns).(*conn)
	p.ReadWriter = p.raw
	if !r.secure { // where records are larger than what fits, each waits for a timer
		p.raw.SetReadBuffer(16 << 10)
	} else {
		before := r.s.Stats().TLSHandshakes
		p.ReadWriter = p.raw.upgrade(nil, nil)
		eventually(r, "the handshake is done on both sides", func() bool { return r.s.Stats().TLSHandshakes == before+1 })
	}
	return p
}

func (p *limitPeer) send(b []byte) {
	p.rig.Helper()
	if _, err := p.Write(b); err != nil {
		p.rig.Fatalf("write: %v", err)
	}
}

// want wants one frame that begins with a text.
func (p *limitPeer) want(prefix string) {
	p.rig.Helper()
	got, err := readFrame(p)
	if err != nil || !strings.HasPrefix(string(got), prefix) {
		p.rig.Fatalf("got %q, %v, want %q", clip(string(got)), err, clip(prefix))
	}
}

// wantClosed wants the connection closed by the server for a reason, whatever it
// has sent before.
func (p *limitPeer) wantClosed(cause error) {
	p.rig.Helper()
	eventually(p.rig, fmt.Sprintf("closed: %v", cause), func() bool { return !p.conn.Alive() })
	p.rig.h.wantCause(p.rig, cause)
}

// wantRead waits until all that the peer has sent was read and dealt with: until ok
// reports true of its inbox, which it may look at.
func (p *limitPeer) wantRead(what string, ok func(in *inbox) bool) {
	p.rig.Helper()
	eventually(p.rig, what, func() (is bool) {
		if p.rig.secure {
			p.conn.mu.Lock()
			defer p.conn.mu.Unlock()
			t := p.conn.tls
			return ok(&inbox{limits: &p.rig.s.inboxLimits, waiting: t.waiting, began: t.late})
		}
		l := p.rig.s.loops[0]
		p.rig.s.onLoop(l, func() {
			if p.conn.backlog == nil {
				is = ok(&inbox{})
				return
			}
			if p.conn.patient { // read what has come of a large frame
				setLowWater(p.conn.gc.Fd(), 1)
			}
			is = ok(&p.conn.backlog.in)
		})
		return is
	})
}

// owes reports whether bytes are unsent to the peer.
func (p *limitPeer) owes() (is bool) {
	if p.rig.secure {
		p.conn.mu.Lock()
		defer p.conn.mu.Unlock()
		return p.conn.tls.unsent.given > 0
	}
	p.rig.s.onLoop(p.rig.s.loops[0], func() { is = p.conn.unsent() > 0 })
	return is
}

// wantBegun waits until the server knows that a frame has begun.
func (p *limitPeer) wantBegun() {
	p.rig.Helper()
	p.wantRead("a frame has begun", (*inbox).isWaiting)
}

// wantOpen wants so many connections, after all of the past.
func (r *limitRig) wantOpen(n int, what string) {
	r.Helper()
	if st := r.s.Stats(); st.Open != n {
		r.Fatalf("%s: %d connections open, want %d", what, st.Open, n)
	}
}

// choked waits until n peers are choked.
func (r *limitRig) choked(n int) {
	r.Helper()
	eventually(r, fmt.Sprintf("%d choked", n), func() bool { return r.s.Stats().Choked == n })
}

// slow waits until n peers wait because their address asks too fast.
func (r *limitRig) slow(n int) {
	r.Helper()
	eventually(r, fmt.Sprintf("%d slow", n), func() bool { return r.s.Stats().Slowed == n })
}

// active returns when the peer was last taken for alive.
func (p *limitPeer) active() time.Duration {
	if p.rig.secure {
		return time.Duration(p.conn.tls.active.Load())
	}
	return time.Duration(p.conn.at.Load())
}
