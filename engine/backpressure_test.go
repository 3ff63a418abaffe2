package engine

import (
	"bytes"
	"fmt"
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

// A peer that does not read is choked, is held to little memory, and when it
// reads at last finds every answer, in order.
func TestChokedPeerIsServedWhenItReads(t *testing.T) {
	s := serve(t, &testHandler{serve: blower(10_000)}, smallSockets)
	other := s.dial()
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	const n = 600 // 6 MB of replies
	var all []byte
	for i := range n {
		all = append(all, textFrame("request %d", i)...)
	}
	go c.Write(all)
	eventually(t, "choked, all read", func() bool {
		return s.Stats().Choked == 1 && s.Stats().BytesIn == uint64(len(all))
	})
	s.onLoop(s.loops[0], func() {}) // the turn is over
	if served := s.Stats().Frames; served > 100 {
		t.Errorf("%d frames served to a peer that reads nothing, want at most 100", served)
	}
	other.send(textFrame("other"))
	if got, err := readFrame(other); err != nil || !strings.HasPrefix(string(got), "other") {
		t.Errorf("other connection got %q, %v", clip(string(got)), err)
	}
	for i := range n {
		got, err := readFrame(c)
		if err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
		if want := fmt.Sprintf("request %d ", i); !strings.HasPrefix(string(got), want) {
			t.Fatalf("reply %d is %q, want %q…", i, clip(string(got)), want)
		}
	}
	eventually(t, "free again", func() bool { return s.Stats().Choked == 0 && s.Stats().PartialBytes == 0 })
	c.send(textFrame("last"))
	if got, err := readFrame(c); err != nil || !strings.HasPrefix(string(got), "last ") {
		t.Errorf("after all that got %q, %v", clip(string(got)), err)
	}
}

// The frame in progress when the choke begins, and one cut while choked, must
// come out whole.
func TestChokeInMidFrame(t *testing.T) {
	s := serve(t, &testHandler{serve: blower(300_000)}, smallSockets)
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	one, two := textFrame("one"), textFrame("two %0100d", 2)
	c.send(append(bytes.Clone(one), two[:7]...))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	for i := 7; i < len(two); i += 10 {
		c.send(two[i:min(i+10, len(two))])
		eventually(t, "read", func() bool { return s.Stats().BytesIn == uint64(len(one)+min(i+10, len(two))) })
	}
	for _, want := range []string{"one ", "two 000"} {
		got, err := readFrame(c)
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Fatalf("got %q, %v, want %q…", clip(string(got)), err, want)
		}
	}
}

func TestChokedPeerThatSendsOnIsClosed(t *testing.T) {
	h := &testHandler{serve: blower(200_000)}
	s := serve(t, h, func(o *Options) {
		smallSockets(o)
		o.ChokedInput = 100 << 10
	})
	other := s.dial()
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	request := textFrame("%01000d", 1)
	sent := 0
	for ; sent < 100<<20; sent += len(request) {
		if _, err := c.Write(request); err != nil {
			break
		}
	}
	eventually(t, "closed", func() bool { return s.Stats().ClosedSlowReader == 1 })
	if in := s.Stats().BytesIn; in > 400<<10 {
		t.Errorf("%d bytes read from it, want little more than ChokedInput", in)
	}
	h.wantCause(t, ErrSlowReader)
	if n := s.Stats().Choked; n != 0 {
		t.Errorf("%d choked, want 0", n)
	}
	other.send(textFrame("x"))
	if _, err := readFrame(other); err != nil {
		t.Errorf("other connection: %v", err)
	}
}

// A frame larger than ChokedInput is not held against its sender.
func TestChokedPeerMayFinishItsFrame(t *testing.T) {
	s := serve(t, &testHandler{serve: func(_ Conn, frame, out []byte) []byte {
		return append(out, textFrame("%d %s", len(frame), strings.Repeat("p", 300_000))...)
	}}, func(o *Options) {
		smallSockets(o)
		o.ChokedInput = 10 << 10
	})
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	big := frameOf(make([]byte, 1<<20))
	c.send(textFrame("x"))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	go c.Write(big)
	eventually(t, "all read", func() bool { return s.Stats().BytesIn == uint64(5+len(big)) })
	for _, want := range []string{"5 ", fmt.Sprint(len(big), " ")} {
		got, err := readFrame(c)
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Fatalf("got %q, %v, want %q…", clip(string(got)), err, want)
		}
	}
}

func TestChokedForTooLongIsClosed(t *testing.T) {
	s, clock := serveInTime(t, &testHandler{serve: blower(3 << 20)}, smallSockets)
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	c.send(textFrame("x"))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	clock.advance(59 * time.Second)
	if st := s.Stats(); st.Choked != 1 {
		t.Error("closed before its 60 s were over")
	}
	clock.advance(time.Second)
	eventually(t, "closed", func() bool { return s.Stats().ClosedSlowReader == 1 })
}

// Executors do not know of choking: what they send to a peer that does not
// read is bounded by MaxUnsent.
func TestUnsentRepliesAreBounded(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, func(o *Options) {
		smallSockets(o)
		o.MaxUnsent = 5 << 20
	})
	s.dial()
	conn := <-conns
	piece := make([]byte, 1<<20)
	sent := 0
	for conn.Alive() && sent < 100 {
		conn.Send(piece)
		sent++
		eventually(t, "flushed", func() bool {
			return !conn.Alive() || s.Stats().BytesOut == uint64(sent)<<20
		})
	}
	if sent > 15 {
		t.Errorf("%d MiB sent, want a slow reader closed soon after 5 MiB", sent)
	}
	eventually(t, "counted", func() bool { return s.Stats().ClosedSlowReader == 1 })
}

// Replies of executors choke as well.
func TestSendChokes(t *testing.T) {
	conns := make(chan Conn, 1)
	s := serve(t, &testHandler{opened: func(c Conn) { conns <- c }}, smallSockets)
	c := s.dial()
	c.SetReadBuffer(16 << 10)
	conn := <-conns
	conn.Send(frameOf(make([]byte, 5<<20)))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	c.send(textFrame("waits"))
	eventually(t, "read", func() bool { return s.Stats().BytesIn == 9 })
	if n := s.Stats().Frames; n != 0 {
		t.Errorf("%d frames served while choked, want 0", n)
	}
	c.want(string(make([]byte, 5<<20)))
	c.want("waits")
}
