package engine

import "time"

// The kinds of lists that a connection may be in, one of each kind at a time.
const (
	byIdleness = iota // idle.go: until it is silent for too long
	byFrame           // backlog.go: until its unfinished frame takes too long
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
	list       *connList // nil: in none of this kind
	prev, next *conn
}

// link returns c's link of a kind, nil if c has none.
func (c *conn) link(kind int) *link {
	switch {
	case kind == byIdleness:
		return &c.idle
	case c.backlog == nil:
		return nil
	}
	return &c.backlog.links[kind-byFrame]
}

// push puts c, which is in no list of this kind, at the end.
func (cl *connList) push(c *conn) {
	if cl.kind != byIdleness {
		c.warm()
	}
	*c.link(cl.kind) = link{list: cl, prev: cl.tail}
	if cl.tail == nil {
		cl.head = c
	} else {
		cl.tail.link(cl.kind).next = c
	}
	cl.tail = c
	cl.size++
}

// listed reports whether c is in a list of this kind.
func (c *conn) listed(kind int) bool {
	at := c.link(kind)
	return at != nil && at.list != nil
}

// unlink takes c off the list of this kind, if it is in one.
func (c *conn) unlink(kind int) {
	at := c.link(kind)
	if at == nil || at.list == nil {
		return
	}
	list := at.list
	if at.prev == nil {
		list.head = at.next
	} else {
		at.prev.link(kind).next = at.next
	}
	if at.next == nil {
		list.tail = at.prev
	} else {
		at.next.link(kind).prev = at.prev
	}
	list.size--
	*at = link{}
}
