package nsdiff

import (
	"strconv"
	"strings"
)

// MaxDifferences is how many differences of one part are kept: some 20 MB of them.
const MaxDifferences = 100_000

// A Value is what one server says of something. The zero value means that it is not known
// what it says.
type Value struct {
	Known bool
	There bool   // it has it; if not, Text is empty
	Text  string // what it is; empty where only being there counts
}

// Absent is the value of a server that does not have something.
var Absent = Value{Known: true}

// There returns the value of a server that has something.
func There(text string) Value { return Value{Known: true, There: true, Text: text} }

// A Difference is one thing of which servers say different things.
type Difference struct {
	Name string  // of the member, the topic or the key
	What string  // of it; "" is whether it is there
	Said []Value // one of each server, in the order of the servers
}

// differ reports whether two of those that are known are different.
func differ(said []Value) bool {
	first := -1
	for i, v := range said {
		switch {
		case !v.Known:
		case first < 0:
			first = i
		case v != said[first]:
			return true
		}
	}
	return false
}

// key is equal for differences that are the same in everything.
func (d *Difference) key() string {
	var b strings.Builder
	for _, s := range []string{d.Name, d.What} {
		b.WriteString(strconv.Quote(s))
	}
	for _, v := range d.Said {
		switch {
		case !v.Known:
			b.WriteByte('?')
		case !v.There:
			b.WriteByte('-')
		default:
			b.WriteString(strconv.Quote(v.Text))
		}
	}
	return b.String()
}

// Standing returns those of old that are in now as well, with what every server says
// unchanged, in the order of old. What differs in another way than before is no standing
// difference: somebody has changed it meanwhile.
func Standing(old, now []Difference) []Difference {
	known := make(map[string]bool, len(now))
	for i := range now {
		known[now[i].key()] = true
	}
	var stand []Difference
	for i := range old {
		if known[old[i].key()] {
			stand = append(stand, old[i])
		}
	}
	return stand
}

// Without returns what is left of differences when a server is not known to say anything
// any more.
func Without(all []Difference, server int) []Difference {
	var left []Difference
	for _, d := range all {
		said := append([]Value(nil), d.Said...)
		said[server] = Value{}
		if differ(said) {
			left = append(left, Difference{d.Name, d.What, said})
		}
	}
	return left
}
