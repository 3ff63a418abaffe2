package engine

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/valyala/bytebufferpool"
	"pgregory.net/rapid"
)

var testOutboxLimits = outboxLimits{high: 100, low: 40, max: 300, chokedTime: 60 * time.Second}

// A testOutbox is both that a driver has for one connection.
type testOutbox struct {
	outbox
	unsent
}

func (o *testOutbox) close(m memory) *bytebufferpool.ByteBuffer {
	o.drop(m)
	return o.outbox.close(m)
}

// An outboxStep is one event of TestOutbox. Exactly one of its first fields says
// which.
type outboxStep struct {
	add     int  // bytes sent
	adopt   int  // bytes sent in a buffer of the pool
	give    bool // the driver gives the queue to the transport
	recount int  // the transport holds so many bytes, plus 1; 0: none of this

	at       time.Duration
	progress bool
	unsent   int  // bytes queued or given
	choke    bool // choke reports it
	unchoke  bool // unchoke reports it
	full     bool
	overdue  bool
}

func TestOutbox(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []outboxStep
	}{
		{"sent, given, taken by the peer", []outboxStep{
			{add: 10, unsent: 10},
			{add: 20, unsent: 30},
			{give: true, unsent: 30},
			{recount: 1, progress: true},
		}},
		{"replies of a turn were never queued", []outboxStep{
			{recount: 1 + 50, unsent: 50},
			{recount: 1 + 30, unsent: 30, progress: true},
			{add: 5, unsent: 35},
			{give: true, unsent: 35},
			{recount: 1 + 35, unsent: 35},
			{recount: 1, progress: true},
		}},
		{"a buffer is adopted unless there is one", []outboxStep{
			{adopt: 10, unsent: 10},
			{adopt: 10, unsent: 20},
			{give: true, unsent: 20},
			{adopt: 10, unsent: 30},
		}},
		{"choked above the high mark, until the low one", []outboxStep{
			{recount: 1 + 100, unsent: 100},
			{recount: 1 + 101, unsent: 101, choke: true},
			{recount: 1 + 41, unsent: 41, progress: true},
			{recount: 1 + 101, unsent: 101},
			{recount: 1 + 40, unsent: 40, progress: true, unchoke: true},
			{recount: 1 + 100, unsent: 100},
			{recount: 1 + 101, unsent: 101, choke: true},
		}},
		{"what is queued waits for us, not for the peer", []outboxStep{
			{recount: 1 + 60, unsent: 60},
			{add: 500, unsent: 560},
			{recount: 1, unsent: 500, progress: true},
			{give: true, unsent: 500, choke: true, full: true},
			{recount: 1 + 40, unsent: 40, progress: true, unchoke: true},
		}},
		{"full while a peer has not read", []outboxStep{
			{add: 1000, unsent: 1000}, // one large reply to a peer that has read all
			{give: true, unsent: 1000, choke: true, full: true},
			{recount: 1 + 301, unsent: 301, progress: true, full: true},
			{recount: 1 + 300, unsent: 300, progress: true},
			{recount: 1, progress: true, unchoke: true},
		}},
		{"choked for too long", []outboxStep{
			{at: 5 * time.Second, recount: 1 + 200, unsent: 200, choke: true},
			{at: 64 * time.Second, recount: 1 + 150, unsent: 150, progress: true},
			{at: 65 * time.Second, recount: 1 + 150, unsent: 150, overdue: true},
			{at: 66 * time.Second, recount: 1 + 10, unsent: 10, progress: true, unchoke: true},
			{at: 67 * time.Second, recount: 1 + 200, unsent: 200, choke: true},
			{at: 126 * time.Second, recount: 1 + 200, unsent: 200},
			{at: 127 * time.Second, recount: 1 + 200, unsent: 200, overdue: true},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &testMemory{t: t}
			var o testOutbox
			for i, step := range c.steps {
				progress, err := step.run(m, &o)
				if err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
				choke, unchoke := o.choke(&testOutboxLimits, step.at), o.unchoke(&testOutboxLimits)
				got := outboxStep{
					unsent: unsentOf(&o), progress: progress, choke: choke, unchoke: unchoke,
					full: o.isFull(&testOutboxLimits), overdue: errors.Is(o.overdue(&testOutboxLimits, step.at), ErrSlowReader),
				}
				want := step
				want.add, want.adopt, want.give, want.recount, want.at = 0, 0, false, 0, 0
				if got != want || m.reserved != step.unsent {
					t.Fatalf("step %d: %+v, %d reserved, want %+v", i, got, m.reserved, want)
				}
			}
			if b := o.close(m); b != nil {
				m.put(b)
			}
			m.wantNothing()
		})
		t.Run(c.name+", but no budget", func(t *testing.T) {
			for at, refused := 0, true; refused; at++ {
				reservation := 0
				refused = false
				m := &testMemory{t: t, refuse: func(int) bool {
					reservation++
					refused = refused || reservation > at
					return reservation > at
				}}
				var o testOutbox
				for i := 0; i < len(c.steps) && !refused; i++ {
					before := unsentOf(&o)
					if _, err := c.steps[i].run(m, &o); errors.Is(err, ErrOverloaded) != refused {
						t.Fatalf("step %d, reservation %d refused: %v; the error is %v", i, at, refused, err)
					}
					if refused && unsentOf(&o) != before {
						t.Fatalf("step %d: %d bytes unsent after what found no room, %d before", i, unsentOf(&o), before)
					}
				}
				if b := o.close(m); b != nil {
					m.put(b)
				}
				m.wantNothing()
			}
		})
	}
}

func (s *outboxStep) run(m *testMemory, o *testOutbox) (progress bool, err error) {
	switch {
	case s.add > 0:
		return false, o.add(m, make([]byte, s.add))
	case s.adopt > 0:
		b := m.get(s.adopt)
		b.B = append(b.B, make([]byte, s.adopt)...)
		kept, err := o.adopt(m, b)
		if !kept {
			m.put(b)
		}
		return false, err
	case s.give:
		if b := o.take(); b != nil {
			o.give(len(b.B), s.at)
			m.put(b)
		}
		return false, nil
	}
	return o.recount(m, s.recount-1, s.at)
}

// How long something has been unsent is told from when it began.
func TestOutboxOwing(t *testing.T) {
	m := &testMemory{t: t}
	var o testOutbox
	for i, step := range []struct{ left, at, owing int }{{5, 1, 1}, {3, 2, 1}, {10, 3, 1}, {0, 4, 1}, {1, 7, 7}} {
		if _, err := o.recount(m, step.left, time.Duration(step.at)); err != nil || o.owing != time.Duration(step.owing) {
			t.Errorf("step %d: owing since %d, %v, want %d", i, o.owing, err, step.owing)
		}
	}
	o.close(m)
	m.wantNothing()
}

// TestOutboxAgainstModel has random bytes sent to a peer that reads now and then,
// while the budget fails: all of them are given to the transport in order and once,
// what is unsent is reserved, and the peer is choked when the naive rule says so.
func TestOutboxAgainstModel(t *testing.T) {
	var seen struct{ chokes, unchokes, full, overloads, left int }
	rapid.Check(t, func(rt *rapid.T) {
		limits := outboxLimits{max: rapid.IntRange(0, 2000).Draw(rt, "max"), high: rapid.IntRange(1, 1000).Draw(rt, "high"), chokedTime: 5}
		limits.low = rapid.IntRange(0, limits.high).Draw(rt, "low")
		m := &testMemory{t: rt}
		if failures := rapid.SampledFrom([]int{0, 20}).Draw(rt, "failures"); failures > 0 {
			m.refuse = func(int) bool { return rapid.IntRange(0, failures).Draw(rt, "refuse") == 0 }
		}
		var o testOutbox
		var sent, given []byte // all that was sent; all that was given to the transport
		read := 0              // how much of the latter the peer has taken
		choked, chokedSince := false, time.Duration(0)
		owing, owes := time.Duration(0), false
		more := func() []byte {
			b := make([]byte, rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 1000)).Draw(rt, "size"))
			for i := range b {
				b[i] = byte(len(sent) + i)
			}
			return b
		}
		steps := rapid.IntRange(1, 60).Draw(rt, "steps")
		for now := time.Duration(1); now <= time.Duration(steps); now++ {
			var err error
			progress, wantProgress := false, false
			switch rapid.SampledFrom([]string{"add", "adopt", "turn", "flush", "read", "read"}).Draw(rt, "step") {
			case "add":
				b := more()
				if err = o.add(m, b); err == nil {
					sent = append(sent, b...)
				}
				spoil(b)
			case "adopt":
				b := m.get(1000)
				b.B = append(b.B, more()...)
				text := bytes.Clone(b.B)
				var kept bool
				if kept, err = o.adopt(m, b); err == nil {
					sent = append(sent, text...)
				}
				if !kept {
					m.put(b)
				}
			case "turn": // what is queued leaves first
				giveQueue(&o, m, &given, now)
				b := more()
				before := o.given
				if progress, err = o.recount(m, before+len(b), now); err == nil {
					sent, given = append(sent, b...), append(given, b...)
				}
			case "flush":
				giveQueue(&o, m, &given, now)
			case "read":
				n := rapid.IntRange(0, len(given)-read).Draw(rt, "read")
				read += n
				wantProgress = n > 0
				progress, err = o.recount(m, len(given)-read, now)
			}
			if err != nil {
				if !errors.Is(err, ErrOverloaded) || m.refuse == nil {
					rt.Fatal(err)
				}
				seen.overloads++
			}
			if progress != wantProgress && err == nil {
				rt.Fatalf("progress %v, want %v", progress, wantProgress)
			}
			unsent := len(sent) - read
			if unsentOf(&o) != unsent || m.reserved != unsent {
				rt.Fatalf("%d bytes unsent, %d reserved, want %d", unsentOf(&o), m.reserved, unsent)
			}
			waits := len(given) - read
			if !owes {
				owing = now
			}
			if owes = waits > 0; owes && o.owing != owing {
				rt.Fatalf("owing since %d, want %d", o.owing, owing)
			}
			chokes := !choked && waits > limits.high
			if chokes {
				choked, chokedSince = true, now
				seen.chokes++
			}
			if got := o.choke(&limits, now); got != chokes {
				rt.Fatalf("choke with %d unsent: %v, want %v", waits, got, chokes)
			}
			unchokes := choked && waits <= limits.low
			if unchokes {
				choked = false
				seen.unchokes++
			}
			if got := o.unchoke(&limits); got != unchokes {
				rt.Fatalf("unchoke with %d unsent: %v, want %v", waits, got, unchokes)
			}
			full := waits > limits.max
			if full {
				seen.full++
			}
			if got := o.isFull(&limits); got != full {
				rt.Fatalf("full with %d unsent: %v, want %v", waits, got, full)
			}
			if late := choked && now-chokedSince >= limits.chokedTime; late != (o.overdue(&limits, now) != nil) {
				rt.Fatalf("overdue at %d: %v, want %v", now, !late, late)
			}
		}
		if left := o.close(m); left != nil {
			seen.left++
			given = append(given, left.B...)
			m.put(left)
		}
		if !bytes.Equal(given, sent) {
			rt.Fatalf("%d bytes were given to the transport, want the %d that were sent", len(given), len(sent))
		}
		m.wantNothing()
	})
	t.Logf("%+v", seen) // TestOutbox has each of them for certain
}

// unsentOf returns how many bytes are queued or given.
func unsentOf(o *testOutbox) int {
	if o.queue == nil {
		return o.given
	}
	return o.given + len(o.queue.B)
}

// giveQueue is a driver that gives the queue to the transport.
func giveQueue(o *testOutbox, m *testMemory, given *[]byte, now time.Duration) {
	if b := o.take(); b != nil {
		o.give(len(b.B), now)
		*given = append(*given, b.B...)
		m.put(b)
	}
}

// A connection has a backlog only while something of it waits: not after a reply of
// a worker, and not after it was choked.
func TestIdleConnectionHasNoBacklog(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{})
	conns := make(chan Conn, 1)
	big := bytes.Repeat([]byte("x"), 1<<20)
	h := throughExecutor(x, func(_ Conn, _ time.Duration, frame, out []byte) []byte {
		if len(frame) > 10 {
			return append(out, frameOf(big)...)
		}
		return append(out, frame...)
	})
	h.opened = func(c Conn) { conns <- c }
	s := serve(t, h, func(o *Options) { smallSockets(o); o.Loops = 1 })
	c := s.dial()
	conn := (<-conns).own()
	wantNone := func(after string) {
		t.Helper()
		eventually(t, "no backlog after "+after, func() bool {
			none := make(chan bool, 1)
			conn.loop.execute(conn.loop.guarded(func() { none <- conn.backlog == nil }))
			return <-none
		})
	}
	c.ping("small")
	wantNone("a reply of a worker")
	c.SetReadBuffer(16 << 10)
	c.send(frameOf(make([]byte, 100)))
	eventually(t, "choked", func() bool { return s.Stats().Choked == 1 })
	c.want(string(big))
	wantNone("it was choked")
	c.ping("again")
}
