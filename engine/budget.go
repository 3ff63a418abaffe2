package engine

import (
	"sync/atomic"
	"time"
)

// defaultBudget is that of an engine or executor that is given none.
const defaultBudget = 1 << 30

// A Budget bounds the bytes that peers make the process hold, over all
// connections of an [Engine] and all queues of the [Executor]s that share it.
// One half is for what waits for peers: unfinished frames, requests of those
// who do not read their replies, replies nobody has read yet. The other is for
// what waits for us: queued requests. So neither can take the other's place.
//
// Small requests that are answered on the loop reserve nothing. Safe from any
// goroutine.
type Budget struct {
	half         int64
	held, queued atomic.Int64
}

// NewBudget returns a budget of so many bytes. 0 or less: 1 GiB.
func NewBudget(limit int64) *Budget {
	if limit <= 0 {
		limit = defaultBudget
	}
	return &Budget{half: limit / 2}
}

// Limit returns the bytes of both halves.
func (b *Budget) Limit() int64 { return 2 * b.half }

// Held returns the bytes that wait for peers now, at most half of the limit.
func (b *Budget) Held() int64 { return b.held.Load() }

// Queued returns the bytes that wait for workers now, at most half of the limit.
func (b *Budget) Queued() int64 { return b.queued.Load() }

// Reserve counts in n bytes that the work on a request is about to allocate, on
// the half for queued work, and reports whether there is room for them. The caller
// gives them back by Release.
func (b *Budget) Reserve(n int) bool { return b.take(&b.queued, n) }

// Release counts out what Reserve has counted in.
func (b *Budget) Release(n int) { b.queued.Add(-int64(n)) }

// take counts n bytes in on one of the halves, unless it has no room for them.
func (b *Budget) take(half *atomic.Int64, n int) bool { return claim(half, int64(n), b.half) }

// claim adds n to a counter unless that would then be above limit. It compares
// before it adds, so that a claim that fails never blocks one beside it that
// fits, not even for a moment.
func claim(counter *atomic.Int64, n, limit int64) bool {
	for {
		held := counter.Load()
		if held+n > limit {
			return false
		}
		if counter.CompareAndSwap(held, held+n) {
			return true
		}
	}
}

// tight reports whether three quarters of what may be held are: time to close
// some of those who hold it.
func (b *Budget) tight() bool { return b.excess() > 0 }

// excess returns how many bytes are held beyond that.
func (b *Budget) excess() int64 { return b.held.Load() - b.half/4*3 }

// reserve counts n bytes in that wait for a peer and reports whether there was
// room for them. If little is left, the loops evict those who hold bytes. Safe from
// any goroutine.
func (e *Engine) reserve(n int) bool {
	ok := e.o.Budget.take(&e.o.Budget.held, n)
	if !ok || e.o.Budget.tight() {
		e.relieve(nil)
	}
	return ok
}

// release counts out what reserve or afford has counted in.
func (e *Engine) release(n int) {
	if n != 0 {
		e.o.Budget.held.Add(-int64(n))
	}
}

// relieve makes every loop but one evict those who hold bytes, if need be.
func (e *Engine) relieve(but *loop) {
	for _, l := range e.loops {
		if l != but && l.reliefWaiting.CompareAndSwap(false, true) {
			l.execute(l.reliefTask)
		}
	}
}

// afford is reserve for c, by its loop, which makes room at once: it evicts the
// connection that has held bytes for longest, and the other loops do the same. An
// honest peer holds bytes only for a moment, so it is evicted only if a whole budget
// of bytes has come in that moment. If afford returns false, the caller closes c.
// Loop only.
func (l *loop) afford(c *conn, n int) bool {
	b := l.e.o.Budget
	ok := b.take(&b.held, n)
	if ok && !b.tight() {
		return true
	}
	for !ok || b.tight() {
		oldest := l.oldestHolder()
		if oldest == nil || oldest == c {
			break
		}
		l.evict(oldest)
		ok = ok || b.take(&b.held, n)
	}
	if !ok || b.tight() {
		l.e.relieve(l)
	}
	return ok
}

// relief evicts the connections that have held bytes for longest, one after the
// other, until there is room again.
func (l *loop) relief() {
	l.reliefWaiting.Store(false)
	for l.e.o.Budget.tight() {
		oldest := l.oldestHolder()
		if oldest == nil {
			return
		}
		l.evict(oldest)
	}
}

// oldestHolder returns the connection that has held bytes for longest, nil if
// none holds any. Where the clock, which ticks once a second, sees no difference,
// a peer that sends faster than it can be answered comes first, and one that does
// not read next.
func (l *loop) oldestHolder() (oldest *conn) {
	var since time.Duration
	older := func(c *conn, from time.Duration) {
		if oldest == nil || from < since {
			oldest, since = c, from
		}
	}
	if c := l.lagged.head; c != nil {
		older(c, c.backlog.lagged)
	}
	if c := l.unsent.head; c != nil {
		older(c, c.backlog.unsent.owing)
	}
	for i := range l.frames {
		if c := l.frames[i].head; c != nil {
			older(c, c.backlog.in.began)
		}
	}
	return oldest
}

// evict closes c to make room, unless it turns out to hold nothing any more.
func (l *loop) evict(c *conn) {
	if !c.listed(byFrame) && !c.listed(byBehind) {
		if l.look(c); c.gone || !c.listed(byUnsent) {
			l.cool(c)
			return
		}
	}
	l.close(c, ErrOverloaded)
	c.unlink(byFrame) // never look at it twice
	c.unlink(byUnsent)
	c.unlink(byBehind)
}
