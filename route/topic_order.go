package route

// A topicOrder remembers which topic came after which in the bodies of
// registrations. A broker writes its table in the same order each time, and the
// brokers of a cluster write theirs in the same order as each other. So it is mostly
// known what comes next in a body, and that is found by its number, without a look-up
// by name. It is a guess: the number may be another topic's by now, and whoever
// follows it compares the name.
//
// It takes 4 bytes for each topic number there is, whoever registers. Under Table.mu.
type topicOrder struct {
	chunks []*[orderChunk]uint32 // number of a topic -> that of the next, plus 1; 0 is unknown
}

const orderChunk = 1024

// after returns the number of the topic that came after the one with the given
// number.
func (o *topicOrder) after(id uint32) (next uint32, ok bool) {
	if c := id / orderChunk; int(c) < len(o.chunks) {
		next = o.chunks[c][id%orderChunk]
	}
	return next - 1, next != 0
}

// set notes that next came after id.
func (o *topicOrder) set(id, next uint32) {
	for int(id/orderChunk) >= len(o.chunks) {
		o.chunks = append(o.chunks, new([orderChunk]uint32))
	}
	o.chunks[id/orderChunk][id%orderChunk] = next + 1
}

// A topicGuess follows a body through the order of its topics.
type topicGuess struct {
	t     *Table
	last  uint32 // the topic before, if begun
	begun bool
	hash  uint64 // of the name that was last looked up, in topicQueueTable
}

// guessTries is how many topics are tried: between two of this broker's there may be
// one that only other brokers have.
const guessTries = 2

// find returns the entry of the topic that comes next in the body. If there is none,
// g.hash is the hash of the name.
func (g *topicGuess) find(name []byte) (*TopicEntry, bool) {
	t := g.t
	next, ok := g.last, g.begun
	for range guessTries {
		if !ok {
			break
		}
		if next, ok = t.order.after(next); !ok || next >= t.topicByID.size {
			break
		}
		if e := t.topicByID.get(next); e != nil && e.name == string(name) {
			g.last = next
			return e, true
		}
	}
	g.hash = t.topicQueueTable.hash(window(name))
	e, ok := t.topicQueueTable.find(g.hash, window(name))
	if ok {
		if g.begun {
			t.order.set(g.last, e.id)
		}
		g.last, g.begun = e.id, true
	}
	return e, ok
}

// added notes that the topic that came next in the body was new.
func (g *topicGuess) added(id uint32) {
	if g.begun {
		g.t.order.set(g.last, id)
	}
	g.last, g.begun = id, true
}
