package bench

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonamesrv/codec"
)

// A sink takes what is written, as a socket that never fills.
type sink struct {
	written int
	last    []byte
	in      []byte // what is read next
}

func (s *sink) Write(b []byte) (int, error) {
	s.written += len(b)
	s.last = append(s.last[:0], b...)
	return len(b), nil
}

// newLoop is a worker with one connection and no event loop.
func newLoop(rate float64, depth, topics int) (w *worker, c *conn, s *sink) {
	f := smallFleet(Params{Brokers: 2, Topics: topics, BrokersPerTopic: 2, Form: formPlain})
	d := newDriver("", 1)
	d.ops = []operation{{name: opRoute}}
	d.phases = []*phase{{name: "warm-up"}, {name: "measured"}}
	d.measured.Store(1)
	d.workers = make([]*worker, 1)
	st := &stream{name: "readers", connections: 1, rate: rate, depth: depth, source: func(int) source {
		return &routes{f.topics, rand.New(rand.NewPCG(1, 1)), 0}
	}}
	w = &worker{d: d, sec: newSecond(), secNo: -1, phase: 1, stats: [][]opStats{make([]opStats, 1), make([]opStats, 1)}}
	l := &lane{stream: st, limit: -1, active: true, interval: 1e9 / max(rate, 1)}
	if rate > 0 {
		l.lag = newHistogram()
	}
	c = newConn(l, 0, 1, depth)
	l.conns = []*conn{c}
	w.lanes = []*lane{l}
	s = new(sink)
	c.s = s
	d.workers[0] = w
	return w, c, s
}

// routeReply is the reply to the topic's request, with the given opaque.
func routeReply(t *topic, opaque int32) []byte {
	var d codec.TopicRouteData
	for _, b := range t.brokers {
		d.BrokerDatas = append(d.BrokerDatas, codec.BrokerData{Cluster: b.cluster, BrokerName: b.name, BrokerAddrs: []codec.BrokerAddr{{Addr: b.addr}}})
		d.QueueDatas = append(d.QueueDatas, codec.QueueData{BrokerName: b.name, ReadQueueNums: queueNums, WriteQueueNums: queueNums, Perm: topicPerm})
	}
	return codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: opaque, Body: d.AppendJSON(nil, codec.DialectStrict)})
}

// turnaround makes one turn of a closed loop: depth replies in, checked, and
// depth requests out.
func turnaround(w *worker, c *conn, s *sink, t *topic, replies []byte, size, depth int) {
	for i := range depth {
		opaque := c.opaque - int32(depth) + int32(i)
		putOpaque(replies[i*size+offsetOfOpaque:], opaque, false)
	}
	s.in = replies
	w.traffic(c, s.in)
}

// offsetOfOpaque is where the opaque stands in routeReply.
var offsetOfOpaque = after(routeReply(smallFleet(Params{Brokers: 2, Topics: 1, BrokersPerTopic: 2}).topics[0], firstNumber)[:120], opaqueKey)

func closedLoop(depth int) (turn func(), w *worker) {
	w, c, s := newLoop(0, depth, 1)
	t := c.src.(*routes).topics[0]
	w.refill(c, w.d.now())
	reply := routeReply(t, firstNumber)
	var replies []byte
	for range depth {
		replies = append(replies, reply...)
	}
	return func() { turnaround(w, c, s, t, replies, len(reply), depth) }, w
}

// BenchmarkGenerator is what the generator does for one request, without the
// system calls: take and check the reply, record it, send the next one.
func BenchmarkGenerator(b *testing.B) {
	for _, depth := range []int{1, 16} {
		b.Run(map[int]string{1: "depth=1", 16: "depth=16"}[depth], func(b *testing.B) {
			turn, w := closedLoop(depth)
			b.ReportAllocs()
			for b.Loop() {
				turn()
			}
			if st := w.stats[1][0]; st.wrong > 0 || st.answered < uint64(depth) {
				b.Fatalf("%+v", st)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/request")
		})
	}
}

// TestGeneratorAllocates nothing.
func TestGeneratorAllocates(t *testing.T) {
	turn, w := closedLoop(16)
	turn() // histograms
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Errorf("%v allocations per turn of 16 requests", n)
	}
	if st := w.stats[1][0]; st.wrong > 0 || st.answered < 200*16 || len(st.errors) > 0 {
		t.Errorf("%+v", st)
	}
}

// TestTornReplies gives the generator replies in pieces of every size.
func TestTornReplies(t *testing.T) {
	for size := 1; size < 400; size += 7 {
		w, c, s := newLoop(0, 3, 1)
		topic := c.src.(*routes).topics[0]
		w.refill(c, 0)
		var in []byte
		for i := range 3 {
			in = append(in, routeReply(topic, firstNumber+int32(i))...)
		}
		c.lane.active = false
		for len(in) > 0 {
			n := min(size, len(in))
			s.in = in[:n]
			w.traffic(c, s.in)
			in = in[n:]
		}
		if st := w.stats[1][0]; st.answered != 3 || c.unanswered != 0 || w.d.wrongs > 0 || len(c.in) > 0 {
			t.Fatalf("pieces of %d: %+v, %d unanswered, %d wrong", size, st, c.unanswered, w.d.wrongs)
		}
	}
}

// TestReorderedReplies: servers with many threads answer out of order.
func TestReorderedReplies(t *testing.T) {
	const n = 1000
	w, c, s := newLoop(0, n, 1)
	topic := c.src.(*routes).topics[0]
	w.refill(c, 0)
	c.lane.active = false
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		s.in = routeReply(topic, firstNumber+int32(i))
		w.traffic(c, s.in)
	}
	if st := w.stats[1][0]; st.answered != n || c.unanswered != 0 || w.d.wrongs > 0 {
		t.Errorf("%+v, %d unanswered, %d wrong", st, c.unanswered, w.d.wrongs)
	}
}

// TestTake: only what is under way is found, however the slots are laid out.
func TestTake(t *testing.T) {
	_, c, _ := newLoop(0, 1, 1)
	c.put(slot{opaque: firstNumber + 3, arg: 7})
	for _, other := range []int32{0, firstNumber, firstNumber + 3 + int32(len(c.slots)), 3} {
		if _, ok := c.take(other); ok {
			t.Errorf("opaque %d is taken for %d", other, firstNumber+3)
		}
	}
	if s, ok := c.take(firstNumber + 3); !ok || s.arg != 7 || c.unanswered != 0 {
		t.Errorf("got %+v, %v", s, ok)
	}
	if _, ok := c.take(firstNumber + 3); ok {
		t.Error("the same request is answered twice")
	}
}

// TestSlots: an open loop remembers all that a stalled server owes, up to its
// bound.
func TestSlots(t *testing.T) {
	w, c, s := newLoop(1e6, 1, 1)
	l := w.lanes[0]
	l.interval = 1
	w.issueDue(l, maxUnanswered+9, math.MaxInt) // 10 more than the bound
	st := w.stats[1][0]
	if st.sent != maxUnanswered || st.errors[ErrorOverrun] != 10 || c.unanswered != maxUnanswered {
		t.Fatalf("sent %d, overrun %d, unanswered %d", st.sent, st.errors[ErrorOverrun], c.unanswered)
	}
	topic := c.src.(*routes).topics[0]
	for _, i := range []int32{0, maxUnanswered - 1, maxUnanswered / 2} {
		s.in = routeReply(topic, firstNumber+i)
		w.traffic(c, s.in)
	}
	if w.stats[1][0].answered != 3 || w.d.wrongs > 0 {
		t.Errorf("%+v, %d wrong", w.stats[1][0], w.d.wrongs)
	}
}

// TestSchedule: an open loop sends each request once, at its time, however
// irregularly it is called.
func TestSchedule(t *testing.T) {
	w, c, _ := newLoop(1000, 1, 1)
	l := w.lanes[0]
	l.start = 500
	rng := rand.New(rand.NewPCG(1, 3))
	now := int64(500)
	for now < int64(time.Second) {
		now += rng.Int64N(int64(20 * time.Millisecond))
		due := w.issueDue(l, now, math.MaxInt)
		if due <= now || due > now+int64(time.Millisecond)+1 {
			t.Fatalf("at %d the next is due at %d", now, due)
		}
	}
	if want := uint64((now-500)/int64(time.Millisecond)) + 1; w.stats[1][0].sent != want {
		t.Fatalf("sent %d, want %d", w.stats[1][0].sent, want)
	}
	for i := range c.slots {
		if sl := c.slots[i]; sl.opaque != 0 && sl.intended != 500+int64(sl.opaque-firstNumber)*int64(time.Millisecond) {
			t.Fatalf("request %d was to be sent at %d", sl.opaque-firstNumber, sl.intended)
		}
	}
}
