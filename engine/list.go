package engine

import "time"

// The kinds of lists that a connection may be in, one of each kind at a time.
const (
	byIdleness = iota // idle.go: until it is silent for too long
	byFrame           // assembly.go: until its unfinished frame takes too long
	byUnsent          // backpressure.go: until it has read its replies
	byBehind          // fairness.go: until a turn ends with nothing left over
	numKinds
)

// A connList is connections of one loop in the order in which they were
// pushed. Loop only.
type connList struct {
	kind       int           // which of its connections' links it uses
	timeout    time.Duration // how long a connection may be in it, for those who look
	head, tail *conn
	size       int
}

// A link is the place of a connection in a list.
type link struct {
	list     *connList // nil: in none of this kind
	pre, nex *conn
}

// push puts c, which is in no list of this kind, at the end.
func (cl *connList) push(c *conn) {
	c.links[cl.kind] = link{list: cl, pre: cl.tail}
	if cl.tail == nil {
		cl.head = c
	} else {
		cl.tail.links[cl.kind].nex = c
	}
	cl.tail = c
	cl.size++
}

// listed reports whether c is in a list of this kind.
func (c *conn) listed(kind int) bool { return c.links[kind].list != nil }

// leave takes c off the list of this kind, if it is in one.
func (c *conn) leave(kind int) {
	at := c.links[kind]
	if at.list == nil {
		return
	}
	if at.pre == nil {
		at.list.head = at.nex
	} else {
		at.pre.links[kind].nex = at.nex
	}
	if at.nex == nil {
		at.list.tail = at.pre
	} else {
		at.nex.links[kind].pre = at.pre
	}
	at.list.size--
	c.links[kind] = link{}
}
