package engine

import (
	"time"

	"github.com/valyala/bytebufferpool"
)

// A job is one entry of a lane: a task with its frame, or a post.
type job struct {
	next  *job
	level *level
	task  Task
	frame *bytebufferpool.ByteBuffer // nil for a post
	loan  *loan                      // by which it has the frame, nil if that is a copy
	post  func()
	at    time.Duration // when the task arrived, engine time
}

// A lane is the queue of one connection in one executor, which is what keeps
// the connection's tasks in order. A worker takes it off the run queue, so no
// two work on it at once.
type lane struct {
	x    *Executor
	c    *conn
	next *lane // of the same connection, for another executor; constant

	// The following are guarded by x.mu.

	head, tail *job
	waiting    int  // jobs from head to tail
	busy       bool // in the run queue or with a worker, never both
	link       *lane
}

func (ln *lane) push(j *job) {
	if ln.tail == nil {
		ln.head = j
	} else {
		ln.tail.next = j
	}
	ln.tail = j
	ln.waiting++
}

// take detaches the first n jobs, or fewer if those behind have another level.
func (ln *lane) take(n int) *job {
	first, last := ln.head, ln.head
	ln.waiting--
	for ; n > 1 && last.next != nil && last.next.level == first.level; n-- {
		last = last.next
		ln.waiting--
	}
	ln.head = last.next
	if ln.head == nil {
		ln.tail = nil
	}
	last.next = nil
	return first
}

// A laneQueue is a run queue: lanes with work and without a worker.
type laneQueue struct{ head, tail *lane }

func (q *laneQueue) push(ln *lane) {
	ln.link = nil
	if q.tail == nil {
		q.head = ln
	} else {
		q.tail.link = ln
	}
	q.tail = ln
}

func (q *laneQueue) pop() *lane {
	ln := q.head
	q.head, ln.link = ln.link, nil
	if q.head == nil {
		q.tail = nil
	}
	return ln
}

// lane returns c's lane in x. It is made by the first who asks and lives as
// long as c. A connection uses two or three executors, so the list is short;
// it only ever grows, and needs no lock.
func (c *conn) lane(x *Executor) *lane {
	var made *lane
	for {
		head := c.lanes.Load()
		for ln := head; ln != nil; ln = ln.next {
			if ln.x == x {
				return ln
			}
		}
		if made == nil {
			made = &lane{x: x, c: c}
		}
		made.next = head
		if c.lanes.CompareAndSwap(head, made) {
			return made
		}
	}
}
