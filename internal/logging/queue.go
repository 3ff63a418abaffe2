package logging

import (
	"context"
	"io"
	"slices"
	"sync"
)

// queueBytes is how many bytes may wait for one destination: what a cluster of
// some thousand brokers has to say when it starts, and all goroutine stacks.
const queueBytes = 4 << 20

// A Queue takes lines for a writer that may block for ever, and writes them in
// their order, each by one Write. Its own Write never blocks and never fails.
// Safe from any goroutine.
type Queue struct {
	w     io.Writer
	limit int // of bytes
	ended chan struct{}

	mu      sync.Mutex
	some    sync.Cond                // lines is not empty, or closed is set
	note    func(dropped int) []byte // the line that says how many were dropped; nil keeps the number
	failed  func(error)              // is told of each failed write; may be nil
	lines   []line
	bytes   int // of lines, those included that are being written
	full    bool
	dropped int // since the last line that said how many
	lost    uint64
	closed  bool
}

// A line is some bytes, and how many lines are missing if they cannot be written.
type line struct {
	text   []byte
	counts int
	note   bool // it says how many are missing, which are counted as lost already
}

// lost is how many lines are lost with l.
func (l line) lost() uint64 {
	if l.note {
		return 0
	}
	return uint64(l.counts)
}

// NewQueue returns a Queue for w and starts its goroutine, which ends after
// Close.
func NewQueue(w io.Writer) *Queue { return newQueue(w, queueBytes) }

func newQueue(w io.Writer, limit int) *Queue {
	q := &Queue{w: w, limit: limit, ended: make(chan struct{})}
	q.some.L = &q.mu
	go q.run()
	return q
}

// Write queues a copy of p, or drops it when there is no room. A queue that was
// full takes nothing until half of it is written. Else it would write little but
// how many lines were dropped.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full && q.bytes <= q.limit/2 {
		q.full = false
	}
	if q.closed || q.full || q.bytes+len(p) > q.limit {
		q.full = true
		q.dropped++
		q.lost++
		return len(p), nil
	}
	q.sayDropped()
	q.push(line{text: slices.Clone(p), counts: 1})
	return len(p), nil
}

// sayDropped queues how many lines were dropped, if there were any. Under mu.
func (q *Queue) sayDropped() {
	if q.dropped > 0 && q.note != nil {
		q.push(line{text: q.note(q.dropped), counts: q.dropped, note: true})
		q.dropped = 0
	}
}

// push queues a line. Under mu.
func (q *Queue) push(l line) {
	q.lines = append(q.lines, l)
	q.bytes += len(l.text)
	q.some.Signal()
}

// wake queues an empty line, so that the writer is called even if nobody logs.
func (q *Queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.push(line{})
	}
}

// run writes until the queue is closed and empty. A line that cannot be written
// counts as dropped: when the disk has room again, a line says how many. Of a pipe
// whose reader is gone nobody learns that.
func (q *Queue) run() {
	defer close(q.ended)
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.lines) == 0 && !q.closed {
			q.some.Wait()
		}
		if len(q.lines) == 0 {
			return
		}
		l := q.lines[0]
		q.lines[0].text = nil
		q.lines = q.lines[1:]
		failed := q.failed
		q.mu.Unlock()
		_, err := q.w.Write(l.text)
		if err != nil && failed != nil {
			failed(err)
		}
		q.mu.Lock()
		q.bytes -= len(l.text)
		if err != nil {
			q.dropped += l.counts
			q.lost += l.lost()
		}
	}
}

// Dropped returns how many lines were dropped since the last line that said so.
func (q *Queue) Dropped() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Lost returns how many lines were dropped since the beginning.
func (q *Queue) Lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// Close makes the queue drop whatever else comes, and returns when all lines
// are written, or when ctx is done. Closing twice waits twice.
func (q *Queue) Close(ctx context.Context) {
	q.mu.Lock()
	if !q.closed {
		q.sayDropped()
		q.closed = true
		q.some.Signal()
	}
	q.mu.Unlock()
	select {
	case <-q.ended:
	case <-ctx.Done():
	}
}
