package engine

import (
	"net/netip"
	"time"
)

// The kinds of lists that a stranger may be in.
const (
	ofAll  = iota
	ofSite // once its site is known, if somebody asks for it
	strangerKinds
)

// A stranger is the place of a connection among the strangers. It is used again for
// another when its connection has spoken.
type stranger struct {
	c       *conn
	since   time.Duration // engine time
	site    netip.Prefix
	links   [strangerKinds]strangerLink
	inPlace chan struct{} // once taken: holds one value for this one until it is closed; may be nil
}

type strangerLink struct {
	list       *strangerList // nil: in none of this kind
	prev, next *stranger
}

// A strangerList is strangers, the oldest first. The zero value is an empty list of
// the kind ofAll.
type strangerList struct {
	kind        int
	first, last *stranger
}

// push puts at, which is in no list of this kind, at the end.
func (l *strangerList) push(at *stranger) {
	at.links[l.kind] = strangerLink{list: l, prev: l.last}
	if l.last == nil {
		l.first = at
	} else {
		l.last.links[l.kind].next = at
	}
	l.last = at
}

// listed reports whether at is in a list of this kind.
func (at *stranger) listed(kind int) bool { return at.links[kind].list != nil }

// unlink takes at off the list of this kind, in which it is.
func (at *stranger) unlink(kind int) {
	link := at.links[kind]
	if link.prev == nil {
		link.list.first = link.next
	} else {
		link.prev.links[kind].next = link.next
	}
	if link.next == nil {
		link.list.last = link.prev
	} else {
		link.next.links[kind].prev = link.prev
	}
	at.links[kind] = strangerLink{}
}
