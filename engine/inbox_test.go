package engine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/valyala/bytebufferpool"
	"pgregory.net/rapid"
)

// A testMemory counts what an inbox or an outbox takes and gives back. Buffers
// are as large as was asked for, and spoilt when they are given back.
type testMemory struct {
	t        rapid.TB
	reserved int
	refuse   func(n int) bool // nil: never
	lent     map[*bytebufferpool.ByteBuffer]bool
}

func (m *testMemory) get(n int) *bytebufferpool.ByteBuffer {
	b := &bytebufferpool.ByteBuffer{B: make([]byte, 0, n)}
	if m.lent == nil {
		m.lent = make(map[*bytebufferpool.ByteBuffer]bool)
	}
	m.lent[b] = true
	return b
}

func (m *testMemory) put(b *bytebufferpool.ByteBuffer) {
	m.t.Helper()
	if !m.lent[b] {
		m.t.Fatal("a buffer is given back that is not there to be")
	}
	delete(m.lent, b)
	spoil(b.B[:cap(b.B)])
}

func (m *testMemory) reserve(n int) bool {
	if m.refuse != nil && m.refuse(n) {
		return false
	}
	m.reserved += n
	return true
}

func (m *testMemory) release(n int) { m.reserved -= n }

// wantNothing wants everything given back.
func (m *testMemory) wantNothing() {
	m.t.Helper()
	if m.reserved != 0 || len(m.lent) != 0 {
		m.t.Fatalf("%d bytes are reserved and %d buffers lent in the end, want none", m.reserved, len(m.lent))
	}
}

func spoil(b []byte) {
	for i := range b {
		b[i] = 0xdd
	}
}

var testInboxLimits = inboxLimits{
	split: splitInt32, maxFrame: 1 << 20, ahead: 1000,
	first: 10 * time.Second, later: 30 * time.Second, resolution: time.Second,
}

// An inboxStep is one turn of TestInbox. Exactly one of feed, fill, buffer and
// reopen says how it begins.
type inboxStep struct {
	feed   []byte
	fill   []byte // read into room
	buffer []byte
	reopen bool

	at     time.Duration
	most   int      // frames that are served; 0: all
	yields []string // payloads
	err    error
	held   int  // bytes reserved afterwards
	waits  bool // a frame is unfinished and its time runs
}

func TestInbox(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	a, b := textFrame("a"), textFrame("b")
	long := textFrame("%0996d", 7) // 1,000 bytes
	huge := frameOf(make([]byte, 1<<20-4))
	for _, c := range []struct {
		name  string
		steps []inboxStep
	}{
		{"whole frames cost nothing", []inboxStep{
			{feed: join(a, b, a), yields: []string{"a", "b", "a"}},
		}},
		{"a frame in two pieces", []inboxStep{
			{feed: long[:10], held: 1000, waits: true},
			{feed: long[10:], yields: []string{string(long[4:])}},
		}},
		{"a length in two pieces costs what has come", []inboxStep{
			{feed: a[:2], held: 2, waits: true},
			{feed: join(a[2:], b), yields: []string{"a", "b"}},
		}},
		{"the end of one and the beginning of the next", []inboxStep{
			{feed: join(a, long[:500]), yields: []string{"a"}, held: 1000, waits: true},
			{feed: join(long[500:], long[:3]), yields: []string{string(long[4:])}, held: 3, waits: true},
		}},
		{"an announcement costs little", []inboxStep{
			{feed: huge[:7], held: smallBuffer, waits: true},
			{feed: huge[7:1000], held: smallBuffer, waits: true},
			{feed: huge[1000:5000], held: 8192, waits: true},
			{feed: huge[5000 : 1<<18-1], held: 1 << 18, waits: true},
			{feed: huge[1<<18-1 : 1<<18], held: 1 << 18, waits: true},
			{feed: huge[1<<18 : 1<<18+1], held: 1 << 20, waits: true},
			{feed: huge[1<<18+1:], yields: []string{string(huge[4:])}},
		}},
		{"read into its place", []inboxStep{
			{feed: long[:10], held: 1000, waits: true},
			{fill: long[10:500], held: 1000, waits: true},
			{fill: long[500:], yields: []string{string(long[4:])}},
		}},
		{"read into its place with what is behind it", []inboxStep{
			{feed: huge[:300], held: smallBuffer, waits: true},
			{feed: join(huge[300:], long[:1]), yields: []string{string(huge[4:])}, held: 1, waits: true},
			{fill: join(long[1:2]), held: 4, waits: true},
		}},
		{"had enough in the middle of a read", []inboxStep{
			{feed: join(a, b, long[:5]), most: 1, yields: []string{"a"}, held: 10},
			{buffer: long[5:], held: 1024},
			{reopen: true, yields: []string{"b", string(long[4:])}},
		}},
		{"had enough before a frame that is whole", []inboxStep{
			{feed: a[:4], held: 5, waits: true},
			{feed: join(a[4:], b, b), most: 1, yields: []string{"a"}, held: 10},
			{reopen: true, most: 1, yields: []string{"b"}, held: 10},
			{buffer: a, held: 16},
			{reopen: true, yields: []string{"b", "a"}},
		}},
		{"little is left of much", []inboxStep{
			{feed: join(a, long, long, long[:100]), most: 1, yields: []string{"a"}, held: 2100},
			{reopen: true, yields: []string{string(long[4:]), string(long[4:])}, held: 1000, waits: true},
		}},
		{"malformed behind a frame", []inboxStep{
			{feed: join(a, []byte{0x80, 0, 0, 0}), yields: []string{"a"}, err: ErrMalformed},
		}},
		{"malformed in pieces", []inboxStep{
			{feed: []byte{0x80}, held: 1, waits: true},
			{feed: []byte{0, 0, 0, 1}, err: ErrMalformed, held: 8},
		}},
		{"a frame above the limit", []inboxStep{
			{feed: []byte{0, 16, 0, 0}, err: ErrMalformed},
		}},
		{"buffered up to the limit", []inboxStep{
			{buffer: make([]byte, 1000), held: 1000}, // 250 empty frames
			{buffer: make([]byte, 4), held: 1024},    // one of them and 1,000
			{buffer: make([]byte, 1), err: ErrFlood, held: 1024},
		}},
		{"one frame may be buffered whatever its size", []inboxStep{
			{buffer: huge, held: len(huge)},
			{buffer: make([]byte, 1000), held: 1 << 21},
			{buffer: make([]byte, 1), err: ErrFlood, held: 1 << 21},
		}},
		{"malformed while it is not served", []inboxStep{
			{buffer: join([]byte{0x80}, make([]byte, 1000)), err: ErrMalformed, held: 1001},
		}},
		{"time of a first frame", []inboxStep{
			{at: 5 * time.Second, feed: a[:1], held: 1, waits: true},
			{at: 10 * time.Second, feed: a[1:2], held: 4, waits: true},
			{at: 16 * time.Second, buffer: nil, err: ErrFrameTimeout, held: 4, waits: true},
		}},
		{"time of a later frame", []inboxStep{
			{at: 5 * time.Second, feed: join(a, b[:1]), yields: []string{"a"}, held: 1, waits: true},
			{at: 35 * time.Second, feed: b[1:2], held: 4, waits: true},
			{at: 36 * time.Second, buffer: nil, err: ErrFrameTimeout, held: 4, waits: true},
		}},
		{"the time begins with each frame", []inboxStep{
			{at: 5 * time.Second, feed: a[:1], held: 1, waits: true},
			{at: 15 * time.Second, feed: join(a[1:], b[:1]), yields: []string{"a"}, held: 1, waits: true},
			{at: 45 * time.Second, feed: join(b[1:], a[:1]), yields: []string{"b"}, held: 1, waits: true},
			{at: 75 * time.Second, feed: join(a[1:], b), yields: []string{"a", "b"}},
		}},
		{"while it is not served the time stands still", []inboxStep{
			{at: 5 * time.Second, feed: a[:1], held: 1, waits: true},
			{at: 6 * time.Second, buffer: a[1:2], held: 4},
			{at: 99 * time.Second, reopen: true, held: 4, waits: true},
			{at: 109 * time.Second, feed: a[2:3], held: 4, waits: true},
			{at: 110 * time.Second, buffer: nil, err: ErrFrameTimeout, held: 4, waits: true},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &testMemory{t: t}
			in := inbox{limits: &testInboxLimits}
			for i, step := range c.steps {
				yields, err := step.run(m, &in)
				if !errors.Is(err, step.err) || (err == nil) != (step.err == nil) {
					t.Fatalf("step %d: error %v, want %v", i, err, step.err)
				}
				if fmt.Sprint(yields) != fmt.Sprint(step.yields) {
					t.Fatalf("step %d yields %.80q, want %.80q", i, yields, step.yields)
				}
				if in.held() != step.held || m.reserved != step.held || err == nil && in.isWaiting() != step.waits {
					t.Fatalf("step %d: %d bytes held, %d reserved, waiting %v, want %d and %v",
						i, in.held(), m.reserved, in.isWaiting(), step.held, step.waits)
				}
			}
			in.drop(m)
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
				in := inbox{limits: &testInboxLimits}
				for i := 0; i < len(c.steps) && !refused; i++ {
					_, err := c.steps[i].run(m, &in)
					if errors.Is(err, ErrOverloaded) != refused {
						t.Fatalf("step %d, reservation %d refused: %v; the error is %v", i, at, refused, err)
					}
				}
				in.drop(m)
				m.wantNothing()
			}
		})
	}
}

func (s *inboxStep) run(m *testMemory, in *inbox) (yields []string, err error) {
	if err := in.overdue(s.at); err != nil {
		return nil, err
	}
	switch {
	case s.reopen:
		in.reopen()
	case s.fill != nil:
		room, err := in.room(m, len(s.fill))
		if err != nil {
			return nil, err
		}
		in.fill(copy(room, s.fill))
	case s.buffer != nil:
		return nil, in.buffer(m, bytes.Clone(s.buffer), ErrFlood)
	default:
		data := bytes.Clone(s.feed)
		defer spoil(data)
		if err := in.feed(m, data); err != nil {
			return nil, err
		}
	}
	for s.most == 0 || len(yields) < s.most {
		frame, err := in.next(m)
		if err != nil {
			return yields, err
		}
		if frame == nil {
			return yields, in.keep(m, s.at, true)
		}
		yields = append(yields, string(frame[4:]))
	}
	return yields, in.keep(m, s.at, false)
}

// A frame that is alone in its buffer can be taken out of the inbox with it.
func TestInboxTransfer(t *testing.T) {
	m := &testMemory{t: t}
	in := inbox{limits: &testInboxLimits}
	frame := textFrame("%05000d", 1)
	for _, behind := range [][]byte{nil, textFrame("behind"), frame[:3]} {
		for _, cut := range []int{1, 100, len(frame) - 1} {
			if err := in.feed(m, frame[:cut]); err != nil {
				t.Fatal(err)
			}
			if f, err := in.next(m); f != nil || err != nil {
				t.Fatalf("a fragment yields %d bytes, %v", len(f), err)
			}
			if err := in.keep(m, 0, true); err != nil {
				t.Fatal(err)
			}
			if in.alone() != nil {
				t.Fatal("a fragment can be lent")
			}
			if err := in.feed(m, append(bytes.Clone(frame[cut:]), behind...)); err != nil {
				t.Fatal(err)
			}
			f, err := in.next(m)
			if err != nil {
				t.Fatal(err)
			}
			b := in.alone()
			if b == nil || !bytes.Equal(b.B, frame) || &b.B[0] != &f[0] {
				t.Fatal("the frame is not alone in its buffer")
			}
			in.transfer(m)
			if m.reserved != 0 || !m.lent[b] {
				t.Fatalf("%d bytes reserved and the buffer put back after it was transferred", m.reserved)
			}
			if f, err = in.next(m); err != nil || string(f) != string(behind) && len(behind) > 3 {
				t.Fatalf("behind it %q, %v, want %q", f, err, behind)
			}
			if err := in.keep(m, 0, false); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.B, frame) {
				t.Fatal("the transferred frame was written to")
			}
			in.drop(m)
			m.put(b)
		}
	}
	m.wantNothing()
}

// A streamModel is the plainest inbox there is: it knows the whole stream.
type streamModel struct {
	frames    [][]byte
	stream    []byte
	fed, done int // bytes fed and yielded
	yielded   int // frames
	served    bool
	began     time.Duration // of the frame in which fed lies, while served
}

// whole returns how many bytes of the frame that comes next have been fed, and
// its size; the latter is 0 at the end of the stream.
func (s *streamModel) next() (come, size int) {
	if s.yielded < len(s.frames) {
		size = len(s.frames[s.yielded])
	}
	return s.fed - s.done, size
}

// TestInboxAgainstModel cuts random streams anywhere, reads them in every way, stops
// serving in the middle and has the budget fail: each frame is yielded whole, in
// order and once, what is held is little more than has come, and in the end
// nothing is.
func TestInboxAgainstModel(t *testing.T) {
	splits := map[string]SplitFunc{
		"length": splitInt32,
		"far": func(b []byte) (int, error) { // wants to see more than its first frame
			if len(b) < 12 {
				return 0, nil
			}
			return splitInt32(b)
		},
	}
	var seen struct{ ends, floods, overloads, stalls int }
	rapid.Check(t, func(rt *rapid.T) {
		limits := testInboxLimits
		far := rapid.Bool().Draw(rt, "far")
		limits.split = splits[map[bool]string{false: "length", true: "far"}[far]]
		limits.ahead = rapid.SampledFrom([]int{100, 10_000, 1 << 20}).Draw(rt, "ahead")
		m := &testMemory{t: rt}
		if failures := rapid.SampledFrom([]int{0, 0, 0, 20}).Draw(rt, "failures"); failures > 0 {
			m.refuse = func(int) bool { return rapid.IntRange(0, failures).Draw(rt, "refuse") == 0 }
		}
		s := &streamModel{served: true}
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(4, 20), rapid.IntRange(4, 300), rapid.IntRange(smallBuffer-2, smallBuffer+2), rapid.IntRange(4, 100_000)), 1, 30)
		for i, size := range sizes.Draw(rt, "sizes") {
			f := frameOf(make([]byte, size-4))
			for k := 4; k < size; k++ {
				f[k] = patternByte(uint32(i), k)
			}
			s.frames, s.stream = append(s.frames, f), append(s.stream, f...)
		}
		whole := len(s.stream)
		if far {
			s.stream = append(s.stream, make([]byte, 12)...) // or the last is never seen
		}
		in := inbox{limits: &limits}
		for now := time.Duration(1); s.fed < len(s.stream) || !s.served; now += time.Second {
			if err := s.turn(rt, m, &in, now); err != nil {
				switch {
				case errors.Is(err, ErrOverloaded) && m.refuse != nil:
					seen.overloads++
				case errors.Is(err, ErrFlood):
					seen.floods++
				default:
					rt.Fatal(err)
				}
				in.drop(m)
				m.wantNothing()
				return
			}
			s.check(rt, m, &in, far)
			if !s.served {
				seen.stalls++
			}
		}
		if s.yielded < len(s.frames) || s.done < whole {
			rt.Fatalf("%d of %d frames came out", s.yielded, len(s.frames))
		}
		if !far && !in.isEmpty() {
			rt.Fatalf("%d bytes are held after the last frame", in.held())
		}
		seen.ends++
		in.drop(m)
		m.wantNothing()
	})
	t.Logf("%+v", seen) // TestInbox has each of them for certain
}

// turn makes one random turn.
func (s *streamModel) turn(rt *rapid.T, m *testMemory, in *inbox, now time.Duration) error {
	left := s.stream[s.fed:]
	piece := rapid.OneOf(rapid.IntRange(1, 10), rapid.IntRange(1, 500), rapid.IntRange(1, readBuffer), rapid.IntRange(1, 200_000))
	take := func(most int) []byte {
		n := min(piece.Draw(rt, "piece"), most, len(left))
		s.fed += n
		return left[:n]
	}
	switch {
	case !s.served && len(left) > 0 && rapid.Bool().Draw(rt, "sends on"):
		before, size := s.next()
		data := bytes.Clone(take(len(left)))
		err := in.buffer(m, data, ErrFlood)
		spoil(data)
		if come := before + len(data); errors.Is(err, ErrFlood) != (come > max(size, 4)+in.limits.ahead) && !errors.Is(err, ErrOverloaded) {
			if s.yielded < len(s.frames) { // behind the last there is only what far wants to see
				rt.Fatalf("%d bytes buffered, the first frame has %d: %v", come, size, err)
			}
		}
		return err
	case !s.served:
		in.reopen()
	case rapid.IntRange(0, 9).Draw(rt, "pause") == 0:
		in.pause()
		s.served = false
		return nil
	case !in.isEmpty() && rapid.Bool().Draw(rt, "fill"):
		n, come := 0, []byte(nil)
		if in.missing() > 0 && rapid.Bool().Draw(rt, "known") {
			come = take(in.missing())
			n = len(come)
		}
		room, err := in.room(m, n)
		if err != nil {
			return err
		}
		if n == 0 {
			come = take(len(room))
		}
		in.fill(copy(room, come))
	default:
		data := bytes.Clone(take(len(left)))
		defer spoil(data)
		if err := in.feed(m, data); err != nil {
			return err
		}
	}
	most := rapid.SampledFrom([]int{1000, 1000, 0, 1, 3}).Draw(rt, "most")
	if in.whole != complete && !bytes.Equal(in.peek(), in.todo) {
		rt.Fatal("peek does not begin with the turn")
	}
	unseen := s.done // where in the stream peek goes on
	peeking := rapid.Bool().Draw(rt, "peeking")
	for range most {
		if peeking {
			unseen = s.peek(rt, in, unseen)
		}
		frame, err := in.next(m)
		if err != nil {
			return err
		}
		if frame == nil {
			if !s.served {
				s.began = now
			}
			s.served = true
			break
		}
		if s.yielded == len(s.frames) { // the zeros behind the last, for far
			s.done += len(frame)
			continue
		}
		if !bytes.Equal(frame, s.frames[s.yielded]) {
			rt.Fatalf("frame %d has %d bytes, want %d, or others", s.yielded, len(frame), len(s.frames[s.yielded]))
		}
		s.done += len(frame)
		s.yielded++
		s.began = now
		if b := in.alone(); b != nil && rapid.Bool().Draw(rt, "transfer") {
			in.transfer(m)
			if !bytes.Equal(b.B, frame) {
				rt.Fatal("the frame is not alone in its buffer")
			}
			m.put(b)
		}
		if most < 1000 {
			s.served = false // unless next has nothing more
		}
	}
	if most == 0 {
		s.served = false
	}
	return in.keep(m, now, s.served)
}

// peek peeks, and returns where in the stream it goes on: behind what it saw, once that
// was yielded.
func (s *streamModel) peek(rt *rapid.T, in *inbox, unseen int) int {
	got := in.peek()
	if len(got) == 0 {
		return unseen
	}
	from := s.done
	if from < unseen {
		rt.Fatalf("peek shows byte %d again, it was to go on from %d", from, unseen)
	}
	if !bytes.Equal(got, s.stream[from:s.fed]) {
		rt.Fatalf("peek shows %d bytes, want the %d from %d on, or others", len(got), s.fed-from, from)
	}
	if cap(got) > len(got) {
		rt.Fatal("what peek shows can be appended to")
	}
	n := rapid.IntRange(-1, len(got)+1).Draw(rt, "seen")
	in.saw(n)
	return from + min(max(n, 0), len(got))
}

// check compares in with the model between turns.
func (s *streamModel) check(rt *rapid.T, m *testMemory, in *inbox, far bool) {
	come, size := s.next()
	buffered := 0
	if !in.isEmpty() {
		buffered = len(in.buf.B) - in.off
	}
	if buffered != come {
		rt.Fatalf("%d bytes are buffered, want the %d that were fed and not yielded", buffered, come)
	}
	if m.reserved != in.held() {
		rt.Fatalf("%d bytes reserved, %d held", m.reserved, in.held())
	}
	if most := max(smallBuffer, 4*(come+1)); in.held() > most {
		rt.Fatalf("%d bytes are held for %d that came", in.held(), come)
	}
	if waits := s.served && come > 0; in.isWaiting() != waits {
		rt.Fatalf("waiting %v with %d of %d bytes, served %v", in.isWaiting(), come, size, s.served)
	}
	if !in.isWaiting() {
		return
	}
	if !far && come >= size {
		rt.Fatalf("%d bytes of a frame of %d wait", come, size)
	}
	if in.began < s.began {
		rt.Fatalf("the frame began at %v, one before it was yielded at %v", in.began, s.began)
	}
}
