package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// A limitRule is one rule, told by what it does to peers.
type limitRule struct {
	name string
	run  func(r *limitRig)
	// plainOnly says why the rule means nothing with TLS.
	plainOnly string
}

// limits are the rules that peers are held to, the same with TLS and without.
var limits = []limitRule{
	{name: "choked peer is served when it reads", run: func(r *limitRig) {
		r.start(blower(10_000), smallSockets)
		other, c := r.dial(), r.dial()
		const n = 600 // 6 MB of replies
		var all []byte
		for i := range n {
			all = append(all, textFrame("request %d", i)...)
		}
		go c.Write(all)
		r.choked(1)
		other.send(textFrame("other"))
		other.want("other ")
		if served := r.s.Stats().Frames; served > 150 {
			r.Errorf("%d frames served to a peer that reads nothing, want at most 150", served)
		}
		for i := range n {
			c.want(fmt.Sprintf("request %d ", i))
		}
		r.choked(0)
		r.clock.advance(time.Second) // what is unsent is looked at
		eventually(r, "nothing is held", func() bool { return r.s.Stats().HeldBytes == 0 })
		c.send(textFrame("last"))
		c.want("last ")
	}},
	{name: "frame in progress when a choke begins, and one cut meanwhile, are whole", run: func(r *limitRig) {
		r.start(blower(3<<20), smallSockets)
		c := r.dial()
		one, two := textFrame("one"), textFrame("two %0100d", 2)
		c.send(append(bytes.Clone(one), two[:7]...))
		r.choked(1)
		for rest := two[7:]; len(rest) > 0; {
			n := min(10, len(rest))
			c.send(rest[:n])
			rest = rest[n:]
		}
		c.want("one ")
		c.want("two 000")
	}},
	{name: "choked peer that sends on is closed", run: func(r *limitRig) {
		r.start(blower(3<<20), func(o *Options) {
			smallSockets(o)
			o.ChokedInput = 100 << 10
		})
		other, c := r.dial(), r.dial()
		request := textFrame("%01000d", 1)
		for sent := 0; sent < 100<<20; sent += len(request) {
			if _, err := c.Write(request); err != nil {
				break
			}
		}
		c.wantClosed(ErrSlowReader)
		if in := r.s.Stats().BytesIn; in > 400<<10 {
			r.Errorf("%d bytes read from it, want little more than ChokedInput", in)
		}
		r.choked(0)
		other.send(textFrame("x"))
		other.want("x ")
	}},
	{name: "choked peer may finish a frame larger than ChokedInput", run: func(r *limitRig) {
		r.start(func(_ Conn, frame, out []byte) []byte {
			return append(out, textFrame("%d %s", len(frame), strings.Repeat("p", 3<<20))...)
		}, func(o *Options) {
			smallSockets(o)
			o.ChokedInput = 10 << 10
		})
		c := r.dial()
		big := frameOf(make([]byte, 1<<20))
		c.send(textFrame("x"))
		r.choked(1)
		go c.Write(big)
		eventually(r, "all is read", func() bool { return r.s.Stats().BytesIn >= uint64(len(big)) })
		c.want("5 ")
		c.want(fmt.Sprint(len(big), " "))
	}},
	{name: "choked for too long", run: func(r *limitRig) {
		r.start(blower(3<<20), smallSockets)
		c := r.dial()
		c.send(textFrame("x"))
		r.choked(1)
		r.clock.advance(59 * time.Second)
		r.wantOpen(1, "59 s of 60")
		r.clock.advance(time.Second)
		c.wantClosed(ErrSlowReader)
		r.choked(0)
	}},
	{name: "what is sent chokes as well", run: func(r *limitRig) {
		r.start(nil, smallSockets)
		c := r.dial()
		c.send(textFrame("hello"))
		c.want("hello")
		c.conn.Send(frameOf(make([]byte, 5<<20)))
		r.choked(1)
		c.send(textFrame("waits"))
		eventually(r, "it is read", func() bool { return r.s.Stats().PartialBytes > 0 })
		if n := r.s.Stats().Frames; n != 1 {
			r.Errorf("%d frames served while choked, want none", n-1)
		}
		c.want("\x00")
		c.want("waits")
	}},
	{name: "what is sent to a peer that does not read is bounded", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			smallSockets(o)
			o.MaxUnsent = 5 << 20
		})
		c := r.dial()
		c.send(textFrame("hello"))
		c.want("hello")
		sent := 0
		for ; c.conn.Alive() && sent < 100; sent++ {
			c.conn.Send(make([]byte, 1<<20))
			eventually(r, "given to the transport", func() bool {
				c.conn.mu.Lock()
				defer c.conn.mu.Unlock()
				return c.conn.isDead() || c.conn.closing.Load() || c.conn.out.queue == nil
			})
			if c.conn.closing.Load() {
				break
			}
		}
		if sent > 15 {
			r.Errorf("%d MiB sent, want a slow reader closed soon after 5 MiB", sent)
		}
		c.wantClosed(ErrSlowReader)
	}},
	{name: "what an executor answers to a peer that does not read is bounded", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			smallSockets(o)
			o.MaxUnsent = 1 << 20
		})
		x := newExecutor(r.T, ExecutorOptions{})
		c := r.dial()
		c.send(textFrame("hello"))
		c.want("hello")
		reply := make([]byte, 64<<10)
		for sent := 0; c.conn.Alive() && !c.conn.closing.Load(); sent++ {
			if sent > 1000 {
				r.Fatal("64 MiB are waiting")
			}
			done := make(chan struct{})
			x.Submit(c.conn, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte { return append(out, reply...) })
			x.Post(c.conn, func() { close(done) })
			<-done
			if !r.secure {
				r.s.onLoop(r.s.loops[0], func() {}) // it is written
			}
		}
		c.wantClosed(ErrSlowReader)
	}},
	{name: "unfinished frames", run: func(r *limitRig) {
		r.start(nil, func(o *Options) { o.FirstFrameTimeout, o.FrameTimeout = 20*time.Second, 50*time.Second })
		silent, first, later := r.dial(), r.dial(), r.dial()
		later.send(textFrame("hello"))
		later.want("hello")
		for _, c := range []*limitPeer{first, later} {
			c.send(append(binary.BigEndian.AppendUint32(nil, 16<<20-4), make([]byte, 100)...))
			c.wantBegun()
		}
		r.clock.advance(20 * time.Second)
		r.wantOpen(3, "20 s of 20 and one of grace")
		first.send([]byte{1}) // is no excuse
		r.clock.advance(time.Second)
		first.wantClosed(ErrFrameTimeout)
		r.clock.advance(29 * time.Second)
		r.wantOpen(2, "50 s of 50 and one of grace")
		r.clock.advance(time.Second)
		later.wantClosed(ErrFrameTimeout)
		if n := r.s.Stats().ClosedFrameTimeout; n != 2 {
			r.Errorf("%d closed over frames, want 2", n)
		}
		silent.send(textFrame("speaks at last"))
		silent.want("speaks at last")
	}},
	{name: "the time begins with each frame", run: func(r *limitRig) {
		r.start(nil, nil)
		for _, cut := range []int{2, 5} { // in the length, and behind it
			c := r.dial()
			frame := textFrame("0123456789")
			c.send(frame[:cut])
			for range 10 {
				c.wantBegun()
				r.clock.advance(25 * time.Second)
				c.send(append(frame[cut:len(frame):len(frame)], frame[:cut]...))
				c.want("0123456789")
				c.wantRead("the next has begun", func(in *inbox) bool { return in.isWaiting() && in.began >= r.s.now() })
			}
			if !c.conn.Alive() {
				r.Errorf("cut at %d: closed", cut)
			}
			c.raw.Close()
		}
	}},
	{name: "the time of a frame stands still while its peer is choked", run: func(r *limitRig) {
		r.start(blower(3<<20), func(o *Options) {
			smallSockets(o)
			o.FirstFrameTimeout, o.FrameTimeout, o.ChokedTime = 10*time.Second, 10*time.Second, time.Hour
			o.IdleTimeout = func() time.Duration { return 0 }
		})
		c := r.dial()
		next := textFrame("next")
		c.send(append(textFrame("x"), next[:6]...))
		r.choked(1)
		r.clock.advance(time.Minute)
		r.wantOpen(1, "choked in the middle of a frame")
		c.want("x ")
		c.wantBegun()
		r.clock.advance(9 * time.Second)
		r.wantOpen(1, "the time while it was choked does not count")
		r.clock.advance(3 * time.Second)
		c.wantClosed(ErrFrameTimeout)
	}},
	{name: "a choke by what was sent stops the time of a frame", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			smallSockets(o)
			o.FirstFrameTimeout, o.FrameTimeout, o.ChokedTime = 10*time.Second, 10*time.Second, time.Hour
			o.IdleTimeout = func() time.Duration { return 0 }
		})
		c := r.dial()
		frame := textFrame("in two pieces")
		c.send(append(textFrame("hello"), frame[:6]...))
		c.want("hello")
		c.wantBegun()
		c.conn.Send(frameOf(make([]byte, 5<<20)))
		r.choked(1)
		r.clock.advance(time.Minute)
		r.wantOpen(1, "choked in the middle of a frame")
		c.want("\x00")
		c.wantBegun()
		r.clock.advance(9 * time.Second)
		r.wantOpen(1, "the time while it was choked does not count")
		c.send(frame[6:])
		c.want("in two pieces")
	}},
	{name: "a peer that is not served for what it costs is closed when it sends on", run: func(r *limitRig) {
		r.start(func(_ Conn, _, out []byte) []byte { return append(out, frameOf(make([]byte, flushSize))...) }, func(o *Options) {
			o.HighWater, o.LowWater, o.ChokedInput = 1<<30, 1, 10_000
		})
		c := r.dial()
		r.s.onLoop(r.s.loops[0], func() {
			r.s.loops[0].turn(c.conn, bytes.Repeat(textFrame("x"), 1)) // the first byte was not seen yet
			for range 3 {
				if c.conn.gone {
					break
				}
				c.conn.preamble = preambleOver
				if r.s.loops[0].turn(c.conn, bytes.Repeat(textFrame("x"), 2000)) != 0 {
					r.s.loops[0].close(c.conn, nil)
				}
			}
		})
		c.wantClosed(ErrFlood)
	}, plainOnly: "its reader serves nobody else, so it is never behind"},
	{name: "half received frames count in the budget", run: func(r *limitRig) {
		r.start(nil, func(o *Options) { o.Budget = NewBudget(2 << 20) })
		c := r.dial()
		go c.Write(frameOf(make([]byte, 8<<20)))
		c.wantClosed(ErrOverloaded)
		eventually(r, "given back", func() bool { return r.s.Stats().HeldBytes == 0 })
		other := r.dial()
		other.send(textFrame("others"))
		other.want("others")
	}},
	{name: "unread replies count in the budget, the oldest goes first", run: func(r *limitRig) {
		r.start(blower(400_000), func(o *Options) {
			smallSockets(o)
			o.HighWater, o.LowWater = 64<<20, 1<<20 // nobody is choked
			o.Budget = NewBudget(8 << 20)
		})
		var slow []*limitPeer
		for range 20 {
			c := r.dial()
			c.send(textFrame("x"))
			slow = append(slow, c)
			eventually(r, "its reply waits for it", c.owes) // since then, by the clock: a frame counts before
			r.clock.advance(time.Second)
			if held := r.s.Budget().Held(); held > 4<<20 {
				r.Fatalf("%d bytes held, want at most 4 MiB", held)
			}
		}
		open := 0
		eventually(r, "who had to go has gone", func() bool {
			r.clock.advance(time.Second)
			open = 0
			for _, c := range slow {
				if c.conn.Alive() {
					open++
				}
			}
			return r.s.Stats().ClosedOverloaded == uint64(20-open) && !r.s.Budget().tight()
		})
		if open < 4 || open == 20 {
			r.Errorf("%d of 20 left, want what the budget allows", open)
		}
		for i, c := range slow {
			if alive := i >= 20-open; c.conn.Alive() != alive {
				r.Errorf("peer %d of 20 open: %v, want the newest %d", i, !alive, open)
			}
		}
		slow[19].want("x ")
		for _, c := range slow {
			c.raw.Close() // or the end waits for them
		}
	}},
	{name: "an announcement costs little", run: func(r *limitRig) {
		r.start(nil, nil)
		for range 50 {
			c := r.dial()
			c.send([]byte{0, 0xff, 0, 0, 1, 2, 3})
			c.wantBegun()
		}
		if n := r.s.Stats().PartialBytes; n != 50*smallBuffer {
			r.Errorf("%d bytes held for 50 peers who sent 7 each, want %d", n, 50*smallBuffer)
		}
		c := r.dial()
		before := r.s.Stats().PartialBytes
		c.send(binary.BigEndian.AppendUint32(nil, 16<<20-4))
		sent := 4
		for _, piece := range []int{100, 5000, 50_000, 500_000} {
			c.send(make([]byte, piece))
			sent += piece
			at := r.s.Stats().PartialBytes
			eventually(r, "read", func() bool {
				c.wantBegun()
				at = r.s.Stats().PartialBytes - before
				return at >= int64(sent)
			})
			if at > int64(max(smallBuffer, 4*sent)) {
				r.Errorf("%d bytes held for %d that came", at, sent)
			}
		}
	}},
	{name: "a malformed frame is the last, and those before it are answered", run: func(r *limitRig) {
		r.start(nil, nil)
		good := r.dial()
		for i, bad := range [][]byte{{0x80, 0, 0, 0}, binary.BigEndian.AppendUint32(nil, 16<<20-3), []byte("GET / HTTP/1.1\r\n\r\n")} {
			c := r.dial()
			c.send(append(append(textFrame("one"), textFrame("two")...), append(bad, textFrame("never")...)...))
			c.want("one")
			c.want("two")
			c.wantClosed(ErrMalformed)
			eventually(r, "counted", func() bool { return r.s.Stats().ClosedMalformed == uint64(i+1) })
		}
		c := r.dial()
		c.send([]byte{0x80}) // in pieces
		c.wantBegun()
		c.send([]byte{0, 0, 0, 1, 2, 3})
		c.wantClosed(ErrMalformed)
		good.send(textFrame("after"))
		good.want("after")
		if n := r.s.Stats().Frames; n != 7 {
			r.Errorf("%d frames served, want 7", n)
		}
	}},
	{name: "silence", run: func(r *limitRig) {
		r.start(nil, func(o *Options) { o.FirstFrameTimeout, o.FrameTimeout = time.Hour, time.Hour })
		c, told, active := r.dial(), r.dial(), r.dial()
		for range 2 { // a request, and what is sent, are signs of life
			for _, c := range []*limitPeer{c, told, active} {
				c.send(textFrame("life"))
				c.want("life")
			}
			r.s.written()
			r.clock.advance(100 * time.Second)
		}
		told.conn.Send(textFrame("news"))
		told.want("news")
		r.s.written()
		c.send([]byte{0}) // the beginning of a frame is none
		c.wantBegun()
		active.send(textFrame("life"))
		active.want("life")
		r.clock.advance(20 * time.Second)
		r.wantOpen(3, "120 s of 120 and one of grace")
		r.clock.advance(2 * time.Second)
		c.wantClosed(ErrIdle)
		r.wantOpen(2, "those who were not silent")
		if st := r.s.Stats(); st.ClosedIdle != 1 {
			r.Errorf("%d closed as idle, want 1", st.ClosedIdle)
		}
	}},
	{name: "a peer that leaves while it is choked has left", run: func(r *limitRig) {
		defer func(d time.Duration) { hangUpTime = d }(hangUpTime)
		hangUpTime = 50 * time.Millisecond
		r.start(blower(3<<20), smallSockets)
		c := r.dial()
		c.send(textFrame("x"))
		r.choked(1)
		c.raw.CloseWrite()
		c.wantClosed(io.EOF)
		r.choked(0)
		r.s.stop()
	}},
}

// TestConnectionLimits holds peers of both transports to the same rules.
func TestConnectionLimits(t *testing.T) {
	for _, secure := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "TLS"}[secure]
		t.Run(name, func(t *testing.T) {
			for _, l := range slices.Concat(limits, rateLimits) {
				t.Run(l.name, func(t *testing.T) {
					if secure && l.plainOnly != "" {
						t.Skip(l.plainOnly)
					}
					r := &limitRig{T: t, secure: secure}
					l.run(r)
					r.s.stop()
					if st := r.s.Stats(); st.HeldBytes != 0 || st.PartialBytes != 0 || st.Choked != 0 || st.Slowed != 0 {
						t.Errorf("%d bytes held, %d choked and %d slow in the end", st.HeldBytes, st.Choked, st.Slowed)
					}
				})
			}
		})
	}
}
