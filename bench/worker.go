package bench

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gonamesrv/codec"
)

// A worker is one event loop of the generator, with connections of every stream. All its
// fields belong to its loop, except atomic ones and those that are set before the loop
// starts.
type worker struct {
	d      *driver
	index  int  // among those
	of     int  // workers that serve
	heavy  bool // the heavy streams, or the others
	polite bool // it gives way to those others
	loop   loop // nil before it starts
	lanes  []*lane

	phase int
	over  bool        // the last phase has ended, and answers to it are waited for
	stats [][]opStats // by phase and operation
	sec   *second     // what the current second has seen
	secNo int
	cmd   codec.Command
	out   []byte
	reply []byte // the first right one, for the ceiling

	unanswered int
	inFlight   atomic.Int64 // unanswered, for others to read
	due        atomic.Int64 // when turn has something to do next
	resting    []*conn
}

// A lane is a worker's part of a stream.
type lane struct {
	stream *stream
	conns  []*conn
	active bool
	// Of an open loop:
	start    int64
	interval float64   // nanoseconds between two requests of this lane
	sched    *schedule // takes the place of interval, unless nil
	issued   int
	limit    int                     // -1 knows no end
	lag      *hdrhistogram.Histogram // how late each request left
}

const never = math.MaxInt64

func newWorker(d *driver, index, of int, heavy, polite bool) (*worker, error) {
	w := &worker{d: d, index: index, of: of, heavy: heavy, polite: polite, sec: newSecond(), secNo: -1}
	w.due.Store(never)
	for range d.phases {
		w.stats = append(w.stats, make([]opStats, len(d.ops)))
	}
	for _, s := range d.streams {
		l := &lane{stream: s, limit: -1}
		first := s.connections * index / of
		n := share(s.connections, index, of)
		if s.heavy != heavy {
			n = 0
		}
		for i := first; i < first+n; i++ {
			c := newConn(l, i, d.seed, s.depth)
			if s.requests > 0 {
				c.left = share(s.requests, i, s.connections)
				l.limit = max(l.limit, 0) + c.left
			}
			l.conns = append(l.conns, c)
		}
		if s.rate > 0 && n > 0 {
			l.lag = newHistogram()
			l.interval = 1e9 / s.rate * float64(s.connections) / float64(n)
			l.sched = newSchedule(s, d, index, of, n)
		}
		w.lanes = append(w.lanes, l)
	}
	loop, err := d.start(w)
	if err != nil {
		return nil, err
	}
	w.loop = loop
	return w, nil
}

// opened is called by the loop when it has a connection.
func (w *worker) opened(c *conn, s socket) {
	c.s = s
	c.in = c.in[:0]
	w.refill(c, w.d.now())
	w.publish()
}

// closed is called by the loop when it has closed a connection, also from within a
// failed write.
func (w *worker) closed(c *conn, err error) {
	c.s = nil
	for i := range c.slots {
		if s := &c.slots[i]; s.opaque != 0 {
			if s.op != fenceOp {
				w.stats[s.phase][s.op].fail(ErrorClosed)
			}
			*s = slot{}
		}
	}
	w.unanswered -= c.unanswered
	c.unanswered = 0
	c.src.reset()
	w.publish()
	w.d.closed(w, c, err)
}

// traffic is called by the loop with what a read has brought, which it borrows. It
// returns false when the connection is to be closed.
func (w *worker) traffic(c *conn, in []byte) bool {
	now := w.d.now()
	partial := len(c.in) > 0
	if partial {
		c.in = append(c.in, in...)
		in = c.in
	}
	for len(in) > 0 {
		n, err := codec.SplitFrame(in)
		if err != nil {
			w.d.wrong(w, c, nil, "stream cannot be cut: "+err.Error(), in)
			return false
		}
		if n == 0 || n > len(in) {
			break
		}
		w.take(c, in[:n], now)
		in = in[n:]
	}
	if partial || len(in) > 0 {
		c.in = append(c.in[:0], in...)
	}
	w.refill(c, now)
	w.publish()
	return true
}

func (w *worker) publish() { w.inFlight.Store(int64(w.unanswered)) }

// take judges one reply.
func (w *worker) take(c *conn, frame []byte, now int64) {
	if err := w.cmd.Decode(frame); err != nil {
		w.d.wrong(w, c, nil, err.Error(), frame)
		return
	}
	if !w.cmd.Flag.IsResponse() {
		w.d.wrong(w, c, nil, "is no response", frame)
		return
	}
	s, ok := c.take(w.cmd.Opaque)
	if !ok {
		w.d.wrong(w, c, nil, fmt.Sprintf("opaque %d was not asked for, or is answered already", w.cmd.Opaque), frame)
		return
	}
	w.unanswered--
	var kind, wrong string
	if !w.d.lenient {
		kind, wrong = s.want.check(&w.cmd, s.intended, s.arg)
	}
	if s.op == fenceOp {
		if kind+wrong != "" {
			w.d.wrong(w, c, &s, kind+wrong, frame)
		}
		return
	}
	st := &w.stats[s.phase][s.op]
	st.bytes.Received += uint64(len(frame))
	switch {
	case wrong != "":
		w.d.wrong(w, c, &s, wrong, frame)
	case kind != "":
		st.fail(kind)
	default:
		st.record(now - s.intended)
		if w.over || int(s.phase) != w.phase {
			st.after++
		}
		if c.lane.lag != nil {
			st.recordFromWrite(now - s.written)
		}
		if w.reply == nil {
			w.reply = append(w.reply, frame...)
		}
	}
	w.count(now, now-s.intended)
}

// count counts a reply in its second.
func (w *worker) count(now, latency int64) {
	if w.d.measured.Load() == 0 || w.phase == 0 {
		return
	}
	n := int((now - w.d.measured.Load()) / 1e9)
	if n != w.secNo {
		w.endSecond()
		w.secNo = n
	}
	w.sec.record(latency)
}

func (w *worker) endSecond() {
	if w.secNo >= 0 && w.sec.replies > 0 {
		w.d.series.add(w.secNo, w.d.phases[w.phase].name, w.sec)
	}
}

// refill keeps a closed loop going.
func (w *worker) refill(c *conn, now int64) {
	s := c.lane.stream
	if !c.lane.active || s.rate > 0 || c.s == nil || c.rests {
		return
	}
	n := s.depth - c.unanswered
	if c.left >= 0 {
		n = min(n, c.left)
	}
	if n <= 0 {
		return
	}
	if s.pause > 0 {
		c.resume = now + c.rng.Int64N(int64(s.pause))
		c.rests = true
		w.resting = append(w.resting, c)
		w.due.Store(min(w.due.Load(), c.resume))
		return
	}
	w.out = w.out[:0]
	for range n {
		w.issue(c, now, now)
	}
	w.flush(c)
}

// issue appends the connection's next request, which is about to be written, to its output.
func (w *worker) issue(c *conn, intended, now int64) {
	if c.left >= 0 {
		c.left--
		w.d.left.Add(-1)
	}
	start := len(w.out)
	opaque := c.nextOpaque()
	var a ask
	w.out, a = c.src.next(w.out, opaque)
	st := &w.stats[w.phase][a.op]
	switch {
	case c.s == nil:
		st.fail(ErrorConnect)
		w.out = w.out[:start]
		return
	case c.full():
		st.fail(ErrorOverrun)
		w.out = w.out[:start]
		return
	}
	st.sent++
	st.bytes.Sent += uint64(len(w.out) - start)
	if l := c.lane; l.lag != nil {
		st.recordLateness(now - intended)
		if w.phase > 0 {
			recordIn(l.lag, now-intended)
		}
	}
	if a.want != nil {
		c.put(slot{opaque: opaque, op: int16(a.op), phase: int16(w.phase), intended: intended, written: now, arg: a.arg, want: a.want})
		w.unanswered++
	}
}

// flush writes the output. closed is called when that fails.
func (w *worker) flush(c *conn) {
	if len(w.out) > 0 && c.s != nil {
		_, _ = c.s.Write(w.out)
	}
}

// turn sends what is due by now.
func (w *worker) turn(now int64) { w.step(now, math.MaxInt) }

// burst is how many requests of a stream leave before the loop looks for replies again:
// a worker that is behind must not be late with both.
const burst = 16

// step sends what is due by now, at most so many requests of each stream, and says when it
// is needed next.
func (w *worker) step(now int64, most int) {
	due := int64(never)
	for _, l := range w.lanes {
		if l.active && l.stream.rate > 0 && len(l.conns) > 0 {
			due = min(due, w.issueDue(l, now, most))
		}
	}
	kept := w.resting[:0]
	for _, c := range w.resting {
		if c.resume > now {
			kept = append(kept, c)
			due = min(due, c.resume)
			continue
		}
		c.rests = false
		w.resume(c, now)
	}
	w.resting = kept
	w.due.Store(due)
	w.publish()
}

// resume sends the request that a connection has rested for.
func (w *worker) resume(c *conn, now int64) {
	if !c.lane.active || c.s == nil {
		return
	}
	w.out = w.out[:0]
	w.issue(c, now, now)
	w.flush(c)
}

// issueDue sends what is due in an open loop, at most so many requests, all of one
// connection in one write, and returns when the next request is.
func (w *worker) issueDue(l *lane, now int64, most int) int64 {
	intended := func(i int) int64 { return l.start + int64(float64(i)*l.interval) }
	until := int(math.Floor(float64(now-l.start)/l.interval)) + 1
	if l.sched != nil {
		intended = func(i int) int64 { return l.start + l.sched.at(i) }
		until = l.sched.by(now-l.start, l.issued)
	}
	if l.limit >= 0 {
		until = min(until, l.limit)
	}
	if until-l.issued > most {
		until = l.issued + most
	}
	n := len(l.conns)
	for first := l.issued; first < min(until, l.issued+n); first++ {
		c := l.conns[first%n]
		w.out = w.out[:0]
		leaves := w.d.now() // each write takes its time
		for i := first; i < until; i += n {
			w.issue(c, intended(i), leaves)
		}
		w.flush(c)
	}
	l.issued = max(l.issued, until)
	if l.limit >= 0 && l.issued >= l.limit {
		return never
	}
	return intended(l.issued)
}

// fence asks on every connection of l for an answer: when it is there, all
// that was sent before has been read. It returns how often it asked.
func (w *worker) fence(l *lane) (asked uint64) {
	for _, c := range l.conns {
		if c.s == nil {
			continue
		}
		opaque := c.nextOpaque()
		var a ask
		w.out, a = c.src.(fencer).fence(w.out[:0], opaque)
		c.put(slot{opaque: opaque, op: fenceOp, phase: int16(w.phase), intended: w.d.now(), arg: a.arg, want: a.want})
		w.unanswered++
		w.flush(c)
		asked++
	}
	w.publish()
	return asked
}

// do runs f on the loop and returns when it has run.
func (w *worker) do(f func()) {
	done := make(chan struct{})
	if w.loop.execute(func() {
		f()
		close(done)
	}) {
		<-done
	}
}
