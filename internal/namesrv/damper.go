package namesrv

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
)

const (
	// manyMisses is how often in a second a connection may ask for a topic that is not
	// there, before the answers to its further misses come later. fewMisses is how seldom
	// it must have asked in a second for that to end: one client that asks again as soon
	// as it is answered does so seven to ten times.
	manyMisses = 20
	fewMisses  = 5

	// missDelay is how much later at least. A Java producer holds a lock while it asks for
	// a route, which other threads give up after 3 s, so it must not be much more.
	missDelay = 100 * time.Millisecond

	// missSteps is how many delays there are, each missRound longer than the one before.
	// A connection has always the same, so its answers keep their order.
	missSteps = 30

	// missRound is the time between two rounds in which answers are sent.
	missRound = time.Millisecond

	// How many answers may wait, and how long each may be in bytes. All others are sent
	// at once.
	maxDelayed      = 10_000
	maxDelayedReply = 1 << 10
)

// A damper slows down those who ask again and again for topics that are not there. To
// answer such a question costs as little as any; the harm is the loop of a client, who
// asks as fast as it is answered, for the topic and for TBW102 in turn. Its answers come
// missDelay later or a little more, so it asks at most ten times a second instead of
// thousands. What else it asks is answered at once; clients know answers by their opaque,
// not by their order.
//
// With the same delay for all, clients that once were answered in one round would be so
// for ever: they ask again together. Their answers and next questions would be a burst,
// ten times a second, that everybody else has to wait for. So connections differ in their
// delay, and rounds are short. Safe from any goroutine.
//
// Differs from Java, which answers at once.
type damper struct {
	budget *engine.Budget
	askers [missStripes]missTable // by connection

	delayed    atomic.Uint64 // answers
	notDelayed atomic.Uint64 // answers for which there was no room
	monitored  atomic.Uint64 // answers that would have been delayed

	sooner chan struct{} // has a value when an answer is due before the next round; never closed

	mu      sync.Mutex // guards the following
	running bool
	waiting [missSteps][]delayedReply // by delay, so those that are due first come first
	count   int                       // of all in waiting
	round   time.Time                 // the next; zero: none
}

// A delayedReply is the frame of an answer, which its damper owns.
type delayedReply struct {
	due   time.Time
	conn  engine.Conn
	frame []byte
}

func newDamper(b *engine.Budget) *damper {
	return &damper{budget: b, sooner: make(chan struct{}, 1)}
}

// clock is what a damper measures with.
func (d *damper) clock() time.Time { return time.Now() }

// run sends the answers that are due until ctx is done, then all that are left. From
// then on none is delayed.
func (d *damper) run(ctx context.Context) {
	d.mu.Lock()
	d.running = true
	d.mu.Unlock()
	defer d.stop()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		var timer <-chan time.Time
		if wait := d.sendDue(); wait > 0 {
			t.Reset(wait)
			timer = t.C
		}
		select {
		case <-ctx.Done():
			return
		case <-d.sooner:
		case <-timer:
		}
	}
}

func (d *damper) stop() {
	d.mu.Lock()
	d.running = false
	left := d.waiting
	d.waiting, d.count = [missSteps][]delayedReply{}, 0
	d.mu.Unlock()
	for _, replies := range left {
		d.send(replies)
	}
}

// sendDue sends what is due and returns how long it is to the next round, 0 if none
// waits.
func (d *damper) sendDue() (wait time.Duration) {
	now := d.clock()
	d.mu.Lock()
	var due [missSteps][]delayedReply
	d.round = time.Time{}
	for step, replies := range d.waiting {
		n := 0
		for n < len(replies) && !now.Before(replies[n].due) {
			n++
		}
		due[step], replies = replies[:n:n], replies[n:]
		d.waiting[step] = replies
		d.count -= n
		if len(replies) > 0 && (d.round.IsZero() || replies[0].due.Before(d.round)) {
			d.round = replies[0].due
		}
	}
	if d.count > 0 {
		wait = max(d.round.Sub(now), missRound)
		d.round = now.Add(wait)
	}
	d.mu.Unlock()
	for _, replies := range due {
		d.send(replies)
	}
	return wait
}

func (d *damper) send(replies []delayedReply) {
	for i := range replies {
		r := &replies[i]
		r.conn.Send(r.frame)
		d.budget.Release(cap(r.frame))
		*r = delayedReply{}
	}
}

// delay sends frame to c later and reports whether there was room for it. It is the
// damper's from then on.
func (d *damper) delay(c engine.Conn, frame []byte) bool {
	if len(frame) > maxDelayedReply || !d.budget.Reserve(cap(frame)) {
		d.notDelayed.Add(1)
		return false
	}
	step := c.ID() % missSteps
	due := d.clock().Add(missDelay + time.Duration(step)*missRound)
	d.mu.Lock()
	ok := d.running && d.count < maxDelayed
	sooner := ok && (d.round.IsZero() || due.Before(d.round))
	if ok {
		d.waiting[step] = append(d.waiting[step], delayedReply{due, c, frame})
		d.count++
	}
	if sooner {
		d.round = due
	}
	d.mu.Unlock()
	switch {
	case !ok:
		d.budget.Release(cap(frame))
		d.notDelayed.Add(1)
		return false
	case sooner:
		select {
		case d.sooner <- struct{}{}:
		default:
		}
	}
	d.delayed.Add(1)
	return true
}

// missStripes is over how many tables the connections are spread, so that they seldom
// wait for the same lock.
const missStripes = 16

// A missTable counts the misses of some connections: those that have missed at all.
type missTable struct {
	mu     sync.Mutex
	byConn map[uint64]*missCount // under mu
}

// A missCount counts the misses of one connection.
type missCount struct {
	since time.Time // when the present second began
	n     int       // misses in it
	many  bool      // there are too many
}

// miss counts one, and reports whether its answer is to be delayed, and whether it is
// the first.
func (m *missCount) miss(now time.Time) (many, first bool) {
	if age := now.Sub(m.since); age >= time.Second {
		m.many = m.many && m.n >= fewMisses && age < 2*time.Second
		m.since, m.n = now, 0
	}
	m.n++
	first = !m.many && m.n > manyMisses
	m.many = m.many || first
	return m.many, first
}

// miss counts a miss of a connection, which may be gone already.
func (d *damper) miss(c engine.Conn) (many, first bool) {
	many, first = d.missOf(c.ID())
	if !c.Alive() { // forget may have come before
		d.forget(c.ID())
	}
	return many, first
}

func (d *damper) missOf(id uint64) (many, first bool) {
	t := &d.askers[id%missStripes]
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.byConn[id]
	if m == nil {
		if t.byConn == nil {
			t.byConn = map[uint64]*missCount{}
		}
		m = &missCount{since: d.clock()}
		t.byConn[id] = m
	}
	return m.miss(d.clock())
}

// forget says that a connection is gone.
func (d *damper) forget(id uint64) {
	t := &d.askers[id%missStripes]
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byConn, id)
}

// normalMisses are the names, or beginnings of names, of topics for which well-behaved
// clients and brokers ask though they are not there: what new topics are made from, what
// belongs to a consumer group, and what slaves watch their master by.
var (
	normalMisses        = [][]byte{[]byte("TBW102"), []byte("AUTO_CREATE_TOPIC_KEY")}
	normalMissBeginning = [][]byte{[]byte("%RETRY%"), []byte("%DLQ%"), []byte("rmq_sys_SYNC_BROKER_MEMBER_")}
)

func isNormalMiss(topic []byte) bool {
	for _, name := range normalMisses {
		if bytes.Equal(topic, name) {
			return true
		}
	}
	for _, beginning := range normalMissBeginning {
		if bytes.HasPrefix(topic, beginning) {
			return true
		}
	}
	return false
}

// noteMiss counts that there is no route to the topic that r asks for. r is answered
// later if its connection has asked too often for what is not there.
func (s *Server) noteMiss(r *request, mode string, topic []byte) {
	if mode == modeOff || isNormalMiss(topic) {
		return
	}
	many, first := s.damper.miss(r.conn)
	if first {
		s.logLimited(slog.LevelWarn, "a client asks again and again for topics that are not there", func() []any {
			return []any{"topic", clip(string(topic)), "conn", r.conn.ID(), "remote", r.conn.RemoteAddr(), "missDamping", mode}
		})
	}
	switch {
	case !many:
	case mode == modeMonitor:
		s.damper.monitored.Add(1)
	default:
		r.damped = true
	}
}

// answerDamped is answer for a request that is answered later.
func (s *Server) answerDamped(r *request, out []byte, reply codec.Reply, err error) []byte {
	frame := s.answer(r, nil, reply, err)
	if len(frame) == 0 || s.damper.delay(r.conn, frame) {
		return out
	}
	return append(out, frame...)
}

// A MissStats shows how those are slowed down who ask again and again for topics that are
// not there: missDamping.
type MissStats struct {
	Askers     int    // connections that have asked for one
	Waiting    int    // answers that wait now, at most 10,000
	Delayed    uint64 // answers
	NotDelayed uint64 // answers that should have been, and for which there was no room
	Monitored  uint64 // answers that would have been, had missDamping been enforce
}

func (d *damper) stats() MissStats {
	st := MissStats{Delayed: d.delayed.Load(), NotDelayed: d.notDelayed.Load(), Monitored: d.monitored.Load()}
	for i := range d.askers {
		t := &d.askers[i]
		t.mu.Lock()
		st.Askers += len(t.byConn)
		t.mu.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	st.Waiting = d.count
	return st
}
